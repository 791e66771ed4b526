//! A settings type's JSON Schema as Markdown tables: one for the component, one per nested block.

use std::fmt::Write;

use serde_json::{Map, Value};

const HEAD: &str = "\n| Name | Type | Required | Default | |\n|---|---|---|---|---|\n";
/// A settings type that contains itself ends here.
const DEPTH_MAX: usize = 6;

/// All tables of a settings type.
pub(super) fn tables(root: &Value) -> String {
    let schema = Schema { root };
    let mut text = String::new();
    schema.write_block(&mut text, root, "", 0);
    if text.is_empty() { "\nNone.\n".into() } else { text }
}

struct Schema<'a> {
    root: &'a Value,
}

impl Schema<'_> {
    fn write_block(&self, text: &mut String, block: &Value, path: &str, depth: usize) {
        let fields = self.fields(block);
        if fields.is_empty() || depth > DEPTH_MAX {
            return;
        }
        text.push_str(HEAD);
        let rows = fields.iter().map(|field| field.row(&self.type_name(&field.schema, 0)));
        text.extend(rows);
        for field in &fields {
            let Some(nested) = self.nested(&field.schema) else { continue };
            let path =
                if path.is_empty() { field.name.clone() } else { format!("{path}.{}", field.name) };
            let mut below = String::new();
            self.write_block(&mut below, &nested, &path, depth + 1);
            if !below.is_empty() {
                write!(text, "\n### `{path}`\n{below}").unwrap_or_default();
            }
        }
    }

    /// The fields of an object, with those of its variants and of flattened parts.
    fn fields(&self, block: &Value) -> Vec<Field> {
        let block = self.resolved(block);
        let mut fields: Vec<Field> = Vec::new();
        let required = |name: &str| {
            let list = block.get("required").and_then(Value::as_array);
            list.is_some_and(|list| list.iter().any(|entry| entry == name))
        };
        for (name, schema) in
            block.get("properties").and_then(Value::as_object).into_iter().flatten()
        {
            let schema = self.resolved(schema);
            fields.push(Field { name: name.clone(), is_required: required(name), schema });
        }
        let parts =
            [("allOf", Presence::AsSaid), ("anyOf", Presence::Free), ("oneOf", Presence::Free)];
        for (part, presence) in parts {
            let variants = block.get(part).and_then(Value::as_array).into_iter().flatten();
            for mut field in variants.flat_map(|variant| self.fields(variant)) {
                field.is_required &= matches!(presence, Presence::AsSaid);
                if fields.iter().all(|known| known.name != field.name) {
                    fields.push(field);
                }
            }
        }
        fields.sort_by(|a, b| b.is_required.cmp(&a.is_required).then(a.name.cmp(&b.name)));
        fields
    }

    /// The block inside a field: itself, the elements of its list, or the values of its map.
    fn nested(&self, schema: &Value) -> Option<Value> {
        let schema = self.resolved(schema);
        if !self.fields(&schema).is_empty() {
            return Some(schema);
        }
        ["items", "additionalProperties"]
            .iter()
            .filter_map(|part| schema.get(part))
            .map(|inner| self.resolved(inner))
            .find(|inner| !self.fields(inner).is_empty())
    }

    /// `schema` with its reference followed and its "or null" removed; what stands beside the
    /// reference wins, because a field's own text says more than its type's.
    fn resolved(&self, schema: &Value) -> Value {
        let Value::Object(own) = schema else { return schema.clone() };
        let mut merged = Map::new();
        if let Some(target) = own.get("$ref").and_then(Value::as_str) {
            let target = target.strip_prefix('#').and_then(|path| self.root.pointer(path));
            if let Some(Value::Object(fields)) = target.map(|target| self.resolved(target)) {
                merged = fields;
            }
        }
        if let [only] = without_null(own).as_slice()
            && let Value::Object(fields) = self.resolved(only)
        {
            merged.extend(fields);
        }
        for (name, value) in own {
            let is_choice = name == "anyOf" || name == "oneOf";
            let replaced = name == "$ref" || (is_choice && without_null(own).len() == 1);
            if !replaced {
                merged.insert(name.clone(), value.clone());
            }
        }
        Value::Object(merged)
    }

    fn type_name(&self, schema: &Value, depth: usize) -> String {
        if depth > DEPTH_MAX {
            return "any".to_owned();
        }
        let schema = self.resolved(schema);
        if let Some(format @ ("size" | "duration" | "secret")) =
            schema.get("format").and_then(Value::as_str)
        {
            return format.to_owned();
        }
        if schema.get("format").and_then(Value::as_str) == Some("ignored") {
            return "any, without effect".to_owned();
        }
        let literals = self.literals(&schema);
        if !literals.is_empty() {
            return literals.join(" or ");
        }
        if !self.fields(&schema).is_empty() {
            return "block".to_owned();
        }
        let choices = schema.get("anyOf").or_else(|| schema.get("oneOf")).and_then(Value::as_array);
        if let Some(choices) = choices {
            let names: Vec<String> =
                choices.iter().map(|choice| self.type_name(choice, depth + 1)).collect();
            return names.join(" or ");
        }
        let names = match schema.get("type") {
            Some(Value::String(name)) => vec![name.as_str()],
            Some(Value::Array(names)) => {
                names.iter().filter_map(Value::as_str).filter(|name| *name != "null").collect()
            }
            _ => return "any".to_owned(),
        };
        let names: Vec<String> =
            names.into_iter().map(|name| self.one_type(name, &schema, depth)).collect();
        names.join(" or ")
    }

    fn one_type(&self, name: &str, schema: &Value, depth: usize) -> String {
        let inner = |part: &str| schema.get(part).map(|inner| self.type_name(inner, depth + 1));
        match (name, inner("items"), inner("additionalProperties")) {
            ("array", Some(element), _) if element == "block" => "block, repeatable".into(),
            ("array", Some(element), _) => format!("list of {element}"),
            ("object", _, Some(element)) => format!("map of {element}"),
            ("object", ..) => "map".into(),
            (name, ..) => name.to_owned(),
        }
    }

    /// The values of an enum of plain values.
    fn literals(&self, schema: &Value) -> Vec<String> {
        if let Some(value) = schema.get("const") {
            return vec![code(value)];
        }
        if let Some(values) = schema.get("enum").and_then(Value::as_array) {
            return values.iter().filter(|value| !value.is_null()).map(code).collect();
        }
        let choices = schema.get("oneOf").or_else(|| schema.get("anyOf")).and_then(Value::as_array);
        let Some(choices) = choices else { return Vec::new() };
        let literals: Vec<Vec<String>> =
            choices.iter().map(|choice| self.literals(&self.resolved(choice))).collect();
        if literals.iter().any(Vec::is_empty) { Vec::new() } else { literals.concat() }
    }
}

/// Whether a field that a part requires is required of the whole.
enum Presence {
    AsSaid,
    Free,
}

struct Field {
    name: String,
    is_required: bool,
    schema: Value,
}

impl Field {
    fn row(&self, type_name: &str) -> String {
        let required = if self.is_required { "yes" } else { "no" };
        let default = self.schema.get("default").filter(|value| !value.is_null());
        let default = match default {
            Some(Value::Object(_)) | None => String::new(),
            Some(value) => code(value),
        };
        let text = self.description();
        format!("| `{}` | {type_name} | {required} | {default} | {text} |\n", self.name)
    }

    /// The doc comment on one line, then those of the values it may take, then its other names.
    fn description(&self) -> String {
        let own = self.schema.get("description").and_then(Value::as_str);
        let mut parts: Vec<String> = own.map(cell).into_iter().collect();
        let choices = self.schema.get("oneOf").and_then(Value::as_array);
        for choice in choices.into_iter().flatten() {
            if let (Some(value), Some(text)) =
                (choice.get("const"), choice.get("description").and_then(Value::as_str))
            {
                parts.push(format!("{}: {}", code(value), cell(text)));
            }
        }
        let aliases = self.schema.get("x-aliases").and_then(Value::as_array);
        let aliases: Vec<String> = aliases
            .into_iter()
            .flatten()
            .filter_map(|alias| alias.as_str().map(|name| format!("`{name}`")))
            .collect();
        if !aliases.is_empty() {
            parts.push(format!("Also named {}.", aliases.join(", ")));
        }
        parts.join("<br>")
    }
}

/// The choices other than null, when null is one of them.
fn without_null(own: &Map<String, Value>) -> Vec<&Value> {
    let choices = own.get("anyOf").or_else(|| own.get("oneOf")).and_then(Value::as_array);
    let Some(choices) = choices else { return Vec::new() };
    let is_null = |choice: &&Value| choice.get("type").is_some_and(|name| name == "null");
    if !choices.iter().any(|choice| is_null(&choice)) {
        return Vec::new();
    }
    choices.iter().filter(|choice| !is_null(choice)).collect()
}

fn code(value: &Value) -> String {
    format!("`{}`", cell(&value.to_string()))
}

fn cell(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn check(schema: &Value, expected: &[&str]) {
        let text = tables(schema);
        let rows: Vec<&str> = text
            .lines()
            .filter(|line| !line.is_empty() && !line.contains("---") && !line.contains("| Name |"))
            .collect();
        assert_eq!(rows, expected, "{text}");
    }

    #[test]
    fn required_fields_come_first_and_text_stays_on_one_line() {
        check(
            &json!({"properties": {
                "a": {"type": "integer", "default": 5, "description": "Counts\n a | b."},
                "z": {"type": ["string", "null"]},
                "endpoint": {"type": "string"}
            }, "required": ["endpoint"]}),
            &[
                "| `endpoint` | string | yes |  |  |",
                "| `a` | integer | no | `5` | Counts a \\| b. |",
                "| `z` | string | no |  |  |",
            ],
        );
    }

    #[test]
    fn a_nested_block_has_its_own_table_under_its_path() {
        check(
            &json!({
                "properties": {"http": {"anyOf": [{"$ref": "#/$defs/Http"}, {"type": "null"}]}},
                "$defs": {
                    "Http": {"type": "object", "description": "The listener.", "properties": {
                        "tls": {"$ref": "#/$defs/Tls", "description": "Off without it."}}},
                    "Tls": {"type": "object", "properties": {"cert_file": {"type": "string"}}}
                }
            }),
            &[
                "| `http` | block | no |  | The listener. |",
                "### `http`",
                "| `tls` | block | no |  | Off without it. |",
                "### `http.tls`",
                "| `cert_file` | string | no |  |  |",
            ],
        );
    }

    #[test]
    fn types_are_named_as_people_write_them() {
        check(
            &json!({
                "properties": {
                    "a": {"$ref": "#/$defs/Size", "default": "10MB"},
                    "b": {"oneOf": [
                        {"const": "disk", "description": "Synced."}, {"const": "memory"}]},
                    "c": {"type": "array", "items": {"type": "string"}},
                    "d": {"type": "array", "items": {"$ref": "#/$defs/Row"}},
                    "e": {"type": "object", "additionalProperties": {"type": "string"}},
                    "f": {"enum": ["x", "y"]},
                    "g": {"type": "string", "x-aliases": ["old"]},
                    "h": true
                },
                "$defs": {
                    "Size": {"type": ["string", "integer"], "format": "size"},
                    "Row": {"type": "object", "properties": {"value": {"type": "string"}}}
                }
            }),
            &[
                "| `a` | size | no | `\"10MB\"` |  |",
                "| `b` | `\"disk\"` or `\"memory\"` | no |  | `\"disk\"`: Synced. |",
                "| `c` | list of string | no |  |  |",
                "| `d` | block, repeatable | no |  |  |",
                "| `e` | map of string | no |  |  |",
                "| `f` | `\"x\"` or `\"y\"` | no |  |  |",
                "| `g` | string | no |  | Also named `old`. |",
                "| `h` | any | no |  |  |",
                "### `d`",
                "| `value` | string | no |  |  |",
            ],
        );
    }

    #[test]
    fn fields_of_tagged_variants_are_joined() {
        check(
            &json!({"oneOf": [
                {"properties": {"kind": {"const": "a"}, "x": {"type": "string"}}, "required": ["kind"]},
                {"properties": {"y": {"type": "boolean"}}}
            ]}),
            &[
                "| `kind` | `\"a\"` | no |  |  |",
                "| `x` | string | no |  |  |",
                "| `y` | boolean | no |  |  |",
            ],
        );
    }

    #[test]
    fn a_type_that_contains_itself_ends() {
        check(
            &json!({"properties": {"a": {"$ref": "#/$defs/List"}},
                "$defs": {"List": {"type": "array", "items": {"$ref": "#/$defs/List"}}}}),
            &[&format!("| `a` | {}any | no |  |  |", "list of ".repeat(DEPTH_MAX + 1))],
        );
        let tree = json!({"properties": {"node": {"$ref": "#/$defs/Node"}}, "$defs": {"Node": {
            "properties": {"below": {"$ref": "#/$defs/Node"}}}}});
        assert!(tables(&tree).contains("### `node.below`"));
    }

    #[test]
    fn a_component_without_settings_says_so() {
        assert_eq!(tables(&json!({"type": "object"})), "\nNone.\n");
    }
}
