//! A fake of Vault's transit engine, made from its published HTTP API: data keys, unwrapping, rotation.
//! It wraps nothing: it remembers which plaintext it gave for which ciphertext.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

/// A server with one transit key, `bessemer`, in the mount `transit`.
pub(super) struct Vault {
    pub(super) address: SocketAddr,
    state: Arc<Mutex<State>>,
}

struct State {
    token: String,
    version: u32,
    min_decryption_version: u32,
    /// Answers this to everything.
    fails_with: Option<u16>,
    given: HashMap<String, [u8; 32]>,
}

impl Vault {
    pub(super) fn start(token: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let state = State {
            token: token.into(),
            version: 1,
            min_decryption_version: 1,
            fails_with: None,
            given: HashMap::new(),
        };
        let state = Arc::new(Mutex::new(state));
        let shared = Arc::clone(&state);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                serve(stream, &shared);
            }
        });
        Self { address, state }
    }

    /// Where its key is, as an argument names it.
    pub(super) fn url(&self) -> String {
        format!("http://{}/transit/bessemer", self.address)
    }

    pub(super) fn rotate(&self) {
        self.state.lock().unwrap().version += 1;
    }

    pub(super) fn forbid_versions_below(&self, version: u32) {
        self.state.lock().unwrap().min_decryption_version = version;
    }

    pub(super) fn expect_token(&self, token: &str) {
        self.state.lock().unwrap().token = token.into();
    }

    pub(super) fn fail_with(&self, status: Option<u16>) {
        self.state.lock().unwrap().fails_with = status;
    }

    /// How many data keys it gave.
    pub(super) fn given(&self) -> usize {
        self.state.lock().unwrap().given.len()
    }
}

fn serve(stream: TcpStream, state: &Mutex<State>) {
    let mut stream = BufReader::new(stream);
    let (mut path, mut token, mut length) = (String::new(), String::new(), 0);
    for line in stream.by_ref().lines() {
        let line = line.unwrap_or_default();
        let lower = line.to_ascii_lowercase();
        if line.is_empty() {
            break;
        } else if let Some(value) = lower.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        } else if lower.starts_with("x-vault-token:") {
            token = line.split_once(':').unwrap().1.trim().to_owned();
        } else if path.is_empty() {
            path = line.split(' ').nth(1).unwrap_or_default().to_owned();
        }
    }
    let mut body = vec![0; length];
    if stream.read_exact(&mut body).is_err() {
        return;
    }
    let question: Value = serde_json::from_slice(&body).unwrap_or_default();
    let (status, answer) = state.lock().unwrap().answer(&path, &token, &question);
    let answer = answer.to_string();
    let head = format!(
        "HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\
         connection: close\r\n\r\n",
        answer.len()
    );
    drop(stream.get_mut().write_all([head.as_bytes(), answer.as_bytes()].concat().as_slice()));
}

impl State {
    fn answer(&mut self, path: &str, token: &str, question: &Value) -> (u16, Value) {
        let refuse = |status: u16, why: &str| (status, json!({ "errors": [why] }));
        if let Some(status) = self.fails_with {
            return refuse(status, "Vault is sealed");
        }
        if token != self.token {
            return refuse(403, "permission denied");
        }
        match path {
            "/v1/transit/datakey/plaintext/bessemer" => self.data_key(),
            "/v1/transit/decrypt/bessemer" => {
                let ciphertext = question["ciphertext"].as_str().unwrap_or_default();
                let version = ciphertext.trim_start_matches("vault:v").split(':').next().unwrap();
                let version: u32 = version.parse().unwrap_or_default();
                match self.given.get(ciphertext) {
                    _ if version < self.min_decryption_version => {
                        refuse(400, "ciphertext version is disallowed by policy (too old)")
                    }
                    Some(key) => (200, json!({ "data": { "plaintext": STANDARD.encode(key) } })),
                    None => refuse(400, "invalid ciphertext: no prefix"),
                }
            }
            _ => refuse(404, "no handler for route"),
        }
    }

    fn data_key(&mut self) -> (u16, Value) {
        let number = u8::try_from(self.given.len() + 1).unwrap();
        let ciphertext = format!("vault:v{}:wrapped-{number}", self.version);
        let key = [number; 32];
        self.given.insert(ciphertext.clone(), key);
        let data = json!({ "plaintext": STANDARD.encode(key), "ciphertext": ciphertext });
        (200, json!({ "request_id": "x", "data": data }))
    }
}
