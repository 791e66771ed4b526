//! `bessemer.processor.compliance`: finds personal data and secrets, and does what policy says.
//!
//! It is a step of the fused program, so it runs before anything is written to the journal: what it
//! redacts reaches no disk, dead letter, exporter or later processor. One prefilter over a record's
//! bytes decides whether it is looked into at all; a record without a mark is not touched. A record
//! is removed only by the actions `drop_record` and `block`, and both are counted.

mod detect;
mod email;
mod encoded;
mod inspect;
mod json_text;
mod key_rule;
mod numbers;
mod pack;
mod policy;
mod prefilter;
mod report;
mod secrets;
mod settings;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use aws_lc_rs::hmac;
use bessemer_config::Settings as RawSettings;
use bessemer_pipeline::catalog::{BuildError, read};
use bessemer_pipeline::{Built, Context, Route, Scratch, SettingsError, Step};
use bessemer_record::edit::{self, Attribute, Target};
use bessemer_record::{Draft, Item, Value};

use detect::Detector;
use inspect::{Findings, Inspection};
use policy::Policy;
use prefilter::{ESCAPE, INTEGER, KEY, RUN, WORD};
use report::Counts;
use settings::Action;
pub(crate) use settings::Settings;

/// A block that loads.
pub(crate) const EXAMPLE: &str = r#"bessemer.processor.compliance "example" {
  packs = ["gdpr", "pci_dss", "secrets"]
  names = ["Ada Lovelace"]

  detector {
    name    = "ipv4"
    enabled = false
  }

  key_rule {
    key    = "customer_number"
    action = "drop_attribute"
  }

  allow {
    values = ["support@example.com"]
  }

  output {
    logs = []
  }
}
"#;

/// The attribute for `tag` where the settings name none.
const TAG_ATTRIBUTE: &str = "compliance.findings";
const PASSED: u16 = 0;
const BLOCKED: u16 = 1;

pub(crate) fn build(settings: &RawSettings, context: &Context) -> Result<Built, BuildError> {
    let settings: Settings = read(settings)?;
    let step = Arc::new(Compliance::new(&settings, context)?);
    let report: Arc<dyn bessemer_pipeline::services::Report> = Arc::clone(&step.counts) as _;
    context.services.publish_report("compliance", &context.id, report);
    Ok(if step.targets.is_empty() { Built::Step(step) } else { Built::Route(step) })
}

/// The step, or the router where blocked records have pipelines of their own.
#[derive(Debug)]
struct Compliance {
    policy: Policy,
    key: Option<hmac::Key>,
    tag_attribute: Option<String>,
    targets: Vec<Vec<String>>,
    counts: Arc<Counts>,
    marks: u16,
}

impl Compliance {
    fn new(settings: &Settings, context: &Context) -> Result<Self, SettingsError> {
        let policy = Policy::new(settings)?;
        let key = settings.key.as_ref().map(|key| key.expose().as_bytes());
        let key = key.map(|key| hmac::Key::new(hmac::HMAC_SHA256, key));
        let packs = policy.packs.clone();
        let counts = Arc::new(Counts::new(&context.id, Arc::clone(&context.metrics), packs));
        // Base64 and escapes can hide anything; words and integers only what is looked for.
        let integer = if policy.scanner.is_on(Detector::Card) { INTEGER } else { 0 };
        let word = if policy.scanner.is_on(Detector::KeyedSecret) { WORD } else { 0 };
        let marks = policy.scanner.wanted() | KEY | RUN | ESCAPE | integer | word;
        let tag_attribute = settings.tag_attribute.clone();
        Ok(Self { targets: targets(settings, &policy)?, policy, key, tag_attribute, counts, marks })
    }

    /// Inspects a message; whether `out` holds a changed one, and what was found.
    fn inspect(&self, target: Target, message: &[u8], out: &mut Vec<u8>) -> (bool, Findings) {
        out.clear();
        let marks = self.policy.scanner.marks(message);
        if marks & self.marks == 0 {
            return (false, Findings::default());
        }
        let findings = Findings::default();
        let mut inspection =
            Inspection { policy: &self.policy, key: self.key.as_ref(), marks, findings };
        let changed =
            edit::texts(target, message, &mut |key, scalar| inspection.see(key, scalar), out);
        (changed, inspection.findings)
    }

    /// Inspects the whole batch; `blocked` is told about records that are to be blocked.
    fn run_all(
        &self,
        draft: &mut Draft,
        out: &mut Vec<u8>,
        blocked: &mut dyn FnMut(usize, &mut Draft),
    ) {
        let mut all: Vec<(Detector, Action)> = Vec::new();
        let groups = self.groups(draft, out, &mut all);
        let (mut records, mut touched) = (0, 0);
        for index in 0..draft.len() {
            if draft.items().get(index).is_none_or(Item::is_dropped) {
                continue;
            }
            records += 1;
            let group = (draft.resource_group(index), draft.scope_group(index));
            let of_group =
                |action| groups.iter().any(|(one, found)| one.is_of(group) && found.has(action));
            let target = Target::from(draft.signal());
            let (changed, findings) = self.inspect(target, draft.item_bytes(index), out);
            touched += u64::from(!findings.all.is_empty());
            if findings.has(Action::DropRecord) || of_group(Action::DropRecord) {
                draft.drop_item(index);
            } else if findings.has(Action::Block) || of_group(Action::Block) {
                blocked(index, draft);
            } else {
                if changed {
                    draft.replace_item(index, |_, message| message.extend_from_slice(out));
                }
                self.tag(draft, index, &findings);
            }
            all.extend(findings.all);
        }
        self.counts.add(records, touched, &all);
    }

    /// Inspects resources and scopes.
    fn groups(
        &self,
        draft: &mut Draft,
        out: &mut Vec<u8>,
        all: &mut Vec<(Detector, Action)>,
    ) -> Vec<(Group, Findings)> {
        let mut found = Vec::new();
        for number in 0..draft.resource_groups() {
            let (changed, findings) =
                self.inspect(Target::Resource, draft.group_resource(number), out);
            if changed {
                draft.replace_resource(number, |_, message| message.extend_from_slice(out));
            }
            found.push((Group::Resource(number), findings));
        }
        for number in 0..draft.scope_groups() {
            let (changed, findings) = self.inspect(Target::Scope, draft.group_scope(number), out);
            if changed {
                draft.replace_scope(number, |_, message| message.extend_from_slice(out));
            }
            found.push((Group::Scope(number), findings));
        }
        found.retain(|(_, findings)| !findings.all.is_empty());
        all.extend(found.iter().flat_map(|(_, findings)| findings.all.iter().copied()));
        found
    }

    fn tag(&self, draft: &mut Draft, index: usize, findings: &Findings) {
        let is_wanted = self.tag_attribute.is_some() || findings.has(Action::Tag);
        if findings.all.is_empty() || !is_wanted {
            return;
        }
        let mut names: Vec<&str> = findings.all.iter().map(|(one, _)| one.name()).collect();
        names.sort_unstable();
        names.dedup();
        let names = names.into_iter().map(|name| Value::String(name.to_owned())).collect();
        let key = self.tag_attribute.as_deref().unwrap_or(TAG_ATTRIBUTE);
        let attribute = Attribute::new(key, &Value::Array(names));
        let target = Target::from(draft.signal());
        draft.settle_tail(index);
        draft.replace_item(index, |message, out| {
            edit::upsert(target, message, &attribute, out);
        });
    }
}

/// A resource or a scope of a batch.
#[derive(Debug, Clone, Copy)]
enum Group {
    Resource(u32),
    Scope(u32),
}

impl Group {
    fn is_of(self, (resource, scope): (u32, u32)) -> bool {
        match self {
            Self::Resource(number) => number == resource,
            Self::Scope(number) => number == scope,
        }
    }
}

fn targets(settings: &Settings, policy: &Policy) -> Result<Vec<Vec<String>>, SettingsError> {
    let (passed, blocked) = (&settings.pipelines, &settings.blocked_pipelines);
    if passed.is_empty() && blocked.is_empty() {
        return Ok(Vec::new());
    }
    if passed.is_empty() || blocked.is_empty() {
        let remedy = "write pipelines and blocked_pipelines together";
        return Err(SettingsError::new("blocked_pipelines", "stands alone", remedy));
    }
    if !policy.blocks() {
        let remedy = "give a detector the action \"block\", or use output";
        return Err(SettingsError::new("blocked_pipelines", "gets no record", remedy));
    }
    let names = |names: &[bessemer_config::value::PipelineName]| {
        names.iter().map(|name| name.0.clone()).collect()
    };
    Ok(vec![names(passed), names(blocked)])
}

impl Step for Compliance {
    fn run(&self, draft: &mut Draft, scratch: &mut Scratch) {
        let mut out = std::mem::take(&mut scratch.bytes);
        self.run_all(draft, &mut out, &mut |index, draft| {
            // Should the program go on in spite of the refusal, the record must not.
            draft.drop_item(index);
            scratch.refusal.get_or_insert_with(|| {
                "a record holds data that policy blocks; see the compliance report".to_owned()
            });
        });
        scratch.bytes = out;
    }
}

impl Route for Compliance {
    fn run(&self, draft: &mut Draft, scratch: &mut Scratch) {
        for item in draft.items_mut().iter_mut().filter(|item| !item.is_dropped()) {
            item.route = PASSED;
        }
        let mut out = std::mem::take(&mut scratch.bytes);
        self.run_all(draft, &mut out, &mut |index, draft| {
            if let Some(item) = draft.items_mut().get_mut(index) {
                item.route = BLOCKED;
            }
        });
        scratch.bytes = out;
    }

    fn targets(&self) -> &[Vec<String>] {
        &self.targets
    }
}
