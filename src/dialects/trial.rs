//! Makes reads of things that are not there, to see what a credential may read.
//!
//! They are the look-ups that Weir makes, with an id that nobody has. Who may read is told that
//! there is no such thing; who may not is told that.

use super::{api::Api, registry::Dialects};
use crate::rules::{Dialect, Intent, Lookup, SessionId, SessionKey, SourceId};
use http::{Uri, uri::PathAndQuery};

/// A read of something that is not there.
#[derive(Clone, Debug)]
pub(crate) struct Trial {
    /// What it asks for.
    pub path: PathAndQuery,
    /// What is read, with `{id}` in place of the id.
    pub what: String,
    /// The dialect that it belongs to.
    pub dialect: Dialect,
    /// Whether it is a look-up that Weir makes with its own key.
    pub is_own: bool,
    api: &'static Api,
}

impl Trial {
    /// Returns whether a body is an error in the vendor's form.
    pub(crate) fn is_error(&self, body: &[u8]) -> bool {
        (self.api.error_code)(body).is_some()
    }
}

impl Dialects {
    /// Returns the reads of each API, with this id: of sources, and of each kind of session.
    pub(crate) fn trials(&self, id: &str) -> Vec<Trial> {
        let caller = Uri::from_static("/");
        let source = SourceId::from(id);
        let intent = Intent::ReadSource { source: source.clone() };
        let mut trials = Vec::new();
        for api in self.apis() {
            let sessions = api.dialect.kinds().iter().map(|kind| {
                let key = SessionKey { kind: *kind, id: SessionId::from(id) };
                (false, (api.look_up)(&Lookup::Session, &intent, &caller, Some(&key)))
            });
            let of_source = (api.look_up)(&Lookup::Source(source.clone()), &intent, &caller, None);
            for (is_own, call) in std::iter::once((true, of_source)).chain(sessions) {
                let Some(call) = call else { continue };
                let what = format!("GET {}", call.path.path().replace(id, "{id}"));
                trials.push(Trial { path: call.path, what, dialect: api.dialect, is_own, api });
            }
        }
        trials
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_is_read_once_and_only_sources_with_the_own_key() {
        let trials = Dialects::built_in().trials("x1");
        let read: Vec<_> = trials.iter().map(|trial| (trial.what.as_str(), trial.is_own)).collect();
        assert_eq!(
            read,
            [
                ("GET /sources/{id}", true),
                ("GET /checkouts/{id}", false),
                ("GET /invoices/{id}", false),
                ("GET /v1/shoppers/me/carts/active", false),
            ]
        );
        let not_found = br#"{"type":"not_found","errors":[{"code":"not_found","message":"x"}]}"#;
        assert!(trials[0].is_error(not_found));
        assert!(!trials[0].is_error(b"<html>404</html>"));
        assert_eq!(trials[0].path, "/sources/x1");
    }
}
