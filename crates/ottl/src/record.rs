//! One record while statements run on it: messages that are read in place, and the bytes of those
//! that were changed.
//!
//! The record itself is taken apart once it is changed, or before if it will be looked at often:
//! then what changes stands beside it, and it is written once.

mod keys;
mod open;
mod read;
mod see;
mod write;

use std::borrow::Cow;

use bessemer_record::edit::{Field, Opened, Patch, field, fields};

use crate::context::Context;
use crate::error::RunError;
use crate::expression::{Key, Path};
use crate::limits::Limits;
use crate::paths::{Entry, Number};
use crate::value::Value;

pub(crate) use keys::{index, index_value};

/// Fields of a `Metric` that hold its data: gauge, sum, histogram, exponential histogram, summary.
pub(crate) const METRIC_DATA: [u32; 5] = [5, 7, 9, 10, 11];

const RESOURCE: usize = 0;
const SCOPE: usize = 1;
const OUTER: usize = 2;
const OWN: usize = 3;
const RESOURCE_SCHEMA: usize = 4;
const SCOPE_SCHEMA: usize = 5;

#[derive(Debug, Default)]
struct Part<'a> {
    bytes: Cow<'a, [u8]>,
    is_changed: bool,
}

/// A record, what is around it, and the scratch map of its statements.
#[derive(Debug)]
pub struct Record<'a> {
    context: Context,
    parts: [Part<'a>; 6],
    /// The record itself, once it is taken apart: what it is now is here then.
    opened: Option<Opened<'a>>,
    pub(crate) cache: Vec<(String, Value)>,
    /// Of a span event: its place among those of its span.
    position: usize,
    edits: u32,
    /// Of a data point: its type, in the order of [`Number::ByPoint`].
    point: usize,
    limits: Limits,
    steps: std::cell::Cell<u32>,
    /// Metrics that functions made.
    added: Vec<Vec<u8>>,
}

impl<'a> Record<'a> {
    /// A record of a context from encoded messages; `outer` is the span of a span event or the
    /// metric of a data point, `own` the record itself (for a resource or a scope: nothing more).
    pub fn new(
        context: Context,
        resource: &'a [u8],
        scope: &'a [u8],
        outer: &'a [u8],
        own: &'a [u8],
    ) -> Self {
        let part = |bytes: &'a [u8]| Part { bytes: Cow::Borrowed(bytes), is_changed: false };
        let point = if context == Context::DataPoint { point_type(outer) } else { 0 };
        let parts =
            [part(resource), part(scope), part(outer), part(own), Part::default(), Part::default()];
        let (steps, added) = (std::cell::Cell::new(0), Vec::new());
        let (cache, limits) = (Vec::new(), Limits::default());
        let opened = None;
        Self { context, parts, opened, cache, position: 0, edits: 0, point, limits, steps, added }
    }

    /// The same with the schemas of its resource and scope, which only these two can name.
    pub(crate) fn with_schemas(mut self, resource: &'a [u8], scope: &'a [u8]) -> Self {
        for (place, url) in [(RESOURCE_SCHEMA, resource), (SCOPE_SCHEMA, scope)] {
            if let Some(part) = self.parts.get_mut(place) {
                part.bytes = Cow::Borrowed(url);
            }
        }
        self
    }

    /// The same as this child of what is around it, counted from 0.
    pub(crate) fn at_position(mut self, position: usize) -> Self {
        self.position = position;
        self
    }

    pub(crate) fn with_limits(mut self, limits: Limits) -> Self {
        self.limit(limits);
        self
    }

    pub(crate) fn limit(&mut self, limits: Limits) {
        self.limits = limits;
    }

    /// What the record is.
    pub fn context(&self) -> Context {
        self.context
    }

    /// The current message of what a context names; empty if it is not around here.
    pub fn message(&self, of: Context) -> &[u8] {
        if let Some(opened) = self.opened(of) {
            return opened.as_bytes();
        }
        self.parts.get(self.place(of)).map_or(&[], |part| &part.bytes)
    }

    /// Replaces the message of what a context names.
    pub fn replace(&mut self, of: Context, message: Vec<u8>) {
        match self.open(of) {
            Some(opened) => {
                let is_changed = opened.become_message(message);
                self.edits += u32::from(is_changed);
            }
            None => self.replace_part(self.place(of), message),
        }
    }

    fn replace_part(&mut self, place: usize, message: Vec<u8>) {
        if let Some(part) = self.parts.get_mut(place) {
            let is_changed = *part.bytes != *message;
            self.edits += u32::from(is_changed);
            part.is_changed |= is_changed;
            part.bytes = Cow::Owned(message);
        }
    }

    /// The new message of what a context names, if statements changed it.
    pub fn take_changed(&mut self, of: Context) -> Option<Vec<u8>> {
        if self.opened(of).is_none() {
            return self.take_part(self.place(of));
        }
        let message = self.message(of).to_vec();
        self.take_patch().map(|_| message)
    }

    /// What was changed in the record itself, if anything was.
    pub(crate) fn take_patch(&mut self) -> Option<Patch> {
        self.opened.take().filter(Opened::is_changed).map(Opened::into_patch)
    }

    /// The new URL of the schema of a resource or a scope, if statements changed it.
    pub(crate) fn take_changed_schema(&mut self, of: Context) -> Option<Vec<u8>> {
        self.take_part(schema_place(of))
    }

    fn take_part(&mut self, place: usize) -> Option<Vec<u8>> {
        let part = self.parts.get_mut(place).filter(|part| part.is_changed)?;
        part.is_changed = false;
        Some(std::mem::take(&mut part.bytes).into_owned())
    }

    /// Adds a metric to the batch, behind those of its scope.
    pub fn add_metric(&mut self, message: Vec<u8>) -> Result<(), RunError> {
        let metrics_max = self.limits.metrics_added_max;
        if self.added.len() >= metrics_max {
            return Err(RunError::TooMany { metrics_max });
        }
        let bytes_max = self.limits.value_bytes_max;
        if message.len() > bytes_max {
            return Err(RunError::TooLarge { bytes_max });
        }
        self.added.push(message);
        Ok(())
    }

    /// The metrics that were added.
    pub fn take_added(&mut self) -> Vec<Vec<u8>> {
        std::mem::take(&mut self.added)
    }

    fn place(&self, of: Context) -> usize {
        match of {
            Context::Resource => RESOURCE,
            Context::Scope => SCOPE,
            _ if of == self.context => OWN,
            _ => OUTER,
        }
    }

    /// Whether statements changed something or added metrics.
    pub(crate) fn is_changed(&self) -> bool {
        self.edits > 0 || !self.added.is_empty()
    }

    /// How often a statement changed something.
    pub(crate) fn edits(&self) -> u32 {
        self.edits
    }

    /// Steps of work so far, of which [`Limits`] bound the number.
    pub fn steps(&self) -> u32 {
        self.steps.get()
    }

    /// Counts one step of work.
    pub(crate) fn step(&self) -> Result<(), RunError> {
        let steps = self.steps.get() + 1;
        self.steps.set(steps);
        let steps_max = self.limits.steps_max;
        if steps > steps_max { Err(RunError::TooLong { steps_max }) } else { Ok(()) }
    }

    /// Refuses a value that is too large.
    pub(crate) fn bounded(&self, value: Value) -> Result<Value, RunError> {
        self.fits(value.size())?;
        Ok(value)
    }

    /// Refuses the size of a value that is too large.
    pub(crate) fn fits(&self, size: usize) -> Result<(), RunError> {
        let bytes_max = self.limits.value_bytes_max;
        if size > bytes_max { Err(RunError::TooLarge { bytes_max }) } else { Ok(()) }
    }

    /// The message around a field and the number of the field; none if this type has no such field.
    fn locate(&self, path: &Path) -> Option<(u32, u32)> {
        let Entry { inside, number, .. } = path.entry;
        let pick = |number: Number| match number {
            Number::Fixed(number) => Some(number),
            Number::ByPoint(numbers) => numbers.get(self.point).copied().filter(|found| *found > 0),
            Number::ByMetric(_) => None,
        };
        if let Number::ByMetric(numbers) = *number {
            let kind = metric_kind(self.message(Context::Metric))?;
            let number = numbers.get(kind).copied().filter(|found| *found > 0)?;
            return Some((METRIC_DATA.get(kind).copied()?, number));
        }
        Some((pick(*inside)?, pick(*number)?))
    }

    /// The bytes of the message that holds the field.
    fn holder(&self, path: &Path, inside: u32) -> &[u8] {
        if inside == 0 {
            return self.message(path.context);
        }
        let found = match self.opened(path.context) {
            Some(opened) => opened.field(inside),
            None => field(self.message(path.context), inside),
        };
        found.and_then(Field::bytes).unwrap_or_default()
    }

    /// The values of the indexes of a path.
    pub(crate) fn keys<'k>(
        &self,
        keys: &'k [Key],
        now: &crate::program::Environment,
    ) -> Result<Vec<Cow<'k, Value>>, RunError> {
        let evaluated = keys.iter().map(|key| match key {
            Key::Fixed(value) => Ok(Cow::Borrowed(value)),
            Key::Dynamic(expression) => expression.evaluate(self, now).map(Cow::Owned),
        });
        evaluated.collect()
    }
}

fn schema_place(of: Context) -> usize {
    if of == Context::Resource { RESOURCE_SCHEMA } else { SCOPE_SCHEMA }
}

/// Which data a metric has, as an index into [`METRIC_DATA`].
pub(crate) fn metric_kind(metric: &[u8]) -> Option<usize> {
    let kind = |number: u32| METRIC_DATA.iter().position(|data| *data == number);
    fields(metric).filter_map(|(number, _)| kind(number)).last()
}

/// The type of the data points of a metric, in the order of [`Number::ByPoint`].
fn point_type(metric: &[u8]) -> usize {
    metric_kind(metric).map_or(0, |kind| kind.saturating_sub(1))
}
