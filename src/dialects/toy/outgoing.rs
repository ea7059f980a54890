//! Makes Weir's own calls on tabs and tokens.

use crate::{
    dialects::{
        outgoing::{Outgoing, joined, with_query},
        read::query,
    },
    rules::{Intent, Lookup, SessionKey, Target},
};
use http::{Method, Uri};

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
            (joined(&["tabs", key.id.as_str()])?, read)
        }
        Lookup::Source(id) => {
            (joined(&["tokens", id.as_str()])?, Intent::ReadSource { source: id.clone() })
        }
        Lookup::Customer | Lookup::PaymentOptions => return None,
    };
    let path = with_query(path, caller, query::is_credential, "")?;
    Some(Outgoing::bare(Method::GET, path, read))
}
