//! Every rule of the carts table, in every form of its call, in JSON and in XML, under every
//! toggle, warm and cold, beside the vendor's own answer.

use crate::house::{CART, Caller, House, Reply, method};
use http::Method;
use serde_json::{Value, json};
use std::time::Duration;
use weir::{
    emulator::Kind,
    rules::{FreshFor, Mode, Policy, RuleId, Toggle},
};

struct Case {
    rule: RuleId,
    /// How the scene is set: a word of `Stage::set`.
    scene: &'static str,
    /// Whether the vendor refuses by itself.
    refused: bool,
    code: &'static str,
    subcode: &'static str,
}

const fn case(
    rule: RuleId,
    scene: &'static str,
    refused: bool,
    code: &'static str,
    subcode: &'static str,
) -> Case {
    Case { rule, scene, refused, code, subcode }
}

const FAILURE: &str = "apply-payment-failure";

const CASES: &[Case] = &[
    case(
        RuleId::PrimaryBeforeSecondary,
        "credit after card",
        false,
        FAILURE,
        "primary-before-secondary",
    ),
    case(
        RuleId::PrimaryBeforeSecondary,
        "credit after a card of apply-shopper",
        false,
        FAILURE,
        "primary-before-secondary",
    ),
    case(
        RuleId::PrimaryBeforeSecondary,
        "credit after card, in a body of XML",
        false,
        FAILURE,
        "primary-before-secondary",
    ),
    case(RuleId::SecondPrimary, "second card", true, FAILURE, "second-primary"),
    case(RuleId::SecondPrimary, "second card by apply-shopper", true, FAILURE, "second-primary"),
    case(RuleId::OneSecondary, "card after two credits", true, FAILURE, "one-secondary"),
    case(RuleId::OneSecondary, "apply-shopper after two credits", true, FAILURE, "one-secondary"),
    case(RuleId::PrimaryPairing, "alipay after credit", true, FAILURE, "primary-pairing"),
    case(RuleId::PrimaryPairing, "credit after alipay", true, FAILURE, "primary-pairing"),
    case(RuleId::SpentSource, "consumed card", true, FAILURE, "spent-source"),
    case(RuleId::SpentSource, "failed card", true, FAILURE, "spent-source"),
    case(RuleId::SpentSource, "card removed from its shopper", true, FAILURE, "spent-source"),
    case(RuleId::SaveNonreusable, "save credit", true, FAILURE, "nonreusable_source"),
    case(RuleId::SaveNonreusable, "save payPal", true, FAILURE, "nonreusable_source"),
    case(RuleId::SaveNotChargeable, "save a pending card", true, FAILURE, "source_not_chargeable"),
    case(RuleId::SaveNotChargeable, "save a removed card", true, FAILURE, "source_not_chargeable"),
    case(
        RuleId::AmountExceedsTotal,
        "too large a credit",
        true,
        FAILURE,
        "session_source_amount_too_large",
    ),
    case(
        RuleId::AmountExceedsTotal,
        "too large with the credit before",
        true,
        FAILURE,
        "session_source_amount_too_large",
    ),
    case(
        RuleId::UnderfundedOrder,
        "submit nothing",
        true,
        "submit-cart-failed",
        "underfunded-order",
    ),
    case(
        RuleId::UnderfundedOrder,
        "submit too little credit",
        true,
        "submit-cart-failed",
        "underfunded-order",
    ),
];

/// The call that is judged.
struct Ask {
    shopper: Caller,
    path: String,
    body: String,
}

impl Ask {
    /// In XML or JSON, to Weir or past it.
    async fn send(&self, to: &Caller, xml: bool) -> Reply {
        let caller = self.shopper.to(to);
        let caller = if xml {
            caller.with("accept", "application/xml")
        } else {
            caller.with("accept", "application/json")
        };
        caller.send(Method::POST, &self.path, self.body.clone()).await
    }
}

struct Stage<'a> {
    house: &'a House,
    /// Where its calls go: Weir, or the emulator itself.
    to: &'a Caller,
}

impl Stage<'_> {
    async fn shopper(&self) -> Caller {
        let grant = self
            .house
            .upstream
            .send(Method::POST, "/oauth20/token", "grant_type=anonymous&client_id=pk_acme")
            .await;
        let token = grant.json()["access_token"].as_str().unwrap().to_owned();
        let shopper = self.to.key(&format!("bearer {token}")).with("accept", "application/json");
        ok(&shopper, &format!("{CART}?productId=p&quantity=1&price=100"), Value::Null).await;
        shopper
    }

    async fn credit(&self, amount: &str) -> String {
        let amount: Value = serde_json::from_str(amount).unwrap();
        let body = json!({ "type": "customerCredit", "amount": amount, "customerCredit": {} });
        ok(self.to, "/sources", body).await.id()
    }

    async fn magic(&self, word: &str) -> String {
        let body = json!({ "type": "creditCard", "creditCard": {}, "upstreamId": word });
        self.house.upstream.key(crate::house::PUBLIC).post("/sources", body).await.id()
    }

    async fn set(&self, scene: &str) -> Ask {
        let shopper = self.shopper().await;
        let primary = |kind: &'static str| self.house.primary(kind);
        let to_cart = |shopper: &Caller, source: &str| Ask {
            shopper: shopper.clone(),
            path: apply(),
            body: method(source).to_string(),
        };
        let at = |path: &str| Ask {
            shopper: shopper.clone(),
            path: path.to_owned(),
            body: String::new(),
        };
        match scene {
            "credit after card" | "credit after card, in a body of XML" => {
                let (card, credit) = (primary("creditCard").await, self.credit("40").await);
                attach(&shopper, &card).await;
                match scene.ends_with("XML") {
                    true => Ask {
                        body: format!(
                            "<paymentMethod><sourceId>{credit}</sourceId></paymentMethod>"
                        ),
                        ..to_cart(&shopper, &credit)
                    },
                    false => to_cart(&shopper, &credit),
                }
            }
            "credit after a card of apply-shopper" => {
                save(&shopper, &primary("creditCard").await).await;
                ok(&shopper, &format!("{CART}/apply-shopper"), Value::Null).await;
                to_cart(&shopper, &self.credit("40").await)
            }
            "second card" => {
                attach(&shopper, &primary("creditCard").await).await;
                to_cart(&shopper, &primary("creditCard").await)
            }
            "second card by apply-shopper" => {
                save(&shopper, &primary("creditCard").await).await;
                attach(&shopper, &primary("creditCard").await).await;
                at(&format!("{CART}/apply-shopper"))
            }
            "card after two credits" | "apply-shopper after two credits" => {
                attach(&shopper, &self.credit("10").await).await;
                attach(&shopper, &self.credit("10").await).await;
                let card = primary("creditCard").await;
                match scene.starts_with("card") {
                    true => to_cart(&shopper, &card),
                    false => {
                        save(&shopper, &card).await;
                        at(&format!("{CART}/apply-shopper"))
                    }
                }
            }
            "alipay after credit" => {
                attach(&shopper, &self.credit("10").await).await;
                to_cart(&shopper, &primary("alipay").await)
            }
            "credit after alipay" => {
                attach(&shopper, &primary("alipay").await).await;
                to_cart(&shopper, &self.credit("10").await)
            }
            "consumed card" => {
                let card = primary("creditCard").await;
                attach(&shopper, &card).await;
                ok(&shopper, &format!("{CART}/submit-cart"), Value::Null).await;
                ok(&shopper, &format!("{CART}?productId=p&quantity=1&price=100"), Value::Null)
                    .await;
                to_cart(&shopper, &card)
            }
            "failed card" => to_cart(&shopper, &self.magic("failed").await),
            "card removed from its shopper" | "save a removed card" => {
                let card = primary("creditCard").await;
                let option = save(&shopper, &card).await;
                let gone =
                    shopper.delete(&format!("/v1/shoppers/me/payment-options/{option}")).await;
                assert_eq!(gone.status, 204, "{}", gone.text());
                if scene.starts_with("save") {
                    saving(&shopper, &card)
                } else {
                    to_cart(&shopper, &card)
                }
            }
            "save credit" => saving(&shopper, &self.credit("10").await),
            "save payPal" => saving(&shopper, &primary("payPal").await),
            "save a pending card" => saving(&shopper, &self.magic("redirect").await),
            "too large a credit" => to_cart(&shopper, &self.credit("100.01").await),
            "too large with the credit before" => {
                attach(&shopper, &self.credit("60").await).await;
                to_cart(&shopper, &self.credit("40.01").await)
            }
            "submit nothing" => at(&format!("{CART}/submit-cart")),
            "submit too little credit" => {
                attach(&shopper, &self.credit("99.99").await).await;
                at(&format!("{CART}/submit-cart"))
            }
            other => panic!("no such scene: {other}"),
        }
    }
}

fn apply() -> String {
    format!("{CART}/apply-payment-method")
}

fn saving(shopper: &Caller, source: &str) -> Ask {
    let body =
        json!({ "paymentOption": { "nickName": "n", "isDefault": "true", "sourceId": source } });
    Ask {
        shopper: shopper.clone(),
        path: "/v1/shoppers/me/payment-options".into(),
        body: body.to_string(),
    }
}

async fn ok(caller: &Caller, path: &str, body: Value) -> Reply {
    let reply = caller.post(path, body).await;
    assert!(reply.status.is_success(), "{path}: {}", reply.text());
    reply
}

async fn attach(shopper: &Caller, source: &str) {
    ok(shopper, &apply(), method(source)).await;
}

/// Saves a source; its option's id.
async fn save(shopper: &Caller, source: &str) -> String {
    let ask = saving(shopper, source);
    let saved = ok(shopper, &ask.path, serde_json::from_str(&ask.body).unwrap()).await;
    saved.json()["paymentOption"]["id"].to_string().trim_matches('"').to_owned()
}

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

/// The text of the first element of this name.
fn element<'a>(xml: &'a str, name: &str) -> &'a str {
    let start = xml.find(&format!("<{name}>")).map_or("", |at| &xml[at + name.len() + 2..]);
    start.split("</").next().unwrap_or_default()
}

async fn refused(case: &Case, house: &House, ask: &Ask, how: &str) {
    for xml in [false, true] {
        let at = format!("{} {how} {}", case.scene, if xml { "in XML" } else { "in JSON" });
        let before = mutations(house);
        let reply = ask.send(&house.weir, xml).await;
        assert_eq!(mutations(house), before, "{at}: it was sent");
        assert_eq!(
            (reply.status.as_u16(), reply.verdict()),
            (409, ("rejected", Some(case.rule.as_str()))),
            "{at}: {}",
            reply.text()
        );
        let text = reply.text();
        let error = reply.json()["errors"]["error"][0].clone();
        let told = |name: &str| {
            if xml {
                element(&text, name).to_owned()
            } else {
                error[name].as_str().unwrap_or_default().to_owned()
            }
        };
        assert_eq!(
            (told("code"), told("subcode")),
            (case.code.to_owned(), case.subcode.to_owned()),
            "{at}: {text}"
        );
        assert!(told("description").len() > 20, "{at}: {text}");
        let form = if xml { "application/xml" } else { "application/json" };
        assert_eq!(media(&reply), Some(form), "{at}");
        if case.refused {
            let vendor = ask.send(&house.upstream, xml).await;
            let text = vendor.text();
            let error = vendor.json()["errors"]["error"][0].clone();
            let said = |name: &str| {
                if xml {
                    element(&text, name).to_owned()
                } else {
                    error[name].as_str().unwrap_or_default().to_owned()
                }
            };
            assert_eq!((vendor.status, media(&vendor)), (reply.status, Some(form)), "{at}: {text}");
            assert_eq!(
                (told("relation"), told("code"), told("subcode")),
                (said("relation"), said("code"), said("subcode")),
                "{at}"
            );
        }
    }
}

fn rejecting(rule: RuleId, fresh_for: FreshFor) -> Policy {
    // `credit after alipay` breaks two rules; the one before it in the table is preferred, unless
    // it is off.
    let mut policy = Policy { fresh_for, ..weir::dialects::policy() };
    if rule == RuleId::PrimaryPairing {
        policy.set(RuleId::PrimaryBeforeSecondary, Toggle::Off);
    }
    policy
}

#[tokio::test]
async fn each_broken_rule_is_refused_in_the_form_the_caller_asked_for_and_never_sent() {
    for case in CASES {
        for fresh_for in [
            FreshFor::Within(Duration::from_secs(2)),
            FreshFor::Within(Duration::ZERO),
            FreshFor::Forever,
        ] {
            let house = House::new(rejecting(case.rule, fresh_for)).await;
            let ask = Stage { house: &house, to: &house.weir }.set(case.scene).await;
            refused(case, &house, &ask, &format!("{fresh_for:?}")).await;
        }
    }
}

#[tokio::test]
async fn each_broken_rule_is_refused_just_so_by_a_weir_that_remembers_nothing() {
    for case in CASES {
        let mut house = House::new(weir::dialects::policy()).await;
        let ask = Stage { house: &house, to: &house.weir }.set(case.scene).await;
        house.cold(rejecting(case.rule, FreshFor::Within(Duration::from_secs(2)))).await;
        refused(case, &house, &ask, "cold").await;
    }
}

/// The scene set past Weir in a world of its own, with a like seed: what the vendor says when
/// nobody stands between.
async fn beside(scene: &str, xml: bool) -> Reply {
    let house = House::new(weir::dialects::policy()).await;
    let ask = Stage { house: &house, to: &house.upstream }.set(scene).await;
    ask.send(&house.upstream, xml).await
}

#[tokio::test]
async fn a_monitored_rule_forwards_says_so_and_changes_no_byte() {
    for case in CASES {
        for xml in [false, true] {
            let direct = beside(case.scene, xml).await;
            let by_mode = Policy { mode: Mode::Monitor, ..only(case.rule, Toggle::Reject) };
            for policy in [only(case.rule, Toggle::Monitor), by_mode] {
                let house = House::new(policy).await;
                let ask = Stage { house: &house, to: &house.weir }.set(case.scene).await;
                let before = mutations(&house);
                let reply = ask.send(&house.weir, xml).await;
                assert_eq!(mutations(&house), before + 1, "{}", case.scene);
                assert_eq!(
                    reply.verdict(),
                    ("monitored", Some(case.rule.as_str())),
                    "{}",
                    case.scene
                );
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
}

#[tokio::test]
async fn a_rule_that_is_off_forwards_without_a_word() {
    for case in CASES {
        let direct = beside(case.scene, true).await;
        let house = House::new(only(case.rule, Toggle::Off)).await;
        let ask = Stage { house: &house, to: &house.weir }.set(case.scene).await;
        let reply = ask.send(&house.weir, true).await;
        assert_eq!(reply.verdict(), ("forwarded", None), "{}", case.scene);
        assert_eq!((reply.status, &reply.body), (direct.status, &direct.body), "{}", case.scene);
    }
}

/// What the rules must let pass.
#[tokio::test]
async fn what_the_vendor_takes_passes() {
    let house = House::new(Policy {
        fresh_for: FreshFor::Within(Duration::ZERO),
        ..weir::dialects::policy()
    })
    .await;
    let stage = Stage { house: &house, to: &house.weir };
    // Credit, then the shopper's saved card; both ways of asking for the form.
    let shopper = stage.shopper().await;
    save(&shopper, &house.card().await).await;
    attach(&shopper, &stage.credit("40").await).await;
    ok(&shopper, &format!("{CART}/apply-shopper?format=json"), Value::Null).await;
    ok(&shopper, &format!("{CART}/submit-cart"), Value::Null).await;
    // A named option that is not the default one.
    let shopper = stage.shopper().await;
    save(&shopper, &house.card().await).await;
    let other = save(&shopper, &house.primary("alipay").await).await;
    let first = shopper.get("/v1/shoppers/me/payment-options").await.json();
    let first = first["paymentOptions"]["paymentOption"][0]["id"].to_string();
    attach(&shopper, &stage.credit("40").await).await;
    let refused =
        shopper.post(&format!("{CART}/apply-shopper?paymentOptionId={other}"), Value::Null).await;
    assert_eq!(refused.verdict(), ("rejected", Some("primary-pairing")));
    ok(
        &shopper,
        &format!("{CART}/apply-shopper?paymentOptionId={}", first.trim_matches('"')),
        Value::Null,
    )
    .await;
    // Detached sources are not spent: the vendor's own steps attach them again.
    let shopper = stage.shopper().await;
    let (card, credit) = (house.card().await, stage.credit("40").await);
    attach(&shopper, &card).await;
    let detached = shopper.send(Method::DELETE, &apply(), method(&card).to_string()).await;
    assert_eq!(detached.status, 204);
    attach(&shopper, &credit).await;
    attach(&shopper, &card).await;
    assert_eq!(shopper.delete(&format!("{CART}/payment")).await.status, 204);
    attach(&shopper, &credit).await;
    attach(&shopper, &card).await;
    ok(&shopper, &format!("{CART}/submit-cart"), Value::Null).await;
    // Three credits alone.
    let shopper = stage.shopper().await;
    for amount in ["50", "49.99", "0.01"] {
        attach(&shopper, &stage.credit(amount).await).await;
    }
    ok(&shopper, &format!("{CART}/submit-cart"), Value::Null).await;
    // A pending primary.
    let shopper = stage.shopper().await;
    attach(&shopper, &stage.magic("redirect").await).await;
    ok(&shopper, &format!("{CART}/submit-cart"), Value::Null).await;
    // A shopper without options: apply-shopper attaches nothing.
    let shopper = stage.shopper().await;
    attach(&shopper, &house.card().await).await;
    ok(&shopper, &format!("{CART}/apply-shopper"), Value::Null).await;
    assert_eq!(house.refused_upstream(), []);
    assert_eq!(house.emulator.snapshot()["lostCredits"], json!([]));
}

#[tokio::test]
async fn apply_shopper_is_judged_by_what_it_would_attach_now_not_by_what_it_would_have_attached() {
    let house =
        House::new(Policy { fresh_for: FreshFor::Forever, ..weir::dialects::policy() }).await;
    let stage = Stage { house: &house, to: &house.weir };
    let shopper = stage.shopper().await;
    let alipay = save(&shopper, &house.primary("alipay").await).await;
    let card = save(&shopper, &house.card().await).await;
    let default = |option: &str| {
        (
            format!("/v1/shoppers/me/payment-options/{option}"),
            json!({ "paymentOption": { "isDefault": "true" } }),
        )
    };
    attach(&shopper, &stage.credit("40").await).await;
    let applied = format!("{CART}/apply-shopper");
    let (path, body) = default(&alipay);
    ok(&shopper, &path, body).await;
    assert_eq!(
        shopper.post(&applied, Value::Null).await.verdict(),
        ("rejected", Some("primary-pairing"))
    );
    // Behind Weir's back.
    let direct = shopper.to(&house.upstream);
    let (path, body) = default(&card);
    ok(&direct, &path, body).await;
    ok(&shopper, &applied, Value::Null).await;
    let cart = shopper.get(CART).await.json();
    let id =
        cart["cart"]["id"].as_str().map_or_else(|| cart["cart"]["id"].to_string(), str::to_owned);
    assert_eq!(house.attached(Kind::Cart, &id).len(), 2);
}
