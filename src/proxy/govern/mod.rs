//! The layer that keeps the rules: it stands before a client and deals with every governed call.
//!
//! ```text
//!   request ─ classify ─┬─ ungoverned ───────────────────────────────────────────────▶ inner, untouched
//!                       └─ governed ─ read ─ admit ─ [ turn: recall → decide → act → learn ] ─▶ answer
//! ```
//! - *read* (`run`): the body whole, bounded, becomes an [`Intent`](crate::rules::Intent).
//! - *admit* (`admit`): a caller to whom upstream has not shown the session is first sent to look
//!   it up; a refusal is its answer.
//! - *recall* (`recall`): records that this caller may know of; *look up* (`lookup`): what they
//!   lack, asked with the caller's credentials.
//! - *act* (`act`): the call goes up detached from its caller, holding the session's turn until its
//!   answer is learned.
//! - *remedies* (`remedy`, `defer`): several calls in the place of one, each leaving a note before
//!   its first step.
//!
//! Deliberately absent: the rules (`rules`), the wire (`dialects`), how things are kept
//! (`sessions`), how they are sent (the inner service).

mod act;
mod admit;
mod answer;
mod defer;
mod exchange;
mod lookup;
mod recall;
mod remedy;
mod run;

use super::{Body, BoxError, Work, decision::Decisions};
use crate::{
    dialects::{self, Classified},
    rules::{FreshFor, Mode, Policy, Timestamp},
    sessions::Sessions,
};
use arc_swap::ArcSwap;
use futures_util::future::{BoxFuture, Either};
use http::{Request, Response};
use std::{
    borrow::Cow,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};
use tower::{Layer, Service};

/// What the layer needs of the service behind it: a client that can be cloned and whose requests
/// may outlive their callers. `UpstreamError`s in its errors tell whether a request was sent; of
/// any other error Weir assumes that it was.
pub trait Client:
    Service<Request<Body>, Response = Response<Body>, Error: Into<BoxError>, Future: Send>
    + Clone
    + Send
    + Sync
    + 'static
{
}

impl<T> Client for T where
    T: Service<Request<Body>, Response = Response<Body>, Error: Into<BoxError>, Future: Send>
        + Clone
        + Send
        + Sync
        + 'static
{
}

/// Bounds and switches of the layer.
#[derive(Clone, Copy, Debug)]
pub struct GovernSettings {
    /// The largest body of a governed call, in bytes; a larger one is answered with 413.
    pub governed_body: usize,
    /// How long the body of a governed call may take to arrive.
    pub body_timeout: Duration,
    /// The largest answer that is read to be learned from, in bytes; a larger one passes through,
    /// and the session is looked up when it matters.
    pub answer: usize,
    /// Whether answers carry `Weir-Decision`, `Weir-Rule` and `Weir-Decision-Id`.
    pub headers: bool,
}

impl Default for GovernSettings {
    fn default() -> Self {
        Self {
            governed_body: 256 * 1024,
            body_timeout: Duration::from_secs(30),
            answer: 4 * 1024 * 1024,
            headers: true,
        }
    }
}

/// What every clone of the layer shares: policy, sessions, the decisions made.
pub struct Governor {
    policy: ArcSwap<Policy>,
    sessions: Sessions,
    settings: GovernSettings,
    decisions: Decisions,
    in_flight: AtomicU64,
    stranded: AtomicU64,
    /// When a call that may have changed something was last forwarded without being understood; 0:
    /// never.
    unread_at: AtomicU64,
}

impl Governor {
    /// Puts them together.
    pub fn new(policy: Policy, sessions: Sessions, settings: GovernSettings) -> Arc<Self> {
        Arc::new(Self {
            policy: ArcSwap::from_pointee(policy),
            sessions,
            settings,
            decisions: Decisions::default(),
            in_flight: AtomicU64::new(0),
            stranded: AtomicU64::new(0),
            unread_at: AtomicU64::new(0),
        })
    }

    /// The policy in force.
    pub fn policy(&self) -> Arc<Policy> {
        self.policy.load_full()
    }

    /// Changes the policy; calls under way finish under the old one. What passed while no rule was
    /// looked at was not learned from.
    pub fn set_policy(&self, policy: Policy) {
        if self.policy.swap(Arc::new(policy)).mode == Mode::Off {
            self.went_unread();
        }
    }

    /// A call that may have changed something has been, or is about to be, forwarded without being
    /// understood.
    fn went_unread(&self) {
        self.unread_at.fetch_max(exchange::now().0, Ordering::Relaxed);
    }

    /// The policy by which to judge: no refusal may rest on a fact that is older than a call which
    /// was not understood.
    fn trusting<'a>(&self, policy: &'a Policy, now: Timestamp) -> Cow<'a, Policy> {
        let unread_at = Timestamp(self.unread_at.load(Ordering::Relaxed));
        let limit = now.since(unread_at);
        if unread_at == Timestamp(0)
            || matches!(policy.fresh_for, FreshFor::Millis(fresh) if fresh <= limit)
        {
            return Cow::Borrowed(policy);
        }
        Cow::Owned(Policy { fresh_for: FreshFor::Millis(limit), ..policy.clone() })
    }

    /// What is remembered.
    pub fn sessions(&self) -> &Sessions {
        &self.sessions
    }

    /// What was decided.
    pub fn decisions(&self) -> &Decisions {
        &self.decisions
    }

    /// How many repairs ended with a primary that could not be put back.
    pub fn stranded(&self) -> u64 {
        self.stranded.load(Ordering::Relaxed)
    }

    /// How many calls that change something are under way upstream, whether or not their callers
    /// still wait.
    pub fn in_flight(&self) -> u64 {
        self.in_flight.load(Ordering::Relaxed)
    }
}

/// Mounts [`Govern`] before a client.
///
/// ```
/// use weir::proxy::{Body, GovernLayer, GovernSettings, Governor};
/// use weir::sessions::{Sessions, Settings};
/// use tower::{Layer, service_fn};
/// use http::{Request, Response};
///
/// // Any client that takes and gives `weir::proxy::Body`; yours would send the request.
/// let client = service_fn(|_request: Request<Body>| async { Ok::<_, std::io::Error>(Response::new(Body::empty())) });
/// let sessions = Sessions::in_memory(Settings::default());
/// let governor = Governor::new(weir::dialects::policy(), sessions, GovernSettings::default());
/// let _governed = GovernLayer::new(governor).layer(client);
/// ```
#[derive(Clone)]
pub struct GovernLayer {
    governor: Arc<Governor>,
    work: Work,
}

impl GovernLayer {
    /// A layer that decides by, and remembers in, this governor. Share one governor among all
    /// workers.
    pub fn new(governor: Arc<Governor>) -> Self {
        Self { governor, work: Work::default() }
    }

    /// Counts the calls that outlive their callers here, so that a shutdown can wait for them.
    pub fn work(self, work: Work) -> Self {
        Self { work, ..self }
    }
}

impl<S> Layer<S> for GovernLayer {
    type Service = Govern<S>;

    fn layer(&self, inner: S) -> Govern<S> {
        Govern { inner, governor: self.governor.clone(), work: self.work.clone() }
    }
}

/// A client that keeps the rules. Ungoverned calls reach the inner service as they came; governed
/// ones are answered here when they must be. Its errors are the inner service's, of ungoverned
/// calls only: what goes wrong with a governed call is an answer in the vendor's form.
#[derive(Clone)]
pub struct Govern<S> {
    inner: S,
    governor: Arc<Governor>,
    work: Work,
}

impl<S: Client> Service<Request<Body>> for Govern<S> {
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = Either<S::Future, BoxFuture<'static, Result<Response<Body>, S::Error>>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let policy = self.governor.policy.load();
        // What a remedy has promised is kept also when the rules have been switched off since.
        if policy.mode == Mode::Off && self.governor.sessions.pinned() == 0 {
            return Either::Left(self.inner.call(request));
        }
        match dialects::classify(request.method(), request.uri(), request.headers()) {
            Classified::Ungoverned => Either::Left(self.inner.call(request)),
            Classified::Governed(call) => {
                let inner = self.take_ready();
                let run = run::run(
                    inner,
                    self.governor.clone(),
                    self.work.clone(),
                    Arc::clone(&policy),
                    call,
                    request,
                );
                Either::Right(Box::pin(run))
            }
            Classified::Ambiguous(call, violation) => {
                let inner = self.take_ready();
                let run = run::ambiguous(
                    inner,
                    self.governor.clone(),
                    Arc::clone(&policy),
                    call,
                    request,
                    violation,
                );
                Either::Right(Box::pin(run))
            }
        }
    }
}

impl<S: Clone> Govern<S> {
    /// The service that was polled ready, leaving a fresh one in its place.
    fn take_ready(&mut self) -> S {
        let fresh = self.inner.clone();
        std::mem::replace(&mut self.inner, fresh)
    }
}
