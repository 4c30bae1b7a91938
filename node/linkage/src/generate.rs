//! Fictional lists of a British and a Serbian agency, with the truth about who is on both.
//!
//! Each list has its own column names, date format and spelling: the British one Latin without marks or in English
//! respelling, the Serbian one Cyrillic or Latin with marks. The same size, seed and [`GENERATOR_VERSION`] give the same
//! bytes. Nobody in them exists: national numbers use the Serbian region codes 60 to 69, which were never issued.
//!
//! What is planted, so that a round has something to get wrong: true pairs that share a passport, a national number, a
//! name with date of birth, or several of these, one in ten with a renewed passport (a conflict); and look-alikes that
//! are different people: the same name born on another day, the same name with 1 January on both sides, relatives,
//! twins, one passport number issued by two states. Some rows of people on one list only carry canary strings or an
//! exclusion.

mod names;
mod person;
mod random;
mod table;

use self::person::{Person, World};
use self::random::SplitMix64;
use self::table::{Spelling, rs_row, rs_table, uk_row, uk_table};
use crate::exclusion::Exclusion;
use crate::field::Field;
use crate::rules::{DefaultDob, LinkageRules, MatchKeyRule, PROFILE, Strength, Transforms};
use crate::transform::Transform;

/// Raised with every change of the bytes that a seed gives.
pub const GENERATOR_VERSION: u16 = 2;

/// In some British rows without a counterpart, as a name or place of birth. It is its own fold, so neither the table
/// nor a match key can hide it from a search: it must never appear at the other node.
pub const CANARY_UK: &str = "QZKANARIBRITQZ";
/// The same in Serbian rows.
pub const CANARY_RS: &str = "QZKANARISRBQZ";

/// One row in twenty of those that stand on one list only is half of a pair of look-alikes.
const LOOKALIKE_EVERY: usize = 20;
/// One row in ten of the others carries a canary.
const CANARY_EVERY: usize = 10;
/// One row in so many of the others carries an exclusion. Nobody on both lists does, so that the truth does not depend
/// on the agreement's scope.
const EXCLUDED_ONE_IN: usize = 25;

/// Rows of the two lists, and how many people stand on both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// Rows of the British list.
    pub left: usize,
    /// Rows of the Serbian list.
    pub right: usize,
    /// People on both.
    pub overlap: usize,
}

impl Size {
    /// For demonstrations and tests.
    pub const S: Self = Self {
        left: 1_000,
        right: 1_000,
        overlap: 40,
    };
    /// A working list.
    pub const M: Self = Self {
        left: 50_000,
        right: 30_000,
        overlap: 400,
    };
    /// A register.
    pub const L: Self = Self {
        left: 1_000_000,
        right: 500_000,
        overlap: 2_000,
    };
}

/// The generated files, as text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Generated {
    /// The British list (left).
    pub uk_csv: String,
    /// Its map file.
    pub uk_map: String,
    /// The Serbian list (right).
    pub rs_csv: String,
    /// Its map file.
    pub rs_map: String,
    /// Header `left_ref,right_ref,relation`; one row per person on both lists, relation `same`, in order of `left_ref`.
    pub truth_csv: String,
}

/// The rules that find every true pair of a generated list, and nothing else: national number, passport, and name with
/// date of birth, each `alone`.
pub fn demo_rules() -> LinkageRules {
    let key = |id: &str, fields: &[Field], transform, strength, bits| MatchKeyRule {
        id: id.to_owned(),
        fields: fields.to_vec(),
        transform,
        strength,
        alone: true,
        bits: Some(bits),
    };
    let exact = Transforms::All(Transform::Exact);
    let names_folded = Transforms::PerField(
        [
            (Field::FamilyNames, Transform::Fold),
            (Field::GivenNames, Transform::Fold),
            (Field::Dob, Transform::Exact),
        ]
        .into(),
    );
    let match_keys = vec![
        key(
            "national-id",
            &[Field::NationalId],
            exact.clone(),
            Strength::Strong,
            23,
        ),
        key(
            "passport",
            &[Field::DocumentState, Field::DocumentNumber],
            exact,
            Strength::Strong,
            30,
        ),
        key(
            "name-dob",
            &[Field::FamilyNames, Field::GivenNames, Field::Dob],
            names_folded,
            Strength::Medium,
            30,
        ),
    ];
    LinkageRules::new(PROFILE, DefaultDob::Missing, match_keys)
        .expect("the demo rules are checked by a test")
}

/// Generates both lists.
///
/// # Panics
/// If more people shall stand on both lists than one of them has rows.
pub fn generate(size: Size, seed: u64) -> Generated {
    let only_left = size
        .left
        .checked_sub(size.overlap)
        .expect("the overlap fits the left list");
    let only_right = size
        .right
        .checked_sub(size.overlap)
        .expect("the overlap fits the right list");
    let mut world = World::new(SplitMix64::new(seed));
    let mut left = Vec::with_capacity(size.left);
    let mut right = Vec::with_capacity(size.right);
    for number in 0..size.overlap {
        let (uk, rs) = true_pair(&mut world, number);
        left.push(Placed {
            person: uk,
            pair: Some(number),
        });
        right.push(Placed {
            person: rs,
            pair: Some(number),
        });
    }
    for number in 0..only_left.min(only_right) / LOOKALIKE_EVERY {
        let (uk, rs) = look_alikes(&mut world, number);
        left.push(Placed {
            person: uk,
            pair: None,
        });
        right.push(Placed {
            person: rs,
            pair: None,
        });
    }
    fill(
        &mut world,
        &mut left,
        size.left,
        CANARY_UK,
        &table::UK_FLAGS,
    );
    fill(
        &mut world,
        &mut right,
        size.right,
        CANARY_RS,
        &table::RS_FLAGS,
    );

    let random = world.random();
    random.shuffle(&mut left);
    random.shuffle(&mut right);
    let uk_rows: Vec<_> = left
        .iter()
        .enumerate()
        .map(|(index, placed)| uk_row(index, &placed.person, Spelling::choose(random), random))
        .collect();
    let rs_rows: Vec<_> = right
        .iter()
        .enumerate()
        .map(|(index, placed)| rs_row(index, &placed.person, random))
        .collect();
    Generated {
        uk_csv: uk_table(&uk_rows),
        uk_map: table::UK_MAP.to_owned(),
        rs_csv: rs_table(&rs_rows),
        rs_map: table::RS_MAP.to_owned(),
        truth_csv: truth(size.overlap, &left, &right),
    }
}

struct Placed {
    person: Person,
    pair: Option<usize>,
}

/// One person as each agency knows them. The kinds take turns, so that even a small list has all of them.
fn true_pair(world: &mut World, number: usize) -> (Person, Person) {
    let kind = number % 10;
    let mut rs = if matches!(kind, 2 | 3 | 5 | 6 | 8) {
        world.anyone()
    } else {
        world.serbian()
    };
    let mut uk = rs.clone();
    match kind {
        // name and date of birth only: the British side saw no paper
        2 | 3 => {
            uk.national_id = None;
            uk.passport = None;
        }
        // married since, known by the national number alone
        4 => {
            uk.family = world.other_family(&rs);
            uk.passport = None;
        }
        // the British side guessed the birth date
        5 => {
            uk.national_id = None;
            uk.birth = uk.birth.first_of_january();
        }
        6 => uk.national_id = None,
        7 => uk.passport = None,
        // a renewed passport: the name agrees, the document does not
        8 => {
            uk.national_id = None;
            rs.passport = Some(world.passport(rs.people));
        }
        // everything but the family name
        9 => uk.family = world.other_family(&rs),
        _ => {}
    }
    (uk, rs)
}

/// Two people who are easily taken for one, and share no match key of [`demo_rules`].
fn look_alikes(world: &mut World, number: usize) -> (Person, Person) {
    let uk = world.anyone();
    let rs = match number % 5 {
        0 => world.namesake(&uk),
        1 => {
            let mut rs = world.namesake(&uk);
            let year = uk.birth.first_of_january();
            rs.birth = year;
            rs.national_id = None;
            let uk = Person {
                birth: year,
                national_id: None,
                ..uk
            };
            return (uk, rs);
        }
        2 => world.relative(&uk),
        3 => world.twin(&uk),
        _ => world.same_number_elsewhere(&uk),
    };
    (uk, rs)
}

fn fill(
    world: &mut World,
    list: &mut Vec<Placed>,
    rows: usize,
    canary: &'static str,
    flags: &[Exclusion],
) {
    for number in 0..rows - list.len() {
        let mut person = world.anyone();
        match number % (2 * CANARY_EVERY) {
            0 => person = world.with_family(person, canary),
            CANARY_EVERY => person.place_of_birth = canary,
            _ => {}
        }
        if world.random().one_in(7) {
            // as at every border: the day of birth was not known
            person.birth = person.birth.first_of_january();
            person.national_id = None;
        }
        if world.random().one_in(3) {
            person.national_id = None;
        }
        if world.random().one_in(4) {
            person.passport = None;
        }
        if world.random().one_in(EXCLUDED_ONE_IN) {
            person.excluded_as = Some(world.random().pick(flags));
        }
        list.push(Placed { person, pair: None });
    }
}

fn truth(overlap: usize, left: &[Placed], right: &[Placed]) -> String {
    let mut right_of = vec![0; overlap];
    for (index, placed) in right.iter().enumerate() {
        if let Some(pair) = placed.pair {
            right_of[pair] = index;
        }
    }
    let mut text = String::from("left_ref,right_ref,relation\n");
    for (index, placed) in left.iter().enumerate() {
        if let Some(pair) = placed.pair {
            let right_ref = table::rs_ref(right_of[pair]);
            text.extend([table::uk_ref(index).as_str(), ",", &right_ref, ",same\n"]);
        }
    }
    text
}
