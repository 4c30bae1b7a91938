//! Points in time and durations as an agreement writes them.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::de::{self, Deserializer};
use serde::{Deserialize, Serialize, Serializer};

/// A point in time in whole Unix seconds, written in RFC 3339 as `2026-12-01T09:00:00Z` or as a date, quoted or not.
/// A date means 00:00 UTC of that day, in every clause.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Instant(u64);

impl Instant {
    /// The instant this many seconds after 1 January 1970 UTC.
    pub const fn from_s(unix_s: u64) -> Self {
        Self(unix_s)
    }

    /// Seconds after 1 January 1970 UTC.
    pub const fn as_s(self) -> u64 {
        self.0
    }
}

impl FromStr for Instant {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let timestamp = if text.contains(':') {
            text.parse::<Timestamp>().map_err(|_| {
                format!(
                    "`{text}` is not an RFC 3339 time with an offset, such as 2026-12-01T09:00:00Z"
                )
            })?
        } else {
            let date: Date = text
                .parse()
                .map_err(|_| format!("`{text}` is not a date, such as 2026-12-01"))?;
            TimeZone::UTC
                .to_timestamp(date.into())
                .map_err(|_| format!("`{text}` is out of range"))?
        };
        u64::try_from(timestamp.as_second())
            .map(Self)
            .map_err(|_| format!("`{text}` is before 1970"))
    }
}

/// RFC 3339 in UTC; instants beyond the calendar print as seconds.
impl fmt::Display for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match timestamp(self.0) {
            Some(timestamp) => write!(f, "{timestamp}"),
            None => write!(f, "{} s after 1970", self.0),
        }
    }
}

impl<'de> Deserialize<'de> for Instant {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = match toml::Value::deserialize(deserializer)? {
            toml::Value::Datetime(datetime) => datetime.to_string(),
            toml::Value::String(text) => text,
            _ => return Err(de::Error::custom("expected a date or an RFC 3339 time")),
        };
        text.parse().map_err(de::Error::custom)
    }
}

/// A length of time in whole seconds, written as a number and one unit: `8s`, `90m`, `24h`, `30d`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Duration(u64);

impl Duration {
    /// A duration of this many seconds.
    pub const fn from_s(seconds: u64) -> Self {
        Self(seconds)
    }

    /// The duration in seconds.
    pub const fn as_s(self) -> u64 {
        self.0
    }
}

impl FromStr for Duration {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let fault = || {
            format!("`{text}` is not a duration: a whole number and one of s, m, h, d, such as 24h")
        };
        let unit_s = match text.as_bytes().last() {
            Some(b's') => 1,
            Some(b'm') => 60,
            Some(b'h') => 3_600,
            Some(b'd') => 86_400,
            _ => return Err(fault()),
        };
        let digits = &text[..text.len() - 1];
        if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return Err(fault());
        }
        let count: u64 = digits.parse().map_err(|_| fault())?;
        count.checked_mul(unit_s).map(Self).ok_or_else(fault)
    }
}

impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            s if s % 86_400 == 0 && s > 86_400 => write!(f, "{}d", s / 86_400),
            s if s % 3_600 == 0 && s > 0 => write!(f, "{}h", s / 3_600),
            s if s % 60 == 0 && s > 0 => write!(f, "{}m", s / 60),
            s => write!(f, "{s}s"),
        }
    }
}

impl Serialize for Duration {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Duration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(de::Error::custom)
    }
}

/// Start of the UTC day that contains `now_s`: rounds are counted from it.
pub const fn day_start_s(now_s: u64) -> u64 {
    now_s - now_s % 86_400
}

/// Start of the UTC calendar month that contains `now_s`: monthly subjects are counted from it.
pub fn month_start_s(now_s: u64) -> u64 {
    let Some(timestamp) = timestamp(now_s) else {
        return day_start_s(now_s);
    };
    let day = TimeZone::UTC.to_datetime(timestamp).day();
    day_start_s(now_s) - 86_400 * u64::from(day.unsigned_abs() - 1)
}

fn timestamp(unix_s: u64) -> Option<Timestamp> {
    Timestamp::from_second(i64::try_from(unix_s).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_is_midnight_utc_and_offsets_are_applied() {
        let at = |text: &str| text.parse::<Instant>().unwrap().as_s();
        assert_eq!(at("1970-01-02"), 86_400);
        assert_eq!(at("2026-12-01"), at("2026-12-01T00:00:00Z"));
        assert_eq!(at("2026-12-01T01:00:00+01:00"), at("2026-12-01"));
        assert_eq!(
            Instant::from_s(at("2026-12-01")).to_string(),
            "2026-12-01T00:00:00Z"
        );
    }

    #[test]
    fn times_without_an_offset_and_impossible_dates_are_refused() {
        for text in [
            "2026-12-01T00:00:00",
            "2026-02-30",
            "1969-12-31",
            "tomorrow",
            "",
        ] {
            assert!(text.parse::<Instant>().is_err(), "{text}");
        }
    }

    #[test]
    fn durations_have_one_number_and_one_unit() {
        let of = |text: &str| text.parse::<Duration>().map(Duration::as_s);
        assert_eq!(
            (of("8s"), of("5m"), of("24h"), of("30d")),
            (Ok(8), Ok(300), Ok(86_400), Ok(2_592_000))
        );
        for text in [
            "",
            "h",
            "8",
            "-1h",
            "+1h",
            "1.5h",
            "1h30m",
            "1 h",
            "99999999999999999999d",
            "213503982334602d",
        ] {
            assert!(of(text).is_err(), "{text}");
        }
        for text in ["0s", "8s", "5m", "24h", "48h", "30d"] {
            let parsed: Duration = text.parse().unwrap();
            assert_eq!(parsed.to_string().parse::<Duration>().unwrap(), parsed);
        }
    }

    #[test]
    fn days_and_months_start_at_midnight_utc() {
        let at = |text: &str| text.parse::<Instant>().unwrap().as_s();
        assert_eq!(day_start_s(at("2026-11-24T13:14:15Z")), at("2026-11-24"));
        assert_eq!(month_start_s(at("2026-11-24T13:14:15Z")), at("2026-11-01"));
        assert_eq!(month_start_s(at("2024-02-29T23:59:59Z")), at("2024-02-01"));
        assert_eq!(month_start_s(at("2026-11-01")), at("2026-11-01"));
    }
}
