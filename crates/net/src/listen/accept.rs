//! The accept loop: counts connections, turns away what is too many, survives a full system.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};

use super::connection::{self, Shared};
use super::refuse::Refusing;
use super::stats::{ListenerStats, count};

/// Wait after an error of the system, mostly for a file descriptor to come free.
const PAUSE: Duration = Duration::from_millis(50);

/// One open connection in the counters.
pub(super) struct Slot(Arc<ListenerStats>);

impl Drop for Slot {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}

pub(super) async fn run(listener: TcpListener, shared: Arc<Shared>) {
    let refusing = Refusing::default();
    loop {
        let accepted = tokio::select! {
            biased;
            () = shared.tasks.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, address)) => {
                count(&shared.stats.accepted);
                match take_slot(&shared) {
                    Some(slot) => start(stream, address, slot, &shared),
                    None => refusing.refuse(stream, &shared),
                }
            }
            Err(error) if is_of_the_client(&error) => {}
            Err(error) => {
                count(&shared.stats.accept_errors);
                tracing::warn!(listener = %shared.name, %error, "a connection cannot be accepted");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

fn start(stream: TcpStream, address: std::net::SocketAddr, slot: Slot, shared: &Arc<Shared>) {
    // An answer is one small write; waiting to merge it with another costs 40 ms of latency.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "the client left before it was served");
        return;
    }
    shared.tasks.spawn(connection::run(stream, address, slot, Arc::clone(shared)));
}

fn take_slot(shared: &Shared) -> Option<Slot> {
    // Only this loop adds, so the check and the addition need not be one step.
    if shared.stats.open() >= u64::from(shared.limits.connections_max) {
        count(&shared.stats.refused);
        return None;
    }
    count(&shared.stats.open);
    Some(Slot(Arc::clone(&shared.stats)))
}

fn is_of_the_client(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}
