//! Editors: functions that change the record.

mod lists;
mod maps;
mod replace;

use crate::error::RunError;
use crate::functions::{Call, Edit, Function, Kind, Rooms, Site, may, need};
use crate::pattern;
use crate::record::Record;
use crate::seen::Seen;
use crate::value::Value;

/// All editors.
pub(crate) const LIST: &[Function] = &[
    Function::editor("set", &[need("target", Kind::Target), need("value", Kind::Any)], set)
        .in_place(set_in_place),
    Function::editor(
        "append",
        &[need("target", Kind::Target), may("value", Kind::Any), may("values", Kind::List)],
        lists::append,
    ),
    Function::editor(
        "delete_index",
        &[
            need("target", Kind::Target),
            need("start_index", Kind::Int),
            may("end_index", Kind::Int),
        ],
        lists::delete_index,
    ),
    Function::editor(
        "delete_key",
        &[need("target", Kind::Target), need("key", Kind::Text)],
        maps::delete_key,
    )
    .in_place(maps::delete_key_in_place),
    Function::editor(
        "delete_keys",
        &[need("target", Kind::Target), need("keys", Kind::List)],
        maps::delete_keys,
    ),
    Function::editor(
        "delete_matching_keys",
        &[need("target", Kind::Target), need("pattern", Kind::Word)],
        maps::delete_matching_keys,
    )
    .preparing(|literals| pattern::prepared(literals, 1)),
    Function::editor(
        "keep_matching_keys",
        &[need("target", Kind::Target), need("pattern", Kind::Word)],
        maps::keep_matching_keys,
    )
    .preparing(|literals| pattern::prepared(literals, 1)),
    Function::editor(
        "keep_keys",
        &[need("target", Kind::Target), need("keys", Kind::List)],
        maps::keep_keys,
    ),
    Function::editor(
        "limit",
        &[
            need("target", Kind::Target),
            need("limit", Kind::Number),
            need("priority_keys", Kind::Words),
        ],
        maps::limit,
    )
    .preparing(maps::check_limit),
    Function::editor(
        "truncate_all",
        &[need("target", Kind::Target), need("limit", Kind::Number)],
        maps::truncate_all,
    )
    .preparing(maps::check_length)
    .in_place(maps::truncate_all_in_place),
    Function::editor(
        "flatten",
        &[
            need("target", Kind::Target),
            may("prefix", Kind::Word),
            may("depth", Kind::Number),
            may("resolve_conflicts", Kind::Flag),
        ],
        maps::flatten,
    )
    .preparing(maps::check_depth),
    Function::editor(
        "merge_maps",
        &[need("target", Kind::Target), need("source", Kind::Map), need("strategy", Kind::Word)],
        maps::merge_maps,
    )
    .preparing(maps::check_strategy),
    Function::editor(
        "replace_match",
        &[
            need("target", Kind::Target),
            need("pattern", Kind::Word),
            need("replacement", Kind::Text),
            may("function", Kind::Function),
            may("replacement_format", Kind::Text),
        ],
        replace::replace_match,
    )
    .preparing(|literals| replace::prepared_glob(literals, 1)),
    Function::editor(
        "replace_all_matches",
        &[
            need("target", Kind::Target),
            need("pattern", Kind::Word),
            need("replacement", Kind::Text),
            may("function", Kind::Function),
            may("replacement_format", Kind::Text),
        ],
        replace::replace_all_matches,
    )
    .preparing(|literals| replace::prepared_glob(literals, 1)),
    Function::editor(
        "replace_pattern",
        &[
            need("target", Kind::Target),
            need("regex", Kind::Word),
            need("replacement", Kind::Text),
            may("function", Kind::Function),
            may("replacement_format", Kind::Text),
        ],
        replace::replace_pattern,
    )
    .preparing(|literals| pattern::prepared(literals, 1))
    .in_place(replace::replace_pattern_in_place),
    Function::editor(
        "replace_all_patterns",
        &[
            need("target", Kind::Target),
            need("mode", Kind::Word),
            need("regex", Kind::Word),
            need("replacement", Kind::Text),
            may("function", Kind::Function),
            may("replacement_format", Kind::Text),
        ],
        replace::replace_all_patterns,
    )
    .preparing(replace::prepared_mode),
];

/// Sets an attribute of the record to text, a number or a truth value without a copy of it.
fn set_in_place(edit: &Edit<'_>, record: &mut Record<'_>) -> Result<bool, RunError> {
    let Some(path) = edit.target() else { return Ok(false) };
    let Some(key) = record.own_key(path) else { return Ok(false) };
    Rooms::with(|rooms| {
        let site = Site::of(edit, record);
        let value = site.see(1, &mut rooms.made)?;
        rooms.encoded.clear();
        if let Some(size) = value.encode(&mut rooms.encoded) {
            record.step()?;
            record.fits(size)?;
            record.set_own(key, &rooms.encoded);
        } else if !matches!(value, Seen::Nil) {
            let value = value.into_value();
            record.set(path, value, edit.environment())?;
        }
        Ok(true)
    })
}

fn set(call: &Call<'_>, record: &mut Record<'_>) -> Result<(), RunError> {
    match call.value(1) {
        Value::Nil => Ok(()),
        value => call.write_target(record, value.clone()),
    }
}
