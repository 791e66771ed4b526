//! Asks the admin port of a running process.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use bessemer_net::dial::{Client, Request, Settings};
use bessemer_runtime::{ByteSize, Clock, SystemClock, SystemRandom};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Bytes of an answer that are read at most.
const ANSWER_MIB_MAX: u64 = 128;

/// The admin port of a process.
pub(super) struct Server {
    address: String,
    client: Client,
    clock: Arc<dyn Clock>,
    runtime: tokio::runtime::Runtime,
}

impl Server {
    pub(super) fn at(address: &str) -> anyhow::Result<Self> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::default());
        let settings = Settings {
            endpoint: format!("http://{address}"),
            max_response_body_size: ByteSize::mib(ANSWER_MIB_MAX),
            ..Settings::default()
        };
        let random = Arc::new(SystemRandom::default());
        let client = Client::new(&settings, Arc::clone(&clock), random)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        Ok(Self { address: address.to_owned(), client, clock, runtime })
    }

    /// Asks with `pairs` as the query; those without a value are left out.
    pub(super) fn get<T: DeserializeOwned>(
        &self,
        path: &str,
        pairs: &[(&str, Option<String>)],
    ) -> anyhow::Result<T> {
        let given = pairs.iter().filter_map(|(name, value)| Some((name, value.as_ref()?)));
        let query: Vec<String> =
            given.map(|(name, value)| format!("{name}={}", escaped(value))).collect();
        let question = if query.is_empty() { "" } else { "?" };
        let path = format!("{path}{question}{}", query.join("&"));
        self.send(&Request::get(self.client.path(&path)?))
    }

    pub(super) fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
    ) -> anyhow::Result<T> {
        let body = bytes::Bytes::from(serde_json::to_vec(body)?);
        let request = Request::post(self.client.path(path)?, body);
        self.send(&request.content_type("application/json"))
    }

    pub(super) fn pause(&self, time: Duration) {
        self.runtime.block_on(async { self.clock.sleep(time).await });
    }

    fn send<T: DeserializeOwned>(&self, request: &Request) -> anyhow::Result<T> {
        let address = &self.address;
        let answer = self.runtime.block_on(self.client.send(request)).with_context(|| {
            format!("no answer from the admin port {address}; --server names another")
        })?;
        if !answer.is_success() {
            let body: serde_json::Value = serde_json::from_slice(&answer.body).unwrap_or_default();
            let said = body.get("error").and_then(serde_json::Value::as_str).unwrap_or_default();
            bail!("{address} answers {}: {said}", answer.status);
        }
        serde_json::from_slice(&answer.body)
            .with_context(|| format!("{address} does not answer as a Bessemer of this version"))
    }
}

fn escaped(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let escape = |byte: u8| {
        if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }
    };
    text.bytes().map(escape).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_one_value_whatever_is_in_it() {
        assert_eq!(escaped("a=b&c d%\u{e9}"), "a%3Db%26c%20d%25%C3%A9");
    }
}
