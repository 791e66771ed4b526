//! Who answers: the admin port of a running process, or a data directory that nobody runs on.

use std::fs::{File, TryLockError};
use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use bessemer_config::SystemEnvironment;
use bessemer_journal::{Journal, RealDisk};
use bessemer_net::dial::{Client, Request, Settings};
use bessemer_pipeline::ledger::since;
use bessemer_pipeline::{Ledger, LedgerPage, LedgerQuery};
use bessemer_runtime::{ByteSize, Clock, SystemClock, SystemRandom};

use crate::arguments::Source;
use crate::keys;

/// Bytes of an answer that are read at most.
const ANSWER_MIB_MAX: u64 = 64;

/// Asks a ledger.
pub(super) enum Asker {
    Process { client: Client, runtime: tokio::runtime::Runtime, server: String },
    Directory(Ledger),
}

impl Asker {
    pub(super) fn new(source: &Source) -> anyhow::Result<Self> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::default());
        let random = Arc::new(SystemRandom::default());
        if let Some(storage) = &source.storage {
            let dir = storage.join("journal");
            refuse_live(&dir)?;
            let options = bessemer_journal::Options {
                keys: keys::source(&source.keys, &SystemEnvironment)?,
                ..bessemer_journal::Options::new(dir)
            };
            let disk = Arc::new(RealDisk);
            let (journal, _) = Journal::read_only(disk, Arc::clone(&clock), random, options)?;
            return Ok(Self::Directory(Ledger::of(journal, clock)));
        }
        let settings = Settings {
            endpoint: format!("http://{}", source.server),
            max_response_body_size: ByteSize::mib(ANSWER_MIB_MAX),
            ..Settings::default()
        };
        let client = Client::new(&settings, clock, random)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        Ok(Self::Process { client, runtime, server: source.server.clone() })
    }

    /// The time that `--since` names.
    pub(super) fn since(text: Option<&str>) -> anyhow::Result<Option<u64>> {
        let now = SystemClock::default().unix_nanos();
        let time = text.map(|text| since(text, now)).transpose();
        time.map_err(|message| anyhow::anyhow!("--since: {message}"))
    }

    pub(super) fn ask(&mut self, query: &LedgerQuery) -> anyhow::Result<LedgerPage> {
        match self {
            Self::Directory(ledger) => {
                let page = ledger.page(query)?;
                if let Some(id) =
                    query.destination.as_ref().filter(|_| page.destinations.is_empty())
                {
                    bail!("the journal knows no destination {id}");
                }
                Ok(page)
            }
            Self::Process { client, runtime, server } => {
                let path = client.path(&path_of(query))?;
                let answer = runtime.block_on(client.send(&Request::get(path)));
                let answer = answer.with_context(|| {
                    format!(
                        "no answer from the admin port {server}; --server names another, \
                         --storage.path reads the directory of a process that is gone"
                    )
                })?;
                let text = String::from_utf8_lossy(&answer.body);
                if !answer.status.is_success() {
                    bail!("{server} answers {}: {text}", answer.status);
                }
                serde_json::from_slice(&answer.body)
                    .with_context(|| format!("{server} does not answer as a ledger does"))
            }
        }
    }
}

// What a process changes under our hands would be read wrongly, and it can be asked itself.
fn refuse_live(journal: &Path) -> anyhow::Result<()> {
    if !journal.is_dir() {
        bail!("there is no journal in {}", journal.display());
    }
    let lock = match File::open(journal.join("lock")) {
        Ok(lock) => lock,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error).context("the lock of the journal cannot be read"),
    };
    match lock.try_lock_shared() {
        Ok(()) => Ok(()),
        Err(TryLockError::WouldBlock) => {
            bail!("a process runs on {}; ask it with --server", journal.display())
        }
        Err(TryLockError::Error(error)) => Err(error).context("the lock cannot be asked"),
    }
}

fn path_of(query: &LedgerQuery) -> String {
    let mut pairs = Vec::new();
    pairs.extend(query.record.map(|number| format!("record={number}")));
    pairs.extend(query.destination.as_ref().map(|id| format!("destination={}", escaped(id))));
    pairs.extend(query.since_unix_s.map(|at| format!("since={at}")));
    let question = if pairs.is_empty() { "" } else { "?" };
    format!("/api/v1/ledger{question}{}", pairs.join("&"))
}

fn escaped(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte);
    let escape = |byte: u8| {
        if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }
    };
    text.bytes().map(escape).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_is_put_as_a_query() {
        let all = LedgerQuery {
            record: Some(7),
            destination: Some("a b/2".into()),
            since_unix_s: Some(9),
        };
        assert_eq!(path_of(&all), "/api/v1/ledger?record=7&destination=a%20b/2&since=9");
        assert_eq!(path_of(&LedgerQuery::default()), "/api/v1/ledger");
    }
}
