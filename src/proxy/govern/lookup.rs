//! Asking upstream for a fact, with the caller's own credentials and headers.
//!
//! In: what is missing. Out: the moment from which the records know it, or why they do not. Callers
//! who miss the same thing share one request. An answer that overlapped with a change teaches
//! nothing: the record's epoch tells.

use super::{
    Client,
    act::{self, Epochs},
    answer::{Trouble, trouble},
    exchange::{Answered, Exchange, Sent, now},
};
use crate::{
    dialects,
    proxy::{Body, Whole},
    rules::{
        CustomerObservation, Intent, Known, Lookup, OptionFacts, Pending, SessionKey,
        SessionObservation, SourceObservation, Target, Timestamp, Told, learn,
    },
    sessions::LookupKey,
};
use bytes::Bytes;
use http::{Method, Response, StatusCode, header};
use std::sync::Arc;

/// How a look-up ended.
#[derive(Clone)]
pub(super) enum Looked {
    /// Upstream answered; what it told is in the records, dated so.
    Shown(Shown),
    /// Upstream does not show it to this caller (401, 403, 404): this is its answer.
    Denied(Answered),
    /// There is no telling: an error, a time-out, a pause that upstream asked for.
    Failed,
}

/// What a look-up brought.
#[derive(Clone)]
pub(super) struct Shown {
    /// The date of the facts.
    pub at: Timestamp,
    /// The session that was shown; for an active cart it may be another than was thought.
    pub session: Option<SessionKey>,
    /// The payment options, where these were asked for.
    pub options: Option<Arc<Vec<OptionFacts>>>,
    /// The answer itself.
    pub answer: Answered,
}

/// Looks one thing up. `session` is the session the call is about, where it is known.
pub(super) async fn look_up<S: Client>(
    exchange: &Exchange<S>,
    lookup: &Lookup,
    session: Option<&SessionKey>,
) -> Looked {
    let governor = &exchange.governor;
    if governor.sessions.backing_off(exchange.caller).is_some() {
        return Looked::Failed;
    }
    let Some((path, call, intent)) =
        dialects::lookup(lookup, &exchange.intent, &exchange.head.uri, session)
    else {
        return Looked::Failed;
    };
    let epochs = Epochs::take(exchange, session, lookup).await;
    let accept = exchange
        .head
        .headers
        .get(header::ACCEPT)
        .map(|value| value.as_bytes().to_vec())
        .unwrap_or_default();
    // Payment options have no record whose epoch would tell an old answer from a new one: each
    // decision asks for itself.
    let own = if *lookup == Lookup::PaymentOptions {
        governor.decisions.next_id()
    } else {
        String::new()
    };
    let key = LookupKey {
        path: format!("{path} {} {own}", String::from_utf8_lossy(&accept)),
        caller: exchange.caller,
        epoch: epochs.of(lookup, session),
    };
    let asking =
        Exchange { call, intent: Arc::new(intent), body: Whole::default(), ..exchange.clone() };
    let what = match lookup {
        Lookup::Session => "the session".to_owned(),
        Lookup::Source(id) => format!("source {id}"),
        Lookup::Customer => "the customer".to_owned(),
        Lookup::PaymentOptions => "the payment options".to_owned(),
    };
    let lookup = lookup.clone();
    let session = session.cloned();
    // In a box: rare beside decisions that need none, which would carry its size along.
    let work = Box::pin(async move {
        let request = asking.own(Method::GET, &path, Bytes::new(), None);
        let asked = now();
        let sent = asking.send(request).await;
        take_in(&asking, &lookup, session, epochs, asked, sent).await
    });
    let looked = governor.sessions.share(key, work).await;
    let status = match &looked {
        Looked::Shown(shown) => Some(shown.answer.status()),
        Looked::Denied(answer) => Some(answer.status()),
        Looked::Failed => None,
    };
    exchange.trace.note(format!("look up {what}"), status);
    looked
}

/// The caller's own read: its answer passes through, and teaches what a look-up would.
pub(super) async fn read<S: Client>(
    exchange: &Exchange<S>,
    session: Option<&SessionKey>,
) -> Response<Body> {
    let lookup = match &*exchange.intent {
        Intent::ReadSource { source } => Lookup::Source(source.clone()),
        Intent::ReadCustomer { .. } => Lookup::Customer,
        Intent::ReadOptions => Lookup::PaymentOptions,
        _ => Lookup::Session,
    };
    let named = match &*exchange.intent {
        Intent::ReadSession { session: Target::Session(key) } => Some(key),
        _ => session,
    };
    let epochs = Epochs::take(exchange, named, &lookup).await;
    let asked = now();
    match exchange.send(exchange.original()).await {
        Sent::Answered(answered) => {
            take_in(
                exchange,
                &lookup,
                named.cloned(),
                epochs,
                asked,
                Sent::Answered(answered.clone()),
            )
            .await;
            answered.into_response()
        }
        Sent::TooLong(response) => response,
        Sent::Failed(failure) => trouble(exchange.call.form(), &Trouble::Problem(failure.problem)),
    }
}

/// Upstream may have looked at any moment since it was `asked`: no fact is younger than that.
async fn take_in<S: Client>(
    exchange: &Exchange<S>,
    lookup: &Lookup,
    session: Option<SessionKey>,
    epochs: Epochs,
    asked: Timestamp,
    sent: Sent,
) -> Looked {
    let Sent::Answered(answered) = sent else { return Looked::Failed };
    let status = answered.status();
    if matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::NOT_FOUND) {
        if let (Lookup::Session, Some(key)) = (lookup, &session)
            // What nobody has been shown takes no room.
            && exchange.governor.sessions.session(key).await.ok().flatten().is_some()
        {
            forget_what_is_gone(exchange, key, status).await;
            act::update_session(exchange, key, &[SessionObservation::DeniedTo(exchange.caller)])
                .await;
        }
        return Looked::Denied(answered);
    }
    if !status.is_success() {
        return Looked::Failed;
    }
    let read = exchange.call.read_answer(
        &exchange.intent,
        status,
        answered.headers(),
        &answered.body.bytes,
    );
    let Ok(answer) = read else { return Looked::Failed };
    let shown = match &*exchange.intent {
        Intent::ReadSession { session: Target::Session(key) } => Some(key.clone()),
        Intent::ReadSession { session: Target::Active(kind) } => {
            let id = answer.session.as_ref().and_then(|facts| facts.id.clone());
            id.map(|id| SessionKey::new(*kind, id)).or(session.clone())
        }
        _ => None,
    };
    if matches!(lookup, Lookup::Session) && shown.is_none() {
        return Looked::Failed;
    }
    let mut learned =
        learn(&exchange.intent, &answer, shown.as_ref(), &Known::default(), &exchange.policy);
    show_to(exchange, lookup, &mut learned);
    act::commit(exchange, learned, &epochs, asked).await;
    if let Some(key) = shown.as_ref().filter(|key| key.kind.is_active()) {
        exchange.governor.sessions.set_cart(exchange.caller, &key.id).await.ok();
    }
    let options = match answer.options {
        Told::Told(options) => Some(Arc::new(options)),
        Told::NotTold => None,
    };
    Looked::Shown(Shown { at: asked, session: shown, options, answer: answered })
}

/// A session that this caller was shown, and that is not there any more, was deleted: an attach
/// that was deferred for it is moot.
async fn forget_what_is_gone<S: Client>(
    exchange: &Exchange<S>,
    key: &SessionKey,
    status: StatusCode,
) {
    let Some(record) = exchange.governor.sessions.session(key).await.ok().flatten() else { return };
    let deferred = matches!(record.pending.as_deref(), Some(Pending::Deferred { .. }));
    if status == StatusCode::NOT_FOUND && deferred && record.shown_to.contains(exchange.caller) {
        act::update_session(exchange, key, &[SessionObservation::Pending(None)]).await;
    }
}

/// Upstream has shown the thing to this caller.
fn show_to<S>(exchange: &Exchange<S>, lookup: &Lookup, learned: &mut crate::rules::Learned) {
    if let (Lookup::Source(_), Some(id)) = (lookup, exchange.intent.source()) {
        learned.sources.push((id.clone(), SourceObservation::ShownTo(exchange.caller)));
    }
    let listed: Vec<_> = learned.sources.iter().map(|(id, _)| id.clone()).collect();
    learned
        .sources
        .extend(listed.into_iter().map(|id| (id, SourceObservation::ShownTo(exchange.caller))));
    if let (Lookup::Customer, Some(id)) = (lookup, exchange.intent.customer()) {
        learned.customers.push((id.clone(), CustomerObservation::ShownTo(exchange.caller)));
    }
}
