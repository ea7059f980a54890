//! Performing a repair: several calls in place of one.
//!
//! What comes next is [`Repair`]'s to say. The note (`Pending::Repair`) is written before the first
//! step: the next call in the session's turn finds it and finishes or undoes the repair. Where the
//! primary cannot be attached again, the caller is told what is attached, and the session is unsure.

use super::{
    answer::{OwnError, own_error},
    answered::LookupOutcome,
    asker::Failure,
    exchange::Exchange,
    look_up::look_up,
    promise::note_pending,
    recall::recall,
    send::{CallOutcome, detached, send},
};
use crate::{
    dialects::{Call, Outgoing},
    http::Body,
    observe::StepKind,
    rules::{
        Known, Lookup, Repair, RepairEnd, RepairEvent, RepairStep, SessionObservation, Sight,
        SourceId,
    },
    sessions::{StoreError, Turn, now},
};
use http::Response;
use std::time::Duration;

/// The longest pause before the primary is attached again, however long upstream asks for: the
/// caller waits, and so do those behind it.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// How a repair went: its end, and the turn.
type Performed = Result<(Turn, End), StoreError>;

/// How a repair ended, with the answer for its caller.
enum End {
    /// This step's answer.
    Answer(Response<Body>),
    Other(RepairEnd),
}

/// Carries a repair out, detached from the caller. `known` is what the caller's call was decided on.
pub(super) async fn run(
    exchange: &Exchange,
    turn: Turn,
    repair: Repair,
    known: Known,
) -> Result<Response<Body>, StoreError> {
    let form = exchange.call.form();
    match detached(exchange, perform(exchange.clone(), turn, repair, known)).await {
        Ok(performed) => match performed?.1 {
            End::Answer(response) => Ok(response),
            End::Other(_) => Ok(own_error(form, &OwnError::Problem(Failure::NOT_SENT.problem))),
        },
        Err(failure) => Ok(own_error(form, &OwnError::Problem(failure.problem))),
    }
}

/// Finishes or undoes, detached from the caller, a repair that an earlier call left unfinished.
pub(super) async fn recover(
    exchange: &Exchange,
    turn: Turn,
    primary: SourceId,
) -> Result<Result<Turn, StoreError>, Failure> {
    let session = turn.key().clone();
    tracing::warn!(%session, "found a repair that was never finished");
    let repair = Repair::recovery(primary.clone());
    let own = exchange.clone();
    let work = async move {
        let (turn, end) = perform(own.clone(), turn, repair, Known::default()).await?;
        match end {
            End::Other(RepairEnd::Refused) => {
                own.asker.governor.count_stranded();
                tracing::error!(%session, %primary, "upstream refuses the primary of an unfinished repair");
            }
            End::Other(RepairEnd::Recovered { again: true }) => {
                tracing::info!(%session, "attached the primary of an unfinished repair again");
            }
            _ => {}
        }
        Ok(turn)
    };
    detached(exchange, work).await
}

/// A repair under way. Answers stand under the number of their step.
struct Performer {
    exchange: Exchange,
    turn: Turn,
    known: Known,
    answers: Vec<Option<Response<Body>>>,
}

async fn perform(exchange: Exchange, turn: Turn, mut repair: Repair, known: Known) -> Performed {
    let mut performer = Performer { exchange, turn, known, answers: Vec::new() };
    if let Some(note) = repair.note() {
        // Written before the first step is sent, together with its beginning.
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
        Ok(self.ended(outcome, StepKind::Call(exchange.intent.name())))
    }

    /// Sends a call of Weir's own. `None`: an id is too long for a path, so it was never attached
    /// by one.
    async fn step(&mut self, step: Option<(Outgoing, Call)>, kind: StepKind) -> StepEnd {
        let exchange = &self.exchange;
        let Some((outgoing, call)) = step else {
            return Ok(self.ended(CallOutcome::NotSent(Failure::NOT_SENT), kind));
        };
        let mut known = Known::default();
        recall(exchange, self.turn.records_mut(), &mut known).await?;
        let request = exchange.asker.request(&outgoing);
        let records = Some(self.turn.records_mut());
        let outcome = send(exchange, &call, &outgoing.intent, records, &known, request).await?;
        Ok(self.ended(outcome, kind))
    }

    fn ended(&self, outcome: CallOutcome, kind: StepKind) -> (RepairEvent, Option<Response<Body>>) {
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
            return Ok((RepairEvent::Saw(Sight::Unseen), None));
        };
        let mut known = Known::default();
        recall(exchange, self.turn.records_mut(), &mut known).await?;
        let sources = known.session.as_ref().map(|record| &record.sources);
        let told = sources.is_some_and(|s| s.told_at().is_some_and(|at| at >= shown.at));
        if !told || shown.session.as_ref() != Some(&key) {
            return Ok((RepairEvent::Saw(Sight::Unseen), None));
        }
        let attached: Vec<SourceId> =
            known.attached().iter().map(|attached| attached.id.clone()).collect();
        let types = &exchange.policy.types;
        let is_primary = |id| known.kind_of(id).is_some_and(|kind| !types.is_secondary(kind));
        let sight = match attached.iter().any(is_primary) {
            true => Sight::Primary(attached),
            false => Sight::NoPrimary(attached),
        };
        Ok((RepairEvent::Saw(sight), Some(shown.answer.into_response())))
    }

    async fn end(&mut self, repair: &Repair, end: RepairEnd) -> Result<End, StoreError> {
        match end {
            RepairEnd::Answer(step) => match self.answers.get_mut(step).and_then(Option::take) {
                Some(response) => Ok(End::Answer(response)),
                None => Ok(End::Other(RepairEnd::Answer(step))),
            },
            RepairEnd::Stranded { attached } => {
                let attached = attached.or_else(|| self.remembered());
                self.strand(repair.primary(), attached.as_deref()).await.map(End::Answer)
            }
            end => Ok(End::Other(end)),
        }
    }

    /// Returns what is attached, as far as every step's own answer told: while upstream asks for a
    /// pause, the session is not looked at.
    fn remembered(&self) -> Option<Vec<SourceId>> {
        let record = self.turn.record();
        let sources = record.sources.get().filter(|_| !record.unsure && !record.in_flight)?;
        Some(sources.iter().map(|attached| attached.id.clone()).collect())
    }

    /// Tells the caller what is attached, now that the primary cannot be attached again.
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
