//! No submitted cart loses store credit: by whatever road the credit came behind the primary, it is
//! seen at the attach or at the submit.

use crate::testbed::{
    APPLY, Adjusted, Ask, CART, Caller, Denial, FailingReads, Fault, FaultKind, FreshFor, Kind,
    Landing, Mode, Policy, Quirks, Reply, RuleId, SUBMIT, Testbed, Toggle, cases, defaults,
    doubting, method, on_a_runtime, text_of,
};
use proptest::prelude::*;
use serde_json::Value;
use weir::internals::sessions::now;

const RESUME: &str = "/v1/shoppers/me/carts/active/resume-cart";

/// Both rules about the order of sources do this.
fn both(toggle: Toggle) -> Policy {
    defaults()
        .with_rule(RuleId::PrimaryBeforeSecondary, toggle)
        .with_rule(RuleId::LostCredit, toggle)
}

/// A shopper with a cart over 100, a card, and a credit of 40 that Weir has not seen.
struct Scene {
    bed: Testbed,
    shopper: Caller,
    cart: String,
    card: String,
    credit: String,
    /// Stands behind every path.
    query: String,
}

impl Scene {
    async fn of(policy: Policy) -> Self {
        let bed = Testbed::new().policy(policy).start().await;
        let shopper = bed.shopper(100.0).await;
        let cart = text_of(&shopper.get(CART).await.json()["cart"]["id"]);
        let (card, credit) = (bed.card().await, bed.upstream.credit(40.0).await);
        Self { bed, shopper, cart, card, credit, query: String::new() }
    }

    /// The same scene, with the shopper's token in the query.
    async fn with_token_in_query(self) -> Self {
        let token = self.bed.upstream.token("grant_type=anonymous&client_id=pk_acme").await;
        let query = format!("?token={token}");
        let shopper = Caller::new(self.bed.weir.address()).with("accept", "application/json");
        let line = format!("{CART}{query}&productId=p&quantity=1&price=100");
        let cart = text_of(&shopper.post(&line, Value::Null).await.json()["cart"]["id"]);
        Self { shopper, cart, query, ..self }
    }

    fn quirks(&self, quirks: Quirks) {
        self.bed.emulator.set_quirks(quirks);
    }

    async fn apply(&self, source: &str) -> Reply {
        self.shopper.post(&format!("{APPLY}{}", self.query), method(source)).await
    }

    async fn submit(&self) -> Reply {
        self.shopper.post(&format!("{SUBMIT}{}", self.query), Value::Null).await
    }

    /// The same shopper, calling the vendor itself.
    fn past(&self) -> Caller {
        self.shopper.to(&self.bed.upstream)
    }

    /// Attaches card and credit past Weir, in the wrong order.
    async fn spoil(&self) {
        for source in [&self.card, &self.credit] {
            assert_eq!(self.past().post(APPLY, method(source)).await.status, 200);
        }
    }

    fn lost(&self) -> usize {
        self.bed.emulator.snapshot()["lostCredits"].as_array().map_or(0, Vec::len)
    }

    fn attached(&self) -> Vec<&str> {
        let name = |id: String| if id == self.card { "card" } else { "credit" };
        self.bed.attached(Kind::Cart, &self.cart).into_iter().map(name).collect()
    }

    /// The refusal says which credit, and what to do. Doing it makes the cart an order.
    async fn does_what_the_refusal_says(&self, refusal: &Reply) {
        assert_eq!(refusal.found(), (409, ("rejected", Some("lost-credit"))), "{}", refusal.text());
        let error = &refusal.json()["errors"]["error"][0];
        assert_eq!(
            (error["code"].as_str(), error["subcode"].as_str()),
            (Some("submit-cart-failed"), Some("lost-credit"))
        );
        let told = error["description"].as_str().unwrap_or_default();
        assert!(told.contains(&self.credit) && told.contains("attach it again"), "{told}");
        let off = Ask::delete(format!("{APPLY}{}", self.query), method(&self.card));
        assert_eq!(self.shopper.ask(&off).await.status, 204);
        assert_eq!(self.apply(&self.card).await.status, 200);
        let submitted = self.submit().await;
        assert_eq!((submitted.found(), self.lost()), ((200, ("forwarded", None)), 0));
    }
}

fn denied() -> Quirks {
    Quirks { deny_shopper_reads: Some(Denial::Forbidden), ..Quirks::default() }
}

fn failing(status: u16) -> Quirks {
    let reads = FailingReads { status, left: None };
    Quirks { failing_reads: Some(reads), ..Quirks::default() }
}

/// Kind: a credential that is not where a source is read with it. Weir has no key of its own.
#[tokio::test]
async fn a_token_in_the_query_opens_sources_as_a_header_where_upstream_lets_it() {
    for is_denied in [false, true] {
        let scene = Scene::of(both(Toggle::Reject)).await.with_token_in_query().await;
        assert_eq!(scene.apply(&scene.card).await.status, 200);
        if is_denied {
            scene.quirks(denied());
        }
        scene.bed.emulator.clear_calls();
        let late = scene.apply(&scene.credit).await;
        let expected = match is_denied {
            false => (409, ("rejected", Some("primary-before-secondary"))),
            // The answer tells.
            true => (200, ("monitored", Some("primary-before-secondary"))),
        };
        assert_eq!(late.found(), expected, "{}", late.text());
        let calls = scene.bed.emulator.calls();
        let path = format!("/sources/{}", scene.credit);
        let asked: Vec<_> = calls.iter().filter(|call| call.target.starts_with(&path)).collect();
        assert_eq!(asked.len(), 1, "once, and without the query");
        assert_eq!(asked[0].target, path);
    }
}

/// Kind: a fact about a source that cannot be read (A1).
#[tokio::test]
async fn where_sources_cannot_be_read_the_answer_to_the_attach_and_the_submit_tell() {
    for in_query in [false, true] {
        for (toggle, attached, submitted, lost) in [
            (Toggle::Reject, (200, ("monitored", Some("primary-before-secondary"))), None, 0),
            (
                Toggle::Reorder,
                (200, ("reordered", Some("primary-before-secondary"))),
                Some((200, ("forwarded", None))),
                0,
            ),
            (
                Toggle::Monitor,
                (200, ("monitored", Some("primary-before-secondary"))),
                Some((200, ("monitored", Some("lost-credit")))),
                1,
            ),
        ] {
            let mut scene = Scene::of(both(toggle)).await;
            scene.quirks(denied());
            if in_query {
                scene = scene.with_token_in_query().await;
            }
            assert_eq!(scene.apply(&scene.card).await.found(), (200, ("forwarded", None)));
            assert_eq!(scene.apply(&scene.credit).await.found(), attached, "{toggle:?}");
            if toggle == Toggle::Reorder {
                assert_eq!(scene.attached(), ["credit", "card"]);
            }
            let answer = scene.submit().await;
            match submitted {
                Some(expected) => assert_eq!(answer.found(), expected, "{toggle:?}"),
                None => scene.does_what_the_refusal_says(&answer).await,
            }
            assert_eq!(scene.lost(), lost, "{toggle:?}");
        }
    }
}

/// Kind: a look-up that fails (A2, A3).
#[tokio::test]
async fn where_the_cart_cannot_be_read_what_was_seen_of_it_last_tells() {
    for status in [403, 429, 503] {
        for toggle in [Toggle::Reject, Toggle::Reorder] {
            let policy = both(toggle).with_fresh_for(FreshFor::Within(std::time::Duration::ZERO));
            let scene = Scene::of(policy).await;
            assert_eq!(scene.apply(&scene.card).await.status, 200);
            match status {
                403 => {
                    let refused = Fault::always("GET", "/v1/*", FaultKind::FailBefore(status));
                    scene.bed.emulator.faults().add(refused);
                }
                _ => scene.quirks(failing(status)),
            }
            let attached = scene.apply(&scene.credit).await;
            let rule = Some("primary-before-secondary");
            let submitted = scene.submit().await;
            match toggle {
                Toggle::Reorder => {
                    assert_eq!(attached.found(), (200, ("reordered", rule)), "{status}");
                    // No repair begins on a doubt while upstream asks for a pause.
                    let expected = if status == 429 { 503 } else { 200 };
                    assert_eq!(submitted.status, expected, "{status}: {}", submitted.text());
                }
                _ => {
                    assert_eq!(attached.found(), (200, ("monitored", rule)), "{status}");
                    scene.does_what_the_refusal_says(&submitted).await;
                }
            }
            assert_eq!(scene.lost(), 0, "{status} {toggle:?}");
        }
    }
}

/// Kind: a look that shows more than what was known already, however young that is.
#[tokio::test]
async fn what_a_shopper_is_shown_under_another_token_counts_against_what_was_known_before() {
    let looks: [fn() -> Ask; 2] = [|| Ask::get(CART), || Ask::post(SUBMIT, Value::Null)];
    for look in looks {
        let bed = Testbed::new().policy(defaults()).start().await;
        let grant = "grant_type=password&client_id=pk_acme&username=ann";
        let (first, second) = (bed.upstream.token(grant).await, bed.upstream.token(grant).await);
        let (shopper, again) = (bed.weir.with_token(&first), bed.weir.with_token(&second));
        shopper.ok(&format!("{CART}?productId=p&quantity=1&price=100"), Value::Null).await;
        assert_eq!(shopper.post(APPLY, method(&bed.card().await)).await.status, 200);
        let past = shopper.to(&bed.upstream);
        let credit = bed.upstream.credit(40.0).await;
        assert_eq!(past.post(APPLY, method(&credit)).await.status, 200);
        // What was known is older than the look, by the clock that dates it.
        tokio::time::sleep(std::time::Duration::from_millis(2)).await;
        again.ask(&look()).await;
        let submitted = shopper.post(SUBMIT, Value::Null).await;
        assert_eq!(submitted.found(), (409, ("rejected", Some("lost-credit"))));
        assert_eq!(bed.emulator.snapshot()["lostCredits"], serde_json::json!([]));
    }
}

/// Kind: figures of two moments, which tell nothing; a look shows those of one.
#[tokio::test]
async fn figures_that_no_longer_fit_together_are_looked_at_before_the_submit() {
    let others = [
        (Ask::get(format!("{CART}?fields=paymentSession")), 200),
        (Ask::delete(APPLY, method("another")), 204),
    ];
    for (other, status) in others {
        for (toggle, found) in [
            (Toggle::Reject, (409, ("rejected", Some("lost-credit")))),
            (Toggle::Reorder, (200, ("reordered", Some("lost-credit")))),
        ] {
            let scene = Scene::of(both(toggle).with_fresh_for(FreshFor::Forever)).await;
            scene.quirks(Quirks { lenient_removals: true, ..Quirks::default() });
            scene.spoil().await;
            assert_eq!(scene.shopper.get(CART).await.status, 200);
            // The next answer is younger, by the clock that dates them.
            next_moment().await;
            assert_eq!(scene.shopper.ask(&other).await.status, status);
            let submitted = scene.submit().await;
            assert_eq!(submitted.found(), found, "{}", submitted.text());
            assert_eq!(scene.lost(), 0);
        }
    }
}

/// Kind: a source that the cart does not name, so that the list of sources is not known. What each
/// method pays is shown all the same.
#[tokio::test]
async fn a_cart_that_does_not_name_its_primary_is_judged_by_its_figures() {
    for toggle in [Toggle::Reject, Toggle::Reorder] {
        let scene = Scene::of(both(toggle).with_fresh_for(FreshFor::Forever)).await;
        scene.quirks(Quirks { nameless_primaries: true, ..Quirks::default() });
        assert_eq!(scene.shopper.get(CART).await.status, 200);
        assert_eq!(scene.past().post(APPLY, method(&scene.card)).await.status, 200);
        next_moment().await;
        // Which primary stands cannot be seen, but the answer shows that it pays for all.
        let attached = scene.apply(&scene.credit).await;
        let reported = (200, ("monitored", Some("primary-before-secondary")));
        assert_eq!(attached.found(), reported, "{}", attached.text());
        let submitted = scene.submit().await;
        assert_eq!(submitted.found(), (409, ("rejected", Some("lost-credit"))));
        assert_eq!(scene.lost(), 0);
        let error = &submitted.json()["errors"]["error"][0];
        let told = error["description"].as_str().unwrap_or_default();
        assert!(told.contains("Remove the primary, apply it again"), "{told}");
        let off = Ask::delete(APPLY, method(&scene.card));
        assert_eq!(scene.shopper.ask(&off).await.status, 204);
        assert_eq!(scene.apply(&scene.card).await.status, 200);
        let submitted = scene.submit().await;
        assert_eq!((submitted.found(), scene.lost()), ((200, ("forwarded", None)), 0));
    }
}

/// Kind: an order of attachment that Weir saw, and that was put right where it did not see it.
#[tokio::test]
async fn a_cart_that_was_put_right_past_weir_is_submitted() {
    let policy = both(Toggle::Reject)
        .with_rule(RuleId::PrimaryBeforeSecondary, Toggle::Monitor)
        .with_fresh_for(FreshFor::Within(std::time::Duration::ZERO));
    let scene = Scene::of(policy).await;
    for source in [&scene.card, &scene.credit] {
        assert_eq!(scene.apply(source).await.status, 200);
    }
    let refused = (409, ("rejected", Some("lost-credit")));
    assert_eq!(scene.submit().await.found(), refused);
    let off = Ask::delete(APPLY, method(&scene.card));
    assert_eq!(scene.past().ask(&off).await.status, 204);
    assert_eq!(scene.past().post(APPLY, method(&scene.card)).await.status, 200);
    let submitted = scene.submit().await;
    assert_eq!(submitted.found(), (200, ("forwarded", None)), "{}", submitted.text());
    assert_eq!(scene.lost(), 0);
}

/// Kind: a call about another cart than the one that Weir knows.
#[tokio::test]
async fn a_cart_that_is_named_by_its_number_is_not_judged_by_the_active_one() {
    for toggle in [Toggle::Reject, Toggle::Reorder] {
        let scene = Scene::of(both(toggle)).await;
        scene.spoil().await;
        for call in ["submit-cart", "resume-cart"] {
            let path = format!("/v1/shoppers/me/carts/{}/{call}", scene.cart);
            let answer = scene.shopper.post(&path, Value::Null).await;
            let ambiguous = (400, ("rejected", Some("ambiguous-request")));
            assert_eq!(answer.found(), ambiguous, "{}", answer.text());
        }
        assert_eq!((scene.attached(), scene.lost()), (vec!["card", "credit"], 0));
    }
}

/// A shopper under two tokens, with a cart over 100 and a card that was attached under the first;
/// and a credit of 40. Nothing is known yet of the second token.
struct Twice {
    bed: Testbed,
    first: Caller,
    second: Caller,
    card: String,
    credit: String,
}

impl Twice {
    async fn of(policy: Policy) -> Self {
        let bed = Testbed::new().policy(policy).start().await;
        let grant = "grant_type=password&client_id=pk_acme&username=ann";
        let (first, second) = (bed.upstream.token(grant).await, bed.upstream.token(grant).await);
        let (first, second) = (bed.weir.with_token(&first), bed.weir.with_token(&second));
        first.ok(&format!("{CART}?productId=p&quantity=1&price=100"), Value::Null).await;
        let (card, credit) = (bed.card().await, bed.upstream.credit(40.0).await);
        assert_eq!(first.post(APPLY, method(&card)).await.status, 200);
        Self { bed, first, second, card, credit }
    }

    /// Reads of the cart fail from now on: so many of them, or all.
    fn cannot_be_read(&self, left: Option<u32>) {
        let failing_reads = Some(FailingReads { status: 503, left });
        self.bed.emulator.set_quirks(Quirks { failing_reads, ..Quirks::default() });
    }

    /// Attaches the credit; upstream does it, and the answer is lost.
    async fn credit_in_no_known_way(&self, by: &Caller) {
        let fault = Fault::once("POST", APPLY, FaultKind::ResetAfter);
        self.bed.emulator.faults().add(fault);
        assert_eq!(by.post(APPLY, method(&self.credit)).await.status, 502);
    }

    fn lost(&self) -> usize {
        self.bed.emulator.snapshot()["lostCredits"].as_array().map_or(0, Vec::len)
    }
}

/// Lets what was learned be older than what comes, by the clock that dates it.
async fn next_moment() {
    let before = now();
    while now() == before {
        tokio::task::yield_now().await;
    }
}

fn never_fresh() -> Policy {
    defaults()
        .with_rule(RuleId::PrimaryBeforeSecondary, Toggle::Monitor)
        .with_fresh_for(FreshFor::Within(std::time::Duration::ZERO))
}

/// Kind: a call whose cart was known only from its answer, and that overlapped with no other.
#[tokio::test]
async fn a_call_whose_answer_first_told_its_cart_leaves_the_order_known() {
    let scene = Twice::of(never_fresh()).await;
    assert_eq!(scene.first.post(APPLY, method(&scene.credit)).await.status, 200);
    next_moment().await;
    scene.cannot_be_read(Some(1));
    assert_eq!(scene.second.post(APPLY, method(&scene.card)).await.status, 200);
    scene.cannot_be_read(None);
    let submitted = scene.first.post(SUBMIT, Value::Null).await;
    assert_eq!(submitted.found(), (409, ("rejected", Some("lost-credit"))));
    assert_eq!(scene.lost(), 0);
}

/// Kind: a look that came after a call of no known end.
#[tokio::test]
async fn a_look_that_shows_a_cart_in_doubt_counts_where_the_next_one_fails() {
    for policy in [never_fresh(), never_fresh().with_fresh_for(FreshFor::Forever)] {
        let scene = Twice::of(policy).await;
        scene.credit_in_no_known_way(&scene.first).await;
        next_moment().await;
        let fault = Fault::once("GET", "/v1/*", FaultKind::FailBefore(503)).from_nth(2);
        scene.bed.emulator.faults().add(fault.times(9));
        let submitted = scene.second.post(SUBMIT, Value::Null).await;
        assert_eq!(submitted.found(), (409, ("rejected", Some("lost-credit"))));
        assert_eq!(scene.lost(), 0);
    }
}

/// Kind: credit that may stand behind a primary, in a cart that cannot be looked at.
#[tokio::test]
async fn a_submit_with_credit_in_doubt_is_marked_by_reject_and_never_lost_by_reorder() {
    for (toggle, under_second, status) in [
        (Toggle::Reject, false, 200),
        (Toggle::Reject, true, 200),
        // The primary is attached again.
        (Toggle::Reorder, false, 200),
        // Which sources stand is not known.
        (Toggle::Reorder, true, 503),
    ] {
        let scene = Twice::of(never_fresh().with_rule(RuleId::LostCredit, toggle)).await;
        scene.cannot_be_read(None);
        let by = if under_second { &scene.second } else { &scene.first };
        scene.credit_in_no_known_way(by).await;
        let submitted = scene.first.post(SUBMIT, Value::Null).await;
        assert_eq!(submitted.status, status, "{toggle} {under_second}: {}", submitted.text());
        let unjudged = submitted.header("weir-unjudged").unwrap_or_default();
        let is_reject = toggle == Toggle::Reject;
        assert_eq!(unjudged.contains("lost-credit"), is_reject, "{unjudged}");
        assert_eq!(scene.lost(), usize::from(is_reject));
    }
}

/// Kind: a change that no record could take up, because no answer told which cart it was.
#[tokio::test]
async fn facts_from_before_a_change_of_an_untold_cart_are_not_rested_on() {
    let scene = Twice::of(never_fresh().with_fresh_for(FreshFor::Forever)).await;
    scene.cannot_be_read(Some(1));
    scene.credit_in_no_known_way(&scene.second).await;
    next_moment().await;
    let submitted = scene.first.post(SUBMIT, Value::Null).await;
    assert_eq!(submitted.found(), (409, ("rejected", Some("lost-credit"))));
    assert_eq!(scene.lost(), 0);
}

/// Kind: a cart that came to hold its sources past Weir, or before Weir began (A5, A6).
#[tokio::test]
async fn a_cart_that_was_spoilt_past_weir_is_seen_at_the_submit_by_its_figures() {
    for call in [SUBMIT, RESUME] {
        for cold in [false, true] {
            for (toggle, found, lost) in [
                (Toggle::Reject, (409, ("rejected", Some("lost-credit"))), 0),
                (Toggle::Reorder, (200, ("reordered", Some("lost-credit"))), 0),
                (Toggle::Monitor, (200, ("monitored", Some("lost-credit"))), 1),
                (Toggle::Off, (200, ("forwarded", None)), 1),
            ] {
                let policy =
                    both(toggle).with_fresh_for(FreshFor::Within(std::time::Duration::ZERO));
                let mut scene = Scene::of(policy).await;
                scene.spoil().await;
                if cold {
                    scene.bed.forget().await;
                    scene.shopper = scene.shopper.to(&scene.bed.weir);
                }
                let answer = scene.shopper.post(call, Value::Null).await;
                assert_eq!(answer.found(), found, "{call} {cold} {toggle:?}: {}", answer.text());
                assert_eq!(scene.lost(), lost, "{call} {cold} {toggle:?}");
                if toggle == Toggle::Reject {
                    scene.does_what_the_refusal_says(&answer).await;
                }
            }
        }
    }
}

/// Under `mode = "monitor"` nothing is refused or moved, and both calls are reported (A6).
#[tokio::test]
async fn monitor_reports_the_attach_and_the_submit() {
    let scene = Scene::of(both(Toggle::Reorder).with_mode(Mode::Monitor)).await;
    scene.quirks(denied());
    assert_eq!(scene.apply(&scene.card).await.found(), (200, ("forwarded", None)));
    let rule = Some("primary-before-secondary");
    assert_eq!(scene.apply(&scene.credit).await.found(), (200, ("monitored", rule)));
    assert_eq!(scene.attached(), ["card", "credit"]);
    assert_eq!(scene.submit().await.found(), (200, ("monitored", Some("lost-credit"))));
}

/// Kind: credit that takes effect after its attach was answered, or in no known way (A4).
#[tokio::test]
async fn credit_that_lands_after_a_repair_is_caught_at_the_submit() {
    for (lost_credit, found) in [
        (Toggle::Reject, (409, ("rejected", Some("lost-credit")))),
        (Toggle::Reorder, (200, ("reordered", Some("lost-credit")))),
    ] {
        for times_out in [false, true] {
            let policy = both(Toggle::Reorder)
                .with_rule(RuleId::LostCredit, lost_credit)
                .with_fresh_for(FreshFor::Forever);
            let scene = Scene::of(policy).await;
            assert_eq!(scene.apply(&scene.card).await.status, 200);
            let late = Quirks { late_credit: Some(Landing::WhenTold), ..Quirks::default() };
            scene.quirks(late);
            if times_out {
                let fault = Fault::once("POST", APPLY, FaultKind::ResetAfter);
                scene.bed.emulator.faults().add(fault);
            }
            let repaired = scene.apply(&scene.credit).await;
            assert_eq!(repaired.status, if times_out { 502 } else { 200 }, "{}", repaired.text());
            assert_eq!(scene.attached(), ["card"], "the cart is not left without its primary");
            let off = format!("DELETE {APPLY}");
            let detached = scene
                .bed
                .emulator
                .calls()
                .iter()
                .filter(|call| format!("{} {}", call.method, call.target) == off)
                .count();
            assert_eq!(detached, if times_out { 2 } else { 1 }, "the credit was detached, too");
            assert!(scene.bed.emulator.land(&scene.credit));
            assert_eq!(scene.attached(), ["card", "credit"]);
            let submitted = scene.submit().await;
            assert_eq!(submitted.found(), found, "{}", submitted.text());
            assert_eq!(scene.lost(), 0);
        }
    }
}

/// Kind: a repair on a doubt, of a cart that may be right.
#[tokio::test]
async fn a_cart_that_may_be_in_order_is_not_taken_apart_while_upstream_asks_for_a_pause() {
    let fresh_for = FreshFor::Within(std::time::Duration::ZERO);
    let scene = Scene::of(both(Toggle::Reorder).with_fresh_for(fresh_for)).await;
    for source in [&scene.credit, &scene.card] {
        assert_eq!(scene.past().post(APPLY, method(source)).await.status, 200);
    }
    assert_eq!(scene.shopper.get(CART).await.status, 200);
    for (method, path) in [("GET", CART), ("POST", APPLY)] {
        let pause = Fault::always(method, path, FaultKind::TooManyRequests(60));
        scene.bed.emulator.faults().add(pause);
    }
    let told = scene.submit().await;
    assert_eq!(told.status, 503, "{}", told.text());
    assert!(told.header("retry-after").is_some());
    assert_eq!((scene.attached(), scene.bed.stranded()), (vec!["credit", "card"], 0));
    assert_eq!(scene.bed.times_done("DELETE", APPLY), 0);
}

/// Nothing is submitted where the primary could not be put last, and the answer says why.
#[tokio::test]
async fn a_repair_that_cannot_be_finished_at_the_submit_says_so() {
    for (fault, status) in [
        (Fault::once("DELETE", APPLY, FaultKind::FailBefore(409)), 409),
        (Fault::once("DELETE", APPLY, FaultKind::TooManyRequests(1)), 429),
        (Fault::once("POST", APPLY, FaultKind::FailBefore(409)).times(2), 502),
    ] {
        let scene = Scene::of(
            both(Toggle::Reorder).with_fresh_for(FreshFor::Within(std::time::Duration::ZERO)),
        )
        .await;
        scene.spoil().await;
        scene.bed.emulator.faults().add(fault);
        let answer = scene.submit().await;
        assert_eq!(
            (answer.found(), scene.lost()),
            ((status, ("failed", Some("lost-credit"))), 0),
            "{}",
            answer.text()
        );
        assert_eq!(scene.bed.times_done("POST", SUBMIT), 0, "nothing was submitted");
        let stranded = usize::from(status == 502);
        assert_eq!(scene.bed.stranded(), stranded as u64);
        scene.bed.emulator.faults().clear();
        if status != 429 {
            let again = scene.submit().await;
            assert_eq!((again.status.as_u16(), scene.lost()), (200, 0), "{}", again.text());
        }
    }
}

/// Whatever fails: under `reorder` no submitted cart loses credit; nor under `reject`, where Weir
/// saw the attach or the cart's own figures tell.
#[tokio::test]
async fn no_submitted_cart_loses_credit_whatever_fails() {
    let kinds = [
        FaultKind::FailBefore(500),
        FaultKind::FailAfter(500),
        FaultKind::ResetBefore,
        FaultKind::ResetAfter,
        FaultKind::TooManyRequests(1),
        FaultKind::CutBody,
        FaultKind::Garbage,
        FaultKind::FailBefore(409),
    ];
    let mut submitted = 0;
    for toggle in [Toggle::Reject, Toggle::Reorder] {
        for base in [defaults(), doubting()] {
            for kind in &kinds {
                for nth in 1..=10 {
                    let policy = base
                        .clone()
                        .with_rule(RuleId::PrimaryBeforeSecondary, toggle)
                        .with_rule(RuleId::LostCredit, toggle);
                    let scene = Scene::of(policy).await;
                    // Half of them with sources that cannot be read.
                    if nth % 2 == 0 {
                        scene.quirks(denied());
                    }
                    let fault = Fault { method: None, ..Fault::once("GET", "/v1/*", kind.clone()) };
                    scene.bed.emulator.faults().add(fault.from_nth(nth));
                    for source in [&scene.card, &scene.credit, &scene.credit] {
                        scene.apply(source).await;
                    }
                    for _ in 0..3 {
                        if scene.submit().await.status == 200 {
                            submitted += 1;
                            break;
                        }
                    }
                    assert_eq!(scene.lost(), 0, "{toggle:?} {kind:?} {nth}");
                    assert_eq!(scene.bed.emulator.overlaps(), 0);
                }
            }
        }
    }
    assert!(submitted > 100, "{submitted}");
}

/// What a shopper does with a card and a credit.
#[derive(Clone, Copy, Debug)]
enum Op {
    Card,
    Credit,
    TakeOffCard,
    TakeOffCredit,
    TakeOffAll,
    Read,
    Submit,
    Resume,
}

/// One call, whether it goes past Weir, and what goes wrong with which of the calls from it on.
#[derive(Clone, Debug)]
struct Turn {
    op: Op,
    past: bool,
    fault: Option<(usize, u64)>,
}

fn turn(past: bool, faults: bool) -> impl Strategy<Value = Turn> {
    use Op::*;
    let op = prop_oneof![
        4 => Just(Card),
        6 => Just(Credit),
        1 => Just(TakeOffCard),
        1 => Just(TakeOffCredit),
        1 => Just(TakeOffAll),
        1 => Just(Read),
        3 => Just(Submit),
        1 => Just(Resume),
    ];
    let fault = prop::option::of((0..KINDS.len(), 1..4_u64));
    (op, any::<bool>(), fault).prop_map(move |(op, is_past, fault)| Turn {
        op,
        past: past && is_past && !matches!(op, Submit | Resume),
        fault: fault.filter(|_| faults),
    })
}

const KINDS: [FaultKind; 4] = [
    FaultKind::FailBefore(503),
    FaultKind::FailAfter(500),
    FaultKind::Garbage,
    FaultKind::FailBefore(409),
];

/// Makes the calls; no order must have lost a credit.
async fn shop(policy: Policy, quirks: Quirks, turns: Vec<Turn>) -> Result<(), TestCaseError> {
    let bed = Testbed::new().policy(policy).in_process();
    bed.emulator.set_quirks(quirks);
    let token = bed.upstream.token("grant_type=anonymous&client_id=pk_acme").await;
    let (card, credit) = (bed.card().await, bed.upstream.credit(40.0).await);
    let filled = Ask::post(format!("{CART}?productId=p&quantity=1&price=100"), Value::Null);
    bed.upstream.ask(&filled.shopper(&token)).await;
    for Turn { op, past, fault } in turns {
        if let Some((kind, nth)) = fault {
            let fault = Fault { method: None, ..Fault::once("GET", "/v1/*", KINDS[kind].clone()) };
            bed.emulator.faults().add(fault.from_nth(nth));
        }
        let ask = match op {
            Op::Card => Ask::post(APPLY, method(&card)),
            Op::Credit => Ask::post(APPLY, method(&credit)),
            Op::TakeOffCard => Ask::delete(APPLY, method(&card)),
            Op::TakeOffCredit => Ask::delete(APPLY, method(&credit)),
            Op::TakeOffAll => Ask::delete(format!("{CART}/payment"), Value::Null),
            Op::Read => Ask::get(CART),
            Op::Submit => Ask::post(SUBMIT, Value::Null),
            Op::Resume => Ask::post(RESUME, Value::Null),
        };
        let to = if past { &bed.upstream } else { &bed.weir };
        to.ask(&ask.shopper(&token)).await;
        let lost = bed.emulator.snapshot()["lostCredits"].clone();
        prop_assert_eq!(lost, serde_json::json!([]));
    }
    Ok(())
}

fn quirks() -> impl Strategy<Value = Quirks> {
    any::<(bool, bool, bool)>().prop_map(|(denied, lenient_removals, nameless_primaries)| Quirks {
        deny_shopper_reads: denied.then_some(Denial::Forbidden),
        lenient_removals,
        nameless_primaries,
        ..Quirks::default()
    })
}

proptest! {
    #![proptest_config(cases(400))]

    #[test]
    fn no_credit_is_lost_that_was_attached_past_weir(
        quirks in quirks(),
        turns in prop::collection::vec(turn(true, false), 1..12),
        reorders in any::<bool>(),
    ) {
        let toggle = if reorders { Toggle::Reorder } else { Toggle::Reject };
        let policy = doubting()
            .with_rule(RuleId::PrimaryBeforeSecondary, toggle)
            .with_rule(RuleId::LostCredit, toggle);
        on_a_runtime(shop(policy, quirks, turns))?;
    }

    #[test]
    fn under_reorder_no_credit_is_lost_however_many_calls_fail(
        quirks in quirks(),
        turns in prop::collection::vec(turn(false, true), 1..12),
        doubts in any::<bool>(),
    ) {
        let base = if doubts { doubting() } else { defaults() };
        let policy = base
            .with_rule(RuleId::PrimaryBeforeSecondary, Toggle::Reorder)
            .with_rule(RuleId::LostCredit, Toggle::Reorder);
        on_a_runtime(shop(policy, quirks, turns))?;
    }
}
