//! One payment session's record: what upstream's answers say of the funding of one checkout,
//! invoice or cart.
//!
//! In: [`SessionObservation`]s. Out: a [`SessionRecord`]. Each fact carries the moment upstream
//! said it. What is known of the sources that belong to the session is part of its record, so that
//! a decision about the session reads one record.
//!
//! ```text
//!            Begun                      Succeeded | Refused
//!   settled ───────▶ in flight ───────────────────────────▶ settled
//!      ▲                 │ OutcomeUnknown, or the process ended: nobody holds the turn any more
//!      │ LookedUp        ▼
//!      └────────────── unsure
//! ```
//! `unsure` survives a refusal: a call that changed nothing tells nothing about the one before it.

use super::{
    Amount, CredentialHash, Currency, CustomerId, Policy, Remembered, SessionId, ShownTo,
    SourceFacts, SourceId, SourceRecord, SourceType, Timestamp, Told,
};
use compact_str::CompactString;
use serde::Serialize;
use smallvec::SmallVec;

/// `state` of the payment session (carts: `status`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SessionState {
    /// Money is missing.
    RequiresSource,
    /// Fully funded: may become an order.
    RequiresConfirmation,
    /// Already an order.
    Complete,
    /// Any other of the vendor's states.
    Other(CompactString),
}

impl SessionState {
    /// Reads upstream's spelling.
    pub fn read(name: &str) -> Self {
        match name {
            "requires_source" => Self::RequiresSource,
            "requires_confirmation" => Self::RequiresConfirmation,
            "complete" => Self::Complete,
            other => Self::Other(other.into()),
        }
    }

    /// Upstream's spelling.
    pub fn as_str(&self) -> &str {
        match self {
            Self::RequiresSource => "requires_source",
            Self::RequiresConfirmation => "requires_confirmation",
            Self::Complete => "complete",
            Self::Other(name) => name,
        }
    }
}

/// What one answer says of a session. Only what it shows: a filtered answer leaves the rest
/// `NotTold`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SessionFacts {
    /// The id of the checkout, invoice or cart.
    pub id: Option<SessionId>,
    /// Every attached source; `Told(vec![])` where the answer shows that there is none.
    pub sources: Told<Vec<SourceFacts>>,
    /// `totalAmount` (carts: the order total).
    pub total: Told<Amount>,
    /// `amountRemainingToBeContributed`.
    pub remaining: Told<Amount>,
    /// `currency`.
    pub currency: Told<Currency>,
    /// The payment session's `state` or `status`.
    pub state: Told<SessionState>,
    /// `customerId`, or that there is none.
    pub customer: Told<Option<CustomerId>>,
    /// `creditAmount` of versions before 2021-03-23, or that there is none.
    pub credit_amount: Told<Option<Amount>>,
    /// `billingOptimization` of an invoice.
    pub billing_optimization: Told<bool>,
    /// The payment session's own id.
    pub payment_session: Told<Box<str>>,
}

/// One attached source, as far as the session shows it. What more is known of it is in its
/// [`super::SourceRecord`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attached {
    /// Which source.
    pub id: SourceId,
    /// Its `type`.
    pub kind: Told<SourceType>,
    /// What it contributes.
    pub amount: Told<Amount>,
}

/// What a successful call did to a session, known from the call itself (domain: "What a successful
/// call changes").
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// The answer says all there is to know.
    AsShown,
    /// This source is attached now. A primary replaces the one before it.
    Attached(SourceFacts),
    /// This source is attached no more.
    Detached(SourceId),
    /// Nothing is attached any more.
    DetachedAll,
    /// It became an order.
    Ordered,
    /// It is gone.
    Deleted,
    /// Something of it changed that Weir does not follow: what is not shown must be looked up.
    Touched,
}

/// What upstream's answers teach about one session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SessionObservation {
    /// A call that may change it is about to be sent.
    Begun,
    /// That call was refused: nothing changed.
    Refused,
    /// That call succeeded, and its answer showed so much.
    Succeeded(Effect, Box<SessionFacts>),
    /// That call ended in no known way (time-out, reset, 5xx, half an answer).
    OutcomeUnknown,
    /// A look-up or read showed it, with no call in flight that might have changed it meanwhile.
    LookedUp(Box<SessionFacts>),
    /// Upstream showed it to this caller.
    ShownTo(CredentialHash),
    /// Upstream denied it to this caller.
    DeniedTo(CredentialHash),
    /// A remedy's note of what is under way, or that it is over.
    Pending(Option<Pending>),
}

/// A remedy that is under way for a session: written before its first step, so that whoever takes
/// the turn next can finish or undo it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub enum Pending {
    /// Carts: the primary is being detached and attached again around another attach.
    Repair {
        /// The primary that must be attached again.
        primary: SourceId,
        /// What is attached in between; `None` when a saved payment option is applied.
        incoming: Option<SourceId>,
        /// Whether `incoming` takes the primary's place (`second-primary`) rather than joining it.
        replaces: bool,
    },
    /// Checkouts: a single-use primary's attach that was answered but not yet sent.
    Deferred {
        /// The primary.
        primary: SourceId,
        /// When the caller was answered.
        since: Timestamp,
        /// Being sent now: whoever finds this without a holder of the turn looks upstream before
        /// sending it again.
        sending: bool,
    },
}

impl Pending {
    /// Returns the primary that the remedy takes away, or has yet to attach.
    pub fn primary(&self) -> &SourceId {
        match self {
            Self::Repair { primary, .. } | Self::Deferred { primary, .. } => primary,
        }
    }
}

/// Weir's copy of one session.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SessionRecord {
    /// Every attached source.
    pub sources: Remembered<SmallVec<[Attached; 1]>>,
    /// What is to be paid.
    pub total: Remembered<Amount>,
    /// What is still to be contributed.
    pub remaining: Remembered<Amount>,
    /// Of the amounts.
    pub currency: Told<Currency>,
    /// The payment session's state.
    pub state: Remembered<SessionState>,
    /// Who buys, or that nobody is named.
    pub customer: Remembered<Option<CustomerId>>,
    /// The legacy credit, or that there is none.
    pub credit_amount: Remembered<Option<Amount>>,
    /// Of an invoice.
    pub billing_optimization: Remembered<bool>,
    /// The payment session's own id.
    pub payment_session: Told<Box<str>>,
    /// To whom upstream has shown it.
    pub shown_to: ShownTo,
    /// A mutation was begun and its end has not been learned.
    pub in_flight: bool,
    /// How an earlier mutation ended is not known: nothing may be refused before a look-up.
    pub unsure: bool,
    /// Counts beginnings and ends of mutations: a read that spans one teaches nothing.
    pub epoch: u32,
    /// A remedy under way.
    pub pending: Option<Box<Pending>>,
    /// What is known of the sources that belong to the session, each at most once.
    pub members: Vec<(SourceId, SourceRecord)>,
}

impl SessionRecord {
    /// The only way a record changes. Pure; `now` dates what is learned, `policy` tells primaries
    /// from secondaries.
    pub fn apply(&mut self, observation: &SessionObservation, policy: &Policy, now: Timestamp) {
        match observation {
            SessionObservation::Begun => {
                // A mutation still marked in flight has no holder left: its outcome was never
                // learned.
                self.unsure |= self.in_flight;
                self.in_flight = true;
                self.epoch = self.epoch.wrapping_add(1);
            }
            SessionObservation::Refused => self.end(),
            SessionObservation::OutcomeUnknown => {
                self.end();
                self.unsure = true;
            }
            SessionObservation::Succeeded(effect, facts) => {
                self.end();
                self.change(effect, policy, now);
                self.learn(facts, now);
            }
            SessionObservation::LookedUp(facts) => {
                if self.unsure || self.in_flight {
                    self.forget();
                }
                self.unsure = false;
                self.in_flight = false;
                self.learn(facts, now);
            }
            SessionObservation::ShownTo(caller) => self.shown_to.add(*caller),
            SessionObservation::DeniedTo(caller) => self.shown_to.forget(*caller),
            SessionObservation::Pending(pending) => self.pending = pending.clone().map(Box::new),
        }
    }

    /// Returns the sources whose facts belong in this record: those attached, and the primary that
    /// a remedy under way will attach.
    pub fn owned(&self) -> impl Iterator<Item = &SourceId> {
        let attached = self.sources.get().into_iter().flatten().map(|attached| &attached.id);
        attached.chain(self.pending.as_deref().map(Pending::primary))
    }

    /// Returns whether the facts of this source belong in this record.
    pub fn owns(&self, id: &SourceId) -> bool {
        self.owned().any(|owned| owned == id)
    }

    /// Returns what this record holds of a source.
    pub fn member(&self, id: &SourceId) -> Option<&SourceRecord> {
        self.members.iter().find(|(member, _)| member == id).map(|(_, facts)| facts)
    }

    /// Returns what this record holds of a source, to be changed by what is learned of it; an empty
    /// record where it holds nothing.
    pub fn member_mut(&mut self, id: &SourceId) -> &mut SourceRecord {
        let place = self.members.iter().position(|(member, _)| member == id);
        let place = place.unwrap_or_else(|| {
            self.members.push((id.clone(), SourceRecord::default()));
            self.members.len() - 1
        });
        &mut self.members[place].1
    }

    /// Gives up what is held of the sources that no longer belong here.
    pub fn give_up_strangers(&mut self) -> Vec<(SourceId, SourceRecord)> {
        let (stay, leave) =
            std::mem::take(&mut self.members).into_iter().partition(|(id, _)| self.owns(id));
        self.members = stay;
        leave
    }

    fn end(&mut self) {
        self.in_flight = false;
        self.epoch = self.epoch.wrapping_add(1);
    }

    /// Forgets what may have changed, keeps what cannot.
    fn forget(&mut self) {
        *self = SessionRecord {
            currency: self.currency,
            payment_session: std::mem::take(&mut self.payment_session),
            shown_to: std::mem::take(&mut self.shown_to),
            epoch: self.epoch,
            pending: self.pending.take(),
            members: std::mem::take(&mut self.members),
            ..SessionRecord::default()
        };
    }

    fn learn(&mut self, facts: &SessionFacts, now: Timestamp) {
        if let Told::Told(sources) = &facts.sources {
            let attached = sources.iter().map(|source| self.attached(source)).collect();
            self.sources = Remembered::at(attached, now);
        }
        self.total.learn(facts.total, now);
        self.remaining.learn(facts.remaining, now);
        self.currency.learn(facts.currency);
        self.state.learn(facts.state.clone(), now);
        self.customer.learn(facts.customer.clone(), now);
        self.credit_amount.learn(facts.credit_amount, now);
        self.billing_optimization.learn(facts.billing_optimization, now);
        self.payment_session.learn(facts.payment_session.clone());
    }

    /// A type that an answer leaves out is still the one that was shown before.
    fn attached(&self, shown: &SourceFacts) -> Attached {
        let before = self.sources.get().and_then(|known| known.iter().find(|a| a.id == shown.id));
        let mut kind = before.map_or(Told::NotTold, |a| a.kind.clone());
        kind.learn(shown.kind.clone());
        Attached { id: shown.id.clone(), kind, amount: shown.amount }
    }

    fn change(&mut self, effect: &Effect, policy: &Policy, now: Timestamp) {
        match effect {
            Effect::AsShown => {}
            Effect::Attached(source) => self.attach(source, policy, now),
            Effect::Detached(id) => {
                if let Some(sources) = self.sources.get_mut() {
                    sources.retain(|a| a.id != *id);
                }
                self.forget_primary_share(policy);
                self.forget_money();
                self.credit_amount = Remembered::NotTold;
            }
            Effect::DetachedAll => {
                self.sources = Remembered::at(SmallVec::new(), now);
                self.forget_money();
                self.credit_amount = Remembered::NotTold;
            }
            Effect::Ordered => {
                // The shopper's next cart is another one: nothing of this one may be held against
                // it.
                self.forget();
                self.state = Remembered::at(SessionState::Complete, now);
            }
            Effect::Deleted => {
                self.forget();
                // Nothing can be attached any more.
                self.pending = None;
            }
            Effect::Touched => self.forget(),
        }
    }

    /// After an attach whose answer does not show the session: what is certain is kept, what is not
    /// is forgotten.
    fn attach(&mut self, source: &SourceFacts, policy: &Policy, now: Timestamp) {
        let incoming = self.attached(source);
        let primary = incoming.kind.as_ref().map(|kind| !policy.types.is_secondary(kind));
        let is_primary =
            |a: &Attached| a.kind.as_ref().map(|kind| !policy.types.is_secondary(kind));
        match (self.sources.get_mut(), primary) {
            (Some(sources), Some(false)) => {
                sources.retain(|a| a.id != incoming.id);
                sources.push(incoming);
                self.forget_primary_share(policy);
            }
            (Some(sources), Some(true))
                if sources.iter().all(|a| a.id == incoming.id || is_primary(a).is_some()) =>
            {
                sources.retain(|a| a.id != incoming.id && is_primary(a) == Some(false));
                sources.push(incoming);
            }
            // It may have replaced one whose type is not known, or be one to be replaced.
            _ => self.sources = Remembered::NotTold,
        }
        self.forget_money();
        if primary == Some(true) {
            // A primary contributes all that the secondaries leave.
            self.remaining = Remembered::at(Amount::ZERO, now);
            self.state = Remembered::at(SessionState::RequiresConfirmation, now);
        }
    }

    /// A primary makes room for a secondary, and takes over what one leaves: its share is no longer
    /// what it was.
    fn forget_primary_share(&mut self, policy: &Policy) {
        for attached in self.sources.get_mut().into_iter().flatten() {
            if attached.kind.as_ref().is_none_or(|kind| !policy.types.is_secondary(kind)) {
                attached.amount = Told::NotTold;
            }
        }
    }

    fn forget_money(&mut self) {
        self.remaining = Remembered::NotTold;
        self.state = Remembered::NotTold;
    }
}

#[cfg(test)]
mod tests;
