//! Times and amounts as people read them.

use jiff::Timestamp;

/// `14 Mar 1987 09:30 UTC`.
pub(crate) fn when(unix_s: u64) -> String {
    i64::try_from(unix_s)
        .ok()
        .and_then(|s| Timestamp::from_second(s).ok())
        .map_or_else(
            || format!("{unix_s} s after 1970"),
            |time| time.strftime("%-d %b %Y %H:%M UTC").to_string(),
        )
}

/// [`when`], or a dash.
pub(crate) fn when_known(unix_s: Option<u64>) -> String {
    unix_s.map_or_else(|| "-".to_owned(), when)
}

/// Unix seconds now.
pub(crate) fn now_s() -> u64 {
    u64::try_from(Timestamp::now().as_second()).unwrap_or(0)
}

/// `41,200,000`.
pub(crate) fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `3m55s`, `2h04m`, `24h`, `12s`.
pub(crate) fn span(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3_600 => format!("{}m{:02}s", seconds / 60, seconds % 60),
        _ if seconds.is_multiple_of(3_600) => format!("{}h", seconds / 3_600),
        _ => format!("{}h{:02}m", seconds / 3_600, seconds / 60 % 60),
    }
}

/// `18.0 kB`, decimal units.
pub(crate) fn bytes(count: u64) -> String {
    const UNITS: [&str; 4] = ["kB", "MB", "GB", "TB"];
    if count < 1_000 {
        return format!("{count} B");
    }
    let mut value = count;
    let mut unit = 0;
    while value >= 1_000_000 && unit + 1 < UNITS.len() {
        value /= 1_000;
        unit += 1;
    }
    format!("{}.{} {}", value / 1_000, value % 1_000 / 100, UNITS[unit])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_name_the_month() {
        assert_eq!(when(543_144_600), "19 Mar 1987 09:30 UTC");
        assert_eq!(when(1), "1 Jan 1970 00:00 UTC");
        assert_eq!(when(u64::MAX), "18446744073709551615 s after 1970");
        assert_eq!(when_known(None), "-");
    }

    #[test]
    fn amounts_are_grouped_and_rounded_down() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(999), "999");
        assert_eq!(grouped(41_200_000), "41,200,000");
        assert_eq!(span(59), "59s");
        assert_eq!(span(235), "3m55s");
        assert_eq!(span(7_440), "2h04m");
        assert_eq!(span(86_400), "24h");
        assert_eq!(bytes(999), "999 B");
        assert_eq!(bytes(18_000), "18.0 kB");
        assert_eq!(bytes(1_999_999), "1.9 MB");
        assert_eq!(bytes(7_250_000_000), "7.2 GB");
    }
}
