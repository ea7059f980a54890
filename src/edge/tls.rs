//! Ends TLS of callers' connections.
//!
//! In: PEM files, and connections. Out: streams in the clear, and the version of HTTP that was
//! agreed (ALPN). The certificates can be replaced at any time: connections that are open keep what
//! they began with. Verification of clients cannot be half on: a certificate that is shown must
//! hold.

use super::{accept::Protocol, socket::Socket, stream::Stream};
use crate::http::tls_provider;
use arc_swap::ArcSwap;
use rustls::{
    RootCertStore, ServerConfig,
    client::verify_server_name,
    crypto::CryptoProvider,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject},
    server::{
        ClientHello, ParsedCertificate, ResolvesServerCert, WebPkiClientVerifier,
        danger::ClientCertVerifier,
    },
    sign::CertifiedKey,
};
use std::{
    fmt, io,
    path::{Path, PathBuf},
    sync::Arc,
};
use tokio_rustls::TlsAcceptor;
use tower::BoxError;

/// What callers' TLS is made of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsFiles {
    /// For each certificate a PEM file with its chain and its private key, or a folder with
    /// `tls.crt` and `tls.key`. The first serves names that none of them has.
    pub certificates: Vec<PathBuf>,
    /// A PEM file of the authorities whose clients may connect; `None` asks for no certificate.
    pub client_ca: Option<PathBuf>,
    /// Whether a client may also show none.
    pub clients_may_hide: bool,
}

/// Why callers' TLS cannot be set up.
#[derive(Debug, thiserror::Error)]
#[error("{}: {reason}", .path.display())]
pub struct TlsFileError {
    /// The file, or the folder.
    pub path: PathBuf,
    /// What is wrong with it.
    pub reason: BoxError,
}

/// Ends TLS with the certificates that were set last.
#[derive(Clone)]
pub struct Tls(Arc<ArcSwap<ServerConfig>>);

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tls")
    }
}

impl Tls {
    /// Reads the files.
    ///
    /// # Errors
    /// Returns an error if a file cannot be read, holds no certificate or no key, or if they do not
    /// belong together.
    pub fn new(files: &TlsFiles) -> Result<Self, TlsFileError> {
        Ok(Self(Arc::new(ArcSwap::from_pointee(read(files)?))))
    }

    /// Reads the files again, for connections that begin later.
    ///
    /// # Errors
    /// As for `new`; then nothing changes.
    pub fn replace(&self, files: &TlsFiles) -> Result<(), TlsFileError> {
        self.0.store(Arc::new(read(files)?));
        Ok(())
    }

    /// Ends the TLS of a connection. A client that offers no ALPN speaks HTTP/1.1.
    pub(super) async fn accept(&self, socket: Socket) -> io::Result<(Stream, Protocol)> {
        let stream = TlsAcceptor::from(self.0.load_full()).accept(socket).await?;
        let protocol = match stream.get_ref().1.alpn_protocol() {
            Some(b"h2") => Protocol::Http2,
            _ => Protocol::Http1,
        };
        Ok((Stream::Tls(Box::new(stream)), protocol))
    }
}

fn read(files: &TlsFiles) -> Result<ServerConfig, TlsFileError> {
    let provider = tls_provider();
    let certificates = files.certificates.iter().map(|path| {
        certified(path, &provider)
            .map(Arc::new)
            .map_err(|reason| TlsFileError { path: path.clone(), reason })
    });
    let names = Names(certificates.collect::<Result<_, _>>()?);
    let builder = ServerConfig::builder_with_provider(provider.clone());
    let about = |path: &Option<PathBuf>, reason: BoxError| {
        let path = path.as_ref().or(files.certificates.first()).cloned().unwrap_or_default();
        TlsFileError { path, reason }
    };
    let builder = builder
        .with_safe_default_protocol_versions()
        .map_err(|error| about(&None, error.into()))?;
    let builder = match &files.client_ca {
        None => builder.with_no_client_auth(),
        Some(path) => builder.with_client_cert_verifier(
            clients(path, files.clients_may_hide, &provider)
                .map_err(|reason| about(&files.client_ca, reason))?,
        ),
    };
    let mut config = builder.with_cert_resolver(Arc::new(names));
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

fn certified(path: &Path, provider: &CryptoProvider) -> Result<CertifiedKey, BoxError> {
    let (chain, key) = match path.is_dir() {
        true => (path.join("tls.crt"), path.join("tls.key")),
        false => (path.to_owned(), path.to_owned()),
    };
    let named = |path: &Path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        move |error| BoxError::from(format!("{name} cannot be read: {error}"))
    };
    let certificates: Vec<_> = CertificateDer::pem_file_iter(&chain)
        .map_err(named(&chain))?
        .collect::<Result<_, _>>()
        .map_err(named(&chain))?;
    let Some(first) = certificates.first() else {
        return Err("it holds no certificate (BEGIN CERTIFICATE)".into());
    };
    ParsedCertificate::try_from(first)?;
    let key = PrivateKeyDer::from_pem_file(&key).map_err(|error| match error {
        rustls::pki_types::pem::Error::NoItemsFound => {
            BoxError::from("it holds no private key (BEGIN PRIVATE KEY)")
        }
        error => named(&key)(error),
    })?;
    Ok(CertifiedKey::from_der(certificates, key, provider)?)
}

fn clients(
    path: &Path,
    may_hide: bool,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<dyn ClientCertVerifier>, BoxError> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(path)? {
        roots.add(certificate?)?;
    }
    let builder =
        WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider));
    Ok(match may_hide {
        true => builder.allow_unauthenticated(),
        false => builder,
    }
    .build()?)
}

/// Chooses the certificate by the name that the client asks for (SNI): the first that has it, or
/// else the first of all.
#[derive(Debug)]
struct Names(Vec<Arc<CertifiedKey>>);

impl ResolvesServerCert for Names {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let name = hello.server_name().and_then(|name| ServerName::try_from(name).ok());
        let has = |key: &&Arc<CertifiedKey>| {
            let parsed = key.end_entity_cert().and_then(ParsedCertificate::try_from);
            let (Some(name), Ok(parsed)) = (&name, parsed) else { return false };
            verify_server_name(&parsed, name).is_ok()
        };
        self.0.iter().find(has).or(self.0.first()).cloned()
    }
}
