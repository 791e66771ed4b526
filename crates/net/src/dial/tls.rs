//! Trust and identity of a client, loaded again when their files change.
//!
//! Files are looked at when a connection is opened, at most once per `reload_interval`. A change
//! that cannot be loaded is reported and the last good state stays in use, so a half-written
//! certificate never takes a destination down.

mod verify;

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, SupportedProtocolVersion};

use super::error::SettingsError;
use crate::tls::settings::{Tls, Version};

const RELOAD_INTERVAL: Duration = Duration::from_secs(10);
/// A certificate or key file is a few KiB, a bundle of all public authorities 250 KiB.
const FILE_MAX: u64 = 4 << 20;

static ONLY_12: [&SupportedProtocolVersion; 1] = [&TLS12];
static ONLY_13: [&SupportedProtocolVersion; 1] = [&TLS13];
static BOTH: [&SupportedProtocolVersion; 2] = [&TLS13, &TLS12];

/// The application protocols a client offers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Offer {
    Http1,
    Http2,
    Both,
}

/// The TLS side of a client.
pub(super) struct ClientTls {
    settings: Tls,
    offer: Offer,
    name: ServerName<'static>,
    config: ArcSwap<ClientConfig>,
    watch: Mutex<Watch>,
}

struct Watch {
    checked: Duration,
    seen: Vec<Option<Stamp>>,
}

/// What changes when a file does: a rename brings another inode and time, a write another time.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Stamp {
    modified: Option<SystemTime>,
    length: u64,
    inode: u64,
}

impl ClientTls {
    /// Loads everything once; `host` is verified unless the settings name another.
    pub(super) fn new(settings: &Tls, host: &str, offer: Offer) -> Result<Self, SettingsError> {
        let name = settings.server_name.as_deref().unwrap_or(host);
        let name = ServerName::try_from(name.to_owned()).map_err(|_| {
            let problem = format!("{name:?} is neither a DNS name nor an IP address");
            SettingsError::new("tls.server_name", problem, "write the name in the certificate")
        })?;
        if settings.insecure_skip_verify {
            tracing::warn!(host, "tls.insecure_skip_verify is set: any certificate is accepted");
        }
        let watch = Watch { checked: Duration::ZERO, seen: stamps(settings) };
        let config = ArcSwap::new(Arc::new(load(settings, offer)?));
        let (settings, watch) = (settings.clone(), Mutex::new(watch));
        Ok(Self { settings, offer, name, config, watch })
    }

    /// The name the server must prove.
    pub(super) fn name(&self) -> ServerName<'static> {
        self.name.clone()
    }

    /// The newest settings that could be loaded. Reads small files, so it may block shortly.
    pub(super) fn current(&self, now: Duration) -> Arc<ClientConfig> {
        self.reload_if_changed(now);
        self.config.load_full()
    }

    fn reload_if_changed(&self, now: Duration) {
        let interval = self.settings.reload_interval.map_or(RELOAD_INTERVAL, |span| span.0);
        let mut watch = self.watch.lock();
        if interval.is_zero() || now < watch.checked.saturating_add(interval) {
            return;
        }
        watch.checked = now;
        let seen = stamps(&self.settings);
        if seen == watch.seen {
            return;
        }
        match load(&self.settings, self.offer) {
            Ok(config) => {
                self.config.store(Arc::new(config));
                watch.seen = seen;
                tracing::info!("the client's TLS files changed and were loaded");
            }
            // Not stored as seen: the next connection tries again.
            Err(error) => tracing::warn!(%error, "the client's TLS files changed and are not used"),
        }
    }
}

fn stamps(settings: &Tls) -> Vec<Option<Stamp>> {
    let files = [&settings.ca_file, &settings.cert_file, &settings.key_file];
    let stamp = |file: &String| {
        let metadata = std::fs::metadata(file).ok()?;
        let modified = metadata.modified().ok();
        Some(Stamp { modified, length: metadata.len(), inode: metadata.ino() })
    };
    files.into_iter().flatten().map(stamp).collect()
}

fn load(settings: &Tls, offer: Offer) -> Result<ClientConfig, SettingsError> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(versions(settings)?)
        .map_err(|error| SettingsError::new("tls", error.to_string(), "set min_version to 1.2"))?;
    let verifier = verify::verifier(settings, authorities(settings)?, provider)?;
    // "Dangerous" is what rustls calls every verifier that is not its default one.
    let builder = builder.dangerous().with_custom_certificate_verifier(verifier);
    let mut config = match identity(settings)? {
        None => builder.with_no_client_auth(),
        Some((chain, key)) => builder.with_client_auth_cert(chain, key).map_err(|error| {
            let problem = format!("certificate and key do not belong together: {error}");
            SettingsError::new("tls.cert_file", problem, "write the key of this certificate")
        })?,
    };
    config.alpn_protocols = match offer {
        Offer::Http1 => vec![b"http/1.1".to_vec()],
        Offer::Http2 => vec![b"h2".to_vec()],
        Offer::Both => vec![b"h2".to_vec(), b"http/1.1".to_vec()],
    };
    Ok(config)
}

fn versions(settings: &Tls) -> Result<&'static [&'static SupportedProtocolVersion], SettingsError> {
    match (settings.min_version, settings.max_version) {
        (Version::Tls12, Version::Tls12) => Ok(&ONLY_12),
        (Version::Tls12, Version::Tls13) => Ok(&BOTH),
        (Version::Tls13, Version::Tls13) => Ok(&ONLY_13),
        (Version::Tls13, Version::Tls12) => {
            let remedy = "set max_version to 1.3 or min_version to 1.2";
            Err(SettingsError::new("tls.max_version", "it is below min_version", remedy))
        }
    }
}

fn authorities(settings: &Tls) -> Result<Vec<CertificateDer<'static>>, SettingsError> {
    let pem =
        one_of(settings.ca_file.as_ref(), settings.ca_pem.as_deref(), "tls.ca_file", "tls.ca_pem")?;
    pem.map_or_else(|| Ok(Vec::new()), |pem| certificates(&pem))
}

type Identity = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

fn identity(settings: &Tls) -> Result<Option<Identity>, SettingsError> {
    let key_pem = settings.key_pem.as_ref().map(bessemer_runtime::Secret::expose);
    let chain = settings.cert_pem.as_deref();
    let chain = one_of(settings.cert_file.as_ref(), chain, "tls.cert_file", "tls.cert_pem")?;
    let key = one_of(settings.key_file.as_ref(), key_pem, "tls.key_file", "tls.key_pem")?;
    match (chain, key) {
        (None, None) => Ok(None),
        (Some(_), None) => {
            Err(SettingsError::new("tls.cert_file", "it has no key", "set key_file or key_pem"))
        }
        (None, Some(_)) => {
            let remedy = "set cert_file or cert_pem";
            Err(SettingsError::new("tls.key_file", "it has no certificate", remedy))
        }
        (Some(chain), Some(key)) => {
            let key_error = |error| {
                let problem = format!("{} holds no private key: {error}", key.setting);
                SettingsError::new(key.setting, problem, "write a PEM key, PKCS#8, SEC1 or PKCS#1")
            };
            let key = PrivateKeyDer::from_pem_slice(&key.bytes).map_err(key_error)?;
            Ok(Some((certificates(&chain)?, key)))
        }
    }
}

/// PEM text and the setting it came from.
struct Pem {
    setting: &'static str,
    bytes: Vec<u8>,
}

fn one_of(
    file: Option<&String>,
    text: Option<&str>,
    file_setting: &'static str,
    text_setting: &'static str,
) -> Result<Option<Pem>, SettingsError> {
    match (file, text) {
        (None, None) => Ok(None),
        (None, Some(text)) => Ok(Some(Pem { setting: text_setting, bytes: text.into() })),
        (Some(path), None) => {
            let bytes = read(Path::new(path)).map_err(|error| {
                let problem = format!("{path} cannot be read: {error}");
                SettingsError::new(file_setting, problem, "check path and permissions")
            })?;
            Ok(Some(Pem { setting: file_setting, bytes }))
        }
        (Some(_), Some(_)) => {
            let problem = format!("it is set together with {text_setting}");
            Err(SettingsError::new(file_setting, problem, "keep one of the two"))
        }
    }
}

fn read(path: &Path) -> std::io::Result<Vec<u8>> {
    if std::fs::metadata(path)?.len() > FILE_MAX {
        return Err(std::io::Error::new(std::io::ErrorKind::FileTooLarge, "more than 4 MiB"));
    }
    std::fs::read(path)
}

fn certificates(pem: &Pem) -> Result<Vec<CertificateDer<'static>>, SettingsError> {
    let remedy = "write PEM, which begins with -----BEGIN CERTIFICATE-----";
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem.bytes).collect();
    let found =
        found.map_err(|error| SettingsError::new(pem.setting, error.to_string(), remedy))?;
    if found.is_empty() {
        return Err(SettingsError::new(pem.setting, "it holds no certificate", remedy));
    }
    Ok(found)
}
