//! The two agencies' tables: columns, date formats, spellings.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

use super::names::{People, TOWNS_UK, cyrillic};
use super::person::Person;
use super::random::SplitMix64;
use crate::exclusion::Exclusion;

pub(super) const UK_MAP: &str = r#"# Columns of the British list.
synthetic = true
date_format = "%d/%m/%Y"
region = "GB"

[columns]
ref = "Record No"
family_names = "Surname"
given_names = "Forenames"
dob = "Date of Birth"
sex = "Sex"
place_of_birth = "Place of Birth"
national_id = "Foreign ID No"
document_number = "Passport No"
document_state = "Passport Issued By"
locality = "Town"

[constants]
category = "suspect"
national_id_type = "jmbg"

[exclude]
asylum_claim = "Asylum"
contested_record = "Disputed"
"#;

pub(super) const RS_MAP: &str = r#"# Columns of the Serbian list.
synthetic = true
date_format = "%d.%m.%Y."
region = "RS"

[columns]
ref = "evidencioni_broj"
family_names = "prezime"
given_names = "ime"
dob = "datum_rodjenja"
sex = "pol"
place_of_birth = "mesto_rodjenja"
national_id = "jmbg"
document_number = "broj_pasosa"
document_state = "drzava_pasosa"

[constants]
category = "suspect"
national_id_type = "jmbg"

[exclude]
asylum_claim = "zahtev_za_azil"
trafficking_victim = "zrtva_trgovine"
"#;

/// The exclusions that have a column in the British list, and in the Serbian.
pub(super) const UK_FLAGS: [Exclusion; 2] = [Exclusion::AsylumClaim, Exclusion::ContestedRecord];
pub(super) const RS_FLAGS: [Exclusion; 2] = [Exclusion::AsylumClaim, Exclusion::TraffickingVictim];

const UK_COLUMNS: usize = 12;
const RS_COLUMNS: usize = 11;

const UK_HEADER: [&str; UK_COLUMNS] = [
    "Record No",
    "Surname",
    "Forenames",
    "Date of Birth",
    "Sex",
    "Place of Birth",
    "Foreign ID No",
    "Passport No",
    "Passport Issued By",
    "Town",
    "Asylum",
    "Disputed",
];

const RS_HEADER: [&str; RS_COLUMNS] = [
    "evidencioni_broj",
    "prezime",
    "ime",
    "datum_rodjenja",
    "pol",
    "mesto_rodjenja",
    "jmbg",
    "broj_pasosa",
    "drzava_pasosa",
    "zahtev_za_azil",
    "zrtva_trgovine",
];

pub(super) fn uk_ref(index: usize) -> String {
    format!("UK-{:07}", index + 1)
}

pub(super) fn rs_ref(index: usize) -> String {
    format!("RS-{:07}", index + 1)
}

/// How a British clerk writes a Serbian name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Spelling {
    /// Without marks, Đ as D: DORDEVIC.
    NoMarks,
    /// Without marks, Đ as Dj: Djordjevic.
    Dj,
    /// As an English ear writes it: Djordyevich.
    English,
    /// With marks, from a passport's visual zone.
    Marks,
}

impl Spelling {
    pub(super) const ALL: [Self; 4] = [Self::NoMarks, Self::Dj, Self::English, Self::Marks];

    pub(super) fn choose(random: &mut SplitMix64) -> Self {
        random.pick(&Self::ALL)
    }

    pub(super) fn write(self, name: &str) -> String {
        let respelt = match self {
            Self::Marks => return name.to_owned(),
            Self::NoMarks => respell(name, &[("Đ", "D"), ("đ", "d")]),
            Self::Dj => respell(name, &[("Đ", "Dj"), ("đ", "dj")]),
            Self::English => respell(
                name,
                &[
                    ("Dž", "Dzh"),
                    ("dž", "dzh"),
                    ("J", "Y"),
                    ("j", "y"),
                    ("Đ", "Dj"),
                    ("đ", "dj"),
                    ("Š", "Sh"),
                    ("š", "sh"),
                    ("Ž", "Zh"),
                    ("ž", "zh"),
                    ("Č", "Ch"),
                    ("č", "ch"),
                    ("Ć", "Ch"),
                    ("ć", "ch"),
                ],
            ),
        };
        respelt.nfd().filter(|c| !is_combining_mark(*c)).collect()
    }
}

fn respell(name: &str, pairs: &[(&str, &str)]) -> String {
    pairs
        .iter()
        .fold(name.to_owned(), |name, (from, to)| name.replace(from, to))
}

pub(super) fn uk_row(
    index: usize,
    person: &Person,
    spelling: Spelling,
    random: &mut SplitMix64,
) -> [String; UK_COLUMNS] {
    let write = |name: &str| match person.people {
        People::Serbian => spelling.write(name),
        _ => name.to_owned(),
    };
    let family = write(person.family);
    let family = if random.one_in(2) {
        family.to_uppercase()
    } else {
        family
    };
    let (state, number) = passport(person);
    [
        uk_ref(index),
        family,
        write(person.given),
        format!(
            "{:02}/{:02}/{}",
            person.birth.day, person.birth.month, person.birth.year
        ),
        if person.male { "M" } else { "F" }.to_owned(),
        Spelling::NoMarks.write(person.place_of_birth),
        person.national_id.clone().unwrap_or_default(),
        number,
        state,
        random.pick(TOWNS_UK).to_owned(),
        flag(person, UK_FLAGS[0], "Y", ""),
        flag(person, UK_FLAGS[1], "Y", ""),
    ]
}

pub(super) fn rs_row(
    index: usize,
    person: &Person,
    random: &mut SplitMix64,
) -> [String; RS_COLUMNS] {
    let in_cyrillic = person.people == People::Serbian && random.one_in(2);
    let write = |name: &str| {
        if in_cyrillic && !is_canary(name) {
            cyrillic(name)
        } else {
            name.to_owned()
        }
    };
    let (state, number) = passport(person);
    [
        rs_ref(index),
        write(person.family),
        write(person.given),
        format!(
            "{:02}.{:02}.{}.",
            person.birth.day, person.birth.month, person.birth.year
        ),
        if person.male { "M" } else { "Ž" }.to_owned(),
        write(person.place_of_birth),
        person.national_id.clone().unwrap_or_default(),
        number,
        state,
        flag(person, RS_FLAGS[0], "da", "ne"),
        flag(person, RS_FLAGS[1], "da", "ne"),
    ]
}

fn flag(person: &Person, exclusion: Exclusion, yes: &str, no: &str) -> String {
    let carries = person.excluded_as == Some(exclusion);
    if carries { yes } else { no }.to_owned()
}

pub(super) fn uk_table(rows: &[[String; UK_COLUMNS]]) -> String {
    csv_text(
        &UK_HEADER,
        rows.iter().map(<[String; UK_COLUMNS]>::as_slice),
    )
}

pub(super) fn rs_table(rows: &[[String; RS_COLUMNS]]) -> String {
    csv_text(
        &RS_HEADER,
        rows.iter().map(<[String; RS_COLUMNS]>::as_slice),
    )
}

/// A canary keeps its bytes.
fn is_canary(name: &str) -> bool {
    name == super::CANARY_RS
}

fn passport(person: &Person) -> (String, String) {
    match &person.passport {
        Some(passport) => (passport.state.to_owned(), passport.number.clone()),
        None => (String::new(), String::new()),
    }
}

fn csv_text<'a>(header: &[&str], rows: impl Iterator<Item = &'a [String]>) -> String {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer
        .write_record(header)
        .expect("writing to memory cannot fail");
    for row in rows {
        writer
            .write_record(row)
            .expect("every row has the header's width");
    }
    let bytes = writer.into_inner().expect("writing to memory cannot fail");
    String::from_utf8(bytes).expect("strings were written")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fold::fold;

    #[test]
    fn every_spelling_of_every_name_in_the_pools_folds_alike() {
        let serbian = People::Serbian;
        for name in serbian
            .families()
            .iter()
            .chain(serbian.given(true))
            .chain(serbian.given(false))
        {
            let expected = fold(name).unwrap();
            assert_eq!(
                fold(&cyrillic(name)).unwrap(),
                expected,
                "{name} in Cyrillic"
            );
            assert!(
                cyrillic(name).chars().all(|c| !c.is_ascii_alphabetic()),
                "{name}"
            );
            for spelling in Spelling::ALL {
                let written = spelling.write(name);
                assert_eq!(fold(&written).unwrap(), expected, "{name} as {written}");
                assert_eq!(
                    fold(&written.to_uppercase()).unwrap(),
                    expected,
                    "{name} as {written}, upper case"
                );
            }
        }
    }

    #[test]
    fn canaries_are_their_own_fold() {
        for canary in [super::super::CANARY_UK, super::super::CANARY_RS] {
            assert_eq!(fold(canary).as_deref(), Some(canary));
        }
    }
}
