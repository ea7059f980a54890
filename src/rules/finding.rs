//! The finding of a check. Dialects turn it into codes, messages and statuses.

use super::{Amount, CustomerId, SessionState, SourceId, SourceState, SourceType};
use std::fmt;

/// The finding of a check. Its text, for logs, the admin API and `weir dev`, has ids, types, states
/// and amounts only, never a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// Two parsers could read the call differently. The text names the two readings, but no values
    /// that may be secret.
    Ambiguous(String),
    /// A secondary comes after a single-use primary.
    AfterSingleUsePrimary {
        /// The secondary that comes.
        secondary: SourceId,
        /// The primary that is attached.
        primary: SourceId,
    },
    /// A single-use primary's attach is deferred, so that secondaries can come before it.
    KeptBack {
        /// The primary.
        primary: SourceId,
    },
    /// A secondary comes after a primary of any kind.
    AfterPrimary {
        /// The secondary that comes.
        secondary: SourceId,
        /// The primary that is attached.
        primary: SourceId,
    },
    /// A primary comes while another is attached.
    SecondPrimary {
        /// The primary that comes.
        incoming: SourceId,
        /// The primary that is attached.
        attached: SourceId,
    },
    /// The call would combine a primary with more than one secondary.
    MoreThanOneSecondary {
        /// The source that comes.
        incoming: SourceId,
    },
    /// The source can never be charged again.
    Spent {
        /// The source that comes.
        source: SourceId,
        /// Its state.
        state: SourceState,
    },
    /// A secondary is worth more than is left to pay.
    ExceedsTotal {
        /// The secondary that comes.
        secondary: SourceId,
        /// The amount that it is worth.
        amount: Amount,
        /// The amount that is left to pay.
        room: Amount,
    },
    /// A secondary cannot be combined with this primary.
    NoPair {
        /// The primary's type.
        primary: SourceType,
        /// The secondary's type.
        secondary: SourceType,
    },
    /// A source of this type cannot be saved.
    NotReusable {
        /// The source to be saved.
        source: SourceId,
        /// Its type.
        kind: SourceType,
    },
    /// A source that is to be saved is not chargeable.
    NotChargeable {
        /// The source to be saved.
        source: SourceId,
        /// Its state.
        state: SourceState,
    },
    /// An order would charge a source that is saved to another customer than the buyer.
    ForeignSource {
        /// The source.
        source: SourceId,
        /// The customer it is saved to.
        owner: CustomerId,
        /// The customer who buys, or `None` if there is none.
        buyer: Option<CustomerId>,
    },
    /// The payment session's state does not let it become an order.
    NotConfirmed {
        /// Its state.
        state: SessionState,
    },
    /// An order comes before the session is fully funded.
    Underfunded {
        /// The amount that remains to be contributed.
        remaining: Amount,
    },
    /// An order comes while a secondary stands that joined after the primary.
    LostCredit {
        /// The secondary, which the order would leave out.
        secondary: SourceId,
        /// The primary that is attached.
        primary: SourceId,
    },
    /// An order comes while the session's figures show that it would leave credit out. The session
    /// does not name every source.
    CreditLeftOut,
    /// An order comes while a secondary may stand that joined after the primary. No refusal rests
    /// on it.
    CreditInDoubt {
        /// The secondary.
        secondary: SourceId,
        /// The primary that is attached.
        primary: SourceId,
    },
    /// An order comes while sources may stand that cannot be seen, secondaries among them. No
    /// refusal rests on it.
    CreditUnseen {
        /// A source that may stand.
        source: SourceId,
    },
    /// A customer's default is to be a source that is not saved to the customer.
    NotSaved {
        /// The source.
        source: SourceId,
        /// The customer; `None`: one that the same call creates.
        customer: Option<CustomerId>,
    },
    /// A secondary is to be created without a member that it needs.
    Missing(Missing),
    /// A credit amount is sent where there is one already.
    CreditRepeated {
        /// The credit amount that is set already.
        credit: Amount,
    },
    /// A credit amount is sent after a single-use primary.
    CreditAfterSingleUsePrimary {
        /// The primary that is attached.
        primary: SourceId,
    },
    /// A secondary comes to an invoice with billing optimization.
    BillingOptimized {
        /// The secondary that comes.
        secondary: SourceId,
    },
    /// A secondary is to be created with an owner.
    HasOwner {
        /// Its type.
        kind: SourceType,
    },
    /// Upstream refused the call with the code that it has for this rule. Weir did not judge it.
    RefusedByUpstream {
        /// Upstream's code.
        code: Box<str>,
    },
    /// The amount of a secondary is to be changed.
    AmountEdited {
        /// The secondary.
        secondary: SourceId,
    },
}

/// A member that a secondary needs to be created.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Missing {
    /// Its type.
    Type,
    /// Its amount.
    Amount,
    /// The object named after its type.
    TypeObject(SourceType),
}

impl Missing {
    /// Returns the name of the missing member.
    pub fn name(&self) -> &str {
        match self {
            Self::Type => "type",
            Self::Amount => "amount",
            Self::TypeObject(kind) => kind.as_str(),
        }
    }
}

impl Finding {
    /// Returns whether the finding is known to be so, and not only possible.
    pub fn is_certain(&self) -> bool {
        !matches!(self, Self::CreditInDoubt { .. } | Self::CreditUnseen { .. })
    }

    /// Returns the text about what would have been accepted.
    pub fn accepted(&self) -> &'static str {
        match self {
            Self::Ambiguous(_) => {
                "the call in its plain form: one path without tricks, one id, one JSON object with each key once"
            }
            Self::AfterSingleUsePrimary { .. } | Self::KeptBack { .. } => {
                "the secondary before the primary, or a primary saved to the customer"
            }
            Self::AfterPrimary { .. } => "the secondary before the primary",
            Self::SecondPrimary { .. } => "one primary at a time: detach the first",
            Self::MoreThanOneSecondary { .. } => {
                "one primary with one secondary, or secondaries alone"
            }
            Self::Spent { .. } => "a source that has not been consumed, cancelled or failed",
            Self::ExceedsTotal { .. } => "secondaries that together do not exceed the total",
            Self::NoPair { .. } => "a primary of a type in the pairing list",
            Self::NotReusable { .. } => "a source of a type that can be reused",
            Self::NotChargeable { .. } => "a chargeable source",
            Self::ForeignSource { .. } => {
                "a checkout whose customerId is the customer the source is saved to"
            }
            Self::NotConfirmed { .. } | Self::Underfunded { .. } => {
                "a payment session that is requires_confirmation, with nothing left to contribute"
            }
            Self::LostCredit { .. }
            | Self::CreditLeftOut
            | Self::CreditInDoubt { .. }
            | Self::CreditUnseen { .. } => "the primary attached after the secondary",
            Self::NotSaved { .. } => "a source saved to that customer",
            Self::Missing(_) => "type, amount, and an empty object named after the type",
            Self::CreditRepeated { .. } => "one credit amount per checkout",
            Self::CreditAfterSingleUsePrimary { .. } => {
                "the credit amount before the primary, or in the same call"
            }
            Self::BillingOptimized { .. } => "an invoice whose billingOptimization is false",
            Self::HasOwner { .. } => "a secondary source without an owner",
            Self::RefusedByUpstream { .. } => "what `weir explain` says of the rule",
            Self::AmountEdited { .. } => "a new secondary source with the right amount",
        }
    }
}

impl Finding {
    /// Writes what is known of credit that an order may leave out.
    fn write_lost(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LostCredit { secondary, primary } => {
                write!(f, "secondary {secondary} joined after the primary {primary}")
            }
            Self::CreditLeftOut => {
                f.write_str("the figures show credit that the primary pays for as well")
            }
            Self::CreditInDoubt { secondary, primary } => {
                write!(f, "secondary {secondary} may have joined after the primary {primary}")
            }
            Self::CreditUnseen { source } => write!(f, "whether {source} stands cannot be seen"),
            _ => Ok(()),
        }
    }
}

/// Writes to whom a source is saved, and who buys.
fn write_foreign(
    f: &mut fmt::Formatter<'_>,
    source: &SourceId,
    owner: &CustomerId,
    buyer: Option<&CustomerId>,
) -> fmt::Result {
    write!(f, "source {source} is saved to customer {owner}, the checkout ")?;
    match buyer {
        Some(buyer) => write!(f, "is customer {buyer}'s"),
        None => f.write_str("has no customer"),
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ambiguous(what) => f.write_str(what),
            Self::AfterSingleUsePrimary { secondary, primary } => {
                write!(f, "secondary {secondary} after the single-use primary {primary}")
            }
            Self::KeptBack { primary } => {
                write!(f, "the single-use primary {primary}, which store credit could not follow")
            }
            Self::AfterPrimary { secondary, primary } => {
                write!(f, "secondary {secondary} after the primary {primary}")
            }
            Self::SecondPrimary { incoming, attached } => {
                write!(f, "primary {incoming} while the primary {attached} is attached")
            }
            Self::MoreThanOneSecondary { incoming } => {
                write!(f, "{incoming} would put a primary beside more than one secondary")
            }
            Self::Spent { source, state } | Self::NotChargeable { source, state } => {
                write!(f, "source {source} is {}", state.as_str())
            }
            Self::ExceedsTotal { secondary, amount, room } => {
                write!(f, "secondary {secondary} of {amount} where {room} is left")
            }
            Self::NoPair { primary, secondary } => write!(f, "{secondary} combined with {primary}"),
            Self::NotReusable { source, kind } => write!(f, "source {source} of type {kind}"),
            Self::ForeignSource { source, owner, buyer } => {
                write_foreign(f, source, owner, buyer.as_ref())
            }
            Self::NotConfirmed { state } => write!(f, "the payment session is {}", state.as_str()),
            Self::Underfunded { remaining } => write!(f, "{remaining} remains to be contributed"),
            Self::LostCredit { .. }
            | Self::CreditLeftOut
            | Self::CreditInDoubt { .. }
            | Self::CreditUnseen { .. } => self.write_lost(f),
            Self::NotSaved { source, customer: Some(customer) } => {
                write!(f, "source {source} is not saved to customer {customer}")
            }
            Self::NotSaved { source, customer: None } => {
                write!(f, "source {source} cannot be saved to a customer who is created")
            }
            Self::Missing(missing) => write!(f, "no `{}`", missing.name()),
            Self::CreditRepeated { credit } => {
                write!(f, "the checkout has a credit amount of {credit}")
            }
            Self::CreditAfterSingleUsePrimary { primary } => {
                write!(f, "a credit amount after the single-use primary {primary}")
            }
            Self::BillingOptimized { secondary } => {
                write!(f, "secondary {secondary} on an invoice with billing optimization")
            }
            Self::HasOwner { kind } => write!(f, "a {kind} with an owner"),
            Self::RefusedByUpstream { code } => write!(f, "upstream refused it: {code}"),
            Self::AmountEdited { secondary } => {
                write!(f, "a new amount for the secondary {secondary}")
            }
        }
    }
}

#[cfg(test)]
mod tests;
