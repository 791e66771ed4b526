//! The server's half: its certificate, whom it lets in, and the protocols it offers.

use std::sync::Arc;

use bessemer_runtime::Clock;
use rustls::ServerConfig;
use rustls::server::{ResolvesServerCert, WebPkiClientVerifier};
use rustls::sign::SingleCertAndKey;

use super::pem::certified_key;
use super::{Reloading, ServerTls, Source, TlsError, provider, versions};

/// TLS settings ready to accept handshakes.
pub type Server = Reloading<ServerConfig>;

impl Server {
    /// Reads certificate, key and client authorities, and proves that they can be used.
    pub fn from_settings(settings: &ServerTls, clock: Arc<dyn Clock>) -> Result<Self, TlsError> {
        let certificate = settings.cert_pem.clone().map(bessemer_runtime::Secret::new);
        let certificate =
            Source::of("cert_pem", settings.cert_file.as_deref(), certificate.as_ref())?;
        let certificate = certificate.ok_or(TlsError::Settings {
            setting: "cert_file",
            problem: "is not set",
            remedy: "name the PEM file with the server's certificate, or remove the tls block",
        })?;
        let key = Source::of("key_pem", settings.key_file.as_deref(), settings.key_pem.as_ref())?;
        let key = key.ok_or(TlsError::Settings {
            setting: "key_file",
            problem: "is not set",
            remedy: "name the PEM file with the private key of cert_file",
        })?;
        let clients = settings.client_ca_file.clone().map(Source::File);
        let protocols = versions(settings.min_version, settings.max_version)?;
        let sources: Vec<_> = [Some(certificate.clone()), Some(key.clone()), clients.clone()]
            .into_iter()
            .flatten()
            .collect();
        let build = move || {
            let now = clock.unix_nanos() / 1_000_000_000;
            let identity = certified_key(&certificate, &key, now)?;
            build(protocols, Arc::new(SingleCertAndKey::from(identity)), clients.as_ref())
        };
        Self::new(sources, build)
    }
}

fn build(
    protocols: &[&'static rustls::SupportedProtocolVersion],
    identity: Arc<dyn ResolvesServerCert>,
    clients: Option<&Source>,
) -> Result<ServerConfig, TlsError> {
    let library = |source| TlsError::Library { place: "min_version".into(), source };
    let builder = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(protocols)
        .map_err(library)?;
    let builder = match clients {
        None => builder.with_no_client_auth(),
        Some(source) => {
            let roots = Arc::new(source.authorities()?);
            let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider()).build();
            let verifier = verifier.map_err(|error| TlsError::Pem {
                place: source.to_string(),
                problem: error.to_string(),
            })?;
            builder.with_client_cert_verifier(verifier)
        }
    };
    let mut config = builder.with_cert_resolver(identity);
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}
