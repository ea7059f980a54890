//! What is known when a call is decided, and how far it can be trusted.
//!
//! In: records as they are remembered, and which look-ups this decision has already made.
//! Out: a `View` whose accessors return a fact, or the gap that a look-up would close.
//! There are two kinds of views: one believes every remembered fact, which is enough to forward a
//! call; the other believes only fresh facts, which a refusal needs.

use super::{
    Amount, Attached, Currency, CustomerId, CustomerRecord, Dialect, Fact, Field, Incoming, Intent,
    Lookup, OptionFacts, OptionId, Pending, Policy, SessionRecord, SourceId, SourceRecord,
    SourceState, SourceType, Subject, Timestamp, UsedFact,
};
use std::{collections::BTreeMap, sync::Arc};

/// How a look-up of this decision ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LookupResult {
    /// Upstream answered. Its facts are dated with this moment or later.
    At(Timestamp),
    /// Upstream says that the thing or the caller does not exist. Upstream judges the call itself.
    Absent,
    /// Upstream did not answer usably: an error, a refusal or a time-out.
    Failed,
}

/// Everything remembered that may be used for this caller. Records that upstream has only shown to
/// other callers are left out.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// The session that the call is about.
    pub session: Option<Arc<SessionRecord>>,
    /// Whether a call that is in no record may have changed the session since it was seen.
    pub doubted: bool,
    /// The sources that the call names, and those attached.
    pub sources: BTreeMap<SourceId, SourceRecord>,
    /// The customer that the call is about.
    pub customer: Option<CustomerRecord>,
    /// The shopper's payment options. They are never remembered, so only a look-up fills this.
    pub options: Option<Vec<OptionFacts>>,
    /// The look-ups that this decision has made.
    pub looked_up: Vec<(Lookup, LookupResult)>,
    /// Whether the call has already waited for secondaries.
    pub waited: bool,
    /// Whether the call has a form that can be answered before it is sent, and there is room to
    /// remember it.
    pub deferrable: bool,
}

impl Known {
    /// Returns how this look-up ended, if it was made.
    pub fn looked_up(&self, lookup: &Lookup) -> Option<LookupResult> {
        self.looked_up.iter().rev().find(|(made, _)| made == lookup).map(|(_, end)| *end)
    }

    /// Returns a source's type, from its own record or from the session's. Types never change.
    pub fn kind_of(&self, id: &SourceId) -> Option<&SourceType> {
        let own = self.sources.get(id).and_then(|source| source.kind.as_ref());
        own.or_else(|| self.attached().iter().find(|a| a.id == *id).and_then(|a| a.kind.as_ref()))
    }

    /// Returns the saved payment option that this call applies, where the options are known.
    pub(super) fn applied_option(&self, intent: &Intent) -> Option<&OptionFacts> {
        let Intent::AttachSaved { option, .. } = intent else { return None };
        applied(self.options.as_deref()?, option.as_ref())
    }

    /// Returns the attached sources of the session's record, whatever its age. Empty if unknown.
    pub fn attached(&self) -> &[Attached] {
        self.session
            .as_ref()
            .and_then(|session| session.sources.get())
            .map_or(&[], |sources| sources.as_slice())
    }
}

/// Returns the option of this id, or the default one.
fn applied<'a>(options: &'a [OptionFacts], option: Option<&OptionId>) -> Option<&'a OptionFacts> {
    options.iter().find(|known| match option {
        Some(id) => known.id.as_ref() == Some(id),
        None => known.default.as_ref() == Some(&true),
    })
}

/// Why a rule cannot be judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Gap {
    /// A look-up may state the fact.
    Need(Lookup),
    /// The look-up was made, and failed.
    Unavailable(Lookup),
    /// The look-up was made and did not state the fact, so no refusal can rest on it.
    Unstated,
}

/// The result of a judgement, or the gap that prevents it.
pub(crate) type Judged<T> = Result<T, Gap>;

/// One pass over what is known.
#[derive(Clone)]
pub(crate) struct View<'a> {
    pub known: &'a Known,
    pub intent: &'a Intent,
    pub policy: &'a Policy,
    /// The dialect whose table is judged.
    pub dialect: Dialect,
    pub now: Timestamp,
    /// Whether only facts are believed that a refusal may rest on.
    pub strict: bool,
    /// Whether nothing can be asked: every look-up counts as failed.
    pub blind: bool,
    /// The facts that were used, in order.
    pub used: Vec<UsedFact>,
    /// What was missing last.
    pub missing: Missing,
}

/// What was missing when a rule was judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Missing {
    /// Nothing, or no fact that upstream could state.
    Nothing,
    /// The call is about no session, so nothing can be said of one.
    Session,
    /// This fact of the thing that the look-up would show; `None`: whether it may be asked for.
    Fact(Lookup, Option<Field>),
    /// Which of these two was attached first.
    Order { secondary: SourceId, primary: SourceId },
}

impl<'a> View<'a> {
    /// Returns the view that believes only facts that a refusal may rest on.
    pub(super) fn strictly(&self) -> Self {
        Self { strict: true, ..self.clone() }
    }

    /// Notes what is missing, and returns the gap that this look-up would close or has left.
    fn lacks<T>(&mut self, lookup: Lookup, field: Option<Field>) -> Judged<T> {
        self.missing = Missing::Fact(lookup.clone(), field);
        self.gap(lookup)
    }

    fn gap<T>(&self, lookup: Lookup) -> Judged<T> {
        Err(match self.known.looked_up(&lookup) {
            None if self.blind => Gap::Unavailable(lookup),
            None => Gap::Need(lookup),
            Some(LookupResult::Failed) => Gap::Unavailable(lookup),
            Some(LookupResult::At(_) | LookupResult::Absent) => Gap::Unstated,
        })
    }

    /// Returns whether a fact of this date comes from this decision's look-up.
    fn is_confirmed(&self, at: Timestamp, lookup: &Lookup) -> bool {
        matches!(self.known.looked_up(lookup), Some(LookupResult::At(asked)) if at >= asked)
    }

    /// Notes that the judgement rests on this fact.
    fn note_use(&mut self, of: Subject, field: Field, at: Option<Timestamp>) {
        let fact = UsedFact { of, field, at };
        if !self.used.contains(&fact) {
            self.used.push(fact);
        }
    }

    /// Returns a fact if this view may believe it, or the gap.
    fn fact<T>(&mut self, field: Field, fact: &'a Fact<T>, lookup: Lookup) -> Judged<&'a T> {
        match fact {
            Fact::Known(value, at)
                if !self.strict || self.is_fresh(*at) || self.is_confirmed(*at, &lookup) =>
            {
                if self.strict {
                    self.note_use(Subject::of(lookup), field, Some(*at));
                }
                Ok(value)
            }
            _ => self.lacks(lookup, Some(field)),
        }
    }

    /// Returns whether a fact of this date is fresh by the policy.
    fn is_fresh(&self, at: Timestamp) -> bool {
        self.policy.fresh_for.covers(at, self.now)
    }

    /// Returns the session's record, unless the end of an earlier call makes it unsure.
    fn session(&mut self) -> Judged<&'a SessionRecord> {
        if self.intent.session().is_none() {
            self.missing = Missing::Session;
            return Err(Gap::Unstated);
        }
        match &self.known.session {
            Some(session) if !session.unsure && !session.in_flight => Ok(session),
            _ => self.lacks(Lookup::Session, None),
        }
    }

    /// Returns a fact of the session.
    pub(super) fn of_session<T>(
        &mut self,
        field: Field,
        pick: fn(&SessionRecord) -> &Fact<T>,
    ) -> Judged<&'a T> {
        let session = self.session()?;
        self.fact(field, pick(session), Lookup::Session)
    }

    /// Returns whether this decision's look-up of the session stated a fact of this date, or the
    /// gap.
    pub(super) fn confirmed_session(&mut self, at: Option<Timestamp>) -> Judged<()> {
        match at.is_some_and(|at| self.is_confirmed(at, &Lookup::Session)) {
            true => Ok(()),
            false => self.lacks(Lookup::Session, None),
        }
    }

    /// Returns the session's state. One that changes on its own is confirmed before a refusal.
    pub(super) fn session_state(&mut self) -> Judged<&'a super::SessionState> {
        let state = self.of_session(Field::State, |s| &s.state)?;
        let stated_at = self.session()?.state.stated_at().unwrap_or_default();
        match state {
            super::SessionState::Other(_)
                if self.strict && !self.is_confirmed(stated_at, &Lookup::Session) =>
            {
                self.lacks(Lookup::Session, Some(Field::State))
            }
            state => Ok(state),
        }
    }

    /// Returns a fact of a source.
    pub(super) fn of_source<T>(
        &mut self,
        id: &SourceId,
        field: Field,
        pick: fn(&SourceRecord) -> &Fact<T>,
    ) -> Judged<&'a T> {
        match self.known.sources.get(id) {
            Some(source) => self.fact(field, pick(source), Lookup::Source(id.clone())),
            None => self.lacks(Lookup::Source(id.clone()), Some(field)),
        }
    }

    /// Returns a source's state. One that changes on its own counts as unknown until it is
    /// confirmed, because a pending source may have failed. One that was not shown by upstream is
    /// confirmed before a refusal rests on it.
    pub(super) fn source_state(&mut self, id: &SourceId) -> Judged<&'a SourceState> {
        let state = self.of_source(id, Field::State, |s| &s.state)?;
        let stated_at =
            self.known.sources.get(id).and_then(|s| s.state.stated_at()).unwrap_or_default();
        let lookup = Lookup::Source(id.clone());
        let inferred = self.strict && self.known.sources.get(id).is_some_and(|s| s.state_inferred);
        if (state.changes_on_its_own() || inferred) && !self.is_confirmed(stated_at, &lookup) {
            return self.lacks(lookup, Some(Field::State));
        }
        Ok(state)
    }

    /// Returns a source's type.
    pub(super) fn kind(&mut self, id: &SourceId) -> Judged<&'a SourceType> {
        match self.known.kind_of(id) {
            Some(kind) => {
                if self.strict {
                    self.note_use(Subject::Source(id.clone()), Field::Type, None);
                }
                Ok(kind)
            }
            None => self.lacks(Lookup::Source(id.clone()), Some(Field::Type)),
        }
    }

    /// Returns whether a source is secondary.
    pub(super) fn is_secondary(&mut self, id: &SourceId) -> Judged<bool> {
        Ok(self.policy.types.is_secondary(self.kind(id)?))
    }

    /// Returns the attached sources.
    pub(super) fn attached(&mut self) -> Judged<&'a [Attached]> {
        Ok(self.of_session(Field::Sources, |s| &s.sources)?.as_slice())
    }

    /// Returns whether nothing is attached, as far as this view may believe. Asks for nothing.
    pub(super) fn holds_nothing(&self) -> bool {
        matches!(self.clone().attached(), Ok([]))
    }

    /// Returns the attached primary, if there is one.
    pub(super) fn primary(&mut self) -> Judged<Option<&'a Attached>> {
        for source in self.attached()? {
            if !self.is_secondary(&source.id)? {
                return Ok(Some(source));
            }
        }
        Ok(None)
    }

    /// Returns the attached secondaries other than the incoming source, which adds nothing if it is
    /// attached again.
    pub(super) fn other_secondaries(&mut self, incoming: &SourceId) -> Judged<Vec<&'a Attached>> {
        let mut found = Vec::new();
        for source in self.attached()? {
            if source.id != *incoming && self.is_secondary(&source.id)? {
                found.push(source);
            }
        }
        Ok(found)
    }

    /// Returns the amount that an attached secondary contributes.
    pub(super) fn contribution(&mut self, source: &'a Attached) -> Judged<Amount> {
        match source.amount.as_ref() {
            Some(amount) => Ok(*amount),
            None => self.of_source(&source.id, Field::Amount, |s| &s.amount).copied(),
        }
    }

    /// Returns the currency of the session's amounts, if it is known.
    pub(super) fn session_currency(&self) -> Option<Currency> {
        self.known.session.as_ref().and_then(|session| session.currency.as_ref()).copied()
    }

    /// Returns the currency of a source's amount, or else of the session's, if it is known.
    pub(super) fn currency(&self, source: &SourceId) -> Option<Currency> {
        let own = self.known.sources.get(source).and_then(|source| source.currency.as_ref());
        own.copied().or(self.session_currency())
    }

    /// Returns the source that this call attaches, or `None` if it attaches nothing.
    pub(super) fn incoming(&mut self) -> Judged<Option<&'a SourceId>> {
        match self.intent {
            Intent::AttachSaved { .. } => Ok(self
                .applied_option()?
                .and_then(OptionFacts::told_source)
                .map(|source| &source.id)),
            intent => Ok(intent.attaches()),
        }
    }

    /// Returns the saved payment option that this call applies. Where no option is told to be the
    /// default one, any may be.
    pub(super) fn applied_option(&mut self) -> Judged<Option<&'a OptionFacts>> {
        let Intent::AttachSaved { option, .. } = self.intent else { return Ok(None) };
        let Some(options) = &self.known.options else {
            return self.lacks(Lookup::PaymentOptions, Some(Field::Options));
        };
        if self.strict {
            let at = match self.known.looked_up(&Lookup::PaymentOptions) {
                Some(LookupResult::At(asked)) => Some(asked),
                _ => None,
            };
            self.note_use(Subject::PaymentOptions, Field::Options, at);
        }
        let found = applied(options, option.as_ref());
        let is_told = match found {
            Some(found) => found.source.is_stated(),
            // What cannot be told of another one may be that it is applied.
            None if option.is_some() => options.iter().all(|known| known.id.is_stated()),
            None => options.iter().all(|known| known.default.is_stated()),
        };
        match is_told {
            true => Ok(found),
            false => self.lacks(Lookup::PaymentOptions, Some(Field::Options)),
        }
    }

    /// Returns what the call attaches, in the form that a remedy needs.
    pub(super) fn incoming_for_remedy(&mut self) -> Judged<Option<Incoming>> {
        if let Some(option) = self.applied_option()? {
            return match option.id.as_ref() {
                Some(id) => Ok(Some(Incoming::Option(id.clone()))),
                None => self.lacks(Lookup::PaymentOptions, Some(Field::Options)),
            };
        }
        Ok(self.intent.attaches().cloned().map(Incoming::Source))
    }

    /// Returns the sources saved to the customer that the call is about. They are always confirmed
    /// before a refusal, because another key of the merchant may have saved one.
    pub(super) fn saved(&mut self) -> Judged<&'a [SourceId]> {
        let Some(customer) = &self.known.customer else {
            return self.lacks(Lookup::Customer, Some(Field::Saved));
        };
        let saved = self.fact(Field::Saved, &customer.saved, Lookup::Customer)?;
        if self.strict
            && !self.is_confirmed(customer.saved.stated_at().unwrap_or_default(), &Lookup::Customer)
        {
            return self.lacks(Lookup::Customer, Some(Field::Saved));
        }
        Ok(saved.as_slice())
    }

    /// Returns the customer of the session, or `None` if it has none.
    pub(super) fn buyer(&mut self) -> Judged<Option<&'a CustomerId>> {
        Ok(self.of_session(Field::Customer, |s| &s.customer)?.as_ref())
    }

    /// Returns the primary whose attach was answered but not yet sent.
    pub(super) fn deferred(&self) -> Option<&'a SourceId> {
        match self.known.session.as_ref().and_then(|session| session.pending.as_deref()) {
            Some(Pending::Deferred { primary, .. }) => Some(primary),
            _ => None,
        }
    }
}
