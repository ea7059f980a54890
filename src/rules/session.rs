//! One payment session's record: what upstream's answers say about the funding of one checkout,
//! invoice or cart.
//!
//! In: [`SessionObservation`]s. Out: a [`SessionRecord`]. Each fact carries the moment at which
//! upstream stated it. The facts of the session's sources are part of the record, so that a
//! decision about the session reads one record.
//!
//! ```text
//!            Begun                      Succeeded | Refused
//!   settled ───────▶ in flight ───────────────────────────▶ settled
//!      ▲                 │ OutcomeUnknown, or the process ended
//!      │ LookedUp        ▼
//!      └────────────── unsure
//! ```
//! `unsure` survives a refusal: a refused call shows nothing about the call before it.

mod change;

use super::{
    Amount, CredentialHash, Currency, CustomerId, Fact, Joined, Policy, SessionId, ShownTo,
    SourceFacts, SourceId, SourceRecord, SourceType, Stated, Timestamp,
    figures::{Share, Shown, leave_credit_out},
};
use compact_str::CompactString;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use smallvec::SmallVec;

/// The state of a payment session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SessionState {
    /// Money is missing.
    RequiresSource,
    /// It is fully funded and may become an order.
    RequiresConfirmation,
    /// It has become an order.
    Complete,
    /// Any other state, as upstream spells it.
    Other(CompactString),
}

impl SessionState {
    /// Makes the state from upstream's spelling.
    pub fn read(name: &str) -> Self {
        match name {
            "requires_source" => Self::RequiresSource,
            "requires_confirmation" => Self::RequiresConfirmation,
            "complete" => Self::Complete,
            other => Self::Other(other.into()),
        }
    }

    /// Returns upstream's spelling.
    pub fn as_str(&self) -> &str {
        match self {
            Self::RequiresSource => "requires_source",
            Self::RequiresConfirmation => "requires_confirmation",
            Self::Complete => "complete",
            Self::Other(name) => name,
        }
    }
}

impl Serialize for SessionState {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for SessionState {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|name| Self::read(&name))
    }
}

/// The facts that one answer states about a session. A filtered answer leaves the rest `Unstated`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SessionFacts {
    /// The id of the checkout, invoice or cart.
    pub id: Option<SessionId>,
    /// Every attached source. `Stated(vec![])` if the answer shows that there is none.
    pub sources: Stated<Vec<SourceFacts>>,
    /// The amount to be paid.
    pub total: Stated<Amount>,
    /// The amount that remains to be contributed.
    pub remaining: Stated<Amount>,
    /// The amount that is contributed, as the session says itself.
    pub contributed: Stated<Amount>,
    /// The currency of the amounts.
    pub currency: Stated<Currency>,
    /// The payment session's state.
    pub state: Stated<SessionState>,
    /// The customer, or that there is none.
    pub customer: Stated<Option<CustomerId>>,
    /// The legacy credit amount, or that there is none.
    pub credit_amount: Stated<Option<Amount>>,
    /// Whether an invoice has billing optimization.
    pub billing_optimization: Stated<bool>,
    /// The payment session's own id.
    pub payment_session: Stated<Box<str>>,
    /// What each payment method pays, where one of them names no source, so that `sources` is
    /// unstated.
    pub shares: Stated<Vec<Share>>,
}

/// One attached source, as far as the session shows it. Its other facts are in its
/// [`super::SourceRecord`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attached {
    /// The source's id.
    pub id: SourceId,
    /// Its type.
    pub kind: Stated<SourceType>,
    /// The amount that it contributes.
    pub amount: Stated<Amount>,
}

/// The effect of a successful call on a session, as the call itself implies it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// The answer shows the whole session.
    AsShown,
    /// This source is attached now. A primary replaces the one before it.
    Attached(SourceFacts),
    /// This source is no longer attached.
    Detached(SourceId),
    /// No source is attached any more.
    DetachedAll,
    /// The session became an order.
    Ordered,
    /// The session was deleted.
    Deleted,
    /// Weir does not know what changed, so facts that the answer does not show must be looked up.
    Touched,
    /// The same, and this source is attached now.
    TouchedWith(SourceId),
    /// The shopper may change anything past Weir from now on.
    HandedOver,
}

/// One event that changes what is known about a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SessionObservation {
    /// A call that may change the session is about to be sent.
    Begun,
    /// The call was refused and changed nothing.
    Refused,
    /// The call succeeded with this effect, and its answer showed these facts.
    Succeeded(Effect, Box<SessionFacts>),
    /// The call's outcome is unknown (time-out, reset, 5xx, half an answer).
    OutcomeUnknown,
    /// The call's outcome is unknown, but it leaves the order of what is attached as it is. The
    /// source that it attaches, if any, may still join.
    AttachUnknown(Option<SourceId>),
    /// A look-up or read showed the session while no call was in flight that might have changed it.
    LookedUp(Box<SessionFacts>),
    /// Upstream showed the session to this caller.
    ShownTo(CredentialHash),
    /// Upstream denied the session to this caller.
    DeniedTo(CredentialHash),
    /// A remedy begins or changes; `None`: it is over.
    Pending(Option<Pending>),
}

/// A remedy that is under way for a session. It is noted before its first step, so that the next
/// holder of the turn can finish or undo it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub enum Pending {
    /// The primary is being detached and attached again around another attach.
    Repair {
        /// The primary that must be attached again.
        primary: SourceId,
        /// The source attached in between, or `None` if a saved payment option is applied.
        incoming: Option<SourceId>,
        /// Whether `incoming` replaces the primary rather than joining it.
        replaces: bool,
    },
    /// A single-use primary's attach was answered but not yet sent.
    Deferred {
        /// The primary.
        primary: SourceId,
        /// When the caller was answered.
        since: Timestamp,
        /// Whether sending it has begun. If the process ended meanwhile, the session is looked up
        /// before it is sent again.
        sending: bool,
    },
}

impl Pending {
    /// Returns the primary that the remedy takes away, or has yet to attach.
    pub fn primary(&self) -> &SourceId {
        match self {
            Self::Repair { primary, .. } | Self::Deferred { primary, .. } => primary,
        }
    }
}

/// The remembered facts of one session.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SessionRecord {
    /// Every attached source.
    pub sources: Fact<SmallVec<[Attached; 1]>>,
    /// The amount to be paid.
    pub total: Fact<Amount>,
    /// The amount that remains to be contributed.
    pub remaining: Fact<Amount>,
    /// The amount that is contributed, as the session says itself.
    pub contributed: Fact<Amount>,
    /// Whether an order would leave credit out, by the figures of a session that does not name
    /// every source. Unknown where all are named.
    pub leaves_out: Fact<bool>,
    /// The currency of the amounts.
    pub currency: Stated<Currency>,
    /// The payment session's state.
    pub state: Fact<SessionState>,
    /// The customer who buys, or that there is none.
    pub customer: Fact<Option<CustomerId>>,
    /// The legacy credit amount, or that there is none.
    pub credit_amount: Fact<Option<Amount>>,
    /// Whether an invoice has billing optimization.
    pub billing_optimization: Fact<bool>,
    /// The payment session's own id.
    pub payment_session: Stated<Box<str>>,
    /// The callers to whom upstream has shown it.
    pub shown_to: ShownTo,
    /// Whether a mutation has begun whose end is not known yet.
    pub in_flight: bool,
    /// Whether an earlier mutation's outcome is unknown. Nothing is refused before a look-up then.
    pub unsure: bool,
    /// Counts the beginnings and ends of mutations. A read that spans one is ignored.
    pub epoch: u32,
    /// When the last mutation ended, so far as Weir learned of one.
    pub ended: Option<Timestamp>,
    /// The order in which the sources joined, as far as it was seen.
    pub joined: Joined,
    /// The remedy under way.
    pub pending: Option<Box<Pending>>,
    /// The facts of the sources that belong to the session, each at most once.
    pub members: Vec<(SourceId, SourceRecord)>,
}

impl SessionRecord {
    /// Applies an observation, the only way in which a record changes. Pure: `now` dates the facts,
    /// and `policy` distinguishes primaries from secondaries.
    pub fn apply(&mut self, observation: &SessionObservation, policy: &Policy, now: Timestamp) {
        match observation {
            SessionObservation::Begun => {
                // The call of a mutation still marked in flight has ended, and its outcome was
                // never recorded.
                if self.in_flight {
                    self.unsure = true;
                    self.joined.forget_order();
                }
                self.in_flight = true;
                self.epoch = self.epoch.wrapping_add(1);
            }
            SessionObservation::Refused => self.end(now),
            SessionObservation::OutcomeUnknown => {
                self.end(now);
                self.unsure = true;
                self.joined.forget_order();
                self.wait_for_repair();
            }
            SessionObservation::AttachUnknown(attached) => {
                self.end(now);
                self.unsure = true;
                if let Some(id) = attached.as_ref().filter(|id| !self.holds(id)) {
                    self.joined.detach(id);
                    self.joined.wait_for(id);
                }
            }
            SessionObservation::Succeeded(effect, facts) => {
                self.end(now);
                self.change(effect, policy, now);
                let attached = match effect {
                    Effect::Attached(SourceFacts { id, .. }) | Effect::TouchedWith(id) => Some(id),
                    _ => None,
                };
                self.learn(facts, attached, policy, now);
            }
            SessionObservation::LookedUp(facts) => {
                if self.in_flight {
                    self.joined.forget_order();
                    self.wait_for_repair();
                }
                if self.unsure || self.in_flight {
                    self.forget();
                }
                self.unsure = false;
                self.in_flight = false;
                self.learn(facts, None, policy, now);
            }
            SessionObservation::ShownTo(caller) => self.shown_to.add(*caller),
            SessionObservation::DeniedTo(caller) => self.shown_to.forget(*caller),
            SessionObservation::Pending(pending) => self.pending = pending.clone().map(Box::new),
        }
    }

    /// Returns whether an order would leave credit out, by figures that are not older than the list
    /// of sources.
    pub(super) fn leaves_credit_out(&self) -> Option<bool> {
        let is_later = self.leaves_out.stated_at() >= self.sources.stated_at();
        self.leaves_out.get().copied().filter(|_| is_later)
    }

    /// Returns whether no mutation that went through Weir was under way at this moment or later.
    pub fn is_settled_since(&self, at: Timestamp) -> bool {
        !self.in_flight && self.ended.is_none_or(|ended| ended < at)
    }

    /// Returns the sources whose facts belong in this record: those attached, and the primary that
    /// a remedy under way will attach.
    pub fn owned(&self) -> impl Iterator<Item = &SourceId> {
        let attached = self.sources.get().into_iter().flatten().map(|attached| &attached.id);
        attached.chain(self.pending.as_deref().map(Pending::primary))
    }

    /// Returns whether the facts of this source belong in this record.
    pub fn owns(&self, id: &SourceId) -> bool {
        self.owned().any(|owned| owned == id)
    }

    /// Returns the record of a source, if this record holds one.
    pub fn member(&self, id: &SourceId) -> Option<&SourceRecord> {
        self.members.iter().find(|(member, _)| member == id).map(|(_, facts)| facts)
    }

    /// Returns the record of a source to be changed, which is added empty if this record has none.
    pub fn member_mut(&mut self, id: &SourceId) -> &mut SourceRecord {
        let place = self.members.iter().position(|(member, _)| member == id);
        let place = place.unwrap_or_else(|| {
            self.members.push((id.clone(), SourceRecord::default()));
            self.members.len() - 1
        });
        &mut self.members[place].1
    }

    /// Removes and returns the records of the sources that no longer belong here.
    pub fn give_up_strangers(&mut self) -> Vec<(SourceId, SourceRecord)> {
        if self.members.iter().all(|(id, _)| self.owns(id)) {
            return Vec::new();
        }
        let (stay, leave) =
            std::mem::take(&mut self.members).into_iter().partition(|(id, _)| self.owns(id));
        self.members = stay;
        leave
    }

    /// Ends the mutation in flight.
    fn end(&mut self, now: Timestamp) {
        self.in_flight = false;
        self.ended = self.ended.max(Some(now));
        self.epoch = self.epoch.wrapping_add(1);
    }

    /// Forgets the facts that may have changed.
    fn forget(&mut self) {
        *self = SessionRecord {
            currency: self.currency,
            payment_session: std::mem::take(&mut self.payment_session),
            shown_to: std::mem::take(&mut self.shown_to),
            epoch: self.epoch,
            ended: self.ended,
            joined: std::mem::take(&mut self.joined),
            pending: self.pending.take(),
            members: std::mem::take(&mut self.members),
            ..SessionRecord::default()
        };
    }

    /// Takes over the facts that an answer states. `attached` is what the answered call attached.
    fn learn(
        &mut self,
        facts: &SessionFacts,
        attached: Option<&SourceId>,
        policy: &Policy,
        now: Timestamp,
    ) {
        if !facts.sources.is_stated()
            && let Some(id) = attached.filter(|_| !self.joined.awaited.is_empty())
        {
            // What is awaited may have joined before it.
            self.joined.detach(id);
        }
        match &facts.sources {
            Stated::Stated(sources) => {
                if self.sources.stated_at().is_none_or(|at| at <= now) {
                    let ids: Vec<SourceId> = sources.iter().map(|one| one.id.clone()).collect();
                    self.joined.shown(&ids, attached);
                }
                let attached = sources.iter().map(|source| self.attached(source)).collect();
                self.sources.learn(Stated::Stated(attached), now);
                self.leaves_out.learn(Stated::Unread, now);
            }
            // What was attached may still be. That there is nothing is not known any more, nor is a
            // list of another length than what is shown.
            Stated::Unread | Stated::Unstated => {
                let is_contradicted = self.sources.get().is_some_and(|before| {
                    let unread = facts.sources == Stated::Unread && before.is_empty();
                    let shares = facts.shares.as_ref();
                    unread || shares.is_some_and(|shares| shares.len() != before.len())
                });
                if is_contradicted {
                    self.sources.learn(Stated::Unread, now);
                }
            }
        }
        if let Stated::Stated(shares) = &facts.shares {
            let SessionFacts { contributed, total, currency, .. } = *facts;
            let shown = Shown { contributed, total, currency };
            let told = leave_credit_out(shares, &shown, &policy.types);
            self.leaves_out.learn(told.map_or(Stated::Unread, Stated::Stated), now);
        } else if facts.sources == Stated::Unread
            || facts.contributed.is_stated()
            || facts.total.is_stated()
        {
            // Figures of two answers say nothing.
            self.leaves_out.learn(Stated::Unread, now);
        }
        self.total.learn(facts.total, now);
        self.remaining.learn(facts.remaining, now);
        self.contributed.learn(facts.contributed, now);
        self.currency.learn(facts.currency);
        self.state.learn(facts.state.clone(), now);
        self.customer.learn(facts.customer.clone(), now);
        self.credit_amount.learn(facts.credit_amount, now);
        self.billing_optimization.learn(facts.billing_optimization, now);
        self.payment_session.learn(facts.payment_session.clone());
    }

    /// Makes the entry of an attached source. A type that the answer leaves out is kept.
    fn attached(&self, shown: &SourceFacts) -> Attached {
        let before = self.sources.get().and_then(|known| known.iter().find(|a| a.id == shown.id));
        let mut kind = before.map_or(Stated::Unstated, |a| a.kind.clone());
        // A type never changes, so one that cannot be read now is kept too.
        kind.learn(shown.kind.clone());
        let amount = shown.amount.as_ref().copied().into();
        Attached { id: shown.id.clone(), kind, amount }
    }
}

#[cfg(test)]
mod tests;
