//! Makes the answers that Weir gives itself, in the vendor's form, and marks every answer.

use super::{governor::Governor, trace::Trace};
use crate::{
    dialects::{self, Dialects, Form, Rendered},
    http::{Body, Problem},
    observe::{Decided, Decision},
    rules::{Dialect, Intent, RuleId, SessionKey, Violation},
    sessions::{Busy, now},
};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};
use std::time::Instant;

const DECISION: HeaderName = HeaderName::from_static("weir-decision");
const RULE: HeaderName = HeaderName::from_static("weir-rule");
const DECISION_ID: HeaderName = HeaderName::from_static("weir-decision-id");

/// An answer and its decision.
pub(super) struct Outcome {
    pub response: Response<Body>,
    pub decided: Decided,
    pub violation: Option<Violation>,
    pub session: Option<SessionKey>,
}

impl Outcome {
    pub(super) fn new(response: Response<Body>, decided: Decided) -> Self {
        Self { response, decided, violation: None, session: None }
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
    pub(super) fn failed(form: Form, error: &OwnError<'_>) -> Self {
        Self::new(own_error(form, error), Decided::Rejected)
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
            StatusCode::CONFLICT,
            form.busy_code(),
            format!("Not now: {busy}. Nothing was sent; try again.").into(),
        ),
        OwnError::Stranded(now) => (StatusCode::BAD_GATEWAY, "repair_incomplete", (*now).into()),
    };
    let mut response = rendered(dialects::error(form, status, code, &message));
    let retry_after = match error {
        OwnError::Busy(busy) => Some(busy.retry_after.as_secs().max(1)),
        OwnError::Problem(Problem::FactUnknown | Problem::StoreFailed) => Some(1),
        _ => None,
    };
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
    response
}

/// What a decision records of a call besides its outcome.
pub(super) struct About {
    dialect: Dialect,
    call: &'static str,
    source: Option<String>,
    request_id: Option<String>,
    started: Instant,
}

impl About {
    /// Describes a call that was understood.
    pub(super) fn of(
        dialect: Dialect,
        intent: &Intent,
        headers: &HeaderMap,
        started: Instant,
    ) -> Self {
        let source = intent.source().map(|id| id.to_string());
        Self { call: intent.name(), source, ..Self::unread(dialect, headers, started) }
    }

    /// Describes a call that was not read.
    pub(super) fn unread(dialect: Dialect, headers: &HeaderMap, started: Instant) -> Self {
        let request_id = request_id(headers);
        Self { dialect, call: "unread", source: None, request_id, started }
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
    let id = trace.id(governor.decisions()).to_owned();
    let rule = outcome.violation.as_ref().map(|violation| violation.rule);
    if governor.settings.headers {
        mark(&mut response, outcome.decided, rule, &id);
    }
    let total = u64::try_from(about.started.elapsed().as_micros()).unwrap_or(u64::MAX);
    let upstream_us = trace.upstream_us();
    let session = outcome.session.or_else(|| trace.take_created());
    governor.decisions().publish(Decision {
        id,
        at: now().0,
        dialect: about.dialect,
        session,
        call: about.call,
        source: about.source,
        decision: outcome.decided,
        rule,
        found: outcome.violation.as_ref().map(|violation| violation.finding.to_string()),
        accepted: outcome.violation.as_ref().map(|violation| violation.finding.accepted()),
        status: response.status().as_u16(),
        steps: trace.take_steps(),
        upstream_us,
        weir_us: total.saturating_sub(upstream_us),
        request_id: about.request_id,
    });
    response
}

/// Sets `Weir-Decision`, `Weir-Decision-Id`, and `Weir-Rule` where a rule was broken.
fn mark(response: &mut Response<Body>, decided: Decided, rule: Option<RuleId>, id: &str) {
    let headers = response.headers_mut();
    headers.insert(DECISION, HeaderValue::from_static(decided.as_str()));
    if let Ok(id) = HeaderValue::from_str(id) {
        headers.insert(DECISION_ID, id);
    }
    if let Some(rule) = rule {
        headers.insert(RULE, HeaderValue::from_static(rule.as_str()));
    }
}

/// Returns the caller's own id of this request, where it is short and printable.
fn request_id(headers: &HeaderMap) -> Option<String> {
    let id = headers.get("x-request-id")?.to_str().ok()?;
    (id.len() <= 128).then(|| id.to_owned())
}
