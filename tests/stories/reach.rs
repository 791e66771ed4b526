//! Destinations whose name or certificate does not hold, and then does. The name server and the
//! destinations are fakes.

use std::fmt::Write as _;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use crate::disk::is_there;
use crate::load::{Http, request};
use crate::process::{Bessemer, free_address, wait_until};
use crate::sink::{Mode, Sink};

const KIND: &str = "content-type: application/x-protobuf\r\n";
/// How soon a name that answers, or answers otherwise, is followed.
const FOLLOWED_WITHIN: Duration = Duration::from_secs(30);
/// How often a destination is tried in vain before it is mended.
const TRIES: f64 = 3.0;

fn config(http: SocketAddr, clients: &[(&str, String)]) -> String {
    let inputs: Vec<String> =
        clients.iter().map(|(id, _)| format!("otelcol.exporter.otlphttp.{id}.input")).collect();
    let mut text = format!(
        "otelcol.receiver.otlp \"in\" {{\n  http {{ endpoint = \"{http}\" }}\n  output {{ logs = \
         [{}] }}\n}}\n",
        inputs.join(", ")
    );
    for (id, client) in clients {
        write!(
            text,
            "otelcol.exporter.otlphttp \"{id}\" {{\n  client {{\n    compression = \"none\"\n    \
             timeout     = \"2s\"\n{client}  }}\n}}\n"
        )
        .unwrap();
    }
    text
}

fn send(http: SocketAddr, ids: std::ops::Range<u64>) {
    let mut client = Http::connect(http).unwrap();
    let answer = client.post("/v1/logs", KIND, &request(ids)).unwrap();
    assert_eq!(answer.status, 200, "taken, whatever the destination does");
}

fn retried(bessemer: &Bessemer, id: &str) -> f64 {
    bessemer.metric("bessemer_retried_deliveries_total", id)
}

/// What a name server says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Says {
    NoSuchName,
    ServerFailure,
    Nothing,
    Address(Ipv4Addr),
}

/// A name server that says the same of every name.
struct Names {
    says: Arc<Mutex<Says>>,
}

impl Names {
    fn start(socket: UdpSocket) -> Self {
        let says = Arc::new(Mutex::new(Says::NoSuchName));
        let saying = Arc::clone(&says);
        std::thread::spawn(move || {
            let mut query = [0; 512];
            while let Ok((length, from)) = socket.recv_from(&mut query) {
                let says = *saying.lock().unwrap();
                if let Some(answer) = answer(&query[..length], says) {
                    drop(socket.send_to(&answer, from));
                }
            }
        });
        Self { says }
    }

    fn say(&self, says: Says) {
        *self.says.lock().unwrap() = says;
    }
}

/// The answer to a query with one question; `None` for silence. Only type A has addresses.
fn answer(query: &[u8], says: Says) -> Option<Vec<u8>> {
    const HEADER: usize = 12;
    let name = query.get(HEADER..)?.iter().position(|byte| *byte == 0)?;
    let question = query.get(HEADER..HEADER + name + 5)?;
    let is_for_a = question.get(name + 1..name + 3)? == [0, 1];
    let code = match says {
        Says::Nothing => return None,
        Says::NoSuchName => 3,
        Says::ServerFailure => 2,
        Says::Address(_) => 0,
    };
    let address = if let Says::Address(address) = says { Some(address) } else { None };
    let address = address.filter(|_| is_for_a);
    let count = u8::from(address.is_some());
    let mut answer = query.get(..2)?.to_vec();
    answer.extend([0x81, 0x80 | code, 0, 1, 0, count, 0, 0, 0, 0]);
    answer.extend(question);
    if let Some(address) = address {
        // The name of the question, type A, class IN, no time to live.
        answer.extend([0xc0, 0x0c, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4]);
        answer.extend(address.octets());
    }
    Some(answer)
}

/// A port that is free on both addresses.
fn port_of(addresses: [Ipv4Addr; 2]) -> u16 {
    let free = |port: &u16| {
        addresses.iter().all(|address| std::net::TcpListener::bind((*address, *port)).is_ok())
    };
    (0..50).map(|_| free_address().port()).find(free).expect("a port that is free on both")
}

fn with_names(bessemer: Bessemer, server: Ipv4Addr) -> Bessemer {
    let write = |name: &str, text: String| {
        let path = bessemer.folder().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let resolv = write("resolv", format!("nameserver {server}\noptions timeout:1 attempts:1\n"));
    let switch = write("nsswitch", "hosts: dns\n".to_owned());
    let mount = format!(
        "mount --bind {resolv} /etc/resolv.conf && mount --bind {switch} /etc/nsswitch.conf && \
         exec \"$0\" \"$@\""
    );
    bessemer.inside(&["unshare", "-rm", "sh", "-c", &mount])
}

/// Scenario: the name of a destination does not exist, its server fails, then is silent; then the
/// name has an address; then the host behind it is gone without a word and the name has another.
/// Promise: records are taken all the time and none is dead; the address, and the other one, are
/// used within half a minute, without a restart.
#[test]
fn a_name_that_fails_or_moves_is_followed_and_costs_no_record() {
    let (server, here, there) =
        (Ipv4Addr::new(127, 0, 0, 99), Ipv4Addr::LOCALHOST, Ipv4Addr::new(127, 0, 0, 2));
    let files = ["/etc/resolv.conf", "/etc/nsswitch.conf"].map(Path::new);
    let can_mount = files.iter().all(|file| file.exists())
        && is_there("unshare", &["-rm", "sh", "-c", "mount --bind /etc/hosts /etc/hosts"]);
    // The port of name servers is for root alone on most machines.
    let socket = UdpSocket::bind((server, 53)).ok().filter(|_| can_mount);
    assert!(socket.is_some() || !crate::is_full_proof(), "this story needs UDP port 53 and mounts");
    let Some(socket) = socket else { return };
    let _alone = crate::alone();
    let names = Names::start(socket);
    let port = port_of([here, there]);
    let http = free_address();
    let client = format!("    endpoint = \"http://destination.test:{port}\"\n");
    let mut bessemer = with_names(Bessemer::new(config(http, &[("named", client)])), server);
    bessemer.start();
    for (round, says) in [Says::NoSuchName, Says::ServerFailure, Says::Nothing].iter().enumerate() {
        names.say(*says);
        let first = u64::try_from(round).unwrap() * 10;
        send(http, first..first + 10);
        let before = retried(&bessemer, "named");
        wait_until(FOLLOWED_WITHIN, "tried in vain", || {
            retried(&bessemer, "named") >= before + TRIES
        });
    }
    let first = Sink::at(SocketAddr::from((here, port)));
    names.say(Says::Address(here));
    wait_until(FOLLOWED_WITHIN, "delivered", || first.has_all((0..30).collect::<Vec<_>>().iter()));
    let second = Sink::at(SocketAddr::from((there, port)));
    first.set(Mode::BlackHole);
    names.say(Says::Address(there));
    send(http, 30..40);
    wait_until(FOLLOWED_WITHIN, "delivered to the new address", || {
        second.has_all((30..40).collect::<Vec<_>>().iter())
    });
    assert!(bessemer.metric("bessemer_dead_records_total", "named") < 1.0);
    assert_eq!(bessemer.stop(), 0);
}

/// Shows whatever certificate it holds at the moment.
#[derive(Debug)]
struct Shown(Mutex<Arc<CertifiedKey>>);

impl ResolvesServerCert for Shown {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0.lock().unwrap()))
    }
}

fn secure(shown: Arc<Shown>) -> Sink {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_cert_resolver(shown);
    Sink::secure(Arc::new(config))
}

fn authority() -> (Issuer<'static, KeyPair>, String) {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    let pem = params.self_signed(&key).unwrap().pem();
    (Issuer::new(params, key), pem)
}

fn certificate(name: &str, until_year: i32, by: &Issuer<'static, KeyPair>) -> Arc<CertifiedKey> {
    let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    params.not_after = rcgen::date_time_ymd(until_year, 1, 1);
    let key = KeyPair::generate().unwrap();
    let chain = vec![params.signed_by(&key, by).unwrap().der().clone()];
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let key = rustls::crypto::aws_lc_rs::sign::any_supported_type(&key).unwrap();
    Arc::new(CertifiedKey::new(chain, key))
}

/// Scenario: of three destinations one shows a certificate that has expired, one that of another
/// name, one that of an unknown authority; then each shows a good one.
/// Promise: none gets a byte of a request before; every record arrives afterwards, without a
/// restart, and none is dead.
#[test]
fn a_certificate_that_does_not_hold_gets_nothing_and_costs_no_record() {
    let _alone = crate::alone();
    let (trusted, pem) = authority();
    let bad = [
        ("expired", certificate("localhost", 2001, &trusted)),
        ("renamed", certificate("elsewhere.example", 2096, &trusted)),
        ("unknown", certificate("localhost", 2096, &authority().0)),
    ];
    let shown = bad.map(|(id, bad)| (id, Arc::new(Shown(Mutex::new(bad)))));
    let sinks = shown.each_ref().map(|(_, shown)| secure(Arc::clone(shown)));
    let ca = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(ca.path(), pem).unwrap();
    let clients = shown.iter().zip(&sinks).map(|((id, _), sink)| {
        let (port, ca) = (sink.address.port(), ca.path().display());
        let endpoint = format!("    endpoint = \"https://localhost:{port}\"\n");
        (*id, format!("{endpoint}    tls {{ ca_file = \"{ca}\" }}\n"))
    });
    let http = free_address();
    let mut bessemer = Bessemer::new(config(http, &clients.collect::<Vec<_>>()));
    bessemer.start();
    send(http, 0..20);
    for (id, _) in &shown {
        wait_until(FOLLOWED_WITHIN, "tried in vain", || retried(&bessemer, id) >= TRIES);
    }
    assert!(sinks.iter().all(|sink| sink.requests() == 0), "a request to whom nobody vouches for");
    for (_, shown) in &shown {
        *shown.0.lock().unwrap() = certificate("localhost", 2096, &trusted);
    }
    for sink in &sinks {
        wait_until(FOLLOWED_WITHIN, "delivered", || {
            sink.has_all((0..20).collect::<Vec<_>>().iter())
        });
        assert_eq!(sink.corrupt(), 0);
    }
    assert!(bessemer.metric("bessemer_dead_records_total", "") < 1.0);
    assert_eq!(bessemer.stop(), 0);
}
