//! `otelcol.processor.redaction`: keeps the attributes that are allowed and masks what is blocked.
//!
//! Resources, scopes, records, data points, span events and log bodies are looked at. A record on
//! which nothing is to do leaves as the bytes it came in.

mod body;
mod mask;
mod rules;
mod sanitize;
mod settings;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::sync::Arc;

use bessemer_config::Settings as RawSettings;
use bessemer_pipeline::catalog::{BuildError, read};
use bessemer_pipeline::{Built, Context, Scratch, SettingsError, Step};
use bessemer_record::edit::{self, Attribute, Field, List, Target};
use bessemer_record::value::AnyValue;
use bessemer_record::view::LogRecordView;
use bessemer_record::{Draft, Item, Signal, Value};

use crate::attributes::text::text_of;
use rules::{Fate, Rules};
use sanitize::Sanitizers;
pub(crate) use settings::Settings;
use settings::Summary;

/// A block that loads.
pub(crate) const EXAMPLE: &str = r#"otelcol.processor.redaction "example" {
  allow_all_keys = true
  blocked_values = ["4[0-9]{12}(?:[0-9]{3})?", "(5[1-5][0-9]{14})"]
  summary        = "info"

  output {
    logs = []
  }
}
"#;

pub(crate) fn build(settings: &RawSettings, _: &Context) -> Result<Built, BuildError> {
    let settings: Settings = read(settings)?;
    Ok(Built::Step(Arc::new(Redaction::new(&settings)?)))
}

/// The field of a span with its name.
const SPAN_NAME: u32 = 5;

/// The step.
#[derive(Debug)]
struct Redaction {
    rules: Rules,
    sanitizers: Sanitizers,
    summary: Summary,
}

/// What was done, by the keys it was done to.
#[derive(Debug, Default)]
struct Report {
    redacted: Vec<String>,
    masked: Vec<String>,
    allowed: Vec<String>,
    ignored: Vec<String>,
}

impl Redaction {
    fn new(settings: &Settings) -> Result<Self, SettingsError> {
        let (rules, sanitizers) = (Rules::new(settings)?, Sanitizers::new(settings));
        Ok(Self { rules, sanitizers, summary: settings.summary })
    }

    /// Changes one list of attributes.
    fn attributes(&self, list: &mut List<'_>) {
        let mut report = Report::default();
        let mut masked: Vec<Attribute> = Vec::new();
        let system = self.sanitizers.system(list);
        for (key, value) in list.iter() {
            let key = key.as_str();
            match self.rules.fate(key) {
                Fate::Ignored => report.ignored.push(key.to_owned()),
                Fate::Redacted => report.redacted.push(key.to_owned()),
                fate @ (Fate::Masked | Fate::Looked) => {
                    let Some(text) = self.seen(fate, value) else { continue };
                    if self.rules.is_allowed(&text) {
                        report.allowed.push(key.to_owned());
                    } else if let Some(text) = self.changed(fate, key, system.as_deref(), &text) {
                        report.masked.push(key.to_owned());
                        masked.push(Attribute::new(key, &Value::String(text)));
                    }
                }
            }
        }
        for attribute in masked {
            list.set(&attribute);
        }
        for key in &report.redacted {
            list.remove(key);
        }
        self.add(report, "redaction", list);
    }

    /// What replaces the text of an attribute; none if it stays.
    fn changed(&self, fate: Fate, key: &str, system: Option<&str>, text: &str) -> Option<String> {
        let masked = self.rules.masked(fate, text);
        if fate == Fate::Masked || self.sanitizers.is_idle() {
            return masked;
        }
        let clean = self.sanitizers.attribute(key, system, masked.as_deref().unwrap_or(text));
        clean.or(masked)
    }

    /// The text that is looked at in a value; none if it is not looked at.
    fn seen<'v>(&self, fate: Fate, value: AnyValue<'v>) -> Option<Cow<'v, str>> {
        if let Some(text) = value.as_str() {
            return Some(Cow::Borrowed(text));
        }
        if self.rules.all_types {
            return Some(text_of(value));
        }
        // The mask of a blocked key replaces values of every type.
        (fate == Fate::Masked).then_some(Cow::Borrowed(""))
    }

    /// Adds what was done as attributes, onto what an earlier redaction left there.
    fn add(&self, report: Report, prefix: &str, list: &mut List<'_>) {
        if self.summary == Summary::Silent {
            return;
        }
        let Report { redacted, masked, allowed, ignored } = report;
        for (what, keys, has_names) in [
            ("redacted", redacted, true),
            ("masked", masked, true),
            ("allowed", allowed, true),
            ("ignored", ignored, false),
        ] {
            if !keys.is_empty() {
                self.add_one(&format!("{prefix}.{what}"), keys, has_names, list);
            }
        }
    }

    fn add_one(&self, name: &str, mut keys: Vec<String>, has_names: bool, list: &mut List<'_>) {
        let count = i64::try_from(keys.len()).unwrap_or(i64::MAX);
        if has_names && self.summary == Summary::Debug {
            let name = format!("{name}.keys");
            let before = list.get(&name).and_then(AnyValue::as_str).unwrap_or_default();
            keys.extend(before.split(',').filter(|key| !key.is_empty()).map(str::to_owned));
            keys.sort_unstable();
            list.set(&Attribute::new(&name, &Value::String(keys.join(","))));
        }
        let name = format!("{name}.count");
        let before = list.get(&name).and_then(AnyValue::as_int).unwrap_or_default();
        list.set(&Attribute::new(&name, &Value::Int(before.saturating_add(count))));
    }

    fn resources(&self, draft: &mut Draft, out: &mut Vec<u8>) {
        for group in 0..draft.resource_groups() {
            out.clear();
            if self.rewrite(Target::Resource, draft.group_resource(group), out) {
                draft.replace_resource(group, |_, resource| resource.extend_from_slice(out));
            }
        }
        for group in 0..draft.scope_groups() {
            out.clear();
            if self.rewrite(Target::Scope, draft.group_scope(group), out) {
                draft.replace_scope(group, |_, scope| scope.extend_from_slice(out));
            }
        }
    }

    fn record(&self, draft: &mut Draft, index: usize, out: &mut Vec<u8>) {
        // What earlier steps appended is looked at like everything else.
        draft.settle_tail(index);
        out.clear();
        if self.rewrite(Target::from(draft.signal()), draft.item_bytes(index), out) {
            draft.replace_item(index, |_, message| message.extend_from_slice(out));
        }
        out.clear();
        let is_changed = match draft.signal() {
            Signal::Logs => self.body(draft.item_bytes(index), out),
            Signal::Traces => {
                self.name(draft, index, out);
                self.rewrite(Target::SpanEvents, draft.item_bytes(index), out)
            }
            Signal::Metrics => false,
        };
        if is_changed {
            draft.replace_item(index, |_, message| message.extend_from_slice(out));
        }
    }

    /// Replaces the name of a span, if it is to be.
    fn name(&self, draft: &mut Draft, index: usize, out: &mut Vec<u8>) {
        if self.sanitizers.is_idle() {
            return;
        }
        let span = draft.item_bytes(index);
        let Some(name) = self.sanitizers.span_name(span) else { return };
        let name = [Field::Bytes(name.as_bytes())];
        edit::replace_fields(span, SPAN_NAME, &[], &name, out);
        draft.replace_item(index, |_, message| message.extend_from_slice(out));
        out.clear();
    }

    fn rewrite(&self, target: Target, message: &[u8], out: &mut Vec<u8>) -> bool {
        edit::rewrite(target, message, |list| self.attributes(list), out)
    }

    /// Writes a log record with a redacted body, if there is something to redact in it.
    fn body(&self, record: &[u8], out: &mut Vec<u8>) -> bool {
        let body = LogRecordView::new(record).body();
        if body.is_empty() {
            return false;
        }
        let mut report = Report::default();
        let attributes = LogRecordView::new(record).attributes();
        let get = |key: &str| attributes.get(key)?.as_str().map(str::to_ascii_lowercase);
        let system = self.sanitizers.system_of(get);
        let texts = body::Texts { rules: &self.rules, sanitizers: &self.sanitizers, system };
        let redacted = body::redacted(&texts, body, &mut report);
        let has_report = self.summary != Summary::Silent && !report.is_empty();
        if redacted.is_none() && !has_report {
            return false;
        }
        let mut with_body = Vec::with_capacity(record.len());
        match &redacted {
            Some(body) => edit::set_body(record, body, &mut with_body),
            None => with_body.extend_from_slice(record),
        }
        let mut report = Some(report);
        edit::rewrite(
            Target::Log,
            &with_body,
            |list| self.add(report.take().unwrap_or_default(), "redaction.body", list),
            out,
        );
        true
    }
}

impl Report {
    fn is_empty(&self) -> bool {
        self.redacted.is_empty()
            && self.masked.is_empty()
            && self.allowed.is_empty()
            && self.ignored.is_empty()
    }
}

impl Step for Redaction {
    fn run(&self, draft: &mut Draft, scratch: &mut Scratch) {
        self.resources(draft, &mut scratch.bytes);
        for index in 0..draft.len() {
            if !draft.items().get(index).is_none_or(Item::is_dropped) {
                self.record(draft, index, &mut scratch.bytes);
            }
        }
    }
}
