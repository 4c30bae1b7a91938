//! Fictional people, none of whom shares a match key with another by accident.

use std::collections::HashSet;

use super::names::{PLACES, People};
use super::random::SplitMix64;
use crate::date::{Date, days_in_month};
use crate::exclusion::Exclusion;
use crate::fold::fold;
use crate::jmbg::check_digit;

/// Years of birth: adults of working age.
const BIRTH_YEAR_FIRST: u16 = 1955;
const BIRTH_YEARS: usize = 50;
/// Never issued, so that no number belongs to a person.
const JMBG_REGION_FIRST: usize = 60;
const JMBG_REGIONS: usize = 10;

/// A passport: issuing state and number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Passport {
    pub(super) state: &'static str,
    pub(super) number: String,
}

/// A person as one agency knows them; Serbian names in Latin with marks.
#[derive(Clone, Debug)]
pub(super) struct Person {
    pub(super) people: People,
    pub(super) male: bool,
    pub(super) family: &'static str,
    pub(super) given: &'static str,
    pub(super) birth: Date,
    pub(super) national_id: Option<String>,
    pub(super) passport: Option<Passport>,
    pub(super) place_of_birth: &'static str,
    pub(super) excluded_as: Option<Exclusion>,
}

impl Date {
    pub(super) fn first_of_january(self) -> Self {
        Self {
            month: 1,
            day: 1,
            ..self
        }
    }
}

/// Makes people, and remembers what has been given out.
pub(super) struct World {
    random: SplitMix64,
    names_and_births: HashSet<(String, String, Date)>,
    numbers: HashSet<String>,
}

impl World {
    pub(super) fn new(random: SplitMix64) -> Self {
        Self {
            random,
            names_and_births: HashSet::new(),
            numbers: HashSet::new(),
        }
    }

    pub(super) fn random(&mut self) -> &mut SplitMix64 {
        &mut self.random
    }

    pub(super) fn serbian(&mut self) -> Person {
        self.person(People::Serbian)
    }

    /// Two in three are Serbian.
    pub(super) fn anyone(&mut self) -> Person {
        let people = if self.random.one_in(3) {
            self.random.pick(&People::OTHERS)
        } else {
            People::Serbian
        };
        self.person(people)
    }

    /// Another person with the name of `of`, born on another day.
    pub(super) fn namesake(&mut self, of: &Person) -> Person {
        let mut person = of.clone();
        loop {
            person.birth = self.birth();
            if self.claim(&person) {
                return self.with_papers(person);
            }
        }
    }

    /// A parent or child: the family name, another given name and date of birth.
    pub(super) fn relative(&mut self, of: &Person) -> Person {
        loop {
            let person = Person {
                family: of.family,
                ..self.draw(of.people)
            };
            if person.given != of.given && self.claim(&person) {
                return self.with_papers(person);
            }
        }
    }

    /// Family name and date of birth of `of`, another given name.
    pub(super) fn twin(&mut self, of: &Person) -> Person {
        loop {
            let person = Person {
                family: of.family,
                birth: of.birth,
                ..self.draw(of.people)
            };
            if self.claim(&person) {
                return self.with_papers(person);
            }
        }
    }

    /// A stranger whose passport has the number of that of `of`, issued by another state.
    pub(super) fn same_number_elsewhere(&mut self, of: &Person) -> Person {
        let other = if of.people == People::Serbian {
            People::Albanian
        } else {
            People::Serbian
        };
        let mut person = self.person(other);
        person.passport = of.passport.clone().map(|passport| Passport {
            state: other.state(),
            ..passport
        });
        person
    }

    /// Another family name for the same person.
    pub(super) fn other_family(&mut self, of: &Person) -> &'static str {
        loop {
            let family = self.random.pick(of.people.families());
            if family != of.family
                && self.claim(&Person {
                    family,
                    ..of.clone()
                })
            {
                return family;
            }
        }
    }

    /// The same person under a given family name.
    pub(super) fn with_family(&mut self, mut person: Person, family: &'static str) -> Person {
        person.family = family;
        while !self.claim(&person) {
            person.birth = self.birth();
            person.national_id = None;
        }
        person
    }

    pub(super) fn passport(&mut self, people: People) -> Passport {
        let state = people.state();
        let number = self.unused(|random| match people {
            People::Serbian => format!("0{:08}", random.below(100_000_000)),
            People::Turkish => format!("U{:08}", random.below(100_000_000)),
            People::Afghan => format!("P{:08}", random.below(100_000_000)),
            People::Albanian => format!("BA{:07}", random.below(10_000_000)),
            People::Vietnamese => format!("C{:08}", random.below(100_000_000)),
        });
        Passport { state, number }
    }

    fn person(&mut self, people: People) -> Person {
        loop {
            let person = self.draw(people);
            if self.claim(&person) {
                return self.with_papers(person);
            }
        }
    }

    fn draw(&mut self, people: People) -> Person {
        let male = !self.random.one_in(3);
        Person {
            people,
            male,
            family: self.random.pick(people.families()),
            given: self.random.pick(people.given(male)),
            birth: self.birth(),
            national_id: None,
            passport: None,
            place_of_birth: self.random.pick(PLACES),
            excluded_as: None,
        }
    }

    fn with_papers(&mut self, mut person: Person) -> Person {
        person.passport = Some(self.passport(person.people));
        person.national_id = (person.people == People::Serbian)
            .then(|| self.unused(|random| jmbg(person.birth, person.male, random)));
        person
    }

    fn birth(&mut self) -> Date {
        loop {
            let year = BIRTH_YEAR_FIRST + self.random.below(BIRTH_YEARS) as u16;
            let month = 1 + self.random.below(12) as u8;
            let day = 1 + self.random.below(usize::from(days_in_month(year, month))) as u8;
            let date = Date { year, month, day };
            if !date.is_first_of_january() {
                return date;
            }
        }
    }

    fn unused(&mut self, mut draw: impl FnMut(&mut SplitMix64) -> String) -> String {
        loop {
            let number = draw(&mut self.random);
            if self.numbers.insert(number.clone()) {
                return number;
            }
        }
    }

    fn claim(&mut self, person: &Person) -> bool {
        let folded = |name| fold(name).expect("every name in the pools folds");
        self.names_and_births
            .insert((folded(person.family), folded(person.given), person.birth))
    }
}

/// `DDMMYYY RR BBB K`: birth date, region, serial number (men below 500), check digit.
fn jmbg(birth: Date, male: bool, random: &mut SplitMix64) -> String {
    let region = JMBG_REGION_FIRST + random.below(JMBG_REGIONS);
    let serial = random.below(500) + if male { 0 } else { 500 };
    let body = format!(
        "{:02}{:02}{:03}{region:02}{serial:03}",
        birth.day,
        birth.month,
        birth.year % 1000
    );
    let check = check_digit(body.as_bytes());
    format!("{body}{check}")
}
