//! A vendor API as the rules see it, and its kinds of sessions. `dialects` makes the values, and
//! the rules do not know which there are.

use super::{Row, RuleId, Semantics};
use serde::{Serialize, Serializer};
use std::{cmp::Ordering, fmt, hash};

/// One vendor API. Compared, ordered and shown by its name.
#[derive(Clone, Copy)]
pub struct Dialect(&'static Ruleset);

/// The rules' description of one vendor API.
pub struct Ruleset {
    /// The name used in configuration, paths of the admin API and logs.
    pub name: &'static str,
    /// Returns its kinds of sessions, in the order of their numbers. It is a function because kinds
    /// name their dialect.
    pub kinds: fn() -> &'static [SessionKind],
    /// Its table of rules, in the order of preference.
    pub rows: &'static [Row],
    /// The default types of primaries with which a secondary can be combined.
    pub pairing: &'static [&'static str],
    /// Its own keys of the configuration.
    pub keys: Keys,
    /// Its treatment of sources.
    pub semantics: Semantics,
}

/// The texts about a dialect's own keys in the configuration.
pub struct Keys {
    /// The text about its own table of toggles.
    pub toggles: &'static str,
    /// The name of its list of primaries with which a secondary can be combined, and the text
    /// about it.
    pub pairing: (&'static str, &'static str),
}

impl Dialect {
    /// Makes the dialect of a ruleset.
    pub const fn new(ruleset: &'static Ruleset) -> Self {
        Self(ruleset)
    }

    /// Returns the name used in configuration, paths of the admin API and logs.
    pub fn as_str(self) -> &'static str {
        self.0.name
    }

    /// Returns its kinds of sessions, in the order of their numbers.
    pub fn kinds(self) -> &'static [SessionKind] {
        (self.0.kinds)()
    }

    /// Returns its table of rules, in the order of preference.
    pub fn rows(self) -> &'static [Row] {
        self.0.rows
    }

    /// Returns the row of a rule, if it is in the table.
    pub fn row(self, rule: RuleId) -> Option<&'static Row> {
        self.rows().iter().find(|row| row.id == rule)
    }

    /// Returns the default types of primaries with which a secondary can be combined.
    pub fn pairing(self) -> &'static [&'static str] {
        self.0.pairing
    }

    /// Returns its own keys of the configuration.
    pub fn keys(self) -> &'static Keys {
        &self.0.keys
    }

    /// Returns its treatment of sources.
    pub fn semantics(self) -> &'static Semantics {
        &self.0.semantics
    }
}

/// One kind of payment session of one dialect. Compared and ordered by its number.
#[derive(Clone, Copy)]
pub struct SessionKind(&'static KindSpec);

/// The description of a kind of session.
pub struct KindSpec {
    /// The name used in logs and by the admin API.
    pub name: &'static str,
    /// The number that stored keys hold. No two kinds share one.
    pub number: u8,
    /// The dialect that has this kind.
    pub dialect: Dialect,
    /// Whether calls name it as the active one of the caller's credential, not by its id.
    pub active: bool,
    /// Whether it has billing optimization.
    pub billing: bool,
}

impl SessionKind {
    /// Makes the kind of this description.
    pub const fn new(spec: &'static KindSpec) -> Self {
        Self(spec)
    }

    /// Returns the name used in logs and by the admin API.
    pub fn as_str(self) -> &'static str {
        self.0.name
    }

    /// Returns the number that stored keys hold.
    pub fn number(self) -> u8 {
        self.0.number
    }

    /// Returns the dialect that has this kind.
    pub fn dialect(self) -> Dialect {
        self.0.dialect
    }

    /// Returns whether it has billing optimization.
    pub fn has_billing(self) -> bool {
        self.0.billing
    }

    /// Returns whether calls name it as the active one of the caller's credential, not by its id.
    pub fn is_active(self) -> bool {
        self.0.active
    }
}

macro_rules! by {
    ($type:ident, $key:ident) => {
        impl PartialEq for $type {
            fn eq(&self, other: &Self) -> bool {
                self.$key() == other.$key()
            }
        }

        impl Eq for $type {}

        impl PartialOrd for $type {
            fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
                Some(self.cmp(other))
            }
        }

        impl Ord for $type {
            fn cmp(&self, other: &Self) -> Ordering {
                self.$key().cmp(&other.$key())
            }
        }

        impl hash::Hash for $type {
            fn hash<H: hash::Hasher>(&self, state: &mut H) {
                self.$key().hash(state);
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }
    };
}

by!(Dialect, as_str);
by!(SessionKind, number);
