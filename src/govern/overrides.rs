//! Holds the configuration's policy, and the rules that an operator has set otherwise for a while.
//!
//! In: a rule, its toggle and its end. Out: the policy in force, which is the configuration's with
//! these rules set otherwise. It outlives a reload, and no restart. `overriding` puts it in force.

use crate::rules::{Dialect, Override, Policy, RuleId, Timestamp, Toggle};
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::task::AbortHandle;

/// The configuration's policy, and what an operator has set otherwise.
pub(super) struct Overrides(Mutex<Standing>);

/// What stands, while nobody else changes it.
pub(super) struct Standing {
    configured: Policy,
    overridden: Vec<Overridden>,
    /// The one task that ends them in time.
    timer: Option<AbortHandle>,
}

/// A rule that an operator has set otherwise for a while.
#[derive(Clone, Debug)]
pub struct Overridden {
    /// Which rule of which dialect, and its toggle.
    pub set: Override,
    /// What the configuration says.
    pub configured: Toggle,
    /// When it ends.
    pub until: Timestamp,
}

/// Why a rule is not set otherwise.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OverrideError {
    /// No dialect has the rule, or not the one that was named.
    #[error("the rule {0} is not in that dialect's table")]
    NoSuchRule(RuleId),
    /// A row does not take the toggle.
    #[error("on {dialect} the rule {rule} takes {}, and not {toggle}", words(*.dialect, *.rule))]
    NotTaken {
        /// The dialect that does not.
        dialect: Dialect,
        /// The rule.
        rule: RuleId,
        /// The toggle that was asked for.
        toggle: Toggle,
    },
}

fn words(dialect: Dialect, rule: RuleId) -> String {
    let row = dialect.row(rule);
    let taken = Toggle::ALL.into_iter().filter(|one| row.is_some_and(|row| row.allows(*one)));
    taken.map(Toggle::as_str).collect::<Vec<_>>().join(", ")
}

impl Overrides {
    pub(super) fn over(configured: Policy) -> Self {
        Self(Mutex::new(Standing { configured, overridden: Vec::new(), timer: None }))
    }

    pub(super) fn standing(&self) -> MutexGuard<'_, Standing> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Standing {
    /// Returns the policy in force.
    pub(super) fn policy(&self) -> Policy {
        let mut policy = self.configured.clone();
        for Overridden { set, .. } in &self.overridden {
            policy.override_rule(*set);
        }
        policy
    }

    /// Puts another configuration's policy in place of the present one.
    pub(super) fn configure(&mut self, policy: Policy) {
        for one in &mut self.overridden {
            if let Some(toggle) = policy.toggles.get(one.set.dialect, one.set.rule) {
                one.configured = toggle;
            }
        }
        self.configured = policy;
    }

    pub(super) fn overridden(&self) -> &[Overridden] {
        &self.overridden
    }

    /// Sets a rule otherwise, in one dialect or in each that has it, in place of what was set
    /// before. Returns what is set; nothing changes where it cannot be.
    pub(super) fn begin(
        &mut self,
        rule: RuleId,
        dialect: Option<Dialect>,
        toggle: Toggle,
        until: Timestamp,
    ) -> Result<Vec<Overridden>, OverrideError> {
        let toggles = &self.configured.toggles;
        let of = toggles.dialects().filter(|one| dialect.is_none_or(|only| only == *one));
        let of: Vec<_> = of.filter_map(|one| Some((one, one.row(rule)?))).collect();
        if of.is_empty() {
            return Err(OverrideError::NoSuchRule(rule));
        }
        if let Some((dialect, _)) = of.iter().find(|(_, row)| !row.allows(toggle)) {
            return Err(OverrideError::NotTaken { dialect: *dialect, rule, toggle });
        }
        let begun = of.iter().map(|(dialect, row)| Overridden {
            set: Override { dialect: *dialect, rule, toggle },
            configured: toggles.get(*dialect, rule).unwrap_or(row.default),
            until,
        });
        let begun: Vec<_> = begun.collect();
        let is_replaced = |one: &Overridden| {
            begun
                .iter()
                .any(|new| (new.set.dialect, new.set.rule) == (one.set.dialect, one.set.rule))
        };
        self.overridden.retain(|one| !is_replaced(one));
        self.overridden.extend(begun.iter().cloned());
        Ok(begun)
    }

    /// Has this task end them in time, in place of the one before.
    pub(super) fn timed_by(&mut self, timer: AbortHandle) {
        if let Some(before) = self.timer.replace(timer) {
            before.abort();
        }
    }

    /// Returns when the first of them ends.
    pub(super) fn first_end(&self) -> Option<Timestamp> {
        self.overridden.iter().map(|one| one.until).min()
    }

    /// Takes out those for which this is so, and returns them.
    pub(super) fn end(&mut self, ends: impl Fn(&Overridden) -> bool) -> Vec<Overridden> {
        let (ended, kept) = self.overridden.drain(..).partition(ends);
        self.overridden = kept;
        ended
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialects;

    #[test]
    fn what_is_set_otherwise_is_shown_beside_what_the_configuration_says_now() {
        let mut policy = dialects::policy();
        let overrides = Overrides::over(policy.clone());
        let mut standing = overrides.standing();
        let (rule, dialect) = (RuleId::AmbiguousRequest, dialects::checkouts::CHECKOUT.dialect());
        standing.begin(rule, Some(dialect), Toggle::Monitor, Timestamp(9)).unwrap();
        policy.toggles.set(dialect, rule, Toggle::Off);
        standing.configure(policy);
        let [one] = standing.overridden() else { panic!("one") };
        assert_eq!((one.configured, one.set.toggle), (Toggle::Off, Toggle::Monitor));
        assert_eq!(standing.first_end(), Some(Timestamp(9)));
    }
}
