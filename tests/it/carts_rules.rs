//! Every rule of the carts table, in every form of its call, in JSON and in XML, under every
//! toggle, warm and cold, beside the vendor's own answer.

use crate::testbed::{
    APPLY, APPLY_SHOPPER, Adjusted, Ask, CART, Caller, FreshFor, Kind, Mode, OPTIONS, Policy,
    Reply, RuleId, SUBMIT, Testbed, Toggle, doubting, method, only, text_of, thorough, trusting,
};
use http::Method;
use serde_json::{Value, json};
use std::time::Duration;

/// A call that breaks a rule, and all that comes before it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Scene {
    CreditAfterCard(Form),
    CreditAfterACardOfApplyShopper,
    SecondCard(By),
    CardAfterTwoCredits(By),
    AlipayAfterCredit,
    CreditAfterAlipay,
    ConsumedCard,
    FailedCard,
    RemovedCard,
    Save(Sort),
    TooLargeACredit,
    TooLargeWithTheCreditBefore,
    SubmitOfNothing,
    SubmitOfTooLittleCredit,
}

/// How the body is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Form {
    Json,
    Xml,
}

/// How a source is attached.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum By {
    ApplyPaymentMethod,
    ApplyShopper,
}

/// What is saved.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Sort {
    Credit,
    PayPal,
    /// A card that waits for its shopper.
    Pending,
    /// A card that was removed from its shopper.
    Removed,
}

struct Case {
    rule: RuleId,
    scene: Scene,
    /// Whether the vendor refuses by itself.
    refused: bool,
    code: &'static str,
    subcode: &'static str,
}

/// The scenes of each rule, with the vendor's part and the subcode of the refusal.
fn cases() -> Vec<Case> {
    use By::{ApplyPaymentMethod, ApplyShopper};
    use RuleId as Rule;
    use Scene::*;
    let rows: [(RuleId, bool, &str, &'static [Scene]); 9] = [
        (
            Rule::PrimaryBeforeSecondary,
            false,
            "primary-before-secondary",
            &[
                CreditAfterCard(Form::Json),
                CreditAfterACardOfApplyShopper,
                CreditAfterCard(Form::Xml),
            ],
        ),
        (
            Rule::SecondPrimary,
            true,
            "second-primary",
            &[SecondCard(ApplyPaymentMethod), SecondCard(ApplyShopper)],
        ),
        (
            Rule::OneSecondary,
            true,
            "one-secondary",
            &[CardAfterTwoCredits(ApplyPaymentMethod), CardAfterTwoCredits(ApplyShopper)],
        ),
        (Rule::PrimaryPairing, true, "primary-pairing", &[AlipayAfterCredit, CreditAfterAlipay]),
        (Rule::SpentSource, true, "spent-source", &[ConsumedCard, FailedCard, RemovedCard]),
        (
            Rule::SaveNonreusable,
            true,
            "nonreusable_source",
            &[Save(Sort::Credit), Save(Sort::PayPal)],
        ),
        (
            Rule::SaveNotChargeable,
            true,
            "source_not_chargeable",
            &[Save(Sort::Pending), Save(Sort::Removed)],
        ),
        (
            Rule::AmountExceedsTotal,
            true,
            "session_source_amount_too_large",
            &[TooLargeACredit, TooLargeWithTheCreditBefore],
        ),
        (
            Rule::UnderfundedOrder,
            true,
            "underfunded-order",
            &[SubmitOfNothing, SubmitOfTooLittleCredit],
        ),
    ];
    let case = |(rule, refused, subcode, scenes): (RuleId, bool, _, &'static [Scene])| {
        let code = match rule {
            Rule::UnderfundedOrder => "submit-cart-failed",
            _ => "apply-payment-failure",
        };
        scenes.iter().copied().map(move |scene| Case { rule, scene, refused, code, subcode })
    };
    rows.into_iter().flat_map(case).collect()
}

/// A shopper's call.
struct Asked {
    shopper: Caller,
    ask: Ask,
}

impl Asked {
    /// Sends it where `to` calls, and asks for XML or JSON.
    async fn send(&self, to: &Caller, form: Form) -> Reply {
        let accepted = match form {
            Form::Json => "application/json",
            Form::Xml => "application/xml",
        };
        self.shopper.to(to).with("accept", accepted).ask(&self.ask).await
    }
}

/// Sets scenes: everything goes through Weir, or all of it past Weir.
struct Stage<'a> {
    bed: &'a Testbed,
    to: &'a Caller,
}

impl<'a> Stage<'a> {
    fn through_weir(bed: &'a Testbed) -> Self {
        Self { bed, to: &bed.weir }
    }

    fn past_weir(bed: &'a Testbed) -> Self {
        Self { bed, to: &bed.upstream }
    }

    async fn shopper(&self) -> Caller {
        self.bed.shopper_of(self.to, 100.0).await
    }

    async fn credit(&self, amount: f64) -> String {
        self.to.credit(amount).await
    }

    async fn card(&self) -> String {
        self.bed.card().await
    }

    /// Does all that comes before; returns the call that breaks the rule.
    async fn set(&self, scene: Scene) -> Asked {
        let shopper = self.shopper().await;
        let ask = self.ask(scene, &shopper).await;
        Asked { shopper, ask }
    }

    async fn ask(&self, scene: Scene, shopper: &Caller) -> Ask {
        match scene {
            Scene::CreditAfterCard(form) => {
                let (card, credit) = (self.card().await, self.credit(40.0).await);
                attach(shopper, &card).await;
                match form {
                    Form::Json => Ask::post(APPLY, method(&credit)),
                    Form::Xml => Ask {
                        body: format!(
                            "<paymentMethod><sourceId>{credit}</sourceId></paymentMethod>"
                        )
                        .into(),
                        ..Ask::post(APPLY, Value::Null)
                    },
                }
            }
            Scene::CreditAfterACardOfApplyShopper => {
                save(shopper, &self.card().await).await;
                shopper.ok(APPLY_SHOPPER, Value::Null).await;
                Ask::post(APPLY, method(&self.credit(40.0).await))
            }
            Scene::SecondCard(By::ApplyPaymentMethod) => {
                attach(shopper, &self.card().await).await;
                Ask::post(APPLY, method(&self.card().await))
            }
            Scene::SecondCard(By::ApplyShopper) => {
                save(shopper, &self.card().await).await;
                attach(shopper, &self.card().await).await;
                Ask::post(APPLY_SHOPPER, Value::Null)
            }
            Scene::CardAfterTwoCredits(by) => {
                attach(shopper, &self.credit(10.0).await).await;
                attach(shopper, &self.credit(10.0).await).await;
                let card = self.card().await;
                match by {
                    By::ApplyPaymentMethod => Ask::post(APPLY, method(&card)),
                    By::ApplyShopper => {
                        save(shopper, &card).await;
                        Ask::post(APPLY_SHOPPER, Value::Null)
                    }
                }
            }
            Scene::AlipayAfterCredit => {
                attach(shopper, &self.credit(10.0).await).await;
                Ask::post(APPLY, method(&self.bed.primary("alipay").await))
            }
            Scene::CreditAfterAlipay => {
                attach(shopper, &self.bed.primary("alipay").await).await;
                Ask::post(APPLY, method(&self.credit(10.0).await))
            }
            Scene::ConsumedCard => {
                let card = self.card().await;
                attach(shopper, &card).await;
                shopper.ok(SUBMIT, Value::Null).await;
                shopper.ok(&format!("{CART}?productId=p&quantity=1&price=100"), Value::Null).await;
                Ask::post(APPLY, method(&card))
            }
            Scene::FailedCard => Ask::post(APPLY, method(&self.bed.upstream.magic("failed").await)),
            Scene::RemovedCard => Ask::post(APPLY, method(&self.removed(shopper).await)),
            Scene::Save(sort) => saving(&match sort {
                Sort::Credit => self.credit(10.0).await,
                Sort::PayPal => self.bed.primary("payPal").await,
                Sort::Pending => self.bed.upstream.magic("redirect").await,
                Sort::Removed => self.removed(shopper).await,
            }),
            Scene::TooLargeACredit => Ask::post(APPLY, method(&self.credit(100.01).await)),
            Scene::TooLargeWithTheCreditBefore => {
                attach(shopper, &self.credit(60.0).await).await;
                Ask::post(APPLY, method(&self.credit(40.01).await))
            }
            Scene::SubmitOfNothing => Ask::post(SUBMIT, Value::Null),
            Scene::SubmitOfTooLittleCredit => {
                attach(shopper, &self.credit(99.99).await).await;
                Ask::post(SUBMIT, Value::Null)
            }
        }
    }

    /// Creates a card that is saved to the shopper and removed again.
    async fn removed(&self, shopper: &Caller) -> String {
        let card = self.card().await;
        let option = save(shopper, &card).await;
        shopper.gone(&format!("{OPTIONS}/{option}")).await;
        card
    }
}

fn saving(source: &str) -> Ask {
    let body =
        json!({ "paymentOption": { "nickName": "n", "isDefault": "true", "sourceId": source } });
    Ask::post(OPTIONS, body)
}

async fn attach(shopper: &Caller, source: &str) {
    shopper.ok(APPLY, method(source)).await;
}

/// Saves a source; its option's id.
async fn save(shopper: &Caller, source: &str) -> String {
    text_of(&shopper.done(&saving(source)).await.json()["paymentOption"]["id"])
}

/// The text of the first element of this name.
fn element<'a>(xml: &'a str, name: &str) -> &'a str {
    let start = xml.find(&format!("<{name}>")).map_or("", |at| &xml[at + name.len() + 2..]);
    start.split("</").next().unwrap_or_default()
}

/// What an error says under this name.
fn said(reply: &Reply, form: Form, name: &str) -> String {
    match form {
        Form::Xml => element(&reply.text(), name).to_owned(),
        Form::Json => {
            let error = &reply.json()["errors"]["error"][0][name];
            error.as_str().unwrap_or_default().to_owned()
        }
    }
}

async fn refused(case: &Case, bed: &Testbed, ask: &Asked, how: &str) {
    for (form, media) in [(Form::Json, "application/json"), (Form::Xml, "application/xml")] {
        let at = format!("{:?} {how} {form:?}", case.scene);
        let before = bed.mutations();
        let reply = ask.send(&bed.weir, form).await;
        assert_eq!(bed.mutations(), before, "{at}: it was sent");
        assert_eq!(
            reply.found(),
            (409, ("rejected", Some(case.rule.as_str()))),
            "{at}: {}",
            reply.text()
        );
        let told = |name| said(&reply, form, name);
        let codes = (case.code.to_owned(), case.subcode.to_owned());
        assert_eq!((told("code"), told("subcode")), codes, "{at}: {}", reply.text());
        assert!(told("description").len() > 20, "{at}: {}", reply.text());
        assert_eq!(reply.media(), Some(media), "{at}");
        if case.refused {
            let vendor = ask.send(&bed.upstream, form).await;
            let shown = (vendor.status, vendor.media());
            assert_eq!(shown, (reply.status, Some(media)), "{at}: {}", vendor.text());
            for name in ["relation", "code", "subcode"] {
                assert_eq!(told(name), said(&vendor, form, name), "{at}: {name}");
            }
        }
    }
}

fn rejecting(rule: RuleId, fresh_for: FreshFor) -> Policy {
    // Credit after alipay breaks two rules; the one before it in the table is preferred, unless
    // it is off.
    let policy = thorough().with_fresh_for(fresh_for);
    match rule {
        RuleId::PrimaryPairing => policy.with_rule(RuleId::PrimaryBeforeSecondary, Toggle::Off),
        _ => policy,
    }
}

#[tokio::test]
async fn each_broken_rule_is_refused_in_the_form_the_caller_asked_for_and_never_sent() {
    for case in &cases() {
        for fresh_for in [
            FreshFor::Within(Duration::from_secs(2)),
            FreshFor::Within(Duration::ZERO),
            FreshFor::Forever,
        ] {
            let bed = Testbed::new().policy(rejecting(case.rule, fresh_for)).start().await;
            let ask = Stage::through_weir(&bed).set(case.scene).await;
            refused(case, &bed, &ask, &format!("{fresh_for:?}")).await;
        }
    }
}

#[tokio::test]
async fn each_broken_rule_is_refused_just_so_by_a_weir_that_remembers_nothing() {
    for case in &cases() {
        let mut bed = Testbed::new().start().await;
        let ask = Stage::through_weir(&bed).set(case.scene).await;
        bed.cold(rejecting(case.rule, FreshFor::Within(Duration::from_secs(2)))).await;
        refused(case, &bed, &ask, "cold").await;
    }
}

/// The scene set past Weir in a world of its own, with a like seed: what the vendor says when
/// nobody stands between.
async fn beside(scene: Scene, form: Form) -> Reply {
    let bed = Testbed::new().start().await;
    let ask = Stage::past_weir(&bed).set(scene).await;
    ask.send(&bed.upstream, form).await
}

#[tokio::test]
async fn a_monitored_rule_forwards_says_so_and_changes_no_byte() {
    for case in &cases() {
        for form in [Form::Json, Form::Xml] {
            let direct = beside(case.scene, form).await;
            let by_mode = only(case.rule, Toggle::Reject).with_mode(Mode::Monitor);
            for policy in [only(case.rule, Toggle::Monitor), by_mode] {
                let bed = Testbed::new().policy(policy).start().await;
                let ask = Stage::through_weir(&bed).set(case.scene).await;
                let before = bed.mutations();
                let reply = ask.send(&bed.weir, form).await;
                assert_eq!(bed.mutations(), before + 1, "{:?}", case.scene);
                assert_eq!(
                    reply.verdict(),
                    ("monitored", Some(case.rule.as_str())),
                    "{:?}",
                    case.scene
                );
                assert_eq!(
                    (reply.status, &reply.body),
                    (direct.status, &direct.body),
                    "{:?}",
                    case.scene
                );
                assert_eq!(
                    reply.header("content-type"),
                    direct.header("content-type"),
                    "{:?}",
                    case.scene
                );
            }
        }
    }
}

#[tokio::test]
async fn a_rule_that_is_off_forwards_without_a_word() {
    for case in &cases() {
        let direct = beside(case.scene, Form::Xml).await;
        let bed = Testbed::new().policy(only(case.rule, Toggle::Off)).start().await;
        let ask = Stage::through_weir(&bed).set(case.scene).await;
        let reply = ask.send(&bed.weir, Form::Xml).await;
        assert_eq!(reply.verdict(), ("forwarded", None), "{:?}", case.scene);
        assert_eq!((reply.status, &reply.body), (direct.status, &direct.body), "{:?}", case.scene);
    }
}

/// What the rules must let pass.
#[tokio::test]
async fn what_the_vendor_takes_passes() {
    let bed = Testbed::new().policy(doubting()).start().await;
    let stage = Stage::through_weir(&bed);
    // Credit, then the shopper's saved card; both ways of asking for the form.
    let shopper = stage.shopper().await;
    save(&shopper, &bed.card().await).await;
    attach(&shopper, &stage.credit(40.0).await).await;
    shopper.ok(&format!("{APPLY_SHOPPER}?format=json"), Value::Null).await;
    shopper.ok(SUBMIT, Value::Null).await;
    // A named option that is not the default one.
    let shopper = stage.shopper().await;
    save(&shopper, &bed.card().await).await;
    let other = save(&shopper, &bed.primary("alipay").await).await;
    let first = shopper.get(OPTIONS).await.json();
    let first = first["paymentOptions"]["paymentOption"][0]["id"].clone();
    attach(&shopper, &stage.credit(40.0).await).await;
    let refused =
        shopper.post(&format!("{APPLY_SHOPPER}?paymentOptionId={other}"), Value::Null).await;
    assert_eq!(refused.verdict(), ("rejected", Some("primary-pairing")));
    shopper.ok(&format!("{APPLY_SHOPPER}?paymentOptionId={}", text_of(&first)), Value::Null).await;
    // Detached sources are not spent: the vendor's own steps attach them again.
    let shopper = stage.shopper().await;
    let (card, credit) = (bed.card().await, stage.credit(40.0).await);
    attach(&shopper, &card).await;
    let detached = shopper.send(Method::DELETE, APPLY, method(&card).to_string()).await;
    assert_eq!(detached.status, 204);
    attach(&shopper, &credit).await;
    attach(&shopper, &card).await;
    assert_eq!(shopper.delete(&format!("{CART}/payment")).await.status, 204);
    attach(&shopper, &credit).await;
    attach(&shopper, &card).await;
    shopper.ok(SUBMIT, Value::Null).await;
    // Three credits alone.
    let shopper = stage.shopper().await;
    for amount in [50.0, 49.99, 0.01] {
        attach(&shopper, &stage.credit(amount).await).await;
    }
    shopper.ok(SUBMIT, Value::Null).await;
    // A pending primary.
    let shopper = stage.shopper().await;
    attach(&shopper, &bed.upstream.magic("redirect").await).await;
    shopper.ok(SUBMIT, Value::Null).await;
    // A shopper without options: apply-shopper attaches nothing.
    let shopper = stage.shopper().await;
    attach(&shopper, &bed.card().await).await;
    shopper.ok(APPLY_SHOPPER, Value::Null).await;
    assert_eq!(bed.refused_upstream(), []);
    assert_eq!(bed.emulator.snapshot()["lostCredits"], json!([]));
}

#[tokio::test]
async fn apply_shopper_is_judged_by_what_it_would_attach_now_not_by_what_it_would_have_attached() {
    let bed = Testbed::new().policy(trusting()).start().await;
    let stage = Stage::through_weir(&bed);
    let shopper = stage.shopper().await;
    let alipay = save(&shopper, &bed.primary("alipay").await).await;
    let card = save(&shopper, &bed.card().await).await;
    let default = |option: &str| {
        (format!("{OPTIONS}/{option}"), json!({ "paymentOption": { "isDefault": "true" } }))
    };
    attach(&shopper, &stage.credit(40.0).await).await;
    let (path, body) = default(&alipay);
    shopper.ok(&path, body).await;
    assert_eq!(
        shopper.post(APPLY_SHOPPER, Value::Null).await.verdict(),
        ("rejected", Some("primary-pairing"))
    );
    // Behind Weir's back.
    let direct = shopper.to(&bed.upstream);
    let (path, body) = default(&card);
    direct.ok(&path, body).await;
    shopper.ok(APPLY_SHOPPER, Value::Null).await;
    let id = text_of(&shopper.get(CART).await.json()["cart"]["id"]);
    assert_eq!(bed.attached(Kind::Cart, &id).len(), 2);
}
