//! Answers whose members are bent, one by one and several at once: no rule that does not need a
//! member changes its verdict, none that needs it is taken for kept, and nobody is refused for it.

use crate::{
    dialects::{self, Call, Classified, Dialects, carts, checkouts, classify},
    rules::{
        Intent, Judgement, Known, LookUps, Lookup, LookupResult, Owner, PaidWith, Policy, RuleId,
        SessionKey, Stated, Target, Timestamp, Toggle, Verdict, judge_call, learn,
    },
};
use http::{HeaderMap, Method, StatusCode};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::sync::Arc;

const NOW: Timestamp = Timestamp(1_000_000_000);

/// Stands in a document for what JSON values cannot hold.
const HUGE: &str = "@huge@";

/// What no reader can take for a value of any member that is read.
fn unreadable() -> [Value; 3] {
    [json!([[5]]), json!(HUGE), json!("9".repeat(10_000))]
}

/// What upstream would show, and a call.
struct Scene {
    name: &'static str,
    intent: Intent,
    /// The documents: the session's, those of sources by their id, the customer's, the options'.
    docs: Value,
    /// The rule that refuses the call, if one does.
    refused: Option<RuleId>,
    /// The members without which that rule cannot be judged: the ends of their places.
    needs: &'static [&'static str],
}

fn money(of: f64) -> Value {
    json!({ "currency": "USD", "value": of })
}

/// A cart of 100 dollars with these methods attached, of which `contributed` is paid.
fn cart(methods: &[(&str, &str, f64)], contributed: f64) -> Value {
    let shown: Vec<Value> = methods
        .iter()
        .map(|(id, kind, of)| {
            json!({ "sourceId": id, "type": kind, *kind: { "reusable": "false" }, "amountContributed": money(*of) })
        })
        .collect();
    let mut method = shown.first().cloned().unwrap_or(json!({}));
    if shown.len() > 1 {
        method["supplementaryPaymentMethods"] = json!(shown[1..]);
    }
    let state = if contributed < 100.0 { "requires_source" } else { "requires_confirmation" };
    json!({ "cart": {
        "id": 7,
        "paymentMethod": method,
        "paymentSession": {
            "id": "ps", "status": state,
            "amountContributed": money(contributed),
            "amountRemainingToBeContributed": money(100.0 - contributed),
        },
        "pricing": { "orderTotal": money(100.0) },
    } })
}

/// A checkout of 100 dollars, as `cart`.
fn checkout(sources: &[(&str, &str, f64)], contributed: f64) -> Value {
    let sources: Vec<Value> = sources
        .iter()
        .map(|(id, kind, of)| json!({ "id": id, "type": kind, "amount": of }))
        .collect();
    let state = if contributed < 100.0 { "requires_source" } else { "requires_confirmation" };
    json!({
        "id": "1", "totalAmount": 100.0, "currency": "USD", "customerId": "buyer",
        "payment": { "sources": sources, "session": {
            "id": "ps", "state": state, "amountRemainingToBeContributed": 100.0 - contributed,
        } },
    })
}

fn source(id: &str, kind: &str, of: f64, state: &str) -> Value {
    json!({ "id": id, "type": kind, "amount": of, "currency": "USD", "reusable": false, "state": state })
}

fn saved(id: &str, customer: &str) -> Value {
    json!({ "id": id, "type": "creditCard", "reusable": true, "state": "chargeable", "customerId": customer })
}

fn scenes() -> Vec<Scene> {
    let key = || SessionKey::new(checkouts::CHECKOUT, "1");
    let to_cart = |id: &str| Intent::Attach { session: carts::ACTIVE, source: id.into() };
    let to_checkout =
        |id: &str| Intent::Attach { session: Target::Session(key()), source: id.into() };
    let order = |session| Intent::Order { session, paid_with: PaidWith::Attached };
    let card = || source("card", "creditCard", 100.0, "chargeable");
    let credit = || source("credit", "customerCredit", 40.0, "chargeable");
    let save = |id: &str| Intent::Save {
        dialect: checkouts::DIALECT,
        owner: Owner::Customer("buyer".into()),
        source: id.into(),
    };
    let scene = |name, intent, docs, refused, needs| Scene { name, intent, docs, refused, needs };
    vec![
        scene(
            "late credit to a cart",
            to_cart("credit"),
            json!({ "session": cart(&[("card", "creditCard", 100.0)], 100.0), "credit": credit(), "card": card() }),
            Some(RuleId::PrimaryBeforeSecondary),
            &["session/cart", "cart/paymentMethod", "paymentMethod/sourceId", "credit/type"],
        ),
        scene(
            "a second credit beside a primary",
            to_cart("more"),
            json!({
                "session": cart(&[("card", "creditCard", 60.0), ("credit", "customerCredit", 40.0)], 100.0),
                "credit": credit(), "card": card(), "more": source("more", "customerCredit", 5.0, "chargeable"),
            }),
            Some(RuleId::PrimaryBeforeSecondary),
            &[
                "session/cart",
                "cart/paymentMethod",
                "/sourceId",
                "/supplementaryPaymentMethods",
                "/supplementaryPaymentMethods/0",
                "more/type",
            ],
        ),
        scene(
            "a second primary on a cart",
            to_cart("other"),
            json!({ "session": cart(&[("card", "creditCard", 100.0)], 100.0), "card": card(),
                "other": source("other", "payPal", 1.0, "chargeable") }),
            Some(RuleId::SecondPrimary),
            &["session/cart", "cart/paymentMethod", "paymentMethod/sourceId", "other/type"],
        ),
        scene(
            "too much credit for a cart",
            to_cart("credit"),
            json!({ "session": cart(&[], 0.0), "credit": source("credit", "customerCredit", 150.0, "chargeable") }),
            Some(RuleId::AmountExceedsTotal),
            &["session/cart", "cart/paymentMethod", "credit/type", "credit/amount"],
        ),
        scene(
            "an order of a cart without money",
            order(carts::ACTIVE),
            json!({ "session": cart(&[], 0.0) }),
            Some(RuleId::UnderfundedOrder),
            &["session/cart"],
        ),
        scene(
            "an order of a cart with money",
            order(carts::ACTIVE),
            json!({ "session": cart(&[("card", "creditCard", 100.0)], 100.0), "card": card() }),
            None,
            &[],
        ),
        scene(
            "a card to an empty cart",
            to_cart("card"),
            json!({ "session": cart(&[], 0.0), "card": card() }),
            None,
            &[],
        ),
        scene(
            "a payment option beside a primary",
            Intent::AttachSaved { session: carts::ACTIVE, option: None },
            json!({
                "session": cart(&[("card", "creditCard", 100.0)], 100.0), "card": card(),
                "kept": source("kept", "creditCard", 1.0, "chargeable"),
                "options": { "paymentOptions": { "paymentOption": [
                    { "id": 1, "isDefault": "false", "sourceId": "card", "type": "creditCard" },
                    { "id": 2, "isDefault": "true", "sourceId": "kept", "type": "creditCard" },
                ] } },
            }),
            Some(RuleId::SecondPrimary),
            &[
                "session/cart",
                "cart/paymentMethod",
                "paymentMethod/sourceId",
                "options/paymentOptions",
                "/paymentOption",
                "/paymentOption/0",
                "/paymentOption/1",
                "/id",
                "/isDefault",
                "/sourceId",
            ],
        ),
        scene(
            "credit after a single-use card",
            to_checkout("credit"),
            json!({ "session": checkout(&[("card", "creditCard", 100.0)], 100.0), "credit": credit(), "card": card() }),
            Some(RuleId::SecondaryAfterSingleUsePrimary),
            &[
                "session/payment",
                "payment/sources",
                "sources/0",
                "sources/0/id",
                "credit/type",
                "card/reusable",
            ],
        ),
        scene(
            "a cancelled source",
            to_checkout("gone"),
            json!({ "session": checkout(&[], 0.0), "gone": source("gone", "creditCard", 5.0, "cancelled") }),
            Some(RuleId::SpentSource),
            &["gone/state"],
        ),
        scene(
            "an order with another's source",
            order(Target::Session(key())),
            json!({ "session": checkout(&[("kept", "creditCard", 100.0)], 100.0), "kept": saved("kept", "someone") }),
            Some(RuleId::ForeignSavedSource),
            &[
                "session/payment",
                "session/customerId",
                "payment/sources",
                "sources/0",
                "sources/0/id",
                "kept/reusable",
                "kept/customerId",
            ],
        ),
        scene(
            "an order of a checkout without money",
            order(Target::Session(key())),
            json!({ "session": checkout(&[("credit", "customerCredit", 40.0)], 40.0), "credit": credit() }),
            Some(RuleId::UnderfundedOrder),
            &["session/payment"],
        ),
        scene(
            "a default that is not saved",
            Intent::UpdateCustomer {
                ends: false,
                dialect: checkouts::DIALECT,
                customer: "buyer".into(),
                default: Some("card".into()),
            },
            json!({ "customer": { "id": "buyer", "sources": [{ "id": "kept", "type": "creditCard" }] } }),
            Some(RuleId::DefaultSourceNotSaved),
            &["customer/sources", "sources/0", "sources/0/id"],
        ),
        scene(
            "saving what is not chargeable",
            save("slow"),
            json!({ "slow": source("slow", "creditCard", 5.0, "pending_funds") }),
            Some(RuleId::SaveNotChargeable),
            &["slow/state"],
        ),
        scene(
            "saving store credit",
            save("credit"),
            json!({ "credit": credit() }),
            Some(RuleId::SaveNonreusable),
            &["credit/type"],
        ),
    ]
}

impl Scene {
    fn is_of_carts(&self) -> bool {
        self.intent.dialect() == Some(carts::DIALECT)
    }

    fn key(&self) -> SessionKey {
        match self.is_of_carts() {
            true => SessionKey::new(carts::CART, "7"),
            false => SessionKey::new(checkouts::CHECKOUT, "1"),
        }
    }

    fn call(&self) -> Call {
        let path = match self.is_of_carts() {
            true => "/v1/shoppers/me/carts/active/apply-payment-method",
            false => "/checkouts/1/sources/s",
        };
        let uri = path.parse().unwrap();
        match classify(Dialects::built_in(), &Method::POST, &uri, &HeaderMap::new()) {
            Classified::Governed(call) => call,
            other => panic!("{other:?}"),
        }
    }

    /// Judges the call where nothing is remembered and upstream shows these documents.
    fn judge(&self, docs: &Value, policy: &Policy) -> Judgement {
        let (call, mut known) = (self.call(), Known::default());
        loop {
            let judgement = judge_call(&known, &self.intent, policy, NOW);
            let Verdict::Need(lookup) = judgement.verdict else { return judgement };
            let result = self.look_up(&call, &lookup, docs, policy, &mut known);
            known.looked_up.push((lookup, result));
        }
    }

    fn look_up(
        &self,
        call: &Call,
        lookup: &Lookup,
        docs: &Value,
        policy: &Policy,
        known: &mut Known,
    ) -> LookupResult {
        let uri = "/v1/shoppers/me/carts/active".parse().unwrap();
        let key = self.key();
        let (outgoing, reader) = call.look_up(lookup, &self.intent, &uri, Some(&key)).unwrap();
        let doc = match lookup {
            Lookup::Session => &docs["session"],
            Lookup::Source(id) => &docs[id.as_str()],
            Lookup::Customer => &docs["customer"],
            Lookup::PaymentOptions => &docs["options"],
        };
        let body = doc.to_string().replace(&format!("\"{HUGE}\""), "1e400");
        let (ok, headers) = (StatusCode::OK, HeaderMap::new());
        let Ok(answer) =
            reader.read_answer(&outgoing.intent, ok, &headers, body.as_bytes(), usize::MAX)
        else {
            return LookupResult::Failed;
        };
        let session = (*lookup == Lookup::Session).then(|| key.clone());
        let learned = learn(&outgoing.intent, &answer, session.as_ref(), &Known::default(), policy);
        if let Some((_, observation)) = &learned.session {
            Arc::make_mut(known.session.get_or_insert_default()).apply(observation, policy, NOW);
        }
        for (id, observation) in &learned.sources {
            known.sources.entry(id.clone()).or_default().apply(observation, NOW);
        }
        for (_, observation) in &learned.customers {
            known.customer.get_or_insert_default().apply(observation, NOW);
        }
        if let Stated::Stated(options) = answer.options {
            known.options = Some(options);
        }
        LookupResult::At(NOW)
    }
}

/// The policy that asks for all that a refusal could rest on.
fn thorough() -> Policy {
    Policy { look_ups: LookUps::Thorough, ..dialects::policy() }
}

/// The policy whose only rule that does anything is this one.
fn only(rule: RuleId) -> Policy {
    let mut policy = thorough();
    RuleId::ALL.iter().for_each(|rule| policy.set(*rule, Toggle::Off));
    policy.set(rule, Toggle::Reject);
    policy
}

/// Returns the pointers to every member and every element, at every depth.
fn pointers(doc: &Value) -> Vec<String> {
    let inside: Vec<(String, &Value)> = match doc {
        Value::Object(members) => {
            members.iter().map(|(name, value)| (format!("/{name}"), value)).collect()
        }
        Value::Array(items) => {
            items.iter().enumerate().map(|(nth, value)| (format!("/{nth}"), value)).collect()
        }
        _ => Vec::new(),
    };
    inside
        .into_iter()
        .flat_map(|(name, value)| {
            let deeper = pointers(value).into_iter().map(|deeper| format!("{name}{deeper}"));
            [name.clone()].into_iter().chain(deeper).collect::<Vec<_>>()
        })
        .collect()
}

/// Returns the pointers to members of documents, not to the documents.
fn members(docs: &Value) -> Vec<String> {
    pointers(docs).into_iter().filter(|pointer| pointer.matches('/').count() > 1).collect()
}

fn bent(docs: &Value, pointer: &str, to: &Value) -> Value {
    let mut docs = docs.clone();
    if let Some(place) = docs.pointer_mut(pointer) {
        *place = to.clone();
    }
    docs
}

fn without(docs: &Value, pointer: &str) -> Value {
    let mut docs = docs.clone();
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    match docs.pointer_mut(parent).unwrap() {
        Value::Object(members) => drop(members.remove(name)),
        Value::Array(items) => drop(items.remove(name.parse().unwrap())),
        _ => unreachable!(),
    }
    docs
}

fn is_refused(judgement: &Judgement) -> bool {
    matches!(judgement.verdict, Verdict::Reject(_))
}

/// Checks what must hold where something that a rule reads cannot be read: the rule's verdict is
/// the same, or it is named as not judged.
fn is_honest(scene: &Scene, docs: &Value, what: &str) {
    let dialect = scene.intent.dialect();
    for rule in RuleId::ALL {
        let policy = only(*rule);
        if policy.rows(dialect).all(|(_, row, _)| row.id != *rule) {
            continue;
        }
        let (before, after) = (scene.judge(&scene.docs, &policy), scene.judge(docs, &policy));
        assert_eq!(before.unjudged, [], "{}, {rule}: nothing was bent", scene.name);
        let marked = after.unjudged.iter().any(|unjudged| unjudged.rule == *rule);
        let same = is_refused(&before) == is_refused(&after);
        assert!(
            same || (is_refused(&before) && marked),
            "{}, {what}: {rule}: {after:?}",
            scene.name
        );
    }
}

#[test]
fn without_bends_each_scene_is_refused_by_its_rule_or_by_none() {
    for scene in scenes() {
        let judgement = scene.judge(&scene.docs, &thorough());
        let refused = match judgement.verdict {
            Verdict::Reject(violation) => Some(violation.rule),
            _ => None,
        };
        assert_eq!((refused, judgement.unjudged), (scene.refused, vec![]), "{}", scene.name);
    }
}

#[test]
fn a_member_that_cannot_be_read_costs_no_rule_that_does_not_need_it_and_marks_those_that_do() {
    let mut bends = 0;
    for scene in scenes() {
        for pointer in members(&scene.docs) {
            for to in unreadable() {
                let docs = bent(&scene.docs, &pointer, &to);
                let form = if to.is_array() { "a list" } else { "a scalar" };
                is_honest(&scene, &docs, &format!("{pointer} as {form}"));
                bends += 1;
                let Some(rule) = scene.refused else { continue };
                let judgement = scene.judge(&docs, &only(rule));
                if !scene.needs.iter().any(|end| pointer.ends_with(end)) {
                    assert!(is_refused(&judgement), "{}, {pointer}: {judgement:?}", scene.name);
                }
            }
        }
    }
    assert!(bends > 500, "{bends}");
}

#[test]
fn a_member_of_another_form_never_loses_credit_unseen() {
    let forms =
        [json!(null), json!(5), json!(true), json!("no"), json!([]), json!({}), json!(2.84e-14)];
    let scenes = scenes();
    for scene in scenes.iter().filter(|scene| scene.refused == Some(RuleId::PrimaryBeforeSecondary))
    {
        let session = |pointer: &String| pointer.starts_with("/session/cart/");
        for pointer in members(&scene.docs).iter().filter(|pointer| session(pointer)) {
            let mut bends: Vec<_> =
                forms.iter().map(|to| (to.to_string(), bent(&scene.docs, pointer, to))).collect();
            bends.push(("missing".to_owned(), without(&scene.docs, pointer)));
            for (how, docs) in bends {
                let judgement = scene.judge(&docs, &only(RuleId::PrimaryBeforeSecondary));
                let marked = !judgement.unjudged.is_empty();
                // A cart that says of itself that it has no method, or other ones, has.
                let says_so = ["/paymentMethod", "/sourceId", "/0", "/type", "Methods"];
                let is_told = says_so.iter().any(|end| pointer.ends_with(end));
                assert!(
                    is_refused(&judgement) || marked || is_told,
                    "{}, {pointer}: {how}: {judgement:?}",
                    scene.name
                );
            }
        }
    }
}

proptest! {
    #[test]
    fn several_members_that_cannot_be_read_are_no_worse_than_one(
        picks in prop::collection::vec((any::<prop::sample::Index>(), 0..3_usize), 1..5),
    ) {
        for scene in scenes() {
            let members = members(&scene.docs);
            let mut docs = scene.docs.clone();
            for (pick, to) in &picks {
                docs = bent(&docs, &members[pick.index(members.len())], &unreadable()[*to]);
            }
            is_honest(&scene, &docs, &docs.to_string());
        }
    }
}
