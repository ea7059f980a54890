//! One line of a dialect's table of rules.

use super::{RuleId, Toggle};

/// One rule in one dialect's table: its place, its default, and the vendor's words about it. The
/// check that finds it broken is the rule's own, the same in every table.
pub struct Row {
    /// Its id.
    pub id: RuleId,
    /// What it does unless the policy says otherwise.
    pub default: Toggle,
    /// How a broken order is put right, where it can be.
    pub mend: Option<Mend>,
    /// One line.
    pub meaning: &'static str,
    /// When it fires.
    pub fires: &'static str,
    /// What the caller gets.
    pub answer: &'static str,
    /// What to do instead.
    pub instead: &'static str,
    /// Where the vendor says so.
    pub page: &'static str,
}

/// How a broken rule is put right instead of refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mend {
    /// The first attach of a single-use primary waits for secondaries; once it is too late, nothing
    /// helps.
    Wait,
    /// The primary is detached, the call made, and the primary attached again.
    Repair,
    /// The primary is detached, and the call made.
    Replace,
    /// The offending member is taken out of the body.
    Strip,
}

impl Row {
    /// Returns the toggle that mends instead of refusing, where there is one.
    pub fn remedy(&self) -> Option<Toggle> {
        self.mend.map(|mend| match mend {
            Mend::Wait | Mend::Repair | Mend::Replace => Toggle::Reorder,
            Mend::Strip => Toggle::Strip,
        })
    }

    /// Returns whether the policy may set this rule to `toggle`.
    pub fn allows(&self, toggle: Toggle) -> bool {
        matches!(toggle, Toggle::Reject | Toggle::Monitor | Toggle::Off)
            || self.remedy() == Some(toggle)
    }
}
