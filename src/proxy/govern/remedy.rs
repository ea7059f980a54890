//! Putting a cart's calls in the right order: one transaction that never leaves the cart worse than
//! it found it.
//!
//! ```text
//!   note ─ detach primary ─ the caller's call ─ attach primary ─ forget note ─▶ the last answer
//!               │                  │                  │
//!            refused            refused            refused, also when tried again
//!               ▼                  ▼                  ▼
//!          its answer         put back, its      take the credit off, put back, its answer
//!                             answer
//! ```
//! `second-primary` is the same without the last attach. A step whose outcome is not known is
//! followed by a look-up that tells. Where the primary cannot be put back, the caller is told what
//! is attached now, and the session is unsure. The note (`Pending::Repair`) is written before the
//! first step: whoever takes the turn next finds it and finishes or undoes the repair.

use super::{
    Client,
    act::{self, Conclusion, detached, update_session},
    answer::{Outcome, Trouble, trouble},
    exchange::{Exchange, Failure},
    lookup::{Looked, look_up},
    recall::recall,
};
use crate::{
    dialects,
    proxy::{Body, Problem, decision::Decided},
    rules::{
        Incoming, Intent, Known, Lookup, Pending, Remedy, SessionKey, SessionObservation, SourceId,
    },
    sessions::Turn,
};
use http::{Request, Response, StatusCode};
use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

/// How often putting a primary back is tried.
const TRIES: usize = 2;

/// The longest pause before such a try, however long upstream asks for.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Carries the remedy out, detached from the caller.
pub(super) async fn run<S: Client>(
    exchange: &Exchange<S>,
    key: SessionKey,
    turn: Turn,
    remedy: Remedy,
    known: Known,
) -> Outcome {
    let transaction = match remedy {
        Remedy::Repair { primary, incoming } => {
            Transaction { primary, incoming: Some(incoming), replaces: false }
        }
        Remedy::Replace { primary, incoming } => {
            let incoming = match incoming {
                Incoming::Source(id) => Some(id),
                Incoming::Option(_) => None,
            };
            Transaction { primary, incoming, replaces: true }
        }
    };
    let own = exchange.clone();
    let work = async move {
        let cart = Cart { exchange: own, key, turn };
        let response = cart.carry_out(transaction, known).await;
        drop(cart.turn);
        response
    };
    let response = match detached(exchange, work).await {
        Ok(response) => response,
        Err(failure) => trouble(exchange.call.form(), &Trouble::Problem(failure.problem)),
    };
    // One that was undone, or never begun, answers with what went wrong: nothing was put in order.
    let decided =
        if response.status().is_success() { Decided::Reordered } else { Decided::Forwarded };
    Outcome::new(response, decided)
}

/// Finishes or undoes a repair that an earlier call left half done. Both come to the same: the
/// primary is attached again, unless a primary is attached.
pub(super) async fn recover<S: Client>(
    exchange: &Exchange<S>,
    key: &SessionKey,
    primary: SourceId,
    turn: Turn,
) -> Result<Turn, Outcome> {
    let own = exchange.clone();
    let key = key.clone();
    let work = async move {
        let cart = Cart { exchange: own, key, turn };
        tracing::warn!(session = %cart.key, "found a repair that was never finished");
        match cart.look().await {
            Seen::Primary(_) => cart.forget_note().await,
            Seen::NoPrimary(_) => {
                match cart.put_back(&primary).await {
                    Ok(_) => {
                        tracing::info!(session = %cart.key, "attached the primary of an unfinished repair again")
                    }
                    // Upstream will not have it. Trying again before every call would not change
                    // that.
                    Err(Conclusion::Refused(answer)) if !act::not_yet(answer.status()) => {
                        cart.exchange.governor.stranded.fetch_add(1, Ordering::Relaxed);
                        tracing::error!(session = %cart.key, %primary, "upstream refuses the primary of an unfinished repair");
                        cart.forget_note().await;
                    }
                    Err(_) => {}
                }
            }
            // Nothing is refused on what is not known; the note stays for the next call.
            Seen::Nothing => {}
        }
        cart.turn
    };
    detached(exchange, work).await.map_err(|failure| {
        Outcome::forwarded(trouble(exchange.call.form(), &Trouble::Problem(failure.problem)))
    })
}

const NOT_SENT: Conclusion =
    Conclusion::NotSent(Failure { sent: false, problem: Problem::Internal });

struct Transaction {
    primary: SourceId,
    /// The source the caller's call attaches; `None` where it applies a payment option.
    incoming: Option<SourceId>,
    replaces: bool,
}

/// A cart whose turn is held.
struct Cart<S> {
    exchange: Exchange<S>,
    key: SessionKey,
    turn: Turn,
}

/// What a look at the cart showed.
enum Seen {
    /// A primary is attached; everything that is.
    Primary(Sight),
    /// No primary is attached; everything that is.
    NoPrimary(Sight),
    /// It cannot be seen, or does not say.
    Nothing,
}

struct Sight {
    attached: Vec<SourceId>,
    answer: Response<Body>,
}

impl<S: Client> Cart<S> {
    async fn carry_out(&self, transaction: Transaction, known: Known) -> Response<Body> {
        let Transaction { primary, incoming, replaces } = transaction;
        let note =
            Pending::Repair { primary: primary.clone(), incoming: incoming.clone(), replaces };
        self.pending(Some(note)).await;
        match self.detach(&primary).await {
            Conclusion::Done(..) | Conclusion::DoneUnread(_) => {}
            conclusion @ Conclusion::Unknown(_) => match self.look().await {
                Seen::NoPrimary(_) => {}
                Seen::Primary(_) => return self.over(conclusion).await,
                Seen::Nothing => return self.undone(&primary, conclusion).await,
            },
            Conclusion::Refused(answer) if answer.status() == StatusCode::NOT_FOUND => {
                match self.look().await {
                    // Somebody else took it off meanwhile: nothing is in the way of the caller's
                    // call.
                    Seen::NoPrimary(_) => {
                        self.forget_note().await;
                        return self
                            .callers_call(&known)
                            .await
                            .into_response(self.exchange.call.form());
                    }
                    _ => return self.over(Conclusion::Refused(answer)).await,
                }
            }
            conclusion => return self.over(conclusion).await,
        }
        match self.callers_call(&known).await {
            // The option may be gone by now, and upstream have applied nothing.
            done @ (Conclusion::Done(..) | Conclusion::DoneUnread(_)) if incoming.is_none() => {
                match self.look().await {
                    Seen::NoPrimary(_) => match self.put_back(&primary).await {
                        Ok(answer) => answer,
                        Err(refusal) => self.stranded(&primary, refusal).await,
                    },
                    _ => self.over(done).await,
                }
            }
            done @ (Conclusion::Done(..) | Conclusion::DoneUnread(_)) if replaces => {
                self.over(done).await
            }
            Conclusion::Done(..) | Conclusion::DoneUnread(_) => {
                self.attach_again(&primary, incoming.as_ref()).await
            }
            conclusion @ Conclusion::Unknown(_) => {
                self.after_unknown(&primary, incoming.as_ref(), replaces, conclusion).await
            }
            conclusion => self.undone(&primary, conclusion).await,
        }
    }

    /// Whether the caller's call was done is not known: the cart tells.
    async fn after_unknown(
        &self,
        primary: &SourceId,
        incoming: Option<&SourceId>,
        replaces: bool,
        conclusion: Conclusion,
    ) -> Response<Body> {
        match self.look().await {
            Seen::Primary(sight) if replaces => {
                self.forget_note().await;
                sight.answer
            }
            Seen::NoPrimary(sight)
                if !replaces && incoming.is_some_and(|id| sight.attached.contains(id)) =>
            {
                self.attach_again(primary, incoming).await
            }
            _ => self.undone(primary, conclusion).await,
        }
    }

    /// The last step of a repair. Where the primary is refused, the credit is taken off and the
    /// primary put back as it was.
    async fn attach_again(
        &self,
        primary: &SourceId,
        incoming: Option<&SourceId>,
    ) -> Response<Body> {
        let refusal = match self.put_back(primary).await {
            Ok(answer) => return answer,
            Err(refusal) => refusal,
        };
        let Some(incoming) = incoming else { return self.undone(primary, refusal).await };
        if let Conclusion::Done(..) | Conclusion::DoneUnread(_) = self.detach(incoming).await {
            return self.undone(primary, refusal).await;
        }
        // The credit may be there still; with the primary behind it the cart is as the caller
        // wanted it.
        if self.put_back(primary).await.is_err() {
            return self.stranded(primary, refusal).await;
        }
        match self.look().await {
            Seen::Primary(sight) if sight.attached.contains(incoming) => sight.answer,
            _ => refusal.into_response(self.exchange.call.form()),
        }
    }

    /// Puts the primary back and answers with what went wrong; says what is attached where that
    /// fails.
    async fn undone(&self, primary: &SourceId, wrong: Conclusion) -> Response<Body> {
        match self.put_back(primary).await {
            Ok(_) => wrong.into_response(self.exchange.call.form()),
            Err(_) => self.stranded(primary, wrong).await,
        }
    }

    /// The primary could not be put back: the caller is told what is attached now, unless the cart
    /// shows that all is well.
    async fn stranded(&self, primary: &SourceId, wrong: Conclusion) -> Response<Body> {
        let attached = match self.look().await {
            Seen::Primary(_) => {
                self.forget_note().await;
                return wrong.into_response(self.exchange.call.form());
            }
            Seen::NoPrimary(sight) => Some(sight.attached),
            Seen::Nothing => self.remembered().await,
        };
        let now = match attached.as_deref() {
            None => "what is attached to the cart now cannot be seen".to_owned(),
            Some([]) => "nothing is attached to the cart now".to_owned(),
            Some(ids) => {
                let ids: Vec<_> = ids.iter().map(SourceId::as_str).collect();
                format!("attached to the cart now: {}", ids.join(", "))
            }
        };
        self.exchange.governor.stranded.fetch_add(1, Ordering::Relaxed);
        update_session(&self.exchange, &self.key, &[SessionObservation::OutcomeUnknown]).await;
        tracing::error!(session = %self.key, %primary, %now, "a primary could not be attached again");
        let message = format!(
            "The primary payment method {primary} was detached and could not be attached again; {now}. Attach it again."
        );
        trouble(self.exchange.call.form(), &Trouble::Stranded(&message))
    }

    /// What is attached, as far as every step's own answer told: while upstream asks for a pause,
    /// nobody looks.
    async fn remembered(&self) -> Option<Vec<SourceId>> {
        let record = self.exchange.governor.sessions.session(&self.key).await.ok().flatten()?;
        let sources = record.sources.get().filter(|_| !record.unsure && !record.in_flight)?;
        Some(sources.iter().map(|attached| attached.id.clone()).collect())
    }

    /// Waits while upstream asks for a pause, but not for long: the caller waits, too, and so do
    /// those behind it.
    async fn pause(&self) {
        if let Some(left) = self.exchange.governor.sessions.backing_off(self.exchange.caller) {
            tokio::time::sleep(left.min(LONGEST_PAUSE)).await;
        }
    }

    /// Attaches the primary again, twice if need be. `Ok`: the answer that shows it; the note is
    /// forgotten.
    async fn put_back(&self, primary: &SourceId) -> Result<Response<Body>, Conclusion> {
        let mut last = None;
        for _ in 0..TRIES {
            self.pause().await;
            let step = dialects::attach(&self.key, primary, &self.exchange.head.uri);
            match self.step(step, format!("attach primary {primary}")).await {
                done @ (Conclusion::Done(..) | Conclusion::DoneUnread(_)) => {
                    self.forget_note().await;
                    return Ok(done.into_response(self.exchange.call.form()));
                }
                unknown @ Conclusion::Unknown(_) => match self.look().await {
                    Seen::Primary(sight) if sight.attached.contains(primary) => {
                        self.forget_note().await;
                        return Ok(sight.answer);
                    }
                    _ => last = Some(unknown),
                },
                conclusion => last = Some(conclusion),
            }
        }
        Err(last.unwrap_or(NOT_SENT))
    }

    async fn detach(&self, source: &SourceId) -> Conclusion {
        let step = dialects::detach(&self.key, source, &self.exchange.head.uri);
        self.step(step, format!("detach {source}")).await
    }

    async fn callers_call(&self, known: &Known) -> Conclusion {
        let exchange = &self.exchange;
        let request = exchange.original();
        let conclusion =
            act::step(exchange, &exchange.call, &exchange.intent, Some(&self.key), known, request)
                .await;
        exchange.trace.note(exchange.intent.name(), conclusion.status());
        conclusion
    }

    async fn step(&self, step: Option<dialects::Step>, what: String) -> Conclusion {
        // An id too long for a path was never attached by one.
        let Some(step) = step else { return NOT_SENT };
        let mut known = Known::default();
        recall(&self.exchange, Some(&self.key), &mut known).await;
        let request: Request<Body> =
            self.exchange.own(step.method, &step.path, step.body, step.content_type);
        let conclusion =
            act::step(&self.exchange, &step.call, &step.intent, Some(&self.key), &known, request)
                .await;
        self.exchange.trace.note(what, conclusion.status());
        conclusion
    }

    /// Looks at the cart.
    async fn look(&self) -> Seen {
        let exchange = Exchange {
            intent: Arc::new(Intent::ReadSession {
                session: crate::rules::Target::Active(self.key.kind),
            }),
            ..self.exchange.clone()
        };
        let Looked::Shown(shown) = look_up(&exchange, &Lookup::Session, Some(&self.key)).await
        else {
            return Seen::Nothing;
        };
        if shown.session.as_ref() != Some(&self.key) {
            return Seen::Nothing;
        }
        let mut known = Known::default();
        recall(&exchange, Some(&self.key), &mut known).await;
        let told = known
            .session
            .as_ref()
            .is_some_and(|record| record.sources.told_at().is_some_and(|at| at >= shown.at));
        if !told {
            return Seen::Nothing;
        }
        let attached: Vec<SourceId> =
            known.attached().iter().map(|attached| attached.id.clone()).collect();
        let types = &exchange.policy.types;
        let primary = attached
            .iter()
            .any(|id| known.kind_of(id).is_some_and(|kind| !types.is_secondary(kind)));
        let sight = Sight { attached, answer: shown.answer.into_response() };
        if primary { Seen::Primary(sight) } else { Seen::NoPrimary(sight) }
    }

    async fn over(&self, conclusion: Conclusion) -> Response<Body> {
        self.forget_note().await;
        conclusion.into_response(self.exchange.call.form())
    }

    async fn forget_note(&self) {
        self.pending(None).await;
    }

    async fn pending(&self, pending: Option<Pending>) {
        update_session(&self.exchange, &self.key, &[SessionObservation::Pending(pending)]).await;
    }
}
