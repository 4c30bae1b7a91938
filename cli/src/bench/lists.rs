//! Synthetic lists: a reference and a number like a national one, and nothing else.

use std::fmt::Write as _;

/// The map file of both lists.
pub(super) const MAP: &str = "[columns]\nref = \"ref\"\nnational_id = \"number\"\n\n[constants]\nnational_id_type = \"opaque\"\n";

/// Numbers below this are spread over 13 digits by multiplication with [`SPREAD`].
const NUMBERS: u64 = 10_000_000_000_000;
/// Coprime to 10, so that different people have different numbers.
const SPREAD: u64 = 6_180_339_887_497;

/// The number of a person: 13 digits.
fn number(person: u64) -> String {
    let spread = u128::from(person + 1) * u128::from(SPREAD) % u128::from(NUMBERS);
    format!("{spread:013}")
}

/// People `first..first + count`, in an order that tells nothing: by their numbers.
pub(super) fn csv(first: u64, count: u64) -> String {
    let mut numbers: Vec<String> = (first..first + count).map(number).collect();
    numbers.sort_unstable();
    let mut text = String::with_capacity(numbers.len() * 24 + 16);
    text.push_str("ref,number\n");
    for (row, number) in numbers.iter().enumerate() {
        writeln!(text, "P{:08},{number}", row + 1).expect("writing to a String cannot fail");
    }
    text
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn numbers_of(csv: &str) -> BTreeSet<&str> {
        csv.lines()
            .skip(1)
            .filter_map(|line| line.split(',').nth(1))
            .collect()
    }

    #[test]
    fn lists_share_exactly_the_people_in_both_ranges() {
        let (left, right) = (csv(0, 1_000), csv(950, 2_000));
        let (left, right) = (numbers_of(&left), numbers_of(&right));
        assert_eq!((left.len(), right.len()), (1_000, 2_000));
        assert_eq!(left.intersection(&right).count(), 50);
        assert!(left.iter().all(|number| number.len() == 13));
    }
}
