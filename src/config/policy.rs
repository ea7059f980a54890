//! `[policy]` and the half of `[sequencing]` that rules look at, walked straight into
//! [`rules::Policy`](crate::rules::Policy).

use super::{
    form::{Choice, Duration as Span, Names, Switch, ToggleForm, duration_or_forever},
    keys::{Section, Visitor},
};
use crate::rules::{Dialect, FreshFor, LookUps, Mode, OnLookupFailure, Policy, RuleId, Types};
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
        v.key(
            "look-ups",
            "For which facts upstream is asked before a call goes up: `\"sparing\"` (where upstream \
             would not refuse the violation itself, or where one is likely) or `\"thorough\"` (all on \
             which a refusal could rest).",
            &Choice { all: &LookUps::ALL, name_of: LookUps::as_str },
            &mut self.look_ups,
        );
        let mut fresh_for = match self.fresh_for {
            FreshFor::Within(limit) => Some(limit),
            FreshFor::Forever => None,
        };
        v.key(
            "fresh-for",
            "How old a remembered fact may be for a refusal or a submit to rest on it; an older one is \
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
    let all: Vec<Dialect> = policy.toggles.dialects().collect();
    for rule in RuleId::ALL.iter().copied() {
        let dialects = || all.iter().copied().filter(|dialect| dialect.row(rule).is_some());
        let Some(row) = dialects().find_map(|dialect| dialect.row(rule)) else { continue };
        let mut toggle = None;
        let form = ToggleForm { rule, dialects: dialects().collect(), all: all.clone() };
        v.key(rule.as_str(), row.meaning, &form, &mut toggle);
        if let Some(toggle) = toggle {
            policy.set(rule, toggle);
        }
    }
    for dialect in &all {
        v.table(dialect.as_str(), dialect.keys().toggles, |v| rules_of(policy, *dialect, v));
    }
}

fn rules_of<V: Visitor>(policy: &mut Policy, dialect: Dialect, v: &mut V) {
    let all: Vec<Dialect> = policy.toggles.dialects().collect();
    for row in dialect.rows() {
        let mut toggle = policy.toggles.get(dialect, row.id);
        let form = ToggleForm { rule: row.id, dialects: vec![dialect], all: all.clone() };
        v.key(row.id.as_str(), row.meaning, &form, &mut toggle);
        policy.toggles.set(dialect, row.id, toggle.unwrap_or(row.default));
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
        for (dialect, list) in &mut self.pairing {
            let (name, doc) = dialect.keys().pairing;
            v.key(name, doc, &Names { least: 0 }, list);
        }
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
