//! Asks the store: every value is a parameter, the words of a text search are quoted.

use bessemer_pipeline::{Event, EventFilter, EventPage, QueryError};
use rusqlite::types::Value;
use rusqlite::{Connection, Row, params_from_iter};

/// Words of one text search at most.
const WORDS_MAX: usize = 32;
const COLUMNS: &str = "id, time, signal, service, severity_number, severity, classification, \
                       body, attributes, resource, row";

/// A page of events, newest first.
pub(super) fn page(connection: &Connection, filter: &EventFilter) -> Result<EventPage, QueryError> {
    let mut conditions = Conditions::default();
    conditions.of(filter)?;
    let limit = i64::from(filter.limit.max(1));
    conditions.values.push(Value::Integer(limit + 1));
    let text = format!(
        "SELECT {COLUMNS} FROM events{} ORDER BY time DESC, row DESC LIMIT ?",
        conditions.clause()
    );
    let failed = |error: rusqlite::Error| QueryError::Unavailable(error.to_string());
    let mut statement = connection.prepare_cached(&text).map_err(failed)?;
    let rows = statement.query_map(params_from_iter(conditions.values), event).map_err(failed)?;
    let mut found: Vec<(Event, String)> = rows.collect::<Result<_, _>>().map_err(failed)?;
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let has_more = found.len() > limit;
    found.truncate(limit);
    let next_cursor = found.last().filter(|_| has_more).map(|(_, cursor)| cursor.clone());
    Ok(EventPage { events: found.into_iter().map(|(event, _)| event).collect(), next_cursor })
}

#[derive(Default)]
struct Conditions {
    texts: Vec<&'static str>,
    values: Vec<Value>,
}

impl Conditions {
    fn of(&mut self, filter: &EventFilter) -> Result<(), QueryError> {
        let time = |nanos: u64| Value::Integer(i64::try_from(nanos).unwrap_or(i64::MAX));
        self.add("service = ?", filter.service.clone().map(Value::Text));
        self.add("classification = ?", filter.classification.clone().map(Value::Text));
        self.add("signal = ?", filter.signal.clone().map(Value::Text));
        self.add(
            "severity_number >= ?",
            filter.severity_min.map(|least| Value::Integer(least.into())),
        );
        self.add("time >= ?", filter.from.map(time));
        self.add("time < ?", filter.until.map(time));
        if let Some(text) = &filter.text {
            let condition = "row IN (SELECT rowid FROM events_text WHERE events_text MATCH ?)";
            self.add(condition, Some(Value::Text(quoted(text)?)));
        }
        if let Some(cursor) = &filter.cursor {
            let (time, row) = read_cursor(cursor)?;
            self.add("(time, row) < (?, ?)", Some(Value::Integer(time)));
            self.values.push(Value::Integer(row));
        }
        Ok(())
    }

    fn add(&mut self, text: &'static str, value: Option<Value>) {
        if let Some(value) = value {
            self.texts.push(text);
            self.values.push(value);
        }
    }

    fn clause(&self) -> String {
        if self.texts.is_empty() {
            String::new()
        } else {
            format!(" WHERE {}", self.texts.join(" AND "))
        }
    }
}

/// Every word as a quoted string, all of which must be there.
fn quoted(text: &str) -> Result<String, QueryError> {
    let words: Vec<String> =
        text.split_whitespace().map(|word| format!("\"{}\"", word.replace('"', "\"\""))).collect();
    if words.is_empty() || words.len() > WORDS_MAX {
        return Err(QueryError::Bad(format!(
            "text has {} words, write 1 to {WORDS_MAX}",
            words.len()
        )));
    }
    Ok(words.join(" "))
}

fn read_cursor(cursor: &str) -> Result<(i64, i64), QueryError> {
    let bad = || QueryError::Bad(format!("cursor is {cursor:?}, pass one that a page gave"));
    let (time, row) = cursor.split_once('-').ok_or_else(bad)?;
    Ok((time.parse().map_err(|_| bad())?, row.parse().map_err(|_| bad())?))
}

fn event(row: &Row<'_>) -> rusqlite::Result<(Event, String)> {
    let time: i64 = row.get(1)?;
    let number: i64 = row.get(10)?;
    let json = |text: String| serde_json::from_str(&text).unwrap_or(serde_json::Value::Null);
    let timestamp = jiff::Timestamp::from_nanosecond(i128::from(time)).unwrap_or_default();
    let event = Event {
        id: row.get(0)?,
        time_unix_nano: time.to_string(),
        time: timestamp.to_string(),
        signal: row.get(2)?,
        service: row.get(3)?,
        severity_number: row.get(4)?,
        severity: row.get(5)?,
        classification: row.get(6)?,
        body: row.get(7)?,
        attributes: json(row.get(8)?),
        resource: json(row.get(9)?),
    };
    Ok((event, format!("{time}-{number}")))
}
