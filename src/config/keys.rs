//! Walking the configuration key by key.
//!
//! Every table of the configuration can be walked by a [`Visitor`], and that walk is the only list
//! of keys there is: reading a file, applying flags and the environment, writing the schema and
//! showing the effective values are four visitors over it, so they cannot disagree.

use super::form::Form;

/// Visits every key, in the order in which the file is documented.
pub(super) trait Visitor: Sized {
    /// Visits the table `name`; `inside` walks its keys.
    fn table(&mut self, name: &'static str, doc: &'static str, inside: impl FnOnce(&mut Self));

    /// Visits the key `name`; the visitor may read or replace its value.
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
    /// Shows its keys to a visitor.
    fn visit<V: Visitor>(&mut self, visitor: &mut V);
}

/// Where a walk is.
#[derive(Debug, Default)]
pub(super) struct Path(Vec<&'static str>);

impl Path {
    pub(super) fn enter(&mut self, name: &'static str) {
        self.0.push(name);
    }

    pub(super) fn leave(&mut self) {
        self.0.pop();
    }

    /// Returns the table's path, such as `policy.rules`; empty at the top.
    pub(super) fn table(&self) -> String {
        self.0.join(".")
    }

    /// Returns the path of a key of this table, such as `policy.mode`.
    pub(super) fn key(&self, name: &str) -> String {
        match self.0.is_empty() {
            true => name.to_owned(),
            false => format!("{}.{name}", self.table()),
        }
    }
}
