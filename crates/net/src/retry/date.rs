//! The three forms of an HTTP date (RFC 9110, section 5.6.7), all in GMT.

const SECONDS_PER_DAY: u64 = 86_400;
const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// Seconds since the Unix epoch; dates before it are the epoch itself.
pub(crate) fn parse(text: &str) -> Option<u64> {
    match text.split_once(',') {
        Some((_, rest)) if rest.contains('-') => rfc850(rest),
        Some((_, rest)) => imf_fixdate(rest),
        None => asctime(text),
    }
}

/// ` 06 Nov 1994 08:49:37 GMT`, behind the name of the day.
fn imf_fixdate(rest: &str) -> Option<u64> {
    let [day, month, year, time, "GMT"] = words(rest)? else { return None };
    seconds(number(year)?, month_number(month)?, number(day)?, time)
}

/// ` 06-Nov-94 08:49:37 GMT`, obsolete, with two digits for the year.
fn rfc850(rest: &str) -> Option<u64> {
    let [date, time, "GMT"] = words(rest)? else { return None };
    let mut parts = date.split('-');
    let (day, month, year) = (parts.next()?, parts.next()?, number(parts.next()?)?);
    // 00 to 69 are this century, as in POSIX; a wait never spans one.
    let year = match year {
        0..70 => year + 2000,
        70..100 => year + 1900,
        _ => return None,
    };
    seconds(year, month_number(month)?, number(day)?, time)
}

/// `Sun Nov  6 08:49:37 1994`, obsolete, as C prints it.
fn asctime(text: &str) -> Option<u64> {
    let [_, month, day, time, year] = words(text)?;
    seconds(number(year)?, month_number(month)?, number(day)?, time)
}

fn words<const N: usize>(text: &str) -> Option<[&str; N]> {
    let mut found = text.split_ascii_whitespace();
    let mut words = [""; N];
    for word in &mut words {
        *word = found.next()?;
    }
    found.next().is_none().then_some(words)
}

fn number(digits: &str) -> Option<u64> {
    let is_short_number = digits.len() <= 4 && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_short_number.then(|| digits.parse().ok()).flatten()
}

fn month_number(name: &str) -> Option<u64> {
    MONTHS.iter().zip(1..).find(|(month, _)| **month == name).map(|(_, number)| number)
}

fn seconds(year: u64, month: u64, day: u64, time: &str) -> Option<u64> {
    let mut parts = time.split(':').map(number);
    let (hour, minute, second) = (parts.next()??, parts.next()??, parts.next()??);
    // 60 is a leap second.
    let in_range = (1..=31).contains(&day) && hour < 24 && minute < 60 && second <= 60;
    if !in_range || parts.next().is_some() {
        return None;
    }
    let days = days_since_epoch(year, month, day);
    Some(days * SECONDS_PER_DAY + hour * 3600 + minute * 60 + second)
}

/// Days of the Gregorian calendar, counted in years that begin in March so that the leap day is
/// the last: <https://howardhinnant.github.io/date_algorithms.html#days_from_civil>.
fn days_since_epoch(year: u64, month: u64, day: u64) -> u64 {
    const DAYS_TO_EPOCH: u64 = 719_468;
    let year = if month <= 2 { year.saturating_sub(1) } else { year };
    let month_from_march = (month + 9) % 12;
    let day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    let days = year * 365 + year / 4 - year / 100 + year / 400 + day_of_year;
    days.saturating_sub(DAYS_TO_EPOCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_three_forms_of_rfc_9110_name_the_same_moment() {
        for text in [
            "Sun, 06 Nov 1994 08:49:37 GMT",
            "Sunday, 06-Nov-94 08:49:37 GMT",
            "Sun Nov  6 08:49:37 1994",
        ] {
            assert_eq!(parse(text), Some(784_111_777), "{text}");
        }
    }

    #[test]
    fn leap_days_and_century_ends_are_counted() {
        let check = |text: &str, expected: u64| assert_eq!(parse(text), Some(expected), "{text}");
        check("Thu, 01 Jan 1970 00:00:00 GMT", 0);
        check("Tue, 29 Feb 2000 23:59:59 GMT", 951_868_799);
        check("Wed, 01 Mar 2000 00:00:00 GMT", 951_868_800);
        check("Mon, 01 Mar 2100 00:00:00 GMT", 4_107_542_400);
        check("Fri, 31 Dec 9999 23:59:59 GMT", 253_402_300_799);
        check("Mon, 01 Jan 0001 00:00:00 GMT", 0);
    }

    #[test]
    fn what_is_no_date_is_refused() {
        for text in [
            "",
            ",",
            "tomorrow",
            "Sun, 06 Nov 1994 08:49:37",
            "Sun, 06 Nov 1994 08:49:37 CET",
            "Sun, 06 Now 1994 08:49:37 GMT",
            "Sun, 06 Nov 1994 25:49:37 GMT",
            "Sun, 06 Nov 1994 08:49 GMT",
            "Sun, 00 Nov 1994 08:49:37 GMT",
            "Sun, 06 Nov 99999 08:49:37 GMT",
            "Sunday, 06-Nov-1994 08:49:37 GMT",
            "Sun, 06 Nov 1994 08:49:37 GMT GMT",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
