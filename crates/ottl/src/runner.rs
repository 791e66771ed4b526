//! Programs and conditions over the records of a draft.

use bessemer_record::Draft;
use bessemer_record::edit::{Field, Patch, field, fields, replace_fields};

use crate::context::Context;
use crate::error::RunError;
use crate::limits::Limits;
use crate::program::{Condition, Conditions, Environment, Program};
use crate::record::{METRIC_DATA, Record, metric_kind};

/// The field of a `Span` that holds its events.
const EVENTS: u32 = 11;
/// The field of each kind of metric data that holds the data points.
const POINTS: u32 = 1;

type Report<'r> = dyn FnMut(&str, &RunError) + 'r;

impl<'d> Record<'d> {
    /// An item of a draft: a log record, a span or a metric.
    pub fn of_item(draft: &'d Draft, index: usize) -> Self {
        let context = match draft.signal() {
            bessemer_record::Signal::Logs => Context::Log,
            bessemer_record::Signal::Traces => Context::Span,
            bessemer_record::Signal::Metrics => Context::Metric,
        };
        let (resource, scope) = (draft.resource(index), draft.scope(index));
        Self::new(context, resource, scope, &[], draft.item_bytes(index))
    }
}

/// The span events or data points in an item of a draft.
pub(crate) fn children(context: Context, item: &[u8]) -> Vec<&[u8]> {
    let (holder, number) = match context {
        Context::SpanEvent => (item, EVENTS),
        Context::DataPoint => (metric_data(item).map_or(&[][..], |found| found.1), POINTS),
        _ => return Vec::new(),
    };
    let found = fields(holder).filter(|(found, _)| *found == number);
    found.filter_map(|(_, child)| child.bytes()).collect()
}

fn metric_data(metric: &[u8]) -> Option<(u32, &[u8])> {
    let number = metric_kind(metric).and_then(|kind| METRIC_DATA.get(kind).copied())?;
    Some((number, field(metric, number).and_then(Field::bytes).unwrap_or_default()))
}

fn with_children(context: Context, item: &[u8], children: &[Field<'_>]) -> Vec<u8> {
    let mut out = Vec::with_capacity(item.len());
    if context == Context::SpanEvent {
        replace_fields(item, EVENTS, &[], children, &mut out);
        return out;
    }
    let Some((number, data)) = metric_data(item) else { return item.to_vec() };
    let mut inner = Vec::with_capacity(data.len());
    replace_fields(data, POINTS, &[], children, &mut inner);
    replace_fields(item, number, &[], &[Field::Bytes(&inner)], &mut out);
    out
}

/// An item of a draft as a record of a context that is no span event and no data point.
fn around(context: Context, draft: &Draft, index: usize) -> Record<'_> {
    if !matches!(context, Context::Resource | Context::Scope) {
        return Record::of_item(draft, index);
    }
    Record::new(context, draft.resource(index), draft.scope(index), &[], &[]).with_schemas(
        draft.group_resource_schema(draft.resource_group(index)),
        draft.group_scope_schema(draft.scope_group(index)),
    )
}

impl Conditions {
    /// Whether one holds for an item of a draft (contexts log, span, metric, resource and scope);
    /// those that fail go to `failed` and do not hold.
    pub fn any_for_item(
        &self,
        draft: &Draft,
        index: usize,
        environment: &Environment,
        failed: &mut dyn FnMut(&Condition, RunError),
    ) -> bool {
        let Some(first) = self.first() else { return false };
        let mut record = around(first.context(), draft, index).with_limits(first.limits());
        self.prepare(&mut record);
        self.any_counted(&record, environment, failed)
    }

    fn any_counted(
        &self,
        record: &Record<'_>,
        environment: &Environment,
        failed: &mut dyn FnMut(&Condition, RunError),
    ) -> bool {
        let mut told = |condition: &Condition, error| {
            failed(condition, error);
            Ok::<(), std::convert::Infallible>(())
        };
        self.any(record, environment, &mut told).unwrap_or_default()
    }

    /// Removes the span events or data points of an item for which one holds; returns how many stay,
    /// or none if nothing was removed.
    pub fn remove_children(
        &self,
        draft: &mut Draft,
        index: usize,
        environment: &Environment,
        failed: &mut dyn FnMut(&Condition, RunError),
    ) -> Option<usize> {
        let first = self.first()?;
        let item = draft.item_bytes(index);
        let (resource, scope) = (draft.resource(index), draft.scope(index));
        let children = children(first.context(), item);
        let mut kept = Vec::with_capacity(children.len());
        for (position, child) in children.iter().enumerate() {
            let record = Record::new(first.context(), resource, scope, item, child);
            let record = record.at_position(position).with_limits(first.limits());
            if !self.any_counted(&record, environment, failed) {
                kept.push(Field::Bytes(child));
            }
        }
        if kept.len() == children.len() {
            return None;
        }
        let message = with_children(first.context(), item, &kept);
        let count = kept.len();
        draft.replace_item(index, |_, out| out.extend_from_slice(&message));
        Some(count)
    }
}

impl Condition {
    /// Whether it holds for an item of a draft (contexts log, span, metric, resource and scope).
    pub fn holds_for_item(
        &self,
        draft: &Draft,
        index: usize,
        environment: &Environment,
    ) -> Result<bool, RunError> {
        let record = around(self.context(), draft, index);
        self.holds(&record.with_limits(self.limits()), environment)
    }

    /// Whether it holds for each of the span events or data points of an item, in their order.
    pub fn holds_for_children(
        &self,
        draft: &Draft,
        index: usize,
        environment: &Environment,
    ) -> Vec<Result<bool, RunError>> {
        let item = draft.item_bytes(index);
        let (resource, scope) = (draft.resource(index), draft.scope(index));
        let children = children(self.context(), item).into_iter().enumerate();
        let holds = |(position, child): (usize, &[u8])| {
            let record = Record::new(self.context(), resource, scope, item, child);
            let record = record.at_position(position);
            self.holds(&record.with_limits(self.limits()), environment)
        };
        children.map(holds).collect()
    }
}

impl Program {
    /// Runs on every record of its context in a draft. Failures that do not stop it go to `report`
    /// with the text of the statement.
    pub fn run(
        &self,
        draft: &mut Draft,
        environment: &Environment,
        report: &mut Report<'_>,
    ) -> Result<(), RunError> {
        match self.context() {
            Context::Resource => {
                for group in 0..draft.resource_groups() {
                    let resource = draft.group_resource(group);
                    let record = Record::new(Context::Resource, resource, &[], &[], &[])
                        .with_schemas(draft.group_resource_schema(group), &[]);
                    if let Some(changes) = self.changes(record, 0, environment, report)? {
                        changes.write(draft, 0, group, 0);
                    }
                }
            }
            Context::Scope => {
                for scope in 0..draft.scope_groups() {
                    let group = draft.scope_resource(scope);
                    let resource = draft.group_resource(group);
                    let own = draft.group_scope(scope);
                    let record = Record::new(Context::Scope, resource, own, &[], &[]).with_schemas(
                        draft.group_resource_schema(group),
                        draft.group_scope_schema(scope),
                    );
                    if let Some(changes) = self.changes(record, 0, environment, report)? {
                        changes.write(draft, 0, group, scope);
                    }
                }
            }
            _ => {
                let mut room = self.limits().metrics_added_max;
                let mut index = 0;
                // Metrics that statements add are behind the current one: they have their turn.
                while let Some(item) = draft.items().get(index) {
                    if !item.is_dropped() {
                        self.run_item(draft, index, &mut room, environment, report)?;
                    }
                    index += 1;
                }
            }
        }
        Ok(())
    }

    fn run_item(
        &self,
        draft: &mut Draft,
        index: usize,
        room: &mut usize,
        environment: &Environment,
        report: &mut Report<'_>,
    ) -> Result<(), RunError> {
        draft.settle_tail(index);
        let (group, scope) = (draft.resource_group(index), draft.scope_group(index));
        if matches!(self.context(), Context::SpanEvent | Context::DataPoint) {
            return self.run_children(draft, index, room, environment, report);
        }
        let record = Record::of_item(draft, index);
        if record.context() != self.context() {
            return Ok(());
        }
        if let Some(changes) = self.changes(record, *room, environment, report)? {
            *room -= changes.added.len();
            changes.write(draft, index, group, scope);
        }
        Ok(())
    }

    /// Runs on each child with what the children before it made of the messages around it.
    fn run_children(
        &self,
        draft: &mut Draft,
        index: usize,
        room: &mut usize,
        environment: &Environment,
        report: &mut Report<'_>,
    ) -> Result<(), RunError> {
        let context = self.context();
        let (group, scope) = (draft.resource_group(index), draft.scope_group(index));
        let children: Vec<Vec<u8>> =
            children(context, draft.item_bytes(index)).into_iter().map(<[u8]>::to_vec).collect();
        let mut after = Vec::with_capacity(children.len());
        let mut is_changed = false;
        for (position, child) in children.into_iter().enumerate() {
            let (resource, around) = (draft.group_resource(group), draft.group_scope(scope));
            let item = draft.item_bytes(index);
            let record = Record::new(context, resource, around, item, &child).at_position(position);
            let Some(mut changes) = self.changes(record, *room, environment, report)? else {
                after.push(child);
                continue;
            };
            *room -= changes.added.len();
            after.push(match changes.own.take() {
                Some(patch) => {
                    is_changed = true;
                    let mut out = Vec::new();
                    patch.write(&child, &mut out);
                    out
                }
                None => child,
            });
            changes.write(draft, index, group, scope);
        }
        if is_changed {
            let children: Vec<_> = after.iter().map(|child| Field::Bytes(child)).collect();
            let message = with_children(context, draft.item_bytes(index), &children);
            draft.replace_item(index, |_, out| out.extend_from_slice(&message));
        }
        Ok(())
    }

    /// Runs on a record; returns what was changed, if anything was.
    fn changes(
        &self,
        mut record: Record<'_>,
        metrics_added_max: usize,
        environment: &Environment,
        report: &mut Report<'_>,
    ) -> Result<Option<Changes>, RunError> {
        record.limit(Limits { metrics_added_max, ..self.limits() });
        self.run_record(&mut record, environment, report)?;
        Ok(record.is_changed().then(|| Changes::of(&mut record)))
    }
}

/// The messages that statements changed.
#[derive(Default)]
struct Changes {
    resource: Option<Vec<u8>>,
    scope: Option<Vec<u8>>,
    outer: Option<Vec<u8>>,
    own: Option<Patch>,
    resource_schema: Option<Vec<u8>>,
    scope_schema: Option<Vec<u8>>,
    added: Vec<Vec<u8>>,
}

impl Changes {
    fn of(record: &mut Record<'_>) -> Self {
        let outer = match record.context() {
            Context::SpanEvent => record.take_changed(Context::Span),
            Context::DataPoint => record.take_changed(Context::Metric),
            _ => None,
        };
        let own = record.take_patch();
        let resource = record.take_changed(Context::Resource);
        let (scope, added) = (record.take_changed(Context::Scope), record.take_added());
        let resource_schema = record.take_changed_schema(Context::Resource);
        let scope_schema = record.take_changed_schema(Context::Scope);
        Self { resource, scope, outer, own, resource_schema, scope_schema, added }
    }

    fn write(self, draft: &mut Draft, index: usize, group: u32, scope: u32) {
        if let Some(message) = self.resource {
            draft.replace_resource(group, |_, out| out.extend_from_slice(&message));
        }
        if let Some(message) = self.scope {
            draft.replace_scope(scope, |_, out| out.extend_from_slice(&message));
        }
        if let Some(url) = self.resource_schema {
            draft.set_resource_schema(group, &url);
        }
        if let Some(url) = self.scope_schema {
            draft.set_scope_schema(scope, &url);
        }
        if let Some(message) = self.outer {
            draft.replace_item(index, |_, out| out.extend_from_slice(&message));
        }
        if let Some(patch) = self.own {
            draft.replace_item(index, |message, out| patch.write(message, out));
        }
        for metric in &self.added {
            draft.add_item(index, metric);
        }
    }
}
