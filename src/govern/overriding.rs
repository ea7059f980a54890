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
use std::{
    sync::{Arc, Weak},
    time::Duration,
};

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
        standing.timed_by(tokio::spawn(end_in_time(Arc::downgrade(self))).abort_handle());
        drop(standing);
        for Overridden { set, configured, .. } in &begun {
            let dialect = set.dialect;
            tracing::warn!(
                %rule, %dialect, %toggle, %configured, ?lasting,
                "an operator has set a rule otherwise for a while"
            );
        }
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

    /// Returns how long it is until the first of them ends.
    fn first_end(&self) -> Option<Duration> {
        let end = self.overrides.standing().first_end()?;
        Some(Duration::from_millis(end.since(now())))
    }

    /// Facts are no longer trusted if the old policy was off, because nothing was learned under it.
    fn put_in_force(&self, standing: &Standing) {
        if self.policy.swap(Arc::new(standing.policy())).mode == Mode::Off {
            self.note_unseen_change();
        }
    }
}

/// Ends each that is set otherwise when its time is over, until none is left.
async fn end_in_time(governor: Weak<Governor>) {
    while let Some(left) = governor.upgrade().and_then(|governor| governor.first_end()) {
        tokio::time::sleep(left).await;
        let Some(governor) = governor.upgrade() else { return };
        let over = now();
        governor.end("its time is over", |one| one.until <= over);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        dialects,
        govern::GovernSettings,
        sessions::{Sessions, Settings},
    };

    #[tokio::test]
    async fn one_task_ends_all_that_is_set_otherwise() {
        let sessions = Sessions::in_memory(Settings::default());
        let governor = Governor::new(dialects::policy(), sessions, GovernSettings::default());
        let set = |lasting| {
            let (rule, toggle) = (RuleId::AmbiguousRequest, Toggle::Monitor);
            governor.override_rule(rule, None, toggle, lasting).unwrap()
        };
        for _ in 0..50 {
            set(Duration::from_secs(3600));
            // A task that is told to end does so when it is polled.
            tokio::task::yield_now().await;
        }
        tokio::task::yield_now().await;
        let tasks = tokio::runtime::Handle::current().metrics().num_alive_tasks();
        assert!(tasks <= 2, "{tasks}");
        assert!(!governor.overrides().is_empty());
        set(Duration::from_millis(1));
        while !governor.overrides().is_empty() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}
