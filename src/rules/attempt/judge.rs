//! Asks the rules for their verdict, and looks up what they need for it.

use super::{
    state::{Attempt, Phase, keep},
    step::{LookupEnd, Next, OwnAnswer, Sending},
};
use crate::rules::{
    Basis, Incoming, Intent, Known, Lookup, LookupResult, Pending, Policy, Remedy, SourceId,
    Target, Timestamp, Verdict, Violation, judge_call,
};

impl Attempt {
    /// Asks for the payment options if the call removes one: the call does not name the source
    /// behind it, and after the call upstream no longer shows it.
    pub(super) fn name(&mut self, intent: &Intent) -> Option<Next> {
        let attaches_by_id = matches!(intent, Intent::Attach { session: Target::Session(_), .. });
        self.known.deferrable = self.start.can_defer && attaches_by_id;
        match intent {
            Intent::ChangeOption { removes: true, .. } => {
                Some(Next::LookUp(Lookup::PaymentOptions))
            }
            _ => self.go(Phase::Deciding(None)),
        }
    }

    /// Returns the step that the rules' verdict asks for.
    pub(super) fn decide(
        &mut self,
        intent: &Intent,
        policy: &Policy,
        now: Timestamp,
    ) -> Option<Next> {
        let send = |sending| Some(Next::Send(sending));
        let judged = Sending { judged: true, ..Sending::default() };
        let refuse = |violation: Violation| {
            if !violation.finding.is_certain() {
                return send(judged.clone());
            }
            keep(OwnAnswer::Refusal(violation.clone()), policy)
                .or(send(Sending { violation: Some(violation), ..judged.clone() }))
        };
        let judgement = judge_call(&self.known, intent, policy, now);
        if self.start.keeps_basis {
            let (known, judgement) = (self.known.clone(), judgement.clone());
            self.basis = Some(Box::new(Basis { known, now, judgement }));
        }
        self.unjudged = judgement.unjudged;
        match judgement.verdict {
            Verdict::Need(lookup) => self.go(Phase::Deciding(Some(lookup))),
            Verdict::Forward { monitored } => {
                let reordered = self.overtaken == Some(true) && monitored.is_none();
                send(Sending { violation: monitored, reordered, ..judged })
            }
            Verdict::Strip(violation) => {
                send(Sending { violation: Some(violation), without_owner: true, ..judged })
            }
            Verdict::Reject(violation) => refuse(violation),
            Verdict::Unavailable(_) => keep(OwnAnswer::FactUnknown, policy).or(send(judged)),
            Verdict::Remedy { remedy, violation } => match confirm_sources(&self.known, &remedy) {
                Err(lookup) => self.go(Phase::Deciding(Some(lookup))),
                Ok(true) if self.has_turn && self.session.is_some() => {
                    Some(Next::Repair(remedy, violation))
                }
                // Without the turn other calls could come between, and without confirmation the
                // primary might be taken away for nothing.
                Ok(_) => refuse(violation),
            },
            Verdict::Hold { .. } if self.has_turn => self.go(Phase::Holding),
            Verdict::Hold { .. } => {
                self.known.waited = true;
                None
            }
            Verdict::Defer => {
                self.known.deferrable = false;
                match intent.attaches().filter(|source| self.can_defer(source)) {
                    Some(source) => self.go(Phase::Deferring(source.clone())),
                    None => None,
                }
            }
        }
    }

    /// Returns whether a promise to attach this source can be made. A session holds one promise,
    /// and a caller to whom upstream has not shown the session gets none.
    fn can_defer(&self, source: &SourceId) -> bool {
        let record = self.known.session.as_ref();
        match record.map(|record| record.pending.as_deref()) {
            Some(None) => self.session.is_some(),
            Some(Some(Pending::Deferred { primary, .. })) => primary == source,
            Some(Some(Pending::Repair { .. })) | None => false,
        }
    }

    /// Moves on by how a look-up that the rules asked for ended.
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
                // Upstream has shown it before, and that counts as after a look that failed.
                LookupEnd::Forbidden if self.known.session.is_some() => {}
                LookupEnd::Forbidden => return self.go_on_as_stranger(),
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

    /// Begins the call again if something is pending for the session. It was not settled before,
    /// because the caller had not been shown the session.
    pub(super) fn meet(&mut self) -> Option<Next> {
        self.phase = Phase::Deciding(None);
        let pending = self.known.session.as_ref().is_some_and(|record| record.pending.is_some());
        if let Some(session) = self.session.clone().filter(|_| pending) {
            self.begin_again(session);
        }
        None
    }
}

/// Returns whether this attempt's look-ups confirm both the primary that a remedy takes away and
/// the source that comes, or the look-up to make first.
///
/// A remembered source may have been spent by the removal of a payment option that did not name it,
/// and a remedy must not begin what it cannot finish.
fn confirm_sources(known: &Known, remedy: &Remedy) -> Result<bool, Lookup> {
    let (primary, incoming) = match remedy {
        Remedy::Repair { primary, incoming }
        | Remedy::Replace { primary, incoming: Incoming::Source(incoming) } => {
            (primary, Some(incoming))
        }
        // The rules have asked for the primary. One that cannot be read is moved all the same.
        Remedy::Resequence { .. } => return Ok(true),
        // Options are never remembered: they were looked up by this attempt.
        Remedy::Replace { primary, incoming: Incoming::Option(_) } => (primary, None),
    };
    for source in incoming.into_iter().chain([primary]) {
        let lookup = Lookup::Source(source.clone());
        match known.looked_up(&lookup) {
            Some(LookupResult::At(_)) => {}
            Some(LookupResult::Failed | LookupResult::Absent) => return Ok(false),
            None => return Err(lookup),
        }
    }
    Ok(true)
}
