//! From `host:port` to an open socket, with errors that name the remedy.

use std::io::{Error, ErrorKind};
use std::net::{SocketAddr, ToSocketAddrs as _};

use tokio::net::{TcpListener, TcpSocket};

use super::BindError;

/// Connections that the system completes before they are accepted; the kernel caps it at somaxconn.
const BACKLOG: u32 = 4096;

pub(super) fn open(endpoint: &str) -> Result<(TcpListener, SocketAddr), BindError> {
    let address = resolve(endpoint)?;
    let opened = listen(address).and_then(|listener| {
        let address = listener.local_addr()?;
        Ok((listener, address))
    });
    opened.map_err(|source| bind_error(endpoint.to_owned(), source))
}

fn listen(address: SocketAddr) -> Result<TcpListener, Error> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // A restart must not wait for connections of the last run to leave TIME_WAIT.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// The first address of the endpoint, IPv4 before IPv6 as in Go's servers; `:4318` is every one.
pub(super) fn resolve(endpoint: &str) -> Result<SocketAddr, BindError> {
    let invalid = |problem: String| BindError::Endpoint { endpoint: endpoint.to_owned(), problem };
    if endpoint.contains("://") {
        return Err(invalid("has a scheme, which a listener has not".into()));
    }
    let full =
        if endpoint.starts_with(':') { format!("0.0.0.0{endpoint}") } else { endpoint.to_owned() };
    if full.rsplit_once(':').is_none_or(|(_, port)| port.parse::<u16>().is_err()) {
        return Err(invalid("has no port".into()));
    }
    let addresses = full.to_socket_addrs().map_err(|error| invalid(error.to_string()))?;
    let mut addresses: Vec<_> = addresses.collect();
    addresses.sort_by_key(SocketAddr::is_ipv6);
    addresses.first().copied().ok_or_else(|| invalid("has no address".into()))
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the system's other errors are shown as they are"
)]
fn bind_error(endpoint: String, source: Error) -> BindError {
    match source.kind() {
        ErrorKind::AddrInUse => BindError::InUse { endpoint },
        ErrorKind::PermissionDenied => BindError::Denied { endpoint },
        ErrorKind::AddrNotAvailable => BindError::NotOurs { endpoint },
        _ => BindError::System { endpoint, source },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_taken_port_is_named_with_its_remedy() {
        let (_listener, address) = open("127.0.0.1:0").unwrap();
        let error = open(&address.to_string()).unwrap_err();
        assert!(matches!(error, BindError::InUse { .. }));
        assert!(error.to_string().contains(&format!("{address} is already in use")));
    }

    #[tokio::test]
    async fn endpoints_are_host_and_port() {
        for bad in ["", "localhost", "http://localhost:80", "localhost:x", "localhost:70000"] {
            assert!(matches!(open(bad), Err(BindError::Endpoint { .. })), "{bad}");
        }
        assert!(matches!(open("192.0.2.1:0"), Err(BindError::NotOurs { .. })));
        assert!(open("localhost:0").unwrap().1.ip().is_loopback());
        assert!(open(":0").unwrap().1.ip().is_unspecified());
        assert!(open("[::1]:0").is_ok_and(|(_, address)| address.is_ipv6()));
    }
}
