//! Walks over the active cart of a shopper, up to its order.

use super::{
    Section, Tally,
    checkouts::{id_of, patience},
    circumstances::{Circumstances, circumstances, faults},
    ensure,
    form::{Form, Keys, form},
    judge::{Called, answered},
    line::{Exchange, Struck},
    next_millisecond, on_this_thread,
    rig::Rig,
    tokens::tokens,
};
use crate::{
    differential::{
        calls::{credit_of, pick, primary_of},
        cart_calls::{CartOp, cart_op},
    },
    testbed::{
        Ask, CART, Kind, Mode, Reply, RuleId, SUBMIT, Toggle, attached_in, primary, text_of,
    },
};
use proptest::prelude::*;
use serde_json::Value;
use std::time::Duration;
use tokio::time::Instant;

const RESUME: &str = "/v1/shoppers/me/carts/active/resume-cart";

/// What a caller asks to be shown of a cart.
const FIELDS: [&str; 5] = [
    "id",
    "paymentSession",
    "id,paymentMethod,paymentSession",
    "pricing.orderTotal",
    "id,paymentSession.amountContributed,paymentMethod.sourceId",
];

#[derive(Clone, Debug)]
pub(crate) enum Step {
    Call(Call),
    /// Time passes: pauses end, and what was late is done.
    Wait,
    /// Late credits take effect.
    Land,
}

#[derive(Clone, Debug)]
pub(crate) struct Call {
    op: CartOp,
    /// Made at the same time.
    beside: Option<CartOp>,
    form: Form,
    /// Whether the caller asks for XML.
    xml: bool,
    /// The members of the cart that the caller asks for; `None`: all.
    fields: Option<&'static str>,
    faults: Vec<(usize, Struck)>,
    /// Whether it does not go through Weir.
    behind: bool,
    /// After how many milliseconds the caller is gone.
    patience: Option<u64>,
}

#[derive(Clone, Debug)]
pub(crate) struct Case {
    circumstances: Circumstances,
    steps: Vec<Step>,
}

pub(crate) fn case() -> impl Strategy<Value = Case> {
    let call = (
        cart_op(),
        prop::option::weighted(0.1, cart_op()),
        form(),
        (
            prop::bool::weighted(0.2),
            prop::option::weighted(0.15, prop::sample::select(&FIELDS[..])),
        ),
        faults(),
        prop::bool::weighted(0.08),
        patience(),
    );
    let call = call.prop_map(|(op, beside, form, (xml, fields), faults, behind, patience)| {
        Step::Call(Call { op, beside, form, xml, fields, faults, behind, patience })
    });
    let step = prop_oneof![20 => call, 1 => Just(Step::Wait), 1 => Just(Step::Land)];
    (circumstances(), prop::collection::vec(step, 1..16))
        .prop_map(|(circumstances, steps)| Case { circumstances, steps })
}

pub(crate) fn run(case: &Case, tally: &mut Tally) -> Result<(), String> {
    on_this_thread(async {
        let mut walk = Walk::begin(case).await;
        for (n, step) in case.steps.iter().enumerate() {
            if case.circumstances.cold_at == Some(n) {
                walk.rig.forget();
                walk.weir.forget();
            }
            walk.step(step, tally).await.map_err(|e| format!("step {n}, {step:?}: {e}"))?;
        }
        ensure!(walk.rig.left_open() == (0, 0, 0), "left open: {:?}", walk.rig.left_open());
        tally.count(Section::Done, "sequences");
        Ok(())
    })
}

/// What Weir can know of the cart, as far as a documented limit rests on it.
#[derive(Default)]
struct Knowledge {
    /// Whether a recognised caller was shown the cart since anything changed past Weir.
    has_seen: bool,
    /// The callers who were shown the cart.
    introduced: Vec<String>,
}

impl Knowledge {
    fn forget(&mut self) {
        *self = Self::default();
    }

    fn learn(&mut self, form: Form, caller: &str, log: &[Exchange]) {
        if !form.is_recognised() {
            // Nobody in particular: nothing is remembered of what it did.
            self.has_seen &= !log.iter().any(Exchange::is_change);
        } else if log.iter().any(shows_the_cart) {
            // Another merchant's token shows another cart.
            self.has_seen |= form != Form::Foreign;
            self.introduced.push(caller.to_owned());
        }
        if log.iter().any(is_submit) {
            self.forget();
        }
    }

    fn knows(&self, form: Form, caller: &str) -> bool {
        let has_seen = self.has_seen || form == Form::Foreign;
        form.is_recognised() && has_seen && self.introduced.iter().any(|one| one == caller)
    }
}

/// Whether upstream may have taken this for a submit.
fn is_submit(one: &Exchange) -> bool {
    [SUBMIT, RESUME].iter().any(|path| one.target.starts_with(path)) && one.status() != Some(409)
}

/// Whether the caller asked for an answer that may leave the payment methods out.
fn hides_methods(one: &Exchange) -> bool {
    one.target.contains("fields=")
}

/// Whether Weir could read the whole cart in the answer.
fn shows_the_cart(one: &Exchange) -> bool {
    let path = one.target.split('?').next().unwrap_or_default();
    let shows = path == CART || path.ends_with("/apply-payment-method");
    !hides_methods(one) && one.is_done() && one.method != http::Method::DELETE && shows
}

struct Walk<'a> {
    rig: Rig,
    /// The merchant's keys, and the shopper's tokens.
    merchant: Keys,
    shopper: Keys,
    sources: Vec<String>,
    options: Vec<String>,
    circumstances: &'a Circumstances,
    weir: Knowledge,
    behind: bool,
    backing_off: bool,
    /// Whether a change of the cart ended in no known way, and the cart was not shown since.
    in_doubt: bool,
    /// Whether a step of the last repair was not done.
    unfinished: bool,
    /// When calls that timed out are done.
    late: Vec<Instant>,
    /// How many credits were lost so far.
    lost: usize,
}

impl<'a> Walk<'a> {
    async fn begin(case: &'a Case) -> Self {
        let of = &case.circumstances;
        let latency = Duration::from_millis(of.latency);
        let rig = Rig::new(of.policy(), of.quirks(), of.own_key, latency);
        let merchant = Keys::of_a_merchant();
        let shopper = tokens(&rig).await;
        let mut walk = Self {
            rig,
            shopper,
            merchant,
            sources: Vec::new(),
            options: Vec::new(),
            circumstances: of,
            weir: Knowledge::default(),
            // A credit that was answered, and is not there yet.
            behind: of.late_credit,
            backing_off: false,
            in_doubt: false,
            unfinished: false,
            late: Vec::new(),
            lost: 0,
        };
        walk.fill(true).await;
        for amount in [1, 0] {
            walk.credit(credit_of(amount, false), true).await.expect("a credit");
        }
        for kind in ["creditCard", "creditCard", "ideal"] {
            walk.primary(primary(kind)).await;
        }
        walk
    }

    /// Puts something into the cart.
    async fn fill(&mut self, through_weir: bool) {
        let add = Ask::post(format!("{CART}?productId=p&quantity=1&price=30"), Value::Null);
        let add = Form::Bearer.of(add, &self.shopper).with("accept", "application/json");
        if through_weir {
            self.rig.arm(&[]);
            self.rig.ask(&add).await;
            self.weir.learn(Form::Bearer, &self.shopper.first, &self.rig.line.log());
        } else {
            self.rig.line.past(&add).await;
        }
    }

    async fn credit(&mut self, body: Value, through_weir: bool) -> Result<(), String> {
        let has_owner = body["owner"].is_object();
        let ask = Form::Bearer.of(Ask::post("/sources", body), &self.merchant);
        if !through_weir {
            self.sources.push(id_of(&self.rig.line.past(&ask).await.body));
            return Ok(());
        }
        self.rig.arm(&[]);
        let reply = self.rig.ask(&ask).await;
        if reply.status == 201 {
            self.sources.push(reply.id());
            let owned = |one: &Exchange| String::from_utf8_lossy(&one.body).contains("owner");
            let owned = self.rig.line.log().iter().any(owned);
            let strips = self.circumstances.strips();
            ensure!(owned == (has_owner && !strips), "an owner was sent: {owned}");
            return Ok(());
        }
        let refused = ("rejected", Some("secondary-source-owner"));
        ensure!(has_owner && reply.verdict() == refused, "no credit was created: {}", reply.text());
        Ok(())
    }

    async fn primary(&mut self, body: Value) {
        let ask = Form::Public.of(Ask::post("/sources", body), &self.merchant);
        self.sources.push(id_of(&self.rig.line.past(&ask).await.body));
    }

    /// The active cart as upstream has it.
    async fn cart(&self) -> Value {
        let read =
            Form::Bearer.of(Ask::get(CART), &self.shopper).with("accept", "application/json");
        let shown = self.rig.line.past(&read).await;
        let shown: Value = serde_json::from_slice(&shown.body).unwrap_or_default();
        self.rig.emulator.session(Kind::Cart, &text_of(&shown["cart"]["id"])).unwrap_or_default()
    }

    fn lost_now(&self) -> usize {
        self.rig.emulator.snapshot()["lostCredits"].as_array().map_or(0, Vec::len)
    }

    async fn step(&mut self, step: &Step, tally: &mut Tally) -> Result<(), String> {
        match step {
            Step::Wait => {
                tokio::time::sleep(Duration::from_millis(1_500)).await;
                self.backing_off = false;
            }
            Step::Land => {
                let landed = self.sources.iter().any(|source| self.rig.emulator.land(source));
                if landed {
                    self.changed_past_weir();
                }
            }
            Step::Call(Call { op: CartOp::Credit { amount, owner }, behind, .. }) => {
                self.credit(credit_of(*amount, *owner), !behind).await?;
            }
            Step::Call(Call { op: CartOp::Primary { kind, fate }, .. }) => {
                self.primary(primary_of(*kind, *fate)).await;
            }
            Step::Call(Call { op: CartOp::Authorize(n), .. }) => {
                self.rig.emulator.authorize(pick(&self.sources, *n));
            }
            Step::Call(call) => self.call(call, tally).await?,
        }
        if self.late_is_done() {
            self.changed_past_weir();
        }
        Ok(())
    }

    fn changed_past_weir(&mut self) {
        self.behind = true;
        self.weir.has_seen = false;
        next_millisecond();
    }

    /// Whether a call that timed out has been done since this was last asked.
    fn late_is_done(&mut self) -> bool {
        let before = self.late.len();
        self.late.retain(|at| *at > Instant::now());
        self.late.len() < before
    }

    fn ask(&self, op: &CartOp, call: &Call) -> Option<Ask> {
        let mut ask = op.ask(&self.sources, &self.options)?;
        if let Some(fields) = call.fields.filter(|_| ask.path.starts_with(CART)) {
            let mark = if ask.path.contains('?') { '&' } else { '?' };
            ask.path = format!("{}{mark}fields={fields}", ask.path);
        }
        let ask = call.form.of(ask, &self.shopper);
        let is_save = matches!(op, CartOp::Save { .. });
        Some(match call.xml && !is_save {
            true => ask,
            false => ask.with("accept", "application/json"),
        })
    }

    async fn call(&mut self, call: &Call, tally: &mut Tally) -> Result<(), String> {
        let ask = self.ask(&call.op, call).expect("a call");
        if call.behind {
            let answer = self.rig.line.past(&ask).await;
            self.changed_past_weir();
            if matches!(call.op, CartOp::Submit { .. }) && answer.status == 200 {
                self.weir.forget();
                self.lost = self.lost_now();
                self.fill(true).await;
            }
            return Ok(());
        }
        let beside = call.beside.as_ref().and_then(|op| self.ask(op, call));
        let before = self.cart().await;
        let is_known = self.weir.knows(call.form, &call.form.credential(&self.shopper));
        if !is_known {
            // Its cart is told by an answer, and what is known of that must be older.
            next_millisecond();
        }
        self.rig.arm(&call.faults);
        let (reply, other) = match &beside {
            None => (self.rig.ask_for(&ask, call.patience).await, None),
            Some(beside) => {
                let (one, other) =
                    tokio::join!(self.rig.ask_for(&ask, call.patience), self.rig.ask(beside));
                (one, Some(other))
            }
        };
        let log = self.rig.line.log();
        for _ in log.iter().filter(|one| matches!(one.struck, Some(Struck::Late(_)))) {
            self.late.push(Instant::now() + Duration::from_millis(700));
        }
        let told = |e: String| {
            let shown = |reply: &Option<Reply>| {
                reply.as_ref().map(|reply| {
                    let header = |name| reply.header(name).unwrap_or_default();
                    let (reason, unjudged) = (header("weir-reason"), header("weir-unjudged"));
                    format!("{:?} {reason} ({unjudged}) {}", reply.verdict(), reply.text())
                })
            };
            let (one, two) = (shown(&reply), shown(&other));
            format!(
                "{e}\n  {ask:?}\n  {one:?}\n  {beside:?} {two:?}\n  before {before}\n  {log:#?}"
            )
        };
        let is_marked = |reply: &Reply| {
            let rules = reply.header("weir-unjudged").unwrap_or_default();
            rules.contains(RuleId::LostCredit.as_str())
        };
        // Whoever is gone does not see the mark.
        let marked = reply.as_ref().is_none_or(is_marked) || other.as_ref().is_some_and(is_marked);
        self.no_credit_is_lost((call.form, marked, beside.is_some()), &log, tally).map_err(told)?;
        self.weir.learn(call.form, &call.form.credential(&self.shopper), &log);
        if let (Some(reply), None) = (&reply, &beside) {
            let called = Called {
                ask: &ask,
                reply,
                log: &log,
                circumstances: self.circumstances,
                backing_off: self.backing_off,
                behind: self.behind || !self.late.is_empty(),
                unfinished: self.unfinished,
            };
            called.tally(tally);
            self.judge(&called, call.form, &before, tally).await.map_err(told)?;
            if reply.status == 201 {
                self.options.push(text_of(&reply.json()["paymentOption"]["id"]));
            }
        }
        // Whoever hangs up does not see that upstream asks for a pause.
        let unseen = call.patience.is_some()
            && call.faults.iter().any(|(_, struck)| matches!(struck, Struck::TooMany));
        self.backing_off |= unseen || log.iter().any(|one| one.status() == Some(429));
        let changes: Vec<&Exchange> = log.iter().filter(|one| one.is_change()).collect();
        self.unfinished = match changes.as_slice() {
            [] | [_] => self.unfinished,
            // Nor does a cart that hides a name tell that it was finished.
            _ if self.circumstances.nameless_primaries => true,
            steps => steps.iter().any(|one| !one.is_done()),
        };
        let overlaps = beside.is_some() && !is_known;
        // An answer without the methods does not tell the type of what was attached.
        let is_unclear = |one: &Exchange| {
            one.is_change() && (overlaps || hides_methods(one) || one.is_unknown())
        };
        // What a change is answered with leaves the doubt about those before it.
        // Nor does another shopper's cart say anything of this one.
        let is_ours = call.form != Form::Foreign;
        let is_look = |one: &Exchange| is_ours && !one.is_change() && shows_the_cart(one);
        self.in_doubt = log.iter().any(is_unclear) || self.in_doubt && !log.iter().any(is_look);
        let caller = call.form.credential(&self.shopper);
        if log.iter().any(Exchange::is_change) && !self.weir.knows(call.form, &caller) {
            // What somebody changes whose cart Weir does not know is like a change past it.
            self.behind = true;
        }
        if log.iter().any(is_submit) {
            let through_weir = self.sources.len().is_multiple_of(2);
            self.fill(through_weir).await;
        }
        Ok(())
    }

    /// The promise: no submitted cart loses a credit, where `lost-credit` keeps it.
    fn no_credit_is_lost(
        &mut self,
        (form, marked, overlaps): (Form, bool, bool),
        log: &[Exchange],
        tally: &mut Tally,
    ) -> Result<(), String> {
        if !log.iter().any(is_submit) {
            return Ok(());
        }
        let now = self.lost_now();
        let lost = std::mem::replace(&mut self.lost, now);
        let of = self.circumstances;
        let toggle = of.toggle(RuleId::LostCredit);
        if of.mode != Mode::Enforce || !matches!(toggle, Toggle::Reject | Toggle::Reorder) {
            return Ok(());
        }
        tally.count(Section::Held, format!("submitted without loss under {toggle}"));
        if self.lost == lost {
            return Ok(());
        }
        let is_read = |one: &&Exchange| !one.is_change() && one.target.starts_with(CART);
        let before = log.iter().take_while(|one| !is_submit(one));
        let looks: Vec<&Exchange> = before.filter(is_read).collect();
        let is_unknown = !self.weir.knows(form, &form.credential(&self.shopper));
        if is_unknown && of.may_believe() {
            tally.count(Section::Excused, "lost-credit: came past Weir within fresh-for");
            return Ok(());
        }
        let is_blind = !looks.iter().any(|one| shows_the_cart(one));
        let goes_unseen = looks.iter().any(|one| !one.is_done());
        if overlaps && !form.is_recognised() && goes_unseen {
            tally.count(Section::Excused, "lost-credit: a change by nobody, of a cart not read");
            return Ok(());
        }
        if marked && is_blind && is_unknown && (!looks.is_empty() || self.backing_off) {
            tally.count(Section::Excused, "lost-credit: a cart not seen, that cannot be read");
            return Ok(());
        }
        let is_unclear =
            |one: &Exchange| one.is_change() && (one.is_unknown() || hides_methods(one));
        let unclear = log.iter().rposition(is_unclear).filter(|_| overlaps);
        let in_doubt = self.in_doubt || unclear.is_some();
        // While upstream asks for a pause, nothing is looked at.
        let paused = self.backing_off || log.iter().any(|one| one.status() == Some(429));
        let since = log.iter().skip(unclear.map_or(0, |at| at + 1));
        let is_unseen = !since.take_while(|one| !is_submit(one)).any(|one| is_read(&one));
        let failed = looks.iter().any(|one| !one.is_done()) || is_unseen && paused;
        if toggle == Toggle::Reject && marked && in_doubt && failed {
            tally.count(Section::Excused, "lost-credit: a cart in doubt, that cannot be read");
            return Ok(());
        }
        if self.late.iter().any(|at| *at <= Instant::now()) {
            tally.count(Section::Excused, "lost-credit: took effect between look and submit");
            return Ok(());
        }
        Err(format!("a credit was lost under {toggle}"))
    }

    async fn judge(
        &self,
        called: &Called<'_>,
        form: Form,
        before: &Value,
        tally: &mut Tally,
    ) -> Result<(), String> {
        match called.reply.verdict() {
            ("rejected", Some(rule)) => {
                self.is_justified(called, (form, rule), before, tally).await
            }
            ("rejected", None) => {
                // A cart that cannot be put in order unseen is not submitted: see docs/remedies.md.
                let submits = [SUBMIT, RESUME].iter().any(|path| called.ask.path.starts_with(path));
                let reorders = self.circumstances.toggle(RuleId::LostCredit) == Toggle::Reorder;
                called.is_owed_to_a_fault(submits && reorders)
            }
            ("reordered", _) => self.is_no_worse(called, before, false, tally).await,
            ("failed", rule) if rule.is_some() => {
                self.is_no_worse(called, before, true, tally).await
            }
            // Put in order after its attach, in vain.
            ("monitored", Some("primary-before-secondary")) if called.changes() > 1 => {
                self.is_no_worse(called, before, true, tally).await
            }
            ("forwarded" | "monitored" | "failed" | "none", _) => {
                tally.count(Section::Held, "answered as upstream answers");
                called.is_upstreams_answer(&self.rig.line, tally).await
            }
            other => Err(format!("decided {other:?}")),
        }
    }

    /// A refusal that upstream would give as well, or for an order of sources that loses credit.
    async fn is_justified(
        &self,
        called: &Called<'_>,
        (form, rule): (Form, &str),
        before: &Value,
        tally: &mut Tally,
    ) -> Result<(), String> {
        let mut sources = before["sources"].as_array().into_iter().flatten();
        let justified = match rule {
            "primary-before-secondary" => sources.any(|source| source["secondary"] == false),
            "lost-credit" => sources.any(|source| source["willBeLost"] == true),
            _ => return self.is_refused_upstream(called, (form, rule), tally).await,
        };
        if !justified && (called.behind || rule == "lost-credit" && self.in_doubt) {
            tally.count(Section::Excused, "refused by what was seen last");
            return Ok(());
        }
        if !justified && called.unfinished && called.changes() > 0 {
            // The primary that an earlier repair had taken off is there again.
            tally.count(Section::Held, "refused behind a repair that was finished first");
            return Ok(());
        }
        tally.count(Section::Held, "refused for an order that loses credit");
        ensure!(justified, "refused by {rule}, where no credit would be lost");
        Ok(())
    }

    async fn is_refused_upstream(
        &self,
        called: &Called<'_>,
        (form, rule): (Form, &str),
        tally: &mut Tally,
    ) -> Result<(), String> {
        let upstream = self.rig.line.past(called.ask).await;
        if upstream.status == 404 && form == Form::Foreign && self.circumstances.own_key {
            tally.count(Section::Excused, "own key: a caller of another merchant");
            return Ok(());
        }
        if upstream.status == 401 && matches!(form, Form::Restricted | Form::Public) {
            // A merchant's key is no shopper's; the rule is broken besides.
            return Ok(());
        }
        if upstream.status < 400 && called.behind && called.circumstances.may_believe() {
            tally.count(Section::Excused, "fresh-for: something changed past Weir");
            return Ok(());
        }
        tally.count(Section::Held, "refused as upstream refuses");
        let status = answered(called.reply).status;
        ensure!(
            upstream.status == status,
            "refused by {rule}, where upstream answers {upstream:?}"
        );
        Ok(())
    }

    /// A remedy leaves attached what was attached, or says that it failed.
    async fn is_no_worse(
        &self,
        called: &Called<'_>,
        before: &Value,
        failed: bool,
        tally: &mut Tally,
    ) -> Result<(), String> {
        tally.count(Section::Held, "a remedy left the cart no worse");
        let quiet = !called.is_struck() && !called.behind && !called.backing_off;
        if failed {
            let in_vain = called.log.iter().any(|one| !one.is_done());
            ensure!(in_vain, "a remedy failed, and every step of it was done");
        }
        if called.log.iter().any(is_submit) {
            return Ok(());
        }
        let after = self.cart().await;
        let (was, is) = (attached_in(before), attached_in(&after));
        let exchanged = called.reply.verdict().1 == Some("second-primary");
        // What is spent can neither be attached again nor pay.
        let is_spent = |id: &String| {
            let mut sources = before["sources"].as_array().into_iter().flatten();
            sources.any(|source| source["id"] == **id && source["state"] == "cancelled")
        };
        let stays = |source: &String| is.contains(source) || failed && is_spent(source);
        let kept = exchanged || was.iter().all(stays);
        ensure!(kept || (failed && !quiet), "{was:?} were attached, and now {is:?}");
        let late = |source: &Value| source["willBeLost"] == true;
        let loses = after["sources"].as_array().is_some_and(|sources| sources.iter().any(late));
        ensure!(failed || !quiet || !loses, "put in order, and a credit will be lost: {after}");
        Ok(())
    }
}
