//! The owners of saved sources: customers, and shoppers with payment options.

use super::{
    CredentialHash, CustomerId, Fact, OptionId, ShownTo, SourceFacts, SourceId, Stated, Timestamp,
};

/// The owner of the saved sources that a call is about.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Owner {
    /// A customer, named by id.
    Customer(CustomerId),
    /// The shopper behind the caller's token.
    Shopper,
}

/// The facts that one answer states about a customer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CustomerFacts {
    /// The customer's id.
    pub id: Option<CustomerId>,
    /// The saved sources.
    pub saved: Stated<Vec<SourceFacts>>,
}

/// One event that changes what is known about a customer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CustomerObservation {
    /// An answer showed the customer.
    Shown(Box<CustomerFacts>),
    /// Upstream showed the customer to this caller.
    ShownTo(CredentialHash),
    /// This source was saved.
    Saved(SourceId),
    /// This source was removed.
    Removed(SourceId),
    /// The outcome of a call that may have changed the customer is unknown.
    OutcomeUnknown,
}

/// The remembered facts of one customer: only which sources are saved.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CustomerRecord {
    /// The saved sources.
    pub saved: Fact<Vec<SourceId>>,
    /// The callers to whom upstream has shown it.
    pub shown_to: ShownTo,
    /// Counts the observations other than reads.
    pub epoch: u32,
}

impl CustomerRecord {
    /// Applies an observation, the only way in which a record changes.
    pub fn apply(&mut self, observation: &CustomerObservation, now: Timestamp) {
        if !matches!(observation, CustomerObservation::Shown(_) | CustomerObservation::ShownTo(_)) {
            self.epoch = self.epoch.wrapping_add(1);
        }
        match observation {
            CustomerObservation::Shown(facts) => {
                let ids = |all: Vec<SourceFacts>| all.into_iter().map(|source| source.id).collect();
                self.saved.learn(facts.saved.clone().map(ids), now);
            }
            CustomerObservation::ShownTo(caller) => self.shown_to.add(*caller),
            CustomerObservation::Saved(id) => {
                if let Some(saved) = self.saved.get_mut()
                    && !saved.contains(id)
                {
                    saved.push(id.clone());
                }
            }
            CustomerObservation::Removed(id) => {
                if let Some(saved) = self.saved.get_mut() {
                    saved.retain(|known| known != id);
                }
            }
            CustomerObservation::OutcomeUnknown => self.saved = Fact::Unknown,
        }
    }
}

/// One saved payment option of a shopper, as an answer shows it. It is never remembered, so a
/// refusal that rests on it looks it up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OptionFacts {
    /// The option's id.
    pub id: Stated<OptionId>,
    /// The source behind it, if it has one, with the facts that the option states.
    pub source: Stated<Option<SourceFacts>>,
    /// Whether it is the default option.
    pub default: Stated<bool>,
}

impl OptionFacts {
    /// Returns the source behind it, where that is told.
    pub fn told_source(&self) -> Option<&SourceFacts> {
        self.source.as_ref().and_then(Option::as_ref)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::fixtures::NOW;

    #[test]
    fn a_source_saved_twice_is_removed_at_once() {
        let mut record = CustomerRecord {
            saved: Fact::known(vec!["p".into()], NOW),
            ..CustomerRecord::default()
        };
        record.apply(&CustomerObservation::Saved("p".into()), NOW);
        record.apply(&CustomerObservation::Removed("p".into()), NOW);
        assert_eq!(record.saved, Fact::known(vec![], NOW));
        record.apply(&CustomerObservation::Saved("q".into()), NOW);
        record.apply(&CustomerObservation::Saved("q".into()), NOW);
        assert_eq!(record.saved, Fact::known(vec!["q".into()], NOW));
    }

    #[test]
    fn only_mutations_outdate_a_look_up_under_way() {
        for (observation, outdates) in [
            (CustomerObservation::Shown(Box::default()), false),
            (CustomerObservation::ShownTo(CredentialHash([1; 16])), false),
            (CustomerObservation::Saved("p".into()), true),
            (CustomerObservation::Removed("p".into()), true),
            (CustomerObservation::OutcomeUnknown, true),
        ] {
            let mut record = CustomerRecord::default();
            record.apply(&observation, NOW);
            assert_eq!(record.epoch, u32::from(outdates), "{observation:?}");
        }
    }
}
