//! Filters of a path: `[?(@.price < 10 && @.kind == 'book')]`.

use std::cmp::Ordering;

use regex::Regex;
use serde_json::Value as Json;

use super::path::{self, Cursor, Step};

const DEPTH_MAX: usize = 32;

#[derive(Debug, Clone)]
pub(super) enum Filter {
    Or(Box<Filter>, Box<Filter>),
    And(Box<Filter>, Box<Filter>),
    Not(Box<Filter>),
    Compare(Operand, Comparison, Operand),
    Matches(Operand, Regex),
    Exists(Operand),
}

#[derive(Debug, Clone)]
pub(super) enum Operand {
    Path { is_root: bool, steps: Vec<Step> },
    Literal(Json),
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Comparison {
    Equal,
    NotEqual,
    LessOrEqual,
    Less,
    GreaterOrEqual,
    Greater,
}

const COMPARISONS: [(&str, Comparison); 6] = [
    ("==", Comparison::Equal),
    ("!=", Comparison::NotEqual),
    ("<=", Comparison::LessOrEqual),
    (">=", Comparison::GreaterOrEqual),
    ("<", Comparison::Less),
    (">", Comparison::Greater),
];

pub(super) fn parse(cursor: &mut Cursor<'_>) -> Result<Filter, String> {
    cursor.depth += 1;
    if cursor.depth > DEPTH_MAX {
        return Err(format!("filters nested deeper than {DEPTH_MAX}"));
    }
    let mut left = conjunction(cursor)?;
    while cursor.eat("||") {
        left = Filter::Or(Box::new(left), Box::new(conjunction(cursor)?));
    }
    cursor.depth -= 1;
    Ok(left)
}

fn conjunction(cursor: &mut Cursor<'_>) -> Result<Filter, String> {
    let mut left = condition(cursor)?;
    while cursor.eat("&&") {
        left = Filter::And(Box::new(left), Box::new(condition(cursor)?));
    }
    Ok(left)
}

fn condition(cursor: &mut Cursor<'_>) -> Result<Filter, String> {
    cursor.skip_blanks();
    if cursor.eat("!") {
        cursor.depth += 1;
        if cursor.depth > DEPTH_MAX {
            return Err(format!("filters nested deeper than {DEPTH_MAX}"));
        }
        let inner = condition(cursor)?;
        cursor.depth -= 1;
        return Ok(Filter::Not(Box::new(inner)));
    }
    if cursor.eat("(") {
        let inner = parse(cursor)?;
        cursor.expect(")")?;
        cursor.skip_blanks();
        return Ok(inner);
    }
    let left = operand(cursor)?;
    cursor.skip_blanks();
    if cursor.eat("=~") {
        cursor.skip_blanks();
        let pattern = pattern(cursor)?;
        cursor.skip_blanks();
        return Ok(Filter::Matches(left, pattern));
    }
    let found = COMPARISONS.iter().find(|(text, _)| cursor.eat(text));
    let Some((_, comparison)) = found else {
        return Ok(Filter::Exists(left));
    };
    cursor.skip_blanks();
    let right = operand(cursor)?;
    cursor.skip_blanks();
    Ok(Filter::Compare(left, *comparison, right))
}

fn pattern(cursor: &mut Cursor<'_>) -> Result<Regex, String> {
    let text = if cursor.eat("/") {
        let text = cursor.take_while(|next| next != '/');
        cursor.expect("/")?;
        text
    } else {
        cursor.quoted()?
    };
    Regex::new(&text).map_err(|error| error.to_string())
}

fn operand(cursor: &mut Cursor<'_>) -> Result<Operand, String> {
    match cursor.peek() {
        Some(first @ ('@' | '$')) => {
            let steps = path::steps(cursor)?;
            Ok(Operand::Path { is_root: first == '$', steps })
        }
        Some('\'' | '"') => Ok(Operand::Literal(Json::String(cursor.quoted()?))),
        _ => {
            let is_literal = |next: char| next.is_alphanumeric() || matches!(next, '.' | '-' | '+');
            let text = cursor.take_while(is_literal);
            let literal = serde_json::from_str(&text);
            literal.map(Operand::Literal).map_err(|_| cursor.unexpected("a value"))
        }
    }
}

impl Filter {
    pub(super) fn accepts(&self, value: &Json, root: &Json) -> bool {
        match self {
            Self::Or(a, b) => a.accepts(value, root) || b.accepts(value, root),
            Self::And(a, b) => a.accepts(value, root) && b.accepts(value, root),
            Self::Not(inner) => !inner.accepts(value, root),
            Self::Exists(operand) => match operand.value(value, root) {
                Some(Json::Bool(truth)) => *truth,
                found => found.is_some(),
            },
            Self::Matches(operand, pattern) => operand
                .value(value, root)
                .and_then(Json::as_str)
                .is_some_and(|text| pattern.is_match(text)),
            Self::Compare(left, comparison, right) => {
                let (left, right) = (left.value(value, root), right.value(value, root));
                holds(left, *comparison, right)
            }
        }
    }
}

impl Operand {
    fn value<'j>(&'j self, value: &'j Json, root: &'j Json) -> Option<&'j Json> {
        match self {
            Self::Literal(literal) => Some(literal),
            Self::Path { is_root, steps } => {
                path::select(steps, if *is_root { root } else { value }, root)?.into_iter().next()
            }
        }
    }
}

fn holds(left: Option<&Json>, comparison: Comparison, right: Option<&Json>) -> bool {
    let order = match (left, right) {
        (Some(Json::Number(a)), Some(Json::Number(b))) => {
            a.as_f64().zip(b.as_f64()).and_then(|(a, b)| a.partial_cmp(&b))
        }
        (Some(Json::String(a)), Some(Json::String(b))) => Some(a.cmp(b)),
        (a, b) => (a == b).then_some(Ordering::Equal),
    };
    match comparison {
        Comparison::Equal => order == Some(Ordering::Equal),
        Comparison::NotEqual => order != Some(Ordering::Equal),
        Comparison::LessOrEqual => order.is_some_and(Ordering::is_le),
        Comparison::Less => order == Some(Ordering::Less),
        Comparison::GreaterOrEqual => order.is_some_and(Ordering::is_ge),
        Comparison::Greater => order == Some(Ordering::Greater),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(path: &str, expected: &Json) {
        let document = json!({
            "book": [
                { "title": "A", "price": 8, "tags": ["x"] },
                { "title": "B", "price": 12.5 },
                { "title": "C", "price": 9, "sold": true },
            ],
            "limit": 10, "a.b": 1,
        });
        let steps = path::parse(path).unwrap();
        let found = path::select(&steps, &document, &document).unwrap();
        let found = Json::Array(found.into_iter().cloned().collect());
        assert_eq!(&found, expected, "{path}");
    }

    #[test]
    fn paths_find_names_indexes_slices_and_descendants() {
        check("$.book[0].title", &json!(["A"]));
        check(".book[-1].title", &json!(["C"]));
        check("book[*].title", &json!(["A", "B", "C"]));
        check("$.book[0,2].title", &json!(["A", "C"]));
        check("$.book[1:].title", &json!(["B", "C"]));
        check("$.book[::-1].title", &json!(["C", "B", "A"]));
        check("$..title", &json!(["A", "B", "C"]));
        check("$['a.b']", &json!([1]));
        check("$.missing[3].x", &json!([]));
    }

    #[test]
    fn filters_compare_combine_and_match() {
        check("$.book[?(@.price < 10)].title", &json!(["A", "C"]));
        check("$.book[?(@.price < $.limit && @.sold)].title", &json!(["C"]));
        check("$.book[?(@.title == 'B' || @.tags)].title", &json!(["A", "B"]));
        check("$.book[?(@.title =~ /[BC]/)].price", &json!([12.5, 9]));
        check("$.book[?(!(@.price >= 9))].title", &json!(["A"]));
    }

    #[test]
    fn a_path_that_can_not_be_read_says_why() {
        for path in ["$.book[", "$.book[?(@.x <)]", "$.[", "$.a b", "$.x['y"] {
            assert!(path::parse(path).is_err(), "{path}");
        }
        assert!(path::parse(&"[?(".repeat(1000)).is_err());
    }
}
