//! Labelled messages from files: JSON lines and CSV with a header.

use std::io::{BufRead, Read};

use thiserror::Error;

use crate::class::Class;
use crate::model::train::{EXAMPLES_MAX, Example};
use crate::rules::severity;

/// Bytes of one line at most.
pub const LINE_BYTES_MAX: u64 = 1 << 20;

/// How the rows of a file are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// One JSON object per line.
    JsonLines,
    /// Comma separated, quoted as in RFC 4180 but on one line; the first line names the columns.
    Csv,
}

/// The names of the columns.
#[derive(Debug, Clone)]
pub struct Columns {
    /// The message.
    pub text: String,
    /// Its class.
    pub label: String,
    /// The id of its template, if there is one.
    pub id: Option<String>,
    /// The level as its program wrote it, a name or a number of OpenTelemetry, if the model may see
    /// it; one that is not known counts as none.
    pub level: Option<String>,
}

/// One labelled message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The message and its class.
    pub example: Example,
    /// The id of its template.
    pub id: Option<String>,
}

/// Why a file cannot be used; lines are counted from one.
#[derive(Debug, Error)]
pub enum DatasetError {
    /// It cannot be read.
    #[error("cannot be read")]
    Read(#[from] std::io::Error),
    /// A line is no JSON object.
    #[error("line {line} is not a JSON object")]
    Json {
        /// The line.
        line: usize,
    },
    /// A line is longer than allowed.
    #[error("line {line} is longer than {LINE_BYTES_MAX} bytes")]
    Long {
        /// The line.
        line: usize,
    },
    /// A column is missing.
    #[error("line {line} has no {column:?}")]
    Column {
        /// The line.
        line: usize,
        /// The column.
        column: String,
    },
    /// A label is none of the three classes.
    #[error("line {line} has the label {label:?}, which is none of critical, warning, info")]
    Label {
        /// The line.
        line: usize,
        /// The label.
        label: String,
    },
    /// More rows than allowed.
    #[error("more than {EXAMPLES_MAX} rows")]
    TooMany,
}

/// Reads all rows; empty lines are skipped.
pub fn read(
    mut input: impl BufRead,
    form: Form,
    columns: &Columns,
) -> Result<Vec<Row>, DatasetError> {
    let mut rows = Vec::new();
    let mut header: Option<Vec<String>> = None;
    let mut buffer = Vec::new();
    for line in 1.. {
        buffer.clear();
        let length = input.by_ref().take(LINE_BYTES_MAX + 1).read_until(b'\n', &mut buffer)?;
        if length == 0 {
            break;
        }
        if length as u64 > LINE_BYTES_MAX {
            return Err(DatasetError::Long { line });
        }
        let text = String::from_utf8_lossy(&buffer);
        let text = text.trim_start_matches('\u{feff}').trim_end_matches(['\r', '\n']);
        if text.is_empty() {
            continue;
        }
        let cell = |column: &str| match (form, &header) {
            (Form::JsonLines, _) => Ok(json_cell(text, column, line)?),
            (Form::Csv, None) => Ok(None),
            (Form::Csv, Some(header)) => Ok(csv_cell(text, header, column)),
        };
        if form == Form::Csv && header.is_none() {
            header = Some(csv(text));
            continue;
        }
        if rows.len() >= EXAMPLES_MAX {
            return Err(DatasetError::TooMany);
        }
        rows.push(row(columns, line, cell)?);
    }
    Ok(rows)
}

fn row(
    columns: &Columns,
    line: usize,
    cell: impl Fn(&str) -> Result<Option<String>, DatasetError>,
) -> Result<Row, DatasetError> {
    let needed = |column: &str| {
        let missing = || DatasetError::Column { line, column: column.to_owned() };
        cell(column)?.ok_or_else(missing)
    };
    let text = needed(&columns.text)?;
    let label = needed(&columns.label)?;
    let class = Class::ALL.into_iter().find(|class| label.eq_ignore_ascii_case(class.as_str()));
    let class = class.ok_or(DatasetError::Label { line, label })?;
    let id = match &columns.id {
        Some(column) => Some(needed(column)?),
        None => None,
    };
    let level = match &columns.level {
        Some(column) => cell(column)?,
        None => None,
    };
    let severity = level.and_then(|level| severity(level.trim())).unwrap_or_default();
    Ok(Row { example: Example { text, severity, class }, id })
}

fn json_cell(text: &str, column: &str, line: usize) -> Result<Option<String>, DatasetError> {
    let object: serde_json::Map<String, serde_json::Value> =
        serde_json::from_str(text).map_err(|_| DatasetError::Json { line })?;
    Ok(object.get(column).and_then(|value| match value {
        serde_json::Value::Null => None,
        serde_json::Value::String(text) => Some(text.clone()),
        serde_json::Value::Bool(_)
        | serde_json::Value::Number(_)
        | serde_json::Value::Array(_)
        | serde_json::Value::Object(_) => Some(value.to_string()),
    }))
}

fn csv_cell(text: &str, header: &[String], column: &str) -> Option<String> {
    let index = header.iter().position(|name| name == column)?;
    csv(text).into_iter().nth(index)
}

/// The cells of a line.
fn csv(line: &str) -> Vec<String> {
    let mut cells = vec![String::new()];
    let mut characters = line.chars().peekable();
    let mut quoted = false;
    while let Some(character) = characters.next() {
        let Some(cell) = cells.last_mut() else { break };
        match character {
            '"' if quoted && characters.peek() == Some(&'"') => {
                characters.next();
                cell.push('"');
            }
            '"' if quoted || cell.is_empty() => quoted = !quoted,
            ',' if !quoted => cells.push(String::new()),
            other => cell.push(other),
        }
    }
    cells
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn columns() -> Columns {
        Columns {
            text: "message".into(),
            label: "class".into(),
            id: Some("id".into()),
            level: None,
        }
    }

    #[test]
    fn json_lines_and_csv_say_the_same() {
        let json = "{\"message\":\"a \\\"b\\\", c\",\"class\":\"critical\",\"id\":7}\n";
        let table = "id,class,message\r\n7,Critical,\"a \"\"b\"\", c\"\r\n";
        let from_json = read(json.as_bytes(), Form::JsonLines, &columns()).unwrap();
        assert_eq!(from_json, read(table.as_bytes(), Form::Csv, &columns()).unwrap());
        assert_eq!(from_json[0].example.text, "a \"b\", c");
    }

    #[test]
    fn a_level_is_read_by_name_and_number_and_an_odd_one_counts_as_none() {
        let columns = Columns { id: None, level: Some("level".into()), ..columns() };
        for (level, severity) in [("\"Error\"", 17), ("13", 13), ("\"odd\"", 0), ("null", 0)] {
            let line = format!("{{\"message\":\"a\",\"class\":\"info\",\"level\":{level}}}");
            let rows = read(line.as_bytes(), Form::JsonLines, &columns).unwrap();
            assert_eq!(rows[0].example.severity, severity, "{level}");
        }
    }

    #[test]
    fn a_foreign_label_is_refused_with_its_line() {
        let json = "\n{\"message\":\"a\",\"class\":\"odd\",\"id\":1}\n";
        let error = read(json.as_bytes(), Form::JsonLines, &columns()).unwrap_err().to_string();
        assert!(error.contains("line 2") && error.contains("odd"), "{error}");
    }

    #[test]
    fn a_missing_column_is_named() {
        let error = read("class\ninfo\n".as_bytes(), Form::Csv, &columns()).unwrap_err();
        assert_eq!(error.to_string(), "line 2 has no \"message\"");
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            for form in [Form::Csv, Form::JsonLines] {
                drop(read(bytes.as_slice(), form, &columns()));
            }
        }
    }
}
