//! Items moved to other resources, and equal resources and scopes joined.

use std::collections::HashMap;

use super::index::number;
use super::{Draft, State};
use crate::check::Part;

/// Where items go: by the bytes of everything that a container has outside its list.
#[derive(Default)]
struct Places {
    resources: HashMap<Vec<u8>, u32>,
    scopes: HashMap<(u32, Vec<u8>), u32>,
    /// By scope and new resource: most items follow one with the same.
    known: HashMap<(u32, Option<u32>), u32>,
}

impl Draft {
    /// Puts every item with a number in `homes` under that one of `resources`, which are `Resource`
    /// messages, and joins equal resources and, in them, equal scopes. Items of one scope keep their
    /// order; where nothing moves, the draft stays as it is.
    pub fn regroup(&mut self, resources: &[Vec<u8>], homes: &[Option<u32>]) {
        let mut places = Places::default();
        let mut is_moved = false;
        for index in 0..self.len() {
            if self.items().get(index).is_none_or(super::Item::is_dropped) {
                continue;
            }
            let (came, home) = (self.scope_group(index), homes.get(index).copied().flatten());
            let scope = match places.known.get(&(came, home)) {
                Some(scope) => *scope,
                None => self.find_place(came, home, resources, &mut places),
            };
            is_moved |= scope != came;
            if let Some(item) = self.columns.items.get_mut(index) {
                item.scope = scope;
            }
        }
        if is_moved {
            self.changed = true;
            let scopes = &self.columns.scopes;
            let parent = |scope: u32| scopes.get(scope as usize).map_or(0, |scope| scope.parent);
            self.columns.items.sort_by_key(|item| (parent(item.scope), item.scope));
        }
    }

    fn find_place(
        &mut self,
        came: u32,
        home: Option<u32>,
        resources: &[Vec<u8>],
        places: &mut Places,
    ) -> u32 {
        let message = home.and_then(|home| resources.get(home as usize));
        let resource = self.resource_like(self.scope_resource(came), message, places);
        let head = self.head_bytes(Part::Scope, came);
        let next = number(self.columns.scopes.len());
        let scope = *places.scopes.entry((resource, head)).or_insert_with(|| {
            if self.scope_resource(came) == resource {
                return came;
            }
            let mut copy = self.columns.scopes.get(came as usize).copied();
            if let Some(scope) = &mut copy {
                scope.parent = resource;
            }
            self.columns.scopes.extend(copy);
            next
        });
        places.known.insert((came, home), scope);
        scope
    }

    /// The group with this resource, or with a new one in its place.
    fn resource_like(&mut self, came: u32, message: Option<&Vec<u8>>, places: &mut Places) -> u32 {
        let Some(message) = message else {
            let head = self.head_bytes(Part::Resource, came);
            return *places.resources.entry(head).or_insert(came);
        };
        let next = number(self.columns.resources.len());
        let copy = self.columns.resources.get(came as usize).copied();
        self.columns.resources.extend(copy);
        self.replace_resource(next, |_, out| out.extend_from_slice(message));
        let head = self.head_bytes(Part::Resource, next);
        let group = *places.resources.entry(head).or_insert(next);
        if group != next {
            self.columns.resources.pop();
        }
        group
    }

    /// All fields of a container outside its list.
    fn head_bytes(&self, part: Part, group: u32) -> Vec<u8> {
        let containers =
            if part == Part::Scope { &self.columns.scopes } else { &self.columns.resources };
        let Some(container) = containers.get(group as usize) else { return Vec::new() };
        if let (State::Edited, Some(head)) = (container.state, container.head) {
            return head.of(&self.arena).to_vec();
        }
        let (before, after) = self.columns.rests(part, container);
        before.iter().chain(after).flat_map(|rest| rest.of(&self.input)).copied().collect()
    }
}
