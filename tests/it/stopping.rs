//! How `weir run` stops: what it still takes, what it says of what is lost, and its exit code.
#![cfg(unix)]

use crate::testbed::{APPLY, Caller, PUBLIC, Program, SECRET, Testbed, lines_of, method, primary};
use serde_json::{Value, json};
use std::path::PathBuf;

/// `weir run` before the emulator of a bed, with this configuration.
struct Run {
    program: Program,
    weir: Caller,
    admin: String,
    _folder: tempfile::TempDir,
}

impl Run {
    fn start(bed: &Testbed, config: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let file: PathBuf = folder.path().join("weir.toml");
        std::fs::write(&file, config).expect("a file");
        let upstream = format!("http://{}", bed.upstream.address());
        let file = file.to_str().expect("a path");
        let mut program = Program::start(&[
            "run",
            "--config",
            file,
            "--upstream",
            &upstream,
            "--listen",
            "127.0.0.1:0",
            "--admin",
            "127.0.0.1:0",
            "--log-format",
            "json",
        ]);
        let ready = program.json_until("weir is ready");
        let listen = ready["listen"].as_str().and_then(|url| url.strip_prefix("http://"));
        let weir = Caller::new(listen.expect("an address").parse().expect("an address"));
        let admin = ready["admin"].as_str().expect("an address").to_owned();
        Self { program, weir: weir.key(SECRET), admin, _folder: folder }
    }

    fn is_ready(&self) -> Vec<String> {
        let url = &self.admin;
        lines_of(&format!("curl -s -o /dev/null -w '%{{http_code}}\\n' {url}/ready"))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn new_calls_are_taken_until_the_grace_is_over_while_ready_says_no() {
    let bed = Testbed::new().without_weir().start().await;
    let mut run = Run::start(&bed, "[limits]\ngrace = \"5m\"\n");
    assert_eq!(run.is_ready(), ["200"]);
    run.program.signal("TERM");
    let told = run.program.json_until("stopping");
    assert_eq!((&told["level"], &told["grace"]), (&json!("INFO"), &json!("300s")));
    assert_eq!(run.is_ready(), ["503"]);
    // A new connection, which only a listener takes.
    let fresh = Caller::new(run.weir.address()).key(SECRET);
    fresh.checkout(5.0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn when_the_grace_is_over_the_stop_goes_on() {
    let bed = Testbed::new().without_weir().start().await;
    let mut run = Run::start(&bed, "[limits]\ngrace = \"50ms\"\n");
    run.program.signal("TERM");
    run.program.json_until("the grace is over");
    run.program.json_until("\"stopped\"");
    assert_eq!(run.program.ended().code, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_signal_cuts_the_grace_short() {
    let bed = Testbed::new().without_weir().start().await;
    let mut run = Run::start(&bed, "[limits]\ngrace = \"5m\"\n");
    run.program.signal("TERM");
    run.program.json_until("stopping");
    run.program.signal("TERM");
    run.program.json_until("stopped at once");
    assert_eq!(run.program.ended().code, Some(130));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_names_each_session_whose_deferred_attach_is_lost() {
    let bed = Testbed::new().without_weir().start().await;
    let mut run = Run::start(
        &bed,
        "[policy.rules]\nsecondary-after-single-use-primary = \"reorder\"\n\
         [sequencing]\ndefer = true\n",
    );
    let mut promised = Vec::new();
    for _ in 0..2 {
        let checkout = run.weir.checkout(20.0).await;
        let card = bed.card().await;
        let attached = run.weir.attach(&format!("/checkouts/{checkout}"), &card).await;
        assert_eq!(attached.header("weir-decision"), Some("deferred"), "{}", attached.text());
        promised.push((format!("checkout {checkout}"), card));
    }
    run.program.signal("TERM");
    assert_eq!(run.program.json_until("a line names each")["sessions"], 2);
    let mut told = Vec::new();
    for _ in 0..2 {
        let line = run.program.json_until("lost by the stop");
        assert_eq!(line["level"], "WARN");
        let text = |name: &str| line[name].as_str().expect("text").to_owned();
        assert!(text("message").contains("attach it again"), "{line}");
        told.push((text("session"), text("primary")));
    }
    promised.sort();
    told.sort();
    assert_eq!(told, promised);
    // The calls themselves were answered.
    assert_eq!(run.program.ended().code, Some(0));
}

/// The primary is off, and the call that attaches the credit hangs upstream.
#[tokio::test(flavor = "multi_thread")]
async fn a_stop_in_the_middle_of_a_repair_names_the_cart_and_the_primary() {
    for signals in [1, 2] {
        let bed = Testbed::new().without_weir().start().await;
        let drain = if signals == 1 { "0s" } else { "1h" };
        let config = format!(
            "[policy.rules.carts]\nprimary-before-secondary = \"reorder\"\n\
             [limits]\ndrain = \"{drain}\"\n"
        );
        let mut run = Run::start(&bed, &config);
        let shopper = bed.shopper_of(&run.weir, 60.0).await;
        let card = bed.upstream.key(PUBLIC).source(&primary("creditCard")).await;
        let applied = shopper.ok(APPLY, method(&card)).await.json();
        let credit = run.weir.credit(20.0).await;
        let fault = json!({
            "kind": "hold-before", "gate": "slow", "method": "POST", "path": "*apply-payment-method"
        });
        bed.upstream.ok("/_emulator/faults", fault).await;
        let caller = tokio::spawn({
            let (shopper, credit) = (shopper.clone(), credit.clone());
            async move { shopper.post(APPLY, method(&credit)).await }
        });
        let held = || bed.emulator.calls().iter().any(|call| call.method == "DELETE");
        while !held() {
            tokio::task::yield_now().await;
        }
        for _ in 0..signals {
            run.program.signal("TERM");
            run.program.json_until("stop");
        }
        let line = run.program.json_until("a repair was not finished");
        let cart = match &applied["cart"]["id"] {
            Value::String(id) => id.clone(),
            other => other.to_string(),
        };
        assert_eq!(
            (&line["level"], &line["session"], &line["primary"], &line["incoming"]),
            (&json!("WARN"), &json!(format!("cart {cart}")), &json!(card), &json!(credit))
        );
        assert_eq!(run.program.ended().code, Some(if signals == 1 { 3 } else { 130 }));
        caller.abort();
    }
}
