//! Turns: one mutation of a session (or of a customer's saved sources) at a time, first come first
//! served.
//!
//! In: the key of what is to be changed. Out: a [`Turn`], a guard that hands the turn on when it is
//! dropped, or [`Busy`]. The order is [`super::line`]'s; this file waits, wakes and measures time.
//! Different keys never wait for each other, and a key that nobody has or wants takes no memory.
//! Callers may wait on different runtimes.
//!
//! A place in the line is a value: whoever drops it, by hanging up, by running out of time or by
//! finishing, leaves the line.

use super::line::{Full, Line, Ticket};
use crate::rules::{CredentialHash, CustomerId, SessionKey};
use dashmap::{DashMap, Entry as Slot};
use std::{
    fmt,
    future::poll_fn,
    sync::Arc,
    task::{Poll, Waker},
    time::Duration,
};
use tokio::time::{Instant, timeout};

pub use super::line::Entry;

/// What is changed by one call at a time. A call that needs several turns takes them in this order,
/// so that no two calls wait for each other.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum TurnKey {
    /// A checkout, an invoice or a cart.
    Session(SessionKey),
    /// A customer's saved sources (checkouts dialect).
    Customer(CustomerId),
    /// A shopper's payment options, and the cart of a shopper whose id is not known yet (carts
    /// dialect).
    Shopper(CredentialHash),
}

/// The turn was not given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Busy {
    /// Why.
    pub reason: BusyReason,
    /// When to try again: what `Retry-After` says, whole seconds, at least one.
    pub retry_after: Duration,
}

/// Why a turn was not given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BusyReason {
    /// As many calls wait already as may.
    QueueFull,
    /// The turn did not come within the time a call may wait.
    WaitedTooLong,
}

impl Busy {
    fn because(reason: BusyReason) -> Self {
        // The unit of `Retry-After`; a turn lasts one upstream call, mostly far less.
        Self { reason, retry_after: Duration::from_secs(1) }
    }
}

impl fmt::Display for Busy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.reason {
            BusyReason::QueueFull => "too many calls already wait to change this",
            BusyReason::WaitedTooLong => "earlier calls that change this took too long",
        })
    }
}

impl std::error::Error for Busy {}

type Lines = DashMap<Arc<TurnKey>, Line<Waker>>;

/// Every line that somebody stands in.
#[derive(Clone)]
pub(super) struct Turns {
    lines: Arc<Lines>,
    queue: usize,
    wait: Duration,
}

impl Turns {
    /// At most `queue` calls wait for one turn, each at most for `wait`.
    pub fn new(queue: usize, wait: Duration) -> Self {
        Self { lines: Arc::default(), queue, wait }
    }

    pub async fn turn(&self, of: &TurnKey, entry: Entry) -> Result<Turn, Busy> {
        let place = self.enter(of, entry).map_err(|Full| Busy::because(BusyReason::QueueFull))?;
        place.turn(self.wait).await
    }

    fn enter(&self, of: &TurnKey, entry: Entry) -> Result<Place, Full> {
        let key = Arc::new(of.clone());
        let mut line = self.lines.entry(key.clone()).or_insert_with(|| Line::new(self.queue));
        let (ticket, next) = line.enter(entry)?;
        drop(line);
        wake(next);
        Ok(Place { lines: self.lines.clone(), key, ticket })
    }

    pub fn hurry(&self, of: &TurnKey) {
        let next = self.lines.get_mut(of).and_then(|mut line| line.hurry());
        wake(next);
    }

    pub fn waiting(&self, of: &TurnKey) -> usize {
        self.lines.get(of).map_or(0, |line| line.waiting())
    }

    pub fn open(&self) -> usize {
        self.lines.len()
    }

    pub fn all_waiting(&self) -> usize {
        self.lines.iter().map(|line| line.waiting()).sum()
    }
}

/// Never under a lock: a waker may run anything.
fn wake(next: Option<Waker>) {
    if let Some(waker) = next {
        waker.wake();
    }
}

/// A place in a line, wherever in it. Dropping it leaves the line.
struct Place {
    lines: Arc<Lines>,
    key: Arc<TurnKey>,
    ticket: Ticket,
}

impl Place {
    fn in_line(&self, verb: impl FnOnce(&mut Line<Waker>, Ticket) -> Option<Waker>) {
        let next = match self.lines.entry(self.key.clone()) {
            Slot::Occupied(mut line) => {
                let next = verb(line.get_mut(), self.ticket);
                if line.get().is_idle() {
                    line.remove();
                }
                next
            }
            Slot::Vacant(_) => None,
        };
        wake(next);
    }

    async fn turn(self, at_most: Duration) -> Result<Turn, Busy> {
        // Looked at before the clock is: an uncontended turn sets no timer.
        if !self.has_turn(Waker::noop()) && timeout(at_most, self.turn_comes()).await.is_err() {
            return Err(Busy::because(BusyReason::WaitedTooLong));
        }
        Ok(Turn { place: self, wait: at_most })
    }

    async fn turn_comes(&self) {
        poll_fn(|cx| if self.has_turn(cx.waker()) { Poll::Ready(()) } else { Poll::Pending }).await;
    }

    fn has_turn(&self, waker: &Waker) -> bool {
        self.lines
            .get_mut(&self.key)
            .is_some_and(|mut line| line.has_turn(self.ticket, || waker.clone()))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.in_line(Line::leave);
    }
}

/// The right to change one thing, until it is dropped.
#[must_use = "a turn that is dropped is over"]
pub struct Turn {
    place: Place,
    wait: Duration,
}

impl Turn {
    /// What may be changed.
    pub fn key(&self) -> &TurnKey {
        &self.place.key
    }

    /// Gives the turn back and steps aside for `window`, so that calls that overtake may go first.
    pub fn hold(self, window: Duration) -> Held {
        self.place.in_line(Line::hold);
        Held { since: Instant::now(), window, wait: self.wait, place: self.place }
    }
}

impl fmt::Debug for Turn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Turn").field(&self.place.key).finish()
    }
}

/// A call that has stepped aside. It keeps its place: dropping it gives the place up.
#[must_use = "a held call that is dropped gives up its place"]
pub struct Held {
    place: Place,
    since: Instant,
    window: Duration,
    wait: Duration,
}

impl Held {
    /// Waits for the turn to come back: when the window ends, or at once when a call arrives that
    /// does not overtake. Calls that overtake and were already waiting then go first. Takes at
    /// most the window and once more the time a call may wait.
    pub async fn wait(self) -> Result<Turn, Busy> {
        if timeout(self.window.saturating_sub(self.since.elapsed()), self.place.turn_comes())
            .await
            .is_err()
        {
            self.place.in_line(Line::end_window);
        }
        self.place.turn(self.wait).await
    }
}

impl fmt::Debug for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Held").field(&self.place.key).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Entry::{Ordinary, Overtakes};
    use futures_util::{FutureExt, future::join_all, poll};
    use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering::SeqCst};
    use tokio::{task::yield_now, time::advance};

    const WAIT: Duration = Duration::from_secs(10);
    const WINDOW: Duration = Duration::from_millis(300);

    fn turns() -> Turns {
        Turns::new(3, WAIT)
    }

    fn cart(id: &str) -> TurnKey {
        TurnKey::Session(SessionKey::new(crate::dialects::carts::CART, id))
    }

    /// Takes a turn that must be free.
    async fn at_once(turns: &Turns, key: &TurnKey, entry: Entry) -> Turn {
        turns.turn(key, entry).now_or_never().expect("the turn is free").unwrap()
    }

    /// Gets in line and stays there.
    macro_rules! in_line {
        ($turns:ident, $key:ident, $entry:expr) => {{
            let mut waiting = Box::pin($turns.turn(&$key, $entry));
            assert!(poll!(&mut waiting).is_pending());
            waiting
        }};
    }

    #[tokio::test]
    async fn first_come_is_first_served_and_nothing_is_left_behind() {
        let (turns, key) = (turns(), cart("1"));
        let first = at_once(&turns, &key, Ordinary).await;
        let mut second = in_line!(turns, key, Ordinary);
        let mut third = in_line!(turns, key, Overtakes);
        assert_eq!((turns.open(), turns.waiting(&key), turns.all_waiting()), (1, 2, 2));
        drop(first);
        assert!(poll!(&mut third).is_pending());
        drop(second.as_mut().now_or_never().unwrap());
        drop(third.now_or_never().unwrap());
        assert_eq!((turns.open(), turns.waiting(&key), turns.all_waiting()), (0, 0, 0));
    }

    #[tokio::test]
    async fn different_keys_never_wait_for_each_other() {
        let turns = turns();
        let caller = CredentialHash([1; 16]);
        let keys = [cart("1"), cart("2"), TurnKey::Customer("1".into()), TurnKey::Shopper(caller)];
        let mut open = Vec::new();
        for key in &keys {
            open.push(at_once(&turns, key, Ordinary).await);
        }
        assert_eq!(turns.open(), 4);
        drop(open);
        assert_eq!(turns.open(), 0);
    }

    #[tokio::test]
    async fn a_caller_that_hangs_up_gives_up_its_place() {
        let (turns, key) = (turns(), cart("1"));
        let first = at_once(&turns, &key, Ordinary).await;
        let second = in_line!(turns, key, Ordinary);
        let third = in_line!(turns, key, Ordinary);
        drop(second);
        drop(first);
        assert!(third.now_or_never().unwrap().is_ok());
        assert_eq!(turns.open(), 0);
    }

    #[tokio::test]
    async fn a_caller_that_hangs_up_just_as_its_turn_comes_passes_it_on() {
        let (turns, key) = (turns(), cart("1"));
        let first = at_once(&turns, &key, Ordinary).await;
        let second = in_line!(turns, key, Ordinary);
        let third = in_line!(turns, key, Ordinary);
        drop(first);
        // The turn is the second's now, but it was not polled since.
        drop(second);
        assert!(third.now_or_never().unwrap().is_ok());
        assert_eq!(turns.open(), 0);
    }

    #[tokio::test]
    async fn where_the_queue_is_full_the_caller_is_told_to_try_again() {
        let (turns, key) = (turns(), cart("1"));
        let first = at_once(&turns, &key, Ordinary).await;
        let others = [
            in_line!(turns, key, Ordinary),
            in_line!(turns, key, Ordinary),
            in_line!(turns, key, Ordinary),
        ];
        let busy = turns.turn(&key, Ordinary).now_or_never().unwrap().unwrap_err();
        assert_eq!(
            busy,
            Busy { reason: BusyReason::QueueFull, retry_after: Duration::from_secs(1) }
        );
        drop((first, others));
        assert_eq!(turns.open(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_longer_than_may() {
        let (turns, key) = (turns(), cart("1"));
        let first = at_once(&turns, &key, Ordinary).await;
        let mut second = in_line!(turns, key, Ordinary);
        advance(WAIT - Duration::from_millis(1)).await;
        assert!(poll!(&mut second).is_pending());
        advance(Duration::from_millis(2)).await;
        assert_eq!(second.now_or_never().unwrap().unwrap_err().reason, BusyReason::WaitedTooLong);
        assert_eq!(turns.waiting(&key), 0);
        drop(first);
        assert_eq!(turns.open(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_held_call_has_its_turn_back_when_the_window_ends() {
        let (turns, key) = (turns(), cart("1"));
        let held = at_once(&turns, &key, Ordinary).await.hold(WINDOW);
        let before = Instant::now();
        let turn = held.wait().await.unwrap();
        assert_eq!(before.elapsed().as_millis(), 300);
        drop(turn);
        assert_eq!(turns.open(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn store_credit_overtakes_a_held_call_also_when_the_window_ends_meanwhile() {
        let (turns, key) = (turns(), cart("1"));
        let mut held = Box::pin(at_once(&turns, &key, Ordinary).await.hold(WINDOW).wait());
        assert!(poll!(&mut held).is_pending());
        let credit = at_once(&turns, &key, Overtakes).await;
        let mut more_credit = in_line!(turns, key, Overtakes);
        advance(WINDOW * 2).await;
        assert!(poll!(&mut held).is_pending());
        drop(credit);
        assert!(poll!(&mut held).is_pending());
        drop(more_credit.as_mut().now_or_never().unwrap());
        assert!(held.now_or_never().unwrap().is_ok());
        assert_eq!(turns.open(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_that_does_not_overtake_ends_the_hold_at_once_and_goes_after() {
        let (turns, key) = (turns(), cart("1"));
        let mut held = Box::pin(at_once(&turns, &key, Ordinary).await.hold(WINDOW).wait());
        assert!(poll!(&mut held).is_pending());
        let order = in_line!(turns, key, Ordinary);
        drop(held.now_or_never().unwrap().unwrap());
        assert!(order.now_or_never().unwrap().is_ok());
        assert_eq!(turns.open(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_read_hurries_a_held_call_and_waits_for_nothing() {
        let (turns, key) = (turns(), cart("1"));
        let mut held = Box::pin(at_once(&turns, &key, Ordinary).await.hold(WINDOW).wait());
        assert!(poll!(&mut held).is_pending());
        turns.hurry(&cart("2"));
        assert!(poll!(&mut held).is_pending());
        turns.hurry(&key);
        assert!(held.now_or_never().unwrap().is_ok());
        turns.hurry(&key);
        assert_eq!(turns.open(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_held_call_that_hangs_up_or_waits_too_long_leaves_the_line() {
        let (turns, key) = (turns(), cart("1"));
        drop(at_once(&turns, &key, Ordinary).await.hold(WINDOW));
        assert_eq!(turns.open(), 0);

        let held = at_once(&turns, &key, Ordinary).await.hold(Duration::MAX);
        assert_eq!(turns.waiting(&key), 1);
        let credit = at_once(&turns, &key, Overtakes).await;
        turns.hurry(&key);
        drop(held);
        drop(credit);
        assert_eq!(turns.open(), 0);

        let held = at_once(&turns, &key, Ordinary).await.hold(WINDOW);
        let credit = at_once(&turns, &key, Overtakes).await;
        let before = Instant::now();
        assert_eq!(held.wait().await.unwrap_err().reason, BusyReason::WaitedTooLong);
        assert_eq!(before.elapsed(), WINDOW + WAIT);
        drop(credit);
        assert_eq!(turns.open(), 0);
    }

    /// What several runtimes do at once to few keys: take turns, step aside, hang up at any moment.
    async fn crowd(
        turns: Turns,
        inside: Arc<[AtomicUsize; 3]>,
        served: Arc<AtomicU32>,
        seed: usize,
    ) {
        let callers = (0..8).map(|caller| {
            let (turns, inside, served) = (turns.clone(), inside.clone(), served.clone());
            async move {
                for round in 0..250 {
                    let dice = (seed * 31 + caller * 17 + round * 7) % 11;
                    let at = (caller + round) % 3;
                    let key = cart(&at.to_string());
                    let entry = if dice.is_multiple_of(2) { Ordinary } else { Overtakes };
                    let mut call = Box::pin(turns.turn(&key, entry));
                    if dice == 0 {
                        // Hangs up, whether its turn came or not.
                        let _came = poll!(&mut call);
                        yield_now().await;
                        continue;
                    }
                    let Ok(mut turn) = call.await else { continue };
                    if dice == 1 || dice == 2 {
                        match turn.hold(Duration::from_micros(50)).wait().await {
                            Ok(back) => turn = back,
                            Err(_) => continue,
                        }
                    }
                    assert_eq!(inside[at].fetch_add(1, SeqCst), 0, "two had the turn");
                    yield_now().await;
                    inside[at].fetch_sub(1, SeqCst);
                    served.fetch_add(1, SeqCst);
                    drop(turn);
                }
            }
        });
        join_all(callers).await;
    }

    #[test]
    fn callers_on_several_runtimes_never_have_one_turn_together_and_leave_nothing_behind() {
        let turns = Turns::new(64, Duration::from_secs(60));
        let (inside, served) = (Arc::default(), Arc::new(AtomicU32::new(0)));
        std::thread::scope(|scope| {
            for seed in 0..4 {
                let crowd = crowd(turns.clone(), Arc::clone(&inside), served.clone(), seed);
                scope.spawn(move || {
                    tokio::runtime::Builder::new_current_thread()
                        .enable_time()
                        .build()
                        .unwrap()
                        .block_on(crowd)
                });
            }
        });
        assert!(served.load(SeqCst) > 7_000, "{served:?} of 8000 calls were served");
        assert_eq!((turns.open(), turns.all_waiting()), (0, 0));
    }
}
