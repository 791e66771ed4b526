//! `encoding.from_yaml`: the part of YAML that people put into configuration values.
//!
//! Block and flow mappings and sequences, plain and quoted scalars, literal and folded blocks,
//! comments, several ways to write numbers, and one document. Anchors, tags and complex keys are
//! refused by name and not misread.

use serde_json::{Map, Value as Json};

mod flow;
mod scalar;

const DEPTH_MAX: usize = 64;
/// A larger text is a file of its own and no value in a configuration.
const BYTES_MAX: usize = 1 << 20;

/// A line without its indent, comments and blank lines removed where they mean nothing.
#[derive(Debug, Clone, Copy)]
pub(super) struct Line<'t> {
    pub(super) number: usize,
    pub(super) indent: usize,
    pub(super) text: &'t str,
}

/// Parses a document.
pub(super) fn parse(text: &str) -> Result<Json, String> {
    if text.len() > BYTES_MAX {
        return Err(format!("YAML text is larger than {} KiB", BYTES_MAX >> 10));
    }
    let mut parser = Parser { lines: Vec::new(), at: 0, depth: 0 };
    for (number, line) in text.lines().enumerate() {
        let body = line.trim_start_matches(' ');
        if matches!(line.trim_end(), "---") && parser.lines.iter().all(Line::is_blank) {
            parser.lines.clear();
            continue;
        }
        if matches!(line.trim_end(), "---" | "...") {
            break;
        }
        let indent = line.len() - body.len();
        parser.lines.push(Line { number: number + 1, indent, text: body.trim_end() });
    }
    parser.skip_blank();
    let Some(first) = parser.peek() else {
        return Ok(Json::Null);
    };
    let value = parser.node(first.indent)?;
    parser.skip_blank();
    match parser.peek() {
        None => Ok(value),
        Some(line) => Err(line.fail("this does not belong to what stands above it")),
    }
}

impl Line<'_> {
    fn is_blank(&self) -> bool {
        self.text.is_empty() || self.text.starts_with('#')
    }

    pub(super) fn fail(&self, reason: &str) -> String {
        format!("YAML line {}: {reason}", self.number)
    }
}

pub(super) struct Parser<'t> {
    lines: Vec<Line<'t>>,
    at: usize,
    depth: usize,
}

impl<'t> Parser<'t> {
    fn peek(&self) -> Option<Line<'t>> {
        self.lines.get(self.at).copied()
    }

    fn skip_blank(&mut self) {
        while self.peek().is_some_and(|line| line.is_blank()) {
            self.at += 1;
        }
    }

    /// The node whose first line is the current one, at an indent.
    fn node(&mut self, indent: usize) -> Result<Json, String> {
        let Some(line) = self.peek() else { return Ok(Json::Null) };
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(line.fail(&format!("nested deeper than {DEPTH_MAX}")));
        }
        let value = if line.text.starts_with('\t') {
            Err(line.fail("a tab can not indent"))
        } else if is_item(line.text) {
            self.sequence(indent)
        } else if scalar::split_key(line)?.is_some() {
            self.mapping(indent)
        } else {
            self.at += 1;
            self.value(line.text, line, indent)
        };
        self.depth -= 1;
        value
    }

    fn sequence(&mut self, indent: usize) -> Result<Json, String> {
        let mut items = Vec::new();
        while let Some(line) = self.peek_at(indent)
            && is_item(line.text)
        {
            let rest = line.text.get(1..).unwrap_or_default();
            let body = rest.trim_start_matches(' ');
            let body_indent = indent + 1 + (rest.len() - body.len());
            if body.is_empty() || body.starts_with('#') {
                self.at += 1;
                items.push(self.below(indent)?);
            } else {
                // What follows the dash is a line of its own, further in.
                let inner = Line { indent: body_indent, text: body, ..line };
                if let Some(slot) = self.lines.get_mut(self.at) {
                    *slot = inner;
                }
                items.push(self.node(body_indent)?);
            }
            self.skip_blank();
        }
        Ok(Json::Array(items))
    }

    fn mapping(&mut self, indent: usize) -> Result<Json, String> {
        let mut map = Map::new();
        while let Some(line) = self.peek_at(indent)
            && let Some((key, rest)) = scalar::split_key(line)?
        {
            self.at += 1;
            let value = if rest.is_empty() || rest.starts_with('#') {
                self.skip_blank();
                match self.peek() {
                    // A sequence may stand at the indent of its key.
                    Some(next) if next.indent == indent && is_item(next.text) => {
                        self.node(indent)?
                    }
                    _ => self.below(indent)?,
                }
            } else {
                self.value(rest, line, indent)?
            };
            if map.insert(key.clone(), value).is_some() {
                return Err(line.fail(&format!("the key {key:?} is given twice")));
            }
            self.skip_blank();
        }
        Ok(Json::Object(map))
    }

    /// The current line, if it stands at an indent.
    fn peek_at(&self, indent: usize) -> Option<Line<'t>> {
        self.peek().filter(|line| line.indent == indent)
    }

    /// The node on the next lines, if they stand further in.
    fn below(&mut self, indent: usize) -> Result<Json, String> {
        self.skip_blank();
        match self.peek() {
            Some(next) if next.indent > indent => self.node(next.indent),
            _ => Ok(Json::Null),
        }
    }

    /// A scalar or flow value that starts in the middle of a line.
    fn value(&mut self, text: &str, line: Line<'t>, indent: usize) -> Result<Json, String> {
        match text.chars().next() {
            Some('|' | '>') => self.block(text, line, indent),
            Some('&' | '*') => Err(line.fail("anchors and aliases are not supported")),
            Some('!') => Err(line.fail("tags are not supported")),
            Some('[' | '{' | '"' | '\'') => self.flow(text, line),
            _ => {
                let mut whole = scalar::without_comment(text).to_owned();
                while let Some(next) = self.peek()
                    && next.indent > indent
                    && !next.is_blank()
                {
                    if scalar::split_key(next)?.is_some() {
                        return Err(next.fail("a mapping can not stand here"));
                    }
                    self.at += 1;
                    whole.push(' ');
                    whole.push_str(scalar::without_comment(next.text));
                }
                Ok(scalar::plain(&whole))
            }
        }
    }

    /// A flow value, which may go on on the next lines.
    fn flow(&mut self, text: &str, line: Line<'t>) -> Result<Json, String> {
        let mut whole = text.to_owned();
        loop {
            if let Some(value) = flow::parse(&whole, line)? {
                return Ok(value);
            }
            let next = self.peek().ok_or_else(|| line.fail("this is not closed"))?;
            self.at += 1;
            whole.push(if next.text.is_empty() { '\n' } else { ' ' });
            whole.push_str(next.text);
        }
    }

    /// A literal (`|`) or folded (`>`) block.
    fn block(&mut self, text: &str, line: Line<'t>, indent: usize) -> Result<Json, String> {
        let header = scalar::without_comment(text);
        let is_folded = header.starts_with('>');
        let marks = header.get(1..).unwrap_or_default();
        let (mut keeps, mut strips, mut given) = (false, false, None);
        for mark in marks.chars() {
            match mark {
                '+' => keeps = true,
                '-' => strips = true,
                '1'..='9' => given = mark.to_digit(10).map(|extra| indent + extra as usize),
                _ => return Err(line.fail("this block header is not understood")),
            }
        }
        let mut body: Vec<String> = Vec::new();
        let mut block_indent = given;
        while let Some(next) = self.peek() {
            if !next.text.is_empty() {
                let at = *block_indent.get_or_insert(next.indent);
                if next.indent < at || (next.indent <= indent && at <= indent) {
                    break;
                }
            }
            let extra = next.indent.saturating_sub(block_indent.unwrap_or(next.indent));
            let extra = if next.text.is_empty() { 0 } else { extra };
            body.push(format!("{}{}", " ".repeat(extra), next.text));
            self.at += 1;
        }
        let kept = body.iter().rposition(|line| !line.is_empty()).map_or(0, |last| last + 1);
        let trailing = body.len() - kept;
        body.truncate(kept);
        let mut out = if is_folded { folded(&body) } else { body.join("\n") };
        if !out.is_empty() && !strips {
            out.push('\n');
        }
        if keeps {
            out.push_str(&"\n".repeat(trailing));
        }
        Ok(Json::String(out))
    }
}

/// Line ends become blanks, except around empty and further indented lines.
fn folded(lines: &[String]) -> String {
    let mut out = String::new();
    let mut last: Option<&str> = None;
    for line in lines {
        match last {
            None | Some("") if !line.is_empty() => {}
            None => {}
            Some(_) if line.is_empty() => out.push('\n'),
            Some(last) if last.starts_with(' ') || line.starts_with(' ') => out.push('\n'),
            Some(_) => out.push(' '),
        }
        out.push_str(line);
        last = Some(line);
    }
    out
}

fn is_item(text: &str) -> bool {
    text == "-" || text.starts_with("- ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(text: &str, expected: &Json) {
        assert_eq!(parse(text).as_ref(), Ok(expected), "{text}");
    }

    #[test]
    fn mappings_and_sequences_nest() {
        check(
            "a: 1\nb:\n  c: x y\n  d: [1, 'two', {e: null}]\n",
            &json!({
                "a": 1, "b": { "c": "x y", "d": [1, "two", { "e": null }] }
            }),
        );
        check(
            "- a: 1\n  b: 2\n- - x\n  - y\n-\n  z\n",
            &json!([{ "a": 1, "b": 2 }, ["x", "y"], "z"]),
        );
        check("k:\n- 1\n- 2 # two\n# end\nl: ~\n", &json!({ "k": [1, 2], "l": null }));
        check("{\n  a: 1,\n  b: [x,\n y]\n}", &json!({ "a": 1, "b": ["x", "y"] }));
    }

    #[test]
    fn scalars_get_the_types_of_the_core_schema() {
        check(
            "[1, -2, 0x1f, 0o17, 1.5, 1e3, true, False, null, yes, 1.2.3, 'it''s', \"a\\n\"]",
            &json!([1, -2, 31, 15, 1.5, 1000.0, true, false, null, "yes", "1.2.3", "it's", "a\n"]),
        );
        check("a: b: c".get(..4).unwrap(), &json!({ "a": "b" }));
        check("url: http://x:1/y#z", &json!({ "url": "http://x:1/y#z" }));
        check("", &Json::Null);
        check("--- \nplain text\n", &json!("plain text"));
    }

    #[test]
    fn blocks_keep_or_fold_their_lines() {
        check(
            "a: |\n  x\n   y\n\n  z\nb: >-\n  one\n  two\n\n  three\n",
            &json!({ "a": "x\n y\n\nz\n", "b": "one two\nthree" }),
        );
    }

    #[test]
    fn what_is_not_understood_is_refused_with_its_line() {
        for text in ["a: &x 1", "a: *x", "a: !t 1", "a: [1", "a: 1\n b: 2", "a: 1\na: 2", "\ta: 1"]
        {
            let error = parse(text).unwrap_err();
            assert!(error.starts_with("YAML line"), "{text}: {error}");
        }
        assert!(parse(&"- ".repeat(1000)).is_err());
    }
}
