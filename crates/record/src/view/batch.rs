//! A whole batch: resources, the scopes in each, the records in each. The same shape for every signal.

use super::fields::{attributes, list, text, uint32, view};
use super::logs::LogRecordView;
use super::metrics::MetricView;
use super::repeated::{Message, Repeated};
use super::traces::SpanView;
use crate::value::{Map, Text};
use crate::wire::{Reader, WireValue};
use std::marker::PhantomData;

/// An `ExportLogsServiceRequest`.
pub type LogsView<'a> = Batch<'a, LogRecordView<'a>>;
/// An `ExportMetricsServiceRequest`.
pub type MetricsView<'a> = Batch<'a, MetricView<'a>>;
/// An `ExportTraceServiceRequest`.
pub type TracesView<'a> = Batch<'a, SpanView<'a>>;

/// An export request; `R` is the view of its records.
#[derive(Debug, Clone, Copy)]
pub struct Batch<'a, R> {
    request: &'a [u8],
    record: PhantomData<fn() -> R>,
}

impl<'a, R: Message<'a>> Batch<'a, R> {
    /// Takes the bytes of a checked request.
    pub const fn new(request: &'a [u8]) -> Self {
        Self { request, record: PhantomData }
    }

    /// The resources with what each of them sent.
    pub fn resources(self) -> Repeated<'a, ResourceGroup<'a, R>> {
        Repeated::new(self.request, 1)
    }

    /// Every record with the resource and scope it belongs to, in the order of the batch.
    pub fn records(self) -> impl Iterator<Item = BatchRecord<'a, R>> {
        self.resources().iter().flat_map(|group| {
            let resource = group.resource;
            group.scopes.iter().flat_map(move |scopes| {
                let scope = scopes.scope;
                scopes.records.iter().map(move |record| BatchRecord { resource, scope, record })
            })
        })
    }
}

/// One record of a batch with what it belongs to.
#[derive(Debug, Clone, Copy)]
pub struct BatchRecord<'a, R> {
    /// Who sent it.
    pub resource: ResourceView<'a>,
    /// The library that wrote it.
    pub scope: ScopeView<'a>,
    /// The log record, span or metric.
    pub record: R,
}

/// `ResourceLogs`, `ResourceMetrics` or `ResourceSpans`.
#[derive(Debug, Clone, Copy)]
pub struct ResourceGroup<'a, R> {
    resource: ResourceView<'a>,
    scopes: Repeated<'a, ScopeGroup<'a, R>>,
    schema_url: Text<'a>,
}

impl<'a, R: Message<'a>> ResourceGroup<'a, R> {
    /// Who sent the records; empty if the sender did not say.
    pub fn resource(&self) -> ResourceView<'a> {
        self.resource
    }

    /// The scopes with the records of each.
    pub fn scopes(&self) -> Repeated<'a, ScopeGroup<'a, R>> {
        self.scopes
    }

    /// The schema of the resource, and of the records where their scope names none.
    pub fn schema_url(&self) -> Text<'a> {
        self.schema_url
    }
}

impl<'a, R> Message<'a> for ResourceGroup<'a, R> {
    fn read(message: &'a [u8]) -> Self {
        let mut resource = ResourceView::default();
        let mut schema_url = Text::default();
        for (number, value) in Reader::new(message) {
            match (number, value) {
                (1, WireValue::Bytes(bytes)) => resource.absorb(bytes),
                (3, WireValue::Bytes(bytes)) => schema_url = Text::new(bytes),
                _ => {}
            }
        }
        Self { resource, scopes: Repeated::new(message, 2), schema_url }
    }
}

/// `ScopeLogs`, `ScopeMetrics` or `ScopeSpans`.
#[derive(Debug, Clone, Copy)]
pub struct ScopeGroup<'a, R> {
    scope: ScopeView<'a>,
    records: Repeated<'a, R>,
    schema_url: Text<'a>,
}

impl<'a, R: Message<'a>> ScopeGroup<'a, R> {
    /// The library that wrote the records; empty if it is not known.
    pub fn scope(&self) -> ScopeView<'a> {
        self.scope
    }

    /// The log records, spans or metrics.
    pub fn records(&self) -> Repeated<'a, R> {
        self.records
    }

    /// The schema of the records.
    pub fn schema_url(&self) -> Text<'a> {
        self.schema_url
    }
}

impl<'a, R> Message<'a> for ScopeGroup<'a, R> {
    fn read(message: &'a [u8]) -> Self {
        let mut scope = ScopeView::default();
        let mut schema_url = Text::default();
        for (number, value) in Reader::new(message) {
            match (number, value) {
                (1, WireValue::Bytes(bytes)) => scope.absorb(bytes),
                (3, WireValue::Bytes(bytes)) => schema_url = Text::new(bytes),
                _ => {}
            }
        }
        Self { scope, records: Repeated::new(message, 2), schema_url }
    }
}

view! {
    /// A `Resource`: who sent the telemetry.
    ResourceView {
        /// What describes the sender, `service.name` first of all.
        attributes: Map<'a> = 1, attributes;
        /// How many attributes the sender left out.
        dropped_attributes_count: u32 = 2, uint32;
        /// The entities that take part in the resource.
        entity_refs: Repeated<'a, EntityRefView<'a>> = 3, list;
    }
}

view! {
    /// An `EntityRef`: which attributes of a resource name an entity.
    EntityRefView {
        /// The schema of the entity.
        schema_url: Text<'a> = 1, text;
        /// The type of the entity, such as `service`.
        kind: Text<'a> = 2, text;
        /// The attribute keys that identify it.
        id_keys: Repeated<'a, Text<'a>> = 3, list;
        /// The attribute keys that describe it.
        description_keys: Repeated<'a, Text<'a>> = 4, list;
    }
}

view! {
    /// An `InstrumentationScope`: the library that wrote the telemetry.
    ScopeView {
        /// Its name; empty if it is not known.
        name: Text<'a> = 1, text;
        /// Its version; empty if it is not known.
        version: Text<'a> = 2, text;
        /// What else describes it.
        attributes: Map<'a> = 3, attributes;
        /// How many attributes the sender left out.
        dropped_attributes_count: u32 = 4, uint32;
    }
}
