//! `otelcol.processor.groupbyattrs`: makes attributes of records attributes of their resource.
//!
//! Records with the same values then share a resource. Without keys it only joins resources and
//! scopes that are equal.

use std::collections::HashMap;
use std::sync::Arc;

use bessemer_config::Settings as RawSettings;
use bessemer_pipeline::catalog::{BuildError, read};
use bessemer_pipeline::{Built, Context, Scratch, SettingsError, Step};
use bessemer_record::edit::{self, Attribute, Field, Target};
use bessemer_record::{Draft, Item, Signal};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A block that loads.
pub(crate) const EXAMPLE: &str = r#"otelcol.processor.groupbyattrs "example" {
  keys = ["host.name"]

  output {
    logs = []
  }
}
"#;

/// Settings of `otelcol.processor.groupbyattrs`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Settings {
    /// Keys of the attributes of log records, spans and data points that move to the resource. A
    /// record without any of them stays where it is. Without keys, equal resources are joined.
    pub keys: Vec<String>,
}

pub(crate) fn build(settings: &RawSettings, _: &Context) -> Result<Built, BuildError> {
    Ok(Built::Step(Arc::new(GroupByAttrs::new(read(settings)?)?)))
}

/// The step.
#[derive(Debug)]
struct GroupByAttrs {
    keys: Vec<String>,
}

/// The resources that records move to.
#[derive(Default)]
struct Homes {
    resources: Vec<Vec<u8>>,
    known: HashMap<Vec<u8>, u32>,
    /// By item.
    of: Vec<Option<u32>>,
}

impl Homes {
    fn add(&mut self, resource: Option<Vec<u8>>) {
        let home = resource.map(|resource| {
            *self.known.entry(resource).or_insert_with_key(|resource| {
                self.resources.push(resource.clone());
                u32::try_from(self.resources.len() - 1).unwrap_or(u32::MAX)
            })
        });
        self.of.push(home);
    }
}

impl GroupByAttrs {
    fn new(settings: Settings) -> Result<Self, SettingsError> {
        let Settings { keys } = settings;
        for (index, key) in keys.iter().enumerate() {
            let path = format!("keys[{index}]");
            if key.is_empty() {
                return Err(SettingsError::new(&path, "is empty", "name an attribute"));
            }
            if keys.iter().take(index).any(|earlier| earlier == key) {
                let problem = format!("is {key:?} once more");
                return Err(SettingsError::new(&path, problem, "remove it"));
            }
        }
        Ok(Self { keys })
    }

    fn without_keys(&self, target: Target, message: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(message.len());
        let is_key = |key: &str| self.keys.iter().any(|known| known == key);
        edit::delete_where(target, message, |key, _| is_key(key.as_str()), &mut out);
        out
    }

    fn move_record(&self, draft: &mut Draft, index: usize, homes: &mut Homes) {
        draft.settle_tail(index);
        let found = |key: &String| {
            let value = draft.attribute(index, key.as_bytes())?;
            Some(Attribute::copied(key, value))
        };
        let found: Vec<Attribute> = self.keys.iter().filter_map(found).collect();
        let resource = home(draft.resource(index), &found);
        if resource.is_some() {
            let target = Target::from(draft.signal());
            let message = self.without_keys(target, draft.item_bytes(index));
            draft.replace_item(index, |_, out| out.extend_from_slice(&message));
        }
        homes.add(resource);
    }

    /// Makes a metric for each set of values; returns into how many it was divided.
    fn move_points(&self, draft: &mut Draft, index: usize, homes: &mut Homes) -> usize {
        let metric = draft.item_bytes(index);
        let mut found: Vec<Vec<Attribute>> = Vec::new();
        let look = |list: &mut edit::List<'_>| {
            let one = |key: &String| Some(Attribute::copied(key, list.get(key)?));
            found.push(self.keys.iter().filter_map(one).collect());
        };
        edit::rewrite(Target::Metric, metric, look, &mut Vec::new());
        let Some((number, data)) = data(metric) else {
            homes.add(None);
            return 1;
        };
        let points = edit::fields(data).filter(|(number, _)| *number == POINTS);
        let mut groups: Vec<(Vec<Attribute>, Vec<Field<'_>>)> = Vec::new();
        for ((_, point), found) in points.zip(found) {
            match groups.iter_mut().find(|(known, _)| *known == found) {
                Some((_, points)) => points.push(point),
                None => groups.push((found, vec![point])),
            }
        }
        if groups.iter().all(|(found, _)| found.is_empty()) {
            homes.add(None);
            return 1;
        }
        let mut messages = Vec::with_capacity(groups.len());
        for (found, points) in &groups {
            let (mut inner, mut message) = (Vec::new(), Vec::new());
            edit::replace_fields(data, POINTS, &[], points, &mut inner);
            edit::replace_fields(metric, number, &[], &[Field::Bytes(&inner)], &mut message);
            messages.push(self.without_keys(Target::Metric, &message));
            homes.add(home(draft.resource(index), found));
        }
        draft.divide_item(index, &messages);
        messages.len()
    }
}

/// The resource with those attributes that a list of them has; nothing if it has none.
fn home(resource: &[u8], found: &[Attribute]) -> Option<Vec<u8>> {
    let mut home = (!found.is_empty()).then(|| resource.to_vec())?;
    for attribute in found {
        let mut out = Vec::with_capacity(home.len());
        edit::upsert(Target::Resource, &home, attribute, &mut out);
        home = out;
    }
    Some(home)
}

/// The field of each kind of metric data that holds the data points.
const POINTS: u32 = 1;
/// Gauge, sum, histogram, exponential histogram, summary.
const DATA: [u32; 5] = [5, 7, 9, 10, 11];

/// The data of a metric and its field; the last one counts.
fn data(metric: &[u8]) -> Option<(u32, &[u8])> {
    let all = edit::fields(metric).filter(|(number, _)| DATA.contains(number));
    all.last().and_then(|(number, field)| Some((number, field.bytes()?)))
}

impl Step for GroupByAttrs {
    fn run(&self, draft: &mut Draft, _: &mut Scratch) {
        let mut homes = Homes::default();
        let mut index = 0;
        while index < draft.len() && !self.keys.is_empty() {
            let is_dropped = draft.items().get(index).is_none_or(Item::is_dropped);
            index += match draft.signal() {
                _ if is_dropped => {
                    homes.add(None);
                    1
                }
                Signal::Logs | Signal::Traces => {
                    self.move_record(draft, index, &mut homes);
                    1
                }
                Signal::Metrics => self.move_points(draft, index, &mut homes),
            };
        }
        draft.regroup(&homes.resources, &homes.of);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use super::*;
    use crate::attributes::testing::{JSON_SIGNALS, attributes, through};

    fn step(keys: &[&str]) -> GroupByAttrs {
        let keys = keys.iter().map(|key| (*key).to_owned()).collect();
        GroupByAttrs::new(Settings { keys }).unwrap()
    }

    /// Resource attributes and the number of records, for each resource.
    fn groups(resources: &str, scopes: &str, items: &str, out: &Json) -> Vec<(Json, usize)> {
        let count = |group: &Json| {
            let scopes = group[scopes].as_array().unwrap();
            scopes.iter().map(|scope| scope[items].as_array().unwrap().len()).sum()
        };
        let all = out[resources].as_array().unwrap().iter();
        all.map(|group| (group["resource"]["attributes"].clone(), count(group))).collect()
    }

    #[test]
    fn records_with_the_same_values_share_a_resource() {
        let step = step(&["host"]);
        for signal in JSON_SIGNALS {
            let one = |host: &str, own: &str| attributes(&[("host", host), ("own", own)]);
            let batch = signal.request(&[
                (attributes(&[("k", "v")]), vec![one("a", "1"), one("b", "2"), one("a", "3")]),
                (attributes(&[("k", "v"), ("host", "old")]), vec![one("a", "4")]),
                (attributes(&[]), vec![attributes(&[("own", "5")])]),
            ]);
            let out = through(&step, signal.signal, &batch);
            let found = groups(signal.resources, signal.scopes, signal.items, &out);
            let expected = [
                (Json::Null, 1),
                (attributes(&[("k", "v"), ("host", "a")]), 3),
                (attributes(&[("k", "v"), ("host", "b")]), 1),
            ];
            assert_eq!(found, expected, "{out}");
            assert_eq!(out.to_string().matches(r#""key":"host""#).count(), 2);
        }
    }

    #[test]
    fn data_points_of_one_metric_go_to_resources_of_their_own() {
        let point = |host: &str, value: f64| {
            json!({
                "asDouble": value, "attributes": attributes(&[("host", host)]),
            })
        };
        let points = [point("a", 1.0), point("b", 2.0), point("a", 3.0)];
        let batch = json!({ "resourceMetrics": [{ "scopeMetrics": [{ "metrics": [
            { "name": "m", "unit": "s", "gauge": { "dataPoints": points } },
        ] }] }] });
        let out = through(&step(&["host"]), Signal::Metrics, &batch);
        let values = |group: usize| {
            let path = format!("/resourceMetrics/{group}/scopeMetrics/0/metrics/0");
            let metric = out.pointer(&path).unwrap();
            assert_eq!(metric["unit"], "s");
            let points = metric["gauge"]["dataPoints"].as_array().unwrap();
            points.iter().map(|point| point["asDouble"].as_f64().unwrap()).collect::<Vec<_>>()
        };
        assert_eq!((values(0), values(1)), (vec![1.0, 3.0], vec![2.0]));
    }

    #[test]
    fn without_keys_equal_resources_are_joined_and_others_are_not() {
        for signal in JSON_SIGNALS {
            let own = |value: &str| vec![attributes(&[("own", value)])];
            let [a, b] = ["a", "b"].map(|name| attributes(&[("k", name)]));
            let batch = signal.request(&[
                (a.clone(), own("1")),
                (b.clone(), own("2")),
                (a.clone(), own("3")),
            ]);
            let out = through(&step(&[]), signal.signal, &batch);
            let found = groups(signal.resources, signal.scopes, signal.items, &out);
            assert_eq!(found, [(a, 2), (b, 1)]);
        }
    }

    #[test]
    fn a_batch_in_which_nothing_moves_leaves_as_it_came() {
        for signal in JSON_SIGNALS {
            let batch = signal.batch(&[("k", "v")], &[("own", "1")]);
            assert_eq!(through(&step(&["host"]), signal.signal, &batch), batch);
        }
    }

    #[test]
    fn a_key_is_named_once() {
        let keys =
            |keys: &[&str]| Settings { keys: keys.iter().map(ToString::to_string).collect() };
        assert_eq!(GroupByAttrs::new(keys(&["a", "a"])).unwrap_err().path, "keys[1]");
        assert_eq!(GroupByAttrs::new(keys(&[""])).unwrap_err().path, "keys[0]");
    }
}
