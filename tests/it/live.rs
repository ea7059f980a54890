//! A running Weir that gets new settings: what it does changes, and nothing is started again.

use crate::testbed::{Program, lines_of, tls_provider};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use serde_json::{Value, json};
use std::{
    fs,
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    path::PathBuf,
    sync::{Arc, Mutex},
    thread,
};

/// A Weir with a file, which is rewritten.
struct Live {
    folder: tempfile::TempDir,
    program: Program,
    weir: String,
    admin: String,
}

impl Live {
    fn start(upstream: &str, text: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        Self::start_in(folder, upstream, text)
    }

    fn start_in(folder: tempfile::TempDir, upstream: &str, text: &str) -> Self {
        let file = folder.path().join("weir.toml");
        // A signal alone reads it again, so that each test knows when.
        fs::write(&file, format!("{text}\n[reload]\nwatch = false\n")).expect("a file");
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
            file.to_str().expect("a path"),
        ]);
        let ready = program.json_until("weir is ready");
        let address = |name: &str| ready[name].as_str().expect("an address").to_owned();
        let (weir, admin) = (address("listen"), address("admin"));
        Self { folder, program, weir, admin }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The place of this line, as `/config` names it.
    fn path_of(&self, line: usize) -> String {
        format!("{}:{line}", self.path("weir.toml").display())
    }

    /// Has another text read, and returns the line about it.
    fn reload(&mut self, text: &str, told: &str) -> Value {
        let text = format!("{text}\n[reload]\nwatch = false\n");
        fs::write(self.path("weir.toml"), text).expect("a file");
        self.program.signal("HUP");
        self.program.json_until(told)
    }

    fn takes(&mut self, text: &str) -> Value {
        self.reload(text, "what has changed is in force")["keys"].clone()
    }

    /// The status of a call, and what is asked of its headers.
    fn curl(&self, arguments: &str, path: &str) -> String {
        lines_of(&format!(
            "curl -s -o /dev/null -w '%{{http_code}} %header{{weir-decision}}' {arguments} {}{path}",
            self.weir
        ))
        .join("")
        .trim()
        .to_owned()
    }

    fn config(&self, pointer: &str) -> Value {
        let shown = lines_of(&format!("curl -s {}/config", self.admin)).join("\n");
        let shown: Value = serde_json::from_str(&shown).expect("JSON");
        shown.pointer(pointer).cloned().unwrap_or_default()
    }
}

/// Reads the head of a request; false at the end of the connection.
fn head(stream: &mut impl Read) -> Option<String> {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).ok()?;
        head.push(byte[0]);
    }
    Some(String::from_utf8_lossy(&head).into_owned())
}

/// An upstream that answers 204, and `/slow` never. It keeps the heads that it was sent.
fn upstream() -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let heads = Arc::<Mutex<Vec<String>>>::default();
    let seen = heads.clone();
    thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let seen = seen.clone();
            thread::spawn(move || {
                while let Some(head) = head(&mut stream) {
                    let is_slow = head.contains(" /slow ");
                    seen.lock().expect("no panic").push(head);
                    if !is_slow && stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").is_err() {
                        return;
                    }
                }
            });
        }
    });
    (url, heads)
}

#[test]
fn the_way_to_upstream_stays_that_of_the_url_that_needs_a_restart() {
    let (upstream, _heads) = upstream();
    let url =
        |url: &str| format!("[upstream]\nproxy = \"http://me:pass@127.0.0.1:9\"\nurl = \"{url}\"");
    let mut live = Live::start(&upstream, "");
    assert_eq!(live.config("/way_to_upstream"), "directly");
    assert_eq!(live.takes(&url(&upstream)), "upstream.proxy");
    let through = "through the proxy http://127.0.0.1:9 (upstream.proxy)";
    assert_eq!(live.config("/way_to_upstream"), through);
    assert_eq!(live.curl("", "/x"), "502", "nobody is there");
    let rotated = url(&upstream).replace("pass", "word");
    assert_eq!(live.takes(&rotated), "upstream.proxy", "which no page shows");
    let socket = "[upstream]\nsocket = \"/nowhere.sock\"";
    assert_eq!(live.takes(socket), "upstream.proxy, upstream.socket");
    assert_eq!(live.config("/way_to_upstream"), "over the Unix socket /nowhere.sock");
    assert_eq!(live.takes(""), "upstream.socket");
    assert_eq!(live.curl("", "/x"), "204");
}

#[test]
fn time_limits_bounds_and_headers_change_for_the_next_call() {
    let (url, heads) = upstream();
    let mut live = Live::start(&url, "[upstream]\ntimeout = \"1h\"\n");
    let body = format!("-d '{{\"x\":\"{}\"}}'", "x".repeat(1500));
    assert_eq!(live.curl("", "/x"), "204");
    assert_eq!(live.curl(&body, "/checkouts"), "204 forwarded");
    let keys = live.takes(
        "[upstream]\ntimeout = \"50ms\"\n[limits]\ngoverned-body = \"1KiB\"\nhead = \"8KiB\"\n\
         [headers]\ndecision = false\nforwarded = true\n[sequencing]\nqueue = 3\n",
    );
    assert_eq!(
        keys,
        "headers.decision, headers.forwarded, limits.governed-body, limits.head, \
         sequencing.queue, upstream.timeout"
    );
    assert_eq!(live.curl("", "/slow"), "504");
    assert_eq!(live.curl(&body, "/checkouts"), "413", "and no header about the decision");
    assert_eq!(live.curl(&format!("-H 'x: {}'", "x".repeat(9000)), "/x"), "431");
    assert_eq!(live.curl("", "/last"), "204");
    let last = heads.lock().expect("no panic").last().cloned().expect("a request");
    assert!(last.to_lowercase().contains("x-forwarded-for: 127.0.0.1"), "{last}");
    assert_eq!(live.config("/values/upstream/timeout"), "50ms");
    assert_eq!(live.config("/origins/upstream.timeout"), live.path_of(2));
    assert_eq!(live.config("/reload/generation"), 2);

    // What is taken out of the file has its built-in value again.
    live.takes("[limits]\ncalls = 1\n");
    assert_eq!(live.curl("", "/x"), "204");
    assert_eq!(live.config("/values/upstream/timeout"), "30s");
    let weir = live.weir.strip_prefix("http://").expect("in the clear");
    let mut held = TcpStream::connect(weir).expect("a connection");
    held.write_all(b"GET /slow HTTP/1.1\r\nHost: w\r\n\r\n").expect("Weir reads");
    while !heads.lock().expect("no panic").last().is_some_and(|head| head.contains("/slow")) {
        thread::yield_now();
    }
    assert_eq!(live.curl("", "/x"), "503", "one call at a time");
    drop(held);

    // What needs a restart is named, and stays.
    let told = live.reload("[listen]\nworkers = 3\n[limits]\ncalls = 9\n", "needs a restart");
    assert_eq!((&told["level"], &told["keys"]), (&json!("WARN"), &json!("listen.workers")));
    assert_eq!(live.config("/values/listen/workers"), "auto");
    assert_eq!(live.config("/values/limits/calls"), 9);
    assert_eq!(live.config("/origins/listen.workers"), Value::Null);
}

#[test]
fn the_level_of_the_log_changes_and_leaves_a_line_whatever_the_levels() {
    let (url, _) = upstream();
    let mut live = Live::start(&url, "");
    let told = "the configuration changes the level of the log";
    for level in ["error", "off", "error", "debug", "warn"] {
        let text = format!("[log]\nlevel = \"{level}\"\n");
        let line = live.reload(&text, told);
        assert_eq!((&line["level"], &line["now"]), (&json!("WARN"), &json!(level)));
        assert_eq!(live.config("/values/log/level"), level);
    }
    let shown = lines_of(&format!("curl -s {}/loglevel", live.admin)).join("");
    assert_eq!(serde_json::from_str::<Value>(&shown).expect("JSON"), json!({"level": "warn"}));
}

#[test]
fn the_admin_address_gets_another_token_and_other_names() {
    let (url, _) = upstream();
    let folder = tempfile::tempdir().expect("a folder");
    let token = folder.path().join("admin.token");
    fs::write(&token, "the-first-of-two-tokens").expect("a file");
    let mut live = Live::start_in(folder, &url, "[admin]\ntoken-file = \"admin.token\"\n");
    let asked = |live: &Live, token: &str, host: &str| {
        lines_of(&format!(
            "curl -s -o /dev/null -w '%{{http_code}}' -H 'authorization: Bearer {token}' \
             -H 'host: {host}' {}/stats",
            live.admin
        ))
        .join("")
    };
    assert_eq!(asked(&live, "the-first-of-two-tokens", "localhost"), "200");
    assert_eq!(asked(&live, "the-first-of-two-tokens", "weir.internal"), "421");
    fs::write(&token, "the-second-of-two-tokens").expect("a file");
    let keys = live.takes("[admin]\ntoken-file = \"admin.token\"\nhosts = [\"weir.internal\"]\n");
    assert_eq!(keys, "admin.hosts, admin.token-file");
    assert_eq!(asked(&live, "the-first-of-two-tokens", "localhost"), "401");
    assert_eq!(asked(&live, "the-second-of-two-tokens", "weir.internal"), "200");
    // A token that cannot be read keeps all of it from being taken.
    fs::write(&token, "short").expect("a file");
    let text = "[admin]\ntoken-file = \"admin.token\"\n[policy]\nmode = \"off\"\n";
    live.reload(text, "the configuration was not read again, nothing has changed");
    assert_eq!(asked(&live, "the-second-of-two-tokens", "weir.internal"), "200");
}

/// An authority in PEM, and a server for `localhost` that it vouches for.
fn authority() -> (String, Arc<rustls::ServerConfig>) {
    let mut params = CertificateParams::new(Vec::new()).expect("names");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().expect("a key");
    let authority = CertifiedIssuer::self_signed(params, key).expect("an authority");
    let key = KeyPair::generate().expect("a key");
    let params = CertificateParams::new(vec!["localhost".into()]).expect("names");
    let certificate = params.signed_by(&key, &authority).expect("a certificate");
    let provider = tls_provider();
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.der().clone()],
            PrivateKeyDer::try_from(key.serialize_der()).expect("a key"),
        )
        .expect("a server");
    (authority.pem(), Arc::new(config))
}

#[test]
fn upstream_gets_another_authority_and_a_bad_file_changes_nothing() {
    let ((first, first_config), (second, second_config)) = (authority(), authority());
    let config = Arc::new(Mutex::new(first_config));
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("https://localhost:{}", listener.local_addr().expect("an address").port());
    let served = config.clone();
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let config = served.lock().expect("no panic").clone();
            thread::spawn(move || {
                let tls = rustls::ServerConnection::new(config).expect("a server");
                let mut stream = rustls::StreamOwned::new(tls, stream);
                while head(&mut stream).is_some() {
                    if stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").is_err() {
                        return;
                    }
                }
            });
        }
    });
    let folder = tempfile::tempdir().expect("a folder");
    let ca = folder.path().join("ca.pem");
    fs::write(&ca, first).expect("a file");
    let trusting = "[upstream]\nroots = \"file\"\nca-file = \"ca.pem\"\n";
    let mut live = Live::start_in(folder, &url, trusting);
    assert_eq!(live.curl("", "/x"), "204");
    // The same file holds another certificate. The connection that is open was made under the old
    // one: it takes no further call.
    *config.lock().expect("no panic") = second_config;
    fs::write(&ca, &second).expect("a file");
    live.reload(trusting, "upstream's certificates, or Weir's own, have changed");
    assert_eq!(live.curl("", "/x"), "204");
    // It cannot be used: of the rest of the file nothing is taken either.
    fs::write(&ca, "no certificate").expect("a file");
    let text = format!("{trusting}timeout = \"7s\"\n[policy]\nmode = \"off\"\n");
    live.reload(&text, "the configuration was not read again, nothing has changed");
    assert_eq!(live.config("/values/policy/mode"), "enforce");
    assert_eq!(live.config("/values/upstream/timeout"), "30s");
    assert!(live.config("/reload/last_error").as_str().expect("why").contains("ca.pem"));
    assert_eq!(live.curl("", "/x"), "204");
    fs::write(&ca, second).expect("a file");
    assert_eq!(live.takes(&text), "policy.mode, upstream.timeout");
    assert_eq!(live.config("/values/policy/mode"), "off");
    assert_eq!(live.curl("", "/x"), "204");
}
