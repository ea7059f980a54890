//! What `decide` says.

use super::{Lookup, OptionId, SourceId, Violation};
use std::time::Duration;

/// Why a call goes up, or how it differs from what the caller sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// Carts: detach the primary, make the call, attach the primary again.
    Repair {
        /// The primary to move behind.
        primary: SourceId,
        /// What the call attaches.
        incoming: SourceId,
    },
    /// Carts: detach the primary, make the call, which attaches another.
    Replace {
        /// The primary to take away.
        primary: SourceId,
        /// What the call attaches: a source, or whatever this option stands for.
        incoming: Incoming,
    },
}

/// What a replacing call attaches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Incoming {
    /// A source.
    Source(SourceId),
    /// A saved payment option.
    Option(OptionId),
}

/// What to do with a governed call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Send it as it came. `monitored` is what a rule that only reports would have said.
    Forward {
        /// The first rule that only reports, if one was broken.
        monitored: Option<Violation>,
    },
    /// Send it without its `owner` member.
    Strip(Violation),
    /// Answer it here.
    Reject(Violation),
    /// Look this up, then ask again.
    Need(Lookup),
    /// A fact that a refusal would rest on cannot be had, and the policy wants no guess.
    Unavailable(Lookup),
    /// Send several calls in its place; `violation` is what is being put right.
    Remedy(Remedy, Violation),
    /// Let it wait for secondaries, then ask again with `Known::held`.
    Hold {
        /// How long, at most.
        window: Duration,
    },
    /// Answer it with the source as upstream shows it, and send it when something depends on it.
    Defer,
}
