//! The namespaces `string` and `file`.

use super::{Call, go_format};
use crate::alloy::evaluate::Evaluated;
use crate::source::TEXT_BYTES_MAX;
use crate::value::{Data, Value};

pub(super) fn format(call: &Call<'_>) -> Evaluated {
    let layout = call.text(0)?;
    let arguments = call.arguments.get(1..).unwrap_or_default();
    for value in arguments {
        refuse_secrets(call, value)?;
    }
    Ok(call.string(go_format::format(&layout, arguments)))
}

fn refuse_secrets(call: &Call<'_>, value: &Value) -> Result<(), Box<crate::Diagnostic>> {
    match &value.data {
        Data::Array(items) => items.iter().try_for_each(|item| refuse_secrets(call, item)),
        Data::Object(object) => {
            object.fields.iter().try_for_each(|field| refuse_secrets(call, &field.value))
        }
        Data::Secret(_) | Data::OptionalSecret { is_secret: true, .. } => {
            call.text_of(value).map(drop)
        }
        Data::Reference(_) => Err(call.wrong_type(value, "value")),
        Data::Null
        | Data::Bool(_)
        | Data::Number(_)
        | Data::String(_)
        | Data::OptionalSecret { .. } => Ok(()),
    }
}

pub(super) fn join(call: &Call<'_>) -> Evaluated {
    call.exactly(2)?;
    let parts = if call.argument(0)?.data == Data::Null { &[] } else { call.array(0)? };
    let parts = parts.iter().map(|part| call.text_of(part)).collect::<Result<Vec<_>, _>>()?;
    let separator = call.text(1)?;
    let length = parts.iter().map(String::len).sum::<usize>();
    let length = length.saturating_add(separator.len().saturating_mul(parts.len()));
    limited(call, length)?;
    Ok(call.string(parts.join(&separator)))
}

fn limited(call: &Call<'_>, length: usize) -> Result<(), Box<crate::Diagnostic>> {
    if length <= TEXT_BYTES_MAX {
        return Ok(());
    }
    Err(call.fail(format_args!("the result is longer than {} MiB", TEXT_BYTES_MAX >> 20)))
}

pub(super) fn replace(call: &Call<'_>) -> Evaluated {
    call.exactly(3)?;
    let (text, old, new) = (call.text(0)?, call.text(1)?, call.text(2)?);
    let count = text.matches(old.as_str()).count();
    limited(call, text.len().saturating_add(count.saturating_mul(new.len())))?;
    Ok(call.string(text.replace(&old, &new)))
}

pub(super) fn split(call: &Call<'_>) -> Evaluated {
    call.exactly(2)?;
    let (text, separator) = (call.text(0)?, call.text(1)?);
    let parts: Vec<Value> = if separator.is_empty() {
        text.chars().map(|part| call.string(part)).collect()
    } else {
        text.split(&separator).map(|part| call.string(part)).collect()
    };
    Ok(call.value(Data::Array(parts)))
}

pub(super) fn to_lower(call: &Call<'_>) -> Evaluated {
    call.exactly(1)?;
    Ok(call.string(mapped(&call.text(0)?, char::to_lowercase)))
}

pub(super) fn to_upper(call: &Call<'_>) -> Evaluated {
    call.exactly(1)?;
    Ok(call.string(mapped(&call.text(0)?, char::to_uppercase)))
}

/// Letter by letter: a letter whose other case is several letters stays, as in Go.
fn mapped<I: Iterator<Item = char>>(text: &str, other_case: impl Fn(char) -> I) -> String {
    let letter = |letter: char| {
        let mut letters = other_case(letter);
        match (letters.next(), letters.next()) {
            (Some(single), None) => single,
            _ => letter,
        }
    };
    text.chars().map(letter).collect()
}

pub(super) fn trim(call: &Call<'_>) -> Evaluated {
    call.exactly(2)?;
    let set: Vec<char> = call.text(1)?.chars().collect();
    Ok(call.string(call.text(0)?.trim_matches(|next| set.contains(&next))))
}

pub(super) fn trim_prefix(call: &Call<'_>) -> Evaluated {
    call.exactly(2)?;
    let (text, prefix) = (call.text(0)?, call.text(1)?);
    Ok(call.string(text.strip_prefix(prefix.as_str()).unwrap_or(&text)))
}

pub(super) fn trim_suffix(call: &Call<'_>) -> Evaluated {
    call.exactly(2)?;
    let (text, suffix) = (call.text(0)?, call.text(1)?);
    Ok(call.string(text.strip_suffix(suffix.as_str()).unwrap_or(&text)))
}

pub(super) fn trim_space(call: &Call<'_>) -> Evaluated {
    call.exactly(1)?;
    Ok(call.string(call.text(0)?.trim()))
}

pub(super) fn path_join(call: &Call<'_>) -> Evaluated {
    let parts = call.arguments.iter().map(|part| call.text_of(part));
    let parts = parts.collect::<Result<Vec<_>, _>>()?;
    let parts: Vec<_> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    if parts.is_empty() {
        return Ok(call.string(""));
    }
    Ok(call.string(clean(&parts.join("/"))))
}

/// The shortest path that means the same, by its text alone.
fn clean(path: &str) -> String {
    let is_rooted = path.starts_with('/');
    let mut kept: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if kept.last().is_some_and(|last| *last != "..") => {
                kept.pop();
            }
            ".." if is_rooted => {}
            other => kept.push(other),
        }
    }
    let joined = kept.join("/");
    match (is_rooted, joined.is_empty()) {
        (true, _) => format!("/{joined}"),
        (false, true) => ".".to_owned(),
        (false, false) => joined,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_cleaned_as_text() {
        let expected = [
            ("a/b/../c", "a/c"),
            ("/../a", "/a"),
            ("../../a", "../../a"),
            ("a/..", "."),
            ("//a///b/./", "/a/b"),
        ];
        for (path, cleaned) in expected {
            assert_eq!(clean(path), cleaned, "{path}");
        }
    }
}
