//! `otelcol.processor.resource`: changes the attributes of resources.
//!
//! The actions are those of `otelcol.processor.attributes`; a resource is changed once, whatever the
//! number of its records.

use std::sync::Arc;

use bessemer_config::Settings as RawSettings;
use bessemer_ottl::Context as Ottl;
use bessemer_pipeline::catalog::{BuildError, read};
use bessemer_pipeline::{Built, Context, Scratch, SettingsError, Step};
use bessemer_record::Draft;
use bessemer_record::edit::{self, Target};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::attributes::compile::{self, Guarded};
use crate::attributes::settings::ActionSettings;
use crate::filter::conditions::{ErrorMode, Failures};

/// A block that loads.
pub(crate) const EXAMPLE: &str = r#"otelcol.processor.resource "example" {
  attributes {
    key    = "deployment.environment"
    action = "upsert"
    value  = "production"
  }

  attributes {
    key            = "k8s.cluster.name"
    action         = "insert"
    from_attribute = "k8s-cluster"
  }

  output {
    logs = []
  }
}
"#;

/// Settings of `otelcol.processor.resource`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Settings {
    /// What to do with the attributes of each resource: the actions of
    /// `otelcol.processor.attributes`. Every action sees what those before it did.
    pub attributes: Vec<ActionSettings>,
}

pub(crate) fn build(settings: &RawSettings, context: &Context) -> Result<Built, BuildError> {
    let settings: Settings = read(settings)?;
    Ok(Built::Step(Arc::new(Resource::new(&settings, context)?)))
}

/// The step.
#[derive(Debug)]
struct Resource {
    groups: Vec<Guarded>,
    failures: Failures,
}

impl Resource {
    fn new(settings: &Settings, context: &Context) -> Result<Self, SettingsError> {
        if settings.attributes.is_empty() {
            let remedy = "write at least one action";
            return Err(SettingsError::new("attributes", "is empty", remedy));
        }
        let groups = compile::groups("attributes", &settings.attributes, &[Ottl::Resource])?;
        Ok(Self { groups, failures: Failures::new(context, ErrorMode::Ignore) })
    }

    fn change(&self, draft: &mut Draft, group: u32, scratch: &mut Scratch) {
        for (guard, actions) in &self.groups {
            let resource = draft.group_resource(group);
            if guard
                .as_ref()
                .is_some_and(|guard| !guard.holds_for_resource(resource, &self.failures, scratch))
            {
                continue;
            }
            let Scratch { bytes: out, headers, .. } = scratch;
            out.clear();
            let is_changed = edit::rewrite(
                Target::Resource,
                resource,
                |list| actions.iter().for_each(|action| action.run(list, headers)),
                out,
            );
            if is_changed {
                draft.replace_resource(group, |_, resource| resource.extend_from_slice(out));
            }
        }
    }
}

impl Step for Resource {
    fn run(&self, draft: &mut Draft, scratch: &mut Scratch) {
        for group in 0..draft.resource_groups() {
            self.change(draft, group, scratch);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::attributes::testing::{JSON_SIGNALS, through};

    fn step(actions: &serde_json::Value) -> Result<Resource, SettingsError> {
        let settings = serde_json::from_value(json!({ "attributes": actions })).unwrap();
        Resource::new(&settings, &Context::detached())
    }

    #[test]
    fn actions_change_every_resource_and_no_record() {
        let step = step(&json!([
            { "key": "zone", "action": "upsert", "value": "z1" },
            { "key": "cluster", "action": "insert", "from_attribute": "k8s" },
            { "key": "gone", "action": "delete" },
        ]))
        .unwrap();
        for signal in JSON_SIGNALS {
            let before = signal.batch(&[("k8s", "c"), ("gone", "x")], &[("gone", "stays")]);
            let after = signal
                .batch(&[("k8s", "c"), ("zone", "z1"), ("cluster", "c")], &[("gone", "stays")]);
            assert_eq!(through(&step, signal.signal, &before), after);
        }
    }

    #[test]
    fn a_condition_is_asked_of_the_resource() {
        let step = step(&json!([
            { "key": "zone", "action": "upsert", "value": "z1",
              "condition": "attributes[\"k8s\"] matches \"^c\"" },
        ]))
        .unwrap();
        for signal in JSON_SIGNALS {
            for (cluster, expected) in
                [("c1", &[("k8s", "c1"), ("zone", "z1")][..]), ("d1", &[("k8s", "d1")])]
            {
                let out = through(
                    &step,
                    signal.signal,
                    &signal.batch(&[("k8s", cluster)], &[("a", "b")]),
                );
                assert_eq!(out, signal.batch(expected, &[("a", "b")]));
            }
        }
    }

    #[test]
    fn a_batch_whose_resources_are_right_leaves_as_it_came() {
        let step = step(&json!([{ "key": "zone", "action": "insert", "value": "z1" }])).unwrap();
        for signal in JSON_SIGNALS {
            let batch = signal.batch(&[("zone", "other")], &[("a", "b")]);
            assert_eq!(through(&step, signal.signal, &batch), batch);
        }
    }

    #[test]
    fn a_resource_that_is_absent_gets_attributes_too() {
        let step = step(&json!([{ "key": "zone", "action": "insert", "value": "z1" }])).unwrap();
        for signal in JSON_SIGNALS {
            let expected = signal.batch(&[("zone", "z1")], &[("a", "b")]);
            let mut before = expected.clone();
            before[signal.resources][0].as_object_mut().unwrap().remove("resource");
            assert_eq!(through(&step, signal.signal, &before), expected);
        }
    }

    #[test]
    fn wrong_actions_are_refused_with_their_place() {
        let error = step(&json!([{ "key": "a", "action": "insrt" }])).unwrap_err();
        assert_eq!(error.path, "attributes[0].action");
        assert_eq!(step(&json!([])).unwrap_err().path, "attributes");
    }
}
