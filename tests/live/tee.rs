//! A tee in a TCP connection: bytes pass unchanged in both directions, and what the client wrote is
//! kept. So a client speaks to Bessemer itself, its transport included, and the test knows what it
//! sent.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use crate::json::to_protobuf;
use crate::records::Records;
use crate::request::{self, Request};

type Kept = Arc<Mutex<Vec<u8>>>;

/// A port in front of another. Dropping it ends the port.
pub struct Tee {
    pub address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    connections: Mutex<Vec<Kept>>,
    is_stopped: AtomicBool,
}

impl Tee {
    pub fn before(target: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared::default());
        let accepting = Arc::clone(&shared);
        std::thread::spawn(move || {
            for client in listener.incoming() {
                if accepting.is_stopped.load(Ordering::SeqCst) {
                    return;
                }
                let (Ok(client), Ok(server)) = (client, TcpStream::connect(target)) else {
                    continue;
                };
                let kept = Kept::default();
                accepting.connections.lock().unwrap().push(Arc::clone(&kept));
                join(client, server, kept);
            }
        });
        Self { address, shared }
    }

    /// The records that clients sent so far.
    pub fn records(&self) -> Records {
        let connections = self.shared.connections.lock().unwrap();
        let requests = connections.iter().flat_map(|kept| request::read(&kept.lock().unwrap()));
        let (texts, messages): (Vec<_>, Vec<_>) =
            requests.map(Request::plain).partition(|plain| plain.is_json);
        let texts: Vec<_> = texts.into_iter().map(|plain| (plain.signal, plain.bytes)).collect();
        let translated = texts.iter().map(|(signal, _)| *signal).zip(to_protobuf(&texts));
        let messages = messages.into_iter().map(|plain| (plain.signal, plain.bytes));
        let all = messages.chain(translated);
        all.map(|(signal, message)| Records::read(signal, &message).unwrap()).collect()
    }
}

impl Drop for Tee {
    fn drop(&mut self) {
        self.shared.is_stopped.store(true, Ordering::SeqCst);
        drop(TcpStream::connect(self.address));
    }
}

fn join(client: TcpStream, server: TcpStream, kept: Kept) {
    drop((client.set_nodelay(true), server.set_nodelay(true)));
    let (client_again, server_again) = (client.try_clone().unwrap(), server.try_clone().unwrap());
    std::thread::spawn(move || {
        pass(client, server, |bytes| kept.lock().unwrap().extend_from_slice(bytes));
    });
    std::thread::spawn(move || pass(server_again, client_again, |_| ()));
}

/// Passes bytes until one end is at its end; each piece is noted before it goes on.
fn pass(mut from: TcpStream, mut to: TcpStream, mut note: impl FnMut(&[u8])) {
    let mut buffer = vec![0; 64 << 10];
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        note(&buffer[..count]);
        if to.write_all(&buffer[..count]).is_err() {
            break;
        }
    }
    drop(to.shutdown(Shutdown::Write));
    drop(from.shutdown(Shutdown::Read));
}
