//! TLS that ends at Weir.

use super::{tls::key_exchanges, *};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::{
    ClientConfig, RootCertStore,
    crypto::CryptoProvider,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject},
};
use std::{path::PathBuf, sync::Arc};
use tempfile::TempDir;
use tokio_rustls::{TlsConnector, client::TlsStream};

/// A folder of certificates, and the authority that vouches for them.
pub(super) struct Authority {
    folder: TempDir,
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    pub(super) fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        Self { folder: tempfile::tempdir().unwrap(), issuer }
    }

    /// Returns the certificate and the key for a name, in PEM.
    fn issue(&self, name: &str) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![name.into()]).unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        (certificate.pem(), key.serialize_pem())
    }

    /// Writes one file with the certificate and the key for a name.
    pub(super) fn file(&self, file: &str, name: &str) -> PathBuf {
        let (certificate, key) = self.issue(name);
        let path = self.folder.path().join(file);
        std::fs::write(&path, certificate + &key).unwrap();
        path
    }

    fn authority_file(&self) -> PathBuf {
        let path = self.folder.path().join("ca.pem");
        std::fs::write(&path, self.issuer.pem()).unwrap();
        path
    }

    /// Returns a client that trusts the authority, and shows this certificate.
    pub(super) fn client(&self, alpn: &[&str], own: Option<(String, String)>) -> TlsConnector {
        self.client_with(tls_provider(), alpn, own)
    }

    fn client_with(
        &self,
        provider: Arc<CryptoProvider>,
        alpn: &[&str],
        own: Option<(String, String)>,
    ) -> TlsConnector {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(self.issuer.pem().as_bytes()).unwrap()).unwrap();
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots);
        let mut config = match own {
            None => builder.with_no_client_auth(),
            Some((certificate, key)) => {
                let chain = vec![CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()];
                let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
                builder.with_client_auth_cert(chain, key).unwrap()
            }
        };
        config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
        TlsConnector::from(Arc::new(config))
    }
}

async fn serving(files: &TlsFiles) -> (Proxy, Listener, Tls) {
    let upstream = Listener::new().await;
    let tls = Tls::new(files).unwrap();
    let options = ServeOptions { tls: Some(tls.clone()), ..ServeOptions::default() };
    let settings = UpstreamSettings::new(format!("http://{}", upstream.address()).parse().unwrap());
    (Proxy::serving(proxying(settings), options).await, upstream, tls)
}

async fn connect(
    proxy: &Proxy,
    client: &TlsConnector,
    name: &str,
) -> std::io::Result<TlsStream<TcpStream>> {
    let stream = TcpStream::connect(proxy.address).await.unwrap();
    client.connect(ServerName::try_from(name.to_owned()).unwrap(), stream).await
}

/// Sends a call, and returns the head of its answer.
async fn call(stream: &mut TlsStream<TcpStream>, upstream: &Listener) -> std::io::Result<String> {
    stream.write_all(b"GET / HTTP/1.1\r\nHost: w\r\n\r\n").await?;
    let answered = async {
        let (_, wire) = upstream.answer("HTTP/1.1 204 No Content\r\n\r\n").await;
        std::future::pending::<()>().await;
        drop(wire);
    };
    let head = async {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await?);
        }
        Ok(text(head))
    };
    tokio::select! {
        head = head => head,
        () = answered => unreachable!("it waits"),
    }
}

fn shown(stream: &TlsStream<TcpStream>) -> Vec<u8> {
    stream.get_ref().1.peer_certificates().unwrap()[0].to_vec()
}

#[tokio::test]
async fn the_name_that_is_asked_for_chooses_the_certificate() {
    let authority = Authority::new();
    let folder = authority.folder.path().join("mounted");
    std::fs::create_dir(&folder).unwrap();
    let (certificate, key) = authority.issue("b.example");
    std::fs::write(folder.join("tls.crt"), certificate).unwrap();
    std::fs::write(folder.join("tls.key"), key).unwrap();
    let certificates = vec![authority.file("a.pem", "a.example"), folder];
    let (proxy, upstream, _) = serving(&TlsFiles { certificates, ..TlsFiles::default() }).await;
    let client = authority.client(&[], None);
    for name in ["a.example", "b.example"] {
        let mut stream = connect(&proxy, &client, name).await.unwrap();
        let head = call(&mut stream, &upstream).await.unwrap();
        assert_eq!(status(&head), "HTTP/1.1 204 No Content", "{name}");
    }
    let error = connect(&proxy, &client, "c.example").await.unwrap_err().to_string();
    assert!(error.contains("not valid for name"), "the first one is shown: {error}");
}

#[tokio::test]
async fn http2_is_spoken_with_those_who_offer_it() {
    let authority = Authority::new();
    let certificates = vec![authority.file("a.pem", "a.example")];
    let (proxy, upstream, _) = serving(&TlsFiles { certificates, ..TlsFiles::default() }).await;
    let client = authority.client(&["h2", "http/1.1"], None);
    let stream = connect(&proxy, &client, "a.example").await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let executor = hyper_util::rt::TokioExecutor::new();
    let io = hyper_util::rt::TokioIo::new(stream);
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(executor, io).await.unwrap();
    tokio::spawn(connection);
    let request = http::Request::builder()
        .version(http::Version::HTTP_2)
        .uri("https://a.example/")
        .body(Body::empty())
        .unwrap();
    let (_, answered) = tokio::join!(
        upstream.answer("HTTP/1.1 204 No Content\r\n\r\n"),
        sender.send_request(request)
    );
    assert_eq!(answered.unwrap().status(), 204);
}

#[tokio::test]
async fn keys_are_agreed_on_with_a_caller_as_well_as_it_can() {
    let authority = Authority::new();
    let certificates = vec![authority.file("a.pem", "a.example")];
    let (proxy, upstream, _) = serving(&TlsFiles { certificates, ..TlsFiles::default() }).await;
    for (offered, expected) in key_exchanges() {
        let client = authority.client_with(offered, &[], None);
        let mut stream = connect(&proxy, &client, "a.example").await.unwrap();
        let agreed = stream.get_ref().1.negotiated_key_exchange_group().unwrap().name();
        assert_eq!(agreed, expected);
        let head = call(&mut stream, &upstream).await.unwrap();
        assert_eq!(status(&head), "HTTP/1.1 204 No Content");
    }
}

#[tokio::test]
async fn certificates_are_replaced_for_later_connections_and_a_bad_file_changes_nothing() {
    let authority = Authority::new();
    let path = authority.file("a.pem", "a.example");
    let files = TlsFiles { certificates: vec![path.clone()], ..TlsFiles::default() };
    let (proxy, upstream, tls) = serving(&files).await;
    let client = authority.client(&[], None);
    let mut open = connect(&proxy, &client, "a.example").await.unwrap();
    let before = shown(&open);
    authority.file("a.pem", "a.example");
    tls.replace(&files).unwrap();
    assert_eq!(status(&call(&mut open, &upstream).await.unwrap()), "HTTP/1.1 204 No Content");
    let after = shown(&connect(&proxy, &client, "a.example").await.unwrap());
    assert_ne!(before, after);
    std::fs::write(&path, "nothing").unwrap();
    let error = tls.replace(&files).unwrap_err().to_string();
    assert_eq!(error, format!("{}: it holds no certificate (BEGIN CERTIFICATE)", path.display()));
    assert_eq!(shown(&connect(&proxy, &client, "a.example").await.unwrap()), after);
}

#[tokio::test]
async fn a_client_shows_a_certificate_that_holds_where_one_is_required() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let certificates = vec![authority.file("a.pem", "a.example")];
    let client_ca = Some(authority.authority_file());
    let own = || Some(authority.issue("client.example"));
    for may_hide in [false, true] {
        let files = TlsFiles {
            certificates: certificates.clone(),
            client_ca: client_ca.clone(),
            clients_may_hide: may_hide,
        };
        let (proxy, upstream, _) = serving(&files).await;
        let cases =
            [(own(), true), (None, may_hide), (Some(stranger.issue("client.example")), false)];
        for (shows, is_served) in cases {
            let case = (may_hide, shows.is_some(), is_served);
            let client = authority.client(&[], shows);
            let served = match connect(&proxy, &client, "a.example").await {
                Ok(mut stream) => call(&mut stream, &upstream).await.is_ok(),
                Err(_) => false,
            };
            assert_eq!(served, is_served, "{case:?}");
        }
    }
}

#[test]
fn what_is_wrong_with_a_file_is_said_with_its_name() {
    let authority = Authority::new();
    let folder = authority.folder.path();
    let (certificate, key) = authority.issue("a.example");
    let (_, other_key) = authority.issue("b.example");
    let cases = [
        ("none.pem", None, "none.pem cannot be read: "),
        ("certificate.pem", Some(certificate.clone()), "it holds no private key"),
        ("key.pem", Some(key), "it holds no certificate"),
        ("other.pem", Some(certificate + &other_key), "keys may not be consistent"),
    ];
    for (name, text, expected) in cases {
        let path = folder.join(name);
        if let Some(text) = text {
            std::fs::write(&path, text).unwrap();
        }
        let files = TlsFiles { certificates: vec![path.clone()], ..TlsFiles::default() };
        let error = Tls::new(&files).unwrap_err().to_string();
        assert!(error.starts_with(&path.display().to_string()), "{error}");
        assert!(error.contains(expected), "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_handshake_that_is_not_made_in_time_is_given_up() {
    let authority = Authority::new();
    let certificates = vec![authority.file("a.pem", "a.example")];
    let (proxy, _, _) = serving(&TlsFiles { certificates, ..TlsFiles::default() }).await;
    let mut silent = proxy.caller().await;
    let before = tokio::time::Instant::now();
    assert_eq!(silent.rest().await, "");
    assert_eq!(before.elapsed().as_secs(), 15);
    let mut plain = proxy.caller().await;
    plain.write("GET / HTTP/1.1\r\nHost: w\r\n\r\n").await;
    let mut rest = Vec::new();
    let _ = plain.stream.read_to_end(&mut rest).await;
    assert!(!rest.starts_with(b"HTTP"), "no answer in the clear");
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_was_taken_late_does_not_end_the_connection_later() {
    let authority = Authority::new();
    let certificates = vec![authority.file("a.pem", "a.example")];
    let (proxy, upstream, _) = serving(&TlsFiles { certificates, ..TlsFiles::default() }).await;
    let client = authority.client(&[], None);
    let mut stream = connect(&proxy, &client, "a.example").await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nHost: w\r\n\r\n").await.unwrap();
    let length = 16 << 20;
    let serve = async {
        let mut wire = upstream.accept().await;
        wire.head().await;
        wire.write(&format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n")).await;
        wire.stream.write_all(&vec![b'x'; length]).await.unwrap();
        wire
    };
    let take = async {
        // Until all buffers in between are full.
        tokio::time::sleep(Duration::from_secs(10)).await;
        let mut taken = 0;
        let mut part = vec![0; 1 << 20];
        while taken < length {
            taken += stream.read(&mut part).await.unwrap();
        }
    };
    drop(tokio::join!(serve, take).0);
    tokio::time::sleep(Duration::from_secs(50)).await;
    assert_eq!(status(&call(&mut stream, &upstream).await.unwrap()), "HTTP/1.1 204 No Content");
}
