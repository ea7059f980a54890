//! Checkouts: the same calls to a vendor, and to another behind Weir.

use super::calls::{Op, Things, op};
use crate::testbed::{
    Adjusted, Ask, FreshFor, Kind, LookUps, Policy, Reply, Testbed, cases, on_a_runtime, thorough,
};
use proptest::prelude::*;
use serde_json::Value;
use std::time::Duration;

/// The rules whose message is Weir's own.
pub(super) const OWN_WORDS: [&str; 4] = [
    "primary-pairing",
    "default-source-not-saved",
    "secondary-source-shape",
    "invoice-billing-optimization",
];

/// What a client can match on.
fn seen(reply: &Reply, rule: Option<&str>) -> (u16, Option<String>, Value) {
    let mut body = reply.json();
    if rule.is_some_and(|rule| OWN_WORDS.contains(&rule)) {
        for error in body["errors"].as_array_mut().into_iter().flatten() {
            error["message"] = Value::Null;
        }
    }
    if reply.status == 404 {
        // A look-up's own 404 is the answer of a caller to whom the session is not shown: it names
        // `id`, where an order would name `checkoutId`.
        for error in body["errors"].as_array_mut().into_iter().flatten() {
            error["parameter"] = Value::Null;
        }
    }
    let media =
        reply.header("content-type").and_then(|value| value.split(';').next()).map(str::to_owned);
    (reply.status.as_u16(), media, body)
}

/// The codes of section 4's answers.
pub(super) const GOVERNED: [&str; 10] = [
    "session_update_not_allowed",
    "source_status_invalid_for_session",
    "session_source_amount_too_large",
    "source_not_supported",
    "nonreusable_source",
    "source_not_chargeable",
    "source_in_use",
    "order_submit_failed",
    "creditAmount_already_updated",
    "missing_parameter",
];

/// What of upstream's refusals no rule is about: a session that is an order already, a total that
/// the call itself changes, the size of a legacy credit, a charge.
fn is_upstreams_own(op: &Op, ask: &Ask, bed: &Testbed) -> bool {
    let body: Value = serde_json::from_slice(&ask.body).unwrap_or_default();
    let (kind, id) = match op {
        Op::Create { .. } | Op::Items { .. } | Op::CreditAmount { .. } => return true,
        Op::Order { .. } => (Kind::Checkout, body["checkoutId"].as_str().unwrap_or_default()),
        _ if ask.path.starts_with("/invoices") => {
            (Kind::Invoice, ask.path.split('/').nth(2).unwrap_or_default())
        }
        _ => (Kind::Checkout, ask.path.split('/').nth(2).unwrap_or_default()),
    };
    let session = bed.emulator.session(kind, id).unwrap_or_default();
    let funded = session["state"] == "requires_confirmation";
    session["state"] == "complete" || (matches!(op, Op::Order { .. }) && funded)
}

#[derive(Clone, Debug)]
pub(super) struct Circumstances {
    pub(super) look_ups: LookUps,
    pub(super) fresh_for: FreshFor,
    /// Weir is started again before the call of this number, with nothing remembered.
    pub(super) cold_at: Option<usize>,
    /// Calls of these numbers do not go through Weir.
    pub(super) behind: Vec<usize>,
}

/// A policy that asks for what it needs, or for as little as it may.
fn asking(circumstances: &Circumstances) -> Policy {
    let policy = thorough().with_fresh_for(circumstances.fresh_for);
    Policy { look_ups: circumstances.look_ups, ..policy }
}

/// A vendor, and another that was started with the same seed behind Weir.
pub(super) fn pair(policy: Policy) -> (Testbed, Testbed) {
    let plan = Testbed::new().seed(7).policy(policy);
    (plan.clone().without_weir().in_process(), plan.in_process())
}

async fn checkouts(ops: Vec<Op>, circumstances: Circumstances) -> Result<(), TestCaseError> {
    let policy = asking(&circumstances);
    let (plain, mut governed) = pair(policy);
    let mut things = Things::begin([&plain, &governed]).await;
    for (n, op) in ops.iter().enumerate() {
        if circumstances.cold_at == Some(n) {
            governed.forget().await;
        }
        let Some(ask) = things.ask(op) else {
            things.elsewhere(op, [&plain, &governed]).await;
            continue;
        };
        governed.emulator.clear_calls();
        let excused = is_upstreams_own(op, &ask, &governed);
        let behind = circumstances.behind.contains(&n);
        let expected = plain.weir.ask(&ask).await;
        let found =
            if behind { governed.upstream.ask(&ask).await } else { governed.weir.ask(&ask).await };
        let rule = found.verdict().1.map(str::to_owned);
        let rule = rule.as_deref();
        // Of several things that are wrong either bed may name any: upstream that the session is
        // an order already, Weir what it has confirmed.
        // Who asks sparingly names what it knows already.
        let is_sparing = circumstances.look_ups == LookUps::Sparing;
        let is_refusal = |reply: &Reply| {
            let is_gone = !circumstances.behind.is_empty() && reply.status == 404;
            reply.status == 409 || is_gone
        };
        let both_refuse = (excused || is_sparing || !circumstances.behind.is_empty())
            && is_refusal(&found)
            && is_refusal(&expected);
        prop_assert!(
            both_refuse || seen(&found, rule) == seen(&expected, rule),
            "call {n}: {op:?} {ask:?} {:?}:\n{:?}\ninstead of\n{:?}",
            found.verdict(),
            seen(&found, rule),
            seen(&expected, rule)
        );
        things.note(&ask, expected.status.as_u16(), || expected.id());
        if circumstances.behind.is_empty() {
            let refused = governed
                .emulator
                .calls()
                .into_iter()
                .filter(|call| call.mutation)
                .filter_map(|call| call.refused_code);
            // That a source is another customer's is a rule of orders only.
            let of_a_rule = |code: &String| {
                GOVERNED.contains(&code.as_str())
                    && !(code == "source_in_use" && matches!(op, Op::Save { .. }))
            };
            let governed_refusals: Vec<String> = refused.filter(of_a_rule).collect();
            // Who asks sparingly lets upstream judge.
            let left_to_upstream = excused || is_sparing;
            prop_assert!(
                left_to_upstream || governed_refusals.is_empty(),
                "call {}: {:?}: upstream had to refuse: {:?}",
                n,
                op,
                governed_refusals
            );
        }
    }
    prop_assert_eq!(plain.emulator.snapshot(), governed.emulator.snapshot());
    prop_assert_eq!(
        (governed.in_flight(), governed.turns_open(), governed.look_ups_open()),
        (0, 0, 0)
    );
    Ok(())
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    prop::collection::vec(op(), 1..24)
}

pub(super) fn any_freshness() -> impl Strategy<Value = FreshFor> {
    prop_oneof![
        Just(FreshFor::Within(Duration::ZERO)),
        Just(FreshFor::Within(Duration::from_secs(2))),
        Just(FreshFor::Forever)
    ]
}

fn any_look_ups() -> impl Strategy<Value = LookUps> {
    prop_oneof![Just(LookUps::Sparing), Just(LookUps::Thorough)]
}

proptest! {
    #![proptest_config(cases(700))]

    #[test]
    fn on_checkouts_callers_see_what_they_would_see_without_weir(
        ops in ops(),
        look_ups in any_look_ups(),
        fresh_for in any_freshness(),
    ) {
        let circumstances =
            Circumstances { look_ups, fresh_for, cold_at: None, behind: vec![] };
        on_a_runtime(checkouts(ops, circumstances))?;
    }

    #[test]
    fn on_checkouts_also_when_weir_is_started_again_with_nothing_remembered(
        ops in ops(), fresh_for in any_freshness(), at in 0usize..24,
    ) {
        let look_ups = LookUps::Thorough;
        let circumstances =
            Circumstances { look_ups, fresh_for, cold_at: Some(at), behind: vec![] };
        on_a_runtime(checkouts(ops, circumstances))?;
    }

    /// Refusals rest on a look-up each: only so they stay right when others change things.
    #[test]
    fn on_checkouts_also_when_others_change_things_behind_its_back(
        ops in ops(), behind in prop::collection::vec(0usize..24, 1..10),
    ) {
        let circumstances = Circumstances {
            look_ups: LookUps::Thorough,
            fresh_for: FreshFor::Within(Duration::ZERO),
            cold_at: None,
            behind,
        };
        on_a_runtime(checkouts(ops, circumstances))?;
    }
}
