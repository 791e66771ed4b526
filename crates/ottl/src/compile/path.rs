//! Paths: from names to the field of a message, and which context a text is for.

use super::Compiler;
use crate::context::Context;
use crate::error::CompileError;
use crate::expression::Path;
use crate::nearest::nearest;
use crate::parser;
use crate::paths::{Entry, Shape, entries};
use crate::syntax::{Call, Node, NodeKind, Segment};

impl Compiler<'_> {
    pub(super) fn path(&self, at: usize, segments: &[Segment]) -> Result<Path, CompileError> {
        let (context, rest) = self.start(segments);
        let name = rest.iter().map(|segment| segment.name.as_str()).collect::<Vec<_>>().join(".");
        let own = context == self.context;
        let has_schemas = matches!(self.context, Context::Resource | Context::Scope);
        let is_known = |entry: &&Entry| {
            entry.name == name
                && match entry.shape {
                    Shape::Cache | Shape::Position => own,
                    Shape::Schema => has_schemas,
                    _ => true,
                }
        };
        let Some(entry) = entries(context).iter().find(is_known) else {
            let names = entries(context).iter().map(|entry| entry.name);
            let message = format!("{name} is no path of a {}", context.name());
            return Err(CompileError::new(at, message).near(nearest(&name, names)));
        };
        let Some((last, inner)) = segments.split_last() else {
            return Err(CompileError::new(at, "expected a path"));
        };
        if let Some(segment) = inner.iter().find(|segment| !segment.keys.is_empty()) {
            let message = format!("{} cannot be indexed here", segment.name);
            return Err(CompileError::new(segment.at, message));
        }
        if !last.keys.is_empty() && !is_indexed(entry.shape) {
            let message = format!("{name} has nothing to index");
            return Err(CompileError::new(last.at, message));
        }
        let keys = last.keys.iter().map(|key| self.key(key)).collect::<Result<_, _>>()?;
        Ok(Path { context, entry, keys })
    }

    /// What a path starts from, and the names behind that.
    fn start<'s>(&self, segments: &'s [Segment]) -> (Context, &'s [Segment]) {
        let Some((first, rest)) = segments.split_first() else { return (self.context, segments) };
        let named = Context::from_name(&first.name).filter(|_| first.keys.is_empty());
        match named {
            Some(context) if self.context.reaches(context) => (context, rest),
            _ => (self.context, segments),
        }
    }
}

fn is_indexed(shape: Shape) -> bool {
    matches!(
        shape,
        Shape::Cache
            | Shape::Attributes
            | Shape::Any
            | Shape::TraceState
            | Shape::Counts
            | Shape::Doubles
            | Shape::Varints
    )
}

/// The innermost context that the paths of some statements or conditions name by their prefixes.
pub fn infer_context<'t>(texts: impl IntoIterator<Item = &'t str>) -> Option<Context> {
    let mut named = Vec::new();
    for text in texts {
        if let Ok(statement) = parser::statement(text) {
            in_call(&statement.editor, &mut named);
            statement.condition.iter().for_each(|node| in_node(node, &mut named));
        } else if let Ok(node) = parser::condition(text) {
            in_node(&node, &mut named);
        }
    }
    let mut inner =
        named.iter().copied().filter(|context| named.iter().all(|other| context.reaches(*other)));
    inner.next_back()
}

fn in_call(call: &Call, named: &mut Vec<Context>) {
    call.arguments.iter().for_each(|argument| in_node(&argument.value, named));
    call.keys.iter().for_each(|key| in_node(key, named));
}

fn in_node(node: &Node, named: &mut Vec<Context>) {
    match &node.kind {
        NodeKind::Path(segments) => {
            let first = segments.first().filter(|_| segments.len() > 1);
            named.extend(first.and_then(|segment| Context::from_name(&segment.name)));
            let keys = segments.iter().flat_map(|segment| &segment.keys);
            keys.for_each(|key| in_node(key, named));
        }
        NodeKind::Call(call) => in_call(call, named),
        NodeKind::List(items) => items.iter().for_each(|item| in_node(item, named)),
        NodeKind::Map(entries) => entries.iter().for_each(|(_, value)| in_node(value, named)),
        NodeKind::Binary(_, left, right) => {
            in_node(left, named);
            in_node(right, named);
        }
        NodeKind::Negative(inner) | NodeKind::Not(inner) => in_node(inner, named),
        _ => {}
    }
}
