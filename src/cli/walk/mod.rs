//! The walk-through of `weir dev`: shell lines that work when pasted, and say what will be seen
//! under the policy in force.
//!
//! In: addresses and a policy. Out: lines for any shell. A line of the templates that begins with
//! toggles and `>` is for those toggles of its template's rule. Headings are `echo`s, not comments,
//! which an interactive zsh does not take.

use crate::{
    dialects,
    rules::{Dialect, Policy, RemedyKind, Toggle},
};
use std::net::SocketAddr;

/// One for each dialect, in their order.
const TEMPLATES: [&str; 2] = [include_str!("checkouts.sh"), include_str!("carts.sh")];

/// Writes the lines, in order.
pub(super) fn lines(policy: &Policy, weir: SocketAddr, emulator: SocketAddr) -> Vec<String> {
    let written = |line: &str| {
        line.replace("{weir}", &weir.to_string()).replace("{emulator}", &emulator.to_string())
    };
    dialects::ALL
        .into_iter()
        .zip(TEMPLATES)
        .flat_map(|(dialect, template)| {
            let toggle = acts_as(policy, dialect);
            template.lines().filter_map(move |line| line_for(line, toggle))
        })
        .map(written)
        .collect()
}

/// Returns what the rule does that the dialect's template is about.
fn acts_as(policy: &Policy, dialect: Dialect) -> Toggle {
    let rule = dialect.semantics().waits_under;
    let waits = dialect.row(rule).is_some_and(|row| row.remedy == Some(RemedyKind::Wait));
    match policy.toggle(dialect, rule) {
        // Without `defer`, the card is sent at once and credit that comes after it is refused.
        Toggle::Reorder if waits && !policy.sequencing.defer => Toggle::Reject,
        toggle => toggle,
    }
}

/// Returns the line, if it is for this toggle.
fn line_for(line: &str, toggle: Toggle) -> Option<&str> {
    match line.split_once("> ") {
        Some((toggles, rest)) if toggles.split(',').all(is_toggle) => {
            toggles.split(',').any(|name| name == toggle.as_str()).then_some(rest)
        }
        _ => Some(line),
    }
}

fn is_toggle(name: &str) -> bool {
    name.parse::<Toggle>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::RuleId;

    const ANY: SocketAddr =
        SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 4711);

    #[test]
    fn a_line_is_for_the_toggles_before_it() {
        for (line, toggle, expected) in [
            ("echo a", Toggle::Off, Some("echo a")),
            ("reject> echo a > b", Toggle::Reject, Some("echo a > b")),
            ("reject> echo a", Toggle::Monitor, None),
            ("monitor,off> echo a", Toggle::Off, Some("echo a")),
            ("echo a > b", Toggle::Off, Some("echo a > b")),
        ] {
            assert_eq!(line_for(line, toggle), expected, "{line} {toggle}");
        }
    }

    #[test]
    fn every_toggle_has_a_walk_with_no_mark_left_in_it() {
        for toggle in [Toggle::Reject, Toggle::Reorder, Toggle::Monitor, Toggle::Off] {
            let mut policy = dialects::policy();
            policy.set(RuleId::PrimaryBeforeSecondary, toggle);
            let lines = lines(&policy, ANY, ANY);
            assert!(lines.iter().any(|line| line.contains("/submit-cart")), "{toggle}");
            assert!(
                lines.iter().all(|line| !line.contains('{') || !line.contains("{weir}")),
                "{toggle}"
            );
            assert!(lines.iter().all(|line| !line.trim_start().starts_with('#')), "{toggle}");
        }
    }
}
