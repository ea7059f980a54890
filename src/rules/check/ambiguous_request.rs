//! A governed call that two parsers could read differently.

use crate::rules::{
    Finding,
    known::{Judged, View},
};

/// Returns no finding, because such a call is refused while it is read, before there is an intent
/// ([`Violation::ambiguous`](crate::rules::Violation::ambiguous)). Its row gives it a place and a
/// toggle.
pub(super) fn ambiguous_request(_: &mut View<'_>) -> Judged<Option<Finding>> {
    Ok(None)
}
