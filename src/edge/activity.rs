//! What one connection is doing, and how long it may.
//!
//! In: what its stream and its service see: bytes that come, writes that wait, calls that begin and
//! end. Out: when to look again, or the limit that is exceeded. Nothing here waits, and a call
//! reads the clock twice.

use super::{accept::Protocol, stream::Stream};
use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::time::Instant;

/// The bytes of an HTTP/2 handshake: the preface and an empty SETTINGS frame (RFC 9113 section
/// 3.4).
const HANDSHAKE: u64 = 24 + 9;

/// How long a connection that was asked to end, and has no call, may take to do so.
const LAST: Duration = Duration::from_secs(1);

/// How long a connection may do what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TimeLimits {
    /// From the first byte of a request to the end of its head; over HTTP/2 the handshake.
    pub head: Duration,
    /// Without a call.
    pub keep_alive: Duration,
    /// Without taking a byte of what is written to it.
    pub write: Duration,
}

/// The limit that a connection has exceeded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Overdue {
    /// The head of a request, or an HTTP/2 handshake, did not arrive in time.
    Head,
    /// There was no call for as long as an idle connection is kept.
    Idle,
    /// The peer took nothing of what was written to it.
    Write,
    /// It was asked to end, and did not.
    Ending,
}

/// What one connection is doing.
#[derive(Debug)]
pub(super) struct Activity {
    limits: TimeLimits,
    protocol: Protocol,
    born: Instant,
    /// Calls whose answers are not written to the end.
    calls: AtomicUsize,
    /// When it became idle, or when the head that arrives began: milliseconds after its birth.
    since: AtomicU64,
    is_in_head: AtomicBool,
    /// Since when a write waits, and 1 more; 0: none does.
    write_waits: AtomicU64,
    /// How often something was written, and how often when this was looked at last.
    writes: AtomicU64,
    writes_seen: AtomicU64,
    /// Bytes that came, over HTTP/2.
    received: AtomicU64,
    /// Whether the stream is wanted back when it is given up, and the stream then.
    is_wanted: AtomicBool,
    given_back: Mutex<Option<Stream>>,
}

impl Activity {
    pub(super) fn new(limits: TimeLimits, protocol: Protocol) -> Self {
        Self {
            limits,
            protocol,
            born: Instant::now(),
            calls: AtomicUsize::new(0),
            since: AtomicU64::new(0),
            is_in_head: AtomicBool::new(false),
            write_waits: AtomicU64::new(0),
            writes: AtomicU64::new(0),
            writes_seen: AtomicU64::new(0),
            received: AtomicU64::new(0),
            is_wanted: AtomicBool::new(false),
            given_back: Mutex::new(None),
        }
    }

    /// Notes that bytes came. Over HTTP/2 they need not belong to a call: a PING does not keep a
    /// connection.
    pub(super) fn receive(&self, bytes: usize) {
        if self.protocol == Protocol::Http2 {
            self.received.fetch_add(bytes as u64, Relaxed);
        } else if self.calls.load(Relaxed) == 0 && !self.is_in_head.load(Relaxed) {
            self.since.store(self.age(), Relaxed);
            self.is_in_head.store(true, Relaxed);
        }
    }

    /// Returns whether the head of an HTTP/1 request is arriving.
    pub(super) fn is_in_head(&self) -> bool {
        self.is_in_head.load(Relaxed)
    }

    /// Notes whether the last write waits for the peer.
    pub(super) fn write(&self, waits: bool) {
        match (waits, self.write_waits.load(Relaxed)) {
            (true, 0) => self.write_waits.store(self.age() + 1, Relaxed),
            (false, 1..) => self.write_waits.store(0, Relaxed),
            _ => {}
        }
    }

    /// Notes that some bytes were written.
    pub(super) fn wrote(&self) {
        self.writes.fetch_add(1, Relaxed);
    }

    pub(super) fn begin_call(&self) {
        self.calls.fetch_add(1, Relaxed);
        self.is_in_head.store(false, Relaxed);
    }

    pub(super) fn end_call(&self) {
        if self.calls.fetch_sub(1, Relaxed) == 1 {
            self.since.store(self.age(), Relaxed);
        }
    }

    fn age(&self) -> u64 {
        u64::try_from(self.born.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Returns when to look again, or the limit that is exceeded. `ending` is the moment at which
    /// the connection was asked to end.
    pub(super) fn check(&self, now: Instant, ending: Option<Instant>) -> Result<Instant, Overdue> {
        let at = |age: u64| self.born + Duration::from_millis(age);
        let TimeLimits { head, keep_alive, write } = self.limits;
        // What begins after this look is overdue no sooner than this.
        let mut next = now + head.min(keep_alive).min(write);
        let mut until = |end: Instant, overdue: Overdue| match end <= now {
            true => Err(overdue),
            false => {
                next = next.min(end);
                Ok(())
            }
        };
        if let Some(waits) = self.write_waits.load(Relaxed).checked_sub(1) {
            until(at(waits) + write, Overdue::Write)?;
            return Ok(next);
        }
        if self.calls.load(Relaxed) > 0 {
            return Ok(next);
        }
        let since = at(self.since.load(Relaxed));
        match self.protocol {
            Protocol::Http1 if self.is_in_head.load(Relaxed) => {
                until(since + head, Overdue::Head)?;
            }
            Protocol::Http2 if self.received.load(Relaxed) < HANDSHAKE => {
                until(self.born + head, Overdue::Head)?;
            }
            _ => match ending {
                Some(asked) => {
                    let writes = self.writes.load(Relaxed);
                    // What is queued for the peer still goes out.
                    if self.writes_seen.swap(writes, Relaxed) != writes {
                        return Ok(next.min(now + LAST));
                    }
                    until(since.max(asked) + LAST, Overdue::Ending)?;
                }
                None => until(since + keep_alive, Overdue::Idle)?,
            },
        }
        Ok(next)
    }

    /// Asks for the stream, which is given back when the connection is dropped.
    pub(super) fn want_back(&self) {
        self.is_wanted.store(true, Relaxed);
    }

    pub(super) fn give_back(&self, stream: Stream) {
        if self.is_wanted.load(Relaxed) {
            *self.given_back.lock().unwrap_or_else(PoisonError::into_inner) = Some(stream);
        }
    }

    pub(super) fn take_back(&self) -> Option<Stream> {
        self.given_back.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: TimeLimits = TimeLimits {
        head: Duration::from_secs(15),
        keep_alive: Duration::from_secs(75),
        write: Duration::from_secs(30),
    };

    fn at(activity: &Activity, seconds: u64) -> Instant {
        activity.born + Duration::from_secs(seconds)
    }

    /// Looks as often as it is told to, and returns after how many seconds which limit is exceeded.
    fn overdue(activity: &Activity, ending: Option<u64>) -> Option<(u64, Overdue)> {
        let ending = ending.map(|second| at(activity, second));
        let mut now = activity.born + activity.born.elapsed();
        for _ in 0..100 {
            match activity.check(now, ending) {
                Ok(next) => {
                    assert!(next > now, "it would look for ever");
                    now = next;
                }
                Err(overdue) => return Some(((now - activity.born).as_secs(), overdue)),
            }
        }
        None
    }

    #[tokio::test(start_paused = true)]
    async fn each_limit_is_exceeded_when_it_says() {
        for protocol in [Protocol::Http1, Protocol::Http2] {
            let new = || Activity::new(LIMITS, protocol);
            let is_http1 = protocol == Protocol::Http1;
            // Nothing came: over HTTP/1 it is idle, over HTTP/2 the handshake is missing.
            let nothing = if is_http1 { (75, Overdue::Idle) } else { (15, Overdue::Head) };
            assert_eq!(overdue(&new(), None), Some(nothing));

            // A part came: the head is late, or the handshake is over and there is no call.
            let activity = new();
            activity.receive(40);
            let part = if is_http1 { (15, Overdue::Head) } else { (75, Overdue::Idle) };
            assert_eq!(overdue(&activity, None), Some(part));

            // A call has all the time it takes, also while the connection is asked to end.
            activity.begin_call();
            assert_eq!((overdue(&activity, None), overdue(&activity, Some(3))), (None, None));

            // But its answer must be taken.
            tokio::time::advance(Duration::from_secs(5)).await;
            activity.write(true);
            assert_eq!(overdue(&activity, None), Some((35, Overdue::Write)));
            activity.write(true);
            activity.write(false);
            assert_eq!(overdue(&activity, None), None);

            // After it the connection is idle, from the last one on.
            activity.begin_call();
            activity.end_call();
            assert_eq!(overdue(&activity, None), None);
            activity.end_call();
            assert_eq!(overdue(&activity, None), Some((80, Overdue::Idle)));
            assert_eq!(overdue(&activity, Some(7)), Some((8, Overdue::Ending)));
            assert_eq!(overdue(&activity, Some(2)), Some((6, Overdue::Ending)));

            // What is still written is not cut off for want of a call.
            activity.write(true);
            assert_eq!(overdue(&activity, Some(2)), Some((35, Overdue::Write)));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_goes_on_is_no_head() {
        let activity = Activity::new(LIMITS, Protocol::Http1);
        activity.receive(40);
        activity.begin_call();
        tokio::time::advance(Duration::from_secs(20)).await;
        activity.receive(40);
        activity.end_call();
        assert_eq!(overdue(&activity, None), Some((95, Overdue::Idle)));
        tokio::time::advance(Duration::from_secs(10)).await;
        activity.receive(1);
        activity.receive(1);
        assert_eq!(overdue(&activity, None), Some((45, Overdue::Head)));
    }
}
