//! Asks with Weir's own key.
//!
//! The key serves one thing: to look up a source that the caller's own credentials do not open. No
//! caller's call goes up with it, and no caller is shown an answer to it.

use super::{
    asker::{Asker, Who},
    exchange::Exchange,
};
use crate::dialects::{CREDENTIAL_HEADERS, query_token};
use http::{HeaderValue, Uri, header, request};
use std::sync::Arc;

/// Returns whether the call has no credential that could open a source: none, or one that stands
/// only in its query.
pub(super) fn cannot_open_sources(asker: &Asker) -> bool {
    !CREDENTIAL_HEADERS.iter().any(|name| asker.head.headers.contains_key(name))
}

/// Returns the exchange as Weir itself makes it, if Weir has a key.
pub(super) fn as_weir(exchange: &Exchange) -> Option<Exchange> {
    let own = exchange.asker.governor.own_key()?;
    let who = Who::Weir(own.hash());
    Some(asking_with(exchange, own.header(), who))
}

/// Returns the exchange with the token of its query as a header, if it has one.
pub(super) fn as_bearer(exchange: &Exchange) -> Option<Exchange> {
    let token = query_token(&exchange.asker.head.uri)?;
    let mut header = HeaderValue::from_str(&format!("bearer {token}")).ok()?;
    header.set_sensitive(true);
    Some(asking_with(exchange, header, exchange.asker.who))
}

fn asking_with(exchange: &Exchange, authorization: HeaderValue, who: Who) -> Exchange {
    let mut head: request::Parts = (*exchange.asker.head).clone();
    for name in CREDENTIAL_HEADERS.into_iter().chain([header::COOKIE]) {
        head.headers.remove(name);
    }
    head.headers.insert(header::AUTHORIZATION, authorization);
    // Its query would be carried over.
    head.uri = Uri::default();
    let asker = Asker { head: Arc::new(head), who, ..exchange.asker.clone() };
    Exchange { asker, ..exchange.clone() }
}
