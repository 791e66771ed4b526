//! Proxies between client and destination, and cookies that a destination sets.

use std::sync::{Arc, Mutex};

use bessemer_net::dial::{Cookies, DialError, Settings};
use bessemer_runtime::Secret;
use bytes::Bytes;
use http::Response;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use crate::support::{Server, client, post, read_request, read_to_end};
use crate::tls::trusted;

fn through(proxy: &Server, settings: Settings) -> Settings {
    let url = format!("http://me:hunter%3A2@{}", proxy.address);
    Settings { proxy_url: Some(Secret::new(url)), ..settings }
}

/// me:hunter:2
const SHOWN: &str = "Basic bWU6aHVudGVyOjI=";

#[tokio::test]
async fn a_plain_destination_is_named_in_whole_to_the_proxy() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&seen);
    let proxy = Server::http(move |request| {
        let header =
            |name| request.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
        let shown = (header("proxy-authorization"), header("host"));
        noted.lock().unwrap().push((request.uri().to_string(), shown));
        Response::new(Bytes::new())
    })
    .await;
    let settings =
        Settings { endpoint: "http://nowhere.invalid:4318".into(), ..Settings::default() };
    let client = client(&through(&proxy, settings));
    assert_eq!(client.send(&post(b"x")).await.unwrap().status, 200);
    let shown = (Some(SHOWN.to_owned()), Some("nowhere.invalid:4318".to_owned()));
    assert_eq!(*seen.lock().unwrap(), [("http://nowhere.invalid:4318/v1/logs".to_owned(), shown)]);
}

/// Opens a tunnel to `target` for who shows the right credentials; what it was asked goes to `asked`.
async fn tunnel(mut near: TcpStream, target: std::net::SocketAddr, asked: Arc<Mutex<Vec<String>>>) {
    let Some((head, _)) = read_request(&mut near).await else { return };
    let is_known = head.contains(&format!("Proxy-Authorization: {SHOWN}\r\n"));
    asked.lock().unwrap().push(head);
    if !is_known {
        near.write_all(b"HTTP/1.1 407 Who\r\nContent-Length: 0\r\n\r\n").await.unwrap();
        return read_to_end(&mut near).await;
    }
    near.write_all(b"HTTP/1.1 200 Connection established\r\nVia: x\r\n\r\n").await.unwrap();
    let mut far = TcpStream::connect(target).await.unwrap();
    drop(tokio::io::copy_bidirectional(&mut near, &mut far).await);
}

#[tokio::test]
async fn an_https_destination_is_reached_through_a_tunnel_that_shows_the_proxy_nothing() {
    let (server, settings) = trusted().await;
    let asked = Arc::new(Mutex::new(Vec::new()));
    let (target, noted) = (server.address, Arc::clone(&asked));
    let proxy = Server::raw(move |_, near| tunnel(near, target, Arc::clone(&noted))).await;
    let client = client(&through(&proxy, settings.clone()));
    for _ in 0..3 {
        assert_eq!(client.send(&post(b"x")).await.unwrap().status, 200);
    }
    let heads = asked.lock().unwrap().clone();
    let [head] = heads.as_slice() else { panic!("one tunnel for all: {heads:?}") };
    let address = settings.endpoint.strip_prefix("https://").unwrap();
    let expected = format!(
        "CONNECT {address} HTTP/1.1\r\nHost: {address}\r\nProxy-Authorization: {SHOWN}\r\n\r\n"
    );
    assert_eq!(*head, expected);
}

static LONG: [u8; 20_000] = [b'x'; 20_000];

#[tokio::test]
async fn a_proxy_that_opens_no_way_is_named_and_the_request_counts_as_unsent() {
    let refused = |answer: &'static [u8]| {
        Server::raw(move |_, mut near| async move {
            if read_request(&mut near).await.is_some() {
                near.write_all(answer).await.unwrap();
                read_to_end(&mut near).await;
            }
        })
    };
    for (answer, said) in [
        (&b"HTTP/1.1 407 Who\r\n\r\n"[..], "another user and password"),
        (b"HTTP/1.1 403 No\r\n\r\n", "answers 403"),
        (b"SSH-2.0-x\r\n\r\n", "does not speak HTTP"),
        (&LONG, "more than"),
    ] {
        let proxy = refused(answer).await;
        let settings = Settings { endpoint: "https://127.0.0.1:1".into(), ..Settings::default() };
        let error = client(&through(&proxy, settings)).send(&post(b"x")).await.unwrap_err();
        assert!(matches!(error, DialError::Proxy { .. }) && error.is_unsent(), "{error:?}");
        let text = error.to_string();
        assert!(text.contains(said) && text.contains(&proxy.address.to_string()), "{text}");
        assert!(!format!("{error:?}").contains("hunter"), "{error:?}");
    }
}

#[tokio::test]
async fn cookies_come_back_only_where_the_settings_say_so() {
    let server = Server::http(|request| {
        let shown = request.headers().get("cookie").map(|value| value.as_bytes().to_vec());
        let mut answer = Response::new(Bytes::from(shown.unwrap_or_default()));
        answer.headers_mut().append("set-cookie", "id=1; Path=/".parse().unwrap());
        answer
    })
    .await;
    for (enabled, second) in [(true, &b"id=1"[..]), (false, b"")] {
        let cookies = Some(Cookies { enabled });
        let client = client(&Settings { cookies, ..server.settings() });
        assert_eq!(client.send(&post(b"x")).await.unwrap().body, "");
        assert_eq!(client.send(&post(b"x")).await.unwrap().body, second);
    }
}
