//! Handles one governed call, from its body to its answer.
//!
//! In: the call, known from its head. Out: the answer, or the call itself where it is forwarded
//! without being understood. A call whose body cannot be read is forwarded unless the policy
//! enforces.

use super::{
    about::About,
    answer::{Outcome, OwnError, finish, own_error},
    asker::{Asker, BoxClient, Who},
    course,
    exchange::Exchange,
    governor::{Governor, UnseenChange},
    trace::Trace,
};
use crate::{
    dialects::{Call, UnreadableRequest, credential, decoded_body},
    http::{Body, CollectError, Collected, Problem, collect},
    metrics::UnderWay,
    observe::{Decided, Recorded},
    rules::{Dialect, Intent, MissingFact, Policy, RuleId, Toggle, Unjudged, Violation},
};
use http::{Extensions, HeaderMap, Request, Response, request};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tokio_util::task::TaskTracker;

/// How a governed call was handled.
pub(super) enum Handled {
    /// Weir has its answer.
    Answered(Response<Body>),
    /// It is forwarded without being understood.
    Forward(Box<Forward>),
}

/// A call that is forwarded without being understood.
pub(super) struct Forward {
    pub request: Request<Body>,
    pub marks: Marks,
}

/// The notes on such a call until it is answered.
pub(super) struct Marks {
    /// Marks facts as untrusted until the unread call is answered or dropped.
    unseen: Option<UnseenChange>,
    reported: Option<Reported>,
}

/// A call that a rule only reports, or that no rule can judge.
struct Reported {
    governor: Arc<Governor>,
    about: About,
    violation: Option<Violation>,
    unjudged: Vec<Unjudged>,
}

impl Marks {
    const NONE: Self = Self { unseen: None, reported: None };

    /// Returns whether no rule is about the call.
    pub(super) fn are_none(&self) -> bool {
        self.unseen.is_none() && self.reported.is_none()
    }

    /// Marks the answer where a rule reports the call. `took` is the time of upstream.
    pub(super) fn finish(self, response: Response<Body>, took: Duration) -> Response<Body> {
        drop(self.unseen);
        match self.reported {
            None => response,
            Some(Reported { governor, about, violation, unjudged }) => {
                let outcome = Outcome::reported(response, violation).with_unjudged(unjudged);
                let trace = Trace::default();
                trace.add_upstream_time(took);
                finish(&governor, about, &trace, outcome)
            }
        }
    }
}

/// Handles a governed call.
pub(super) async fn handle(
    client: BoxClient,
    governor: Arc<Governor>,
    work: TaskTracker,
    policy: Arc<Policy>,
    call: Call,
    request: Request<Body>,
) -> Handled {
    let started = Instant::now();
    let (head, body) = request.into_parts();
    let arriving = governor.metrics().begin(UnderWay::Arriving, started);
    let (body, intent) = match read(&governor, &policy, &call, &head, body).await {
        Ok(read) => read,
        Err(unread) => return unread.handle(&governor, &policy, call, head, started),
    };
    drop(arriving);
    let credential = credential(&head.headers, &head.uri);
    let who = match credential.as_deref() {
        Some(credential) => Who::Caller(governor.sessions().hash(credential)),
        None => Who::Nobody,
    };
    let (head, intent) = (Arc::new(head), Arc::new(intent));
    let open = governor.open_call(intent.clone(), started);
    let is_one_too_many = open.is_one_too_many;
    let trace = Trace::of(head.clone(), open);
    #[cfg(feature = "otlp")]
    let trace = trace.in_phases(governor.traces());
    let asker = Asker {
        client: Arc::new(client),
        governor: governor.clone(),
        head,
        who,
        trace: Arc::new(trace),
        shown: Arc::default(),
    };
    governor.list_call(&asker.trace);
    let exchange = Exchange { asker, work, policy, call, body, intent };
    let mut waiting = Waiting { exchange: &exchange, started, is_answered: false };
    // Boxed, as it would be copied with the call.
    let mut alarm = Box::pin(tokio::time::sleep(governor.settings().call_timeout));
    let outcome = match is_one_too_many {
        true => one_too_many(&exchange),
        false => tokio::select! {
            biased;
            outcome = course::run(&exchange) => outcome,
            () = alarm.as_mut() => too_long(&exchange),
        },
    };
    waiting.is_answered = true;
    let about = waiting.about();
    Handled::Answered(finish(&governor, about, &exchange.asker.trace, outcome))
}

/// Ends a call whose time is up. What was begun upstream is finished and learned by itself.
fn too_long(exchange: &Exchange) -> Outcome {
    exchange.asker.governor.metrics().bound_hit("call-time");
    exchange.asker.trace.note_caller_left();
    let error = OwnError::Problem(Problem::CallTooLong);
    let outcome = Outcome::new(own_error(exchange.call.form(), &error), Decided::Failed);
    outcome.recorded(unjudged(exchange))
}

/// Refuses a call that changes something while too many others that do are under way, those whose
/// callers have left included.
fn one_too_many(exchange: &Exchange) -> Outcome {
    exchange.asker.governor.metrics().bound_hit("calls");
    let error = OwnError::Problem(Problem::Overloaded);
    Outcome::own_error(exchange.call.form(), &error).recorded(unjudged(exchange))
}

/// Returns what the decision log is to know of a call whose judging, if there was any, is not at
/// hand.
fn unjudged(exchange: &Exchange) -> Option<Box<Recorded>> {
    let Exchange { asker, intent, policy, .. } = exchange;
    asker.governor.decisions().recorder()?;
    let (caller, intent, policy) = (asker.who.caller(), intent.clone(), policy.clone());
    let recorded = Recorded { caller, intent, policy, basis: None, changed: None };
    Some(Box::new(recorded.without_odd_type()))
}

/// A caller that waits for its answer. If it hangs up, or is cut off, there is no answer to decide
/// about, so a line of the log says which call it was. What was sent for it goes on.
struct Waiting<'a> {
    exchange: &'a Exchange,
    started: Instant,
    is_answered: bool,
}

impl Waiting<'_> {
    fn about(&self) -> About {
        let Exchange { intent, call, asker, policy, .. } = self.exchange;
        let dialect = intent.dialect().unwrap_or(call.dialect());
        About::of(dialect, intent, of_head(&asker.head), self.started).under(policy)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if !self.is_answered && !std::thread::panicking() {
            let asker = &self.exchange.asker;
            asker.trace.note_caller_left();
            let about = self.about();
            asker.governor.metrics().hung_up(about.dialect());
            about.log_hangup(asker.trace.id(asker.governor.decisions()));
        }
    }
}

fn of_head(head: &request::Parts) -> (&HeaderMap, &Extensions) {
    (&head.headers, &head.extensions)
}

/// Why a call has no intent.
enum Unread {
    /// No rule governs it.
    Ungoverned(Collected),
    /// Two parsers could read it differently.
    Ambiguous(Collected, Box<Violation>),
    /// It cannot be read, and is forwarded because the policy does not enforce.
    Lenient(Body),
    /// It cannot be read, and is answered with this error.
    Refused(OwnError<'static>),
}

impl Unread {
    fn handle(
        self,
        governor: &Arc<Governor>,
        policy: &Policy,
        call: Call,
        head: request::Parts,
        started: Instant,
    ) -> Handled {
        match self {
            Self::Ungoverned(body) => {
                let request = Request::from_parts(head, body.to_body());
                Handled::Forward(Box::new(Forward { request, marks: Marks::NONE }))
            }
            Self::Ambiguous(body, violation) => {
                let request = Request::from_parts(head, body.to_body());
                ambiguous(governor.clone(), policy, call, request, *violation)
            }
            Self::Lenient(body) => {
                let about = About::unread(call.dialect(), of_head(&head), started).under(policy);
                let reported = unjudged_call(governor, policy, call.dialect(), about);
                forward_unread(governor, Request::from_parts(head, body), reported)
            }
            Self::Refused(error) => {
                let outcome = Outcome::new(own_error(call.form(), &error), Decided::Rejected);
                let about = About::unread(call.dialect(), of_head(&head), started).under(policy);
                Handled::Answered(finish(governor, about, &Trace::default(), outcome))
            }
        }
    }
}

/// Reads the whole body and what the call means.
async fn read(
    governor: &Governor,
    policy: &Policy,
    call: &Call,
    head: &request::Parts,
    body: Body,
) -> Result<(Collected, Intent), Unread> {
    let keeps = policy.may_keep_calls();
    let limit = governor.settings().governed_body;
    let too_large = || Unread::Refused(OwnError::Problem(Problem::TooLarge { limit }));
    let hit = |bound| governor.metrics().bound_hit(bound);
    let collected = tokio::time::timeout(governor.settings().body_timeout, collect(body, limit));
    let body = match collected.await {
        Ok(Ok(body)) => body,
        Ok(Err(CollectError::TooLarge(body))) => {
            hit("governed-body");
            return Err(if keeps { too_large() } else { Unread::Lenient(body) });
        }
        Ok(Err(CollectError::Broken(_))) => {
            return Err(Unread::Refused(OwnError::Problem(Problem::Incomplete)));
        }
        Err(_) => {
            hit("governed-body-time");
            return Err(Unread::Refused(OwnError::Problem(Problem::Stalled)));
        }
    };
    let decoded = decoded_body(&head.headers, &body.bytes, limit);
    match call.intent(&head.headers, &decoded) {
        Ok(Some(intent)) => Ok((body.clone(), intent)),
        Ok(None) => Err(Unread::Ungoverned(body.clone())),
        Err(UnreadableRequest::Ambiguous(violation)) => {
            Err(Unread::Ambiguous(body.clone(), violation))
        }
        Err(_) if !keeps => Err(Unread::Lenient(body.to_body())),
        Err(UnreadableRequest::TooLarge) => Err(too_large()),
        Err(UnreadableRequest::Malformed(why)) => Err(Unread::Refused(OwnError::Malformed(why))),
    }
}

/// Handles a call that two parsers could read differently.
pub(super) fn ambiguous(
    governor: Arc<Governor>,
    policy: &Policy,
    call: Call,
    request: Request<Body>,
    violation: Violation,
) -> Handled {
    let started = Instant::now();
    let about = About::unread(call.dialect(), (request.headers(), request.extensions()), started)
        .under(policy);
    match policy.toggle(violation.dialect, RuleId::AmbiguousRequest) {
        Toggle::Off => {
            let reported = unjudged_call(&governor, policy, violation.dialect, about);
            forward_unread(&governor, request, reported)
        }
        Toggle::Monitor => {
            let violation = Some(violation);
            let (kept, unjudged) = (governor.clone(), Vec::new());
            let reported = Reported { governor: kept, about, violation, unjudged };
            forward_unread(&governor, request, Some(reported))
        }
        Toggle::Reject | Toggle::Reorder | Toggle::Strip => {
            let outcome = Outcome::refused(governor.dialects(), call.form(), violation);
            Handled::Answered(finish(&governor, about, &Trace::default(), outcome))
        }
    }
}

/// Notes that no rule can judge a call, because it cannot be read. `None` where every rule is off.
fn unjudged_call(
    governor: &Arc<Governor>,
    policy: &Policy,
    dialect: Dialect,
    about: About,
) -> Option<Reported> {
    let rows = policy.rows(Some(dialect)).filter(|(_, _, toggle)| *toggle != Toggle::Off);
    let unjudged: Vec<_> =
        rows.map(|(_, row, _)| Unjudged { rule: row.id, missing: MissingFact::NotAsked }).collect();
    let governor = governor.clone();
    (!unjudged.is_empty()).then_some(Reported { governor, about, violation: None, unjudged })
}

fn forward_unread(
    governor: &Arc<Governor>,
    request: Request<Body>,
    reported: Option<Reported>,
) -> Handled {
    let marks = Marks { unseen: Some(governor.unseen_change()), reported };
    Handled::Forward(Box::new(Forward { request, marks }))
}
