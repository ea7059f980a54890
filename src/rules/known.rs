//! What is known when a call is decided, and how far it can be trusted.
//!
//! In: records as they are remembered, and which look-ups this decision has already made.
//! Out: a `View` whose accessors answer with a fact or with the gap that a look-up would close.
//! A view comes in two kinds: one believes every remembered fact (good enough to forward on), the
//! other only fresh ones (needed to refuse on).

use super::{
    Amount, Attached, CustomerId, CustomerRecord, Dialect, Fact, Field, FreshFor, Incoming, Intent,
    Lookup, OptionFacts, Pending, Policy, SessionRecord, SourceId, SourceRecord, SourceState,
    SourceType, Subject, Timestamp, UsedFact,
};
use std::{collections::HashMap, time::Duration};

/// How a look-up of this decision ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LookupResult {
    /// Upstream answered; what it told is dated with this moment or later.
    At(Timestamp),
    /// Upstream says that there is no such thing, or no such caller: what it makes of the call is
    /// its own to say.
    Absent,
    /// Upstream did not give it: an error, a refusal, a time-out.
    Failed,
}

/// Everything remembered that may be used for this caller: records that upstream has shown to
/// somebody else only are left out.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// The session the call is about.
    pub session: Option<SessionRecord>,
    /// The source the call names, and those attached.
    pub sources: HashMap<SourceId, SourceRecord>,
    /// The customer the call is about.
    pub customer: Option<CustomerRecord>,
    /// The shopper's payment options; never remembered, so only after a look-up.
    pub options: Option<Vec<OptionFacts>>,
    /// The look-ups this decision has made.
    pub looked_up: Vec<(Lookup, LookupResult)>,
    /// The call has already waited for secondaries.
    pub held: bool,
    /// The call has the form that can be answered before it is sent, and there is room to remember
    /// that.
    pub deferrable: bool,
}

impl Known {
    /// How this look-up ended, if it was made.
    pub fn looked_up(&self, lookup: &Lookup) -> Option<LookupResult> {
        self.looked_up.iter().rev().find(|(made, _)| made == lookup).map(|(_, end)| *end)
    }

    /// A source's type: from its own record, or from the session that shows it. Types never change.
    pub fn kind_of(&self, id: &SourceId) -> Option<&SourceType> {
        let own = self.sources.get(id).and_then(|source| source.kind.as_ref());
        own.or_else(|| self.attached().iter().find(|a| a.id == *id).and_then(|a| a.kind.as_ref()))
    }

    /// What the record shows attached, whatever its age; empty where it does not say.
    pub fn attached(&self) -> &[Attached] {
        self.session
            .as_ref()
            .and_then(|session| session.sources.get())
            .map_or(&[], |sources| sources.as_slice())
    }
}

/// Why a rule cannot be judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Gap {
    /// A look-up may tell.
    Need(Lookup),
    /// The look-up was made, and failed.
    Unavailable(Lookup),
    /// Upstream was asked and does not say, or knows nothing of it: there is no knowledge to refuse
    /// on.
    Unstated,
}

pub(crate) type Judged<T> = Result<T, Gap>;

/// One pass over what is known.
#[derive(Clone)]
pub(crate) struct View<'a> {
    pub known: &'a Known,
    pub intent: &'a Intent,
    pub policy: &'a Policy,
    /// Whose table is judged by.
    pub dialect: Dialect,
    pub now: Timestamp,
    /// Only facts that a refusal may rest on.
    pub strict: bool,
    /// The facts that were looked at, in order.
    pub used: Vec<UsedFact>,
}

impl<'a> View<'a> {
    /// The same, believing only what a refusal may rest on.
    pub(super) fn strictly(&self) -> Self {
        Self { strict: true, ..self.clone() }
    }

    fn gap<T>(&self, lookup: Lookup) -> Judged<T> {
        Err(match self.known.looked_up(&lookup) {
            None => Gap::Need(lookup),
            Some(LookupResult::Failed) => Gap::Unavailable(lookup),
            Some(LookupResult::At(_) | LookupResult::Absent) => Gap::Unstated,
        })
    }

    fn confirmed(&self, at: Timestamp, lookup: &Lookup) -> bool {
        matches!(self.known.looked_up(lookup), Some(LookupResult::At(asked)) if at >= asked)
    }

    fn uses(&mut self, of: Subject, field: Field, at: Option<Timestamp>) {
        let fact = UsedFact { of, field, at };
        if !self.used.contains(&fact) {
            self.used.push(fact);
        }
    }

    fn fact<T>(&mut self, field: Field, fact: &'a Fact<T>, lookup: Lookup) -> Judged<&'a T> {
        match fact {
            Fact::Known(value, at)
                if !self.strict || self.is_fresh(*at) || self.confirmed(*at, &lookup) =>
            {
                if self.strict {
                    self.uses(Subject::of(lookup), field, Some(*at));
                }
                Ok(value)
            }
            _ => self.gap(lookup),
        }
    }

    fn is_fresh(&self, at: Timestamp) -> bool {
        match self.policy.fresh_for {
            FreshFor::Forever => true,
            FreshFor::Within(limit) => Duration::from_millis(self.now.since(at)) < limit,
        }
    }

    /// The session's record, where it can be believed at all.
    fn session(&self) -> Judged<&'a SessionRecord> {
        if self.intent.session().is_none() {
            return Err(Gap::Unstated);
        }
        match &self.known.session {
            Some(session) if !session.unsure && !session.in_flight => Ok(session),
            _ => self.gap(Lookup::Session),
        }
    }

    /// A fact of the session.
    pub(super) fn of_session<T>(
        &mut self,
        field: Field,
        pick: fn(&SessionRecord) -> &Fact<T>,
    ) -> Judged<&'a T> {
        self.fact(field, pick(self.session()?), Lookup::Session)
    }

    /// The session's state. One that changes on its own is confirmed before a refusal.
    pub(super) fn session_state(&mut self) -> Judged<&'a super::SessionState> {
        let state = self.of_session(Field::State, |s| &s.state)?;
        let stated_at = self.session()?.state.stated_at().unwrap_or_default();
        match state {
            super::SessionState::Other(_)
                if self.strict && !self.confirmed(stated_at, &Lookup::Session) =>
            {
                self.gap(Lookup::Session)
            }
            state => Ok(state),
        }
    }

    /// A fact of a source.
    pub(super) fn of_source<T>(
        &mut self,
        id: &SourceId,
        field: Field,
        pick: fn(&SourceRecord) -> &Fact<T>,
    ) -> Judged<&'a T> {
        match self.known.sources.get(id) {
            Some(source) => self.fact(field, pick(source), Lookup::Source(id.clone())),
            None => self.gap(Lookup::Source(id.clone())),
        }
    }

    /// A source's state. One that changes on its own is as good as unknown until it is confirmed:
    /// what was pending may have failed.
    pub(super) fn source_state(&mut self, id: &SourceId) -> Judged<&'a SourceState> {
        let state = self.of_source(id, Field::State, |s| &s.state)?;
        let stated_at =
            self.known.sources.get(id).and_then(|s| s.state.stated_at()).unwrap_or_default();
        let lookup = Lookup::Source(id.clone());
        if state.changes_on_its_own() && !self.confirmed(stated_at, &lookup) {
            return self.gap(lookup);
        }
        Ok(state)
    }

    /// A source's type.
    pub(super) fn kind(&mut self, id: &SourceId) -> Judged<&'a SourceType> {
        match self.known.kind_of(id) {
            Some(kind) => {
                if self.strict {
                    self.uses(Subject::Source(id.clone()), Field::Type, None);
                }
                Ok(kind)
            }
            None => self.gap(Lookup::Source(id.clone())),
        }
    }

    pub(super) fn is_secondary(&mut self, id: &SourceId) -> Judged<bool> {
        Ok(self.policy.types.is_secondary(self.kind(id)?))
    }

    /// The sources attached.
    pub(super) fn attached(&mut self) -> Judged<&'a [Attached]> {
        Ok(self.of_session(Field::Sources, |s| &s.sources)?.as_slice())
    }

    /// The attached primary, if there is one.
    pub(super) fn primary(&mut self) -> Judged<Option<&'a Attached>> {
        for source in self.attached()? {
            if !self.is_secondary(&source.id)? {
                return Ok(Some(source));
            }
        }
        Ok(None)
    }

    /// The attached secondaries but the one that is coming: attaching it again adds nothing.
    pub(super) fn other_secondaries(&mut self, incoming: &SourceId) -> Judged<Vec<&'a Attached>> {
        let mut found = Vec::new();
        for source in self.attached()? {
            if source.id != *incoming && self.is_secondary(&source.id)? {
                found.push(source);
            }
        }
        Ok(found)
    }

    /// What an attached secondary contributes.
    pub(super) fn contribution(&mut self, source: &'a Attached) -> Judged<Amount> {
        match source.amount.as_ref() {
            Some(amount) => Ok(*amount),
            None => self.of_source(&source.id, Field::Amount, |s| &s.amount).copied(),
        }
    }

    /// The source that this call attaches; `None` where it attaches nothing.
    pub(super) fn incoming(&mut self) -> Judged<Option<&'a SourceId>> {
        match self.intent {
            Intent::AttachSaved { .. } => Ok(self
                .applied_option()?
                .and_then(|option| option.source.as_ref())
                .map(|source| &source.id)),
            intent => Ok(intent.attaches()),
        }
    }

    /// The payment option that a saved payment would attach.
    pub(super) fn applied_option(&mut self) -> Judged<Option<&'a OptionFacts>> {
        let Intent::AttachSaved { option, .. } = self.intent else { return Ok(None) };
        let Some(options) = &self.known.options else { return self.gap(Lookup::PaymentOptions) };
        if self.strict {
            let at = match self.known.looked_up(&Lookup::PaymentOptions) {
                Some(LookupResult::At(asked)) => Some(asked),
                _ => None,
            };
            self.uses(Subject::PaymentOptions, Field::Options, at);
        }
        Ok(options.iter().find(|known| match option {
            Some(id) => known.id == *id,
            None => known.default.as_ref() == Some(&true),
        }))
    }

    /// What the call attaches, in the words of a remedy.
    pub(super) fn incoming_for_remedy(&mut self) -> Judged<Option<Incoming>> {
        if let Some(option) = self.applied_option()? {
            return Ok(Some(Incoming::Option(option.id.clone())));
        }
        Ok(self.intent.attaches().cloned().map(Incoming::Source))
    }

    /// The sources saved to the customer the call is about. Another key of the merchant may have
    /// saved one: always confirmed before a refusal.
    pub(super) fn saved(&mut self) -> Judged<&'a [SourceId]> {
        let Some(customer) = &self.known.customer else { return self.gap(Lookup::Customer) };
        let saved = self.fact(Field::Saved, &customer.saved, Lookup::Customer)?;
        if self.strict
            && !self.confirmed(customer.saved.stated_at().unwrap_or_default(), &Lookup::Customer)
        {
            return self.gap(Lookup::Customer);
        }
        Ok(saved.as_slice())
    }

    /// The customer the session is for, or that it is for nobody.
    pub(super) fn buyer(&mut self) -> Judged<Option<&'a CustomerId>> {
        Ok(self.of_session(Field::Customer, |s| &s.customer)?.as_ref())
    }

    /// The primary whose attach was answered but not yet sent.
    pub(super) fn deferred(&self) -> Option<&'a SourceId> {
        match self.known.session.as_ref().and_then(|session| session.pending.as_deref()) {
            Some(Pending::Deferred { primary, .. }) => Some(primary),
            _ => None,
        }
    }
}
