//! Predicates: position, presence, equality, `contains`, `starts-with`, `not`, `and`, `or`.

use super::{Place, Xpath, element_at, node_at};
use crate::xml::Element;

/// Nesting of predicates.
const DEPTH_MAX: u32 = 16;

/// What a node must be to be selected.
#[derive(Debug, Clone)]
pub(super) enum Predicate {
    Position(usize),
    Last,
    Exists(Xpath),
    /// A text, which is true if it is not empty.
    Fixed(bool),
    Named {
        name: String,
        is_equal: bool,
    },
    Compare {
        path: Xpath,
        value: String,
        is_equal: bool,
    },
    Contains {
        path: Xpath,
        part: String,
        is_start: bool,
    },
    Not(Box<Predicate>),
    And(Box<Predicate>, Box<Predicate>),
    Or(Box<Predicate>, Box<Predicate>),
}

impl Predicate {
    pub(super) fn new(text: &str) -> Option<Self> {
        Self::nested(text, 0)
    }

    fn nested(text: &str, depth: u32) -> Option<Self> {
        let text = text.trim();
        if depth > DEPTH_MAX {
            return None;
        }
        let pair = |(left, right): (&str, &str)| {
            let left = Box::new(Self::nested(left, depth + 1)?);
            Some((left, Box::new(Self::nested(right, depth + 1)?)))
        };
        if let Some(sides) = split_outside(text, " or ") {
            return pair(sides).map(|(left, right)| Self::Or(left, right));
        }
        if let Some(sides) = split_outside(text, " and ") {
            return pair(sides).map(|(left, right)| Self::And(left, right));
        }
        if let Some(inner) = call(text, "not(") {
            return Some(Self::Not(Box::new(Self::nested(inner, depth + 1)?)));
        }
        if text == "last()" {
            return Some(Self::Last);
        }
        if let Ok(position) = text.parse() {
            return Some(Self::Position(position));
        }
        if let Some(text) = quoted(text) {
            return Some(Self::Fixed(!text.is_empty()));
        }
        for (name, is_start) in [("contains(", false), ("starts-with(", true)] {
            if let Some(inner) = call(text, name) {
                let (path, part) = split_outside(inner, ",")?;
                return Some(Self::Contains {
                    path: path_of(path)?,
                    part: literal(part)?,
                    is_start,
                });
            }
        }
        for (operator, is_equal) in [("!=", false), ("=", true)] {
            if let Some((path, value)) = split_outside(text, operator) {
                if path.trim() == "local-name()" {
                    return Some(Self::Named { name: literal(value)?, is_equal });
                }
                return Some(Self::Compare {
                    path: path_of(path)?,
                    value: literal(value)?,
                    is_equal,
                });
            }
        }
        Some(Self::Exists(path_of(text)?))
    }

    pub(super) fn holds(
        &self,
        root: &Element,
        place: &Place,
        position: usize,
        last: usize,
    ) -> bool {
        match self {
            Self::Position(wanted) => position == *wanted,
            Self::Last => position == last,
            Self::Fixed(truth) => *truth,
            Self::Named { name, is_equal } => (name_at(root, place) == *name) == *is_equal,
            Self::Exists(path) => !select(path, root, place).is_empty(),
            Self::Compare { path, value, is_equal } => {
                let mut found = select(path, root, place).into_iter();
                found.any(|place| (text_at(root, &place) == *value) == *is_equal)
            }
            Self::Contains { path, part, is_start } => {
                let mut found = select(path, root, place).into_iter();
                found.any(|place| {
                    let text = text_at(root, &place);
                    if *is_start { text.starts_with(part.as_str()) } else { text.contains(part) }
                })
            }
            Self::Not(inner) => !inner.holds(root, place, position, last),
            Self::And(left, right) => {
                left.holds(root, place, position, last) && right.holds(root, place, position, last)
            }
            Self::Or(left, right) => {
                left.holds(root, place, position, last) || right.holds(root, place, position, last)
            }
        }
    }
}

fn select(path: &Xpath, root: &Element, place: &Place) -> Vec<Place> {
    path.select_from(root, place.clone())
}

fn text_at(root: &Element, place: &Place) -> String {
    if let Some(attribute) = &place.attribute {
        let element = element_at(root, &place.way);
        let found = element
            .and_then(|element| element.attributes.iter().find(|(name, _)| name == attribute));
        return found.map(|(_, value)| value.clone()).unwrap_or_default();
    }
    match node_at(root, &place.way) {
        Some(node) => match node.element() {
            Some(element) => element.text(),
            None => node.own_text().unwrap_or_default().to_owned(),
        },
        None => root.text(),
    }
}

fn call<'t>(text: &'t str, name: &str) -> Option<&'t str> {
    text.strip_prefix(name)?.strip_suffix(')')
}

fn path_of(text: &str) -> Option<Xpath> {
    let text = text.trim();
    if text.starts_with('/') {
        return None;
    }
    Xpath::new(text).ok()
}

fn literal(text: &str) -> Option<String> {
    let text = text.trim();
    let number = || text.parse::<f64>().ok().map(|_| text);
    quoted(text).or_else(number).map(str::to_owned)
}

/// What is between two quotes of one sort and holds none.
fn quoted(text: &str) -> Option<&str> {
    let quote = text.chars().next().filter(|char| matches!(char, '"' | '\''))?;
    let inner = text.strip_prefix(quote)?.strip_suffix(quote)?;
    (!inner.contains(quote)).then_some(inner)
}

/// The name of an element or attribute without its prefix; none of any other node.
fn name_at<'p>(root: &'p Element, place: &'p Place) -> &'p str {
    let name = match &place.attribute {
        Some(attribute) => Some(attribute.as_str()),
        None => element_at(root, &place.way).map(|element| element.name.as_str()),
    };
    name.and_then(|name| name.rsplit(':').next()).unwrap_or_default()
}

/// Splits at a mark that is neither in quotes nor in brackets.
fn split_outside<'t>(text: &'t str, mark: &str) -> Option<(&'t str, &'t str)> {
    let mut depth = 0_i32;
    let mut quote = None;
    for (at, char) in text.char_indices() {
        let is_here = depth == 0 && quote.is_none();
        if is_here && text.get(at..).is_some_and(|rest| rest.starts_with(mark)) {
            return Some((text.get(..at)?, text.get(at + mark.len()..)?));
        }
        match (quote, char) {
            (Some(open), char) if open == char => quote = None,
            (None, '"' | '\'') => quote = Some(char),
            (None, '(' | '[') => depth += 1,
            (None, ')' | ']') => depth -= 1,
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use crate::xml::read;

    use super::*;

    #[test]
    fn predicates_select_what_they_say() {
        let root = read("<r><a k='1' x:l='2'>one</a><a>two</a><b/><!--c--></r>").unwrap();
        for (path, expected) in [
            ("/r/a", 2),
            ("/r/a[1]", 1),
            ("/r/a[last()]", 1),
            ("/r/a[@k]", 1),
            ("/r/a[not(@k)]", 1),
            ("/r/a[@k='1']", 1),
            ("/r/a[@k='2']", 0),
            ("//a[text()='two']", 1),
            ("//a[contains(text(), 'o')]", 2),
            ("//a[starts-with(text(), 't')]", 1),
            ("//a[@k='1' or text()='two']", 2),
            ("//a[@k='1' and text()='two']", 0),
            ("//*[local-name()='b']", 1),
            ("//@*[local-name() != 'k']", 1),
            ("//@*[local-name() = 'l']", 1),
            ("//text()['any']", 2),
            ("//text()['']", 0),
            ("//comment()", 1),
        ] {
            let found = Xpath::new(path).unwrap().select(&root);
            assert_eq!(found.len(), expected, "{path}");
        }
    }

    #[test]
    fn what_is_no_path_is_refused() {
        for path in ["", "//", "/a[", "/a[]", "/a[@k='1]", "/a[local-name() = b]", "/a b"] {
            assert!(Xpath::new(path).is_err(), "{path}");
        }
    }
}
