//! `include` and `exclude`: which records have their attributes changed.
//!
//! What is true of a resource and a library is asked once for all records of a scope.

use std::collections::BTreeSet;

use bessemer_pipeline::SettingsError;
use bessemer_record::value::AnyValue;
use bessemer_record::view::{LogRecordView, MetricView, ScopeView, SpanView};
use bessemer_record::{Draft, Signal, Value};
use regex::{Regex, RegexSet};

use super::pattern;
use super::settings::{AttributeSettings, MatchSettings, MatchType};
use super::text::{scalar_text, text_of};

/// `include` and `exclude`.
#[derive(Debug, Default)]
pub(crate) struct Filter {
    include: Option<Matcher>,
    exclude: Option<Matcher>,
}

/// What is known of a record so far: whether all but its attributes match.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Verdict {
    include: bool,
    exclude: bool,
}

/// Gives the attribute with a key.
pub(crate) type Lookup<'f, 'a> = &'f dyn Fn(&str) -> Option<AnyValue<'a>>;

impl Filter {
    /// Compiles both blocks.
    pub(crate) fn new(
        include: Option<&MatchSettings>,
        exclude: Option<&MatchSettings>,
    ) -> Result<Self, SettingsError> {
        let compiled = |path: &'static str, settings: Option<&MatchSettings>| {
            settings.map(|settings| Block { path, settings }.matcher()).transpose()
        };
        Ok(Self { include: compiled("include", include)?, exclude: compiled("exclude", exclude)? })
    }

    fn each(&self, matches: impl Fn(&Matcher) -> bool) -> Verdict {
        Verdict {
            include: self.include.as_ref().is_none_or(&matches),
            exclude: self.exclude.as_ref().is_some_and(&matches),
        }
    }

    /// What is true of every record in the scope of this one.
    pub(crate) fn scope(&self, draft: &Draft, index: usize) -> Verdict {
        self.each(|matcher| matcher.takes_scope(draft, index))
    }

    /// What is true of one record in a scope.
    pub(crate) fn record(&self, scope: Verdict, draft: &Draft, index: usize) -> Verdict {
        Verdict {
            include: scope.include
                && self.include.as_ref().is_none_or(|matcher| matcher.takes_record(draft, index)),
            exclude: scope.exclude
                && self.exclude.as_ref().is_some_and(|matcher| matcher.takes_record(draft, index)),
        }
    }

    /// Whether it asks for attributes of records.
    pub(crate) fn is_by_attribute(&self) -> bool {
        [&self.include, &self.exclude].into_iter().flatten().any(|one| !one.attributes.is_empty())
    }

    /// Whether attributes are to be changed.
    pub(crate) fn applies(&self, verdict: Verdict, get: Lookup<'_, '_>) -> bool {
        let holds = |matcher: &Option<Matcher>| {
            matcher.as_ref().is_none_or(|matcher| holds_all(&matcher.attributes, get))
        };
        verdict.include && holds(&self.include) && !(verdict.exclude && holds(&self.exclude))
    }
}

impl Verdict {
    /// Whether no attributes can make the record one to be changed.
    pub(crate) fn is_out(self) -> bool {
        !self.include
    }
}

/// Properties of which all have to match.
#[derive(Debug)]
struct Matcher {
    services: Option<Words>,
    resources: Vec<AttributeTest>,
    libraries: Vec<Library>,
    span_names: Option<Words>,
    span_kinds: Option<Words>,
    log_bodies: Option<Words>,
    log_severity_texts: Option<Words>,
    log_severity: Option<Severity>,
    metric_names: Option<Words>,
    attributes: Vec<AttributeTest>,
}

#[derive(Debug)]
struct Library {
    name: Words,
    version: Option<Words>,
}

#[derive(Debug)]
struct Severity {
    min: u8,
    match_undefined: bool,
}

impl Matcher {
    fn takes_scope(&self, draft: &Draft, index: usize) -> bool {
        is_in(self.services.as_ref(), || {
            let service = draft.resource_attribute(index, b"service.name");
            service.map_or("<nil-service-name>".into(), text_of)
        }) && holds_all(&self.resources, &|key| draft.resource_attribute(index, key.as_bytes()))
            && self.takes_library(&ScopeView::new(draft.scope(index)))
    }

    fn takes_library(&self, scope: &ScopeView<'_>) -> bool {
        let mut libraries = self.libraries.iter();
        self.libraries.is_empty()
            || libraries.any(|library| {
                library.name.has(scope.name().as_str())
                    && is_in(library.version.as_ref(), || scope.version().as_str().into())
            })
    }

    fn takes_record(&self, draft: &Draft, index: usize) -> bool {
        let bytes = draft.item_bytes(index);
        match draft.signal() {
            Signal::Logs => {
                !self.is_for_spans() && !self.is_for_metrics() && self.takes_log(draft, index)
            }
            Signal::Traces if self.is_for_logs() || self.is_for_metrics() => false,
            Signal::Traces if !self.is_for_spans() => true,
            Signal::Traces => self.takes_span(&SpanView::new(bytes)),
            Signal::Metrics if self.is_for_logs() || self.is_for_spans() => false,
            Signal::Metrics => {
                is_in(self.metric_names.as_ref(), || MetricView::new(bytes).name().as_str().into())
            }
        }
    }

    fn is_for_spans(&self) -> bool {
        self.span_names.is_some() || self.span_kinds.is_some()
    }

    fn is_for_logs(&self) -> bool {
        self.log_bodies.is_some()
            || self.log_severity_texts.is_some()
            || self.log_severity.is_some()
    }

    fn is_for_metrics(&self) -> bool {
        self.metric_names.is_some()
    }

    fn takes_log(&self, draft: &Draft, index: usize) -> bool {
        let has_severity = self.log_severity.as_ref().is_none_or(|wanted| {
            match draft.items().get(index).map_or(0, |item| item.severity) {
                0 => wanted.match_undefined,
                number => number >= wanted.min,
            }
        });
        if !has_severity || (self.log_bodies.is_none() && self.log_severity_texts.is_none()) {
            return has_severity;
        }
        let record = LogRecordView::new(draft.item_bytes(index));
        is_in(self.log_severity_texts.as_ref(), || record.severity_text().as_str().into())
            && is_in(self.log_bodies.as_ref(), || text_of(record.body()))
    }

    fn takes_span(&self, span: &SpanView<'_>) -> bool {
        let kind = || {
            let index = usize::try_from(span.kind()).unwrap_or(usize::MAX);
            SPAN_KINDS.get(index).copied().unwrap_or_default().into()
        };
        is_in(self.span_kinds.as_ref(), kind)
            && is_in(self.span_names.as_ref(), || span.name().as_str().into())
    }
}

/// The kinds of spans by number.
const SPAN_KINDS: [&str; 6] = [
    "SPAN_KIND_UNSPECIFIED",
    "SPAN_KIND_INTERNAL",
    "SPAN_KIND_SERVER",
    "SPAN_KIND_CLIENT",
    "SPAN_KIND_PRODUCER",
    "SPAN_KIND_CONSUMER",
];

/// Texts of which one has to match.
#[derive(Debug)]
enum Words {
    Strict(BTreeSet<String>),
    Regexp(RegexSet),
}

impl Words {
    fn has(&self, text: &str) -> bool {
        match self {
            Self::Strict(words) => words.contains(text),
            Self::Regexp(patterns) => patterns.is_match(text),
        }
    }
}

fn is_in<'t>(words: Option<&Words>, text: impl FnOnce() -> std::borrow::Cow<'t, str>) -> bool {
    words.is_none_or(|words| words.has(&text()))
}

/// What an attribute has to be.
#[derive(Debug)]
struct AttributeTest {
    key: String,
    value: Wanted,
}

#[derive(Debug)]
enum Wanted {
    Any,
    Value(Value),
    Pattern(Regex),
}

fn holds_all(tests: &[AttributeTest], get: Lookup<'_, '_>) -> bool {
    tests.iter().all(|test| {
        get(&test.key).is_some_and(|value| match &test.value {
            Wanted::Any => true,
            Wanted::Value(wanted) => value == *wanted,
            Wanted::Pattern(pattern) => {
                scalar_text(value).is_some_and(|text| pattern.is_match(&text))
            }
        })
    })
}

/// An `include` or `exclude` block.
struct Block<'s> {
    path: &'static str,
    settings: &'s MatchSettings,
}

impl Block<'_> {
    fn matcher(&self) -> Result<Matcher, SettingsError> {
        let settings = self.settings;
        let matcher = Matcher {
            services: self.words("services", &settings.services)?,
            resources: self.attributes("resource", &settings.resource)?,
            libraries: self.libraries()?,
            span_names: self.words("span_names", &settings.span_names)?,
            span_kinds: self.span_kinds()?,
            log_bodies: self.words("log_bodies", &settings.log_bodies)?,
            log_severity_texts: self.words("log_severity_texts", &settings.log_severity_texts)?,
            log_severity: self.severity()?,
            metric_names: self.words("metric_names", &settings.metric_names)?,
            attributes: self.attributes("attribute", &settings.attribute)?,
        };
        let signals = [matcher.is_for_logs(), matcher.is_for_spans(), matcher.is_for_metrics()];
        if signals.iter().filter(|is_for| **is_for).count() > 1 {
            let problem = "has properties of different signals, which nothing matches together";
            return Err(SettingsError::new(self.path, problem, "use a processor for each signal"));
        }
        let is_empty = !signals.contains(&true)
            && matcher.services.is_none()
            && matcher.resources.is_empty()
            && matcher.libraries.is_empty()
            && matcher.attributes.is_empty();
        if is_empty {
            let remedy = "add a property such as attribute, resource or services";
            return Err(SettingsError::new(self.path, "has nothing to match", remedy));
        }
        Ok(matcher)
    }

    fn words(&self, name: &str, words: &[String]) -> Result<Option<Words>, SettingsError> {
        if words.is_empty() {
            return Ok(None);
        }
        Ok(Some(match self.settings.match_type {
            MatchType::Strict => Words::Strict(words.iter().cloned().collect()),
            MatchType::Regexp => {
                let patterns = pattern::compile_set(words);
                Words::Regexp(patterns.map_err(|reason| self.not_a_pattern(name, &reason))?)
            }
        }))
    }

    fn span_kinds(&self) -> Result<Option<Words>, SettingsError> {
        let kinds = &self.settings.span_kinds;
        let known = SPAN_KINDS.get(1..).unwrap_or_default();
        let unknown = kinds.iter().find(|kind| !known.contains(&kind.as_str()));
        match unknown.filter(|_| self.settings.match_type == MatchType::Strict) {
            Some(kind) => {
                let remedy = format!("write one of {}", known.join(", "));
                Err(self.error("span_kinds", format!("{kind:?} is no kind of span"), remedy))
            }
            None => self.words("span_kinds", kinds),
        }
    }

    fn libraries(&self) -> Result<Vec<Library>, SettingsError> {
        let one = |text: &String| self.words("library", std::slice::from_ref(text));
        let mut libraries = Vec::new();
        for library in &self.settings.library {
            let version = library.version.as_ref().map(one).transpose()?.flatten();
            libraries.extend(one(&library.name)?.map(|name| Library { name, version }));
        }
        Ok(libraries)
    }

    fn severity(&self) -> Result<Option<Severity>, SettingsError> {
        let Some(settings) = &self.settings.log_severity else { return Ok(None) };
        let Some(min) = severity_number(&settings.min) else {
            let problem = format!("{:?} is no severity", settings.min);
            let remedy = "write TRACE, DEBUG, INFO, WARN, ERROR or FATAL, with 2 to 4 behind it or \
                          nothing";
            return Err(self.error("log_severity.min", problem, remedy));
        };
        Ok(Some(Severity { min, match_undefined: settings.match_undefined }))
    }

    fn attributes(
        &self,
        name: &str,
        settings: &[AttributeSettings],
    ) -> Result<Vec<AttributeTest>, SettingsError> {
        let tests = settings.iter().enumerate().map(|(index, settings)| {
            if settings.key.is_empty() {
                let setting = format!("{name}[{index}].key");
                return Err(self.error(&setting, "is empty", "name an attribute"));
            }
            let setting = format!("{name}[{index}].value");
            let value =
                match (settings.value.as_ref().map(|literal| &literal.0), self.settings.match_type)
                {
                    (None | Some(Value::Null), _) => Wanted::Any,
                    (Some(value), MatchType::Strict) => Wanted::Value(value.clone()),
                    (Some(Value::String(text)), MatchType::Regexp) => Wanted::Pattern(
                        pattern::compile(text)
                            .map_err(|reason| self.not_a_pattern(&setting, &reason))?,
                    ),
                    (Some(_), MatchType::Regexp) => {
                        let remedy = "write an expression in quotes or match_type = \"strict\"";
                        return Err(self.error(&setting, "is no text", remedy));
                    }
                };
            Ok(AttributeTest { key: settings.key.clone(), value })
        });
        tests.collect()
    }

    fn not_a_pattern(&self, setting: &str, reason: &str) -> SettingsError {
        let problem = format!("is not a regular expression: {reason}");
        self.error(setting, problem, "see the syntax of RE2, or write match_type = \"strict\"")
    }

    fn error(
        &self,
        setting: &str,
        problem: impl Into<String>,
        remedy: impl Into<String>,
    ) -> SettingsError {
        SettingsError::new(&format!("{}.{setting}", self.path), problem, remedy)
    }
}

/// The number of a severity such as `WARN2`.
fn severity_number(name: &str) -> Option<u8> {
    const NAMES: [&str; 6] = ["TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"];
    NAMES.iter().zip((1..).step_by(4)).find_map(|(known, first)| {
        match name.strip_prefix(known)? {
            "" => Some(first),
            "2" => Some(first + 1),
            "3" => Some(first + 2),
            "4" => Some(first + 3),
            _ => None,
        }
    })
}
