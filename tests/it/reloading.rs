//! A running Weir whose files change, without a signal.

use crate::testbed::{Program, lines_of, tls_provider};
use serde_json::Value;
use std::{
    fs,
    io::{Read, Write},
    net::TcpStream,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread,
};

/// A folder that is mounted as Kubernetes mounts a ConfigMap: each file is a link into a folder
/// that is a link, which is replaced.
struct Mounted(tempfile::TempDir);

impl Mounted {
    fn new(policy: &str) -> Self {
        let mounted = Self(tempfile::tempdir().expect("a folder"));
        mounted.put("1", policy);
        std::os::unix::fs::symlink("..data/weir.toml", mounted.file()).expect("a link");
        std::os::unix::fs::symlink("..data/tls", mounted.path("tls")).expect("a link");
        mounted
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn file(&self) -> PathBuf {
        self.path("weir.toml")
    }

    /// Puts another version in place, at one moment, and returns its certificate.
    fn put(&self, version: &str, policy: &str) -> String {
        let made = rcgen::generate_simple_self_signed(vec!["localhost".into()]).expect("one");
        let folder = self.path(version);
        fs::create_dir_all(folder.join("tls")).expect("a folder");
        let write = |name: &str, text: &str| fs::write(folder.join(name), text).expect("a file");
        write("weir.toml", &format!("[listen]\ncertificates = [\"tls\"]\n[policy]\n{policy}\n"));
        write("tls/tls.crt", &made.cert.pem());
        write("tls/tls.key", &made.signing_key.serialize_pem());
        let link = self.path("..next");
        std::os::unix::fs::symlink(version, &link).expect("a link");
        fs::rename(link, self.path("..data")).expect("renamed");
        made.cert.pem()
    }
}

fn run(file: &Path, upstream: &str) -> (Program, Value) {
    let file = file.to_str().expect("a path");
    let mut program = Program::start(&[
        "run",
        "--upstream",
        upstream,
        "--listen",
        "127.0.0.1:0",
        "--admin",
        "127.0.0.1:0",
        "--log-format=json",
        "--config",
        file,
    ]);
    let ready = program.json_until("weir is ready");
    (program, ready)
}

fn page(ready: &Value, path: &str) -> Value {
    let admin = ready["admin"].as_str().expect("an address");
    let shown = lines_of(&format!("curl -s {admin}{path}")).join("\n");
    serde_json::from_str(&shown).expect("JSON")
}

#[test]
fn policy_and_certificate_are_swapped_in_the_middle_of_connections() {
    let mounted = Mounted::new("mode = \"monitor\"");
    let upstream = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", upstream.local_addr().expect("an address"));
    thread::spawn(move || {
        for stream in upstream.incoming() {
            let mut stream = stream.expect("a connection");
            thread::spawn(move || {
                let mut head = Vec::new();
                let mut byte = [0];
                while stream.read_exact(&mut byte).is_ok() {
                    head.push(byte[0]);
                    if head.ends_with(b"\r\n\r\n") {
                        head.clear();
                        stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").expect("Weir reads");
                    }
                }
            });
        }
    });
    let (mut program, ready) = run(&mounted.file(), &url);
    let port = ready["listen"].as_str().expect("an address").rsplit(':').next().expect("a port");
    let port: u16 = port.parse().expect("a port");
    let is_over = Arc::new(AtomicBool::new(false));
    // Each has one connection, which it uses without a break.
    let callers: Vec<_> = (0..2)
        .map(|_| {
            let is_over = is_over.clone();
            thread::spawn(move || {
                let mut stream = trusting(port);
                let mut calls = 0;
                while !is_over.load(Relaxed) {
                    stream.write_all(b"GET /x HTTP/1.1\r\nHost: w\r\n\r\n").expect("Weir reads");
                    let mut head = Vec::new();
                    let mut byte = [0];
                    while !head.ends_with(b"\r\n\r\n") {
                        stream.read_exact(&mut byte).expect("Weir answers");
                        head.push(byte[0]);
                    }
                    assert!(
                        head.starts_with(b"HTTP/1.1 204"),
                        "{}",
                        String::from_utf8_lossy(&head)
                    );
                    calls += 1;
                }
                calls
            })
        })
        .collect();
    assert_eq!(page(&ready, "/config")["reload"]["generation"], 1);
    let certificate = mounted.put("2", "mode = \"enforce\"");
    program.json_until("a file of the configuration has changed");
    let told = program.json_until("what has changed is in force");
    assert_eq!(told["keys"], "policy.mode");
    assert_eq!(page(&ready, "/rules")["mode"], "enforce");
    assert_eq!(page(&ready, "/config")["reload"]["generation"], 2);
    fs::write(mounted.path("new.pem"), certificate).expect("a file");
    let served = lines_of(&format!(
        "curl -sS -o /dev/null -w '%{{http_code}}' --cacert {} https://localhost:{port}/",
        mounted.path("new.pem").display()
    ));
    assert_eq!(served, ["204"]);
    // A bad version changes nothing, and is shown.
    mounted.put("3", "mode = \"of\"");
    program.json_until("the configuration was not read again, nothing has changed");
    let reload = page(&ready, "/config")["reload"].clone();
    assert_eq!(reload["generation"], 2);
    assert!(reload["last_error"].as_str().expect("why").contains("did you mean"), "{reload}");
    assert_eq!(page(&ready, "/rules")["mode"], "enforce");
    is_over.store(true, Relaxed);
    for caller in callers {
        assert!(caller.join().expect("no call failed") > 0);
    }
}

/// A connection over TLS that takes any certificate, as it is about what stays open.
fn trusting(port: u16) -> rustls::StreamOwned<rustls::ClientConnection, TcpStream> {
    #[derive(Debug)]
    struct Any(Arc<rustls::crypto::CryptoProvider>);
    impl rustls::client::danger::ServerCertVerifier for Any {
        fn verify_server_cert(
            &self,
            _: &rustls::pki_types::CertificateDer<'_>,
            _: &[rustls::pki_types::CertificateDer<'_>],
            _: &rustls::pki_types::ServerName<'_>,
            _: &[u8],
            _: rustls::pki_types::UnixTime,
        ) -> Result<rustls::client::danger::ServerCertVerified, rustls::Error> {
            Ok(rustls::client::danger::ServerCertVerified::assertion())
        }

        fn verify_tls12_signature(
            &self,
            _: &[u8],
            _: &rustls::pki_types::CertificateDer<'_>,
            _: &rustls::DigitallySignedStruct,
        ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
            Ok(rustls::client::danger::HandshakeSignatureValid::assertion())
        }

        fn verify_tls13_signature(
            &self,
            _: &[u8],
            _: &rustls::pki_types::CertificateDer<'_>,
            _: &rustls::DigitallySignedStruct,
        ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
            Ok(rustls::client::danger::HandshakeSignatureValid::assertion())
        }

        fn supported_verify_schemes(&self) -> Vec<rustls::SignatureScheme> {
            self.0.signature_verification_algorithms.supported_schemes()
        }
    }
    let provider = tls_provider();
    let config = rustls::ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .expect("versions")
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Any(provider)))
        .with_no_client_auth();
    let name = "localhost".try_into().expect("a name");
    let connection = rustls::ClientConnection::new(Arc::new(config), name).expect("a client");
    let stream = TcpStream::connect(("127.0.0.1", port)).expect("Weir listens");
    rustls::StreamOwned::new(connection, stream)
}
