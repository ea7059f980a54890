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
pub struct SourceType(#[serde(with = "super::compact")] CompactString);

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
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
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
    #[serde(with = "super::compact::told")]
    pub payment_session: Told<Box<str>>,
    /// To whom upstream has shown it.
    pub shown_to: ShownTo,
    /// Counts the observations that were not mere reads; a read that saw another value taught
    /// nothing.
    pub epoch: u32,
}

impl SourceRecord {
    /// The dates of all facts: nearly the same, so a store may write them as differences.
    pub fn dates_mut(&mut self) -> impl Iterator<Item = &mut Timestamp> {
        let dates = [
            self.amount.date_mut(),
            self.reusable.date_mut(),
            self.state.date_mut(),
            self.customer.date_mut(),
        ];
        dates.into_iter().flatten()
    }

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
mod tests {
    use super::*;
    use crate::rules::fixtures::{NOW, card};

    const LATER: Timestamp = Timestamp(NOW.0 + 3_600_000);

    fn record(facts: SourceFacts) -> SourceRecord {
        let mut record = SourceRecord::default();
        record.apply(&SourceObservation::Shown(Box::new(facts)), NOW);
        record
    }

    fn untold(change: fn(&mut SourceFacts)) -> SourceFacts {
        let mut facts = card("p");
        change(&mut facts);
        facts
    }

    #[test]
    fn what_is_concluded_is_as_old_as_what_it_rests_on() {
        use SourceObservation::{Charged, Detached};
        use SourceState::{Cancelled, Chargeable, Consumed, PendingFunds};
        let single_use = || record(card("p"));
        let saved = || record(card("p").saved_to("c"));
        let who_knows = || record(untold(|p| p.reusable = Told::NotTold));
        let cases = [
            (Detached { spends: true }, single_use(), Remembered::at(Cancelled, NOW)),
            (Detached { spends: true }, saved(), Remembered::at(Chargeable, NOW)),
            (Detached { spends: true }, who_knows(), Remembered::NotTold),
            (Detached { spends: false }, single_use(), Remembered::at(Chargeable, NOW)),
            (Charged, single_use(), Remembered::at(Consumed, NOW)),
            (Charged, saved(), Remembered::at(Chargeable, NOW)),
            (Charged, who_knows(), Remembered::NotTold),
            (Charged, record(card("p").in_state("pending_funds")), Remembered::NotTold),
            (Charged, record(untold(|p| p.state = Told::NotTold)), Remembered::NotTold),
            (
                Charged,
                record(card("p").saved_to("c").in_state("pending_funds")),
                Remembered::at(PendingFunds, NOW),
            ),
        ];
        for (observation, mut record, state) in cases {
            let before = record.clone();
            record.apply(&observation, LATER);
            assert_eq!(record.state, state, "{observation:?} of {before:?}");
        }
    }

    #[test]
    fn a_saved_source_is_reusable_and_its_customers() {
        let mut saved = record(card("p"));
        saved.apply(&SourceObservation::Saved(Some("c".into())), LATER);
        assert_eq!(saved.reusable, Remembered::at(true, LATER));
        assert_eq!(saved.customer, Remembered::at(Some("c".into()), LATER));
        assert_eq!(saved.state, Remembered::at(SourceState::Chargeable, NOW));
    }

    #[test]
    fn a_removed_source_is_cancelled() {
        let mut removed = record(card("p").saved_to("c"));
        removed.apply(&SourceObservation::Removed, LATER);
        assert_eq!(removed.state, Remembered::at(SourceState::Cancelled, LATER));
        assert_eq!(removed.customer, Remembered::NotTold);
    }

    #[test]
    fn an_unknown_end_leaves_what_cannot_have_changed() {
        let mut unsure = record(card("p"));
        unsure.apply(&SourceObservation::OutcomeUnknown, LATER);
        assert_eq!(unsure.kind, Told::Told("creditCard".into()));
        assert_eq!((unsure.reusable, unsure.state), (Remembered::NotTold, Remembered::NotTold));
    }

    #[test]
    fn an_answer_that_leaves_a_field_out_says_nothing_of_it() {
        let mut record = record(card("p").saved_to("c"));
        let before = record.clone();
        record.apply(&SourceObservation::Shown(Box::new(SourceFacts::named("p"))), LATER);
        assert_eq!(record, before);
    }

    #[test]
    fn only_mutations_outdate_a_look_up_under_way() {
        for (observation, outdates) in [
            (SourceObservation::Shown(Box::new(card("p"))), false),
            (SourceObservation::ShownTo(crate::rules::CredentialHash([1; 16])), false),
            (SourceObservation::Begun, true),
            (SourceObservation::Detached { spends: false }, true),
            (SourceObservation::Saved(None), true),
            (SourceObservation::Removed, true),
            (SourceObservation::Charged, true),
            (SourceObservation::OutcomeUnknown, true),
        ] {
            let mut record = SourceRecord::default();
            record.apply(&observation, NOW);
            assert_eq!(record.epoch, u32::from(outdates), "{observation:?}");
        }
    }

    #[test]
    fn states_are_read_as_they_are_written_and_carts_spell_one_differently() {
        for name in [
            "chargeable",
            "pending_redirect",
            "pending_funds",
            "requires_action",
            "pending",
            "consumed",
            "cancelled",
            "failed",
        ] {
            assert_eq!(SourceState::read(name).as_str(), name);
        }
        assert_eq!(SourceState::read("source_pending_redirect"), SourceState::PendingRedirect);
        assert_eq!(SourceState::read("under_review").as_str(), "under_review");
    }

    #[test]
    fn a_state_is_spent_or_changes_on_its_own_or_is_chargeable() {
        for (name, spent, changes) in [
            ("chargeable", false, false),
            ("pending_redirect", false, true),
            ("pending_funds", false, true),
            ("requires_action", false, true),
            ("pending", false, true),
            ("under_review", false, true),
            ("consumed", true, false),
            ("cancelled", true, false),
            ("failed", true, false),
        ] {
            let state = SourceState::read(name);
            assert_eq!((state.is_spent(), state.changes_on_its_own()), (spent, changes), "{name}");
        }
    }
}
