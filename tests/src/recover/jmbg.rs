//! The Serbian citizen's number: `DDMMGGG RR BBB K`, and the space of all its values.

use std::fmt;
use std::ops::RangeInclusive;

use rand::{Rng, RngExt};

/// Weights of the first twelve digits in the check digit.
const WEIGHTS: [u32; 12] = [7, 6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2];

/// A number of thirteen digits whose check digit is right.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Jmbg([u8; 13]);

impl Jmbg {
    /// The number of a birth date, region and serial; the check digit is `11 − (Σ weight·digit mod 11)`, 10 and 11
    /// becoming 0.
    ///
    /// # Panics
    /// If the region has more than two digits, or the serial more than three.
    pub fn new(day: BirthDate, region: u8, serial: u16) -> Self {
        assert!(region <= 99 && serial <= 999, "two and three digits");
        let parts = [
            (u16::from(day.day), 2),
            (u16::from(day.month), 2),
            (day.year % 1_000, 3),
            (u16::from(region), 2),
            (serial, 3),
        ];
        let mut digits = [b'0'; 13];
        let mut end = 0;
        for (mut number, width) in parts {
            end += width;
            for digit in digits[end - width..end].iter_mut().rev() {
                *digit = b'0' + (number % 10) as u8;
                number /= 10;
            }
        }
        digits[12] = check_digit(weighted_sum(&digits));
        Self(digits)
    }

    /// The numbers of a birth date and region with these serials, in order; faster than one by one.
    ///
    /// # Panics
    /// As [`new`](Self::new).
    pub fn extend(
        numbers: &mut Vec<Self>,
        day: BirthDate,
        region: u8,
        serials: RangeInclusive<u16>,
    ) {
        assert!(*serials.end() <= 999, "three digits");
        let Self(common) = Self::new(day, region, 0);
        let common_sum = weighted_sum(&common);
        numbers.extend(serials.map(|serial| {
            let serial = [serial / 100, serial / 10 % 10, serial % 10].map(|digit| digit as u8);
            let mut digits = common;
            let mut sum = common_sum;
            for (at, digit) in (9..).zip(serial) {
                digits[at] += digit;
                sum += u32::from(digit) * WEIGHTS[at];
            }
            digits[12] = check_digit(sum);
            Self(digits)
        }));
    }

    /// The thirteen ASCII digits.
    pub fn as_bytes(&self) -> &[u8; 13] {
        &self.0
    }

    /// The thirteen digits as text.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("ASCII digits")
    }
}

impl fmt::Display for Jmbg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Jmbg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

fn weighted_sum(digits: &[u8; 13]) -> u32 {
    let weighted = digits.iter().zip(WEIGHTS);
    weighted
        .map(|(digit, weight)| u32::from(digit - b'0') * weight)
        .sum()
}

fn check_digit(weighted_sum: u32) -> u8 {
    match 11 - weighted_sum % 11 {
        10 | 11 => b'0',
        digit => b'0' + digit as u8,
    }
}

/// A day of the calendar on which somebody was born.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct BirthDate {
    year: u16,
    month: u8,
    day: u8,
}

impl BirthDate {
    /// A day that exists.
    ///
    /// # Panics
    /// If it does not.
    pub fn new(year: u16, month: u8, day: u8) -> Self {
        assert!(
            (1..=12).contains(&month) && (1..=days_in(year, month)).contains(&day),
            "a day"
        );
        Self { year, month, day }
    }
}

fn days_in(year: u16, month: u8) -> u8 {
    match month {
        2 if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) => {
            29
        }
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// All numbers of some birth years, regions and serials.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Space {
    /// Birth years; at most a thousand, since a number holds three digits of the year.
    pub years: RangeInclusive<u16>,
    /// Region codes; 60 to 69 belong to nobody.
    pub regions: RangeInclusive<u8>,
    /// Serials; below 500 are men.
    pub serials: RangeInclusive<u16>,
}

impl Space {
    /// A century of birth dates with every region code and serial: every number that a living person may have.
    pub fn century() -> Self {
        Self {
            years: 1927..=2026,
            regions: 0..=99,
            serials: 0..=999,
        }
    }

    /// Every day of the birth years, in order.
    pub fn days(&self) -> Vec<BirthDate> {
        let months = self
            .years
            .clone()
            .flat_map(|year| (1..=12).map(move |month| (year, month)));
        months
            .flat_map(|(year, month)| {
                (1..=days_in(year, month)).map(move |day| BirthDate { year, month, day })
            })
            .collect()
    }

    /// How many numbers it has.
    pub fn count(&self) -> u64 {
        (self.days().len() * self.regions.len() * self.serials.len()) as u64
    }

    /// So many distinct numbers, drawn uniformly, ascending.
    ///
    /// # Panics
    /// If the space does not have so many.
    pub fn draw(&self, rng: &mut impl Rng, count: usize) -> Vec<Jmbg> {
        assert!(
            count as u64 <= self.count(),
            "as many numbers as are asked for"
        );
        let days = self.days();
        let mut drawn = std::collections::BTreeSet::new();
        while drawn.len() < count {
            let day = days[rng.random_range(0..days.len())];
            let region = rng.random_range(self.regions.clone());
            drawn.insert(Jmbg::new(
                day,
                region,
                rng.random_range(self.serials.clone()),
            ));
        }
        drawn.into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn check_digits_are_those_of_known_numbers() {
        let known = [
            (BirthDate::new(1987, 3, 14), 66, 12, "1403987660121"),
            (BirthDate::new(1991, 9, 2), 66, 731, "0209991667314"),
        ];
        for (day, region, serial, number) in known {
            assert_eq!(Jmbg::new(day, region, serial).as_str(), number);
        }
    }

    #[test]
    fn many_numbers_at_once_are_the_same_numbers() {
        let day = BirthDate::new(2000, 2, 29);
        let mut numbers = Vec::new();
        Jmbg::extend(&mut numbers, day, 7, 0..=999);
        let one_by_one: Vec<Jmbg> = (0..=999).map(|serial| Jmbg::new(day, 7, serial)).collect();
        assert_eq!(numbers, one_by_one);
    }

    #[test]
    fn a_century_has_three_and_a_half_thousand_million_numbers() {
        assert_eq!(Space::century().count(), 36_525 * 100 * 1_000);
    }
}
