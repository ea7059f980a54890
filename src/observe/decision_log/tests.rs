use super::*;
use crate::{
    dialects::{self, checkouts},
    observe::{
        decision::{Decided, Step, StepEnd, StepKind},
        replay::replay,
    },
    rules::{
        Attached, Basis, CredentialHash, Fact, Intent, Known, Lookup, LookupResult, NewSource,
        Policy, SessionKey, SessionRecord, SessionState, SourceId, SourceRecord, SourceState,
        SourceType, Stated, Target, Timestamp, Types, Verdict, judge_call,
    },
};
use std::{
    collections::BTreeMap,
    fs,
    sync::{Mutex, mpsc::Sender},
};

const NOW: Timestamp = Timestamp(1_790_000_000_000);

/// A source that upstream stated so many milliseconds ago, and showed to two callers.
fn source(kind: &str, amount: &str, ms: u64) -> SourceRecord {
    let at = Timestamp(NOW.0 - ms);
    SourceRecord {
        kind: Stated::Stated(kind.into()),
        amount: Fact::Known(amount.parse().unwrap(), at),
        currency: "USD".parse().map_or(Stated::Unstated, Stated::Stated),
        reusable: Fact::Known(false, at),
        state: Fact::Known(SourceState::Chargeable, at),
        shown_to: [1, 2].map(|caller| CredentialHash([caller; 16])).into_iter().collect(),
        ..SourceRecord::default()
    }
}

/// Store credit comes after a single-use card.
fn known() -> Known {
    let at = Timestamp(NOW.0 - 840);
    let (card, credit): (SourceId, SourceId) = ("src_card".into(), "src_credit".into());
    let kind = Stated::Stated(SourceType::from("creditCard"));
    let attached = Attached { id: card.clone(), kind, amount: Stated::Unstated };
    let mut session = SessionRecord {
        sources: Fact::Known([attached].into_iter().collect(), at),
        total: Fact::Known("100".parse().unwrap(), at),
        remaining: Fact::Known("0".parse().unwrap(), at),
        state: Fact::Known(SessionState::RequiresConfirmation, at),
        customer: Fact::Known(None, at),
        ..SessionRecord::default()
    };
    session.joined.order.push(card.clone());
    session.shown_to.add(CredentialHash([2; 16]));
    let looked_up = (Lookup::Source(credit.clone()), LookupResult::At(Timestamp(NOW.0 - 12)));
    Known {
        session: Some(Arc::new(session)),
        sources: BTreeMap::from([
            (card, source("creditCard", "100", 840)),
            (credit, source("customerCredit", "25", 3)),
        ]),
        looked_up: vec![looked_up],
        ..Known::default()
    }
}

fn call() -> (Decision, Recorded) {
    let session = SessionKey::new(checkouts::CHECKOUT, "co_1");
    let target = Target::Session(session.clone());
    let intent = Intent::Attach { session: target, source: "src_credit".into() };
    let known = known();
    let judgement = judge_call(&known, &intent, &dialects::policy(), NOW);
    let Verdict::Reject(violation) = judgement.verdict.clone() else { panic!("{judgement:?}") };
    let decision = Decision {
        id: "5f2a9c01-000042".to_owned(),
        at: NOW.0 + 1,
        dialect: checkouts::DIALECT,
        session: Some(session),
        call: intent.name(),
        is_read: false,
        source: Some("src_credit".to_owned()),
        order: None,
        decision: Decided::Rejected,
        reason: None,
        rule: Some(violation.rule),
        found: Some(violation.finding.to_string()),
        accepted: Some(violation.finding.accepted()),
        unjudged: judgement.unjudged.clone(),
        unread: Vec::new(),
        status: 409,
        upstream_code: None,
        steps: vec![Step {
            kind: StepKind::LookUp(Lookup::Source("src_credit".into())),
            end: StepEnd::Answered(200),
        }],
        upstream_us: 9_120,
        weir_us: 214,
        request_id: Some("checkout-7-attach".to_owned()),
        trace_id: None,
        client: None,
        overrides: Vec::new(),
    };
    // A policy without rules: its name does not change with the next rule.
    let types = Types { secondary: vec![], pairing: vec![], savable: vec![], not_savable: vec![] };
    let recorded = Recorded {
        caller: Some(CredentialHash([1; 16])),
        intent: Arc::new(intent),
        policy: Arc::new(Policy::new(&[], types)),
        basis: Some(Box::new(Basis { known, now: NOW, judgement })),
        changed: Some(Duration::from_millis(60_000)),
    };
    (decision, recorded)
}

#[test]
fn a_line_is_as_it_was_when_its_version_was_made() {
    let (decision, recorded) = call();
    let mut line = Vec::new();
    line::write(&decision, Some(&recorded), &mut Fingerprints::default(), &mut line).unwrap();
    let line = String::from_utf8(line).unwrap();
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/observe/decision_log/golden.ndjson");
    assert_eq!(line, fs::read_to_string(path).unwrap());
    let replayed = replay(&line, &dialects::policy()).unwrap().expect("it was judged");
    assert_eq!(replayed.recorded, replayed.again);
}

#[test]
fn what_is_no_type_is_not_written() {
    let (_, recorded) = call();
    let written = |kind: &str| {
        let new = NewSource { kind: Some(kind.into()), ..NewSource::default() };
        let intent = Arc::new(Intent::CreateSource(new));
        let policy = Arc::new(dialects::policy());
        let recorded = Recorded { intent, policy, ..recorded.clone() }.without_odd_type();
        match &*recorded.intent {
            Intent::CreateSource(new) => new.kind.as_ref().map(ToString::to_string),
            _ => None,
        }
    };
    for (kind, expected) in [
        ("creditCard", "creditCard"),
        ("customerCredit", "customerCredit"),
        ("giftCard", "giftCard"),
        ("4111111111111111", "not a type"),
        ("sk_test_1", "not a type"),
        ("a b", "not a type"),
        (&"x".repeat(33), "not a type"),
    ] {
        assert_eq!(written(kind).as_deref(), Some(expected));
    }
}

/// Tells of each line, and then waits until the lock is free.
struct Slow(Sender<()>, Arc<Mutex<()>>);

impl Write for Slow {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let _ = self.0.send(());
        drop(self.1.lock());
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_writer_that_is_too_slow_costs_lines_and_nobody_waits() {
    let (told, lines) = std::sync::mpsc::channel();
    let gate = Arc::new(Mutex::new(()));
    let closed = gate.lock().unwrap();
    let log = DecisionLog::start(Slow(told, gate.clone())).unwrap();
    let (decision, recorded) = call();
    let (decision, recorded) = (Arc::new(decision), Box::new(recorded));
    log.record(decision.clone(), Some(recorded.clone()));
    lines.recv().unwrap();
    // One line is being written, and as many wait as there is room for.
    for _ in 0..QUEUE + 5 {
        log.record(decision.clone(), None);
    }
    assert_eq!(log.dropped(), 5);
    drop(closed);
    for _ in 0..QUEUE {
        lines.recv().unwrap();
    }
    log.finish();
    assert!(lines.try_recv().is_err());
    assert_eq!(log.dropped(), 5);
}

struct Broken;

impl Write for Broken {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(io::Error::other("no"))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_line_that_cannot_be_written_is_counted() {
    let log = DecisionLog::start(Broken).unwrap();
    let (decision, _) = call();
    log.record(Arc::new(decision), None);
    log.finish();
    assert_eq!(log.dropped(), 1);
}
