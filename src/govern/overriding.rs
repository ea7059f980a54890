//! Lets an operator set a rule otherwise for a while: puts it in force, ends it in time, and tells
//! both in the log.

use super::{
    governor::Governor,
    overrides::{Overridden, OverrideError, Standing},
};
use crate::{
    rules::{Dialect, Mode, Policy, RuleId, Timestamp, Toggle},
    sessions::now,
};
use std::{sync::Arc, time::Duration};

impl Governor {
    /// Changes the configuration's policy. Calls under way finish under the old one. What an
    /// operator has set otherwise stays so.
    pub fn set_policy(&self, policy: Policy) {
        let mut standing = self.overrides.standing();
        standing.configure(policy);
        self.put_in_force(&standing);
    }

    /// Sets a rule otherwise for this long, in one dialect or in each that has it. Needs a runtime
    /// of tokio, which ends it in time.
    ///
    /// # Errors
    /// There is no such rule, or it does not take the toggle; nothing has changed then.
    pub fn override_rule(
        self: &Arc<Self>,
        rule: RuleId,
        dialect: Option<Dialect>,
        toggle: Toggle,
        lasting: Duration,
    ) -> Result<Vec<Overridden>, OverrideError> {
        let millis = u64::try_from(lasting.as_millis()).unwrap_or(u64::MAX);
        let until = Timestamp(now().0.saturating_add(millis));
        let mut standing = self.overrides.standing();
        let begun = standing.begin(rule, dialect, toggle, until)?;
        self.put_in_force(&standing);
        drop(standing);
        for Overridden { set, configured, .. } in &begun {
            let dialect = set.dialect;
            tracing::warn!(
                %rule, %dialect, %toggle, %configured, ?lasting,
                "an operator has set a rule otherwise for a while"
            );
        }
        let serials: Vec<u64> = begun.iter().map(|one| one.serial).collect();
        let governor = Arc::downgrade(self);
        tokio::spawn(async move {
            tokio::time::sleep(lasting).await;
            if let Some(governor) = governor.upgrade() {
                governor.end("its time is over", |one| serials.contains(&one.serial));
            }
        });
        Ok(begun)
    }

    /// Ends what an operator has set otherwise for a rule. Returns whether there was anything.
    pub fn end_override(&self, rule: RuleId) -> bool {
        self.end("an operator has ended it", |one| one.set.rule == rule)
    }

    /// Returns what an operator has set otherwise.
    pub fn overrides(&self) -> Vec<Overridden> {
        self.overrides.standing().overridden().to_vec()
    }

    fn end(&self, why: &str, ends: impl Fn(&Overridden) -> bool) -> bool {
        let mut standing = self.overrides.standing();
        let ended = standing.end(ends);
        if ended.is_empty() {
            return false;
        }
        self.put_in_force(&standing);
        drop(standing);
        for Overridden { set, configured, .. } in &ended {
            tracing::info!(
                rule = %set.rule, dialect = %set.dialect, toggle = %set.toggle, %configured, why,
                "a rule is again as the configuration says"
            );
        }
        true
    }

    /// Facts are no longer trusted if the old policy was off, because nothing was learned under it.
    fn put_in_force(&self, standing: &Standing) {
        if self.policy.swap(Arc::new(standing.policy())).mode == Mode::Off {
            self.note_unseen_change();
        }
    }
}
