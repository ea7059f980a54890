//! Names of things, each its own type so that one cannot be taken for another.

use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(#[serde(with = "super::compact")] Box<str>);

        impl $name {
            /// The id as upstream spells it.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl From<&str> for $name {
            fn from(id: &str) -> Self {
                Self(id.into())
            }
        }

        impl From<String> for $name {
            fn from(id: String) -> Self {
                Self(id.into())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:?}", &*self.0)
            }
        }
    };
}

id! {
    /// The id of a payment source (`sourceId`).
    SourceId
}
id! {
    /// The id of a checkout, an invoice or a cart.
    SessionId
}
id! {
    /// The id of a customer of the checkouts dialect.
    CustomerId
}
id! {
    /// The id of one saved payment option of a shopper (carts dialect).
    OptionId
}

/// The error of a text that names none of a closed set of things.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no such {0}")]
pub struct UnknownName(&'static str);

impl UnknownName {
    /// Finds the value of that name among `all`; `what` says in the error what they are.
    pub(super) fn find<T: Copy>(
        all: impl IntoIterator<Item = T>,
        name_of: fn(T) -> &'static str,
        name: &str,
        what: &'static str,
    ) -> Result<T, Self> {
        all.into_iter().find(|value| name_of(*value) == name).ok_or(Self(what))
    }
}

/// One upstream API's wire form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Dialect {
    /// Digital River API: checkouts, invoices, customers, orders.
    Checkouts,
    /// Commerce API: shoppers/me, carts.
    Carts,
}

impl Dialect {
    /// Both, in the order of the tables.
    pub const ALL: [Dialect; 2] = [Dialect::Checkouts, Dialect::Carts];

    /// The name used in configuration, paths of the admin API and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Dialect::Checkouts => "checkouts",
            Dialect::Carts => "carts",
        }
    }
}

impl fmt::Display for Dialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Dialect {
    type Err = UnknownName;

    fn from_str(name: &str) -> Result<Self, UnknownName> {
        UnknownName::find(Self::ALL, Self::as_str, name, "dialect")
    }
}

/// What a payment session funds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SessionKind {
    /// A checkout (checkouts dialect).
    Checkout,
    /// An invoice (checkouts dialect); it follows the rules of a checkout.
    Invoice,
    /// A shopper's cart (carts dialect).
    Cart,
}

impl SessionKind {
    /// All, those of one dialect together.
    pub const ALL: [Self; 3] = [Self::Checkout, Self::Invoice, Self::Cart];

    /// The wire form that speaks of this kind.
    pub fn dialect(self) -> Dialect {
        match self {
            SessionKind::Checkout | SessionKind::Invoice => Dialect::Checkouts,
            SessionKind::Cart => Dialect::Carts,
        }
    }

    /// The name used in logs and by the admin API.
    pub fn as_str(self) -> &'static str {
        match self {
            SessionKind::Checkout => "checkout",
            SessionKind::Invoice => "invoice",
            SessionKind::Cart => "cart",
        }
    }
}

impl FromStr for SessionKind {
    type Err = UnknownName;

    fn from_str(name: &str) -> Result<Self, UnknownName> {
        UnknownName::find(Self::ALL, Self::as_str, name, "kind of session")
    }
}

/// The name of one session: what it funds, and that thing's id.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SessionKey {
    /// Checkout, invoice or cart.
    pub kind: SessionKind,
    /// Its id upstream.
    pub id: SessionId,
}

impl SessionKey {
    /// Puts the two together.
    pub fn new(kind: SessionKind, id: impl Into<SessionId>) -> Self {
        Self { kind, id: id.into() }
    }
}

impl fmt::Display for SessionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind.as_str(), self.id)
    }
}

/// A keyed hash of a caller's credential. The credential itself is never kept.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct CredentialHash(pub [u8; 16]);

impl fmt::Debug for CredentialHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CredentialHash(..)")
    }
}

/// Milliseconds since the Unix epoch. Time is an argument here, never read.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Timestamp(pub u64);

impl Timestamp {
    /// Milliseconds from `earlier` to `self`; 0 when the clock went back.
    pub fn since(self, earlier: Timestamp) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}
