//! A model of the vendor, independent of the rules: what it refuses, and what a call that it
//! accepts changes.
//!
//! Written from the domain's two tables and "What a successful call changes", for a world small
//! enough to be walked through wholly: two primaries, two store credits, two customers, one session
//! at a time. Deliberately absent: everything Weir knows, remembers or says.

/// A source by its place: 0 and 1 are primaries, 2 and 3 store credit.
pub(super) type Id = usize;
/// A customer by its place. The shopper of the carts dialect is the first.
pub(super) type Who = usize;

pub(super) const TOTAL: u8 = 10;
pub(super) const PRIMARIES: [Id; 2] = [0, 1];
pub(super) const CREDITS: [Id; 2] = [2, 3];
pub(super) const SOURCES: [Id; 4] = [0, 1, 2, 3];

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum State {
    Chargeable,
    Pending,
    Consumed,
    Cancelled,
    Failed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Source {
    pub kind: &'static str,
    /// Of store credit.
    pub amount: u8,
    pub reusable: bool,
    pub owner: Option<Who>,
    pub state: State,
}

impl Source {
    pub(super) const fn card() -> Self {
        Source {
            kind: "creditCard",
            amount: 0,
            reusable: false,
            owner: None,
            state: State::Chargeable,
        }
    }

    /// Goes with no store credit, and cannot be saved.
    pub(super) const fn trustly() -> Self {
        Source { kind: "trustly", ..Source::card() }
    }

    pub(super) const fn saved_to(self, owner: Who) -> Self {
        Source { reusable: true, owner: Some(owner), ..self }
    }

    pub(super) const fn pending(self) -> Self {
        Source { state: State::Pending, ..self }
    }

    pub(super) const fn credit(amount: u8) -> Self {
        Source { kind: "customerCredit", amount, ..Source::card() }
    }

    pub(super) fn is_spent(&self) -> bool {
        matches!(self.state, State::Consumed | State::Cancelled | State::Failed)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Call {
    Attach(Id),
    Detach(Id),
    DetachAll,
    /// Checkouts: who buys.
    SetBuyer(Who),
    /// Checkouts before 2021-03-23: store credit without a source.
    SetCredit(u8),
    /// Carts: the saved option of this source, or the default one.
    ApplyShopper(Option<Id>),
    Order,
    Save(Id, Who),
    Remove(Id, Who),
    SetDefault(Id, Who),
}

/// A rule that a call breaks, as the domain's table answers it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Broken {
    pub rule: &'static str,
    pub status: u16,
    pub code: &'static str,
    /// Carts: the subcode; checkouts: the parameter.
    pub detail: Option<&'static str>,
}

/// Whether a source is attached. Carts accept store credit behind a primary, and ignore it when the
/// cart is submitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Place {
    Detached,
    Attached,
    Ignored,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Vendor {
    pub carts: bool,
    /// Whether it accepts detaching a source that is not attached.
    pub lenient: bool,
    pub sources: [Source; 4],
    pub places: [Place; 4],
    pub buyer: Option<Who>,
    /// Before 2021-03-23.
    pub credit: Option<u8>,
    pub default_option: Option<Id>,
}

impl Vendor {
    pub(super) const fn new(carts: bool, primaries: [Source; 2], credits: [u8; 2]) -> Self {
        Vendor {
            carts,
            lenient: false,
            sources: [
                primaries[0],
                primaries[1],
                Source::credit(credits[0]),
                Source::credit(credits[1]),
            ],
            places: [Place::Detached; 4],
            buyer: None,
            credit: None,
            default_option: None,
        }
    }

    pub(super) fn is_attached(&self, id: Id) -> bool {
        self.places[id] != Place::Detached
    }

    pub(super) fn primary(&self) -> Option<Id> {
        PRIMARIES.into_iter().find(|id| self.is_attached(*id))
    }

    fn credits_but(&self, but: Option<Id>) -> impl Iterator<Item = Id> {
        CREDITS.into_iter().filter(move |id| self.is_attached(*id) && Some(*id) != but)
    }

    fn credited(&self, but: Option<Id>) -> u8 {
        self.credits_but(but).map(|id| self.sources[id].amount).sum::<u8>()
            + self.credit.unwrap_or(0)
    }

    pub(super) fn remaining(&self) -> u8 {
        if self.primary().is_some() { 0 } else { TOTAL.saturating_sub(self.credited(None)) }
    }

    /// Returns what an attached source contributes.
    pub(super) fn contribution(&self, id: Id) -> u8 {
        if CREDITS.contains(&id) {
            self.sources[id].amount
        } else {
            let ignored = CREDITS.into_iter().filter(|id| self.places[*id] == Place::Ignored);
            let ignored: u8 = ignored.map(|id| self.sources[id].amount).sum();
            TOTAL.saturating_sub(self.credited(None).saturating_sub(ignored))
        }
    }

    /// Returns the source that `apply-shopper` would attach.
    pub(super) fn option(&self, option: Option<Id>) -> Option<Id> {
        let id = option.or(self.default_option)?;
        self.sources[id].owner.is_some().then_some(id)
    }

    /// Returns every rule that this call breaks, in the order of the dialect's table.
    pub(super) fn broken(&self, call: Call) -> Vec<Broken> {
        match call {
            Call::Attach(id) => self.broken_by_attach(id),
            Call::ApplyShopper(option) => {
                self.option(option).map(|id| self.broken_by_attach(id)).unwrap_or_default()
            }
            Call::Save(id, _) => self.broken_by_save(id),
            Call::SetDefault(id, who) if !self.carts && self.sources[id].owner != Some(who) => {
                vec![checkouts(
                    "default-source-not-saved",
                    "invalid_parameter",
                    Some("defaultSourceId"),
                )]
            }
            Call::SetCredit(_) => self.broken_by_credit(),
            Call::Order => self.broken_by_order(),
            _ => Vec::new(),
        }
    }

    fn broken_by_attach(&self, id: Id) -> Vec<Broken> {
        let source = &self.sources[id];
        let secondary = CREDITS.contains(&id);
        let primary = self.primary();
        let others = self.credits_but(Some(id)).count();
        let too_large = secondary
            && !self.is_attached(id)
            && source.amount > TOTAL.saturating_sub(self.credited(Some(id)));
        let pair = match (secondary, primary) {
            (true, Some(primary)) => Some(self.sources[primary].kind),
            (false, _) if others > 0 => Some(source.kind),
            _ => None,
        };
        let unpaired = pair.is_some_and(|kind| kind != "creditCard");
        let mut broken = Vec::new();
        let mut add = |when: bool, what: Broken| broken.extend(when.then_some(what));
        if self.carts {
            add(
                secondary && primary.is_some(),
                apply("primary-before-secondary", "primary-before-secondary"),
            );
            add(
                !secondary && primary.is_some_and(|primary| primary != id),
                apply("second-primary", "second-primary"),
            );
            add(
                if secondary { primary.is_some() && others > 0 } else { others > 1 },
                apply("one-secondary", "one-secondary"),
            );
            add(unpaired, apply("primary-pairing", "primary-pairing"));
            add(source.is_spent(), apply("spent-source", "spent-source"));
            add(too_large, apply("amount-exceeds-total", "session_source_amount_too_large"));
        } else {
            let single_use = primary.is_some_and(|primary| !self.sources[primary].reusable);
            let after = "secondary-after-single-use-primary";
            add(secondary && single_use, checkouts(after, "session_update_not_allowed", None));
            add(
                source.is_spent(),
                checkouts("spent-source", "source_status_invalid_for_session", None),
            );
            add(
                too_large,
                checkouts("amount-exceeds-total", "session_source_amount_too_large", None),
            );
            add(unpaired, checkouts("primary-pairing", "source_not_supported", Some("sourceId")));
        }
        broken
    }

    fn broken_by_save(&self, id: Id) -> Vec<Broken> {
        let nonreusable = self.sources[id].kind != "creditCard";
        let unchargeable = self.sources[id].state != State::Chargeable;
        let answers = match self.carts {
            true => [
                apply("save-nonreusable", "nonreusable_source"),
                apply("save-not-chargeable", "source_not_chargeable"),
            ],
            false => [
                checkouts("save-nonreusable", "nonreusable_source", None),
                checkouts("save-not-chargeable", "source_not_chargeable", Some("sourceId")),
            ],
        };
        [nonreusable, unchargeable]
            .into_iter()
            .zip(answers)
            .filter_map(|(when, what)| when.then_some(what))
            .collect()
    }

    fn broken_by_credit(&self) -> Vec<Broken> {
        let repeated = self.credit.is_some();
        let late = self.primary().is_some_and(|primary| !self.sources[primary].reusable);
        let answers = [
            checkouts("credit-amount-repeated", "creditAmount_already_updated", None),
            checkouts(
                "credit-amount-after-single-use-primary",
                "source_not_supported",
                Some("sourceId"),
            ),
        ];
        [repeated, late]
            .into_iter()
            .zip(answers)
            .filter_map(|(when, what)| when.then_some(what))
            .collect()
    }

    fn broken_by_order(&self) -> Vec<Broken> {
        let foreign = self
            .primary()
            .and_then(|id| self.sources[id].owner)
            .is_some_and(|owner| self.buyer != Some(owner));
        let mut broken = Vec::new();
        if foreign && !self.carts {
            broken.push(checkouts("foreign-saved-source", "source_in_use", Some("sourceId")));
        }
        if self.carts && CREDITS.into_iter().any(|id| self.places[id] == Place::Ignored) {
            broken.push(Broken {
                rule: "lost-credit",
                status: 409,
                code: "submit-cart-failed",
                detail: Some("lost-credit"),
            });
        }
        if self.remaining() > 0 {
            broken.push(match self.carts {
                true => Broken {
                    rule: "underfunded-order",
                    status: 409,
                    code: "submit-cart-failed",
                    detail: Some("underfunded-order"),
                },
                false => Broken {
                    status: 400,
                    ..checkouts("underfunded-order", "order_submit_failed", None)
                },
            });
        }
        broken
    }

    /// Refuses what no rule speaks of.
    pub(super) fn refuses_otherwise(&self, call: Call) -> bool {
        match call {
            Call::Detach(id) => !self.is_attached(id) && !self.lenient,
            Call::Save(id, who) => self.sources[id].owner.is_some_and(|owner| owner != who),
            Call::Remove(id, who) => self.sources[id].owner != Some(who),
            // A source that was removed from its customer while it was attached, or one that failed
            // since, cannot be charged.
            Call::Order => {
                SOURCES.into_iter().any(|id| self.is_attached(id) && self.sources[id].is_spent())
            }
            _ => false,
        }
    }

    pub(super) fn takes(&self, call: Call) -> bool {
        self.broken(call).is_empty() && !self.refuses_otherwise(call)
    }

    /// Carts: takes store credit behind a primary, to ignore it later, and the order that ignores
    /// it.
    pub(super) fn ignores(&self, call: Call) -> bool {
        let broken = self.broken(call);
        let silent = ["primary-before-secondary", "lost-credit"];
        !broken.is_empty()
            && broken.iter().all(|broken| silent.contains(&broken.rule))
            && !self.refuses_otherwise(call)
    }

    /// Returns whether another primary replaces the attached one (checkouts).
    pub(super) fn replaces(&self, call: Call) -> bool {
        let Call::Attach(id) = call else { return false };
        PRIMARIES.contains(&id) && self.primary().is_some_and(|primary| primary != id)
    }

    /// Applies a call that is accepted.
    pub(super) fn take(&mut self, call: Call) {
        match call {
            Call::Attach(id) => self.attach(id),
            Call::ApplyShopper(option) => {
                if let Some(id) = self.option(option) {
                    self.attach(id);
                }
            }
            Call::Detach(id) => self.detach(id),
            Call::DetachAll => SOURCES.into_iter().for_each(|id| self.detach(id)),
            Call::SetBuyer(who) => self.buyer = Some(who),
            Call::SetCredit(amount) => self.credit = Some(amount),
            Call::Order => self.order(),
            Call::Save(id, who) => {
                self.sources[id].reusable = true;
                self.sources[id].owner = Some(who);
                self.default_option.get_or_insert(id);
            }
            Call::Remove(id, _) => {
                self.sources[id].state = State::Cancelled;
                self.sources[id].owner = None;
                self.default_option = self.default_option.filter(|default| *default != id);
            }
            Call::SetDefault(id, _) => self.default_option = Some(id),
        }
    }

    fn attach(&mut self, id: Id) {
        let secondary = CREDITS.contains(&id);
        if self.is_attached(id) {
            return;
        }
        match self.primary() {
            Some(primary) if !secondary && primary != id => self.detach(primary),
            Some(_) if secondary && self.carts => return self.places[id] = Place::Ignored,
            _ => {}
        }
        self.places[id] = Place::Attached;
    }

    fn detach(&mut self, id: Id) {
        if self.is_attached(id) && !self.carts && !self.sources[id].reusable {
            self.sources[id].state = State::Cancelled;
        }
        self.places[id] = Place::Detached;
        if PRIMARIES.contains(&id) {
            // Credit that stood behind it stands first now.
            for place in self.places.iter_mut().filter(|place| **place == Place::Ignored) {
                *place = Place::Attached;
            }
        }
    }

    /// Charges the attached sources, and begins an empty session.
    fn order(&mut self) {
        for id in SOURCES {
            if self.places[id] == Place::Attached && !self.sources[id].reusable {
                self.sources[id].state = State::Consumed;
            }
            self.places[id] = Place::Detached;
        }
        self.buyer = None;
        self.credit = None;
    }

    /// Settles every pending source without a call.
    pub(super) fn settle(&mut self, state: State) {
        for source in self.sources.iter_mut().filter(|source| source.state == State::Pending) {
            source.state = state;
        }
    }
}

fn checkouts(rule: &'static str, code: &'static str, parameter: Option<&'static str>) -> Broken {
    Broken { rule, status: 409, code, detail: parameter }
}

fn apply(rule: &'static str, subcode: &'static str) -> Broken {
    Broken { rule, status: 409, code: "apply-payment-failure", detail: Some(subcode) }
}
