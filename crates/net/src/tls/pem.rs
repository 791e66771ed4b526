//! Certificates and keys out of PEM files or texts, with errors that name the place.

use std::fmt;

use bessemer_runtime::Secret;
use rustls::pki_types::pem::{Error as PemError, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use rustls::{Error as LibraryError, InconsistentKeys, RootCertStore};

use super::{TlsError, der, provider};

/// Larger files hold no certificates; a bundle of all public authorities is 250 KiB.
const FILE_BYTES_MAX: u64 = 8 << 20;

/// Where PEM comes from.
#[derive(Clone)]
pub enum Source {
    /// A file, read again at every reload.
    File(String),
    /// The text of the setting named first.
    Text(&'static str, Secret),
}

impl fmt::Display for Source {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => formatter.write_str(path),
            Self::Text(setting, _) => formatter.write_str(setting),
        }
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{self}")
    }
}

impl Source {
    /// The source of a pair of settings, of which at most one may be set.
    pub fn of(
        setting: &'static str,
        file: Option<&str>,
        text: Option<&Secret>,
    ) -> Result<Option<Self>, TlsError> {
        match (file, text) {
            (Some(_), Some(_)) => Err(TlsError::Settings {
                setting,
                problem: "is given as a file and as text",
                remedy: "keep one of them",
            }),
            (Some(file), None) => Ok(Some(Self::File(file.to_owned()))),
            (None, Some(text)) => Ok(Some(Self::Text(setting, text.clone()))),
            (None, None) => Ok(None),
        }
    }

    /// The path, when it is a file.
    pub fn file(&self) -> Option<&str> {
        match self {
            Self::File(path) => Some(path),
            Self::Text(..) => None,
        }
    }

    /// The bytes as they are now.
    pub fn read(&self) -> Result<Vec<u8>, TlsError> {
        match self {
            Self::Text(_, text) => Ok(text.expose().as_bytes().to_vec()),
            Self::File(path) => {
                read_file(path).map_err(|source| TlsError::Read { file: path.clone(), source })
            }
        }
    }

    /// Every certificate in it, at least one.
    pub fn certificates(&self) -> Result<Vec<CertificateDer<'static>>, TlsError> {
        let bytes = self.read()?;
        let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
        let all = all.map_err(|error| self.problem(pem_problem(&error)))?;
        if all.is_empty() {
            let problem = if PrivateKeyDer::from_pem_slice(&bytes).is_ok() {
                "holds a private key and no certificate; are the files swapped?"
            } else {
                "holds no certificate (-----BEGIN CERTIFICATE-----)"
            };
            return Err(self.problem(problem));
        }
        Ok(all)
    }

    /// The first private key in it.
    pub fn private_key(&self) -> Result<PrivateKeyDer<'static>, TlsError> {
        let bytes = self.read()?;
        PrivateKeyDer::from_pem_slice(&bytes).map_err(|error| {
            let encrypted = bytes.windows(9).any(|window| window == b"ENCRYPTED");
            if encrypted {
                self.problem("the private key is encrypted; write it without a passphrase")
            } else if matches!(error, PemError::NoItemsFound) {
                self.problem("holds no private key (-----BEGIN PRIVATE KEY-----)")
            } else {
                self.problem(pem_problem(&error))
            }
        })
    }

    /// Its certificates as authorities to trust.
    pub fn authorities(&self) -> Result<RootCertStore, TlsError> {
        let mut store = RootCertStore::empty();
        for certificate in self.certificates()? {
            store
                .add(certificate)
                .map_err(|source| TlsError::Library { place: self.to_string(), source })?;
        }
        Ok(store)
    }

    fn problem(&self, problem: impl Into<String>) -> TlsError {
        TlsError::Pem { place: self.to_string(), problem: problem.into() }
    }
}

/// The certificate chain and its key, proved to belong together; warns when it is out of date.
pub fn certified_key(
    certificate: &Source,
    key: &Source,
    now_unix_seconds: u64,
) -> Result<CertifiedKey, TlsError> {
    let chain = certificate.certificates()?;
    let lifetime = chain.first().and_then(|leaf| der::lifetime(leaf));
    let private = key.private_key()?;
    let library = |place: &Source, source| TlsError::Library { place: place.to_string(), source };
    let signing = provider().key_provider.load_private_key(private);
    let certified = CertifiedKey::new(chain, signing.map_err(|error| library(key, error))?);
    match certified.keys_match() {
        // An unknown match is a key of hardware that cannot show its public half.
        Ok(()) | Err(LibraryError::InconsistentKeys(InconsistentKeys::Unknown)) => {}
        Err(LibraryError::InconsistentKeys(_)) => {
            return Err(TlsError::KeyMismatch {
                certificate: certificate.to_string(),
                key: key.to_string(),
            });
        }
        Err(error) => return Err(library(certificate, error)),
    }
    match lifetime {
        Some((_, end)) if end < now_unix_seconds => {
            tracing::warn!(certificate = %certificate, "the certificate has expired");
        }
        Some((start, _)) if start > now_unix_seconds => {
            tracing::warn!(certificate = %certificate, "the certificate is not valid yet");
        }
        Some(_) | None => {}
    }
    Ok(certified)
}

fn read_file(path: &str) -> std::io::Result<Vec<u8>> {
    let size = std::fs::metadata(path)?.len();
    if size > FILE_BYTES_MAX {
        return Err(std::io::Error::new(std::io::ErrorKind::FileTooLarge, "more than 8 MiB"));
    }
    std::fs::read(path)
}

fn pem_problem(error: &PemError) -> String {
    format!("is not valid PEM: {error}")
}
