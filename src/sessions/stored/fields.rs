//! The fields that records have in common: dated facts, callers, amounts, currencies.

use super::{super::change::StoreError, text::Text};
use crate::rules::{Amount, CredentialHash, Currency, Fact, ShownTo, Stated, Timestamp};
use smallvec::SmallVec;

/// A fact, and how long before the latest one of its record it was learned.
pub(super) type Dated<T> = Option<(T, u64)>;

pub(super) type Callers = SmallVec<[[u8; 16]; 1]>;

/// The digits as one number, and how many of them come after the point.
pub(super) type Digits = (i128, u32);

pub(super) fn dated<'a, T, U>(
    fact: &'a Fact<T>,
    latest: Timestamp,
    form: impl FnOnce(&'a T) -> U,
) -> Dated<U> {
    match fact {
        Fact::Known(value, at) => Some((form(value), latest.since(*at))),
        Fact::Unknown => None,
    }
}

pub(super) fn remembered<T, U>(
    fact: Dated<U>,
    latest: Timestamp,
    value: impl FnOnce(U) -> Result<T, StoreError>,
) -> Result<Fact<T>, StoreError> {
    match fact {
        Some((form, before)) => {
            let at = ago(before, latest)?;
            Ok(Fact::Known(value(form)?, at))
        }
        None => Ok(Fact::Unknown),
    }
}

/// Returns the moment that is so long before the latest one.
pub(super) fn ago(before: u64, latest: Timestamp) -> Result<Timestamp, StoreError> {
    latest.0.checked_sub(before).map(Timestamp).ok_or(StoreError::Unreadable)
}

pub(super) fn stated<T, U>(
    form: Option<U>,
    value: impl FnOnce(U) -> Result<T, StoreError>,
) -> Result<Stated<T>, StoreError> {
    Ok(form.map(value).transpose()?.into())
}

pub(super) fn shown_to(callers: Callers) -> ShownTo {
    callers.into_iter().map(CredentialHash).collect()
}

pub(super) fn callers(shown_to: &ShownTo) -> Callers {
    shown_to.callers().iter().map(|caller| caller.0).collect()
}

pub(super) fn amount((digits, after_point): Digits) -> Result<Amount, StoreError> {
    Amount::from_parts(digits, after_point).ok_or(StoreError::Unreadable)
}

/// Reads the customer of a source or of a session.
pub(super) fn customer<T: for<'t> From<&'t str>>(
    form: Dated<Option<Text<'_>>>,
    latest: Timestamp,
) -> Result<Fact<Option<T>>, StoreError> {
    remembered(form, latest, |id| id.map(Text::name).transpose())
}

pub(super) fn letters(currency: &Currency) -> [u8; 3] {
    let mut letters = [0; 3];
    letters.iter_mut().zip(currency.as_str().bytes()).for_each(|(to, from)| *to = from);
    letters
}

pub(super) fn currency(letters: [u8; 3]) -> Result<Currency, StoreError> {
    let code = std::str::from_utf8(&letters).map_err(|_| StoreError::Unreadable)?;
    code.parse().map_err(|_| StoreError::Unreadable)
}
