//! A payment source, as upstream's answers describe it.
//!
//! In: [`SourceObservation`]s. Out: a [`SourceRecord`], the copy Weir decides on. A type never
//! changes; everything else ages.

use super::{Amount, Currency, CustomerId, Remembered, ShownTo, SourceId, Timestamp, Told};
use compact_str::CompactString;
use serde::{Deserialize, Serialize};
use std::fmt;

/// The `type` of a source (`creditCard`, `customerCredit`, …), as upstream spells it.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SourceType(CompactString);

impl SourceType {
    /// The name upstream gives it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for SourceType {
    fn from(name: &str) -> Self {
        Self(name.into())
    }
}

impl fmt::Display for SourceType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for SourceType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

/// The `state` of a source. Only `chargeable` can be charged or saved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SourceState {
    /// Ready.
    Chargeable,
    /// The shopper has yet to authorise it elsewhere (also `source_pending_redirect`).
    PendingRedirect,
    /// Money is on its way.
    PendingFunds,
    /// The shopper must act, for example authenticate.
    RequiresAction,
    /// Carts: not settled yet.
    Pending,
    /// Charged; single-use sources end here.
    Consumed,
    /// Detached single-use (checkouts), or removed from its customer.
    Cancelled,
    /// Refused by its issuer.
    Failed,
    /// A state of the vendor's that Weir has no rule about.
    Other(CompactString),
}

impl SourceState {
    /// Reads upstream's spelling.
    pub fn read(name: &str) -> Self {
        match name {
            "chargeable" => Self::Chargeable,
            "pending_redirect" | "source_pending_redirect" => Self::PendingRedirect,
            "pending_funds" => Self::PendingFunds,
            "requires_action" => Self::RequiresAction,
            "pending" => Self::Pending,
            "consumed" => Self::Consumed,
            "cancelled" => Self::Cancelled,
            "failed" => Self::Failed,
            other => Self::Other(other.into()),
        }
    }

    /// Upstream's spelling.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Chargeable => "chargeable",
            Self::PendingRedirect => "pending_redirect",
            Self::PendingFunds => "pending_funds",
            Self::RequiresAction => "requires_action",
            Self::Pending => "pending",
            Self::Consumed => "consumed",
            Self::Cancelled => "cancelled",
            Self::Failed => "failed",
            Self::Other(name) => name,
        }
    }

    /// Never to be attached again.
    pub fn is_spent(&self) -> bool {
        matches!(self, Self::Consumed | Self::Cancelled | Self::Failed)
    }

    /// May change without any call that Weir sees; a refusal never rests on a remembered one.
    pub fn changes_on_its_own(&self) -> bool {
        matches!(
            self,
            Self::PendingRedirect
                | Self::PendingFunds
                | Self::RequiresAction
                | Self::Pending
                | Self::Other(_)
        )
    }
}

/// What one answer says of one source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceFacts {
    /// Which source.
    pub id: SourceId,
    /// `type`.
    pub kind: Told<SourceType>,
    /// `amount`: its own, or inside a session what it contributes.
    pub amount: Told<Amount>,
    /// `currency`.
    pub currency: Told<Currency>,
    /// `reusable`.
    pub reusable: Told<bool>,
    /// `state`.
    pub state: Told<SourceState>,
    /// `customerId`; `Told(None)` only where the answer shows the whole source and it has none.
    pub customer: Told<Option<CustomerId>>,
    /// `paymentSessionId`.
    pub payment_session: Told<Box<str>>,
}

impl SourceFacts {
    /// An answer that names the source and says no more.
    pub fn named(id: impl Into<SourceId>) -> Self {
        Self {
            id: id.into(),
            kind: Told::NotTold,
            amount: Told::NotTold,
            currency: Told::NotTold,
            reusable: Told::NotTold,
            state: Told::NotTold,
            customer: Told::NotTold,
            payment_session: Told::NotTold,
        }
    }
}

/// What upstream's answers teach about one source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SourceObservation {
    /// A call that may change the source is about to be sent: look-ups under way are outdated.
    Begun,
    /// An answer showed it.
    Shown(Box<SourceFacts>),
    /// An answer showed it to this caller.
    ShownTo(super::CredentialHash),
    /// It was attached, and was detached or replaced by another primary.
    Detached {
        /// Whether that spends a single-use source
        /// ([`Semantics::detaching_spends`](super::Semantics::detaching_spends)).
        spends: bool,
    },
    /// It was saved: reusable from now on. The customer is known on checkouts.
    Saved(Option<CustomerId>),
    /// It was removed from its customer or shopper, and is thereby spent.
    Removed,
    /// It was charged by an order: single-use ones are consumed.
    Charged,
    /// A call that may have changed it ended in no known way.
    OutcomeUnknown,
}

/// Weir's copy of one source.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SourceRecord {
    /// `type`; it never changes, so it never ages.
    pub kind: Told<SourceType>,
    /// `amount`, as it was last shown. A primary's changes with every secondary beside it, so no
    /// rule looks at a primary's.
    pub amount: Remembered<Amount>,
    /// `currency`.
    pub currency: Told<Currency>,
    /// `reusable`.
    pub reusable: Remembered<bool>,
    /// `state`.
    pub state: Remembered<SourceState>,
    /// `customerId`, or that it has none.
    pub customer: Remembered<Option<CustomerId>>,
    /// The payment session it was created for.
    pub payment_session: Told<Box<str>>,
    /// To whom upstream has shown it.
    pub shown_to: ShownTo,
    /// Counts the observations that were not mere reads; a read that saw another value taught
    /// nothing.
    pub epoch: u32,
}

impl SourceRecord {
    /// The only way a record changes. Pure; `now` dates what is learned.
    pub fn apply(&mut self, observation: &SourceObservation, now: Timestamp) {
        if !matches!(observation, SourceObservation::Shown(_) | SourceObservation::ShownTo(_)) {
            self.epoch = self.epoch.wrapping_add(1);
        }
        match observation {
            SourceObservation::Begun => {}
            SourceObservation::Shown(facts) => self.learn(facts, now),
            SourceObservation::ShownTo(caller) => self.shown_to.add(*caller),
            SourceObservation::Detached { spends: false } => {}
            SourceObservation::Detached { spends: true } => match self.reusable {
                Remembered::At(true, _) => {}
                // A conclusion is as old as what it rests on: saved meanwhile by a call that Weir
                // did not see, the source is not spent.
                Remembered::At(false, since) => {
                    self.state = Remembered::at(SourceState::Cancelled, since)
                }
                Remembered::NotTold => self.state = Remembered::NotTold,
            },
            SourceObservation::Saved(customer) => {
                self.reusable = Remembered::at(true, now);
                match customer {
                    Some(customer) => self.customer = Remembered::at(Some(customer.clone()), now),
                    None => self.customer = Remembered::NotTold,
                }
            }
            SourceObservation::Removed => {
                self.state = Remembered::at(SourceState::Cancelled, now);
                self.customer = Remembered::NotTold;
                self.reusable = Remembered::NotTold;
            }
            SourceObservation::Charged => match (&self.reusable, &self.state) {
                (Remembered::At(true, _), _) => {}
                (Remembered::At(false, since), Remembered::At(SourceState::Chargeable, _)) => {
                    self.state = Remembered::at(SourceState::Consumed, *since);
                }
                // A pending source stays pending until its money arrives.
                _ => self.state = Remembered::NotTold,
            },
            SourceObservation::OutcomeUnknown => {
                self.reusable = Remembered::NotTold;
                self.state = Remembered::NotTold;
                self.customer = Remembered::NotTold;
            }
        }
    }

    fn learn(&mut self, facts: &SourceFacts, now: Timestamp) {
        self.kind.learn(facts.kind.clone());
        self.currency.learn(facts.currency);
        self.payment_session.learn(facts.payment_session.clone());
        self.amount.learn(facts.amount, now);
        self.reusable.learn(facts.reusable, now);
        self.state.learn(facts.state.clone(), now);
        self.customer.learn(facts.customer.clone(), now);
    }
}

#[cfg(test)]
mod tests;
