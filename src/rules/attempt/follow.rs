//! Follows the shopper's active session, which may be another one by now.

use super::{
    state::{Attempt, Phase, keep, keep_unknown},
    step::{LookupEnd, Next, OwnAnswer},
};
use crate::rules::{Intent, Known, Lookup, Policy, SessionKey, SessionState, Target};

/// How often a call begins before it is sent unjudged.
const MAX_ATTEMPTS: u8 = 4;

impl Attempt {
    /// Asks for a look-up of the active session if it may be another one than that of the turn. It
    /// may have become an order while the call waited.
    pub(super) fn follow(&mut self, intent: &Intent) -> Option<Next> {
        let is_active = intent.session().is_some_and(Target::is_active) && self.session.is_some();
        match &self.known.session {
            Some(record)
                if is_active
                    && self.known.looked_up(&Lookup::Session).is_none()
                    && (record.unsure || record.state.get() == Some(&SessionState::Complete)) =>
            {
                Some(Next::LookUp(Lookup::Session))
            }
            _ => self.go(Phase::Naming),
        }
    }

    /// Goes on, or begins again if another session is the active one.
    pub(super) fn on_following(&mut self, end: LookupEnd, policy: &Policy) {
        self.phase = Phase::Naming;
        let kept = match &end {
            LookupEnd::Shown { session: Some(found), .. }
                if self.session.as_ref() != Some(found) =>
            {
                return self.begin_again(found.clone());
            }
            LookupEnd::Shown { .. } => None,
            LookupEnd::Denied { .. } => keep(OwnAnswer::OfLastStep, policy),
            // Only a session that the caller has been shown is followed.
            LookupEnd::Forbidden | LookupEnd::Failed => keep_unknown(policy),
        };
        match kept {
            Some(kept) => self.end(Some(kept)),
            None => self.note(Lookup::Session, end),
        }
    }

    /// Begins the call again in this session's turn.
    pub(super) fn begin_again(&mut self, session: SessionKey) {
        // Look-ups are made anew. The record is kept only if it is this session's.
        let same = self.session.as_ref() == Some(&session);
        self.known = Known {
            session: self.known.session.take().filter(|_| same),
            sources: std::mem::take(&mut self.known.sources),
            customer: self.known.customer.take(),
            ..Known::default()
        };
        self.session = Some(session);
        self.unseen = None;
        self.has_turn = false;
        self.early.clear();
        self.overtaken = None;
        self.begun += 1;
        match self.begun > MAX_ATTEMPTS {
            true => self.end(None),
            false => self.phase = Phase::Entering { asked: false },
        }
    }
}
