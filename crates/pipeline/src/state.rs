//! The one home of small durable state: transactional, keyed by component id.
//!
//! One SQLite file with `synchronous = FULL`: a change that was applied survives power loss.
//! The twin for simulation and tests lives in memory.

use std::collections::BTreeMap;
use std::path::Path;

use parking_lot::Mutex;
use rusqlite::{Connection, OptionalExtension, params};

/// Bytes of one value at most; larger data belongs in the journal or a store.
pub const VALUE_BYTES_MAX: usize = 1 << 20;

/// Durable small state of components.
pub trait State: Send + Sync + 'static {
    /// The value under `key` of `component`.
    fn get(&self, component: &str, key: &str) -> Result<Option<Vec<u8>>, StateError>;

    /// At most `limit` pairs of `component` whose keys start with `prefix`, in key order.
    fn scan(
        &self,
        component: &str,
        prefix: &str,
        limit: usize,
    ) -> Result<Vec<(String, Vec<u8>)>, StateError>;

    /// Applies all changes or none; durable on return.
    fn apply(&self, component: &str, changes: &[Change]) -> Result<(), StateError>;
}

/// One change to the state of a component.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Sets a value.
    Put(String, Vec<u8>),
    /// Removes a value if there is one.
    Delete(String),
}

/// Why state could not be read or changed.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// The database refused.
    #[error("state file: {0}")]
    Database(#[from] rusqlite::Error),
    /// A value was over [`VALUE_BYTES_MAX`].
    #[error("state value {key:?} of {component} has {size} bytes, at most {VALUE_BYTES_MAX} fit")]
    TooLarge {
        /// Component id.
        component: String,
        /// Key of the value.
        key: String,
        /// Its size in bytes.
        size: usize,
    },
}

/// State in one SQLite file.
#[derive(Debug)]
pub struct SqliteState {
    connection: Mutex<Connection>,
}

impl SqliteState {
    /// Opens or makes the file.
    pub fn open(path: &Path) -> Result<Self, StateError> {
        Self::prepare(Connection::open(path)?)
    }

    fn prepare(connection: Connection) -> Result<Self, StateError> {
        connection.execute_batch(
            "PRAGMA journal_mode = WAL;
             PRAGMA synchronous = FULL;
             PRAGMA busy_timeout = 5000;
             CREATE TABLE IF NOT EXISTS state (
                 component TEXT NOT NULL, key TEXT NOT NULL, value BLOB NOT NULL,
                 PRIMARY KEY (component, key)
             ) WITHOUT ROWID;",
        )?;
        Ok(Self { connection: Mutex::new(connection) })
    }
}

impl State for SqliteState {
    fn get(&self, component: &str, key: &str) -> Result<Option<Vec<u8>>, StateError> {
        let connection = self.connection.lock();
        let mut query = connection
            .prepare_cached("SELECT value FROM state WHERE component = ?1 AND key = ?2")?;
        Ok(query.query_row(params![component, key], |row| row.get(0)).optional()?)
    }

    fn scan(
        &self,
        component: &str,
        prefix: &str,
        limit: usize,
    ) -> Result<Vec<(String, Vec<u8>)>, StateError> {
        let connection = self.connection.lock();
        let mut query = connection.prepare_cached(
            "SELECT key, value FROM state
             WHERE component = ?1 AND substr(key, 1, length(?2)) = ?2 ORDER BY key LIMIT ?3",
        )?;
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let rows = query
            .query_map(params![component, prefix, limit], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    fn apply(&self, component: &str, changes: &[Change]) -> Result<(), StateError> {
        check_sizes(component, changes)?;
        let mut connection = self.connection.lock();
        let transaction = connection.transaction()?;
        for change in changes {
            match change {
                Change::Put(key, value) => transaction
                    .prepare_cached("INSERT OR REPLACE INTO state VALUES (?1, ?2, ?3)")?
                    .execute(params![component, key, value])?,
                Change::Delete(key) => transaction
                    .prepare_cached("DELETE FROM state WHERE component = ?1 AND key = ?2")?
                    .execute(params![component, key])?,
            };
        }
        Ok(transaction.commit()?)
    }
}

/// The twin for simulation and tests.
#[derive(Debug, Default)]
pub struct MemoryState {
    values: Mutex<BTreeMap<(String, String), Vec<u8>>>,
}

impl State for MemoryState {
    fn get(&self, component: &str, key: &str) -> Result<Option<Vec<u8>>, StateError> {
        Ok(self.values.lock().get(&(component.to_owned(), key.to_owned())).cloned())
    }

    fn scan(
        &self,
        component: &str,
        prefix: &str,
        limit: usize,
    ) -> Result<Vec<(String, Vec<u8>)>, StateError> {
        let values = self.values.lock();
        let own =
            values.iter().filter(|((owner, key), _)| owner == component && key.starts_with(prefix));
        Ok(own.take(limit).map(|((_, key), value)| (key.clone(), value.clone())).collect())
    }

    fn apply(&self, component: &str, changes: &[Change]) -> Result<(), StateError> {
        check_sizes(component, changes)?;
        let mut values = self.values.lock();
        for change in changes {
            match change {
                Change::Put(key, value) => {
                    values.insert((component.to_owned(), key.clone()), value.clone())
                }
                Change::Delete(key) => values.remove(&(component.to_owned(), key.clone())),
            };
        }
        Ok(())
    }
}

fn check_sizes(component: &str, changes: &[Change]) -> Result<(), StateError> {
    for change in changes {
        if let Change::Put(key, value) = change
            && value.len() > VALUE_BYTES_MAX
        {
            return Err(StateError::TooLarge {
                component: component.to_owned(),
                key: key.clone(),
                size: value.len(),
            });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn change() -> impl Strategy<Value = Change> {
        let key = "[ab%_]{1,2}";
        prop_oneof![
            (key, proptest::collection::vec(any::<u8>(), 0..4))
                .prop_map(|(k, v)| Change::Put(k, v)),
            key.prop_map(Change::Delete),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn the_file_and_its_twin_agree(
            batches in proptest::collection::vec((0..2_u8, proptest::collection::vec(change(), 0..4)), 0..8),
            prefix in "[ab%_]{0,1}",
        ) {
            let twin = MemoryState::default();
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("state.db");
            for (component, changes) in &batches {
                let file = SqliteState::open(&path).unwrap();
                file.apply(&component.to_string(), changes).unwrap();
                twin.apply(&component.to_string(), changes).unwrap();
            }
            let file = SqliteState::open(&path).unwrap();
            for component in ["0", "1"] {
                prop_assert_eq!(
                    file.scan(component, &prefix, 100).unwrap(),
                    twin.scan(component, &prefix, 100).unwrap()
                );
                prop_assert_eq!(file.get(component, "a").unwrap(), twin.get(component, "a").unwrap());
            }
        }
    }

    #[test]
    fn an_oversized_value_changes_nothing() {
        let state = MemoryState::default();
        let changes = [
            Change::Put("a".into(), vec![1]),
            Change::Put("b".into(), vec![0; VALUE_BYTES_MAX + 1]),
        ];
        assert!(matches!(state.apply("x", &changes), Err(StateError::TooLarge { .. })));
        assert_eq!(state.get("x", "a").unwrap(), None);
    }
}
