//! What an operator changes while Weir runs, and who may: the token, the name that is called, the
//! log, `/ready`, and a rule for a while.

use crate::testbed::{
    Admin, AdminSettings, Ask, Caller, Governor, Program, Server, Testbed, lines_of, until,
};
use http::Method;
use serde_json::{Value, json};
use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    sync::Arc,
    time::Duration,
};

const TOKEN: &str = "a-token-of-some-length";

async fn admin(governor: Arc<Governor>, token: Option<&str>) -> (Caller, Server) {
    let settings = AdminSettings {
        token: token.map(str::to_owned),
        hosts: vec!["weir.internal".to_owned()],
        ..AdminSettings::default()
    };
    let admin = Admin::with(governor, r#"{"values":{}}"#.into(), settings);
    let server = Server::start(|listener, stopped| async move {
        let _drained = admin.run(listener, stopped).await;
    })
    .await;
    (Caller::new(server.address), server)
}

/// With the token, as one who may change.
async fn operator(governor: Arc<Governor>) -> (Caller, Server) {
    let (caller, server) = admin(governor, Some(TOKEN)).await;
    (caller.key(&format!("Bearer {TOKEN}")), server)
}

/// Kind: a page of the web whose name leads here.
#[tokio::test]
async fn the_admin_address_is_answered_under_its_own_names_only() {
    let bed = Testbed::new().start().await;
    let (caller, _running) = admin(bed.governor().clone(), None).await;
    let ask = |host: &'static str, path: &'static str| {
        let caller = caller.with("host", host);
        async move { caller.get(path).await }
    };
    for host in ["127.0.0.1:9090", "[::1]", "localhost", "Weir.Internal:80"] {
        assert_eq!(ask(host, "/sessions").await.status, 200, "{host}");
    }
    for path in ["/sessions", "/decisions", "/config", "/live", "/ready"] {
        let reply = ask("rebound.example", path).await;
        assert_eq!(reply.status, 421, "{path}");
        assert!(reply.text().contains("add the name to `hosts` in [admin]"), "{}", reply.text());
    }
    // HTTP/2 names the host in its own way.
    let h2 = Caller::h2c(caller.address());
    assert_eq!(h2.get("/sessions").await.status, 200);
}

#[tokio::test]
async fn with_a_token_every_page_but_the_probes_needs_it() {
    let bed = Testbed::new().start().await;
    let (stranger, _running) = admin(bed.governor().clone(), Some(TOKEN)).await;
    let known = stranger.key(&format!("Bearer {TOKEN}"));
    for path in ["/live", "/ready"] {
        assert_eq!(stranger.get(path).await.status, 200, "{path}");
    }
    for path in ["/sessions", "/decisions", "/rules", "/config", "/stats", "/loglevel", "/drain"] {
        for caller in [&stranger, &stranger.key("Bearer another-token-of-that-length")] {
            let reply = caller.get(path).await;
            let scheme = reply.header("www-authenticate");
            let asked = (reply.status.as_u16(), scheme);
            assert_eq!(asked, (401, Some("Bearer realm=\"weir admin\"")), "{path}");
        }
        assert_eq!(known.get(path).await.status, 200, "{path}");
    }
    let change = Ask::post("/drain", Value::Null);
    assert_eq!(stranger.ask(&change).await.status, 401);
    assert_eq!(stranger.get("/ready").await.status, 200);
}

#[tokio::test]
async fn without_a_token_nothing_can_be_changed() {
    let bed = Testbed::new().start().await;
    let (caller, _running) = admin(bed.governor().clone(), None).await;
    let toggle = json!({ "toggle": "off", "seconds": 60 });
    for ask in [
        Ask::post("/drain", Value::Null),
        Ask::delete("/drain", Value::Null),
        Ask::new(Method::PUT, "/loglevel", json!({ "level": "debug" })),
        Ask::post("/rules/spent-source", toggle),
        Ask::delete("/rules/spent-source", Value::Null),
    ] {
        let reply = caller.ask(&ask).await;
        assert_eq!(reply.status, 403, "{} {}", ask.method, ask.path);
        assert!(reply.text().contains("`token-file`"), "{}", reply.text());
    }
    assert_eq!(caller.get("/ready").await.status, 200);
    assert_eq!(bed.governor().overrides().len(), 0);
}

#[tokio::test]
async fn an_operator_drains_and_takes_it_back() {
    let bed = Testbed::new().start().await;
    let (operator, _running) = operator(bed.governor().clone()).await;
    assert_eq!(operator.get("/drain").await.json(), json!({ "drained": false }));
    let drained = operator.post("/drain", Value::Null).await;
    assert_eq!((drained.status.as_u16(), drained.json()), (200, json!({ "drained": true })));
    let ready = operator.get("/ready").await;
    let reason = "an operator wants new calls to go elsewhere";
    let told = json!({ "ready": false, "reason": reason });
    assert_eq!((ready.status.as_u16(), ready.json()), (503, told));
    bed.checkout(5.0).await;
    let back = operator.delete("/drain").await;
    assert_eq!(back.json(), json!({ "drained": false }));
    assert_eq!(operator.get("/ready").await.json(), json!({ "ready": true }));
}

/// A checkout whose single-use card is attached, and the store credit that comes too late.
async fn too_late(bed: &Testbed) -> Ask {
    let path = format!("/checkouts/{}", bed.checkout(100.0).await);
    bed.weir.attach(&path, &bed.card().await).await;
    Ask::attach(&path, &bed.credit(20.0).await)
}

#[tokio::test]
async fn a_rule_is_set_otherwise_for_a_while_and_every_page_says_so() {
    const RULE: &str = "secondary-after-single-use-primary";
    let bed = Testbed::new().start().await;
    let (operator, _running) = operator(bed.governor().clone()).await;
    let verdict = async || {
        let reply = bed.weir.ask(&too_late(&bed).await).await;
        (reply.header("weir-decision").unwrap_or_default().to_owned(), reply)
    };
    let latest = async || operator.get("/decisions?limit=1").await.json()[0].clone();
    assert_eq!(verdict().await.0, "rejected");
    assert_eq!(latest().await.get("overrides"), None);
    let asked = json!({ "toggle": "monitor", "seconds": 3600 });
    let begun = operator.post(&format!("/rules/{RULE}"), asked).await;
    assert_eq!(begun.status, 200, "{}", begun.text());
    let shown = &begun.json()["overrides"][0];
    assert_eq!(
        (&shown["dialect"], &shown["toggle"], &shown["configured"]),
        (&json!("checkouts"), &json!("monitor"), &json!("reject"))
    );
    assert!(shown["seconds_left"].as_u64().is_some_and(|left| left > 3500), "{shown}");
    assert_eq!(verdict().await.0, "monitored");
    assert_eq!(latest().await["overrides"], json!([format!("{RULE} = monitor")]));
    let rules = operator.get("/rules").await.json();
    let rule = rules["rules"].as_array().unwrap().iter().find(|rule| rule["rule"] == RULE);
    let rule = rule.unwrap();
    assert_eq!(
        (&rule["in_force"], &rule["override"]["configured"]),
        (&json!("monitor"), &json!("reject"))
    );
    let config = operator.get("/config").await.json();
    assert_eq!(config["overrides"][0]["rule"], RULE);
    // A reload leaves it.
    bed.set_policy(crate::testbed::defaults());
    assert_eq!(verdict().await.0, "monitored");
    // What another rule decides is not marked.
    let ended = operator.delete(&format!("/rules/{RULE}")).await;
    assert_eq!(ended.status, 200, "{}", ended.text());
    assert_eq!(verdict().await.0, "rejected");
    assert_eq!(latest().await.get("overrides"), None);
    assert_eq!(operator.get("/config").await.json(), json!({ "values": {} }));
    assert_eq!(operator.delete(&format!("/rules/{RULE}")).await.status, 404);
}

/// Nobody can say which calls a rule that is off would have refused.
#[tokio::test]
async fn while_a_rule_is_off_every_change_is_marked_and_no_read() {
    let bed = Testbed::new().start().await;
    let (operator, _running) = operator(bed.governor().clone()).await;
    let asked = json!({ "toggle": "off", "seconds": 60, "dialect": "checkouts" });
    let begun = operator.post("/rules/ambiguous-request", asked).await.json();
    assert_eq!(begun["overrides"].as_array().map(Vec::len), Some(1), "{begun}");
    let checkout = bed.checkout(5.0).await;
    let latest = async || operator.get("/decisions?limit=1").await.json()[0].clone();
    assert_eq!(latest().await["overrides"], json!(["ambiguous-request = off"]));
    bed.weir.get(&format!("/checkouts/{checkout}")).await;
    assert_eq!(latest().await.get("overrides"), None);
    // The other dialect is as it was.
    bed.shopper(5.0).await;
    assert_eq!(latest().await.get("overrides"), None);
}

#[tokio::test]
async fn what_is_set_otherwise_ends_by_itself() {
    let bed = Testbed::new().start().await;
    let governor = bed.governor().clone();
    let (rule, toggle) = ("spent-source".parse().unwrap(), "off".parse().unwrap());
    let long = Duration::from_secs(3600);
    governor.override_rule(rule, None, toggle, Duration::from_millis(20)).unwrap();
    assert_eq!(governor.overrides().len(), 2, "one for each dialect");
    until(|| governor.overrides().is_empty()).await;
    assert_eq!(*governor.policy(), crate::testbed::defaults());
    // The end of one that was replaced ends nothing.
    governor.override_rule(rule, None, toggle, Duration::from_millis(20)).unwrap();
    governor.override_rule(rule, None, toggle, long).unwrap();
    let other = "one-secondary".parse().unwrap();
    governor.override_rule(other, None, toggle, Duration::from_millis(40)).unwrap();
    until(|| governor.overrides().iter().all(|one| one.set.rule == rule)).await;
    assert_eq!(governor.overrides().len(), 2);
}

#[tokio::test]
async fn a_change_that_makes_no_sense_is_told_and_changes_nothing() {
    let bed = Testbed::new().start().await;
    let (operator, _running) = operator(bed.governor().clone()).await;
    for (path, body, status, part) in [
        ("/rules/nosuch", json!({ "toggle": "off", "seconds": 5 }), 404, "/rules lists them"),
        ("/rules/spent-source", json!({ "toggle": "on", "seconds": 5 }), 400, "unknown variant"),
        ("/rules/spent-source", json!({ "toggle": "off" }), 400, "missing field `seconds`"),
        ("/rules/spent-source", json!({ "toggle": "off", "seconds": 0 }), 400, "1 to 86400"),
        ("/rules/spent-source", json!({ "toggle": "off", "seconds": 86401 }), 400, "1 to 86400"),
        ("/rules/spent-source", json!({ "toggle": "off", "seconds": 5, "ttl": 1 }), 400, "ttl"),
        ("/rules/spent-source", json!({ "toggle": "reorder", "seconds": 5 }), 400, "takes reject"),
        (
            "/rules/second-primary",
            json!({ "toggle": "reorder", "seconds": 5 }),
            400,
            "on checkouts the rule second-primary takes reject, monitor, off",
        ),
        (
            "/rules/one-secondary",
            json!({ "toggle": "off", "seconds": 5, "dialect": "checkouts" }),
            400,
            "not in that dialect's table",
        ),
        (
            "/rules/spent-source",
            json!({ "toggle": "off", "seconds": 5, "dialect": "orders" }),
            400,
            "no dialect",
        ),
        ("/loglevel", json!({ "level": "hyper=trace" }), 400, "must be one of off, error"),
        ("/loglevel", json!({ "level": "debug" }), 409, "does not write its log by itself"),
        ("/rules/spent-source", json!({ "x": "x".repeat(5000) }), 400, "too long"),
    ] {
        let reply = operator.post(path, body.clone()).await;
        let told = reply.text();
        assert_eq!(reply.status.as_u16(), status, "{path} {body}: {told}");
        assert!(told.contains(part), "{path} {body}: {told}");
    }
    assert_eq!(bed.governor().overrides().len(), 0);
    for (path, methods) in [
        ("/drain", "GET, HEAD, POST, DELETE"),
        ("/loglevel", "GET, HEAD, PUT, POST"),
        ("/rules/spent-source", "POST, DELETE"),
    ] {
        let reply = operator.send(Method::PATCH, path, "").await;
        assert_eq!((reply.status.as_u16(), reply.header("allow")), (405, Some(methods)), "{path}");
    }
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn the_level_of_the_log_is_changed_while_weir_runs() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("weir.toml");
    std::fs::write(folder.path().join("admin.token"), format!("{TOKEN}\n")).expect("a file");
    std::fs::write(&file, "[admin]\ntoken-file = \"admin.token\"\n").expect("a file");
    for format in ["json", "human"] {
        let mut program = Program::start(&[
            "run",
            "--config",
            file.to_str().expect("a path"),
            "--upstream",
            "http://127.0.0.1:1",
            "--listen",
            "127.0.0.1:0",
            "--admin",
            "127.0.0.1:0",
            "--log-format",
            format,
        ]);
        let ready = program.until_error("weir is ready");
        let url = ready.split("http://").nth(3).expect("the third URL");
        let address = url.trim_matches(|sign: char| !sign.is_ascii_digit());
        let end = address.find(|sign: char| !"0123456789.:".contains(sign));
        let address = &address[..end.unwrap_or(address.len())];
        let operator = Caller::new(address.parse().expect("an address"));
        assert_eq!(operator.get("/loglevel").await.status, 401);
        let operator = operator.key(&format!("Bearer {TOKEN}"));
        assert_eq!(operator.get("/loglevel").await.json(), json!({ "level": "info" }));
        let level = |level| Ask::new(Method::PUT, "/loglevel", json!({ "level": level }));
        let changed = operator.ask(&level("error")).await;
        assert_eq!(changed.json(), json!({ "level": "error" }), "{}", changed.text());
        program.until_error("an operator changes the level of the log");
        // Not written any more.
        operator.post("/drain", Value::Null).await;
        operator.ask(&level("debug")).await;
        let told = program.until_error("an operator");
        assert!(told.contains("changes the level of the log"), "{told}");
        // Its first line of its own is at a level that was not written at first.
        program.signal("TERM");
        let ended = program.ended();
        assert!(ended.errors.iter().all(|line| !line.contains(TOKEN)), "{:?}", ended.errors);
    }
}

/// Kind: a signal of an operator that ends the process.
#[cfg(unix)]
#[test]
fn a_quit_signal_tells_what_is_under_way_and_ends_nothing() {
    let upstream = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", upstream.local_addr().expect("an address"));
    let mut program = Program::start(&[
        "run",
        "--upstream",
        &url,
        "--listen",
        "127.0.0.1:0",
        "--admin",
        "off",
        "--log-format",
        "json",
    ]);
    let ready = program.json_until("weir is ready");
    program.signal("QUIT");
    let told = program.json_until("what is under way");
    assert_eq!((&told["level"], &told["calls"]), (&json!("WARN"), &json!(0)), "{told}");
    let weir = ready["listen"].as_str().and_then(|url| url.strip_prefix("http://"));
    let attach = |source: &str| {
        let mut caller = TcpStream::connect(weir.expect("an address")).expect("a connection");
        let call = format!(
            "POST /checkouts/7/sources/{source} HTTP/1.1\r\nHost: weir\r\n\
             Authorization: Bearer secret-key\r\nContent-Length: 0\r\n\r\n"
        );
        caller.write_all(call.as_bytes()).expect("a request");
        caller
    };
    let first = attach("a");
    let (mut held, _) = upstream.accept().expect("a connection");
    held.read_exact(&mut [0; 1]).expect("a request");
    let _second = attach("b");
    // The second waits once it is there; nothing else tells when.
    let told = loop {
        program.signal("QUIT");
        let told = program.json_until("what is under way");
        if told["calls_waiting"] == 1 {
            break told;
        }
    };
    let number = |name: &str| told[name].as_u64();
    assert_eq!(
        (number("calls"), number("callers_left"), number("detached"), number("turns_open")),
        (Some(2), Some(0), Some(1), Some(1)),
        "{told}"
    );
    let first_told = program.json_until("a call under way");
    assert_eq!(
        (&first_told["call"], &first_told["session"], &first_told["phase"]),
        (&json!("attach"), &json!("checkout 7"), &json!("sent upstream"))
    );
    assert_eq!(first_told["caller_waits"], true);
    assert!(first_told["decision_id"].is_string() && first_told["ms"].is_u64(), "{first_told}");
    assert_eq!(program.json_until("a call under way")["phase"], "waiting for its turn");
    let waits = program.json_until("calls that wait for a turn");
    assert_eq!(
        (&waits["turn"], &waits["waiting"]),
        (&json!("checkout 7, for one caller"), &json!(1))
    );
    // The work of a caller that has hung up is still told.
    drop(first);
    let hung_up = program.json_until("the caller hung up");
    assert_eq!(hung_up["decision_id"], first_told["decision_id"]);
    program.signal("QUIT");
    let told = program.json_until("what is under way");
    assert_eq!((&told["callers_left"], &told["detached"]), (&json!(1), &json!(1)), "{told}");
    assert_eq!(program.json_until("a call under way")["caller_waits"], false);
    drop(held);
    drop(upstream);
    program.signal("TERM");
    let ended = program.ended();
    assert_eq!(ended.code, Some(0));
    assert!(ended.errors.iter().all(|line| !line.contains("secret-key")), "{:?}", ended.errors);
}

#[tokio::test]
async fn a_call_that_has_ended_is_under_way_no_more() {
    let bed = Testbed::new().start().await;
    let late = too_late(&bed).await;
    bed.weir.ask(&late).await;
    bed.shopper(5.0).await;
    bed.weir.get("/checkouts/nosuch").await;
    let governor = bed.governor();
    until(|| governor.open_calls().is_empty()).await;
    assert_eq!(governor.look_up_paths(), [""; 0]);
}

/// Kind: a dump that shows nothing while all calls hang.
#[cfg(unix)]
#[test]
fn a_quit_signal_counts_calls_that_are_not_listed_and_says_how_old_they_are() {
    let upstream = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", upstream.local_addr().expect("an address"));
    let run = ["run", "--upstream", &url, "--listen", "127.0.0.1:0", "--admin", "off"];
    let mut program = Program::start(&[&run[..], &["--log-format", "json"]].concat());
    let ready = program.json_until("weir is ready");
    let weir = ready["listen"].as_str().and_then(|url| url.strip_prefix("http://"));
    let send = |text: &str| {
        let mut caller = TcpStream::connect(weir.expect("an address")).expect("a connection");
        caller.write_all(text.as_bytes()).expect("a request");
        caller
    };
    let mut counts = |wanted: [u64; 3]| loop {
        program.signal("QUIT");
        let told = program.json_until("what is under way");
        let found = ["open", "arriving", "passed"].map(|name| told[name].as_u64().expect(name));
        if found == wanted {
            break (told["oldest_arriving_s"].clone(), told["oldest_passed_s"].clone());
        }
    };
    assert_eq!(counts([0, 0, 0]), (Value::Null, Value::Null));
    let passed = send("GET /x HTTP/1.1\r\nHost: weir\r\n\r\n");
    let (mut held, _) = upstream.accept().expect("a connection");
    held.read_exact(&mut [0; 1]).expect("a request");
    let arriving = send("POST /checkouts HTTP/1.1\r\nHost: weir\r\nContent-Length: 9\r\n\r\n{");
    let (oldest_arriving, oldest_passed) = counts([2, 1, 1]);
    assert!(oldest_arriving.is_u64() && oldest_passed.is_u64());
    drop((arriving, passed));
    counts([0, 0, 0]);
}

/// Kind: a signal of an operator that ends the process.
#[cfg(unix)]
#[test]
fn neither_dev_nor_the_emulator_ends_at_a_signal_that_asks() {
    let mut dev = Program::dev(&[]);
    dev.signal("USR1");
    dev.signal("QUIT");
    dev.until_error("what is under way");
    let listening = "The emulator listens on http://";
    let mut emulator = Program::emulator(&[]);
    let line = emulator.printed.iter().find(|line| line.starts_with(listening)).expect("a line");
    let address = line.trim_start_matches(listening).split(". ").next().expect("one").to_owned();
    for signal in ["USR1", "QUIT"] {
        emulator.signal(signal);
        emulator.until_error("It has no log to show or to open");
    }
    for address in [dev.address("Weir"), address] {
        let code = format!("curl -s -o /dev/null -w '%{{http_code}}' http://{address}/checkouts/1");
        assert_eq!(lines_of(&code), ["401"], "{address}");
    }
}
