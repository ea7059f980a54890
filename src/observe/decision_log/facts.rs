//! The facts that a call was judged on, for people: which, how old, and where they came from.

use crate::rules::{
    Basis, Fact, Field, Known, Lookup, LookupResult, SessionRecord, SourceId, SourceRecord,
    Subject, Timestamp, UsedFact, Verdict,
};
use serde::Serialize;

/// Facts about one thing, of one age and origin.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Facts {
    /// The thing.
    of: String,
    /// `looked-up` for this call, `remembered` from an earlier answer, `inferred` from what an
    /// earlier call did, or `constant`.
    origin: &'static str,
    /// How long before the judgement upstream stated them; absent: they never change.
    #[serde(skip_serializing_if = "Option::is_none")]
    age_ms: Option<i64>,
    facts: Vec<&'static str>,
}

/// Returns every dated fact that was known.
pub(super) fn known(basis: &Basis) -> Vec<Facts> {
    let Basis { known, now, .. } = basis;
    let mut list = List { known, now: *now, groups: Vec::new() };
    if let Some(record) = known.session.as_deref() {
        list.add_session(record);
    }
    for (id, record) in &known.sources {
        list.add_source(id, record);
    }
    if let Some(record) = &known.customer {
        list.add(&Lookup::Customer, Field::Saved, record.saved.stated_at(), false);
    }
    if let Some(LookupResult::At(asked)) = known.looked_up(&Lookup::PaymentOptions) {
        list.add(&Lookup::PaymentOptions, Field::Options, Some(asked), false);
    }
    list.groups
}

/// Returns the facts on which the finding of the judgement rests.
pub(super) fn used(basis: &Basis) -> Vec<Facts> {
    let Basis { known, now, judgement } = basis;
    let found = match &judgement.verdict {
        Verdict::Forward { monitored } => monitored.as_ref(),
        Verdict::Strip(violation)
        | Verdict::Reject(violation)
        | Verdict::Remedy { violation, .. } => Some(violation),
        Verdict::Need(_) | Verdict::Unavailable(_) | Verdict::Hold { .. } | Verdict::Defer => None,
    };
    let mut list = List { known, now: *now, groups: Vec::new() };
    for UsedFact { of, field, at } in found.into_iter().flat_map(|found| &found.facts) {
        let lookup = match of {
            Subject::Session => Lookup::Session,
            Subject::Source(id) => Lookup::Source(id.clone()),
            Subject::Customer => Lookup::Customer,
            Subject::PaymentOptions => Lookup::PaymentOptions,
        };
        let inferred = *field == Field::State
            && matches!(of, Subject::Source(id)
                if known.sources.get(id).is_some_and(|record| record.state_inferred));
        match at {
            Some(_) => list.add(&lookup, *field, *at, inferred),
            None => list.push(&lookup, *field, "constant", None),
        }
    }
    list.groups
}

struct List<'a> {
    known: &'a Known,
    now: Timestamp,
    groups: Vec<Facts>,
}

impl List<'_> {
    fn add_session(&mut self, record: &SessionRecord) {
        let dates = [
            (Field::Sources, record.sources.stated_at()),
            (Field::Total, record.total.stated_at()),
            (Field::Remaining, record.remaining.stated_at()),
            (Field::Contributed, record.contributed.stated_at()),
            (Field::State, record.state.stated_at()),
            (Field::Customer, record.customer.stated_at()),
            (Field::CreditAmount, record.credit_amount.stated_at()),
            (Field::BillingOptimization, record.billing_optimization.stated_at()),
        ];
        for (field, at) in dates {
            self.add(&Lookup::Session, field, at, false);
        }
    }

    fn add_source(&mut self, id: &SourceId, record: &SourceRecord) {
        let lookup = Lookup::Source(id.clone());
        if record.kind.is_stated() {
            self.push(&lookup, Field::Type, "constant", None);
        }
        self.add(&lookup, Field::Amount, record.amount.stated_at(), false);
        self.add(&lookup, Field::Reusable, record.reusable.stated_at(), false);
        self.add(&lookup, Field::State, Fact::stated_at(&record.state), record.state_inferred);
        self.add(&lookup, Field::Customer, record.customer.stated_at(), false);
    }

    fn add(&mut self, of: &Lookup, field: Field, at: Option<Timestamp>, inferred: bool) {
        let Some(at) = at else { return };
        let origin = match self.known.looked_up(of) {
            Some(LookupResult::At(asked)) if at >= asked => "looked-up",
            _ if inferred => "inferred",
            _ => "remembered",
        };
        self.push(of, field, origin, Some(self.now.0.wrapping_sub(at.0).cast_signed()));
    }

    fn push(&mut self, of: &Lookup, field: Field, origin: &'static str, age_ms: Option<i64>) {
        let of = match of {
            Lookup::Session => "session".to_owned(),
            Lookup::Source(id) => format!("source {id}"),
            Lookup::Customer => "customer".to_owned(),
            Lookup::PaymentOptions => "payment options".to_owned(),
        };
        let same =
            |group: &&mut Facts| group.of == of && group.origin == origin && group.age_ms == age_ms;
        match self.groups.iter_mut().find(same) {
            Some(group) => group.facts.push(field.as_str()),
            None => self.groups.push(Facts { of, origin, age_ms, facts: vec![field.as_str()] }),
        }
    }
}
