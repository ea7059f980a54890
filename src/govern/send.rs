//! Sends a call that changes something, and learns how it ended.
//!
//! ```text
//!   begin (in flight, written first) ─ send ─┬─ 2xx ───────────▶ learned
//!                                            ├─ 4xx ───────────▶ refused: nothing changed
//!                                            └─ 5xx, 3xx, lost ▶ outcome unknown: looked up before
//!                                                                the next decision
//! ```
//! The work runs detached from the caller and holds the session's turn: a caller that hangs up
//! stops nothing that has begun.

use super::{
    answer::{OwnError, own_error},
    answered::Answered,
    asker::{Failure, SendOutcome},
    exchange::Exchange,
    governor::log_store_error,
    learn,
};
use crate::{
    dialects::{Call, ErrorCode, Form, UnreadableAnswer},
    http::{Body, Problem},
    observe::{StepEnd, StepKind},
    rules::{
        Answer, CallEnd, Intent, Known, Learned, RefusalScope, SessionKey, SessionObservation,
        Target, Timestamp, learn as learn_from, outcome_unknown, refused,
    },
    sessions::{Records, StoreError, now},
};
use http::{Request, Response, StatusCode};
use std::{future::Future, time::Duration};

/// How a call that changes something ended.
pub(super) enum CallOutcome {
    /// Upstream did it.
    Done(Answered),
    /// Upstream did it, but the answer cannot be read; it passes through.
    DoneUnread(Response<Body>, UnreadableAnswer),
    /// Upstream refused: nothing changed.
    Refused(Answered, RefusalScope),
    /// Nothing was sent.
    NotSent(Failure),
    /// Whether it was done is not known; upstream's answer, if there is one.
    Unknown(Result<Response<Body>, Failure>),
}

impl CallOutcome {
    pub(super) fn status(&self) -> Option<StatusCode> {
        match self {
            Self::Done(answered) | Self::Refused(answered, _) => Some(answered.status()),
            Self::DoneUnread(response, _) | Self::Unknown(Ok(response)) => Some(response.status()),
            Self::NotSent(_) | Self::Unknown(Err(_)) => None,
        }
    }

    /// Returns how the call ended, as a step of a decision.
    pub(super) fn step_end(&self) -> StepEnd {
        match self {
            Self::DoneUnread(response, why) => {
                StepEnd::Unreadable { status: response.status().as_u16(), why: why.0 }
            }
            Self::NotSent(_) => StepEnd::NotSent,
            _ => self.status().map_or(StepEnd::Unanswered, |s| StepEnd::Answered(s.as_u16())),
        }
    }

    /// Returns how the call ended, without the answer.
    pub(super) fn end(&self) -> CallEnd {
        match self {
            Self::Done(_) | Self::DoneUnread(..) => CallEnd::Done,
            Self::Refused(_, scope) => CallEnd::Refused(*scope),
            Self::NotSent(_) => CallEnd::NotSent,
            Self::Unknown(_) => CallEnd::Unknown,
        }
    }

    /// Returns the answer for the caller, which is upstream's own where there is one.
    pub(super) fn into_response(self, form: Form) -> Response<Body> {
        match self {
            Self::Done(answered) | Self::Refused(answered, _) => answered.into_response(),
            Self::DoneUnread(response, _) | Self::Unknown(Ok(response)) => response,
            Self::NotSent(failure) | Self::Unknown(Err(failure)) => {
                own_error(form, &OwnError::Problem(failure.problem))
            }
        }
    }
}

/// Why an answer that is over the bound is not read.
pub(super) const TOO_LONG: UnreadableAnswer = UnreadableAnswer("it is longer than the limit");

/// A call's outcome without its answer.
#[derive(Clone, Copy)]
struct Ended {
    end: CallEnd,
    status: Option<StatusCode>,
    /// Whether upstream did it and its answer was read.
    read: bool,
    /// When it was sent.
    sent: Timestamp,
}

impl Ended {
    fn of(outcome: &CallOutcome, sent: Timestamp) -> Self {
        let read = matches!(outcome, CallOutcome::Done(_));
        Self { end: outcome.end(), status: outcome.status(), read, sent }
    }
}

/// Runs `work` to its end whether or not the caller stays. Logs that it panicked and returns an
/// error. The text of a panic is not logged: it may hold what is secret.
pub(super) fn run_detached<T: Send + 'static>(
    exchange: &Exchange,
    work: impl Future<Output = T> + Send + 'static,
) -> impl Future<Output = Result<T, Failure>> + Send {
    let governor = exchange.asker.governor.clone();
    // Boxed before it is spawned: a large future would be copied by every function it is passed
    // through.
    let work = Box::pin(work);
    let task = exchange.work.spawn(async move {
        let _under_way = governor.under_way();
        work.await
    });
    async move {
        task.await.map_err(|error| {
            let ended = if error.is_panic() { "it panicked" } else { "it was cancelled" };
            tracing::error!(
                ended,
                "a call under way was lost; its session is looked up before the next decision"
            );
            Failure { sent: true, problem: Problem::Internal }
        })
    }
}

/// Notes that a call begins, sends it, and learns from its answer. Learns nothing without records.
///
/// # Errors
/// Fails where the store fails before the call is sent, and only then.
pub(super) async fn send(
    exchange: &Exchange,
    call: &Call,
    intent: &Intent,
    records: Option<&mut Records>,
    known: &Known,
    request: Request<Body>,
) -> Result<CallOutcome, StoreError> {
    let Some(records) = records else {
        let named = match intent.session() {
            Some(Target::Session(key)) => Some(key),
            _ => None,
        };
        let sent = exchange.asker.send(request, &StepKind::Call(intent.name()), named).await;
        return Ok(conclude(exchange, call, intent, None, known, sent).0);
    };
    begin(exchange, records).await?;
    Ok(send_begun(exchange, call, intent, records, known, request).await)
}

/// Writes down that a call of the session begins. It does not begin where this fails, unless
/// something worse would follow.
pub(super) async fn begin(exchange: &Exchange, records: &mut Records) -> Result<(), StoreError> {
    if records.session_key().is_none() {
        return Ok(());
    }
    records.apply(SessionObservation::Begun, &exchange.policy, now());
    records.write().await
}

/// Sends a call that has begun, and learns from its answer.
pub(super) async fn send_begun(
    exchange: &Exchange,
    call: &Call,
    intent: &Intent,
    records: &mut Records,
    known: &Known,
    request: Request<Body>,
) -> CallOutcome {
    let session = records.session_key().cloned();
    let named = match (&session, intent.session()) {
        (None, Some(Target::Session(key))) => Some(key),
        (session, _) => session.as_ref(),
    };
    let what = StepKind::Call(intent.name());
    let at = now();
    let sent = exchange.asker.send(request, &what, named).await;
    let (outcome, learned) = conclude(exchange, call, intent, session.as_ref(), known, sent);
    let ended = Ended::of(&outcome, at);
    // The call is over; if this cannot be written, the session is looked up when it matters.
    if let Err(error) = learn_from_call(exchange, intent, records, learned, ended).await {
        log_store_error(&error);
        exchange.asker.governor.note_unseen_change();
    }
    outcome
}

/// Writes down what the call taught, and what its end shows about the caller and the session.
async fn learn_from_call(
    exchange: &Exchange,
    intent: &Intent,
    records: &mut Records,
    mut learned: Learned,
    ended: Ended,
) -> Result<(), StoreError> {
    let (policy, at) = (&exchange.policy, now());
    let caller = exchange.asker.who.caller();
    let session = records.session_key().cloned();
    let of = learned.session.as_ref().map(|(key, _)| key.clone());
    // Upstream accepts detaching a source that is not attached, and deleting a customer who is not
    // there, even someone else's, so success proves no access.
    let proves_access = !matches!(intent, Intent::Detach { .. } | Intent::DeleteCustomer { .. });
    if ended.read && proves_access {
        learn::add_shown(exchange, &mut learned, intent.sources(), intent.customer());
    }
    if let (Intent::CreateSession { .. }, Some(created)) = (intent, &of) {
        exchange.asker.trace.note_created(created);
    }
    if session.is_some() && of.is_some() && of != session {
        // The shopper's active session has changed, so this session's state is unknown.
        records.apply(SessionObservation::OutcomeUnknown, policy, at);
    }
    if session.is_none() && of.is_some() && removes(intent) {
        // Upstream accepts removing what is not there: such a success introduces nobody.
        learned = Learned::default();
    }
    if session.is_none() && learned.session.is_none() {
        note_unplaced(exchange, intent, ended).await?;
    }
    // A 403 is about this call, and says nothing about others.
    let denied = ended.status == Some(StatusCode::UNAUTHORIZED);
    if of == session || of.is_none() {
        learn::apply_learned(exchange, records, std::mem::take(&mut learned), at);
    }
    if let (true, Some(caller), true) = (denied, caller, session.is_some()) {
        // Upstream rejects this credential, so it is not shown the session.
        records.apply(SessionObservation::DeniedTo(caller), policy, at);
    }
    if ended.read && matches!(intent, Intent::DeleteSession { .. }) {
        // The session is gone, so nothing is pending for it.
        records.apply(SessionObservation::Pending(None), policy, at);
    }
    learn::commit(exchange, records, learned, (ended.sent, at), Duration::ZERO).await?;
    // The session in hand is remembered already, if it is the active one.
    let of = of.filter(|of| session.as_ref() != Some(of));
    remember_active(exchange, intent, of, ended).await
}

/// Notes that a call may have changed a session whose record was not in hand. A session that is
/// remembered only since the call went up is in doubt from now on. Where it was the active one,
/// which no answer has told, all facts from before are.
async fn note_unplaced(
    exchange: &Exchange,
    intent: &Intent,
    ended: Ended,
) -> Result<(), StoreError> {
    if matches!(ended.end, CallEnd::Refused(_) | CallEnd::NotSent) {
        return Ok(());
    }
    let governor = &exchange.asker.governor;
    match intent.session() {
        None => {}
        Some(Target::Active(_)) => governor.note_unseen_change(),
        Some(Target::Session(key)) => {
            let mut records = governor.sessions().records(Some(key), &[], None).await?;
            if records.session().is_some() {
                records.apply(SessionObservation::OutcomeUnknown, &exchange.policy, now());
                records.write().await?;
            }
        }
    }
    Ok(())
}

/// Returns whether a call removes something, which may not have been there.
fn removes(intent: &Intent) -> bool {
    matches!(intent, Intent::Detach { .. } | Intent::DeleteSession { .. })
}

/// Remembers which session is the caller's active one after this call.
async fn remember_active(
    exchange: &Exchange,
    intent: &Intent,
    session: Option<SessionKey>,
    ended: Ended,
) -> Result<(), StoreError> {
    match (intent, ended.end, exchange.asker.who.caller()) {
        (
            Intent::Order { session: Target::Active(_), .. },
            CallEnd::Done | CallEnd::Unknown,
            Some(caller),
        ) => exchange.asker.governor.sessions().forget_active(caller).await,
        _ => learn::remember_active(exchange, session.filter(|_| ended.read).as_ref()).await,
    }
}

/// Returns how the call ended, and what its answer teaches.
fn conclude(
    exchange: &Exchange,
    call: &Call,
    intent: &Intent,
    session: Option<&SessionKey>,
    known: &Known,
    sent: SendOutcome,
) -> (CallOutcome, Learned) {
    let unknown = || outcome_unknown(intent, session, known);
    let trace = &exchange.asker.trace;
    let answered = match sent {
        SendOutcome::Answered(answered) => answered,
        SendOutcome::TooLong(response) if response.status().is_success() => {
            trace.note_unreadable(TOO_LONG);
            return (CallOutcome::DoneUnread(response, TOO_LONG), unknown());
        }
        SendOutcome::TooLong(response) => return (CallOutcome::Unknown(Ok(response)), unknown()),
        SendOutcome::Failed(failure) if failure.sent => {
            return (CallOutcome::Unknown(Err(failure)), unknown());
        }
        SendOutcome::Failed(failure) => return (CallOutcome::NotSent(failure), refused(session)),
    };
    let limit = exchange.asker.governor.settings().answer;
    let (status, headers, body) = (answered.status(), answered.headers(), &answered.body.bytes);
    if status.is_success() {
        return match call.read_answer(intent, status, headers, body, limit) {
            Ok(answer) => {
                trace.note_answer(intent, &answer);
                let about = about(intent, &answer, session);
                let learned = learn_from(intent, &answer, about.as_ref(), known, &exchange.policy);
                (CallOutcome::Done(answered), learned)
            }
            Err(why) => {
                trace.note_unreadable(why);
                (CallOutcome::DoneUnread(answered.into_response(), why), unknown())
            }
        };
    }
    let code = call.error_code(headers, body, limit);
    let scope = scope(call, status, code.as_ref());
    trace.note_code(code);
    // 408: upstream gave up on the request, but may have made the change.
    match status.is_client_error() && status != StatusCode::REQUEST_TIMEOUT {
        true => (CallOutcome::Refused(answered, scope), refused(session)),
        false => (CallOutcome::Unknown(Ok(answered.into_response())), unknown()),
    }
}

/// Returns what a refusal is about.
fn scope(call: &Call, status: StatusCode, code: Option<&ErrorCode>) -> RefusalScope {
    match status {
        StatusCode::TOO_MANY_REQUESTS | StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
            RefusalScope::ForNow
        }
        StatusCode::NOT_FOUND => RefusalScope::Missing,
        // Another change of the session may be under way.
        StatusCode::CONFLICT if code.is_none_or(|code| call.is_busy(code)) => RefusalScope::ForNow,
        _ => RefusalScope::ForGood,
    }
}

/// Returns the session that an answer is about: the one it shows, where the call creates one or
/// names the active one.
fn about(intent: &Intent, answer: &Answer, session: Option<&SessionKey>) -> Option<SessionKey> {
    let shown = || answer.session.as_ref().and_then(|facts| facts.id.clone());
    match (intent, intent.session()) {
        (Intent::CreateSession { kind, .. }, _) => shown().map(|id| SessionKey::new(*kind, id)),
        (Intent::Order { session: Target::Active(_), .. }, _) => session.cloned(),
        (_, Some(Target::Active(kind))) => {
            shown().map(|id| SessionKey::new(*kind, id)).or_else(|| session.cloned())
        }
        // Nothing was remembered of the session before its answer came.
        (_, Some(Target::Session(key))) => session.cloned().or_else(|| Some(key.clone())),
        _ => session.cloned(),
    }
}
