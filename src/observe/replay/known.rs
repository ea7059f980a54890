//! What was known when a call was judged, as a line of the decision log writes it.
//!
//! In: a [`Known`]. Out: its form, and back. Who has been shown a record is not part of it: no rule
//! looks at that, and it would name other callers. Every member of a record is named here, so that
//! a new one has to be thought of.

use super::{
    form::{Dated, Now, Told, form, stated, told},
    looked_up::{EndForm, LookupForm},
    option::OptionForm,
};
use crate::rules::{
    Amount, Attached, Currency, CustomerId, CustomerRecord, Joined, Known, Pending, SessionRecord,
    SessionState, ShownTo, SourceId, SourceRecord, SourceState, SourceType,
};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, sync::Arc};

form! {
    /// Everything known.
    KnownForm {
        session: Option<SessionForm>,
        doubted: bool,
        sources: BTreeMap<SourceId, SourceForm>,
        customer: Option<CustomerForm>,
        options: Option<Vec<OptionForm>>,
        looked_up: Vec<(LookupForm, EndForm)>,
        waited: bool,
        deferrable: bool,
    }
}

form! {
    /// A session's record.
    SessionForm {
        sources: Dated<Vec<(SourceId, AttachedForm)>>,
        total: Dated<Amount>,
        remaining: Dated<Amount>,
        contributed: Dated<Amount>,
        leaves_out: Dated<bool>,
        currency: Told<Currency>,
        state: Dated<SessionState>,
        customer: Dated<Option<CustomerId>>,
        credit_amount: Dated<Option<Amount>>,
        billing_optimization: Dated<bool>,
        in_flight: bool,
        unsure: bool,
        joined: Vec<SourceId>,
        awaited: Vec<SourceId>,
        pending: Option<PendingForm>,
    }
}

form! {
    /// An attached source.
    AttachedForm {
        kind: Told<SourceType>,
        amount: Told<Amount>,
    }
}

form! {
    /// A source's record.
    SourceForm {
        kind: Told<SourceType>,
        amount: Dated<Amount>,
        currency: Told<Currency>,
        reusable: Dated<bool>,
        state: Dated<SourceState>,
        inferred: bool,
        customer: Dated<Option<CustomerId>>,
    }
}

form! {
    /// A customer's record.
    CustomerForm {
        saved: Dated<Vec<SourceId>>,
    }
}

/// A remedy under way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum PendingForm {
    Repair { primary: SourceId, incoming: Option<SourceId>, replaces: bool },
    Deferred { primary: SourceId, age: i64, sending: bool },
}

impl KnownForm {
    pub(super) fn of(known: &Known, now: Now) -> Self {
        let Known { session, doubted, sources, customer, options, .. } = known;
        let Known { looked_up, waited, deferrable, .. } = known;
        let source =
            |(id, record): (&SourceId, &SourceRecord)| (id.clone(), SourceForm::of(record, now));
        let looked_up =
            looked_up.iter().map(|(made, end)| (LookupForm::of(made), EndForm::of(*end, now)));
        Self {
            session: session.as_deref().map(|record| SessionForm::of(record, now)),
            doubted: *doubted,
            sources: sources.iter().map(source).collect(),
            customer: customer.as_ref().map(|record| CustomerForm::of(record, now)),
            options: options.as_ref().map(|all| all.iter().map(OptionForm::of).collect()),
            looked_up: looked_up.collect(),
            waited: *waited,
            deferrable: *deferrable,
        }
    }

    pub(super) fn known(self, now: Now) -> Known {
        let sources = self.sources.into_iter().map(|(id, form)| (id, form.record(now)));
        let looked_up = self.looked_up.into_iter();
        Known {
            session: self.session.map(|form| Arc::new(form.record(now))),
            doubted: self.doubted,
            sources: sources.collect(),
            customer: self.customer.map(|form| form.record(now)),
            options: self.options.map(|all| all.into_iter().map(OptionForm::facts).collect()),
            looked_up: looked_up.map(|(made, end)| (made.lookup(), end.result(now))).collect(),
            waited: self.waited,
            deferrable: self.deferrable,
        }
    }
}

impl SessionForm {
    fn of(record: &SessionRecord, now: Now) -> Self {
        let SessionRecord { sources, total, remaining, contributed, leaves_out, .. } = record;
        let SessionRecord { currency, state, customer, credit_amount, .. } = record;
        let SessionRecord { billing_optimization, in_flight, unsure, joined, pending, .. } = record;
        // What no rule looks at.
        let SessionRecord { payment_session: _, shown_to: _, epoch: _, ended: _, .. } = record;
        // The facts of members stand among the sources.
        let SessionRecord { members: _, .. } = record;
        Self {
            sources: now.dated(sources, |all| all.iter().map(AttachedForm::of).collect()),
            total: now.dated(total, Amount::clone),
            remaining: now.dated(remaining, Amount::clone),
            contributed: now.dated(contributed, Amount::clone),
            leaves_out: now.dated(leaves_out, bool::clone),
            currency: told(currency),
            state: now.dated(state, SessionState::clone),
            customer: now.dated(customer, Option::clone),
            credit_amount: now.dated(credit_amount, Option::clone),
            billing_optimization: now.dated(billing_optimization, bool::clone),
            in_flight: *in_flight,
            unsure: *unsure,
            joined: joined.order.to_vec(),
            awaited: joined.awaited.to_vec(),
            pending: pending.as_deref().map(|pending| PendingForm::of(pending, now)),
        }
    }

    fn record(self, now: Now) -> SessionRecord {
        SessionRecord {
            sources: now.fact(self.sources, |all| {
                all.into_iter().map(|(id, form)| form.attached(id)).collect()
            }),
            total: now.fact(self.total, |amount| amount),
            remaining: now.fact(self.remaining, |amount| amount),
            contributed: now.fact(self.contributed, |amount| amount),
            leaves_out: now.fact(self.leaves_out, |leaves_out| leaves_out),
            currency: stated(self.currency),
            state: now.fact(self.state, |state| state),
            customer: now.fact(self.customer, |customer| customer),
            credit_amount: now.fact(self.credit_amount, |amount| amount),
            billing_optimization: now.fact(self.billing_optimization, |optimized| optimized),
            in_flight: self.in_flight,
            unsure: self.unsure,
            joined: Joined {
                order: self.joined.into_iter().collect(),
                awaited: self.awaited.into_iter().collect(),
            },
            pending: self.pending.map(|form| Box::new(form.pending(now))),
            ..SessionRecord::default()
        }
    }
}

impl AttachedForm {
    fn of(attached: &Attached) -> (SourceId, Self) {
        let Attached { id, kind, amount } = attached;
        (id.clone(), Self { kind: told(kind), amount: told(amount) })
    }

    fn attached(self, id: SourceId) -> Attached {
        Attached { id, kind: stated(self.kind), amount: stated(self.amount) }
    }
}

impl SourceForm {
    fn of(record: &SourceRecord, now: Now) -> Self {
        let SourceRecord { kind, amount, currency, reusable, state, .. } = record;
        let SourceRecord { state_inferred, customer, .. } = record;
        // What no rule looks at.
        let SourceRecord { payment_session: _, shown_to: _, epoch: _, .. } = record;
        Self {
            kind: told(kind),
            amount: now.dated(amount, Amount::clone),
            currency: told(currency),
            reusable: now.dated(reusable, bool::clone),
            state: now.dated(state, SourceState::clone),
            inferred: *state_inferred,
            customer: now.dated(customer, Option::clone),
        }
    }

    fn record(self, now: Now) -> SourceRecord {
        SourceRecord {
            kind: stated(self.kind),
            amount: now.fact(self.amount, |amount| amount),
            currency: stated(self.currency),
            reusable: now.fact(self.reusable, |reusable| reusable),
            state: now.fact(self.state, |state| state),
            state_inferred: self.inferred,
            customer: now.fact(self.customer, |customer| customer),
            ..SourceRecord::default()
        }
    }
}

impl CustomerForm {
    fn of(record: &CustomerRecord, now: Now) -> Self {
        let CustomerRecord { saved, shown_to: _, epoch: _ } = record;
        Self { saved: now.dated(saved, Vec::clone) }
    }

    fn record(self, now: Now) -> CustomerRecord {
        let saved = now.fact(self.saved, |saved| saved);
        CustomerRecord { saved, shown_to: ShownTo::default(), epoch: 0 }
    }
}

impl PendingForm {
    fn of(pending: &Pending, now: Now) -> Self {
        match pending.clone() {
            Pending::Repair { primary, incoming, replaces } => {
                Self::Repair { primary, incoming, replaces }
            }
            Pending::Deferred { primary, since, sending } => {
                Self::Deferred { primary, age: now.age(since), sending }
            }
        }
    }

    fn pending(self, now: Now) -> Pending {
        match self {
            Self::Repair { primary, incoming, replaces } => {
                Pending::Repair { primary, incoming, replaces }
            }
            Self::Deferred { primary, age, sending } => {
                Pending::Deferred { primary, since: now.at(age), sending }
            }
        }
    }
}
