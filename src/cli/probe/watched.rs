//! Watches a handshake: which certificates upstream shows, and whether it asks for one.

use crate::http::tls_provider;
use rustls::{
    ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
    client::{
        ResolvesClientCert, WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    pki_types::{CertificateDer, ServerName, UnixTime},
    sign::CertifiedKey,
};
use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicBool, Ordering::Relaxed},
};
use tower::BoxError;

/// The configuration of a run, whose parts note what they are asked.
pub(super) struct Watched {
    config: Arc<ClientConfig>,
    seen: Arc<Seen>,
    asked: Arc<Asked>,
}

impl Watched {
    pub(super) fn new(
        mut config: ClientConfig,
        roots: Arc<RootCertStore>,
    ) -> Result<Self, BoxError> {
        let verifier = WebPkiServerVerifier::builder_with_provider(roots, tls_provider());
        let seen = Arc::new(Seen { verifier: verifier.build()?, chain: Mutex::default() });
        let own = config.client_auth_cert_resolver.clone();
        let asked = Arc::new(Asked { own, was_asked: AtomicBool::new(false) });
        config.dangerous().set_certificate_verifier(seen.clone());
        config.client_auth_cert_resolver = asked.clone();
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Self { config: Arc::new(config), seen, asked })
    }

    pub(super) fn config(&self) -> Arc<ClientConfig> {
        self.config.clone()
    }

    /// Returns the certificates that were shown, upstream's own first.
    pub(super) fn chain(&self) -> Vec<CertificateDer<'static>> {
        self.seen.chain.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Returns whether upstream asked who calls.
    pub(super) fn was_asked(&self) -> bool {
        self.asked.was_asked.load(Relaxed)
    }
}

/// Notes the certificates, and lets the run's own verifier judge them.
#[derive(Debug)]
struct Seen {
    verifier: Arc<WebPkiServerVerifier>,
    chain: Mutex<Vec<CertificateDer<'static>>>,
}

impl ServerCertVerifier for Seen {
    fn verify_server_cert(
        &self,
        own: &CertificateDer<'_>,
        issuers: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let chain = std::iter::once(own).chain(issuers).map(|one| one.clone().into_owned());
        *self.chain.lock().unwrap_or_else(PoisonError::into_inner) = chain.collect();
        self.verifier.verify_server_cert(own, issuers, name, ocsp, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verifier.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verifier.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.verifier.supported_verify_schemes()
    }
}

/// Notes that a certificate of Weir's own is asked for.
#[derive(Debug)]
struct Asked {
    own: Arc<dyn ResolvesClientCert>,
    was_asked: AtomicBool,
}

impl ResolvesClientCert for Asked {
    fn resolve(&self, hints: &[&[u8]], schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.was_asked.store(true, Relaxed);
        self.own.resolve(hints, schemes)
    }

    fn has_certs(&self) -> bool {
        self.own.has_certs()
    }
}
