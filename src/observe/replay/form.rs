//! How the parts of a recorded call are written: ages, statements, and members that are left out.

use super::error::ReplayError;
use crate::rules::{Dialect, Fact, Policy, SessionKind, Stated, Timestamp};
use serde::{Deserialize, Serialize};

/// A fact's value, and how many milliseconds before the judgement upstream stated it; none where it
/// is not known. An age below zero comes from another clock.
pub(crate) type Dated<T> = Option<(T, i64)>;

/// What upstream stated; none where it stated nothing.
pub(crate) type Told<T> = Option<Statement<T>>;

/// A value, or that it could not be read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Statement<T> {
    Unread,
    Is(T),
}

/// Declares a struct whose members are left out where they have their default.
macro_rules! form {
    ($(#[doc = $doc:literal])+ $name:ident { $($field:ident: $type:ty,)+ }) => {
        $(#[doc = $doc])+
        #[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
        #[serde(default, deny_unknown_fields)]
        pub(crate) struct $name {
            $(
                #[serde(skip_serializing_if = "crate::observe::replay::form::is_default")]
                pub(super) $field: $type,
            )+
        }
    };
}
pub(super) use form;

pub(super) fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// The moment of a judgement, from which ages are counted.
#[derive(Clone, Copy)]
pub(super) struct Now(pub Timestamp);

impl Now {
    pub(super) fn age(self, at: Timestamp) -> i64 {
        self.0.0.wrapping_sub(at.0).cast_signed()
    }

    pub(super) fn at(self, age: i64) -> Timestamp {
        Timestamp(self.0.0.wrapping_sub(age.cast_unsigned()))
    }

    pub(super) fn dated<T, U>(self, fact: &Fact<T>, form: impl FnOnce(&T) -> U) -> Dated<U> {
        match fact {
            Fact::Known(value, at) => Some((form(value), self.age(*at))),
            Fact::Unknown => None,
        }
    }

    pub(super) fn fact<T, U>(self, dated: Dated<U>, value: impl FnOnce(U) -> T) -> Fact<T> {
        match dated {
            Some((form, age)) => Fact::Known(value(form), self.at(age)),
            None => Fact::Unknown,
        }
    }
}

pub(super) fn told<T: Clone>(stated: &Stated<T>) -> Told<T> {
    match stated {
        Stated::Unstated => None,
        Stated::Unread => Some(Statement::Unread),
        Stated::Stated(value) => Some(Statement::Is(value.clone())),
    }
}

pub(super) fn stated<T>(told: Told<T>) -> Stated<T> {
    match told {
        None => Stated::Unstated,
        Some(Statement::Unread) => Stated::Unread,
        Some(Statement::Is(value)) => Stated::Stated(value),
    }
}

/// The dialects and kinds of sessions that a policy knows, by their names.
pub(super) struct Names<'a>(pub &'a Policy);

impl Names<'_> {
    pub(super) fn dialect(&self, name: &str) -> Result<Dialect, ReplayError> {
        let found = self.0.toggles.dialects().find(|dialect| dialect.as_str() == name);
        found.ok_or_else(|| ReplayError::Name(name.to_owned()))
    }

    pub(super) fn kind(&self, name: &str) -> Result<SessionKind, ReplayError> {
        let kinds = self.0.toggles.dialects().flat_map(Dialect::kinds);
        let found = kinds.copied().find(|kind| kind.as_str() == name);
        found.ok_or_else(|| ReplayError::Name(name.to_owned()))
    }
}
