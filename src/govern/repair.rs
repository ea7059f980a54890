//! Performs a repair: several calls in place of one.
//!
//! [`Repair`] decides each step. The note (`Pending::Repair`) is written before the first step, so
//! that the next call in the session's turn can finish or undo the repair. Where the primary cannot
//! be attached again, the answer says what is attached, and the session is unsure.

use super::{
    answer::{OwnError, own_error},
    answered::LookupOutcome,
    asker::Failure,
    defer::note_pending,
    exchange::Exchange,
    look_up::look_up,
    recall::recall,
    send::{CallOutcome, run_detached, send},
};
use crate::{
    dialects::{Call, Outgoing},
    http::Body,
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

/// The turn, and the answer of the repair.
type Performed = Result<(Turn, RepairAnswer), StoreError>;

/// How a repair ended.
enum RepairAnswer {
    /// With this answer for the caller.
    Answer(Response<Body>),
    /// Without an answer.
    Other(RepairEnd),
}

/// Performs a repair, detached from the caller. `known` is what the caller's call was decided on.
pub(super) async fn run(
    exchange: &Exchange,
    turn: Turn,
    repair: Repair,
    known: Known,
) -> Result<Response<Body>, StoreError> {
    let form = exchange.call.form();
    match run_detached(exchange, perform(exchange.clone(), turn, repair, known)).await {
        Ok(performed) => match performed?.1 {
            RepairAnswer::Answer(response) => Ok(response),
            RepairAnswer::Other(_) => {
                Ok(own_error(form, &OwnError::Problem(Failure::NOT_SENT.problem)))
            }
        },
        Err(failure) => Ok(own_error(form, &OwnError::Problem(failure.problem))),
    }
}

/// Finishes or undoes a repair that an earlier call left unfinished, detached from the caller.
pub(super) async fn recover(
    exchange: &Exchange,
    turn: Turn,
    primary: SourceId,
) -> Result<Result<Turn, StoreError>, Failure> {
    let session = turn.key().clone();
    tracing::warn!(%session, "found a repair that was never finished");
    let repair = Repair::recovery(primary.clone());
    let governor = exchange.asker.governor.clone();
    let performed = perform(exchange.clone(), turn, repair, Known::default());
    let work = async move {
        let (turn, end) = performed.await?;
        match end {
            RepairAnswer::Other(RepairEnd::Refused) => {
                governor.count_stranded();
                tracing::error!(%session, %primary, "upstream refuses the primary of an unfinished repair");
            }
            RepairAnswer::Other(RepairEnd::Recovered { again: true }) => {
                tracing::info!(%session, "attached the primary of an unfinished repair again");
            }
            _ => {}
        }
        Ok(turn)
    };
    run_detached(exchange, work).await
}

/// A repair under way. `answers` has one entry for each step.
struct Performer {
    exchange: Exchange,
    turn: Turn,
    known: Known,
    answers: Vec<Option<Response<Body>>>,
}

async fn perform(exchange: Exchange, turn: Turn, mut repair: Repair, known: Known) -> Performed {
    let mut performer = Performer { exchange, turn, known, answers: Vec::new() };
    if let Some(note) = repair.note() {
        // `send` writes this together with the beginning of the first step.
        let policy = &performer.exchange.policy;
        let note = SessionObservation::Pending(Some(note));
        performer.turn.records_mut().apply(note, policy, now());
    }
    loop {
        let (event, answer) = match repair.next() {
            RepairStep::Detach(source) => performer.detach(&source).await?,
            RepairStep::Call => performer.callers_call().await?,
            RepairStep::Reattach(primary) => performer.reattach(&primary).await?,
            RepairStep::Look => performer.look().await?,
            RepairStep::EraseNote => {
                note_pending(&performer.exchange, &mut performer.turn, None).await?;
                (RepairEvent::Erased, None)
            }
            RepairStep::End(end) => {
                let end = performer.end(&repair, end).await?;
                return Ok((performer.turn, end));
            }
        };
        performer.answers.push(answer);
        repair.on(event);
    }
}

type StepEnd = Result<(RepairEvent, Option<Response<Body>>), StoreError>;

impl Performer {
    async fn detach(&mut self, source: &SourceId) -> StepEnd {
        let uri = &self.exchange.asker.head.uri;
        let step = self.exchange.call.detach(self.turn.key(), source, uri);
        self.step(step, StepKind::Detach(source.clone())).await
    }

    /// Attaches the primary, after the pause that upstream asked for.
    async fn reattach(&mut self, primary: &SourceId) -> StepEnd {
        if let Some(left) = self.exchange.asker.backing_off() {
            tokio::time::sleep(left.min(LONGEST_PAUSE)).await;
        }
        let uri = &self.exchange.asker.head.uri;
        let step = self.exchange.call.attach(self.turn.key(), primary, uri);
        self.step(step, StepKind::AttachPrimary(primary.clone())).await
    }

    async fn callers_call(&mut self) -> StepEnd {
        let exchange = &self.exchange;
        let request = exchange.original();
        let records = Some(self.turn.records_mut());
        let outcome =
            send(exchange, &exchange.call, &exchange.intent, records, &self.known, request).await?;
        Ok(self.note_end(outcome, StepKind::Call(exchange.intent.name())))
    }

    /// Sends a call of Weir's own. `None`: an id is too long for a path, so no path can have
    /// attached it.
    async fn step(&mut self, step: Option<(Outgoing, Call)>, kind: StepKind) -> StepEnd {
        let exchange = &self.exchange;
        let Some((outgoing, call)) = step else {
            return Ok(self.note_end(CallOutcome::NotSent(Failure::NOT_SENT), kind));
        };
        let mut known = Known::default();
        recall(exchange, self.turn.records_mut(), &mut known).await?;
        let request = exchange.asker.request(&outgoing);
        let records = Some(self.turn.records_mut());
        let outcome = send(exchange, &call, &outgoing.intent, records, &known, request).await?;
        Ok(self.note_end(outcome, kind))
    }

    /// Notes how a step ended, and returns its event and its answer.
    fn note_end(
        &self,
        outcome: CallOutcome,
        kind: StepKind,
    ) -> (RepairEvent, Option<Response<Body>>) {
        self.exchange.asker.trace.note(kind, outcome.status());
        let end = outcome.end();
        (RepairEvent::Ended(end), Some(outcome.into_response(self.exchange.call.form())))
    }

    async fn look(&mut self) -> StepEnd {
        let exchange = &self.exchange;
        let key = self.turn.key().clone();
        let looked_up = look_up(exchange, &Lookup::Session, Some(&key)).await?;
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
        let attached: Vec<SourceId> =
            known.attached().iter().map(|attached| attached.id.clone()).collect();
        let types = &exchange.policy.types;
        let is_primary = |id| known.kind_of(id).is_some_and(|kind| !types.is_secondary(kind));
        let sight = match attached.iter().any(is_primary) {
            true => SessionView::Primary(attached),
            false => SessionView::NoPrimary(attached),
        };
        Ok((RepairEvent::Saw(sight), Some(shown.answer.into_response())))
    }

    async fn end(&mut self, repair: &Repair, end: RepairEnd) -> Result<RepairAnswer, StoreError> {
        match end {
            RepairEnd::Answer(step) => match self.answers.get_mut(step).and_then(Option::take) {
                Some(response) => Ok(RepairAnswer::Answer(response)),
                None => Ok(RepairAnswer::Other(RepairEnd::Answer(step))),
            },
            RepairEnd::Stranded { attached } => {
                let attached = attached.or_else(|| self.remembered());
                self.strand(repair.primary(), attached.as_deref()).await.map(RepairAnswer::Answer)
            }
            end => Ok(RepairAnswer::Other(end)),
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
    ) -> Result<Response<Body>, StoreError> {
        let kind = self.turn.key().kind;
        let now_attached = match attached {
            None => format!("what is attached to the {kind} now cannot be seen"),
            Some([]) => format!("nothing is attached to the {kind} now"),
            Some(ids) => {
                let ids: Vec<_> = ids.iter().map(SourceId::as_str).collect();
                format!("attached to the {kind} now: {}", ids.join(", "))
            }
        };
        let exchange = &self.exchange;
        exchange.asker.governor.count_stranded();
        let records = self.turn.records_mut();
        records.apply(SessionObservation::OutcomeUnknown, &exchange.policy, now());
        records.write().await?;
        let session = self.turn.key();
        tracing::error!(%session, %primary, now = %now_attached, "a primary could not be attached again");
        let message = format!(
            "The primary payment method {primary} was detached and could not be attached again; \
             {now_attached}. Attach it again."
        );
        Ok(own_error(exchange.call.form(), &OwnError::Stranded(&message)))
    }
}
