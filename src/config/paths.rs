//! The paths of all keys and tables.

use super::{
    form::Form,
    keys::{Path, Section, Visitor},
    values::Config,
};

/// Every path, tables and keys alike, in the order of the walk.
#[derive(Debug, Default)]
pub(super) struct Paths {
    at: Path,
    /// Paths of keys.
    pub(super) keys: Vec<String>,
    /// Paths of tables.
    pub(super) tables: Vec<String>,
}

impl Paths {
    /// Walks a whole configuration.
    pub(super) fn of(config: &Config) -> Self {
        let mut paths = Self::default();
        config.clone().visit(&mut paths);
        paths
    }
}

impl Visitor for Paths {
    fn table(&mut self, name: &'static str, _: &'static str, inside: impl FnOnce(&mut Self)) {
        self.at.enter(name);
        self.tables.push(self.at.table());
        inside(self);
        self.at.leave();
    }

    fn key<F: Form>(&mut self, name: &'static str, _: &'static str, _: &F, _: &mut F::Value) {
        self.keys.push(self.at.key(name));
    }
}
