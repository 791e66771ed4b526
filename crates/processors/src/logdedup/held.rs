//! What is held: one record for all that are equal to it, how many these are, when they came.
//!
//! What leaves is in the order in which the first of each came, grouped by whose it is.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use bessemer_pipeline::stateful::{Lane, Made};
use bessemer_pipeline::{Holding, Meta, Part, SettingsError};
use bessemer_record::edit::{self, Attribute, Field, Target};
use bessemer_record::view::{LogRecordView, ResourceView, ScopeView};
use bessemer_record::{Checked, Draft, Signal, Tails, Value};
use bytes::Bytes;
use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::identity::{Identities, Identity};
use super::path::{self, Path};
use super::settings::Settings;

/// The attributes that say when equal records came.
const FIRST: &str = "first_observed_timestamp";
const LAST: &str = "last_observed_timestamp";
/// Bytes that an entry takes beside its record.
const ENTRY_BYTES: usize = 200;
/// Fields of requests, resources and scopes.
const IDENTITY: u32 = 1;
const CHILDREN: u32 = 2;
const RESOURCES: u32 = 1;

/// What the settings say of equality and of what leaves.
#[derive(Debug)]
pub(super) struct Rules {
    only: Vec<Path>,
    without: Vec<Path>,
    count: String,
    zone: TimeZone,
    headers: Vec<String>,
    owners_max: usize,
}

impl Rules {
    pub(super) fn new(settings: &Settings) -> Result<Self, SettingsError> {
        if settings.log_count_attribute.is_empty() {
            let remedy = "name an attribute";
            return Err(SettingsError::new("log_count_attribute", "is empty", remedy));
        }
        if !settings.include_fields.is_empty() && !settings.exclude_fields.is_empty() {
            let problem = "is set together with include_fields";
            return Err(SettingsError::new("exclude_fields", problem, "keep one of them"));
        }
        let zone = TimeZone::get(&settings.timezone).map_err(|_| {
            let problem = format!("{:?} is no time zone", settings.timezone);
            let remedy = "write an IANA name such as Europe/Berlin";
            SettingsError::new("timezone", problem, remedy)
        })?;
        let mut known = HashSet::new();
        for (index, key) in settings.metadata_keys.iter().enumerate() {
            if !known.insert(key.to_ascii_lowercase()) {
                let setting = format!("metadata_keys[{index}]");
                let problem = format!("is {key:?} once more");
                return Err(SettingsError::new(&setting, problem, "remove it"));
            }
        }
        let limit = settings.metadata_cardinality_limit;
        Ok(Self {
            only: path::parse_all("include_fields", &settings.include_fields)?,
            without: path::parse_all("exclude_fields", &settings.exclude_fields)?,
            count: settings.log_count_attribute.clone(),
            zone,
            headers: settings.metadata_keys.iter().map(|key| key.to_ascii_lowercase()).collect(),
            owners_max: if limit == 0 { usize::MAX } else { limit as usize },
        })
    }

    fn time(&self, unix_nanos: u64) -> Value {
        let at = Timestamp::from_nanosecond(i128::from(unix_nanos)).unwrap_or_default();
        let at = at.to_zoned(self.zone.clone());
        let format =
            if at.offset().is_zero() { "%Y-%m-%dT%H:%M:%SZ" } else { "%Y-%m-%dT%H:%M:%S%:z" };
        Value::String(at.strftime(format).to_string())
    }

    /// The record that stands for the others.
    fn finished(&self, entry: &Entry, now: u64) -> Vec<u8> {
        let count = Value::Int(i64::try_from(entry.count).unwrap_or(i64::MAX));
        let (first, last) = (self.time(entry.first), self.time(entry.last));
        let mut record = entry.record.clone();
        for (key, value) in [(self.count.as_str(), count), (FIRST, first), (LAST, last)] {
            record = edited(&record, |record, out| {
                edit::upsert(Target::Log, record, &Attribute::new(key, &value), out);
            });
        }
        let record = edited(&record, |record, out| edit::set_time(record, now, out));
        edited(&record, |record, out| edit::set_observed_time(record, entry.first, out))
    }
}

fn edited(record: &[u8], edit: impl FnOnce(&[u8], &mut Vec<u8>)) -> Vec<u8> {
    let mut out = Vec::with_capacity(record.len() + 64);
    edit(record, &mut out);
    out
}

/// Whose records may be counted together.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Owner {
    lane: Lane,
    tenant: String,
    headers: Vec<(String, String)>,
}

/// Records of one owner, resource and scope.
#[derive(Debug)]
struct Group {
    owner: usize,
    resource: Vec<u8>,
    scope: Vec<u8>,
}

#[derive(Debug)]
struct Entry {
    group: usize,
    record: Vec<u8>,
    count: u64,
    first: u64,
    last: u64,
}

/// What the stage holds.
#[derive(Debug)]
pub(super) struct Held {
    rules: Arc<Rules>,
    identities: Identities,
    tails: Arc<Tails>,
    owners: Vec<Owner>,
    groups: Vec<Group>,
    entries: Vec<Entry>,
    known_groups: HashMap<Identity, usize>,
    known: HashMap<Identity, usize>,
    bytes: usize,
}

impl Held {
    pub(super) fn new(rules: Arc<Rules>) -> Self {
        Self {
            rules,
            identities: Identities::default(),
            tails: Tails::none(),
            owners: Vec::new(),
            groups: Vec::new(),
            entries: Vec::new(),
            known_groups: HashMap::new(),
            known: HashMap::new(),
            bytes: 0,
        }
    }

    fn owner(&mut self, lane: Lane, meta: &Meta) -> usize {
        let of = |key: &String| {
            let value = meta.header(key)?;
            Some((key.clone(), value.to_owned()))
        };
        let headers = self.rules.headers.iter().filter_map(of).collect();
        let owner = Owner { lane, tenant: meta.tenant.clone(), headers };
        if let Some(known) = self.owners.iter().position(|known| *known == owner) {
            return known;
        }
        self.bytes += ENTRY_BYTES + owner.tenant.len();
        self.bytes +=
            owner.headers.iter().map(|(key, value)| key.len() + value.len()).sum::<usize>();
        self.owners.push(owner);
        self.owners.len() - 1
    }

    fn group(&mut self, owner: usize, draft: &Draft, index: usize) -> usize {
        let (resource, scope) = (draft.resource(index), draft.scope(index));
        let views = (ResourceView::new(resource), ScopeView::new(scope));
        let identity = self.identities.of_group(owner, &views.0, &views.1);
        let Self { groups, known_groups, bytes, .. } = self;
        *known_groups.entry(identity).or_insert_with(|| {
            *bytes += ENTRY_BYTES + resource.len() + scope.len();
            groups.push(Group { owner, resource: resource.to_vec(), scope: scope.to_vec() });
            groups.len() - 1
        })
    }

    fn count(&mut self, group: usize, message: &[u8], at: u64) {
        let Self { rules, identities, .. } = self;
        let record = LogRecordView::new(message);
        let by_fields = identities.of_fields(group, &record, &rules.only);
        let identity =
            by_fields.unwrap_or_else(|| identities.of_record(group, &record, &rules.without));
        let next = self.entries.len();
        let place = *self.known.entry(identity).or_insert(next);
        if let Some(entry) = self.entries.get_mut(place) {
            entry.count += 1;
            entry.first = entry.first.min(at);
            entry.last = entry.last.max(at);
            return;
        }
        let without = self.rules.without.iter();
        let record =
            without.fold(message.to_vec(), |record, path| path.removed(&record).unwrap_or(record));
        self.bytes += ENTRY_BYTES + record.len();
        self.entries.push(Entry { group, record, count: 1, first: at, last: at });
    }

    /// The request of one owner: its groups in their order, each with its entries.
    fn request(&self, owner: usize, children: &[Vec<usize>], now: u64) -> Vec<u8> {
        let mut request = Vec::new();
        let groups = self.groups.iter().zip(children).filter(|(group, _)| group.owner == owner);
        for (group, entries) in groups {
            let (mut scope, mut resource) = (Vec::new(), Vec::new());
            put(IDENTITY, &group.scope, &mut scope);
            for entry in entries.iter().filter_map(|entry| self.entries.get(*entry)) {
                Field::Bytes(&self.rules.finished(entry, now)).put(CHILDREN, &mut scope);
            }
            put(IDENTITY, &group.resource, &mut resource);
            Field::Bytes(&scope).put(CHILDREN, &mut resource);
            Field::Bytes(&resource).put(RESOURCES, &mut request);
        }
        request
    }
}

/// Writes a message unless it is empty.
fn put(number: u32, message: &[u8], out: &mut Vec<u8>) {
    if !message.is_empty() {
        Field::Bytes(message).put(number, out);
    }
}

impl Holding for Held {
    fn take(&mut self, signal: Signal, lane: Lane, part: &Part) {
        let owner = self.owner(lane, &part.meta);
        let checked = Checked::trusted(signal, part.payload.clone(), part.records);
        let draft = Draft::from_checked(&checked, &self.tails);
        let mut last = None;
        for index in 0..draft.len() {
            let scope = draft.scope_group(index);
            let group = match last {
                Some((known, group)) if known == scope => group,
                _ => self.group(owner, &draft, index),
            };
            last = Some((scope, group));
            self.count(group, draft.item_bytes(index), part.meta.received_at);
        }
    }

    fn bytes(&self) -> usize {
        if self.owners.len() > self.rules.owners_max { usize::MAX } else { self.bytes }
    }

    fn emit(&mut self, now_unix_nanos: u64) -> Vec<Made> {
        let mut children = vec![Vec::new(); self.groups.len()];
        for (number, entry) in self.entries.iter().enumerate() {
            if let Some(entries) = children.get_mut(entry.group) {
                entries.push(number);
            }
        }
        let firsts = |owner: usize| {
            let own = |entry: &&Entry| {
                self.groups.get(entry.group).is_some_and(|group| group.owner == owner)
            };
            self.entries.iter().filter(own).map(|entry| entry.first).min()
        };
        let made = self.owners.iter().enumerate().map(|(number, owner)| Made {
            signal: Signal::Logs,
            lane: owner.lane,
            bytes: Bytes::from(self.request(number, &children, now_unix_nanos)),
            meta: Meta {
                tenant: owner.tenant.clone(),
                headers: owner.headers.clone(),
                received_at: firsts(number).unwrap_or(now_unix_nanos),
                ..Meta::default()
            },
        });
        let made = made.collect();
        *self = Self::new(Arc::clone(&self.rules));
        made
    }
}
