//! Personal numbers and their check digits: cards, IBANs, social security and phone numbers,
//! addresses of the Internet protocol.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::ops::Range;

use super::detect::Detector;

/// Digits with separators between them, as far as one number can reach.
#[derive(Debug, Clone, Copy)]
struct Group {
    start: usize,
    end: usize,
    /// The byte before the group, 0 for several or none.
    separator: u8,
}

impl Group {
    fn len(self) -> usize {
        self.end - self.start
    }
}

/// Groups of one run of digits that are looked at.
const GROUPS_MAX: usize = 64;

/// Finds what is made of digits and separators.
pub(super) fn find(text: &[u8], key: &str, out: &mut Vec<(Detector, Range<usize>)>) {
    let mut at = 0;
    let mut groups: Vec<Group> = Vec::new();
    while let Some(digit) = text.get(at..).and_then(|rest| rest.iter().position(u8::is_ascii_digit))
    {
        groups.clear();
        at = run(text, at + digit, &mut groups);
        classify(text, key, &groups, out);
    }
}

/// Collects the groups of the run that starts here; returns where it ends.
fn run(text: &[u8], start: usize, groups: &mut Vec<Group>) -> usize {
    let mut separator = 0;
    let mut at = start;
    loop {
        let from = at;
        while text.get(at).is_some_and(u8::is_ascii_digit) {
            at += 1;
        }
        groups.push(Group { start: from, end: at, separator });
        if groups.len() == GROUPS_MAX {
            return at;
        }
        let gap = text.get(at..).unwrap_or_default();
        let digit = |index: usize| gap.get(index).is_some_and(u8::is_ascii_digit);
        match gap {
            [b')', b' ' | b'-', ..] if digit(2) => (separator, at) = (b')', at + 2),
            [b' ', b'(', ..] if digit(2) => (separator, at) = (b'(', at + 2),
            [b'(' | b')', ..] if digit(1) => (separator, at) = (b')', at + 1),
            [byte @ (b' ' | b'-' | b'.'), ..] if digit(1) => (separator, at) = (*byte, at + 1),
            _ => return at,
        }
    }
}

fn classify(text: &[u8], key: &str, groups: &[Group], out: &mut Vec<(Detector, Range<usize>)>) {
    let mut index = 0;
    while let Some(rest) = groups.get(index..).filter(|rest| !rest.is_empty()) {
        let found = address(text, key, groups, index)
            .or_else(|| card(text, rest))
            .or_else(|| ssn(text, groups, index))
            .or_else(|| phone(text, groups, index));
        match found {
            Some((detector, range, count)) => {
                out.push((detector, range));
                index += count;
            }
            None => index += 1,
        }
    }
}

type Found = Option<(Detector, Range<usize>, usize)>;

fn is_word(byte: Option<&u8>) -> bool {
    byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
}

fn before(text: &[u8], at: usize) -> Option<&u8> {
    at.checked_sub(1).and_then(|at| text.get(at))
}

/// Whether no letter or digit touches the range.
fn stands_alone(text: &[u8], range: &Range<usize>) -> bool {
    !is_word(before(text, range.start)) && !is_word(text.get(range.end))
}

fn spans(groups: &[Group]) -> Option<Range<usize>> {
    Some(groups.first()?.start..groups.last()?.end)
}

fn lens(groups: &[Group]) -> Vec<usize> {
    groups.iter().map(|group| group.len()).collect()
}

fn has_separator(groups: &[Group], allowed: &[u8]) -> bool {
    let mut separators = groups.iter().skip(1).map(|group| group.separator);
    let Some(first) = separators.next() else { return true };
    allowed.contains(&first) && separators.all(|separator| separator == first)
}

fn address(text: &[u8], key: &str, groups: &[Group], index: usize) -> Found {
    let four = groups.get(index..index + 4)?;
    let range = spans(four)?;
    let follows = groups.get(index + 4).is_some_and(|next| next.separator == b'.');
    let leads = groups.get(index).is_some_and(|first| first.separator == b'.');
    if follows || leads || !has_separator(four, b".") || !stands_alone(text, &range) {
        return None;
    }
    let address: Ipv4Addr = std::str::from_utf8(text.get(range.clone())?).ok()?.parse().ok()?;
    let is_personal = !address.is_loopback()
        && !address.is_unspecified()
        && !address.is_broadcast()
        && !names_a_version(text, range.start, key)
        && !matches!(text.get(range.end), Some(b'-'));
    is_personal.then_some((Detector::Ipv4, range, 4))
}

/// Whether the words before a dotted number, or its key, call it a version.
fn names_a_version(text: &[u8], start: usize, key: &str) -> bool {
    const WORDS: [&str; 8] =
        ["version", "ver", "release", "build", "firmware", "revision", "upgrade", "driver"];
    let is_one = |text: &str| {
        let last = text
            .rsplit(|c: char| !c.is_ascii_alphanumeric())
            .find(|word| !word.is_empty() && !matches!(*word, "to" | "is" | "from" | "no"));
        last.is_some_and(|word| WORDS.iter().any(|one| word.eq_ignore_ascii_case(one)))
    };
    let from = start.saturating_sub(24);
    let lead = text.get(from..start).unwrap_or_default();
    // A version is also what follows a slash in the name of a product: `Chrome/120.0.6099.109`.
    let product = matches!(lead, [.., before, b'/'] if before.is_ascii_alphabetic());
    product || is_one(key) || is_one(&String::from_utf8_lossy(lead))
}

fn card(text: &[u8], groups: &[Group]) -> Found {
    const SHAPES: [&[usize]; 5] =
        [&[4, 4, 4, 4], &[4, 6, 5], &[4, 6, 4], &[4, 4, 4, 4, 3], &[4, 4, 4, 1]];
    let first = groups.first()?.len();
    let plain = (13..=19).contains(&first).then_some(1);
    let count = plain.or_else(|| {
        let fits = |shape: &&&[usize]| {
            groups
                .get(..shape.len())
                .is_some_and(|groups| lens(groups) == **shape && has_separator(groups, b" -."))
        };
        SHAPES.iter().filter(fits).map(|shape| shape.len()).max()
    })?;
    let range = spans(groups.get(..count)?)?;
    let digits: Vec<u8> =
        text.get(range.clone())?.iter().copied().filter(u8::is_ascii_digit).collect();
    (stands_alone(text, &range) && is_card(&digits)).then_some((Detector::Card, range, count))
}

/// Whether digits are the number of a payment card: a known issuer, its length, the check digit.
pub(super) fn is_card(digits: &[u8]) -> bool {
    let lead = |count: usize| {
        digits
            .iter()
            .take(count)
            .fold(0_u32, |number, digit| number * 10 + u32::from(digit.saturating_sub(b'0')))
    };
    let is_issued = match digits.len() {
        13 => lead(1) == 4,
        14 => matches!(lead(2), 36 | 38 | 39) || (300..=305).contains(&lead(3)),
        15 => matches!(lead(2), 34 | 37),
        16 => {
            lead(1) == 4
                || (51..=55).contains(&lead(2))
                || (2221..=2720).contains(&lead(4))
                || lead(4) == 6011
                || lead(2) == 65
                || (644..=649).contains(&lead(3))
                || (3528..=3589).contains(&lead(4))
                || lead(2) == 62
                || matches!(lead(2), 36 | 38 | 39)
                || (300..=305).contains(&lead(3))
        }
        17 | 18 => lead(2) == 62,
        19 => lead(1) == 4 || lead(2) == 62,
        _ => false,
    };
    is_issued && luhn(digits)
}

fn luhn(digits: &[u8]) -> bool {
    let weighted = digits.iter().rev().enumerate().map(|(index, digit)| {
        let value = u32::from(digit.saturating_sub(b'0')) * (1 + u32::from(index % 2 == 1));
        if value > 9 { value - 9 } else { value }
    });
    weighted.sum::<u32>().is_multiple_of(10) && digits.iter().any(|digit| *digit != b'0')
}

fn ssn(text: &[u8], groups: &[Group], index: usize) -> Found {
    let three = groups.get(index..index + 3)?;
    let range = spans(three)?;
    let joined = |group: Option<&Group>| group.is_some_and(|group| group.separator == b'-');
    let alone = !joined(groups.get(index + 3)) && (index == 0 || !joined(groups.get(index)));
    if lens(three) != [3, 2, 4] || !alone || !has_separator(three, b"- ") {
        return None;
    }
    if !stands_alone(text, &range) || matches!(before(text, range.start), Some(b'-' | b'+')) {
        return None;
    }
    let part = |index: usize| {
        let group = three.get(index)?;
        std::str::from_utf8(text.get(group.start..group.end)?).ok()
    };
    let (area, middle, serial) = (part(0)?, part(1)?, part(2)?);
    let is_issued = area != "000"
        && area != "666"
        && !area.starts_with('9')
        && middle != "00"
        && serial != "0000";
    is_issued.then_some((Detector::Ssn, range, 3))
}

fn phone(text: &[u8], groups: &[Group], index: usize) -> Found {
    international(text, groups, index).or_else(|| north_american(text, groups, index))
}

/// `+` and 8 to 15 digits, in any groups.
fn international(text: &[u8], groups: &[Group], index: usize) -> Found {
    let rest = groups.get(index..)?;
    let start = rest.first()?.start.checked_sub(1)?;
    if text.get(start) != Some(&b'+') || is_word(before(text, start)) {
        return None;
    }
    if text.get(start + 1) == Some(&b'0') {
        return None;
    }
    let mut digits = 0;
    let mut best = None;
    for (count, group) in rest.iter().enumerate() {
        digits += group.len();
        if digits > 15 {
            break;
        }
        if digits >= 8 {
            best = Some((count + 1, group.end));
        }
    }
    let (count, end) = best?;
    (!is_word(text.get(end))).then_some((Detector::Phone, start..end, count))
}

/// `(212) 555-0123`, `212-555-0123`, `212.555.0123`, with `1` before it or not.
fn north_american(text: &[u8], groups: &[Group], index: usize) -> Found {
    let three = groups.get(index..index + 3)?;
    if lens(three) != [3, 3, 4] || groups.get(index + 3).is_some_and(|g| g.separator == b'-') {
        return None;
    }
    let [area, exchange, line] = three else { return None };
    let opens = matches!(before(text, area.start), Some(b'('));
    let is_written = match exchange.separator {
        b')' => opens && matches!(line.separator, b'-' | b' ' | b'.'),
        separator => {
            matches!(separator, b'-' | b'.' | b' ') && line.separator == separator && !opens
        }
    };
    let is_number = |group: &Group| matches!(text.get(group.start), Some(b'2'..=b'9'));
    let start = area.start - usize::from(opens);
    let range = start..line.end;
    let leads = index > 0 && groups.get(index - 1).is_none_or(|group| group.len() != 1);
    let joined = leads && matches!(area.separator, b'-' | b'.');
    let good = is_written && is_number(area) && is_number(exchange) && !joined;
    (good && stands_alone(text, &range)).then_some((Detector::Phone, range, 3))
}

/// Country codes with the length of their IBANs.
const IBAN_LENGTHS: &str = "AD24AE23AL28AT20AZ28BA20BE16BG22BH22BI27BR29BY28CH21CR22CY28CZ24DE22DJ27\
DK18DO28EE20EG29ES24FI18FK18FO18FR27GB22GE22GI23GL18GR27GT28HR21HU28IE22IL23IQ23IS26IT27JO30KW30\
KZ20LB28LC32LI21LT20LU20LV21LY25MC27MD24ME22MK19MN20MR27MT31MU30NI28NL18NO15OM23PK24PL28PS29PT25\
QA29RO24RS22RU33SA24SC31SD18SE24SI19SK24SM27SO23ST25SV28TL23TN24TR26UA29VA22VG24XK20";

/// Finds IBANs whose country, length and check digits are right.
pub(super) fn ibans(text: &[u8], out: &mut Vec<(Detector, Range<usize>)>) {
    let mut at = 0;
    while let Some(window) = text.get(at..at + 4) {
        let fits = matches!(window, [b'A'..=b'Z', b'A'..=b'Z', b'0'..=b'9', b'0'..=b'9']);
        match (fits && !is_word(before(text, at))).then(|| iban_end(text, at)).flatten() {
            Some(end) => {
                out.push((Detector::Iban, at..end));
                at = end;
            }
            None => at += 1,
        }
    }
}

fn iban_end(text: &[u8], start: usize) -> Option<usize> {
    let country = text.get(start..start + 2)?;
    let mut rows = IBAN_LENGTHS.as_bytes().chunks_exact(4);
    let row = rows.find(|row| row.starts_with(country))?;
    let digits = row.get(2..)?.iter().map(|digit| usize::from(digit.saturating_sub(b'0')));
    let len = digits.fold(0, |number, digit| number * 10 + digit);
    let mut code = Vec::with_capacity(len);
    let mut at = start;
    while code.len() < len {
        match (text.get(at)?, text.get(at + 1)) {
            (byte, _) if byte.is_ascii_alphanumeric() => code.push(byte.to_ascii_uppercase()),
            (b' ' | b'-', Some(next)) if next.is_ascii_alphanumeric() => {}
            _ => return None,
        }
        at += 1;
    }
    (!is_word(text.get(at)) && remainder(&code) == 1).then_some(at)
}

/// The code modulo 97, its first four characters moved to the end and letters counted from 10.
fn remainder(code: &[u8]) -> u32 {
    let (head, tail) = code.split_at_checked(4).unwrap_or_default();
    tail.iter().chain(head).fold(0, |rest, byte| match byte {
        b'0'..=b'9' => (rest * 10 + u32::from(byte - b'0')) % 97,
        other => (rest * 100 + u32::from(other.saturating_sub(b'A')) + 10) % 97,
    })
}

/// Finds addresses of version 6.
pub(super) fn ipv6(text: &[u8], out: &mut Vec<(Detector, Range<usize>)>) {
    let is_part = |byte: &u8| byte.is_ascii_hexdigit() || matches!(byte, b':' | b'.');
    let mut at = 0;
    while let Some(start) = text.get(at..).and_then(|rest| rest.iter().position(is_part)) {
        let start = at + start;
        let rest = text.get(start..).unwrap_or_default();
        let len = rest.iter().position(|byte| !is_part(byte)).unwrap_or(rest.len());
        at = start + len;
        if let Some(range) = ipv6_in(text, start..at) {
            out.push((Detector::Ipv6, range));
        }
    }
}

fn ipv6_in(text: &[u8], range: Range<usize>) -> Option<Range<usize>> {
    if range.len() < 4 || !stands_alone(text, &range) {
        return None;
    }
    let found = std::str::from_utf8(text.get(range.clone())?).ok()?;
    // The longest an address can be is 45 characters, and punctuation may stand around it.
    if found.len() > 48 || found.bytes().filter(|byte| *byte == b':').count() < 2 {
        return None;
    }
    let trimmed = found.trim_end_matches('.');
    let cut = |text: &'static str| trimmed.strip_suffix(text).filter(|rest| !rest.ends_with(':'));
    let mut texts = [Some(trimmed), cut(":")].into_iter().flatten();
    let (kept, parsed) = texts
        .find_map(|text| text.parse::<Ipv6Addr>().ok().map(|address| (text.len(), address)))?;
    let is_personal = !parsed.is_loopback()
        && !parsed.is_unspecified()
        && found.bytes().any(|byte| byte.is_ascii_digit());
    is_personal.then_some(range.start..range.start + kept)
}
