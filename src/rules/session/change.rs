//! Applies the effects of successful calls to a session's record.

use super::{Effect, Pending, SessionRecord, SessionState};
use crate::rules::{
    Amount, Attached, Fact, Joined, Policy, SourceFacts, SourceId, Stated, Timestamp,
};
use smallvec::SmallVec;

impl SessionRecord {
    /// Applies the effect of a successful call.
    pub(super) fn change(&mut self, effect: &Effect, policy: &Policy, now: Timestamp) {
        match effect {
            Effect::AsShown => {}
            Effect::Attached(source) => {
                self.join(&source.id, policy);
                self.attach(source, policy, now);
            }
            Effect::Detached(id) => {
                self.joined.detach(id);
                if let Some(sources) = self.sources.get_mut() {
                    sources.retain(|a| a.id != *id);
                }
                self.forget_primary_share(policy);
                self.forget_money();
                self.credit_amount = Fact::Unknown;
            }
            Effect::DetachedAll => {
                self.joined.forget_order();
                self.sources = Fact::known(SmallVec::new(), now);
                self.forget_money();
                self.credit_amount = Fact::Unknown;
            }
            Effect::Ordered => {
                // The shopper's next session is another one, and no fact of this one holds for it.
                self.forget();
                self.joined = Joined::default();
                self.state = Fact::known(SessionState::Complete, now);
            }
            Effect::Deleted => {
                self.forget();
                // Nothing can be attached any more.
                self.pending = None;
                self.joined = Joined::default();
            }
            Effect::Touched => self.forget(),
            Effect::HandedOver => {
                self.forget();
                self.joined.forget_order();
            }
            Effect::TouchedWith(id) => {
                self.join(id, policy);
                self.forget();
            }
        }
    }

    /// Notes that a source was attached. Where it was attached before, or may have been, upstream
    /// may leave it where it is or put it last.
    fn join(&mut self, id: &SourceId, policy: &Policy) {
        let sources = self.sources.get();
        let before = sources.and_then(|sources| sources.iter().find(|a| a.id == *id));
        match before {
            None if sources.is_none() && self.joined.order.contains(id) => self.joined.detach(id),
            None => {
                // One that was there before, and whose place was not seen, comes first.
                if let Some([only]) = sources.map(SmallVec::as_slice)
                    && self.joined.order.is_empty()
                {
                    self.joined.attach(&only.id);
                }
                self.joined.attach(id);
            }
            Some(before) => {
                let kind = before.kind.as_ref();
                let is_primary = kind.is_some_and(|kind| !policy.types.is_secondary(kind));
                // No credit must count as standing before a primary that it may stand behind.
                if !is_primary && self.joined.order.last() != Some(id) {
                    self.joined.detach(id);
                }
            }
        }
    }

    /// Returns whether this source is known to be attached.
    pub(super) fn holds(&self, id: &SourceId) -> bool {
        self.sources.get().is_some_and(|sources| sources.iter().any(|a| a.id == *id))
    }

    /// Notes that what an interrupted repair attaches may still join.
    pub(super) fn wait_for_repair(&mut self) {
        if let Some(Pending::Repair { incoming: Some(id), .. }) = self.pending.as_deref() {
            self.joined.wait_for(id);
        }
    }

    /// Applies an attach whose answer does not show the session, and forgets facts that are no
    /// longer certain.
    fn attach(&mut self, source: &SourceFacts, policy: &Policy, now: Timestamp) {
        let incoming = self.attached(source);
        let primary = incoming.kind.as_ref().map(|kind| !policy.types.is_secondary(kind));
        let is_primary =
            |a: &Attached| a.kind.as_ref().map(|kind| !policy.types.is_secondary(kind));
        match (self.sources.get_mut(), primary) {
            (Some(sources), Some(false)) => {
                sources.retain(|a| a.id != incoming.id);
                sources.push(incoming);
                self.forget_primary_share(policy);
            }
            (Some(sources), Some(true))
                if sources.iter().all(|a| a.id == incoming.id || is_primary(a).is_some()) =>
            {
                sources.retain(|a| a.id != incoming.id && is_primary(a) == Some(false));
                sources.push(incoming);
            }
            // Where a type is not known, the attach may have replaced a primary.
            _ => self.sources = Fact::Unknown,
        }
        self.forget_money();
        if primary == Some(true) {
            // A primary contributes all that the secondaries leave.
            self.remaining = Fact::known(Amount::ZERO, now);
            self.state = Fact::known(SessionState::RequiresConfirmation, now);
        }
    }

    /// Forgets the primary's share, which changes with every secondary that is attached or
    /// detached.
    fn forget_primary_share(&mut self, policy: &Policy) {
        for attached in self.sources.get_mut().into_iter().flatten() {
            if attached.kind.as_ref().is_none_or(|kind| !policy.types.is_secondary(kind)) {
                attached.amount = Stated::Unstated;
            }
        }
    }

    /// Forgets what is contributed, what remains, and what depends on it.
    fn forget_money(&mut self) {
        self.remaining = Fact::Unknown;
        self.contributed = Fact::Unknown;
        self.leaves_out = Fact::Unknown;
        self.state = Fact::Unknown;
    }
}
