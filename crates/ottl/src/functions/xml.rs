//! Converters of XML.

use std::sync::Arc;

use super::{Call, Function, Kind, Literals, Prepared, may, need};
use crate::error::RunError;
use crate::value::Value;
use crate::xml::{Element, Node, read, write};
use crate::xpath::{Place, Xpath, element_at, node_at};

pub(super) const LIST: &[Function] = &[
    Function::converter("ParseXML", &[need("target", Kind::Text)], parse),
    Function::converter("ParseSimplifiedXML", &[need("target", Kind::Text)], parse_simplified),
    Function::converter("GetXML", &[need("target", Kind::Text), need("xpath", Kind::Word)], get)
        .preparing(|literals| xpath(literals, "/")),
    Function::converter(
        "RemoveXML",
        &[need("target", Kind::Text), need("xpath", Kind::Word)],
        remove,
    )
    .preparing(|literals| xpath(literals, "/")),
    Function::converter(
        "InsertXML",
        &[need("target", Kind::Text), need("xpath", Kind::Word), need("sub_document", Kind::Text)],
        insert,
    )
    .preparing(|literals| xpath(literals, "/")),
    Function::converter(
        "ConvertAttributesToElementsXML",
        &[need("target", Kind::Text), may("xpath", Kind::Word)],
        convert_attributes,
    )
    .preparing(|literals| xpath(literals, "//@*")),
    Function::converter(
        "ConvertTextToElementsXML",
        &[need("target", Kind::Text), may("xpath", Kind::Word), may("element_name", Kind::Word)],
        convert_text,
    )
    .preparing(|literals| xpath(literals, "/")),
];

type Made = Result<Value, RunError>;

fn xpath(literals: &Literals<'_>, default: &str) -> Result<Prepared, String> {
    let text = match literals.get(1) {
        Some(Some(Value::String(text))) => text,
        _ => default,
    };
    Ok(Prepared::Xpath(Arc::new(Xpath::new(text)?)))
}

fn written(root: &Element) -> Value {
    Value::String(write(&root.children))
}

fn element_mut<'e>(root: &'e mut Element, way: &[usize]) -> Option<&'e mut Element> {
    way.iter().try_fold(root, |element, at| match element.children.get_mut(*at)? {
        Node::Element(inner) => Some(inner),
        _ => None,
    })
}

fn get(call: &Call<'_>) -> Made {
    let root = read(call.text(0))?;
    let places = call.xpath()?.select(&root);
    let nodes = places.iter().filter(|place| place.attribute.is_none());
    let nodes: Vec<Node> = nodes
        .filter_map(|place| node_at(&root, &place.way))
        .filter(|node| node.element().is_some())
        .cloned()
        .collect();
    Ok(Value::String(write(&nodes)))
}

fn remove(call: &Call<'_>) -> Made {
    let mut root = read(call.text(0))?;
    // From the last to the first, so that the numbers of those before stay right.
    for place in call.xpath()?.select(&root).into_iter().rev() {
        remove_at(&mut root, &place);
    }
    Ok(written(&root))
}

fn remove_at(root: &mut Element, place: &Place) {
    if let Some(attribute) = &place.attribute {
        if let Some(element) = element_mut(root, &place.way) {
            element.attributes.retain(|(name, _)| name != attribute);
        }
        return;
    }
    let Some((last, parents)) = place.way.split_last() else { return };
    if let Some(parent) = element_mut(root, parents)
        && *last < parent.children.len()
    {
        parent.children.remove(*last);
    }
}

fn insert(call: &Call<'_>) -> Made {
    let mut root = read(call.text(0))?;
    let more = read(call.text(2))?.children;
    for place in call.xpath()?.select(&root) {
        let is_element = place.attribute.is_none() && element_at(&root, &place.way).is_some();
        if !is_element {
            return Err(RunError::invalid("the XPath selects what is no element"));
        }
        if let Some(element) = element_mut(&mut root, &place.way) {
            element.children.extend(more.iter().cloned());
        }
    }
    Ok(written(&root))
}

fn convert_attributes(call: &Call<'_>) -> Made {
    let mut root = read(call.text(0))?;
    for place in call.xpath()?.select(&root) {
        let Some(element) = element_mut(&mut root, &place.way) else { continue };
        let is_meant =
            |name: &str| place.attribute.as_ref().is_none_or(|attribute| attribute == name);
        let (meant, others): (Vec<_>, Vec<_>) =
            std::mem::take(&mut element.attributes).into_iter().partition(|it| is_meant(&it.0));
        element.attributes = others;
        for (name, value) in meant {
            let children = vec![Node::Text(value)];
            element.children.push(Node::Element(Element { name, attributes: vec![], children }));
        }
    }
    Ok(written(&root))
}

fn convert_text(call: &Call<'_>) -> Made {
    let mut root = read(call.text(0))?;
    let name = call.text_or(2, "value");
    for place in call.xpath()?.select(&root) {
        if let Some(element) = element_mut(&mut root, &place.way) {
            wrap_text(element, name);
        }
    }
    Ok(written(&root))
}

/// Wraps text that stands beside elements.
fn wrap_text(element: &mut Element, name: &str) {
    let has_elements = element.children.iter().any(|child| child.element().is_some());
    for child in &mut element.children {
        match child {
            Node::Element(inner) => wrap_text(inner, name),
            Node::Text(text) | Node::Raw(text) if has_elements && !text.trim().is_empty() => {
                let children = vec![child.clone()];
                let name = name.to_owned();
                *child = Node::Element(Element { name, attributes: Vec::new(), children });
            }
            _ => {}
        }
    }
}

fn parse(call: &Call<'_>) -> Made {
    let root = read(call.text(0))?;
    let mut elements = root.children.iter().filter_map(Node::element);
    match (elements.next(), elements.next()) {
        (Some(element), None) => Ok(parsed(element)),
        (None, _) => Err(RunError::invalid("not XML: there is no element")),
        _ => Err(RunError::invalid("not XML: there is more than one root element")),
    }
}

fn parsed(element: &Element) -> Value {
    let mut entries = vec![("tag".to_owned(), Value::from(element.name.as_str()))];
    if !element.attributes.is_empty() {
        let mut attributes = Vec::new();
        for (name, value) in &element.attributes {
            Value::put(&mut attributes, name, Value::from(value.as_str()));
        }
        entries.push(("attributes".to_owned(), Value::Map(attributes)));
    }
    let texts = element.children.iter().filter_map(Node::own_text).map(str::trim);
    let content: String = texts.collect();
    if !content.is_empty() {
        entries.push(("content".to_owned(), Value::String(content)));
    }
    let children: Vec<Value> =
        element.children.iter().filter_map(Node::element).map(parsed).collect();
    if !children.is_empty() {
        entries.push(("children".to_owned(), Value::List(children)));
    }
    Value::Map(entries)
}

fn parse_simplified(call: &Call<'_>) -> Made {
    let root = read(call.text(0))?;
    if !root.children.iter().any(|child| child.element().is_some()) {
        return Err(RunError::invalid("not XML: there is no element"));
    }
    Ok(simplified(&root).unwrap_or(Value::Map(Vec::new())))
}

/// A map of the elements in it, or its text; none if there is neither.
fn simplified(element: &Element) -> Option<Value> {
    let children: Vec<&Element> = element.children.iter().filter_map(Node::element).collect();
    if children.is_empty() {
        let text: String = element.children.iter().filter_map(Node::own_text).collect();
        let text = text.trim();
        return (!text.is_empty()).then(|| Value::from(text));
    }
    let mut entries: Vec<(String, Value)> = Vec::new();
    for child in &children {
        let is_list = children.iter().filter(|other| other.name == child.name).count() > 1;
        let Some(value) = simplified(child) else { continue };
        let at = entries.iter().position(|(name, _)| *name == child.name);
        match at.and_then(|at| entries.get_mut(at)) {
            Some((_, Value::List(values))) if is_list => values.push(value),
            Some((_, slot)) => *slot = value,
            None if is_list => entries.push((child.name.clone(), Value::List(vec![value]))),
            None => entries.push((child.name.clone(), value)),
        }
    }
    (!entries.is_empty()).then_some(Value::Map(entries))
}
