//! Checkouts: a single-use primary's attach that is answered at once and sent when something
//! depends on it.
//!
//! ```text
//!             answered                      something depends on it
//!   attach ─────────────▶ deferred ───────────────────────────────▶ sending ─┬─ attached: forgotten
//!                            ▲                                         │      ├─ refused: forgotten; the refusal is the answer
//!                            └───────── not sent, or told to slow down ┘      └─ not known: looked up before it is sent again
//! ```
//! The note is in the session's record and lives as long as the store. Credentials are not kept: it
//! is sent with those of the call that needs it. "Sending" is written before the request: an attach
//! is never sent twice without a look-up that shows it is missing. Only the path form is deferred:
//! its answer is the source itself; the body form is answered with a checkout that does not exist
//! yet.

use super::{
    Client,
    act::{self, Conclusion, detached, update_session},
    answer::{Outcome, Trouble, trouble},
    exchange::{Exchange, now},
    lookup::{Looked, look_up},
    recall::recall,
};
use crate::{
    dialects,
    proxy::{Body, Problem, decision::Decided},
    rules::{
        Finding, Intent, Known, LookedUp, Lookup, Pending, SessionKey, SessionObservation,
        SourceId, Target, Timestamp, Violation, overtakes,
    },
    sessions::Turn,
};
use http::Response;
use std::sync::Arc;

/// The note, taken apart.
pub(super) struct Deferred {
    pub primary: SourceId,
    pub since: Timestamp,
    pub sending: bool,
}

/// Whether the call has the form that can be answered before it is sent, and there is room to
/// remember it.
pub(super) fn possible<S>(exchange: &Exchange<S>) -> bool {
    matches!(&*exchange.intent, Intent::Attach { session: Target::Session(_), .. })
        && exchange.governor.sessions.can_pin()
}

/// Answers the attach with the source as upstream shows it, and makes a note. `None`: upstream does
/// not show it, or another attach waits already; decide again, without deferring.
pub(super) async fn defer<S: Client>(
    exchange: &Exchange<S>,
    session: Option<&SessionKey>,
    known: &mut Known,
) -> Option<Outcome> {
    known.deferrable = false;
    let (Some(key), Intent::Attach { source, .. }) = (session, &*exchange.intent) else {
        return None;
    };
    let record = exchange.governor.sessions.session(key).await.ok().flatten().unwrap_or_default();
    let promised = match record.pending.as_deref() {
        None => false,
        Some(Pending::Deferred { primary, .. }) => primary != source,
        Some(_) => true,
    };
    // There is room for one promise, and none is made to a caller who may not know the session.
    if promised || !record.shown_to.contains(exchange.caller) {
        return None;
    }
    let Looked::Shown(shown) = look_up(exchange, &Lookup::Source(source.clone()), session).await
    else {
        return None;
    };
    let note = Pending::Deferred { primary: source.clone(), since: now(), sending: false };
    update_session(exchange, key, &[SessionObservation::Pending(Some(note))]).await;
    Some(Outcome::new(shown.answer.into_response(), Decided::Deferred).with(why(key, source)))
}

/// What deferring prevents, for the decision's record.
fn why(key: &SessionKey, source: &SourceId) -> Violation {
    Violation {
        rule: key.kind.dialect().semantics().waits_under,
        dialect: key.kind.dialect(),
        finding: Finding::KeptBack { primary: source.clone() },
        facts: Vec::new(),
    }
}

/// A call comes while an attach is deferred: store credit goes before it, a deletion makes it moot,
/// the same attach is answered the same, and anything else depends on it, reads too.
pub(super) async fn before<S: Client>(
    exchange: &Exchange<S>,
    key: &SessionKey,
    deferred: Deferred,
    turn: Turn,
) -> Result<Turn, Outcome> {
    let mut known = Known::default();
    recall(exchange, Some(key), &mut known).await;
    if let Err(lookup) = overtakes(&known, &exchange.intent, &exchange.policy) {
        look_up(exchange, &lookup, Some(key)).await;
        known.looked_up.push((lookup, LookedUp::Failed));
        recall(exchange, Some(key), &mut known).await;
    }
    match &*exchange.intent {
        _ if !deferred.sending
            && overtakes(&known, &exchange.intent, &exchange.policy) == Ok(true) =>
        {
            Ok(turn)
        }
        // Forgotten when it is deleted: upstream may yet refuse.
        Intent::DeleteSession { .. } => Ok(turn),
        Intent::Attach { source, .. } if *source == deferred.primary => {
            // Whoever began to send it never learned how that ended.
            if deferred.sending
                && !missing(exchange, key, source).await.map_err(Outcome::forwarded)?
            {
                return Ok(turn);
            }
            match defer(exchange, Some(key), &mut known).await {
                Some(outcome) => Err(outcome),
                None => flush(exchange, key, deferred, turn).await,
            }
        }
        _ => flush(exchange, key, deferred, turn).await,
    }
}

/// Sends the deferred attach, detached, under the turn. `Err`: it failed, and that is the answer of
/// the call that needed it.
async fn flush<S: Client>(
    exchange: &Exchange<S>,
    key: &SessionKey,
    deferred: Deferred,
    turn: Turn,
) -> Result<Turn, Outcome> {
    let form = exchange.call.form();
    let own = exchange.clone();
    let key = key.clone();
    let work = async move {
        let to_send = match deferred.sending {
            // Whoever began to send it never learned how that ended.
            true => missing(&own, &key, &deferred.primary).await,
            false => Ok(true),
        };
        match to_send {
            Ok(true) => send(&own, &key, deferred).await.map(|()| turn),
            Ok(false) => Ok(turn),
            Err(response) => Err(response),
        }
    };
    match detached(exchange, work).await {
        Ok(sent) => sent.map_err(Outcome::forwarded),
        Err(failure) => Err(Outcome::forwarded(trouble(form, &Trouble::Problem(failure.problem)))),
    }
}

/// Whether upstream lacks the primary. Its presence ends the deferral.
async fn missing<S: Client>(
    exchange: &Exchange<S>,
    key: &SessionKey,
    primary: &SourceId,
) -> Result<bool, Response<Body>> {
    let asking = Exchange {
        intent: Arc::new(Intent::ReadSession { session: Target::Session(key.clone()) }),
        ..exchange.clone()
    };
    let shown = match look_up(&asking, &Lookup::Session, Some(key)).await {
        Looked::Shown(shown) => shown,
        Looked::Denied(answer) => return Err(answer.into_response()),
        Looked::Failed => {
            return Err(trouble(exchange.call.form(), &Trouble::Problem(Problem::FactUnknown)));
        }
    };
    let record = exchange.governor.sessions.session(key).await.ok().flatten().unwrap_or_default();
    let told = record.sources.told_at().is_some_and(|at| at >= shown.at);
    match record.sources.get().filter(|_| told) {
        Some(sources) if sources.iter().any(|attached| attached.id == *primary) => {
            update_session(exchange, key, &[SessionObservation::Pending(None)]).await;
            Ok(false)
        }
        Some(_) => Ok(true),
        None => Err(trouble(exchange.call.form(), &Trouble::Problem(Problem::FactUnknown))),
    }
}

async fn send<S: Client>(
    exchange: &Exchange<S>,
    key: &SessionKey,
    deferred: Deferred,
) -> Result<(), Response<Body>> {
    let Deferred { primary, since, .. } = deferred;
    let deferred = |sending| Some(Pending::Deferred { primary: primary.clone(), since, sending });
    update_session(exchange, key, &[SessionObservation::Pending(deferred(true))]).await;
    let mut known = Known::default();
    recall(exchange, Some(key), &mut known).await;
    let Some(step) = dialects::attach(key, &primary, &exchange.head.uri) else {
        return Err(trouble(exchange.call.form(), &Trouble::Problem(Problem::Internal)));
    };
    let request = exchange.own(step.method, &step.path, step.body, step.content_type);
    let conclusion =
        act::step(exchange, &step.call, &step.intent, Some(key), &known, request).await;
    exchange.trace.note(format!("attach deferred primary {primary}"), conclusion.status());
    let after = match &conclusion {
        Conclusion::Done(..) | Conclusion::DoneUnread(_) => None,
        Conclusion::Refused(answer) if act::not_yet(answer.status()) => deferred(false),
        Conclusion::Refused(_) => None,
        Conclusion::NotSent(_) => deferred(false),
        Conclusion::Unknown(_) => deferred(true),
    };
    update_session(exchange, key, &[SessionObservation::Pending(after)]).await;
    match conclusion {
        Conclusion::Done(..) | Conclusion::DoneUnread(_) => Ok(()),
        failed => Err(failed.into_response(exchange.call.form())),
    }
}
