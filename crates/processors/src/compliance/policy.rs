//! From settings and packs to one policy: an action for each detector and key.

use bessemer_pipeline::SettingsError;
use regex::Regex;

use super::detect::{ALL, Allowed, Detector, Scanner};
use super::key_rule::KeyRule;
use super::pack::{self, Pack};
use super::prefilter::KEY;
use super::settings::{Action, AllowSettings, Settings};

const NAMES_MAX: usize = 10_000;
const KEY_RULES_MAX: usize = 1_000;
const KEY_BYTES_MIN: usize = 16;
const PATTERNS_MAX: usize = 1_000;

/// What counts and what is done about it.
#[derive(Debug)]
pub(super) struct Policy {
    pub(super) scanner: Scanner,
    pub(super) actions: [Action; ALL.len()],
    pub(super) keys: Vec<KeyRule>,
    pub(super) allowed: Allowed,
    pub(super) packs: Vec<Pack>,
}

impl Policy {
    pub(super) fn new(settings: &Settings) -> Result<Self, SettingsError> {
        let packs = pack::load(&settings.packs, &settings.pack_files)?;
        let (is_on, actions) = detectors(settings, &packs)?;
        let keys = key_rules(settings, &packs)?;
        if settings.names.len() > NAMES_MAX
            || settings.names.iter().any(|name| name.trim().is_empty())
        {
            let problem = "is too long or has an empty name";
            return Err(SettingsError::new("names", problem, format!("at most {NAMES_MAX} names")));
        }
        let used = actions.iter().zip(is_on).filter(|(_, is_on)| *is_on).map(|(action, _)| *action);
        let mut used = used.chain(keys.iter().map(|rule| rule.action));
        let is_keyed = used.any(|action| matches!(action, Action::Hash | Action::Tokenise));
        check_key(settings, is_keyed)?;
        let words: Vec<(String, u16)> =
            keys.iter().map(|rule| (rule.last_word().to_owned(), KEY)).collect();
        let scanner = Scanner::new(is_on, &settings.names, &words)
            .map_err(|problem| SettingsError::new("names", problem, "shorten names and keys"))?;
        Ok(Self { scanner, actions, keys, allowed: allowed(&settings.allow)?, packs })
    }

    /// What is done with the findings of a detector.
    pub(super) fn action(&self, detector: Detector) -> Action {
        self.actions.get(detector.index()).copied().unwrap_or_default()
    }

    /// Whether any record can be blocked.
    pub(super) fn blocks(&self) -> bool {
        let on = ALL.into_iter().filter(|detector| self.scanner.is_on(*detector));
        on.map(|detector| self.action(detector))
            .chain(self.keys.iter().map(|rule| rule.action))
            .any(|action| action == Action::Block)
    }
}

type Detectors = ([bool; ALL.len()], [Action; ALL.len()]);

fn detectors(settings: &Settings, packs: &[Pack]) -> Result<Detectors, SettingsError> {
    let names_any = !packs.is_empty() || settings.detector.iter().any(|one| one.enabled);
    let mut chosen: [Option<Action>; ALL.len()] = [None; ALL.len()];
    for detector in ALL.into_iter().filter(|one| !names_any && *one != Detector::Key) {
        set(&mut chosen, detector, Some(settings.action));
    }
    for pack in packs {
        for (name, action) in &pack.detectors {
            let detector = detector(name, "pack_files")?;
            let before = chosen.get(detector.index()).copied().flatten();
            set(&mut chosen, detector, before.max(Some(*action)));
        }
    }
    for (index, one) in settings.detector.iter().enumerate() {
        let detector = detector(&one.name, &format!("detector[{index}].name"))?;
        let before = chosen.get(detector.index()).copied().flatten();
        let action = one.action.or(before).unwrap_or(settings.action);
        set(&mut chosen, detector, one.enabled.then_some(action));
    }
    Ok((chosen.map(|action| action.is_some()), chosen.map(Option::unwrap_or_default)))
}

fn set(chosen: &mut [Option<Action>], detector: Detector, action: Option<Action>) {
    if let Some(place) = chosen.get_mut(detector.index()) {
        *place = action;
    }
}

fn detector(name: &str, path: &str) -> Result<Detector, SettingsError> {
    Detector::named(name).filter(|detector| *detector != Detector::Key).ok_or_else(|| {
        let known: Vec<&str> =
            ALL.into_iter().filter(|one| *one != Detector::Key).map(Detector::name).collect();
        let problem = format!("can not be {name:?}");
        SettingsError::new(path, problem, format!("one of {}", known.join(", ")))
    })
}

/// Rules of the settings first: the first one that fits a key counts.
fn key_rules(settings: &Settings, packs: &[Pack]) -> Result<Vec<KeyRule>, SettingsError> {
    let mut rules: Vec<KeyRule> = Vec::new();
    for (index, rule) in settings.key_rule.iter().enumerate() {
        let made = KeyRule::new(&rule.key, rule.action.unwrap_or(settings.action));
        if made.last_word().is_empty() {
            let path = format!("key_rule[{index}].key");
            return Err(SettingsError::new(&path, "has no letter or digit", "name a key"));
        }
        rules.push(made);
    }
    let mut keys: Vec<(&String, &Action)> = packs.iter().flat_map(|pack| &pack.keys).collect();
    keys.sort_by_key(|(key, action)| (key.len(), **action));
    keys.reverse();
    rules.extend(keys.into_iter().map(|(key, action)| KeyRule::new(key, *action)));
    rules.retain(|rule| !rule.last_word().is_empty());
    if rules.len() > KEY_RULES_MAX {
        let problem = format!("are {}", rules.len());
        return Err(SettingsError::new("key_rule", problem, format!("at most {KEY_RULES_MAX}")));
    }
    Ok(rules)
}

fn check_key(settings: &Settings, is_keyed: bool) -> Result<(), SettingsError> {
    let len = settings.key.as_ref().map_or(0, |key| key.expose().len());
    let remedy = "set key to a secret of at least 16 bytes, such as sys.env(\"COMPLIANCE_KEY\")";
    if is_keyed && len == 0 {
        return Err(SettingsError::new("key", "is not set, but hash or tokenise needs it", remedy));
    }
    if settings.key.is_some() && len < KEY_BYTES_MIN {
        return Err(SettingsError::new("key", format!("has {len} bytes"), remedy));
    }
    Ok(())
}

fn allowed(settings: &AllowSettings) -> Result<Allowed, SettingsError> {
    let compile = |patterns: &[String], path: &str| -> Result<Vec<Regex>, SettingsError> {
        if patterns.len() > PATTERNS_MAX {
            return Err(SettingsError::new(path, "is too long", format!("at most {PATTERNS_MAX}")));
        }
        let compiled = patterns.iter().map(|pattern| {
            Regex::new(pattern).map_err(|error| {
                SettingsError::new(path, format!("{pattern:?}: {error}"), "write an RE2 expression")
            })
        });
        compiled.collect()
    };
    Ok(Allowed {
        values: settings.values.clone(),
        patterns: compile(&settings.patterns, "allow.patterns")?,
        keys: compile(&settings.keys, "allow.keys")?,
    })
}
