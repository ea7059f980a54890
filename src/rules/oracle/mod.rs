//! Every sequence of calls over a small world, decided by Weir and judged by an independent account
//! of the vendor.
//!
//! A walk goes breadth first from one pair of (world, what Weir remembers) to the next, and visits
//! each pair once. After each step it checks that Weir refused exactly what the vendor would have
//! refused by a rule, with the same answer, and that no remembered fact is untrue. With sparing
//! look-ups, what breaks only rules that the vendor itself enforces may be left to the vendor,
//! whose answer is the same.

mod vendor;
mod weir;

use crate::{
    dialects::{carts, checkouts},
    rules::{
        Dialect, FreshFor, Intent, LookUps, Policy, Remedy, RuleId, SessionRecord, SessionState,
        Toggle, Upstream, Verdict, Violation,
    },
};
use std::collections::HashSet;
use vendor::{Broken, CREDITS, Call, PRIMARIES, SOURCES, Source, State, Vendor};
use weir::{Memory, Shows, Walk};

/// One step of a walk.
#[derive(Clone, Copy, Debug)]
enum Event {
    /// A call through Weir.
    Call(Call),
    /// A call through Weir that upstream accepts (`true`) or never gets, and whose answer is lost.
    Lost(Call, bool),
    /// A call through Weir during which Weir ends, but its store remains.
    Crash(Call, bool),
    /// Weir starts again with an empty store.
    Restart,
    /// Much time passes.
    Wait,
    /// Another caller calls upstream past Weir, and much time passes.
    Past(Call),
    /// Pending sources are settled without a call.
    Settle(State),
}

impl Event {
    /// Returns whether it counts as one of the calls of a sequence.
    fn is_call(self) -> bool {
        !matches!(self, Event::Restart | Event::Wait | Event::Settle(_))
    }
}

/// One place on a walk.
#[derive(Clone)]
struct Place {
    vendor: Vendor,
    memory: Memory,
    /// Whether another caller has called upstream.
    others_call: bool,
    /// Weir ended during a call: what its sources became is not known, but none of it is anything
    /// that a refusal could rest on.
    crashed: bool,
    trail: usize,
}

impl Place {
    fn remembering(&self, memory: Option<Memory>) -> Place {
        let memory = memory.unwrap_or_else(|| self.memory.clone());
        Place { memory, ..*self }
    }
}

struct Explorer {
    walk: Walk,
    events: Vec<Event>,
    /// Leaves out calls that upstream refuses for reasons that no rule speaks of: they change
    /// nothing.
    skip_refused: bool,
    trail: Vec<(usize, Option<Event>)>,
    steps: usize,
}

impl Explorer {
    fn new(walk: Walk, events: Vec<Event>) -> Self {
        Explorer { walk, events, skip_refused: true, trail: vec![(0, None)], steps: 0 }
    }

    /// Also the calls that upstream refuses for reasons that no rule speaks of.
    fn also_refused(mut self) -> Self {
        self.skip_refused = false;
        self
    }

    /// Walks every sequence of at most `calls` calls, with thorough look-ups and with sparing ones.
    /// Returns how many steps that took.
    fn explore(self, vendor: Vendor, calls: usize) -> usize {
        let both = [LookUps::Thorough, LookUps::Sparing];
        let steps = both.map(|look_ups| {
            let mut walk = self.walk.clone();
            walk.policy.look_ups = look_ups;
            let explorer =
                Self { skip_refused: self.skip_refused, ..Self::new(walk, self.events.clone()) };
            explorer.explore_one(vendor, calls)
        });
        steps.iter().sum()
    }

    fn explore_one(mut self, vendor: Vendor, calls: usize) -> usize {
        let start = Place {
            vendor,
            memory: Memory::default(),
            others_call: false,
            crashed: false,
            trail: 0,
        };
        let mut seen = HashSet::new();
        let mut here = vec![start];
        for left in (1..=calls).rev() {
            let mut next = Vec::new();
            while let Some(place) = here.pop() {
                for nth in 0..self.events.len() {
                    let event = self.events[nth];
                    let is_last = left == 1 && event.is_call();
                    if let Some(mut after) = self.step(&place, event)
                        && !is_last
                        && seen.insert((
                            after.vendor,
                            after.memory.digest(),
                            after.others_call,
                            after.crashed,
                        ))
                    {
                        self.trail.push((place.trail, Some(event)));
                        after.trail = self.trail.len() - 1;
                        if event.is_call() { next.push(after) } else { here.push(after) }
                    }
                }
            }
            here = next;
        }
        self.steps
    }

    /// Returns the next place, or `None` if the step changes nothing or cannot happen.
    fn step(&mut self, from: &Place, event: Event) -> Option<Place> {
        self.steps += 1;
        let stepped = match event {
            Event::Call(call) => self.call(from, call),
            Event::Lost(call, applied) => self.send(from, call, applied, |walk, place, intent| {
                place.memory.lost(walk, &from.vendor, intent);
            }),
            Event::Crash(call, applied) => {
                self.send(from, call, applied, |_, place, _| place.crashed = true)
            }
            Event::Past(call) if !from.vendor.takes(call) => Ok(None),
            _ => {
                let mut place = from.clone();
                match event {
                    Event::Restart => {
                        place.memory = Memory::default();
                        (place.crashed, place.others_call) = (false, false);
                    }
                    Event::Settle(state) => place.vendor.settle(state),
                    Event::Past(call) => {
                        place.memory.age();
                        place.others_call = true;
                        place.vendor.take(call);
                    }
                    _ => place.memory.age(),
                }
                Ok(Some(place))
            }
        };
        let place = match stepped {
            Ok(place) => place?,
            Err(why) => self.fail(from, event, from, &why),
        };
        let lies = place.memory.lies(&self.walk, &place.vendor, place.others_call);
        if !place.crashed && !lies.is_empty() {
            self.fail(from, event, &place, &format!("the record is wrong about {lies:?}"));
        }
        Some(place)
    }

    /// Decides a call, compares the verdict with the vendor's, and sends it.
    fn call(&self, from: &Place, call: Call) -> Result<Option<Place>, String> {
        let (walk, vendor) = (&self.walk, &from.vendor);
        let broken = self.judged(vendor, call);
        if broken.is_empty() && self.skip_refused && vendor.refuses_otherwise(call) {
            return Ok(None);
        }
        let intent = walk.intent(vendor, call);
        let (verdict, looked_up) = from.memory.decide(walk, vendor, &intent)?;
        let expected = self.refusal(vendor, &broken);
        if let Verdict::Reject(violation) = &verdict {
            return match expected {
                Some(expected)
                    if same(violation, &expected)
                        || self.is_another(vendor, violation, &broken) =>
                {
                    Ok(looked_up.map(|memory| from.remembering(Some(memory))))
                }
                expected => {
                    Err(format!("refused with {violation:?}, where the vendor says {expected:?}"))
                }
            };
        }
        let mut place = from.remembering(looked_up);
        match verdict {
            Verdict::Remedy { remedy, violation } => {
                let is_broken = broken.iter().any(|rule| same(&violation, rule));
                if expected.is_some() || (violation.finding.is_certain() && !is_broken) {
                    return Err(format!("{remedy:?} for {broken:?}"));
                }
                self.mend(&mut place, call, &remedy)?;
            }
            Verdict::Forward { monitored } => {
                // After a submit the active cart is another one, of which nothing else is known.
                let submitted = vendor.carts
                    && place.memory.session.state.get() == Some(&SessionState::Complete);
                let may_not_know =
                    from.others_call || from.crashed || (submitted && call == Call::Order);
                let left_to_upstream = self.is_sparing()
                    && broken
                        .iter()
                        .all(|broken| self.upstream(vendor, broken) == Upstream::Refuses);
                if !broken.is_empty() && !may_not_know && !left_to_upstream {
                    return Err(format!("forwarded, where the vendor says {broken:?}"));
                }
                let reported =
                    monitored.is_some_and(|violation| violation.rule == RuleId::SecondPrimary);
                // A checkout of which nothing is remembered is not looked up only to report.
                let unseen = self.is_sparing() && from.memory.session == SessionRecord::default();
                if reported != vendor.replaces(call)
                    && !may_not_know
                    && !unseen
                    && broken.is_empty()
                {
                    return Err(format!("reported: {reported}"));
                }
                place.memory.begin(walk, &intent);
                if vendor.takes(call) || vendor.ignores(call) {
                    place.vendor.take(call);
                    place.memory.taken(walk, vendor, &place.vendor, call, &intent);
                } else {
                    place.memory.refused(walk, vendor, &intent);
                }
            }
            verdict => return Err(format!("{verdict:?}")),
        }
        Ok(Some(place))
    }

    /// Returns what the vendor finds broken, without the rules that are off.
    fn judged(&self, vendor: &Vendor, call: Call) -> Vec<Broken> {
        let mut broken = vendor.broken(call);
        broken.retain(|broken| self.toggle(vendor, broken) != Toggle::Off);
        broken
    }

    fn is_sparing(&self) -> bool {
        self.walk.policy.look_ups == LookUps::Sparing
    }

    /// Returns whether, with sparing look-ups, Weir refuses for another one of the rules that are
    /// broken: it did not ask for what the first one needs.
    fn is_another(&self, vendor: &Vendor, violation: &Violation, broken: &[Broken]) -> bool {
        let unmended = |broken: &&Broken| self.toggle(vendor, broken) != Toggle::Reorder;
        self.is_sparing() && broken.iter().filter(unmended).any(|rule| same(violation, rule))
    }

    fn upstream(&self, vendor: &Vendor, broken: &Broken) -> Upstream {
        let row = broken.rule.parse().ok().and_then(|rule| dialect(vendor).row(rule));
        row.map_or(Upstream::Loses, |row| row.upstream)
    }

    fn toggle(&self, vendor: &Vendor, broken: &Broken) -> Toggle {
        let dialect = dialect(vendor);
        broken.rule.parse().map_or(Toggle::Reject, |rule| self.walk.policy.toggle(dialect, rule))
    }

    /// Returns the refusal that the table prefers, if a rule is broken that no remedy mends.
    fn refusal(&self, vendor: &Vendor, broken: &[Broken]) -> Option<Broken> {
        let hopeless = broken.iter().find(|broken| self.toggle(vendor, broken) != Toggle::Reorder);
        let lost = vendor.primary().is_some_and(|id| vendor.sources[id].is_spent());
        let unmended = broken.iter().find(|broken| {
            ["primary-before-secondary", "lost-credit"].contains(&broken.rule) && lost
        });
        hopeless.or(unmended).copied()
    }

    /// Makes the calls of a remedy, each of which the vendor must accept, and checks their effect.
    fn mend(&self, place: &mut Place, call: Call, remedy: &Remedy) -> Result<(), String> {
        let primary = place.vendor.primary().ok_or("no primary to move")?;
        let calls = match remedy {
            Remedy::Repair { .. } => vec![Call::Detach(primary), call, Call::Attach(primary)],
            Remedy::Replace { .. } => vec![Call::Detach(primary), call],
            Remedy::Resequence { .. } => {
                vec![Call::Detach(primary), Call::Attach(primary), call]
            }
        };
        for call in calls {
            if !place.vendor.takes(call) {
                return Err(format!(
                    "{remedy:?} makes the call {call:?}, which the vendor refuses"
                ));
            }
            let intent = self.walk.intent(&place.vendor, call);
            let before = place.vendor;
            place.memory.begin(&self.walk, &intent);
            place.vendor.take(call);
            place.memory.taken(&self.walk, &before, &place.vendor, call, &intent);
        }
        match place.vendor.primary() {
            None if call == Call::Order => Ok(()),
            Some(now) if (now == primary) == matches!(remedy, Remedy::Repair { .. }) => Ok(()),
            now => Err(format!("{remedy:?} leaves {now:?} attached")),
        }
    }

    /// Sends a call that is forwarded and would be taken; whether it `applied`, only `end` knows.
    fn send(
        &self,
        from: &Place,
        call: Call,
        applied: bool,
        end: impl FnOnce(&Walk, &mut Place, &Intent),
    ) -> Result<Option<Place>, String> {
        let intent = self.walk.intent(&from.vendor, call);
        let (verdict, looked_up) = from.memory.decide(&self.walk, &from.vendor, &intent)?;
        if !matches!(verdict, Verdict::Forward { .. }) || !from.vendor.takes(call) {
            return Ok(None);
        }
        let mut place = from.remembering(looked_up);
        place.memory.begin(&self.walk, &intent);
        if applied {
            place.vendor.take(call);
        }
        end(&self.walk, &mut place, &intent);
        Ok(Some(place))
    }

    fn fail(&self, from: &Place, event: Event, place: &Place, why: &str) -> ! {
        let mut events = vec![event];
        let mut at = from.trail;
        while let (before, Some(event)) = self.trail[at] {
            events.push(event);
            at = before;
        }
        events.reverse();
        panic!(
            "{why}\nafter {events:?}\nof {:?}\nthe world is {:?}\nand Weir remembers {:?}",
            self.walk, place.vendor, place.memory
        );
    }
}

fn dialect(vendor: &Vendor) -> Dialect {
    if vendor.carts { carts::DIALECT } else { checkouts::DIALECT }
}

fn same(violation: &Violation, broken: &Broken) -> bool {
    let refusal = crate::dialects::Dialects::built_in().words(violation);
    let detail = refusal.subcode.or(refusal.parameter.as_deref());
    (violation.rule.as_str(), refusal.status, refusal.code, detail)
        == (broken.rule, broken.status, broken.code, broken.detail)
}

fn walk(shows: Shows, fresh_for: FreshFor) -> Walk {
    Walk {
        policy: Policy { fresh_for, ..crate::dialects::policy() },
        shows,
        by_path: shows != Shows::Everything,
        legacy: false,
    }
}

fn checkout_calls() -> Vec<Call> {
    let mut calls = vec![Call::Save(CREDITS[0], 0), Call::Order];
    for id in SOURCES {
        calls.extend([Call::Attach(id), Call::Detach(id)]);
    }
    for who in [0, 1] {
        calls.push(Call::SetBuyer(who));
        for id in PRIMARIES {
            calls.extend([Call::Save(id, who), Call::Remove(id, who), Call::SetDefault(id, who)]);
        }
    }
    calls
}

fn cart_calls() -> Vec<Call> {
    let mut calls =
        vec![Call::Save(CREDITS[0], 0), Call::Order, Call::DetachAll, Call::ApplyShopper(None)];
    for id in SOURCES {
        calls.extend([Call::Attach(id), Call::Detach(id)]);
    }
    for id in PRIMARIES {
        calls.extend([
            Call::Save(id, 0),
            Call::Remove(id, 0),
            Call::SetDefault(id, 0),
            Call::ApplyShopper(Some(id)),
        ]);
    }
    calls
}

fn calls(vendor: &Vendor) -> Vec<Call> {
    if vendor.carts { cart_calls() } else { checkout_calls() }
}

fn events(vendor: &Vendor) -> Vec<Event> {
    calls(vendor).into_iter().map(Event::Call).collect()
}

const TWO_SECONDS: FreshFor = FreshFor::Within(std::time::Duration::from_secs(2));
const POOR: [Shows; 2] = [Shows::Little, Shows::Least];
const ALL: [Shows; 3] = [Shows::Everything, Shows::Little, Shows::Least];

/// One single-use, one saved; two credits that are too much together.
fn usual(carts: bool) -> Vendor {
    Vendor::new(carts, [Source::card(), Source::card().saved_to(0)], [4, 7])
}

/// One that goes with no store credit and cannot be saved; two credits that pay for all.
fn odd(carts: bool) -> Vendor {
    Vendor::new(carts, [Source::card(), Source::trustly()], [4, 6])
}

/// Saved to two customers (on carts, to the shopper); one credit that pays for all.
fn saved(carts: bool) -> Vendor {
    let second = if carts { 0 } else { 1 };
    Vendor::new(carts, [Source::card().saved_to(0), Source::card().saved_to(second)], [10, 3])
}

/// One that waits for its shopper.
fn pending(carts: bool) -> Vendor {
    Vendor::new(carts, [Source::card().pending(), Source::card()], [4, 6])
}

const WORLDS: [fn(bool) -> Vendor; 3] = [usual, odd, saved];

mod tests {
    use super::*;

    #[test]
    fn six_calls_on_a_checkout_that_shows_everything() {
        Explorer::new(walk(Shows::Everything, FreshFor::Forever), events(&usual(false)))
            .explore(usual(false), 6);
    }

    #[test]
    fn six_calls_on_a_checkout_that_shows_little() {
        Explorer::new(walk(Shows::Little, FreshFor::Forever), events(&usual(false)))
            .explore(usual(false), 6);
    }

    #[test]
    fn six_calls_on_a_checkout_that_shows_least() {
        Explorer::new(walk(Shows::Least, FreshFor::Forever), events(&usual(false)))
            .explore(usual(false), 6);
    }

    #[test]
    fn six_calls_on_a_cart() {
        for shows in ALL {
            Explorer::new(walk(shows, FreshFor::Forever), events(&usual(true)))
                .explore(usual(true), 6);
        }
    }

    #[test]
    fn other_worlds_with_weir_started_again_anywhere() {
        for (carts, depth) in [(false, 3), (true, 4)] {
            for world in WORLDS {
                for shows in ALL {
                    let mut events = events(&world(carts));
                    events.push(Event::Restart);
                    Explorer::new(walk(shows, FreshFor::Forever), events)
                        .also_refused()
                        .explore(world(carts), depth);
                }
            }
        }
    }

    #[test]
    fn time_passes_anywhere() {
        for (carts, depth) in [(false, 3), (true, 4)] {
            for shows in ALL {
                let mut events = events(&usual(carts));
                events.extend([Event::Wait, Event::Restart]);
                Explorer::new(walk(shows, TWO_SECONDS), events).explore(usual(carts), depth);
            }
        }
    }

    #[test]
    fn others_call_upstream_past_weir() {
        for carts in [false, true] {
            for world in [usual, odd] {
                for shows in ALL {
                    let mut events = events(&world(carts));
                    events.extend(calls(&world(carts)).into_iter().map(Event::Past));
                    Explorer::new(walk(shows, TWO_SECONDS), events).explore(world(carts), 3);
                }
            }
        }
    }

    #[test]
    fn answers_are_lost_and_weir_ends_in_mid_call() {
        for (shows, calls_in_all) in [(Shows::Everything, 2), (Shows::Little, 3), (Shows::Least, 2)]
        {
            for carts in [false, true] {
                let mut events = events(&usual(carts));
                for call in calls(&usual(carts)) {
                    events.extend([Event::Lost(call, true), Event::Lost(call, false)]);
                    // Only sessions remember that a call of theirs is under way.
                    if walk(shows, FreshFor::Forever)
                        .intent(&usual(carts), call)
                        .session()
                        .is_some()
                    {
                        events.extend([Event::Crash(call, true), Event::Crash(call, false)]);
                    }
                }
                Explorer::new(walk(shows, FreshFor::Forever), events)
                    .explore(usual(carts), calls_in_all);
            }
        }
    }

    #[test]
    fn a_call_after_one_that_weir_did_not_see_the_end_of() {
        for carts in [false, true] {
            let mut events = vec![Event::Call(Call::Order)];
            for id in [PRIMARIES[0], CREDITS[0], CREDITS[1]] {
                for call in [Call::Attach(id), Call::Detach(id)] {
                    events.extend([
                        Event::Call(call),
                        Event::Lost(call, true),
                        Event::Crash(call, true),
                        Event::Crash(call, false),
                    ]);
                }
            }
            Explorer::new(walk(Shows::Little, FreshFor::Forever), events).explore(odd(carts), 5);
        }
    }

    #[test]
    fn a_cart_whose_credit_is_ignored_since_the_rule_is_off() {
        for shows in ALL {
            let mut walk = walk(shows, FreshFor::Forever);
            walk.policy.set(RuleId::PrimaryBeforeSecondary, Toggle::Off);
            Explorer::new(walk, events(&usual(true))).explore(usual(true), 4);
        }
    }

    #[test]
    fn a_cart_whose_credit_came_too_late_is_put_in_order_when_it_is_submitted() {
        for shows in ALL {
            for fresh_for in [FreshFor::Forever, TWO_SECONDS] {
                let mut walk = walk(shows, fresh_for);
                walk.policy.set(RuleId::PrimaryBeforeSecondary, Toggle::Off);
                walk.policy.set(RuleId::LostCredit, Toggle::Reorder);
                let mut events = events(&usual(true));
                // Where no figures are shown, an order that was not seen is put in order all the
                // same.
                if shows != Shows::Least {
                    events.push(Event::Restart);
                }
                Explorer::new(walk, events).explore(usual(true), 4);
            }
        }
    }

    #[test]
    fn what_is_pending_is_settled_out_of_sight() {
        for carts in [false, true] {
            for shows in ALL {
                let mut events = events(&pending(carts));
                events.extend([
                    Event::Settle(State::Chargeable),
                    Event::Settle(State::Failed),
                    Event::Restart,
                ]);
                for fresh_for in [FreshFor::Forever, TWO_SECONDS] {
                    Explorer::new(walk(shows, fresh_for), events.clone())
                        .explore(pending(carts), 3);
                }
            }
        }
    }

    #[test]
    fn a_vendor_that_says_yes_to_detaching_what_is_not_attached() {
        for carts in [false, true] {
            for shows in ALL {
                let world = Vendor { lenient: true, ..usual(carts) };
                let mut events = events(&world);
                events.push(Event::Restart);
                Explorer::new(walk(shows, FreshFor::Forever), events).explore(world, 3);
            }
        }
    }

    #[test]
    fn reorder_puts_carts_right_and_never_makes_a_call_that_is_refused() {
        for (world, calls_in_all) in
            [(usual as fn(bool) -> Vendor, 4), (odd, 3), (saved, 3), (pending, 4)]
        {
            for shows in ALL {
                let mut walk = walk(shows, TWO_SECONDS);
                walk.policy.set(RuleId::PrimaryBeforeSecondary, Toggle::Reorder);
                walk.policy.set(RuleId::SecondPrimary, Toggle::Reorder);
                let mut events = events(&world(true));
                events.extend([Event::Settle(State::Failed), Event::Restart]);
                Explorer::new(walk, events).explore(world(true), calls_in_all);
            }
        }
    }

    #[test]
    fn older_versions_with_a_credit_amount() {
        for shows in POOR {
            for fresh_for in [FreshFor::Forever, TWO_SECONDS] {
                let mut events: Vec<_> =
                    [Call::SetCredit(4), Call::SetCredit(10), Call::Order, Call::SetBuyer(0)]
                        .map(Event::Call)
                        .into();
                events.extend(
                    PRIMARIES
                        .into_iter()
                        .flat_map(|id| [Call::Attach(id), Call::Detach(id)])
                        .map(Event::Call),
                );
                events.extend([Event::Wait, Event::Restart]);
                let walk = Walk { legacy: true, ..walk(shows, fresh_for) };
                Explorer::new(walk, events).explore(usual(false), 6);
            }
        }
    }
}
