//! Times of records as text, without allocation: RFC 3339 in UTC, days, seconds with milliseconds.

use bessemer_record::json::write_unsigned;

const NANOS: u64 = 1_000_000_000;
const DAY_SECONDS: u64 = 86_400;

/// How many digits a fraction of a second has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fraction {
    /// Nine.
    Full,
    /// As many as it needs, and no point where there is none.
    Short,
}

/// Appends `2024-03-12T20:00:41.123456780Z` in quotes; `nanos` counts from 1970.
pub(crate) fn write_rfc3339(nanos: u64, fraction: Fraction, out: &mut Vec<u8>) {
    let seconds = nanos / NANOS;
    out.push(b'"');
    write_date(nanos, b'-', out);
    out.push(b'T');
    let clock = seconds % DAY_SECONDS;
    write_padded(clock / 3600, 2, out);
    out.push(b':');
    write_padded(clock / 60 % 60, 2, out);
    out.push(b':');
    write_padded(clock % 60, 2, out);
    write_fraction(nanos % NANOS, fraction, out);
    out.extend_from_slice(b"Z\"");
}

/// Appends the day in UTC: `2024-03-12` with a dash.
pub(crate) fn write_date(nanos: u64, separator: u8, out: &mut Vec<u8>) {
    let (year, month, day) = civil(nanos / NANOS / DAY_SECONDS);
    write_padded(year, 4, out);
    out.push(separator);
    write_padded(month, 2, out);
    out.push(separator);
    write_padded(day, 2, out);
}

/// Appends seconds with up to three digits behind the point, rounded.
pub(crate) fn write_millis(nanos: u64, out: &mut Vec<u8>) {
    let millis = rounded_millis(nanos);
    write_unsigned(millis / 1000, out);
    if !millis.is_multiple_of(1000) {
        out.push(b'.');
        write_padded(millis % 1000, 3, out);
    }
}

/// Milliseconds, rounded half up.
pub(crate) fn rounded_millis(nanos: u64) -> u64 {
    nanos / 1_000_000 + u64::from(nanos % 1_000_000 >= 500_000)
}

fn write_fraction(nanos: u64, fraction: Fraction, out: &mut Vec<u8>) {
    if fraction == Fraction::Short && nanos == 0 {
        return;
    }
    out.push(b'.');
    write_padded(nanos, 9, out);
    if fraction == Fraction::Short {
        let zeros = out.iter().rev().take_while(|byte| **byte == b'0').count();
        out.truncate(out.len() - zeros);
    }
}

fn write_padded(number: u64, digits: u32, out: &mut Vec<u8>) {
    let is_short = |digit: &u32| number < 10_u64.pow(*digit);
    out.extend((1..digits).rev().take_while(is_short).map(|_| b'0'));
    write_unsigned(number, out);
}

/// Year, month and day of a day since 1970, in the Gregorian calendar. Years begin in March here, so
/// that a leap day is the last of its year.
fn civil(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day_of_year = day - (365 * year + year / 4 - year / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day_of_month = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (year + era * 400 + u64::from(month <= 2), month, day_of_month)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn text(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn fractions_are_full_or_as_short_as_they_can_be() {
        let show = |nanos, fraction| text(|out| write_rfc3339(nanos, fraction, out));
        assert_eq!(show(0, Fraction::Full), "\"1970-01-01T00:00:00.000000000Z\"");
        assert_eq!(show(0, Fraction::Short), "\"1970-01-01T00:00:00Z\"");
        let nanos = 1_710_273_641_123_456_780;
        assert_eq!(show(nanos, Fraction::Full), "\"2024-03-12T20:00:41.123456780Z\"");
        assert_eq!(show(nanos, Fraction::Short), "\"2024-03-12T20:00:41.12345678Z\"");
    }

    #[test]
    fn seconds_are_rounded_to_milliseconds() {
        for (nanos, expected) in
            [(1_001_000_000, "1.001"), (999_500_000, "1"), (2_030_499_999, "2.03"), (0, "0")]
        {
            let shown = text(|out| write_millis(nanos, out));
            assert_eq!(shown.parse::<f64>(), expected.parse::<f64>());
        }
    }

    proptest! {
        #[test]
        fn dates_are_those_of_the_calendar(nanos in any::<u64>()) {
            let instant = jiff::Timestamp::from_nanosecond(i128::from(nanos)).unwrap();
            let expected = instant.strftime("\"%Y-%m-%dT%H:%M:%S").to_string();
            let shown = text(|out| write_rfc3339(nanos, Fraction::Short, out));
            prop_assert!(shown.starts_with(&expected), "{} {}", shown, expected);
        }
    }
}
