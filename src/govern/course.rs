//! Performs the steps of one call until it has its outcome.
//!
//! In: the exchange. Out: its outcome. [`Attempt`] decides; each function here performs one step.
//! A failure of the store becomes [`Event::StoreFailed`] in one place, [`drive`].

mod ends;
mod turns;

use super::{
    answer::{Outcome, OwnError},
    answered::LookupOutcome,
    defer::{self, write_pending},
    exchange::Exchange,
    governor::{UnseenChange, log_store_error},
    holding::Holding,
    look_up,
    open::Phase,
    recall::recall,
    repair,
};
use crate::{
    http::{Body, Problem},
    rules::{
        Attempt, Basis, CallEnd, Event, Intent, Lookup, Next, SessionKey, SessionKind,
        SessionRecord, SourceId, Start, Target, Timestamp, Unsent,
    },
    sessions::{Busy, StoreError, TurnKey, now},
};
use http::{Response, StatusCode};
use std::{sync::Arc, time::Duration};

/// Runs a call until it has its outcome.
pub(super) async fn run(exchange: &Exchange) -> Outcome {
    if let Intent::ReadSessions { kind } = &*exchange.intent
        && let Some(outcome) = Box::pin(settle_all(exchange, *kind)).await
    {
        return outcome;
    }
    // A course that is to be answered does not stop before.
    let lost = || Outcome::own_error(exchange.call.form(), &OwnError::Problem(Problem::Internal));
    drive(exchange, Until::Answered).await.unwrap_or_else(lost)
}

/// Settles what is pending for the sessions of a kind that the caller has been shown, because a
/// list shows it. Returns an outcome where one of them cannot be settled.
async fn settle_all(exchange: &Exchange, kind: SessionKind) -> Option<Outcome> {
    let sessions = exchange.asker.governor.sessions();
    for key in sessions.pinned_of(kind) {
        // Where the store fails, the course finds out.
        let record = sessions.session(&key).await;
        let is_strange = |record: &Option<SessionRecord>| {
            record.as_ref().is_none_or(|record| !exchange.asker.who.is_among(&record.shown_to))
        };
        if record.as_ref().is_ok_and(is_strange) {
            continue;
        }
        let session = Target::Session(key);
        let intent = Arc::new(Intent::ReadSession { session });
        let read = Exchange { intent, ..exchange.clone() };
        if let Some(outcome) = drive(&read, Until::Settled).await {
            return Some(outcome);
        }
    }
    None
}

/// How far a course is driven.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Until {
    Answered,
    /// Until the call itself would be sent.
    Settled,
}

/// Performs the steps of a course. Returns no outcome where it stops before its call is sent.
async fn drive(exchange: &Exchange, until: Until) -> Option<Outcome> {
    let mut course = Course::without_records(exchange);
    let mut failed = course.begin().await.err();
    loop {
        if let Some(error) = failed.take() {
            log_store_error(&error);
            course.unrecorded.get_or_insert_with(|| exchange.asker.governor.unseen_change());
            course.hand = None;
            course.on(Event::StoreFailed { deferral_possible: deferral_possible(exchange) });
        }
        if until == Until::Settled && course.sends().await {
            return None;
        }
        match course.step().await {
            Ok(Some(outcome)) => return Some(outcome.about(course.attempt.session())),
            Ok(None) => {}
            Err(error) => failed = Some(error),
        }
    }
}

/// Returns whether an attach may have been deferred for a session, as far as can be told without
/// its record.
fn deferral_possible(exchange: &Exchange) -> bool {
    exchange.policy.sequencing.defer || exchange.asker.governor.sessions().pinned() > 0
}

struct Course<'a> {
    exchange: &'a Exchange,
    attempt: Attempt,
    /// The records that the call may change; `None` before they are read, or where the store fails.
    hand: Option<Holding>,
    /// Whether a look-up may have changed what is stored since the records were read.
    stale: bool,
    /// Whether the last step left the records in hand and what is known of them as they were.
    unchanged: bool,
    /// Upstream's answer to the last step.
    last: Option<Response<Body>>,
    busy: Option<Busy>,
    /// Set once the store has failed: what the call changes from then on is not remembered.
    unrecorded: Option<UnseenChange>,
    /// What the last judgement rested on, for the decision log.
    judged: Option<Box<Judged>>,
}

/// What a judgement rested on, the session that the call was about then, and how long before
/// upstream may have been changed past the records.
struct Judged {
    basis: Box<Basis>,
    session: Option<SessionKey>,
    changed: Option<Duration>,
}

impl<'a> Course<'a> {
    fn without_records(exchange: &'a Exchange) -> Self {
        let attempt = Attempt::new(None, Start::default());
        let (hand, last, busy, unrecorded) = (None, None, None, None);
        let (stale, unchanged, judged) = (false, false, None);
        Self { exchange, attempt, hand, stale, unchanged, last, busy, unrecorded, judged }
    }

    /// Reads the session's records, and takes its turn where it is free.
    async fn begin(&mut self) -> Result<(), StoreError> {
        let exchange = self.exchange;
        let sessions = exchange.asker.governor.sessions();
        let keeps_basis = exchange.asker.governor.decisions().recorder().is_some();
        let mut start = Start { can_defer: sessions.can_pin(), keeps_basis, ..Start::default() };
        let session = session_of(exchange).await?;
        if let Some(key) = &session {
            let hand = take_up(exchange, key).await?;
            let is_named = matches!(exchange.intent.session(), Some(Target::Session(_)));
            start.pending_unseen = is_named && hand.records().record().pending.is_some();
            start.unseen = is_named && hand.records().session().is_none();
            let known = exchange.asker.who.is_among(&hand.records().record().shown_to);
            if exchange.intent.is_read() && known {
                sessions.release_held(&TurnKey::Session(key.clone()));
            }
            self.hand = Some(match (hand, known) {
                // A stranger does not hold the turn.
                (Holding::Turn(turn), false) => Holding::Records(turn.into_records(), None),
                (hand, _) => hand,
            });
        }
        self.attempt = Attempt::new(session, start);
        Ok(())
    }

    /// Returns whether the call itself is sent next.
    async fn sends(&mut self) -> bool {
        if self.recall().await.is_err() {
            // The step fails as well, and says so.
            return false;
        }
        let exchange = self.exchange;
        let policy = exchange.asker.governor.cap_freshness(&exchange.policy, now());
        matches!(self.attempt.next(&exchange.intent, &policy, now()), Next::Send(_))
    }

    fn on(&mut self, event: Event) {
        self.attempt.on(event, &self.exchange.intent, &self.exchange.policy);
    }

    /// Performs the next step. Returns the outcome once the call has its answer.
    async fn step(&mut self) -> Result<Option<Outcome>, StoreError> {
        self.recall().await?;
        let exchange = self.exchange;
        let now = now();
        let changed = exchange.asker.governor.since_unseen_change(now);
        let policy = exchange.policy.doubting(changed);
        let next = self.attempt.next(&exchange.intent, &policy, now);
        if let Some(basis) = self.attempt.take_basis() {
            let session = self.attempt.session().cloned();
            self.judged = Some(Box::new(Judged { basis, session, changed }));
        }
        exchange.asker.trace.enter(match &next {
            Next::LookUp(_) => Phase::LookingUp,
            Next::TakeTurn { .. } => Phase::WaitingForTurn,
            Next::Hold(_) => Phase::Held,
            _ => Phase::Deciding,
        });
        // What asks upstream or waits is boxed: its size would be copied with every call.
        let event = match next {
            Next::LookUp(lookup) => Box::pin(self.look_up(&lookup)).await?,
            Next::TakeTurn { overtakes } => self.take_turn(overtakes).await?,
            Next::Hold(window) => Box::pin(self.hold(window)).await?,
            Next::Recover { primary, credit } => Box::pin(self.recover(primary, credit)).await?,
            Next::SendDeferred { primary, since } => {
                Box::pin(self.send_deferred(primary, since)).await?
            }
            Next::EraseDeferred => Box::pin(self.erase_deferred()).await?,
            last => return self.end(last).await.map(Some),
        };
        exchange.asker.trace.enter(Phase::Deciding);
        self.on(event);
        Ok(None)
    }

    /// Fills in what is known from the records of the attempt's session.
    async fn recall(&mut self) -> Result<(), StoreError> {
        self.drop_other_hand();
        if std::mem::take(&mut self.unchanged) || self.attempt.is_over() {
            return Ok(());
        }
        let session = self.attempt.session();
        if let (None, Some(key)) = (&self.hand, session) {
            let sessions = self.exchange.asker.governor.sessions();
            let records = sessions.records(Some(key), &self.exchange.sources(), None).await?;
            self.hand = Some(Holding::Records(records, None));
            self.stale = false;
        }
        let Some(hand) = &mut self.hand else { return Ok(()) };
        let records = hand.records_mut();
        if std::mem::take(&mut self.stale) {
            records.refresh().await?;
        }
        recall(self.exchange, records, &mut self.attempt.known).await
    }

    /// Drops the records of a session that is not, or no longer, the attempt's: one to which the
    /// caller was not admitted, or that was the active one before. A read changes no record's
    /// session, so it may keep them.
    fn drop_other_hand(&mut self) {
        let session = self.attempt.session();
        let is_read = self.exchange.intent.is_read();
        let other = |hand: &Holding| match session {
            None => hand.records().session_key().is_some() && !is_read,
            session => hand.records().session_key() != session,
        };
        if self.hand.as_ref().is_some_and(other) {
            self.hand = None;
        }
    }

    async fn look_up(&mut self, lookup: &Lookup) -> Result<Event, StoreError> {
        if !self.attempt.has_turn() && matches!(self.hand, Some(Holding::Turn(_))) {
            // A turn that was taken because it was free is not kept while upstream is asked.
            self.hand = None;
        }
        let session = self.attempt.session().cloned();
        let outcome =
            look_up::look_up(self.exchange, lookup, session.as_ref(), self.attempt.takes_own_key())
                .await?;
        look_up::count(self.exchange, self.attempt.asks_for(), lookup, &outcome);
        self.stale = true;
        let semantics = self.exchange.call.dialect().semantics();
        let end = outcome.end(semantics.credential_opens_sources);
        self.last = match outcome {
            LookupOutcome::Shown(shown) => Some(shown.answer.into_response()),
            LookupOutcome::Denied(answer) => Some(answer.into_response()),
            LookupOutcome::ShownToWeir(_) | LookupOutcome::Failed(_) => None,
        };
        Ok(Event::LookedUp(end))
    }

    async fn recover(
        &mut self,
        primary: SourceId,
        credit: Option<SourceId>,
    ) -> Result<Event, StoreError> {
        let Some(Holding::Turn(turn)) = self.hand.take() else { return Ok(Event::Lost) };
        match repair::recover(self.exchange, turn, primary, credit).await {
            Ok(turn) => {
                self.hand = Some(Holding::Turn(turn?));
                Ok(Event::Recovered)
            }
            Err(_) => Ok(Event::Lost),
        }
    }

    async fn send_deferred(
        &mut self,
        primary: SourceId,
        since: Timestamp,
    ) -> Result<Event, StoreError> {
        let Some(Holding::Turn(turn)) = self.hand.take() else { return Ok(Event::Lost) };
        let Ok(sent) = defer::send_deferred(self.exchange, turn, primary, since).await else {
            return Ok(Event::Lost);
        };
        let (turn, outcome) = sent?;
        self.hand = Some(Holding::Turn(turn));
        let unsent = match outcome.end() {
            CallEnd::Done => None,
            _ => Some(match outcome.status() {
                Some(StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) => Unsent::NotFromThisCaller,
                _ => Unsent::Failed,
            }),
        };
        self.last = Some(outcome.into_response(self.exchange.call.form()));
        Ok(Event::DeferredSent(unsent))
    }

    async fn erase_deferred(&mut self) -> Result<Event, StoreError> {
        if let Some(Holding::Turn(turn)) = &mut self.hand {
            write_pending(self.exchange, turn, None).await?;
        }
        Ok(Event::Erased)
    }
}

/// Takes the session's turn where it is free, so that the record is read once; otherwise only reads
/// the record.
async fn take_up(exchange: &Exchange, key: &SessionKey) -> Result<Holding, StoreError> {
    let sessions = exchange.asker.governor.sessions();
    let sources = exchange.sources();
    if !exchange.intent.is_read()
        && let Some(turn) = sessions.turn_if_free(key, &sources).await?
    {
        return Ok(Holding::Turn(turn));
    }
    Ok(Holding::Records(sessions.records(Some(key), &sources, None).await?, None))
}

/// Returns the session that the call names; `None` where it is an active one that is not known.
async fn session_of(exchange: &Exchange) -> Result<Option<SessionKey>, StoreError> {
    let sessions = exchange.asker.governor.sessions();
    match (exchange.intent.session(), exchange.asker.who.caller()) {
        (Some(Target::Session(key)), _) => Ok(Some(key.clone())),
        (Some(Target::Active(kind)), Some(caller)) => {
            let id = sessions.active_of(caller).await?;
            Ok(id.map(|id| SessionKey::new(*kind, id)))
        }
        _ => Ok(None),
    }
}
