//! What to do with a governed call: the outcome of `decide`.

use super::{Field, Lookup, OptionId, RuleId, SourceId, Violation};
use std::{fmt, time::Duration};

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

/// A verdict, and what it could not take into account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judgement {
    /// What to do with the call.
    pub verdict: Verdict,
    /// The rules that could not be judged although the call goes on.
    pub unjudged: Vec<Unjudged>,
}

/// A rule that could not be judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unjudged {
    /// The rule.
    pub rule: RuleId,
    /// What was missing.
    pub missing: MissingFact,
}

/// What was missing to judge a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MissingFact {
    /// The look-up failed.
    Failed(Lookup),
    /// Upstream says that it does not exist.
    Absent(Lookup),
    /// Upstream answered, and did not tell this, or not in a form that can be read.
    Untold(Lookup, Option<Field>),
    /// The order in which these two were attached, which neither Weir saw nor the figures tell.
    Order {
        /// The secondary.
        secondary: SourceId,
        /// The primary.
        primary: SourceId,
    },
    /// The call was not judged at all.
    NotAsked,
}

impl fmt::Display for MissingFact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let of = |lookup: &Lookup| match lookup {
            Lookup::Session => "the session".to_owned(),
            Lookup::Source(id) => format!("source {id}"),
            Lookup::Customer => "the customer".to_owned(),
            Lookup::PaymentOptions => "the payment options".to_owned(),
        };
        match self {
            Self::Failed(lookup) => write!(f, "the look-up of {} failed", of(lookup)),
            Self::Absent(lookup) => write!(f, "{} does not exist", of(lookup)),
            Self::Untold(lookup, Some(field)) => {
                write!(f, "{} of {} not told", field.as_str(), of(lookup))
            }
            Self::Untold(lookup, None) => write!(f, "{} not told", of(lookup)),
            Self::Order { secondary, primary } => write!(
                f,
                "the order of attachment is not known: secondary {secondary} may have joined after \
                 the primary {primary}; detach the primary and attach it again before the order"
            ),
            Self::NotAsked => f.write_str("the call was not judged"),
        }
    }
}
