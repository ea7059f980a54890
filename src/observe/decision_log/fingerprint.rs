//! A short name of a policy: equal policies have equal names, in every process and on every day.

use crate::rules::{FreshFor, Policy, SourceType};
use std::{fmt::Write, sync::Arc};

/// The name of the policy seen last, because it seldom changes.
#[derive(Default)]
pub(super) struct Fingerprints(Option<(Arc<Policy>, String)>);

impl Fingerprints {
    pub(super) fn of(&mut self, policy: &Arc<Policy>) -> &str {
        let known = self.0.take().filter(|(known, _)| Arc::ptr_eq(known, policy));
        &self.0.insert(known.unwrap_or_else(|| (policy.clone(), fingerprint(policy)))).1
    }
}

/// Returns the hash (FNV-1a, 64 bits) of all that the rules look at, as 16 hexadecimal digits.
fn fingerprint(policy: &Policy) -> String {
    let hash = text(policy).bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    format!("{hash:016x}")
}

fn text(policy: &Policy) -> String {
    // An override is in the toggles.
    let Policy {
        mode,
        on_lookup_failure,
        look_ups,
        fresh_for,
        toggles,
        types,
        sequencing,
        overrides: _,
    } = policy;
    let fresh_for = match fresh_for {
        FreshFor::Within(limit) => limit.as_millis().to_string(),
        FreshFor::Forever => "forever".to_owned(),
    };
    let (window, defer) = (sequencing.window.as_millis(), sequencing.defer);
    let (mode, failure, look_ups) = (mode.as_str(), on_lookup_failure.as_str(), look_ups.as_str());
    let mut text = format!("{mode} {failure} {look_ups} {fresh_for} {window} {defer}\n");
    for (dialect, row, toggle) in toggles.rows() {
        let _ = writeln!(text, "{dialect} {} {toggle}", row.id);
    }
    let mut list = |name: &str, kinds: &[SourceType]| {
        let kinds: Vec<&str> = kinds.iter().map(SourceType::as_str).collect();
        let _ = writeln!(text, "{name}: {}", kinds.join(" "));
    };
    list("secondary", &types.secondary);
    list("savable", &types.savable);
    list("not savable", &types.not_savable);
    for (dialect, kinds) in &types.pairing {
        list(dialect.as_str(), kinds);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        dialects,
        rules::{Mode, RuleId, Toggle},
    };
    use std::time::Duration;

    #[test]
    fn a_policy_is_named_by_what_it_says() {
        let policy = dialects::policy();
        let name = fingerprint(&policy);
        assert_eq!(name, fingerprint(&policy.clone()));
        let changes: [fn(&mut Policy); 5] = [
            |policy| policy.mode = Mode::Monitor,
            |policy| policy.fresh_for = FreshFor::Within(Duration::from_secs(3)),
            |policy| policy.set(RuleId::SpentSource, Toggle::Off),
            |policy| policy.types.pairing[0].1.clear(),
            |policy| policy.sequencing.defer = true,
        ];
        for change in changes {
            let mut other = policy.clone();
            change(&mut other);
            assert_ne!(fingerprint(&other), name, "{other:?}");
        }
    }
}
