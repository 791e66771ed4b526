//! TLS: who is trusted, who shows what, which protocol comes out, and files that change.

use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::sync::Arc;

use bessemer_net::dial::{DialError, Settings};
use bessemer_net::tls::settings::{Tls, Version};
use bytes::Bytes;
use http::Response;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, SanType};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, SupportedProtocolVersion};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

use crate::support::{Server, client, eventually, millis, post};

const ONLY_HTTP1: &[&[u8]] = &[b"http/1.1"];
static ONLY_12: [&SupportedProtocolVersion; 1] = [&rustls::version::TLS12];

/// An authority of the test's own.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: rcgen::Certificate,
}

/// A certificate with its key, as PEM and ready for rustls.
struct Leaf {
    certificate: rcgen::Certificate,
    key: KeyPair,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "test authority");
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        Self { issuer: Issuer::new(params, key), certificate }
    }

    fn sign(&self, names: &[&str], common_name: &str) -> Leaf {
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        let mut params = CertificateParams::new(names).unwrap();
        params.distinguished_name.push(DnType::CommonName, common_name);
        let key = KeyPair::generate().unwrap();
        Leaf { certificate: params.signed_by(&key, &self.issuer).unwrap(), key }
    }

    fn pem(&self) -> String {
        self.certificate.pem()
    }
}

impl Leaf {
    fn chain(&self) -> Vec<CertificateDer<'static>> {
        vec![self.certificate.der().clone()]
    }

    fn key(&self) -> PrivateKeyDer<'static> {
        PrivateKeyDer::try_from(self.key.serialize_der()).unwrap()
    }
}

/// What a server asks of its clients and offers to them.
struct Rules<'a> {
    leaf: &'a Leaf,
    clients: Option<&'a Authority>,
    alpn: &'static [&'static [u8]],
    versions: &'static [&'static SupportedProtocolVersion],
}

impl<'a> Rules<'a> {
    fn new(leaf: &'a Leaf) -> Self {
        let versions = rustls::DEFAULT_VERSIONS;
        Self { leaf, clients: None, alpn: &[b"h2", b"http/1.1"], versions }
    }

    fn config(&self) -> ServerConfig {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(self.versions)
            .unwrap();
        let builder = match self.clients {
            None => builder.with_no_client_auth(),
            Some(authority) => {
                let mut roots = RootCertStore::empty();
                roots.add(authority.certificate.der().clone()).unwrap();
                let verifier =
                    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
                builder.with_client_cert_verifier(verifier.build().unwrap())
            }
        };
        let mut config = builder.with_single_cert(self.leaf.chain(), self.leaf.key()).unwrap();
        config.alpn_protocols = self.alpn.iter().map(|name| name.to_vec()).collect();
        config
    }

    /// Answers with the version of HTTP and the last bytes of the client's certificate.
    async fn serve(&self) -> Server {
        let acceptor = TlsAcceptor::from(Arc::new(self.config()));
        Server::raw(move |_, stream| serve(acceptor.clone(), stream)).await
    }
}

async fn serve(acceptor: TlsAcceptor, stream: TcpStream) {
    let Ok(stream) = acceptor.accept(stream).await else { return };
    let shown = stream.get_ref().1.peer_certificates();
    let shown = shown.and_then(|chain| chain.first()).map(|leaf| leaf.to_vec());
    let service = hyper::service::service_fn(move |request| {
        let answer = describe(&request, shown.as_deref());
        async { Ok::<_, hyper::Error>(answer) }
    });
    let builder = hyper_util::server::conn::auto::Builder::new(TokioExecutor::new());
    drop(builder.serve_connection(TokioIo::new(stream), service).await);
}

/// The version of HTTP, then the certificate.
fn describe(request: &http::Request<Incoming>, shown: Option<&[u8]>) -> Response<Full<Bytes>> {
    let version = format!("{:?}", request.version());
    let body = [version.as_bytes(), shown.unwrap_or_default()].concat();
    Response::new(Full::new(Bytes::from(body)))
}

fn settings(server: &Server, tls: Tls) -> Settings {
    let endpoint = format!("https://localhost:{}", server.address.port());
    Settings { endpoint, tls, timeout: millis(5000), ..Settings::default() }
}

/// A server, and the settings of a client that trusts it.
pub(crate) async fn trusted() -> (Server, Settings) {
    let authority = Authority::new();
    let leaf = authority.sign(&["localhost"], "server");
    let server = Rules::new(&leaf).serve().await;
    let settings = settings(&server, trusting(&authority));
    (server, settings)
}

fn trusting(authority: &Authority) -> Tls {
    Tls { ca_pem: Some(authority.pem()), ..Tls::default() }
}

fn is_tls_error(error: &DialError) -> bool {
    matches!(error, DialError::Tls { .. })
}

#[tokio::test]
async fn a_private_authority_is_trusted_and_http2_is_negotiated() {
    let authority = Authority::new();
    let leaf = authority.sign(&["localhost"], "server");
    let server = Rules::new(&leaf).serve().await;
    let client = client(&settings(&server, trusting(&authority)));
    for _ in 0..10 {
        assert_eq!(client.send(&post(b"x")).await.unwrap().body, "HTTP/2.0");
    }
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn an_unused_http2_connection_is_closed_after_the_idle_time() {
    let authority = Authority::new();
    let leaf = authority.sign(&["localhost"], "server");
    let server = Rules::new(&leaf).serve().await;
    let short =
        Settings { idle_conn_timeout: millis(50), ..settings(&server, trusting(&authority)) };
    let client = client(&short);
    client.send(&post(b"x")).await.unwrap();
    eventually(|| server.open() == 0).await;
    client.send(&post(b"x")).await.unwrap();
    assert_eq!(server.connections(), 2);
}

#[tokio::test]
async fn a_server_with_http1_only_is_spoken_to_in_http1() {
    let authority = Authority::new();
    let leaf = authority.sign(&["localhost"], "server");
    for alpn in [ONLY_HTTP1, &[]] {
        let server = Rules { alpn, ..Rules::new(&leaf) }.serve().await;
        let client = client(&settings(&server, trusting(&authority)));
        for _ in 0..10 {
            assert_eq!(client.send(&post(b"x")).await.unwrap().body, "HTTP/1.1");
        }
        assert_eq!(server.connections(), 1);
    }
}

#[tokio::test]
async fn http2_can_be_switched_off() {
    let authority = Authority::new();
    let leaf = authority.sign(&["localhost"], "server");
    let server = Rules::new(&leaf).serve().await;
    let settings =
        Settings { force_attempt_http2: false, ..settings(&server, trusting(&authority)) };
    assert_eq!(client(&settings).send(&post(b"x")).await.unwrap().body, "HTTP/1.1");
}

#[tokio::test]
async fn a_certificate_for_another_name_is_refused_unless_that_name_is_expected() {
    let authority = Authority::new();
    let leaf = authority.sign(&["other.example"], "server");
    let server = Rules::new(&leaf).serve().await;
    let refused = client(&settings(&server, trusting(&authority)));
    let error = refused.send(&post(b"x")).await.unwrap_err();
    assert!(is_tls_error(&error) && error.is_retryable(), "{error:?}");
    let named = Tls { server_name: Some("other.example".into()), ..trusting(&authority) };
    client(&settings(&server, named)).send(&post(b"x")).await.unwrap();
}

#[tokio::test]
async fn an_address_is_verified_as_an_address() {
    let authority = Authority::new();
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.subject_alt_names.push(SanType::IpAddress(IpAddr::V4(Ipv4Addr::LOCALHOST)));
    let key = KeyPair::generate().unwrap();
    let leaf = Leaf { certificate: params.signed_by(&key, &authority.issuer).unwrap(), key };
    let server = Rules::new(&leaf).serve().await;
    let endpoint = format!("https://{}", server.address);
    let settings = Settings { endpoint, ..settings(&server, trusting(&authority)) };
    client(&settings).send(&post(b"x")).await.unwrap();
}

#[tokio::test]
async fn an_unknown_authority_is_refused_unless_verification_is_off() {
    let leaf = Authority::new().sign(&["localhost"], "server");
    let server = Rules::new(&leaf).serve().await;
    let error = client(&settings(&server, trusting(&Authority::new())))
        .send(&post(b"x"))
        .await
        .unwrap_err();
    assert!(is_tls_error(&error), "{error:?}");
    let careless = Tls { insecure_skip_verify: true, ..Tls::default() };
    client(&settings(&server, careless)).send(&post(b"x")).await.unwrap();
}

#[tokio::test]
async fn plain_text_where_tls_is_expected_is_a_tls_error() {
    let server = Server::http(|_| Response::new(Bytes::new())).await;
    let authority = Authority::new();
    let error = client(&settings(&server, trusting(&authority))).send(&post(b"x")).await;
    assert!(is_tls_error(&error.unwrap_err()));
}

#[tokio::test]
async fn an_old_protocol_version_is_spoken_only_by_setting() {
    let authority = Authority::new();
    let leaf = authority.sign(&["localhost"], "server");
    let server = Rules { versions: &ONLY_12, ..Rules::new(&leaf) }.serve().await;
    let error =
        client(&settings(&server, trusting(&authority))).send(&post(b"x")).await.unwrap_err();
    assert!(is_tls_error(&error), "{error:?}");
    let older = Tls { min_version: Version::Tls12, ..trusting(&authority) };
    client(&settings(&server, older)).send(&post(b"x")).await.unwrap();
}

#[tokio::test]
async fn a_client_certificate_is_shown_and_its_lack_is_a_tls_error() {
    let authority = Authority::new();
    let leaf = authority.sign(&["localhost"], "server");
    let server = Rules { clients: Some(&authority), ..Rules::new(&leaf) }.serve().await;
    for http2 in [true, false] {
        let without = settings(&server, trusting(&authority));
        let without = Settings { force_attempt_http2: http2, ..without };
        let error = client(&without).send(&post(b"x")).await.unwrap_err();
        assert!(is_tls_error(&error), "{error:?}");
    }
    let identity = authority.sign(&[], "client");
    let tls = Tls {
        cert_pem: Some(identity.certificate.pem()),
        key_pem: Some(bessemer_runtime::Secret::new(identity.key.serialize_pem())),
        ..trusting(&authority)
    };
    let answer = client(&settings(&server, tls)).send(&post(b"x")).await.unwrap();
    assert!(answer.body.ends_with(identity.certificate.der()));
}

fn write(directory: &Path, leaf: &Leaf) -> Tls {
    let (certificate, key) = (directory.join("client.pem"), directory.join("client.key"));
    std::fs::write(&certificate, leaf.certificate.pem()).unwrap();
    std::fs::write(&key, leaf.key.serialize_pem()).unwrap();
    let text = |path: &Path| Some(path.to_str().unwrap().to_owned());
    Tls { cert_file: text(&certificate), key_file: text(&key), ..Tls::default() }
}

#[tokio::test]
async fn a_rotated_client_certificate_is_shown_by_the_next_connection() {
    let authority = Authority::new();
    let leaf = authority.sign(&["localhost"], "server");
    let server = Rules { clients: Some(&authority), ..Rules::new(&leaf) }.serve().await;
    let directory = tempfile::tempdir().unwrap();
    let first = authority.sign(&[], "first client");
    let tls = Tls { reload_interval: Some(millis(1)), ..write(directory.path(), &first) };
    let tls = Tls { ca_pem: Some(authority.pem()), ..tls };
    let settings = Settings {
        disable_keep_alives: true,
        force_attempt_http2: false,
        ..settings(&server, tls)
    };
    let client = client(&settings);
    let shown = client.send(&post(b"x")).await.unwrap().body;
    assert!(shown.ends_with(first.certificate.der()));

    let second = authority.sign(&[], "second client");
    write(directory.path(), &second);
    tokio::time::sleep(std::time::Duration::from_millis(3)).await;
    let shown = client.send(&post(b"x")).await.unwrap().body;
    assert!(shown.ends_with(second.certificate.der()));

    std::fs::write(directory.path().join("client.pem"), "half written").unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(3)).await;
    let shown = client.send(&post(b"x")).await.unwrap().body;
    assert!(shown.ends_with(second.certificate.der()), "the last good state stays in use");
}

#[test]
fn settings_that_cannot_work_are_refused_with_their_name() {
    let authority = Authority::new();
    let (one, other) = (authority.sign(&[], "one"), authority.sign(&[], "other"));
    let secret = |leaf: &Leaf| Some(bessemer_runtime::Secret::new(leaf.key.serialize_pem()));
    let certificate = Some(one.certificate.pem());
    let check = |tls: Tls, setting: &str| {
        let settings = Settings { endpoint: "https://a:1".into(), tls, ..Settings::default() };
        let clock = crate::support::NotedClock::new(0);
        let refused = bessemer_net::dial::Client::new(&settings, clock, crate::support::random());
        assert_eq!(refused.unwrap_err().setting, setting);
    };
    let tls = Tls { ca_pem: Some(authority.pem()), ..Tls::default() };
    check(Tls { ca_pem: Some("no certificate".into()), ..tls.clone() }, "tls.ca_pem");
    check(
        Tls { ca_pem: None, ca_file: Some("/no/such/file".into()), ..tls.clone() },
        "tls.ca_file",
    );
    check(Tls { ca_file: Some("/no/such/file".into()), ..tls.clone() }, "tls.ca_file");
    check(Tls { cert_pem: certificate.clone(), ..tls.clone() }, "tls.cert_file");
    check(Tls { key_pem: secret(&one), ..tls.clone() }, "tls.key_file");
    let mixed = Tls { cert_pem: certificate, key_pem: secret(&other), ..tls.clone() };
    check(mixed, "tls.cert_file");
    check(Tls { server_name: Some("not a name".into()), ..tls.clone() }, "tls.server_name");
    let reversed = Tls { min_version: Version::Tls13, max_version: Version::Tls12, ..tls };
    check(reversed, "tls.max_version");
}
