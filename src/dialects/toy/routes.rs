//! Recognises the paths and methods of tabs and tokens.

use super::ruleset::TAB;
use crate::{
    dialects::{
        api::Operation,
        read::{escapes, path::PathWords, query::Parameters},
    },
    rules::{SessionKey, SourceId},
};

pub(super) const WORDS: PathWords = PathWords {
    all: &["tabs", "add", "pay", "tokens"],
    roots: &["tabs", "tokens"],
    sites: &[],
    governed: &["tabs", "tokens"],
    marks: &["tabs", "tokens"],
};

pub(super) const PARAMETERS: Parameters =
    Parameters { body_fields: &["tab", "token", "tokens"], id: None, method: None, inert: &[] };

/// A governed call.
pub(super) enum Route {
    /// Adds a token to the tab that the body names.
    Add,
    /// Pays the tab that the body names with the tokens that it lists.
    Pay,
    ReadTab(SessionKey),
    ReadToken(SourceId),
}

/// Returns a name for what a path is about, the same for all ids.
pub(super) fn resource_name(path: &[&str]) -> Option<&'static str> {
    match path {
        ["tabs", "add"] => Some("add"),
        ["tabs", "pay"] => Some("pay"),
        ["tabs", _] => Some("tab"),
        ["tokens", _] => Some("token"),
        _ => None,
    }
}

/// Returns which call this is; `None` where no rule has anything to say.
pub(super) fn route(operation: Operation<'_>) -> Option<Route> {
    match (operation.method.as_str(), operation.path) {
        ("POST", ["tabs", "add"]) => Some(Route::Add),
        ("POST", ["tabs", "pay"]) => Some(Route::Pay),
        ("GET", ["tabs", id]) => Some(Route::ReadTab(SessionKey::new(TAB, &*escapes::id(id)))),
        ("GET", ["tokens", id]) => Some(Route::ReadToken(SourceId::from(&*escapes::id(id)))),
        _ => None,
    }
}
