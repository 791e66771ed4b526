//! How an exporter over HTTP reaches its destination: client, retries, compression.

use std::sync::Arc;

use bessemer_net::body::Encoding;
use bessemer_net::dial::{Client, Request, Settings as DialSettings};
use bessemer_net::retry::Policy;
use bessemer_pipeline::{Context, SettingsError, Verdict};
use bessemer_runtime::{Clock, Secret};
use http::HeaderValue;
use http::uri::{PathAndQuery, Uri};

use super::reason;
use crate::otlp::settings::{Retry, SendingQueue, credentials, of_dial};

/// The way to one destination.
pub(crate) struct Link {
    pub(crate) client: Client,
    pub(crate) policy: Policy,
    pub(crate) encoding: Encoding,
    /// Bytes from which on a body is compressed.
    pub(crate) compress_from: usize,
    pub(crate) concurrency: usize,
    pub(crate) clock: Arc<dyn Clock>,
    secrets: Vec<Secret>,
}

/// How bodies are compressed unless `compression` says otherwise.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Compression {
    pub(crate) encoding: Encoding,
    /// Bytes from which on it is worth it.
    pub(crate) from: usize,
}

impl Link {
    /// The way that the shared blocks of settings describe; `secrets` never show in a reason.
    pub(crate) fn new(
        (client, retry, queue): (&DialSettings, &Retry, &SendingQueue),
        compression: Compression,
        secrets: Vec<Secret>,
        context: &Context,
    ) -> Result<Self, SettingsError> {
        let mut dial = client.clone();
        let encoding = dial.compression.take().unwrap_or(compression.encoding);
        let (clock, random) = (Arc::clone(&context.clock), Arc::clone(&context.random));
        let headers = dial.headers.values().cloned();
        let credentials = credentials(dial.auth.as_ref(), context)?;
        Ok(Self {
            client: Client::new(&dial, clock, random)
                .map_err(of_dial)?
                .with_credentials(credentials),
            policy: retry.policy(),
            encoding,
            compress_from: compression.from,
            concurrency: queue.consumers(),
            clock: Arc::clone(&context.clock),
            secrets: headers.chain(secrets).collect(),
        })
    }

    /// The verdict with reasons that people may read: without our secrets and those of the request.
    pub(crate) fn clean(&self, verdict: Verdict, request: Option<&Request>) -> Verdict {
        if verdict == Verdict::Delivered {
            return verdict;
        }
        let sent = request.into_iter().flat_map(reason::secrets_of);
        let secrets: Vec<Secret> = self.secrets.iter().cloned().chain(sent).collect();
        reason::clean(verdict, &secrets)
    }
}

/// The path of an endpoint, without a slash at its end; none of what is no URL, which the client
/// refuses.
pub(crate) fn base_path(endpoint: &str) -> String {
    let uri = endpoint.trim().parse::<Uri>().ok();
    uri.map(|uri| uri.path().trim_end_matches('/').to_owned()).unwrap_or_default()
}

/// A path that `setting` is a part of.
pub(crate) fn path(setting: &str, text: &str) -> Result<PathAndQuery, SettingsError> {
    text.parse().map_err(|_| {
        let remedy = "leave out spaces and control characters";
        SettingsError::new(setting, format!("{text:?} is not a path"), remedy)
    })
}

/// A header value that logs do not show; `path` is the setting it is made of.
pub(crate) fn secret_header(path: &str, text: &str) -> Result<HeaderValue, SettingsError> {
    let mut value = HeaderValue::from_str(text).map_err(|_| {
        SettingsError::new(path, "holds control characters", "check it for a line break")
    })?;
    value.set_sensitive(true);
    Ok(value)
}
