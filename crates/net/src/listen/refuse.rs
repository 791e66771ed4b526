//! Turns away the connections above the limit with a 503 that arrives.
//!
//! A socket closed with unread bytes resets the connection, and the reset may overtake the answer.
//! So the answer is sent, our side is closed, and what the client sends is read for a moment. The
//! number of clients treated so kindly is bounded; above it they are just closed.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::connection::Shared;

const LINGERING_MAX: usize = 256;
const LINGER: Duration = Duration::from_secs(1);
const ANSWER: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\n\
    connection: close\r\nretry-after: 1\r\ncontent-length: 0\r\n\r\n";

/// The clients that are being turned away now.
#[derive(Debug, Default)]
pub(super) struct Refusing {
    lingering: Arc<AtomicUsize>,
}

impl Refusing {
    pub(super) fn refuse(&self, stream: TcpStream, shared: &Shared) {
        // Behind TLS the answer would be noise.
        if shared.tls.is_some() || self.lingering.load(Ordering::Relaxed) >= LINGERING_MAX {
            return;
        }
        self.lingering.fetch_add(1, Ordering::Relaxed);
        let lingering = Arc::clone(&self.lingering);
        shared.tasks.spawn(async move {
            drop(tokio::time::timeout(LINGER, answer(stream)).await);
            lingering.fetch_sub(1, Ordering::Relaxed);
        });
    }
}

async fn answer(mut stream: TcpStream) -> std::io::Result<()> {
    stream.write_all(ANSWER).await?;
    stream.shutdown().await?;
    let mut sink = [0; 4096];
    while stream.read(&mut sink).await? > 0 {}
    Ok(())
}
