//! Makes Weir's own calls on checkouts, invoices, customers and sources. `fields` is never carried
//! into a look-up, which must show the whole thing.

use super::ruleset::INVOICE;
use crate::{
    dialects::{
        outgoing::{Outgoing, joined, with_query},
        read::query,
    },
    rules::{Intent, Lookup, SessionKey, SessionKind, SourceId, Target},
};
use http::{Method, Uri, uri::PathAndQuery};

/// Makes the `GET` that looks something up.
pub(super) fn look_up(
    lookup: &Lookup,
    intent: &Intent,
    caller: &Uri,
    session: Option<&SessionKey>,
) -> Option<Outgoing> {
    let (path, read) = match lookup {
        Lookup::Session => {
            let key = match (session, intent.session()) {
                (Some(key), _) | (None, Some(Target::Session(key))) => key,
                _ => return None,
            };
            let read = Intent::ReadSession { session: Target::Session(key.clone()) };
            (path(&[collection(key.kind), key.id.as_str()], caller)?, read)
        }
        Lookup::Source(id) => {
            (path(&["sources", id.as_str()], caller)?, Intent::ReadSource { source: id.clone() })
        }
        Lookup::Customer => {
            let id = intent.customer()?;
            let read = Intent::ReadCustomer { customer: id.clone() };
            (path(&["customers", id.as_str()], caller)?, read)
        }
        Lookup::PaymentOptions => return None,
    };
    Some(Outgoing::bare(Method::GET, path, read))
}

/// Makes the call that attaches a source.
pub(super) fn attach(session: &SessionKey, source: &SourceId, caller: &Uri) -> Option<Outgoing> {
    let target = Target::Session(session.clone());
    let intent = Intent::Attach { session: target, source: source.clone() };
    Some(Outgoing::bare(Method::POST, source_path(session, source, caller)?, intent))
}

/// Makes the call that detaches a source.
pub(super) fn detach(session: &SessionKey, source: &SourceId, caller: &Uri) -> Option<Outgoing> {
    let target = Target::Session(session.clone());
    let intent = Intent::Detach { session: target, source: Some(source.clone()) };
    Some(Outgoing::bare(Method::DELETE, source_path(session, source, caller)?, intent))
}

fn source_path(session: &SessionKey, source: &SourceId, caller: &Uri) -> Option<PathAndQuery> {
    path(&[collection(session.kind), session.id.as_str(), "sources", source.as_str()], caller)
}

fn path(segments: &[&str], caller: &Uri) -> Option<PathAndQuery> {
    with_query(joined(segments)?, caller, query::is_credential, "")
}

fn collection(kind: SessionKind) -> &'static str {
    if kind == INVOICE { "invoices" } else { "checkouts" }
}
