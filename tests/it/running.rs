//! `weir run` as its operator meets it: what it logs, what a reload changes, how a stop ends.

use crate::testbed::{Program, lines_of, weir};
use serde_json::{Value, json};
use std::{
    collections::BTreeSet,
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    process::Stdio,
};

/// Flags with which `weir run` takes free ports and writes lines for programs.
const RUN: [&str; 8] = [
    "run",
    "--upstream",
    "http://127.0.0.1:1",
    "--listen",
    "127.0.0.1:0",
    "--admin",
    "127.0.0.1:0",
    "--log-format=json",
];

/// The keys of an object, each as often as it is written.
fn keys(line: &str) -> Vec<String> {
    struct Keys(Vec<String>);
    impl<'de> serde::Deserialize<'de> for Keys {
        fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
            struct Walk;
            impl<'de> serde::de::Visitor<'de> for Walk {
                type Value = Keys;

                fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                    f.write_str("an object")
                }

                fn visit_map<A: serde::de::MapAccess<'de>>(
                    self,
                    mut map: A,
                ) -> Result<Keys, A::Error> {
                    let mut keys = Vec::new();
                    while let Some((key, _)) = map.next_entry::<String, Value>()? {
                        keys.push(key);
                    }
                    Ok(Keys(keys))
                }
            }
            from.deserialize_map(Walk)
        }
    }
    serde_json::from_str::<Keys>(line).expect("JSON").0
}

/// The lines of a run that cannot listen, with these flags and this `RUST_LOG`.
fn lines_of_a_start(flags: &[&str], rust_log: &str) -> Vec<Value> {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address").to_string();
    let arguments = [&["run", "--upstream", "http://a", "--listen", &address], flags].concat();
    let output = weir(&arguments).env("RUST_LOG", rust_log).output().expect("weir runs");
    let text = String::from_utf8(output.stderr).expect("text");
    let lines = text.lines().filter(|line| line.starts_with('{'));
    lines
        .map(|line| {
            let keys = keys(line);
            assert_eq!(keys.iter().collect::<BTreeSet<_>>().len(), keys.len(), "{line}");
            serde_json::from_str(line).expect("JSON")
        })
        .collect()
}

#[test]
fn a_rust_log_that_cannot_be_read_is_told_in_a_line_without_a_key_twice() {
    let lines = lines_of_a_start(&["--log-format", "json"], "a=b=c");
    assert_eq!(
        (&lines[0]["level"], &lines[0]["log_level"]),
        (&json!("WARN"), &json!("info")),
        "{lines:?}"
    );
}

#[test]
fn a_warning_of_the_configuration_is_logged_in_fields() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("weir.toml");
    std::fs::write(&file, "[upstream]\ntimeout = \"1s\"\nconnect-timeout = \"2s\"\n")
        .expect("a file");
    let path = file.to_str().expect("a path");
    let lines = lines_of_a_start(&["--log-format", "json", "--config", path], "");
    let told = &lines[0];
    assert_eq!(
        (&told["level"], &told["message"], &told["file"], &told["line"], &told["key"]),
        (
            &json!("WARN"),
            &json!("`connect-timeout` is longer than `timeout`"),
            &json!(path),
            &json!(3),
            &json!("upstream.connect-timeout"),
        ),
    );
    assert_eq!(told["suggestion"], "connecting has its own time-out, which comes before `timeout`");
}

#[cfg(unix)]
#[test]
fn an_upstream_that_cannot_be_reached_is_no_reason_not_to_start() {
    let nobody =
        TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address");
    let upstream = format!("http://{nobody}");
    let flags = [
        "run",
        "--upstream",
        &upstream,
        "--listen",
        "127.0.0.1:0",
        "--admin",
        "off",
        "--log-format",
        "json",
    ];
    let mut program = Program::start(&flags);
    let ready = program.json_until("weir is ready");
    let weir = ready["listen"].as_str().expect("an address");
    let id = "X-Request-Id: mine";
    let seen =
        lines_of(&format!("curl -s -H '{id}' -w ' %{{http_code}}\\n' {weir}/checkouts -d '{{}}'"));
    assert_eq!(
        seen,
        [
            r#"{"type":"bad_gateway","errors":[{"code":"upstream_unreachable","message":"The payments API cannot be reached. Nothing was sent to it."}]} 502"#
        ]
    );
    // It is logged with its purpose, under the id of the decision that it ends in.
    let told = program.json_until("asking upstream failed");
    assert_eq!((&told["level"], &told["what"]), (&json!("WARN"), &json!("create")));
    assert_eq!(
        (&told["method"], &told["path"], &told["request_id"]),
        (&json!("POST"), &json!("/checkouts"), &json!("mine"))
    );
    let error = told["error"].as_str().expect("an error");
    assert!(error.starts_with("upstream is unreachable: "), "{error}");
    let decision = program.json_until("create failed");
    assert_eq!(
        (&decision["decision_id"], &decision["status"]),
        (&told["decision_id"], &json!(502))
    );
    // An ungoverned call has a line, too, and neither shows the query.
    lines_of(&format!("curl -s -H '{id}' '{weir}/products?token=secret'"));
    let told = program.json_until("an exchange failed");
    assert_eq!(
        (&told["method"], &told["path"], &told["request_id"]),
        (&json!("GET"), &json!("/products"), &json!("mine"))
    );
    // A call that meets the same fault several times has one line.
    let apply = "/v1/shoppers/me/carts/active/apply-payment-method?token=secret";
    let body = r#"{"paymentMethod":{"sourceId":"s"}}"#;
    lines_of(&format!("curl -s '{weir}{apply}' -d '{body}'"));
    program.signal("TERM");
    let ended = program.ended();
    let of_cart = |line: &&String| line.contains("asking upstream failed");
    assert_eq!(ended.errors.iter().filter(of_cart).count(), 1, "{:?}", ended.errors);
    assert!(ended.errors.iter().all(|line| !line.contains("secret")), "{:?}", ended.errors);
    let decision = ended.errors.iter().find(|line| line.contains("attach failed"));
    let decision: Value = serde_json::from_str(decision.expect("a decision")).expect("JSON");
    assert_eq!(decision["status"], 502);
    assert_eq!(ended.code, Some(0));
}

/// The HTTP library answers by itself what it cannot parse.
#[test]
fn a_request_that_is_no_http_is_a_line_of_the_log_without_what_it_said() {
    let mut program = Program::start(&RUN);
    let ready = program.json_until("weir is ready");
    let weir = ready["listen"].as_str().and_then(|url| url.strip_prefix("http://"));
    let mut caller = TcpStream::connect(weir.expect("an address")).expect("a connection");
    let call = "GET /checkouts/1?token=\"secret\" HTTP/1.1\r\nHost: weir\r\n\r\n";
    caller.write_all(call.as_bytes()).expect("a request");
    let mut answer = String::new();
    caller.read_to_string(&mut answer).expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 400 Bad Request\r\n"), "{answer}");
    let told = program.until_error("is no HTTP");
    assert!(told.contains("refused unread") && !told.contains("secret"), "{told}");
}

#[cfg(unix)]
#[test]
fn a_hangup_reads_the_policy_again_and_a_bad_file_changes_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("weir.toml");
    let write = |text: &str| std::fs::write(&file, text).expect("a file");
    write("[policy]\nmode = \"monitor\"\n");
    let path = file.to_str().expect("a path");
    let mut program = Program::start(&[&RUN[..], &["--config", path]].concat());
    let ready = program.json_until("weir is ready");
    let page = |path: &str| {
        let shown =
            lines_of(&format!("curl -s {}{path}", ready["admin"].as_str().expect("an address")))
                .join("\n");
        serde_json::from_str::<Value>(&shown).expect("JSON")
    };
    let mode = || {
        let mode = page("/rules")["mode"].as_str().expect("a mode").to_owned();
        assert_eq!(
            page("/config")["values"]["policy"]["mode"],
            mode.as_str(),
            "/config shows what is in force"
        );
        mode
    };
    assert_eq!(mode(), "monitor");
    write(
        "[policy]\nmode = \"enforce\"\n[limits]\ndrain = \"1s\"\n[log]\nkeep = 7\n[listen]\nworkers = 3\n",
    );
    program.signal("HUP");
    let told = program.json_until("what has changed is in force");
    assert_eq!(
        (&told["level"], &told["keys"]),
        (&json!("INFO"), &json!("limits.drain, policy.mode"))
    );
    let told = program.json_until("what has changed needs a restart");
    assert_eq!(
        (&told["level"], &told["keys"]),
        (&json!("WARN"), &json!("listen.workers, log.keep"))
    );
    assert_eq!(mode(), "enforce");
    assert_eq!(page("/config")["values"]["log"]["keep"], 5, "it was not taken over");
    write("[policy]\nmode = \"enforce\"\n[limits]\ndrain = \"1s\"\n");
    program.signal("HUP");
    program.json_until("read the configuration again: nothing has changed");
    write("[policy]\nmode = \"of\"\n");
    program.signal("HUP");
    let told = program.json_until("found \\\"of\\\"");
    assert_eq!(
        (&told["level"], &told["line"], &told["suggestion"]),
        (&json!("ERROR"), &json!(2), &json!("did you mean \"off\"?"))
    );
    program.json_until("the configuration was not read again, nothing has changed");
    assert_eq!(mode(), "enforce");
}

/// The key that runs is the one that was read last.
#[cfg(unix)]
#[test]
fn a_hangup_takes_a_key_that_was_replaced_and_nothing_where_there_is_none() {
    let folder = tempfile::tempdir().expect("a folder");
    let (file, key) = (folder.path().join("weir.toml"), folder.path().join("own.key"));
    let write = |mode: &str| {
        let text = format!("[upstream]\nkey-file = \"own.key\"\n[policy]\nmode = \"{mode}\"\n");
        std::fs::write(&file, text).expect("a file");
    };
    write("enforce");
    std::fs::write(&key, "sk_test_one").expect("a file");
    let path = file.to_str().expect("a path");
    let mut program = Program::start(&[&RUN[..], &["--config", path]].concat());
    program.json_until("weir is ready");
    std::fs::write(&key, "sk_test_two").expect("a file");
    program.signal("HUP");
    let told = program.json_until("what has changed is in force");
    assert_eq!(told["keys"], "upstream.key-file");
    std::fs::remove_file(&key).expect("it was there");
    write("off");
    program.signal("HUP");
    let told = program.json_until("own.key cannot be read");
    assert_eq!(told["level"], "ERROR");
    program.json_until("the configuration was not read again, nothing has changed");
    std::fs::write(&key, "sk_test_two").expect("a file");
    program.signal("HUP");
    let told = program.json_until("what has changed is in force");
    assert_eq!(told["keys"], "policy.mode", "the key is the one that runs");
}

#[cfg(unix)]
#[test]
fn a_reload_names_what_a_flag_holds_against_the_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("weir.toml");
    std::fs::write(&file, "[policy]\nmode = \"enforce\"\n").expect("a file");
    let file = file.to_str().expect("a path");
    let flags = ["--mode", "monitor", "--look-ups", "thorough", "--config", file];
    let mut program = Program::start(&[&RUN[..], &flags].concat());
    program.json_until("weir is ready");
    program.signal("HUP");
    let told = program.json_until("what a flag or a variable sets stays");
    assert_eq!(told["keys"], "policy.look-ups by --look-ups, policy.mode by --mode");
}

/// There is no answer to decide about, and a shop looks for its call all the same.
#[test]
fn a_caller_who_hangs_up_leaves_a_line_that_names_the_call() {
    let upstream = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", upstream.local_addr().expect("an address"));
    let mut run = RUN.to_vec();
    run[2] = &url;
    let mut program = Program::start(&run);
    let ready = program.json_until("weir is ready");
    let weir = ready["listen"].as_str().and_then(|url| url.strip_prefix("http://"));
    let mut caller = TcpStream::connect(weir.expect("an address")).expect("a connection");
    let call = "POST /checkouts/7/sources/s HTTP/1.1\r\nHost: weir\r\nX-Request-Id: mine\r\n\
                Content-Length: 0\r\n\r\n";
    caller.write_all(call.as_bytes()).expect("a request");
    let (mut held, _) = upstream.accept().expect("a connection");
    held.read_exact(&mut [0; 1]).expect("a request");
    drop(caller);
    let told = program.json_until("the caller hung up or was cut off before its answer");
    assert_eq!(
        (&told["level"], &told["call"], &told["source"], &told["request_id"]),
        (&json!("WARN"), &json!("attach"), &json!("s"), &json!("mine"))
    );
    assert_eq!(told["session"], "checkout 7");
    assert!(told["decision_id"].is_string(), "{told}");
}

#[cfg(unix)]
#[test]
fn a_second_signal_to_stop_is_a_line_for_programs_too() {
    let upstream = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", upstream.local_addr().expect("an address"));
    let mut run = RUN.to_vec();
    run[2] = &url;
    let mut program = Program::start(&run);
    let ready = program.json_until("weir is ready");
    let weir = ready["listen"].as_str().and_then(|url| url.strip_prefix("http://"));
    let mut caller = TcpStream::connect(weir.expect("an address")).expect("a connection");
    let call = "POST /checkouts HTTP/1.1\r\nHost: weir\r\nContent-Length: 2\r\n\r\n{}";
    caller.write_all(call.as_bytes()).expect("a request");
    let (mut held, _) = upstream.accept().expect("a connection");
    held.read_exact(&mut [0; 1]).expect("a request");
    program.signal("TERM");
    program.json_until("stopping");
    program.signal("TERM");
    assert_eq!(program.json_until("stopped at once")["level"], "WARN");
    assert_eq!(program.ended().code, Some(130));
}

#[cfg(unix)]
#[test]
fn a_stop_that_cuts_off_what_is_under_way_is_a_warning_with_the_counts() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("weir.toml");
    std::fs::write(&file, "[limits]\ndrain = \"0s\"\n").expect("a file");
    let upstream = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", upstream.local_addr().expect("an address"));
    let flags = ["--config", file.to_str().expect("a path")];
    let mut run = RUN.to_vec();
    run[2] = &url;
    let mut program = Program::start(&[&run[..], &flags].concat());
    let ready = program.json_until("weir is ready");
    let weir = ready["listen"].as_str().and_then(|url| url.strip_prefix("http://"));
    let mut caller = TcpStream::connect(weir.expect("an address")).expect("a connection");
    let call = "POST /checkouts HTTP/1.1\r\nHost: weir\r\nContent-Length: 2\r\n\r\n{}";
    caller.write_all(call.as_bytes()).expect("a request");
    // The call is upstream, which never answers.
    let (mut held, _) = upstream.accept().expect("a connection");
    held.read_exact(&mut [0; 1]).expect("a request");
    program.signal("TERM");
    let told = program.json_until("cut off what was under way");
    assert_eq!(
        (&told["level"], &told["connections_cut"], &told["calls_cut"]),
        (&json!("WARN"), &json!(1), &json!(1))
    );
    assert_eq!(program.ended().code, Some(3));
}

/// Kind: a call that waits for the reader of the log.
#[cfg(unix)]
#[test]
fn neither_a_call_nor_a_stop_waits_for_whoever_reads_the_log() {
    let mut program = weir(&RUN).stderr(Stdio::piped()).spawn().expect("weir starts");
    let mut log = BufReader::new(program.stderr.take().expect("a pipe"));
    let mut line = String::new();
    while !line.contains("weir is ready") {
        line.clear();
        assert_ne!(log.read_line(&mut line).expect("a line"), 0, "it ended");
    }
    // From here on nobody reads. The lines of so many calls fill the pipe many times over.
    let ready: Value = serde_json::from_str(&line).expect("JSON");
    let weir = ready["listen"].as_str().and_then(|url| url.strip_prefix("http://"));
    let mut caller = TcpStream::connect(weir.expect("an address")).expect("a connection");
    let mut answers = BufReader::new(caller.try_clone().expect("a socket"));
    for _ in 0..2_000 {
        let call = "POST /checkouts HTTP/1.1\r\nHost: weir\r\nContent-Length: 2\r\n\r\n{}";
        caller.write_all(call.as_bytes()).expect("a request");
        assert_eq!(status_of(&mut answers), "502");
    }
    let live = lines_of(&format!(
        "curl -s -o /dev/null -w '%{{http_code}}\\n' {}/live; kill -TERM {}",
        ready["admin"].as_str().expect("an address"),
        program.id()
    ));
    assert_eq!(live, ["200"]);
    assert_eq!(program.wait().expect("it ends").code(), Some(0));
}

/// Reads one answer, and returns its status.
fn status_of(answers: &mut impl BufRead) -> String {
    let (mut status, mut length) = (None, 0);
    loop {
        let mut line = String::new();
        answers.read_line(&mut line).expect("an answer");
        let line = line.trim_end().to_ascii_lowercase();
        if line.is_empty() {
            break;
        }
        status = status.or_else(|| line.split(' ').nth(1).map(str::to_owned));
        if let Some(value) = line.strip_prefix("content-length: ") {
            length = value.parse().expect("a number");
        }
    }
    answers.read_exact(&mut vec![0; length]).expect("a body");
    status.expect("a status")
}

#[cfg(unix)]
#[test]
fn tls_ends_at_weir_with_certificates_that_a_hangup_reads_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let certificate = || {
        let made = rcgen::generate_simple_self_signed(vec!["localhost".into()]).expect("one");
        let text = made.cert.pem() + &made.signing_key.serialize_pem();
        std::fs::write(folder.path().join("shop.pem"), text).expect("a file");
        std::fs::write(folder.path().join("trusted.pem"), made.cert.pem()).expect("a file");
    };
    certificate();
    let file = folder.path().join("weir.toml");
    std::fs::write(&file, "[listen]\ncertificates = [\"shop.pem\"]\n").expect("a file");
    let path = file.to_str().expect("a path");
    let mut program = Program::start(&[&RUN[..], &["--config", path]].concat());
    let ready = program.json_until("weir is ready");
    let listen = ready["listen"].as_str().expect("an address");
    let port = listen.strip_prefix("https://127.0.0.1:").expect("over TLS");
    let answer = |trusted: &str| {
        lines_of(&format!(
            "curl -sS -o /dev/null -w '%{{http_version}} %{{http_code}}' --cacert {}/{trusted} \
             https://localhost:{port}/ 2>&1 || true",
            folder.path().display()
        ))
        .join(" ")
    };
    assert_eq!(answer("trusted.pem"), "2 502", "upstream is nobody");
    std::fs::copy(folder.path().join("trusted.pem"), folder.path().join("old.pem"))
        .expect("a file");
    certificate();
    program.signal("HUP");
    program.json_until("read the certificates again");
    assert_eq!(answer("trusted.pem"), "2 502");
    assert!(answer("old.pem").contains("certificate"), "{}", answer("old.pem"));
    std::fs::write(folder.path().join("shop.pem"), "nothing").expect("a file");
    program.signal("HUP");
    let told = program.json_until("the certificates cannot be used, nothing has changed");
    assert!(told["error"].as_str().expect("why").contains("shop.pem: it holds no certificate"));
    assert_eq!(answer("trusted.pem"), "2 502");
    let refused = Program::start(&[&RUN[..], &["--config", path]].concat()).ended();
    assert_eq!(refused.code, Some(1));
    let told = refused.errors.join("\n");
    assert!(
        told.contains("error: cannot serve callers over TLS") && told.contains("shop.pem"),
        "{told}"
    );
}

/// Kind: an audit that is found to be missing when it is needed. A full disk must not keep payments
/// from being made, so it is no error of the start.
#[test]
fn a_decision_log_that_cannot_be_opened_is_told_at_the_start() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("weir.toml");
    std::fs::write(&file, "[decision-log]\nto = \"later/decisions.ndjson\"\n").expect("a file");
    let path = file.to_str().expect("a path");
    let mut program = Program::start(&[&RUN[..], &["--config", path]].concat());
    let told = program.json_until("the decision log cannot be opened");
    assert_eq!(told["level"], "ERROR");
    assert!(told["path"].as_str().expect("a path").ends_with("later/decisions.ndjson"), "{told}");
    assert!(told["error"].as_str().expect("why").contains("No such file"), "{told}");
    program.json_until("weir is ready");
}
