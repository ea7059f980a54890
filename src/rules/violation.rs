//! A broken rule.

use super::{Dialect, Finding, Lookup, RuleId, SourceId, Timestamp};

/// A broken rule. The error body, the log line and the inspector's row are all rendered from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Which rule.
    pub rule: RuleId,
    /// In whose table.
    pub dialect: Dialect,
    /// What was found.
    pub finding: Finding,
    /// The facts it rests on, in the order in which they were asked for.
    pub facts: Vec<UsedFact>,
}

impl Violation {
    /// Builds the violation of a call of this dialect that can be read in two ways; `what` names
    /// the two, never their values where these may be secret.
    pub fn ambiguous(dialect: Dialect, what: impl Into<String>) -> Self {
        Self {
            rule: RuleId::AmbiguousRequest,
            dialect,
            finding: Finding::Ambiguous(what.into()),
            facts: Vec::new(),
        }
    }
}

/// A fact that a judgement rested on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsedFact {
    /// Of what.
    pub of: Subject,
    /// Which fact.
    pub field: Field,
    /// When upstream said it; `None` for what never changes.
    pub at: Option<Timestamp>,
}

/// What a fact is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// The session of the call.
    Session,
    /// A source.
    Source(SourceId),
    /// The customer of the call.
    Customer,
    /// The caller's saved payment options.
    PaymentOptions,
}

impl Subject {
    /// Returns what a look-up asks about.
    pub(super) fn of(lookup: Lookup) -> Self {
        match lookup {
            Lookup::Session => Self::Session,
            Lookup::Source(id) => Self::Source(id),
            Lookup::Customer => Self::Customer,
            Lookup::PaymentOptions => Self::PaymentOptions,
        }
    }
}

/// Which fact of its subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// A session's sources.
    Sources,
    /// A session's total.
    Total,
    /// What remains to be contributed to a session.
    Remaining,
    /// The state of a session or a source.
    State,
    /// The customer of a session or a source.
    Customer,
    /// A session's legacy credit.
    CreditAmount,
    /// An invoice's billing optimization.
    BillingOptimization,
    /// A source's type.
    Type,
    /// A source's amount.
    Amount,
    /// Whether a source is reusable.
    Reusable,
    /// A customer's saved sources.
    Saved,
    /// The caller's saved payment options.
    Options,
}
