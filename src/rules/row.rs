//! One line of a dialect's table of rules.

use super::{RuleId, Toggle};

/// One rule in one dialect's table: its place, its default, and the texts about it. Its check is
/// the same in every table.
pub struct Row {
    /// The rule's id.
    pub id: RuleId,
    /// The toggle that holds unless the policy sets another.
    pub default: Toggle,
    /// How a violation can be mended, if it can be.
    pub remedy: Option<RemedyKind>,
    /// What upstream does with a call that breaks the rule.
    pub upstream: Upstream,
    /// The text that says in one line what it means.
    pub meaning: &'static str,
    /// The text that says when it fires.
    pub fires: &'static str,
    /// The text that says what the caller gets.
    pub answer: &'static str,
    /// The text that says what to do instead.
    pub instead: &'static str,
    /// The address of the vendor's page about it.
    pub page: &'static str,
}

/// What upstream itself does with a call that breaks a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Upstream {
    /// It refuses the call.
    Refuses,
    /// It carries the call out, as the caller asked.
    Accepts,
    /// It carries the call out, and what the caller meant is lost.
    Loses,
}

impl Upstream {
    /// Returns the word that `weir rules` shows.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Refuses => "refuses",
            Self::Accepts => "accepts",
            Self::Loses => "loses",
        }
    }
}

/// How a violation is mended instead of refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RemedyKind {
    /// The first attach of a single-use primary waits for secondaries. A secondary that comes later
    /// is refused.
    Wait,
    /// The primary is detached, the call made, and the primary attached again.
    Repair,
    /// The primary is detached, and the call made.
    Replace,
    /// The primary is detached and attached again, and the call made.
    Resequence,
    /// The offending member is removed from the body.
    Strip,
}

impl Row {
    /// Returns the toggle that mends instead of refusing, if there is one.
    pub fn remedy_toggle(&self) -> Option<Toggle> {
        self.remedy.map(|remedy| match remedy {
            RemedyKind::Wait
            | RemedyKind::Repair
            | RemedyKind::Replace
            | RemedyKind::Resequence => Toggle::Reorder,
            RemedyKind::Strip => Toggle::Strip,
        })
    }

    /// Returns whether the policy may set this rule to `toggle`.
    pub fn allows(&self, toggle: Toggle) -> bool {
        matches!(toggle, Toggle::Reject | Toggle::Monitor | Toggle::Off)
            || self.remedy_toggle() == Some(toggle)
    }
}
