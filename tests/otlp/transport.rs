//! Ports, paths, encodings and compression: checks 1 to 6, 13 and 37.

use std::net::TcpListener;
use std::sync::{Arc, Mutex};

use bessemer_net::body::{Body, Encoding};
use bessemer_net::listen::{self, Handler, Peer, Reply};
use bessemer_net::tls::ServerTls;
use bessemer_record::Signal;
use bessemer_runtime::{BoxFuture, Secret, Tasks};
use http::{Request, Response, StatusCode, Version};

use crate::client::{
    Grpc, JSON, PROTOBUF, Raw, SIGNALS, background_runtime, grpc_path, gunzip, gzip, http_path,
    post, post_http2,
};
use crate::fake::HttpFake;
use crate::fake_grpc::GrpcFake;
use crate::lab::{Setup, grpc_out, http_out};
use crate::load::Http;
use crate::process::{Bessemer, wait_until};
use crate::samples::{full, logs, resources, smallest};

/// OTLP check 1.
#[test]
fn plain_and_gzipped_requests_arrive_equal_over_both_protocols() {
    let sink = HttpFake::start();
    let lab = Setup::to(http_out("out", &sink.url(), "", "")).start();
    let grpc = Grpc::new(lab.grpc);
    for signal in SIGNALS {
        let plain = full(signal);
        let packed = gzip(&plain);
        let path = http_path(signal);
        let kind = ("content-type", PROTOBUF);
        assert_eq!(post(lab.http, path, &[kind], &plain).status, 200);
        let named_none = [kind, ("content-encoding", "identity")];
        assert_eq!(post(lab.http, path, &named_none, &plain).status, 200);
        let named_gzip = [kind, ("content-encoding", "gzip")];
        assert_eq!(post(lab.http, path, &named_gzip, &packed).status, 200);
        grpc.export(signal, &plain).unwrap();
        grpc.export_as(signal, Encoding::Gzip, &packed).unwrap();
        let arrived = sink.arrived(signal, 5);
        let sent = resources(signal, &plain);
        assert!(arrived.iter().all(|group| *group == sent[0]), "{signal:?} changed on its way");
    }
}

/// OTLP check 2.
///
/// Scenario: the default ports are taken.
/// Promise: a receiver without an endpoint says that it wanted exactly these.
#[test]
fn receivers_listen_on_4317_and_4318_unless_told_otherwise() {
    for (protocol, port) in [("grpc", 4317), ("http", 4318)] {
        let endpoint = format!("127.0.0.1:{port}");
        // When another process has the port already, that serves as well.
        let _taken = TcpListener::bind(&endpoint);
        let config = format!(
            r#"
otelcol.receiver.otlp "in" {{
  {protocol} {{ }}
  output {{
    logs = [bessemer.exporter.nop.none.input]
  }}
}}
bessemer.exporter.nop "none" {{ }}
"#
        );
        let mut bessemer = Bessemer::new(config);
        bessemer.spawn();
        assert_eq!(bessemer.wait(), 1, "{}", bessemer.log());
        assert!(bessemer.log().contains(&endpoint), "{endpoint} not in {}", bessemer.log());
    }
}

/// OTLP check 3. Profiles are in development; nothing takes them yet.
#[test]
fn each_signal_has_its_path_and_paths_can_be_chosen() {
    let own = r#"
    logs_url_path    = "/own/logs"
    metrics_url_path = "/own/metrics"
    traces_url_path  = "/own/traces""#;
    let (usual, chosen) =
        (Setup::to_nothing().start(), Setup { http: own, ..Setup::to_nothing() }.start());
    let kind = [("content-type", PROTOBUF)];
    for signal in SIGNALS {
        let (path, own) = (http_path(signal), http_path(signal).replace("/v1/", "/own/"));
        let body = smallest(signal);
        assert_eq!(post(usual.http, path, &kind, &body).status, 200);
        assert_eq!(post(usual.http, &own, &kind, &body).status, 404);
        assert_eq!(post(chosen.http, &own, &kind, &body).status, 200);
        assert_eq!(post(chosen.http, path, &kind, &body).status, 404);
        let (name, accepted) =
            (format!("signal=\"{}\"", signal.as_str()), "bessemer_accepted_records");
        assert_eq!(usual.bessemer.metric(accepted, &name), 1.0);
    }
    for path in ["/v1development/profiles", "/v1/profiles", "/", "/v1/logs/", "/v1/traces/x"] {
        assert_eq!(post(usual.http, path, &kind, &[]).status, 404, "{path}");
    }
}

/// OTLP check 4.
#[test]
fn protobuf_and_json_come_in_on_one_connection() {
    let sink = HttpFake::start();
    let lab = Setup::to(http_out("out", &sink.url(), "", "")).start();
    let mut http = Http::connect(lab.http).unwrap();
    let json =
        r#"{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"body":{"stringValue":"json"}}]}]}]}"#;
    for round in 0..3 {
        let body = logs([format!("protobuf {round}")]);
        let answer = http.post("/v1/logs", "content-type: application/x-protobuf\r\n", &body);
        assert_eq!(answer.unwrap().status, 200);
        let kind = "content-type: application/json; charset=utf-8\r\n";
        assert_eq!(http.post("/v1/logs", kind, json.as_bytes()).unwrap().status, 200);
    }
    assert_eq!(sink.arrived(Signal::Logs, 6).len(), 6);
}

/// OTLP check 5.
#[test]
fn an_answer_has_the_type_of_its_request_also_when_it_refuses() {
    let lab = Setup { http: "max_request_body_size = \"64KiB\"", ..Setup::to_nothing() }.start();
    let large = logs(["x".repeat(65 << 10)]);
    for signal in SIGNALS {
        let path = http_path(signal);
        for (kind, good, bad) in
            [(PROTOBUF, smallest(signal), &b"\xff\xff"[..]), (JSON, b"{}".to_vec(), b"{\"resource")]
        {
            let cases: [(&[u8], &str, u16); 4] = [
                (&good, "identity", 200),
                (bad, "identity", 400),
                (&large, "identity", 413),
                (&good, "br", 415),
            ];
            for (body, encoding, status) in cases {
                let headers = [("content-type", kind), ("content-encoding", encoding)];
                let answer = post(lab.http, path, &headers, body);
                assert_eq!(answer.status, status, "{path} {kind}");
                assert_eq!(answer.header("content-type"), Some(kind), "{path} {status}");
            }
        }
    }
    let with_parameter = [("content-type", "Application/JSON; charset=utf-8")];
    let answer = post(lab.http, "/v1/logs", &with_parameter, b"{}");
    assert_eq!((answer.status, answer.header("content-type")), (200, Some(JSON)));
}

/// OTLP check 6.
#[test]
fn exporters_name_type_and_encoding_and_answers_are_never_compressed() {
    let (http, grpc) = (HttpFake::start(), GrpcFake::scripted([]));
    let unset = "// compression: as it is when nobody sets it";
    let json = "encoding = \"json\"";
    let lab = Setup::to_all([
        http_out(
            "proto",
            &http.url(),
            &format!("{unset}\nheaders = {{ \"x-case\" = \"proto\" }}"),
            "",
        ),
        http_out(
            "json",
            &http.url(),
            &format!("{unset}\nheaders = {{ \"x-case\" = \"json\" }}"),
            json,
        ),
        grpc_out("grpc", &grpc.url(), unset, ""),
    ])
    .start();
    let body = full(Signal::Logs);
    let headers = [("content-type", PROTOBUF), ("accept-encoding", "gzip")];
    let answer = post(lab.http, "/v1/logs", &headers, &body);
    assert_eq!((answer.status, answer.header("content-encoding")), (200, None));
    http.wait_for(2);
    for (case, kind) in [("proto", PROTOBUF), ("json", JSON)] {
        let seen = &http.seen_of(case)[0];
        assert_eq!(seen.header("content-type"), Some(kind));
        assert_eq!(seen.header("content-encoding"), Some("gzip"));
        assert!(seen.header("accept-encoding").is_some_and(|value| value.contains("gzip")));
        assert!(!gunzip(&seen.body).is_empty());
    }
    let seen = &http.seen_of("proto")[0];
    assert_eq!(resources(Signal::Logs, &seen.plain()), resources(Signal::Logs, &body));
    let call = &grpc.wait_for(1)[0];
    assert_eq!(call.path, grpc_path(Signal::Logs));
    assert_eq!(call.header("content-type"), Some("application/grpc"));
    assert_eq!((call.header("grpc-encoding"), call.is_compressed), (Some("gzip"), true));
    assert_eq!(resources(Signal::Logs, &call.message), resources(Signal::Logs, &body));
}

/// OTLP check 13, the receiver.
#[test]
fn the_http_port_speaks_both_versions_of_http() {
    let sink = HttpFake::start();
    let lab = Setup::to(http_out("out", &sink.url(), "", "")).start();
    for signal in SIGNALS {
        let headers = [("content-type", PROTOBUF)];
        assert_eq!(post(lab.http, http_path(signal), &headers, &full(signal)).status, 200);
        let second = post_http2(lab.http, http_path(signal), &headers, &full(signal)).unwrap();
        assert_eq!((second.status, &*second.body), (200, &b""[..]));
        assert_eq!(second.headers["content-type"], PROTOBUF);
        let refused = post_http2(lab.http, http_path(signal), &headers, b"\xff").unwrap();
        assert_eq!(refused.status, 400);
        assert_eq!(sink.arrived(signal, 2).len(), 2);
    }
}

/// OTLP check 13, the exporter.
///
/// Scenario: one destination offers HTTP/2 in its TLS handshake, the other only HTTP/1.1.
/// Promise: the first is spoken to in HTTP/2, the second in HTTP/1.1.
#[test]
fn an_exporter_speaks_http2_where_it_is_offered_and_falls_back() {
    let folder = tempfile::tempdir().unwrap();
    let ca_file = folder.path().join("ca.pem");
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    std::fs::write(&ca_file, made.cert.pem()).unwrap();
    let modern = Versions::start(&made.cert.pem(), &made.signing_key.serialize_pem());
    let old = HttpFake::secure(only_http1(&made));
    let client = format!("tls {{\n ca_file = \"{}\"\n }}", ca_file.display());
    let url = |port: u16| format!("https://localhost:{port}");
    let lab = Setup::to_all([
        http_out("modern", &url(modern.port), &client, ""),
        http_out("old", &url(old.address.port()), &client, ""),
    ])
    .start();
    assert_eq!(lab.post(Signal::Logs, &full(Signal::Logs)).status, 200);
    assert_eq!(old.arrived(Signal::Logs, 1), resources(Signal::Logs, &full(Signal::Logs)));
    let seen = &modern.seen;
    wait_until(std::time::Duration::from_secs(20), "sent", || !seen.lock().unwrap().is_empty());
    assert_eq!(*seen.lock().unwrap(), [Version::HTTP_2]);
}

fn only_http1(made: &rcgen::CertifiedKey<rcgen::KeyPair>) -> Arc<rustls::ServerConfig> {
    use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Arc::new(config)
}

/// A destination with TLS that notes the version of HTTP of each request.
struct Versions {
    port: u16,
    seen: Arc<Mutex<Vec<Version>>>,
    _runtime: tokio::runtime::Runtime,
}

struct Note(Arc<Mutex<Vec<Version>>>);

impl Handler for Note {
    fn handle<'a>(&'a self, request: Request<Body>, _: &'a Peer) -> BoxFuture<'a, Response<Reply>> {
        self.0.lock().unwrap().push(request.version());
        Box::pin(std::future::ready(Reply::of(StatusCode::OK, PROTOBUF, "")))
    }
}

impl Versions {
    fn start(cert_pem: &str, key_pem: &str) -> Self {
        let runtime = background_runtime();
        let tls = ServerTls {
            cert_pem: Some(cert_pem.to_owned()),
            key_pem: Some(Secret::new(key_pem)),
            ..ServerTls::default()
        };
        let settings = listen::Settings { tls: Some(tls), ..listen::Settings::at("127.0.0.1:0") };
        let seen = Arc::new(Mutex::new(Vec::new()));
        let guard = runtime.enter();
        let bound = listen::bind("fake", &settings).unwrap();
        let port = bound.local_addr().port();
        bound.serve(Arc::new(Note(Arc::clone(&seen))), &Tasks::new());
        drop(guard);
        Self { port, seen, _runtime: runtime }
    }
}

/// OTLP check 37.
#[test]
fn wrong_methods_and_types_are_refused_in_the_words_of_the_collector() {
    let lab = Setup::to_nothing().start();
    for signal in SIGNALS {
        let path = http_path(signal);
        for method in ["GET", "PUT", "DELETE", "PATCH", "OPTIONS"] {
            let mut raw = Raw::open(lab.http);
            let head = format!(
                "{method} {path} HTTP/1.1\r\nhost: x\r\ncontent-type: {PROTOBUF}\r\n\
                 content-length: 0\r\n\r\n"
            );
            raw.send(head.as_bytes()).unwrap();
            let answer = raw.answer().unwrap();
            assert_eq!(answer.status, 405, "{method}");
            assert_eq!(answer.header("content-type"), Some("text/plain"));
            assert_eq!(answer.header("allow"), Some("POST"));
            assert_eq!(answer.body, b"405 method not allowed, supported: [POST]");
        }
        for kind in ["text/plain", "application/protobuf", "application/x-protobufx", ""] {
            let answer = post(lab.http, path, &[("content-type", kind)], &smallest(signal));
            assert_eq!(answer.status, 415, "{kind}");
            assert_eq!(answer.header("content-type"), Some("text/plain"));
            let expected =
                "415 unsupported media type, supported: [application/json, application/x-protobuf]";
            assert_eq!(String::from_utf8(answer.body).unwrap(), expected);
        }
        assert_eq!(post(lab.http, path, &[], &smallest(signal)).status, 415);
    }
    // The gRPC port has words of its own for what is no call.
    let answer = post(lab.grpc, grpc_path(Signal::Logs), &[("content-type", PROTOBUF)], b"");
    assert_eq!(answer.status, 415);
}
