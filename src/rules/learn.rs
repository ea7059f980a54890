//! Derives from a finished call what it shows about sessions, sources and customers.
//!
//! In: the intent, upstream's answer to it, and what was known before. Out: the observations to
//! apply, record by record. A refused call changes nothing. A call whose end is not known makes
//! every record unsure that it may have changed.

use super::{
    Answer, Charges, CustomerId, CustomerObservation, Effect, Intent, Known, OptionFacts, Owner,
    PaidWith, Policy, Semantics, SessionFacts, SessionKey, SessionObservation, SourceFacts,
    SourceId, SourceObservation, Stated,
};

/// The observations from one finished call. The session's come first, because they clear
/// `in_flight`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Learned {
    /// About the session.
    pub session: Option<(SessionKey, SessionObservation)>,
    /// About sources.
    pub sources: Vec<(SourceId, SourceObservation)>,
    /// About a customer.
    pub customers: Vec<(CustomerId, CustomerObservation)>,
}

/// Returns the observations from a call that upstream answered with success. `session` is the
/// session that the call was about or created.
pub fn learn(
    intent: &Intent,
    answer: &Answer,
    session: Option<&SessionKey>,
    known: &Known,
    policy: &Policy,
) -> Learned {
    let mut learned = Learned::default();
    let facts = answer.session.clone().unwrap_or_default();
    if let Some(key) = session {
        let semantics = key.kind.dialect().semantics();
        let observation = match intent {
            Intent::ReadSession { .. } => SessionObservation::LookedUp(placed(&facts, policy)),
            intent => SessionObservation::Succeeded(
                effect(intent, answer, known, policy),
                placed(&facts, policy),
            ),
        };
        learned.sources.extend(effects_on_sources(intent, &observation, semantics, known, policy));
        learned.session = Some((key.clone(), observation));
    }
    if let Stated::Stated(sources) = facts.sources {
        learned.sources.extend(sources.into_iter().map(observe));
    }
    learned.sources.extend(answer.source.clone().map(observe));
    learned
        .sources
        .extend(answer.charged.iter().map(|id| (id.clone(), SourceObservation::Charged)));
    let lost = lost_with_customer(intent, known);
    learned.sources.extend(lost.map(|id| (id.clone(), SourceObservation::OutcomeUnknown)));
    learn_ownership(intent, answer, &mut learned);
    learned
        .sources
        .extend(removed_option(intent, known).map(|id| (id, SourceObservation::Removed)));
    if let Intent::OrderAtOnce { source, .. } = intent {
        learned.sources.push((source.clone(), SourceObservation::Charged));
    }
    learned
}

/// Returns the facts of a session in which a source whose place shows that it is secondary, and
/// whose type the answer does not tell, has a secondary type. Its own record does not get it.
fn placed(facts: &SessionFacts, policy: &Policy) -> Box<SessionFacts> {
    let mut facts = Box::new(facts.clone());
    if let (Stated::Stated(sources), Some(secondary)) =
        (&mut facts.sources, policy.types.secondary.first())
    {
        let is_placed = |source: &&mut SourceFacts| source.supplements && !source.kind.is_stated();
        for source in sources.iter_mut().filter(is_placed) {
            source.kind = Stated::Stated(secondary.clone());
        }
    }
    facts
}

/// Returns the observations from a call that upstream refused, which changed nothing.
pub fn refused(session: Option<&SessionKey>) -> Learned {
    Learned {
        session: session.map(|key| (key.clone(), SessionObservation::Refused)),
        ..Learned::default()
    }
}

/// Returns the observations from a call whose end is not known: all that it may have changed is
/// unsure.
pub fn outcome_unknown(intent: &Intent, session: Option<&SessionKey>, known: &Known) -> Learned {
    let mut learned = Learned {
        session: session.map(|key| (key.clone(), unknown_of(intent))),
        ..Learned::default()
    };
    let touched = known
        .attached()
        .iter()
        .map(|attached| &attached.id)
        .chain(intent.sources())
        .chain(lost_with_customer(intent, known))
        .cloned();
    learned.sources = touched
        .chain(removed_option(intent, known))
        .map(|id| (id, SourceObservation::OutcomeUnknown))
        .collect();
    learned.customers = intent
        .customer()
        .map(|id| (id.clone(), CustomerObservation::OutcomeUnknown))
        .into_iter()
        .collect();
    learned
}

/// Returns the sources saved to a customer whom the call deletes, disables or forgets. What becomes
/// of each is not told.
fn lost_with_customer<'a>(
    intent: &Intent,
    known: &'a Known,
) -> impl Iterator<Item = &'a SourceId> + use<'a> {
    let ends =
        matches!(intent, Intent::DeleteCustomer { .. } | Intent::UpdateCustomer { ends: true, .. });
    let saved = known.customer.as_ref().and_then(|customer| customer.saved.get());
    saved.filter(|_| ends).into_iter().flatten()
}

/// Returns the observation that a call of the session ended in no known way.
fn unknown_of(intent: &Intent) -> SessionObservation {
    match intent {
        Intent::Attach { source, .. } => SessionObservation::AttachUnknown(Some(source.clone())),
        Intent::UpdateSession { funding, .. } => {
            SessionObservation::AttachUnknown(funding.source.clone())
        }
        // Carried out or not, it puts no two sources into another order. What it has taken away is
        // not there when the session is seen next, and has no place any more.
        Intent::Order { .. } | Intent::Touch { .. } | Intent::Detach { .. } => {
            SessionObservation::AttachUnknown(None)
        }
        _ => SessionObservation::OutcomeUnknown,
    }
}

/// Returns the source behind a payment option that the call removes, if it was looked up.
fn removed_option(intent: &Intent, known: &Known) -> Option<SourceId> {
    let Intent::ChangeOption { option, removes: true, .. } = intent else { return None };
    let option = known.options.iter().flatten().find(|known| known.id.as_ref() == Some(option))?;
    option.told_source().map(|source| source.id.clone())
}

/// Makes the observation that an answer showed this source.
fn observe(facts: SourceFacts) -> (SourceId, SourceObservation) {
    (facts.id.clone(), SourceObservation::Shown(Box::new(facts)))
}

/// Returns what a successful call did to its session.
fn effect(intent: &Intent, answer: &Answer, known: &Known, policy: &Policy) -> Effect {
    match intent {
        Intent::CreateSession { .. } => Effect::AsShown,
        Intent::Attach { source, .. } => {
            let mut attached = match &answer.source {
                Some(shown) if shown.id == *source => shown.clone(),
                _ => SourceFacts::named(source.as_str()),
            };
            if !attached.kind.is_stated() {
                attached.kind = known.kind_of(source).cloned().into();
            }
            // Store credit contributes its own amount. A primary contributes what is left, which
            // only upstream knows.
            let secondary =
                attached.kind.as_ref().is_some_and(|kind| policy.types.is_secondary(kind));
            if secondary && !attached.amount.is_stated() {
                attached.amount = known
                    .sources
                    .get(source)
                    .and_then(|record| record.amount.get().copied())
                    .into();
            }
            Effect::Attached(attached)
        }
        Intent::Detach { source: Some(source), .. } => Effect::Detached(source.clone()),
        Intent::Detach { source: None, .. } => Effect::DetachedAll,
        Intent::Order { .. } => Effect::Ordered,
        Intent::DeleteSession { .. } => Effect::Deleted,
        Intent::UpdateSession { funding, .. } => {
            funding.source.clone().map_or(Effect::Touched, Effect::TouchedWith)
        }
        Intent::AttachSaved { .. } => known
            .applied_option(intent)
            .and_then(OptionFacts::told_source)
            .map_or(Effect::Touched, |source| Effect::TouchedWith(source.id.clone())),
        Intent::HandOver { .. } => Effect::HandedOver,
        _ => Effect::Touched,
    }
}

/// Returns the observations about sources that a call detached from the session or charged. Where
/// the effect is not certain, the source becomes unsure.
fn effects_on_sources(
    intent: &Intent,
    observation: &SessionObservation,
    semantics: &Semantics,
    known: &Known,
    policy: &Policy,
) -> Vec<(SourceId, SourceObservation)> {
    let SessionObservation::Succeeded(effect, facts) = observation else { return Vec::new() };
    let before = known.attached().iter().map(|attached| &attached.id);
    let becomes = |what: SourceObservation| move |id: &SourceId| (id.clone(), what.clone());
    let detached = becomes(SourceObservation::Detached { spends: semantics.detaching_spends });
    let unsure = becomes(SourceObservation::OutcomeUnknown);
    match effect {
        // Upstream also accepts detaching a source that is not attached, which spends nothing.
        Effect::Detached(source)
            if semantics.detaching_spends && !before.clone().any(|id| id == source) =>
        {
            vec![unsure(source)]
        }
        Effect::Detached(source) => vec![detached(source)],
        Effect::DetachedAll => before.map(detached).collect(),
        Effect::Ordered => {
            let charged = becomes(SourceObservation::Charged);
            match (intent, semantics.order_charges) {
                (Intent::Order { paid_with: PaidWith::Listed(listed), .. }, _) => {
                    let rest = before.filter(|id| !listed.contains(id));
                    listed.iter().map(charged).chain(rest.map(detached)).collect()
                }
                (_, Charges::All) => before.map(charged).collect(),
                // Upstream ignores store credit that came after the primary. Only the answer can
                // name the sources that are charged.
                (_, Charges::Named) => before.map(unsure).collect(),
            }
        }
        Effect::Attached(incoming) if !facts.sources.is_stated() => {
            let secondary =
                |kind: Option<&super::SourceType>| kind.map(|kind| policy.types.is_secondary(kind));
            let incoming_is_secondary = secondary(incoming.kind.as_ref());
            before
                .filter(|id| **id != incoming.id)
                .filter_map(|id| match (incoming_is_secondary, secondary(known.kind_of(id))) {
                    (Some(true), _) | (_, Some(true)) => None,
                    (Some(false), Some(false)) => Some(detached(id)),
                    (None, _) | (_, None) => Some(unsure(id)),
                })
                .collect()
        }
        _ => no_longer_shown(facts, before.cloned().collect()).iter().map(detached).collect(),
    }
}

/// Returns the sources that were attached before and that the answer no longer shows.
fn no_longer_shown(facts: &SessionFacts, before: Vec<SourceId>) -> Vec<SourceId> {
    match &facts.sources {
        Stated::Stated(now) => {
            before.into_iter().filter(|id| !now.iter().any(|source| source.id == *id)).collect()
        }
        Stated::Unstated | Stated::Unread => Vec::new(),
    }
}

/// Adds the observations about customers and the sources saved to them.
fn learn_ownership(intent: &Intent, answer: &Answer, learned: &mut Learned) {
    if let Intent::DeleteCustomer { customer, .. }
    | Intent::UpdateCustomer { customer, ends: true, .. } = intent
    {
        learned.customers.push((customer.clone(), CustomerObservation::OutcomeUnknown));
    }
    if let (Some(facts), Some(id)) = (&answer.customer, intent.customer()) {
        learned.customers.push((id.clone(), CustomerObservation::Shown(Box::new(facts.clone()))));
        if let Stated::Stated(saved) = &facts.saved {
            learned.sources.extend(saved.iter().cloned().map(|mut source| {
                source.customer = Stated::Stated(Some(id.clone()));
                observe(source)
            }));
        }
    }
    if let Stated::Stated(options) = &answer.options {
        learned
            .sources
            .extend(options.iter().filter_map(OptionFacts::told_source).cloned().map(observe));
    }
    match intent {
        Intent::Save { owner, source, .. } => {
            let customer = match owner {
                Owner::Customer(customer) => Some(customer.clone()),
                Owner::Shopper => None,
            };
            learned.sources.push((source.clone(), SourceObservation::Saved(customer.clone())));
            learned
                .customers
                .extend(customer.map(|id| (id, CustomerObservation::Saved(source.clone()))));
        }
        Intent::Remove { customer, source, .. } => {
            learned.sources.push((source.clone(), SourceObservation::Removed));
            learned
                .customers
                .push((customer.clone(), CustomerObservation::Removed(source.clone())));
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests;
