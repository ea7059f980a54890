//! One governed call on its way: who calls, what the call means, and how requests for it are sent.
//!
//! In: the caller's head, body and intent. Out: requests upstream in the caller's name, their
//! answers read whole, and the time they took.

use super::{Client, Governor};
use crate::{
    dialects::Call,
    proxy::{
        Body, BoxError, NotWhole, Problem, UpstreamError, Whole, Work, collect, decision::Step,
    },
    rules::{CredentialHash, CustomerId, Intent, Policy, SessionKey},
};
use bytes::Bytes;
use http::{
    HeaderMap, Method, Request, Response, StatusCode, header, request, response, uri::PathAndQuery,
};
use std::{
    fmt::Write,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};
use tower::ServiceExt;

pub(super) use crate::sessions::now;

/// Everything about one governed call. Cheap to clone: detached work takes a clone along.
pub(super) struct Exchange<S> {
    pub client: S,
    pub governor: Arc<Governor>,
    pub work: Work,
    pub policy: Arc<Policy>,
    pub call: Call,
    pub head: Arc<request::Parts>,
    pub body: Whole,
    pub intent: Arc<Intent>,
    pub caller: CredentialHash,
    pub trace: Arc<Trace>,
}

impl<S: Clone> Clone for Exchange<S> {
    fn clone(&self) -> Self {
        Self {
            client: self.client.clone(),
            governor: self.governor.clone(),
            work: self.work.clone(),
            policy: self.policy.clone(),
            call: self.call.clone(),
            head: self.head.clone(),
            body: self.body.clone(),
            intent: self.intent.clone(),
            caller: self.caller,
            trace: self.trace.clone(),
        }
    }
}

/// What happened on the way, for the decision's record.
#[derive(Default)]
pub(super) struct Trace {
    upstream_us: AtomicU64,
    steps: Mutex<Vec<Step>>,
    created: Mutex<Option<SessionKey>>,
}

impl Trace {
    pub fn upstream_us(&self) -> u64 {
        self.upstream_us.load(Ordering::Relaxed)
    }

    pub fn note(&self, what: impl Into<String>, status: Option<StatusCode>) {
        let step = Step { what: what.into(), status: status.map(|status| status.as_u16()) };
        self.steps.lock().unwrap_or_else(PoisonError::into_inner).push(step);
    }

    /// The session that the call has brought into being.
    pub fn created(&self, session: &SessionKey) {
        *self.created.lock().unwrap_or_else(PoisonError::into_inner) = Some(session.clone());
    }

    pub fn session(&self) -> Option<SessionKey> {
        self.created.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    pub fn steps(&self) -> Vec<Step> {
        std::mem::take(&mut *self.steps.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// An answer that was read whole.
#[derive(Clone)]
pub(super) struct Answered {
    pub head: Arc<response::Parts>,
    pub body: Whole,
}

impl Answered {
    pub fn status(&self) -> StatusCode {
        self.head.status
    }

    pub fn headers(&self) -> &HeaderMap {
        &self.head.headers
    }

    /// As it came: upstream's bytes are never changed.
    pub fn into_response(self) -> Response<Body> {
        let head = Arc::try_unwrap(self.head).unwrap_or_else(|shared| (*shared).clone());
        Response::from_parts(head, self.body.to_body())
    }
}

/// How a request upstream ended.
pub(super) enum Sent {
    /// With an answer, read whole.
    Answered(Answered),
    /// With an answer too long to be read: it passes through, and teaches nothing.
    TooLong(Response<Body>),
    /// Without a usable answer.
    Failed(Failure),
}

/// Why there is no answer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Failure {
    /// Whether upstream may have acted on the request.
    pub sent: bool,
    /// What the caller is told.
    pub problem: Problem,
}

impl Failure {
    fn from(error: BoxError) -> Self {
        match error.downcast_ref::<UpstreamError>() {
            Some(known) => {
                tracing::warn!(error = %known, "a governed call got no answer");
                Failure { sent: known.was_sent(), problem: Problem::from(known) }
            }
            None => Failure { sent: true, problem: Problem::Broken },
        }
    }
}

impl<S> Exchange<S> {
    /// Merchants choose their customers' ids, so two of them may choose the same; what is known of
    /// a customer is kept for each credential apart.
    pub fn customer_key(&self, id: &CustomerId) -> CustomerId {
        let mut key = String::with_capacity(id.as_str().len() + 33);
        for byte in self.caller.0 {
            // Writing to a string cannot fail.
            let _ = write!(key, "{byte:02x}");
        }
        key.extend([":", id.as_str()]);
        CustomerId::from(key.as_str())
    }
}

impl<S: Client> Exchange<S> {
    /// The caller's own call, body and all, as it came.
    pub fn original(&self) -> Request<Body> {
        Request::from_parts((*self.head).clone(), self.body.to_body())
    }

    /// A call of Weir's own in the caller's name: the caller's headers, but those that speak of its
    /// body or make it conditional. Its answer comes in the clear: it must be readable here,
    /// and it may become the answer of any caller who shares it.
    pub fn own(
        &self,
        method: Method,
        path: &PathAndQuery,
        body: Bytes,
        content_type: Option<&'static str>,
    ) -> Request<Body> {
        let mut headers = self.head.headers.clone();
        for name in NOT_OURS {
            headers.remove(name);
        }
        headers.insert(header::ACCEPT_ENCODING, http::HeaderValue::from_static("identity"));
        if let Some(content_type) = content_type {
            headers.insert(header::CONTENT_TYPE, http::HeaderValue::from_static(content_type));
        }
        let mut request = Request::new(Body::full(body));
        *request.method_mut() = method;
        *request.uri_mut() = path.clone().into();
        *request.headers_mut() = headers;
        request
    }

    /// Sends, and reads the answer whole, up to the bound.
    pub async fn send(&self, request: Request<Body>) -> Sent {
        let started = Instant::now();
        let sent = self.send_untimed(request).await;
        let took = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.trace.upstream_us.fetch_add(took, Ordering::Relaxed);
        sent
    }

    async fn send_untimed(&self, request: Request<Body>) -> Sent {
        let response = match self.client.clone().oneshot(request).await {
            Ok(response) => response,
            Err(error) => return Sent::Failed(Failure::from(error.into())),
        };
        let (head, body) = response.into_parts();
        self.heed(head.status, &head.headers);
        match collect(body, self.governor.settings.answer).await {
            Ok(body) => Sent::Answered(Answered { head: Arc::new(head), body }),
            Err(NotWhole::TooLarge(body)) => Sent::TooLong(Response::from_parts(head, body)),
            Err(NotWhole::Broken(error)) => {
                Sent::Failed(Failure { sent: true, ..Failure::from(error) })
            }
        }
    }

    /// Upstream's "slow down": look-ups with this credential pause for so long.
    fn heed(&self, status: StatusCode, headers: &HeaderMap) {
        if status == StatusCode::TOO_MANY_REQUESTS {
            let seconds = headers
                .get(header::RETRY_AFTER)
                .and_then(|v| v.to_str().ok())
                .and_then(|v| v.trim().parse().ok());
            let pause = Duration::from_secs(seconds.unwrap_or(1)).min(LONGEST_BACK_OFF);
            self.governor.sessions.back_off(self.caller, tokio::time::Instant::now() + pause);
        }
    }
}

/// However long upstream asks for, a credential is tried again after this.
const LONGEST_BACK_OFF: Duration = Duration::from_secs(300);

/// Fields of the caller's request that would be untrue, or would change the meaning, on a call of
/// Weir's own.
const NOT_OURS: [header::HeaderName; 16] = [
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
