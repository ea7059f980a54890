//! Look-ups and how they ended, as a line of the decision log writes them.

use super::form::Now;
use crate::rules::{Lookup, LookupResult, SourceId};
use serde::{Deserialize, Serialize};

/// A thing that was looked up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum LookupForm {
    Session,
    Source(SourceId),
    Customer,
    PaymentOptions,
}

/// How a look-up ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum EndForm {
    /// Upstream answered, and was asked so many milliseconds before the judgement.
    Shown(i64),
    Absent,
    Failed,
}

impl LookupForm {
    pub(super) fn of(lookup: &Lookup) -> Self {
        match lookup {
            Lookup::Session => Self::Session,
            Lookup::Source(id) => Self::Source(id.clone()),
            Lookup::Customer => Self::Customer,
            Lookup::PaymentOptions => Self::PaymentOptions,
        }
    }

    pub(super) fn lookup(self) -> Lookup {
        match self {
            Self::Session => Lookup::Session,
            Self::Source(id) => Lookup::Source(id),
            Self::Customer => Lookup::Customer,
            Self::PaymentOptions => Lookup::PaymentOptions,
        }
    }
}

impl EndForm {
    pub(super) fn of(end: LookupResult, now: Now) -> Self {
        match end {
            LookupResult::At(asked) => Self::Shown(now.age(asked)),
            LookupResult::Absent => Self::Absent,
            LookupResult::Failed => Self::Failed,
        }
    }

    pub(super) fn result(self, now: Now) -> LookupResult {
        match self {
            Self::Shown(age) => LookupResult::At(now.at(age)),
            Self::Absent => LookupResult::Absent,
            Self::Failed => LookupResult::Failed,
        }
    }
}
