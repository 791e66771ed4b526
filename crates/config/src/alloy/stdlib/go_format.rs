//! `string.format`: Go's formatting verbs over configuration values.
//!
//! Mistakes do not fail, they show in the text, as in Go: `%!d(string=hi)`, `%!d(MISSING)`,
//! `%!(EXTRA int=1)`. Described by <https://pkg.go.dev/fmt>.

use crate::value::{Data, Number, Value};

mod number;

/// A wider field or a higher precision is a mistake.
const WIDTH_MAX: usize = 1_000_000;
/// Text is cut here; the caller refuses it.
const BYTES_MAX: usize = crate::source::TEXT_BYTES_MAX + 1;

/// The flags, width and precision between `%` and the verb.
#[derive(Debug, Clone, Copy, Default)]
#[expect(clippy::struct_excessive_bools, reason = "the five flags of the language")]
pub(super) struct Verb {
    pub(super) minus: bool,
    pub(super) plus: bool,
    pub(super) sharp: bool,
    pub(super) space: bool,
    pub(super) zero: bool,
    pub(super) width: Option<usize>,
    pub(super) precision: Option<usize>,
    pub(super) letter: char,
}

pub(super) fn format(layout: &str, arguments: &[Value]) -> String {
    let mut formatter = Formatter {
        rest: layout,
        arguments,
        next: 0,
        is_reordered: false,
        has_bad_index: false,
        out: String::new(),
    };
    formatter.run();
    formatter.out
}

struct Formatter<'a> {
    rest: &'a str,
    arguments: &'a [Value],
    next: usize,
    is_reordered: bool,
    has_bad_index: bool,
    out: String,
}

impl Formatter<'_> {
    fn run(&mut self) {
        while let Some((before, after)) = self.rest.split_once('%') {
            self.out.push_str(before);
            self.rest = after;
            self.verb();
            if self.out.len() > BYTES_MAX {
                return;
            }
        }
        self.out.push_str(self.rest);
        self.extra();
    }

    fn peek(&self) -> Option<char> {
        self.rest.chars().next()
    }

    fn skip(&mut self, length: usize) {
        self.rest = self.rest.get(length..).unwrap_or_default();
    }

    fn verb(&mut self) {
        let mut verb = Verb::default();
        self.has_bad_index = false;
        self.flags(&mut verb);
        self.index();
        self.width(&mut verb);
        if self.peek() == Some('.') {
            self.skip(1);
            self.precision(&mut verb);
        }
        self.index();
        let Some(letter) = self.peek() else {
            self.out.push_str("%!(NOVERB)");
            return;
        };
        self.skip(letter.len_utf8());
        verb.letter = letter;
        if letter == '%' {
            self.out.push('%');
        } else if self.has_bad_index {
            self.mistake(letter, "(BADINDEX)");
        } else if let Some(value) = self.arguments.get(self.next) {
            self.next += 1;
            self.out.push_str(&shown(value, verb));
        } else {
            self.mistake(letter, "(MISSING)");
        }
    }

    fn mistake(&mut self, letter: char, what: &str) {
        self.out.push_str("%!");
        self.out.push(letter);
        self.out.push_str(what);
    }

    fn flags(&mut self, verb: &mut Verb) {
        while let Some(flag) = self.peek() {
            match flag {
                '-' => verb.minus = true,
                '+' => verb.plus = true,
                '#' => verb.sharp = true,
                ' ' => verb.space = true,
                '0' => verb.zero = true,
                _ => return,
            }
            self.skip(1);
        }
    }

    fn width(&mut self, verb: &mut Verb) {
        if self.peek() != Some('*') {
            verb.width = self.digits("%!(BADWIDTH)");
            return;
        }
        self.skip(1);
        match self.star() {
            Some(width) => {
                verb.minus |= width < 0;
                verb.width = usize::try_from(width.unsigned_abs()).ok();
            }
            None => self.out.push_str("%!(BADWIDTH)"),
        }
    }

    fn precision(&mut self, verb: &mut Verb) {
        self.index();
        if self.peek() != Some('*') {
            verb.precision = Some(self.digits("%!(BADPREC)").unwrap_or(0));
            return;
        }
        self.skip(1);
        match self.star() {
            Some(precision) => verb.precision = usize::try_from(precision).ok(),
            None => self.out.push_str("%!(BADPREC)"),
        }
    }

    /// The argument that a `*` takes.
    fn star(&mut self) -> Option<i64> {
        let value = self.arguments.get(self.next)?;
        self.next += 1;
        let Data::Number(number @ (Number::Int(_) | Number::Uint(_))) = value.data else {
            return None;
        };
        let number = number.as_i64();
        (number.unsigned_abs() <= WIDTH_MAX as u64).then_some(number)
    }

    fn digits(&mut self, too_large: &str) -> Option<usize> {
        let count = self.rest.bytes().take_while(u8::is_ascii_digit).count();
        let digits = self.rest.get(..count).filter(|digits| !digits.is_empty())?;
        let number = digits.parse().ok().filter(|number| *number <= WIDTH_MAX);
        if number.is_none() {
            self.out.push_str(too_large);
        }
        self.skip(count);
        number
    }

    /// `[n]`: the next verb takes the n-th argument.
    fn index(&mut self) {
        if self.peek() != Some('[') {
            return;
        }
        self.is_reordered = true;
        let Some(end) = self.rest.find(']') else {
            self.has_bad_index = true;
            self.skip(1);
            return;
        };
        let number = self.rest.get(1..end).and_then(|digits| digits.parse::<usize>().ok());
        match number {
            Some(number) if (1..=self.arguments.len()).contains(&number) => self.next = number - 1,
            _ => self.has_bad_index = true,
        }
        self.skip(end + 1);
    }

    fn extra(&mut self) {
        let extra = self.arguments.get(self.next..).unwrap_or_default();
        if self.is_reordered || extra.is_empty() {
            return;
        }
        let plain = Verb { letter: 'v', ..Verb::default() };
        let one = |value: &Value| {
            if value.data == Data::Null {
                return "<nil>".to_owned();
            }
            format!("{}={}", type_name(value), shown(value, plain))
        };
        let all: Vec<_> = extra.iter().map(one).collect();
        self.out.push_str("%!(EXTRA ");
        self.out.push_str(&all.join(", "));
        self.out.push(')');
    }
}

fn type_name(value: &Value) -> &'static str {
    match &value.data {
        Data::Bool(_) => "bool",
        Data::Number(Number::Int(_)) => "int",
        Data::Number(Number::Uint(_)) => "uint64",
        Data::Number(Number::Float(_)) => "float64",
        Data::String(_) | Data::Secret(_) | Data::OptionalSecret { .. } => "string",
        Data::Array(_) => "[]interface {}",
        Data::Object(_) => "map[string]interface {}",
        Data::Null | Data::Reference(_) => "<nil>",
    }
}

/// One value under one verb.
fn shown(value: &Value, verb: Verb) -> String {
    if verb.letter == 'T' {
        return padded(type_name(value), verb);
    }
    match &value.data {
        Data::Null if verb.letter == 'v' => padded("<nil>", verb),
        Data::Null | Data::Reference(_) => format!("%!{}(<nil>)", verb.letter),
        Data::Bool(truth) => match verb.letter {
            't' | 'v' => padded(if *truth { "true" } else { "false" }, verb),
            _ => bad(value, verb),
        },
        Data::Number(number) => number::shown(*number, verb).unwrap_or_else(|| bad(value, verb)),
        Data::String(text) => string(text, verb).unwrap_or_else(|| bad(value, verb)),
        Data::Secret(text) | Data::OptionalSecret { text, .. } => {
            string(text.expose(), verb).unwrap_or_else(|| bad(value, verb))
        }
        Data::Array(items) => {
            let items: Vec<_> = items.iter().map(|item| nested(item, verb)).collect();
            if is_syntax(verb) {
                format!("[]interface {{}}{{{}}}", items.join(", "))
            } else {
                format!("[{}]", items.join(" "))
            }
        }
        Data::Object(object) => {
            let mut fields: Vec<_> = object.fields.iter().collect();
            fields.sort_by(|a, b| a.name.cmp(&b.name));
            let field = |field: &&crate::value::Field| {
                let name = string(&field.name, verb).unwrap_or_else(|| {
                    bad(&Value::string(field.name.clone(), value.at.clone()), verb)
                });
                format!("{name}:{}", nested(&field.value, verb))
            };
            let fields: Vec<_> = fields.iter().map(field).collect();
            if is_syntax(verb) {
                format!("map[string]interface {{}}{{{}}}", fields.join(", "))
            } else {
                format!("map[{}]", fields.join(" "))
            }
        }
    }
}

/// `%#v`: as Go would write the value in a program.
fn is_syntax(verb: Verb) -> bool {
    verb.sharp && verb.letter == 'v'
}

fn nested(value: &Value, verb: Verb) -> String {
    if value.data == Data::Null && is_syntax(verb) {
        return "interface {}(nil)".to_owned();
    }
    if value.data == Data::Null && matches!(verb.letter, 's' | 'd') {
        return format!("%!{}(<nil>)", verb.letter);
    }
    shown(value, verb)
}

fn bad(value: &Value, verb: Verb) -> String {
    let plain = Verb { letter: 'v', ..Verb::default() };
    format!("%!{}({}={})", verb.letter, type_name(value), shown(value, plain))
}

fn string(text: &str, verb: Verb) -> Option<String> {
    let cut = |text: &str| match verb.precision {
        Some(precision) => text.chars().take(precision).collect(),
        None => text.to_owned(),
    };
    match verb.letter {
        'v' if verb.sharp => Some(padded(&quoted(text, false), verb)),
        'v' | 's' => Some(padded(&cut(text), verb)),
        'q' => {
            let text: String = cut(text);
            let is_raw = verb.sharp
                && text.chars().all(|next| {
                    next != '`' && next != '\u{feff}' && (next == '\t' || !next.is_control())
                });
            let quoted = if is_raw { format!("`{text}`") } else { quoted(&text, verb.plus) };
            Some(padded(&quoted, verb))
        }
        'x' | 'X' => Some(padded(&hex(text, verb), verb)),
        _ => None,
    }
}

fn hex(text: &str, verb: Verb) -> String {
    let length = verb.precision.unwrap_or(text.len());
    let byte = |byte: u8| {
        let digits = if verb.letter == 'x' { format!("{byte:02x}") } else { format!("{byte:02X}") };
        if verb.sharp && verb.space { format!("0{}{digits}", verb.letter) } else { digits }
    };
    let bytes: Vec<_> = text.bytes().take(length).map(byte).collect();
    let prefix = if verb.sharp && !verb.space && !bytes.is_empty() {
        format!("0{}", verb.letter)
    } else {
        String::new()
    };
    prefix + &bytes.join(if verb.space { " " } else { "" })
}

/// Text in double quotes with Go's escapes.
fn quoted(text: &str, ascii_only: bool) -> String {
    let mut out = String::from("\"");
    for next in text.chars() {
        out.push_str(&escaped(next, '"', ascii_only));
    }
    out.push('"');
    out
}

pub(super) fn escaped(next: char, quote: char, ascii_only: bool) -> String {
    match next {
        '\u{7}' => "\\a".to_owned(),
        '\u{8}' => "\\b".to_owned(),
        '\u{c}' => "\\f".to_owned(),
        '\n' => "\\n".to_owned(),
        '\r' => "\\r".to_owned(),
        '\t' => "\\t".to_owned(),
        '\u{b}' => "\\v".to_owned(),
        '\\' => "\\\\".to_owned(),
        next if next == quote => format!("\\{quote}"),
        '\0'..='\u{1f}' | '\u{7f}' => format!("\\x{:02x}", next as u32),
        next if next.is_ascii() => next.to_string(),
        next if !ascii_only && !next.is_control() && next != '\u{feff}' => next.to_string(),
        next if (next as u32) < 0x1_0000 => format!("\\u{:04x}", next as u32),
        next => format!("\\U{:08x}", next as u32),
    }
}

/// Text filled up to the width; zeros fill as Go fills them, text included.
pub(super) fn padded(text: &str, verb: Verb) -> String {
    let missing = verb.width.unwrap_or(0).saturating_sub(text.chars().count());
    if verb.minus {
        format!("{text}{}", " ".repeat(missing))
    } else if verb.zero && matches!(verb.letter, 's' | 'q' | 'v' | 'x' | 'X') {
        format!("{}{text}", "0".repeat(missing))
    } else {
        format!("{}{text}", " ".repeat(missing))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(layout: &str, arguments: &serde_json::Value, expected: &str) {
        let Data::Array(arguments) = Value::from(arguments.clone()).data else { unreachable!() };
        assert_eq!(format(layout, &arguments), expected, "{layout}");
    }

    #[test]
    fn verbs_show_what_go_shows() {
        check("%s is %d, %5.2f%%", &json!(["x", 42, 2.71801]), "x is 42,  2.72%");
        check("%v %v %v %v", &json!(["a", 1, true, null]), "a 1 true <nil>");
        check("%q %#q %x % X", &json!(["a\"b", "raw", "hi", "hi"]), "\"a\\\"b\" `raw` 6869 68 69");
        check(
            "%6d|%-6d|%06d|%+d|%x|%#x|%b|%o|%c|%U",
            &json!([42, 42, -42, 42, 255, 255, 5, 8, 65, 65]),
            "    42|42    |-00042|+42|ff|0xff|101|10|A|U+0041",
        );
        check(
            "%v %v %v %v",
            &json!([1e6, 123_456_789.5, 0.00001, 100_000.0]),
            "1e+06 1.234567895e+08 1e-05 100000",
        );
        check(
            "%e %E %g %.3g %G",
            &json!([1234.5678, 0.5, 1e21, 1234.5678, 1e-7]),
            "1.234568e+03 5.000000E-01 1e+21 1.23e+03 1E-07",
        );
        check(
            "%v %v",
            &json!([[1, "a", null], { "b": 1, "a": [2] }]),
            "[1 a <nil>] map[a:[2] b:1]",
        );
        check(
            "%#v %#v",
            &json!([["a", 1, null], { "k": true }]),
            "[]interface {}{\"a\", 1, interface {}(nil)} map[string]interface {}{\"k\":true}",
        );
        check("%T %T %T %T", &json!([1, 1.5, "a", []]), "int float64 string []interface {}");
        check("%[2]s %[1]s", &json!(["a", "b"]), "b a");
        check("%*d|%-*d|%.*f", &json!([5, 1, 4, 2, 1, 2.25]), "    1|2   |2.2");
    }

    #[test]
    fn mistakes_show_in_the_text() {
        check("%d", &json!(["hi"]), "%!d(string=hi)");
        check("%d %s", &json!([1]), "1 %!s(MISSING)");
        check("%d", &json!([1, "x", null]), "1%!(EXTRA string=x, <nil>)");
        check("%", &json!([]), "%!(NOVERB)");
        check("%z", &json!([1]), "%!z(int=1)");
        check("%[3]d", &json!([1]), "%!d(BADINDEX)");
        check("%s", &json!([null]), "%!s(<nil>)");
        check("%2000000d", &json!([1]), "%!(BADWIDTH)1");
    }
}
