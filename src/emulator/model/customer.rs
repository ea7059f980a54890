//! A customer of a merchant.

use super::doc::Doc;

#[derive(Clone, Debug)]
pub(crate) struct Customer {
    pub(crate) id: String,
    pub(crate) created: String,
    /// Members that are stored and shown as they were sent.
    pub(crate) kept: Doc,
    /// Saved sources, in the order in which they were saved.
    pub(crate) sources: Vec<String>,
    pub(crate) default: Option<String>,
    /// Whether orders can be made for it.
    pub(crate) enabled: bool,
}

impl Customer {
    pub(crate) fn has_saved(&self, source: &str) -> bool {
        self.sources.iter().any(|saved| saved == source)
    }
}
