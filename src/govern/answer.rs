//! Makes the answers that Weir gives itself, in the vendor's form, and marks every answer.

use super::{governor::Governor, trace::Trace};
use crate::{
    dialects::{self, Dialects, Form, Rendered},
    http::{ANY_ORIGIN, Body, PROXY_STATUS, Problem, trace_id},
    observe::{Decided, Decision, Recorded},
    rules::{
        Dialect, Intent, MissingFact, Override, Policy, SessionKey, SourceId, Target, Toggle,
        Unjudged, Violation,
    },
    sessions::{Busy, now},
};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};
use std::time::Instant;

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
    pub(super) fn failed(form: Form, error: &OwnError<'_>) -> Self {
        Self::new(own_error(form, error), Decided::Rejected)
    }

    /// Makes the outcome of a repair that did not succeed. `response` is the answer to the step
    /// that was refused.
    pub(super) fn unrepaired(mut response: Response<Body>) -> Self {
        let reason = response.extensions().get().copied().unwrap_or(Reason("repair_failed"));
        response.extensions_mut().insert(reason);
        Self::new(response, Decided::Failed)
    }

    pub(super) fn past(mut self, unjudged: Vec<Unjudged>) -> Self {
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
            StatusCode::CONFLICT,
            form.busy_code(),
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

/// What a decision records of a call besides its outcome.
pub(super) struct About {
    dialect: Dialect,
    call: &'static str,
    is_read: bool,
    session: Option<SessionKey>,
    source: Option<String>,
    request_id: Option<String>,
    trace_id: Option<u128>,
    started: Instant,
    /// The rules that an operator had set otherwise when the call came.
    overrides: Vec<Override>,
}

impl About {
    /// Describes a call that was understood.
    pub(super) fn of(
        dialect: Dialect,
        intent: &Intent,
        headers: &HeaderMap,
        started: Instant,
    ) -> Self {
        let source = named(intent.sources());
        let session = match intent.session() {
            Some(Target::Session(key)) => Some(key.clone()),
            _ => None,
        };
        let (call, is_read) = (intent.name(), intent.is_read());
        Self { call, is_read, session, source, ..Self::unread(dialect, headers, started) }
    }

    /// Describes a call that was not read.
    pub(super) fn unread(dialect: Dialect, headers: &HeaderMap, started: Instant) -> Self {
        let (request_id, trace_id) = (request_id(headers), trace_id(headers));
        let (session, source, call, is_read) = (None, None, "unread", false);
        let overrides = Vec::new();
        Self { dialect, call, is_read, session, source, request_id, trace_id, started, overrides }
    }

    /// Notes the policy under which the call came.
    pub(super) fn under(self, policy: &Policy) -> Self {
        // Nothing is allocated where nothing is overridden.
        Self { overrides: policy.overrides.clone(), ..self }
    }

    /// Names the overrides that may have made the decision differ. A rule that is off is not
    /// checked, so that any call but a read may have broken it.
    fn overrides(&self, violation: Option<&Violation>, unjudged: &[Unjudged]) -> Vec<String> {
        let differs = |set: &&Override| {
            let broken =
                violation.is_some_and(|one| (one.dialect, one.rule) == (set.dialect, set.rule));
            let may_be = set.toggle == Toggle::Off && !self.is_read;
            let here = may_be || unjudged.iter().any(|one| one.rule == set.rule);
            broken || (set.dialect == self.dialect && here)
        };
        let named = self.overrides.iter().filter(differs);
        named.map(|set| format!("{} = {}", set.rule, set.toggle)).collect()
    }
}

impl About {
    /// Returns the dialect's name.
    pub(super) fn dialect(&self) -> &'static str {
        self.dialect.as_str()
    }

    /// Logs that the caller hung up, or was cut off. A read changes nothing, so its line is at
    /// `DEBUG`.
    pub(super) fn log_hangup(&self, decision_id: &str) {
        macro_rules! line {
            ($level:expr) => {
                tracing::event!(
                    $level,
                    decision_id,
                    request_id = self.request_id.as_deref(),
                    trace_id = self.trace_id.map(|trace| format!("{trace:032x}")),
                    dialect = %self.dialect,
                    session = self.session.as_ref().map(ToString::to_string),
                    call = self.call,
                    source = self.source.as_deref(),
                    "the caller hung up or was cut off before its answer; see what upstream has done"
                )
            };
        }
        match self.is_read {
            true => line!(tracing::Level::DEBUG),
            false => line!(tracing::Level::WARN),
        }
    }
}

/// How many sources a decision names, and how long a text of upstream's is in it: it is kept for
/// long, and with thousands of others.
const NAMED: usize = 16;
const LONGEST: usize = 256;

/// Names sources, with commas between them.
fn named<'a>(sources: impl Iterator<Item = &'a SourceId>) -> Option<String> {
    let mut sources = sources.map(SourceId::as_str);
    let first: Vec<&str> = sources.by_ref().take(NAMED).collect();
    let more = sources.count();
    match (first.is_empty(), more) {
        (true, _) => None,
        (false, 0) => Some(first.join(", ")),
        (false, _) => Some(format!("{} and {more} more", first.join(", "))),
    }
}

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
    };
    if governor.settings.headers {
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

/// Returns the caller's own id of this request, where it is short and printable.
pub(super) fn request_id(headers: &HeaderMap) -> Option<String> {
    let id = headers.get("x-request-id")?.to_str().ok()?;
    (id.len() <= 128).then(|| id.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decision_names_so_many_sources_and_counts_the_rest() {
        let ids = |count: usize| (0..count).map(|n| SourceId::from(n.to_string())).collect();
        let told = |count: usize| {
            let ids: Vec<SourceId> = ids(count);
            named(ids.iter())
        };
        assert_eq!((told(0), told(2).as_deref()), (None, Some("0, 1")));
        assert!(told(16).unwrap().ends_with(", 15"));
        assert!(told(20).unwrap().ends_with(", 15 and 4 more"));
    }

    #[test]
    fn a_text_is_cut_between_its_characters() {
        assert_eq!(cut("é".repeat(LONGEST)), "é".repeat(LONGEST));
        assert_eq!(cut("é".repeat(LONGEST + 1)), format!("{}…", "é".repeat(LONGEST)));
    }
}
