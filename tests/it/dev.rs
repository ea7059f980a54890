//! `weir dev` as somebody meets it who pastes what it prints, and who stops it in the middle.

use crate::testbed::{Caller, DEV, Ended, Program, lines_of, weir};
use serde_json::{Value, json};
use std::{net::TcpListener, process::Stdio, thread};

/// What the walk-through shows, but for headers that a clock or the sender chooses.
fn walked(program: &Program) -> Vec<String> {
    let passing = ["date:", "weir-decision-id:", "vary:", "via:", "content-length:"];
    lines_of(&program.walk())
        .into_iter()
        .filter(|line| !passing.iter().any(|name| line.starts_with(name)))
        .collect()
}

/// The lines for governed calls, once a cart has been ordered.
fn told(mut program: Program) -> Vec<String> {
    program.until(|line| line.starts_with("cart ") && line.contains("  order "));
    program.signal("INT");
    let Ended { code, printed, errors } = program.ended();
    assert_eq!((code, errors), (Some(0), vec![]));
    let begin =
        printed.iter().position(|line| line.starts_with("Governed calls")).expect("a heading");
    assert_eq!(printed.last().map(String::as_str), Some("Stopped: all calls were answered."));
    // Each line ends with the decision's id, which no test can know.
    let told = |line: &String| {
        let (told, id) = line.rsplit_once("  ").expect("an id");
        let (process, number) = id.split_once('-').expect("an id of two parts");
        assert!(!process.is_empty() && number.parse::<u64>().is_ok(), "{line}");
        told.to_owned()
    };
    printed[begin + 1..printed.len() - 2].iter().map(told).collect()
}

const VENDORS: &str = r#"{"type":"conflict","errors":[{"code":"session_update_not_allowed","message":"Updating source is not allowed for the current session state."}]}"#;

#[test]
fn the_walk_shows_the_right_order_passing_and_the_wrong_one_refused() {
    let program = Program::dev(&[]);
    assert_eq!(
        walked(&program),
        [
            "== A checkout over 26.89, store credit of 11, a card. The right order: the credit first, the card last, then the order.",
            "HTTP/1.1 200 OK",
            "weir-decision: forwarded",
            "HTTP/1.1 200 OK",
            "weir-decision: forwarded",
            "HTTP/1.1 201 Created",
            "weir-decision: forwarded",
            "== The wrong order: the card first.",
            "== Weir refuses the credit in the vendor's own words, and upstream never sees it.",
            "HTTP/1.1 200 OK",
            "weir-decision: forwarded",
            "HTTP/1.1 409 Conflict",
            "content-type: application/json",
            "weir-decision: rejected",
            "weir-rule: secondary-after-single-use-primary",
            "",
            VENDORS,
            "== A cart over 100: first a card, then store credit of 40. The carts API takes both, and loses the credit at submit.",
            "== Weir refuses the credit and says what to do.",
            "HTTP/1.1 200 OK",
            "weir-decision: forwarded",
            "HTTP/1.1 409 Conflict",
            "content-type: application/json",
            "access-control-allow-origin: *",
            "weir-decision: rejected",
            "weir-rule: primary-before-secondary",
            "",
            r#"{"errors":{"error":[{"relation":"https://developers.digitalriver.com/v1/shoppers/CartsResource","code":"apply-payment-failure","subcode":"primary-before-secondary","description":"Store credit applied after the primary payment method would be ignored when the cart is submitted. Detach the primary, attach the store credit, then attach the primary again."}]}}"#,
            "== What the refusal asks for: the card off, the credit on, the card on again.",
            "HTTP/1.1 204 No Content",
            "weir-decision: forwarded",
            "HTTP/1.1 200 OK",
            "weir-decision: forwarded",
            "HTTP/1.1 200 OK",
            "weir-decision: forwarded",
            "== Submit the cart. The emulator says which credits were lost, of which order.",
            "HTTP/1.1 200 OK",
            "weir-decision: forwarded",
            r#""lostCredits":[]"#,
        ]
    );
    assert_eq!(
        told(program),
        [
            "checkout 679200822465  create            forwarded  201",
            "-                      create source e099ec6c  forwarded  201",
            "-                      create source 6775dc77  forwarded  201",
            "checkout 679200822465  attach e099ec6c   forwarded  200",
            "checkout 679200822465  attach 6775dc77   forwarded  200  [look up source 6775dc77 200]",
            "checkout 679200822465  order             forwarded  201",
            "checkout 401713405192  create            forwarded  201",
            "-                      create source 0c43407d  forwarded  201",
            "-                      create source ff6c67e8  forwarded  201",
            "checkout 401713405192  attach ff6c67e8   forwarded  200",
            "checkout 401713405192  attach 0c43407d   rejected   409  secondary-after-single-use-primary: secondary 0c43407d after the single-use primary ff6c67e8",
            "cart 388401425688      update            forwarded  200  [look up the session 200]",
            "-                      create source de70d101  forwarded  201",
            "-                      create source e4d93032  forwarded  201",
            "cart 388401425688      attach e4d93032   forwarded  200",
            "cart 388401425688      attach de70d101   rejected   409  primary-before-secondary: secondary de70d101 after the primary e4d93032  [look up source de70d101 200]",
            "cart 388401425688      detach e4d93032   forwarded  204",
            "cart 388401425688      attach de70d101   forwarded  200",
            "cart 388401425688      attach e4d93032   forwarded  200",
            "cart 388401425688      order             forwarded  200",
        ]
    );
}

#[test]
fn the_walk_with_reorder_shows_a_deferred_card_and_a_repaired_cart() {
    let program = Program::dev(&["--reorder"]);
    let seen = walked(&program);
    let wrong = seen
        .iter()
        .position(|line| line == "== The wrong order: the card first.")
        .expect("the heading");
    assert_eq!(
        seen[wrong + 1..],
        [
            "== Weir answers the card and keeps it back. The credit goes before it; the order sends it first.",
            "HTTP/1.1 200 OK",
            "weir-decision: deferred",
            "weir-rule: secondary-after-single-use-primary",
            "HTTP/1.1 200 OK",
            "weir-decision: forwarded",
            "HTTP/1.1 201 Created",
            "weir-decision: forwarded",
            "== A cart over 100: first a card, then store credit of 40. The carts API takes both, and loses the credit at submit.",
            "== Weir repairs it: it takes the card off, puts the credit on and the card on again. The caller sees one answer.",
            "HTTP/1.1 200 OK",
            "weir-decision: forwarded",
            "HTTP/1.1 200 OK",
            "weir-decision: reordered",
            "weir-rule: primary-before-secondary",
            "== Submit the cart. The emulator says which credits were lost, of which order.",
            "HTTP/1.1 200 OK",
            "weir-decision: forwarded",
            r#""lostCredits":[]"#,
        ]
    );
    let told = told(program);
    let line = |part: &str| {
        told.iter()
            .find(|line| line.contains(part))
            .unwrap_or_else(|| panic!("{part} in {told:#?}"))
            .clone()
    };
    assert!(line("[attach deferred primary").contains("  order             forwarded  201"));
    assert_eq!(
        line("reordered"),
        "cart 359821572018      attach e9a61004   reordered  200  primary-before-secondary: secondary e9a61004 after the primary f0af3ce4  [look up source e9a61004 200, look up source f0af3ce4 200, detach f0af3ce4 204, attach 200, attach primary f0af3ce4 200]"
    );
}

#[test]
fn the_walk_under_monitor_passes_everything_says_what_it_saw_and_loses_the_credit() {
    let program = Program::dev(&["--mode", "monitor"]);
    let seen = walked(&program);
    let wrong = seen
        .iter()
        .position(|line| line == "== The wrong order: the card first.")
        .expect("the heading");
    assert_eq!(
        seen[wrong + 1..],
        [
            "== Weir passes the credit on and says what it saw. It is upstream that refuses.",
            "HTTP/1.1 200 OK",
            "weir-decision: forwarded",
            "HTTP/1.1 409 Conflict",
            "content-type: application/json;charset=UTF-8",
            "weir-decision: monitored",
            "weir-rule: secondary-after-single-use-primary",
            "",
            VENDORS,
            "== A cart over 100: first a card, then store credit of 40. The carts API takes both, and loses the credit at submit.",
            "== Weir passes the credit on and says what it saw.",
            "HTTP/1.1 200 OK",
            "weir-decision: forwarded",
            "HTTP/1.1 200 OK",
            "weir-decision: monitored",
            "weir-rule: primary-before-secondary",
            "== Submit the cart. The emulator says which credits were lost, of which order.",
            "HTTP/1.1 200 OK",
            "weir-decision: monitored",
            "weir-rule: lost-credit",
            r#""lostCredits":[{"cartId":"388401425688","orderId":"166238069391","sourceId":"de70d101-9fc6-4081-96de-6acd12c87e38","amount":40.0}]"#,
        ]
    );
    let monitored: Vec<String> =
        told(program).into_iter().filter(|line| line.contains("monitored")).collect();
    assert_eq!(
        monitored,
        [
            "checkout 401713405192  attach 0c43407d   monitored  409  secondary-after-single-use-primary: secondary 0c43407d after the single-use primary ff6c67e8",
            "cart 388401425688      attach de70d101   monitored  200  primary-before-secondary: secondary de70d101 after the primary e4d93032  [look up source de70d101 200]",
            "cart 388401425688      order             monitored  200  lost-credit: secondary de70d101 joined after the primary e4d93032",
        ]
    );
}

#[test]
fn the_introduction_names_the_other_walks() {
    for (flags, others) in [
        (&[][..], [" dev --reorder ", " dev --mode monitor "]),
        (&["--reorder"], [" dev  ", " dev --mode monitor "]),
        (&["--mode", "monitor"], [" dev  ", " dev --reorder "]),
    ] {
        let program = Program::dev(flags);
        let begin = program
            .printed
            .iter()
            .position(|line| line.starts_with("To see the same walk"))
            .expect("the line");
        let named = &program.printed[begin + 1..begin + 3];
        assert!(named[0].contains(others[0]) && named[1].contains(others[1]), "{named:?}");
    }
}

#[test]
fn a_port_in_use_is_told_with_the_flag_that_chooses_another() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address").to_string();
    for (flag, what) in
        [("--listen", "callers"), ("--admin", "the admin API"), ("--emulator", "the emulator")]
    {
        let mut arguments = DEV.to_vec();
        let at = arguments.iter().position(|argument| *argument == flag).expect("the flag");
        arguments[at + 1] = &address;
        let ended = Program::start(&arguments).ended();
        let expected = format!(
            "error: cannot listen on {address} for {what}: the address is in use; stop what uses it, or choose another with {flag}"
        );
        assert_eq!((ended.code, ended.errors, ended.printed), (Some(1), vec![expected], vec![]));
    }
}

#[test]
fn an_address_of_another_machine_is_told_once() {
    let ended =
        Program::start(&["run", "--upstream", "http://127.0.0.1:1", "--listen", "203.0.113.1:80"])
            .ended();
    assert_eq!(ended.code, Some(1));
    assert_eq!(ended.errors.len(), 1, "{:?}", ended.errors);
    let told = &ended.errors[0];
    assert!(told.starts_with("error: cannot listen on 203.0.113.1:80 for callers: "), "{told}");
    assert_eq!(told.matches("203.0.113.1").count(), 1, "{told}");
    assert!(told.ends_with("; choose another with --listen"), "{told}");
}

#[test]
fn a_run_without_upstream_says_how_to_name_one() {
    let ended = Program::start(&["run"]).ended();
    assert_eq!(ended.code, Some(1));
    assert_eq!(
        ended.errors,
        [
            "error: no upstream is named: there is nothing to stand in front of",
            "   = help: give --upstream URL, set WEIR_UPSTREAM, or write `url` in [upstream]",
            "",
            "1 error",
        ]
    );
}

#[test]
fn a_configuration_that_is_not_there_is_named() {
    let ended = Program::start(&["run", "--config", "no/such.toml"]).ended();
    assert_eq!(
        (ended.code, ended.errors[..2].join("\n")),
        (Some(1), "error: there is no such file\n  --> no/such.toml".into())
    );
}

#[test]
fn slips_of_the_command_line_are_told_with_what_was_meant() {
    for (arguments, parts) in [
        (&["runn"][..], ["unrecognized subcommand 'runn'", "'run'"]),
        (&["dev", "--lisen", "x"], ["unexpected argument '--lisen'", "'--listen'"]),
        (&["emulator", "--listen", "x"], ["invalid value 'x' for '--listen <ADDR>'", "--help"]),
        (
            &["emulator", "--listen", "8090"],
            ["for '--listen <ADDR>'", "is not an address and port; write \"127.0.0.1:8090\""],
        ),
        (
            &["dev", "--emulator", "localhost:8095"],
            ["for '--emulator <ADDR>'", "is not an address and port; write \"127.0.0.1:8095\""],
        ),
    ] {
        let ended = Program::start(arguments).ended();
        let told = ended.errors.join("\n");
        assert_eq!(ended.code, Some(2), "{told}");
        assert!(parts.iter().all(|part| told.contains(part)), "{told}");
    }
}

/// `weir dev` with a call that upstream holds back. Returns when the call is upstream.
async fn with_a_slow_call() -> (Program, Caller, tokio::task::JoinHandle<Option<u16>>) {
    let program = Program::dev(&[]);
    let caller = |name| {
        Caller::new(program.address(name).parse().expect("an address")).key("Bearer sk_test_acme")
    };
    let (weir, emulator, admin) = (caller("Weir"), caller("Emulator"), caller("Admin"));
    let fault =
        json!({ "kind": "hold-before", "gate": "slow", "method": "POST", "path": "/checkouts" });
    assert_eq!(emulator.post("/_emulator/faults", fault).await.status, 200);
    let address = weir.address();
    let slow = tokio::task::spawn_blocking(move || answer_to_a_creation(address));
    while admin.get("/stats").await.json()["calls_in_flight"] != 1 {
        thread::yield_now();
    }
    (program, emulator, slow)
}

/// The status of a creation, over a connection of its own; `None` where it was cut off.
fn answer_to_a_creation(address: std::net::SocketAddr) -> Option<u16> {
    use std::io::{Read, Write};
    let mut stream = std::net::TcpStream::connect(address).expect("a connection");
    let body = r#"{"currency":"USD","items":[{"skuId":"sku","quantity":1,"aggregatePrice":5}]}"#;
    let head = format!(
        "POST /checkouts HTTP/1.1\r\nHost: weir\r\nAuthorization: Bearer sk_test_acme\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all((head + body).as_bytes()).expect("a request");
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).ok()?;
    String::from_utf8_lossy(&answer[9..]).parse().ok()
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn ctrl_c_in_the_middle_of_a_slow_call_lets_it_end() {
    for signal in ["INT", "TERM"] {
        let (mut program, emulator, slow) = with_a_slow_call().await;
        program.signal(signal);
        let told = program.until_error("Stopping");
        assert_eq!(
            told,
            "Stopping: calls under way are finished first. Ctrl-C again cuts them off."
        );
        assert_eq!(emulator.post("/_emulator/gates/slow/open", Value::Null).await.status, 204);
        assert_eq!(slow.await.expect("an answer"), Some(201));
        let ended = program.ended();
        assert_eq!(
            (ended.code, ended.printed.last().map(String::as_str)),
            (Some(0), Some("Stopped: all calls were answered."))
        );
        assert!(
            ended.printed.iter().any(|line| line.contains("  create            forwarded  201  ")),
            "{:?}",
            ended.printed
        );
    }
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn a_second_ctrl_c_cuts_a_slow_call_off() {
    let (mut program, _emulator, slow) = with_a_slow_call().await;
    program.signal("INT");
    program.until_error("Stopping");
    program.signal("INT");
    assert_eq!(program.until_error("Stopped"), "Stopped at once: what was under way is cut off.");
    assert_eq!(program.ended().code, Some(130));
    assert_eq!(slow.await.expect("an end"), None);
}

#[test]
fn a_reader_who_leaves_during_the_introduction_is_no_error() {
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let child = weir(&DEV).stdout(writer).stderr(Stdio::piped()).spawn().expect("weir starts");
    let output = child.wait_with_output().expect("an end");
    assert_eq!(
        (output.status.code(), String::from_utf8_lossy(&output.stderr).as_ref()),
        (Some(0), "")
    );
}

#[tokio::test]
async fn what_dev_sets_by_itself_is_shown_as_that_and_what_a_flag_sets_as_the_flag() {
    let program = Program::dev(&["--reorder"]);
    let admin = Caller::new(program.address("Admin").parse().expect("an address"));
    let origins = admin.get("/config").await.json()["origins"].clone();
    let of = |key: &str| origins[key].as_str().unwrap_or("built in").to_owned();
    assert_eq!((of("upstream.url"), of("log.level")), ("weir dev".into(), "weir dev".into()));
    assert_eq!(
        (of("listen.address"), of("sequencing.defer")),
        ("--listen".into(), "--reorder".into())
    );
    assert_eq!(of("policy.rules.carts.primary-before-secondary"), "--reorder");
    let program = Program::dev(&["--log-level", "info"]);
    let admin = Caller::new(program.address("Admin").parse().expect("an address"));
    assert_eq!(admin.get("/config").await.json()["origins"]["log.level"], "--log-level");
}
