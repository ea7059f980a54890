//! The remedies, with something going wrong at every step: what the caller is told, what is
//! attached afterwards, and what Weir remembers.
//!
//! The tables read: step: the caller's status, what upstream has attached in order, whether the
//! record can be relied on, the note of the remedy if it is still there: the faults at that step
//! that end so.

use crate::house::{CART, Caller, House, Reply, method, start_weir};
use serde_json::{Value, json};
use weir::dialects::{carts, checkouts};
use weir::{
    GovernSettings, Governor,
    emulator::{Fault, FaultKind, Gate, Kind},
    rules::{Pending, Policy, RuleId, SessionKey, SessionRecord, Toggle},
    sessions::{Sessions, Settings},
};

const APPLY: &str = "/v1/shoppers/me/carts/active/apply-payment-method";
const APPLY_SHOPPER: &str = "/v1/shoppers/me/carts/active/apply-shopper";

fn reorder() -> Policy {
    let mut policy = weir::dialects::policy();
    policy.set(RuleId::PrimaryBeforeSecondary, Toggle::Reorder);
    policy.set(RuleId::SecondPrimary, Toggle::Reorder);
    policy
}

/// Everything that can go wrong with one call.
fn every_fault() -> Vec<(&'static str, FaultKind)> {
    vec![
        ("fails before", FaultKind::FailBefore(500)),
        ("fails after", FaultKind::FailAfter(500)),
        ("reset before", FaultKind::ResetBefore),
        ("reset after", FaultKind::ResetAfter),
        ("slow down", FaultKind::TooManyRequests(1)),
        ("cut", FaultKind::CutBody),
        ("garbage", FaultKind::Garbage),
        ("wrong length", FaultKind::WrongLength(10)),
        ("redirect", FaultKind::Redirect("/elsewhere".to_owned())),
        ("refused", FaultKind::FailBefore(409)),
    ]
}

/// A session that holds something, and a house around it.
struct Scene {
    house: House,
    /// Who calls: a shopper for a cart, the merchant for a checkout.
    caller: Caller,
    key: SessionKey,
    /// Names for ids.
    named: Vec<(String, &'static str)>,
}

impl Scene {
    /// A cart that holds a card; beside it another card, which is saved, and a credit.
    async fn cart() -> Self {
        let house = House::new(reorder()).await;
        let caller = house.shopper(100.0).await;
        let named = vec![
            (house.card().await, "card"),
            (house.card().await, "other"),
            (house.credit(40.0).await, "credit"),
        ];
        let cart = caller.get(CART).await.json()["cart"]["id"].to_string();
        let scene = Self { house, caller, key: SessionKey::new(carts::CART, cart.as_str()), named };
        let save = json!({ "paymentOption": { "sourceId": scene.id("other") } });
        assert_eq!(scene.caller.post("/v1/shoppers/me/payment-options", save).await.status, 201);
        assert_eq!(scene.apply("card").await.status, 200);
        scene
    }

    fn id(&self, name: &str) -> &str {
        self.named
            .iter()
            .find(|(_, known)| *known == name)
            .map(|(id, _)| id.as_str())
            .expect("a source of that name")
    }

    async fn apply(&self, name: &str) -> Reply {
        self.caller.post(APPLY, method(self.id(name))).await
    }

    async fn record(&self) -> SessionRecord {
        self.house
            .governor
            .sessions()
            .session(&self.key)
            .await
            .expect("a store")
            .unwrap_or_default()
    }

    /// What upstream has attached, in order.
    fn attached(&self) -> Vec<&'static str> {
        let kind = if self.key.kind == carts::CART { Kind::Cart } else { Kind::Checkout };
        let ids = self.house.attached(kind, self.key.id.as_str());
        ids.iter()
            .map(|id| {
                self.named.iter().find(|(known, _)| known == id).map_or("?", |(_, name)| *name)
            })
            .collect()
    }

    /// Status, attached, and what Weir remembers of the session.
    async fn line(&self, reply: &Reply) -> String {
        let record = self.record().await;
        let unsure = if record.unsure || record.in_flight { "unsure" } else { "sure" };
        let note = match record.pending.as_deref() {
            None => "",
            Some(Pending::Repair { .. }) => ", note",
            Some(Pending::Deferred { sending: false, .. }) => ", deferred",
            Some(Pending::Deferred { sending: true, .. }) => ", sending",
        };
        let attached = self.attached();
        let attached = if attached.is_empty() { "nothing".to_owned() } else { attached.join("+") };
        format!("{} {attached}, {unsure}{note}", reply.status.as_u16())
    }

    /// A cart is never worse than it was found, unless the caller was told so and what is attached
    /// now.
    fn is_no_worse(&self, reply: &Reply, found: &[&'static str], wanted: &[&'static str]) {
        let now = self.attached();
        let stranded = self.house.governor.stranded();
        if now == found || now == wanted {
            assert_eq!(stranded, 0);
            return;
        }
        assert_eq!((reply.status.as_u16(), stranded), (502, 1), "{now:?}: {}", reply.text());
        let error = &reply.json()["errors"]["error"][0];
        assert_eq!(error["code"], "repair_incomplete");
        let told = error["description"].as_str().unwrap_or_default();
        let expected = match now.as_slice() {
            [] => "nothing is attached to the cart now".to_owned(),
            names => {
                format!(
                    "attached to the cart now: {}",
                    names.iter().map(|name| self.id(name)).collect::<Vec<_>>().join(", ")
                )
            }
        };
        assert!(told.contains(&expected) || told.contains("cannot be seen"), "{told}");
    }
}

/// The `nth` call of this method and path from now on, and so many after it.
fn strike(scene: &Scene, (method, path, nth, times): (&str, &str, u64, u64), kind: FaultKind) {
    scene.house.emulator.faults().add(Fault::once(method, path, kind).from_nth(nth).times(times));
}

type Place = (&'static str, &'static str, u64, u64);

/// A table of one call under every fault at each of these places; `also` goes wrong besides.
async fn table(
    wanted: &'static str,
    also: &[(Place, FaultKind)],
    places: &[(&str, Place)],
) -> String {
    let mut lines: Vec<(String, Vec<&str>)> = Vec::new();
    for (step, place) in places {
        for (name, kind) in every_fault() {
            let scene = Scene::cart().await;
            strike(&scene, *place, kind);
            for (place, kind) in also {
                strike(&scene, *place, kind.clone());
            }
            let (reply, goal) = match wanted {
                "credit" => (scene.apply("credit").await, vec!["credit", "card"]),
                "other" => (scene.apply("other").await, vec!["other"]),
                _ => (scene.caller.post(APPLY_SHOPPER, Value::Null).await, vec!["other"]),
            };
            let line = scene.line(&reply).await;
            scene.is_no_worse(&reply, &["card"], &goal);
            assert_eq!(scene.house.emulator.overlaps(), 0);
            let (success, reached, unsure) =
                (reply.status == 200, scene.attached() == goal, line.contains("unsure"));
            assert!(
                success == reached || (reached && unsure),
                "success and the goal are one, as far as can be seen: {line}"
            );
            let line = format!("{step}: {line}");
            match lines.iter_mut().find(|(known, _)| *known == line) {
                Some((_, names)) => names.push(name),
                None => lines.push((line, vec![name])),
            }
        }
    }
    lines
        .iter()
        .map(|(line, names)| format!("{line}: {}", names.join(", ")))
        .collect::<Vec<_>>()
        .join("\n")
}

fn same(found: &str, expected: &str) {
    let trimmed = |text: &str| {
        text.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join("\n")
    };
    assert_eq!(trimmed(found), trimmed(expected), "\n{found}");
}

#[tokio::test]
async fn repair_with_one_fault_at_each_step() {
    let places = [
        ("detach", ("DELETE", APPLY, 1, 1)),
        ("attach credit", ("POST", APPLY, 1, 1)),
        ("attach again", ("POST", APPLY, 2, 1)),
    ];
    same(&table("credit", &[], &places).await, "
        detach: 500 card, sure: fails before
        detach: 200 credit+card, sure: fails after, reset after, cut, wrong length
        detach: 502 card, sure: reset before
        detach: 429 card, sure: slow down
        detach: 200 credit+card, unsure: garbage
        detach: 302 card, sure: redirect
        detach: 409 card, sure: refused
        attach credit: 500 card, sure: fails before
        attach credit: 200 credit+card, sure: fails after, reset after, cut, wrong length
        attach credit: 502 card, sure: reset before
        attach credit: 429 card, sure: slow down
        attach credit: 200 credit+card, unsure: garbage
        attach credit: 302 card, sure: redirect
        attach credit: 409 card, sure: refused
        attach again: 200 credit+card, sure: fails before, fails after, reset before, reset after, slow down, cut, wrong length, redirect, refused
        attach again: 200 credit+card, unsure: garbage
    ");
}

#[tokio::test]
async fn repair_where_a_step_fails_and_the_cart_cannot_be_seen() {
    let places = [
        ("detach", ("DELETE", APPLY, 1, 1)),
        ("attach credit", ("POST", APPLY, 1, 1)),
        ("attach again", ("POST", APPLY, 2, 1)),
    ];
    same(&table("credit", &[(("GET", CART, 1, 99), FaultKind::FailBefore(503))], &places).await, "
        detach: 500 card, unsure: fails before, fails after
        detach: 502 card, unsure: reset before, reset after
        detach: 429 card, sure: slow down
        detach: 200 credit+card, sure: cut, wrong length
        detach: 200 credit+card, unsure: garbage
        detach: 302 card, unsure: redirect
        detach: 409 card, sure: refused
        attach credit: 500 card, unsure: fails before
        attach credit: 500 credit+card, unsure: fails after
        attach credit: 502 card, unsure: reset before
        attach credit: 502 credit+card, unsure: reset after, cut, wrong length
        attach credit: 429 card, sure: slow down
        attach credit: 200 credit+card, unsure: garbage
        attach credit: 302 card, unsure: redirect
        attach credit: 409 card, sure: refused
        attach again: 200 credit+card, unsure: fails before, fails after, reset before, reset after, cut, garbage, wrong length, redirect
        attach again: 200 credit+card, sure: slow down, refused
    ");
}

#[tokio::test]
async fn repair_where_the_credit_is_refused_and_putting_back_fails_too() {
    let places =
        [("put back once", ("POST", APPLY, 2, 1)), ("put back twice", ("POST", APPLY, 2, 2))];
    same(&table("credit", &[(("POST", APPLY, 1, 1), FaultKind::FailBefore(409))], &places).await, "
        put back once: 409 card, sure: fails before, fails after, reset before, reset after, slow down, cut, wrong length, redirect, refused
        put back once: 409 card, unsure: garbage
        put back twice: 502 nothing, unsure, note: fails before, reset before, slow down, redirect, refused
        put back twice: 409 card, sure: fails after, reset after, cut, wrong length
        put back twice: 409 card, unsure: garbage
    ");
}

#[tokio::test]
async fn repair_where_attaching_again_fails_twice_and_putting_back_too() {
    let places = [
        ("again twice", ("POST", APPLY, 2, 2)),
        ("again 3 times", ("POST", APPLY, 2, 3)),
        ("again 4 times", ("POST", APPLY, 2, 4)),
    ];
    same(
        &table("credit", &[], &places).await,
        "
        again twice: 500 card, sure: fails before
        again twice: 200 credit+card, sure: fails after, reset after, cut, wrong length
        again twice: 502 card, sure: reset before
        again twice: 429 card, sure: slow down
        again twice: 200 credit+card, unsure: garbage
        again twice: 302 card, sure: redirect
        again twice: 409 card, sure: refused
        again 3 times: 500 card, sure: fails before
        again 3 times: 200 credit+card, sure: fails after, reset after, cut, wrong length
        again 3 times: 502 card, sure: reset before
        again 3 times: 429 card, sure: slow down
        again 3 times: 200 credit+card, unsure: garbage
        again 3 times: 302 card, sure: redirect
        again 3 times: 409 card, sure: refused
        again 4 times: 502 nothing, unsure, note: fails before, reset before, slow down, redirect, refused
        again 4 times: 200 credit+card, sure: fails after, reset after, cut, wrong length
        again 4 times: 200 credit+card, unsure: garbage
    ",
    );
}

#[tokio::test]
async fn repair_where_attaching_again_fails_and_the_credit_cannot_be_taken_off() {
    let places = [("again twice", ("POST", APPLY, 2, 2)), ("again 4 times", ("POST", APPLY, 2, 4))];
    same(&table("credit", &[(("DELETE", APPLY, 2, 1), FaultKind::FailBefore(500))], &places).await, "
        again twice: 200 credit+card, sure: fails before, fails after, reset before, reset after, slow down, cut, wrong length, redirect, refused
        again twice: 200 credit+card, unsure: garbage
        again 4 times: 502 credit, unsure, note: fails before, reset before, slow down, redirect, refused
        again 4 times: 200 credit+card, sure: fails after, reset after, cut, wrong length
        again 4 times: 200 credit+card, unsure: garbage
    ");
}

#[tokio::test]
async fn repair_where_attaching_again_fails_and_taking_the_credit_off_ends_in_no_known_way() {
    let places = [("again twice", ("POST", APPLY, 2, 2)), ("again 4 times", ("POST", APPLY, 2, 4))];
    same(
        &table("credit", &[(("DELETE", APPLY, 2, 1), FaultKind::ResetAfter)], &places).await,
        "
        again twice: 500 card, sure: fails before
        again twice: 200 credit+card, sure: fails after, reset after, cut, wrong length
        again twice: 502 card, sure: reset before
        again twice: 429 card, sure: slow down
        again twice: 200 credit+card, unsure: garbage
        again twice: 302 card, sure: redirect
        again twice: 409 card, sure: refused
        again 4 times: 502 nothing, unsure, note: fails before, reset before, slow down, redirect, refused
        again 4 times: 200 credit+card, sure: fails after, reset after, cut, wrong length
        again 4 times: 200 credit+card, unsure: garbage
    ",
    );
}

#[tokio::test]
async fn replace_with_one_fault_at_each_step() {
    let places = [("detach", ("DELETE", APPLY, 1, 1)), ("attach other", ("POST", APPLY, 1, 1))];
    same(
        &table("other", &[], &places).await,
        "
        detach: 500 card, sure: fails before
        detach: 200 other, sure: fails after, reset after, cut, wrong length
        detach: 502 card, sure: reset before
        detach: 429 card, sure: slow down
        detach: 200 other, unsure: garbage
        detach: 302 card, sure: redirect
        detach: 409 card, sure: refused
        attach other: 500 card, sure: fails before
        attach other: 200 other, sure: fails after, reset after, cut, wrong length
        attach other: 502 card, sure: reset before
        attach other: 429 card, sure: slow down
        attach other: 200 other, unsure: garbage
        attach other: 302 card, sure: redirect
        attach other: 409 card, sure: refused
    ",
    );
}

#[tokio::test]
async fn replace_by_a_payment_option_with_one_fault_at_each_step() {
    let places =
        [("detach", ("DELETE", APPLY, 1, 1)), ("apply shopper", ("POST", APPLY_SHOPPER, 1, 1))];
    same(
        &table("option", &[], &places).await,
        "
        detach: 500 card, sure: fails before
        detach: 200 other, sure: fails after, reset after, cut, garbage, wrong length
        detach: 502 card, sure: reset before
        detach: 429 card, sure: slow down
        detach: 302 card, sure: redirect
        detach: 409 card, sure: refused
        apply shopper: 500 card, sure: fails before
        apply shopper: 200 other, sure: fails after, reset after, cut, garbage, wrong length
        apply shopper: 502 card, sure: reset before
        apply shopper: 429 card, sure: slow down
        apply shopper: 302 card, sure: redirect
        apply shopper: 409 card, sure: refused
    ",
    );
}

#[tokio::test]
async fn replace_where_the_other_is_refused_and_putting_back_fails_too() {
    let places =
        [("put back once", ("POST", APPLY, 2, 1)), ("put back twice", ("POST", APPLY, 2, 2))];
    same(&table("other", &[(("POST", APPLY, 1, 1), FaultKind::FailBefore(409))], &places).await, "
        put back once: 409 card, sure: fails before, fails after, reset before, reset after, slow down, cut, wrong length, redirect, refused
        put back once: 409 card, unsure: garbage
        put back twice: 502 nothing, unsure, note: fails before, reset before, slow down, redirect, refused
        put back twice: 409 card, sure: fails after, reset after, cut, wrong length
        put back twice: 409 card, unsure: garbage
    ");
}

/// Weir in a runtime of its own, so that it can be killed between any two steps.
struct Doomed {
    runtime: tokio::runtime::Runtime,
    weir: Caller,
}

impl Doomed {
    async fn of(scene: &Scene) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime");
        let start = start_weir(scene.house.governor.clone(), scene.house.upstream.address);
        let (address, running) = runtime.spawn(start).await.expect("an address");
        // It is killed, not shut down.
        std::mem::forget(running);
        Self { runtime, weir: scene.caller.at(address) }
    }

    /// Makes the call, waits until it is at the gate, kills Weir, and lets upstream finish what it
    /// was doing.
    async fn dies_at(
        self,
        gate: &Gate,
        scene: &Scene,
        call: impl Future<Output = Reply> + Send + 'static,
    ) {
        let calling = tokio::spawn(call);
        gate.arrived().await;
        calling.abort();
        tokio::task::spawn_blocking(move || {
            self.runtime.shutdown_timeout(std::time::Duration::from_secs(5))
        })
        .await
        .expect("killed");
        gate.open();
        while scene.house.emulator.calls().iter().any(|call| call.ended.is_none()) {
            tokio::task::yield_now().await;
        }
        scene.house.emulator.faults().clear();
    }
}

/// Kills Weir at each step of a repair, before or after upstream has done it, and makes `next` the
/// first call to the Weir that comes after.
async fn interrupted(keeps_its_store: bool, next: &str) -> String {
    let mut lines = Vec::new();
    for (step, place) in [
        ("detach", ("DELETE", APPLY, 1, 1)),
        ("attach credit", ("POST", APPLY, 1, 1)),
        ("attach again", ("POST", APPLY, 2, 1)),
    ] {
        for done in [false, true] {
            let mut scene = Scene::cart().await;
            let gate = Gate::new();
            if done {
                strike(&scene, place, FaultKind::HoldAfter(gate.clone()));
            } else {
                strike(&scene, place, FaultKind::HoldBefore(gate.clone()));
                strike(&scene, place, FaultKind::FailBefore(500));
            }
            let doomed = Doomed::of(&scene).await;
            let (caller, body) = (doomed.weir.clone(), method(scene.id("credit")));
            doomed.dies_at(&gate, &scene, async move { caller.post(APPLY, body).await }).await;
            let left = scene.attached().join("+");
            let sessions = if keeps_its_store {
                scene.house.governor.sessions().clone()
            } else {
                Sessions::in_memory(Settings::default())
            };
            scene
                .house
                .restart(Governor::new(reorder(), sessions, GovernSettings::default()))
                .await;
            scene.caller = scene.caller.to(&scene.house.weir);
            let reply = match next {
                "credit" => scene.apply("credit").await,
                "read" => scene.caller.get(CART).await,
                _ => scene.caller.post(&format!("{CART}/submit-cart"), Value::Null).await,
            };
            let line = scene.line(&reply).await;
            assert_eq!(scene.house.emulator.snapshot()["lostCredits"], json!([]));
            assert_eq!(scene.house.emulator.overlaps(), 0);
            assert_eq!(scene.house.governor.sessions().turns_open(), 0);
            lines.push(format!("{step} {}, {left}: {line}", if done { "done" } else { "lost" }));
        }
    }
    lines.join("\n")
}

#[tokio::test]
async fn an_interrupted_repair_is_finished_by_the_same_call_where_the_store_outlives_weir() {
    same(
        &interrupted(true, "credit").await,
        "
        detach lost, card: 200 credit+card, sure
        detach done, : 200 credit+card, sure
        attach credit lost, : 200 credit+card, sure
        attach credit done, credit: 200 credit+card, sure
        attach again lost, credit: 200 credit+card, sure
        attach again done, credit+card: 200 credit+card, sure
    ",
    );
}

#[tokio::test]
async fn an_interrupted_repair_is_undone_before_an_order_where_the_store_outlives_weir() {
    same(
        &interrupted(true, "order").await,
        "
        detach lost, card: 200 card, sure
        detach done, : 200 card, sure
        attach credit lost, : 200 card, sure
        attach credit done, credit: 200 credit+card, sure
        attach again lost, credit: 200 credit+card, sure
        attach again done, credit+card: 200 credit+card, sure
    ",
    );
}

#[tokio::test]
async fn an_interrupted_repair_is_undone_before_a_read_where_the_store_outlives_weir() {
    same(
        &interrupted(true, "read").await,
        "
        detach lost, card: 200 card, sure
        detach done, : 200 card, sure
        attach credit lost, : 200 card, sure
        attach credit done, credit: 200 credit+card, sure
        attach again lost, credit: 200 credit+card, sure
        attach again done, credit+card: 200 credit+card, sure
    ",
    );
}

#[tokio::test]
async fn after_an_interrupted_repair_weir_tells_the_truth_where_nothing_is_remembered() {
    same(
        &interrupted(false, "credit").await,
        "
        detach lost, card: 200 credit+card, sure
        detach done, : 200 credit, sure
        attach credit lost, : 200 credit, sure
        attach credit done, credit: 200 credit, sure
        attach again lost, credit: 200 credit, sure
        attach again done, credit+card: 200 credit+card, sure
    ",
    );
}

#[tokio::test]
async fn after_an_interrupted_repair_an_order_is_judged_by_the_truth_where_nothing_is_remembered() {
    same(
        &interrupted(false, "order").await,
        "
        detach lost, card: 200 card, sure
        detach done, : 409 nothing, sure
        attach credit lost, : 409 nothing, sure
        attach credit done, credit: 409 credit, sure
        attach again lost, credit: 409 credit, sure
        attach again done, credit+card: 200 credit+card, sure
    ",
    );
}

/// A checkout on a Weir that defers.
impl Scene {
    async fn checkout() -> Self {
        let house = House::new(defers()).await;
        let named = vec![
            (house.card().await, "card"),
            (house.card().await, "other"),
            (house.credit(40.0).await, "credit"),
            (house.credit(10.0).await, "more"),
        ];
        let checkout = house.checkout(100.0).await;
        let caller = house.weir.clone();
        Self { key: SessionKey::new(checkouts::CHECKOUT, checkout.as_str()), caller, house, named }
    }

    fn path(&self) -> String {
        format!("/checkouts/{}", self.key.id)
    }

    fn attach_path(&self, name: &str) -> String {
        format!("{}/sources/{}", self.path(), self.id(name))
    }

    async fn attach(&self, name: &str) -> Reply {
        self.caller.post(&self.attach_path(name), Value::Null).await
    }

    async fn order(&self) -> Reply {
        self.caller.post("/orders", json!({ "checkoutId": self.key.id.as_str() })).await
    }

    /// How often upstream was told to attach this, and did.
    fn times_attached(&self, name: &str) -> usize {
        let path = self.attach_path(name);
        let calls = self.house.emulator.calls();
        let attached = calls.iter().filter(|call| call.method == "POST" && call.target == path);
        attached.filter(|call| call.applied && call.refused_code.is_none()).count()
    }
}

fn defers() -> Policy {
    let mut policy = weir::dialects::policy();
    policy.set(RuleId::SecondaryAfterSingleUsePrimary, Toggle::Reorder);
    policy.sequencing.defer = true;
    policy
}

#[tokio::test]
async fn a_deferred_attach_is_answered_with_the_source_and_store_credit_goes_first() {
    let scene = Scene::checkout().await;
    let source = scene.house.upstream.get(&format!("/sources/{}", scene.id("card"))).await;
    let deferred = scene.attach("card").await;
    assert_eq!((deferred.status.as_u16(), deferred.verdict().0), (200, "deferred"));
    assert_eq!(deferred.json(), source.json());
    assert_eq!(scene.attached(), Vec::<&str>::new());
    for credit in ["credit", "more"] {
        let reply = scene.attach(credit).await;
        assert_eq!(
            (reply.status.as_u16(), reply.verdict()),
            (200, ("forwarded", None)),
            "{}",
            reply.text()
        );
    }
    assert_eq!(scene.attached(), ["credit", "more"]);
    let order = scene.order().await;
    assert_eq!(order.status, 201, "{}", order.text());
    assert_eq!(scene.attached(), ["credit", "more", "card"]);
    assert_eq!(scene.times_attached("card"), 1);
    assert_eq!(scene.house.refused_upstream(), []);
    assert_eq!(scene.house.governor.sessions().pinned(), 0);
}

#[tokio::test]
async fn a_deferred_attach_is_sent_before_what_depends_on_it() {
    for what in ["read", "items", "detach", "other", "same"] {
        let scene = Scene::checkout().await;
        scene.attach("card").await;
        let reply = match what {
            "read" => scene.caller.get(&scene.path()).await,
            "items" => scene.caller.post(&scene.path(), json!({ "email": "a@example.com" })).await,
            "detach" => scene.caller.delete(&scene.attach_path("card")).await,
            "other" => scene.attach("other").await,
            _ => scene.attach("card").await,
        };
        let expected: (u16, &str, &[&str], usize) = match what {
            "read" | "items" => (200, "forwarded", &["card"], 1),
            "detach" => (204, "forwarded", &[], 1),
            "other" => (200, "monitored", &["other"], 1),
            _ => (200, "deferred", &[], 0),
        };
        let found = (
            reply.status.as_u16(),
            reply.verdict().0,
            scene.attached(),
            scene.times_attached("card"),
        );
        assert_eq!(
            (found.0, found.1, found.2.as_slice(), found.3),
            expected,
            "{what}: {}",
            reply.text()
        );
        if what == "read" {
            assert_eq!(
                reply.json()["payment"]["sources"][0]["id"],
                json!(scene.id("card")),
                "the read shows what it waited for"
            );
        }
    }
}

#[tokio::test]
async fn a_deleted_checkout_takes_its_deferred_attach_along() {
    let scene = Scene::checkout().await;
    scene.attach("card").await;
    assert_eq!(scene.caller.delete(&scene.path()).await.status, 204);
    assert_eq!((scene.times_attached("card"), scene.house.governor.sessions().pinned()), (0, 0));
}

#[tokio::test]
async fn an_attach_in_the_body_is_not_deferred() {
    let scene = Scene::checkout().await;
    let reply = scene.caller.post(&scene.path(), json!({ "sourceId": scene.id("card") })).await;
    assert_eq!(
        (reply.status.as_u16(), reply.verdict().0, scene.attached()),
        (200, "forwarded", vec!["card"])
    );
}

#[tokio::test]
async fn another_key_of_the_merchant_reads_the_checkout_with_what_was_deferred() {
    let scene = Scene::checkout().await;
    scene.attach("card").await;
    let other = scene.caller.key("Bearer sk_live_acme_2");
    let read = other.get(&scene.path()).await;
    assert_eq!(
        read.json()["payment"]["sources"][0]["id"],
        json!(scene.id("card")),
        "{}",
        read.text()
    );
    assert_eq!((scene.attached(), scene.times_attached("card")), (vec!["card"], 1));
}

#[tokio::test]
async fn a_key_that_may_only_read_neither_sends_nor_loses_a_deferred_attach() {
    let scene = Scene::checkout().await;
    scene.attach("card").await;
    let reader = scene.caller.key("Bearer rk_acme");
    for _ in 0..2 {
        let read = reader.get(&scene.path()).await;
        assert_eq!((read.status.as_u16(), &read.json()["payment"]["sources"]), (200, &json!([])));
    }
    let order = scene.order().await;
    assert_eq!(
        (order.status.as_u16(), scene.attached(), scene.times_attached("card")),
        (201, vec!["card"], 1)
    );
}

/// The order that needs a deferred attach meets every fault at that attach; then it is asked for
/// once more.
#[tokio::test]
async fn a_deferred_attach_with_a_fault_when_it_is_sent() {
    let mut lines = Vec::new();
    for (name, kind) in every_fault() {
        let scene = Scene::checkout().await;
        scene.attach("card").await;
        strike(&scene, ("POST", &scene.attach_path("card"), 1, 1), kind);
        let first = scene.order().await;
        let line = scene.line(&first).await;
        let second = scene.order().await;
        assert!(scene.times_attached("card") <= 1, "{name}: sent twice");
        lines.push(format!("{name}: {line}; then {}", scene.line(&second).await));
    }
    same(
        &lines.join("\n"),
        "
        fails before: 500 nothing, unsure, sending; then 201 card, sure
        fails after: 500 card, unsure, sending; then 201 card, sure
        reset before: 502 nothing, unsure, sending; then 201 card, sure
        reset after: 502 card, unsure, sending; then 201 card, sure
        slow down: 429 nothing, sure, deferred; then 201 card, sure
        cut: 502 card, unsure, sending; then 201 card, sure
        garbage: 201 card, sure; then 400 card, sure
        wrong length: 502 card, unsure, sending; then 201 card, sure
        redirect: 302 nothing, unsure, sending; then 201 card, sure
        refused: 409 nothing, sure; then 400 nothing, sure
    ",
    );
}

#[tokio::test]
async fn a_deferred_attach_that_upstream_refuses_is_the_answer_of_the_order() {
    let scene = Scene::checkout().await;
    scene.attach("card").await;
    // Spent behind Weir's back.
    let elsewhere = scene.house.upstream.post("/checkouts", crate::house::items(5.0)).await.id();
    let path = format!("/checkouts/{elsewhere}/sources/{}", scene.id("card"));
    scene.house.upstream.post(&path, Value::Null).await;
    scene.house.upstream.delete(&path).await;
    let order = scene.order().await;
    assert_eq!(
        (order.status.as_u16(), order.json()["errors"][0]["code"].clone()),
        (409, json!("source_status_invalid_for_session"))
    );
    assert_eq!(scene.line(&order).await, "409 nothing, sure");
}

/// Weir is killed while it sends a deferred attach. `next` is the first call to the Weir that comes
/// after, with the same store.
#[tokio::test]
async fn a_deferred_attach_is_neither_lost_nor_sent_twice_when_weir_is_killed() {
    let mut lines = Vec::new();
    for next in ["order", "read", "credit", "same"] {
        for done in [None, Some(false), Some(true)] {
            let mut scene = Scene::checkout().await;
            scene.attach("card").await;
            if let Some(done) = done {
                let gate = Gate::new();
                let place = ("POST", &*scene.attach_path("card"), 1, 1);
                if done {
                    strike(&scene, place, FaultKind::HoldAfter(gate.clone()));
                } else {
                    strike(&scene, place, FaultKind::HoldBefore(gate.clone()));
                    strike(&scene, place, FaultKind::FailBefore(500));
                }
                let doomed = Doomed::of(&scene).await;
                let (caller, path) = (doomed.weir.clone(), scene.path());
                doomed.dies_at(&gate, &scene, async move { caller.get(&path).await }).await;
            }
            let sessions = scene.house.governor.sessions().clone();
            scene.house.restart(Governor::new(defers(), sessions, GovernSettings::default())).await;
            scene.caller = scene.caller.to(&scene.house.weir);
            let reply = match next {
                "order" => scene.order().await,
                "read" => scene.caller.get(&scene.path()).await,
                "credit" => scene.attach("credit").await,
                _ => scene.attach("card").await,
            };
            let line = scene.line(&reply).await;
            assert_eq!(
                scene.order().await.status,
                if next == "order" { 400 } else { 201 },
                "{next} {done:?}"
            );
            // The caller who tries again makes a call of its own.
            let times = if next == "same" && done == Some(true) { 2 } else { 1 };
            assert_eq!(scene.times_attached("card"), times, "{next} {done:?}");
            let when = match done {
                None => "not begun",
                Some(false) => "lost",
                Some(true) => "done",
            };
            lines.push(format!("{next} after {when}: {line}"));
        }
    }
    same(
        &lines.join("\n"),
        "
        order after not begun: 201 card, sure
        order after lost: 201 card, sure
        order after done: 201 card, sure
        read after not begun: 200 card, sure
        read after lost: 200 card, sure
        read after done: 200 card, sure
        credit after not begun: 200 credit, sure, deferred
        credit after lost: 409 card, sure
        credit after done: 409 card, sure
        same after not begun: 200 nothing, sure, deferred
        same after lost: 200 nothing, sure, deferred
        same after done: 200 card, sure
    ",
    );
}
