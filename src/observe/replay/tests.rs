use super::{
    form::{Names, Now},
    intent::IntentForm,
    known::KnownForm,
};
use crate::{
    dialects::{self, carts, checkouts},
    rules::{
        Attached, CredentialHash, CustomerRecord, Fact, Funding, Intent, Joined, Known, Lookup,
        LookupResult, NewSource, OptionFacts, Owner, PaidWith, Pending, SessionKey, SessionKind,
        SessionRecord, SessionState, SourceFacts, SourceId, SourceRecord, SourceState, Stated,
        Target, Timestamp, Version,
    },
};
use serde_json::{Value, json};
use std::{collections::BTreeMap, sync::Arc};

const NOW: Timestamp = Timestamp(1_000_000);

fn on(kind: SessionKind) -> Target {
    Target::Session(SessionKey::new(kind, "1"))
}

fn funding() -> Funding {
    Funding {
        source: Some("s".into()),
        customer: Stated::Stated(None),
        credit_amount: "5.50".parse().ok(),
        changes_total: true,
        billing_optimization: Stated::Unread,
        version: Stated::Stated(Version::Legacy),
    }
}

/// Calls about sessions, each as it is written.
fn about_sessions() -> Vec<(Intent, Value)> {
    let (source, session) = (SourceId::from("s"), on(checkouts::CHECKOUT));
    let checkout = json!({ "kind": "checkout", "id": "1" });
    let cart = Target::Active(carts::CART);
    let paid = json!({
        "source": "s", "customer": { "is": null }, "credit_amount": "5.5", "changes_total": true,
        "billing_optimization": "unread", "version": { "is": "legacy" },
    });
    let plain = |is: &str| json!({ "is": is, "session": checkout });
    let of = |is: &str, name: &str, value: Value| {
        let mut form = plain(is);
        form[name] = value;
        form
    };
    let order = |paid_with| Intent::Order { session: session.clone(), paid_with };
    vec![
        (
            Intent::CreateSession { kind: checkouts::INVOICE, funding: funding() },
            json!({ "is": "create-session", "kind": "invoice", "funding": paid }),
        ),
        (
            Intent::UpdateSession { session: session.clone(), funding: Funding::default() },
            of("update-session", "funding", json!({})),
        ),
        (
            Intent::Attach { session: cart.clone(), source: source.clone() },
            json!({ "is": "attach", "session": { "kind": "cart" }, "source": "s" }),
        ),
        (
            Intent::Detach { session: session.clone(), source: None },
            of("detach", "source", Value::Null),
        ),
        (
            Intent::AttachSaved { session: session.clone(), option: Some("o".into()) },
            of("attach-saved", "option", json!("o")),
        ),
        (Intent::ReadSession { session: session.clone() }, plain("read-session")),
        (Intent::DeleteSession { session: session.clone() }, plain("delete-session")),
        (order(PaidWith::Attached), of("order", "paid_with", json!("attached"))),
        (order(PaidWith::Resumed), of("order", "paid_with", json!("resumed"))),
        (order(PaidWith::Listed(vec![source])), of("order", "paid_with", json!({"listed": ["s"]}))),
        (Intent::Touch { session: session.clone() }, plain("touch")),
        (Intent::HandOver { session: session.clone() }, plain("hand-over")),
        (
            Intent::ReadSessions { kind: checkouts::CHECKOUT },
            json!({ "is": "read-sessions", "kind": "checkout" }),
        ),
    ]
}

/// Other calls, each as it is written.
fn about_sources() -> Vec<(Intent, Value)> {
    let (source, dialect) = (SourceId::from("s"), checkouts::DIALECT);
    let with = |is: &str, name: &str, value: Value| {
        let mut form = json!({ "is": is, "dialect": "checkouts", "source": "s" });
        form[name] = value;
        form
    };
    let new =
        NewSource { kind: Some("creditCard".into()), has_amount: true, ..NewSource::default() };
    let save = |owner| Intent::Save { dialect, owner, source: source.clone() };
    vec![
        (
            Intent::CreateSource(new),
            json!({ "is": "create-source", "new": { "kind": "creditCard", "has_amount": true } }),
        ),
        (
            Intent::EditSource { source: source.clone(), amount: true },
            json!({ "is": "edit-source", "source": "s", "amount": true }),
        ),
        (
            Intent::ReadSource { source: source.clone() },
            json!({ "is": "read-source", "source": "s" }),
        ),
        (
            Intent::OrderAtOnce { dialect, source: source.clone() },
            json!({ "is": "order-at-once", "dialect": "checkouts", "source": "s" }),
        ),
        (save(Owner::Customer("c".into())), with("save", "owner", json!({ "customer": "c" }))),
        (save(Owner::Shopper), with("save", "owner", json!("shopper"))),
        (
            Intent::Remove { dialect, customer: "c".into(), source: source.clone() },
            with("remove", "customer", json!("c")),
        ),
        (
            Intent::UpdateCustomer { dialect, customer: "c".into(), default: None, ends: true },
            json!({
                "is": "update-customer", "dialect": "checkouts", "customer": "c", "default": null,
                "ends": true,
            }),
        ),
        (
            Intent::CreateCustomer { dialect, default: source.clone() },
            json!({ "is": "create-customer", "dialect": "checkouts", "default": "s" }),
        ),
        (
            Intent::DeleteCustomer { dialect, customer: "c".into() },
            json!({ "is": "delete-customer", "dialect": "checkouts", "customer": "c" }),
        ),
        (
            Intent::ReadCustomer { customer: "c".into() },
            json!({ "is": "read-customer", "customer": "c" }),
        ),
        (
            Intent::ChangeOption {
                dialect: carts::DIALECT,
                option: "o".into(),
                removes: true,
                source: Some(source),
            },
            json!({
                "is": "change-option", "dialect": "carts", "option": "o", "removes": true,
                "source": "s",
            }),
        ),
        (Intent::ReadOptions, json!({ "is": "read-options" })),
    ]
}

#[test]
fn each_intent_is_written_in_this_form_and_read_back() {
    let policy = dialects::policy();
    for (intent, expected) in about_sessions().into_iter().chain(about_sources()) {
        let form = serde_json::to_value(IntentForm::of(intent.clone())).unwrap();
        assert_eq!(form, expected, "{intent:?}");
        let read: IntentForm = serde_json::from_value(form).unwrap();
        assert_eq!(read.intent(&Names(&policy)).unwrap(), intent);
    }
}

fn ago<T>(value: T, ms: u64) -> Fact<T> {
    Fact::Known(value, Timestamp(NOW.0 - ms))
}

fn told<T>(value: T) -> Stated<T> {
    Stated::Stated(value)
}

/// A session whose every fact is known.
fn session() -> SessionRecord {
    let card =
        Attached { id: "card".into(), kind: told("creditCard".into()), amount: Stated::Unread };
    SessionRecord {
        sources: ago([card].into_iter().collect(), 7),
        total: ago("100.00".parse().unwrap(), 7),
        remaining: ago("0".parse().unwrap(), 8),
        contributed: ago("1e-7".parse().unwrap(), 9),
        leaves_out: ago(false, 10),
        currency: told("USD".parse().unwrap()),
        state: ago(SessionState::Other("odd".into()), 11),
        customer: ago(None, 12),
        credit_amount: ago(Some("5".parse().unwrap()), 13),
        billing_optimization: ago(true, 14),
        in_flight: true,
        unsure: true,
        joined: Joined {
            order: ["card".into()].into_iter().collect(),
            awaited: ["late".into()].into_iter().collect(),
        },
        pending: Some(Box::new(Pending::Deferred {
            primary: "card".into(),
            since: Timestamp(NOW.0 - 15),
            sending: true,
        })),
        ..SessionRecord::default()
    }
}

/// All that can be known.
fn everything() -> Known {
    let source = SourceRecord {
        kind: told("creditCard".into()),
        // From another clock.
        amount: Fact::Known("7".parse().unwrap(), Timestamp(NOW.0 + 3)),
        currency: told("USD".parse().unwrap()),
        reusable: ago(false, 5),
        state: ago(SourceState::Consumed, 6),
        state_inferred: true,
        customer: ago(Some("c".into()), 7),
        ..SourceRecord::default()
    };
    let behind = SourceFacts { supplements: true, ..SourceFacts::named("saved") };
    let option =
        OptionFacts { id: told("o".into()), source: told(Some(behind)), default: told(true) };
    Known {
        session: Some(Arc::new(session())),
        doubted: true,
        sources: BTreeMap::from([("card".into(), source)]),
        customer: Some(CustomerRecord {
            saved: ago(vec!["saved".into()], 20),
            ..CustomerRecord::default()
        }),
        options: Some(vec![option]),
        looked_up: vec![
            (Lookup::Session, LookupResult::At(Timestamp(NOW.0 - 9))),
            (Lookup::Source("card".into()), LookupResult::Absent),
            (Lookup::Customer, LookupResult::Failed),
            (Lookup::PaymentOptions, LookupResult::At(NOW)),
        ],
        waited: true,
        deferrable: true,
    }
}

#[test]
fn what_is_known_is_read_back_as_it_was() {
    let (known, now) = (everything(), Now(NOW));
    let form = KnownForm::of(&known, now);
    let text = serde_json::to_string(&form).unwrap();
    let read: KnownForm = serde_json::from_str(&text).unwrap();
    assert_eq!(format!("{:?}", read.known(now)), format!("{known:?}"), "{text}");
}

#[test]
fn who_was_shown_a_record_is_not_written() {
    let mut known = everything();
    let before = KnownForm::of(&known, Now(NOW));
    let mut session = session();
    session.shown_to.add(CredentialHash([7; 16]));
    known.session = Some(Arc::new(session));
    assert_eq!(KnownForm::of(&known, Now(NOW)), before);
}
