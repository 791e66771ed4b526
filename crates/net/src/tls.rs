//! TLS for both directions: settings, certificates that are reloaded when their files change.
//!
//! One provider (aws-lc-rs), TLS 1.3 unless a setting asks for 1.2. What is built from files stands
//! in a [`Reloading`], so that a rotated certificate serves the next handshake without a restart.

pub mod der;
pub mod pem;
pub mod reload;
pub mod server;
pub mod settings;

use std::sync::Arc;

use rustls::SupportedProtocolVersion;
use rustls::crypto::CryptoProvider;
use rustls::version::{TLS12, TLS13};

pub use der::Identity;
pub use pem::Source;
pub use reload::Reloading;
pub use server::Server;
pub use settings::{ServerTls, Tls, Version};

/// Why TLS settings cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("{file} cannot be read: {source}")]
    Read {
        /// The path as the settings name it.
        file: String,
        /// What the system says.
        source: std::io::Error,
    },
    /// A PEM file or text does not hold what is needed.
    #[error("{place}: {problem}")]
    Pem {
        /// The path, or the setting that holds the text.
        place: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The private key is not the one the certificate was made for.
    #[error("the key in {key} does not belong to the first certificate in {certificate}")]
    KeyMismatch {
        /// Where the certificate is.
        certificate: String,
        /// Where the key is.
        key: String,
    },
    /// Settings exclude or lack each other.
    #[error("{setting}: {problem}; {remedy}")]
    Settings {
        /// The setting to change.
        setting: &'static str,
        /// What is wrong.
        problem: &'static str,
        /// What to do.
        remedy: &'static str,
    },
    /// The library refuses the material.
    #[error("{place}: {source}")]
    Library {
        /// Where the material is.
        place: String,
        /// What the library says.
        source: rustls::Error,
    },
}

/// The one crypto provider of the process.
pub fn provider() -> Arc<CryptoProvider> {
    static PROVIDER: std::sync::OnceLock<Arc<CryptoProvider>> = std::sync::OnceLock::new();
    let provider = PROVIDER.get_or_init(|| Arc::new(rustls::crypto::aws_lc_rs::default_provider()));
    Arc::clone(provider)
}

static BOTH: [&SupportedProtocolVersion; 2] = [&TLS13, &TLS12];
static OLD: [&SupportedProtocolVersion; 1] = [&TLS12];
static NEW: [&SupportedProtocolVersion; 1] = [&TLS13];

/// The protocol versions from `oldest` to `newest`.
pub fn versions(
    oldest: Version,
    newest: Version,
) -> Result<&'static [&'static SupportedProtocolVersion], TlsError> {
    match (oldest, newest) {
        (Version::Tls13, Version::Tls13) => Ok(&NEW),
        (Version::Tls12, Version::Tls12) => Ok(&OLD),
        (Version::Tls12, Version::Tls13) => Ok(&BOTH),
        (Version::Tls13, Version::Tls12) => Err(TlsError::Settings {
            setting: "min_version",
            problem: "is newer than max_version",
            remedy: "lower it or remove max_version",
        }),
    }
}
