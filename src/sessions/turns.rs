//! Turns: one mutation of a session (or of a customer's saved sources) at a time, first come first
//! served.
//!
//! In: the key of what is to be changed. Out: a [`TurnGuard`] that passes the turn on when it is
//! dropped, or [`Busy`]. [`super::queue`] keeps the order; this file waits, wakes and measures
//! time. Different keys never wait for each other, and a key without calls takes no memory. Callers
//! may wait on different runtimes.
//!
//! A place in the queue is a value. Dropping it leaves the queue, whether the caller hung up, ran
//! out of time or finished.

use super::{
    keys::CustomerKey,
    queue::{Full, Priority, Ticket, TurnQueue},
};
use crate::{
    metrics::Metrics,
    rules::{CredentialHash, SessionKey},
};
use dashmap::{DashMap, Entry};
use std::{
    fmt,
    future::poll_fn,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    task::{Poll, Waker},
    time::Duration,
};
use tokio::time::{Instant, timeout};

/// Names what one call at a time may change. A call that needs several turns takes them in this
/// order, so that no two calls wait for each other.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum TurnKey {
    /// A session.
    Session(SessionKey),
    /// A customer's saved sources.
    Customer(CustomerKey),
    /// A shopper's saved options, and its active session while the id is not known.
    Shopper(CredentialHash),
    /// A session of which nothing is remembered, for the calls of one credential.
    Unseen(CredentialHash, SessionKey),
}

/// The error of a call that did not get its turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct Busy {
    /// Why the turn was not given.
    pub reason: BusyReason,
    /// When to try again, for `Retry-After`: whole seconds, at least one.
    pub retry_after: Duration,
}

/// Why a turn was not given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BusyReason {
    /// No more calls may wait.
    #[error("too many calls already wait to change this")]
    QueueFull,
    /// No more calls may wait, over all turns.
    #[error("too many calls wait for their turns")]
    TooManyWait,
    /// The turn did not come within the time a call may wait.
    #[error("earlier calls that change this took too long")]
    WaitedTooLong,
}

impl BusyReason {
    /// Returns the name used in headers, decisions and counts.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::QueueFull => "queue_full",
            Self::TooManyWait => "too_many_waiting",
            Self::WaitedTooLong => "waited_too_long",
        }
    }
}

impl Busy {
    fn because(reason: BusyReason) -> Self {
        // The unit of `Retry-After`; a turn lasts one upstream call, mostly far less.
        Self { reason, retry_after: Duration::from_secs(1) }
    }
}

type Queues = DashMap<Arc<TurnKey>, TurnQueue<Waker>>;

/// All queues that are not empty.
#[derive(Clone)]
pub(super) struct Turns {
    queues: Arc<Queues>,
    limits: Arc<Limits>,
    metrics: Metrics,
}

/// How many may wait for one turn, and for how many milliseconds each; how many for any, and how
/// many do.
struct Limits {
    bound: AtomicUsize,
    wait: AtomicU64,
    most: AtomicUsize,
    waiting: AtomicUsize,
}

/// A call that waits, until this is dropped.
struct Waits(Arc<Limits>);

impl Waits {
    /// Counts one more, if it may wait.
    fn begin(limits: &Arc<Limits>) -> Result<Self, Busy> {
        let most = limits.most.load(Relaxed);
        let next = |waiting: usize| (waiting < most).then_some(waiting + 1);
        let counted = limits.waiting.fetch_update(Relaxed, Relaxed, next);
        counted.map(|_| Self(limits.clone())).map_err(|_| Busy::because(BusyReason::TooManyWait))
    }
}

impl Drop for Waits {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Relaxed);
    }
}

impl Turns {
    /// Makes queues in which at most `bound` calls wait for one turn, each for at most `wait`, and
    /// at most `most` for all turns together.
    pub(super) fn new(bound: usize, wait: Duration, most: usize, metrics: Metrics) -> Self {
        let limits = Limits {
            bound: bound.into(),
            wait: millis(wait).into(),
            most: most.into(),
            waiting: 0.into(),
        };
        Self { queues: Arc::default(), limits: Arc::new(limits), metrics }
    }

    /// Lets so many calls wait for one turn, and so long, from now on. Those that wait already stay
    /// and wait as long as they might.
    pub(super) fn set_limits(&self, bound: usize, wait: Duration, most: usize) {
        self.limits.most.store(most, Relaxed);
        self.limits.bound.store(bound, Relaxed);
        self.limits.wait.store(millis(wait), Relaxed);
        // A queue that is made meanwhile has the new bound already.
        self.queues.iter_mut().for_each(|mut queue| queue.set_bound(bound));
    }

    fn bound(&self) -> usize {
        self.limits.bound.load(Relaxed)
    }

    fn wait(&self) -> Duration {
        Duration::from_millis(self.limits.wait.load(Relaxed))
    }

    pub(super) async fn turn(&self, of: &TurnKey, priority: Priority) -> Result<TurnGuard, Busy> {
        let (place, _waits) = self.enter(of, priority)?;
        if place.has_turn(Waker::noop()) {
            self.metrics.turn(Duration::ZERO);
            return Ok(TurnGuard { place, wait: self.wait() });
        }
        let since = Instant::now();
        let turn = place.turn(self.wait()).await?;
        self.metrics.turn(since.elapsed());
        Ok(turn)
    }

    /// Returns whether no call has this turn or waits for it.
    pub(super) fn is_free(&self, of: &TurnKey) -> bool {
        !self.queues.contains_key(of)
    }

    /// Takes the turn if the queue is empty; never waits.
    pub(super) fn turn_if_free(&self, of: &TurnKey) -> Option<TurnGuard> {
        let key = Arc::new(of.clone());
        let Entry::Vacant(slot) = self.queues.entry(key.clone()) else { return None };
        let mut queue = slot.insert(TurnQueue::new(self.bound()));
        let (ticket, _) = queue.enter(Priority::Ordinary).ok()?;
        drop(queue);
        let place = Place { queues: self.queues.clone(), key, ticket };
        if !place.has_turn(Waker::noop()) {
            return None;
        }
        self.metrics.turn(Duration::ZERO);
        Some(TurnGuard { place, wait: self.wait() })
    }

    /// Enters the queue. A call that may not wait changes nothing there.
    fn enter(&self, of: &TurnKey, priority: Priority) -> Result<(Place, Option<Waits>), Busy> {
        let key = Arc::new(of.clone());
        let mut queue =
            self.queues.entry(key.clone()).or_insert_with(|| TurnQueue::new(self.bound()));
        let waits = match queue.serves_at_once(priority) {
            true => None,
            false => Some(Waits::begin(&self.limits)?),
        };
        let full = |Full| Busy::because(BusyReason::QueueFull);
        let (ticket, next) = queue.enter(priority).map_err(full)?;
        drop(queue);
        wake(next);
        Ok((Place { queues: self.queues.clone(), key, ticket }, waits))
    }

    pub(super) fn release_held(&self, of: &TurnKey) {
        let next = self.queues.get_mut(of).and_then(|mut queue| queue.release_held());
        wake(next);
    }

    pub(super) fn waiting(&self, of: &TurnKey) -> usize {
        self.queues.get(of).map_or(0, |queue| queue.waiting())
    }

    pub(super) fn open(&self) -> usize {
        self.queues.len()
    }

    /// Returns each turn for which calls wait, and how many, the most first.
    pub(super) fn all_with_waiting(&self) -> Vec<(TurnKey, usize)> {
        let queues = self.queues.iter();
        let waiting = queues.map(|queue| (TurnKey::clone(queue.key()), queue.waiting()));
        let mut found: Vec<_> = waiting.filter(|(_, waiting)| *waiting > 0).collect();
        found.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        found
    }

    pub(super) fn all_waiting(&self) -> usize {
        self.queues.iter().map(|queue| queue.waiting()).sum()
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// Wakes a call. Must not be called under a lock, since a waker may run any code.
fn wake(next: Option<Waker>) {
    if let Some(waker) = next {
        waker.wake();
    }
}

/// A place in a queue, whether waiting, held or with the turn. Dropping it leaves the queue.
struct Place {
    queues: Arc<Queues>,
    key: Arc<TurnKey>,
    ticket: Ticket,
}

impl Place {
    /// Runs a verb on the queue, wakes the call that got the turn, and drops the queue if it is
    /// idle.
    fn in_queue(&self, verb: impl FnOnce(&mut TurnQueue<Waker>, Ticket) -> Option<Waker>) {
        let next = match self.queues.entry(self.key.clone()) {
            Entry::Occupied(mut queue) => {
                let next = verb(queue.get_mut(), self.ticket);
                if queue.get().is_idle() {
                    queue.remove();
                }
                next
            }
            Entry::Vacant(_) => None,
        };
        wake(next);
    }

    async fn turn(self, at_most: Duration) -> Result<TurnGuard, Busy> {
        // Checked first, so that an uncontended turn sets no timer.
        if !self.has_turn(Waker::noop()) && timeout(at_most, self.turn_comes()).await.is_err() {
            return Err(Busy::because(BusyReason::WaitedTooLong));
        }
        Ok(TurnGuard { place: self, wait: at_most })
    }

    async fn turn_comes(&self) {
        poll_fn(|cx| if self.has_turn(cx.waker()) { Poll::Ready(()) } else { Poll::Pending }).await;
    }

    fn has_turn(&self, waker: &Waker) -> bool {
        self.queues
            .get_mut(&self.key)
            .is_some_and(|mut queue| queue.has_turn(self.ticket, || waker.clone()))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.in_queue(TurnQueue::leave);
    }
}

/// The right to change one thing, until it is dropped.
#[must_use = "a turn that is dropped is over"]
pub struct TurnGuard {
    place: Place,
    wait: Duration,
}

impl TurnGuard {
    /// Returns what may be changed.
    pub fn key(&self) -> &TurnKey {
        &self.place.key
    }

    /// Gives the turn back and steps aside for `window`, so that calls that overtake may go first.
    pub fn hold(self, window: Duration) -> HeldGuard {
        self.place.in_queue(TurnQueue::hold);
        HeldGuard { since: Instant::now(), window, wait: self.wait, place: self.place }
    }
}

impl fmt::Debug for TurnGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TurnGuard").field(&self.place.key).finish()
    }
}

/// A call that has stepped aside. It keeps its place: dropping it gives the place up.
#[must_use = "a held call that is dropped gives up its place"]
pub struct HeldGuard {
    place: Place,
    since: Instant,
    window: Duration,
    wait: Duration,
}

impl HeldGuard {
    /// Waits for the turn to come back: when the window ends, or at once when an ordinary call
    /// arrives. Overtaking calls that already wait by then go first. Takes at most the window plus
    /// the time a call may wait.
    pub async fn wait(self) -> Result<TurnGuard, Busy> {
        if timeout(self.window.saturating_sub(self.since.elapsed()), self.place.turn_comes())
            .await
            .is_err()
        {
            self.place.in_queue(TurnQueue::end_window);
        }
        self.place.turn(self.wait).await
    }
}

impl fmt::Debug for HeldGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("HeldGuard").field(&self.place.key).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Priority::{Ordinary, Overtaking};
    use futures_util::{FutureExt, future::join_all, poll};
    use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
    use tokio::{task::yield_now, time::advance};

    const WAIT: Duration = Duration::from_secs(10);
    const WINDOW: Duration = Duration::from_millis(300);

    fn turns() -> Turns {
        Turns::new(3, WAIT, 100, Metrics::default())
    }

    fn cart(id: &str) -> TurnKey {
        TurnKey::Session(SessionKey::new(crate::dialects::carts::CART, id))
    }

    /// Takes a turn that must be free.
    async fn at_once(turns: &Turns, key: &TurnKey, priority: Priority) -> TurnGuard {
        turns.turn(key, priority).now_or_never().expect("the turn is free").unwrap()
    }

    /// Enters the queue and stays there.
    macro_rules! in_line {
        ($turns:ident, $key:ident, $priority:expr) => {{
            let mut waiting = Box::pin($turns.turn(&$key, $priority));
            assert!(poll!(&mut waiting).is_pending());
            waiting
        }};
    }

    #[tokio::test]
    async fn first_come_is_first_served_and_nothing_is_left_behind() {
        let (turns, key) = (turns(), cart("1"));
        let first = at_once(&turns, &key, Ordinary).await;
        let mut second = in_line!(turns, key, Ordinary);
        let mut third = in_line!(turns, key, Overtaking);
        assert_eq!((turns.open(), turns.waiting(&key), turns.all_waiting()), (1, 2, 2));
        drop(first);
        assert!(poll!(&mut third).is_pending());
        drop(second.as_mut().now_or_never().unwrap());
        drop(third.now_or_never().unwrap());
        assert_eq!((turns.open(), turns.waiting(&key), turns.all_waiting()), (0, 0, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_that_may_not_wait_ends_no_hold() {
        let turns = Turns::new(3, WAIT, 1, Metrics::default());
        let (a, b) = (cart("1"), cart("2"));
        let _other = at_once(&turns, &b, Ordinary).await;
        let _waits = in_line!(turns, b, Ordinary);
        let mut held = Box::pin(at_once(&turns, &a, Ordinary).await.hold(WINDOW).wait());
        assert!(poll!(&mut held).is_pending());
        let refused = turns.turn(&a, Ordinary).now_or_never().expect("no wait").unwrap_err();
        assert_eq!(refused.reason, BusyReason::TooManyWait);
        assert!(poll!(&mut held).is_pending(), "credit may still overtake it");
        drop(at_once(&turns, &a, Overtaking).await);
    }

    #[tokio::test]
    async fn so_many_wait_for_all_turns_together_and_no_more() {
        let turns = Turns::new(3, WAIT, 2, Metrics::default());
        let (a, b) = (cart("1"), cart("2"));
        let held = (at_once(&turns, &a, Ordinary).await, at_once(&turns, &b, Ordinary).await);
        let first = in_line!(turns, a, Ordinary);
        let _second = in_line!(turns, b, Ordinary);
        let refused = turns.turn(&a, Ordinary).now_or_never().expect("no wait").unwrap_err();
        assert_eq!(refused.reason, BusyReason::TooManyWait);
        assert_eq!(turns.waiting(&a), 1, "it has left its queue");
        drop(first);
        let _third = in_line!(turns, b, Ordinary);
        turns.set_limits(3, WAIT, 3);
        let _fourth = in_line!(turns, a, Ordinary);
        drop(held);
    }

    #[tokio::test]
    async fn different_keys_never_wait_for_each_other() {
        let turns = turns();
        let caller = CredentialHash([1; 16]);
        let keys = [
            cart("1"),
            cart("2"),
            TurnKey::Customer(CustomerKey { caller, id: "1".into() }),
            TurnKey::Shopper(caller),
        ];
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
    async fn no_call_waits_longer_than_it_may() {
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
        let credit = at_once(&turns, &key, Overtaking).await;
        let mut more_credit = in_line!(turns, key, Overtaking);
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
        turns.release_held(&cart("2"));
        assert!(poll!(&mut held).is_pending());
        turns.release_held(&key);
        assert!(held.now_or_never().unwrap().is_ok());
        turns.release_held(&key);
        assert_eq!(turns.open(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_held_call_that_hangs_up_or_waits_too_long_leaves_the_line() {
        let (turns, key) = (turns(), cart("1"));
        drop(at_once(&turns, &key, Ordinary).await.hold(WINDOW));
        assert_eq!(turns.open(), 0);

        let held = at_once(&turns, &key, Ordinary).await.hold(Duration::MAX);
        assert_eq!(turns.waiting(&key), 1);
        let credit = at_once(&turns, &key, Overtaking).await;
        turns.release_held(&key);
        drop(held);
        drop(credit);
        assert_eq!(turns.open(), 0);

        let held = at_once(&turns, &key, Ordinary).await.hold(WINDOW);
        let credit = at_once(&turns, &key, Overtaking).await;
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
                    let priority = if dice.is_multiple_of(2) { Ordinary } else { Overtaking };
                    let mut call = Box::pin(turns.turn(&key, priority));
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
        let turns = Turns::new(64, Duration::from_secs(60), 100, Metrics::default());
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
