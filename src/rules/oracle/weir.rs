//! Weir's side of the walk: records that are fed from the vendor's answers as a proxy would feed
//! them, and the decisions made on them.

use super::vendor::{self, Call, Id, PRIMARIES, Place, SOURCES, TOTAL, Vendor, Who};
use crate::{
    dialects::{carts, checkouts},
    rules::{
        Amount, Answer, Attached, CustomerFacts, CustomerId, CustomerRecord, Fact, Funding, Intent,
        Known, Learned, LookUps, Lookup, LookupResult, OptionFacts, Owner, PaidWith, Policy,
        SessionFacts, SessionKey, SessionObservation, SessionRecord, SessionState, SourceFacts,
        SourceId, SourceRecord, SourceState, Stated, Target, Timestamp, Verdict, decide,
        fixtures::{NOW, amount, redate, redate_session, redate_source},
        learn, outcome_unknown, refused,
    },
};
use std::sync::Arc;
use std::{borrow::Cow, sync::LazyLock};

/// How much the vendor's answers show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shows {
    /// Sessions with whole sources; the session after every call.
    Everything,
    /// Sessions without `reusable` and `state` of their sources; the source alone after an attach,
    /// and only its id.
    Little,
    /// Nothing after a call (`fields=`); look-ups name the sources of a session and their types.
    Least,
}

const NAMES: [&str; 4] = ["primary-0", "primary-1", "credit-2", "credit-3"];
const CUSTOMERS: [&str; 2] = ["alice", "bob"];
/// Facts are stated at [`NOW`] or at this earlier moment.
const LONG_AGO: Timestamp = Timestamp(0);

fn place_of(id: &SourceId) -> Option<Id> {
    NAMES.iter().position(|name| *name == id.as_str())
}

fn source_id(id: Id) -> SourceId {
    NAMES[id].into()
}

fn customer_id(who: Who) -> CustomerId {
    CUSTOMERS[who].into()
}

fn nth(customer: &CustomerId) -> Who {
    usize::from(customer.as_str() == CUSTOMERS[1])
}

fn state(state: vendor::State) -> SourceState {
    match state {
        vendor::State::Chargeable => SourceState::Chargeable,
        vendor::State::Pending => SourceState::PendingRedirect,
        vendor::State::Consumed => SourceState::Consumed,
        vendor::State::Cancelled => SourceState::Cancelled,
        vendor::State::Failed => SourceState::Failed,
    }
}

/// What this walk is about.
#[derive(Clone, Debug)]
pub(super) struct Walk {
    pub policy: Policy,
    pub shows: Shows,
    /// Checkouts: attach through the path rather than in the body of an update.
    pub by_path: bool,
    /// Whether the version states neither the state nor what remains (checkouts).
    pub legacy: bool,
}

impl Walk {
    fn target(&self, vendor: &Vendor) -> Target {
        if vendor.carts { Target::Active(carts::CART) } else { Target::Session(self.key(vendor)) }
    }

    fn key(&self, vendor: &Vendor) -> SessionKey {
        SessionKey::new(if vendor.carts { carts::CART } else { checkouts::CHECKOUT }, "1")
    }

    pub(super) fn intent(&self, vendor: &Vendor, call: Call) -> Intent {
        let session = self.target(vendor);
        let update = |funding| Intent::UpdateSession { session: session.clone(), funding };
        match call {
            Call::Attach(id) if vendor.carts || self.by_path => {
                Intent::Attach { session, source: source_id(id) }
            }
            Call::Attach(id) => {
                update(Funding { source: Some(source_id(id)), ..Funding::default() })
            }
            Call::Detach(id) => Intent::Detach { session, source: Some(source_id(id)) },
            Call::DetachAll => Intent::Detach { session, source: None },
            Call::SetBuyer(who) => update(Funding {
                customer: Stated::Stated(Some(customer_id(who))),
                ..Funding::default()
            }),
            Call::SetCredit(of) => {
                update(Funding { credit_amount: Some(units(of)), ..Funding::default() })
            }
            Call::ApplyShopper(option) => Intent::AttachSaved {
                session: Target::Active(carts::CART),
                option: option.map(|id| NAMES[id].into()),
            },
            Call::Order => Intent::Order { session, paid_with: PaidWith::Attached },
            Call::Save(id, who) => {
                let (dialect, owner) = match vendor.carts {
                    true => (carts::DIALECT, Owner::Shopper),
                    false => (checkouts::DIALECT, Owner::Customer(customer_id(who))),
                };
                Intent::Save { dialect, owner, source: source_id(id) }
            }
            Call::Remove(id, _) if vendor.carts => Intent::ChangeOption {
                dialect: carts::DIALECT,
                option: NAMES[id].into(),
                removes: true,
                source: None,
            },
            Call::Remove(id, who) => Intent::Remove {
                dialect: checkouts::DIALECT,
                customer: customer_id(who),
                source: source_id(id),
            },
            Call::SetDefault(id, _) if vendor.carts => Intent::ChangeOption {
                dialect: carts::DIALECT,
                option: NAMES[id].into(),
                removes: false,
                source: None,
            },
            Call::SetDefault(id, who) => Intent::UpdateCustomer {
                dialect: checkouts::DIALECT,
                customer: customer_id(who),
                default: Some(source_id(id)),
                ends: false,
            },
        }
    }

    /// Makes the answer to a call that was accepted, as far as this walk's answers show it.
    pub(super) fn answer(&self, vendor: &Vendor, call: Call) -> Answer {
        let mut answer = Answer::default();
        match call {
            Call::Detach(_) | Call::DetachAll | Call::Order | Call::Remove(..) => {}
            _ if self.shows == Shows::Least => {}
            Call::Attach(id) if self.by_path && !vendor.carts => {
                answer.source = Some(self.answered_source(vendor, id))
            }
            Call::Attach(_) | Call::ApplyShopper(_) | Call::SetBuyer(_) | Call::SetCredit(_) => {
                answer.session = Some(self.session_facts(vendor, self.shows));
            }
            Call::Save(id, _) => answer.source = Some(self.answered_source(vendor, id)),
            Call::SetDefault(_, who) if !vendor.carts => {
                answer.customer = Some(self.customer_facts(vendor, who))
            }
            Call::SetDefault(..) => {}
        }
        answer
    }

    fn answered_source(&self, vendor: &Vendor, id: Id) -> SourceFacts {
        match self.shows {
            Shows::Everything => whole(vendor, id),
            Shows::Little | Shows::Least => SourceFacts::named(NAMES[id]),
        }
    }

    fn session_facts(&self, vendor: &Vendor, shows: Shows) -> SessionFacts {
        let attached = SOURCES.into_iter().filter(|id| vendor.is_attached(*id));
        let shown = |id| match shows {
            Shows::Everything => SourceFacts {
                amount: Stated::Stated(units(vendor.contribution(id))),
                ..whole(vendor, id)
            },
            Shows::Little => SourceFacts {
                kind: Stated::Stated(vendor.sources[id].kind.into()),
                amount: Stated::Stated(units(vendor.contribution(id))),
                ..SourceFacts::named(NAMES[id])
            },
            Shows::Least => SourceFacts {
                kind: Stated::Stated(vendor.sources[id].kind.into()),
                ..SourceFacts::named(NAMES[id])
            },
        };
        SessionFacts {
            sources: Stated::Stated(attached.map(shown).collect()),
            total: Stated::Stated(units(TOTAL)),
            remaining: if self.legacy {
                Stated::Unstated
            } else {
                Stated::Stated(units(vendor.remaining()))
            },
            contributed: match self.shows {
                Shows::Least => Stated::Unstated,
                _ => Stated::Stated(units(TOTAL.saturating_sub(vendor.remaining()))),
            },
            state: if self.legacy { Stated::Unstated } else { Stated::Stated(funded(vendor)) },
            customer: Stated::Stated(vendor.buyer.map(customer_id)),
            credit_amount: if self.legacy {
                Stated::Stated(vendor.credit.map(units))
            } else {
                Stated::Unstated
            },
            ..SessionFacts::default()
        }
    }

    fn customer_facts(&self, vendor: &Vendor, who: Who) -> CustomerFacts {
        let saved = PRIMARIES.into_iter().filter(|id| vendor.sources[*id].owner == Some(who));
        CustomerFacts {
            id: None,
            saved: Stated::Stated(saved.map(|id| self.answered_source(vendor, id)).collect()),
        }
    }

    /// Before an option is removed or applied a proxy looks which source it stands for: the call
    /// does not say so.
    fn options_first(&self, before: &Vendor, intent: &Intent) -> Option<Vec<OptionFacts>> {
        let needs = matches!(
            intent,
            Intent::ChangeOption { removes: true, .. } | Intent::AttachSaved { .. }
        );
        needs.then(|| self.options(before))
    }

    fn options(&self, vendor: &Vendor) -> Vec<OptionFacts> {
        let saved = PRIMARIES.into_iter().filter(|id| vendor.sources[*id].owner.is_some());
        let option = |id: Id| OptionFacts {
            id: Stated::Stated(NAMES[id].into()),
            source: Stated::Stated(Some(self.answered_source(vendor, id))),
            default: Stated::Stated(vendor.default_option == Some(id)),
        };
        saved.map(option).collect()
    }
}

fn funded(vendor: &Vendor) -> SessionState {
    if vendor.remaining() == 0 {
        SessionState::RequiresConfirmation
    } else {
        SessionState::RequiresSource
    }
}

/// So many whole units; every amount of this world is less than 30.
fn units(of: u8) -> Amount {
    UNITS[usize::from(of)]
}

static UNITS: LazyLock<[Amount; 30]> =
    LazyLock::new(|| std::array::from_fn(|of| amount(&of.to_string())));

/// `GET /sources/{id}`.
fn whole(vendor: &Vendor, id: Id) -> SourceFacts {
    let source = &vendor.sources[id];
    SourceFacts {
        kind: Stated::Stated(source.kind.into()),
        amount: if source.amount > 0 {
            Stated::Stated(units(source.amount))
        } else {
            Stated::Unstated
        },
        reusable: Stated::Stated(source.reusable),
        state: Stated::Stated(state(source.state)),
        customer: if vendor.carts {
            Stated::Unstated
        } else {
            Stated::Stated(source.owner.map(customer_id))
        },
        ..SourceFacts::named(NAMES[id])
    }
}

/// Everything that is remembered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Memory {
    pub session: SessionRecord,
    pub sources: [SourceRecord; 4],
    pub customers: [CustomerRecord; 2],
}

impl Memory {
    /// Decides a call. Second: what is remembered afterwards, where something had to be looked up.
    pub(super) fn decide(
        &self,
        walk: &Walk,
        vendor: &Vendor,
        intent: &Intent,
    ) -> Result<(Verdict, Option<Memory>), String> {
        let mut memory = Cow::Borrowed(self);
        let mut looked_up: Vec<(Lookup, LookupResult)> = Vec::new();
        let mut options = None;
        loop {
            let mut known = memory.known(walk, intent, options.as_deref());
            known.looked_up = looked_up.clone();
            let verdict = decide(&known, intent, &walk.policy, NOW);
            let Verdict::Need(lookup) = verdict else {
                return Ok((verdict, (!looked_up.is_empty()).then(|| memory.into_owned())));
            };
            if looked_up.iter().any(|(made, _)| *made == lookup) {
                return Err(format!("{lookup:?} is asked for twice"));
            }
            let found = memory.to_mut().look_up(walk, vendor, intent, &lookup, &known)?;
            options = options.or(found);
            looked_up.push((lookup, LookupResult::At(NOW)));
        }
    }

    /// Asks the vendor as a proxy would: for whole sources, and for sessions and customers as far
    /// as they show themselves.
    fn look_up(
        &mut self,
        walk: &Walk,
        vendor: &Vendor,
        intent: &Intent,
        lookup: &Lookup,
        known: &Known,
    ) -> Result<Option<Vec<OptionFacts>>, String> {
        let mut options = None;
        let (read, session, answer) = match lookup {
            Lookup::Session => {
                let facts = walk.session_facts(vendor, walk.shows);
                let read = Intent::ReadSession { session: walk.target(vendor) };
                (read, Some(walk.key(vendor)), Answer { session: Some(facts), ..Answer::default() })
            }
            Lookup::Source(id) => {
                let place = place_of(id).ok_or_else(|| format!("{id} does not exist"))?;
                let read = Intent::ReadSource { source: id.clone() };
                (read, None, Answer { source: Some(whole(vendor, place)), ..Answer::default() })
            }
            Lookup::Customer => {
                let customer = intent.customer().ok_or("there is no customer to look up")?;
                let facts = walk.customer_facts(vendor, nth(customer));
                let read = Intent::ReadCustomer { customer: customer.clone() };
                (read, None, Answer { customer: Some(facts), ..Answer::default() })
            }
            Lookup::PaymentOptions => {
                let found = walk.options(vendor);
                options = Some(found.clone());
                (
                    Intent::ReadOptions,
                    None,
                    Answer { options: Stated::Stated(found), ..Answer::default() },
                )
            }
        };
        self.learn(walk, &learn(&read, &answer, session.as_ref(), known, &walk.policy));
        Ok(options)
    }

    /// What may be used for this call: its session, its customer, the sources it names and those
    /// attached.
    fn known(&self, walk: &Walk, intent: &Intent, options: Option<&[OptionFacts]>) -> Known {
        let attached =
            self.session.sources.get().into_iter().flatten().map(|attached| &attached.id);
        let optional = options
            .into_iter()
            .flatten()
            .filter_map(OptionFacts::told_source)
            .map(|source| &source.id);
        let named = attached.chain(optional).chain(intent.source());
        let sources = named
            .filter_map(|id| Some((id.clone(), self.sources[place_of(id)?].clone())))
            .collect();
        let who = intent.customer().map(nth);
        let customer = who.map(|who| self.customers[who].clone());
        let unseen =
            walk.policy.look_ups == LookUps::Sparing && self.session == SessionRecord::default();
        let session = intent.session().filter(|_| !unseen).map(|_| Arc::new(self.session.clone()));
        Known {
            session,
            sources,
            customer,
            options: options.map(<[_]>::to_vec),
            ..Known::default()
        }
    }

    /// Notes that the call is about to be sent.
    pub(super) fn begin(&mut self, walk: &Walk, intent: &Intent) {
        if intent.session().is_some() {
            self.session.apply(&SessionObservation::Begun, &walk.policy, NOW);
        }
    }

    /// Learns from a call that was accepted. `before` and `vendor` are the world before and after.
    pub(super) fn taken(
        &mut self,
        walk: &Walk,
        before: &Vendor,
        vendor: &Vendor,
        call: Call,
        intent: &Intent,
    ) {
        let key = intent.session().map(|_| walk.key(vendor));
        let known = self.known(walk, intent, walk.options_first(before, intent).as_deref());
        let learned = learn(intent, &walk.answer(vendor, call), key.as_ref(), &known, &walk.policy);
        self.learn(walk, &learned);
        if call == Call::Order && !vendor.carts {
            // The next checkout is another one.
            self.session = SessionRecord::default();
        }
    }

    pub(super) fn refused(&mut self, walk: &Walk, vendor: &Vendor, intent: &Intent) {
        let key = intent.session().map(|_| walk.key(vendor));
        self.learn(walk, &refused(key.as_ref()));
    }

    pub(super) fn lost(&mut self, walk: &Walk, before: &Vendor, intent: &Intent) {
        let key = intent.session().map(|_| walk.key(before));
        let known = self.known(walk, intent, walk.options_first(before, intent).as_deref());
        self.learn(walk, &outcome_unknown(intent, key.as_ref(), &known));
    }

    fn learn(&mut self, walk: &Walk, learned: &Learned) {
        if let Some((_, observation)) = &learned.session {
            self.session.apply(observation, &walk.policy, NOW);
        }
        for (id, observation) in &learned.sources {
            if let Some(place) = place_of(id) {
                self.sources[place].apply(observation, NOW);
            }
        }
        for (id, observation) in &learned.customers {
            self.customers[nth(id)].apply(observation, NOW);
        }
    }

    /// Much time passes.
    pub(super) fn age(&mut self) {
        redate_session(&mut self.session, &|_| LONG_AGO);
        self.sources.iter_mut().for_each(|source| redate_source(source, &|_| LONG_AGO));
        self.customers.iter_mut().for_each(|customer| redate(&mut customer.saved, &|_| LONG_AGO));
    }

    /// Returns the remembered facts that are untrue. Where others may have called meanwhile, only
    /// facts of this moment must be true.
    pub(super) fn lies(
        &self,
        walk: &Walk,
        vendor: &Vendor,
        others_call: bool,
    ) -> Vec<(&'static str, &'static str)> {
        let mut lies = Vec::new();
        let mut check = |whose: &'static str, what: &'static str, told: Option<(bool, bool)>| {
            if let Some((false, fresh)) = told
                && (fresh || !others_call)
            {
                lies.push((whose, what));
            }
        };
        let session = &self.session;
        let carts_next = vendor.carts && session.state.get() == Some(&SessionState::Complete);
        if !session.unsure && !session.in_flight && !carts_next {
            let mut check = |what, told| check("the session", what, told);
            check("sources", against(&session.sources, |told| shows_the_attached(told, vendor)));
            check("total", against(&session.total, |told| *told == units(TOTAL)));
            check(
                "remaining",
                against(&session.remaining, |told| *told == units(vendor.remaining())),
            );
            if vendor.carts {
                check("order", Some((is_true_order(session, vendor), false)));
            }
            check("state", against(&session.state, |told| *told == funded(vendor)));
            check(
                "customer",
                against(&session.customer, |told| is_customer(told.as_ref(), vendor.buyer)),
            );
            check(
                "credit",
                against(&session.credit_amount, |told| *told == vendor.credit.map(units)),
            );
        }
        for id in SOURCES {
            let (record, truth) = (&self.sources[id], &vendor.sources[id]);
            let mut check = |what, told| check(NAMES[id], what, told);
            check("type", record.kind.as_ref().map(|kind| (kind.as_str() == truth.kind, true)));
            check("reusable", against(&record.reusable, |told| *told == truth.reusable));
            // A state that changes on its own is confirmed before a refusal rests on it. With
            // sparing look-ups an order may charge sources of which Weir does not know that they
            // are attached: that they are chargeable is then believed too long, and no refusal
            // rests on that.
            let sparing = walk.policy.look_ups == LookUps::Sparing;
            check(
                "state",
                against(&record.state, |told| {
                    *told == state(truth.state)
                        || told.changes_on_its_own()
                        || (sparing && *told == SourceState::Chargeable)
                }),
            );
            check(
                "customer",
                against(&record.customer, |told| is_customer(told.as_ref(), truth.owner)),
            );
            if truth.amount > 0 {
                check("amount", against(&record.amount, |told| *told == units(truth.amount)));
            }
        }
        for (who, record) in self.customers.iter().enumerate() {
            let owned = |id: Id| vendor.sources[id].owner == Some(who);
            let is_saved =
                |told: &Vec<SourceId>, id| told.iter().any(|saved| saved.as_str() == NAMES[id]);
            let all = |told: &_| PRIMARIES.into_iter().all(|id| is_saved(told, id) == owned(id));
            check(CUSTOMERS[who], "saved", against(&record.saved, all));
        }
        lies
    }

    /// Returns the record in a few bytes, equal for records that no decision distinguishes.
    pub(super) fn digest(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(64);
        let session = &self.session;
        bytes.push(u8::from(session.unsure) | u8::from(session.in_flight) << 1);
        put(&mut bytes, &session.sources, |_| 1);
        let mut attached: Vec<_> = session.sources.get().into_iter().flatten().collect();
        attached.sort_unstable_by(|a, b| a.id.cmp(&b.id));
        bytes.push(attached.len() as u8);
        for one in attached {
            bytes.push(
                place_of(&one.id).map_or(9, |id| id as u8) | u8::from(one.kind.is_stated()) << 4,
            );
            bytes.push(one.amount.as_ref().map_or(99, whole_units));
        }
        put(&mut bytes, &session.total, whole_units);
        put(&mut bytes, &session.remaining, whole_units);
        put(&mut bytes, &session.contributed, whole_units);
        for joined in [&session.joined.order[..], &session.joined.awaited[..]] {
            bytes.push(joined.len() as u8);
            bytes.extend(joined.iter().map(|id| place_of(id).map_or(9, |id| id as u8)));
        }
        put(&mut bytes, &session.state, |state| match state {
            SessionState::RequiresSource => 0,
            SessionState::RequiresConfirmation => 1,
            SessionState::Complete => 2,
            SessionState::Other(_) => 3,
        });
        put(&mut bytes, &session.customer, nth_customer);
        put(&mut bytes, &session.credit_amount, |credit| credit.as_ref().map_or(99, whole_units));
        for source in &self.sources {
            bytes.push(u8::from(source.kind.is_stated()));
            put(&mut bytes, &source.amount, whole_units);
            put(&mut bytes, &source.reusable, |reusable| u8::from(*reusable));
            put(&mut bytes, &source.state, |state| match state {
                SourceState::Chargeable => 0,
                SourceState::PendingRedirect => 1,
                SourceState::Consumed => 2,
                SourceState::Cancelled => 3,
                SourceState::Failed => 4,
                _ => 5,
            });
            put(&mut bytes, &source.customer, nth_customer);
        }
        for customer in &self.customers {
            put(&mut bytes, &customer.saved, |saved| {
                saved.iter().filter_map(place_of).fold(0, |bits, id| bits | 1 << id)
            });
        }
        bytes
    }
}

fn shows_the_attached(told: &[Attached], vendor: &Vendor) -> bool {
    let so = |attached: &Attached| {
        let Some(id) = place_of(&attached.id) else { return false };
        let contributes =
            attached.amount.as_ref().is_none_or(|of| *of == units(vendor.contribution(id)));
        vendor.is_attached(id)
            && attached.kind.as_ref().is_none_or(|kind| kind.as_str() == vendor.sources[id].kind)
            && contributes
    };
    told.len() == SOURCES.into_iter().filter(|id| vendor.is_attached(*id)).count()
        && told.iter().all(so)
}

/// Returns whether credit that is said to stand behind a primary is ignored, and no other.
fn is_true_order(session: &SessionRecord, vendor: &Vendor) -> bool {
    let Some(primary) = vendor.primary() else { return true };
    vendor::CREDITS.into_iter().filter(|id| vendor.is_attached(*id)).all(|credit| {
        session
            .joined
            .after(&source_id(credit), &source_id(primary))
            .is_none_or(|late| late == (vendor.places[credit] == Place::Ignored))
    })
}

fn is_customer(told: Option<&CustomerId>, truth: Option<Who>) -> bool {
    told.map(CustomerId::as_str) == truth.map(|who| CUSTOMERS[who])
}

/// Returns whether a stated fact is true, and whether it was stated now.
fn against<T>(fact: &Fact<T>, is_true: impl FnOnce(&T) -> bool) -> Option<(bool, bool)> {
    match fact {
        Fact::Known(told, at) => Some((is_true(told), *at == NOW)),
        Fact::Unknown => None,
    }
}

fn put<T>(bytes: &mut Vec<u8>, fact: &Fact<T>, value: impl FnOnce(&T) -> u8) {
    match fact {
        Fact::Unknown => bytes.push(0),
        Fact::Known(told, at) => bytes.extend([1 + u8::from(*at == NOW), value(told)]),
    }
}

fn whole_units(amount: &Amount) -> u8 {
    UNITS.iter().position(|of| of == amount).map_or(99, |of| of as u8)
}

fn nth_customer(customer: &Option<CustomerId>) -> u8 {
    match customer {
        None => 0,
        Some(customer) => 1 + nth(customer) as u8,
    }
}
