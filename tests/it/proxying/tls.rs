use super::*;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::{NamedGroup, ServerConfig, crypto::CryptoProvider, pki_types::PrivateKeyDer};
use std::{io::Write, sync::Arc};
use tempfile::NamedTempFile;
use tokio_rustls::TlsAcceptor;

/// An authority's certificate in a file, and a server for `localhost` that it vouches for.
pub(super) fn authority() -> (NamedTempFile, TlsAcceptor) {
    authority_with(tls_provider())
}

fn authority_with(provider: Arc<CryptoProvider>) -> (NamedTempFile, TlsAcceptor) {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(authority.pem().as_bytes()).unwrap();

    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec!["localhost".into(), "127.0.0.1".into()])
        .unwrap()
        .signed_by(&key, &authority)
        .unwrap();
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.der().clone()],
            PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
        )
        .unwrap();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    (file, TlsAcceptor::from(Arc::new(config)))
}

const GET: &str = "GET / HTTP/1.1\r\nHost: w\r\nConnection: close\r\n\r\n";

#[tokio::test]
async fn upstream_is_spoken_to_over_tls_by_its_name() {
    let (file, acceptor) = authority();
    let upstream = Listener::new().await;
    let url = format!("https://localhost:{}", upstream.address().port());
    let proxy = Proxy::with(&url, |settings| {
        settings.ca_file = Some(file.path().to_owned());
        settings.http2 = false;
    })
    .await;
    let serve = async {
        let mut stream = acceptor.accept(upstream.accept().await.stream).await.unwrap();
        let spoken = stream.get_ref().1;
        let names =
            (spoken.server_name().map(str::to_owned), spoken.alpn_protocol().map(<[u8]>::to_vec));
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.unwrap());
        }
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await.unwrap();
        stream.flush().await.unwrap();
        (names, text(head), stream)
    };
    let ((names, head, _stream), got) = tokio::join!(serve, proxy.ask(GET));
    assert_eq!(names, (Some("localhost".to_owned()), Some(b"http/1.1".to_vec())));
    assert!(head.contains(&format!("host: localhost:{}\r\n", upstream.address().port())), "{head}");
    assert!(got.ends_with("\r\n\r\nok"), "{got}");
}

/// Keys are agreed on in a way that is safe from quantum computers too, with who can.
#[tokio::test]
async fn keys_are_agreed_on_with_upstream_as_well_as_it_can() {
    for (offered, expected) in key_exchanges() {
        let (file, acceptor) = authority_with(offered);
        let upstream = Listener::new().await;
        let url = format!("https://localhost:{}", upstream.address().port());
        let proxy = Proxy::with(&url, |settings| {
            settings.ca_file = Some(file.path().to_owned());
            settings.http2 = false;
        })
        .await;
        let serve = async {
            let mut stream = acceptor.accept(upstream.accept().await.stream).await.unwrap();
            let agreed = stream.get_ref().1.negotiated_key_exchange_group().unwrap().name();
            stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await.unwrap();
            stream.flush().await.unwrap();
            (agreed, stream)
        };
        let ((agreed, _stream), got) = tokio::join!(serve, proxy.ask(GET));
        assert_eq!(agreed, expected);
        assert_eq!(status(&got), "HTTP/1.1 204 No Content");
    }
}

/// Answers one call over HTTP/2, which ALPN must have chosen. Returns the name that was asked for.
pub(super) async fn answered_over_http2<S>(stream: tokio_rustls::server::TlsStream<S>) -> String
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
{
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let (told, mut asked) = tokio::sync::mpsc::channel(1);
    let service =
        hyper::service::service_fn(move |request: http::Request<hyper::body::Incoming>| {
            let told = told.clone();
            async move {
                let host = request.uri().host().unwrap_or_default().to_owned();
                told.send(host).await.unwrap();
                Ok::<_, std::convert::Infallible>(http::Response::new(Body::full("ok")))
            }
        });
    let io = hyper_util::rt::TokioIo::new(stream);
    let server = hyper::server::conn::http2::Builder::new(hyper_util::rt::TokioExecutor::new());
    tokio::spawn(server.serve_connection(io, service));
    asked.recv().await.unwrap()
}

/// The cryptography of a peer, and what it and Weir agree on: one that has what Weir has, and one
/// that has X25519 alone.
pub(super) fn key_exchanges() -> [(Arc<CryptoProvider>, NamedGroup); 2] {
    let best = match cfg!(feature = "aws-lc-rs") {
        true => NamedGroup::X25519MLKEM768,
        false => NamedGroup::X25519,
    };
    let mut classic = CryptoProvider::clone(&tls_provider());
    classic.kx_groups.retain(|group| group.name() == NamedGroup::X25519);
    [(tls_provider(), best), (Arc::new(classic), NamedGroup::X25519)]
}

#[tokio::test]
async fn upstream_that_nobody_vouches_for_is_not_spoken_to() {
    let (_, acceptor) = authority();
    let (other_file, _) = authority();
    let upstream = Listener::new().await;
    let url = format!("https://localhost:{}", upstream.address().port());
    let proxy =
        Proxy::with(&url, |settings| settings.ca_file = Some(other_file.path().to_owned())).await;
    let serve = async { acceptor.accept(upstream.accept().await.stream).await.is_err() };
    let (failed, got) = tokio::join!(serve, proxy.ask(GET));
    assert!(failed);
    assert_eq!(status(&got), "HTTP/1.1 502 Bad Gateway");
    assert!(got.contains("upstream_unreachable"), "{got}");
    assert!(got.contains("proxy-status: weir; error=tls_certificate_error\r\n"), "{got}");
}

/// The certificate that most people make first: a CA's own, which the server shows as its own.
#[tokio::test]
async fn a_self_signed_certificate_as_ca_file_is_told_as_that_with_what_to_do() {
    let mut params = CertificateParams::new(vec!["localhost".into()]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    let certificate = params.self_signed(&key).unwrap();
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(certificate.pem().as_bytes()).unwrap();
    let config = ServerConfig::builder_with_provider(tls_provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.der().clone()],
            PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
        )
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let upstream = Listener::new().await;
    let target = format!("https://localhost:{}", upstream.address().port()).parse().unwrap();
    let mut settings = UpstreamSettings::new(target);
    settings.ca_file = Some(file.path().to_owned());
    let client = Upstream::new(settings).unwrap();
    let serve = async { acceptor.accept(upstream.accept().await.stream).await.is_err() };
    let request = http::Request::get("/").header("host", "w").body(Body::empty()).unwrap();
    let (failed, got) = tokio::join!(serve, tower::ServiceExt::oneshot(client, request));
    assert!(failed);
    let mut told = String::new();
    let mut error: Option<&dyn std::error::Error> = Some(&got.err().unwrap());
    while let Some(one) = error {
        told.push_str(&format!("{one}: "));
        error = one.source();
    }
    assert!(told.contains("let a CA of your own sign upstream's, and name the CA's"), "{told}");
}

#[test]
fn a_ca_file_without_certificates_is_an_error_that_names_it() {
    let file = NamedTempFile::new().unwrap();
    let mut settings = UpstreamSettings::new("https://localhost".parse().unwrap());
    settings.ca_file = Some(file.path().to_owned());
    let error = Upstream::new(settings).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("cannot read certificates from {}: it holds no certificate", file.path().display())
    );
}

/// A name that this authority vouches for, as files of a certificate and of its key.
fn identity(authority: &CertifiedIssuer<'_, KeyPair>) -> (NamedTempFile, NamedTempFile) {
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec!["weir".into()]).unwrap();
    let certificate = certificate.signed_by(&key, authority).unwrap();
    let in_file = |text: String| {
        let mut file = NamedTempFile::new().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        file
    };
    (in_file(certificate.pem()), in_file(key.serialize_pem()))
}

#[tokio::test]
async fn upstream_that_asks_who_calls_is_shown_the_certificate() {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let mut ca_file = NamedTempFile::new().unwrap();
    ca_file.write_all(authority.pem().as_bytes()).unwrap();
    let provider = tls_provider();
    let mut trusted = rustls::RootCertStore::empty();
    trusted.add(authority.der().clone()).unwrap();
    let verifier = rustls::server::WebPkiClientVerifier::builder_with_provider(
        Arc::new(trusted),
        provider.clone(),
    );
    let key = KeyPair::generate().unwrap();
    let server = CertificateParams::new(vec!["localhost".into()]).unwrap();
    let server = server.signed_by(&key, &authority).unwrap();
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(verifier.build().unwrap())
        .with_single_cert(
            vec![server.der().clone()],
            PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
        )
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let (certificate, key) = identity(&authority);
    let shown =
        ClientIdentity { certificate: certificate.path().to_owned(), key: key.path().to_owned() };
    let upstream = Listener::new().await;
    let url = format!("https://localhost:{}", upstream.address().port());
    for client in [Some(shown), None] {
        let shows = client.is_some();
        let proxy = Proxy::with(&url, |settings| {
            settings.roots = Roots::File;
            settings.ca_file = Some(ca_file.path().to_owned());
            settings.client = client;
        })
        .await;
        let serve = async {
            let Ok(mut stream) = acceptor.accept(upstream.accept().await.stream).await else {
                return false;
            };
            let knows = stream.get_ref().1.peer_certificates().is_some();
            let answer = b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n";
            stream.write_all(answer).await.unwrap();
            stream.shutdown().await.unwrap();
            knows
        };
        let (known, got) = tokio::join!(serve, proxy.ask(GET));
        assert_eq!(known, shows);
        let expected = if shows { "HTTP/1.1 204 No Content" } else { "HTTP/1.1 502 Bad Gateway" };
        assert_eq!(status(&got), expected);
    }
}

#[tokio::test]
async fn only_whom_the_roots_name_is_trusted() {
    let (file, acceptor) = authority();
    let upstream = Listener::new().await;
    let url = format!("https://localhost:{}", upstream.address().port());
    let proxy = Proxy::with(&url, |settings| settings.roots = Roots::Bundled).await;
    let serve = async { acceptor.accept(upstream.accept().await.stream).await.is_err() };
    let (failed, got) = tokio::join!(serve, proxy.ask(GET));
    assert!(failed && got.contains("error=tls_certificate_error\r\n"), "{got}");
    let mut settings = UpstreamSettings::new(url.parse().unwrap());
    settings.roots = Roots::File;
    let told = Upstream::new(settings.clone()).unwrap_err().to_string();
    assert_eq!(told, "only the certificates of a ca-file are to be trusted, and none is named");
    settings.ca_file = Some(file.path().to_owned());
    settings.client =
        Some(ClientIdentity { certificate: file.path().to_owned(), key: file.path().to_owned() });
    let told = Upstream::new(settings).unwrap_err().to_string();
    assert!(told.starts_with("cannot read a private key from "), "{told}");
}
