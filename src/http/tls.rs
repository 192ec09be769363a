//! TLS: the server's certificate, which is read again when its files change, and the clients' certificates.

use std::{
    fs::File,
    io::{self, BufReader},
    path::PathBuf,
    sync::Arc,
    time::{Duration, SystemTime},
};

use arc_swap::ArcSwap;
use rustls::{
    RootCertStore, ServerConfig, crypto::CryptoProvider, server::WebPkiClientVerifier, sign::CertifiedKey,
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};

use crate::signer::certificate_expiry_of_der;

/// How often the files are looked at.
pub const LOOK_AGAIN: Duration = Duration::from_secs(30);

/// The files of the server's identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Files {
    /// The certificate and its chain.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
    /// The authorities whose clients may show a certificate.
    pub client_ca: Option<PathBuf>,
}

/// The server's identity, for new connections. Clones share one identity.
#[derive(Clone)]
pub struct Identity {
    files: Files,
    current: Arc<ArcSwap<Current>>,
}

struct Current {
    config: Arc<ServerConfig>,
    /// When the certificate expires, since 1970.
    expires_at: Duration,
    /// When the files were changed last.
    modified: Vec<SystemTime>,
}

/// Files that are no identity.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read, or holds something else.
    #[error("'{}' {what}: {why}", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What it should have been.
        what: &'static str,
        /// Why it is not.
        why: String,
    },
    /// The certificate, the key or the authorities cannot be used.
    #[error("the TLS files cannot be used: {0}")]
    Unfit(String),
}

impl Identity {
    /// Reads the files.
    ///
    /// # Errors
    /// See [`TlsError`].
    pub fn read(files: Files) -> Result<Self, TlsError> {
        let current = Current::read(&files)?;
        Ok(Self { files, current: Arc::new(ArcSwap::from_pointee(current)) })
    }

    /// How new connections are served.
    pub fn config(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.current.load().config)
    }

    /// When the certificate for new connections expires, since 1970.
    pub fn expires_at(&self) -> Duration {
        self.current.load().expires_at
    }

    /// Reads the files again if one of them was changed. Files that do not fit together leave the old identity in
    /// place, because two files are never replaced at the same moment.
    pub fn refresh(&self) {
        if self.files.modified() == self.current.load().modified {
            return;
        }
        match Current::read(&self.files) {
            Ok(current) => {
                self.current.store(Arc::new(current));
                log::info!(
                    "new connections get the new certificate of '{}'",
                    self.files.certificate.display()
                );
            }
            Err(error) => log::warn!("new connections get the old certificate: {error}"),
        }
    }
}

impl Files {
    fn modified(&self) -> Vec<SystemTime> {
        let paths = [Some(&self.certificate), Some(&self.key), self.client_ca.as_ref()];
        let times = paths.into_iter().flatten().map(|path| path.metadata().and_then(|file| file.modified()));
        times.map(|time| time.unwrap_or(SystemTime::UNIX_EPOCH)).collect()
    }
}

impl Current {
    fn read(files: &Files) -> Result<Self, TlsError> {
        let modified = files.modified(); // before reading, so that a change in between is seen later
        let unfit = |error: rustls::Error| TlsError::Unfit(error.to_string());
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let key = PrivateKeyDer::from_pem_file(&files.key).map_err(|error| TlsError::File {
            path: files.key.clone(),
            what: "is no private key in PEM",
            why: error.to_string(),
        })?;
        let chain = certificates(&files.certificate)?;
        let leaf = chain.first().expect("a file without a certificate was refused");
        let expires_at =
            certificate_expiry_of_der(leaf).map_err(|error| TlsError::Unfit(error.to_string()))?;
        let pair = CertifiedKey::from_der(chain, key, &provider).map_err(unfit)?;
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider));
        let builder = builder.with_safe_default_protocol_versions().map_err(unfit)?;
        let builder = match &files.client_ca {
            None => builder.with_no_client_auth(),
            Some(path) => builder.with_client_cert_verifier(verifier(path, provider)?),
        };
        let mut config = builder.with_cert_resolver(Arc::new(rustls::sign::SingleCertAndKey::from(pair)));
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self { config: Arc::new(config), expires_at, modified })
    }
}

/// Clients may show a certificate of these authorities. A client without one must have a token.
fn verifier(
    path: &PathBuf,
    provider: Arc<CryptoProvider>,
) -> Result<Arc<dyn rustls::server::danger::ClientCertVerifier>, TlsError> {
    let unfit = |error: &dyn std::fmt::Display| TlsError::Unfit(format!("'{}': {error}", path.display()));
    let mut roots = RootCertStore::empty();
    for certificate in certificates(path)? {
        roots.add(certificate).map_err(|error| unfit(&error))?;
    }
    let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
    builder.allow_unauthenticated().build().map_err(|error| unfit(&error))
}

fn certificates(path: &PathBuf) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let file = |why: String| TlsError::File { path: path.clone(), what: "holds no certificates in PEM", why };
    let reader = BufReader::new(File::open(path).map_err(|error| file(error.to_string()))?);
    let read: Result<Vec<_>, _> = CertificateDer::pem_reader_iter(reader).collect();
    match read {
        Ok(certificates) if certificates.is_empty() => Err(file("it has none".to_owned())),
        read => read.map_err(|error| file(error.to_string())),
    }
}

impl From<TlsError> for io::Error {
    fn from(error: TlsError) -> Self {
        Self::other(error)
    }
}
