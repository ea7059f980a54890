//! Sends requests to upstream for a caller or for Weir itself, and reads the answers.
//!
//! In: requests. Out: answers, read whole up to a bound, and the time they took. An asker is a
//! caller, with its own headers and credentials, or Weir itself.

use super::{answered::Answered, fault::Fault, governor::Governor, open::Phase, trace::Trace};
use crate::{
    dialects::Outgoing,
    http::{Body, CallerAddress, CollectError, Problem, UpstreamError, collect},
    observe::{StepEnd, StepKind},
    rules::{CredentialHash, Lookup, SessionKey, ShownTo, SourceId},
};
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, header, request};
use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};
use tower::{ServiceExt, util::BoxCloneSyncService};

/// The client behind the layer, boxed so that its type is known.
pub(super) type BoxClient = BoxCloneSyncService<Request<Body>, Response<Body>, UpstreamError>;

/// The longest back-off kept for a credential.
const LONGEST_BACK_OFF: Duration = Duration::from_secs(300);

/// The one for whom a request is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Who {
    /// A caller, known by the hash of its credential.
    Caller(CredentialHash),
    /// A caller without a credential that is recognised: nobody in particular. Nothing is
    /// remembered for it, and none of its look-ups is shared.
    Nobody,
    /// Weir itself, with its own key; no caller is shown upstream's answers to it.
    Weir(CredentialHash),
}

impl Who {
    /// Returns the caller to whom upstream's answers are shown, if there is one.
    pub(super) fn caller(self) -> Option<CredentialHash> {
        match self {
            Self::Caller(caller) => Some(caller),
            Self::Nobody | Self::Weir(_) => None,
        }
    }

    /// Returns the hash of the credential with which is asked, if it is recognised.
    pub(super) fn credential(self) -> Option<CredentialHash> {
        match self {
            Self::Caller(hash) | Self::Weir(hash) => Some(hash),
            Self::Nobody => None,
        }
    }

    /// Returns whether this is a caller to whom upstream has shown something.
    pub(super) fn is_among(self, shown_to: &ShownTo) -> bool {
        self.caller().is_some_and(|caller| shown_to.contains(caller))
    }
}

/// One who asks upstream, with the client, the headers and the notes of one call. Cheap to clone.
#[derive(Clone)]
pub(super) struct Asker {
    pub client: Arc<BoxClient>,
    pub governor: Arc<Governor>,
    pub head: Arc<request::Parts>,
    pub who: Who,
    pub trace: Arc<Trace>,
    pub shown: Arc<ShownNow>,
}

/// What upstream has shown during one call to a caller who is nobody in particular.
#[derive(Default)]
pub(super) struct ShownNow(Mutex<(Option<SessionKey>, Vec<SourceId>)>);

impl ShownNow {
    fn with<T>(&self, of: impl FnOnce(&mut (Option<SessionKey>, Vec<SourceId>)) -> T) -> T {
        of(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Notes how a look-up ended that showed something.
    pub(super) fn note(&self, lookup: &Lookup, session: Option<&SessionKey>) {
        self.with(|(shown, sources)| match lookup {
            Lookup::Source(id) => sources.push(id.clone()),
            _ => *shown = session.cloned().or(shown.take()),
        });
    }

    pub(super) fn has_session(&self, key: Option<&SessionKey>) -> bool {
        key.is_some() && self.with(|(shown, _)| shown.as_ref() == key)
    }

    pub(super) fn has_source(&self, id: &SourceId) -> bool {
        self.with(|(_, sources)| sources.contains(id))
    }
}

/// How a request upstream ended.
pub(super) enum SendOutcome {
    /// With an answer, read whole.
    Answered(Answered),
    /// With an answer that is too long to be read; it passes through, and nothing is learned.
    TooLong(Response<Body>),
    /// Without a usable answer.
    Failed(Failure),
}

/// Why there is no answer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Failure {
    /// Whether upstream may have acted on the request.
    pub sent: bool,
    /// The problem that the caller's answer names.
    pub problem: Problem,
}

impl Failure {
    /// Nothing was sent, through a fault of Weir's own.
    pub(super) const NOT_SENT: Self = Self { sent: false, problem: Problem::Internal };

    /// Returns how the request ended, as a step of a decision.
    pub(super) fn step_end(self) -> StepEnd {
        if self.sent { StepEnd::Unanswered } else { StepEnd::NotSent }
    }

    fn of(error: &UpstreamError, fault: &Fault<'_>) -> Self {
        fault.log(error);
        let problem = Problem::from(error);
        fault.governor.metrics().upstream_fault(problem.code());
        Self { sent: error.was_sent(), problem }
    }
}

impl Asker {
    /// Returns a look-up of this asker as a step of a decision.
    pub(super) fn step_of(&self, lookup: &Lookup) -> StepKind {
        match (self.who, lookup) {
            (Who::Weir(_), Lookup::Source(id)) => StepKind::LookUpWithOwnKey(id.clone()),
            _ => StepKind::LookUp(lookup.clone()),
        }
    }

    /// Returns a call of Weir's own with the asker's headers, except those that describe its body
    /// or make it conditional. Asks for an answer without a coding, because Weir reads it and it
    /// may become the answer of every caller that shares it.
    pub(super) fn request(&self, outgoing: &Outgoing) -> Request<Body> {
        let mut headers = self.head.headers.clone();
        for name in NOT_COPIED {
            headers.remove(name);
        }
        headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        if let Some(content_type) = outgoing.content_type {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
        }
        let mut request = Request::new(Body::full(outgoing.body.clone()));
        *request.method_mut() = outgoing.method.clone();
        *request.uri_mut() = outgoing.path.clone().into();
        *request.headers_mut() = headers;
        // It is asked for the caller, who may have written what it likes into its headers.
        if let Some(caller) = self.head.extensions.get::<CallerAddress>() {
            request.extensions_mut().insert(*caller);
        }
        request
    }

    /// Sends a request and reads its answer whole, up to the bound. `what` is its purpose, and
    /// `session` what it is about, for the log.
    pub(super) async fn send(
        &self,
        request: Request<Body>,
        what: &StepKind,
        session: Option<&SessionKey>,
    ) -> SendOutcome {
        #[cfg(feature = "otlp")]
        let request = self.with_purpose(request, what);
        let started = Instant::now();
        let fault = Fault { governor: &self.governor, trace: &self.trace, what, session };
        let is_look_up = matches!(what, StepKind::LookUp(_) | StepKind::LookUpWithOwnKey(_));
        let phase = if is_look_up { Phase::LookingUp } else { Phase::Sent };
        let before = self.trace.enter(phase);
        let outcome = self.send_untimed(request, fault).await;
        self.trace.enter(before);
        self.trace.add_upstream_time(started.elapsed());
        outcome
    }

    /// Names what a request is for, where it gets a span.
    #[cfg(feature = "otlp")]
    fn with_purpose(&self, mut request: Request<Body>, what: &StepKind) -> Request<Body> {
        if self.governor.traces().is_some() {
            request.extensions_mut().insert(crate::traces::Why(what.to_string()));
        }
        request
    }

    async fn send_untimed(&self, request: Request<Body>, fault: Fault<'_>) -> SendOutcome {
        let response = match BoxClient::clone(&self.client).oneshot(request).await {
            Ok(response) => response,
            Err(error) => return SendOutcome::Failed(Failure::of(&error, &fault)),
        };
        let (head, body) = response.into_parts();
        self.record_back_off(head.status, &head.headers);
        match collect(body, self.governor.settings().answer).await {
            Ok(body) => SendOutcome::Answered(Answered { head: Arc::new(head), body }),
            Err(CollectError::TooLarge(body)) => {
                self.governor.metrics().bound_hit("answer");
                SendOutcome::TooLong(Response::from_parts(head, fault.watch(body)))
            }
            Err(CollectError::Broken(error)) => {
                let failure = Failure::of(&UpstreamError::from(error), &fault);
                SendOutcome::Failed(Failure { sent: true, ..failure })
            }
        }
    }

    /// Records how long look-ups with this credential pause, where upstream answered 429.
    fn record_back_off(&self, status: StatusCode, headers: &HeaderMap) {
        let (StatusCode::TOO_MANY_REQUESTS, Some(who)) = (status, self.who.credential()) else {
            return;
        };
        let seconds = headers
            .get(header::RETRY_AFTER)
            .and_then(|v| v.to_str().ok())
            .and_then(|v| v.trim().parse().ok());
        let pause = Duration::from_secs(seconds.unwrap_or(1)).min(LONGEST_BACK_OFF);
        let until = tokio::time::Instant::now() + pause;
        self.governor.sessions().back_off(who, until);
    }

    /// Returns how long look-ups with this asker's credential still pause.
    pub(super) fn backing_off(&self) -> Option<Duration> {
        self.governor.sessions().backing_off(self.who.credential()?)
    }
}

/// Request headers that must not be copied to Weir's own calls: they would be untrue, or would
/// change the meaning.
const NOT_COPIED: [header::HeaderName; 16] = [
    header::CONTENT_LENGTH,
    header::CONTENT_TYPE,
    header::CONTENT_ENCODING,
    header::TRANSFER_ENCODING,
    header::TRAILER,
    header::TE,
    header::EXPECT,
    header::CONNECTION,
    header::UPGRADE,
    header::IF_MATCH,
    header::IF_NONE_MATCH,
    header::IF_MODIFIED_SINCE,
    header::IF_UNMODIFIED_SINCE,
    header::IF_RANGE,
    header::RANGE,
    header::HeaderName::from_static("idempotency-key"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_upstream_answers_to_weir_itself_is_shown_to_no_caller() {
        let caller = CredentialHash([1; 16]);
        let mut shown_to = ShownTo::default();
        shown_to.add(caller);
        assert!(Who::Caller(caller).is_among(&shown_to));
        assert!(!Who::Caller(CredentialHash([2; 16])).is_among(&shown_to));
        assert!(!Who::Weir(caller).is_among(&shown_to));
        assert_eq!(Who::Weir(caller).caller(), None);
    }
}
