//! Items that are moved, divided, added, replaced and dropped in any order, against a model that
//! keeps each record on its own with what is around it.

use std::collections::{BTreeMap, BTreeSet};

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Kind;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::resource::v1::Resource;
use proptest::prelude::*;
use prost::Message as _;

use super::*;

/// Outputs that items are emitted to, by their ids.
const OUTPUTS: u16 = 2;

/// What is done to a draft. Places count modulo the items that are left.
#[derive(Debug, Clone)]
enum Operation {
    Replace(usize),
    Drop(usize),
    /// Into so many.
    Divide(usize, usize),
    AddLike(usize),
    /// Homes by place, one of the first so many resources; where there is none, an item stays.
    Regroup(Vec<Option<u8>>),
}

fn operation() -> impl Strategy<Value = Operation> {
    let place = 0..30_usize;
    prop_oneof![
        place.clone().prop_map(Operation::Replace),
        place.clone().prop_map(Operation::Drop),
        (place.clone(), 0..4_usize).prop_map(|(place, pieces)| Operation::Divide(place, pieces)),
        place.prop_map(Operation::AddLike),
        proptest::collection::vec(proptest::option::of(0..3_u8), 0..12)
            .prop_map(Operation::Regroup),
    ]
}

/// Resources and scopes by what tells them apart, and how many records each has.
type Drawn = Vec<(u8, u8, Vec<(u8, usize)>)>;

fn drawn() -> impl Strategy<Value = Drawn> {
    let scopes = proptest::collection::vec((0..2_u8, 0..4_usize), 0..3);
    proptest::collection::vec((0..2_u8, 0..2_u8, scopes), 0..4)
}

fn resource(number: u8) -> Resource {
    let value = Some(AnyValue { value: Some(Kind::IntValue(i64::from(number))) });
    let pair = KeyValue { key: "r".to_owned(), value, ..KeyValue::default() };
    Resource { attributes: vec![pair], ..Resource::default() }
}

fn record(id: u64) -> LogRecord {
    let body = Some(AnyValue { value: Some(Kind::StringValue(format!("record {id}"))) });
    LogRecord { time_unix_nano: id, body, ..LogRecord::default() }
}

/// A record of the model. Its id is in its message.
#[derive(Debug, Clone)]
struct Known {
    id: u64,
    origin: Option<usize>,
    resource: u8,
    schema: u8,
    scope: u8,
    /// Every container that it was in: records with the same ones keep their order.
    history: Vec<Option<u8>>,
}

#[derive(Debug, Default)]
struct Naive {
    /// In the order of the draft as far as their histories are equal.
    records: Vec<Known>,
    next: u64,
}

impl Naive {
    fn start(drawn: &Drawn) -> (Self, ExportLogsServiceRequest) {
        let mut naive = Self::default();
        let mut request = ExportLogsServiceRequest::default();
        for (group, (number, schema, scopes)) in (0_u8..).zip(drawn) {
            let mut logs = ResourceLogs {
                resource: Some(resource(*number)),
                schema_url: format!("s{schema}"),
                scope_logs: Vec::new(),
            };
            for (place, (scope, records)) in (0_u8..).zip(scopes) {
                let name = format!("scope {scope}");
                let own = InstrumentationScope { name, ..InstrumentationScope::default() };
                let mut all = ScopeLogs { scope: Some(own), ..ScopeLogs::default() };
                for _ in 0..*records {
                    let id = naive.claim();
                    all.log_records.push(record(id));
                    naive.records.push(Known {
                        id,
                        origin: Some(naive.records.len()),
                        resource: *number,
                        schema: *schema,
                        scope: *scope,
                        history: vec![Some(group), Some(place)],
                    });
                }
                logs.scope_logs.push(all);
            }
            request.resource_logs.push(logs);
        }
        (naive, request)
    }

    fn claim(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    fn place(&self, id: u64) -> usize {
        self.records.iter().position(|known| known.id == id).unwrap()
    }
}

/// Items that are left, with the ids in their messages.
fn living(draft: &Draft) -> Vec<(usize, u64)> {
    let left = (0..draft.len()).filter(|index| !draft.items()[*index].is_dropped());
    left.map(|index| (index, id(draft.item_bytes(index)))).collect()
}

fn id(message: &[u8]) -> u64 {
    LogRecord::decode(message).unwrap().time_unix_nano
}

fn apply(operation: &Operation, draft: &mut Draft, naive: &mut Naive) {
    let living = living(draft);
    let chosen = |place: usize| (!living.is_empty()).then(|| living[place % living.len()]);
    match operation {
        Operation::Replace(place) => {
            let Some((index, id)) = chosen(*place) else { return };
            let new = naive.claim();
            draft.replace_item(index, |_, out| record(new).encode(out).unwrap());
            let place = naive.place(id);
            naive.records[place].id = new;
        }
        Operation::Drop(place) => {
            let Some((index, id)) = chosen(*place) else { return };
            draft.drop_item(index);
            let place = naive.place(id);
            naive.records.remove(place);
        }
        Operation::Divide(place, pieces) => {
            let Some((index, id)) = chosen(*place) else { return };
            let ids: Vec<u64> = (0..*pieces).map(|_| naive.claim()).collect();
            let messages: Vec<Vec<u8>> = ids.iter().map(|id| record(*id).encode_to_vec()).collect();
            draft.divide_item(index, &messages);
            let place = naive.place(id);
            let known = naive.records[place].clone();
            let pieces = ids.into_iter().map(|id| Known { id, ..known.clone() });
            naive.records.splice(place..=place, pieces);
        }
        Operation::AddLike(place) => {
            let Some((index, id)) = chosen(*place) else { return };
            let new = naive.claim();
            draft.add_item(index, &record(new).encode_to_vec());
            let like = naive.records[naive.place(id)].clone();
            naive.records.push(Known { id: new, origin: None, ..like });
        }
        Operation::Regroup(homes) => regroup(homes, &living, draft, naive),
    }
}

fn regroup(homes: &[Option<u8>], living: &[(usize, u64)], draft: &mut Draft, naive: &mut Naive) {
    let resources: Vec<Vec<u8>> = (0..3).map(|number| resource(number).encode_to_vec()).collect();
    let by_index: Vec<Option<u32>> =
        (0..draft.len()).map(|index| homes.get(index).copied().flatten().map(u32::from)).collect();
    draft.regroup(&resources, &by_index);
    for (index, id) in living {
        let place = naive.place(*id);
        let known = &mut naive.records[place];
        let home = homes.get(*index).copied().flatten();
        known.resource = home.unwrap_or(known.resource);
        known.history.push(home);
    }
}

/// Whose a record is, as decoded: resource, schema, scope.
type Owner = (String, String, String);

/// What a batch holds: ids by owner, in order; and whether an owner stands there twice.
fn decoded(bytes: &[u8]) -> (BTreeMap<Owner, Vec<u64>>, bool) {
    let request = ExportLogsServiceRequest::decode(bytes).unwrap();
    let mut found: BTreeMap<Owner, Vec<u64>> = BTreeMap::new();
    let mut is_twice = false;
    for logs in request.resource_logs {
        for scope in logs.scope_logs.into_iter().filter(|scope| !scope.log_records.is_empty()) {
            let resource = format!("{:?}", logs.resource);
            let owner = (resource, logs.schema_url.clone(), scope.scope.unwrap().name);
            let ids = scope.log_records.into_iter().map(|found| {
                assert_eq!(found, record(found.time_unix_nano), "the message is whole");
                found.time_unix_nano
            });
            is_twice |= found.contains_key(&owner);
            found.entry(owner).or_default().extend(ids);
        }
    }
    (found, is_twice)
}

fn owner(known: &Known) -> Owner {
    let resource = format!("{:?}", Some(resource(known.resource)));
    (resource, format!("s{}", known.schema), format!("scope {}", known.scope))
}

proptest! {
    /// Scenario: operations in any order on a batch of a few resources and scopes, some of them equal.
    /// Promise: what is emitted holds every record once, whole, and under its own resource and scope;
    /// those that always stood together stand in their order; equal ones are joined by a regrouping;
    /// and every item still knows the place in the batch as it came.
    #[test]
    fn whatever_is_done_the_draft_holds_what_the_model_holds(
        drawn in drawn(),
        operations in proptest::collection::vec(operation(), 0..12),
    ) {
        let (mut naive, request) = Naive::start(&drawn);
        let bytes = Bytes::from(request.encode_to_vec());
        let limits = Limits::default();
        let mut draft = Draft::check(Signal::Logs, bytes, &limits, &Tails::none()).unwrap();
        for operation in &operations {
            apply(operation, &mut draft, &mut naive);
        }
        for (index, id) in living(&draft) {
            prop_assert_eq!(draft.items()[index].origin(), naive.records[naive.place(id)].origin);
        }
        let by = |item: &Item| u16::try_from(item.origin().unwrap_or(1) % 2).unwrap();
        let mut seen = BTreeSet::new();
        let emitted = draft.emit(by, usize::from(OUTPUTS));
        for output in &emitted {
            let (found, is_twice) = decoded(&output.bytes);
            let records: usize = found.values().map(Vec::len).sum();
            prop_assert_eq!(records, output.records as usize);
            let is_last = matches!(operations.last(), Some(Operation::Regroup(_)));
            prop_assert!(!(is_twice && is_last), "equal resources and scopes are joined");
            for (whose, ids) in found {
                for id in &ids {
                    let known = &naive.records[naive.place(*id)];
                    prop_assert_eq!(&whose, &owner(known));
                    let origin = u16::try_from(known.origin.unwrap_or(1) % 2).unwrap();
                    prop_assert_eq!(origin, output.output);
                    prop_assert!(seen.insert(*id), "a record stands there twice");
                }
                let place = |id: &u64| naive.place(*id);
                for (at, id) in ids.iter().enumerate() {
                    for later in &ids[at + 1..] {
                        let (one, other) = (place(id), place(later));
                        let is_together =
                            naive.records[one].history == naive.records[other].history;
                        prop_assert!(!is_together || one < other, "order is kept");
                    }
                }
            }
        }
        prop_assert_eq!(seen.len(), naive.records.len(), "every record is there");
    }
}
