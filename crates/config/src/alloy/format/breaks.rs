//! Which parts take several lines once they are formatted.
//!
//! Not the same as in the source: an operator joins the lines on its two sides. Asking the source
//! instead would align a text differently when it is formatted a second time.

use super::super::tree::{Entry, Expression, Extent, Shape, Step};
use super::Walk;

impl Walk<'_> {
    /// Whether an expression takes several lines in the output.
    pub(super) fn breaks(&self, expression: &Expression) -> bool {
        self.has_breaking_comment(expression.at) || self.breaks_itself(expression)
    }

    fn breaks_itself(&self, expression: &Expression) -> bool {
        let at = expression.at;
        match &expression.shape {
            Shape::Null | Shape::Bool | Shape::Number | Shape::Float | Shape::Name(_) => false,
            Shape::String => self.is_broken(at.start, at.end.saturating_sub(1)),
            Shape::List(elements) => self.list_breaks(elements, at.start, at.end - 1),
            Shape::Map(entries) => self.map_breaks(entries, at),
            Shape::Paren(inner) => self.breaks_itself(inner),
            Shape::Unary(_, operand) => self.breaks_itself(operand),
            Shape::Chain(first, links) | Shape::Powers(first, links) => {
                self.breaks_itself(first)
                    || links.iter().any(|link| self.breaks_itself(&link.operand))
            }
            Shape::Path(base, steps) => {
                self.breaks_itself(base) || steps.iter().any(|step| self.step_breaks(step))
            }
        }
    }

    fn step_breaks(&self, step: &Step) -> bool {
        match step {
            Step::Access { .. } => false,
            Step::Index { index, .. } => self.breaks_itself(index),
            Step::Call { open, arguments, close } => self.list_breaks(arguments, *open, *close),
        }
    }

    fn list_breaks(&self, elements: &[Expression], open: usize, close: usize) -> bool {
        let mut last_end = open;
        for element in elements {
            if self.is_broken(last_end, element.at.start) || self.breaks_itself(element) {
                return true;
            }
            last_end = element.at.end.saturating_sub(1);
        }
        !elements.is_empty() && self.is_broken(last_end, close)
    }

    fn map_breaks(&self, entries: &[Entry], at: Extent) -> bool {
        let mut last_end = at.start;
        for entry in entries {
            let is_broken = self.is_broken(last_end, entry.name_at.start);
            if is_broken || self.breaks_itself(&entry.value) {
                return true;
            }
            last_end = entry.value.at.end.saturating_sub(1);
        }
        !entries.is_empty() && self.is_broken(last_end, at.end - 1)
    }

    /// Whether a comment inside ends a line or holds several.
    fn has_breaking_comment(&self, at: Extent) -> bool {
        let first = self.comments.partition_point(|comment| comment.start < at.start);
        let inside = self.comments.get(first..).unwrap_or_default().iter();
        inside.take_while(|comment| comment.start < at.end).any(|comment| {
            let text = self.source.text().get(comment.range()).unwrap_or_default();
            text.starts_with("//") || text.contains('\n')
        })
    }
}
