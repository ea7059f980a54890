//! Makes the answers that Weir gives itself, in the vendor's form, and marks every answer.

use super::{about::About, governor::Governor, trace::Trace};
use crate::{
    dialects::{self, Dialects, Form, Rendered},
    http::{ANY_ORIGIN, Body, PROXY_STATUS, Problem},
    observe::{Decided, Decision, Recorded},
    rules::{MissingFact, SessionKey, Unjudged, Violation},
    sessions::{Busy, BusyReason, now},
};
use http::{HeaderName, HeaderValue, Response, StatusCode, header};

const DECISION: HeaderName = HeaderName::from_static("weir-decision");
const RULE: HeaderName = HeaderName::from_static("weir-rule");
const DECISION_ID: HeaderName = HeaderName::from_static("weir-decision-id");
const REASON: HeaderName = HeaderName::from_static("weir-reason");
const UNJUDGED: HeaderName = HeaderName::from_static("weir-unjudged");

/// Why an answer is Weir's own and no rule's. It travels with the answer to [`finish`].
#[derive(Clone, Copy)]
struct Reason(&'static str);

/// An answer and its decision.
pub(super) struct Outcome {
    pub response: Response<Body>,
    pub decided: Decided,
    pub violation: Option<Violation>,
    pub session: Option<SessionKey>,
    /// The rules that could not be judged although the call went on.
    pub unjudged: Vec<Unjudged>,
    /// What the decision log is to know of the call, where there is such a log.
    pub recorded: Option<Box<Recorded>>,
}

impl Outcome {
    pub(super) fn new(response: Response<Body>, decided: Decided) -> Self {
        let (violation, session, recorded) = (None, None, None);
        Self { response, decided, violation, session, unjudged: Vec::new(), recorded }
    }

    pub(super) fn forwarded(response: Response<Body>) -> Self {
        Self::new(response, Decided::Forwarded)
    }

    /// Makes the outcome of a call that was forwarded although a reporting rule was broken, if one
    /// was.
    pub(super) fn reported(response: Response<Body>, violation: Option<Violation>) -> Self {
        let decided = if violation.is_some() { Decided::Monitored } else { Decided::Forwarded };
        Self { violation, ..Self::new(response, decided) }
    }

    /// Makes the outcome of a call that breaks a rule.
    pub(super) fn refused(dialects: &Dialects, form: Form, violation: Violation) -> Self {
        let response = rendered(dialects.refusal(form, &violation));
        Self { violation: Some(violation), ..Self::new(response, Decided::Rejected) }
    }

    /// Makes the outcome of a call that gets an error of Weir's own.
    pub(super) fn own_error(form: Form, error: &OwnError<'_>) -> Self {
        Self::new(own_error(form, error), Decided::Rejected)
    }

    /// Makes the outcome of a repair that did not succeed. `response` is the answer to the step
    /// that was refused.
    pub(super) fn unrepaired(mut response: Response<Body>) -> Self {
        let reason = response.extensions().get().copied().unwrap_or(Reason("repair_failed"));
        response.extensions_mut().insert(reason);
        Self::new(response, Decided::Failed)
    }

    pub(super) fn with_unjudged(mut self, unjudged: Vec<Unjudged>) -> Self {
        self.unjudged = unjudged;
        self
    }

    pub(super) fn recorded(mut self, recorded: Option<Box<Recorded>>) -> Self {
        self.recorded = recorded;
        self
    }

    pub(super) fn with(mut self, violation: Violation) -> Self {
        self.violation = Some(violation);
        self
    }

    pub(super) fn about(mut self, session: Option<&SessionKey>) -> Self {
        self.session = self.session.or_else(|| session.cloned());
        self
    }
}

/// Errors of Weir's own that are not rules.
pub(super) enum OwnError<'a> {
    /// A fault that any call may meet.
    Problem(Problem),
    /// The body cannot be read; the sentence says why.
    Malformed(&'a str),
    /// Too many wait for this session, or one waited too long.
    Busy(&'a Busy),
    /// A repair could not attach the primary again; the text says what is attached now.
    Stranded(&'a str),
}

/// Answers with an error of Weir's own in the vendor's form.
pub(super) fn own_error(form: Form, error: &OwnError<'_>) -> Response<Body> {
    let (status, code, message) = match error {
        OwnError::Problem(problem) => (problem.status(), problem.code(), problem.message()),
        OwnError::Malformed(why) => (StatusCode::BAD_REQUEST, "invalid_body", (*why).into()),
        OwnError::Busy(busy) => (
            match busy.reason {
                BusyReason::TooManyWait => StatusCode::SERVICE_UNAVAILABLE,
                BusyReason::QueueFull | BusyReason::WaitedTooLong => StatusCode::CONFLICT,
            },
            match busy.reason {
                BusyReason::TooManyWait => busy.reason.as_str(),
                BusyReason::QueueFull | BusyReason::WaitedTooLong => form.busy_code(),
            },
            format!("Not now: {busy}. Nothing was sent; try again.").into(),
        ),
        OwnError::Stranded(now) => (StatusCode::BAD_GATEWAY, "repair_incomplete", (*now).into()),
    };
    let mut response = rendered(dialects::error(form, status, code, &message));
    let reason = match error {
        OwnError::Busy(busy) => busy.reason.as_str(),
        _ => code,
    };
    response.extensions_mut().insert(Reason(reason));
    let retry_after = match error {
        OwnError::Busy(busy) => Some(busy.retry_after.as_secs().max(1)),
        OwnError::Problem(problem) => problem.retry_after(),
        _ => None,
    };
    if let OwnError::Problem(problem) = error {
        response.headers_mut().insert(PROXY_STATUS, problem.proxy_error().field());
    }
    if let Some(seconds) = retry_after {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

fn rendered(rendered: Rendered) -> Response<Body> {
    let mut response = Response::new(Body::full(rendered.body));
    *response.status_mut() = rendered.status;
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static(rendered.content_type));
    if rendered.any_origin {
        response.headers_mut().insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, ANY_ORIGIN);
    }
    response
}

/// How long a text of upstream's is in a decision: it is kept for long, and with thousands of
/// others.
const LONGEST: usize = 256;

/// Cuts a text of upstream's off where it is longer than any that makes sense.
fn cut(text: String) -> String {
    match text.char_indices().nth(LONGEST) {
        None => text,
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}

/// Marks the answer and publishes the decision.
pub(super) fn finish(
    governor: &Governor,
    about: About,
    trace: &Trace,
    outcome: Outcome,
) -> Response<Body> {
    let mut response = outcome.response;
    let own = response.extensions_mut().remove::<Reason>();
    let decided = match (outcome.decided, own) {
        (Decided::Rejected, _) | (_, None) => outcome.decided,
        (_, Some(_)) => Decided::Failed,
    };
    let (id, notes) = (trace.id(governor.decisions()).to_owned(), trace.take_notes());
    let status = response.status();
    let violation = outcome.violation;
    // Where upstream refuses the call itself, what it says does not exist was for it to judge.
    let mut unjudged = outcome.unjudged;
    unjudged.retain(|one| !(status.is_client_error() && is_absent(one)));
    let is_upstreams = decided != Decided::Rejected && !status.is_success();
    let total = u64::try_from(about.started.elapsed().as_micros()).unwrap_or(u64::MAX);
    let upstream_us = trace.upstream_us();
    let overrides = about.overrides(violation.as_ref(), &unjudged);
    let decision = Decision {
        id,
        at: now().0,
        dialect: about.dialect,
        session: outcome.session.or(notes.created).or(about.session),
        call: about.call,
        is_read: about.is_read,
        source: about.source.or(notes.source.map(cut)),
        order: notes.order.map(cut),
        decision: decided,
        reason: own.map(|Reason(reason)| reason),
        rule: violation.as_ref().map(|violation| violation.rule),
        found: violation.as_ref().map(|violation| violation.finding.to_string()),
        accepted: violation.as_ref().map(|violation| violation.finding.accepted()),
        overrides,
        unjudged,
        unread: notes.unread,
        status: status.as_u16(),
        upstream_code: notes.code.filter(|_| is_upstreams).map(|error| cut(error.code)),
        steps: notes.steps,
        upstream_us,
        weir_us: total.saturating_sub(upstream_us),
        request_id: about.request_id,
        trace_id: about.trace_id,
        client: about.client,
    };
    if governor.settings().headers {
        mark(&mut response, &decision);
    }
    #[cfg(feature = "otlp")]
    if governor.traces().is_some() {
        response.extensions_mut().insert(super::told::told(governor, &decision));
    }
    governor.decisions().publish(decision, outcome.recorded);
    response
}

fn is_absent(unjudged: &Unjudged) -> bool {
    matches!(unjudged.missing, MissingFact::Absent(_))
}

/// Sets `Weir-Decision`, `Weir-Decision-Id`, and those that say why, where there is a why.
fn mark(response: &mut Response<Body>, decision: &Decision) {
    let headers = response.headers_mut();
    headers.insert(DECISION, HeaderValue::from_static(decision.decision.as_str()));
    if let Ok(id) = HeaderValue::from_str(&decision.id) {
        headers.insert(DECISION_ID, id);
    }
    if let Some(rule) = decision.rule {
        headers.insert(RULE, HeaderValue::from_static(rule.as_str()));
    }
    if let Some(reason) = decision.reason {
        headers.insert(REASON, HeaderValue::from_static(reason));
    }
    let rules: Vec<&str> = decision.unjudged.iter().map(|one| one.rule.as_str()).collect();
    if let (false, Ok(rules)) = (rules.is_empty(), HeaderValue::from_str(&rules.join(", "))) {
        headers.insert(UNJUDGED, rules);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_between_its_characters() {
        assert_eq!(cut("é".repeat(LONGEST)), "é".repeat(LONGEST));
        assert_eq!(cut("é".repeat(LONGEST + 1)), format!("{}…", "é".repeat(LONGEST)));
    }
}
