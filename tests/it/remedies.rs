//! The remedies, with something going wrong at every step: what the caller is told, what is
//! attached afterwards, and what Weir remembers.
//!
//! The tables read: step: the caller's status, what upstream has attached in order, whether the
//! record can be relied on, the note of the remedy if it is still there: the faults at that step
//! that end so.

use crate::testbed::{
    APPLY, APPLY_SHOPPER, Ask, CART, Caller, EmulatorOptions, Fault, FaultKind, Gate, Kind,
    OPTIONS, Reply, SUBMIT, Server, Testbed, Waiting, defers, items, method, option_of, reorders,
    text_of,
};
use serde_json::{Value, json};

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

/// A session that holds something, on a test bed.
struct Scene {
    bed: Testbed,
    /// Who calls: a shopper for a cart, the merchant for a checkout.
    caller: Caller,
    kind: Kind,
    session: String,
    /// Names for ids.
    named: Vec<(String, &'static str)>,
}

impl Scene {
    /// A cart that holds a card; beside it another card, which is saved, and a credit.
    async fn cart() -> Self {
        Self::cart_of(EmulatorOptions::default()).await
    }

    async fn cart_of(emulator: EmulatorOptions) -> Self {
        let bed = Testbed::new().policy(reorders()).emulator(emulator).start().await;
        let caller = bed.shopper(100.0).await;
        let named = vec![
            (bed.card().await, "card"),
            (bed.card().await, "other"),
            (bed.credit(40.0).await, "credit"),
        ];
        let session = text_of(&caller.get(CART).await.json()["cart"]["id"]);
        let scene = Self { bed, caller, kind: Kind::Cart, session, named };
        let saved = scene.caller.post(OPTIONS, option_of(scene.id("other"))).await;
        assert_eq!(saved.status, 201);
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

    /// What upstream has attached, in order.
    fn attached(&self) -> Vec<&'static str> {
        let ids = self.bed.attached(self.kind, &self.session);
        ids.iter()
            .map(|id| {
                self.named.iter().find(|(known, _)| known == id).map_or("?", |(_, name)| *name)
            })
            .collect()
    }

    /// Status, attached, and what Weir remembers of the session.
    async fn line(&self, reply: &Reply) -> String {
        let remembered = self.bed.remembers(self.kind, &self.session).await;
        let unsure = if remembered.sure { "sure" } else { "unsure" };
        let note = match remembered.waiting {
            Waiting::Nothing => "",
            Waiting::Repair => ", note",
            Waiting::Deferred(_) => ", deferred",
            Waiting::Sending(_) => ", sending",
        };
        let attached = self.attached();
        let attached = if attached.is_empty() { "nothing".to_owned() } else { attached.join("+") };
        format!("{} {attached}, {unsure}{note}", reply.status.as_u16())
    }

    /// A cart is never worse than it was found, unless the caller was told so and what is attached
    /// now.
    fn is_no_worse(&self, reply: &Reply, found: &[&'static str], wanted: &[&'static str]) {
        let now = self.attached();
        let stranded = self.bed.stranded();
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

/// The `nth` call of this method and path from now on, and so many from it on.
#[derive(Clone, Copy)]
struct Place<'a> {
    method: &'a str,
    path: &'a str,
    nth: u64,
    times: u64,
}

const fn place<'a>(method: &'a str, path: &'a str, nth: u64, times: u64) -> Place<'a> {
    Place { method, path, nth, times }
}

impl Place<'_> {
    /// Something goes wrong there.
    fn strike(self, scene: &Scene, kind: FaultKind) {
        let fault = Fault::once(self.method, self.path, kind).from_nth(self.nth);
        scene.bed.emulator.faults().add(fault.times(self.times));
    }
}

/// What the caller wants of a cart that holds a card.
#[derive(Clone, Copy)]
enum Wanted {
    /// The credit, which must come before the card.
    Credit,
    /// The other card in place of the first.
    Other,
    /// The same by the shopper's payment option.
    Option,
}

impl Wanted {
    async fn ask(self, scene: &Scene) -> Reply {
        match self {
            Self::Credit => scene.apply("credit").await,
            Self::Other => scene.apply("other").await,
            Self::Option => scene.caller.post(APPLY_SHOPPER, Value::Null).await,
        }
    }

    /// What is attached where all goes well.
    fn goal(self) -> &'static [&'static str] {
        match self {
            Self::Credit => &["credit", "card"],
            Self::Other | Self::Option => &["other"],
        }
    }
}

/// A table of one call under every fault at each of these places; `also` goes wrong besides.
async fn table(
    wanted: Wanted,
    also: Option<(Place<'_>, FaultKind)>,
    places: &[(&str, Place<'_>)],
) -> String {
    let mut lines: Vec<(String, Vec<&str>)> = Vec::new();
    for (step, place) in places {
        for (name, kind) in every_fault() {
            let scene = Scene::cart().await;
            place.strike(&scene, kind);
            if let Some((place, kind)) = &also {
                place.strike(&scene, kind.clone());
            }
            let (reply, goal) = (wanted.ask(&scene).await, wanted.goal());
            let line = scene.line(&reply).await;
            scene.is_no_worse(&reply, &["card"], goal);
            assert_eq!(scene.bed.emulator.overlaps(), 0);
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
        ("detach", place("DELETE", APPLY, 1, 1)),
        ("attach credit", place("POST", APPLY, 1, 1)),
        ("attach again", place("POST", APPLY, 2, 1)),
    ];
    same(&table(Wanted::Credit, None, &places).await, "
        detach: 500 card, sure: fails before
        detach: 200 credit+card, sure: fails after, reset after, cut, garbage, wrong length
        detach: 502 card, sure: reset before
        detach: 429 card, sure: slow down
        detach: 302 card, sure: redirect
        detach: 409 card, sure: refused
        attach credit: 500 card, sure: fails before
        attach credit: 200 credit+card, sure: fails after, reset after, cut, garbage, wrong length
        attach credit: 502 card, sure: reset before
        attach credit: 429 card, sure: slow down
        attach credit: 302 card, sure: redirect
        attach credit: 409 card, sure: refused
        attach again: 200 credit+card, sure: fails before, fails after, reset before, reset after, slow down, cut, garbage, wrong length, redirect, refused
    ");
}

#[tokio::test]
async fn repair_where_a_step_fails_and_the_cart_cannot_be_seen() {
    let places = [
        ("detach", place("DELETE", APPLY, 1, 1)),
        ("attach credit", place("POST", APPLY, 1, 1)),
        ("attach again", place("POST", APPLY, 2, 1)),
    ];
    let first = Some((place("GET", CART, 1, 99), FaultKind::FailBefore(503)));
    same(&table(Wanted::Credit, first, &places).await, "
        detach: 500 card, unsure: fails before, fails after
        detach: 502 card, unsure: reset before, reset after, garbage
        detach: 429 card, sure: slow down
        detach: 200 credit+card, sure: cut, wrong length
        detach: 302 card, unsure: redirect
        detach: 409 card, sure: refused
        attach credit: 500 card, unsure: fails before, fails after
        attach credit: 502 card, unsure: reset before, reset after, cut, garbage, wrong length
        attach credit: 429 card, sure: slow down
        attach credit: 302 card, unsure: redirect
        attach credit: 409 card, sure: refused
        attach again: 200 credit+card, unsure: fails before, fails after, reset before, reset after, cut, garbage, wrong length, redirect
        attach again: 200 credit+card, sure: slow down, refused
    ");
}

/// Kind: an answer that cannot be read, of a step that upstream says was done.
#[tokio::test]
async fn repair_where_attaching_again_is_never_answered_readably_nor_the_look() {
    let scene = Scene::cart().await;
    place("POST", APPLY, 2, 9).strike(&scene, FaultKind::Garbage);
    place("GET", CART, 1, 99).strike(&scene, FaultKind::FailBefore(503));
    let reply = Wanted::Credit.ask(&scene).await;
    assert_eq!(scene.line(&reply).await, "502 credit+card, unsure, note");
    scene.is_no_worse(&reply, &["card"], Wanted::Credit.goal());

    // The second try is refused, as one of what is attached already may be.
    for refused in [FaultKind::FailBefore(409), FaultKind::FailBefore(503)] {
        let scene = Scene::cart().await;
        place("POST", APPLY, 2, 1).strike(&scene, FaultKind::Garbage);
        place("POST", APPLY, 3, 9).strike(&scene, refused);
        place("GET", CART, 1, 99).strike(&scene, FaultKind::FailBefore(503));
        let reply = Wanted::Credit.ask(&scene).await;
        assert_eq!(scene.line(&reply).await, "502 credit+card, unsure, note");
        scene.is_no_worse(&reply, &["card"], Wanted::Credit.goal());
    }
}

#[tokio::test]
async fn repair_where_the_credit_is_refused_and_putting_back_fails_too() {
    let places = [
        ("put back once", place("POST", APPLY, 2, 1)),
        ("put back twice", place("POST", APPLY, 2, 2)),
    ];
    let first = Some((place("POST", APPLY, 1, 1), FaultKind::FailBefore(409)));
    same(&table(Wanted::Credit, first, &places).await, "
        put back once: 409 card, sure: fails before, fails after, reset before, reset after, slow down, cut, garbage, wrong length, redirect, refused
        put back twice: 502 nothing, unsure, note: fails before, reset before, slow down, redirect, refused
        put back twice: 409 card, sure: fails after, reset after, cut, garbage, wrong length
    ");
}

#[tokio::test]
async fn repair_where_attaching_again_fails_twice_and_putting_back_too() {
    let places = [
        ("again twice", place("POST", APPLY, 2, 2)),
        ("again 3 times", place("POST", APPLY, 2, 3)),
        ("again 4 times", place("POST", APPLY, 2, 4)),
    ];
    same(
        &table(Wanted::Credit, None, &places).await,
        "
        again twice: 500 card, sure: fails before
        again twice: 200 credit+card, sure: fails after, reset after, cut, garbage, wrong length
        again twice: 502 card, sure: reset before
        again twice: 429 card, sure: slow down
        again twice: 302 card, sure: redirect
        again twice: 409 card, sure: refused
        again 3 times: 500 card, sure: fails before
        again 3 times: 200 credit+card, sure: fails after, reset after, cut, garbage, wrong length
        again 3 times: 502 card, sure: reset before
        again 3 times: 429 card, sure: slow down
        again 3 times: 302 card, sure: redirect
        again 3 times: 409 card, sure: refused
        again 4 times: 502 nothing, unsure, note: fails before, reset before, slow down, redirect, refused
        again 4 times: 200 credit+card, sure: fails after, reset after, cut, garbage, wrong length
    ",
    );
}

#[tokio::test]
async fn repair_where_attaching_again_fails_and_the_credit_cannot_be_taken_off() {
    let places = [
        ("again twice", place("POST", APPLY, 2, 2)),
        ("again 4 times", place("POST", APPLY, 2, 4)),
    ];
    let first = Some((place("DELETE", APPLY, 2, 1), FaultKind::FailBefore(500)));
    same(&table(Wanted::Credit, first, &places).await, "
        again twice: 200 credit+card, sure: fails before, fails after, reset before, reset after, slow down, cut, garbage, wrong length, redirect, refused
        again 4 times: 502 credit, unsure, note: fails before, reset before, slow down, redirect, refused
        again 4 times: 200 credit+card, sure: fails after, reset after, cut, garbage, wrong length
    ");
}

#[tokio::test]
async fn repair_where_attaching_again_fails_and_taking_the_credit_off_ends_in_no_known_way() {
    let places = [
        ("again twice", place("POST", APPLY, 2, 2)),
        ("again 4 times", place("POST", APPLY, 2, 4)),
    ];
    let first = Some((place("DELETE", APPLY, 2, 1), FaultKind::ResetAfter));
    same(
        &table(Wanted::Credit, first, &places).await,
        "
        again twice: 500 card, sure: fails before
        again twice: 200 credit+card, sure: fails after, reset after, cut, garbage, wrong length
        again twice: 502 card, sure: reset before
        again twice: 429 card, sure: slow down
        again twice: 302 card, sure: redirect
        again twice: 409 card, sure: refused
        again 4 times: 502 nothing, unsure, note: fails before, reset before, slow down, redirect, refused
        again 4 times: 200 credit+card, sure: fails after, reset after, cut, garbage, wrong length
    ",
    );
}

#[tokio::test]
async fn replace_with_one_fault_at_each_step() {
    let places =
        [("detach", place("DELETE", APPLY, 1, 1)), ("attach other", place("POST", APPLY, 1, 1))];
    same(
        &table(Wanted::Other, None, &places).await,
        "
        detach: 500 card, sure: fails before
        detach: 200 other, sure: fails after, reset after, cut, garbage, wrong length
        detach: 502 card, sure: reset before
        detach: 429 card, sure: slow down
        detach: 302 card, sure: redirect
        detach: 409 card, sure: refused
        attach other: 500 card, sure: fails before
        attach other: 200 other, sure: fails after, reset after, cut, garbage, wrong length
        attach other: 502 card, sure: reset before
        attach other: 429 card, sure: slow down
        attach other: 302 card, sure: redirect
        attach other: 409 card, sure: refused
    ",
    );
}

#[tokio::test]
async fn replace_by_a_payment_option_with_one_fault_at_each_step() {
    let places = [
        ("detach", place("DELETE", APPLY, 1, 1)),
        ("apply shopper", place("POST", APPLY_SHOPPER, 1, 1)),
    ];
    same(
        &table(Wanted::Option, None, &places).await,
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
    let places = [
        ("put back once", place("POST", APPLY, 2, 1)),
        ("put back twice", place("POST", APPLY, 2, 2)),
    ];
    let first = Some((place("POST", APPLY, 1, 1), FaultKind::FailBefore(409)));
    same(&table(Wanted::Other, first, &places).await, "
        put back once: 409 card, sure: fails before, fails after, reset before, reset after, slow down, cut, garbage, wrong length, redirect, refused
        put back twice: 502 nothing, unsure, note: fails before, reset before, slow down, redirect, refused
        put back twice: 409 card, sure: fails after, reset after, cut, garbage, wrong length
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
        let start = Server::of_weir(scene.bed.governor().clone(), scene.bed.upstream.address());
        let running = runtime.spawn(start).await.expect("an address");
        let address = running.address;
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
        while scene.bed.emulator.calls().iter().any(|call| call.ended.is_none()) {
            tokio::task::yield_now().await;
        }
        scene.bed.emulator.faults().clear();
    }
}

/// The first call to the Weir that comes after the one that was killed.
#[derive(Clone, Copy)]
enum Next {
    /// The call that was interrupted, made again.
    Again,
    Read,
    Order,
}

/// Kills Weir at each step of a repair, before or after upstream has done it, and makes `next` the
/// first call to the Weir that comes after.
async fn interrupted(keeps_its_store: bool, next: Next) -> String {
    let mut lines = Vec::new();
    for (step, place) in [
        ("detach", place("DELETE", APPLY, 1, 1)),
        ("attach credit", place("POST", APPLY, 1, 1)),
        ("attach again", place("POST", APPLY, 2, 1)),
    ] {
        for done in [false, true] {
            let mut scene = Scene::cart().await;
            let gate = Gate::new();
            if done {
                place.strike(&scene, FaultKind::HoldAfter(gate.clone()));
            } else {
                place.strike(&scene, FaultKind::HoldBefore(gate.clone()));
                place.strike(&scene, FaultKind::FailBefore(500));
            }
            let doomed = Doomed::of(&scene).await;
            let (caller, body) = (doomed.weir.clone(), method(scene.id("credit")));
            doomed.dies_at(&gate, &scene, async move { caller.post(APPLY, body).await }).await;
            let left = scene.attached().join("+");
            match keeps_its_store {
                true => scene.bed.restart().await,
                false => scene.bed.forget().await,
            }
            scene.caller = scene.caller.to(&scene.bed.weir);
            let reply = match next {
                Next::Again => scene.apply("credit").await,
                Next::Read => scene.caller.get(CART).await,
                Next::Order => scene.caller.post(SUBMIT, Value::Null).await,
            };
            let line = scene.line(&reply).await;
            assert_eq!(scene.bed.emulator.snapshot()["lostCredits"], json!([]));
            assert_eq!(scene.bed.emulator.overlaps(), 0);
            assert_eq!(scene.bed.turns_open(), 0);
            lines.push(format!("{step} {}, {left}: {line}", if done { "done" } else { "lost" }));
        }
    }
    lines.join("\n")
}

/// With its store, Weir finishes what was asked for again, and undoes it before anything else;
/// without, it tells the truth and judges by it.
#[tokio::test]
async fn an_interrupted_repair_is_finished_or_undone_or_else_the_truth_is_told() {
    let undone = "
        detach lost, card: 200 card, sure
        detach done, : 200 card, sure
        attach credit lost, : 200 card, sure
        attach credit done, credit: 200 credit+card, sure
        attach again lost, credit: 200 credit+card, sure
        attach again done, credit+card: 200 credit+card, sure
    ";
    for (keeps_its_store, next, expected) in [
        (
            true,
            Next::Again,
            "
            detach lost, card: 200 credit+card, sure
            detach done, : 200 credit+card, sure
            attach credit lost, : 200 credit+card, sure
            attach credit done, credit: 200 credit+card, sure
            attach again lost, credit: 200 credit+card, sure
            attach again done, credit+card: 200 credit+card, sure
            ",
        ),
        (true, Next::Order, undone),
        (true, Next::Read, undone),
        (
            false,
            Next::Again,
            "
            detach lost, card: 200 credit+card, sure
            detach done, : 200 credit, sure
            attach credit lost, : 200 credit, sure
            attach credit done, credit: 200 credit, sure
            attach again lost, credit: 200 credit, sure
            attach again done, credit+card: 200 credit+card, sure
            ",
        ),
        (
            false,
            Next::Order,
            "
            detach lost, card: 200 card, sure
            detach done, : 409 nothing, sure
            attach credit lost, : 409 nothing, sure
            attach credit done, credit: 409 credit, sure
            attach again lost, credit: 409 credit, sure
            attach again done, credit+card: 200 credit+card, sure
            ",
        ),
    ] {
        same(&interrupted(keeps_its_store, next).await, expected);
    }
}

/// A checkout on a Weir that defers.
impl Scene {
    async fn checkout() -> Self {
        let bed = Testbed::new().policy(defers()).start().await;
        let named = vec![
            (bed.card().await, "card"),
            (bed.card().await, "other"),
            (bed.credit(40.0).await, "credit"),
            (bed.credit(10.0).await, "more"),
        ];
        let session = bed.checkout(100.0).await;
        let caller = bed.weir.clone();
        Self { bed, caller, kind: Kind::Checkout, session, named }
    }

    fn path(&self) -> String {
        format!("/checkouts/{}", self.session)
    }

    fn attach_path(&self, name: &str) -> String {
        format!("{}/sources/{}", self.path(), self.id(name))
    }

    async fn attach(&self, name: &str) -> Reply {
        self.caller.attach(&self.path(), self.id(name)).await
    }

    async fn order(&self) -> Reply {
        self.caller.order(&self.session).await
    }

    /// How often upstream was told to attach this, and did.
    fn times_attached(&self, name: &str) -> usize {
        self.bed.times_done("POST", &self.attach_path(name))
    }
}

#[tokio::test]
async fn a_deferred_attach_is_answered_with_the_source_and_store_credit_goes_first() {
    let scene = Scene::checkout().await;
    let source = scene.bed.upstream.get(&format!("/sources/{}", scene.id("card"))).await;
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
    assert_eq!(scene.bed.refused_upstream(), []);
    assert_eq!(scene.bed.pinned(), 0);
}

/// A call after which a deferred attach may not wait any longer, and what then is so.
struct Dependent {
    ask: fn(&Scene) -> Ask,
    status: u16,
    decision: &'static str,
    attached: &'static [&'static str],
    /// How often the deferred attach was sent.
    sent: usize,
}

const DEPENDENTS: [Dependent; 5] = [
    Dependent {
        ask: |scene| Ask::get(scene.path()),
        status: 200,
        decision: "forwarded",
        attached: &["card"],
        sent: 1,
    },
    Dependent {
        ask: |scene| Ask::post(scene.path(), json!({ "email": "a@example.com" })),
        status: 200,
        decision: "forwarded",
        attached: &["card"],
        sent: 1,
    },
    Dependent {
        ask: |scene| Ask::detach(&scene.path(), scene.id("card")),
        status: 204,
        decision: "forwarded",
        attached: &[],
        sent: 1,
    },
    Dependent {
        ask: |scene| Ask::attach(&scene.path(), scene.id("other")),
        status: 200,
        decision: "monitored",
        attached: &["other"],
        sent: 1,
    },
    // The same attach again depends on nothing.
    Dependent {
        ask: |scene| Ask::attach(&scene.path(), scene.id("card")),
        status: 200,
        decision: "deferred",
        attached: &[],
        sent: 0,
    },
];

#[tokio::test]
async fn a_deferred_attach_is_sent_before_what_depends_on_it() {
    for dependent in DEPENDENTS {
        let scene = Scene::checkout().await;
        scene.attach("card").await;
        let ask = (dependent.ask)(&scene);
        let reply = scene.caller.ask(&ask).await;
        let found = (reply.status.as_u16(), reply.verdict().0, scene.times_attached("card"));
        let expected = (dependent.status, dependent.decision, dependent.sent);
        assert_eq!(found, expected, "{ask:?}: {}", reply.text());
        assert_eq!(scene.attached(), dependent.attached, "{ask:?}");
        if ask.method == http::Method::GET {
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
    assert_eq!((scene.times_attached("card"), scene.bed.pinned()), (0, 0));
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
        place("POST", &scene.attach_path("card"), 1, 1).strike(&scene, kind);
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
    let elsewhere = scene.bed.upstream.post("/checkouts", items(5.0)).await.id();
    let path = format!("/checkouts/{elsewhere}/sources/{}", scene.id("card"));
    scene.bed.upstream.post(&path, Value::Null).await;
    scene.bed.upstream.delete(&path).await;
    let order = scene.order().await;
    assert_eq!(
        (order.status.as_u16(), order.json()["errors"][0]["code"].clone()),
        (409, json!("source_status_invalid_for_session"))
    );
    assert_eq!(scene.line(&order).await, "409 nothing, sure");
}

/// The first call to the Weir that comes after.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum After {
    Order,
    Read,
    Credit,
    /// The deferred attach, made again.
    Same,
}

/// Weir is killed while it sends a deferred attach. `next` is the first call to the Weir that comes
/// after, with the same store.
#[tokio::test]
async fn a_deferred_attach_is_neither_lost_nor_sent_twice_when_weir_is_killed() {
    let mut lines = Vec::new();
    for next in [After::Order, After::Read, After::Credit, After::Same] {
        for done in [None, Some(false), Some(true)] {
            let mut scene = Scene::checkout().await;
            scene.attach("card").await;
            if let Some(done) = done {
                let gate = Gate::new();
                let path = scene.attach_path("card");
                let place = place("POST", &path, 1, 1);
                if done {
                    place.strike(&scene, FaultKind::HoldAfter(gate.clone()));
                } else {
                    place.strike(&scene, FaultKind::HoldBefore(gate.clone()));
                    place.strike(&scene, FaultKind::FailBefore(500));
                }
                let doomed = Doomed::of(&scene).await;
                let (caller, path) = (doomed.weir.clone(), scene.path());
                doomed.dies_at(&gate, &scene, async move { caller.get(&path).await }).await;
            }
            scene.bed.restart().await;
            scene.caller = scene.caller.to(&scene.bed.weir);
            let reply = match next {
                After::Order => scene.order().await,
                After::Read => scene.caller.get(&scene.path()).await,
                After::Credit => scene.attach("credit").await,
                After::Same => scene.attach("card").await,
            };
            let line = scene.line(&reply).await;
            assert_eq!(
                scene.order().await.status,
                if next == After::Order { 400 } else { 201 },
                "{next:?} {done:?}"
            );
            // The caller who tries again makes a call of its own.
            let times = if next == After::Same && done == Some(true) { 2 } else { 1 };
            assert_eq!(scene.times_attached("card"), times, "{next:?} {done:?}");
            let when = match done {
                None => "not begun",
                Some(false) => "lost",
                Some(true) => "done",
            };
            lines.push(format!("{next:?} after {when}: {line}"));
        }
    }
    same(
        &lines.join("\n"),
        "
        Order after not begun: 201 card, sure
        Order after lost: 201 card, sure
        Order after done: 201 card, sure
        Read after not begun: 200 card, sure
        Read after lost: 200 card, sure
        Read after done: 200 card, sure
        Credit after not begun: 200 credit, sure, deferred
        Credit after lost: 409 card, sure
        Credit after done: 409 card, sure
        Same after not begun: 200 nothing, sure, deferred
        Same after lost: 200 nothing, sure, deferred
        Same after done: 200 card, sure
    ",
    );
}

/// Kind: a refusal that is of the moment. The card must not stay off for it.
#[tokio::test]
async fn another_change_of_the_cart_under_way_does_not_end_a_recovery() {
    let options = EmulatorOptions { refuse_overlaps: true, ..EmulatorOptions::default() };
    let scene = Scene::cart_of(options).await;
    scene.bed.emulator.faults().add(Fault::always("POST", APPLY, FaultKind::FailBefore(500)));
    let stranded = scene.apply("credit").await;
    assert_eq!(scene.line(&stranded).await, "502 nothing, unsure, note");
    scene.bed.emulator.faults().clear();
    // Another change, past Weir.
    let past = scene.caller.to(&scene.bed.upstream);
    let gate = Gate::new();
    let held = FaultKind::HoldBefore(gate.clone());
    scene.bed.emulator.faults().add(Fault::once("POST", CART, held));
    let other = tokio::spawn(async move { past.post(CART, json!({})).await });
    gate.arrived().await;
    let during = scene.caller.get(CART).await;
    assert_eq!(scene.line(&during).await, "200 nothing, sure, note");
    gate.open();
    other.await.expect("an answer");
    let after = scene.caller.get(CART).await;
    assert_eq!(scene.line(&after).await, "200 card, sure");
}
