//! XML documents: text to nodes and back. No entities but the predefined ones, no external parts.

use crate::error::RunError;

/// Nesting of elements.
const DEPTH_MAX: usize = 128;

/// A node of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Node {
    Element(Element),
    Text(String),
    /// Text in a `CDATA` section.
    Raw(String),
    Comment(String),
    /// `<?...?>` or `<!...>`, as it stands.
    Instruction(String),
}

/// An element.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Element {
    pub(crate) name: String,
    pub(crate) attributes: Vec<(String, String)>,
    pub(crate) children: Vec<Node>,
}

impl Node {
    pub(crate) fn element(&self) -> Option<&Element> {
        if let Self::Element(element) = self { Some(element) } else { None }
    }

    /// The text that it holds itself.
    pub(crate) fn own_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) | Self::Raw(text) => Some(text),
            _ => None,
        }
    }
}

impl Element {
    /// The text of it and of all elements in it.
    pub(crate) fn text(&self) -> String {
        let parts = self.children.iter().map(|child| match child {
            Node::Element(element) => element.text(),
            other => other.own_text().unwrap_or_default().to_owned(),
        });
        parts.collect()
    }
}

/// Reads a document into an element without a name; text outside of elements is left out.
pub(crate) fn read(text: &str) -> Result<Element, RunError> {
    let mut open = vec![Element::default()];
    let mut rest = text;
    while let Some(at) = rest.find('<') {
        let (before, markup) = rest.split_at(at);
        add_text(&mut open, before)?;
        rest = node(&mut open, markup)?;
    }
    add_text(&mut open, rest)?;
    match (open.pop(), open.is_empty()) {
        (Some(root), true) => Ok(root),
        _ => Err(damaged("an element is not closed")),
    }
}

fn damaged(problem: &str) -> RunError {
    RunError::invalid(format!("not XML: {problem}"))
}

fn add(open: &mut [Element], node: Node) {
    if let Some(parent) = open.last_mut() {
        parent.children.push(node);
    }
}

fn add_text(open: &mut [Element], text: &str) -> Result<(), RunError> {
    if open.len() > 1 && !text.is_empty() {
        let text = unescaped(text)?;
        add(open, Node::Text(text));
    }
    Ok(())
}

/// Reads one piece of markup; returns what follows.
fn node<'t>(open: &mut Vec<Element>, markup: &'t str) -> Result<&'t str, RunError> {
    let until = |start: usize, end: &str| {
        let inner = markup.get(start..).unwrap_or_default();
        let at = inner.find(end).ok_or_else(|| damaged("markup is not closed"))?;
        let after = inner.get(at + end.len()..).unwrap_or_default();
        Ok((inner.get(..at).unwrap_or_default(), after))
    };
    if markup.starts_with("<!--") {
        let (comment, after) = until(4, "-->")?;
        add(open, Node::Comment(comment.to_owned()));
        return Ok(after);
    }
    if markup.starts_with("<![CDATA[") {
        let (raw, after) = until(9, "]]>")?;
        add(open, Node::Raw(raw.to_owned()));
        return Ok(after);
    }
    if markup.starts_with("<?") {
        let (inner, after) = until(2, "?>")?;
        add(open, Node::Instruction(format!("<?{}?>", inner.trim_end())));
        return Ok(after);
    }
    if markup.starts_with("<!") {
        let (inner, after) = until(2, ">")?;
        add(open, Node::Instruction(format!("<!{inner}>")));
        return Ok(after);
    }
    if markup.starts_with("</") {
        let (name, after) = until(2, ">")?;
        let element = open.pop().filter(|element| element.name == name.trim_end());
        let element = element.filter(|_| !open.is_empty());
        let element = element.ok_or_else(|| damaged("a closing tag closes nothing"))?;
        add(open, Node::Element(element));
        return Ok(after);
    }
    start_tag(open, markup)
}

fn start_tag<'t>(open: &mut Vec<Element>, markup: &'t str) -> Result<&'t str, RunError> {
    let mut rest = markup.get(1..).unwrap_or_default();
    let name = name_at(rest);
    if name.is_empty() {
        return Err(damaged("a tag has no name"));
    }
    rest = rest.get(name.len()..).unwrap_or_default();
    let mut element = Element { name: name.to_owned(), ..Element::default() };
    loop {
        rest = rest.trim_start();
        if let Some(after) = rest.strip_prefix("/>") {
            add(open, Node::Element(element));
            return Ok(after);
        }
        if let Some(after) = rest.strip_prefix('>') {
            if open.len() > DEPTH_MAX {
                return Err(damaged("nested too deeply"));
            }
            open.push(element);
            return Ok(after);
        }
        let (attribute, after) = attribute(rest)?;
        element.attributes.push(attribute);
        rest = after;
    }
}

fn name_at(text: &str) -> &str {
    let end = text.find(|char: char| char.is_whitespace() || "<>/='\"".contains(char));
    text.get(..end.unwrap_or(text.len())).unwrap_or_default()
}

fn attribute(text: &str) -> Result<((String, String), &str), RunError> {
    let wrong = || damaged("an attribute is wrong");
    let name = name_at(text);
    let rest = text.get(name.len()..).unwrap_or_default().trim_start();
    let rest = rest.strip_prefix('=').filter(|_| !name.is_empty()).ok_or_else(wrong)?.trim_start();
    let quote = rest.chars().next().filter(|char| matches!(char, '"' | '\'')).ok_or_else(wrong)?;
    let (value, after) = rest.get(1..).and_then(|rest| rest.split_once(quote)).ok_or_else(wrong)?;
    Ok(((name.to_owned(), unescaped(value)?), after))
}

fn unescaped(text: &str) -> Result<String, RunError> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, entity)) = rest.split_once('&') {
        out.push_str(before);
        let (name, after) =
            entity.split_once(';').ok_or_else(|| damaged("an entity is not closed"))?;
        let number = name.strip_prefix('#').map(|number| match number.strip_prefix('x') {
            Some(digits) => u32::from_str_radix(digits, 16),
            None => number.parse(),
        });
        let char = match (name, number) {
            ("amp", _) => '&',
            ("lt", _) => '<',
            ("gt", _) => '>',
            ("quot", _) => '"',
            ("apos", _) => '\'',
            (_, Some(Ok(code))) => {
                char::from_u32(code).ok_or_else(|| damaged("an entity is no character"))?
            }
            _ => return Err(damaged("an entity is not known")),
        };
        out.push(char);
        rest = after;
    }
    out.push_str(rest);
    Ok(out)
}

/// Writes nodes without anything between them; elements always have a closing tag.
pub(crate) fn write(nodes: &[Node]) -> String {
    let mut out = String::new();
    for node in nodes {
        put(node, &mut out);
    }
    out
}

fn put(node: &Node, out: &mut String) {
    match node {
        Node::Text(text) => escape(text, out),
        Node::Raw(text) => out.push_str(&format!("<![CDATA[{text}]]>")),
        Node::Comment(text) => out.push_str(&format!("<!--{text}-->")),
        Node::Instruction(text) => out.push_str(text),
        Node::Element(element) => {
            out.push_str(&format!("<{}", element.name));
            for (name, value) in &element.attributes {
                out.push_str(&format!(" {name}=\""));
                escape(value, out);
                out.push('"');
            }
            out.push('>');
            element.children.iter().for_each(|child| put(child, out));
            out.push_str(&format!("</{}>", element.name));
        }
    }
}

fn escape(text: &str, out: &mut String) {
    for char in text.chars() {
        match char {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&#34;"),
            '\'' => out.push_str("&#39;"),
            other => out.push(other),
        }
    }
}
