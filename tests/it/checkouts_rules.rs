//! Every rule of the checkouts table, in every form of its call, under every toggle, warm and cold,
//! beside what the vendor itself says.

use crate::testbed::{
    Adjusted, Ask, Caller, FreshFor, Mode, PUBLIC, Reply, RuleId, Testbed, Toggle, doubting, items,
    only, thorough,
};
use http::Method;
use serde_json::{Value, json};
use std::time::Duration;

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

/// How a source is attached.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum By {
    Path,
    Body,
    /// By the body, in the shape of an older version of the API.
    OldBody,
}

impl By {
    fn attach(self, session: &str, source: &str) -> Ask {
        match self {
            Self::Path => Ask::attach(session, source),
            Self::Body => Ask::attach_in_body(session, source),
            Self::OldBody => old(Ask::attach_in_body(session, source)),
        }
    }
}

/// Which kind of session.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum On {
    Checkout,
    Invoice,
}

/// What a source is, before it is attached or saved.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Sort {
    Credit,
    PayPal,
    /// A card that waits for its shopper.
    Pending,
    /// A card that was removed from its customer.
    Removed,
}

/// Which member a credit is created without.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Member {
    Amount,
    Type,
    Object,
}

/// A source that may not be attached any more.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Spent {
    Detached(On, By),
    DetachedInACreate,
    DetachedCredit,
    Replaced,
    Consumed,
    Failed,
    Removed,
}

/// What a checkout holds that cannot be ordered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Content {
    Nothing,
    TooLittleCredit,
    SavedCardAndNoCustomer,
    SavedCardOfAnother,
}

/// What came before a `creditAmount`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Earlier {
    CreditAmount,
    CreditAmountOfTheCreate,
    Card,
}

/// A call that breaks a rule, and all that comes before it.
#[derive(Clone, Debug)]
enum Scene {
    CreditAfterCard(On, By),
    CreditAfterCardOfTheCreate,
    AttachOf(Spent),
    TooLargeACredit(f64, On, By),
    TooLargeWithTheCreditBefore,
    TooLargeBesideASavedCard,
    TrustlyAfterCredit(By),
    CreditAfterASavedIdeal,
    SecondCard(By),
    Save(Sort),
    OrderOf(Content),
    DefaultThatIsNotSaved,
    DefaultThatIsAnothers,
    CreditWithout(Member),
    CreditAmountAfter(Earlier),
    CreditOnAnOptimizedInvoice(By),
    CreditWithAnOwner,
    EditOfACredit(Method),
}

struct Case {
    rule: RuleId,
    scene: Scene,
    vendor: Vendor,
    status: u16,
    code: &'static str,
}

const NOT_ALLOWED: &str = "session_update_not_allowed";
const SPENT: &str = "source_status_invalid_for_session";
const TOO_LARGE: &str = "session_source_amount_too_large";
const UNSUPPORTED: &str = "source_not_supported";
const MISSING: &str = "missing_parameter";

/// The scenes of each rule, with the vendor's part, the status and the code of the refusal.
fn cases() -> Vec<Case> {
    use By::{Body, OldBody, Path};
    use On::{Checkout, Invoice};
    use RuleId as Rule;
    use Scene::*;
    let rows = [
        (
            Rule::SecondaryAfterSingleUsePrimary,
            (Same, 409, NOT_ALLOWED),
            vec![
                CreditAfterCard(Checkout, Path),
                CreditAfterCard(Checkout, Body),
                CreditAfterCard(Invoice, Path),
                CreditAfterCard(Invoice, Body),
                CreditAfterCardOfTheCreate,
                CreditAfterCard(Checkout, OldBody),
            ],
        ),
        (
            Rule::SpentSource,
            (Same, 409, SPENT),
            vec![
                AttachOf(Spent::Detached(Checkout, Path)),
                AttachOf(Spent::Detached(Checkout, Body)),
                AttachOf(Spent::DetachedInACreate),
                AttachOf(Spent::DetachedCredit),
                AttachOf(Spent::Detached(Invoice, Path)),
                AttachOf(Spent::Replaced),
                AttachOf(Spent::Consumed),
                AttachOf(Spent::Failed),
                AttachOf(Spent::Removed),
            ],
        ),
        (
            Rule::AmountExceedsTotal,
            (Same, 409, TOO_LARGE),
            vec![
                TooLargeACredit(100.5, Checkout, Path),
                TooLargeACredit(101.0, Checkout, Body),
                TooLargeACredit(101.0, Invoice, Path),
                TooLargeWithTheCreditBefore,
                TooLargeBesideASavedCard,
                TooLargeACredit(100.01, Checkout, Path),
            ],
        ),
        (
            Rule::PrimaryPairing,
            (SameCode, 409, UNSUPPORTED),
            vec![TrustlyAfterCredit(Path), TrustlyAfterCredit(Body), CreditAfterASavedIdeal],
        ),
        (
            Rule::SecondPrimary,
            (Accepts, 409, NOT_ALLOWED),
            vec![SecondCard(Path), SecondCard(Body)],
        ),
        (
            Rule::SaveNonreusable,
            (Same, 409, "nonreusable_source"),
            vec![Save(Sort::Credit), Save(Sort::PayPal)],
        ),
        (
            Rule::SaveNotChargeable,
            (Same, 409, "source_not_chargeable"),
            vec![Save(Sort::Pending), Save(Sort::Removed)],
        ),
        (
            Rule::ForeignSavedSource,
            (Same, 409, "source_in_use"),
            vec![OrderOf(Content::SavedCardAndNoCustomer), OrderOf(Content::SavedCardOfAnother)],
        ),
        (
            Rule::UnderfundedOrder,
            (Same, 400, "order_submit_failed"),
            vec![OrderOf(Content::Nothing), OrderOf(Content::TooLittleCredit)],
        ),
        (
            Rule::DefaultSourceNotSaved,
            (SameCode, 409, "invalid_parameter"),
            vec![DefaultThatIsNotSaved, DefaultThatIsAnothers],
        ),
        (
            Rule::SecondarySourceShape,
            (SameCode, 400, MISSING),
            vec![
                CreditWithout(Member::Amount),
                CreditWithout(Member::Type),
                CreditWithout(Member::Object),
            ],
        ),
        (
            Rule::CreditAmountRepeated,
            (Same, 409, "creditAmount_already_updated"),
            vec![
                CreditAmountAfter(Earlier::CreditAmount),
                CreditAmountAfter(Earlier::CreditAmountOfTheCreate),
            ],
        ),
        (
            Rule::CreditAmountAfterSingleUsePrimary,
            (Same, 409, UNSUPPORTED),
            vec![CreditAmountAfter(Earlier::Card)],
        ),
        (
            Rule::InvoiceBillingOptimization,
            (SameCode, 409, UNSUPPORTED),
            vec![CreditOnAnOptimizedInvoice(Path), CreditOnAnOptimizedInvoice(Body)],
        ),
        (Rule::SecondarySourceOwner, (Accepts, 400, "invalid_parameter"), vec![CreditWithAnOwner]),
        (
            Rule::SecondaryAmountEdit,
            (SameCode, 409, NOT_ALLOWED),
            [Method::POST, Method::PUT, Method::PATCH].map(EditOfACredit).to_vec(),
        ),
    ];
    let case = |(rule, (vendor, status, code), scenes): (_, _, Vec<Scene>)| {
        scenes.into_iter().map(move |scene| Case { rule, scene, vendor, status, code })
    };
    rows.into_iter().flat_map(case).collect()
}

/// The call in the shape of an older version of the API.
fn old(ask: Ask) -> Ask {
    ask.with("digitalriver-version", "2020-12-17")
}

/// The call as the vendor's own examples send it.
async fn send(ask: &Ask, caller: &Caller) -> Reply {
    caller.with("content-type", "text/plain").ask(ask).await
}

/// Sets scenes: everything goes through Weir, or all of it past Weir.
struct Stage<'a> {
    bed: &'a Testbed,
    caller: Caller,
}

impl<'a> Stage<'a> {
    fn through_weir(bed: &'a Testbed) -> Self {
        Self { bed, caller: bed.weir.with("content-type", "text/plain") }
    }

    fn past_weir(bed: &'a Testbed) -> Self {
        Self { bed, caller: bed.upstream.with("content-type", "text/plain") }
    }

    async fn session(&self, on: On) -> String {
        match on {
            On::Checkout => self.checkout().await,
            On::Invoice => self.caller.invoice(false).await,
        }
    }

    async fn checkout(&self) -> String {
        format!("/checkouts/{}", self.caller.checkout(100.0).await)
    }

    async fn primary(&self, kind: &str) -> String {
        self.bed.primary(kind).await
    }

    async fn card(&self) -> String {
        self.bed.card().await
    }

    async fn credit(&self, amount: f64) -> String {
        self.caller.credit(amount).await
    }

    async fn attached(&self, session: &str, source: &str) {
        self.caller.done(&Ask::attach(session, source)).await;
    }

    async fn detached(&self, session: &str, source: &str) {
        self.caller.done(&Ask::detach(session, source)).await;
    }

    /// Creates a source and saves it to the customer.
    async fn saved(&self, customer: &str, kind: &str) -> String {
        let source = self.primary(kind).await;
        self.attached(customer, &source).await;
        source
    }

    /// Does all that comes before; returns the call that breaks the rule.
    async fn set(&self, scene: &Scene) -> Ask {
        match scene {
            Scene::CreditAfterCard(on, by) => {
                let session = self.session(*on).await;
                let (card, credit) = (self.card().await, self.credit(20.0).await);
                // Each kind of session once in each form.
                match on {
                    On::Checkout => self.attached(&session, &card).await,
                    On::Invoice => {
                        self.caller.done(&Ask::attach_in_body(&session, &card)).await;
                    }
                }
                by.attach(&session, &credit)
            }
            Scene::CreditAfterCardOfTheCreate => {
                let (card, credit) = (self.card().await, self.credit(20.0).await);
                let session = self.created_with("sourceId", json!(card)).await;
                Ask::attach(&session, &credit)
            }
            Scene::SecondCard(by) => {
                let session = self.checkout().await;
                self.attached(&session, &self.card().await).await;
                by.attach(&session, &self.card().await)
            }
            Scene::TrustlyAfterCredit(by) => {
                let session = self.checkout().await;
                self.attached(&session, &self.credit(20.0).await).await;
                by.attach(&session, &self.primary("trustly").await)
            }
            Scene::CreditAfterASavedIdeal => {
                let (session, customer) = (self.checkout().await, self.caller.customer().await);
                self.attached(&session, &self.saved(&customer, "ideal").await).await;
                Ask::attach(&session, &self.credit(20.0).await)
            }
            Scene::CreditOnAnOptimizedInvoice(by) => {
                by.attach(&self.caller.invoice(true).await, &self.credit(20.0).await)
            }
            Scene::AttachOf(spent) => self.spent(*spent).await,
            Scene::TooLargeACredit(amount, on, by) => {
                by.attach(&self.session(*on).await, &self.credit(*amount).await)
            }
            Scene::TooLargeWithTheCreditBefore => {
                let session = self.checkout().await;
                self.attached(&session, &self.credit(60.0).await).await;
                Ask::attach(&session, &self.credit(40.01).await)
            }
            Scene::TooLargeBesideASavedCard => {
                let (session, customer) = (self.checkout().await, self.caller.customer().await);
                self.attached(&session, &self.saved(&customer, "creditCard").await).await;
                self.attached(&session, &self.credit(60.0).await).await;
                Ask::attach(&session, &self.credit(40.01).await)
            }
            Scene::Save(sort) => {
                let customer = self.caller.customer().await;
                let source = match sort {
                    Sort::Credit => self.credit(20.0).await,
                    Sort::PayPal => self.primary("payPal").await,
                    Sort::Pending => self.bed.upstream.magic("redirect").await,
                    Sort::Removed => self.removed(&customer).await,
                };
                Ask::attach(&customer, &source)
            }
            Scene::OrderOf(content) => self.order(*content).await,
            Scene::DefaultThatIsNotSaved => {
                let customer = self.caller.customer().await;
                Ask::post(customer, json!({ "defaultSourceId": self.card().await }))
            }
            Scene::DefaultThatIsAnothers => {
                let (one, other) = (self.caller.customer().await, self.caller.customer().await);
                let source = self.saved(&other, "creditCard").await;
                self.saved(&one, "creditCard").await;
                Ask::post(one, json!({ "defaultSourceId": source }))
            }
            Scene::CreditAmountAfter(earlier) => self.credit_amount(*earlier).await,
            Scene::CreditWithout(member) => {
                let mut body =
                    json!({ "type": "customerCredit", "amount": 5, "customerCredit": {} });
                let member = match member {
                    Member::Amount => "amount",
                    Member::Type => "type",
                    Member::Object => "customerCredit",
                };
                body.as_object_mut().expect("an object").remove(member);
                Ask::post("/sources", body)
            }
            Scene::CreditWithAnOwner => {
                let owner = json!({ "firstName": "A", "lastName": "B" });
                Ask::post(
                    "/sources",
                    json!({ "type": "customerCredit", "amount": 5, "customerCredit": {}, "owner": owner }),
                )
            }
            Scene::EditOfACredit(method) => {
                let path = format!("/sources/{}", self.credit(20.0).await);
                Ask::new(method.clone(), path, json!({ "amount": 21 }))
            }
        }
    }

    /// Creates a checkout with one more member in the body; returns its path.
    async fn created_with(&self, member: &str, value: Value) -> String {
        let mut body = items(100.0);
        body[member] = value;
        format!("/checkouts/{}", self.caller.ok("/checkouts", body).await.id())
    }

    /// Creates a card that is saved to the customer and removed again.
    async fn removed(&self, customer: &str) -> String {
        let card = self.saved(customer, "creditCard").await;
        self.detached(customer, &card).await;
        card
    }

    /// Attaches a source that may not be attached any more.
    async fn spent(&self, spent: Spent) -> Ask {
        match spent {
            Spent::Detached(on, by) => {
                let session = self.session(on).await;
                by.attach(&session, &self.detached_card(&session).await)
            }
            Spent::DetachedInACreate => {
                let card = self.detached_card(&self.checkout().await).await;
                let mut body = items(10.0);
                body["sourceId"] = json!(card);
                Ask::post("/checkouts", body)
            }
            Spent::DetachedCredit => {
                let (session, credit) = (self.checkout().await, self.credit(20.0).await);
                self.attached(&session, &credit).await;
                self.detached(&session, &credit).await;
                Ask::attach(&session, &credit)
            }
            Spent::Replaced => {
                let session = self.checkout().await;
                let (one, other) = (self.card().await, self.primary("payPal").await);
                self.attached(&session, &one).await;
                self.attached(&session, &other).await;
                Ask::attach(&self.checkout().await, &one)
            }
            Spent::Consumed => {
                let (session, card) = (self.checkout().await, self.card().await);
                self.attached(&session, &card).await;
                self.caller.done(&Ask::order(&session)).await;
                Ask::attach(&self.checkout().await, &card)
            }
            Spent::Failed => {
                Ask::attach(&self.checkout().await, &self.bed.upstream.magic("failed").await)
            }
            Spent::Removed => {
                let card = self.removed(&self.caller.customer().await).await;
                Ask::attach(&self.checkout().await, &card)
            }
        }
    }

    async fn detached_card(&self, session: &str) -> String {
        let card = self.card().await;
        self.attached(session, &card).await;
        self.detached(session, &card).await;
        card
    }

    async fn order(&self, content: Content) -> Ask {
        let session = match content {
            Content::Nothing => self.checkout().await,
            Content::TooLittleCredit => {
                let session = self.checkout().await;
                self.attached(&session, &self.credit(99.99).await).await;
                session
            }
            Content::SavedCardAndNoCustomer | Content::SavedCardOfAnother => {
                let card = self.saved(&self.caller.customer().await, "creditCard").await;
                let session = self.checkout().await;
                if content == Content::SavedCardOfAnother {
                    let other = self.caller.customer().await;
                    let id = other.trim_start_matches("/customers/");
                    self.caller.ok(&session, json!({ "customerId": id })).await;
                }
                self.attached(&session, &card).await;
                session
            }
        };
        Ask::order(&session)
    }

    async fn credit_amount(&self, earlier: Earlier) -> Ask {
        let ask =
            |session: &str, amount: u32| old(Ask::post(session, json!({ "creditAmount": amount })));
        let session = match earlier {
            Earlier::CreditAmount => {
                let session = self.checkout().await;
                self.caller.done(&ask(&session, 5)).await;
                session
            }
            Earlier::CreditAmountOfTheCreate => {
                let mut body = items(100.0);
                body["creditAmount"] = json!(5);
                let created = self.caller.done(&old(Ask::post("/checkouts", body))).await;
                format!("/checkouts/{}", created.id())
            }
            Earlier::Card => {
                let session = self.checkout().await;
                let card = self.card().await;
                self.caller.done(&By::OldBody.attach(&session, &card)).await;
                session
            }
        };
        ask(&session, 6)
    }
}

/// The caller is refused as the vendor would, and nothing is sent.
async fn refused(case: &Case, bed: &Testbed, ask: &Ask, how: &str) {
    let at = format!("{:?} {how}", case.scene);
    let before = bed.mutations();
    let reply = send(ask, &bed.weir).await;
    assert_eq!(bed.mutations(), before, "{at}: it was sent");
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
    let vendor = send(ask, &bed.upstream).await;
    match case.vendor {
        Accepts => assert!(vendor.status.is_success(), "{at}: {}", vendor.text()),
        Same | SameCode => {
            let mut expected = vendor.json();
            if case.vendor == SameCode {
                expected["errors"][0]["message"] = told["errors"][0]["message"].clone();
            }
            assert_eq!(
                (reply.status, told, reply.media()),
                (vendor.status, expected, vendor.media()),
                "{at}"
            );
        }
    }
}

#[tokio::test]
async fn each_broken_rule_is_refused_with_the_vendors_answer_and_never_sent() {
    for case in &cases() {
        let policy = thorough().with_rule(case.rule, Toggle::Reject);
        let bed = Testbed::new().policy(policy).start().await;
        let ask = Stage::through_weir(&bed).set(&case.scene).await;
        refused(case, &bed, &ask, "warm").await;
    }
}

#[tokio::test]
async fn each_broken_rule_is_refused_just_so_by_a_weir_that_remembers_nothing() {
    for case in &cases() {
        let policy = thorough().with_rule(case.rule, Toggle::Reject);
        let mut bed = Testbed::new().policy(policy.clone()).start().await;
        let ask = Stage::through_weir(&bed).set(&case.scene).await;
        bed.cold(policy).await;
        refused(case, &bed, &ask, "cold").await;
    }
}

#[tokio::test]
async fn each_broken_rule_is_refused_just_so_where_no_fact_stays_fresh_or_all_do() {
    for case in &cases() {
        for fresh_for in [FreshFor::Within(Duration::ZERO), FreshFor::Forever] {
            let policy = thorough().with_fresh_for(fresh_for).with_rule(case.rule, Toggle::Reject);
            let bed = Testbed::new().policy(policy).start().await;
            let ask = Stage::through_weir(&bed).set(&case.scene).await;
            refused(case, &bed, &ask, &format!("{fresh_for:?}")).await;
        }
    }
}

/// The scene set past Weir, in a world of its own: what the vendor says when nobody stands between.
async fn beside(scene: &Scene) -> Reply {
    let bed = Testbed::new().start().await;
    let ask = Stage::past_weir(&bed).set(scene).await;
    send(&ask, &bed.upstream).await
}

#[tokio::test]
async fn a_monitored_rule_forwards_says_so_and_changes_no_byte() {
    for case in &cases() {
        let direct = beside(&case.scene).await;
        let by_mode = only(case.rule, Toggle::Monitor).with_mode(Mode::Monitor);
        for policy in [only(case.rule, Toggle::Monitor), by_mode] {
            let bed = Testbed::new().policy(policy).start().await;
            let ask = Stage::through_weir(&bed).set(&case.scene).await;
            let before = bed.mutations();
            let reply = send(&ask, &bed.weir).await;
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

#[tokio::test]
async fn a_rule_that_is_off_forwards_without_a_word() {
    for case in &cases() {
        let direct = beside(&case.scene).await;
        let bed = Testbed::new().policy(only(case.rule, Toggle::Off)).start().await;
        let ask = Stage::through_weir(&bed).set(&case.scene).await;
        let reply = send(&ask, &bed.weir).await;
        assert_eq!(reply.verdict(), ("forwarded", None), "{:?}", case.scene);
        assert_eq!((reply.status, &reply.body), (direct.status, &direct.body), "{:?}", case.scene);
    }
}

#[tokio::test]
async fn with_the_mode_off_an_answer_bears_no_mark_of_weir() {
    for case in cases().iter().step_by(5) {
        let direct = beside(&case.scene).await;
        let bed = Testbed::new().policy(thorough().with_mode(Mode::Off)).start().await;
        let ask = Stage::through_weir(&bed).set(&case.scene).await;
        let reply = send(&ask, &bed.weir).await;
        assert_eq!(
            (reply.header("weir-decision"), reply.header("weir-rule")),
            (None, None),
            "{:?}",
            case.scene
        );
        assert_eq!((reply.status, &reply.body), (direct.status, &direct.body), "{:?}", case.scene);
    }
}

#[tokio::test]
async fn strip_takes_the_owner_out_and_nothing_else() {
    let bed =
        Testbed::new().policy(only(RuleId::SecondarySourceOwner, Toggle::Strip)).start().await;
    let ask = Stage::through_weir(&bed).set(&Scene::CreditWithAnOwner).await;
    let reply = send(&ask, &bed.weir).await;
    assert_eq!(
        (reply.status.as_u16(), reply.verdict()),
        (201, ("forwarded", Some("secondary-source-owner"))),
        "{:?}",
        reply.text()
    );
    let kept = bed.upstream.get(&format!("/sources/{}", reply.id())).await.json();
    assert_eq!(
        (&kept["owner"], &kept["amount"], &kept["type"]),
        (&Value::Null, &json!(5.0), &json!("customerCredit"))
    );
    // A primary's owner is none of its business.
    let owner = json!({ "type": "creditCard", "creditCard": {}, "owner": { "lastName": "B" } });
    let card = bed.weir.key(PUBLIC).post("/sources", owner).await;
    assert_eq!(
        (card.json()["owner"]["lastName"].as_str(), card.verdict()),
        (Some("B"), ("forwarded", None))
    );
}

/// What the rules must let pass: calls that stand next to a broken rule.
#[tokio::test]
async fn what_the_vendor_takes_passes_in_every_attach_form() {
    let bed = Testbed::new().policy(doubting()).start().await;
    let stage = Stage::through_weir(&bed);
    let caller = &stage.caller;
    // Store credit beside a saved card, in any order and up to the last cent.
    let customer = caller.customer().await;
    let (session, card) = (stage.checkout().await, stage.saved(&customer, "creditCard").await);
    let id = customer.trim_start_matches("/customers/");
    caller.ok(&session, json!({ "customerId": id })).await;
    stage.attached(&session, &card).await;
    stage.attached(&session, &stage.credit(60.0).await).await;
    caller.done(&Ask::attach_in_body(&session, &stage.credit(40.0).await)).await;
    stage.attached(&session, &card).await;
    caller.done(&Ask::order(&session)).await;
    // Credits alone.
    let session = stage.checkout().await;
    stage.attached(&session, &stage.credit(99.99).await).await;
    stage.attached(&session, &stage.credit(0.01).await).await;
    caller.done(&Ask::order(&session)).await;
    // Credit and card, each in a body; the create attaches the credit.
    let session = stage.created_with("sourceId", json!(stage.credit(100.0).await)).await;
    caller.done(&Ask::attach_in_body(&session, &stage.card().await)).await;
    // The old shape: credit and card in one call; the credit comes first.
    let session = stage.checkout().await;
    let both = json!({ "creditAmount": 5, "sourceId": stage.card().await });
    caller.done(&old(Ask::post(session.clone(), both))).await;
    caller.done(&Ask::order(&session)).await;
    // A total that grows in the same call makes room for the credit.
    let session = stage.checkout().await;
    let mut body = items(500.0);
    body["sourceId"] = json!(stage.credit(400.0).await);
    caller.ok(&session, body).await;
    // An invoice whose optimization ends in the same call.
    let session = caller.invoice(true).await;
    let credit = stage.credit(20.0).await;
    caller.ok(&session, json!({ "billingOptimization": false, "sourceId": credit })).await;
    assert_eq!(bed.refused_upstream(), []);
}
