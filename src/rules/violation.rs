//! A broken rule, and the facts on which that judgement rests.

use super::{Dialect, Finding, Lookup, RuleId, SourceId, Timestamp};

/// A broken rule. The error body and the decision's record are made from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The rule.
    pub rule: RuleId,
    /// The dialect whose table has the rule.
    pub dialect: Dialect,
    /// The finding of the rule's check.
    pub finding: Finding,
    /// The facts on which it rests, in the order of their use.
    pub facts: Vec<UsedFact>,
}

impl Violation {
    /// Makes the violation of a call that can be read in two ways. `what` names the two readings,
    /// but no values that may be secret.
    pub fn ambiguous(dialect: Dialect, what: impl Into<String>) -> Self {
        Self {
            rule: RuleId::AmbiguousRequest,
            dialect,
            finding: Finding::Ambiguous(what.into()),
            facts: Vec::new(),
        }
    }
}

/// A fact on which a judgement rests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsedFact {
    /// The thing that the fact is about.
    pub of: Subject,
    /// The field of that thing.
    pub field: Field,
    /// When upstream stated it, or `None` for a fact that never changes.
    pub at: Option<Timestamp>,
}

/// The thing that a fact is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// The call's session.
    Session,
    /// A source.
    Source(SourceId),
    /// The call's customer.
    Customer,
    /// The caller's saved payment options.
    PaymentOptions,
}

impl Subject {
    /// Returns the subject of a look-up.
    pub(super) fn of(lookup: Lookup) -> Self {
        match lookup {
            Lookup::Session => Self::Session,
            Lookup::Source(id) => Self::Source(id),
            Lookup::Customer => Self::Customer,
            Lookup::PaymentOptions => Self::PaymentOptions,
        }
    }
}

/// The field of a subject that a fact states.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// A session's sources.
    Sources,
    /// A session's total.
    Total,
    /// The amount that is contributed to a session.
    Contributed,
    /// The amount that remains to be contributed to a session.
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

impl Field {
    /// Returns its name, for logs and the admin API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sources => "sources",
            Self::Total => "total",
            Self::Contributed => "contributed amount",
            Self::Remaining => "remaining amount",
            Self::State => "state",
            Self::Customer => "customer",
            Self::CreditAmount => "credit amount",
            Self::BillingOptimization => "billing optimization",
            Self::Type => "type",
            Self::Amount => "amount",
            Self::Reusable => "reusable",
            Self::Saved => "saved sources",
            Self::Options => "list",
        }
    }
}
