//! What many walks came to.

use std::{collections::BTreeMap, fmt, ops::AddAssign};

/// Counts, by name.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally(BTreeMap<(Section, String), u64>);

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Section {
    /// How much was done.
    Done,
    /// What Weir did with calls.
    Decided,
    /// What befell calls on the line.
    Struck,
    /// How often each invariant was looked at.
    Held,
    /// What a documented limit excuses.
    Excused,
}

impl Tally {
    pub(crate) fn add(&mut self, section: Section, name: impl Into<String>, count: u64) {
        *self.0.entry((section, name.into())).or_default() += count;
    }

    pub(crate) fn count(&mut self, section: Section, name: impl Into<String>) {
        self.add(section, name, 1);
    }

    pub(crate) fn of(&self, section: Section, name: &str) -> u64 {
        self.0.get(&(section, name.to_owned())).copied().unwrap_or_default()
    }
}

impl AddAssign<&Tally> for Tally {
    fn add_assign(&mut self, other: &Self) {
        for ((section, name), count) in &other.0 {
            self.add(*section, name.clone(), *count);
        }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut last = None;
        for ((section, name), count) in &self.0 {
            if last != Some(section) {
                writeln!(
                    f,
                    "  {}",
                    match section {
                        Section::Done => "done",
                        Section::Decided => "decided",
                        Section::Struck => "befell calls upstream",
                        Section::Held => "held",
                        Section::Excused => "excused by a limit of docs/limits.md",
                    }
                )?;
                last = Some(section);
            }
            writeln!(f, "    {count:>12}  {name}")?;
        }
        Ok(())
    }
}
