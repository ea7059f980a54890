//! What to do with a governed call: the outcome of `decide`.

use super::{Lookup, OptionId, SourceId, Violation};
use std::time::Duration;

/// Several calls sent in place of the caller's one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// Detach the primary, make the call, attach the primary again.
    Repair {
        /// The primary, which is attached again after the call.
        primary: SourceId,
        /// What the call attaches.
        incoming: SourceId,
    },
    /// Detach the primary, then make the call, which attaches another.
    Replace {
        /// The primary to take away.
        primary: SourceId,
        /// What the call attaches.
        incoming: Incoming,
    },
    /// Detach the primary and attach it again, so that it is the last, then make the call.
    Resequence {
        /// The primary.
        primary: SourceId,
    },
}

/// What a replacing call attaches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Incoming {
    /// A source.
    Source(SourceId),
    /// The source behind a saved payment option.
    Option(OptionId),
}

/// What to do with a governed call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Send it unchanged.
    Forward {
        /// The violation of the first broken rule that only reports.
        monitored: Option<Violation>,
    },
    /// Send it without its `owner` member.
    Strip(Violation),
    /// Refuse it without sending it.
    Reject(Violation),
    /// Look this up, then decide again.
    Need(Lookup),
    /// Refuse it, because a fact that a refusal needs could not be looked up and the policy rejects
    /// such calls.
    Unavailable(Lookup),
    /// Send several calls in its place.
    Remedy {
        /// The calls.
        remedy: Remedy,
        /// The violation that they avoid.
        violation: Violation,
    },
    /// Let it wait for secondaries, then decide again with `Known::waited`.
    Hold {
        /// The longest time to wait.
        window: Duration,
    },
    /// Answer it with the source as upstream shows it, and send it when a later call needs it.
    Defer,
}
