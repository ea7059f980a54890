//! A governed call that two parsers could read differently.

use crate::rules::{
    Finding,
    known::{Fact, View},
};

/// Never fires: such a call is found before there is an intent, while it is read
/// ([`Violation::ambiguous`](crate::rules::Violation::ambiguous)). The row gives it its place and
/// its toggle.
pub(super) fn ambiguous_request(_: &mut View<'_>) -> Fact<Option<Finding>> {
    Ok(None)
}
