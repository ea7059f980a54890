//! A store that fails is not one that remembers nothing: what becomes of every call, at every
//! point where the store may fail.

use crate::testbed::{
    APPLY, Adjusted, Ask, CART, Caller, Kind, Mode, OnLookupFailure, Policy, Probe, Reply, SUBMIT,
    Testbed, Waiting, defers, items, method, on_a_paused_runtime, reorders, trusting, until,
};
use serde_json::Value;
use std::time::Duration;

/// What fails of the store.
#[derive(Clone, Copy, Debug)]
enum Failing {
    Reads,
    Writes,
}

impl Failing {
    const BOTH: [Self; 2] = [Self::Reads, Self::Writes];

    fn after(self, probe: &Probe, good: u64) {
        match self {
            Self::Reads => probe.fail_reads_after(good),
            Self::Writes => probe.fail_writes_after(good),
        }
    }

    fn asked(self, probe: &Probe) -> u64 {
        match self {
            Self::Reads => probe.reads(),
            Self::Writes => probe.writes(),
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
    assert!(!own || reply.header("retry-after").is_some(), "503 without Retry-After");
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
    if may && good == 0 && matches!(failing, Failing::Reads) {
        assert!(held_back, "{row}: {:?}", reply.found());
    }
    if held_back {
        assert_eq!(scene.statuses(), [], "{row}: it was sent");
    } else {
        assert_eq!(scene.statuses(), [Some(reply.status.as_u16())], "{row}: upstream's answer");
        // What was judged and sent before the store failed stays judged.
        let was_judged = call == "late" && mode == Mode::Monitor && good > 0;
        let claimed = match was_judged {
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
                for failing in Failing::BOTH {
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

/// A checkout whose card was promised, and its order.
async fn promised(mode: Mode, on: OnLookupFailure) -> (Scene, String) {
    let mut scene = Scene::new("attach", defers()).await;
    let attach = scene.ask.clone();
    let deferred = scene.answered(&attach).await;
    assert_eq!(deferred.verdict().0, "deferred");
    scene.bed.set_policy(defers().with_mode(mode).with_on_lookup_failure(on));
    scene.ask = scene.then.clone();
    (scene, attach.path)
}

#[test]
fn an_order_never_walks_past_a_promise_whatever_the_mode() {
    on_a_paused_runtime(async {
        for (mode, on) in every_mode() {
            for failing in Failing::BOTH {
                for good in 0.. {
                    let row = format!("{mode:?}, {on:?}, {failing:?} after {good}");
                    let (scene, attach) = promised(mode, on).await;
                    let (reply, failed) = scene.run(failing, good).await;
                    if !failed {
                        assert!(good > 0, "{row}");
                        break;
                    }
                    if is_held_back(&reply) {
                        assert_eq!(scene.statuses(), [], "{row}: the order was sent");
                        let again = scene.answered(&scene.ask).await;
                        assert_eq!(again.status, 201, "{row}, again: {}", again.text());
                    } else {
                        assert_eq!(reply.status, 201, "{row}: {}", reply.text());
                    }
                    assert_eq!(scene.bed.times_done("POST", &attach), 1, "{row}");
                    assert_eq!(scene.bed.times_done("POST", "/orders"), 1, "{row}");
                    assert_eq!(scene.bed.pinned(), 0, "{row}");
                }
            }
        }
    });
}

#[test]
fn nothing_is_promised_that_cannot_be_written_down() {
    on_a_paused_runtime(async {
        for failing in Failing::BOTH {
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

/// A repair that is broken off is finished or undone by the next call.
#[test]
fn a_repair_that_the_store_breaks_off_leaves_no_cart_without_its_card() {
    on_a_paused_runtime(async {
        for (mode, on) in every_mode().filter(|(mode, _)| *mode == Mode::Enforce) {
            for failing in Failing::BOTH {
                for good in 0.. {
                    let row = format!("{on:?}, {failing:?} after {good}");
                    let policy = reorders().with_mode(mode).with_on_lookup_failure(on);
                    let mut scene = Scene::new("cart-detach", policy).await;
                    let read = Ask::get(CART);
                    let cart = super::testbed::text_of(
                        &scene.caller.done(&read).await.json()["cart"]["id"],
                    );
                    let before = scene.bed.attached(Kind::Cart, &cart);
                    scene.ask = scene.then.clone();
                    let (reply, failed) = scene.run(failing, good).await;
                    if !failed {
                        assert_eq!(reply.verdict().0, "reordered", "{row}: {}", reply.text());
                        break;
                    }
                    is_held_back(&reply);
                    scene.answered(&read).await;
                    let attached = scene.bed.attached(Kind::Cart, &cart);
                    assert!(attached.contains(&before[0]), "{row}: {attached:?}");
                    let remembered = scene.bed.remembers(Kind::Cart, &cart).await;
                    assert_eq!(remembered.waiting, Waiting::Nothing, "{row}");
                    assert_eq!(scene.bed.stranded(), 0, "{row}");
                }
            }
        }
    });
}
