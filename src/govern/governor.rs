//! Holds what every clone of the layer shares.

use super::{
    answered::LookupOutcome,
    key::{OwnKey, UpstreamKey},
    open::{Holds, Open, OpenCall, OpenCalls},
    overrides::Overrides,
    recent_answers::RecentAnswers,
};
use crate::{
    dialects::Dialects,
    metrics::Metrics,
    observe::{DecisionLog, Decisions},
    rules::{Intent, Policy, Timestamp},
    sessions::{LookUps, Sessions, StoreError, now},
};
use arc_swap::{ArcSwap, ArcSwapOption};
use std::{
    borrow::Cow,
    io,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

/// Bounds and switches of the layer.
#[derive(Clone, Copy, Debug)]
pub struct GovernSettings {
    /// The largest body of a governed call, in bytes; a larger one is answered with 413.
    pub governed_body: usize,
    /// How long the body of a governed call may take to arrive.
    pub body_timeout: Duration,
    /// How long a governed call may take to its answer, all that Weir does for it included.
    pub call_timeout: Duration,
    /// How many calls that change something may be under way at one time, those whose callers have
    /// left included.
    pub calls: usize,
    /// The largest answer that is read to be learned from, in bytes; a larger one passes through,
    /// and the session is looked up when it matters.
    pub answer: usize,
    /// Whether answers to governed calls carry `Weir-Decision` and the other headers about it.
    pub headers: bool,
    /// How many of the latest decisions are kept.
    pub history: usize,
    /// The vendor APIs whose calls are governed.
    pub dialects: &'static Dialects,
}

impl Default for GovernSettings {
    fn default() -> Self {
        Self {
            governed_body: 1024 * 1024,
            body_timeout: Duration::from_secs(30),
            call_timeout: Duration::from_secs(300),
            calls: 16_384,
            answer: 4 * 1024 * 1024,
            headers: true,
            history: 20_000,
            dialects: Dialects::built_in(),
        }
    }
}

/// The policy in force, the sessions, and the decisions made.
pub struct Governor {
    pub(super) policy: ArcSwap<Policy>,
    pub(super) overrides: Overrides,
    sessions: Sessions,
    own_key: ArcSwapOption<OwnKey>,
    settings: ArcSwap<GovernSettings>,
    dialects: &'static Dialects,
    pub(super) look_ups: LookUps<Result<LookupOutcome, StoreError>>,
    pub(super) recent: RecentAnswers,
    decisions: Decisions,
    open: OpenCalls,
    in_flight: AtomicU64,
    #[cfg(feature = "otlp")]
    traces: std::sync::OnceLock<crate::traces::Traces>,
    stranded: AtomicU64,
    misplaced: AtomicU64,
    /// When [`Governor::note_unseen_change`] was last called; 0: never.
    last_unseen_change: AtomicU64,
}

impl Governor {
    /// Creates a governor.
    pub fn new(policy: Policy, sessions: Sessions, settings: GovernSettings) -> Arc<Self> {
        Self::with_key(policy, sessions, settings, None)
    }

    /// Creates a governor that looks sources up with this key where a caller's own credentials do
    /// not open them.
    pub fn with_key(
        policy: Policy,
        sessions: Sessions,
        settings: GovernSettings,
        key: Option<UpstreamKey>,
    ) -> Arc<Self> {
        let own_key = key.map(|key| Arc::new(OwnKey::new(key, |bytes| sessions.hash(bytes))));
        let decisions = Decisions::new(settings.history, sessions.metrics().clone());
        Arc::new(Self {
            own_key: ArcSwapOption::new(own_key),
            overrides: Overrides::over(policy.clone()),
            policy: ArcSwap::from_pointee(policy),
            sessions,
            settings: ArcSwap::from_pointee(settings),
            dialects: settings.dialects,
            look_ups: LookUps::default(),
            recent: RecentAnswers::default(),
            decisions,
            open: OpenCalls::default(),
            in_flight: AtomicU64::new(0),
            #[cfg(feature = "otlp")]
            traces: std::sync::OnceLock::new(),
            stranded: AtomicU64::new(0),
            misplaced: AtomicU64::new(0),
            last_unseen_change: AtomicU64::new(0),
        })
    }

    /// Returns the policy in force.
    pub fn policy(&self) -> Arc<Policy> {
        self.policy.load_full()
    }

    /// Records that a call Weir could not read, or could not learn from, may have changed upstream.
    /// Facts older than this are not trusted.
    pub(super) fn note_unseen_change(&self) {
        self.last_unseen_change.fetch_max(now().0, Ordering::Relaxed);
    }

    /// Returns whether a call that Weir could not read, or could not learn from, may have changed
    /// upstream at this moment or later.
    pub(super) fn is_doubted(&self, at: Timestamp) -> bool {
        let last = self.last_unseen_change.load(Ordering::Relaxed);
        last != 0 && last >= at.0
    }

    /// Records an unseen change now, and again when the guard is dropped.
    pub(super) fn unseen_change(self: &Arc<Self>) -> UnseenChange {
        self.note_unseen_change();
        self.unseen_end()
    }

    /// Records an unseen change when the guard is dropped, unless it is told that there was none.
    pub(super) fn unseen_end(self: &Arc<Self>) -> UnseenChange {
        UnseenChange(Some(self.clone()))
    }

    /// Returns the policy, with `fresh_for` capped at the age of the last call Weir could not read.
    pub(super) fn cap_freshness<'a>(&self, policy: &'a Policy, now: Timestamp) -> Cow<'a, Policy> {
        policy.doubting(self.since_unseen_change(now))
    }

    /// Returns how long ago the last call was that Weir could not read; `None`: there was none.
    pub(super) fn since_unseen_change(&self, now: Timestamp) -> Option<Duration> {
        let last = Timestamp(self.last_unseen_change.load(Ordering::Relaxed));
        (last != Timestamp(0)).then(|| Duration::from_millis(now.since(last)))
    }

    /// Returns the vendor APIs whose calls are governed.
    pub(crate) fn dialects(&self) -> &'static Dialects {
        self.dialects
    }

    pub(super) fn settings(&self) -> GovernSettings {
        **self.settings.load()
    }

    /// Changes bounds and switches for calls that come from now on; the dialects stay.
    pub fn set_settings(&self, settings: GovernSettings) {
        self.decisions.keep(settings.history);
        self.settings.store(Arc::new(settings));
    }

    pub(super) fn own_key(&self) -> Option<Arc<OwnKey>> {
        self.own_key.load_full()
    }

    /// Looks sources up with this key from now on. What was shown to another key is not shown to
    /// this one.
    pub fn set_key(&self, key: Option<UpstreamKey>) {
        let own_key = key.map(|key| OwnKey::new(key, |bytes| self.sessions.hash(bytes)));
        self.own_key.store(own_key.map(Arc::new));
    }

    /// Returns the sessions.
    pub fn sessions(&self) -> &Sessions {
        &self.sessions
    }

    /// Returns the counts of the process.
    pub fn metrics(&self) -> &Metrics {
        self.sessions.metrics()
    }

    /// Returns the decisions made.
    pub fn decisions(&self) -> &Decisions {
        &self.decisions
    }

    pub(super) fn open_call(&self, intent: Arc<Intent>, since: Instant) -> Open {
        self.open.open(intent, since, self.settings().calls as u64)
    }

    /// Lists a call among those under way, until what holds it is dropped.
    pub(super) fn list_call<T: Holds + 'static>(&self, holder: &Arc<T>) {
        if let Some(open) = holder.open() {
            self.open.list(Arc::<T>::downgrade(holder), open);
        }
    }

    /// Returns the governed calls that are under way, the oldest first.
    pub fn open_calls(&self) -> Vec<OpenCall> {
        self.open.all(&self.decisions)
    }

    /// Returns the paths of the look-ups under way that other callers may share.
    pub fn look_up_paths(&self) -> Vec<String> {
        self.look_ups.paths()
    }

    /// Writes a line to `to` for each governed call from now on, on a thread of its own; the first
    /// log stays. `docs/decision-log.md` says what the lines hold.
    ///
    /// # Errors
    /// Returns an error if the thread cannot be started.
    pub fn record_decisions(&self, to: impl io::Write + Send + 'static) -> io::Result<()> {
        self.decisions.record_in(DecisionLog::start(to)?);
        Ok(())
    }

    /// Writes the lines that wait to the decision log, for about a second at most.
    pub fn finish_recording(&self) {
        self.decisions.recorder().into_iter().for_each(DecisionLog::finish);
    }

    /// Writes spans from now on. Only the first who says so is heard.
    #[cfg(feature = "otlp")]
    pub(crate) fn trace_in(&self, traces: crate::traces::Traces) {
        let _ = self.traces.set(traces);
    }

    /// Returns what writes spans, if anything does.
    #[cfg(feature = "otlp")]
    pub(crate) fn traces(&self) -> Option<&crate::traces::Traces> {
        self.traces.get()
    }

    /// Returns how many decisions have no line in the decision log although there is one.
    pub fn decisions_unrecorded(&self) -> u64 {
        self.decisions.recorder().map_or(0, DecisionLog::dropped)
    }

    /// Returns how many look-ups are under way.
    pub fn look_ups_open(&self) -> usize {
        self.look_ups.open()
    }

    /// Returns how many repairs ended with a primary that could not be attached again.
    pub fn stranded(&self) -> u64 {
        self.stranded.load(Ordering::Relaxed)
    }

    pub(super) fn count_stranded(&self) {
        self.stranded.fetch_add(1, Ordering::Relaxed);
    }

    /// Returns how many ungoverned calls had a word of a governed path in another place.
    pub fn misplaced(&self) -> u64 {
        self.misplaced.load(Ordering::Relaxed)
    }

    /// Counts such a call, and warns at the first.
    pub(super) fn count_misplaced(&self) {
        if self.misplaced.fetch_add(1, Ordering::Relaxed) == 0 {
            tracing::warn!(
                "a call that is not governed has a word of the API in its path: check the base path of `upstream.url` and of the client"
            );
        }
    }

    /// Returns how many calls that change something are under way upstream, whether or not their
    /// callers still wait.
    pub fn in_flight(&self) -> u64 {
        self.in_flight.load(Ordering::Relaxed)
    }

    /// Counts one call that is under way, until the guard is dropped.
    pub(super) fn under_way(self: &Arc<Self>) -> UnderWay {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        UnderWay(self.clone())
    }
}

/// One call that is under way.
pub(super) struct UnderWay(Arc<Governor>);

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Marks facts as untrusted until a call that was not read, or not learned from, is answered or
/// dropped: it may change anything, whatever its method.
pub(super) struct UnseenChange(Option<Arc<Governor>>);

impl UnseenChange {
    /// Marks nothing any more: the call changed nothing.
    pub(super) fn nothing_changed(mut self) {
        self.0 = None;
    }
}

impl Drop for UnseenChange {
    fn drop(&mut self) {
        if let Some(governor) = &self.0 {
            governor.note_unseen_change();
        }
    }
}

/// Logs that the store failed.
pub(super) fn log_store_error(error: &StoreError) {
    tracing::error!(%error, "the session store failed");
}
