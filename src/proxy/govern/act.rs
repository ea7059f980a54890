//! Sending a call that changes something, and learning how it ended.
//!
//! ```text
//!   begin (in flight, written first) ─ send ─┬─ 2xx ───────────▶ learned
//!                                            ├─ 4xx ───────────▶ refused: nothing changed
//!                                            └─ 5xx, 3xx, lost ▶ outcome unknown: looked up before the next decision
//! ```
//! It runs detached from the caller and holds the session's turn: a caller who hangs up stops
//! nothing that has begun.

use super::{
    Client, Governor,
    answer::{Trouble, trouble},
    exchange::{Answered, Exchange, Failure, Sent, now},
};
use crate::{
    dialects::{Call, Form},
    proxy::{Body, Problem},
    rules::{
        Answer, CustomerId, CustomerObservation, Intent, Known, Learned, Lookup, SessionKey,
        SessionObservation, SourceId, SourceObservation, Target, Timestamp, learn, outcome_unknown,
        refused,
    },
    sessions::Turn,
};
use http::{Request, Response, StatusCode};
use std::{
    collections::HashMap,
    future::Future,
    sync::{Arc, atomic::Ordering},
};

/// How a call that changes something ended.
pub(super) enum Conclusion {
    /// Upstream did it.
    Done(Answered),
    /// Upstream did it, and the answer cannot be read; it passes through.
    DoneUnread(Response<Body>),
    /// Upstream refused: nothing changed.
    Refused(Answered),
    /// Nothing was sent.
    NotSent(Failure),
    /// Whether it was done is not known. What upstream said, if anything.
    Unknown(Result<Response<Body>, Failure>),
}

impl Conclusion {
    pub fn status(&self) -> Option<StatusCode> {
        match self {
            Conclusion::Done(answered) | Conclusion::Refused(answered) => Some(answered.status()),
            Conclusion::DoneUnread(response) | Conclusion::Unknown(Ok(response)) => {
                Some(response.status())
            }
            Conclusion::NotSent(_) | Conclusion::Unknown(Err(_)) => None,
        }
    }

    /// The answer for the caller: upstream's own wherever there is one.
    pub fn into_response(self, form: Form) -> Response<Body> {
        match self {
            Conclusion::Done(answered) | Conclusion::Refused(answered) => answered.into_response(),
            Conclusion::DoneUnread(response) | Conclusion::Unknown(Ok(response)) => response,
            Conclusion::NotSent(failure) | Conclusion::Unknown(Err(failure)) => {
                trouble(form, &Trouble::Problem(failure.problem))
            }
        }
    }
}

/// A refusal that says nothing of the call itself: later, or with another key, it may be taken.
pub(super) fn not_yet(status: StatusCode) -> bool {
    matches!(
        status,
        StatusCode::TOO_MANY_REQUESTS | StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN
    )
}

/// Runs `work` to its end whether or not the caller stays. `Err`: it panicked, which is logged.
pub(super) fn detached<S: Client, T: Send + 'static>(
    exchange: &Exchange<S>,
    work: impl Future<Output = T> + Send + 'static,
) -> impl Future<Output = Result<T, Failure>> + Send {
    let governor = exchange.governor.clone();
    // In its place once and for all: each function that takes a future holds it twice, and a task's
    // is moved through many.
    let work = Box::pin(work);
    let task = exchange.work.spawn(async move {
        let _under_way = UnderWay::new(governor);
        work.await
    });
    async move {
        task.await.map_err(|error| {
            tracing::error!(%error, "a call under way was lost; its session is looked up before the next decision");
            Failure { sent: true, problem: Problem::Internal }
        })
    }
}

/// Counts one call that is under way, until it is dropped.
struct UnderWay(Arc<Governor>);

impl UnderWay {
    fn new(governor: Arc<Governor>) -> Self {
        governor.in_flight.fetch_add(1, Ordering::Relaxed);
        Self(governor)
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Sends the caller's call, detached, holding its turn until the answer is learned.
pub(super) async fn forward<S: Client>(
    exchange: &Exchange<S>,
    session: Option<SessionKey>,
    turn: Option<Turn>,
    request: Request<Body>,
    known: Known,
) -> Response<Body> {
    let form = exchange.call.form();
    let own = exchange.clone();
    let work = async move {
        let conclusion =
            step(&own, &own.call, &own.intent, session.as_ref(), &known, request).await;
        drop(turn);
        conclusion
    };
    match detached(exchange, work).await {
        Ok(conclusion) => conclusion.into_response(form),
        Err(failure) => trouble(form, &Trouble::Problem(failure.problem)),
    }
}

/// One call, from its beginning in the record to what it taught.
pub(super) async fn step<S: Client>(
    exchange: &Exchange<S>,
    call: &Call,
    intent: &Intent,
    session: Option<&SessionKey>,
    known: &Known,
    request: Request<Body>,
) -> Conclusion {
    if let Some(key) = session {
        update_session(exchange, key, &[SessionObservation::Begun]).await;
    }
    let epochs = Epochs::of_known(known, intent);
    let sent = exchange.send(request).await;
    let (conclusion, mut learned) = conclude(exchange, call, intent, session, known, sent);
    if let Conclusion::Done(..) = conclusion {
        // Upstream may say yes to detaching what is not there, whosever it is: that shows nothing.
        if !matches!(intent, Intent::Detach { .. }) {
            let shown: Vec<_> = intent
                .source()
                .into_iter()
                .chain(learned.sources.iter().map(|(id, _)| id))
                .cloned()
                .collect();
            learned.sources.extend(
                shown.into_iter().map(|id| (id, SourceObservation::ShownTo(exchange.caller))),
            );
        }
        learned.customers.extend(
            intent.customer().map(|id| (id.clone(), CustomerObservation::ShownTo(exchange.caller))),
        );
    }
    let end = End::of(&conclusion);
    let alias =
        learned.session.as_ref().map(|(key, _)| key.clone()).filter(|key| key.kind.is_active());
    if let (Some(told), Some(turn_of)) = (&alias, session)
        && told != turn_of
    {
        // The shopper has another cart by now: nothing is known of the one this turn was for.
        update_session(exchange, turn_of, &[SessionObservation::OutcomeUnknown]).await;
    }
    if let (Some(StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN), Some(key)) =
        (conclusion.status(), session)
    {
        // A key that upstream no longer takes has no part in what it once was shown.
        update_session(exchange, key, &[SessionObservation::DeniedTo(exchange.caller)]).await;
    }
    if let (Intent::CreateSession { .. }, Some((key, _))) = (intent, &learned.session) {
        exchange.trace.created(key);
    }
    commit(exchange, learned, &epochs, now()).await;
    if let (Intent::DeleteSession { .. }, End::Done, Some(key)) = (intent, end, session) {
        // What was to be done with it is moot.
        update_session(exchange, key, &[SessionObservation::Pending(None)]).await;
    }
    follow_cart(exchange, intent, alias, end).await;
    conclusion
}

/// A conclusion without its answer.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Done,
    Unclear,
    Nothing,
}

impl End {
    fn of(conclusion: &Conclusion) -> Self {
        match conclusion {
            Conclusion::Done(..) => End::Done,
            Conclusion::DoneUnread(_) | Conclusion::Unknown(_) => End::Unclear,
            Conclusion::Refused(_) | Conclusion::NotSent(_) => End::Nothing,
        }
    }
}

/// Which cart is the active one of this caller, after this call.
async fn follow_cart<S: Client>(
    exchange: &Exchange<S>,
    intent: &Intent,
    cart: Option<SessionKey>,
    end: End,
) {
    let sessions = &exchange.governor.sessions;
    match (intent, end) {
        (Intent::Order { session: Target::Active(_), .. }, End::Done | End::Unclear) => {
            complain(sessions.forget_cart(exchange.caller).await.err());
        }
        (_, End::Done) => {
            if let Some(key) = cart {
                complain(sessions.set_cart(exchange.caller, &key.id).await.err());
            }
        }
        _ => {}
    }
}

fn conclude<S: Client>(
    exchange: &Exchange<S>,
    call: &Call,
    intent: &Intent,
    session: Option<&SessionKey>,
    known: &Known,
    sent: Sent,
) -> (Conclusion, Learned) {
    let unknown = || outcome_unknown(intent, session, known);
    let answered = match sent {
        Sent::Answered(answered) => answered,
        Sent::TooLong(response) if response.status().is_success() => {
            return (Conclusion::DoneUnread(response), unknown());
        }
        Sent::TooLong(response) => return (Conclusion::Unknown(Ok(response)), unknown()),
        Sent::Failed(failure) if failure.sent => {
            return (Conclusion::Unknown(Err(failure)), unknown());
        }
        Sent::Failed(failure) => return (Conclusion::NotSent(failure), refused(session)),
    };
    match answered.status() {
        status if status.is_success() => {
            match call.read_answer(intent, status, answered.headers(), &answered.body.bytes) {
                Ok(answer) => {
                    let about = about(intent, &answer, session);
                    let learned = learn(intent, &answer, about.as_ref(), known, &exchange.policy);
                    (Conclusion::Done(answered), learned)
                }
                Err(_) => (Conclusion::DoneUnread(answered.into_response()), unknown()),
            }
        }
        // 408: upstream gave up on the request, perhaps not on the change.
        status if status.is_client_error() && status != StatusCode::REQUEST_TIMEOUT => {
            (Conclusion::Refused(answered), refused(session))
        }
        _ => (Conclusion::Unknown(Ok(answered.into_response())), unknown()),
    }
}

/// The session an answer is about: the one it shows, where the call creates one or speaks of the
/// active cart.
fn about(intent: &Intent, answer: &Answer, session: Option<&SessionKey>) -> Option<SessionKey> {
    let shown = || answer.session.as_ref().and_then(|facts| facts.id.clone());
    match intent {
        Intent::CreateSession { kind, .. } => shown().map(|id| SessionKey::new(*kind, id)),
        Intent::Order { .. } => session.cloned(),
        intent => match intent.session() {
            Some(Target::Active(kind)) => {
                shown().map(|id| SessionKey::new(*kind, id)).or_else(|| session.cloned())
            }
            _ => session.cloned(),
        },
    }
}

/// The epochs of the records before a request was sent. What an answer shows is believed only if
/// nothing ended meanwhile.
#[derive(Clone, Default)]
pub(super) struct Epochs {
    session: Option<(SessionKey, u32)>,
    sources: HashMap<SourceId, u32>,
    customers: HashMap<CustomerId, u32>,
}

impl Epochs {
    fn of_known(known: &Known, intent: &Intent) -> Self {
        let customer = known.customer.as_ref().map(|record| record.epoch).unwrap_or_default();
        Self {
            session: None,
            sources: known.sources.iter().map(|(id, record)| (id.clone(), record.epoch)).collect(),
            customers: intent.customer().map(|id| (id.clone(), customer)).into_iter().collect(),
        }
    }

    /// Before a look-up, from the store: the records may be hidden from this caller as yet.
    pub async fn take<S: Client>(
        exchange: &Exchange<S>,
        session: Option<&SessionKey>,
        lookup: &Lookup,
    ) -> Self {
        let sessions = &exchange.governor.sessions;
        let mut epochs = Self::default();
        let mut sources: Vec<SourceId> = Vec::new();
        if let Some(key) = session {
            let record = sessions.session(key).await.ok().flatten().unwrap_or_default();
            sources.extend(
                record.sources.get().into_iter().flatten().map(|attached| attached.id.clone()),
            );
            epochs.session = Some((key.clone(), record.epoch));
        }
        match lookup {
            Lookup::Source(id) => sources.push(id.clone()),
            Lookup::Customer => {
                if let Some(id) = exchange.intent.customer() {
                    let record = sessions
                        .customer(&exchange.customer_key(id))
                        .await
                        .ok()
                        .flatten()
                        .unwrap_or_default();
                    sources.extend(record.saved.get().into_iter().flatten().cloned());
                    epochs.customers.insert(id.clone(), record.epoch);
                }
            }
            Lookup::Session | Lookup::PaymentOptions => {}
        }
        for id in sources {
            let epoch = sessions.source(&id).await.ok().flatten().map_or(0, |record| record.epoch);
            epochs.sources.insert(id, epoch);
        }
        epochs
    }

    /// The epoch that callers must have in common to share a look-up.
    pub fn of(&self, lookup: &Lookup, session: Option<&SessionKey>) -> u32 {
        match lookup {
            Lookup::Source(id) => self.source(id),
            Lookup::Customer => self.customers.values().next().copied().unwrap_or_default(),
            Lookup::Session | Lookup::PaymentOptions => match (&self.session, session) {
                (Some((_, epoch)), Some(_)) => *epoch,
                _ => 0,
            },
        }
    }

    fn source(&self, id: &SourceId) -> u32 {
        self.sources.get(id).copied().unwrap_or_default()
    }
}

/// Writes what was learned into the records.
pub(super) async fn commit<S: Client>(
    exchange: &Exchange<S>,
    learned: Learned,
    epochs: &Epochs,
    at: Timestamp,
) {
    let Learned { session, mut sources, customers } = learned;
    if let Some((key, observation)) = session {
        let looked_up = matches!(observation, SessionObservation::LookedUp(_));
        let before = match &epochs.session {
            Some((known, epoch)) if *known == key => *epoch,
            _ => 0,
        };
        let shown = !matches!(
            observation,
            SessionObservation::Refused | SessionObservation::OutcomeUnknown
        );
        let policy = &exchange.policy;
        let changed = exchange.governor.sessions.update_session(&key, |record| {
            // A read that overlapped with a change may have seen either side of it.
            if !looked_up || (record.epoch == before && !record.in_flight) {
                record.apply(&observation, policy, at);
            }
            if shown {
                record.apply(&SessionObservation::ShownTo(exchange.caller), policy, at);
            }
        });
        complain(changed.await.err());
    }
    // All that was learned of one source in one change, in the order in which it was learned.
    sources.sort_by(|(one, _), (other, _)| one.cmp(other));
    for of_one in sources.chunk_by(|(one, _), (other, _)| one == other) {
        let Some((id, _)) = of_one.first() else { continue };
        let before = epochs.source(id);
        let changed = exchange.governor.sessions.update_source(id, |record| {
            for (_, observation) in of_one {
                if !matches!(observation, SourceObservation::Shown(_)) || record.epoch == before {
                    record.apply(observation, at);
                }
            }
        });
        complain(changed.await.err());
    }
    for (id, observation) in customers {
        let before = epochs.customers.get(&id).copied().unwrap_or_default();
        let key = exchange.customer_key(&id);
        let changed = exchange.governor.sessions.update_customer(&key, |record| {
            if !matches!(observation, CustomerObservation::Shown(_)) || record.epoch == before {
                record.apply(&observation, at);
            }
        });
        complain(changed.await.err());
    }
}

/// Applies observations to a session's record, as of now.
pub(super) async fn update_session<S: Client>(
    exchange: &Exchange<S>,
    key: &SessionKey,
    observations: &[SessionObservation],
) {
    let at = now();
    let changed = exchange.governor.sessions.update_session(key, |record| {
        for observation in observations {
            record.apply(observation, &exchange.policy, at);
        }
    });
    complain(changed.await.err());
}

/// What cannot be written is looked up again when it matters.
fn complain<E: std::fmt::Display>(error: Option<E>) {
    if let Some(error) = error {
        tracing::error!(%error, "the session store cannot be written; what it lacks is looked up");
    }
}
