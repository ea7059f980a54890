//! One governed call, from its body to its answer.
//!
//! ```text
//!   read ─ admit ─ turn ─ leftovers ─┬▶ decide ─ look up ─┐
//!                                    └────────────────────┘
//!                                         └▶ forward | refuse | remedy | hold | defer
//! ```
//! While the policy does not enforce, nothing here keeps a call from upstream: what would have been
//! refused is forwarded and reported.

use super::{
    Client, Governor,
    act::{self, update_session},
    admit::{self, Admitted, admit},
    answer::{About, Outcome, Trouble, finish, trouble},
    defer::{self, Deferred},
    exchange::{Exchange, Trace, now},
    lookup::{Looked, look_up},
    recall::recall,
    remedy,
};
use crate::{
    dialects::{self, Call, Unreadable},
    proxy::{Body, NotWhole, Problem, Whole, Work, collect, decision::Decided},
    rules::{
        Incoming, Intent, Known, LookedUp, Lookup, Mode, OnLookupFailure, Owner, Pending, Policy,
        Remedy, RuleId, SessionKey, SessionObservation, SessionState, Target, Toggle, Verdict,
        Violation, decide, overtakes,
    },
    sessions::{Entry, Turn, TurnKey},
};
use bytes::Bytes;
use http::{Request, Response, StatusCode, header, request};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tower::ServiceExt;

/// A governed call.
pub(super) async fn run<S: Client>(
    client: S,
    governor: Arc<Governor>,
    work: Work,
    policy: Arc<Policy>,
    call: Call,
    request: Request<Body>,
) -> Result<Response<Body>, S::Error> {
    let started = Instant::now();
    let lenient = policy.mode != Mode::Enforce;
    let limit = governor.settings.governed_body;
    let (head, body) = request.into_parts();
    let unread = |why: Trouble<'_>, head: &request::Parts| {
        let outcome = Outcome::new(trouble(call.form(), &why), Decided::Rejected);
        Ok(finish(&governor, early(&call, head, &Trace::default(), started), outcome))
    };
    let body =
        match tokio::time::timeout(governor.settings.body_timeout, collect(body, limit)).await {
            Ok(Ok(whole)) => whole,
            Ok(Err(NotWhole::TooLarge(body))) if lenient => {
                return unread_by(&governor, client, Request::from_parts(head, body)).await;
            }
            Ok(Err(NotWhole::TooLarge(_))) => {
                return unread(Trouble::Problem(Problem::TooLarge { limit }), &head);
            }
            Ok(Err(NotWhole::Broken(_))) => {
                return unread(Trouble::Problem(Problem::Incomplete), &head);
            }
            Err(_) => return unread(Trouble::Problem(Problem::Stalled), &head),
        };
    let forward =
        |head, body: &Whole| client.clone().oneshot(Request::from_parts(head, body.to_body()));
    if head.headers.contains_key(header::CONTENT_ENCODING)
        && !lenient
        && dialects::plain(&head.headers, &body.bytes).is_some_and(|plain| plain.len() > limit)
    {
        return unread(Trouble::Problem(Problem::TooLarge { limit }), &head);
    }
    let intent = match call.intent(&head.headers, &body.bytes) {
        Ok(Some(intent)) => intent,
        Ok(None) => return forward(head, &body).await,
        Err(Unreadable::Ambiguous(violation)) => {
            return ambiguous(
                client,
                governor,
                policy,
                call,
                Request::from_parts(head, body.to_body()),
                *violation,
            )
            .await;
        }
        Err(_) if lenient => {
            return unread_by(&governor, client, Request::from_parts(head, body.to_body())).await;
        }
        Err(Unreadable::TooLarge) => {
            return unread(Trouble::Problem(Problem::TooLarge { limit }), &head);
        }
        Err(Unreadable::Malformed(why)) => return unread(Trouble::Malformed(why), &head),
    };
    let credential = dialects::credential(&head.headers, &head.uri);
    let exchange = Exchange {
        caller: governor.sessions.hash(credential.as_deref().unwrap_or_default()),
        client,
        governor,
        work,
        policy,
        call,
        head: Arc::new(head),
        body,
        intent: Arc::new(intent),
        trace: Arc::default(),
    };
    let outcome =
        if exchange.intent.is_read() { read(&exchange).await } else { change(&exchange).await };
    let about = About {
        dialect: exchange.intent.dialect().unwrap_or(exchange.call.dialect()),
        call: exchange.intent.name(),
        source: exchange.intent.source().map(|id| id.to_string()),
        headers: &exchange.head.headers,
        trace: &exchange.trace,
        started,
    };
    Ok(finish(&exchange.governor, about, outcome))
}

fn early<'a>(
    call: &Call,
    head: &'a request::Parts,
    trace: &'a Trace,
    started: Instant,
) -> About<'a> {
    About {
        dialect: call.dialect(),
        call: "unread",
        source: None,
        headers: &head.headers,
        trace,
        started,
    }
}

/// A call that two parsers could read differently.
pub(super) async fn ambiguous<S: Client>(
    client: S,
    governor: Arc<Governor>,
    policy: Arc<Policy>,
    call: Call,
    request: Request<Body>,
    violation: Violation,
) -> Result<Response<Body>, S::Error> {
    let started = Instant::now();
    let toggle = policy.toggle(violation.dialect, RuleId::AmbiguousRequest);
    let (head, body) = request.into_parts();
    let outcome = match toggle {
        Toggle::Off => return unread_by(&governor, client, Request::from_parts(head, body)).await,
        Toggle::Monitor => {
            let forwarded = Request::from_parts(head.clone(), body);
            Outcome::monitored(unread_by(&governor, client, forwarded).await?, Some(violation))
        }
        Toggle::Reject | Toggle::Reorder | Toggle::Strip => {
            Outcome::refused(call.form(), violation)
        }
    };
    Ok(finish(&governor, early(&call, &head, &Trace::default(), started), outcome))
}

/// Forwards what was not understood. It may change anything, whatever its method, from now until
/// its answer comes or its caller leaves.
async fn unread_by<S: Client>(
    governor: &Governor,
    client: S,
    request: Request<Body>,
) -> Result<Response<Body>, S::Error> {
    struct Unread<'a>(&'a Governor);
    impl Drop for Unread<'_> {
        fn drop(&mut self) {
            self.0.went_unread();
        }
    }
    governor.went_unread();
    let _until_it_ends = Unread(governor);
    client.oneshot(request).await
}

/// A read: it needs no turn and is never refused. Where a remedy is under way, that comes first.
async fn read<S: Client>(exchange: &Exchange<S>) -> Outcome {
    let session = match admit::known(exchange).await {
        None if is_pending(exchange, exchange.intent.session()).await => {
            match admit(exchange).await {
                Admitted::As(session) => session,
                Admitted::Denied(_) | Admitted::Unavailable(_) => None,
            }
        }
        known => known,
    };
    if let Some(key) = &session {
        exchange.governor.sessions.hurry(&TurnKey::Session(key.clone()));
        if let Err(outcome) = before_read(exchange, key).await {
            return outcome.about(Some(key));
        }
    }
    let response = super::lookup::read(exchange, session.as_ref()).await;
    Outcome::forwarded(response).about(session.as_ref())
}

async fn is_pending<S: Client>(exchange: &Exchange<S>, session: Option<&Target>) -> bool {
    let Some(Target::Session(key)) = session else { return false };
    exchange
        .governor
        .sessions
        .session(key)
        .await
        .ok()
        .flatten()
        .is_some_and(|record| record.pending.is_some())
}

/// What a read would show depends on a remedy that is under way: a deferred attach is sent first, a
/// repair is waited for, and one that nobody goes on with is finished. `Err`: that failed, and this
/// is the read's answer.
async fn before_read<S: Client>(exchange: &Exchange<S>, key: &SessionKey) -> Result<(), Outcome> {
    if !is_pending(exchange, Some(&Target::Session(key.clone()))).await {
        return Ok(());
    }
    let turn = match exchange
        .governor
        .sessions
        .turn(&TurnKey::Session(key.clone()), Entry::Ordinary)
        .await
    {
        Ok(turn) => turn,
        Err(busy) => return Err(rejected(exchange, &Trouble::Busy(&busy))),
    };
    match leftovers(exchange, key, turn).await {
        // A key that may read but not attach: upstream shows it what there is, and the attach waits
        // for another.
        Err(outcome)
            if matches!(
                outcome.response.status(),
                StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN
            ) =>
        {
            Ok(())
        }
        settled => settled.map(drop),
    }
}

/// What a call came to in one turn.
enum Turned {
    /// Its answer.
    Over(Box<Outcome>),
    /// To be begun again, in this session's turn: the shopper's active cart is another one than was
    /// thought, or the caller has only now been shown a session for which a remedy is under
    /// way.
    Moved(SessionKey),
}

/// How often a call is begun again before it is forwarded as it came.
const BEGINNINGS: usize = 4;

/// A call that changes something.
async fn change<S: Client>(exchange: &Exchange<S>) -> Outcome {
    let lenient = exchange.policy.mode != Mode::Enforce;
    let mut session = match admit(exchange).await {
        Admitted::As(session) => session,
        Admitted::Denied(answer) if !lenient => return Outcome::forwarded(answer.into_response()),
        Admitted::Denied(_) => return plainly(exchange, None, None, None).await,
        Admitted::Unavailable(session) => {
            if exchange.policy.on_lookup_failure == OnLookupFailure::Reject && !lenient {
                return rejected(exchange, &Trouble::Problem(Problem::FactUnknown))
                    .about(session.as_ref());
            }
            session
        }
    };
    for _ in 0..BEGINNINGS {
        match in_turn(exchange, session.as_ref()).await {
            Turned::Over(outcome) => return outcome.about(session.as_ref()),
            Turned::Moved(key) => session = Some(key),
        }
    }
    plainly(exchange, session.clone(), None, None).await.about(session.as_ref())
}

/// The turn a call must have: its session's, or that of whoever's saved sources it changes.
fn turn_key<S>(exchange: &Exchange<S>, session: Option<&SessionKey>) -> Option<TurnKey> {
    match (&*exchange.intent, session) {
        (_, Some(key)) => Some(TurnKey::Session(key.clone())),
        (Intent::Save { owner: Owner::Shopper, .. } | Intent::ChangeOption { .. }, None) => {
            Some(TurnKey::Shopper(exchange.caller))
        }
        (intent, None) if intent.session().is_some() => Some(TurnKey::Shopper(exchange.caller)),
        (intent, None) => intent.customer().map(|id| TurnKey::Customer(exchange.customer_key(id))),
    }
}

async fn in_turn<S: Client>(exchange: &Exchange<S>, session: Option<&SessionKey>) -> Turned {
    let mut turn = None;
    if let Some(key) = turn_key(exchange, session) {
        let entry = entry(exchange, session).await;
        match exchange.governor.sessions.turn(&key, entry).await {
            Ok(taken) => turn = Some(taken),
            Err(_) if exchange.policy.mode != Mode::Enforce => {
                return Turned::Over(Box::new(
                    plainly(exchange, session.cloned(), None, None).await,
                ));
            }
            Err(busy) => return Turned::Over(Box::new(rejected(exchange, &Trouble::Busy(&busy)))),
        }
    }
    if let (Some(key), Some(taken)) = (session, turn.take()) {
        match leftovers(exchange, key, taken).await {
            Ok(taken) => turn = Some(taken),
            Err(outcome) => return Turned::Over(Box::new(outcome)),
        }
    }
    match astray(exchange, session).await {
        Some(turned) => turned,
        None => decided(exchange, session, turn).await,
    }
}

/// The shopper's active cart may be another one than this turn is for: the cart became an order
/// while the call waited, or may have. Only upstream knows. `Some`: the call moves to the right
/// turn, or ends.
async fn astray<S: Client>(exchange: &Exchange<S>, session: Option<&SessionKey>) -> Option<Turned> {
    let (Some(Target::Active(_)), Some(key)) = (exchange.intent.session(), session) else {
        return None;
    };
    let record = exchange.governor.sessions.session(key).await.ok().flatten()?;
    if !record.unsure && record.state.get() != Some(&SessionState::Complete) {
        return None;
    }
    let enforced = exchange.policy.mode == Mode::Enforce;
    match look_up(exchange, &Lookup::Session, session).await {
        Looked::Shown(shown) => shown.session.filter(|found| found != key).map(Turned::Moved),
        Looked::Denied(answer) if enforced => {
            Some(Turned::Over(Box::new(Outcome::forwarded(answer.into_response()))))
        }
        Looked::Failed
            if enforced && exchange.policy.on_lookup_failure == OnLookupFailure::Reject =>
        {
            Some(Turned::Over(Box::new(rejected(
                exchange,
                &Trouble::Problem(Problem::FactUnknown),
            ))))
        }
        Looked::Denied(_) | Looked::Failed => None,
    }
}

/// Where a call stands towards primaries that wait: store credit goes before them.
async fn entry<S: Client>(exchange: &Exchange<S>, session: Option<&SessionKey>) -> Entry {
    let sequencing = exchange.policy.sequencing;
    if sequencing.window.is_zero() && !sequencing.defer {
        return Entry::Ordinary;
    }
    let mut known = Known::default();
    recall(exchange, session, &mut known).await;
    if let Err(lookup) = overtakes(&known, &exchange.intent, &exchange.policy) {
        look_up(exchange, &lookup, session).await;
        known.looked_up.push((lookup, LookedUp::Failed));
        recall(exchange, session, &mut known).await;
    }
    match overtakes(&known, &exchange.intent, &exchange.policy) {
        Ok(true) => Entry::Overtakes,
        _ => Entry::Ordinary,
    }
}

/// Deals with what an earlier call left behind: an outcome nobody learned, a repair nobody
/// finished, an attach not yet sent.
async fn leftovers<S: Client>(
    exchange: &Exchange<S>,
    key: &SessionKey,
    turn: Turn,
) -> Result<Turn, Outcome> {
    let Some(record) = exchange.governor.sessions.session(key).await.ok().flatten() else {
        return Ok(turn);
    };
    if record.in_flight {
        update_session(exchange, key, &[SessionObservation::OutcomeUnknown]).await;
    }
    match record.pending.as_deref() {
        None => Ok(turn),
        // A stranger: what upstream makes of this caller says nothing of the remedy.
        Some(_) if !record.shown_to.contains(exchange.caller) => Ok(turn),
        Some(Pending::Repair { primary, .. }) => {
            remedy::recover(exchange, key, primary.clone(), turn).await
        }
        Some(Pending::Deferred { primary, since, sending }) => {
            let deferred = Deferred { primary: primary.clone(), since: *since, sending: *sending };
            defer::before(exchange, key, deferred, turn).await
        }
    }
}

/// Decide, look up what is missing, decide again; then do what the verdict says.
async fn decided<S: Client>(
    exchange: &Exchange<S>,
    session: Option<&SessionKey>,
    mut turn: Option<Turn>,
) -> Turned {
    let mut known = Known { deferrable: defer::possible(exchange), ..Known::default() };
    if let Intent::ChangeOption { removes: true, .. } = *exchange.intent {
        // The call names no source, and its answer neither: only now can it be told which one it
        // spends.
        needed(exchange, session, &mut known, Lookup::PaymentOptions).await;
    }
    let mut overtaken = false;
    loop {
        recall(exchange, session, &mut known).await;
        let now = now();
        let verdict = decide(
            &known,
            &exchange.intent,
            &exchange.governor.trusting(&exchange.policy, now),
            now,
        );
        let outcome = match verdict {
            Verdict::Need(lookup) => match needed(exchange, session, &mut known, lookup).await {
                None => continue,
                Some(turned) => return turned,
            },
            Verdict::Forward { monitored } => {
                let outcome =
                    plainly(exchange, session.cloned(), turn, Some((known, monitored))).await;
                // Store credit that came later went first.
                if overtaken && outcome.violation.is_none() {
                    Outcome { decided: Decided::Reordered, ..outcome }
                } else {
                    outcome
                }
            }
            Verdict::Strip(violation) => match stripped(exchange) {
                Some(request) => Outcome::forwarded(
                    act::forward(exchange, session.cloned(), turn, request, known).await,
                )
                .with(violation),
                None => {
                    plainly(exchange, session.cloned(), turn, Some((known, Some(violation)))).await
                }
            },
            Verdict::Reject(violation) => Outcome::refused(exchange.call.form(), violation),
            Verdict::Unavailable(_) => rejected(exchange, &Trouble::Problem(Problem::FactUnknown)),
            Verdict::Remedy(remedy, violation) => {
                match (confirmed(&known, &remedy), session, turn.take()) {
                    (Err(lookup), _, taken) => {
                        match needed(exchange, session, &mut known, lookup).await {
                            None => {
                                turn = taken;
                                continue;
                            }
                            Some(turned) => return turned,
                        }
                    }
                    (Ok(true), Some(key), Some(turn)) => {
                        remedy::run(exchange, key.clone(), turn, remedy, known)
                            .await
                            .with(violation)
                    }
                    // A remedy takes several calls, which only a turn keeps together, and nothing
                    // is taken away on a guess.
                    _ => Outcome::refused(exchange.call.form(), violation),
                }
            }
            Verdict::Hold { window } => match hold(turn, window).await {
                Ok(taken) => {
                    let before = known.session.as_ref().map(|record| record.epoch);
                    known = Known { held: true, deferrable: known.deferrable, ..Known::default() };
                    recall(exchange, session, &mut known).await;
                    overtaken = known.session.as_ref().map(|record| record.epoch) != before;
                    // Calls that overtook may have left something behind.
                    turn = match session {
                        Some(key) => match leftovers(exchange, key, taken).await {
                            Ok(taken) => Some(taken),
                            Err(outcome) => return Turned::Over(Box::new(outcome)),
                        },
                        None => Some(taken),
                    };
                    continue;
                }
                Err(None) => {
                    turn = None;
                    known.held = true;
                    continue;
                }
                Err(Some(busy)) => rejected(exchange, &Trouble::Busy(&busy)),
            },
            Verdict::Defer => match defer::defer(exchange, session, &mut known).await {
                Some(outcome) => outcome,
                None => continue,
            },
        };
        return Turned::Over(Box::new(outcome));
    }
}

/// Whether this very decision has looked up the primary that a remedy would take away and the
/// source that would come. However fresh what is remembered: removing a payment option spends a
/// source without naming it, and what no order of calls can put right is refused before the
/// first step. `Err`: look this up, then decide again.
fn confirmed(known: &Known, remedy: &Remedy) -> Result<bool, Lookup> {
    let (primary, incoming) = match remedy {
        Remedy::Repair { primary, incoming }
        | Remedy::Replace { primary, incoming: Incoming::Source(incoming) } => {
            (primary, Some(incoming))
        }
        // Options are never remembered: they were looked up for this decision.
        Remedy::Replace { primary, incoming: Incoming::Option(_) } => (primary, None),
    };
    for source in incoming.into_iter().chain([primary]) {
        let lookup = Lookup::Source(source.clone());
        match known.looked_up(&lookup) {
            Some(LookedUp::At(_)) => {}
            Some(LookedUp::Failed | LookedUp::Absent) => return Ok(false),
            None => return Err(lookup),
        }
    }
    Ok(true)
}

/// Looks up what `decide` asked for. `Some`: the call ends, or moves, for what was found.
async fn needed<S: Client>(
    exchange: &Exchange<S>,
    session: Option<&SessionKey>,
    known: &mut Known,
    lookup: Lookup,
) -> Option<Turned> {
    match look_up(exchange, &lookup, session).await {
        Looked::Shown(shown) => {
            if let (Lookup::Session, Some(found)) = (&lookup, shown.session)
                && (Some(&found) != session
                    || (known.session.is_none() && is_pending_for(exchange, &found).await))
            {
                return Some(Turned::Moved(found));
            }
            if let Some(options) = shown.options {
                known.options = Some(options.to_vec());
            }
            known.looked_up.push((lookup, LookedUp::At(shown.at)));
        }
        Looked::Denied(answer)
            if lookup == Lookup::Session && exchange.policy.mode == Mode::Enforce =>
        {
            return Some(Turned::Over(Box::new(Outcome::forwarded(answer.into_response()))));
        }
        Looked::Denied(answer) => {
            // A shopper's token may be no key to `/sources`, and still be good for the cart.
            let nobody = answer.status() == StatusCode::UNAUTHORIZED
                && exchange.call.dialect().semantics().credential_opens_sources;
            let absent = nobody || answer.status() == StatusCode::NOT_FOUND;
            known
                .looked_up
                .push((lookup, if absent { LookedUp::Absent } else { LookedUp::Failed }));
        }
        Looked::Failed => known.looked_up.push((lookup, LookedUp::Failed)),
    }
    None
}

/// Whether a remedy is under way that a caller who was a stranger until now has walked past.
async fn is_pending_for<S: Client>(exchange: &Exchange<S>, key: &SessionKey) -> bool {
    let record = exchange.governor.sessions.session(key).await.ok().flatten();
    record
        .is_some_and(|record| record.pending.is_some() && record.shown_to.contains(exchange.caller))
}

/// Waits for secondaries. `Err(None)`: there is no turn to put aside.
async fn hold(turn: Option<Turn>, window: Duration) -> Result<Turn, Option<crate::sessions::Busy>> {
    let Some(turn) = turn else { return Err(None) };
    turn.hold(window).wait().await.map_err(Some)
}

/// The call as it came.
async fn plainly<S: Client>(
    exchange: &Exchange<S>,
    session: Option<SessionKey>,
    turn: Option<Turn>,
    known: Option<(Known, Option<Violation>)>,
) -> Outcome {
    let (known, monitored) = known.unwrap_or_default();
    Outcome::monitored(
        act::forward(exchange, session, turn, exchange.original(), known).await,
        monitored,
    )
}

fn rejected<S>(exchange: &Exchange<S>, why: &Trouble<'_>) -> Outcome {
    Outcome::new(trouble(exchange.call.form(), why), Decided::Rejected)
}

/// The call without its `owner`. `None`: the body has a form out of which it cannot be taken.
fn stripped<S: Client>(exchange: &Exchange<S>) -> Option<Request<Body>> {
    let plain = dialects::plain(&exchange.head.headers, &exchange.body.bytes)?;
    let body: Bytes = dialects::strip_owner(&plain)?;
    let mut head = (*exchange.head).clone();
    head.headers.remove(header::CONTENT_ENCODING);
    head.headers.insert(header::CONTENT_LENGTH, body.len().into());
    Some(Request::from_parts(head, Body::full(body)))
}
