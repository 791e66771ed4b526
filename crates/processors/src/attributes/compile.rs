//! From the settings of an action to the action: what each of them needs and does not take.

use bessemer_ottl::Context;
use bessemer_pipeline::SettingsError;
use bessemer_record::Value;
use bessemer_record::edit::Attribute;
use regex::Regex;

use super::action::{Action, Pick, Source, When};
use super::guard::Guard;
use super::pattern;
use super::settings::ActionSettings;

const ACTIONS: &str = "insert, update, upsert, delete, hash, extract or convert";

/// Request headers, as `from_context` names them.
const METADATA: &str = "metadata.";

/// Actions that run together, and what has to hold for them.
pub(crate) type Guarded = (Option<Guard>, Vec<Action>);

/// Makes the actions, in the order of the settings; `list` is what the settings call them, and
/// `contexts` are where their conditions are read. An action with a condition stands alone, because
/// the condition sees what the actions before it did.
pub(crate) fn groups(
    list: &'static str,
    settings: &[ActionSettings],
    contexts: &[Context],
) -> Result<Vec<Guarded>, SettingsError> {
    let mut groups: Vec<Guarded> = Vec::new();
    for (index, settings) in settings.iter().enumerate() {
        let block = Block { list, index, settings };
        let action = block.action()?;
        match (block.guard(contexts)?, groups.last_mut()) {
            (None, Some((None, actions))) => actions.push(action),
            (guard, _) => groups.push((guard, vec![action])),
        }
    }
    Ok(groups)
}

/// One `action` block and its number, counted from 0.
struct Block<'s> {
    list: &'static str,
    index: usize,
    settings: &'s ActionSettings,
}

impl Block<'_> {
    fn action(&self) -> Result<Action, SettingsError> {
        match self.settings.action.to_ascii_lowercase().as_str() {
            "insert" => self.set(When::Absent),
            "update" => self.set(When::Present),
            "upsert" => self.set(When::Always),
            "delete" => self.pick(&["pattern"]).map(Action::Delete),
            "hash" => self.pick(&["pattern", "hash_function"]).map(Action::Hash),
            "extract" => self.extract(),
            "convert" => self.convert(),
            "" => Err(self.error("action", "is not set", &format!("write {ACTIONS}"))),
            other => {
                let problem = format!("can not be {other:?}");
                Err(self.error("action", &problem, &format!("write {ACTIONS}")))
            }
        }
    }

    fn guard(&self, contexts: &[Context]) -> Result<Option<Guard>, SettingsError> {
        let Some(text) = self.settings.condition.as_ref().filter(|text| !text.is_empty()) else {
            return Ok(None);
        };
        let path = format!("{}[{}].condition", self.list, self.index);
        Guard::compile(&path, text, contexts).map(Some)
    }

    fn set(&self, when: When) -> Result<Action, SettingsError> {
        let key = self.key()?;
        self.takes_only(&["value", "from_attribute", "from_context"])?;
        let constant = self.settings.value.as_ref().map(|literal| &literal.0);
        let constant = constant.filter(|value| **value != Value::Null);
        let from = self.settings.from_attribute.as_ref().filter(|from| !from.is_empty());
        let header = self.header()?;
        let source = match (constant, from, header) {
            (Some(value), None, None) => {
                Source::Constant(value.clone(), Attribute::new(&key, value))
            }
            (None, Some(from), None) => Source::Attribute(from.clone()),
            (None, None, Some(header)) => Source::Header(header),
            (None, None, None) => {
                let remedy = "write value, from_attribute or from_context";
                return Err(self.error("value", "is not set", remedy));
            }
            (_, None, Some(_)) | (None, Some(_), Some(_)) => {
                let problem = "is given beside another source of the value";
                return Err(self.error("from_context", problem, "remove one of them"));
            }
            (Some(_), Some(_), _) => {
                let problem = "is given beside value";
                return Err(self.error("from_attribute", problem, "remove one of them"));
            }
        };
        Ok(Action::Set { key, when, source })
    }

    /// The header that `from_context` names, in lower case as headers are kept.
    fn header(&self) -> Result<Option<String>, SettingsError> {
        let Some(from) = self.settings.from_context.as_ref().filter(|from| !from.is_empty()) else {
            return Ok(None);
        };
        let name = from.strip_prefix(METADATA).filter(|name| !name.is_empty());
        name.map(|name| Some(name.to_ascii_lowercase())).ok_or_else(|| {
            let problem = format!("can not be {from:?}");
            self.error("from_context", &problem, "write metadata. and a header's name")
        })
    }

    fn pick(&self, taken: &[&str]) -> Result<Pick, SettingsError> {
        self.takes_only(taken)?;
        let key = (!self.settings.key.is_empty()).then(|| self.settings.key.clone());
        let pattern = self.pattern()?;
        if key.is_none() && pattern.is_none() {
            return Err(self.error("key", "is not set", "write key, pattern or both"));
        }
        Ok(Pick { key, pattern })
    }

    fn extract(&self) -> Result<Action, SettingsError> {
        let key = self.key()?;
        self.takes_only(&["pattern", "from_attribute"])?;
        let from = self.settings.from_attribute.as_ref().filter(|from| !from.is_empty());
        let Some(pattern) = self.pattern()? else {
            let remedy = "write an expression with groups, such as \"^(?P<user>[^@]+)@\"";
            return Err(self.error("pattern", "is not set", remedy));
        };
        let names: Vec<Option<&str>> = pattern.capture_names().skip(1).collect();
        let named: Vec<String> = names.iter().flatten().map(|name| (*name).to_owned()).collect();
        let (groups, is_unnamed) = (names.len(), named.is_empty());
        let targets = match (names.len(), named.len()) {
            (0, _) => {
                let remedy = "put what to extract into a group, such as (?P<user>[^@]+)";
                return Err(self.error("pattern", "has no group", remedy));
            }
            (_, 0) => vec![key.clone()],
            (all, named_ones) if all == named_ones => named,
            _ => {
                let problem = "has groups with and without a name";
                let remedy = "name all of them; (?:...) is for what is not extracted";
                return Err(self.error("pattern", problem, remedy));
            }
        };
        // With a source of its own the key is all that is wanted, and the groups before the last
        // one only say what stands around it.
        let first = if from.is_some() && is_unnamed { groups } else { 1 };
        let key = from.cloned().unwrap_or(key);
        Ok(Action::Extract { key, pattern, targets, first })
    }

    fn convert(&self) -> Result<Action, SettingsError> {
        let key = self.key()?;
        self.takes_only(&["converted_type"])?;
        let Some(to) = self.settings.converted_type else {
            return Err(self.error("converted_type", "is not set", "write int, double or string"));
        };
        Ok(Action::Convert { key, to })
    }

    fn key(&self) -> Result<String, SettingsError> {
        if self.settings.key.is_empty() {
            let remedy = "name the attribute that the action is for";
            return Err(self.error("key", "is not set", remedy));
        }
        Ok(self.settings.key.clone())
    }

    fn pattern(&self) -> Result<Option<Regex>, SettingsError> {
        let given = self.settings.pattern.as_ref().filter(|pattern| !pattern.is_empty());
        let compiled = given.map(|given| pattern::compile(given)).transpose();
        compiled.map_err(|reason| {
            let problem = format!("is not a regular expression: {reason}");
            self.error("pattern", &problem, "see the syntax of RE2")
        })
    }

    /// Refuses a setting that the action would ignore.
    fn takes_only(&self, taken: &[&str]) -> Result<(), SettingsError> {
        let settings = self.settings;
        let given = [
            ("value", settings.value.is_some()),
            ("from_attribute", is_given(settings.from_attribute.as_ref())),
            ("from_context", is_given(settings.from_context.as_ref())),
            ("pattern", is_given(settings.pattern.as_ref())),
            ("converted_type", settings.converted_type.is_some()),
            ("hash_function", settings.hash_function.is_some()),
        ];
        let mut ignored =
            given.iter().filter(|(name, is_given)| *is_given && !taken.contains(name));
        ignored.next().map_or(Ok(()), |(name, _)| {
            let action = settings.action.to_ascii_lowercase();
            Err(self.error(name, &format!("is nothing that {action} takes"), "remove it"))
        })
    }

    fn error(&self, setting: &str, problem: &str, remedy: &str) -> SettingsError {
        SettingsError::new(&format!("{}[{}].{setting}", self.list, self.index), problem, remedy)
    }
}

/// Empty text is as good as none.
fn is_given(text: Option<&String>) -> bool {
    text.is_some_and(|text| !text.is_empty())
}
