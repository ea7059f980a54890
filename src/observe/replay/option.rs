//! A shopper's saved payment options, as a line of the decision log writes them.

use super::form::{Told, form, stated, told};
use crate::rules::{
    Amount, Currency, CustomerId, OptionFacts, OptionId, SourceFacts, SourceId, SourceState,
    SourceType,
};

form! {
    /// A saved payment option.
    OptionForm {
        id: Told<OptionId>,
        source: Told<Option<(SourceId, OptionSourceForm)>>,
        default: Told<bool>,
    }
}

form! {
    /// The source behind a saved payment option.
    OptionSourceForm {
        kind: Told<SourceType>,
        amount: Told<Amount>,
        currency: Told<Currency>,
        reusable: Told<bool>,
        state: Told<SourceState>,
        customer: Told<Option<CustomerId>>,
        supplements: bool,
    }
}

impl OptionForm {
    pub(super) fn of(facts: &OptionFacts) -> Self {
        let OptionFacts { id, source, default } = facts;
        let behind = |source: Option<&SourceFacts>| source.map(OptionSourceForm::of);
        let source = source.as_view().map(|source| behind(source.as_ref()));
        Self { id: told(id), source: told(&source), default: told(default) }
    }

    pub(super) fn facts(self) -> OptionFacts {
        let behind =
            |source: Option<(SourceId, OptionSourceForm)>| source.map(|(id, form)| form.facts(id));
        OptionFacts {
            id: stated(self.id),
            source: stated(self.source).map(behind),
            default: stated(self.default),
        }
    }
}

impl OptionSourceForm {
    fn of(facts: &SourceFacts) -> (SourceId, Self) {
        let SourceFacts { id, kind, amount, currency, reusable, state, customer, .. } = facts;
        let SourceFacts { payment_session: _, supplements, .. } = facts;
        let form = Self {
            kind: told(kind),
            amount: told(amount),
            currency: told(currency),
            reusable: told(reusable),
            state: told(state),
            customer: told(customer),
            supplements: *supplements,
        };
        (id.clone(), form)
    }

    fn facts(self, id: SourceId) -> SourceFacts {
        SourceFacts {
            kind: stated(self.kind),
            amount: stated(self.amount),
            currency: stated(self.currency),
            reusable: stated(self.reusable),
            state: stated(self.state),
            customer: stated(self.customer),
            supplements: self.supplements,
            ..SourceFacts::named(id)
        }
    }
}
