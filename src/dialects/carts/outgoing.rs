//! Makes Weir's own calls on the active cart and the payment options.

use super::{routes::PARAMETERS, ruleset::ACTIVE};
use crate::{
    dialects::{
        outgoing::{Outgoing, with_query},
        read::query,
    },
    rules::{Intent, Lookup, SessionKey, SourceId},
};
use bytes::Bytes;
use http::{Method, Uri, uri::PathAndQuery};
use serde::Serialize;

/// Makes the `GET` that looks something up. It has the media type that the caller asks for, because
/// upstream's answer to a look-up may become the caller's. `fields` is never carried over, since a
/// look-up must show the whole thing.
pub(super) fn look_up(
    lookup: &Lookup,
    _: &Intent,
    caller: &Uri,
    _: Option<&SessionKey>,
) -> Option<Outgoing> {
    let (of, read) = match lookup {
        Lookup::Session => ("carts/active", Intent::ReadSession { session: ACTIVE }),
        Lookup::PaymentOptions => ("payment-options", Intent::ReadOptions),
        Lookup::Source(_) | Lookup::Customer => return None,
    };
    let keep = |name: &str| query::is_credential(name) || name == "format";
    Some(Outgoing::bare(Method::GET, path(of, caller, keep, "expand=all")?, read))
}

/// Makes the call that attaches a source.
pub(super) fn attach(_: &SessionKey, source: &SourceId, caller: &Uri) -> Option<Outgoing> {
    let intent = Intent::Attach { session: ACTIVE, source: source.clone() };
    step(Method::POST, source, caller, intent)
}

/// Makes the call that detaches a source.
pub(super) fn detach(_: &SessionKey, source: &SourceId, caller: &Uri) -> Option<Outgoing> {
    let intent = Intent::Detach { session: ACTIVE, source: Some(source.clone()) };
    step(Method::DELETE, source, caller, intent)
}

fn step(method: Method, source: &SourceId, caller: &Uri, intent: Intent) -> Option<Outgoing> {
    let path = path("carts/active/apply-payment-method", caller, is_harmless, "")?;
    let content_type = Some("application/json");
    Some(Outgoing { method, path, body: source_body(source), content_type, intent })
}

/// Returns whether a parameter may stand in a call that Weir makes in the caller's place.
fn is_harmless(name: &str) -> bool {
    PARAMETERS.inert.contains(&name) || name == "locale"
}

fn path(of: &str, caller: &Uri, keep: impl Fn(&str) -> bool, more: &str) -> Option<PathAndQuery> {
    with_query(format!("/v1/shoppers/me/{of}"), caller, keep, more)
}

/// Writes the body that names one source, to attach or detach it.
fn source_body(source: &SourceId) -> Bytes {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Body<'a> {
        payment_method: Method<'a>,
    }
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Method<'a> {
        source_id: &'a str,
    }
    // Strings only: this cannot fail.
    let body = serde_json::to_vec(&Body { payment_method: Method { source_id: source.as_str() } });
    Bytes::from(body.unwrap_or_default())
}
