//! Certificates: offered, asked for, exchanged while running.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bessemer_net::listen::{BindError, Settings, bind};
use bessemer_net::tls::{ServerTls, TlsError, Version, provider};
use bessemer_runtime::Span;
use http::StatusCode;
use rcgen::{CertificateParams, CertifiedIssuer, DnType, KeyPair};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion};
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::support::*;

/// An authority and the files it wrote.
struct Authority {
    directory: TempDir,
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("ca.pem"), issuer.pem()).unwrap();
        Self { directory, issuer }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Writes `NAME.pem` and `NAME.key` for localhost, with `NAME` as the common name.
    fn issue(&self, name: &str, file: &str) {
        let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        std::fs::write(self.path(&format!("{file}.pem")), certificate.pem()).unwrap();
        std::fs::write(self.path(&format!("{file}.key")), key.serialize_pem()).unwrap();
    }

    fn server(&self) -> ServerTls {
        self.issue("server", "server");
        ServerTls {
            cert_file: Some(text_of(&self.path("server.pem"))),
            key_file: Some(text_of(&self.path("server.key"))),
            ..ServerTls::default()
        }
    }
}

fn text_of(path: &Path) -> String {
    path.to_str().unwrap().to_owned()
}

fn encrypted(tls: ServerTls) -> Settings {
    Settings { tls: Some(tls), ..local() }
}

struct Client<'a> {
    authority: &'a Authority,
    versions: &'static [&'static SupportedProtocolVersion],
    certificate: Option<&'a str>,
    protocol: &'static [u8],
}

impl<'a> Client<'a> {
    fn of(authority: &'a Authority) -> Self {
        Self {
            authority,
            versions: rustls::DEFAULT_VERSIONS,
            certificate: None,
            protocol: b"http/1.1",
        }
    }

    async fn connect(&self, server: &Server) -> std::io::Result<TlsStream<TcpStream>> {
        let mut roots = RootCertStore::empty();
        roots.add(self.authority.issuer.der().clone()).unwrap();
        let builder = ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(self.versions)
            .unwrap()
            .with_root_certificates(roots);
        let mut config = match self.certificate {
            None => builder.with_no_client_auth(),
            Some(name) => {
                let read = |end: &str| self.authority.path(&format!("{name}.{end}"));
                let chain = CertificateDer::from_pem_file(read("pem")).unwrap();
                let key = PrivateKeyDer::from_pem_file(read("key")).unwrap();
                builder.with_client_auth_cert(vec![chain], key).unwrap()
            }
        };
        config.alpn_protocols = vec![self.protocol.to_vec()];
        let name = ServerName::try_from("localhost").unwrap();
        let stream = TcpStream::connect(server.address).await?;
        within("the handshake", TlsConnector::from(Arc::new(config)).connect(name, stream)).await
    }

    /// Status of one request, or what stood in its way.
    async fn ask(&self, server: &Server) -> Result<StatusCode, String> {
        let stream = self.connect(server).await.map_err(|error| error.to_string())?;
        let answer = if self.protocol == b"h2" {
            let mut client = http2(stream).await;
            within("an answer", client.send_request(post("/", "x"))).await
        } else {
            let mut client = http1(stream).await;
            within("an answer", client.send_request(post("/", "x"))).await
        };
        answer.map(|answer| answer.status()).map_err(|error| error.to_string())
    }
}

#[tokio::test]
async fn alpn_chooses_between_http1_and_http2_on_one_port() {
    let authority = Authority::new();
    let mirror = Mirror::new(1000);
    let server = serve(&encrypted(authority.server()), Arc::clone(&mirror) as _);
    for protocol in [&b"h2"[..], b"http/1.1"] {
        let client = Client { protocol, ..Client::of(&authority) };
        assert_eq!(client.ask(&server).await, Ok(StatusCode::OK));
    }
    assert!(mirror.peers.lock().unwrap().iter().all(|peer| peer.encrypted));
    assert_eq!(server.stats.handshake_errors(), 0);
}

#[tokio::test]
async fn tls_1_2_is_refused_by_default_and_spoken_by_setting() {
    static OLD: [&SupportedProtocolVersion; 1] = [&rustls::version::TLS12];
    let authority = Authority::new();
    let old = Client { versions: &OLD, ..Client::of(&authority) };
    let server = serve(&encrypted(authority.server()), Mirror::new(1000));
    assert!(old.ask(&server).await.is_err());
    assert_eq!(Client::of(&authority).ask(&server).await, Ok(StatusCode::OK));
    let tls = ServerTls { min_version: Version::Tls12, ..authority.server() };
    let server = serve(&encrypted(tls), Mirror::new(1000));
    assert_eq!(old.ask(&server).await, Ok(StatusCode::OK));
}

#[tokio::test]
async fn only_clients_of_our_authority_come_in_and_the_handler_knows_their_names() {
    let (ours, theirs) = (Authority::new(), Authority::new());
    ours.issue("edge-7", "client");
    theirs.issue("edge-7", "client");
    let client_ca_file = Some(text_of(&ours.path("ca.pem")));
    let tls = ServerTls { client_ca_file, ..ours.server() };
    let mirror = Mirror::new(1000);
    let server = serve(&encrypted(tls), Arc::clone(&mirror) as _);
    assert!(Client::of(&ours).ask(&server).await.is_err());
    // Shows the other authority's certificate while it trusts ours.
    std::fs::copy(theirs.path("client.pem"), ours.path("stranger.pem")).unwrap();
    std::fs::copy(theirs.path("client.key"), ours.path("stranger.key")).unwrap();
    let stranger = Client { certificate: Some("stranger"), ..Client::of(&ours) };
    assert!(stranger.ask(&server).await.is_err());
    assert_eq!(mirror.seen(), 0);
    until("both errors", || server.stats.handshake_errors() == 2).await;
    let friend = Client { certificate: Some("client"), ..Client::of(&ours) };
    assert_eq!(friend.ask(&server).await, Ok(StatusCode::OK));
    let identity = mirror.peers.lock().unwrap()[0].identity.clone().unwrap();
    assert_eq!(identity.common_name.as_deref(), Some("edge-7"));
    assert_eq!(identity.dns_names, ["localhost"]);
}

async fn served_name(client: &Client<'_>, server: &Server) -> String {
    let stream = client.connect(server).await.unwrap();
    let chain = stream.get_ref().1.peer_certificates().unwrap();
    bessemer_net::tls::Identity::of(&chain[0]).common_name.unwrap()
}

#[tokio::test]
async fn a_rotated_certificate_serves_the_next_handshake_without_a_restart() {
    let authority = Authority::new();
    let tls =
        ServerTls { reload_interval: Some(Span(Duration::from_millis(20))), ..authority.server() };
    let server = serve(&encrypted(tls), Mirror::new(1000));
    let client = Client::of(&authority);
    let mut open = http1(client.connect(&server).await.unwrap()).await;
    assert_eq!(served_name(&client, &server).await, "server");
    // Half of a rotation: the key of another certificate. The old pair stays.
    std::fs::write(authority.path("server.key"), "garbage").unwrap();
    assert!(server.certificates.as_ref().unwrap().reload().is_err());
    assert_eq!(served_name(&client, &server).await, "server");
    authority.issue("rotated", "server");
    let rotated = async {
        while served_name(&client, &server).await != "rotated" {
            tokio::task::yield_now().await;
        }
    };
    within("the rotation", rotated).await;
    let answer = within("the old connection", open.send_request(post("/", "x"))).await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
}

#[tokio::test]
async fn handshakes_that_stall_are_ended() {
    let authority = Authority::new();
    let mut settings = encrypted(authority.server());
    settings.limits.handshake_timeout = Span(Duration::from_millis(100));
    let server = serve(&settings, Mirror::new(1000));
    let mut silent = connect(server.address).await;
    assert_eq!(read_to_close(&mut silent).await, "");
    until("the counter", || server.stats.handshake_errors() == 1).await;
    // Plain text on the encrypted port.
    drop(exchange(server.address, b"GET / HTTP/1.1\r\n\r\n").await);
    until("the counter", || server.stats.handshake_errors() == 2).await;
}

fn problem(tls: ServerTls) -> String {
    match bind("test", &encrypted(tls)) {
        Err(BindError::Tls { source, .. }) => source.to_string(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn unusable_certificates_are_named_with_what_is_wrong() {
    let authority = Authority::new();
    let good = authority.server();
    let with = |change: &dyn Fn(&mut ServerTls)| {
        let mut tls = good.clone();
        change(&mut tls);
        problem(tls)
    };
    let path = |name: &str| Some(text_of(&authority.path(name)));
    assert!(with(&|tls| tls.cert_file = path("no.pem")).contains("no.pem cannot be read"));
    assert!(with(&|tls| tls.cert_file = None).starts_with("cert_file: is not set"));
    let swapped = with(&|tls| std::mem::swap(&mut tls.cert_file, &mut tls.key_file));
    assert!(swapped.contains("are the files swapped?"), "{swapped}");
    assert!(with(&|tls| tls.key_file = path("server.pem")).contains("holds no private key"));
    std::fs::write(authority.path("empty.pem"), "").unwrap();
    assert!(with(&|tls| tls.cert_file = path("empty.pem")).contains("holds no certificate"));
    authority.issue("other", "other");
    let mismatch = with(&|tls| tls.key_file = path("other.key"));
    assert!(mismatch.contains("other.key does not belong to"), "{mismatch}");
    let both = with(&|tls| tls.cert_pem = Some("x".into()));
    assert!(both.contains("as a file and as text"), "{both}");
    let versions = with(&|tls| tls.max_version = Version::Tls12);
    assert!(versions.contains("newer than max_version"), "{versions}");
    assert!(with(&|tls| tls.client_ca_file = path("empty.pem")).contains("empty.pem"));
}

#[test]
fn keys_never_show_in_debug_output() {
    let tls = ServerTls {
        key_pem: Some(bessemer_runtime::Secret::new("hunter2")),
        ..ServerTls::default()
    };
    assert!(!format!("{tls:?}").contains("hunter2"));
    let error = TlsError::Pem { place: "key_pem".into(), problem: "is not valid PEM".into() };
    assert_eq!(error.to_string(), "key_pem: is not valid PEM");
}
