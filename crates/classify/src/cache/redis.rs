//! The shared level in Redis or Valkey: `MGET`, `SET ... EX`, `DEL`, and nothing else.
//!
//! A key that holds another type is nil to `MGET`, and `SET` replaces it. A flushed server is a
//! miss. The connection is made with the first question and made again after it broke.

use std::time::Duration;

use bessemer_net::tls::Source;
use bessemer_pipeline::SettingsError;
use bessemer_runtime::{BoxFuture, Secret, Span};
use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{Client, ClientTlsConfig, RedisError, TlsCertificates};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Key;
use super::shared::{SharedCache, SharedError};

/// Settings of the cache of verdicts that nodes share.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// `redis://[user:password@]host:port/database`, or `rediss://` for TLS.
    pub url: Secret,
    /// How long a verdict is kept.
    #[serde(default = "default_ttl")]
    pub ttl: Span,
    /// How long an answer is waited for; then the level counts as empty and rests a while.
    #[serde(default = "default_timeout")]
    pub timeout: Span,
    /// What the names of the keys begin with.
    #[serde(default = "default_prefix")]
    pub prefix: String,
    /// PEM file with the authorities that may sign the server's certificate, instead of the
    /// system's.
    #[serde(default)]
    pub ca_file: Option<String>,
    /// PEM file with the certificate shown to the server; needs `key_file`.
    #[serde(default)]
    pub cert_file: Option<String>,
    /// PEM file with the private key of the certificate.
    #[serde(default)]
    pub key_file: Option<String>,
}

fn default_ttl() -> Span {
    Span(Duration::from_hours(1))
}

fn default_timeout() -> Span {
    Span(Duration::from_millis(250))
}

fn default_prefix() -> String {
    "bessemer:verdict:".to_owned()
}

/// A server that speaks Redis.
pub struct Redis {
    client: Client,
    config: ConnectionManagerConfig,
    manager: tokio::sync::OnceCell<ConnectionManager>,
    prefix: String,
    ttl_s: u64,
}

impl std::fmt::Debug for Redis {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Redis").field("prefix", &self.prefix).finish_non_exhaustive()
    }
}

impl Redis {
    /// One that connects with the first question.
    pub fn new(settings: &Settings) -> Result<Self, SettingsError> {
        let wrong = |error: &RedisError| {
            let remedy = "write redis://host:6379/0, or rediss:// for TLS";
            SettingsError::new("cache.url", error.to_string(), remedy)
        };
        let url = settings.url.expose();
        let client = match certificates(settings)? {
            None => Client::open(url),
            Some(certificates) => Client::build_with_tls(url, certificates),
        }
        .map_err(|error| wrong(&error))?;
        // Shorter than the guard's, so that a try ends before it is given up.
        let limit = Some(settings.timeout.0);
        let config = ConnectionManagerConfig::new()
            .set_number_of_retries(0)
            .set_connection_timeout(limit)
            .set_response_timeout(limit);
        Ok(Self {
            client,
            config,
            manager: tokio::sync::OnceCell::new(),
            prefix: settings.prefix.clone(),
            ttl_s: settings.ttl.0.as_secs().max(1),
        })
    }

    async fn connection(&self) -> Result<ConnectionManager, SharedError> {
        let connect = || async {
            let (client, config) = (self.client.clone(), self.config.clone());
            ConnectionManager::new_with_config(client, config)
                .await
                .map_err(|error| refused(&error))
        };
        self.manager.get_or_try_init(connect).await.cloned()
    }

    fn name(&self, key: &Key) -> String {
        format!("{}{}", self.prefix, key.as_str())
    }
}

impl SharedCache for Redis {
    fn get<'a>(
        &'a self,
        keys: &'a [Key],
    ) -> BoxFuture<'a, Result<Vec<Option<Vec<u8>>>, SharedError>> {
        Box::pin(async move {
            let names: Vec<String> = keys.iter().map(|key| self.name(key)).collect();
            let mut connection = self.connection().await?;
            let answers = redis::cmd("MGET").arg(&names).query_async(&mut connection).await;
            answers.map_err(|error| refused(&error))
        })
    }

    fn put<'a>(&'a self, entries: &'a [(Key, Vec<u8>)]) -> BoxFuture<'a, Result<(), SharedError>> {
        Box::pin(async move {
            let mut connection = self.connection().await?;
            let mut all = redis::pipe();
            for (key, entry) in entries {
                all.cmd("SET").arg(self.name(key)).arg(entry).arg("EX").arg(self.ttl_s).ignore();
            }
            all.query_async(&mut connection).await.map_err(|error| refused(&error))
        })
    }

    fn remove<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Result<(), SharedError>> {
        Box::pin(async move {
            let mut connection = self.connection().await?;
            let removed = redis::cmd("DEL").arg(self.name(key)).query_async(&mut connection).await;
            removed.map_err(|error| refused(&error))
        })
    }
}

fn certificates(settings: &Settings) -> Result<Option<TlsCertificates>, SettingsError> {
    let read = |setting: &str, file: &Option<String>| match file {
        None => Ok(None),
        Some(file) => Source::File(file.clone()).read().map(Some).map_err(|error| {
            SettingsError::new(setting, error.to_string(), "name a PEM file that can be read")
        }),
    };
    let root_cert = read("cache.ca_file", &settings.ca_file)?;
    let cert = read("cache.cert_file", &settings.cert_file)?;
    let key = read("cache.key_file", &settings.key_file)?;
    let client_tls = match (cert, key) {
        (Some(client_cert), Some(client_key)) => Some(ClientTlsConfig { client_cert, client_key }),
        (None, None) => None,
        (Some(_), None) | (None, Some(_)) => {
            let remedy = "give both, or neither";
            return Err(SettingsError::new("cache.cert_file", "needs its key", remedy));
        }
    };
    let is_needed = root_cert.is_some() || client_tls.is_some();
    Ok(is_needed.then_some(TlsCertificates { client_tls, root_cert }))
}

fn refused(error: &RedisError) -> SharedError {
    SharedError::Refused(error.to_string())
}

#[cfg(test)]
mod tests;
