//! The queue for one turn: the call that has it, those that wait, and those that are held. A pure
//! value with verbs; no clock, no waking.
//!
//! ```text
//!            enter           (no call before it)
//!   caller ────────▶ queue ────────────────────────▶ turn ──── leave ───▶ gone
//!                      ▲                              │
//!                      │ end_window,                  │ hold
//!                      │ release_held,                │
//!                      │ an ordinary call enters      ▼
//!                      └──────────────────────────── held
//! ```
//! A call may leave from any of these places. A held call goes before every ordinary call that came
//! after it; calls that overtake go before held ones. Otherwise first come, first served.
//!
//! Each verb returns the waker of the call that has just got the turn. The queue records the turn,
//! so a call that vanishes still passes it on when it leaves.

use std::collections::VecDeque;

/// The order of a call and the calls that are held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Priority {
    /// The call goes before held calls: an attach of store credit.
    Overtaking,
    /// The call ends the holds and goes after those calls: any other mutation.
    Ordinary,
}

/// A caller's number, in order of arrival.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Ticket(u64);

/// The error of a queue in which no more calls may wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Full;

#[derive(Debug)]
struct Caller<W> {
    ticket: Ticket,
    priority: Priority,
    wake: Option<W>,
}

/// The queue for one turn. `W` wakes a caller that waits.
#[derive(Debug)]
pub(super) struct TurnQueue<W> {
    next: u64,
    /// How many may wait, held ones included.
    bound: usize,
    turn: Option<(Ticket, Priority)>,
    queue: VecDeque<Caller<W>>,
    held: Vec<Caller<W>>,
}

impl<W> TurnQueue<W> {
    /// Makes an empty queue in which at most `bound` calls may wait, held ones included.
    pub(super) fn new(bound: usize) -> Self {
        Self { next: 0, bound, turn: None, queue: VecDeque::new(), held: Vec::new() }
    }

    /// Lets so many calls wait from now on. Those that wait already stay.
    pub(super) fn set_bound(&mut self, bound: usize) {
        self.bound = bound;
    }

    /// Returns whether a call that came now would not wait.
    pub(super) fn serves_at_once(&self, priority: Priority) -> bool {
        self.turn.is_none() && (priority == Priority::Overtaking || self.held.is_empty())
    }

    /// Adds a call at the back. An ordinary call ends every hold first.
    pub(super) fn enter(&mut self, priority: Priority) -> Result<(Ticket, Option<W>), Full> {
        if !self.serves_at_once(priority) && self.waiting() >= self.bound {
            return Err(Full);
        }
        let ticket = Ticket(self.next);
        self.next += 1;
        if priority == Priority::Ordinary {
            self.release();
        }
        self.queue.push_back(Caller { ticket, priority, wake: None });
        Ok((ticket, self.serve()))
    }

    /// Returns whether this call has the turn; if not, keeps `wake` until the call gets it.
    pub(super) fn has_turn(&mut self, ticket: Ticket, wake: impl FnOnce() -> W) -> bool {
        if self.turn.is_some_and(|(holder, _)| holder == ticket) {
            return true;
        }
        if let Some(caller) =
            self.queue.iter_mut().chain(&mut self.held).find(|caller| caller.ticket == ticket)
        {
            caller.wake = Some(wake());
        }
        false
    }

    /// Removes a call, whether it has the turn, waits or is held.
    pub(super) fn leave(&mut self, ticket: Ticket) -> Option<W> {
        self.turn.take_if(|(holder, _)| *holder == ticket);
        self.queue.retain(|caller| caller.ticket != ticket);
        self.held.retain(|caller| caller.ticket != ticket);
        self.serve()
    }

    /// Takes the turn back and holds the call, so that calls that overtake may go first. If an
    /// ordinary call already waits, the call is put before that one instead; if no more calls may
    /// wait, it keeps its turn.
    pub(super) fn hold(&mut self, ticket: Ticket) -> Option<W> {
        let (_, priority) = self.turn.take_if(|(holder, _)| *holder == ticket)?;
        if self.queue.is_empty() && self.waiting() >= self.bound {
            self.turn = Some((ticket, priority));
            return None;
        }
        let caller = Caller { ticket, priority, wake: None };
        if self.queue.iter().any(|waiting| waiting.priority == Priority::Ordinary) {
            self.enqueue(caller);
        } else {
            self.held.push(caller);
        }
        self.serve()
    }

    /// Ends one hold because its window is over: moves the call into the queue.
    pub(super) fn end_window(&mut self, ticket: Ticket) -> Option<W> {
        if let Some(at) = self.held.iter().position(|caller| caller.ticket == ticket) {
            let caller = self.held.remove(at);
            self.enqueue(caller);
        }
        self.serve()
    }

    /// Ends every hold: moves the held calls into the queue.
    pub(super) fn release_held(&mut self) -> Option<W> {
        self.release();
        self.serve()
    }

    /// Returns how many calls wait, held ones included.
    pub(super) fn waiting(&self) -> usize {
        self.queue.len() + self.held.len()
    }

    /// Returns whether no call has the turn or waits for it.
    pub(super) fn is_idle(&self) -> bool {
        self.turn.is_none() && self.waiting() == 0
    }

    fn release(&mut self) {
        for caller in std::mem::take(&mut self.held) {
            self.enqueue(caller);
        }
    }

    /// Adds a call at the back, but before the ordinary calls that came after it.
    fn enqueue(&mut self, caller: Caller<W>) {
        let later = |waiting: &Caller<W>| {
            waiting.priority == Priority::Ordinary && waiting.ticket > caller.ticket
        };
        let at = self.queue.iter().position(later).unwrap_or(self.queue.len());
        self.queue.insert(at, caller);
    }

    /// Gives a free turn to the first call in the queue. Returns its waker.
    fn serve(&mut self) -> Option<W> {
        if self.turn.is_some() {
            return None;
        }
        let first = self.queue.pop_front()?;
        self.turn = Some((first.ticket, first.priority));
        first.wake
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Priority::{Ordinary, Overtaking};
    use proptest::prelude::*;
    use std::collections::HashSet;

    const BOUND: usize = 3;

    #[derive(Clone, Copy, Debug)]
    enum Verb {
        Enter(Priority),
        Hold,
        ReleaseHeld,
        /// Of the call that has the turn.
        Finish,
        /// Of the n-th that waits.
        GiveUp(usize),
        /// Of the n-th that is held.
        EndWindow(usize),
    }

    /// What can be seen of a queue from outside.
    #[derive(Default)]
    struct Watched {
        live: Vec<(Ticket, Priority)>,
        was_held: HashSet<Ticket>,
        holder: Option<Ticket>,
    }

    fn run(verbs: &[Verb]) -> TurnQueue<()> {
        let mut line = TurnQueue::new(BOUND);
        let mut seen = Watched::default();
        for verb in verbs {
            apply(&mut line, &mut seen, *verb);
            check(&line, &mut seen);
        }
        line
    }

    fn apply(line: &mut TurnQueue<()>, seen: &mut Watched, verb: Verb) {
        let holder = line.turn.map(|(ticket, _)| ticket);
        match verb {
            Verb::Enter(priority) => match line.enter(priority) {
                Ok((ticket, _)) => seen.live.push((ticket, priority)),
                Err(Full) => assert_eq!(line.waiting(), BOUND, "refused although there was room"),
            },
            Verb::Hold => {
                if let Some(ticket) = holder {
                    line.hold(ticket);
                    if line.turn.map(|(now, _)| now) != holder {
                        seen.was_held.insert(ticket);
                    }
                    seen.holder = None;
                }
            }
            Verb::ReleaseHeld => {
                line.release_held();
                assert!(line.held.is_empty());
            }
            Verb::Finish => leave(line, seen, holder),
            Verb::GiveUp(n) => {
                let waiting: Vec<_> =
                    line.queue.iter().chain(&line.held).map(|caller| caller.ticket).collect();
                leave(line, seen, waiting.get(n).copied());
            }
            Verb::EndWindow(n) => {
                if let Some(ticket) = line.held.get(n).map(|caller| caller.ticket) {
                    line.end_window(ticket);
                }
            }
        }
    }

    fn leave(line: &mut TurnQueue<()>, seen: &mut Watched, ticket: Option<Ticket>) {
        if let Some(ticket) = ticket {
            line.leave(ticket);
            seen.live.retain(|(live, _)| *live != ticket);
        }
    }

    /// Checks what must hold after every verb.
    fn check(line: &TurnQueue<()>, seen: &mut Watched) {
        let mut present: Vec<_> = line.turn.iter().map(|(ticket, _)| *ticket).collect();
        present.extend(line.queue.iter().chain(&line.held).map(|caller| caller.ticket));
        present.sort();
        assert_eq!(
            present,
            seen.live.iter().map(|(ticket, _)| *ticket).collect::<Vec<_>>(),
            "a call was lost or doubled"
        );
        assert!(line.waiting() <= BOUND, "more calls wait than may");
        assert!(line.turn.is_some() || line.queue.is_empty(), "calls wait for a turn that is free");
        let now = line.turn.map(|(ticket, _)| ticket);
        if now != seen.holder {
            if let Some((ticket, priority)) = line.turn {
                served_in_order(line, seen, ticket, priority);
            }
            seen.holder = now;
        }
    }

    /// Checks that an ordinary call passes no other, and that an overtaking one passes only calls
    /// that have been held.
    fn served_in_order(line: &TurnQueue<()>, seen: &Watched, served: Ticket, priority: Priority) {
        let earlier = line.queue.iter().chain(&line.held).filter(|caller| caller.ticket < served);
        for passed in earlier {
            let allowed = seen.was_held.contains(&passed.ticket)
                && (priority == Overtaking || passed.priority == Overtaking)
                || seen.was_held.contains(&served) && passed.priority == Overtaking;
            assert!(allowed, "{served:?} ({priority:?}) passed {passed:?}");
        }
    }

    #[test]
    fn every_sequence_of_six_verbs_keeps_the_line_in_order() {
        let verbs = [
            Verb::Enter(Ordinary),
            Verb::Enter(Overtaking),
            Verb::Hold,
            Verb::ReleaseHeld,
            Verb::Finish,
            Verb::GiveUp(0),
            Verb::GiveUp(1),
            Verb::EndWindow(0),
        ];
        let length = 6;
        for mut number in 0..verbs.len().pow(length) {
            let mut sequence = Vec::with_capacity(length as usize);
            for _ in 0..length {
                sequence.push(verbs[number % verbs.len()]);
                number /= verbs.len();
            }
            run(&sequence);
        }
    }

    fn any_verb() -> impl Strategy<Value = Verb> {
        prop_oneof![
            4 => prop_oneof![Just(Ordinary), Just(Overtaking)].prop_map(Verb::Enter),
            2 => Just(Verb::Hold),
            1 => Just(Verb::ReleaseHeld),
            2 => Just(Verb::Finish),
            1 => (0..BOUND).prop_map(Verb::GiveUp),
            1 => (0..BOUND).prop_map(Verb::EndWindow),
        ]
    }

    proptest! {
        #[test]
        fn long_sequences_keep_the_line_in_order_and_end_empty(
            verbs in prop::collection::vec(any_verb(), 0..200),
        ) {
            let mut line = run(&verbs);
            line.release_held();
            while let Some((ticket, _)) = line.turn {
                line.leave(ticket);
            }
            prop_assert!(line.is_idle());
        }
    }

    /// Enters these in turn and says in which order they are served, when the first puts itself
    /// aside as soon as `after` have entered.
    fn order(priorities: &[Priority], after: usize) -> Vec<u64> {
        let mut line = TurnQueue::<()>::new(64);
        let mut held = false;
        for (n, priority) in priorities.iter().enumerate() {
            line.enter(*priority).unwrap();
            if n == after {
                line.hold(Ticket(0));
                held = true;
            }
        }
        assert!(held);
        let mut served = Vec::new();
        loop {
            match line.turn {
                Some((ticket, _)) => {
                    served.push(ticket.0);
                    line.leave(ticket);
                }
                None if line.is_idle() => return served,
                None => {
                    line.release_held();
                }
            }
        }
    }

    #[test]
    fn a_held_call_lets_only_those_that_overtake_pass() {
        let cases: &[(&[Priority], usize, &[u64])] = &[
            (&[Ordinary], 0, &[0]),
            (&[Ordinary, Overtaking], 0, &[1, 0]),
            (&[Ordinary, Overtaking, Overtaking], 0, &[1, 2, 0]),
            (&[Ordinary, Ordinary], 0, &[0, 1]),
            (&[Ordinary, Overtaking, Ordinary], 0, &[1, 0, 2]),
            (&[Ordinary, Overtaking, Ordinary, Overtaking], 0, &[1, 0, 2, 3]),
            // An ordinary call was already waiting when the first put itself aside.
            (&[Ordinary, Ordinary, Overtaking], 1, &[0, 1, 2]),
            (&[Ordinary, Overtaking, Ordinary, Overtaking], 2, &[1, 0, 2, 3]),
        ];
        for (priorities, after, expected) in cases {
            assert_eq!(order(priorities, *after), *expected, "{priorities:?}, held after {after}");
        }
    }

    #[test]
    fn no_more_wait_than_may_and_a_held_call_counts() {
        let mut line = TurnQueue::<()>::new(1);
        let (first, _) = line.enter(Ordinary).unwrap();
        line.hold(first);
        let (second, _) = line.enter(Overtaking).unwrap();
        assert!(line.has_turn(second, || ()));
        assert_eq!(line.enter(Overtaking), Err(Full));
        assert_eq!(line.enter(Ordinary), Err(Full));
    }

    #[test]
    fn where_none_may_wait_a_call_keeps_its_turn_instead_of_being_held() {
        let mut line = TurnQueue::<()>::new(0);
        let (only, _) = line.enter(Ordinary).unwrap();
        line.hold(only);
        assert!(line.has_turn(only, || ()));
    }
}
