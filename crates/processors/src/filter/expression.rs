//! The expressions of `match_type = "expr"`: what is true of a metric's name and a point's labels.
//!
//! The part of the expression language that speaks of names and labels; everything else is refused
//! when the configuration is loaded, not when the first point arrives.
//! <https://github.com/expr-lang/expr/blob/master/docs/language-definition.md>

use std::borrow::Cow;

use bessemer_record::value::Map;
use regex::Regex;

use crate::attributes::pattern;
use crate::attributes::text::text_of;

mod scanner;

use scanner::{Scanner, Token};

/// Parentheses and negations inside each other at most.
const DEPTH_MAX: u32 = 64;

/// An expression that is true or false.
#[derive(Debug)]
pub(super) enum Expression {
    Constant(bool),
    HasLabel(String),
    Equal(Text, Text),
    Unequal(Text, Text),
    Contains(Text, Text),
    StartsWith(Text, Text),
    EndsWith(Text, Text),
    Matches(Text, Regex),
    Not(Box<Expression>),
    All(Vec<Expression>),
    Any(Vec<Expression>),
}

/// An expression that is text.
#[derive(Debug)]
pub(super) enum Text {
    Constant(String),
    MetricName,
    /// The value of a label, empty if there is none.
    Label(String),
}

impl Expression {
    /// Reads an expression; the error says what is wrong and where.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut parser = Parser { scanner: Scanner::new(text)?, depth: 0 };
        let expression = parser.any()?;
        match parser.scanner.peek() {
            None => Ok(expression),
            Some(_) => Err(parser.unexpected()),
        }
    }

    /// Whether it is true of a data point.
    pub(super) fn holds(&self, name: &str, labels: Map<'_>) -> bool {
        let text = |text: &Text| text.read(name, labels).into_owned();
        match self {
            Self::Constant(truth) => *truth,
            Self::HasLabel(key) => labels.get(key).is_some(),
            Self::Equal(left, right) => text(left) == text(right),
            Self::Unequal(left, right) => text(left) != text(right),
            Self::Contains(left, right) => text(left).contains(&text(right)),
            Self::StartsWith(left, right) => text(left).starts_with(&text(right)),
            Self::EndsWith(left, right) => text(left).ends_with(&text(right)),
            Self::Matches(left, pattern) => pattern.is_match(&text(left)),
            Self::Not(inner) => !inner.holds(name, labels),
            Self::All(all) => all.iter().all(|one| one.holds(name, labels)),
            Self::Any(all) => all.iter().any(|one| one.holds(name, labels)),
        }
    }
}

impl Text {
    fn read<'t>(&'t self, name: &'t str, labels: Map<'t>) -> Cow<'t, str> {
        match self {
            Self::Constant(text) => Cow::Borrowed(text),
            Self::MetricName => Cow::Borrowed(name),
            Self::Label(key) => labels.get(key).map_or(Cow::Borrowed(""), text_of),
        }
    }
}

/// From what is bound loosest to what is bound tightest: or, and, not, comparison.
struct Parser {
    scanner: Scanner,
    depth: u32,
}

impl Parser {
    fn any(&mut self) -> Result<Expression, String> {
        let mut all = vec![self.all()?];
        while self.takes(&["||", "or"]) {
            all.push(self.all()?);
        }
        Ok(if all.len() == 1 { all.remove(0) } else { Expression::Any(all) })
    }

    fn all(&mut self) -> Result<Expression, String> {
        let mut all = vec![self.negated()?];
        while self.takes(&["&&", "and"]) {
            all.push(self.negated()?);
        }
        Ok(if all.len() == 1 { all.remove(0) } else { Expression::All(all) })
    }

    fn negated(&mut self) -> Result<Expression, String> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(format!("is nested deeper than {DEPTH_MAX}"));
        }
        let expression = if self.takes(&["!", "not"]) {
            Expression::Not(Box::new(self.negated()?))
        } else if self.takes(&["("]) {
            let inner = self.any()?;
            self.expect(")")?;
            inner
        } else {
            self.truth()?
        };
        self.depth -= 1;
        Ok(expression)
    }

    fn truth(&mut self) -> Result<Expression, String> {
        for (word, truth) in [("true", true), ("false", false)] {
            if self.takes(&[word]) {
                return Ok(Expression::Constant(truth));
            }
        }
        if self.takes(&["HasLabel"]) {
            return self.argument().map(Expression::HasLabel);
        }
        let left = self.text()?;
        let compare: fn(Text, Text) -> Expression = if self.takes(&["=="]) {
            Expression::Equal
        } else if self.takes(&["!="]) {
            Expression::Unequal
        } else if self.takes(&["contains"]) {
            Expression::Contains
        } else if self.takes(&["startsWith"]) {
            Expression::StartsWith
        } else if self.takes(&["endsWith"]) {
            Expression::EndsWith
        } else if self.takes(&["matches"]) {
            return self.pattern().map(|pattern| Expression::Matches(left, pattern));
        } else {
            return Err(self.unexpected());
        };
        Ok(compare(left, self.text()?))
    }

    fn text(&mut self) -> Result<Text, String> {
        if let Some(Token::Text(text)) = self.scanner.peek() {
            let text = text.clone();
            self.scanner.skip();
            return Ok(Text::Constant(text));
        }
        if self.takes(&["MetricName"]) {
            return Ok(Text::MetricName);
        }
        if self.takes(&["Label"]) {
            return self.argument().map(Text::Label);
        }
        Err(self.unexpected())
    }

    fn pattern(&mut self) -> Result<Regex, String> {
        match self.text()? {
            Text::Constant(text) => pattern::compile(&text)
                .map_err(|reason| format!("holds what is not a regular expression: {reason}")),
            Text::MetricName | Text::Label(_) => Err("matches only constant text".to_owned()),
        }
    }

    /// The text in parentheses behind the name of a function.
    fn argument(&mut self) -> Result<String, String> {
        self.expect("(")?;
        let Text::Constant(text) = self.text()? else {
            return Err("takes only constant text as the name of a label".to_owned());
        };
        self.expect(")")?;
        Ok(text)
    }

    fn takes(&mut self, words: &[&str]) -> bool {
        let is_one = matches!(self.scanner.peek(), Some(Token::Word(word)) if words.contains(&word.as_str()));
        if is_one {
            self.scanner.skip();
        }
        is_one
    }

    fn expect(&mut self, word: &str) -> Result<(), String> {
        if self.takes(&[word]) { Ok(()) } else { Err(self.unexpected()) }
    }

    fn unexpected(&self) -> String {
        match self.scanner.peek() {
            Some(Token::Word(word)) => {
                format!(
                    "has {word:?} at column {}, which means nothing here",
                    self.scanner.column()
                )
            }
            Some(Token::Text(_)) => {
                format!("has text at column {} too many", self.scanner.column())
            }
            None => "ends too early".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use bessemer_record::Value;
    use bessemer_record::value::{AnyValue, encode_any_value};

    use super::*;

    fn holds(text: &str) -> bool {
        let labels = Value::Map(vec![
            ("a".into(), Value::String("x y".into())),
            ("n".into(), Value::Int(7)),
        ]);
        let mut bytes = Vec::new();
        encode_any_value(&labels, &mut bytes);
        let AnyValue::Map(labels) = AnyValue::new(&bytes) else { panic!() };
        Expression::parse(text)
            .unwrap_or_else(|error| panic!("{text}: {error}"))
            .holds("cpu", labels)
    }

    #[test]
    fn expressions_are_true_of_names_and_labels() {
        for (text, expected) in [
            ("MetricName == 'cpu' && Label(\"a\") == 'x y'", true),
            ("MetricName == `cpu` and Label('a') != 'x y'", false),
            ("HasLabel('a') && !HasLabel('b')", true),
            ("not HasLabel('a') or Label('n') == '7'", true),
            ("Label('b') == ''", true),
            ("(MetricName matches '^c.u$') && MetricName startsWith 'c'", true),
            ("MetricName endsWith 'x' || MetricName contains 'p'", true),
            ("false || true && false", false),
            ("'it\\'s' == \"it's\"", true),
        ] {
            assert_eq!(holds(text), expected, "{text}");
        }
    }

    #[test]
    fn what_is_not_an_expression_is_refused_with_its_place() {
        for (text, expected) in [
            ("foo", "\"foo\" at column 1"),
            ("MetricName", "ends too early"),
            ("MetricName == 'a' 'b'", "column 19"),
            ("Label(MetricName) == 'a'", "constant text"),
            ("MetricName matches '('", "regular expression"),
            ("MetricName == 'a", "not closed"),
            ("MetricName == #", "'#' at column 15"),
        ] {
            let error = Expression::parse(text).unwrap_err();
            assert!(error.contains(expected), "{text}: {error}");
        }
        assert!(Expression::parse(&"(".repeat(10_000)).unwrap_err().contains("deeper"));
    }
}
