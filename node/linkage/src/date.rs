//! Dates of birth: the formats of map files, and the canonical form.

/// Nobody alive or wanted was born earlier; an earlier year is a typing error.
const YEAR_MIN: u16 = 1850;
/// No clock here tells today's year; a later one cannot be a birth in this software's life.
const YEAR_MAX: u16 = 2100;

/// A calendar date of the proleptic Gregorian calendar, checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Date {
    pub(crate) year: u16,
    pub(crate) month: u8,
    pub(crate) day: u8,
}

impl Date {
    pub(crate) fn new(year: u16, month: u8, day: u8) -> Option<Self> {
        let valid = (YEAR_MIN..=YEAR_MAX).contains(&year)
            && (1..=12).contains(&month)
            && (1..=days_in_month(year, month)).contains(&day);
        valid.then_some(Self { year, month, day })
    }

    /// Reads the canonical form only.
    pub(crate) fn from_iso(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        if bytes.len() != 10 || bytes[4] != b'-' || bytes[7] != b'-' {
            return None;
        }
        Self::new(
            digits(&bytes[..4])?,
            u8::try_from(digits(&bytes[5..7])?).ok()?,
            u8::try_from(digits(&bytes[8..])?).ok()?,
        )
    }

    /// The day of a moment, in UTC (Howard Hinnant, "chrono-compatible low-level date algorithms", `civil_from_days`).
    /// Moments outside of the years that dates can have are the first or last day of these.
    pub(crate) fn from_unix_s(unix_s: u64) -> Self {
        let days = unix_s / 86_400 + 719_468;
        let (era, day_of_era) = (days / 146_097, days % 146_097);
        let year_of_era =
            (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let shifted_month = (5 * day_of_year + 2) / 153;
        let day = (day_of_year - (153 * shifted_month + 2) / 5 + 1) as u8;
        let month = if shifted_month < 10 {
            shifted_month + 3
        } else {
            shifted_month - 9
        } as u8;
        let year = year_of_era + era * 400 + u64::from(month <= 2);
        let latest = Self {
            year: YEAR_MAX,
            month: 12,
            day: 31,
        };
        u16::try_from(year)
            .ok()
            .and_then(|year| Self::new(year, month, day))
            .unwrap_or(latest)
    }

    pub(crate) fn to_iso(self) -> String {
        format!("{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }

    pub(crate) fn is_first_of_january(self) -> bool {
        self.month == 1 && self.day == 1
    }
}

pub(crate) fn days_in_month(year: u16, month: u8) -> u8 {
    match month {
        2 if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) => {
            29
        }
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

fn digits(bytes: &[u8]) -> Option<u16> {
    let all = !bytes.is_empty() && bytes.len() <= 4 && bytes.iter().all(u8::is_ascii_digit);
    all.then(|| {
        bytes
            .iter()
            .fold(0, |number, digit| number * 10 + u16::from(digit - b'0'))
    })
}

/// The `date_format` of a map file.
///
/// Stricter than the C library: `%Y` is exactly four digits; `%m` and `%d` are two digits where another number
/// touches them and one or two where a separator stands on both sides, so `1951111` is refused under `%Y%m%d` instead
/// of becoming 1 November.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DateFormat {
    items: Vec<Item>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Item {
    Year,
    Month { digits_min: usize },
    MonthName,
    Day { digits_min: usize },
    Literal(char),
}

impl Item {
    fn is_number(self) -> bool {
        matches!(self, Self::Year | Self::Month { .. } | Self::Day { .. })
    }
}

const MONTH_NAMES: [&str; 12] = [
    "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
];

impl DateFormat {
    /// Parses a format; the error says in words what is wrong with it.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut items = Vec::new();
        let mut chars = text.chars();
        while let Some(c) = chars.next() {
            items.push(match c {
                '%' => match chars.next() {
                    Some('Y') => Item::Year,
                    Some('m') => Item::Month { digits_min: 1 },
                    Some('b') => Item::MonthName,
                    Some('d') => Item::Day { digits_min: 1 },
                    Some('%') => Item::Literal('%'),
                    Some('y') => {
                        return Err(
                            "`%y` does not say the century; the file needs four-digit years"
                                .to_owned(),
                        );
                    }
                    Some(other) => {
                        return Err(format!("`%{other}` is not known; use %Y, %m, %b and %d"));
                    }
                    None => return Err("it ends in a lone `%`".to_owned()),
                },
                literal => Item::Literal(literal),
            });
        }
        let count = |wanted: fn(&Item) -> bool| items.iter().filter(|item| wanted(item)).count();
        let years = count(|item| matches!(item, Item::Year));
        let months = count(|item| matches!(item, Item::Month { .. } | Item::MonthName));
        let days = count(|item| matches!(item, Item::Day { .. }));
        if (years, months, days) != (1, 1, 1) {
            return Err(
                "it needs the year (%Y), the month (%m or %b) and the day (%d) once each"
                    .to_owned(),
            );
        }
        let numbers: Vec<bool> = items.iter().map(|item| item.is_number()).collect();
        for (index, item) in items.iter_mut().enumerate() {
            let touched =
                (index > 0 && numbers[index - 1]) || numbers.get(index + 1) == Some(&true);
            if let Item::Month { digits_min } | Item::Day { digits_min } = item
                && touched
            {
                *digits_min = 2;
            }
        }
        Ok(Self { items })
    }

    /// The date that `text` writes, if it is exactly one in this format.
    pub(crate) fn read(&self, text: &str) -> Option<Date> {
        let (mut year, mut month, mut day) = (0, 0, 0);
        let mut rest = text;
        for item in &self.items {
            match *item {
                Item::Year => year = number(&mut rest, 4, 4)?,
                Item::Month { digits_min } => month = number(&mut rest, digits_min, 2)?,
                Item::Day { digits_min } => day = number(&mut rest, digits_min, 2)?,
                Item::MonthName => {
                    let name = rest.get(..3)?.to_ascii_lowercase();
                    month = MONTH_NAMES.iter().position(|month| *month == name)? as u16 + 1;
                    rest = &rest[3..];
                }
                Item::Literal(literal) => rest = rest.strip_prefix(literal)?,
            }
        }
        if !rest.is_empty() {
            return None;
        }
        Date::new(year, u8::try_from(month).ok()?, u8::try_from(day).ok()?)
    }
}

fn number(rest: &mut &str, digits_min: usize, digits_max: usize) -> Option<u16> {
    let count = rest
        .bytes()
        .take(digits_max)
        .take_while(u8::is_ascii_digit)
        .count();
    if count < digits_min {
        return None;
    }
    let (head, tail) = rest.split_at(count);
    *rest = tail;
    digits(head.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_read_as_their_format_says_or_not_at_all() {
        for (format, text, expected) in [
            ("%Y%m%d", "19151111", Some("1915-11-11")),
            ("%Y%m%d", "1951111", None),
            ("%Y%m%d", "19151111 ", None),
            ("%Y%m%d", "19150230", None),
            ("%Y%m%d", "20000229", Some("2000-02-29")),
            ("%Y%m%d", "19000229", None),
            ("%Y%m%d", "00001231", None),
            ("%Y%m%d", "+9151111", None),
            ("%d.%m.%Y.", "5.3.1990.", Some("1990-03-05")),
            ("%d.%m.%Y.", "05.03.1990.", Some("1990-03-05")),
            ("%d.%m.%Y.", "05.03.1990", None),
            ("%d.%m.%Y.", "005.03.1990.", None),
            ("%d/%m/%Y", "31/12/1999", Some("1999-12-31")),
            ("%d/%m/%Y", "12/31/1999", None),
            ("%d/%m/%Y", "31/12/99", None),
            ("%d %b %Y", "14 Mar 1987", Some("1987-03-14")),
            ("%d %b %Y", "14 Đač 1987", None),
            ("%Y-%m-%d", "1987-03-14", Some("1987-03-14")),
            ("%Y-%m-%d", "१९८७-03-14", None),
        ] {
            let read = DateFormat::parse(format)
                .unwrap()
                .read(text)
                .map(Date::to_iso);
            assert_eq!(read.as_deref(), expected, "{format} {text}");
        }
    }

    #[test]
    fn a_format_that_cannot_give_a_date_is_refused() {
        for format in [
            "",
            "%Y-%m",
            "%d/%m/%y",
            "%Y%m%d%",
            "%Y%m%d%d",
            "%Y-%j",
            "%m %b %d %Y",
        ] {
            assert!(DateFormat::parse(format).is_err(), "{format}");
        }
    }

    #[test]
    fn a_moment_has_its_day() {
        for (unix_s, expected) in [
            (0, "1970-01-01"),
            (86_399, "1970-01-01"),
            (951_782_400, "2000-02-29"),
            (951_868_800, "2000-03-01"),
            (1_795_478_400, "2026-11-24"),
            (u64::MAX / 86_400, "2100-12-31"),
        ] {
            assert_eq!(Date::from_unix_s(unix_s).to_iso(), expected);
        }
    }

    #[test]
    fn the_canonical_form_is_the_only_one_read_back() {
        assert_eq!(
            Date::from_iso("1987-03-14").map(Date::to_iso).as_deref(),
            Some("1987-03-14")
        );
        for text in [
            "1987-3-14",
            "19870314",
            "1987-03-14 ",
            "1987-13-14",
            "1987-02-29",
            "1987/03/14",
            "198é-3-14",
        ] {
            assert_eq!(Date::from_iso(text), None, "{text}");
        }
    }
}
