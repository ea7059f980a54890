//! Decides a recorded call again, from its line of the decision log and a policy alone.
//!
//! In: a line, and a policy. Out: the judgement that the line records, and the one that the rules
//! give under this policy. The arguments of the rules are in the line: what was known, what the
//! call means, and the time. Nothing is asked and nothing is read.

mod error;
mod form;
mod intent;
mod known;
mod looked_up;
mod option;
mod parts;
#[cfg(test)]
mod tests;
mod verdict;

pub use error::ReplayError;
pub(super) use error::VERSION;
pub use verdict::{Is, Judged};

pub(super) use intent::IntentForm;

use crate::rules::{Basis, Policy, Timestamp, judge_call};
use form::{Names, Now};
use known::KnownForm;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The arguments of a judgement, apart from the intent and the policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Arguments {
    /// The time, in milliseconds since the Unix epoch.
    now: u64,
    /// How many milliseconds before upstream may have been changed past the records; no older fact
    /// was fresh. Absent: it was not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    changed_ms: Option<u64>,
    known: KnownForm,
}

impl Arguments {
    /// Writes down what a judgement rested on. `changed`: how long before upstream may have been
    /// changed past the records.
    pub(super) fn of(basis: &Basis, changed: Option<Duration>) -> Self {
        Self {
            now: basis.now.0,
            changed_ms: changed.map(|ago| u64::try_from(ago.as_millis()).unwrap_or(u64::MAX)),
            known: KnownForm::of(&basis.known, Now(basis.now)),
        }
    }
}

/// The members of a line that a judgement needs. Others are for people.
#[derive(Deserialize)]
struct Line {
    intent: Option<IntentForm>,
    verdict: Option<Judged>,
    replay: Option<Arguments>,
}

#[derive(Deserialize)]
struct Versioned {
    v: u64,
}

/// A call that was judged, then and now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replayed {
    /// The judgement that the line records.
    pub recorded: Judged,
    /// The judgement under the policy that was given.
    pub again: Judged,
}

/// Decides the call of a line again, under this policy. Returns `None` for a call that no rule
/// judged: a read, or one that was answered or sent before.
///
/// # Errors
/// Returns an error if the line is no line of a decision log, is of another version, or names what
/// the policy does not know.
pub fn replay(line: &str, policy: &Policy) -> Result<Option<Replayed>, ReplayError> {
    let Versioned { v } = serde_json::from_str(line)?;
    if v != VERSION {
        return Err(ReplayError::Version(v));
    }
    let line: Line = serde_json::from_str(line)?;
    let (Some(intent), Some(recorded), Some(arguments)) = (line.intent, line.verdict, line.replay)
    else {
        return Ok(None);
    };
    let now = Timestamp(arguments.now);
    let intent = intent.intent(&Names(policy))?;
    let known = arguments.known.known(Now(now));
    let policy = policy.doubting(arguments.changed_ms.map(Duration::from_millis));
    let again = Judged::of(&judge_call(&known, &intent, &policy, now));
    Ok(Some(Replayed { recorded, again }))
}
