//! Walking the configuration key by key.
//!
//! Every table of the configuration can be walked by a [`Visitor`], and that walk is the only list
//! of keys there is: reading a file, applying flags and the environment, writing the schema and
//! showing the effective values are four visitors over it, so they cannot disagree.

use super::form::Form;

/// Something that meets every key, in the order in which the file is documented.
pub(super) trait Visitor: Sized {
    /// A table named `name`; `inside` walks its keys.
    fn table(&mut self, name: &'static str, doc: &'static str, inside: impl FnOnce(&mut Self));

    /// A key, how its value is written, and the value itself, which the visitor may read or
    /// replace.
    fn key<F: Form>(
        &mut self,
        name: &'static str,
        doc: &'static str,
        form: &F,
        value: &mut F::Value,
    );
}

/// A table of the configuration.
pub(super) trait Section {
    /// Meets its keys.
    fn visit<V: Visitor>(&mut self, visitor: &mut V);
}

/// Follows the walk and knows where it is.
#[derive(Debug, Default)]
pub(super) struct Path(Vec<&'static str>);

impl Path {
    pub(super) fn enter(&mut self, name: &'static str) {
        self.0.push(name);
    }

    pub(super) fn leave(&mut self) {
        self.0.pop();
    }

    /// `policy.rules`, or the empty text at the top.
    pub(super) fn table(&self) -> String {
        self.0.join(".")
    }

    /// `policy.rules.carts.spent-source`.
    pub(super) fn key(&self, name: &str) -> String {
        match self.0.is_empty() {
            true => name.to_owned(),
            false => format!("{}.{name}", self.table()),
        }
    }
}

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
    /// All that a configuration has.
    pub(super) fn of(config: &super::Config) -> Self {
        let mut paths = Paths::default();
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
