//! Makes connections to upstream: TCP (both address families raced), TLS by rustls where the target
//! says so.

use super::{pool::Connection, target::Target};
use crate::http::{Body, BoxError, UpstreamError};
use hyper::client::conn::http1;
use hyper_rustls::{HttpsConnector, MaybeHttpsStream};
use hyper_util::{client::legacy::connect::HttpConnector, rt::TokioIo};
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, pem::PemObject},
};
use std::{
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use tokio::net::TcpStream;
use tower::Service;

type Stream = MaybeHttpsStream<TokioIo<TcpStream>>;

/// Connects to one target. Cheap to clone: the trust store is read once and shared.
#[derive(Clone)]
pub(super) struct Connector {
    address: http::Uri,
    within: Duration,
    way: Way,
}

#[derive(Clone)]
enum Way {
    Plain(HttpConnector),
    Tls(HttpsConnector<HttpConnector>),
}

/// Why connections over TLS cannot be made at all.
#[derive(Debug)]
pub enum TlsError {
    /// The file of certificates cannot be read.
    CaFile(PathBuf, BoxError),
    /// The machine has no trust store that could be read, and no file was given.
    NoRoots(Vec<String>),
    /// rustls refuses the configuration.
    Config(rustls::Error),
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TlsError::CaFile(path, why) => {
                write!(f, "cannot read certificates from {}: {why}", path.display())
            }
            TlsError::NoRoots(why) if why.is_empty() => {
                f.write_str("this machine has no trusted certificates; name a ca-file")
            }
            TlsError::NoRoots(why) => {
                write!(f, "this machine's trusted certificates cannot be read: {}", why.join("; "))
            }
            TlsError::Config(error) => write!(f, "TLS cannot be set up: {error}"),
        }
    }
}

impl std::error::Error for TlsError {}

impl Connector {
    /// `within`: the bound for one connection, name resolution and TLS handshake included.
    /// `ca_file`: PEM certificates trusted beside the machine's own.
    pub(super) fn new(
        target: &Target,
        within: Duration,
        ca_file: Option<&Path>,
    ) -> Result<Self, TlsError> {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        let way = if target.is_https() { Way::Tls(tls(tcp, ca_file)?) } else { Way::Plain(tcp) };
        Ok(Connector { address: target.address(), within, way })
    }

    /// A new connection, driven by a task of its own on the current runtime.
    pub(super) async fn connect(&self) -> Result<Connection, UpstreamError> {
        let stream = tokio::time::timeout(self.within, self.stream())
            .await
            .map_err(|_| UpstreamError::TimedOut { sent: false })?
            .map_err(UpstreamError::Unreachable)?;
        let (sender, connection) = http1::handshake::<_, Body>(stream)
            .await
            .map_err(|error| UpstreamError::NotSent(error.into()))?;
        let driver = tokio::spawn(async move {
            if let Err(error) = connection.with_upgrades().await {
                tracing::debug!(%error, "a connection to upstream ended");
            }
        });
        Ok(Connection::new(sender, driver.abort_handle()))
    }

    async fn stream(&self) -> Result<Stream, BoxError> {
        match self.way.clone() {
            Way::Plain(mut tcp) => {
                Ok(MaybeHttpsStream::Http(tcp.call(self.address.clone()).await?))
            }
            Way::Tls(mut tls) => tls.call(self.address.clone()).await,
        }
    }
}

/// SNI is the target's host; ALPN offers HTTP/1.1 only, which is what is spoken to upstream.
fn tls(
    tcp: HttpConnector,
    ca_file: Option<&Path>,
) -> Result<HttpsConnector<HttpConnector>, TlsError> {
    let mut config =
        ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(TlsError::Config)?
            .with_root_certificates(roots(ca_file)?)
            .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(HttpsConnector::from((tcp, config)))
}

fn roots(ca_file: Option<&Path>) -> Result<RootCertStore, TlsError> {
    let native = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(native.certs);
    if let Some(path) = ca_file {
        let unreadable = |why: BoxError| TlsError::CaFile(path.to_owned(), why);
        let before = roots.len();
        for certificate in
            CertificateDer::pem_file_iter(path).map_err(|error| unreadable(error.into()))?
        {
            let certificate = certificate.map_err(|error| unreadable(error.into()))?;
            roots.add(certificate).map_err(|error| unreadable(error.into()))?;
        }
        if roots.len() == before {
            return Err(unreadable("it holds no certificate".into()));
        }
    }
    if roots.is_empty() {
        return Err(TlsError::NoRoots(native.errors.iter().map(ToString::to_string).collect()));
    }
    Ok(roots)
}
