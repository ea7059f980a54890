//! A payment source, as upstream's answers describe it.
//!
//! In: [`SourceObservation`]s. Out: a [`SourceRecord`], on which the rules decide. A type never
//! changes; every other fact ages.

use super::{Amount, Currency, CustomerId, Fact, ShownTo, SourceId, Stated, Timestamp};
use compact_str::CompactString;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;

/// The type of a source (`creditCard`, `customerCredit`, …), as upstream spells it.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SourceType(CompactString);

impl SourceType {
    /// Returns upstream's spelling.
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

/// The state of a source. Only a chargeable one can be charged or saved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SourceState {
    /// It can be charged.
    Chargeable,
    /// The shopper must first authorise it elsewhere.
    PendingRedirect,
    /// Its money has not arrived yet.
    PendingFunds,
    /// The shopper must first act, for example authenticate.
    RequiresAction,
    /// It is not settled yet.
    Pending,
    /// It is single-use and was charged.
    Consumed,
    /// It is single-use and was detached where detaching spends, or was removed from its customer.
    Cancelled,
    /// Its issuer refused it.
    Failed,
    /// Any other state, as upstream spells it.
    Other(CompactString),
}

impl SourceState {
    /// Makes the state from upstream's spelling.
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

    /// Returns upstream's spelling.
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

    /// Returns whether the source can never be attached again.
    pub fn is_spent(&self) -> bool {
        matches!(self, Self::Consumed | Self::Cancelled | Self::Failed)
    }

    /// Returns whether the state may change without a call through Weir. A refusal never rests on a
    /// remembered one.
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

impl Serialize for SourceState {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for SourceState {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|name| Self::read(&name))
    }
}

/// The facts that one answer states about a source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceFacts {
    /// The source's id.
    pub id: SourceId,
    /// `type`.
    pub kind: Stated<SourceType>,
    /// Its own amount, or inside a session the amount that it contributes.
    pub amount: Stated<Amount>,
    /// `currency`.
    pub currency: Stated<Currency>,
    /// `reusable`.
    pub reusable: Stated<bool>,
    /// `state`.
    pub state: Stated<SourceState>,
    /// Its customer. `Stated(None)` only if the answer shows the whole source and it has none.
    pub customer: Stated<Option<CustomerId>>,
    /// The payment session for which it was created.
    pub payment_session: Stated<Box<str>>,
    /// Whether its place in the answer shows that it is secondary.
    pub supplements: bool,
}

impl SourceFacts {
    /// Makes the facts of an answer that states only the source's id.
    pub fn named(id: impl Into<SourceId>) -> Self {
        Self {
            id: id.into(),
            kind: Stated::Unstated,
            amount: Stated::Unstated,
            currency: Stated::Unstated,
            reusable: Stated::Unstated,
            state: Stated::Unstated,
            customer: Stated::Unstated,
            payment_session: Stated::Unstated,
            supplements: false,
        }
    }
}

/// One event that changes what is known about a source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SourceObservation {
    /// An answer showed the source.
    Shown(Box<SourceFacts>),
    /// Upstream showed the source to this caller.
    ShownTo(super::CredentialHash),
    /// It was detached, or replaced by another primary.
    Detached {
        /// Whether that spends a single-use source
        /// ([`Semantics::detaching_spends`](super::Semantics::detaching_spends)).
        spends: bool,
    },
    /// It was saved and is reusable now; to this customer, or to a shopper.
    Saved(Option<CustomerId>),
    /// It was removed from its customer or shopper, which spends it.
    Removed,
    /// An order charged it, which consumes a single-use source.
    Charged,
    /// The outcome of a call that may have changed it is unknown.
    OutcomeUnknown,
}

/// The remembered facts of one source.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SourceRecord {
    /// Its type, which never changes and so never ages.
    pub kind: Stated<SourceType>,
    /// Its amount, as last shown. A primary's changes with every secondary, so no rule uses it.
    pub amount: Fact<Amount>,
    /// `currency`.
    pub currency: Stated<Currency>,
    /// `reusable`.
    pub reusable: Fact<bool>,
    /// `state`.
    pub state: Fact<SourceState>,
    /// Whether the state is concluded from what a call did, and was not shown by upstream since. It
    /// is confirmed before a refusal: upstream also accepts removing what is not there.
    pub state_inferred: bool,
    /// Its customer, or that it has none.
    pub customer: Fact<Option<CustomerId>>,
    /// The payment session for which it was created.
    pub payment_session: Stated<Box<str>>,
    /// The callers to whom upstream has shown it.
    pub shown_to: ShownTo,
    /// Counts the observations other than reads. A read during which it changed is ignored.
    pub epoch: u32,
}

impl SourceRecord {
    /// Applies an observation, the only way in which a record changes. Pure: `now` dates the facts.
    pub fn apply(&mut self, observation: &SourceObservation, now: Timestamp) {
        if !matches!(observation, SourceObservation::Shown(_) | SourceObservation::ShownTo(_)) {
            self.epoch = self.epoch.wrapping_add(1);
        }
        match observation {
            SourceObservation::Shown(facts) => self.learn(facts, now),
            SourceObservation::ShownTo(caller) => self.shown_to.add(*caller),
            SourceObservation::Detached { spends: false } => {}
            SourceObservation::Detached { spends: true } => match self.reusable {
                Fact::Known(true, _) => {}
                // The conclusion is as old as the fact under it: if a call past Weir has saved the
                // source since, it is not spent.
                Fact::Known(false, since) => {
                    self.infer(SourceState::Cancelled, since);
                }
                Fact::Unknown => self.forget_state(),
            },
            SourceObservation::Saved(customer) => {
                self.reusable = Fact::known(true, now);
                match customer {
                    Some(customer) => self.customer = Fact::known(Some(customer.clone()), now),
                    None => self.customer = Fact::Unknown,
                }
            }
            SourceObservation::Removed => {
                self.infer(SourceState::Cancelled, now);
                self.customer = Fact::Unknown;
                self.reusable = Fact::Unknown;
            }
            SourceObservation::Charged => match (&self.reusable, &self.state) {
                (Fact::Known(true, _), _) => {}
                (Fact::Known(false, since), Fact::Known(SourceState::Chargeable, _)) => {
                    let since = *since;
                    self.infer(SourceState::Consumed, since);
                }
                // A pending source stays pending until its money arrives.
                _ => self.forget_state(),
            },
            SourceObservation::OutcomeUnknown => {
                self.reusable = Fact::Unknown;
                self.forget_state();
                self.customer = Fact::Unknown;
            }
        }
    }

    fn forget_state(&mut self) {
        self.state = Fact::Unknown;
        self.state_inferred = false;
    }

    fn infer(&mut self, state: SourceState, at: Timestamp) {
        self.state = Fact::known(state, at);
        self.state_inferred = true;
    }

    /// Takes over the facts that an answer states.
    fn learn(&mut self, facts: &SourceFacts, now: Timestamp) {
        self.kind.learn(facts.kind.clone());
        self.currency.learn(facts.currency);
        self.payment_session.learn(facts.payment_session.clone());
        self.amount.learn(facts.amount, now);
        self.reusable.learn(facts.reusable, now);
        if facts.state.is_stated() && self.state.stated_at().is_none_or(|at| at <= now) {
            self.state_inferred = false;
        }
        self.state.learn(facts.state.clone(), now);
        self.customer.learn(facts.customer.clone(), now);
    }
}

#[cfg(test)]
mod tests;
