//! The policies that tests run under, and how they are written: `defaults().with_mode(..)`.

use super::{FreshFor, LookUps, Mode, OnLookupFailure, Policy, RuleId, Toggle};
use std::time::Duration;
use weir::internals::dialects;

/// The built-in policy.
pub(crate) fn defaults() -> Policy {
    dialects::policy()
}

/// Asks for every fact on which a refusal could rest.
pub(crate) fn thorough() -> Policy {
    Policy { look_ups: LookUps::Thorough, ..defaults() }
}

/// Believes for ever what it has learned, and asks for the rest.
pub(crate) fn trusting() -> Policy {
    thorough().with_fresh_for(FreshFor::Forever)
}

/// Believes nothing that it has not just seen, and asks for everything.
pub(crate) fn doubting() -> Policy {
    thorough().with_fresh_for(FreshFor::Within(Duration::ZERO))
}

/// A policy whose only rule that does anything is this one, and that asks for all it needs.
pub(crate) fn only(rule: RuleId, toggle: Toggle) -> Policy {
    let off = |policy: Policy, rule: &RuleId| policy.with_rule(*rule, Toggle::Off);
    RuleId::ALL.iter().fold(thorough(), off).with_rule(rule, toggle)
}

/// Puts the sources of a cart in order.
pub(crate) fn reorders() -> Policy {
    defaults()
        .with_rule(RuleId::PrimaryBeforeSecondary, Toggle::Reorder)
        .with_rule(RuleId::SecondPrimary, Toggle::Reorder)
}

/// Holds the single-use primary of a checkout back until it is needed.
pub(crate) fn defers() -> Policy {
    defaults()
        .with_rule(RuleId::SecondaryAfterSingleUsePrimary, Toggle::Reorder)
        .with_sequencing(0, true)
}

/// Returns how many rows the tables of rules have.
pub(crate) fn rows() -> usize {
    defaults().rows(None).count()
}

/// A policy with something changed.
pub(crate) trait Adjusted: Sized {
    /// Sets the toggle of a rule in every dialect that has it.
    fn with_rule(self, rule: RuleId, toggle: Toggle) -> Self;
    fn with_mode(self, mode: Mode) -> Self;
    fn with_fresh_for(self, fresh_for: FreshFor) -> Self;
    fn with_on_lookup_failure(self, on_lookup_failure: OnLookupFailure) -> Self;
    /// Sets how many milliseconds a primary waits for store credit, and whether it is deferred.
    fn with_sequencing(self, window: u64, defer: bool) -> Self;
}

impl Adjusted for Policy {
    fn with_rule(mut self, rule: RuleId, toggle: Toggle) -> Self {
        self.set(rule, toggle);
        self
    }

    fn with_mode(self, mode: Mode) -> Self {
        Self { mode, ..self }
    }

    fn with_fresh_for(self, fresh_for: FreshFor) -> Self {
        Self { fresh_for, ..self }
    }

    fn with_on_lookup_failure(self, on_lookup_failure: OnLookupFailure) -> Self {
        Self { on_lookup_failure, ..self }
    }

    fn with_sequencing(mut self, window: u64, defer: bool) -> Self {
        self.sequencing.window = Duration::from_millis(window);
        self.sequencing.defer = defer;
        self
    }
}
