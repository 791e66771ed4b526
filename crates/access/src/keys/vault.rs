//! Data keys of Vault's transit engine: Vault makes one for each segment, and only Vault unwraps it.
//!
//! The key in Vault never leaves it. A segment carries its data key as Vault has wrapped it, so what
//! was sealed is read as long as Vault lets us decrypt. Rotating the key in Vault takes effect with
//! the next segment. The API: <https://developer.hashicorp.com/vault/api-docs/secret/transit>.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bessemer_journal::{CurrentKey, Key, KeyError, KeySource};
use bessemer_net::dial::{Answer, Client, DialError, Request, Settings};
use bessemer_runtime::{ByteSize, Secret, Span, SystemClock, SystemRandom};
use bytes::Bytes;
use http::StatusCode;
use parking_lot::Mutex;
use serde::{Deserialize, Deserializer};
use serde_json::json;
use zeroize::Zeroizing;

use super::key_of;

/// Most bytes of a transit key's name, so that it and a version make an id.
const NAME_BYTES_MAX: usize = 48;
/// Most bytes of a token file: batch tokens are the longest.
const TOKEN_BYTES_MAX: u64 = 16 << 10;
/// Most bytes of an answer.
const ANSWER_BYTES_MAX: u64 = 64 << 10;
/// How long one question may take: an append may wait for it.
const TIMEOUT: Duration = Duration::from_secs(5);
/// Characters of what Vault says that are passed on.
const SAID_CHARS: usize = 200;

/// A transit key and how to reach it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VaultKey {
    address: String,
    mount: String,
    name: String,
}

/// Where the token of a client of Vault is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VaultToken {
    /// Given once.
    Text(Secret),
    /// In a file that is read at each use, as an agent of Vault renews it.
    File(PathBuf),
}

/// What else a client of Vault needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VaultAccess {
    /// Whom it says it is.
    pub token: VaultToken,
    /// A namespace of Vault Enterprise.
    pub namespace: Option<String>,
    /// Authorities that vouch for Vault, as a PEM file; those of the system unless given.
    pub ca_file: Option<String>,
}

/// Data keys that Vault makes and unwraps.
#[derive(Debug)]
pub struct VaultTransit {
    key: VaultKey,
    access: VaultAccess,
    /// What is used while Vault cannot be asked.
    last: Mutex<Option<CurrentKey>>,
}

/// Why a URL names no transit key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} names no transit key; write https://HOST:PORT/MOUNT/NAME, such as https://vault:8200/transit/bessemer"
)]
pub struct VaultUrlError(String);

/// Why Vault gave nothing.
#[derive(Debug)]
enum Refusal {
    /// It, or what is between, does not work now.
    Away(String),
    /// It answered, and may not or will not.
    No(StatusCode, String),
}

#[derive(Deserialize)]
struct Reply {
    data: Data,
}

/// A data key, or the plaintext of one alone.
#[derive(Deserialize)]
struct Data {
    #[serde(deserialize_with = "wiped")]
    plaintext: Zeroizing<String>,
    #[serde(default)]
    ciphertext: String,
}

#[derive(Deserialize)]
struct Errors {
    errors: Vec<String>,
}

impl VaultKey {
    /// Reads `https://HOST:PORT/MOUNT/NAME`; a mount may have several parts.
    pub fn parse(url: &str) -> Result<Self, VaultUrlError> {
        let wrong = || VaultUrlError(url.to_owned());
        let (scheme, rest) = url.split_once("://").ok_or_else(wrong)?;
        let (host, path) = rest.split_once('/').ok_or_else(wrong)?;
        let (mount, name) = path.rsplit_once('/').ok_or_else(wrong)?;
        let is_plain = |text: &str| {
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
            !text.is_empty() && !text.starts_with('.') && text.bytes().all(plain)
        };
        let fits = matches!(scheme, "http" | "https")
            && !host.is_empty()
            && mount.split('/').all(is_plain)
            && is_plain(name)
            && name.len() <= NAME_BYTES_MAX;
        let address = format!("{scheme}://{host}");
        fits.then(|| Self { address, mount: mount.into(), name: name.into() }).ok_or_else(wrong)
    }

    /// Whether keys would cross a network in the clear.
    pub fn is_plain_text(&self) -> bool {
        self.address.starts_with("http://")
    }

    // Names the version of the transit key too: it is what an operator rotates.
    fn id(&self, ciphertext: &str) -> String {
        let version = ciphertext.split(':').nth(1).filter(|version| version.len() < 14);
        format!("{}:{}", self.name, version.unwrap_or("v?"))
    }
}

impl VaultTransit {
    /// The keys of `key`, of which Vault must give one now.
    pub fn open(key: VaultKey, access: VaultAccess) -> Result<Self, KeyError> {
        let vault = Self { key, access, last: Mutex::default() };
        vault.current()?;
        Ok(vault)
    }

    fn data_key(&self) -> Result<CurrentKey, Refusal> {
        let Data { plaintext, ciphertext } =
            self.ask(&format!("datakey/plaintext/{}", self.key.name), &json!({ "bits": 256 }))?;
        let no_key = || Refusal::Away("Vault's answer holds no data key of 32 bytes".into());
        let key = key_of(plaintext.as_bytes()).ok_or_else(no_key)?;
        if ciphertext.is_empty() {
            return Err(no_key());
        }
        Ok(CurrentKey { id: self.key.id(&ciphertext), key, wrapped: Bytes::from(ciphertext) })
    }

    fn ask(&self, verb: &str, question: &serde_json::Value) -> Result<Data, Refusal> {
        let path = format!("/v1/{}/{verb}", self.key.mount);
        let settings = self.settings()?;
        let body = Bytes::from(question.to_string());
        // The journal asks from threads of its own, and from within a runtime while it is opened.
        let asked = std::thread::scope(|scope| {
            scope
                .spawn(|| send(&settings, &path, body))
                .join()
                .unwrap_or_else(|_| Err(Refusal::Away("the question to Vault has failed".into())))
        });
        let answer = asked?;
        if !answer.is_success() {
            return Err(refusal(&answer));
        }
        let reply: Reply = serde_json::from_slice(&answer.body)
            .map_err(|_| Refusal::Away("what answers does not speak as Vault".into()))?;
        Ok(reply.data)
    }

    fn settings(&self) -> Result<Settings, Refusal> {
        let VaultAccess { token, namespace, ca_file } = &self.access;
        let mut settings = Settings {
            endpoint: self.key.address.clone(),
            timeout: Span(TIMEOUT),
            connect_timeout: Span(TIMEOUT),
            max_response_body_size: ByteSize(ANSWER_BYTES_MAX),
            disable_keep_alives: true,
            ..Settings::default()
        };
        settings.tls.ca_file.clone_from(ca_file);
        settings.headers.insert("x-vault-token".into(), token.read()?);
        settings.headers.insert("x-vault-request".into(), Secret::new("true"));
        if let Some(namespace) = namespace {
            settings.headers.insert("x-vault-namespace".into(), Secret::new(namespace));
        }
        Ok(settings)
    }

    fn unavailable(&self, refusal: &Refusal) -> KeyError {
        let VaultKey { address, mount, name } = &self.key;
        let reason = match refusal {
            Refusal::Away(reason) => reason.clone(),
            Refusal::No(StatusCode::FORBIDDEN, said) => format!(
                "Vault forbids it (403 {said}); the token needs update on \
                 {mount}/datakey/plaintext/{name} and {mount}/decrypt/{name}"
            ),
            Refusal::No(status, said) => format!("Vault answers {} {said}", status.as_u16()),
        };
        KeyError::Unavailable { source_name: format!("{address}/{mount}/{name}"), reason }
    }
}

impl KeySource for VaultTransit {
    // A data key serves more than one segment without harm, since each has a salt: that is better
    // than no appends while Vault restarts. What Vault refuses is not gone around.
    fn current(&self) -> Result<CurrentKey, KeyError> {
        let refusal = match self.data_key() {
            Ok(key) => {
                *self.last.lock() = Some(key.clone());
                return Ok(key);
            }
            Err(refusal) => refusal,
        };
        let error = self.unavailable(&refusal);
        let last = self.last.lock().clone().filter(|_| matches!(refusal, Refusal::Away(_)));
        let last = last.ok_or_else(|| error.clone())?;
        tracing::warn!(%error, key = last.id, "Vault gives no new data key, the last one goes on");
        Ok(last)
    }

    fn find(&self, id: &str, wrapped: &[u8]) -> Result<Key, KeyError> {
        let unknown = || KeyError::Unknown(id.to_owned());
        let ciphertext = std::str::from_utf8(wrapped).ok().filter(|text| !text.is_empty());
        let ciphertext = ciphertext.ok_or_else(unknown)?;
        let question = json!({ "ciphertext": ciphertext });
        match self.ask(&format!("decrypt/{}", self.key.name), &question) {
            Ok(data) => key_of(data.plaintext.as_bytes()).ok_or_else(unknown),
            // Wrapped by another key, or by a version that may be decrypted no more.
            Err(Refusal::No(StatusCode::BAD_REQUEST, said)) => {
                tracing::warn!(key = id, said, "Vault does not unwrap a data key");
                Err(unknown())
            }
            Err(refusal) => Err(self.unavailable(&refusal)),
        }
    }
}

impl VaultToken {
    fn read(&self) -> Result<Secret, Refusal> {
        let path = match self {
            Self::Text(token) => return Ok(token.clone()),
            Self::File(path) => path,
        };
        let failed = |reason: &dyn ToString| {
            let reason = reason.to_string();
            Refusal::Away(format!("the token file {} is of no use: {reason}", path.display()))
        };
        let length = fs::metadata(path).map_err(|error| failed(&error))?.len();
        if length > TOKEN_BYTES_MAX {
            return Err(failed(&format!("it has {length} bytes")));
        }
        let text = fs::read_to_string(path).map_err(|error| failed(&error))?;
        let token = text.trim();
        if token.is_empty() {
            return Err(failed(&"it is empty"));
        }
        Ok(Secret::new(token))
    }
}

fn wiped<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Zeroizing<String>, D::Error> {
    String::deserialize(deserializer).map(Zeroizing::new)
}

fn send(settings: &Settings, path: &str, body: Bytes) -> Result<Answer, Refusal> {
    let away = |error: &dyn ToString| Refusal::Away(error.to_string());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| away(&error))?;
    let _inside = runtime.enter();
    let (clock, random) = (Arc::new(SystemClock::default()), Arc::new(SystemRandom::default()));
    let client = Client::new(settings, clock, random).map_err(|error| away(&error))?;
    let path = client.path(path).map_err(|error| away(&error))?;
    let request = Request::post(path, body).content_type("application/json");
    let sent = runtime.block_on(client.send(&request));
    sent.map_err(|error: DialError| away(&error))
}

// Sealed, a standby that cannot forward, or overloaded: all of these pass.
fn refusal(answer: &Answer) -> Refusal {
    let errors: Errors =
        serde_json::from_slice(&answer.body).unwrap_or(Errors { errors: Vec::new() });
    let said = errors.errors.join("; ");
    let said: String = said.chars().filter(|c| !c.is_control()).take(SAID_CHARS).collect();
    if answer.status.is_server_error() || answer.status == StatusCode::TOO_MANY_REQUESTS {
        return Refusal::Away(format!("Vault answers {} {said}", answer.status.as_u16()));
    }
    Refusal::No(answer.status, said)
}

#[cfg(test)]
mod tests;
