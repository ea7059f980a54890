//! The line before one turn: who has it, who waits for it, who has put itself aside. A pure value
//! with verbs; no clock, no waking.
//!
//! ```text
//!            enter            (nobody before it)
//!   caller ────────▶ queue ────────────────────────▶ turn ──── leave ───▶ gone
//!                      ▲                              │
//!                      │ end_window, hurry,           │ hold
//!                      │ an ordinary call enters      ▼
//!                      └──────────────────────────── held
//! ```
//! A caller may leave from wherever it is. A call that was held goes before every ordinary call
//! that came after it; calls that overtake go before those that are held. Otherwise first come,
//! first served.
//!
//! Each verb returns the wake-up of whoever has the turn now and did not before. The wake-up
//! carries nothing: that the turn was given stands in the line, so a caller that vanishes at that
//! very moment passes the turn on when it leaves.

use std::collections::VecDeque;

/// How a call stands towards calls that are held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entry {
    /// It goes before them: an attach of store credit.
    Overtakes,
    /// It ends their waiting and goes after them: any other mutation.
    Ordinary,
}

/// A caller's number, in order of arrival.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Ticket(u64);

/// As many wait as may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Full;

#[derive(Debug)]
struct Caller<W> {
    ticket: Ticket,
    entry: Entry,
    wake: Option<W>,
}

/// The line before one turn. `W` wakes a caller that waits.
#[derive(Debug)]
pub(super) struct Line<W> {
    next: u64,
    /// How many may wait, held ones included.
    bound: usize,
    turn: Option<(Ticket, Entry)>,
    queue: VecDeque<Caller<W>>,
    held: Vec<Caller<W>>,
}

impl<W> Line<W> {
    /// Nobody there. At most `bound` callers may wait, held ones included.
    pub fn new(bound: usize) -> Self {
        Self { next: 0, bound, turn: None, queue: VecDeque::new(), held: Vec::new() }
    }

    /// Comes in at the back. An ordinary call ends every hold first.
    pub fn enter(&mut self, entry: Entry) -> Result<(Ticket, Option<W>), Full> {
        let served_at_once =
            self.turn.is_none() && (entry == Entry::Overtakes || self.held.is_empty());
        if !served_at_once && self.waiting() >= self.bound {
            return Err(Full);
        }
        let ticket = Ticket(self.next);
        self.next += 1;
        if entry == Entry::Ordinary {
            self.release();
        }
        self.queue.push_back(Caller { ticket, entry, wake: None });
        Ok((ticket, self.serve()))
    }

    /// Whether this caller has the turn; if not, `wake` is kept for when it gets it.
    pub fn has_turn(&mut self, ticket: Ticket, wake: impl FnOnce() -> W) -> bool {
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

    /// Goes away: from the turn, from the queue or from aside.
    pub fn leave(&mut self, ticket: Ticket) -> Option<W> {
        self.turn.take_if(|(holder, _)| *holder == ticket);
        self.queue.retain(|caller| caller.ticket != ticket);
        self.held.retain(|caller| caller.ticket != ticket);
        self.serve()
    }

    /// Puts itself aside, so that calls that overtake may go first. Where an ordinary call already
    /// waits, only those before that one may; where no more may wait, nobody may, and the
    /// caller keeps its turn.
    pub fn hold(&mut self, ticket: Ticket) -> Option<W> {
        let (_, entry) = self.turn.take_if(|(holder, _)| *holder == ticket)?;
        if self.queue.is_empty() && self.waiting() >= self.bound {
            self.turn = Some((ticket, entry));
            return None;
        }
        let caller = Caller { ticket, entry, wake: None };
        if self.queue.iter().any(|waiting| waiting.entry == Entry::Ordinary) {
            self.enqueue(caller);
        } else {
            self.held.push(caller);
        }
        self.serve()
    }

    /// Its window is over: from aside into the queue.
    pub fn end_window(&mut self, ticket: Ticket) -> Option<W> {
        if let Some(at) = self.held.iter().position(|caller| caller.ticket == ticket) {
            let caller = self.held.remove(at);
            self.enqueue(caller);
        }
        self.serve()
    }

    /// Nothing more is coming: every held call goes into the queue.
    pub fn hurry(&mut self) -> Option<W> {
        self.release();
        self.serve()
    }

    /// How many wait, held ones included.
    pub fn waiting(&self) -> usize {
        self.queue.len() + self.held.len()
    }

    /// Nobody has the turn and nobody wants it.
    pub fn is_idle(&self) -> bool {
        self.turn.is_none() && self.waiting() == 0
    }

    fn release(&mut self) {
        for caller in std::mem::take(&mut self.held) {
            self.enqueue(caller);
        }
    }

    /// To the back, but before the ordinary calls that came later.
    fn enqueue(&mut self, caller: Caller<W>) {
        let later = |waiting: &Caller<W>| {
            waiting.entry == Entry::Ordinary && waiting.ticket > caller.ticket
        };
        let at = self.queue.iter().position(later).unwrap_or(self.queue.len());
        self.queue.insert(at, caller);
    }

    fn serve(&mut self) -> Option<W> {
        if self.turn.is_some() {
            return None;
        }
        let first = self.queue.pop_front()?;
        self.turn = Some((first.ticket, first.entry));
        first.wake
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Entry::{Ordinary, Overtakes};
    use proptest::prelude::*;
    use std::collections::HashSet;

    const BOUND: usize = 3;

    #[derive(Clone, Copy, Debug)]
    enum Verb {
        Enter(Entry),
        Hold,
        Hurry,
        /// Of whoever has the turn.
        Finish,
        /// Of the n-th that waits.
        GiveUp(usize),
        /// Of the n-th that is held.
        EndWindow(usize),
    }

    /// The line, with what a bystander can see of it.
    #[derive(Default)]
    struct Watched {
        live: Vec<(Ticket, Entry)>,
        was_held: HashSet<Ticket>,
        holder: Option<Ticket>,
    }

    fn run(verbs: &[Verb]) -> Line<()> {
        let mut line = Line::new(BOUND);
        let mut seen = Watched::default();
        for verb in verbs {
            apply(&mut line, &mut seen, *verb);
            check(&line, &mut seen);
        }
        line
    }

    fn apply(line: &mut Line<()>, seen: &mut Watched, verb: Verb) {
        let holder = line.turn.map(|(ticket, _)| ticket);
        match verb {
            Verb::Enter(entry) => match line.enter(entry) {
                Ok((ticket, _)) => seen.live.push((ticket, entry)),
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
            Verb::Hurry => {
                line.hurry();
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

    fn leave(line: &mut Line<()>, seen: &mut Watched, ticket: Option<Ticket>) {
        if let Some(ticket) = ticket {
            line.leave(ticket);
            seen.live.retain(|(live, _)| *live != ticket);
        }
    }

    /// What must hold after every verb.
    fn check(line: &Line<()>, seen: &mut Watched) {
        let mut present: Vec<_> = line.turn.iter().map(|(ticket, _)| *ticket).collect();
        present.extend(line.queue.iter().chain(&line.held).map(|caller| caller.ticket));
        present.sort();
        assert_eq!(
            present,
            seen.live.iter().map(|(ticket, _)| *ticket).collect::<Vec<_>>(),
            "somebody was lost or doubled"
        );
        assert!(line.waiting() <= BOUND, "more wait than may");
        assert!(
            line.turn.is_some() || line.queue.is_empty(),
            "a turn that nobody has, and callers who want it"
        );
        let now = line.turn.map(|(ticket, _)| ticket);
        if now != seen.holder {
            if let Some((ticket, entry)) = line.turn {
                served_in_order(line, seen, ticket, entry);
            }
            seen.holder = now;
        }
    }

    /// Who may be passed: by an ordinary call nobody; by one that overtakes, calls that have been
    /// held.
    fn served_in_order(line: &Line<()>, seen: &Watched, served: Ticket, entry: Entry) {
        let earlier = line.queue.iter().chain(&line.held).filter(|caller| caller.ticket < served);
        for passed in earlier {
            let allowed = seen.was_held.contains(&passed.ticket)
                && (entry == Overtakes || passed.entry == Overtakes)
                || seen.was_held.contains(&served) && passed.entry == Overtakes;
            assert!(allowed, "{served:?} ({entry:?}) passed {passed:?}");
        }
    }

    #[test]
    fn every_sequence_of_six_verbs_keeps_the_line_in_order() {
        let verbs = [
            Verb::Enter(Ordinary),
            Verb::Enter(Overtakes),
            Verb::Hold,
            Verb::Hurry,
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
            4 => prop_oneof![Just(Ordinary), Just(Overtakes)].prop_map(Verb::Enter),
            2 => Just(Verb::Hold),
            1 => Just(Verb::Hurry),
            2 => Just(Verb::Finish),
            1 => (0..BOUND).prop_map(Verb::GiveUp),
            1 => (0..BOUND).prop_map(Verb::EndWindow),
        ]
    }

    proptest! {
        #[test]
        fn long_sequences_keep_the_line_in_order_and_end_empty(verbs in prop::collection::vec(any_verb(), 0..200)) {
            let mut line = run(&verbs);
            line.hurry();
            while let Some((ticket, _)) = line.turn {
                line.leave(ticket);
            }
            prop_assert!(line.is_idle());
        }
    }

    /// Enters these in turn and says in which order they are served, when the first puts itself
    /// aside as soon as `after` have entered.
    fn order(entries: &[Entry], after: usize) -> Vec<u64> {
        let mut line = Line::<()>::new(64);
        let mut held = false;
        for (n, entry) in entries.iter().enumerate() {
            line.enter(*entry).unwrap();
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
                    line.hurry();
                }
            }
        }
    }

    #[test]
    fn a_held_call_lets_those_that_overtake_pass_and_nobody_else() {
        let cases: &[(&[Entry], usize, &[u64])] = &[
            (&[Ordinary], 0, &[0]),
            (&[Ordinary, Overtakes], 0, &[1, 0]),
            (&[Ordinary, Overtakes, Overtakes], 0, &[1, 2, 0]),
            (&[Ordinary, Ordinary], 0, &[0, 1]),
            (&[Ordinary, Overtakes, Ordinary], 0, &[1, 0, 2]),
            (&[Ordinary, Overtakes, Ordinary, Overtakes], 0, &[1, 0, 2, 3]),
            // An ordinary call was already waiting when the first put itself aside.
            (&[Ordinary, Ordinary, Overtakes], 1, &[0, 1, 2]),
            (&[Ordinary, Overtakes, Ordinary, Overtakes], 2, &[1, 0, 2, 3]),
        ];
        for (entries, after, expected) in cases {
            assert_eq!(order(entries, *after), *expected, "{entries:?}, held after {after}");
        }
    }

    #[test]
    fn no_more_wait_than_may_and_a_held_call_counts() {
        let mut line = Line::<()>::new(1);
        let (first, _) = line.enter(Ordinary).unwrap();
        line.hold(first);
        let (second, _) = line.enter(Overtakes).unwrap();
        assert!(line.has_turn(second, || ()));
        assert_eq!(line.enter(Overtakes), Err(Full));
        assert_eq!(line.enter(Ordinary), Err(Full));
    }

    #[test]
    fn where_none_may_wait_a_call_keeps_its_turn_instead_of_being_held() {
        let mut line = Line::<()>::new(0);
        let (only, _) = line.enter(Ordinary).unwrap();
        line.hold(only);
        assert!(line.has_turn(only, || ()));
    }
}
