//! The cache of verdicts that nodes share, against a real Redis and a real Valkey: down, frozen, flushed, with other
//! people's types under our keys. Whoever asks gets an answer soon, and the metrics say what was.
//!
//! `testbed/redis.sh` and `testbed/valkey.sh` install the servers. Unless `BESSEMER_LIVE=1` nothing runs
//! here; with it, a missing server is a failure.

#![expect(clippy::disallowed_methods, reason = "tests measure real time, and read their switch")]

use std::io::Write as _;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bessemer_pipeline::metrics::llm::{CacheLabels, LlmMetrics};
use bessemer_pipeline::state::MemoryState;
use bessemer_runtime::{Clock, SystemClock};

use super::*;
use crate::cache::durable::Durable;
use crate::cache::shared::Guarded;
use crate::cache::{Caches, Key};
use crate::class::Class;
use crate::llm::lab;
use crate::llm::{Redacted, TemplateId};

const WITHIN: Duration = Duration::from_secs(20);

/// A server that does not outlive its test.
struct Server {
    child: Child,
    address: SocketAddr,
    folder: tempfile::TempDir,
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl Server {
    fn start(binary: &str, address: SocketAddr) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let child = Command::new(binary)
            .args(["--bind", "127.0.0.1", "--port", &address.port().to_string()])
            .args(["--save", "", "--appendonly", "no", "--requirepass", "secret"])
            .arg("--dir")
            .arg(folder.path())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let until = Instant::now() + WITHIN;
        while TcpStream::connect(address).is_err() {
            assert!(Instant::now() < until, "redis-server does not listen");
            std::thread::yield_now();
        }
        Self { child, address, folder }
    }

    fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([name, &self.child.id().to_string()]).status();
        assert!(sent.unwrap().success());
    }

    async fn command(&self, words: &[&str]) {
        let url = format!("redis://:secret@{}/", self.address);
        let client = Client::open(url).unwrap();
        let mut connection = client.get_multiplexed_async_connection().await.unwrap();
        let mut command = redis::cmd(words[0]);
        command.arg(&words[1..]);
        let _: redis::Value = command.query_async(&mut connection).await.unwrap();
        assert!(self.folder.path().exists());
    }
}

/// One node that shares the server, with nothing in memory and nothing on disk.
struct Node {
    caches: Caches,
    metrics: LlmMetrics,
}

impl Node {
    fn new(address: SocketAddr) -> Self {
        let settings: Settings = serde_json::from_value(serde_json::json!({
            "url": format!("redis://:secret@{address}/0"),
            "timeout": "500ms",
        }))
        .unwrap();
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::default());
        let metrics = LlmMetrics::default();
        let redis = Arc::new(Redis::new(&settings).unwrap());
        let shared = Guarded::new(redis, clock, settings.timeout.0, &metrics);
        let durable = Durable::open(Arc::new(MemoryState::default()), 1).unwrap();
        let caches = Caches::new(Arc::default(), Some(shared), durable, 1, &metrics);
        Self { caches, metrics }
    }

    fn key(&self, number: u64) -> Key {
        self.caches.key(&Redacted::new(&format!("text of kind {number}")))
    }

    async fn keep(&self, number: u64) {
        let verdict = lab::verdict(number, Class::Critical);
        self.caches.keep(vec![(self.key(number), Arc::new(verdict))]).await;
    }

    async fn knows(&self, number: u64) -> bool {
        let began = Instant::now();
        let found = self.caches.find(&[(TemplateId(number), self.key(number))]).await;
        assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
        found[0].is_some()
    }

    fn count(&self, outcome: &'static str) -> u64 {
        let labels = CacheLabels { level: "shared", outcome };
        self.metrics.cache.get_or_create_owned(&labels).get()
    }
}

#[tokio::test]
async fn whatever_happens_to_redis_or_valkey_the_tier_goes_on_and_says_so() {
    if !lab::is_live() {
        let line = "redis: not run, it needs real servers; BESSEMER_LIVE=1 installs and runs them";
        writeln!(std::io::stderr(), "{line}").unwrap();
        return;
    }
    for script in ["redis.sh", "valkey.sh"] {
        survive(&lab::testbed(script, "binary")).await;
    }
}

async fn survive(binary: &str) {
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let server = Server::start(binary, address);
    let writer = Node::new(address);
    for number in 0..4 {
        writer.keep(number).await;
    }
    assert!(Node::new(address).knows(0).await, "another node finds it");

    let other = Node::new(address);
    let taken = format!("bessemer:verdict:{}", other.key(1).as_str());
    server.command(&["DEL", &taken]).await;
    server.command(&["LPUSH", &taken, "a", "list"]).await;
    assert!(!other.knows(1).await, "a list is no verdict");
    writer.keep(1).await;
    assert!(Node::new(address).knows(1).await, "and is replaced by one");
    server.command(&["SET", &taken, "garbage"]).await;
    assert!(!other.knows(1).await);
    assert_eq!(other.count("unreadable"), 1);

    server.command(&["FLUSHALL"]).await;
    assert!(!Node::new(address).knows(0).await, "flushed");
    writer.keep(0).await;

    let frozen = Node::new(address);
    assert!(frozen.knows(0).await);
    server.signal("-STOP");
    assert!(!frozen.knows(2).await);
    assert_eq!(frozen.count("slow") + frozen.count("error"), 1);
    assert!(!frozen.knows(3).await);
    assert_eq!(frozen.count("resting"), 1);
    server.signal("-CONT");

    drop(server);
    let down = Node::new(address);
    assert!(!down.knows(0).await);
    assert_eq!(down.count("error"), 1);
    let _back = Server::start(binary, address);
    let until = Instant::now() + WITHIN;
    let mut number = 10;
    while down.count("written") == 0 {
        assert!(Instant::now() < until, "it is not asked again");
        down.keep(number).await;
        number += 1;
    }
    assert!(Node::new(address).knows(number - 1).await, "it is used again");
}
