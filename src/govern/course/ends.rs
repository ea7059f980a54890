//! Performs the last step of a call, which gives it its answer.

use super::Course;
use crate::{
    dialects::decoded_body,
    govern::{
        aftermath::After,
        answer::{Outcome, OwnError, own_error},
        defer,
        exchange::Exchange,
        forward::forward,
        holding::Holding,
        read, repair,
    },
    http::{Body, Problem},
    observe::{Decided, Recorded},
    rules::{
        Dialect, Next, OwnAnswer, Remedy, Repair, RuleId, Sending, SourceId, Target, Violation,
        left_to_upstream, unjudged,
    },
    sessions::{StoreError, now},
};
use http::{Request, Response, header};

impl Course<'_> {
    /// Performs the last step, and notes which rules could not be judged on the way to it.
    pub(super) async fn end(&mut self, step: Next) -> Result<Outcome, StoreError> {
        let exchange = self.exchange;
        let past = match &step {
            Next::Send(Sending { judged: false, .. }) => {
                unjudged(&exchange.intent, &exchange.policy)
            }
            _ => self.attempt.take_unjudged(),
        };
        let recorded = self.recorded(&step);
        let outcome = match step {
            Next::Defer(source) => Box::pin(self.defer(source)).await?,
            Next::Repair(remedy, violation) => Box::pin(self.repair(&remedy, violation)).await?,
            Next::Send(sending) => Box::pin(self.send(sending)).await?,
            Next::Answer(answer) => self.answer(answer),
            _ => self.answer(OwnAnswer::Lost),
        };
        Ok(outcome.with_unjudged(past).recorded(recorded))
    }

    /// Returns what the decision log is to know of the call, where there is such a log.
    fn recorded(&mut self, step: &Next) -> Option<Box<Recorded>> {
        let Exchange { asker, intent, policy, .. } = self.exchange;
        asker.governor.decisions().recorder()?;
        let is_unjudged = matches!(step, Next::Send(Sending { judged: false, .. }));
        // A call that has begun again with another session was not judged there yet.
        let judged = self
            .judged
            .take()
            .filter(|judged| !is_unjudged && judged.session.as_ref() == self.attempt.session());
        let (basis, changed) = match judged {
            Some(judged) => (Some(judged.basis), judged.changed),
            None => (None, None),
        };
        let (caller, intent, policy) = (asker.who.caller(), intent.clone(), policy.clone());
        let recorded = Recorded { caller, intent, policy, basis, changed };
        Some(Box::new(recorded.without_odd_type()))
    }

    async fn defer(&mut self, source: SourceId) -> Result<Outcome, StoreError> {
        let (Some(Holding::Turn(turn)), Some(shown)) = (&mut self.hand, self.last.take()) else {
            return Ok(self.answer(OwnAnswer::Lost));
        };
        defer::defer(self.exchange, turn, source, shown).await
    }

    async fn repair(
        &mut self,
        remedy: &Remedy,
        violation: Violation,
    ) -> Result<Outcome, StoreError> {
        let in_doubt = !violation.finding.is_certain();
        if in_doubt && self.exchange.asker.backing_off().is_some() {
            // All may be right, and what is taken off now may not be taken back.
            return Ok(self.answer(OwnAnswer::FactUnknown));
        }
        let Some(Holding::Turn(turn)) = self.hand.take() else {
            return Ok(self.answer(OwnAnswer::Lost));
        };
        let known = self.attempt.take_known();
        match repair::run(self.exchange, turn, Repair::new(remedy), known).await {
            Ok(response) => Ok(Self::repaired(response, violation)),
            // Nothing was begun, and the call is known to break the rule.
            Err(_) if violation.finding.is_certain() => {
                Ok(self.answer(OwnAnswer::Refusal(violation)))
            }
            Err(error) => Err(error),
        }
    }

    /// Makes the outcome of a repair. One that was undone, or never begun, answers with the error:
    /// nothing was put in order.
    fn repaired(response: Response<Body>, violation: Violation) -> Outcome {
        let outcome = match response.status().is_success() {
            true => Outcome::new(response, Decided::Reordered),
            false => Outcome::unrepaired(response),
        };
        outcome.with(violation)
    }

    async fn send(&mut self, sending: Sending) -> Result<Outcome, StoreError> {
        let exchange = self.exchange;
        let Sending { without_owner, judged, violation, reordered } = sending;
        if exchange.intent.is_read() && self.unrecorded.is_none() {
            let records = match self.hand.take() {
                Some(Holding::Records(records, None)) => Some(records),
                _ => None,
            };
            let response = read::read(exchange, self.attempt.session(), records).await?;
            return Ok(Outcome::forwarded(response));
        }
        let known = &self.attempt.known;
        let left = left_to_upstream(known, &exchange.intent, &exchange.policy, now());
        let known = match judged {
            true => self.attempt.take_known(),
            false => Default::default(),
        };
        let named = matches!(exchange.intent.session(), Some(Target::Session(_)));
        if !judged && named && self.attempt.session().is_none() && self.busy.is_none() {
            // A stranger touches no record.
            self.hand = None;
        }
        let hand = match self.hand.take() {
            None if self.unrecorded.is_none() => self.overlapping().await?,
            // The turn did not come.
            Some(Holding::Records(records, None)) if self.busy.is_some() => {
                Some(Holding::Overlapping(records))
            }
            hand => hand,
        };
        if let Some((request, violation)) =
            without_owner.then(|| self.without_owner()).flatten().zip(violation.clone())
        {
            let (response, _) = forward(exchange, hand, request, known).await?;
            return Ok(Outcome::forwarded(response).with(violation));
        }
        let (response, after) = forward(exchange, hand, exchange.original(), known).await?;
        let violation = violation.or_else(|| self.told(&left, &response));
        let outcome = match after {
            Some(After { violation, mended: Some(response) }) => {
                return Ok(Self::repaired(response, violation));
            }
            Some(After { violation: left, mended: None }) => {
                Outcome::reported(response, violation.or(Some(left)))
            }
            None => Outcome::reported(response, violation),
        };
        Ok(match reordered {
            true => Outcome { decided: Decided::Reordered, ..outcome },
            false => outcome,
        })
    }

    /// Returns the violation of a rule that only reports and that upstream named by its refusal.
    fn told(&self, left: &[(Dialect, RuleId)], answer: &Response<Body>) -> Option<Violation> {
        if left.is_empty() || !answer.status().is_client_error() {
            return None;
        }
        let asker = &self.exchange.asker;
        asker.governor.dialects().named_by(left, &asker.trace.code()?)
    }

    /// Reads the records of a call that goes up without the turn that it needs. Returns `None` for
    /// a caller who was not admitted to the session, and so must not touch its record.
    async fn overlapping(&mut self) -> Result<Option<Holding>, StoreError> {
        let exchange = self.exchange;
        let session = self.attempt.session();
        if session.is_none() && self.busy.is_none() {
            return Ok(None);
        }
        let customer = exchange.customer().filter(|_| session.is_none());
        let sessions = exchange.asker.governor.sessions();
        let records = sessions.records(session, &exchange.sources(), customer.as_ref()).await?;
        Ok(Some(Holding::Overlapping(records)))
    }

    /// Returns the request without its `owner` member; `None` where the body cannot be rewritten.
    fn without_owner(&self) -> Option<Request<Body>> {
        let exchange = self.exchange;
        let limit = exchange.asker.governor.settings().governed_body;
        let mut head = (*exchange.asker.head).clone();
        let decoded = decoded_body(&head.headers, &exchange.body.bytes, limit);
        let body = exchange.call.strip(&decoded)?;
        drop(decoded);
        head.headers.remove(header::CONTENT_ENCODING);
        head.headers.insert(header::CONTENT_LENGTH, body.len().into());
        Some(Request::from_parts(head, Body::full(body)))
    }

    fn answer(&mut self, answer: OwnAnswer) -> Outcome {
        let form = self.exchange.call.form();
        match answer {
            OwnAnswer::Refusal(violation) => {
                let dialects = self.exchange.asker.governor.dialects();
                Outcome::refused(dialects, form, violation)
            }
            OwnAnswer::OfLastStep => match self.last.take() {
                Some(response) => Outcome::forwarded(response),
                None => Outcome::own_error(form, &OwnError::Problem(Problem::Internal)),
            },
            OwnAnswer::FactUnknown => {
                Outcome::own_error(form, &OwnError::Problem(Problem::FactUnknown))
            }
            OwnAnswer::StoreFailed => {
                Outcome::own_error(form, &OwnError::Problem(Problem::StoreFailed))
            }
            OwnAnswer::Busy => match &self.busy {
                Some(busy) => Outcome::own_error(form, &OwnError::Busy(busy)),
                None => Outcome::own_error(form, &OwnError::Problem(Problem::Internal)),
            },
            OwnAnswer::Lost => {
                let response = own_error(form, &OwnError::Problem(Problem::Internal));
                Outcome::forwarded(response)
            }
        }
    }
}
