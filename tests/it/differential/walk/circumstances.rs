//! Under which policy a walk goes, how odd the vendor is, and what befalls calls.

use super::line::Struck;
use crate::testbed::{
    Adjusted, Denial, FreshFor, Landing, LookUps, Mode, OnLookupFailure, Policy, Quirks, RuleId,
    Toggle, defaults,
};
use proptest::prelude::*;
use std::time::Duration;

#[derive(Clone, Debug)]
pub(crate) struct Circumstances {
    /// A toggle for each rule; where a rule does not have it, the rule's default.
    pub(crate) toggles: Vec<Toggle>,
    pub(crate) mode: Mode,
    pub(crate) look_ups: LookUps,
    pub(crate) on_lookup_failure: OnLookupFailure,
    pub(crate) fresh_for: FreshFor,
    pub(crate) window: u64,
    pub(crate) defer: bool,
    /// Whether Weir has a key of its own.
    pub(crate) own_key: bool,
    pub(crate) denial: Option<Denial>,
    pub(crate) order_only_keys: bool,
    pub(crate) lenient_removals: bool,
    pub(crate) noisy_amounts: bool,
    pub(crate) nameless_primaries: bool,
    pub(crate) late_credit: bool,
    /// How many milliseconds a call takes upstream.
    pub(crate) latency: u64,
    /// Weir is started again before the call of this number, with nothing remembered.
    pub(crate) cold_at: Option<usize>,
}

impl Circumstances {
    pub(crate) fn policy(&self) -> Policy {
        let mut policy = Policy {
            look_ups: self.look_ups,
            ..defaults()
                .with_mode(self.mode)
                .with_on_lookup_failure(self.on_lookup_failure)
                .with_fresh_for(self.fresh_for)
                .with_sequencing(self.window, self.defer)
        };
        for (rule, toggle) in RuleId::ALL.iter().zip(&self.toggles) {
            policy.set(*rule, *toggle);
        }
        policy
    }

    pub(crate) fn toggle(&self, rule: RuleId) -> Toggle {
        let toggles = RuleId::ALL.iter().zip(&self.toggles);
        toggles.filter(|(id, _)| **id == rule).map(|(_, toggle)| *toggle).next().expect("a rule")
    }

    pub(crate) fn quirks(&self) -> Quirks {
        Quirks {
            deny_shopper_reads: self.denial,
            order_only_keys: self.order_only_keys,
            lenient_removals: self.lenient_removals,
            noisy_amounts: self.noisy_amounts,
            nameless_primaries: self.nameless_primaries,
            late_credit: self.late_credit.then_some(Landing::WhenTold),
            ..Quirks::default()
        }
    }

    /// Whether Weir takes the owner out of a credit that is created.
    pub(crate) fn strips(&self) -> bool {
        self.mode == Mode::Enforce && self.toggle(RuleId::SecondarySourceOwner) == Toggle::Strip
    }

    /// Whether Weir may refuse on what it has not confirmed since it was told.
    pub(crate) fn may_believe(&self) -> bool {
        self.fresh_for != FreshFor::Within(Duration::ZERO)
    }
}

/// A toggle: any that one rule or another has.
fn toggle(rule: RuleId) -> impl Strategy<Value = Toggle> {
    let remedy = match rule {
        RuleId::SecondarySourceOwner => Toggle::Strip,
        _ => Toggle::Reorder,
    };
    prop_oneof![
        8 => Just(Toggle::Reject),
        2 => Just(remedy),
        1 => Just(Toggle::Monitor),
        1 => Just(Toggle::Off),
    ]
}

pub(crate) fn freshness() -> impl Strategy<Value = FreshFor> {
    prop_oneof![
        Just(FreshFor::Within(Duration::ZERO)),
        Just(FreshFor::Within(Duration::from_secs(2))),
        Just(FreshFor::Forever)
    ]
}

pub(crate) fn circumstances() -> impl Strategy<Value = Circumstances> {
    let toggles = RuleId::ALL.iter().map(|rule| toggle(*rule)).collect::<Vec<_>>();
    let mode =
        prop_oneof![10 => Just(Mode::Enforce), 1 => Just(Mode::Monitor), 1 => Just(Mode::Off)];
    let look_ups = prop_oneof![2 => Just(LookUps::Sparing), 1 => Just(LookUps::Thorough)];
    let failure =
        prop_oneof![3 => Just(OnLookupFailure::Forward), 1 => Just(OnLookupFailure::Reject)];
    let waits = prop_oneof![5 => Just((0, false)), 1 => Just((50, false)), 1 => Just((0, true))];
    let denial = prop_oneof![
        4 => Just(None),
        1 => Just(Some(Denial::Forbidden)),
        1 => Just(Some(Denial::Unauthorized))
    ];
    let seldom = || prop::bool::weighted(0.15);
    let odd =
        (denial, seldom(), seldom(), (seldom(), seldom()), seldom(), prop::bool::weighted(0.3));
    let around =
        (prop_oneof![3 => Just(0u64), 1 => Just(10)], prop::option::weighted(0.2, 0usize..12));
    (toggles, mode, look_ups, failure, freshness(), waits, odd, around).prop_map(
        |(toggles, mode, look_ups, on_lookup_failure, fresh_for, waits, odd, around)| {
            let (denial, order_only_keys, lenient_removals, amounts, late_credit, own_key) = odd;
            let (noisy_amounts, nameless_primaries) = amounts;
            Circumstances {
                toggles,
                mode,
                look_ups,
                on_lookup_failure,
                fresh_for,
                window: waits.0,
                defer: waits.1,
                own_key,
                denial,
                order_only_keys,
                lenient_removals,
                noisy_amounts,
                nameless_primaries,
                late_credit,
                latency: around.0,
                cold_at: around.1,
            }
        },
    )
}

/// What befalls the calls that Weir makes for one call of the caller's: mostly nothing.
pub(crate) fn faults() -> impl Strategy<Value = Vec<(usize, Struck)>> {
    let one = (0usize..6, 0..Struck::ALL.len()).prop_map(|(at, kind)| (at, Struck::ALL[kind]));
    prop_oneof![
        4 => Just(Vec::new()),
        2 => one.clone().prop_map(|one| vec![one]),
        1 => prop::collection::vec(one, 2..4),
    ]
}
