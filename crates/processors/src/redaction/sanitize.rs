//! Statements to databases and URLs without what differs from call to call: `db_sanitizer` and
//! `url_sanitizer`.
//!
//! Attributes are looked at if the settings name them, bodies of log records as a whole, names of
//! spans by what kind of call they are. A statement that is not understood is replaced in whole: what
//! is kept by mistake is what nobody wanted to keep.

mod command;
mod sql;
mod url;

use std::borrow::Cow;
use std::collections::BTreeSet;

use bessemer_record::edit::List;
use bessemer_record::value::AnyValue;
use bessemer_record::view::SpanView;

use super::settings::{Databases, Sanitizer, Settings, Urls};

/// Attributes that name the database, the first one that is there counts.
const SYSTEMS: [&str; 2] = ["db.system.name", "db.system"];
/// Attributes that a span of a call over HTTP has.
const HTTP: [&str; 9] = [
    "http.route",
    "http.request.method",
    "http.request.method_original",
    "http.response.status_code",
    "url.full",
    "http.scheme",
    "http.target",
    "http.method",
    "http.url",
];
const INTERNAL: i32 = 1;
const SERVER: i32 = 2;
const CLIENT: i32 = 3;

/// What is done to statements and URLs.
#[derive(Debug, Default)]
pub(super) struct Sanitizers {
    urls: Option<UrlRules>,
    statements: Vec<StatementRules>,
    has_fallback: bool,
    names_statements: bool,
}

#[derive(Debug)]
struct UrlRules {
    attributes: BTreeSet<String>,
    names: bool,
}

/// A statement without its values.
type Clean = fn(&str) -> String;

#[derive(Debug)]
struct StatementRules {
    systems: &'static [&'static str],
    attributes: BTreeSet<String>,
    clean: Clean,
}

impl Sanitizers {
    pub(super) fn new(settings: &Settings) -> Self {
        let databases = settings.db_sanitizer.clone().unwrap_or_default();
        let urls = settings.url_sanitizer.as_ref().filter(|urls| urls.enabled);
        Self {
            urls: urls.map(UrlRules::new),
            statements: StatementRules::all(&databases),
            has_fallback: databases.allow_fallback_without_system,
            names_statements: databases.sanitize_span_name,
        }
    }

    pub(super) fn is_idle(&self) -> bool {
        self.urls.is_none() && self.statements.is_empty()
    }

    /// The database that a list of attributes speaks of.
    pub(super) fn system(&self, list: &List<'_>) -> Option<String> {
        self.system_of(|key| list.get(key).and_then(AnyValue::as_str).map(str::to_ascii_lowercase))
    }

    /// The same for what attributes give for a key.
    pub(super) fn system_of(&self, get: impl Fn(&str) -> Option<String>) -> Option<String> {
        if self.statements.is_empty() { None } else { SYSTEMS.into_iter().find_map(get) }
    }

    /// The value of an attribute; none if it stays.
    pub(super) fn attribute(&self, key: &str, system: Option<&str>, text: &str) -> Option<String> {
        let urls = self.urls.as_ref().filter(|urls| urls.attributes.contains(key));
        let mut clean = Cow::Borrowed(text);
        if urls.is_some() {
            clean = Cow::Owned(url::clean(&clean));
        }
        for rules in self.statements.iter().filter(|rules| rules.attributes.contains(key)) {
            let is_meant = system.map_or(self.has_fallback, |system| rules.is_for(system));
            if is_meant {
                clean = Cow::Owned((rules.clean)(&clean));
            }
        }
        changed(text, clean)
    }

    /// A text of a body; none if it stays. It is a URL if it looks like one, and a statement to the
    /// database that the attributes of its record name.
    pub(super) fn body(&self, system: Option<&str>, text: &str) -> Option<String> {
        let rules = |system: &str| self.statements.iter().find(|rules| rules.is_for(system));
        let rules = system.and_then(rules);
        if let Some(rules) = rules {
            return changed(text, Cow::Owned((rules.clean)(text)));
        }
        let is_path = text.starts_with('/') || text.contains("://");
        let is_one = self.urls.is_some() && is_path && !text.contains(char::is_whitespace);
        changed(text, if is_one { Cow::Owned(url::clean(text)) } else { Cow::Borrowed(text) })
    }

    /// The name of a span; none if it stays.
    pub(super) fn span_name(&self, message: &[u8]) -> Option<String> {
        let span = SpanView::new(message);
        let (kind, name) = (span.kind(), span.name().as_str());
        let attributes = span.attributes();
        if self.urls.as_ref().is_some_and(|urls| urls.names) && [SERVER, CLIENT].contains(&kind) {
            let is_http = HTTP.iter().any(|key| attributes.get(key).is_some());
            let clean = url::clean(name);
            // A name that says nothing any more is worse than many names.
            if (is_http || name.contains('/')) && !url::is_bare(&clean) && clean != name {
                return Some(clean);
            }
        }
        if !self.names_statements || ![INTERNAL, SERVER, CLIENT].contains(&kind) {
            return None;
        }
        let get = |key: &str| attributes.get(key)?.as_str().map(str::to_ascii_lowercase);
        let system = self.system_of(get)?;
        let rules = self.statements.iter().find(|rules| rules.is_for(&system))?;
        changed(name, Cow::Owned((rules.clean)(name)))
    }
}

fn changed(text: &str, clean: Cow<'_, str>) -> Option<String> {
    (clean != text).then(|| clean.into_owned())
}

impl UrlRules {
    fn new(urls: &Urls) -> Self {
        let attributes = urls.attributes.iter().cloned().collect();
        Self { attributes, names: urls.sanitize_span_name }
    }
}

impl StatementRules {
    /// In the order in which they are tried.
    fn all(databases: &Databases) -> Vec<Self> {
        const SQL: &[&str] = &["other_sql", "mysql", "postgresql", "mariadb", "sqlite"];
        let kinds: [(&Option<Sanitizer>, &'static [&'static str], Clean); 7] = [
            (&databases.sql, SQL, sql::clean),
            (&databases.redis, &["redis"], command::redis),
            (&databases.valkey, &["valkey"], command::redis),
            (&databases.memcached, &["memcached"], command::memcached),
            (&databases.mongo, &["mongodb"], command::json),
            (&databases.opensearch, &["opensearch"], command::json),
            (&databases.es, &["elasticsearch"], command::json),
        ];
        let rules = kinds.into_iter().filter_map(|(settings, systems, clean)| {
            let settings = settings.as_ref().filter(|settings| settings.enabled)?;
            let attributes = settings.attributes.iter().cloned().collect();
            Some(Self { systems, attributes, clean })
        });
        rules.collect()
    }

    fn is_for(&self, system: &str) -> bool {
        self.systems.contains(&system)
    }
}
