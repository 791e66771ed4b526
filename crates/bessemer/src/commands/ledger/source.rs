//! Who answers: the admin port of a running process, or a data directory that nobody runs on.

use std::sync::Arc;

use anyhow::{Context as _, bail};
use bessemer_net::dial::{Client, Request, Settings};
use bessemer_pipeline::ledger::since;
use bessemer_pipeline::{Ledger, LedgerPage, LedgerQuery};
use bessemer_runtime::{ByteSize, Clock, SystemClock, SystemRandom};

use crate::arguments::{Holder, Source};
use crate::commands::directory;

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
        let Holder { server, storage, keys } = &source.holder;
        if let Some(storage) = storage {
            let journal = directory::open(storage, keys, Arc::clone(&clock))?;
            return Ok(Self::Directory(Ledger::of(journal, clock)));
        }
        let settings = Settings {
            endpoint: format!("http://{server}"),
            max_response_body_size: ByteSize::mib(ANSWER_MIB_MAX),
            ..Settings::default()
        };
        let client = Client::new(&settings, clock, Arc::new(SystemRandom::default()))?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        Ok(Self::Process { client, runtime, server: server.clone() })
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
