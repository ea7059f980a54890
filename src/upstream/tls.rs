//! Sets up TLS to upstream: whom Weir trusts, and how it shows who it is.
//!
//! Deliberately absent: a switch that turns verification off.

use super::settings::{ClientIdentity, Roots, UpstreamSettings};
use crate::http::tls_provider;
use hyper_rustls::{HttpsConnector, MaybeHttpsStream};
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};
use tower::BoxError;

/// The names of the protocols in ALPN.
const HTTP2: &[u8] = b"h2";
const HTTP1: &[u8] = b"http/1.1";

/// Why connections over TLS cannot be made at all.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The file of certificates cannot be read.
    #[error("cannot read certificates from {}: {reason}", path.display())]
    CaFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: BoxError,
    },
    /// The file of the client's key cannot be read.
    #[error("cannot read a private key from {}: {reason}", path.display())]
    KeyFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it; nothing of its content.
        reason: BoxError,
    },
    /// Only the certificates of a file are trusted, and no file was given.
    #[error("only the certificates of a ca-file are to be trusted, and none is named")]
    NoCaFile,
    /// The machine has no trusted certificates, and no file was given.
    #[error("this machine has no trusted certificates; name a ca-file")]
    NoRoots,
    /// The machine's trusted certificates cannot be read, and no file was given.
    #[error("this machine's trusted certificates cannot be read: {}", .0.join("; "))]
    UnreadableRoots(Vec<String>),
    /// Upstream is behind a Unix socket, which this system does not have.
    #[cfg(not(unix))]
    #[error("this system has no Unix sockets, and `upstream.socket` names one")]
    NoUnixSockets,
    /// rustls refuses the configuration.
    #[error("TLS cannot be set up")]
    Config(#[source] rustls::Error),
}

/// Connectors with TLS.
#[derive(Clone)]
pub(super) struct Tls<C> {
    /// ALPN offers HTTP/1.1 only.
    http1: HttpsConnector<C>,
    /// ALPN offers HTTP/2, too.
    either: HttpsConnector<C>,
}

/// What ALPN offers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Offer {
    Http1,
    Either,
}

impl<C> Tls<C> {
    /// Returns the connector that offers this.
    pub(super) fn offering(&self, offer: Offer) -> &HttpsConnector<C> {
        match offer {
            Offer::Http1 => &self.http1,
            Offer::Either => &self.either,
        }
    }
}

/// Returns whether upstream has chosen HTTP/2 for this stream.
pub(super) fn has_chosen_http2<S>(stream: &MaybeHttpsStream<S>) -> bool {
    match stream {
        MaybeHttpsStream::Http(_) => false,
        MaybeHttpsStream::Https(tls) => tls.inner().get_ref().1.alpn_protocol() == Some(HTTP2),
    }
}

/// Puts TLS over a connector. SNI is the target's host.
pub(super) fn over<C: Clone>(
    connector: C,
    settings: &UpstreamSettings,
) -> Result<Tls<C>, TlsError> {
    let (mut config, _) = trust(settings)?;
    config.alpn_protocols = vec![HTTP1.to_vec()];
    let http1 = HttpsConnector::from((connector.clone(), config.clone()));
    config.alpn_protocols = vec![HTTP2.to_vec(), HTTP1.to_vec()];
    Ok(Tls { http1, either: HttpsConnector::from((connector, config)) })
}

/// Returns what tells the files that these settings name from what they held at another time.
pub(super) fn content(settings: &UpstreamSettings) -> Result<blake3::Hash, TlsError> {
    let mut hash = blake3::Hasher::new();
    hash.update(format!("{:?}", settings.roots).as_bytes());
    let client = settings.client.iter().flat_map(|client| [&client.certificate, &client.key]);
    for (number, path) in settings.ca_file.iter().chain(client).enumerate() {
        let unreadable = |error: io::Error| match settings.client.as_ref() {
            Some(client) if client.key == *path => {
                TlsError::KeyFile { path: path.clone(), reason: error.into() }
            }
            _ => TlsError::CaFile { path: path.clone(), reason: error.into() },
        };
        let bytes = fs::read(path).map_err(unreadable)?;
        hash.update(&number.to_le_bytes()).update(blake3::hash(&bytes).as_bytes());
    }
    Ok(hash.finalize())
}

/// Reads the certificates that the settings name. Returns what makes connections, with no ALPN yet,
/// and whom it trusts.
pub(crate) fn trust(
    settings: &UpstreamSettings,
) -> Result<(ClientConfig, Arc<RootCertStore>), TlsError> {
    let roots = Arc::new(roots(settings)?);
    let trusting = ClientConfig::builder_with_provider(tls_provider())
        .with_safe_default_protocol_versions()
        .map_err(TlsError::Config)?
        .with_root_certificates(roots.clone());
    let config = match &settings.client {
        None => trusting.with_no_client_auth(),
        Some(ClientIdentity { certificate, key }) => trusting
            .with_client_auth_cert(certificates(certificate)?, private_key(key)?)
            .map_err(TlsError::Config)?,
    };
    Ok((config, roots))
}

fn roots(settings: &UpstreamSettings) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    let mut errors = Vec::new();
    match settings.roots {
        Roots::Platform => {
            let native = rustls_native_certs::load_native_certs();
            roots.add_parsable_certificates(native.certs);
            errors.extend(native.errors.iter().map(ToString::to_string));
        }
        Roots::Bundled => roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
        Roots::File if settings.ca_file.is_none() => return Err(TlsError::NoCaFile),
        Roots::File => {}
    }
    if let Some(path) = &settings.ca_file {
        for certificate in certificates(path)? {
            let refused = |reason: rustls::Error| TlsError::CaFile {
                path: path.clone(),
                reason: reason.into(),
            };
            roots.add(certificate).map_err(refused)?;
        }
    }
    match roots.is_empty() {
        true if errors.is_empty() => Err(TlsError::NoRoots),
        true => Err(TlsError::UnreadableRoots(errors)),
        false => Ok(roots),
    }
}

/// Reads the certificates of a PEM file, of which there must be one at least.
fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let unreadable = |reason: BoxError| TlsError::CaFile { path: path.to_owned(), reason };
    let found = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| unreadable(error.into()))?;
    match found.is_empty() {
        true => Err(unreadable("it holds no certificate".into())),
        false => Ok(found),
    }
}

fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    PrivateKeyDer::from_pem_file(path)
        .map_err(|error| TlsError::KeyFile { path: path.to_owned(), reason: error.into() })
}
