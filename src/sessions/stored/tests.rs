//! The stored form: golden bytes, and any record coming back as it was.

use super::*;
use crate::rules::{
    Amount, Attached, CredentialHash, Currency, Joined, Pending, SessionState, ShownTo,
    SourceState, SourceType, Stated,
};
use proptest::{option, prelude::*};

const NOW: Timestamp = Timestamp(1_760_000_000_000);
const UUIDS: [&str; 3] = [
    "00000000-0000-0000-0000-000000000001",
    "00000000-0000-0000-0000-000000000002",
    "00000000-0000-0000-0000-000000000003",
];

fn money(text: &str) -> Amount {
    text.parse().unwrap()
}

fn at<T>(value: T, before: u64) -> Fact<T> {
    Fact::Known(value, Timestamp(NOW.0 - before))
}

fn usd() -> Stated<Currency> {
    Stated::Stated("USD".parse().unwrap())
}

fn caller(byte: u8) -> ShownTo {
    [CredentialHash([byte; 16])].into_iter().collect()
}

/// A source of which everything is known.
fn full_source() -> SourceRecord {
    SourceRecord {
        kind: Stated::Stated("customerCredit".into()),
        amount: at(money("11.00"), 1),
        currency: usd(),
        reusable: at(false, 2),
        state: at(SourceState::Chargeable, 3),
        state_inferred: false,
        customer: at(Some("c1".into()), 0),
        payment_session: Stated::Stated(UUIDS[2].into()),
        shown_to: caller(7),
        epoch: 5,
    }
}

/// A session of which everything is known.
fn full_session() -> SessionRecord {
    let attached = |id: &str, kind: &str, amount: &str| Attached {
        id: id.into(),
        kind: Stated::Stated(kind.into()),
        amount: Stated::Stated(money(amount)),
    };
    let credit = attached(UUIDS[0], "customerCredit", "11.00");
    let card = attached("card", "creditCard", "115.89");
    let stranger = SourceRecord {
        kind: Stated::Stated("rareKind".into()),
        state: at(SourceState::Other("odd".into()), 4),
        ..SourceRecord::default()
    };
    SessionRecord {
        sources: at([credit, card].into_iter().collect(), 0),
        total: at(money("126.89"), 0),
        remaining: at(money("0"), 0),
        contributed: at(money("126.89"), 0),
        leaves_out: at(false, 0),
        currency: usd(),
        state: at(SessionState::RequiresConfirmation, 0),
        customer: at(None, 9),
        credit_amount: at(Some(money("5")), 300),
        billing_optimization: at(true, 0),
        payment_session: Stated::Stated(UUIDS[2].into()),
        shown_to: caller(7),
        in_flight: true,
        unsure: false,
        epoch: 300,
        ended: Some(Timestamp(NOW.0 - 2)),
        joined: Joined {
            order: [UUIDS[0].into(), "card".into()].into_iter().collect(),
            awaited: [UUIDS[1].into()].into_iter().collect(),
        },
        pending: Some(Box::new(Pending::Deferred {
            primary: "card2".into(),
            since: NOW,
            sending: true,
        })),
        members: vec![(UUIDS[0].into(), full_source()), ("card2".into(), stranger)],
    }
}

#[test]
fn the_form_of_a_session_is_held_by_these_bytes() {
    let bytes = GOLDEN_SESSION;
    assert_eq!(write_session(&full_session()).unwrap()[..], bytes[..]);
    assert_eq!(read_session(bytes), Ok(full_session()));

    let repair = SessionRecord {
        pending: Some(Box::new(Pending::Repair {
            primary: "p".into(),
            incoming: Some("i".into()),
            replaces: true,
        })),
        state: Fact::Known(SessionState::Other("odd".into()), Timestamp(1)),
        ..SessionRecord::default()
    };
    let bytes = GOLDEN_REPAIR;
    assert_eq!(write_session(&repair).unwrap()[..], bytes[..]);
    assert_eq!(read_session(bytes), Ok(repair));

    let empty = GOLDEN_EMPTY;
    assert_eq!(write_session(&SessionRecord::default()).unwrap()[..], empty[..]);
    assert_eq!(read_session(empty), Ok(SessionRecord::default()));
}

#[test]
fn the_form_of_a_source_is_held_by_these_bytes() {
    let bytes = GOLDEN_SOURCE;
    assert_eq!(write_source(&full_source()).unwrap()[..], bytes[..]);
    assert_eq!(read_source(bytes), Ok(SourceEntry::Own(full_source())));

    let session = KeyBytes::from(&[2, 1, 55][..]);
    let pointer = [4, 1, 3, 2, 1, 55];
    assert_eq!(write_pointer(&session).unwrap()[..], pointer);
    assert_eq!(read_source(&pointer), Ok(SourceEntry::In(session)));
}

#[test]
fn the_form_of_a_customer_and_of_an_active_cart_is_held_by_these_bytes() {
    let customer = CustomerRecord {
        saved: at(vec!["p".into(), UUIDS[1].into()], 0),
        shown_to: caller(7),
        epoch: 2,
    };
    let bytes = GOLDEN_CUSTOMER;
    assert_eq!(write_customer(&customer).unwrap()[..], bytes[..]);
    assert_eq!(read_customer(bytes), Ok(customer));

    let cart = [4, 0, 2, b'4', b'2'];
    assert_eq!(write_active(&"42".into()).unwrap()[..], cart);
    assert_eq!(read_active(&cart), Ok("42".into()));
}

#[test]
fn bytes_of_another_version_and_broken_ones_are_not_read() {
    let bytes = write_session(&full_session()).unwrap().to_vec();
    let mut other = bytes.clone();
    other[0] = 1;
    let longer = [&bytes[..], &[0]].concat();
    for unreadable in [&other[..], &longer, &bytes[..30], &[]] {
        assert_eq!(read_session(unreadable), Err(StoreError::Unreadable));
        assert_eq!(read_source(unreadable), Err(StoreError::Unreadable));
        assert_eq!(read_customer(unreadable), Err(StoreError::Unreadable));
    }
    let (word_of_another_version, unknown_form) = ([4, 2, 200], [4, 3]);
    assert_eq!(read_active(&word_of_another_version), Err(StoreError::Unreadable));
    assert_eq!(read_active(&unknown_form), Err(StoreError::Unreadable));
}

#[test]
fn what_a_source_has_in_common_with_its_session_is_written_once() {
    let mut session = full_session();
    let with = write_session(&session).unwrap().len();
    session.members.remove(0);
    let cost = with - write_session(&session).unwrap().len();
    assert_eq!((cost, write_source(&full_source()).unwrap().len()), (29, 69));
}

#[test]
fn every_source_type_of_the_lists_is_a_word() {
    let types = crate::dialects::policy().types;
    let mut all = [types.secondary, types.savable, types.not_savable].concat();
    all.extend(types.pairing.into_iter().flat_map(|(_, list)| list));
    let missing: Vec<_> = all.iter().filter(|kind| !text::WORDS.contains(&kind.as_str())).collect();
    assert_eq!(missing, Vec::<&SourceType>::new());
}

fn remembered<T: std::fmt::Debug>(
    value: impl Strategy<Value = T>,
) -> impl Strategy<Value = Fact<T>> {
    option::of((value, any::<u64>())).prop_map(|told| match told {
        None => Fact::Unknown,
        Some((value, at)) => Fact::Known(value, Timestamp(at)),
    })
}

fn told<T: std::fmt::Debug>(value: impl Strategy<Value = T>) -> impl Strategy<Value = Stated<T>> {
    option::of(value).prop_map(Stated::from)
}

/// UUIDs, which are packed, what looks like them, and anything else.
fn id<T: From<String> + std::fmt::Debug>() -> impl Strategy<Value = T> {
    prop_oneof!["[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "[0-9A-Fa-f-]{36}", ".{0,40}"]
        .prop_map(T::from)
}

fn amount() -> impl Strategy<Value = Amount> {
    prop_oneof![
        (any::<i64>(), 0..=9_u32).prop_map(|(number, zeros)| format!("{number}e-{zeros}")),
        "[1-9][0-9]{27}",
        Just("0".to_owned())
    ]
    .prop_filter_map("an amount that Weir can hold", |text| text.parse().ok())
}

fn attached() -> impl Strategy<Value = Attached> {
    (id(), told("[a-zA-Z]{1,30}"), told(amount())).prop_map(|(id, kind, amount)| {
        let kind = kind.as_ref().map(|kind| kind.as_str().into()).into();
        Attached { id, kind, amount }
    })
}

fn pending() -> impl Strategy<Value = Pending> {
    prop_oneof![
        (id(), option::of(id()), any::<bool>()).prop_map(|(primary, incoming, replaces)| {
            Pending::Repair { primary, incoming, replaces }
        }),
        (id(), any::<u64>(), any::<bool>()).prop_map(|(primary, since, sending)| {
            Pending::Deferred { primary, since: Timestamp(since), sending }
        }),
    ]
}

fn callers() -> impl Strategy<Value = Vec<CredentialHash>> {
    prop::collection::vec(any::<[u8; 16]>().prop_map(CredentialHash), 0..10)
}

fn session() -> impl Strategy<Value = SessionRecord> {
    let money = (
        (remembered(amount()), remembered(amount()), remembered(any::<bool>())),
        remembered(amount()),
        told("[A-Z]{3}"),
        remembered(option::of(amount())),
    );
    let facts = (
        remembered(prop::collection::vec(attached(), 0..4)),
        remembered("[a-z_]{1,25}"),
        remembered(option::of(id())),
    );
    let more = (
        remembered(any::<bool>()),
        told(".{0,40}"),
        callers(),
        any::<(bool, bool, u32, Option<u64>)>(),
        (
            option::of(pending()),
            prop::collection::vec(id(), 0..4),
            prop::collection::vec(id(), 0..3),
        ),
        prop::collection::vec((id(), source()), 0..3),
    );
    (money, facts, more).prop_map(
        |(
            ((total, contributed, leaves_out), remaining, currency, credit_amount),
            (sources, state, customer),
            more,
        )| {
            let (
                billing_optimization,
                payment_session,
                callers,
                (in_flight, unsure, epoch, ended),
                (pending, order, awaited),
                strangers,
            ) = more;
            let mut record = SessionRecord {
                sources: map(sources, Into::into),
                total,
                remaining,
                contributed,
                leaves_out,
                currency: currency.as_ref().map(|code| code.parse().unwrap()).into(),
                state: map(state, |name| SessionState::read(&name)),
                customer,
                credit_amount,
                billing_optimization,
                payment_session: payment_session.as_ref().map(|id| id.as_str().into()).into(),
                in_flight,
                unsure,
                epoch,
                ended: ended.map(Timestamp),
                joined: Joined {
                    order: order.into_iter().collect(),
                    awaited: awaited.into_iter().collect(),
                },
                pending: pending.map(Box::new),
                ..SessionRecord::default()
            };
            callers.into_iter().for_each(|caller| record.shown_to.add(caller));
            for (id, mut facts) in strangers {
                // What is attached is known, and half of it by the same callers.
                let attached = record.sources.get().and_then(|sources| sources.first()).cloned();
                let id = attached.filter(|_| facts.epoch % 2 == 0).map_or(id, |a| a.id);
                if facts.epoch % 3 == 0 {
                    facts.shown_to = record.shown_to.clone();
                    facts.payment_session = record.payment_session.clone();
                }
                *record.member_mut(&id) = facts;
            }
            record
        },
    )
}

fn map<T, U>(fact: Fact<T>, change: impl FnOnce(T) -> U) -> Fact<U> {
    match fact {
        Fact::Unknown => Fact::Unknown,
        Fact::Known(value, at) => Fact::Known(change(value), at),
    }
}

fn source() -> impl Strategy<Value = SourceRecord> {
    let facts = (
        told("[a-zA-Z]{1,30}"),
        remembered(amount()),
        remembered(any::<bool>()),
        remembered(prop_oneof!["[a-z_]{1,25}", "consumed|cancelled"]),
    );
    (facts, remembered(option::of(id())), told(".{0,40}"), callers(), any::<u32>()).prop_map(
        |((kind, amount, reusable, state), customer, payment_session, callers, epoch)| {
            let spent = |name: &String| matches!(name.as_str(), "consumed" | "cancelled");
            let mut record = SourceRecord {
                state_inferred: epoch % 2 == 1 && state.get().is_some_and(spent),
                kind: kind.as_ref().map(|kind| kind.as_str().into()).into(),
                amount,
                reusable,
                state: map(state, |name| SourceState::read(&name)),
                customer,
                payment_session: payment_session.as_ref().map(|id| id.as_str().into()).into(),
                epoch,
                ..SourceRecord::default()
            };
            callers.into_iter().for_each(|caller| record.shown_to.add(caller));
            record
        },
    )
}

proptest! {
    #[test]
    fn any_session_comes_back_as_it_was(record in session()) {
        prop_assert_eq!(read_session(&write_session(&record).unwrap()), Ok(record));
    }

    #[test]
    fn any_source_comes_back_as_it_was(record in source()) {
        let bytes = write_source(&record).unwrap();
        prop_assert_eq!(read_source(&bytes), Ok(SourceEntry::Own(record)));
    }

    #[test]
    fn any_customer_comes_back_as_it_was(
        saved in remembered(prop::collection::vec(id(), 0..5)),
        callers in callers(),
    ) {
        let mut record = CustomerRecord { saved, ..CustomerRecord::default() };
        callers.into_iter().for_each(|caller| record.shown_to.add(caller));
        prop_assert_eq!(read_customer(&write_customer(&record).unwrap()), Ok(record));
    }

    #[test]
    fn bytes_of_any_kind_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let bytes = [&[VERSION], &bytes[..]].concat();
        let _read = (read_session(&bytes), read_source(&bytes), read_customer(&bytes));
    }
}

const GOLDEN_SESSION: &[u8] = &[
    4, 128, 128, 179, 193, 156, 51, 1, 2, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 2,
    0, 1, 22, 0, 0, 4, 99, 97, 114, 100, 1, 2, 1, 1, 138, 181, 1, 2, 0, 1, 162, 198, 1, 2, 0, 1, 0,
    0, 0, 1, 162, 198, 1, 2, 0, 1, 0, 0, 1, 85, 83, 68, 1, 1, 0, 1, 0, 9, 1, 1, 10, 0, 172, 2, 1,
    1, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3, 1, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7,
    7, 7, 7, 7, 7, 1, 0, 172, 2, 1, 2, 2, 0, 0, 0, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    0, 0, 2, 1, 1, 0, 5, 99, 97, 114, 100, 50, 128, 128, 179, 193, 156, 51, 1, 2, 0, 0, 1, 2, 0, 1,
    22, 0, 1, 1, 85, 83, 68, 1, 0, 2, 1, 0, 3, 1, 1, 0, 2, 99, 49, 0, 1, 0, 5, 1, 0, 5, 99, 97,
    114, 100, 50, 1, 0, 8, 114, 97, 114, 101, 75, 105, 110, 100, 0, 0, 0, 1, 8, 3, 111, 100, 100,
    4, 0, 0, 1, 0, 0,
];

const GOLDEN_REPAIR: &[u8] = &[
    4, 1, 0, 0, 0, 0, 0, 0, 1, 3, 3, 111, 100, 100, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 1,
    112, 1, 0, 1, 105, 1, 0,
];

const GOLDEN_EMPTY: &[u8] = &[4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];

const GOLDEN_SOURCE: &[u8] = &[
    4, 0, 128, 128, 179, 193, 156, 51, 1, 2, 0, 1, 22, 0, 1, 1, 85, 83, 68, 1, 0, 2, 1, 0, 3, 1, 1,
    0, 2, 99, 49, 0, 2, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3, 1, 1, 7, 7, 7, 7, 7, 7,
    7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 5,
];

const GOLDEN_CUSTOMER: &[u8] = &[
    4, 1, 2, 0, 1, 112, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 128, 128, 179, 193, 156,
    51, 1, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 2,
];
