//! Every rule of the checkouts table, in every form of its call, under every toggle, warm and cold,
//! beside what the vendor itself says.

use crate::house::{Caller, House, Reply, items};
use http::Method;
use serde_json::{Value, json};
use std::time::Duration;
use weir::rules::{FreshFor, Mode, Policy, RuleId, Toggle};

/// What the vendor itself says to the call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Vendor {
    /// The same, to the last member.
    Same,
    /// The same status, type, code and parameter; the message is Weir's own.
    SameCode,
    /// It takes the call.
    Accepts,
}
use Vendor::{Accepts, Same, SameCode};

struct Case {
    rule: RuleId,
    /// How the scene is set: a word of `stage`.
    scene: &'static str,
    vendor: Vendor,
    status: u16,
    code: &'static str,
}

const fn case(
    rule: RuleId,
    scene: &'static str,
    vendor: Vendor,
    status: u16,
    code: &'static str,
) -> Case {
    Case { rule, scene, vendor, status, code }
}

const NOT_ALLOWED: &str = "session_update_not_allowed";
const SPENT: &str = "source_status_invalid_for_session";
const TOO_LARGE: &str = "session_source_amount_too_large";
const UNSUPPORTED: &str = "source_not_supported";

const CASES: &[Case] = &[
    case(
        RuleId::SecondaryAfterSingleUsePrimary,
        "credit after card, by path",
        Same,
        409,
        NOT_ALLOWED,
    ),
    case(
        RuleId::SecondaryAfterSingleUsePrimary,
        "credit after card, by body",
        Same,
        409,
        NOT_ALLOWED,
    ),
    case(
        RuleId::SecondaryAfterSingleUsePrimary,
        "credit after card, on an invoice, by path",
        Same,
        409,
        NOT_ALLOWED,
    ),
    case(
        RuleId::SecondaryAfterSingleUsePrimary,
        "credit after card, on an invoice, by body",
        Same,
        409,
        NOT_ALLOWED,
    ),
    case(
        RuleId::SecondaryAfterSingleUsePrimary,
        "credit after a card of the create, by path",
        Same,
        409,
        NOT_ALLOWED,
    ),
    case(
        RuleId::SecondaryAfterSingleUsePrimary,
        "credit after card, in the old shape",
        Same,
        409,
        NOT_ALLOWED,
    ),
    case(RuleId::SpentSource, "detached card, by path", Same, 409, SPENT),
    case(RuleId::SpentSource, "detached card, by body", Same, 409, SPENT),
    case(RuleId::SpentSource, "detached card, in a create", Same, 409, SPENT),
    case(RuleId::SpentSource, "detached credit, by path", Same, 409, SPENT),
    case(RuleId::SpentSource, "detached card, on an invoice", Same, 409, SPENT),
    case(RuleId::SpentSource, "replaced card", Same, 409, SPENT),
    case(RuleId::SpentSource, "consumed card", Same, 409, SPENT),
    case(RuleId::SpentSource, "failed card", Same, 409, SPENT),
    case(RuleId::SpentSource, "card removed from its customer", Same, 409, SPENT),
    case(RuleId::AmountExceedsTotal, "too large a credit, by path", Same, 409, TOO_LARGE),
    case(RuleId::AmountExceedsTotal, "too large a credit, by body", Same, 409, TOO_LARGE),
    case(RuleId::AmountExceedsTotal, "too large a credit, on an invoice", Same, 409, TOO_LARGE),
    case(RuleId::AmountExceedsTotal, "too large with the credit before", Same, 409, TOO_LARGE),
    case(RuleId::AmountExceedsTotal, "too large beside a saved card", Same, 409, TOO_LARGE),
    case(RuleId::AmountExceedsTotal, "too large by one cent", Same, 409, TOO_LARGE),
    case(RuleId::PrimaryPairing, "trustly after credit, by path", SameCode, 409, UNSUPPORTED),
    case(RuleId::PrimaryPairing, "trustly after credit, by body", SameCode, 409, UNSUPPORTED),
    case(RuleId::PrimaryPairing, "credit after a saved ideal", SameCode, 409, UNSUPPORTED),
    case(RuleId::SecondPrimary, "second card, by path", Accepts, 409, NOT_ALLOWED),
    case(RuleId::SecondPrimary, "second card, by body", Accepts, 409, NOT_ALLOWED),
    case(RuleId::SaveNonreusable, "save credit", Same, 409, "nonreusable_source"),
    case(RuleId::SaveNonreusable, "save payPal", Same, 409, "nonreusable_source"),
    case(RuleId::SaveNotChargeable, "save a pending card", Same, 409, "source_not_chargeable"),
    case(RuleId::SaveNotChargeable, "save a removed card", Same, 409, "source_not_chargeable"),
    case(
        RuleId::ForeignSavedSource,
        "order with a saved card and no customer",
        Same,
        409,
        "source_in_use",
    ),
    case(
        RuleId::ForeignSavedSource,
        "order with a saved card of another customer",
        Same,
        409,
        "source_in_use",
    ),
    case(RuleId::UnderfundedOrder, "order of nothing", Same, 400, "order_submit_failed"),
    case(RuleId::UnderfundedOrder, "order of too little credit", Same, 400, "order_submit_failed"),
    case(
        RuleId::DefaultSourceNotSaved,
        "default that is not saved",
        SameCode,
        409,
        "invalid_parameter",
    ),
    case(
        RuleId::DefaultSourceNotSaved,
        "default that is another customer's",
        SameCode,
        409,
        "invalid_parameter",
    ),
    case(RuleId::SecondarySourceShape, "credit without amount", SameCode, 400, "missing_parameter"),
    case(RuleId::SecondarySourceShape, "credit without type", SameCode, 400, "missing_parameter"),
    case(
        RuleId::SecondarySourceShape,
        "credit without its object",
        SameCode,
        400,
        "missing_parameter",
    ),
    case(
        RuleId::CreditAmountRepeated,
        "second creditAmount",
        Same,
        409,
        "creditAmount_already_updated",
    ),
    case(
        RuleId::CreditAmountRepeated,
        "creditAmount after that of the create",
        Same,
        409,
        "creditAmount_already_updated",
    ),
    case(
        RuleId::CreditAmountAfterSingleUsePrimary,
        "creditAmount after card",
        Same,
        409,
        UNSUPPORTED,
    ),
    case(
        RuleId::InvoiceBillingOptimization,
        "credit on an optimized invoice, by path",
        SameCode,
        409,
        UNSUPPORTED,
    ),
    case(
        RuleId::InvoiceBillingOptimization,
        "credit on an optimized invoice, by body",
        SameCode,
        409,
        UNSUPPORTED,
    ),
    case(RuleId::SecondarySourceOwner, "credit with an owner", Accepts, 400, "invalid_parameter"),
    case(RuleId::SecondaryAmountEdit, "edit a credit by POST", SameCode, 409, NOT_ALLOWED),
    case(RuleId::SecondaryAmountEdit, "edit a credit by PUT", SameCode, 409, NOT_ALLOWED),
    case(RuleId::SecondaryAmountEdit, "edit a credit by PATCH", SameCode, 409, NOT_ALLOWED),
];

/// The call that is judged.
struct Ask {
    method: Method,
    path: String,
    body: Value,
    legacy: bool,
}

impl Ask {
    async fn send(&self, caller: &Caller) -> Reply {
        let caller = if self.legacy {
            caller.with("digitalriver-version", "2020-12-17")
        } else {
            caller.clone()
        };
        let body = if self.body.is_null() { String::new() } else { self.body.to_string() };
        // As the vendor's own examples send it.
        caller.with("content-type", "text/plain").send(self.method.clone(), &self.path, body).await
    }
}

fn post(path: String, body: Value) -> Ask {
    Ask { method: Method::POST, path, body, legacy: false }
}

fn attach(session: &str, source: &str) -> Ask {
    post(format!("{session}/sources/{source}"), Value::Null)
}

fn by_body(session: &str, source: &str) -> Ask {
    post(session.to_owned(), json!({ "sourceId": source }))
}

/// What a scene is set with: everything goes through Weir, or all of it past Weir.
struct Stage<'a> {
    house: &'a House,
    caller: &'a Caller,
}

impl Stage<'_> {
    async fn ok(&self, ask: Ask) -> Reply {
        let reply = ask.send(self.caller).await;
        assert!(reply.status.is_success(), "{} {}: {}", ask.method, ask.path, reply.text());
        reply
    }

    async fn checkout(&self) -> String {
        format!("/checkouts/{}", self.ok(post("/checkouts".into(), items(100.0))).await.id())
    }

    async fn invoice(&self, optimized: bool) -> String {
        let mut body = items(100.0);
        body["billingOptimization"] = json!(optimized);
        format!("/invoices/{}", self.ok(post("/invoices".into(), body)).await.id())
    }

    async fn credit(&self, amount: &str) -> String {
        let amount: Value = serde_json::from_str(amount).unwrap();
        self.ok(post(
            "/sources".into(),
            json!({ "type": "customerCredit", "amount": amount, "customerCredit": {} }),
        ))
        .await
        .id()
    }

    async fn primary(&self, kind: &str) -> String {
        self.house.primary(kind).await
    }

    async fn magic(&self, word: &str) -> String {
        let body = json!({ "type": "creditCard", "creditCard": {}, "upstreamId": word });
        self.house.upstream.key(crate::house::PUBLIC).post("/sources", body).await.id()
    }

    async fn attached(&self, session: &str, source: &str) {
        self.ok(attach(session, source)).await;
    }

    async fn detached(&self, session: &str, source: &str) {
        self.ok(Ask { method: Method::DELETE, ..attach(session, source) }).await;
    }

    async fn customer(&self) -> String {
        format!(
            "/customers/{}",
            self.ok(post("/customers".into(), json!({ "email": "a@example.com" }))).await.id()
        )
    }

    async fn saved(&self, customer: &str, kind: &str) -> String {
        let source = self.primary(kind).await;
        self.ok(attach(customer, &source)).await;
        source
    }

    async fn set(&self, scene: &str) -> Ask {
        let order = |session: &str| {
            post(
                "/orders".into(),
                json!({ "checkoutId": session.trim_start_matches("/checkouts/") }),
            )
        };
        match scene {
            "credit after card, by path"
            | "credit after card, by body"
            | "credit after card, in the old shape" => {
                let (session, card, credit) = (
                    self.checkout().await,
                    self.primary("creditCard").await,
                    self.credit("20").await,
                );
                self.attached(&session, &card).await;
                match scene {
                    "credit after card, by path" => attach(&session, &credit),
                    "credit after card, by body" => by_body(&session, &credit),
                    _ => Ask { legacy: true, ..by_body(&session, &credit) },
                }
            }
            "credit after card, on an invoice, by path"
            | "credit after card, on an invoice, by body" => {
                let (session, card, credit) = (
                    self.invoice(false).await,
                    self.primary("creditCard").await,
                    self.credit("20").await,
                );
                self.ok(by_body(&session, &card)).await;
                if scene.ends_with("path") {
                    attach(&session, &credit)
                } else {
                    by_body(&session, &credit)
                }
            }
            "credit after a card of the create, by path" => {
                let (card, credit) = (self.primary("creditCard").await, self.credit("20").await);
                let mut body = items(100.0);
                body["sourceId"] = json!(card);
                let session =
                    format!("/checkouts/{}", self.ok(post("/checkouts".into(), body)).await.id());
                attach(&session, &credit)
            }
            "detached card, by path"
            | "detached card, by body"
            | "detached card, in a create"
            | "detached card, on an invoice" => {
                let session = if scene.ends_with("invoice") {
                    self.invoice(false).await
                } else {
                    self.checkout().await
                };
                let card = self.primary("creditCard").await;
                self.attached(&session, &card).await;
                self.detached(&session, &card).await;
                match scene {
                    "detached card, by body" => by_body(&session, &card),
                    "detached card, in a create" => {
                        let mut body = items(10.0);
                        body["sourceId"] = json!(card);
                        post("/checkouts".into(), body)
                    }
                    _ => attach(&session, &card),
                }
            }
            "detached credit, by path" => {
                let (session, credit) = (self.checkout().await, self.credit("20").await);
                self.attached(&session, &credit).await;
                self.detached(&session, &credit).await;
                attach(&session, &credit)
            }
            "replaced card" => {
                let (session, one, other) = (
                    self.checkout().await,
                    self.primary("creditCard").await,
                    self.primary("payPal").await,
                );
                self.attached(&session, &one).await;
                self.attached(&session, &other).await;
                attach(&self.checkout().await, &one)
            }
            "consumed card" => {
                let (session, card) = (self.checkout().await, self.primary("creditCard").await);
                self.attached(&session, &card).await;
                self.ok(order(&session)).await;
                attach(&self.checkout().await, &card)
            }
            "failed card" => attach(&self.checkout().await, &self.magic("failed").await),
            "card removed from its customer" | "save a removed card" => {
                let customer = self.customer().await;
                let card = self.saved(&customer, "creditCard").await;
                self.detached(&customer, &card).await;
                if scene.starts_with("save") {
                    attach(&customer, &card)
                } else {
                    attach(&self.checkout().await, &card)
                }
            }
            "too large a credit, by path" => {
                attach(&self.checkout().await, &self.credit("100.5").await)
            }
            "too large by one cent" => attach(&self.checkout().await, &self.credit("100.01").await),
            "too large a credit, by body" => {
                by_body(&self.checkout().await, &self.credit("101").await)
            }
            "too large a credit, on an invoice" => {
                attach(&self.invoice(false).await, &self.credit("101").await)
            }
            "too large with the credit before" => {
                let session = self.checkout().await;
                self.attached(&session, &self.credit("60").await).await;
                attach(&session, &self.credit("40.01").await)
            }
            "too large beside a saved card" => {
                let (session, customer) = (self.checkout().await, self.customer().await);
                self.attached(&session, &self.saved(&customer, "creditCard").await).await;
                self.attached(&session, &self.credit("60").await).await;
                attach(&session, &self.credit("40.01").await)
            }
            "trustly after credit, by path" | "trustly after credit, by body" => {
                let session = self.checkout().await;
                self.attached(&session, &self.credit("20").await).await;
                let primary = self.primary("trustly").await;
                if scene.ends_with("path") {
                    attach(&session, &primary)
                } else {
                    by_body(&session, &primary)
                }
            }
            "credit after a saved ideal" => {
                let (session, customer) = (self.checkout().await, self.customer().await);
                self.attached(&session, &self.saved(&customer, "ideal").await).await;
                attach(&session, &self.credit("20").await)
            }
            "second card, by path" | "second card, by body" => {
                let session = self.checkout().await;
                self.attached(&session, &self.primary("creditCard").await).await;
                let other = self.primary("creditCard").await;
                if scene.ends_with("path") {
                    attach(&session, &other)
                } else {
                    by_body(&session, &other)
                }
            }
            "save credit" => attach(&self.customer().await, &self.credit("20").await),
            "save payPal" => attach(&self.customer().await, &self.primary("payPal").await),
            "save a pending card" => attach(&self.customer().await, &self.magic("redirect").await),
            "order with a saved card and no customer"
            | "order with a saved card of another customer" => {
                let customer = self.customer().await;
                let card = self.saved(&customer, "creditCard").await;
                let session = self.checkout().await;
                if scene.ends_with("another customer") {
                    let other = self.customer().await;
                    let id = other.trim_start_matches("/customers/");
                    self.ok(post(session.clone(), json!({ "customerId": id }))).await;
                }
                self.attached(&session, &card).await;
                order(&session)
            }
            "order of nothing" => order(&self.checkout().await),
            "order of too little credit" => {
                let session = self.checkout().await;
                self.attached(&session, &self.credit("99.99").await).await;
                order(&session)
            }
            "default that is not saved" => {
                let customer = self.customer().await;
                post(customer, json!({ "defaultSourceId": self.primary("creditCard").await }))
            }
            "default that is another customer's" => {
                let (one, other) = (self.customer().await, self.customer().await);
                let source = self.saved(&other, "creditCard").await;
                self.saved(&one, "creditCard").await;
                post(one, json!({ "defaultSourceId": source }))
            }
            "credit without amount" => {
                post("/sources".into(), json!({ "type": "customerCredit", "customerCredit": {} }))
            }
            "credit without type" => {
                post("/sources".into(), json!({ "amount": 5, "customerCredit": {} }))
            }
            "credit without its object" => {
                post("/sources".into(), json!({ "type": "customerCredit", "amount": 5 }))
            }
            "second creditAmount" => {
                let session = self.checkout().await;
                let ask = |amount: u32| Ask {
                    legacy: true,
                    ..post(session.clone(), json!({ "creditAmount": amount }))
                };
                self.ok(ask(5)).await;
                ask(6)
            }
            "creditAmount after that of the create" => {
                let mut body = items(100.0);
                body["creditAmount"] = json!(5);
                let created =
                    self.ok(Ask { legacy: true, ..post("/checkouts".into(), body) }).await;
                Ask {
                    legacy: true,
                    ..post(format!("/checkouts/{}", created.id()), json!({ "creditAmount": 6 }))
                }
            }
            "creditAmount after card" => {
                let session = self.checkout().await;
                self.ok(Ask {
                    legacy: true,
                    ..by_body(&session, &self.primary("creditCard").await)
                })
                .await;
                Ask { legacy: true, ..post(session, json!({ "creditAmount": 6 })) }
            }
            "credit on an optimized invoice, by path" => {
                attach(&self.invoice(true).await, &self.credit("20").await)
            }
            "credit on an optimized invoice, by body" => {
                by_body(&self.invoice(true).await, &self.credit("20").await)
            }
            "credit with an owner" => {
                let owner = json!({ "firstName": "A", "lastName": "B" });
                post(
                    "/sources".into(),
                    json!({ "type": "customerCredit", "amount": 5, "customerCredit": {}, "owner": owner }),
                )
            }
            "edit a credit by POST" | "edit a credit by PUT" | "edit a credit by PATCH" => {
                let method = scene.rsplit(' ').next().unwrap().parse().unwrap();
                Ask {
                    method,
                    ..post(format!("/sources/{}", self.credit("20").await), json!({ "amount": 21 }))
                }
            }
            other => panic!("no such scene: {other}"),
        }
    }
}

/// A policy whose only rule that does anything is this one.
fn only(rule: RuleId, toggle: Toggle) -> Policy {
    let mut policy = weir::dialects::policy();
    for other in RuleId::ALL {
        policy.set(*other, Toggle::Off);
    }
    policy.set(rule, toggle);
    policy
}

fn mutations(house: &House) -> usize {
    house.emulator.calls().iter().filter(|call| call.mutation).count()
}

fn media(reply: &Reply) -> Option<&str> {
    reply.header("content-type").and_then(|value| value.split(';').next())
}

/// The caller is refused as the vendor would, and nothing is sent.
async fn refused(case: &Case, house: &House, ask: &Ask, how: &str) {
    let at = format!("{} {how}", case.scene);
    let before = mutations(house);
    let reply = ask.send(&house.weir).await;
    assert_eq!(mutations(house), before, "{at}: it was sent");
    assert_eq!(
        (reply.status.as_u16(), reply.verdict()),
        (case.status, ("rejected", Some(case.rule.as_str()))),
        "{at}: {}",
        reply.text()
    );
    assert!(reply.header("weir-decision-id").is_some_and(|id| !id.is_empty()), "{at}");
    let told = reply.json();
    assert_eq!(told["errors"][0]["code"], case.code, "{at}");
    assert_eq!(told["type"], if case.status == 400 { "bad_request" } else { "conflict" }, "{at}");
    let vendor = ask.send(&house.upstream).await;
    match case.vendor {
        Accepts => assert!(vendor.status.is_success(), "{at}: {}", vendor.text()),
        Same | SameCode => {
            let mut expected = vendor.json();
            if case.vendor == SameCode {
                expected["errors"][0]["message"] = told["errors"][0]["message"].clone();
            }
            assert_eq!(
                (reply.status, told, media(&reply)),
                (vendor.status, expected, media(&vendor)),
                "{at}"
            );
        }
    }
}

#[tokio::test]
async fn each_broken_rule_is_refused_with_the_vendors_answer_and_never_sent() {
    for case in CASES {
        let mut policy = weir::dialects::policy();
        policy.set(case.rule, Toggle::Reject);
        let house = House::new(policy).await;
        let ask = Stage { house: &house, caller: &house.weir }.set(case.scene).await;
        refused(case, &house, &ask, "warm").await;
    }
}

#[tokio::test]
async fn each_broken_rule_is_refused_just_so_by_a_weir_that_remembers_nothing() {
    for case in CASES {
        let mut policy = weir::dialects::policy();
        policy.set(case.rule, Toggle::Reject);
        let mut house = House::new(policy.clone()).await;
        let ask = Stage { house: &house, caller: &house.weir }.set(case.scene).await;
        house.cold(policy).await;
        refused(case, &house, &ask, "cold").await;
    }
}

#[tokio::test]
async fn each_broken_rule_is_refused_just_so_where_no_fact_stays_fresh_or_all_do() {
    for case in CASES {
        for fresh_for in [FreshFor::Within(Duration::ZERO), FreshFor::Forever] {
            let mut policy = Policy { fresh_for, ..weir::dialects::policy() };
            policy.set(case.rule, Toggle::Reject);
            let house = House::new(policy).await;
            let ask = Stage { house: &house, caller: &house.weir }.set(case.scene).await;
            refused(case, &house, &ask, &format!("{fresh_for:?}")).await;
        }
    }
}

/// The scene set past Weir, in a world of its own: what the vendor says when nobody stands between.
async fn beside(scene: &str) -> Reply {
    let house = House::new(weir::dialects::policy()).await;
    let ask = Stage { house: &house, caller: &house.upstream }.set(scene).await;
    ask.send(&house.upstream).await
}

#[tokio::test]
async fn a_monitored_rule_forwards_says_so_and_changes_no_byte() {
    for case in CASES {
        let direct = beside(case.scene).await;
        let by_mode = Policy { mode: Mode::Monitor, ..only(case.rule, Toggle::Monitor) };
        for policy in [only(case.rule, Toggle::Monitor), by_mode] {
            let house = House::new(policy).await;
            let ask = Stage { house: &house, caller: &house.weir }.set(case.scene).await;
            let before = mutations(&house);
            let reply = ask.send(&house.weir).await;
            assert_eq!(mutations(&house), before + 1, "{}", case.scene);
            assert_eq!(reply.verdict(), ("monitored", Some(case.rule.as_str())), "{}", case.scene);
            assert_eq!(
                (reply.status, &reply.body),
                (direct.status, &direct.body),
                "{}",
                case.scene
            );
            assert_eq!(
                reply.header("content-type"),
                direct.header("content-type"),
                "{}",
                case.scene
            );
        }
    }
}

#[tokio::test]
async fn a_rule_that_is_off_forwards_without_a_word() {
    for case in CASES {
        let direct = beside(case.scene).await;
        let house = House::new(only(case.rule, Toggle::Off)).await;
        let ask = Stage { house: &house, caller: &house.weir }.set(case.scene).await;
        let reply = ask.send(&house.weir).await;
        assert_eq!(reply.verdict(), ("forwarded", None), "{}", case.scene);
        assert_eq!((reply.status, &reply.body), (direct.status, &direct.body), "{}", case.scene);
    }
}

#[tokio::test]
async fn with_the_mode_off_an_answer_bears_no_mark_of_weir() {
    for case in CASES.iter().step_by(5) {
        let direct = beside(case.scene).await;
        let house = House::new(Policy { mode: Mode::Off, ..weir::dialects::policy() }).await;
        let ask = Stage { house: &house, caller: &house.weir }.set(case.scene).await;
        let reply = ask.send(&house.weir).await;
        assert_eq!(
            (reply.header("weir-decision"), reply.header("weir-rule")),
            (None, None),
            "{}",
            case.scene
        );
        assert_eq!((reply.status, &reply.body), (direct.status, &direct.body), "{}", case.scene);
    }
}

#[tokio::test]
async fn strip_takes_the_owner_out_and_nothing_else() {
    let house = House::new(only(RuleId::SecondarySourceOwner, Toggle::Strip)).await;
    let ask = Stage { house: &house, caller: &house.weir }.set("credit with an owner").await;
    let reply = ask.send(&house.weir).await;
    assert_eq!(
        (reply.status.as_u16(), reply.verdict()),
        (201, ("forwarded", Some("secondary-source-owner"))),
        "{}",
        reply.text()
    );
    let kept = house.upstream.get(&format!("/sources/{}", reply.id())).await.json();
    assert_eq!(
        (&kept["owner"], &kept["amount"], &kept["type"]),
        (&Value::Null, &json!(5.0), &json!("customerCredit"))
    );
    // A primary's owner is none of its business.
    let owner = json!({ "type": "creditCard", "creditCard": {}, "owner": { "lastName": "B" } });
    let card = house.weir.key(crate::house::PUBLIC).post("/sources", owner).await;
    assert_eq!(
        (card.json()["owner"]["lastName"].as_str(), card.verdict()),
        (Some("B"), ("forwarded", None))
    );
}

/// What the rules must let pass: calls that stand next to a broken rule.
#[tokio::test]
async fn what_the_vendor_takes_passes_in_every_attach_form() {
    let house = House::new(Policy {
        fresh_for: FreshFor::Within(Duration::ZERO),
        ..weir::dialects::policy()
    })
    .await;
    let stage = Stage { house: &house, caller: &house.weir };
    // Store credit beside a saved card, in any order and up to the last cent.
    let customer = stage.customer().await;
    let (session, card) = (stage.checkout().await, stage.saved(&customer, "creditCard").await);
    stage
        .ok(post(
            session.clone(),
            json!({ "customerId": customer.trim_start_matches("/customers/") }),
        ))
        .await;
    stage.attached(&session, &card).await;
    stage.attached(&session, &stage.credit("60").await).await;
    stage.ok(by_body(&session, &stage.credit("40.00").await)).await;
    stage.ok(attach(&session, &card)).await;
    stage
        .ok(post(
            "/orders".into(),
            json!({ "checkoutId": session.trim_start_matches("/checkouts/") }),
        ))
        .await;
    // Credits alone.
    let session = stage.checkout().await;
    stage.attached(&session, &stage.credit("99.99").await).await;
    stage.attached(&session, &stage.credit("0.01").await).await;
    stage
        .ok(post(
            "/orders".into(),
            json!({ "checkoutId": session.trim_start_matches("/checkouts/") }),
        ))
        .await;
    // Credit and card, each in a body; the create attaches the credit.
    let mut body = items(100.0);
    body["sourceId"] = json!(stage.credit("100").await);
    let session = format!("/checkouts/{}", stage.ok(post("/checkouts".into(), body)).await.id());
    stage.ok(by_body(&session, &stage.primary("creditCard").await)).await;
    // The old shape: credit and card in one call; the credit comes first.
    let session = stage.checkout().await;
    let both = json!({ "creditAmount": 5, "sourceId": stage.primary("creditCard").await });
    stage.ok(Ask { legacy: true, ..post(session.clone(), both) }).await;
    stage
        .ok(post(
            "/orders".into(),
            json!({ "checkoutId": session.trim_start_matches("/checkouts/") }),
        ))
        .await;
    // A total that grows in the same call makes room for the credit.
    let session = stage.checkout().await;
    let mut body = items(500.0);
    body["sourceId"] = json!(stage.credit("400").await);
    stage.ok(post(session, body)).await;
    // An invoice whose optimization ends in the same call.
    let session = stage.invoice(true).await;
    stage
        .ok(post(
            session,
            json!({ "billingOptimization": false, "sourceId": stage.credit("20").await }),
        ))
        .await;
    assert_eq!(house.refused_upstream(), []);
}
