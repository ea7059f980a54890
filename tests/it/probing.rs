//! `weir probe`: what it says of an upstream, over real TLS and plain.

use crate::testbed::{Emulator, EmulatorOptions, Listener, Server, tls_provider, weir};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, date_time_ymd,
};
use rustls::{ServerConfig, pki_types::PrivateKeyDer};
use serde_json::Value;
use std::{net::SocketAddr, path::PathBuf, process::Output, sync::Arc};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::TlsAcceptor;

const KEY: &str = "sk_test_acme";

/// A folder with files for a probe, and the authority of its `ca.pem`.
struct Files {
    folder: TempDir,
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Files {
    fn new() -> Self {
        Self::of("Test Authority")
    }

    fn of(authority: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, authority);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let files = Self { folder: tempfile::tempdir().unwrap(), issuer };
        files.write("ca.pem", &files.issuer.pem());
        files
    }

    fn write(&self, name: &str, text: &str) -> String {
        let path: PathBuf = self.folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// Ends TLS before this address, with a certificate for `localhost`.
    async fn tls_before(&self, to: SocketAddr, year: i32) -> String {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec!["localhost".into()]).unwrap();
        params.distinguished_name.push(DnType::CommonName, "localhost");
        params.not_after = date_time_ymd(year, 1, 1);
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
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
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("https://localhost:{}", listener.local_addr().unwrap().port());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    let mut from = acceptor.accept(stream).await?;
                    let mut to = TcpStream::connect(to).await?;
                    tokio::io::copy_bidirectional(&mut from, &mut to).await
                });
            }
        });
        url
    }
}

async fn emulator() -> Server {
    Server::of_emulator(Emulator::new(EmulatorOptions::default())).await
}

/// The URL of an upstream that answers this to every request.
async fn answering(answer: String) -> String {
    let upstream = Listener::new().await;
    let url = format!("http://{}", upstream.address());
    tokio::spawn(async move {
        loop {
            let mut stream = upstream.accept().await.stream;
            // The first connection is closed without a word.
            if stream.read(&mut [0; 1024]).await.is_ok_and(|read| read > 0) {
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
        }
    });
    url
}

async fn run(arguments: &[&str]) -> Output {
    let mut command = weir(&[&["probe"], arguments].concat());
    tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
}

/// What a probe says, as a person sees it, with its exit code.
async fn told(arguments: &[&str]) -> (String, Option<i32>) {
    let output = run(arguments).await;
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    (String::from_utf8(output.stdout).unwrap(), output.status.code())
}

/// The findings about a topic, as a program sees them, with the exit code.
async fn findings(arguments: &[&str], topic: &str) -> (Vec<Value>, Option<i32>) {
    let output = run(&[arguments, &["--format", "json"]].concat()).await;
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["wrong"], output.status.code() == Some(1), "{report:#}");
    let all = report["findings"].as_array().unwrap();
    let found = all.iter().filter(|finding| finding["topic"] == topic).cloned().collect();
    (found, output.status.code())
}

/// The verdict of each, with the status that was answered.
fn verdicts(findings: &[Value]) -> Vec<(&str, &Value)> {
    let pairs = findings.iter().map(|finding| (&finding["verdict"], &finding["facts"]["status"]));
    pairs.map(|(verdict, status)| (verdict.as_str().expect("a verdict"), status)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_way_that_is_right_is_told_step_by_step_over_tls() {
    let (files, emulator) = (Files::new(), emulator().await);
    let url = files.tls_before(emulator.address, 2999).await;
    let (ca, key) = (files.write("ca.pem", &files.issuer.pem()), files.write("weir.key", KEY));
    let config = files.write("weir.toml", "[upstream]\nroots = \"file\"\nca-file = \"ca.pem\"\n");
    let arguments = ["--upstream", &url, "--config", &config, "--key-file", &key];
    let (told, code) = told(&arguments).await;
    assert_eq!(code, Some(0), "{told}");
    let group = if cfg!(feature = "aws-lc-rs") { "X25519MLKEM768" } else { "X25519" };
    for part in [
        &format!("{url}, directly\n"),
        "ok       name         localhost is ",
        "(IPv4) in ",
        &format!("TLS 1.3, TLS13_AES_256_GCM_SHA384, {group}, in "),
        "ok       certificate  CN=localhost, by CN=Test Authority, valid for ",
        "ok       alpn         upstream chooses none: HTTP/1.1",
        &format!("trusted by `ca-file` alone ({ca}), 1 in all"),
        "upstream asks for no certificate",
        "ok       answer       GET / is 401 over HTTP/1.1 in ",
        "ok       clock        upstream's is the same as the one here",
        "ok       key          GET /sources/{id} is 404: it may be read, and is not there",
        "ok       key          GET /checkouts/{id} is 404: it may be read, and is not there",
        "a shopper's own token opens it, and was not tried",
        "note     not known",
        "Nothing here keeps Weir from working before this upstream.\n",
    ] {
        assert!(told.contains(part), "{part}\n{told}");
    }
    assert!(!told.contains(KEY), "{told}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plain_upstream_works_and_is_warned_of() {
    let emulator = emulator().await;
    let url = format!("http://{}", emulator.address);
    let (told, code) = told(&["--upstream", &url]).await;
    assert_eq!(code, Some(0), "{told}");
    for part in ["is the address 127.0.0.1", "in the clear", "was not tried (--key-file)"] {
        assert!(told.contains(part), "{part}\n{told}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_reads_no_sources_is_wrong() {
    let (files, emulator) = (Files::new(), emulator().await);
    let url = format!("http://{}", emulator.address);
    let wrong = files.write("wrong.key", "nonsense-that-stays-secret");
    let arguments = ["--upstream", &url, "--key-file", &wrong];
    let (found, code) = findings(&arguments, "key").await;
    assert_eq!(code, Some(1));
    let (sources, others) = found.split_first().unwrap();
    assert_eq!(verdicts(std::slice::from_ref(sources)), [("wrong", &Value::from(401))]);
    assert!(verdicts(others).iter().all(|(verdict, _)| *verdict == "note"), "{others:?}");
    assert!(!format!("{found:?}").contains("stays-secret"), "{found:?}");
    // What answers 404 to all tells nothing of a key.
    let body = r#"{"type":"not_found","errors":[{"code":"not_found","message":"no"}]}"#;
    let nowhere = answering(format!(
        "HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    ))
    .await;
    let (found, code) = findings(&["--upstream", &nowhere, "--key-file", &wrong], "key").await;
    assert_eq!((found[0]["verdict"].as_str(), code), (Some("warning"), Some(0)), "{found:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn certificates_that_do_not_hold_are_shown_with_why() {
    let (files, other, emulator) = (Files::new(), Files::of("Another"), emulator().await);
    let ca = files.write("ca.pem", &files.issuer.pem());
    let url = files.tls_before(emulator.address, 2999).await;
    let wrong = other.write("ca.pem", &other.issuer.pem());
    let (told_of_wrong, code) = told(&["--upstream", &url, "--upstream-ca-file", &wrong]).await;
    assert_eq!(code, Some(1));
    for part in ["CN=localhost, by CN=Test Authority", "wrong    tls", "name its CA's file as"] {
        assert!(told_of_wrong.contains(part), "{part}\n{told_of_wrong}");
    }
    let old = files.tls_before(emulator.address, 2020).await;
    let (told_of_old, code) = told(&["--upstream", &old, "--upstream-ca-file", &ca]).await;
    assert_eq!(code, Some(1));
    for part in ["warning  certificate", "expired ", "wrong    tls", "or the clock here is wrong"] {
        assert!(told_of_old.contains(part), "{part}\n{told_of_old}");
    }
    let named = url.replace("localhost", "127.0.0.1");
    let (told_of_name, code) = told(&["--upstream", &named, "--upstream-ca-file", &ca]).await;
    assert_eq!(code, Some(1));
    assert!(told_of_name.contains("names another host"), "{told_of_name}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_there_is_told_as_that() {
    let closed = Listener::new().await.address();
    for (url, topic, part) in [
        ("https://nowhere.invalid".to_owned(), "name", "resolv.conf"),
        (format!("http://{closed}"), "connect", "a firewall may refuse it"),
    ] {
        let (found, code) = findings(&["--upstream", &url], topic).await;
        assert_eq!((found[0]["verdict"].as_str(), code), (Some("wrong"), Some(1)), "{found:?}");
        assert!(found[0]["advice"].as_str().unwrap().to_lowercase().contains(part), "{found:?}");
    }
    let output = run(&[]).await;
    assert_eq!(output.status.code(), Some(1), "there is no upstream");
    assert_eq!(run(&["--no-such-flag"]).await.status.code(), Some(2));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_that_is_wrong_is_warned_of() {
    let answer = "HTTP/1.1 204 No Content\r\nConnection: close\r\n\
                  Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n\r\n";
    let url = answering(answer.to_owned()).await;
    let (found, code) = findings(&["--upstream", &url], "clock").await;
    assert_eq!((found[0]["verdict"].as_str(), code), (Some("warning"), Some(0)), "{found:?}");
    assert!(found[0]["facts"]["upstream_ahead_s"].as_i64().unwrap() < -1_000_000, "{found:?}");
}
