//! Writing a time by a layout.

use jiff::civil::DateTime;

use super::{Item, Layout};
use crate::error::RunError;
use crate::value::Time;

impl Layout {
    /// Writes a time at its own offset.
    pub(crate) fn format(&self, time: Time) -> Result<String, RunError> {
        let date = time.civil()?;
        let mut out = String::new();
        for item in &self.items {
            match *item {
                Item::Literal(literal) => out.push(literal),
                Item::Directive(directive) => out.push_str(&self.written(directive, &date, time)),
            }
        }
        Ok(out)
    }

    fn written(&self, directive: char, date: &DateTime, time: Time) -> String {
        let hour = (date.hour() + 11) % 12 + 1;
        let half = if date.hour() < 12 { "AM" } else { "PM" };
        let nanos = date.subsec_nanosecond();
        let month = usize::try_from(date.month() - 1).unwrap_or_default();
        let day = usize::try_from(date.weekday().to_sunday_zero_offset()).unwrap_or_default();
        let name = |names: &[&str], at: usize| capitalized(names.get(at).copied().unwrap_or(""));
        match directive {
            'Y' => format!("{:04}", date.year()),
            'y' => format!("{:02}", date.year().rem_euclid(100)),
            'm' => format!("{:02}", date.month()),
            'o' => format!("{:2}", date.month()),
            'q' => date.month().to_string(),
            'd' => format!("{:02}", date.day()),
            'e' => format!("{:2}", date.day()),
            'g' => date.day().to_string(),
            'b' | 'h' => name(&self.locale.months[1], month),
            'B' => name(&self.locale.months[0], month),
            'a' => name(&self.locale.days[1], day),
            'A' => name(&self.locale.days[0], day),
            'H' => format!("{:02}", date.hour()),
            'I' => format!("{hour:02}"),
            'l' => hour.to_string(),
            'M' => format!("{:02}", date.minute()),
            'S' => format!("{:02}", date.second()),
            'p' => half.to_owned(),
            'P' => half.to_lowercase(),
            'L' => format!("{:03}", nanos / 1_000_000),
            'f' => format!("{:06}", nanos / 1_000),
            's' => format!("{nanos:09}"),
            'Z' if time.offset_s == 0 => "UTC".to_owned(),
            other => offset(other, time.offset_s),
        }
    }
}

fn offset(directive: char, offset_s: i32) -> String {
    let sign = if offset_s < 0 { '-' } else { '+' };
    let size = offset_s.abs();
    let (hours, minutes, seconds) = (size / 3600, size / 60 % 60, size % 60);
    match directive {
        'i' => format!("{sign}{hours:02}"),
        'j' => format!("{sign}{hours:02}:{minutes:02}"),
        'k' => format!("{sign}{hours:02}:{minutes:02}:{seconds:02}"),
        'w' => format!("{sign}{hours:02}{minutes:02}{seconds:02}"),
        _ => format!("{sign}{hours:02}{minutes:02}"),
    }
}

fn capitalized(name: &str) -> String {
    let mut chars = name.chars();
    let first = chars.next().into_iter().flat_map(char::to_uppercase);
    first.chain(chars).collect()
}
