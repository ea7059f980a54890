//! What a finished call teaches.
//!
//! In: the intent, upstream's answer to it, and what was known before. Out: the observations to apply, record by record.
//! A refused call changes nothing; one whose end is not known makes every record it may have changed unsure.

use super::{
    Answer, CustomerId, CustomerObservation, Dialect, Effect, Intent, Known, Owner, Policy, SessionFacts, SessionKey,
    SessionObservation, SourceFacts, SourceId, SourceObservation, Told,
};

/// The observations one finished call gives rise to. Those about the session come first: they end its time in flight.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Learned {
    /// About the session.
    pub session: Option<(SessionKey, SessionObservation)>,
    /// About sources.
    pub sources: Vec<(SourceId, SourceObservation)>,
    /// About a customer.
    pub customers: Vec<(CustomerId, CustomerObservation)>,
}

/// What a call that upstream answered with success teaches. `session` is the session it was about, or the one that the answer created.
pub fn learn(intent: &Intent, answer: &Answer, session: Option<&SessionKey>, known: &Known, policy: &Policy) -> Learned {
    let mut learned = Learned::default();
    let facts = answer.session.clone().unwrap_or_default();
    if let Some(key) = session {
        let dialect = key.kind.dialect();
        let observation = match intent {
            Intent::ReadSession { .. } => SessionObservation::LookedUp(Box::new(facts.clone())),
            intent => SessionObservation::Succeeded(effect(intent, answer, known), Box::new(facts.clone())),
        };
        learned.sources.extend(left(intent, &observation, dialect, known, policy));
        learned.session = Some((key.clone(), observation));
    }
    if let Told::Told(sources) = facts.sources {
        learned.sources.extend(sources.into_iter().map(shown));
    }
    learned.sources.extend(answer.source.clone().map(shown));
    learned.sources.extend(answer.charged.iter().map(|id| (id.clone(), SourceObservation::Charged)));
    owned(intent, answer, &mut learned);
    learned
}

/// What a call that upstream refused teaches: it changed nothing.
pub fn refused(session: Option<&SessionKey>) -> Learned {
    Learned { session: session.map(|key| (key.clone(), SessionObservation::Refused)), ..Learned::default() }
}

/// What a call whose end is not known leaves unsure.
pub fn outcome_unknown(intent: &Intent, session: Option<&SessionKey>, known: &Known) -> Learned {
    let mut learned =
        Learned { session: session.map(|key| (key.clone(), SessionObservation::OutcomeUnknown)), ..Learned::default() };
    let touched = known.attached().iter().map(|attached| &attached.id).chain(intent.source());
    learned.sources = touched.map(|id| (id.clone(), SourceObservation::OutcomeUnknown)).collect();
    learned.customers = intent.customer().map(|id| (id.clone(), CustomerObservation::OutcomeUnknown)).into_iter().collect();
    learned
}

fn shown(facts: SourceFacts) -> (SourceId, SourceObservation) {
    (facts.id.clone(), SourceObservation::Shown(Box::new(facts)))
}

fn effect(intent: &Intent, answer: &Answer, known: &Known) -> Effect {
    match intent {
        Intent::CreateSession { .. } => Effect::AsShown,
        Intent::Attach { source, .. } => {
            let mut attached = match &answer.source {
                Some(shown) if shown.id == *source => shown.clone(),
                _ => SourceFacts::named(source.as_str()),
            };
            if !attached.kind.is_told() {
                attached.kind = known.kind_of(source).cloned().into();
            }
            if !attached.amount.is_told() {
                attached.amount = known.sources.get(source).and_then(|record| record.amount.get().copied()).into();
            }
            Effect::Attached(attached)
        }
        Intent::Detach { source: Some(source), .. } => Effect::Detached(source.clone()),
        Intent::Detach { source: None, .. } => Effect::DetachedAll,
        Intent::Order { .. } => Effect::Ordered,
        Intent::DeleteSession { .. } => Effect::Deleted,
        _ => Effect::Touched,
    }
}

/// The sources that a call took off the session, or charged.
fn left(
    intent: &Intent,
    observation: &SessionObservation,
    dialect: Dialect,
    known: &Known,
    policy: &Policy,
) -> Vec<(SourceId, SourceObservation)> {
    let before = known.attached().iter().map(|attached| &attached.id);
    let detached = |id: &SourceId| (id.clone(), SourceObservation::Detached(dialect));
    let SessionObservation::Succeeded(effect, facts) = observation else { return Vec::new() };
    match effect {
        Effect::Detached(source) => vec![detached(source)],
        Effect::DetachedAll => before.map(detached).collect(),
        Effect::Ordered if matches!(intent, Intent::Order { .. }) => {
            before.map(|id| (id.clone(), SourceObservation::Charged)).collect()
        }
        Effect::Attached(incoming) if !facts.sources.is_told() => {
            let is_primary = |kind: Option<&super::SourceType>| kind.is_some_and(|kind| !policy.types.is_secondary(kind));
            if !is_primary(incoming.kind.as_ref()) {
                return Vec::new();
            }
            before.filter(|id| **id != incoming.id && is_primary(known.kind_of(id))).map(detached).collect()
        }
        _ => gone(facts, before.cloned().collect()).iter().map(detached).collect(),
    }
}

/// Attached before, and not shown now.
fn gone(facts: &SessionFacts, before: Vec<SourceId>) -> Vec<SourceId> {
    match &facts.sources {
        Told::Told(now) => before.into_iter().filter(|id| !now.iter().any(|source| source.id == *id)).collect(),
        Told::NotTold => Vec::new(),
    }
}

/// What is learned of customers and of the sources they own.
fn owned(intent: &Intent, answer: &Answer, learned: &mut Learned) {
    if let (Some(facts), Some(id)) = (&answer.customer, intent.customer()) {
        learned.customers.push((id.clone(), CustomerObservation::Shown(Box::new(facts.clone()))));
        if let Told::Told(saved) = &facts.saved {
            learned.sources.extend(saved.iter().cloned().map(|mut source| {
                source.customer = Told::Told(Some(id.clone()));
                shown(source)
            }));
        }
    }
    if let Told::Told(options) = &answer.options {
        learned.sources.extend(options.iter().filter_map(|option| option.source.clone()).map(shown));
    }
    match intent {
        Intent::Save { owner, source } => {
            let customer = match owner {
                Owner::Customer(customer) => Some(customer.clone()),
                Owner::Shopper => None,
            };
            learned.sources.push((source.clone(), SourceObservation::Saved(customer.clone())));
            learned.customers.extend(customer.map(|id| (id, CustomerObservation::Saved(source.clone()))));
        }
        Intent::Remove { customer, source } => {
            learned.sources.push((source.clone(), SourceObservation::Removed));
            learned.customers.push((customer.clone(), CustomerObservation::Removed(source.clone())));
        }
        _ => {}
    }
}
