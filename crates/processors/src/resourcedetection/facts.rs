//! Where facts come from: environment, small files of the kernel and the system, the Docker daemon.
//! A trait, so that tests can stand in for a machine.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use bessemer_config::{Environment, SystemEnvironment};

/// Bytes that are read of a file, and of an answer of the Docker daemon, at most.
const BYTES_MAX: u64 = 1 << 20;
const DOCKER_SOCKET: &str = "/var/run/docker.sock";

/// What a detector may ask.
pub(super) trait Facts: Send + Sync + 'static {
    /// An environment variable.
    fn variable(&self, name: &str) -> Option<String>;

    /// The name of this host.
    fn hostname(&self) -> String;

    /// The text of a file.
    fn file(&self, path: &str) -> Option<String>;

    /// What the Docker daemon says of a container, in JSON.
    fn container(&self, id: &str) -> Option<String>;
}

/// The machine that this process runs on.
#[derive(Debug)]
pub(super) struct Machine {
    pub(super) timeout: Duration,
}

impl Facts for Machine {
    fn variable(&self, name: &str) -> Option<String> {
        SystemEnvironment.variable(name)
    }

    fn hostname(&self) -> String {
        SystemEnvironment.hostname()
    }

    fn file(&self, path: &str) -> Option<String> {
        let mut text = String::new();
        let file = std::fs::File::open(path).ok()?;
        file.take(BYTES_MAX).read_to_string(&mut text).ok()?;
        Some(text)
    }

    fn container(&self, id: &str) -> Option<String> {
        let mut stream = UnixStream::connect(DOCKER_SOCKET).ok()?;
        stream.set_read_timeout(Some(self.timeout)).ok()?;
        stream.set_write_timeout(Some(self.timeout)).ok()?;
        // HTTP/1.0, so that the answer ends with the connection and comes in one piece.
        let request = format!("GET /containers/{id}/json HTTP/1.0\r\nHost: docker\r\n\r\n");
        stream.write_all(request.as_bytes()).ok()?;
        let mut answer = String::new();
        stream.take(BYTES_MAX).read_to_string(&mut answer).ok()?;
        let (head, body) = answer.split_once("\r\n\r\n")?;
        head.lines().next()?.contains(" 200 ").then(|| body.to_owned())
    }
}
