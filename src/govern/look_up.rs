//! Asks upstream for a fact, with the caller's own credentials and headers; for a source that these
//! do not open, with Weir's own key.
//!
//! In: what is missing. Out: the time as of which the records have it, or why they do not. Callers
//! that miss the same thing share one request. An answer that overlapped with a change teaches
//! nothing; the record's epoch shows that.

use super::{
    answered::{Answered, LookupOutcome, Shown},
    asker::{Asker, SendOutcome, Who},
    exchange::Exchange,
    learn, own_key,
    send::TOO_LONG,
};
use crate::{
    dialects::{Call, UnreadableAnswer},
    observe::StepEnd,
    rules::{
        Intent, Known, Learned, Lookup, Pending, SessionKey, SessionObservation, SourceId, Stated,
        Target, Timestamp, learn as learn_from,
    },
    sessions::{LookupKey, Records, StoreError, now},
};
use http::{HeaderValue, StatusCode, header};
use std::{sync::Arc, time::Duration};

/// A request for a fact, and the records as they were before it was sent.
pub(super) struct Asked {
    pub exchange: Exchange,
    pub call: Call,
    pub intent: Intent,
    pub lookup: Lookup,
    pub session: Option<SessionKey>,
    pub records: Records,
    /// How much later the same facts may be without being written. None for a look-up: the decision
    /// that waits for it needs the date.
    pub leeway: Duration,
}

/// Looks one thing up for a decision about `session`, where that is known. Asks with Weir's own key
/// for a source that the caller's credentials do not open, if `with_own_key`.
pub(super) async fn look_up(
    exchange: &Exchange,
    lookup: &Lookup,
    session: Option<&SessionKey>,
    with_own_key: bool,
) -> Result<LookupOutcome, StoreError> {
    if !matches!(lookup, Lookup::Source(_)) {
        return look_up_as(exchange, lookup, session).await;
    }
    let weir = own_key::as_weir(exchange).filter(|_| with_own_key);
    let outcome = match (own_key::cannot_open_sources(&exchange.asker), &weir) {
        (true, Some(_)) => LookupOutcome::Failed(StepEnd::Unasked),
        (true, None) => {
            let bearer = own_key::as_bearer(exchange);
            return look_up_as(bearer.as_ref().unwrap_or(exchange), lookup, session).await;
        }
        (false, None) => return look_up_as(exchange, lookup, session).await,
        (false, Some(_)) => match look_up_as(exchange, lookup, session).await? {
            LookupOutcome::Denied(answer) if answer.status() != StatusCode::NOT_FOUND => {
                LookupOutcome::Denied(answer)
            }
            outcome => return Ok(outcome),
        },
    };
    let Some(weir) = weir else { return Ok(outcome) };
    Ok(match look_up_as(&weir, lookup, session).await? {
        LookupOutcome::Shown(shown) => LookupOutcome::ShownToWeir(shown),
        // What Weir's key does not open may be another merchant's.
        LookupOutcome::ShownToWeir(_) | LookupOutcome::Denied(_) | LookupOutcome::Failed(_) => {
            outcome
        }
    })
}

/// Counts a look-up of a call, and why the call needed it.
pub(super) fn count(exchange: &Exchange, why: &'static str, lookup: &Lookup, end: &LookupOutcome) {
    let dialect = exchange.call.dialect().as_str();
    let what = match lookup {
        Lookup::Session => "session",
        Lookup::Source(_) => "source",
        Lookup::Customer => "customer",
        Lookup::PaymentOptions => "payment options",
    };
    let end = match end {
        LookupOutcome::Shown(_) => "shown",
        LookupOutcome::ShownToWeir(_) => "shown to Weir",
        LookupOutcome::Denied(_) => "denied",
        LookupOutcome::Failed(StepEnd::Answered(_)) => "error",
        LookupOutcome::Failed(end) => end.as_str(),
    };
    exchange.asker.governor.metrics().look_up([dialect, why, what, end]);
}

/// Looks one thing up as the one who asks.
async fn look_up_as(
    exchange: &Exchange,
    lookup: &Lookup,
    session: Option<&SessionKey>,
) -> Result<LookupOutcome, StoreError> {
    let asker = &exchange.asker;
    let outgoing = match asker.backing_off() {
        Some(_) => None,
        None => exchange.call.look_up(lookup, &exchange.intent, &asker.head.uri, session),
    };
    let Some((outgoing, call)) = outgoing else {
        asker.trace.note(asker.step_of(lookup), StepEnd::Unasked);
        return Ok(LookupOutcome::Failed(StepEnd::Unasked));
    };
    let reader = call.clone();
    let records = records(exchange, lookup, session).await?;
    let epoch = epoch(&records, lookup);
    let mut asked = Asked {
        exchange: exchange.clone(),
        call,
        intent: outgoing.intent.clone(),
        lookup: lookup.clone(),
        session: session.cloned(),
        records,
        leeway: Duration::ZERO,
    };
    let key = asker.who.credential().filter(|_| is_shared(lookup)).map(|caller| LookupKey {
        path: outgoing.path.clone(),
        asked: asked_of(asker),
        caller,
        epoch,
    });
    // Boxed: rare, and its size would be added to every decision.
    let work = Box::pin(async move {
        let request = asked.exchange.asker.request(&outgoing);
        let at = now();
        let what = asked.exchange.asker.step_of(&asked.lookup);
        asked.exchange.asker.governor.metrics().look_up_sent();
        let sent = asked.exchange.asker.send(request, &what, asked.session.as_ref()).await;
        asked.learn(at, sent).await
    });
    let wait = asker.trace.wait();
    let outcome = asker.governor.look_ups.share(key, work).await?;
    wait.over();
    asker.trace.note(asker.step_of(lookup), outcome.step_end());
    match &outcome {
        LookupOutcome::Shown(shown) | LookupOutcome::ShownToWeir(shown) => {
            asker.trace.note_unread(&shown.unread);
        }
        LookupOutcome::Denied(answered) => note_code(exchange, &reader, answered),
        LookupOutcome::Failed(StepEnd::Unreadable { why, .. }) => {
            asker.trace.note_unreadable(UnreadableAnswer(why));
        }
        LookupOutcome::Failed(_) => {}
    }
    if let (Who::Nobody, LookupOutcome::Shown(shown)) = (asker.who, &outcome) {
        asker.shown.note(lookup, shown.session.as_ref());
    }
    Ok(outcome)
}

/// Notes the code of an error of upstream's.
pub(super) fn note_code(exchange: &Exchange, call: &Call, answered: &Answered) {
    let limit = exchange.asker.governor.settings().answer;
    let code = call.error_code(answered.headers(), &answered.body.bytes, limit);
    exchange.asker.trace.note_code(code);
}

/// Returns the values of the headers that change an answer, with a mark after each header's.
fn asked_of(asker: &Asker) -> Vec<HeaderValue> {
    const END: HeaderValue = HeaderValue::from_static("");
    let headers = &asker.head.headers;
    let own = [header::ACCEPT, header::ACCEPT_LANGUAGE, header::ACCEPT_CHARSET, header::COOKIE];
    let versions = asker.governor.dialects().version_headers();
    let values =
        |name: &str| headers.get_all(name).iter().cloned().chain([END]).collect::<Vec<_>>();
    let mut asked: Vec<_> = own.iter().flat_map(|name| values(name.as_str())).collect();
    asked.extend(versions.into_iter().flat_map(values));
    asked
}

/// Returns whether callers may share this look-up. Payment options have no record whose epoch could
/// distinguish an old answer from a new one.
fn is_shared(lookup: &Lookup) -> bool {
    *lookup != Lookup::PaymentOptions
}

/// Reads the records that a look-up teaches.
pub(super) async fn records(
    exchange: &Exchange,
    lookup: &Lookup,
    session: Option<&SessionKey>,
) -> Result<Records, StoreError> {
    let source: &[SourceId] = match lookup {
        Lookup::Source(id) => std::slice::from_ref(id),
        _ => &[],
    };
    let customer = exchange.customer().filter(|_| *lookup == Lookup::Customer);
    let sessions = exchange.asker.governor.sessions();
    let mut records = sessions.records(session, source, customer.as_ref()).await?;
    let saved: Vec<SourceId> =
        records.customer().and_then(|c| c.saved.get()).into_iter().flatten().cloned().collect();
    records.read_along(&saved).await?;
    Ok(records)
}

/// Returns the epoch that callers must have in common to share a look-up.
fn epoch(records: &Records, lookup: &Lookup) -> u32 {
    match lookup {
        Lookup::Source(id) => records.source(id).map_or(0, |record| record.epoch),
        Lookup::Customer => records.customer().map_or(0, |record| record.epoch),
        Lookup::Session | Lookup::PaymentOptions => records.record().epoch,
    }
}

impl Asked {
    /// Learns from the answer. Facts have the time at which the request was sent, because upstream
    /// may have read them at any time since.
    pub(super) async fn learn(
        &mut self,
        at: Timestamp,
        sent: SendOutcome,
    ) -> Result<LookupOutcome, StoreError> {
        let answered = match sent {
            SendOutcome::Answered(answered) => answered,
            SendOutcome::TooLong(response) => return Ok(unreadable(response.status(), TOO_LONG)),
            SendOutcome::Failed(failure) => return Ok(LookupOutcome::Failed(failure.step_end())),
        };
        let status = answered.status();
        if is_denial(status) {
            self.learn_denial(status).await?;
            return Ok(LookupOutcome::Denied(answered));
        }
        if !status.is_success() {
            return Ok(LookupOutcome::Failed(StepEnd::Answered(status.as_u16())));
        }
        let (shown, learned) = match self.read_answer(at, answered) {
            Ok(read) => read,
            Err(why) => return Ok(unreadable(status, why)),
        };
        learn::commit(&self.exchange, &mut self.records, learned, (at, at), self.leeway).await?;
        learn::remember_active(&self.exchange, shown.session.as_ref()).await?;
        Ok(LookupOutcome::Shown(shown))
    }

    /// Reads what a success shows and teaches.
    fn read_answer(
        &self,
        at: Timestamp,
        answered: Answered,
    ) -> Result<(Shown, Learned), UnreadableAnswer> {
        let exchange = &self.exchange;
        let status = answered.status();
        let limit = exchange.asker.governor.settings().answer;
        let (headers, body) = (answered.headers(), &answered.body.bytes);
        let read = || self.call.read_answer(&self.intent, status, headers, body, limit);
        let answer = match (&self.lookup, &self.session) {
            (Lookup::Session, Some(session)) => {
                let recent = &exchange.asker.governor.recent;
                recent.get_or_read(session, (&self.call, &self.intent), &answered, read)?
            }
            _ => Arc::new(read()?),
        };
        let shown = match &self.intent {
            Intent::ReadSession { session: Target::Session(key) } => Some(key.clone()),
            Intent::ReadSession { session: Target::Active(kind) } => {
                let id = answer.session.as_ref().and_then(|facts| facts.id.clone());
                id.map(|id| SessionKey::new(*kind, id)).or(self.session.clone())
            }
            _ => None,
        };
        if self.lookup == Lookup::Session && shown.is_none() {
            return Err(UnreadableAnswer("it does not tell which session it is"));
        }
        let known = Known::default();
        let mut learned =
            learn_from(&self.intent, &answer, shown.as_ref(), &known, &exchange.policy);
        let (source, customer) = match self.lookup {
            Lookup::Source(_) => (self.intent.source(), None),
            Lookup::Customer => (None, self.intent.customer()),
            _ => (None, None),
        };
        learn::add_shown(exchange, &mut learned, source, customer);
        let unread = Arc::new(answer.unread.clone());
        let options = match &answer.options {
            Stated::Stated(options) => Some(Arc::new(options.clone())),
            Stated::Unstated | Stated::Unread => None,
        };
        Ok((Shown { at, session: shown, options, unread, answer: answered }, learned))
    }

    /// Learns that upstream does not show the session to this caller. Creates no record for a
    /// session that no caller has been shown.
    async fn learn_denial(&mut self, status: StatusCode) -> Result<(), StoreError> {
        let (Lookup::Session, Some(record)) = (&self.lookup, self.records.session()) else {
            return Ok(());
        };
        let who = self.exchange.asker.who;
        let deferred = matches!(record.pending.as_deref(), Some(Pending::Deferred { .. }));
        let shown = who.is_among(&record.shown_to);
        let (policy, at) = (&self.exchange.policy, now());
        // A session that this caller was shown, and that is not there any more, was deleted: an
        // attach that was deferred for it has no purpose.
        if status == StatusCode::NOT_FOUND && deferred && shown {
            self.records.apply(SessionObservation::Pending(None), policy, at);
        }
        // A 403 is about this read: what the caller was shown before, it may still change.
        if let Some(caller) = who.caller().filter(|_| status != StatusCode::FORBIDDEN) {
            self.records.apply(SessionObservation::DeniedTo(caller), policy, at);
        }
        self.records.write().await
    }
}

fn unreadable(status: StatusCode, why: UnreadableAnswer) -> LookupOutcome {
    LookupOutcome::Failed(StepEnd::Unreadable { status: status.as_u16(), why: why.0 })
}

fn is_denial(status: StatusCode) -> bool {
    matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::NOT_FOUND)
}
