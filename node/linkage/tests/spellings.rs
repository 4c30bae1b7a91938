//! The fold, on hand-made spellings: what must be one name, and what must stay two.

use mandorla_linkage::{fold, is_placeholder};

/// Each line is one name, written as agencies write it.
const ONE_NAME: &[&[&str]] = &[
    &[
        "Ђорђевић",
        "Đorđević",
        "DORDEVIC",
        "DJORDJEVIC",
        "Djordjevich",
    ],
    &[
        "Ђурђевић",
        "Đurđević",
        "Durdevic",
        "Djurdjevic",
        "DJURDJEVICH",
    ],
    &["Живковић", "Živković", "Zivkovic", "Zhivkovich", "ŽIVKOVIĆ"],
    &["Хаџић", "Hadžić", "Hadzic", "Hadzhich", "Khadzhich"],
    &[
        "Шљиванчанин",
        "Šljivančanin",
        "Sljivancanin",
        "Shlyivanchanin",
        "SLJIVANCANIN",
    ],
    &["Његош", "Njegoš", "Nyegosh", "NJEGOS", "Ǌegoš"],
    &["Љубичић", "Ljubičić", "Lyubichich", "Ljubicic", "Ǉubičić"],
    &["Џорџ", "Džordž", "Dzhordzh", "Dzordz", "Ǆorǆ"],
    &[
        "Јовановић",
        "Jovanović",
        "Yovanovich",
        "JOVANOVIC",
        "Jo\u{301}vanovic\u{301}",
    ],
    &["Михајло", "Mihajlo", "Mikhaylo", "MIHAJLO"],
    &["Вук", "Vuk", "Wuk", "VUK"],
    &["Гордана", "Gordana", "GORDANA"],
    &["Ћирић", "Ćirić", "Chirich", "Ciric"],
    &["Чолић", "Čolić", "Cholich", "COLIC"],
    &["Жарко", "Žarko", "Zharko", "ZARKO"],
    &["Щукин", "Шчукин", "Shchukin", "Ščukin"],
    &["Анна Марија", "Ana-Marija", "ANNA MARIYA", "AnaMarija"],
    &[
        "O'Donnell",
        "ODONNELL",
        "O’Donnell",
        "O\u{2bc}Donnell",
        "O Donnell",
    ],
    &["Łukasz", "LUKASZ", "Lukasz"],
    &["Weiß", "WEISS", "Weiss"],
    &["Æther", "AETHER"],
    &["Yılmaz", "YILMAZ", "Jılmaz"],
    &["Ｄｊｏｒｄｊｅｖｉｃ", "Đorđević"],
    &["Мађар", "Mađar", "Madjar", "Madyar"],
    &["Đặng", "Dang"],
];

#[test]
fn five_spellings_of_one_surname_give_one_fold() {
    for spelling in ONE_NAME[0] {
        assert_eq!(fold(spelling).as_deref(), Some("DORDEVIC"), "{spelling}");
    }
}

#[test]
fn every_spelling_of_a_name_folds_alike_and_no_two_names_do() {
    assert!(
        ONE_NAME
            .iter()
            .map(|spellings| spellings.len())
            .sum::<usize>()
            >= 90
    );
    let mut folds: Vec<String> = Vec::new();
    for spellings in ONE_NAME {
        let first = fold(spellings[0]).unwrap();
        for spelling in *spellings {
            assert_eq!(
                fold(spelling).as_deref(),
                Some(first.as_str()),
                "{spelling}"
            );
        }
        folds.push(first);
    }
    folds.sort();
    folds.dedup();
    // "Đorđević" in full width is the first name once more.
    assert_eq!(folds.len(), ONE_NAME.len() - 1);
}

#[test]
fn different_names_stay_different() {
    for (one, other) in [
        ("Гордана", "Хордана"),
        ("Petrović", "Pavlović"),
        ("Јован", "Јована"),
        ("Marić", "Matić"),
        ("Đukić", "Žukić"),
        ("Savić", "Šarić"),
        ("22", "2"),
    ] {
        assert_ne!(fold(one), fold(other), "{one} {other}");
    }
}

#[test]
fn a_value_that_cannot_be_folded_whole_gives_no_key() {
    for value in ["", "  ", "-", "محمد", "Ana محمد", "Νίκος", "王", "'"] {
        assert_eq!(fold(value), None, "{value}");
    }
}

#[test]
fn placeholders_are_recognised_and_names_are_not_placeholders() {
    for value in [
        "UNKNOWN",
        "unknown",
        "XXX",
        "xx",
        "FNU",
        "LNU",
        "000000000",
        "0",
        "000-00-00",
        "N.N.",
        "Н.Н.",
        "NEPOZNATO",
        "Непознато",
        "Nepoznat",
        "-",
        "?",
        "",
        "...",
    ] {
        assert!(is_placeholder(value), "{value}");
    }
    for value in [
        "Ann",
        "X",
        "Nina",
        "Xavier",
        "Null",
        "100000000",
        "Na",
        "Flu",
        "محمد",
        "Žž",
    ] {
        assert!(!is_placeholder(value), "{value}");
    }
}
