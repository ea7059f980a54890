//! Counts decisions: rules broken, rules not judged, members not read, and reasons.

use super::decision::{Decided, Decision};
use crate::{
    metrics::{Governed, Metrics},
    rules::RuleId,
};
use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// How many members are counted by name; the rest is counted together.
const NAMED: usize = 100;

/// The name under which the rest is counted.
const OTHERS: &str = "others";

/// How often the log names one member.
const LOG_EVERY: Duration = Duration::from_secs(60);

/// Counts a decision in the metrics.
pub(super) fn count(metrics: &Metrics, decision: &Decision) {
    let (dialect, became) = (decision.dialect.as_str(), decision.decision.as_str());
    metrics.governed(&Governed {
        dialect,
        call: decision.call,
        decision: became,
        status: decision.status,
        own: Duration::from_micros(decision.weir_us),
        upstream: Duration::from_micros(decision.upstream_us),
    });
    for unjudged in &decision.unjudged {
        metrics.unjudged(dialect, unjudged.rule.as_str());
    }
    if let Some(reason) = decision.reason {
        metrics.own_answer(reason);
    }
    let Some(rule) = decision.rule else { return };
    metrics.rule(dialect, rule.as_str(), became);
    let prevents = matches!(decision.decision, Decided::Rejected | Decided::Reordered);
    if rule == RuleId::LostCredit && prevents {
        metrics.lost_credit_prevented(became);
    }
}

/// Counts since the start.
#[derive(Default)]
pub struct Counts(Mutex<Inner>);

#[derive(Default)]
struct Inner {
    rules: BTreeMap<RuleId, BTreeMap<&'static str, u64>>,
    unjudged: BTreeMap<RuleId, u64>,
    unread: BTreeMap<String, Unread>,
    reasons: BTreeMap<&'static str, u64>,
}

struct Unread {
    count: u64,
    logged: Instant,
}

impl Counts {
    /// Counts a decision. Returns the members that could not be read and that the log is to name
    /// now.
    pub(super) fn add(&self, decision: &Decision, now: Instant) -> Vec<String> {
        let is_plain = decision.unjudged.is_empty() && decision.unread.is_empty();
        if is_plain && decision.reason.is_none() && decision.rule.is_none() {
            return Vec::new();
        }
        let mut counts = self.inner();
        for unjudged in &decision.unjudged {
            *counts.unjudged.entry(unjudged.rule).or_default() += 1;
        }
        if let Some(rule) = decision.rule {
            let became = counts.rules.entry(rule).or_default();
            *became.entry(decision.decision.as_str()).or_default() += 1;
        }
        if let Some(reason) = decision.reason {
            *counts.reasons.entry(reason).or_default() += 1;
        }
        let mut to_log = Vec::new();
        for member in &decision.unread {
            if counts.add_unread(member, now) {
                to_log.push(member.clone());
            }
        }
        to_log
    }

    /// Returns, by rule and then by decision, how many calls broke the rule.
    pub fn rules(&self) -> BTreeMap<&'static str, BTreeMap<&'static str, u64>> {
        self.inner().rules.iter().map(|(rule, became)| (rule.as_str(), became.clone())).collect()
    }

    /// Returns, by rule, how many calls went on although the rule could not be judged.
    pub fn unjudged(&self) -> BTreeMap<&'static str, u64> {
        self.inner().unjudged.iter().map(|(rule, count)| (rule.as_str(), *count)).collect()
    }

    /// Returns how often each member of upstream's answers could not be read.
    pub fn unread(&self) -> BTreeMap<String, u64> {
        let inner = self.inner();
        inner.unread.iter().map(|(member, unread)| (member.clone(), unread.count)).collect()
    }

    /// Returns, by reason, how many calls got an answer of Weir's own that is no rule's, or a
    /// repair that did not succeed.
    pub fn reasons(&self) -> BTreeMap<&'static str, u64> {
        self.inner().reasons.clone()
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// Counts a member. Returns whether the log is to name it now.
    fn add_unread(&mut self, member: &str, now: Instant) -> bool {
        let has_room = self.unread.len() < NAMED;
        let name = match self.unread.contains_key(member) || has_room {
            true => member,
            false => OTHERS,
        };
        match self.unread.get_mut(name) {
            Some(known) => {
                known.count += 1;
                let is_due = now.saturating_duration_since(known.logged) >= LOG_EVERY;
                if is_due {
                    known.logged = now;
                }
                is_due
            }
            None => {
                self.unread.insert(name.to_owned(), Unread { count: 1, logged: now });
                true
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_is_logged_once_a_minute_and_counted_each_time() {
        let (mut counts, start) = (Inner::default(), Instant::now());
        for (seconds, is_logged) in [(0, true), (1, false), (59, false), (60, true), (119, false)] {
            let now = start + Duration::from_secs(seconds);
            assert_eq!(counts.add_unread("total: a text", now), is_logged, "{seconds}");
        }
        assert!(counts.add_unread("total: a list", start));
        assert_eq!(counts.unread["total: a text"].count, 5);
    }

    #[test]
    fn members_without_end_are_counted_together() {
        let (mut counts, now) = (Inner::default(), Instant::now());
        for nth in 0..NAMED + 50 {
            counts.add_unread(&format!("m{nth}: a number"), now);
        }
        assert_eq!(counts.unread.len(), NAMED + 1);
        assert_eq!(counts.unread[OTHERS].count, 50);
    }
}
