//! The table of all toggles.

use super::{Dialect, Row, RuleId, Toggle};
use std::fmt;

/// The toggle of every rule of every dialect, in the order of the tables. It does not include the
/// mode over all rules.
#[derive(Clone, PartialEq, Eq)]
pub struct Toggles(Vec<Table>);

#[derive(Clone, PartialEq, Eq)]
struct Table {
    dialect: Dialect,
    /// One toggle for each of the dialect's rows.
    toggles: Vec<Toggle>,
}

impl Table {
    fn rows(&self) -> impl Iterator<Item = (&'static Row, Toggle)> {
        self.dialect.rows().iter().zip(self.toggles.iter().copied())
    }
}

impl Toggles {
    /// Makes the table of these dialects' defaults.
    pub fn new(dialects: &[Dialect]) -> Self {
        let defaults = |dialect: &Dialect| Table {
            dialect: *dialect,
            toggles: dialect.rows().iter().map(|row| row.default).collect(),
        };
        Self(dialects.iter().map(defaults).collect())
    }

    /// Returns the dialects, in the order of the tables.
    pub fn dialects(&self) -> impl Iterator<Item = Dialect> {
        self.0.iter().map(|table| table.dialect)
    }

    /// Returns every row of every table, with its toggle.
    pub fn rows(&self) -> impl Iterator<Item = (Dialect, &'static Row, Toggle)> {
        self.0
            .iter()
            .flat_map(|table| table.rows().map(|(row, toggle)| (table.dialect, row, toggle)))
    }

    /// Returns the rows whose toggle is not their default.
    pub fn changed(&self) -> impl Iterator<Item = ((Dialect, RuleId), Toggle)> {
        let changed = self.rows().filter(|(_, row, toggle)| row.default != *toggle);
        changed.map(|(dialect, row, toggle)| ((dialect, row.id), toggle))
    }

    /// Returns a rule's toggle in a dialect, or `None` if it is not in that table.
    pub fn get(&self, dialect: Dialect, rule: RuleId) -> Option<Toggle> {
        let table = self.0.iter().find(|table| table.dialect == dialect)?;
        table.rows().find(|(row, _)| row.id == rule).map(|(_, toggle)| toggle)
    }

    /// Sets a rule in one dialect. A toggle that its row does not allow leaves the default, because
    /// a toggle set for all dialects need not fit each: `second-primary = "reorder"` means nothing
    /// where upstream replaces the primary itself.
    pub fn set(&mut self, dialect: Dialect, rule: RuleId, toggle: Toggle) {
        for table in self.0.iter_mut().filter(|table| table.dialect == dialect) {
            for (row, set) in dialect.rows().iter().zip(&mut table.toggles) {
                if row.id == rule {
                    *set = if row.allows(toggle) { toggle } else { row.default };
                }
            }
        }
    }
}

impl fmt::Debug for Toggles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.changed()).finish()
    }
}
