//! Times to text and back by a layout of `%` directives.

use jiff::tz::{Offset, TimeZone};
use jiff::{Timestamp, civil};

use crate::error::RunError;
use crate::locale::{Locale, locale};
use crate::value::Time;

mod write;

/// Days that a time without a year may lie ahead before it is one of last year.
const AHEAD_DAYS_MAX: i128 = 7;
const DAY_NANOS: i128 = 86_400_000_000_000;

/// A layout, and what a text leaves open.
#[derive(Debug)]
pub(crate) struct Layout {
    items: Vec<Item>,
    zone: TimeZone,
    locale: &'static Locale,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Item {
    Literal(char),
    Directive(char),
}

/// What was read so far.
#[derive(Debug)]
struct Fields {
    year: Option<i16>,
    month: i8,
    day: i8,
    hour: i8,
    minute: i8,
    second: i8,
    nanos: i32,
    is_afternoon: Option<bool>,
    offset_s: Option<i32>,
    zone: Option<String>,
}

impl Layout {
    pub(crate) fn new(format: &str, location: &str, tag: &str) -> Result<Self, String> {
        if format.is_empty() {
            return Err("the format is empty".to_owned());
        }
        let locale =
            locale(tag).ok_or_else(|| format!("{tag:?} is no locale that is known here"))?;
        let zone = if location.is_empty() {
            TimeZone::UTC
        } else {
            TimeZone::get(location).map_err(|_| format!("there is no time zone {location:?}"))?
        };
        Ok(Self { items: items(format)?, zone, locale })
    }

    /// Reads a time; one without a year is the latest that is at most a week ahead.
    pub(crate) fn parse(&self, text: &str, now: Time) -> Result<Time, RunError> {
        let mut fields = Fields::new();
        let mut rest = text;
        for (at, item) in self.items.iter().enumerate() {
            let is_before_fraction = self.is_fraction(at + 1) || self.is_fraction(at + 2);
            let read = match *item {
                Item::Literal(' ') => Some(rest.trim_start_matches(' ')),
                Item::Literal(literal) => rest.strip_prefix(literal),
                Item::Directive(directive) => {
                    let after = self.directive(directive, rest, &mut fields);
                    if directive == 'S' && !is_before_fraction {
                        after.map(|after| fields.optional_fraction(after))
                    } else {
                        after
                    }
                }
            };
            rest = read.ok_or_else(|| mismatch(text))?;
        }
        if !rest.is_empty() {
            return Err(mismatch(text));
        }
        self.resolve(&fields, now).ok_or_else(|| mismatch(text))
    }

    fn is_fraction(&self, at: usize) -> bool {
        matches!(self.items.get(at), Some(Item::Directive('L' | 'f' | 's')))
    }

    fn directive<'t>(
        &self,
        directive: char,
        text: &'t str,
        fields: &mut Fields,
    ) -> Option<&'t str> {
        let padded = text.trim_start_matches(' ');
        match directive {
            'Y' => number(text, 4, 4).map(|(year, rest)| fields.year(year, rest)),
            'y' => number(text, 2, 2).map(|(year, rest)| {
                fields.year(if year < 69 { year + 2000 } else { year + 1900 }, rest)
            }),
            'm' => set(&mut fields.month, number(text, 2, 2)),
            'o' | 'q' => set(&mut fields.month, number(padded, 1, 2)),
            'd' => set(&mut fields.day, number(text, 2, 2)),
            'e' | 'g' => set(&mut fields.day, number(padded, 1, 2)),
            'b' | 'h' => set_name(&mut fields.month, &self.locale.months[1], text),
            'B' => set_name(&mut fields.month, &self.locale.months[0], text),
            'a' => set_name(&mut 0, &self.locale.days[1], text),
            'A' => set_name(&mut 0, &self.locale.days[0], text),
            'H' | 'I' => set(&mut fields.hour, number(text, 2, 2)),
            'l' => set(&mut fields.hour, number(padded, 1, 2)),
            'M' => set(&mut fields.minute, number(text, 2, 2)),
            'S' => set(&mut fields.second, number(text, 2, 2)),
            'p' | 'P' => fields.half(text),
            'L' | 'f' | 's' => fields.fraction(text),
            'z' | 'i' | 'j' | 'k' | 'w' => fields.offset(text),
            'Z' => fields.zone(text),
            _ => None,
        }
    }

    fn resolve(&self, fields: &Fields, now: Time) -> Option<Time> {
        if let Some(year) = fields.year.filter(|year| *year > 0) {
            return self.with_year(fields, year);
        }
        let year = now.civil().ok()?.year();
        let time = self.with_year(fields, year)?;
        if time.unix_nano > now.unix_nano + AHEAD_DAYS_MAX * DAY_NANOS {
            return self.with_year(fields, year - 1);
        }
        Some(time)
    }

    fn with_year(&self, fields: &Fields, year: i16) -> Option<Time> {
        let hour = match fields.is_afternoon {
            Some(true) if fields.hour < 12 => fields.hour + 12,
            Some(false) if fields.hour == 12 => 0,
            _ => fields.hour,
        };
        let (month, day) = (fields.month, fields.day);
        let date = civil::DateTime::new(
            year,
            month,
            day,
            hour,
            fields.minute,
            fields.second,
            fields.nanos,
        );
        let date = date.ok()?;
        if let Some(offset_s) = fields.offset_s {
            let offset = Offset::from_seconds(offset_s).ok()?;
            return Some(moment(offset.to_timestamp(date).ok()?, offset_s));
        }
        let zone = match &fields.zone {
            Some(name) => self.named_zone(name, date)?,
            None => self.zone.clone(),
        };
        let zoned = zone.to_zoned(date).ok()?;
        Some(moment(zoned.timestamp(), zoned.offset().seconds()))
    }

    /// The zone of an abbreviation: the layout's own if it uses that, else one of this name.
    fn named_zone(&self, name: &str, date: civil::DateTime) -> Option<TimeZone> {
        if matches!(name, "UTC" | "Z") {
            return Some(TimeZone::UTC);
        }
        let own = self.zone.to_zoned(date).ok()?;
        let info = self.zone.to_offset_info(own.timestamp());
        if info.abbreviation() == name {
            return Some(self.zone.clone());
        }
        TimeZone::get(name).ok()
    }
}

fn mismatch(text: &str) -> RunError {
    RunError::invalid(format!("{text:?} is no time of this format"))
}

fn moment(timestamp: Timestamp, offset_s: i32) -> Time {
    Time { unix_nano: timestamp.as_nanosecond(), offset_s }
}

fn items(format: &str) -> Result<Vec<Item>, String> {
    let mut found = Vec::new();
    let mut chars = format.chars();
    while let Some(char) = chars.next() {
        if char != '%' {
            found.push(Item::Literal(char));
            continue;
        }
        let directive = chars.next().ok_or("the format ends in %")?;
        let composite = match directive {
            'D' | 'x' => "%m/%d/%y",
            'F' => "%Y-%m-%d",
            'T' | 'X' => "%H:%M:%S",
            'r' => "%I:%M:%S %p",
            'R' => "%H:%M",
            'c' => "%a %b %d %H:%M:%S %Y",
            'n' => "\n",
            't' => "\t",
            _ => "",
        };
        if !composite.is_empty() {
            found.extend(items(composite)?);
        } else if directive == '%' {
            found.push(Item::Literal('%'));
        } else if "YymoqdegbhBaAHIlMSpPLfszijkwZ".contains(directive) {
            found.push(Item::Directive(directive));
        } else {
            return Err(format!("there is no directive %{directive}"));
        }
    }
    Ok(found)
}

fn number(text: &str, least: usize, most: usize) -> Option<(i64, &str)> {
    let digits = text.bytes().take(most).take_while(u8::is_ascii_digit).count();
    if digits < least {
        return None;
    }
    let (digits, rest) = text.split_at_checked(digits)?;
    Some((digits.parse().ok()?, rest))
}

fn set<'t>(field: &mut i8, found: Option<(i64, &'t str)>) -> Option<&'t str> {
    let (number, rest) = found?;
    *field = i8::try_from(number).ok()?;
    Some(rest)
}

/// Finds the longest name that a text starts with; letter case does not count.
fn set_name<'t>(field: &mut i8, names: &[&str], text: &'t str) -> Option<&'t str> {
    let lower: String = text.chars().flat_map(char::to_lowercase).collect();
    let found = names.iter().enumerate().filter(|(_, name)| lower.starts_with(**name));
    let (at, name) = found.max_by_key(|(_, name)| name.len())?;
    *field = i8::try_from(at + 1).ok()?;
    let len: usize = text.chars().take(name.chars().count()).map(char::len_utf8).sum();
    text.get(len..)
}

impl Fields {
    fn new() -> Self {
        Self {
            year: None,
            month: 1,
            day: 1,
            hour: 0,
            minute: 0,
            second: 0,
            nanos: 0,
            is_afternoon: None,
            offset_s: None,
            zone: None,
        }
    }

    fn year<'t>(&mut self, year: i64, rest: &'t str) -> &'t str {
        self.year = i16::try_from(year).ok();
        rest
    }

    fn half<'t>(&mut self, text: &'t str) -> Option<&'t str> {
        let forms = [("a.m.", false), ("p.m.", true), ("am", false), ("pm", true)];
        let (form, is_afternoon) = forms.into_iter().find(|(form, _)| {
            text.get(..form.len()).is_some_and(|head| head.eq_ignore_ascii_case(form))
        })?;
        self.is_afternoon = Some(is_afternoon);
        text.get(form.len()..)
    }

    fn fraction<'t>(&mut self, text: &'t str) -> Option<&'t str> {
        let (digits, rest) = number(text, 1, 9).map(|(_, rest)| (text.len() - rest.len(), rest))?;
        let padded = format!("{:0<9}", text.get(..digits)?);
        self.nanos = padded.parse().ok()?;
        Some(rest)
    }

    fn optional_fraction<'t>(&mut self, text: &'t str) -> &'t str {
        let fraction = text.strip_prefix(['.', ',']).and_then(|rest| self.fraction(rest));
        fraction.unwrap_or(text)
    }

    fn offset<'t>(&mut self, text: &'t str) -> Option<&'t str> {
        if let Some(rest) = text.strip_prefix('Z') {
            self.offset_s = Some(0);
            return Some(rest);
        }
        let sign = match text.chars().next()? {
            '-' => -1,
            '+' => 1,
            _ => return None,
        };
        let mut rest = text.get(1..)?;
        let mut seconds = 0;
        for unit in [3600, 60, 1] {
            let Some((number, after)) = number(rest.strip_prefix(':').unwrap_or(rest), 2, 2) else {
                break;
            };
            seconds += i32::try_from(number).ok()? * unit;
            rest = after;
        }
        self.offset_s = Some(sign * seconds);
        (rest.len() < text.len() - 1).then_some(rest)
    }

    fn zone<'t>(&mut self, text: &'t str) -> Option<&'t str> {
        let letters = text.bytes().take_while(u8::is_ascii_uppercase).count();
        let (name, rest) = text.split_at_checked(letters).filter(|_| letters > 0)?;
        self.zone = Some(name.to_owned());
        Some(rest)
    }
}
