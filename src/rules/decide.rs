//! The verdict on one governed call.
//!
//! In: what is known, the intent, the policy, the time. Out: a [`Verdict`]. Each rule of the call's table is judged in the table's order, twice:
//! first on everything remembered, and, if that finds it broken, once more on facts that a refusal may rest on. A fact that is missing
//! in either pass is asked for; the caller looks it up and asks again. A look-up is asked for once, so this ends.

use super::{
    Dialect, Incoming, Intent, Known, Lookup, OnLookupFailure, Policy, Remedy, RuleId, Timestamp, Toggle, Verdict, Violation,
    known::{Fact, Gap, View},
    table::{self, Row},
};

/// Decides. Pure: the same arguments always give the same verdict.
pub fn decide(known: &Known, intent: &Intent, policy: &Policy, now: Timestamp) -> Verdict {
    if intent.is_read() {
        return Verdict::Forward { monitored: None };
    }
    let view = |strict| View { known, intent, policy, now, strict };
    let mut monitored = None;
    let mut mend: Option<(&Row, Toggle, Violation)> = None;
    for row in table::rows_for(intent) {
        let toggle = policy.toggle(row.dialect, row.id);
        if toggle == Toggle::Off {
            continue;
        }
        let judged = judge(row, &view(false)).and_then(|found| match found {
            Some(_) => judge(row, &view(true)),
            None => Ok(None),
        });
        match (judged, toggle) {
            (Ok(None) | Err(Gap::Untold), _) => {}
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
                // A later rule may be broken in a way that no order of calls puts right.
                mend.get_or_insert((row, toggle, violation));
            }
            (Ok(Some(violation)), Toggle::Reject) => return Verdict::Reject(violation),
            (Ok(Some(_)), Toggle::Off) => {}
        }
    }
    match mend {
        Some((_, Toggle::Strip, violation)) => Verdict::Strip(violation),
        Some((row, _, violation)) => match remedy(row.id, &view(true)) {
            Ok(Some(remedy)) => Verdict::Remedy(remedy, violation),
            Err(Gap::Need(lookup)) => Verdict::Need(lookup),
            // Without the facts a remedy needs, the refusal stands: the violation itself is known.
            Ok(None) | Err(_) => Verdict::Reject(violation),
        },
        None => wait(&view(false)).unwrap_or(Verdict::Forward { monitored }),
    }
}

fn judge(row: &Row, view: &View<'_>) -> Fact<Option<Violation>> {
    (row.check)(view)
}

/// The steps that put a broken order right, where there are such steps.
fn remedy(rule: RuleId, view: &View<'_>) -> Fact<Option<Remedy>> {
    let Some(primary) = view.primary()?.map(|attached| attached.id.clone()) else { return Ok(None) };
    match rule {
        RuleId::PrimaryBeforeSecondary => {
            // A primary that upstream would not take back must not be taken away.
            if view.source_state(&primary)?.is_spent() {
                return Ok(None);
            }
            Ok(view.incoming()?.map(|incoming| Remedy::Repair { primary, incoming: incoming.clone() }))
        }
        RuleId::SecondPrimary => Ok(view.incoming_for_remedy()?.map(|incoming: Incoming| Remedy::Replace { primary, incoming })),
        _ => Ok(None),
    }
}

/// Whether the first attach of a single-use primary should wait for secondaries.
fn wait(view: &View<'_>) -> Option<Verdict> {
    let Some(dialect @ (Dialect::Checkouts | Dialect::Carts)) = view.intent.dialect() else { return None };
    let rule = match dialect {
        Dialect::Checkouts => RuleId::SecondaryAfterSingleUsePrimary,
        Dialect::Carts => RuleId::PrimaryBeforeSecondary,
    };
    let sequencing = view.policy.sequencing;
    if view.policy.toggle(dialect, rule) != Toggle::Reorder || (sequencing.window == 0 && !sequencing.defer) {
        return None;
    }
    let incoming = match view.intent {
        Intent::Attach { source, .. } => source,
        Intent::UpdateSession { funding, .. } => funding.source.as_ref()?,
        _ => return None,
    };
    match first_single_use_primary(view, incoming) {
        Ok(true) if sequencing.defer && view.known.deferrable && dialect == Dialect::Checkouts => Some(Verdict::Defer),
        Ok(true) if sequencing.window > 0 && !view.known.held => Some(Verdict::Hold { window: sequencing.window }),
        Err(Gap::Need(lookup)) => Some(Verdict::Need(lookup)),
        Ok(_) | Err(_) => None,
    }
}

fn first_single_use_primary(view: &View<'_>, incoming: &super::SourceId) -> Fact<bool> {
    Ok(!view.is_secondary(incoming)? && view.primary()?.is_none() && !*view.of_source(incoming, |s| &s.reusable)?)
}

/// Whether a call may go before a primary whose attach is waiting: it attaches store credit. `Err`: look this up, then ask again.
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
