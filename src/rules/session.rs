//! One payment session's record: what upstream's answers say of the funding of one checkout,
//! invoice or cart.
//!
//! In: [`SessionObservation`]s. Out: a [`SessionRecord`]. Each fact carries the moment upstream
//! said it.
//!
//! ```text
//!            Begun                      Succeeded | Refused
//!   settled ───────▶ in flight ───────────────────────────▶ settled
//!      ▲                 │ OutcomeUnknown (or the process ended: nobody is left who holds the turn)
//!      │ LookedUp        ▼
//!      └────────────── unsure
//! ```
//! `unsure` survives a refusal: a call that changed nothing tells nothing about the one before it.

use super::{
    Amount, CredentialHash, Currency, CustomerId, Policy, Remembered, SessionId, ShownTo,
    SourceFacts, SourceId, SourceType, Timestamp, Told,
};
use compact_str::CompactString;
use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

/// `state` of the payment session (carts: `status`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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

/// Weir's copy of one session.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
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
    #[serde(with = "super::compact::told")]
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
}

impl SessionRecord {
    /// The dates of all facts: nearly the same, so a store may write them as differences.
    pub fn dates_mut(&mut self) -> impl Iterator<Item = &mut Timestamp> {
        let funding = [
            self.total.date_mut(),
            self.remaining.date_mut(),
            self.credit_amount.date_mut(),
            self.state.date_mut(),
        ];
        let rest = [
            self.sources.date_mut(),
            self.customer.date_mut(),
            self.billing_optimization.date_mut(),
        ];
        funding.into_iter().chain(rest).flatten()
    }

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
mod tests {
    use super::*;
    use crate::rules::fixtures::{Given, NOW, amount, attach, card, checkout, nothing_attached};

    fn shown(facts: SessionFacts) -> SessionObservation {
        SessionObservation::LookedUp(Box::new(facts))
    }

    fn record(observations: &[SessionObservation]) -> SessionRecord {
        let mut record = SessionRecord::default();
        for observation in observations {
            record.apply(observation, &crate::dialects::policy(), NOW);
        }
        record
    }

    fn as_shown() -> SessionObservation {
        SessionObservation::Succeeded(Effect::AsShown, Box::new(nothing_attached()))
    }

    #[test]
    fn only_a_look_up_makes_an_unsure_record_sure() {
        use SessionObservation::{Begun, OutcomeUnknown, Refused};
        let look_up = || shown(nothing_attached());
        for (observations, in_flight, unsure) in [
            (vec![Begun], true, false),
            (vec![Begun, Refused], false, false),
            (vec![Begun, as_shown()], false, false),
            (vec![Begun, OutcomeUnknown], false, true),
            (vec![Begun, OutcomeUnknown, Begun, Refused], false, true),
            (vec![Begun, OutcomeUnknown, Begun, as_shown()], false, true),
            (vec![Begun, OutcomeUnknown, look_up()], false, false),
            // Whoever began the first is gone: nobody knows how it ended.
            (vec![Begun, Begun], true, true),
            (vec![Begun, Begun, Refused], false, true),
            (vec![Begun, Begun, as_shown()], false, true),
            (vec![Begun, Begun, Refused, look_up()], false, false),
            (vec![Begun, look_up()], false, false),
        ] {
            let found = record(&observations);
            assert_eq!((found.in_flight, found.unsure), (in_flight, unsure), "{observations:?}");
        }
    }

    #[test]
    fn nothing_is_refused_on_a_record_that_is_unsure_or_in_flight() {
        let given =
            Given::session().holds(card("p")).source(crate::rules::fixtures::credit("c", "5"));
        let intent = attach(checkout(), "c");
        given.refused_by(&intent);
        given
            .clone()
            .alter(|session| session.unsure = true)
            .needs(&intent, crate::rules::Lookup::Session);
        given
            .clone()
            .alter(|session| session.in_flight = true)
            .needs(&intent, crate::rules::Lookup::Session);
        given
            .alter(|session| session.unsure = true)
            .looked_up(crate::rules::Lookup::Session)
            .forwards(&intent);
    }

    #[test]
    fn the_look_up_of_an_unsure_record_keeps_nothing_of_what_it_does_not_show() {
        let partial = SessionFacts { total: Told::Told(amount("90")), ..SessionFacts::default() };
        let observations = [
            shown(nothing_attached()),
            SessionObservation::Begun,
            SessionObservation::OutcomeUnknown,
            shown(partial),
        ];
        let record = record(&observations);
        assert_eq!(record.total, Remembered::at(amount("90"), NOW));
        assert_eq!((record.sources, record.remaining), (Remembered::NotTold, Remembered::NotTold));
    }

    #[test]
    fn beginnings_and_ends_are_counted_but_reads_are_not() {
        use SessionObservation::{Begun, DeniedTo, OutcomeUnknown, Pending, Refused, ShownTo};
        let caller = CredentialHash([7; 16]);
        for (observation, counted) in [
            (Begun, 1),
            (Refused, 1),
            (as_shown(), 1),
            (OutcomeUnknown, 1),
            (shown(nothing_attached()), 0),
            (ShownTo(caller), 0),
            (DeniedTo(caller), 0),
            (Pending(None), 0),
        ] {
            assert_eq!(
                record(std::slice::from_ref(&observation)).epoch,
                counted,
                "{observation:?}"
            );
        }
    }

    #[test]
    fn what_identifies_a_session_outlives_what_changes_it() {
        let pending = Pending::Deferred { primary: "p".into(), since: NOW, sending: false };
        let caller = CredentialHash([7; 16]);
        for effect in [Effect::Touched, Effect::Deleted, Effect::Ordered] {
            let record = record(&[
                shown(SessionFacts {
                    payment_session: Told::Told("ps".into()),
                    ..nothing_attached()
                }),
                SessionObservation::ShownTo(caller),
                SessionObservation::Pending(Some(pending.clone())),
                SessionObservation::Begun,
                SessionObservation::Succeeded(effect.clone(), Box::default()),
            ]);
            assert_eq!(
                (record.sources, record.total),
                (Remembered::NotTold, Remembered::NotTold),
                "{effect:?}"
            );
            assert_eq!(record.payment_session, Told::Told("ps".into()), "{effect:?}");
            assert!(record.shown_to.contains(caller), "{effect:?}");
            assert_eq!(
                record.pending.as_deref(),
                Some(&pending).filter(|_| effect != Effect::Deleted),
                "{effect:?}"
            );
            assert_eq!(record.epoch, 2, "{effect:?}");
        }
    }

    #[test]
    fn a_caller_whom_upstream_denied_is_a_stranger_again() {
        let caller = CredentialHash([7; 16]);
        let record =
            record(&[SessionObservation::ShownTo(caller), SessionObservation::DeniedTo(caller)]);
        assert!(!record.shown_to.contains(caller));
    }
}
