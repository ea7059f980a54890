//! A store that fails is not one that remembers nothing: what becomes of every call, at every
//! point where the store may fail.

use crate::testbed::{
    APPLY, APPLY_SHOPPER, Adjusted, Ask, CART, Caller, Fault, FaultKind, Kind, Mode, OPTIONS,
    OnLookupFailure, Policy, Probe, Reply, RuleId, SUBMIT, Testbed, Toggle, Waiting, defers, items,
    method, on_a_paused_runtime, option_of, reorders, text_of, trusting, until,
};
use serde_json::Value;
use std::time::Duration;

/// What fails of the store, from some request on.
#[derive(Clone, Copy, Debug)]
enum Failing {
    Reads,
    Writes,
    /// Only that one.
    OneRead,
    OneWrite,
}

impl Failing {
    const ALL: [Self; 4] = [Self::Reads, Self::Writes, Self::OneRead, Self::OneWrite];

    fn after(self, probe: &Probe, good: u64) {
        match self {
            Self::Reads => probe.fail_reads_after(good, u64::MAX),
            Self::Writes => probe.fail_writes_after(good, u64::MAX),
            Self::OneRead => probe.fail_reads_after(good, 1),
            Self::OneWrite => probe.fail_writes_after(good, 1),
        }
    }

    fn asked(self, probe: &Probe) -> u64 {
        match self {
            Self::Reads | Self::OneRead => probe.reads(),
            Self::Writes | Self::OneWrite => probe.writes(),
        }
    }
}

/// A call, and one that a rule would refuse if the first had not been carried out.
struct Scene {
    bed: Testbed,
    probe: Probe,
    caller: Caller,
    ask: Ask,
    then: Ask,
}

const CALLS: [&str; 10] = [
    "attach",
    "detach",
    "late",
    "order",
    "save",
    "read",
    "source",
    "cart-attach",
    "cart-detach",
    "cart-order",
];

impl Scene {
    /// Everything is set up past Weir and then shown to it, so that no policy has a say in it.
    async fn new(call: &str, policy: Policy) -> Self {
        let probe = Probe::default();
        let bed = Testbed::new().policy(policy).probed(&probe).in_process();
        let in_cart = call.starts_with("cart");
        let caller = match in_cart {
            true => bed.shopper_of(&bed.upstream, 100.0).await.to(&bed.weir),
            false => bed.weir.clone(),
        };
        let upstream = caller.to(&bed.upstream);
        let (card, credit) = (bed.card().await, bed.upstream.credit(20.0).await);
        let checkout = format!("/checkouts/{}", bed.upstream.checkout(100.0).await);
        let buyer = bed.upstream.customer().await;
        let has_card = !matches!(call, "attach" | "cart-attach");
        let session = if in_cart { CART } else { &checkout };
        if has_card {
            let attach = match in_cart {
                true => Ask::post(APPLY, method(&card)),
                false => Ask::attach(&checkout, &card),
            };
            upstream.done(&attach).await;
        }
        for path in [session, &format!("/sources/{card}"), &format!("/sources/{credit}")] {
            caller.done(&Ask::get(path)).await;
        }
        let late = Ask::attach(&checkout, &credit);
        let in_cart_late = Ask::post(APPLY, method(&credit));
        let (ask, then) = match call {
            "attach" => (Ask::attach(&checkout, &card), Ask::order(&checkout)),
            "detach" => (Ask::detach(&checkout, &card), late),
            "late" => (late, Ask::get(&checkout)),
            "order" => (Ask::order(&checkout), Ask::get(&checkout)),
            "save" => (Ask::attach(&buyer, &card), late),
            "read" => (Ask::get(&checkout), Ask::order(&checkout)),
            "source" => (Ask::get(format!("/sources/{card}")), Ask::order(&checkout)),
            "cart-attach" => (Ask::post(APPLY, method(&card)), Ask::post(SUBMIT, Value::Null)),
            "cart-detach" => (Ask::delete(APPLY, method(&card)), in_cart_late),
            "cart-order" => (Ask::post(SUBMIT, Value::Null), Ask::get(CART)),
            _ => unreachable!("{call}"),
        };
        bed.emulator.clear_calls();
        Self { bed, probe, caller, ask, then }
    }

    /// Sends the call while the store fails; tells whether it did.
    async fn run(&self, failing: Failing, good: u64) -> (Reply, bool) {
        let before = failing.asked(&self.probe);
        failing.after(&self.probe, good);
        let reply = self.answered(&self.ask).await;
        let failed = failing.asked(&self.probe) > before + good;
        self.probe.heal();
        (reply, failed)
    }

    async fn answered(&self, ask: &Ask) -> Reply {
        let reply = tokio::time::timeout(Duration::from_secs(60), self.caller.ask(ask)).await;
        until(|| self.bed.in_flight() == 0).await;
        assert_eq!(self.bed.turns_open(), 0, "a turn stays open");
        reply.expect("an answer")
    }

    /// Returns how often the call reached upstream, but for Weir's own reads.
    fn times_sent(&self) -> usize {
        if self.ask.method == "GET" { 0 } else { self.statuses().len() }
    }

    /// Returns upstream's answers to the call so far.
    fn statuses(&self) -> Vec<Option<u16>> {
        let calls = self.bed.emulator.calls().into_iter();
        let asked =
            |method: &str, target: &str| self.ask.method == method && self.ask.path == target;
        calls.filter(|call| asked(&call.method, &call.target)).map(|call| call.status).collect()
    }
}

fn is_held_back(reply: &Reply) -> bool {
    let own = reply.status == 503;
    if own {
        assert!(reply.header("retry-after").is_some(), "503 without Retry-After");
        let text = reply.text();
        assert!(text.contains("store_failed") && text.contains("This call was not sent"), "{text}");
    }
    own
}

fn every_mode() -> impl Iterator<Item = (Mode, OnLookupFailure)> {
    [Mode::Enforce, Mode::Monitor].into_iter().flat_map(|mode| {
        [OnLookupFailure::Forward, OnLookupFailure::Reject].map(|on_failure| (mode, on_failure))
    })
}

/// One row of the table; returns whether the store failed in it.
async fn row(call: &str, mode: Mode, on: OnLookupFailure, failing: Failing, good: u64) -> bool {
    let row = format!("{call}, {mode:?}, {on:?}, {failing:?} after {good}");
    let policy = trusting().with_mode(mode).with_on_lookup_failure(on);
    let scene = Scene::new(call, policy).await;
    let (reply, failed) = scene.run(failing, good).await;
    if !failed {
        return false;
    }
    let held_back = is_held_back(&reply);
    let may = mode == Mode::Enforce && on == OnLookupFailure::Reject;
    assert!(may || !held_back, "{row}: kept from upstream");
    if may && good == 0 && matches!(failing, Failing::Reads | Failing::OneRead) {
        assert!(held_back, "{row}: {:?}", reply.found());
    }
    if held_back {
        assert_eq!(scene.statuses(), [], "{row}: it was sent");
    } else {
        assert_eq!(scene.statuses(), [Some(reply.status.as_u16())], "{row}: upstream's answer");
        // What was judged before the store failed stays judged; else upstream's refusal tells.
        let claimed = match call == "late" && mode == Mode::Monitor {
            true => ("monitored", Some("secondary-after-single-use-primary")),
            false => ("forwarded", None),
        };
        assert_eq!(reply.verdict(), claimed, "{row}");
    }
    // What is remembered may be wrong now: nothing is refused for it.
    let enforced = trusting().with_mode(Mode::Enforce);
    scene.bed.set_policy(enforced);
    let then = scene.answered(&scene.then).await;
    if !held_back {
        assert!(then.status.is_success(), "{row}, then: {:?} {}", then.found(), then.text());
        assert_eq!(then.verdict(), ("forwarded", None), "{row}, then");
    }
    true
}

#[test]
fn every_call_is_dealt_with_by_policy_wherever_the_store_fails() {
    on_a_paused_runtime(async {
        let mut rows = 0;
        for call in CALLS {
            for (mode, on) in every_mode() {
                for failing in Failing::ALL {
                    let mut good = 0;
                    while row(call, mode, on, failing, good).await {
                        good += 1;
                    }
                    rows += good;
                }
            }
        }
        assert!(rows > 100, "{rows} rows");
    });
}

#[test]
fn a_session_changed_while_the_store_failed_is_looked_up_before_the_next_refusal() {
    on_a_paused_runtime(async {
        for (failing, good) in [(Failing::Reads, 0), (Failing::Writes, 0), (Failing::Writes, 1)] {
            let mut scene = Scene::new("late", trusting()).await;
            let (late, read) = (scene.ask.clone(), scene.then.clone());
            scene.ask = Ask::post(&read.path, items(90.0));
            let (updated, failed) = scene.run(failing, good).await;
            assert_eq!((updated.found(), failed), ((200, ("forwarded", None)), true));
            scene.bed.emulator.clear_calls();
            let refused = scene.answered(&late).await;
            let rule = Some("secondary-after-single-use-primary");
            assert_eq!(refused.found(), (409, ("rejected", rule)));
            let calls = scene.bed.emulator.calls();
            let looked_up =
                calls.iter().any(|call| call.method == "GET" && call.target == read.path);
            assert!(looked_up, "{failing:?} after {good}");
        }
    });
}

/// A call that depends on a promised card.
#[derive(Clone, Copy, Debug)]
enum Dependent {
    Order,
    Read,
    Update,
}

/// A checkout whose card was promised, and a call that depends on it.
async fn promised(call: Dependent, mode: Mode, on: OnLookupFailure) -> (Scene, String) {
    let mut scene = Scene::new("attach", defers()).await;
    let attach = scene.ask.clone();
    let deferred = scene.answered(&attach).await;
    assert_eq!(deferred.verdict().0, "deferred");
    scene.bed.set_policy(defers().with_mode(mode).with_on_lookup_failure(on));
    let (checkout, _) = attach.path.split_once("/sources").expect("an attach by the path");
    scene.ask = match call {
        Dependent::Order => scene.then.clone(),
        Dependent::Read => Ask::get(checkout),
        Dependent::Update => Ask::post(checkout, items(90.0)),
    };
    (scene, attach.path)
}

/// One row of the table; returns whether the store failed in it.
async fn settled(
    call: Dependent,
    (mode, on): (Mode, OnLookupFailure),
    failing: Failing,
    good: u64,
) -> bool {
    let row = format!("{call:?}, {mode:?}, {on:?}, {failing:?} after {good}");
    let (scene, attach) = promised(call, mode, on).await;
    let (reply, failed) = scene.run(failing, good).await;
    if is_held_back(&reply) {
        assert!(failed, "{row}");
        assert_eq!(scene.times_sent(), 0, "{row}: it was sent");
        let again = scene.answered(&scene.ask).await;
        assert!(again.status.is_success(), "{row}, again: {}", again.text());
    } else {
        assert!(reply.status.is_success(), "{row}: {}", reply.text());
    }
    assert_eq!(scene.bed.times_done("POST", &attach), 1, "{row}");
    if !matches!(call, Dependent::Read) {
        assert_eq!(scene.bed.times_done("POST", &scene.ask.path), 1, "{row}");
    }
    assert_eq!(scene.bed.pinned(), 0, "{row}");
    failed
}

#[test]
fn no_call_walks_past_a_promise_whatever_the_mode() {
    on_a_paused_runtime(async {
        for call in [Dependent::Order, Dependent::Read, Dependent::Update] {
            for mode in every_mode() {
                for failing in Failing::ALL {
                    let mut good = 0;
                    while settled(call, mode, failing, good).await {
                        good += 1;
                    }
                    assert!(good > 0, "{call:?}, {failing:?}");
                }
            }
        }
    });
}

/// Kind: a store that fails is not an empty one, also for a process that has never read it.
#[test]
fn a_second_process_whose_first_read_fails_takes_it_for_no_session_without_a_past() {
    on_a_paused_runtime(async {
        for (mode, on) in every_mode() {
            for is_promised in [false, true] {
                let row = format!("{mode:?}, {on:?}, promised: {is_promised}");
                let mut scene = match is_promised {
                    true => promised(Dependent::Order, mode, on).await.0,
                    false => {
                        let policy = trusting().with_mode(mode).with_on_lookup_failure(on);
                        Scene::new("order", policy).await
                    }
                };
                scene.bed.second_process().await;
                scene.caller = scene.caller.to(&scene.bed.weir);
                let before = scene.times_sent();
                let (reply, failed) = scene.run(Failing::OneRead, 0).await;
                assert!(failed, "{row}");
                let refuses = mode == Mode::Enforce && on == OnLookupFailure::Reject;
                assert_eq!(
                    is_held_back(&reply),
                    is_promised || refuses,
                    "{row}: {:?}",
                    reply.found()
                );
                if is_held_back(&reply) {
                    assert_eq!(scene.times_sent(), before, "{row}: it was sent");
                } else {
                    let past = reply.header("weir-unjudged").unwrap_or_default();
                    assert!(past.contains("underfunded-order"), "{row}: {past}");
                }
            }
        }
    });
}

#[test]
fn nothing_is_promised_that_cannot_be_written_down() {
    on_a_paused_runtime(async {
        for failing in Failing::ALL {
            for good in 0.. {
                let scene = Scene::new("attach", defers()).await;
                let (reply, failed) = scene.run(failing, good).await;
                if !failed {
                    assert_eq!((reply.verdict().0, scene.bed.pinned()), ("deferred", 1));
                    break;
                }
                assert!(is_held_back(&reply), "{failing:?} after {good}: {:?}", reply.found());
                assert_eq!((scene.bed.pinned(), scene.bed.mutations()), (0, 0));
            }
        }
    });
}

/// The shopper's cart: what it holds when the store begins to fail, and the call that is made then.
struct Cart {
    scene: Scene,
    /// The id of the cart itself.
    id: String,
    card: String,
    /// The primary that is to replace it.
    other: String,
}

const REPAIRS: [&str; 4] = ["repair", "replace", "replace by an option", "kept"];

impl Cart {
    /// A cart that holds a card, and a call that puts it in order. `kept`: the card is refused
    /// twice, and the credit cannot be taken off again.
    async fn to_be_repaired(how: &str) -> Self {
        let mut scene = Scene::new("cart-detach", reorders()).await;
        let read = scene.caller.done(&Ask::get(CART)).await.json();
        let id = text_of(&read["cart"]["id"]);
        let card = scene.bed.attached(Kind::Cart, &id).remove(0);
        let other = scene.bed.card().await;
        scene.ask = match how {
            "repair" | "kept" => scene.then.clone(),
            "replace" => Ask::post(APPLY, method(&other)),
            "replace by an option" => {
                // The first that is saved is the default.
                let past_weir = scene.caller.to(&scene.bed.upstream);
                past_weir.done(&Ask::post(OPTIONS, option_of(&other))).await;
                Ask::post(APPLY_SHOPPER, Value::Null)
            }
            _ => unreachable!("{how}"),
        };
        for source in [&card, &other] {
            scene.caller.done(&Ask::get(format!("/sources/{source}"))).await;
        }
        if how == "kept" {
            let refused = |method: &str, nth, times| {
                let fault = Fault::once(method, APPLY, FaultKind::FailBefore(409));
                scene.bed.emulator.faults().add(fault.from_nth(nth).times(times));
            };
            refused("POST", 2, 2);
            refused("DELETE", 2, 1);
        }
        scene.bed.emulator.clear_calls();
        Self { scene, id, card, other }
    }

    /// A cart whose card was taken off and could not be put back, and the call that comes next.
    async fn to_be_recovered(ask: Ask, mode: Mode, on: OnLookupFailure) -> Self {
        let mut cart = Self::to_be_repaired("repair").await;
        let fault = Fault::once("POST", APPLY, FaultKind::FailBefore(500));
        cart.scene.bed.emulator.faults().add(fault.from_nth(1).times(9));
        let stranded = cart.scene.answered(&cart.scene.ask).await;
        assert_eq!(stranded.status, 502, "{}", stranded.text());
        assert_eq!(cart.attached(), Vec::<String>::new());
        cart.scene.bed.emulator.faults().clear();
        cart.scene.bed.set_policy(reorders().with_mode(mode).with_on_lookup_failure(on));
        cart.scene.ask = ask;
        cart.scene.bed.emulator.clear_calls();
        cart
    }

    fn attached(&self) -> Vec<String> {
        self.scene.bed.attached(Kind::Cart, &self.id)
    }

    /// Returns the methods of the calls that change something, as they reached upstream.
    fn changes(&self) -> Vec<String> {
        let calls = self.scene.bed.emulator.calls();
        calls.into_iter().filter(|call| call.mutation).map(|call| call.method).collect()
    }

    async fn waits_for_nothing(&self) -> bool {
        let remembered = self.scene.bed.remembers(Kind::Cart, &self.id).await;
        remembered.waiting == Waiting::Nothing
    }
}

/// One row of the table; returns whether the store failed in it.
async fn broken_off(how: &str, on: OnLookupFailure, failing: Failing, good: u64) -> bool {
    let row = format!("{how}, {on:?}, {failing:?} after {good}");
    let cart = Cart::to_be_repaired(how).await;
    cart.scene.bed.set_policy(reorders().with_on_lookup_failure(on));
    let (reply, failed) = cart.scene.run(failing, good).await;
    let whole: &[&str] = match how {
        "repair" => &["DELETE", "POST", "POST"],
        "kept" => &["DELETE", "POST", "POST", "POST", "DELETE", "POST"],
        _ => &["DELETE", "POST"],
    };
    let changes = cart.changes();
    if is_held_back(&reply) {
        assert_eq!(changes, [""; 0], "{row}: it was sent, or changed something");
        assert!(failed && on == OnLookupFailure::Reject, "{row}");
    } else if reply.status == 409 && reply.verdict().0 == "rejected" {
        assert_eq!(changes, [""; 0], "{row}: it was sent, or changed something");
        assert!(failed && reply.header("weir-rule").is_some(), "{row}");
    } else if changes == ["POST"] {
        assert!(failed && on == OnLookupFailure::Forward, "{row}: it was sent out of order");
        assert_eq!(reply.verdict().0, "forwarded", "{row}");
    } else {
        assert_eq!(changes, whole, "{row}: {}", reply.text());
        // Where the store keeps the cart from being seen, the caller gets the refusal of the card.
        let refused = how == "kept" && failed && reply.status == 409;
        assert!(refused || reply.verdict().0 == "reordered", "{row}: {}", reply.text());
    }
    // The next call tidies up. It has nothing to put back, and no memory that it must not trust.
    cart.scene.bed.emulator.clear_calls();
    let read = cart.scene.answered(&Ask::get(CART)).await;
    assert_eq!(read.status, 200, "{row}");
    assert_eq!(cart.changes(), [""; 0], "{row}, then");
    let attached = cart.attached();
    let replaced = how.starts_with("replace") && changes == whole;
    let primary = if replaced { &cart.other } else { &cart.card };
    assert!(attached.contains(primary), "{row}: {attached:?}");
    assert!(cart.waits_for_nothing().await, "{row}");
    assert_eq!(cart.scene.bed.stranded(), 0, "{row}");
    failed
}

#[test]
fn a_repair_that_has_begun_is_finished_wherever_the_store_fails() {
    on_a_paused_runtime(async {
        let mut rows = 0;
        for how in REPAIRS {
            for on in [OnLookupFailure::Forward, OnLookupFailure::Reject] {
                for failing in Failing::ALL {
                    let mut good = 0;
                    while broken_off(how, on, failing, good).await {
                        good += 1;
                    }
                    rows += good;
                }
            }
        }
        assert!(rows > 100, "{rows} rows");
    });
}

/// Kind: a call that is known to break a rule, and a remedy that cannot be begun.
#[test]
fn a_submit_that_is_known_to_lose_credit_is_not_sent_because_its_repair_cannot_be_noted() {
    on_a_paused_runtime(async {
        for on in [OnLookupFailure::Forward, OnLookupFailure::Reject] {
            for failing in [Failing::Writes, Failing::OneWrite] {
                let policy = trusting()
                    .with_rule(RuleId::LostCredit, Toggle::Reorder)
                    .with_on_lookup_failure(on);
                let scene = Scene::new("cart-order", policy).await;
                // It comes past Weir, behind the card, and Weir sees it.
                let credit = scene.bed.upstream.credit(40.0).await;
                let past_weir = scene.caller.to(&scene.bed.upstream);
                past_weir.done(&Ask::post(APPLY, method(&credit))).await;
                scene.caller.done(&Ask::get(CART)).await;
                scene.caller.done(&Ask::get(format!("/sources/{credit}"))).await;
                let (reply, failed) = scene.run(failing, 0).await;
                let row = format!("{on:?}, {failing:?}: {}", reply.text());
                assert!(failed, "{row}");
                assert_eq!(reply.found(), (409, ("rejected", Some("lost-credit"))), "{row}");
                assert_eq!((scene.statuses(), scene.bed.stranded()), (Vec::new(), 0), "{row}");
                let again = scene.answered(&scene.ask).await;
                assert_eq!(again.found(), (200, ("reordered", Some("lost-credit"))), "{row}");
                let lost = &scene.bed.emulator.snapshot()["lostCredits"];
                assert_eq!(lost, &serde_json::json!([]), "{row}");
            }
        }
    });
}

#[test]
fn no_call_walks_past_an_unfinished_repair_whatever_the_mode() {
    on_a_paused_runtime(async {
        let calls = [Ask::post(SUBMIT, Value::Null), Ask::get(CART)];
        for ask in calls {
            for (mode, on) in every_mode() {
                for failing in Failing::ALL {
                    for good in 0.. {
                        let row = format!("{ask:?}, {mode:?}, {on:?}, {failing:?} after {good}");
                        let cart = Cart::to_be_recovered(ask.clone(), mode, on).await;
                        let (reply, failed) = cart.scene.run(failing, good).await;
                        if is_held_back(&reply) {
                            assert_eq!(cart.scene.times_sent(), 0, "{row}: it was sent");
                            let again = cart.scene.answered(&ask).await;
                            assert_eq!(again.status, 200, "{row}, again: {}", again.text());
                        } else {
                            assert_eq!(reply.status, 200, "{row}: {}", reply.text());
                        }
                        assert_eq!(cart.attached(), [cart.card.as_str()], "{row}");
                        assert_eq!(cart.scene.bed.times_done("POST", APPLY), 1, "{row}");
                        assert!(cart.waits_for_nothing().await, "{row}");
                        if !failed {
                            assert!(good > 0, "{row}");
                            break;
                        }
                    }
                }
            }
        }
    });
}
