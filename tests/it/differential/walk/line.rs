//! The line from Weir to the emulator: every call on it is written down, and any may go wrong.

use crate::testbed::{Ask, Body, Emulator, Fault, FaultKind, collect};
use bytes::Bytes;
use futures_util::{future::BoxFuture, stream};
use http::{HeaderValue, Method, Request, Response, header};
use http_body::Frame;
use http_body_util::StreamBody;
use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
    time::Duration,
};
use tower::{BoxError, Service};
use weir::UpstreamError;

/// What befalls one call on the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Struck {
    /// There is no connection.
    NotSent,
    /// The vendor answers with this status, and does nothing.
    FailBefore(u16),
    /// The vendor answers 429, and does nothing.
    TooMany,
    /// The connection ends before the vendor does anything.
    ResetBefore,
    /// The vendor does it, and answers with this status.
    FailAfter(u16),
    /// The vendor does it, and the connection ends before the answer.
    ResetAfter,
    /// The vendor does it, and its answer is neither JSON nor XML.
    Garbage,
    /// The vendor does it, and its answer breaks off.
    Cut,
    /// No answer comes in time. The vendor does it so many milliseconds later.
    Late(u64),
}

impl Struck {
    pub(crate) const ALL: [Self; 11] = [
        Self::NotSent,
        Self::FailBefore(503),
        Self::FailBefore(500),
        Self::TooMany,
        Self::ResetBefore,
        Self::FailAfter(502),
        Self::FailAfter(408),
        Self::ResetAfter,
        Self::Garbage,
        Self::Cut,
        Self::Late(700),
    ];

    /// What the emulator itself does.
    fn fault(self) -> Option<FaultKind> {
        Some(match self {
            Self::FailBefore(status) => FaultKind::FailBefore(status),
            Self::TooMany => FaultKind::TooManyRequests(1),
            Self::ResetBefore => FaultKind::ResetBefore,
            Self::FailAfter(status) => FaultKind::FailAfter(status),
            Self::ResetAfter => FaultKind::ResetAfter,
            Self::Garbage => FaultKind::Garbage,
            Self::NotSent | Self::Cut | Self::Late(_) => return None,
        })
    }
}

/// An answer, as far as it can be compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) media: Option<HeaderValue>,
    pub(crate) body: Bytes,
}

/// One call on the line.
#[derive(Clone, Debug)]
pub(crate) struct Exchange {
    pub(crate) method: Method,
    pub(crate) target: String,
    pub(crate) body: Bytes,
    pub(crate) struck: Option<Struck>,
    /// `None` where no whole answer came.
    pub(crate) answer: Option<Answer>,
}

impl Exchange {
    pub(crate) fn is_change(&self) -> bool {
        self.method != Method::GET
    }

    /// Whether this is the caller's own call.
    pub(crate) fn is(&self, ask: &Ask) -> bool {
        self.method == ask.method && self.target == ask.path && self.body == ask.body
    }

    pub(crate) fn status(&self) -> Option<u16> {
        self.answer.as_ref().map(|answer| answer.status)
    }

    /// Whether it was struck so that nobody can know whether it was done.
    pub(crate) fn is_unknown(&self) -> bool {
        !matches!(self.struck, None | Some(Struck::NotSent | Struck::TooMany))
    }

    /// Whether upstream's own answer came whole, and says that it was done.
    pub(crate) fn is_done(&self) -> bool {
        self.struck.is_none() && self.status().is_some_and(|status| (200..300).contains(&status))
    }
}

/// The line. A clone is the same line.
#[derive(Clone)]
pub(crate) struct Line {
    emulator: Emulator,
    latency: Duration,
    inner: Arc<Mutex<Inner>>,
}

#[derive(Default)]
struct Inner {
    /// How often the line was armed.
    armed: u64,
    log: Vec<Exchange>,
    /// What befalls the calls of these numbers, counted from the last [`Line::arm`].
    faults: Vec<(usize, Struck)>,
    /// What befalls all calls whose credential has one of these words.
    all_of: Option<(Vec<String>, Struck)>,
}

impl Line {
    /// Every call on the line takes `latency` before the vendor has it.
    pub(crate) fn new(emulator: Emulator, latency: Duration) -> Self {
        Self { emulator, latency, inner: Arc::default() }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Forgets what was written down, and sets what befalls the next calls.
    pub(crate) fn arm(&self, faults: &[(usize, Struck)]) {
        let mut inner = self.inner();
        let (armed, faults) = (inner.armed + 1, faults.to_vec());
        *inner = Inner { armed, log: Vec::new(), faults, all_of: None };
    }

    /// Sets what befalls all calls from now on whose credential has one of these words.
    pub(crate) fn strike_all_of(&self, words: &[String], struck: Option<Struck>) {
        self.arm(&[]);
        self.inner().all_of = struck.map(|struck| (words.to_vec(), struck));
    }

    /// Returns what was written down since the line was armed.
    pub(crate) fn log(&self) -> Vec<Exchange> {
        self.inner().log.clone()
    }

    fn begin(&self, head: &http::request::Parts, body: &Bytes) -> ((u64, usize), Option<Struck>) {
        let mut inner = self.inner();
        let number = inner.log.len();
        let of_number = inner.faults.iter().find(|(at, _)| *at == number);
        let credential = head.headers.get(header::AUTHORIZATION);
        let credential = credential.and_then(|value| value.to_str().ok()).unwrap_or_default();
        let of_caller = inner.all_of.as_ref();
        let of_caller =
            of_caller.filter(|(words, _)| words.iter().any(|word| credential.contains(word)));
        let struck = of_number.map(|(_, struck)| *struck).or(of_caller.map(|(_, struck)| *struck));
        inner.log.push(Exchange {
            method: head.method.clone(),
            target: head.uri.path_and_query().map_or_else(String::new, ToString::to_string),
            body: body.clone(),
            struck,
            answer: None,
        });
        ((inner.armed, number), struck)
    }

    fn end(&self, (armed, number): (u64, usize), answer: Answer) {
        let mut inner = self.inner();
        // A call that began before the line was armed again is not written down.
        if inner.armed == armed {
            inner.log[number].answer = Some(answer);
        }
    }

    async fn carry(self, request: Request<Body>) -> Result<Response<Body>, BoxError> {
        let (head, body) = request.into_parts();
        let body = collect(body, usize::MAX).await.map_err(|_| "the request is not whole")?.bytes;
        let (number, struck) = self.begin(&head, &body);
        if !self.latency.is_zero() {
            tokio::time::sleep(self.latency).await;
        }
        if struck == Some(Struck::NotSent) {
            return Err(UpstreamError::TimedOut { sent: false }.into());
        }
        let path = head.uri.path().to_owned();
        let request = signed_in(Request::from_parts(head, body));
        if let Some(Struck::Late(after)) = struck {
            let emulator = self.emulator.clone();
            tokio::spawn(async move {
                tokio::time::sleep(Duration::from_millis(after)).await;
                emulator.handle(request).await
            });
            return Err(UpstreamError::TimedOut { sent: true }.into());
        }
        if let Some(kind) = struck.and_then(Struck::fault) {
            // Nothing comes in between: the emulator takes the call before it waits for anything.
            self.emulator.faults().add(Fault::once(request.method().as_str(), &path, kind));
        }
        let Some(response) = self.emulator.handle(request).await else {
            return Err("reset".into());
        };
        let (head, body) = response.into_parts();
        if struck == Some(Struck::Cut) {
            let half: Result<Frame<Bytes>, BoxError> =
                Ok(Frame::data(body.slice(..body.len() / 2)));
            let cut = StreamBody::new(stream::iter([half, Err("cut".into())]));
            return Ok(Response::from_parts(head, Body::boxed(cut)));
        }
        let media = head.headers.get(header::CONTENT_TYPE).cloned();
        self.end(number, Answer { status: head.status.as_u16(), media, body: body.clone() });
        Ok(Response::from_parts(head, Body::full(body)))
    }

    /// Makes a call past Weir, which is not written down and which nothing befalls.
    pub(crate) async fn past(&self, ask: &Ask) -> Answer {
        let request = signed_in(ask.request("", &[], |body| body));
        let (head, body) = self.emulator.handle(request).await.expect("an answer").into_parts();
        let media = head.headers.get(header::CONTENT_TYPE).cloned();
        Answer { status: head.status.as_u16(), media, body }
    }
}

/// The merchant's site knows its callers by a cookie, or by the key in a query, and says to the
/// vendor who they are.
fn signed_in(mut request: Request<Bytes>) -> Request<Bytes> {
    let has = |name: &str| request.headers().contains_key(name);
    if has("authorization") || has("x-api-key") {
        return request;
    }
    let cookie = request.headers().get(header::COOKIE).and_then(|value| value.to_str().ok());
    let query = request.uri().query().unwrap_or_default();
    let token = form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "token");
    let known = cookie.and_then(|cookie| cookie.strip_prefix("caller=")).map(str::to_owned);
    if let Some(known) = known.or(token.map(|(_, token)| token.into_owned())) {
        let value = HeaderValue::from_str(&format!("Bearer {known}")).expect("a header");
        request.headers_mut().insert(header::AUTHORIZATION, value);
    }
    request
}

impl Service<Request<Body>> for Line {
    type Response = Response<Body>;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Response<Body>, BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        Box::pin(self.clone().carry(request))
    }
}
