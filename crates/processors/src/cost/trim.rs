//! Makes records shorter.

use bessemer_record::edit::{self, Target};
use bessemer_record::{Draft, Signal};
use bessemer_runtime::ByteSize;

use super::settings::RuleSettings;

/// What to leave out.
#[derive(Debug)]
pub(super) struct Trim {
    attributes: Vec<String>,
    value_bytes_max: Option<usize>,
    body_bytes_max: Option<usize>,
}

impl Trim {
    pub(super) fn new(settings: &RuleSettings) -> Self {
        Self {
            attributes: settings.attributes.clone(),
            value_bytes_max: settings.value_bytes_max.map(ByteSize::as_usize),
            body_bytes_max: settings.body_bytes_max.map(ByteSize::as_usize),
        }
    }

    pub(super) fn run(&self, draft: &mut Draft, index: usize, out: &mut Vec<u8>) {
        let target = Target::from(draft.signal());
        if !self.attributes.is_empty() {
            let is_picked = |key: &str| self.attributes.iter().any(|known| known == key);
            change(draft, index, out, |message, out| {
                edit::delete_where(target, message, |key, _| is_picked(key.as_str()), out)
            });
        }
        if let Some(bytes_max) = self.value_bytes_max {
            change(draft, index, out, |message, out| {
                edit::truncate(target, message, bytes_max, out)
            });
        }
        if let Some(bytes_max) = self.body_bytes_max.filter(|_| draft.signal() == Signal::Logs) {
            change(draft, index, out, |message, out| edit::truncate_body(message, bytes_max, out));
        }
    }
}

fn change(
    draft: &mut Draft,
    index: usize,
    out: &mut Vec<u8>,
    edit: impl FnOnce(&[u8], &mut Vec<u8>) -> bool,
) {
    out.clear();
    if edit(draft.item_bytes(index), out) {
        draft.replace_item(index, |_, message| message.extend_from_slice(out));
    }
}
