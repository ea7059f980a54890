//! The verdict on one governed call.
//!
//! In: what is known, the intent, the policy, the time. Out: a [`Verdict`]. Each rule of the call's
//! table is judged in the table's order, twice: first on everything remembered, and, if that finds
//! it broken, again on facts that a refusal may rest on. If a fact is missing in the second pass,
//! or in the first and it is worth asking for, the verdict asks for a look-up, and the caller makes
//! it and decides again. No look-up is asked for twice, so this ends. A rule whose facts stay
//! missing is not taken for kept: the judgement names it beside the verdict, unless they were not
//! worth asking for.

mod left;

pub use left::left_to_upstream;

use super::{
    Attached, Dialect, Field, Finding, Incoming, Intent, Judgement, Known, LookUps, Lookup,
    LookupResult, MissingFact, OnLookupFailure, Policy, Remedy, RemedyKind, Row, RuleId,
    SessionRecord, SessionState, Timestamp, Toggle, Unjudged, Upstream, Verdict, Violation, check,
    known::{Gap, Judged, Missing, View},
};

/// Returns the verdict on a call. Pure: the same arguments always give the same verdict.
pub fn decide(known: &Known, intent: &Intent, policy: &Policy, now: Timestamp) -> Verdict {
    judge_call(known, intent, policy, now).verdict
}

/// Returns the verdict on a call, and the rules that could not be judged although the call goes on.
/// Pure, as [`decide`] is.
pub fn judge_call(known: &Known, intent: &Intent, policy: &Policy, now: Timestamp) -> Judgement {
    let mut unjudged = Vec::new();
    let verdict = judge_all(known, intent, policy, now, &mut unjudged);
    if matches!(verdict, Verdict::Reject(_) | Verdict::Need(_)) {
        // What is refused rests on what is known, and what is asked for is not missing yet.
        unjudged.clear();
    }
    Judgement { verdict, unjudged }
}

/// Returns the rules that would have had something to say about a call that is sent without being
/// judged.
pub fn unjudged(intent: &Intent, policy: &Policy) -> Vec<Unjudged> {
    if intent.is_read() {
        return Vec::new();
    }
    let (known, now) = (Known::default(), Timestamp(0));
    let rows = policy.rows(intent.dialect()).filter(|(_, _, toggle)| *toggle != Toggle::Off);
    let mut unjudged: Vec<Unjudged> = Vec::new();
    for (dialect, row, _) in rows {
        let mut view = View { blind: true, ..view(&known, intent, policy, dialect, now) };
        match judge(row, &mut view) {
            Ok(None) => {}
            Ok(Some(_)) => note(&mut unjudged, row.id, MissingFact::NotAsked),
            Err(_) if view.missing == Missing::Session => {}
            Err(_) => note(&mut unjudged, row.id, MissingFact::NotAsked),
        }
    }
    unjudged
}

/// Returns a view that believes everything remembered.
fn view<'a>(
    known: &'a Known,
    intent: &'a Intent,
    policy: &'a Policy,
    dialect: Dialect,
    now: Timestamp,
) -> View<'a> {
    let (strict, blind, used, missing) = (false, false, Vec::new(), Missing::Nothing);
    View { known, intent, policy, dialect, now, strict, blind, used, missing }
}

/// Adds a rule that could not be judged; one that two dialects share is named once.
fn note(unjudged: &mut Vec<Unjudged>, rule: RuleId, missing: MissingFact) {
    if unjudged.iter().all(|known| known.rule != rule) {
        unjudged.push(Unjudged { rule, missing });
    }
}

fn judge_all(
    known: &Known,
    intent: &Intent,
    policy: &Policy,
    now: Timestamp,
    unjudged: &mut Vec<Unjudged>,
) -> Verdict {
    if intent.is_read() {
        return Verdict::Forward { monitored: None };
    }
    let view = |dialect| view(known, intent, policy, dialect, now);
    let mut monitored = None;
    let mut mendable: Option<(&Row, Toggle, Violation)> = None;
    for (dialect, row, toggle) in policy.rows(intent.dialect()) {
        if toggle == Toggle::Off {
            continue;
        }
        let mut view = view(dialect);
        let judged = match judge(row, &mut view) {
            // Upstream judges the call itself.
            Err((Gap::Need(lookup) | Gap::Unavailable(lookup), Pass::First))
                if !is_worth_asking(&view, row, toggle, &lookup) =>
            {
                continue;
            }
            Err((gap, _)) => Err(gap),
            Ok(violation) => Ok(violation),
        };
        if let Err(gap) = &judged {
            let missing = missing(known, gap, view.missing);
            missing.into_iter().for_each(|missing| note(unjudged, row.id, missing));
        }
        match (judged, toggle) {
            (Ok(None) | Err(Gap::Unstated), _) => {}
            (Err(Gap::Need(lookup)), _) => return Verdict::Need(lookup),
            (Err(Gap::Unavailable(_)), Toggle::Monitor) => {}
            (Err(Gap::Unavailable(lookup)), _) => match policy.on_lookup_failure {
                OnLookupFailure::Forward => {}
                OnLookupFailure::Reject => return Verdict::Unavailable(lookup),
            },
            (Ok(Some(violation)), Toggle::Monitor) => {
                monitored.get_or_insert(violation);
            }
            (Ok(Some(violation)), Toggle::Reorder | Toggle::Strip) => {
                // A later rule may still refuse, so the remedy waits until all are judged.
                mendable.get_or_insert((row, toggle, violation));
            }
            (Ok(Some(violation)), Toggle::Reject) => return Verdict::Reject(violation),
            (Ok(Some(_)), Toggle::Off) => {}
        }
    }
    match mendable {
        Some((_, Toggle::Strip, violation)) => Verdict::Strip(violation),
        Some((row, _, violation)) => remedied(row, violation, &view, unjudged),
        None => intent
            .dialect()
            .and_then(|dialect| wait(&mut view(dialect)))
            .unwrap_or(Verdict::Forward { monitored }),
    }
}

/// Returns the verdict on a call that breaks a rule whose toggle is its remedy.
fn remedied<'a>(
    row: &Row,
    violation: Violation,
    view: &dyn Fn(Dialect) -> View<'a>,
    unjudged: &mut Vec<Unjudged>,
) -> Verdict {
    match remedy(row.remedy, &violation, &mut view(violation.dialect).strictly()) {
        Ok(Some(remedy)) => Verdict::Remedy { remedy, violation },
        Err(Gap::Need(lookup)) => Verdict::Need(lookup),
        Ok(None) | Err(_) if matches!(violation.finding, Finding::CreditUnseen { .. }) => {
            Verdict::Unavailable(Lookup::Session)
        }
        Ok(None) | Err(_) if !violation.finding.is_certain() => {
            if let Finding::CreditInDoubt { secondary, primary } = violation.finding {
                note(unjudged, row.id, MissingFact::Order { secondary, primary });
            }
            Verdict::Forward { monitored: None }
        }
        // The violation is certain even where the remedy's facts are missing.
        Ok(None) | Err(_) => Verdict::Reject(violation),
    }
}

/// Returns what kept a rule from being judged; `None` where it has nothing to say about the call.
fn missing(known: &Known, gap: &Gap, what: Missing) -> Option<MissingFact> {
    match (gap, what) {
        // It is asked for first.
        (Gap::Need(_), _) => None,
        (Gap::Unavailable(lookup), _) => Some(MissingFact::Failed(lookup.clone())),
        (_, Missing::Session) => None,
        (_, Missing::Nothing) => Some(MissingFact::NotAsked),
        (_, Missing::Order { secondary, primary }) => {
            Some(MissingFact::Order { secondary, primary })
        }
        (_, Missing::Fact(lookup, field)) => Some(match known.looked_up(&lookup) {
            Some(LookupResult::Absent) => MissingFact::Absent(lookup),
            _ => MissingFact::Untold(lookup, field),
        }),
    }
}

/// The pass in which a fact was missing.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Pass {
    /// On everything remembered.
    First,
    /// On facts that a refusal may rest on, because the first pass found the rule broken.
    Strict,
}

/// Returns the rule's violation, judged on everything remembered and, where that finds one, again
/// on facts that a refusal may rest on.
fn judge(row: &Row, view: &mut View<'_>) -> Result<Option<Violation>, (Gap, Pass)> {
    let check = check::of(row.id);
    if check(view).map_err(|gap| (gap, Pass::First))?.is_none() {
        return Ok(None);
    }
    let mut strict = view.strictly();
    let finding = check(&mut strict).map_err(|gap| (gap, Pass::Strict));
    view.missing = strict.missing;
    Ok(finding?.map(|finding| Violation {
        rule: row.id,
        dialect: view.dialect,
        finding,
        facts: strict.used,
    }))
}

/// Returns whether a fact is asked for that the first pass lacks. Without it the call goes up, and
/// upstream judges it in its own words.
fn is_worth_asking(view: &View<'_>, row: &Row, toggle: Toggle, lookup: &Lookup) -> bool {
    let unsure = |session: &SessionRecord| session.unsure || session.in_flight;
    match (view.policy.look_ups, row.upstream) {
        (LookUps::Thorough, _) | (_, Upstream::Loses) => true,
        (_, Upstream::Accepts) if toggle != Toggle::Monitor => true,
        // What became of an earlier call is looked up before the next decision.
        _ if *lookup == Lookup::Session && view.known.session.as_deref().is_some_and(unsure) => {
            true
        }
        _ => brings_another_source(view),
    }
}

/// Returns whether the call brings a source, or a credit, to a session that may hold another one
/// already. What is not known of a session that was seen may be another one.
fn brings_another_source(view: &View<'_>) -> bool {
    let (intent, session) = (view.intent, view.known.session.as_ref());
    let Some(session) = session.filter(|_| intent.session().is_some()) else { return false };
    let credit =
        matches!(intent, Intent::UpdateSession { funding, .. } if funding.credit_amount.is_some());
    let incoming = intent.attaches();
    let brings = incoming.is_some() || credit || matches!(intent, Intent::AttachSaved { .. });
    let another = |attached: &Attached| incoming != Some(&attached.id);
    brings && session.sources.get().is_none_or(|sources| sources.iter().any(another))
}

/// Returns the remedy of a broken rule, if it has one here.
fn remedy(
    kind: Option<RemedyKind>,
    violation: &Violation,
    view: &mut View<'_>,
) -> Judged<Option<Remedy>> {
    if kind == Some(RemedyKind::Resequence) {
        return resequence(&violation.finding, view);
    }
    let Some(primary) = view.primary()?.map(|attached| attached.id.clone()) else {
        return Ok(None);
    };
    match kind {
        Some(RemedyKind::Repair) => {
            // A primary that upstream would not accept again must not be detached.
            if view.source_state(&primary)?.is_spent() {
                return Ok(None);
            }
            Ok(view
                .incoming()?
                .map(|incoming| Remedy::Repair { primary, incoming: incoming.clone() }))
        }
        Some(RemedyKind::Replace) => Ok(view
            .incoming_for_remedy()?
            .map(|incoming: Incoming| Remedy::Replace { primary, incoming })),
        Some(RemedyKind::Wait | RemedyKind::Strip | RemedyKind::Resequence) | None => Ok(None),
    }
}

/// Returns the remedy that attaches the primary again, behind the credit. A primary that is known
/// to be spent must not be detached. One that cannot be read is: upstream has accepted it before,
/// and the credit would be lost for certain.
fn resequence(finding: &Finding, view: &mut View<'_>) -> Judged<Option<Remedy>> {
    let (Finding::LostCredit { primary, .. } | Finding::CreditInDoubt { primary, .. }) = finding
    else {
        return Ok(None);
    };
    match view.source_state(primary) {
        Ok(state) if state.is_spent() => Ok(None),
        Err(Gap::Need(lookup)) => Err(Gap::Need(lookup)),
        Ok(_) | Err(_) => Ok(Some(Remedy::Resequence { primary: primary.clone() })),
    }
}

/// Returns the verdict that makes the first attach of a single-use primary wait for secondaries, or
/// `None` where it need not wait.
fn wait(view: &mut View<'_>) -> Option<Verdict> {
    let sequencing = view.policy.sequencing;
    if sequencing.window.is_zero() && !sequencing.defer {
        return None;
    }
    let semantics = view.dialect.semantics();
    if view.policy.toggle(view.dialect, semantics.waits_under) != Toggle::Reorder {
        return None;
    }
    let incoming = match view.intent {
        Intent::Attach { source, .. } => source,
        Intent::UpdateSession { funding, .. } => funding.source.as_ref()?,
        _ => return None,
    };
    match first_single_use_primary(view, incoming) {
        Ok(true) if sequencing.defer && view.known.deferrable && semantics.may_defer => {
            Some(Verdict::Defer)
        }
        Ok(true) if !sequencing.window.is_zero() && !view.known.waited => {
            Some(Verdict::Hold { window: sequencing.window })
        }
        Err(Gap::Need(lookup)) => Some(Verdict::Need(lookup)),
        Ok(_) | Err(_) => None,
    }
}

fn first_single_use_primary(view: &mut View<'_>, incoming: &super::SourceId) -> Judged<bool> {
    if view.session_state() == Ok(&SessionState::Complete) {
        // An order takes no more sources, and the caller must get that refusal at once.
        return Ok(false);
    }
    Ok(!view.is_secondary(incoming)?
        && view.primary()?.is_none()
        && !*view.of_source(incoming, Field::Reusable, |s| &s.reusable)?)
}

/// Returns whether a call goes before a primary whose attach is waiting, because it attaches store
/// credit, or the look-up to make before asking again.
pub fn overtakes(known: &Known, intent: &Intent, policy: &Policy) -> Result<bool, Lookup> {
    let source = match intent {
        Intent::Attach { source, .. } => source,
        Intent::UpdateSession { funding, .. } => match &funding.source {
            Some(source) => source,
            None => return Ok(funding.credit_amount.is_some()),
        },
        _ => return Ok(false),
    };
    match known.kind_of(source) {
        Some(kind) => Ok(policy.types.is_secondary(kind)),
        None if known.looked_up(&Lookup::Source(source.clone())).is_some() => Ok(false),
        None => Err(Lookup::Source(source.clone())),
    }
}

#[cfg(test)]
mod tests;
