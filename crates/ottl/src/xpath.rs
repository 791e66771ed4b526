//! The part of `XPath` that selects nodes of a document: steps, wildcards, attributes, predicates.

mod predicate;

use crate::xml::{Element, Node};
use predicate::Predicate;

/// Steps of one path, and predicates of one step.
const STEPS_MAX: usize = 64;

/// A path that selects nodes.
#[derive(Debug, Clone)]
pub(crate) struct Xpath {
    steps: Vec<Step>,
}

#[derive(Debug, Clone)]
struct Step {
    /// Whether nodes at any depth are meant.
    is_deep: bool,
    test: NodeTest,
    predicates: Vec<Predicate>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum NodeTest {
    Name(String),
    AnyElement,
    Attribute(String),
    AnyAttribute,
    Text,
    Comment,
    AnyNode,
    Itself,
}

/// Where a node is: the numbers of the children on the way, and the attribute if it is one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) way: Vec<usize>,
    pub(crate) attribute: Option<String>,
}

impl Xpath {
    pub(crate) fn new(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if text == "/" {
            return Ok(Self { steps: Vec::new() });
        }
        let wrong = || format!("{text:?} is no XPath that selects nodes");
        let mut steps = Vec::new();
        let mut rest = text;
        while !rest.is_empty() {
            let is_deep = rest.starts_with("//");
            let is_first = steps.is_empty();
            rest = rest
                .strip_prefix("//")
                .or(rest.strip_prefix('/'))
                .or(is_first.then_some(rest))
                .ok_or_else(wrong)?;
            let (step, after) = step(rest, is_deep).ok_or_else(wrong)?;
            steps.push(step);
            rest = after;
            if steps.len() > STEPS_MAX {
                return Err(wrong());
            }
        }
        if steps.is_empty() { Err(wrong()) } else { Ok(Self { steps }) }
    }

    /// The nodes that it selects, in the order of the document.
    pub(crate) fn select(&self, root: &Element) -> Vec<Place> {
        self.select_from(root, Place { way: Vec::new(), attribute: None })
    }

    fn select_from(&self, root: &Element, start: Place) -> Vec<Place> {
        let mut places = vec![start];
        for step in &self.steps {
            let mut next: Vec<Place> = Vec::new();
            for place in places {
                let found = step.select(root, &place);
                let new: Vec<_> = found.into_iter().filter(|it| !next.contains(it)).collect();
                next.extend(new);
            }
            places = next;
        }
        places
    }
}

fn step(text: &str, is_deep: bool) -> Option<(Step, &str)> {
    let end = text.find(['/', '[']).unwrap_or(text.len());
    let (test, mut rest) = text.split_at_checked(end)?;
    let test = match test.trim() {
        "" => return None,
        "*" => NodeTest::AnyElement,
        "@*" => NodeTest::AnyAttribute,
        "text()" => NodeTest::Text,
        "comment()" => NodeTest::Comment,
        "node()" => NodeTest::AnyNode,
        "." => NodeTest::Itself,
        name => match name.strip_prefix('@') {
            Some(name) if is_name(name) => NodeTest::Attribute(name.to_owned()),
            None if is_name(name) => NodeTest::Name(name.to_owned()),
            _ => return None,
        },
    };
    let mut predicates = Vec::new();
    while rest.starts_with('[') {
        let len = closing(rest)?;
        predicates.push(Predicate::new(rest.get(1..len)?)?);
        rest = rest.get(len + 1..)?;
    }
    Some((Step { is_deep, test, predicates }, rest))
}

fn is_name(name: &str) -> bool {
    let is_part = |char: char| char.is_alphanumeric() || "_-.:".contains(char);
    !name.is_empty() && name.chars().all(is_part)
}

/// Where the bracket that opens the text is closed.
fn closing(text: &str) -> Option<usize> {
    let mut depth = 0;
    let mut quote = None;
    for (at, char) in text.char_indices() {
        match (quote, char) {
            (Some(open), char) if open == char => quote = None,
            (None, '"' | '\'') => quote = Some(char),
            (None, '[') => depth += 1,
            (None, ']') => {
                depth -= 1;
                if depth == 0 {
                    return Some(at);
                }
            }
            _ => {}
        }
    }
    None
}

/// The element at a place; the root for an empty way.
pub(crate) fn element_at<'e>(root: &'e Element, way: &[usize]) -> Option<&'e Element> {
    way.iter().try_fold(root, |element, at| element.children.get(*at)?.element())
}

/// The node at a place that is not the root.
pub(crate) fn node_at<'e>(root: &'e Element, way: &[usize]) -> Option<&'e Node> {
    let (last, parents) = way.split_last()?;
    element_at(root, parents)?.children.get(*last)
}

impl Step {
    fn select(&self, root: &Element, place: &Place) -> Vec<Place> {
        if place.attribute.is_some() {
            return Vec::new();
        }
        let mut found = Vec::new();
        self.visit(root, &place.way, &mut found);
        found
    }

    fn visit(&self, root: &Element, way: &[usize], found: &mut Vec<Place>) {
        let Some(element) = element_at(root, way) else { return };
        let mut here = self.candidates(element, way);
        for predicate in &self.predicates {
            let last = here.len();
            let mut position = 0;
            here.retain(|place| {
                position += 1;
                predicate.holds(root, place, position, last)
            });
        }
        found.append(&mut here);
        if self.is_deep {
            for at in 0..element.children.len() {
                self.visit(root, &[way, &[at]].concat(), found);
            }
        }
    }

    fn candidates(&self, element: &Element, way: &[usize]) -> Vec<Place> {
        let attributes = |wanted: Option<&str>| {
            let names = element.attributes.iter().map(|(name, _)| name);
            let names = names.filter(|name| wanted.is_none_or(|wanted| *name == wanted));
            names.map(|name| Place { way: way.to_vec(), attribute: Some(name.clone()) }).collect()
        };
        match &self.test {
            NodeTest::Attribute(name) => return attributes(Some(name)),
            NodeTest::AnyAttribute => return attributes(None),
            NodeTest::Itself => return vec![Place { way: way.to_vec(), attribute: None }],
            _ => {}
        }
        let children = element.children.iter().enumerate().filter(|(_, node)| self.is_match(node));
        children.map(|(at, _)| Place { way: [way, &[at]].concat(), attribute: None }).collect()
    }

    fn is_match(&self, node: &Node) -> bool {
        match (&self.test, node) {
            (NodeTest::Name(name), Node::Element(element)) => element.name == *name,
            (NodeTest::AnyElement, Node::Element(_))
            | (NodeTest::Text, Node::Text(_) | Node::Raw(_))
            | (NodeTest::Comment, Node::Comment(_))
            | (NodeTest::AnyNode, _) => true,
            _ => false,
        }
    }
}
