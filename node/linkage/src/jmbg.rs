//! The Serbian national number.

/// Digits of a number.
const DIGITS: usize = 13;
const WEIGHTS: [u32; DIGITS - 1] = [7, 6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2];

/// Whether a text is thirteen digits of which the last checks the others. Its date of birth is not looked at.
pub(crate) fn is_jmbg(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.len() == DIGITS
        && bytes.iter().all(u8::is_ascii_digit)
        && check_digit(&bytes[..DIGITS - 1]) == u32::from(bytes[DIGITS - 1] - b'0')
}

/// The last digit for twelve ASCII digits.
pub(crate) fn check_digit(body: &[u8]) -> u32 {
    let sum: u32 = WEIGHTS
        .iter()
        .zip(body)
        .map(|(weight, digit)| weight * u32::from(digit - b'0'))
        .sum();
    match 11 - sum % 11 {
        10 | 11 => 0,
        digit => digit,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn check_digits_are_those_of_known_numbers() {
        // The well-known specimen 0101006500006 and two fictional ones of region 66.
        for number in ["0101006500006", "1403987660121", "0209991667314"] {
            assert!(is_jmbg(number), "{number}");
            let other = format!(
                "{}{}",
                &number[..12],
                if number.ends_with('6') { 7 } else { 6 }
            );
            assert!(!is_jmbg(&other), "{other}");
        }
        for text in ["", "140398766012", "14039876601211", "140398766012x"] {
            assert!(!is_jmbg(text), "{text}");
        }
    }
}
