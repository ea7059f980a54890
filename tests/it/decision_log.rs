//! The decision log: a line for each governed call, from which the call is decided again.

use crate::{
    differential::{
        calls::{Op, Things, credit_of, op, pick, primary_of},
        cart_calls::{CartOp, cart_op},
    },
    testbed::{
        Adjusted, Ask, CART, Fault, FaultKind, Governor, Is, Mode, OnLookupFailure, Policy,
        Program, Replayed, Reply, RuleId, Testbed, Toggle, credit, defaults, defers, doubting,
        lines_of, on_a_paused_runtime, primary, reorders, replay, thorough, trusting,
    },
};
use futures_util::future::join_all;
use proptest::{
    prelude::*,
    strategy::ValueTree,
    test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::{self, Write},
    path::Path,
    sync::{Arc, Mutex},
    thread::sleep,
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// A log in memory.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("the lines").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Log {
    fn of(governor: &Governor) -> Self {
        let log = Self::default();
        governor.record_decisions(log.clone()).expect("a thread");
        log
    }

    /// Returns the lines, once there are so many.
    fn lines(&self, governor: &Governor, count: usize) -> Vec<String> {
        loop {
            governor.finish_recording();
            let text = String::from_utf8(self.0.lock().expect("the lines").clone()).expect("text");
            let lines: Vec<String> = text.lines().map(str::to_owned).collect();
            if lines.len() >= count {
                assert_eq!((lines.len(), governor.decisions_unrecorded()), (count, 0));
                return lines;
            }
        }
    }
}

/// So many random values, the same in every run.
fn some<T: std::fmt::Debug>(count: usize, of: impl Strategy<Value = T>, seed: u8) -> Vec<T> {
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[seed; 32]);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    (0..count).map(|_| of.new_tree(&mut runner).expect("a value").current()).collect()
}

/// Calls of both dialects through one Weir, some of them at the same time.
struct Storm {
    bed: Testbed,
    decided: usize,
}

impl Storm {
    async fn send(&mut self, asks: &[Ask]) -> Vec<Reply> {
        let replies = join_all(asks.iter().map(|ask| self.bed.weir.ask(ask))).await;
        let has_id = |reply: &&Reply| reply.header("weir-decision-id").is_some();
        self.decided += replies.iter().filter(has_id).count();
        replies
    }

    async fn checkouts(&mut self, ops: &[Op]) {
        let mut things = Things::default();
        for ask in Things::first() {
            let reply = self.send(std::slice::from_ref(&ask)).await.remove(0);
            things.note(&ask, reply.status.as_u16(), || reply.id());
        }
        for kind in ["creditCard", "creditCard", "ideal"] {
            things.sources.push(self.bed.upstream.source(&primary(kind)).await);
        }
        for some in ops.chunks(2) {
            let mut asks = Vec::new();
            for op in some {
                match op {
                    Op::Primary { kind, fate } => {
                        let made = self.bed.upstream.source(&primary_of(*kind, *fate)).await;
                        things.sources.push(made);
                    }
                    Op::Authorize(n) => {
                        self.bed.emulator.authorize(pick(&things.sources, *n));
                    }
                    op => asks.extend(things.ask(op)),
                }
            }
            let replies = self.send(&asks).await;
            for (ask, reply) in asks.iter().zip(replies) {
                things.note(ask, reply.status.as_u16(), || reply.id());
            }
        }
    }

    async fn carts(&mut self, ops: &[CartOp]) {
        let grant = "grant_type=anonymous&client_id=pk_acme";
        let token = self.bed.upstream.token(grant).await;
        let add = || {
            let path = format!("{CART}?productId=p&quantity=1&price=30");
            Ask::post(path, Value::Null).shopper(&token)
        };
        self.send(&[add()]).await;
        let (mut sources, mut options) = (Vec::new(), Vec::new());
        for amount in [10.0, 5.0] {
            sources.push(self.send(&[Ask::post("/sources", credit(amount))]).await[0].id());
        }
        for kind in ["creditCard", "creditCard", "ideal"] {
            sources.push(self.bed.upstream.source(&primary(kind)).await);
        }
        // Store credit behind a card, as far as the policy lets it.
        let late = [CartOp::Apply(2), CartOp::Apply(0), CartOp::Submit { resumes: false }];
        for op in late.iter().chain(ops) {
            match op {
                CartOp::Credit { amount, owner } => {
                    let made = Ask::post("/sources", credit_of(*amount, *owner));
                    let reply = self.send(&[made]).await.remove(0);
                    sources.extend((reply.status == 201).then(|| reply.id()));
                }
                CartOp::Primary { kind, fate } => {
                    sources.push(self.bed.upstream.source(&primary_of(*kind, *fate)).await);
                }
                CartOp::Authorize(n) => {
                    self.bed.emulator.authorize(pick(&sources, *n));
                }
                op => {
                    let ask = op.ask(&sources, &options).expect("a call").shopper(&token);
                    let reply = self.send(&[ask]).await.remove(0);
                    if reply.status == 201 {
                        options.push(reply.json()["paymentOption"]["id"].to_string());
                    }
                    if matches!(op, CartOp::Submit { .. }) && reply.status == 200 {
                        self.send(&[add()]).await;
                    }
                }
            }
        }
    }
}

/// Lines of calls of both dialects under this policy.
fn recorded(policy: &Policy, faults: bool, seed: u8) -> Vec<String> {
    on_a_paused_runtime(async {
        let bed = Testbed::new().policy(policy.clone()).in_process();
        let governor = bed.governor().clone();
        let log = Log::of(&governor);
        let mut storm = Storm { bed, decided: 0 };
        if faults {
            for nth in [9, 23, 24, 40, 61, 80] {
                let fault = Fault::once("GET", "*", FaultKind::FailBefore(500)).from_nth(nth);
                storm.bed.emulator.faults().add(fault);
            }
        }
        storm.checkouts(&some(60, op(), seed)).await;
        // Two parsers could read this differently: what it changes is in no record.
        let body = r#"{"email":"a@example.com","email":"b@example.com"}"#.into();
        storm.send(&[Ask { body, ..Ask::post("/checkouts/1", Value::Null) }]).await;
        storm.carts(&some(60, cart_op(), seed)).await;
        log.lines(&governor, storm.decided)
    })
}

/// The policies of the storms, and whether look-ups fail.
fn policies() -> Vec<(Policy, bool)> {
    let all_in_order = reorders()
        .with_rule(RuleId::SecondaryAfterSingleUsePrimary, Toggle::Reorder)
        .with_rule(RuleId::LostCredit, Toggle::Reorder)
        .with_rule(RuleId::SecondarySourceOwner, Toggle::Strip);
    // Store credit may come late, so that the order of attachment decides.
    let late = thorough().with_rule(RuleId::PrimaryBeforeSecondary, Toggle::Off);
    vec![
        (late.clone().with_rule(RuleId::LostCredit, Toggle::Reorder), false),
        (late, false),
        (defaults(), false),
        (thorough().with_on_lookup_failure(OnLookupFailure::Reject), true),
        (doubting(), true),
        (trusting(), false),
        (all_in_order.clone(), false),
        (Policy { look_ups: thorough().look_ups, ..all_in_order.clone() }, true),
        (defers(), false),
        (all_in_order.with_sequencing(5, false), false),
        (thorough().with_mode(Mode::Monitor), false),
    ]
}

fn again(line: &str, policy: &Policy) -> Option<Replayed> {
    replay(line, policy).unwrap_or_else(|error| panic!("{error}: {line}"))
}

#[test]
fn a_recorded_storm_is_decided_again_with_the_same_verdicts() {
    let (mut seen, mut calls) = (BTreeMap::<String, usize>::new(), 0);
    for (seed, (policy, faults)) in (1..).zip(policies()) {
        for line in recorded(&policy, faults, seed) {
            calls += 1;
            let Some(Replayed { recorded, again }) = again(&line, &policy) else {
                *seen.entry("not judged".to_owned()).or_default() += 1;
                continue;
            };
            assert_eq!(recorded, again, "{line}");
            let rule = if recorded.rule.is_some() { ", a rule is broken" } else { "" };
            *seen.entry(format!("{:?}{rule}", recorded.is)).or_default() += 1;
        }
    }
    assert!(calls > 900, "{calls}");
    for verdict in [
        "Forward",
        "Forward, a rule is broken",
        "Reject, a rule is broken",
        "Remedy, a rule is broken",
        "Strip, a rule is broken",
        "Unavailable",
        "Defer",
        "Need",
        "not judged",
    ] {
        assert!(seen.contains_key(verdict), "no verdict {verdict}: {seen:?}");
    }
}

#[test]
fn under_another_policy_the_calls_that_it_is_about_are_decided_otherwise() {
    let enforced = thorough();
    let lines = recorded(&enforced, false, 20);
    let watched = enforced.clone().with_mode(Mode::Monitor);
    let rule = RuleId::SecondaryAfterSingleUsePrimary;
    let without = enforced.clone().with_rule(rule, Toggle::Off);
    let (mut refused, mut changed) = (0, 0);
    for line in &lines {
        let Some(Replayed { recorded, again: watched }) = again(line, &watched) else { continue };
        if recorded.is == Is::Need {
            // The look-up's answer became the caller's.
            continue;
        }
        match (recorded.is, watched.is) {
            // What is only reported is never kept.
            (Is::Reject, Is::Forward) => {
                refused += 1;
                assert!(watched.rule.is_some(), "{line}");
            }
            // The next rule needs what nobody asked for, because the call was refused.
            (Is::Reject, Is::Need) => {}
            (_, is) => assert_eq!(is, Is::Forward, "{line}"),
        }
        let without = again(line, &without).expect("judged").again;
        match recorded.rule == Some(rule) {
            true => {
                changed += 1;
                assert_ne!(without.rule, Some(rule), "{line}");
                assert_ne!(without, recorded, "{line}");
            }
            false if recorded.unjudged.iter().any(|(of, _)| *of == rule) => {}
            false => assert_eq!(without, recorded, "{line}"),
        }
    }
    assert!(refused > 10 && changed > 0, "{refused} {changed}");
}

/// Lines that were written when this version was made, under the policy `thorough`. They are read
/// by every program that knows the version; a verdict changes only with its rule.
#[test]
fn lines_of_this_version_are_read_for_ever() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/decision_log/golden.ndjson");
    let lines = fs::read_to_string(path).expect("the lines");
    let mut judged = 0;
    for line in lines.lines() {
        if let Some(Replayed { recorded, again }) = again(line, &thorough()) {
            assert_eq!(recorded, again, "{line}");
            judged += 1;
        }
    }
    assert!(judged > 10, "{judged}");
}

#[test]
fn a_line_that_cannot_be_decided_again_says_why() {
    let said = |line: &str| replay(line, &defaults()).expect_err("no line").to_string();
    assert!(said("{").starts_with("this is no line of a decision log: "));
    assert!(said(r#"{"v":2}"#).starts_with("the line has version 2, and "));
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/decision_log/golden.ndjson");
    let lines = fs::read_to_string(path).expect("the lines");
    let line = lines.lines().find(|line| line.contains(r#""kind":"checkout""#)).expect("one");
    assert_eq!(
        said(&line.replace(r#""kind":"checkout""#, r#""kind":"tab""#)),
        "the policy knows no dialect and no kind of session that is called `tab`"
    );
    let other = line.replace(r#""replay":{"#, r#""replay":{"more":1,"#);
    assert!(said(&other).contains("unknown field `more`"), "a member that it does not know");
}

#[test]
fn no_line_has_a_key_a_token_a_body_or_another_callers_hash() {
    let lines = on_a_paused_runtime(async {
        let bed = Testbed::new().policy(thorough()).in_process();
        let log = Log::of(bed.governor());
        let checkout = bed.checkout(100.0).await;
        let (card, other) = (bed.card().await, bed.weir.key("Bearer sk_test_acme_other"));
        // Two callers are shown the session and the source.
        for caller in [&bed.weir, &other] {
            caller.get(&format!("/checkouts/{checkout}")).await;
            caller.get(&format!("/sources/{card}")).await;
        }
        let attach = Ask::attach(&format!("/checkouts/{checkout}"), &card);
        let attach = attach.with("x-secret", "hush-header").with("x-request-id", "request-1");
        bed.weir.ask(&attach).await;
        let named = json!({ "email": "hush@example.com", "metadata": { "card": "4111" } });
        bed.weir.post(&format!("/checkouts/{checkout}"), named).await;
        log.lines(bed.governor(), 7)
    });
    let of = |line: &String| -> Value { serde_json::from_str(line).expect("JSON") };
    let callers: BTreeSet<String> =
        lines.iter().map(|line| of(line)["caller"].to_string()).collect();
    assert_eq!(callers.len(), 2, "{callers:?}");
    for line in &lines {
        for secret in ["sk_test", "pk_test", "hush", "4111", "example.com"] {
            assert!(!line.contains(secret), "{secret}: {line}");
        }
        let own = of(line)["caller"].to_string();
        let hashes = callers.iter().filter(|hash| line.contains(hash.trim_matches('"')));
        assert_eq!(hashes.collect::<Vec<_>>(), [&own], "{line}");
    }
    let attach = lines.iter().map(of).find(|line| line["call"] == "attach").expect("it");
    assert_eq!(attach["request_id"], "request-1");
    assert_eq!(attach["upstream_status"], 200, "{attach}");
}

/// The lines of a file, each of which must be whole.
fn lines_in(path: &Path) -> Vec<Value> {
    let text = fs::read_to_string(path).unwrap_or_default();
    let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
    whole.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

/// Waits for so many lines. Nothing tells when another process has written a file.
fn until(path: &Path, count: usize) -> Vec<Value> {
    let since = Instant::now();
    loop {
        let lines = lines_in(path);
        if lines.len() >= count {
            return lines;
        }
        assert!(since.elapsed() < Duration::from_secs(60), "{lines:?}");
        sleep(Duration::from_millis(5));
    }
}

/// `weir dev` with this decision log, and the folder of its configuration.
fn dev(log: &str) -> (Program, TempDir) {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("weir.toml");
    fs::write(&file, format!("[decision-log]\n{log}\n")).expect("a file");
    (Program::dev(&["--config", file.to_str().expect("a path")]), folder)
}

fn call(program: &Program) {
    let weir = program.address("Weir");
    lines_of(&format!("curl -s -o /dev/null -d '{{}}' http://{weir}/checkouts"));
}

#[cfg(unix)]
#[test]
fn a_file_has_every_line_also_when_another_program_moves_it_and_at_the_end() {
    let (program, folder) = dev("to = \"decisions.ndjson\"\nrotate-at = \"off\"");
    let path = folder.path().join("decisions.ndjson");
    call(&program);
    let first = until(&path, 1).remove(0);
    assert_eq!(
        (&first["v"], &first["call"], &first["intent"]["is"]),
        (&json!(1), &json!("create"), &json!("create-session"),)
    );
    let moved = folder.path().join("moved.ndjson");
    fs::rename(&path, &moved).expect("a move");
    program.signal("USR1");
    let since = Instant::now();
    while !path.exists() {
        assert!(since.elapsed() < Duration::from_secs(60), "it is not opened again");
        sleep(Duration::from_millis(5));
    }
    call(&program);
    let admin = program.address("Admin");
    let stats = lines_of(&format!("curl -s http://{admin}/stats")).join("");
    let stats: Value = serde_json::from_str(&stats).expect("JSON");
    assert_eq!(stats["decision_log_lines_dropped"], 0);
    program.signal("INT");
    assert_eq!(program.ended().code, Some(0));
    assert_eq!((lines_in(&moved).len(), lines_in(&path).len()), (1, 1));
}

#[cfg(unix)]
#[test]
fn standard_output_has_the_lines_and_by_default_there_are_none() {
    for (log, expected) in [("to = \"stdout\"", 1), ("", 0)] {
        let (mut program, folder) = dev(log);
        call(&program);
        if expected > 0 {
            program.until(|line| line.starts_with("{\"v\":1,"));
        }
        program.signal("INT");
        let printed = program.ended().printed;
        let lines = printed.iter().filter(|line| line.starts_with("{\"v\":1,"));
        assert_eq!(lines.count(), expected);
        assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 1);
    }
}
