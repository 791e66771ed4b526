//! Commands of key-value stores without their arguments, and JSON without its values.

use serde_json::Value;

/// What stands in place of what was taken out.
const HIDDEN: &str = "?";
/// Depth of JSON that is looked into; what lies deeper is taken out in whole.
const DEPTH_MAX: usize = 32;

/// Commands of Redis, one a line: the first word of each stays.
pub(super) fn redis(text: &str) -> String {
    let line = |line: &str| {
        let mut words = line.split_whitespace();
        let command = words.next().unwrap_or_default();
        if words.next().is_some() { format!("{command} {HIDDEN}") } else { command.to_owned() }
    };
    text.lines().map(line).collect::<Vec<_>>().join("\n")
}

/// A command of memcached: its first line stays, which holds no value.
pub(super) fn memcached(text: &str) -> String {
    text.lines().next().unwrap_or_default().trim_end().to_owned()
}

/// JSON with its keys alone, in the order of the alphabet; anything else becomes one question mark.
pub(super) fn json(text: &str) -> String {
    let Ok(mut value) = serde_json::from_str::<Value>(text) else { return HIDDEN.to_owned() };
    hide(&mut value, 0);
    value.to_string()
}

fn hide(value: &mut Value, depth: usize) {
    match value {
        Value::Object(fields) if depth < DEPTH_MAX => {
            for field in fields.values_mut() {
                hide(field, depth + 1);
            }
        }
        Value::Array(items) if depth < DEPTH_MAX => {
            for item in items {
                hide(item, depth + 1);
            }
        }
        Value::Null
        | Value::Bool(_)
        | Value::Number(_)
        | Value::String(_)
        | Value::Array(_)
        | Value::Object(_) => *value = Value::String(HIDDEN.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_lose_their_arguments() {
        assert_eq!(redis("SET session:1 hunter2"), "SET ?");
        assert_eq!(redis("MULTI\nAUTH  hunter2\n\nEXEC"), "MULTI\nAUTH ?\n\nEXEC");
        assert_eq!(memcached("set key 0 900 7\r\nhunter2\r\n"), "set key 0 900 7");
        assert_eq!(memcached(""), "");
    }

    #[test]
    fn json_keeps_its_keys_and_nothing_else() {
        let hidden = json(r#"{"find":"users","filter":{"age":{"$gt":21},"in":["a",null,true]}}"#);
        assert_eq!(hidden, r#"{"filter":{"age":{"$gt":"?"},"in":["?","?","?"]},"find":"?"}"#);
        assert_eq!(json("db.users.find({name: 'hunter2'})"), "?");
        let deep = "[".repeat(100) + "\"hunter2\"" + &"]".repeat(100);
        assert!(!json(&deep).contains("hunter2"));
    }
}
