//! `[policy]` and the half of `[sequencing]` that rules look at, walked straight into
//! [`rules::Policy`](crate::rules::Policy).

use super::{
    form::{Choice, Duration as Span, Names, Switch, ToggleForm, duration_or_forever},
    keys::{Section, Visitor},
};
use crate::{
    dialects::{self, carts, checkouts},
    rules::{Dialect, FreshFor, Mode, OnLookupFailure, Policy, RuleId, Toggle, Types, table},
};
use std::time::Duration;

pub(super) const DOC: &str = "What Weir does when a rule is broken.";

const WINDOW_AT_MOST: Duration = Duration::from_secs(60);
const FRESH_FOR_AT_MOST: Duration = Duration::from_secs(24 * 3600);

impl Section for Policy {
    fn visit<V: Visitor>(&mut self, v: &mut V) {
        v.key(
            "mode",
            "Over everything: `\"enforce\"` (each rule does what its toggle says), `\"monitor\"` \
             (rules only report) or `\"off\"` (a plain proxy).",
            &Choice { all: &Mode::ALL, name_of: Mode::as_str },
            &mut self.mode,
        );
        v.key(
            "on-lookup-failure",
            "When a refusal would rest on a fact that upstream will not give: `\"forward\"` (let \
             upstream judge) or `\"reject\"` (503).",
            &Choice { all: &OnLookupFailure::ALL, name_of: OnLookupFailure::as_str },
            &mut self.on_lookup_failure,
        );
        let mut fresh_for = match self.fresh_for {
            FreshFor::Within(limit) => Some(limit),
            FreshFor::Forever => None,
        };
        v.key(
            "fresh-for",
            "How old a remembered fact may be for a refusal to rest on it; an older one is \
             confirmed first. `0s` to `24h`, or `\"forever\"` if Weir is the only way to upstream.",
            &duration_or_forever(FRESH_FOR_AT_MOST),
            &mut fresh_for,
        );
        self.fresh_for = fresh_for.map_or(FreshFor::Forever, FreshFor::Within);
        v.table(
            "rules",
            "One toggle per rule, for every dialect that has it: `reject`, `monitor`, `off`, for \
             some `reorder` or `strip`.",
            |v| rules(self, v),
        );
        v.table("types", "Which types of sources the rules speak of.", |v| self.types.visit(v));
    }
}

/// Visits `[policy.rules]`, then the dialects' own tables, which win because they come later.
fn rules<V: Visitor>(policy: &mut Policy, v: &mut V) {
    for rule in RuleId::ALL.iter().copied() {
        let dialects = || {
            dialects::ALL.into_iter().filter(move |dialect| table::row(*dialect, rule).is_some())
        };
        let Some(row) = dialects().find_map(|dialect| table::row(dialect, rule)) else { continue };
        let mut toggle = None;
        v.key(
            rule.as_str(),
            row.meaning,
            &ToggleForm { rule, dialects: dialects().collect() },
            &mut toggle,
        );
        for dialect in dialects().filter(|_| toggle.is_some()) {
            set(policy, dialect, rule, toggle);
        }
    }
    v.table("checkouts", "Toggles for checkouts and invoices only.", |v| {
        rules_of(policy, checkouts::DIALECT, v)
    });
    v.table("carts", "Toggles for carts only.", |v| rules_of(policy, carts::DIALECT, v));
}

fn rules_of<V: Visitor>(policy: &mut Policy, dialect: Dialect, v: &mut V) {
    for row in table::ROWS.iter().filter(|row| row.dialect == dialect) {
        let mut toggle =
            Some(policy.toggles.get(&(dialect, row.id)).copied().unwrap_or(row.default));
        v.key(
            row.id.as_str(),
            row.meaning,
            &ToggleForm { rule: row.id, dialects: vec![dialect] },
            &mut toggle,
        );
        set(policy, dialect, row.id, toggle);
    }
}

/// Keeps only a toggle that differs from the default, so that one spelt out equals one left out.
fn set(policy: &mut Policy, dialect: Dialect, rule: RuleId, toggle: Option<Toggle>) {
    match toggle {
        Some(toggle) if table::row(dialect, rule).is_some_and(|row| row.default != toggle) => {
            policy.toggles.insert((dialect, rule), toggle);
        }
        _ => {
            policy.toggles.remove(&(dialect, rule));
        }
    }
}

impl Section for Types {
    fn visit<V: Visitor>(&mut self, v: &mut V) {
        v.key(
            "secondary",
            "The secondary types (store credit); every other type is primary. At least one.",
            &Names { least: 1 },
            &mut self.secondary,
        );
        v.key(
            "pairing-checkouts",
            "The primaries that a secondary can be combined with on checkouts and invoices.",
            &Names { least: 0 },
            &mut self.pairing_checkouts,
        );
        v.key(
            "pairing-carts",
            "The primaries that a secondary can be combined with on carts.",
            &Names { least: 0 },
            &mut self.pairing_carts,
        );
        v.key(
            "savable",
            "The types that can be saved to a customer or shopper.",
            &Names { least: 0 },
            &mut self.savable,
        );
        v.key(
            "not-savable",
            "The types that cannot be saved. A type in neither list is forwarded.",
            &Names { least: 0 },
            &mut self.not_savable,
        );
    }
}

/// Visits the keys of `[sequencing]` that rules look at.
pub(super) fn remedies<V: Visitor>(policy: &mut Policy, v: &mut V) {
    v.key(
        "window",
        "How long a single-use primary's attach waits for store credit to overtake it, where its \
         rule is set to `reorder`. `0s` (not at all) to `60s`.",
        &Span { least: Duration::ZERO, most: WINDOW_AT_MOST },
        &mut policy.sequencing.window,
    );
    v.key(
        "defer",
        "Whether such an attach may be answered at once and sent only when something depends on \
         it (checkouts).",
        &Switch,
        &mut policy.sequencing.defer,
    );
}
