//! Asking the rules, and looking up what they need to know.

use super::{
    state::{Attempt, Phase, keep},
    step::{LookupEnd, Next, OwnAnswer, Sending},
};
use crate::rules::{
    Incoming, Intent, Known, LookedUp, Lookup, Pending, Policy, Remedy, SourceId, Target,
    Timestamp, Verdict, Violation, decide,
};

impl Attempt {
    /// Asks for what tells the source that the call removes without naming it; after the call
    /// nothing would.
    pub(super) fn name(&mut self, intent: &Intent) -> Option<Next> {
        let attaches_by_id = matches!(intent, Intent::Attach { session: Target::Session(_), .. });
        self.known.deferrable = self.room.can_defer && attaches_by_id;
        match intent {
            Intent::ChangeOption { removes: true, .. } => {
                Some(Next::LookUp(Lookup::PaymentOptions))
            }
            _ => self.go(Phase::Deciding(None)),
        }
    }

    /// Asks the rules.
    pub(super) fn decide(
        &mut self,
        intent: &Intent,
        policy: &Policy,
        now: Timestamp,
    ) -> Option<Next> {
        let send = |sending| Some(Next::Send(sending));
        let judged = Sending { judged: true, ..Sending::default() };
        let refuse = |violation: Violation| {
            keep(OwnAnswer::Refusal(violation.clone()), policy)
                .or(send(Sending { violation: Some(violation), ..judged.clone() }))
        };
        match decide(&self.known, intent, policy, now) {
            Verdict::Need(lookup) => self.go(Phase::Deciding(Some(lookup))),
            Verdict::Forward { monitored } => {
                let reordered = self.held == Some(true) && monitored.is_none();
                send(Sending { violation: monitored, reordered, ..judged })
            }
            Verdict::Strip(violation) => {
                send(Sending { violation: Some(violation), without_owner: true, ..judged })
            }
            Verdict::Reject(violation) => refuse(violation),
            Verdict::Unavailable(_) => keep(OwnAnswer::FactUnknown, policy).or(send(judged)),
            Verdict::Remedy(remedy, violation) => match confirmed(&self.known, &remedy) {
                Err(lookup) => self.go(Phase::Deciding(Some(lookup))),
                Ok(true) if self.has_turn && self.session.is_some() => {
                    Some(Next::Repair(remedy, violation))
                }
                // Only a turn keeps several calls together, and nothing is taken away on a guess.
                Ok(_) => refuse(violation),
            },
            Verdict::Hold { .. } if self.has_turn => self.go(Phase::Holding),
            Verdict::Hold { .. } => {
                self.known.held = true;
                None
            }
            Verdict::Defer => {
                self.known.deferrable = false;
                match intent.attaches().filter(|source| self.can_promise(source)) {
                    Some(source) => self.go(Phase::Promising(source.clone())),
                    None => None,
                }
            }
        }
    }

    /// Returns whether a promise to attach this source can be made: a session holds one promise,
    /// and a caller who may not know the session gets none.
    fn can_promise(&self, source: &SourceId) -> bool {
        let record = self.known.session.as_ref();
        match record.map(|record| record.pending.as_deref()) {
            Some(None) => self.session.is_some(),
            Some(Some(Pending::Deferred { primary, .. })) => primary == source,
            Some(Some(Pending::Repair { .. })) | None => false,
        }
    }

    /// Takes in a look-up that the rules asked for.
    pub(super) fn looked_up(&mut self, lookup: Lookup, end: LookupEnd, policy: &Policy) {
        self.phase = Phase::Deciding(None);
        if lookup == Lookup::Session {
            match &end {
                LookupEnd::Shown { session: Some(found), .. }
                    if self.session.as_ref() != Some(found) =>
                {
                    return self.begin_again(found.clone());
                }
                LookupEnd::Shown { .. } if self.known.session.is_none() => {
                    self.phase = Phase::Introduced;
                }
                LookupEnd::Denied { .. } => {
                    if let Some(kept) = keep(OwnAnswer::OfLastStep, policy) {
                        return self.end(Some(kept));
                    }
                }
                _ => {}
            }
        }
        self.note(lookup, end);
    }

    /// Begins the call again where something is pending for the session: a caller who was a
    /// stranger has passed by it, and it is settled first.
    pub(super) fn meet(&mut self) -> Option<Next> {
        self.phase = Phase::Deciding(None);
        let pending = self.known.session.as_ref().is_some_and(|record| record.pending.is_some());
        if let Some(session) = self.session.clone().filter(|_| pending) {
            self.begin_again(session);
        }
        None
    }
}

/// Returns whether this attempt has looked up both the primary that a remedy takes away and the
/// source that comes. `Err`: this has to be looked up first.
///
/// However fresh a record is, removing a payment option may have spent a source without naming it,
/// and a remedy must not begin what it cannot finish.
fn confirmed(known: &Known, remedy: &Remedy) -> Result<bool, Lookup> {
    let (primary, incoming) = match remedy {
        Remedy::Repair { primary, incoming }
        | Remedy::Replace { primary, incoming: Incoming::Source(incoming) } => {
            (primary, Some(incoming))
        }
        // Options are never remembered: they were looked up by this attempt.
        Remedy::Replace { primary, incoming: Incoming::Option(_) } => (primary, None),
    };
    for source in incoming.into_iter().chain([primary]) {
        let lookup = Lookup::Source(source.clone());
        match known.looked_up(&lookup) {
            Some(LookedUp::At(_)) => {}
            Some(LookedUp::Failed | LookedUp::Absent) => return Ok(false),
            None => return Err(lookup),
        }
    }
    Ok(true)
}
