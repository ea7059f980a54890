//! Settling what an earlier call left pending, before a call is decided.
//!
//! ```text
//!   deferred ─┬─ the call goes before it, or deletes the session ─────────────▶ the call goes on
//!             ├─ the call is the same attach ─ look up the source ────────────▶ deferred again
//!             └─ anything else ─ send the deferred attach ─┬─ carried out ────▶ the call goes on
//!                                                          └─ any other way ──▶ the failure is the
//!                                                                                answer
//! ```
//! If sending a deferred attach was interrupted, the session is looked up first, so that nothing is
//! sent twice. A promise is settled in every mode, because the caller to whom it was made already
//! has an answer: a failure becomes the answer of the call that needs the attach.

use super::{
    state::{Attempt, Phase, Settling},
    step::{Event, LookupEnd, Next, OwnAnswer, Unsent},
};
use crate::rules::{
    Intent, Lookup, LookupResult, Pending, Policy, RefusalScope, SourceId, Timestamp, overtakes,
};

impl Attempt {
    /// Returns the next step that settles what is pending for the session.
    pub(super) fn settle(
        &mut self,
        settling: Settling,
        intent: &Intent,
        policy: &Policy,
    ) -> Option<Next> {
        let pending = self.known.session.as_ref().and_then(|record| record.pending.as_deref());
        let (primary, since, sending) = match pending {
            None => {
                self.go_on(intent);
                return None;
            }
            Some(Pending::Repair { primary, incoming, replaces }) => {
                let primary = primary.clone();
                let credit = incoming.clone().filter(|_| !replaces);
                self.phase = Phase::Settling(Settling::Recovering);
                return Some(Next::Recover { primary, credit });
            }
            Some(Pending::Deferred { primary, since, sending }) => (primary, *since, *sending),
        };
        match settling {
            Settling::Recovering => self.go_on(intent),
            Settling::Begun { asked } => match overtakes(&self.known, intent, policy) {
                Err(lookup) if !asked => return Some(Next::LookUp(lookup)),
                Ok(true) if !sending => self.go_on(intent),
                // The note is erased once the session is deleted; upstream may still refuse that.
                _ if matches!(intent, Intent::DeleteSession { .. }) => self.go_on(intent),
                _ if sending => self.phase = Phase::Settling(Settling::Seeking),
                _ => self.phase = Phase::Settling(Settling::Missing),
            },
            Settling::Seeking => match self.known.looked_up(&Lookup::Session) {
                Some(LookupResult::At(at)) => self.phase = Phase::Settling(Settling::Sought(at)),
                _ => return Some(Next::LookUp(Lookup::Session)),
            },
            Settling::Sought(at) => match self.is_attached(primary, at) {
                Some(true) => return Some(Next::EraseDeferred),
                Some(false) => self.phase = Phase::Settling(Settling::Missing),
                None => self.end(Some(Next::Answer(OwnAnswer::FactUnknown))),
            },
            Settling::Missing => {
                let repeats = matches!(intent, Intent::Attach { source, .. } if source == primary);
                let then = if repeats { Settling::Deferring } else { Settling::Sending };
                self.phase = Phase::Settling(then);
            }
            Settling::Deferring => return Some(Next::LookUp(Lookup::Source(primary.clone()))),
            Settling::Sending => {
                return Some(Next::SendDeferred { primary: primary.clone(), since });
            }
        }
        None
    }

    /// Moves on by how a step of settling ended.
    pub(super) fn on_settling(&mut self, settling: Settling, event: Event, intent: &Intent) {
        match (settling, event) {
            (Settling::Begun { .. }, Event::LookedUp(end)) => {
                if let Some(source) = intent.attaches() {
                    self.note(Lookup::Source(source.clone()), end);
                }
                self.phase = Phase::Settling(Settling::Begun { asked: true });
            }
            // The note may stay: the next call tries again.
            (Settling::Recovering, Event::Recovered) => {
                self.forget_answers();
                self.go_on(intent);
            }
            (Settling::Seeking, Event::LookedUp(end)) => match end {
                LookupEnd::Shown { at, .. } => {
                    self.note(Lookup::Session, end);
                    self.phase = Phase::Settling(Settling::Sought(at));
                }
                LookupEnd::Denied { why, .. } => {
                    self.fail_settling(OwnAnswer::OfLastStep, why == RefusalScope::ForNow, intent);
                }
                LookupEnd::Forbidden => self.fail_settling(OwnAnswer::FactUnknown, true, intent),
                LookupEnd::Failed => self.fail_settling(OwnAnswer::FactUnknown, false, intent),
            },
            (Settling::Sought(_), Event::Erased) => self.go_on(intent),
            (Settling::Deferring, Event::LookedUp(end)) => match end {
                LookupEnd::Shown { .. } => {
                    let deferred = intent.attaches().cloned().map(Next::Defer);
                    self.end(deferred);
                }
                LookupEnd::Denied { .. } | LookupEnd::Forbidden | LookupEnd::Failed => {
                    if let Some(source) = intent.attaches() {
                        self.note_first(Lookup::Source(source.clone()), end);
                    }
                    self.phase = Phase::Settling(Settling::Sending);
                }
            },
            (Settling::Sending, Event::DeferredSent(None)) => {
                self.forget_answers();
                self.go_on(intent);
            }
            (Settling::Sending, Event::DeferredSent(Some(why))) => {
                let not_from_this_caller = why == Unsent::NotFromThisCaller;
                self.fail_settling(OwnAnswer::OfLastStep, not_from_this_caller, intent);
            }
            (Settling::Recovering | Settling::Sending, Event::Lost) => {
                self.end(Some(Next::Answer(OwnAnswer::Lost)));
            }
            _ => {}
        }
    }

    /// Ends the call with this answer. A read by a caller who may read but not attach goes on
    /// instead, and the attach waits for another caller.
    fn fail_settling(&mut self, answer: OwnAnswer, not_from_this_caller: bool, intent: &Intent) {
        match intent.is_read() && not_from_this_caller {
            true => self.go_on(intent),
            false => self.end(Some(Next::Answer(answer))),
        }
    }

    /// Returns whether the source is attached, or `None` if the session has not shown its sources
    /// since `at`.
    fn is_attached(&self, source: &SourceId, at: Timestamp) -> Option<bool> {
        let sources = &self.known.session.as_ref()?.sources;
        let attached =
            sources.get().filter(|_| sources.stated_at().is_some_and(|stated| stated >= at))?;
        Some(attached.iter().any(|attached| attached.id == *source))
    }
}
