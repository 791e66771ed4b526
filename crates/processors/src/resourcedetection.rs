//! `otelcol.processor.resourcedetection`: adds what is known of the host and the container to
//! resources.
//!
//! Nothing is asked before the first batch, since building a component touches neither disk nor
//! network; what was found then stays for as long as the component runs.

mod detectors;
mod facts;
mod settings;
#[cfg(test)]
mod tests;

use std::sync::{Arc, OnceLock};

use bessemer_config::Settings as RawSettings;
use bessemer_pipeline::catalog::{BuildError, read};
use bessemer_pipeline::{Built, Context, Scratch, SettingsError, Step};
use bessemer_record::edit::{self, Attribute, List, Target};
use bessemer_record::{Draft, Value};

use detectors::Detector;
use facts::{Facts, Machine};
pub(crate) use settings::Settings;

/// A block that loads.
pub(crate) const EXAMPLE: &str = r#"otelcol.processor.resourcedetection "example" {
  detectors = ["env", "system"]
  override  = false

  system {
    resource_attributes {
      host.arch {
        enabled = true
      }
    }
  }

  output {
    logs = []
  }
}
"#;

pub(crate) fn build(settings: &RawSettings, _: &Context) -> Result<Built, BuildError> {
    let settings: Settings = read(settings)?;
    let machine = Arc::new(Machine { timeout: settings.timeout.0 });
    Ok(Built::Step(Arc::new(Detection::new(&settings, machine)?)))
}

/// The step.
struct Detection {
    detectors: Vec<Detector>,
    facts: Arc<dyn Facts>,
    is_override: bool,
    found: OnceLock<Vec<Found>>,
}

/// An attribute that was detected.
struct Found {
    key: String,
    attribute: Attribute,
}

impl Detection {
    fn new(settings: &Settings, facts: Arc<dyn Facts>) -> Result<Self, SettingsError> {
        let detectors = detectors::chosen(settings)?;
        Ok(Self { detectors, facts, is_override: settings.is_override, found: OnceLock::new() })
    }

    /// Of two detectors that know an attribute the first one counts.
    fn detected(&self) -> Vec<Found> {
        let mut found: Vec<Found> = Vec::new();
        for (key, value) in self.detectors.iter().flat_map(|one| one.detected(&*self.facts)) {
            if !found.iter().any(|known| known.key == key) {
                let attribute = Attribute::new(&key, &Value::String(value));
                found.push(Found { key, attribute });
            }
        }
        found
    }

    fn add(&self, found: &[Found], list: &mut List<'_>) {
        for Found { key, attribute } in found {
            if self.is_override || !list.has(key) {
                list.set(attribute);
            }
        }
    }
}

impl Step for Detection {
    fn run(&self, draft: &mut Draft, scratch: &mut Scratch) {
        let found = self.found.get_or_init(|| self.detected());
        if found.is_empty() {
            return;
        }
        for group in 0..draft.resource_groups() {
            let out = &mut scratch.bytes;
            out.clear();
            let is_changed = edit::rewrite(
                Target::Resource,
                draft.group_resource(group),
                |list| self.add(found, list),
                out,
            );
            if is_changed {
                draft.replace_resource(group, |_, resource| resource.extend_from_slice(out));
            }
        }
    }
}
