//! Which rules are for which service: each service that a rule names has a number, and the number of a
//! record is looked up once for its resource.

use std::collections::BTreeMap;

use bessemer_record::Draft;
use bessemer_record::value::AnyValue;

use crate::rules::RuleSettings;

/// The number of a service that no rule names.
pub(super) const OTHERS: u16 = 0;
/// Where a resource says which service it is.
const KEY: &[u8] = b"service.name";

/// The services that rules name.
#[derive(Debug)]
pub(super) struct Services {
    numbers: BTreeMap<Vec<u8>, u16>,
    /// For each rule, the numbers of its services; empty for a rule that is for all.
    by_rule: Vec<Vec<u16>>,
}

impl Services {
    pub(super) fn new(rules: &[RuleSettings]) -> Self {
        let mut numbers: BTreeMap<Vec<u8>, u16> = BTreeMap::new();
        for name in rules.iter().flat_map(|rule| &rule.services) {
            let next = u16::try_from(numbers.len() + 1).unwrap_or(u16::MAX);
            numbers.entry(name.clone().into_bytes()).or_insert(next);
        }
        let number = |name: &String| numbers.get(name.as_bytes()).copied();
        let by_rule =
            rules.iter().map(|rule| rule.services.iter().filter_map(number).collect()).collect();
        Self { numbers, by_rule }
    }

    /// All numbers, that of services without rules of their own first.
    pub(super) fn numbers(&self) -> impl Iterator<Item = u16> {
        OTHERS..=self.numbers.values().copied().max().unwrap_or(OTHERS)
    }

    /// Whether a rule is for a service.
    #[inline]
    pub(super) fn has(&self, rule: usize, service: u16) -> bool {
        self.by_rule.get(rule).is_none_or(|own| own.is_empty() || own.contains(&service))
    }

    /// The number of each resource of a batch; none if no rule names a service.
    pub(super) fn of_resources(&self, draft: &Draft) -> Vec<u16> {
        if self.numbers.is_empty() {
            return Vec::new();
        }
        let mut found = vec![OTHERS; draft.resource_groups() as usize];
        let mut last = None;
        for item in 0..draft.len() {
            let group = draft.resource_group(item);
            if last.replace(group) != Some(group)
                && let Some(number) = found.get_mut(group as usize)
            {
                *number = self.of_item(draft, item);
            }
        }
        found
    }

    /// The number of the service of one record.
    pub(super) fn of_item(&self, draft: &Draft, item: usize) -> u16 {
        if self.numbers.is_empty() {
            return OTHERS;
        }
        let name = draft.resource_attribute(item, KEY).and_then(AnyValue::as_str);
        name.and_then(|name| self.numbers.get(name.as_bytes())).copied().unwrap_or(OTHERS)
    }
}
