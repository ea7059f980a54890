//! Performs a repair: several calls in place of one.
//!
//! [`Repair`] decides each step. The note (`Pending::Repair`) is written before the first step, so
//! that the next call in the session's turn can finish or undo the repair. Where the primary cannot
//! be attached again, the answer says what is attached, and the session is unsure. A failure of the
//! store after the first step stays here: [`Repair`] goes on without the store, and the repair ends
//! with an answer of its own, so that the caller's call is not sent again.

use super::{
    answer::{OwnError, own_error},
    answered::LookupOutcome,
    asker::Failure,
    defer::write_pending,
    exchange::Exchange,
    governor::{UnseenChange, log_store_error},
    look_up::{count, look_up},
    recall::recall,
    send::{CallOutcome, begin, run_detached, send_begun},
};
use crate::{
    dialects::{Call, Outgoing},
    http::{Body, Problem, ProxyError},
    observe::StepKind,
    rules::{
        Known, Lookup, Repair, RepairEnd, RepairEvent, RepairStep, SessionObservation, SessionView,
        SourceId,
    },
    sessions::{StoreError, Turn, now},
};
use http::Response;
use std::time::Duration;

/// The longest pause before the primary is attached again, since the caller and those behind it
/// wait for it.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// A repair that has ended.
struct Performed {
    turn: Turn,
    end: RepairAnswer,
    /// Set once the store has failed.
    failed: Option<StoreError>,
}

/// How a repair ended.
enum RepairAnswer {
    /// With this answer for the caller.
    Answer(Response<Body>),
    /// Without an answer.
    Other(RepairEnd),
}

/// Performs a repair, detached from the caller. `known` is what the caller's call was decided on.
///
/// # Errors
/// Fails where the store fails before the first step is sent, and only then.
pub(super) async fn run(
    exchange: &Exchange,
    turn: Turn,
    repair: Repair,
    known: Known,
) -> Result<Response<Body>, StoreError> {
    let form = exchange.call.form();
    match run_detached(exchange, perform(exchange.clone(), turn, repair, known)).await {
        Ok(Performed { end: RepairAnswer::Answer(response), .. }) => Ok(response),
        Ok(Performed { end: RepairAnswer::Other(RepairEnd::NotBegun), failed, .. }) => {
            Err(failed.unwrap_or(StoreError::Unavailable))
        }
        Ok(_) => Ok(own_error(form, &OwnError::Problem(Problem::Internal))),
        Err(failure) => Ok(own_error(form, &OwnError::Problem(failure.problem))),
    }
}

/// Attaches the primary again, behind credit that the call before has put behind it. Returns the
/// answer, or `None` where the primary stands as it stood. Runs in the detached work of that call.
pub(super) async fn mend(
    exchange: &Exchange,
    turn: Turn,
    primary: &SourceId,
) -> Option<Response<Body>> {
    let repair = Repair::afterwards(primary);
    match perform(exchange.clone(), turn, repair, Known::default()).await.end {
        RepairAnswer::Answer(response) => Some(response),
        RepairAnswer::Other(_) => None,
    }
}

/// Finishes or undoes a repair that an earlier call left unfinished, detached from the caller.
///
/// # Errors
/// Fails where the store failed on the way, even if the primary is attached again: the note may
/// still be there.
pub(super) async fn recover(
    exchange: &Exchange,
    turn: Turn,
    primary: SourceId,
    credit: Option<SourceId>,
) -> Result<Result<Turn, StoreError>, Failure> {
    let session = turn.key().clone();
    tracing::warn!(%session, "found a repair that was never finished");
    let repair = Repair::recovery(&primary, credit);
    let governor = exchange.asker.governor.clone();
    let performed = perform(exchange.clone(), turn, repair, Known::default());
    let work = async move {
        let performed = performed.await;
        match performed.end {
            RepairAnswer::Other(RepairEnd::Refused) => {
                governor.count_stranded();
                tracing::error!(%session, %primary, "upstream refuses the primary of an unfinished repair");
            }
            RepairAnswer::Other(RepairEnd::Recovered { again: true }) => {
                tracing::info!(%session, "attached the primary of an unfinished repair again");
            }
            _ => {}
        }
        match performed.failed {
            Some(error) => Err(error),
            None => Ok(performed.turn),
        }
    };
    run_detached(exchange, work).await
}

/// Returns the name under which a repair is counted that ended so.
fn name_of(end: &RepairEnd, answer: &RepairAnswer) -> &'static str {
    match (end, answer) {
        (RepairEnd::Answer(_), RepairAnswer::Answer(last)) if last.status().is_success() => "done",
        (RepairEnd::Answer(_), _) => "undone",
        (RepairEnd::Stranded { .. }, _) => "stranded",
        (RepairEnd::Recovered { .. }, _) => "recovered",
        (RepairEnd::Refused, _) => "refused",
        (RepairEnd::Unfinished, _) => "unfinished",
        (RepairEnd::Kept, _) => "kept",
        (RepairEnd::NotBegun, _) => "not_begun",
    }
}

/// A repair under way. `answers` has one entry for each step.
struct Performer {
    exchange: Exchange,
    turn: Turn,
    known: Known,
    answers: Vec<Option<Response<Body>>>,
    /// Whether the answer to the step under way must be readable.
    must_be_read: bool,
    /// Set once the store has failed: what the steps change from then on may not be remembered.
    failed: Option<(StoreError, UnseenChange)>,
}

async fn perform(exchange: Exchange, turn: Turn, mut repair: Repair, known: Known) -> Performed {
    exchange.asker.trace.note_repair();
    let (answers, must_be_read, failed) = (Vec::new(), true, None);
    let mut performer = Performer { exchange, turn, known, answers, must_be_read, failed };
    if let Some(note) = repair.pending() {
        // It is written together with the beginning of the first step.
        let policy = &performer.exchange.policy;
        let note = SessionObservation::Pending(Some(note));
        performer.turn.records_mut().apply(note, policy, now());
    }
    loop {
        let must = repair.needs_store();
        performer.must_be_read = repair.must_be_read();
        let ended = match repair.next() {
            RepairStep::Detach(source) => performer.detach(&source, must).await,
            RepairStep::Call => performer.callers_call(must).await,
            RepairStep::Reattach(primary) => performer.reattach(&primary, must).await,
            RepairStep::Look => performer.look().await,
            RepairStep::EraseNote => performer.erase_note().await,
            RepairStep::End(end) => {
                let ended = end.clone();
                let end = performer.end(&repair, end).await;
                performer.exchange.asker.governor.metrics().repair(name_of(&ended, &end));
                let failed = performer.failed.map(|(error, _)| error);
                return Performed { turn: performer.turn, end, failed };
            }
        };
        let (event, answer) = ended.unwrap_or_else(|error| {
            performer.note_failed(error);
            (RepairEvent::StoreFailed, None)
        });
        performer.answers.push(answer);
        repair.on(event);
    }
}

/// The event of a step and its answer, or why the store kept it from being made.
type StepResult = Result<(RepairEvent, Option<Response<Body>>), StoreError>;

impl Performer {
    /// Notes that the store failed. Facts in memory are not trusted until the repair is over.
    fn note_failed(&mut self, error: StoreError) {
        log_store_error(&error);
        let governor = &self.exchange.asker.governor;
        self.failed.get_or_insert_with(|| (error, governor.unseen_change()));
    }

    async fn detach(&mut self, source: &SourceId, must: bool) -> StepResult {
        let uri = &self.exchange.asker.head.uri;
        let step = self.exchange.call.detach(self.turn.key(), source, uri);
        self.step(step, StepKind::Detach(source.clone()), must).await
    }

    /// Attaches the primary, after the pause that upstream asked for.
    async fn reattach(&mut self, primary: &SourceId, must: bool) -> StepResult {
        if let Some(left) = self.exchange.asker.backing_off() {
            tokio::time::sleep(left.min(LONGEST_PAUSE)).await;
        }
        let uri = &self.exchange.asker.head.uri;
        let step = self.exchange.call.attach(self.turn.key(), primary, uri);
        self.step(step, StepKind::AttachPrimary(primary.clone()), must).await
    }

    async fn callers_call(&mut self, must: bool) -> StepResult {
        self.begin(must).await?;
        let exchange = &self.exchange;
        let (call, intent, request) = (&exchange.call, &exchange.intent, exchange.original());
        let records = self.turn.records_mut();
        let outcome = send_begun(exchange, call, intent, records, &self.known, request).await;
        Ok(self.note_end(outcome, StepKind::Call(intent.name())))
    }

    /// Sends a call of Weir's own. `None`: an id is too long for a path, so no path can have
    /// attached it.
    async fn step(
        &mut self,
        step: Option<(Outgoing, Call)>,
        kind: StepKind,
        must: bool,
    ) -> StepResult {
        let Some((outgoing, call)) = step else {
            return Ok(self.note_end(CallOutcome::NotSent(Failure::NOT_SENT), kind));
        };
        let mut known = Known::default();
        let recalled = recall(&self.exchange, self.turn.records_mut(), &mut known).await;
        let blind = recalled.is_err();
        self.allow(recalled, must)?;
        self.begin(must).await?;
        let exchange = &self.exchange;
        let request = exchange.asker.request(&outgoing);
        let (intent, records) = (&outgoing.intent, self.turn.records_mut());
        let outcome = send_begun(exchange, &call, intent, records, &known, request).await;
        if blind {
            let policy = &self.exchange.policy;
            self.turn.records_mut().apply(SessionObservation::OutcomeUnknown, policy, now());
        }
        Ok(self.note_end(outcome, kind))
    }

    /// Writes down that a step begins. Where that fails, the step is not sent, if it `must` be
    /// written.
    async fn begin(&mut self, must: bool) -> Result<(), StoreError> {
        let begun = begin(&self.exchange, self.turn.records_mut()).await;
        self.allow(begun, must)
    }

    /// Goes past a failure of the store, if the step need not be written.
    fn allow(&mut self, asked: Result<(), StoreError>, must: bool) -> Result<(), StoreError> {
        match asked {
            Err(error) if must => Err(error),
            Err(error) => {
                self.note_failed(error);
                Ok(())
            }
            Ok(()) => Ok(()),
        }
    }

    async fn erase_note(&mut self) -> StepResult {
        write_pending(&self.exchange, &mut self.turn, None).await?;
        Ok((RepairEvent::Erased, None))
    }

    /// Notes how a step ended, and returns its event and its answer.
    fn note_end(
        &self,
        outcome: CallOutcome,
        kind: StepKind,
    ) -> (RepairEvent, Option<Response<Body>>) {
        self.exchange.asker.trace.note(kind, outcome.step_end());
        let form = self.exchange.call.form();
        match &outcome {
            CallOutcome::DoneUnread(..) if self.must_be_read => {
                let broken = own_error(
                    form,
                    &OwnError::Problem(Problem::Broken(ProxyError::ResponseMalformed)),
                );
                (RepairEvent::Unread, Some(broken))
            }
            _ => (RepairEvent::Ended(outcome.end()), Some(outcome.into_response(form))),
        }
    }

    async fn look(&mut self) -> StepResult {
        let exchange = &self.exchange;
        let key = self.turn.key().clone();
        let looked_up = look_up(exchange, &Lookup::Session, Some(&key), false).await?;
        count(exchange, "repair", &Lookup::Session, &looked_up);
        self.turn.records_mut().refresh().await?;
        let LookupOutcome::Shown(shown) = looked_up else {
            return Ok((RepairEvent::Saw(SessionView::Unknown), None));
        };
        let mut known = Known::default();
        recall(exchange, self.turn.records_mut(), &mut known).await?;
        let sources = known.session.as_ref().map(|record| &record.sources);
        let stated = sources.is_some_and(|s| s.stated_at().is_some_and(|at| at >= shown.at));
        if !stated || shown.session.as_ref() != Some(&key) {
            return Ok((RepairEvent::Saw(SessionView::Unknown), None));
        }
        let view = SessionView::of(&known, &exchange.policy.types);
        Ok((RepairEvent::Saw(view), Some(shown.answer.into_response())))
    }

    async fn end(&mut self, repair: &Repair, end: RepairEnd) -> RepairAnswer {
        match end {
            RepairEnd::Answer(step) => match self.answers.get_mut(step).and_then(Option::take) {
                Some(response) => RepairAnswer::Answer(response),
                None => RepairAnswer::Other(RepairEnd::Answer(step)),
            },
            RepairEnd::Stranded { attached } => {
                let attached = attached.or_else(|| self.remembered());
                RepairAnswer::Answer(self.strand(repair.primary(), attached.as_deref()).await)
            }
            end => RepairAnswer::Other(end),
        }
    }

    /// Returns what is attached according to the steps' own answers: the session is not looked up
    /// while upstream asks for a pause.
    fn remembered(&self) -> Option<Vec<SourceId>> {
        let record = self.turn.record();
        let sources = record.sources.get().filter(|_| !record.unsure && !record.in_flight)?;
        Some(sources.iter().map(|attached| attached.id.clone()).collect())
    }

    /// Makes the answer that says what is attached, where the primary cannot be attached again.
    async fn strand(
        &mut self,
        primary: &SourceId,
        attached: Option<&[SourceId]>,
    ) -> Response<Body> {
        let kind = self.turn.key().kind;
        let now_attached = match attached {
            None => format!("what is attached to the {kind} now cannot be seen"),
            Some([]) => format!("nothing is attached to the {kind} now"),
            Some(ids) => {
                let ids: Vec<_> = ids.iter().map(SourceId::as_str).collect();
                format!("attached to the {kind} now: {}", ids.join(", "))
            }
        };
        self.exchange.asker.governor.count_stranded();
        let records = self.turn.records_mut();
        records.apply(SessionObservation::OutcomeUnknown, &self.exchange.policy, now());
        if let Err(error) = records.write().await {
            self.note_failed(error);
        }
        let session = self.turn.key();
        tracing::error!(%session, %primary, now = %now_attached, "a primary could not be attached again");
        let message = format!(
            "The primary payment method {primary} was detached and could not be attached again; \
             {now_attached}. Attach it again."
        );
        own_error(self.exchange.call.form(), &OwnError::Stranded(&message))
    }
}
