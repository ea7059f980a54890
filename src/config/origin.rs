//! Which source a value came from.

use super::problem::Place;
use crate::rules::Policy;
use std::{collections::BTreeMap, fmt, path::PathBuf};

/// Which source a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// A line of the file.
    File {
        /// Which file.
        file: PathBuf,
        /// From 1.
        line: usize,
    },
    /// An environment variable.
    Variable(String),
    /// A flag.
    Flag(String),
    /// The subcommand itself.
    Command(&'static str),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::File { file, line } => write!(f, "{}:{line}", file.display()),
            Origin::Variable(name) | Origin::Flag(name) => f.write_str(name),
            Origin::Command(name) => f.write_str(name),
        }
    }
}

/// Origins by the path of the key. A key that is missing has its built-in value.
pub(super) type Origins = BTreeMap<String, Origin>;

/// Turns the places of the keys that were read into origins.
pub(super) fn origins(places: BTreeMap<String, Place>, policy: &Policy) -> Origins {
    let origin = |place| match place {
        Place::Spot { file, line, .. } => Some(Origin::File { file, line }),
        Place::Variable(name) => Some(Origin::Variable(name)),
        Place::Flag(name) => Some(Origin::Flag(name)),
        Place::Nowhere | Place::File(_) => None,
    };
    let mut origins: Origins =
        places.into_iter().filter_map(|(key, place)| Some((key, origin(place)?))).collect();
    // A toggle for both dialects is in effect in each that has no toggle of its own.
    for (dialect, row, _) in policy.toggles.rows() {
        let id = row.id;
        if let Some(common) = origins.get(&format!("policy.rules.{id}")).cloned() {
            origins.entry(format!("policy.rules.{dialect}.{id}")).or_insert(common);
        }
    }
    origins
}
