//! The whole-name fold of profile `plain-1`: one spelling for the many of one name.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// Folds a value to `A`–`Z` and `0`–`9`; `None` if nothing is left, or if a letter has no place in the table.
///
/// In order: NFKC; Cyrillic to Latin by the tables below; upper case; the letters that do not decompose, by table;
/// NFKD without marks; keep letters and digits; then SHCH→SC, DZH→DZ, DJ→D, ZH→Z, SH→S, CH→C, KH→H, W→V, Y→J in this
/// order and squeeze doubled letters, both repeated until nothing changes (so `fold(fold(x)) = fold(x)`; without the
/// repetition Yugoslav "Madyar" and "Madjar" would stay apart).
///
/// The five spellings of one surname, Ђорђевић, Đorđević, DORDEVIC, DJORDJEVIC and Djordjevich, all give `DORDEVIC`.
/// The fold is lossy on purpose: a second field stands beside it in every match key. A value with a letter of a script
/// that the tables do not cover gives no key, because dropping letters silently would make different names equal.
pub fn fold(value: &str) -> Option<String> {
    letters(value)
        .map(reduce)
        .filter(|folded| !folded.is_empty())
}

/// Folds each token between white space and hyphens, sorts the tokens and joins them with one space.
pub(crate) fn fold_tokens(value: &str) -> Option<String> {
    let mut tokens = Vec::new();
    for token in value.split(|c: char| c.is_whitespace() || is_hyphen(c)) {
        let token = letters(token)?;
        if is_placeholder_letters(&token) {
            return None;
        }
        if !token.is_empty() {
            tokens.push(reduce(token));
        }
    }
    tokens.sort_unstable();
    Some(tokens.join(" ")).filter(|joined| !joined.is_empty())
}

/// The decimal digits of a value, of whatever script, as ASCII.
pub(crate) fn decimal_digits(value: &str) -> Option<String> {
    let digits: String = value.chars().filter_map(decimal_digit).collect();
    Some(digits).filter(|digits| !digits.is_empty())
}

/// Whether a value stands for "not known": no letter or digit at all, only zeros, only the letter X (twice or more), or
/// one of a list of words, in either Serbian script and whatever punctuation.
pub fn is_placeholder(value: &str) -> bool {
    if !value.chars().any(char::is_alphanumeric) {
        return true;
    }
    letters(value).is_some_and(|letters| is_placeholder_letters(&letters))
}

/// FNU and LNU: first and last name unknown. NN: nomen nescio, also `N.N.` and Н.Н.
const PLACEHOLDERS: &[&str] = &[
    "UNKNOWN",
    "FNU",
    "LNU",
    "NN",
    "NEPOZNATO",
    "NEPOZNAT",
    "NEPOZNATA",
    "NIJEPOZNATO",
    "NOTKNOWN",
];

fn is_placeholder_letters(letters: &str) -> bool {
    let only = |wanted: char| !letters.is_empty() && letters.chars().all(|c| c == wanted);
    PLACEHOLDERS.contains(&letters) || only('0') || (letters.len() > 1 && only('X'))
}

fn is_hyphen(c: char) -> bool {
    matches!(
        c,
        '-' | '\u{2010}'..='\u{2015}' | '\u{2212}' | '\u{FE63}' | '\u{FF0D}'
    )
}

/// The Latin letters and digits of a value in upper case, before any replacement.
fn letters(value: &str) -> Option<String> {
    let mut latin = String::with_capacity(value.len());
    for c in value.nfkc() {
        if c.is_ascii() {
            latin.extend(c.is_ascii_alphanumeric().then(|| c.to_ascii_uppercase()));
        } else {
            push_latin(&mut latin, c)?;
        }
    }
    Some(latin)
}

fn push_latin(latin: &mut String, c: char) -> Option<()> {
    if let Some(text) = cyrillic(c) {
        for c in text.chars() {
            push_upper(latin, c)?;
        }
        return Some(());
    }
    push_upper(latin, c)
}

fn push_upper(latin: &mut String, c: char) -> Option<()> {
    for upper in c.to_uppercase() {
        if let Some(text) = undecomposed(upper) {
            latin.push_str(text);
            continue;
        }
        for part in std::iter::once(upper).nfkd() {
            push_part(latin, part)?;
        }
    }
    Some(())
}

fn push_part(latin: &mut String, c: char) -> Option<()> {
    if c.is_ascii_alphanumeric() {
        latin.push(c.to_ascii_uppercase());
    } else if is_combining_mark(c) || is_spacing_modifier(c) {
        // accents, and the apostrophes that are classed as letters
    } else if let Some(digit) = decimal_digit(c) {
        latin.push(digit);
    } else if let Some(text) = cyrillic(c) {
        for c in text.chars() {
            push_upper(latin, c)?;
        }
    } else if c.is_alphabetic() {
        return None;
    }
    Some(())
}

fn is_spacing_modifier(c: char) -> bool {
    matches!(c, '\u{02B0}'..='\u{02FF}')
}

/// Serbian Cyrillic, all 30 letters, by the one-to-one correspondence of Serbian orthography (not ICAO 9303, which
/// would make Г an H); then letters of the other Cyrillic alphabets, spelt the Serbian way.
fn cyrillic(c: char) -> Option<&'static str> {
    let lower = c.to_lowercase().next().unwrap_or(c);
    SERBIAN
        .iter()
        .chain(OTHER_CYRILLIC)
        .find(|(letter, _)| *letter == lower)
        .map(|(_, latin)| *latin)
}

const SERBIAN: &[(char, &str); 30] = &[
    ('а', "a"),
    ('б', "b"),
    ('в', "v"),
    ('г', "g"),
    ('д', "d"),
    ('ђ', "đ"),
    ('е', "e"),
    ('ж', "ž"),
    ('з', "z"),
    ('и', "i"),
    ('ј', "j"),
    ('к', "k"),
    ('л', "l"),
    ('љ', "lj"),
    ('м', "m"),
    ('н', "n"),
    ('њ', "nj"),
    ('о', "o"),
    ('п', "p"),
    ('р', "r"),
    ('с', "s"),
    ('т', "t"),
    ('ћ', "ć"),
    ('у', "u"),
    ('ф', "f"),
    ('х', "h"),
    ('ц', "c"),
    ('ч', "č"),
    ('џ', "dž"),
    ('ш', "š"),
];

const OTHER_CYRILLIC: &[(char, &str)] = &[
    ('ѓ', "đ"),
    ('ќ', "ć"),
    ('ѕ', "dz"),
    ('й', "j"),
    ('щ', "šč"),
    ('ъ', ""),
    ('ы', "i"),
    ('ь', ""),
    ('э', "e"),
    ('ю', "ju"),
    ('я', "ja"),
    ('ё', "e"),
    ('ґ', "g"),
    ('є', "je"),
    ('і', "i"),
    ('ї', "ji"),
    ('ў', "u"),
];

/// Upper-case letters that NFKD leaves whole.
fn undecomposed(c: char) -> Option<&'static str> {
    Some(match c {
        'Đ' | 'Ð' | 'Ɖ' => "D",
        'Ł' => "L",
        'Ø' => "O",
        'Æ' => "AE",
        'Œ' => "OE",
        'ẞ' => "SS",
        'Þ' => "TH",
        'Ħ' => "H",
        'Ŧ' => "T",
        'Ŋ' => "N",
        'Ə' => "E",
        _ => return None,
    })
}

const REPLACEMENTS: &[(&str, &str)] = &[
    ("SHCH", "SC"),
    ("DZH", "DZ"),
    ("DJ", "D"),
    ("ZH", "Z"),
    ("SH", "S"),
    ("CH", "C"),
    ("KH", "H"),
    ("W", "V"),
    ("Y", "J"),
];

fn reduce(mut text: String) -> String {
    loop {
        let mut next = text.clone();
        for (from, to) in REPLACEMENTS {
            if next.contains(from) {
                next = next.replace(from, to);
            }
        }
        let mut previous = None;
        next.retain(|c| {
            let doubled = c.is_ascii_alphabetic() && previous == Some(c);
            previous = Some(c);
            !doubled
        });
        if next == text {
            return next;
        }
        text = next;
    }
}

fn decimal_digit(c: char) -> Option<char> {
    let code = u32::from(c);
    let zero = DECIMAL_ZEROS.iter().rev().find(|zero| **zero <= code)?;
    char::from_digit(code - zero, 10)
}

/// Code points of the digit zero of every script (general category Nd of Unicode 14); nine more follow each.
const DECIMAL_ZEROS: &[u32] = &[
    0x0030, 0x0660, 0x06F0, 0x07C0, 0x0966, 0x09E6, 0x0A66, 0x0AE6, 0x0B66, 0x0BE6, 0x0C66, 0x0CE6,
    0x0D66, 0x0DE6, 0x0E50, 0x0ED0, 0x0F20, 0x1040, 0x1090, 0x17E0, 0x1810, 0x1946, 0x19D0, 0x1A80,
    0x1A90, 0x1B50, 0x1BB0, 0x1C40, 0x1C50, 0xA620, 0xA8D0, 0xA900, 0xA9D0, 0xA9F0, 0xAA50, 0xABF0,
    0xFF10, 0x104A0, 0x10D30, 0x11066, 0x110F0, 0x11136, 0x111D0, 0x112F0, 0x11450, 0x114D0,
    0x11650, 0x116C0, 0x11730, 0x118E0, 0x11950, 0x11C50, 0x11D50, 0x11DA0, 0x16A60, 0x16AC0,
    0x16B50, 0x1D7CE, 0x1D7D8, 0x1D7E2, 0x1D7EC, 0x1D7F6, 0x1E140, 0x1E2F0, 0x1E950, 0x1FBF0,
];
