//! The tables of the store.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, params};

/// The version of the tables; kept in `user_version`.
const VERSION: i64 = 1;
/// How long a statement waits for another process that holds the file.
const BUSY: Duration = Duration::from_secs(5);

/// Text is indexed apart (`events_text`), kept in step by triggers.
const TABLES: &str = "
CREATE TABLE IF NOT EXISTS events (
    row INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    time INTEGER NOT NULL,
    signal TEXT NOT NULL,
    service TEXT NOT NULL,
    severity_number INTEGER NOT NULL,
    severity TEXT NOT NULL,
    classification TEXT NOT NULL,
    body TEXT NOT NULL,
    attributes TEXT NOT NULL,
    resource TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS events_time ON events (time);
CREATE INDEX IF NOT EXISTS events_service ON events (service, time);
CREATE INDEX IF NOT EXISTS events_classification ON events (classification, time);
CREATE VIRTUAL TABLE IF NOT EXISTS events_text USING fts5 (
    body, attributes, content = 'events', content_rowid = 'row'
);
CREATE TRIGGER IF NOT EXISTS events_added AFTER INSERT ON events BEGIN
    INSERT INTO events_text (rowid, body, attributes)
    VALUES (new.row, new.body, new.attributes);
END;
CREATE TRIGGER IF NOT EXISTS events_removed AFTER DELETE ON events BEGIN
    INSERT INTO events_text (events_text, rowid, body, attributes)
    VALUES ('delete', old.row, old.body, old.attributes);
END;
";

/// Opens the file for writing and makes its tables.
pub(super) fn open(path: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open(path)?;
    connection.busy_timeout(BUSY)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    let version: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if version > VERSION {
        return Err(rusqlite::Error::ToSqlConversionFailure(
            format!("the store has version {version}, this binary reads up to {VERSION}").into(),
        ));
    }
    connection.execute_batch(TABLES)?;
    connection.pragma_update(None, "user_version", VERSION)?;
    Ok(connection)
}

/// Opens the file for reading beside the writer.
pub(super) fn open_reader(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY)?;
    Ok(connection)
}

/// Removes at most `rows` events older than `oldest`.
pub(super) fn remove_before(
    connection: &Connection,
    oldest: u64,
    rows: u32,
) -> rusqlite::Result<usize> {
    let oldest = i64::try_from(oldest).unwrap_or(i64::MAX);
    connection
        .prepare_cached(
            "DELETE FROM events WHERE row IN (SELECT row FROM events WHERE time < ?1 LIMIT ?2)",
        )?
        .execute(params![oldest, rows])
}

/// Removes at most `rows` of the oldest events while there are more than `limit`.
pub(super) fn remove_surplus(
    connection: &Connection,
    limit: u64,
    rows: u32,
) -> rusqlite::Result<usize> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    connection
        .prepare_cached(
            "DELETE FROM events WHERE row IN (
                 SELECT row FROM events ORDER BY time
                 LIMIT min(?2, max(0, (SELECT count(*) FROM events) - ?1)))",
        )?
        .execute(params![limit, rows])
}
