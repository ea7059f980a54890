//! Fault injection: which calls go wrong, and how.
//!
//! A [`Fault`] names calls by method and path and says what happens to them. It is added through
//! [`Faults`] or through `/_emulator/faults` (see `control`). Faults "before" happen instead of the
//! call, which changes nothing; faults "after" let the call take effect and spoil its answer.

use super::gate::Gate;
use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// What goes wrong.
#[derive(Clone, Debug)]
pub enum FaultKind {
    /// Delays the call, which then goes on as usual.
    Delay(Duration),
    /// Answers with this status in the vendor's error form; nothing is changed.
    FailBefore(u16),
    /// Takes effect, but answers with this status in the vendor's error form.
    FailAfter(u16),
    /// Resets the connection; nothing is changed.
    ResetBefore,
    /// Takes effect; then resets the connection without an answer.
    ResetAfter,
    /// Answers 429 with `Retry-After` of so many seconds; nothing is changed.
    TooManyRequests(u64),
    /// Takes effect; the answer declares its length, breaks off half-way and the connection closes.
    CutBody,
    /// Takes effect; half of the answer is sent, and then nothing more on a connection that stays
    /// open.
    StallBody,
    /// Takes effect; the answer is a 200 that is neither JSON nor XML.
    Garbage,
    /// Answers 302 to this place; nothing is changed.
    Redirect(String),
    /// Takes effect; the answer's `Content-Length` is off by so much. If it is too large, the
    /// connection closes before it is reached; if it is too small, the body is cut short.
    WrongLength(i64),
    /// Waits at the gate before it takes effect.
    HoldBefore(Gate),
    /// Takes effect, and waits at the gate before it answers.
    HoldAfter(Gate),
}

/// Some calls, and what happens to them.
#[derive(Clone, Debug)]
pub struct Fault {
    /// The method, in capitals; `None` matches every method.
    pub method: Option<String>,
    /// The path, without the query. `*` matches any run of characters, slashes included.
    pub path: String,
    /// The number of matching calls that are spared first.
    pub skip: u64,
    /// The number of matching calls that are struck after that; `None` means all.
    pub times: Option<u64>,
    /// What happens to them.
    pub kind: FaultKind,
}

impl Fault {
    /// Strikes the next call of that method and path, once.
    pub fn once(method: &str, path: &str, kind: FaultKind) -> Self {
        Self {
            method: Some(method.to_ascii_uppercase()),
            path: path.to_owned(),
            skip: 0,
            times: Some(1),
            kind,
        }
    }

    /// Strikes every call of that method and path.
    pub fn always(method: &str, path: &str, kind: FaultKind) -> Self {
        Self { times: None, ..Self::once(method, path, kind) }
    }

    /// Strikes the `n`th matching call, counted from 1, instead of the first.
    #[must_use]
    pub fn from_nth(mut self, n: u64) -> Self {
        self.skip = n.saturating_sub(1);
        self
    }

    /// Strikes so many matching calls.
    #[must_use]
    pub fn times(mut self, times: u64) -> Self {
        self.times = Some(times);
        self
    }

    /// Returns whether the fault names this call.
    fn matches(&self, method: &str, path: &str) -> bool {
        self.method.as_deref().is_none_or(|wanted| wanted == "*" || wanted == method)
            && glob(self.path.as_bytes(), path.as_bytes())
    }
}

/// The faults of one emulator.
#[derive(Debug, Default)]
pub struct Faults {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    next: u64,
    armed: BTreeMap<u64, Armed>,
}

#[derive(Debug)]
struct Armed {
    fault: Fault,
    seen: u64,
}

impl Faults {
    /// Adds a fault, and returns the number by which it can be removed.
    pub fn add(&self, fault: Fault) -> u64 {
        let mut inner = self.lock();
        inner.next += 1;
        let number = inner.next;
        inner.armed.insert(number, Armed { fault, seen: 0 });
        number
    }

    /// Removes one fault; returns false if there is none of that number.
    pub fn remove(&self, number: u64) -> bool {
        self.lock().armed.remove(&number).is_some()
    }

    /// Removes all.
    pub fn clear(&self) {
        self.lock().armed.clear();
    }

    /// Returns the faults that may still strike: number, fault, and how many calls have matched.
    #[must_use]
    pub fn list(&self) -> Vec<(u64, Fault, u64)> {
        self.lock()
            .armed
            .iter()
            .map(|(number, armed)| (*number, armed.fault.clone(), armed.seen))
            .collect()
    }

    /// Returns what strikes this call. Every matching fault counts the call, and those that are
    /// used up are removed.
    pub(crate) fn strike(&self, method: &str, path: &str) -> Vec<FaultKind> {
        let mut struck = Vec::new();
        self.lock().armed.retain(|_, armed| {
            let fault = &armed.fault;
            if !fault.matches(method, path) {
                return true;
            }
            armed.seen += 1;
            let last = fault.times.map(|times| fault.skip.saturating_add(times));
            if armed.seen > fault.skip && last.is_none_or(|last| armed.seen <= last) {
                struck.push(fault.kind.clone());
            }
            last.is_none_or(|last| armed.seen < last)
        });
        struck
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn glob(pattern: &[u8], text: &[u8]) -> bool {
    match pattern.split_first() {
        None => text.is_empty(),
        Some((b'*', rest)) => (0..=text.len()).any(|at| glob(rest, &text[at..])),
        Some((byte, rest)) => {
            text.split_first().is_some_and(|(first, text)| first == byte && glob(rest, text))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_match_with_stars() {
        for (pattern, path, matches) in [
            ("/checkouts/*/sources/*", "/checkouts/1/sources/a", true),
            ("/checkouts/*", "/checkouts/1/sources/a", true),
            ("/checkouts/*", "/checkouts", false),
            ("*apply-payment-method", "/v1/shoppers/me/carts/active/apply-payment-method", true),
            ("*", "/anything", true),
            ("/orders", "/orders/1", false),
        ] {
            assert_eq!(glob(pattern.as_bytes(), path.as_bytes()), matches, "{pattern} {path}");
        }
    }

    #[test]
    fn a_fault_strikes_the_calls_it_counts_and_then_goes_away() {
        let faults = Faults::default();
        faults.add(Fault::once("POST", "/orders", FaultKind::ResetBefore).from_nth(2).times(2));
        let struck: Vec<bool> =
            (0..5).map(|_| !faults.strike("POST", "/orders").is_empty()).collect();
        assert_eq!(struck, [false, true, true, false, false]);
        assert!(faults.list().is_empty());
        assert!(faults.strike("GET", "/orders").is_empty());
    }
}
