//! Who may take part: the session a call is about, and whether upstream has shown it to this
//! caller.
//!
//! In: the intent and the caller. Out: the session's key, or upstream's own 401, 403 or 404. A
//! caller that upstream does not know never waits in, or holds, the session's turn.

use super::{
    Client,
    exchange::{Answered, Exchange},
    lookup::{Looked, look_up},
};
use crate::rules::{Lookup, SessionKey, Target};

/// Whether a caller may go on.
pub(super) enum Admitted {
    /// With this session; `None`: the call is about none, or which one it is cannot be told now.
    As(Option<SessionKey>),
    /// Upstream does not show the session to this caller.
    Denied(Answered),
    /// Upstream does not say.
    Unavailable(Option<SessionKey>),
}

/// Resolves the session and makes sure that this caller has been shown it.
pub(super) async fn admit<S: Client>(exchange: &Exchange<S>) -> Admitted {
    let Some(target) = exchange.intent.session() else { return Admitted::As(None) };
    let sessions = &exchange.governor.sessions;
    let key = match target {
        Target::Session(key) => Some(key.clone()),
        Target::Active(kind) => {
            sessions.cart_of(exchange.caller).await.map(|id| SessionKey::new(*kind, id))
        }
    };
    if let Some(key) = &key {
        let record = sessions.session(key).await.ok().flatten();
        if record.is_some_and(|record| record.shown_to.contains(exchange.caller)) {
            return Admitted::As(Some(key.clone()));
        }
    }
    match look_up(exchange, &Lookup::Session, key.as_ref()).await {
        Looked::Shown(shown) => Admitted::As(shown.session.or(key)),
        Looked::Denied(answer) => Admitted::Denied(answer),
        Looked::Failed => Admitted::Unavailable(key),
    }
}

/// The session of a read, where this caller is known to have been shown it. A read asks for itself:
/// nothing is looked up for it.
pub(super) async fn known<S: Client>(exchange: &Exchange<S>) -> Option<SessionKey> {
    let sessions = &exchange.governor.sessions;
    let key = match exchange.intent.session()? {
        Target::Session(key) => key.clone(),
        Target::Active(kind) => SessionKey::new(*kind, sessions.cart_of(exchange.caller).await?),
    };
    let record = sessions.session(&key).await.ok().flatten()?;
    record.shown_to.contains(exchange.caller).then_some(key)
}
