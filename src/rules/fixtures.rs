//! Test fixtures: a session, its sources and a policy, made in one line and decided in another.
//!
//! Every fact is first stated at [`NOW`]. [`Given::an_hour_later`] makes all of them old, and
//! [`owes`] checks the properties that every rule must have.

use super::*;
use crate::dialects::{self, Dialects, Refusal, carts, checkouts};
use std::sync::Arc;

pub(super) const NOW: Timestamp = Timestamp(1_000_000_000);
const HOUR: u64 = 3_600_000;

pub(super) fn amount(text: &str) -> Amount {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

pub(super) fn usd() -> Currency {
    currency("USD")
}

pub(super) fn currency(text: &str) -> Currency {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// Makes a chargeable single-use source of this type, with every fact stated.
pub(super) fn source(id: &str, kind: &str) -> SourceFacts {
    SourceFacts {
        kind: Stated::Stated(kind.into()),
        currency: Stated::Stated(usd()),
        reusable: Stated::Stated(false),
        state: Stated::Stated(SourceState::Chargeable),
        customer: Stated::Stated(None),
        ..SourceFacts::named(id)
    }
}

pub(super) fn card(id: &str) -> SourceFacts {
    source(id, "creditCard")
}

pub(super) fn credit(id: &str, of: &str) -> SourceFacts {
    SourceFacts { amount: Stated::Stated(amount(of)), ..source(id, "customerCredit") }
}

impl SourceFacts {
    pub(super) fn saved_to(self, customer: &str) -> Self {
        SourceFacts {
            reusable: Stated::Stated(true),
            customer: Stated::Stated(Some(customer.into())),
            ..self
        }
    }

    pub(super) fn in_state(self, state: &str) -> Self {
        SourceFacts { state: Stated::Stated(SourceState::read(state)), ..self }
    }
}

/// A session of 100 USD that shows everything and holds nothing.
pub(super) fn nothing_attached() -> SessionFacts {
    SessionFacts {
        id: None,
        sources: Stated::Stated(Vec::new()),
        total: Stated::Stated(amount("100")),
        remaining: Stated::Stated(amount("100")),
        contributed: Stated::Stated(Amount::ZERO),
        currency: Stated::Stated(usd()),
        state: Stated::Stated(SessionState::RequiresSource),
        customer: Stated::Stated(None),
        credit_amount: Stated::Stated(None),
        billing_optimization: Stated::Stated(false),
        payment_session: Stated::Unstated,
        shares: Stated::Unstated,
    }
}

pub(super) fn checkout_key() -> SessionKey {
    SessionKey::new(checkouts::CHECKOUT, "c1")
}

pub(super) fn checkout() -> Target {
    Target::Session(checkout_key())
}

pub(super) fn invoice() -> Target {
    Target::Session(SessionKey::new(checkouts::INVOICE, "i1"))
}

pub(super) fn cart() -> Target {
    Target::Active(carts::CART)
}

pub(super) fn attach(session: Target, source: &str) -> Intent {
    Intent::Attach { session, source: source.into() }
}

pub(super) fn detach(session: Target, source: &str) -> Intent {
    Intent::Detach { session, source: Some(source.into()) }
}

pub(super) fn update(session: Target, funding: Funding) -> Intent {
    Intent::UpdateSession { session, funding }
}

pub(super) fn order(session: Target) -> Intent {
    Intent::Order { session, paid_with: PaidWith::Attached }
}

pub(super) fn order_with(session: Target, sources: &[&str]) -> Intent {
    let listed = sources.iter().map(|id| SourceId::from(*id)).collect();
    Intent::Order { session, paid_with: PaidWith::Listed(listed) }
}

pub(super) fn save(customer: &str, source: &str) -> Intent {
    Intent::Save {
        dialect: checkouts::DIALECT,
        owner: Owner::Customer(customer.into()),
        source: source.into(),
    }
}

pub(super) fn save_option(source: &str) -> Intent {
    Intent::Save { dialect: carts::DIALECT, owner: Owner::Shopper, source: source.into() }
}

pub(super) fn change_option(source: Option<&str>) -> Intent {
    Intent::ChangeOption {
        dialect: carts::DIALECT,
        option: "option".into(),
        removes: false,
        source: source.map(Into::into),
    }
}

pub(super) fn apply_shopper() -> Intent {
    Intent::AttachSaved { session: Target::Active(carts::CART), option: None }
}

/// Makes an answer that shows only the session.
pub(super) fn shows(session: SessionFacts) -> Answer {
    Answer { session: Some(session), ..Answer::default() }
}

/// Makes an answer that is a source.
pub(super) fn is_source(source: SourceFacts) -> Answer {
    Answer { source: Some(source), ..Answer::default() }
}

/// The arguments of a decision: what is known, the policy and the time.
#[derive(Clone, Debug)]
pub(super) struct Given {
    pub known: Known,
    pub policy: Policy,
    pub now: Timestamp,
}

impl Given {
    /// Makes a state in which nothing is known.
    pub(super) fn nothing() -> Self {
        let policy = Policy { look_ups: LookUps::Thorough, ..dialects::policy() };
        Given { known: Known::default(), policy, now: NOW }
    }

    /// A session that shows everything and holds nothing.
    pub(super) fn session() -> Self {
        Given::shown(nothing_attached())
    }

    /// Makes a state that knows these facts of the session.
    pub(super) fn shown(facts: SessionFacts) -> Self {
        let mut given = Given::nothing();
        let mut record = SessionRecord::default();
        record.apply(&SessionObservation::LookedUp(Box::new(facts)), &given.policy, NOW);
        given.known.session = Some(Arc::new(record));
        given
    }

    /// Adds a source that is known but not attached.
    pub(super) fn source(mut self, facts: SourceFacts) -> Self {
        let record = self.known.sources.entry(facts.id.clone()).or_default();
        record.apply(&SourceObservation::Shown(Box::new(facts)), NOW);
        self
    }

    /// Adds a source that is attached, with every fact known.
    pub(super) fn holds(mut self, facts: SourceFacts) -> Self {
        self = self.source(facts.clone());
        let attached = Attached { id: facts.id, kind: facts.kind, amount: facts.amount };
        self.alter(|session| {
            if let Some(sources) = session.sources.get_mut() {
                sources.push(attached);
            }
        })
    }

    /// Sets the sources saved to the customer that the call is about.
    pub(super) fn saved(mut self, sources: &[&str]) -> Self {
        let saved = sources.iter().map(|id| SourceId::from(*id)).collect();
        self.known.customer =
            Some(CustomerRecord { saved: Fact::known(saved, NOW), ..CustomerRecord::default() });
        self
    }

    /// Sets the shopper's payment options, of which the first is the default. They count as looked
    /// up, because they are never remembered.
    pub(super) fn options(mut self, sources: &[SourceFacts]) -> Self {
        let option = |(nth, source): (usize, &SourceFacts)| OptionFacts {
            id: Stated::Stated(format!("option-{}", source.id).into()),
            source: Stated::Stated(Some(source.clone())),
            default: Stated::Stated(nth == 0),
        };
        self.known.options = Some(sources.iter().enumerate().map(option).collect());
        for source in sources {
            self = self.source(source.clone());
        }
        self.looked_up(Lookup::PaymentOptions)
    }

    pub(super) fn alter(mut self, change: impl FnOnce(&mut SessionRecord)) -> Self {
        change(Arc::make_mut(self.known.session.get_or_insert_default()));
        self
    }

    pub(super) fn policy(mut self, change: impl FnOnce(&mut Policy)) -> Self {
        change(&mut self.policy);
        self
    }

    pub(super) fn toggle(self, rule: RuleId, toggle: Toggle) -> Self {
        self.policy(|policy| policy.set(rule, toggle))
    }

    pub(super) fn an_hour_later(mut self) -> Self {
        self.now = Timestamp(self.now.0 + HOUR);
        self
    }

    /// Adds a look-up made now that stated nothing.
    pub(super) fn looked_up(mut self, lookup: Lookup) -> Self {
        self.known.looked_up.push((lookup, LookupResult::At(self.now)));
        self
    }

    /// Adds a look-up made now that failed.
    pub(super) fn failed(mut self, lookup: Lookup) -> Self {
        self.known.looked_up.push((lookup, LookupResult::Failed));
        self
    }

    /// Adds a look-up made now that found nothing.
    pub(super) fn absent(mut self, lookup: Lookup) -> Self {
        self.known.looked_up.push((lookup, LookupResult::Absent));
        self
    }

    /// Adds a look-up made now that stated the known facts again.
    pub(super) fn confirmed(mut self, lookup: Lookup) -> Self {
        let now = self.now;
        match &lookup {
            Lookup::Session => self
                .known
                .session
                .iter_mut()
                .for_each(|session| redate_session(Arc::make_mut(session), &|_| now)),
            Lookup::Source(id) => self
                .known
                .sources
                .get_mut(id)
                .into_iter()
                .for_each(|source| redate_source(source, &|_| now)),
            Lookup::Customer => self
                .known
                .customer
                .iter_mut()
                .for_each(|customer| redate(&mut customer.saved, &|_| now)),
            Lookup::PaymentOptions => {}
        }
        self.looked_up(lookup)
    }

    /// Applies a call that upstream answered with success.
    pub(super) fn after(mut self, intent: &Intent, answer: &Answer) -> Self {
        let session = self.begin(intent);
        let learned = learn(intent, answer, session.as_ref(), &self.known, &self.policy);
        self.apply(&learned);
        self
    }

    /// Applies a call that upstream refused.
    pub(super) fn after_refused(mut self, intent: &Intent) -> Self {
        let session = self.begin(intent);
        self.apply(&refused(session.as_ref()));
        self
    }

    /// Applies a call whose outcome is unknown.
    pub(super) fn after_unknown(mut self, intent: &Intent) -> Self {
        let session = self.begin(intent);
        let learned = outcome_unknown(intent, session.as_ref(), &self.known);
        self.apply(&learned);
        self
    }

    fn begin(&mut self, intent: &Intent) -> Option<SessionKey> {
        let session = intent.session().map(|target| match target {
            Target::Session(key) => key.clone(),
            Target::Active(kind) => SessionKey::new(*kind, "cart"),
        });
        if let Some(session) = session.as_ref().filter(|_| !intent.is_read()) {
            self.apply(&Learned {
                session: Some((session.clone(), SessionObservation::Begun)),
                ..Learned::default()
            });
        }
        session
    }

    pub(super) fn apply(&mut self, learned: &Learned) {
        if let Some((_, observation)) = &learned.session {
            Arc::make_mut(self.known.session.get_or_insert_default()).apply(
                observation,
                &self.policy,
                self.now,
            );
        }
        for (id, observation) in &learned.sources {
            self.known.sources.entry(id.clone()).or_default().apply(observation, self.now);
        }
        for (_, observation) in &learned.customers {
            self.known.customer.get_or_insert_default().apply(observation, self.now);
        }
    }

    pub(super) fn decide(&self, intent: &Intent) -> Verdict {
        decide(&self.known, intent, &self.policy, self.now)
    }

    #[track_caller]
    pub(super) fn forwards(&self, intent: &Intent) {
        assert_eq!(self.decide(intent), Verdict::Forward { monitored: None });
    }

    #[track_caller]
    pub(super) fn needs(&self, intent: &Intent, lookup: Lookup) {
        assert_eq!(self.decide(intent), Verdict::Need(lookup));
    }

    #[track_caller]
    pub(super) fn refuses(&self, intent: &Intent, rule: RuleId, refusal: &Refusal) {
        match self.decide(intent) {
            Verdict::Reject(violation) => {
                assert_eq!(
                    (violation.rule, &Dialects::built_in().words(&violation)),
                    (rule, refusal)
                )
            }
            verdict => panic!("{rule} should refuse, not {verdict:?}"),
        }
    }

    /// Returns the rule that refuses.
    #[track_caller]
    pub(super) fn refused_by(&self, intent: &Intent) -> RuleId {
        match self.decide(intent) {
            Verdict::Reject(violation) => violation.rule,
            verdict => panic!("should be refused, not {verdict:?}"),
        }
    }
}

/// Checks the properties that every rule must have. `given` breaks the rule on fresh facts; once
/// they are old, a refusal needs the look-ups `rests_on`, in order.
#[track_caller]
pub(super) fn owes(
    rule: RuleId,
    given: &Given,
    intent: &Intent,
    refusal: &Refusal,
    rests_on: &[Lookup],
) {
    given.clone().toggle(rule, Toggle::Reject).refuses(intent, rule, refusal);
    obeys_its_toggles(rule, given, intent);

    let forever = |policy: &mut Policy| policy.fresh_for = FreshFor::Forever;
    given
        .clone()
        .toggle(rule, Toggle::Reject)
        .policy(forever)
        .an_hour_later()
        .refuses(intent, rule, refusal);

    let mut old = given.clone().toggle(rule, Toggle::Reject).an_hour_later();
    for lookup in rests_on {
        old.needs(intent, lookup.clone());
        // No refusal rests on a fact that a look-up did not confirm.
        old.clone().looked_up(lookup.clone()).forwards(intent);
        old.clone().failed(lookup.clone()).forwards(intent);
        let strict = old
            .clone()
            .failed(lookup.clone())
            .policy(|policy| policy.on_lookup_failure = OnLookupFailure::Reject);
        assert_eq!(strict.decide(intent), Verdict::Unavailable(lookup.clone()));
        let monitored = strict.toggle(rule, Toggle::Monitor);
        monitored.forwards(intent);
        old = old.confirmed(lookup.clone());
    }
    old.refuses(intent, rule, refusal);
}

#[track_caller]
fn obeys_its_toggles(rule: RuleId, given: &Given, intent: &Intent) {
    match given.clone().toggle(rule, Toggle::Monitor).decide(intent) {
        Verdict::Forward { monitored: Some(violation) } => assert_eq!(violation.rule, rule),
        verdict => panic!("{rule} should only report, not {verdict:?}"),
    }
    given.clone().toggle(rule, Toggle::Off).forwards(intent);
    match given
        .clone()
        .toggle(rule, Toggle::Reject)
        .policy(|policy| policy.mode = Mode::Monitor)
        .decide(intent)
    {
        Verdict::Forward { monitored: Some(violation) } => assert_eq!(violation.rule, rule),
        verdict => panic!("{rule} should only report, not {verdict:?}"),
    }
    given
        .clone()
        .toggle(rule, Toggle::Reject)
        .policy(|policy| policy.mode = Mode::Off)
        .forwards(intent);
}

/// Sets a fact's date.
pub(super) fn redate<T>(fact: &mut Fact<T>, date: &dyn Fn(Timestamp) -> Timestamp) {
    if let Fact::Known(_, at) = fact {
        *at = date(*at);
    }
}

pub(super) fn redate_source(record: &mut SourceRecord, date: &dyn Fn(Timestamp) -> Timestamp) {
    redate(&mut record.amount, date);
    redate(&mut record.reusable, date);
    redate(&mut record.state, date);
    redate(&mut record.customer, date);
}

pub(super) fn redate_session(record: &mut SessionRecord, date: &dyn Fn(Timestamp) -> Timestamp) {
    redate(&mut record.sources, date);
    redate(&mut record.total, date);
    redate(&mut record.remaining, date);
    redate(&mut record.contributed, date);
    redate(&mut record.state, date);
    redate(&mut record.customer, date);
    redate(&mut record.credit_amount, date);
    redate(&mut record.billing_optimization, date);
}
