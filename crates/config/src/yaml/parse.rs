//! From events of the YAML parser to a tree.

use std::sync::Arc;

use granit_parser::{Event, Parser, ScalarStyle, Span, Tag, options};

use super::builder::Builder;
use super::{DEPTH_MAX, scalar};
use crate::diagnostic::{Code, Diagnostic};
use crate::source::{Location, Source};
use crate::value::{Data, Value};

/// The one document of a text, and everything that is wrong with it; no value if it is not YAML.
pub(crate) fn parse(source: &Arc<Source>) -> (Option<Value>, Vec<Diagnostic>) {
    // One more than is allowed: then the builder reports it with the place of the collection.
    let limit = DEPTH_MAX + 1;
    let options = options! {
        flow_nesting_limit: limit,
        block_nesting_limit: limit,
        emit_comments: false,
    };
    let mut builder = Builder::new(source);
    let mut documents = 0;
    for event in Parser::new_from_str_with_options(source.text(), options) {
        let (event, span) = match event {
            Ok(parsed) => parsed,
            Err(error) => {
                let at = error.marker().byte_offset().unwrap_or(source.text().len());
                builder.report(Code::Syntax, &place(source, at), &error.info());
                return (None, builder.findings);
            }
        };
        let at = location(source, &span);
        match event {
            Event::DocumentStart(..) => {
                documents += 1;
                if documents == 2 {
                    let message = "a second document: a file holds one";
                    builder.report(Code::Syntax, &at, message);
                    return (None, builder.findings);
                }
            }
            Event::Scalar(text, style, anchor, tag) => {
                let value = scalar_value(&mut builder, &text, style, tag.as_deref(), at);
                builder.scalar(value, &text, anchor, style == ScalarStyle::Plain);
            }
            Event::SequenceStart(_, anchor, _) => builder.open_list(at, anchor),
            Event::MappingStart(_, anchor, _) => builder.open_map(at, anchor),
            Event::SequenceEnd | Event::MappingEnd => builder.close(),
            Event::Alias(anchor) => builder.alias(anchor, &at),
            Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentEnd
            | Event::Anchor(..)
            | Event::UnresolvedAlias(_)
            | _ => {}
        }
        if builder.is_full {
            return (None, builder.findings);
        }
    }
    (builder.root.or_else(|| Some(Value::default())), builder.findings)
}

fn location(source: &Arc<Source>, span: &Span) -> Location {
    let end = source.text().len();
    Location::new(source, span.byte_range().unwrap_or(end..end))
}

fn place(source: &Arc<Source>, at: usize) -> Location {
    Location::new(source, at..at)
}

fn scalar_value(
    builder: &mut Builder<'_>,
    text: &str,
    style: ScalarStyle,
    tag: Option<&Tag>,
    at: Location,
) -> Value {
    let mut value = match tag.map(|tag| tag.core_suffix().unwrap_or("?")) {
        Some("str") => Value::string(text, at),
        None if style != ScalarStyle::Plain => Value::string(text, at),
        None | Some("int" | "float" | "bool" | "null") => scalar::plain(text, at),
        Some(_) => {
            let named = tag.map(Tag::original).unwrap_or_default();
            builder.report(Code::Syntax, &at, &format!("the tag {named} is not known"));
            Value::string(text, at)
        }
    };
    if matches!(&value.data, Data::String(plain) if plain.is_empty()) && style == ScalarStyle::Plain
    {
        value.data = Data::Null;
    }
    value
}
