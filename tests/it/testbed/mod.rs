//! The test bed: an emulator, Weir before it, and callers.
//!
//! `Testbed::new().policy(..)` describes one; `.start()` runs it over sockets on loopback, on ports
//! the system picks, and `.in_process()` without sockets, for the tests that try everything. Both
//! are used in the same way: `bed.weir` calls Weir, `bed.upstream` calls the emulator itself.
//!
//! Beside it stand the parts for tests that need less or more: `Wire` writes and reads bytes,
//! `Server` runs anything that listens, `Program` is the program as a child process. Tests take
//! what they need of the library from here (`library`), so that a path that changes there changes
//! in one place here.

mod ask;
mod bodies;
mod caller;
mod frames;
mod in_process;
mod library;
mod merchant;
mod policies;
mod program;
mod proxy;
mod raw;
mod recorder;
mod records;
mod runtimes;
mod server;
mod wire;

pub(crate) use self::{
    ask::Ask,
    bodies::{
        APPLY, APPLY_SHOPPER, CART, OPTIONS, PUBLIC, SECRET, SUBMIT, credit, items, method,
        option_of, primary, text_of,
    },
    caller::{Caller, Reply},
    frames::{Frames, StreamEnd},
    in_process::{Bend, InProcess},
    library::*,
    policies::{Adjusted, defaults, defers, doubting, only, reorders, rows, thorough, trusting},
    program::{DEV, Ended, Program, lines_of, weir},
    proxy::{Proxy, before, in_plain_text, proxying},
    raw::{RawReply, raw},
    recorder::{Recorder, Seen},
    records::{Waiting, credential_hash, nobody_was_shown, remembers},
    runtimes::{cases, on_a_paused_runtime, on_a_runtime, until},
    server::Server,
    wire::{Listener, Wire, idle, status, text, undated},
};

use http::Method;
use serde_json::Value;
use std::sync::Arc;

/// What a test bed is made of, before it runs.
#[derive(Clone)]
pub(crate) struct Plan {
    policy: Policy,
    emulator: EmulatorOptions,
    sessions: SessionSettings,
    govern: GovernSettings,
    probe: Probe,
    key: Option<&'static str>,
    weir: bool,
}

impl Plan {
    pub(crate) fn policy(self, policy: Policy) -> Self {
        Self { policy, ..self }
    }

    /// Seeds the emulator: equal seeds mint equal ids.
    pub(crate) fn seed(mut self, seed: u64) -> Self {
        self.emulator.seed = Some(seed);
        self
    }

    /// Sets how the emulator behaves; its seed stays, unless one is given.
    pub(crate) fn emulator(self, options: EmulatorOptions) -> Self {
        let seed = options.seed.or(self.emulator.seed);
        Self { emulator: EmulatorOptions { seed, ..options }, ..self }
    }

    pub(crate) fn sessions(self, sessions: SessionSettings) -> Self {
        Self { sessions, ..self }
    }

    pub(crate) fn govern(self, govern: GovernSettings) -> Self {
        Self { govern, ..self }
    }

    /// Gives Weir a key of its own.
    pub(crate) fn key(self, key: &'static str) -> Self {
        Self { key: Some(key), ..self }
    }

    /// Counts what the store is asked, and makes it fail when it is told to.
    pub(crate) fn probed(self, probe: &Probe) -> Self {
        Self { probe: probe.clone(), ..self }
    }

    /// Leaves Weir out: `bed.weir` calls the emulator too.
    pub(crate) fn without_weir(self) -> Self {
        Self { weir: false, ..self }
    }

    /// Makes a governor, with nothing remembered.
    pub(crate) fn governor(&self) -> Arc<Governor> {
        let store = Store::in_memory(&self.sessions).probed(&self.probe);
        let sessions = Sessions::with_store(store, CredentialKey::random(), self.sessions.clone());
        let key = self.key.and_then(UpstreamKey::new);
        Governor::with_key(self.policy.clone(), sessions, self.govern, key)
    }

    /// Runs the test bed over sockets.
    pub(crate) async fn start(self) -> Testbed {
        let emulator = Emulator::new(self.emulator.clone());
        let server = Server::of_emulator(emulator.clone()).await;
        let upstream = Caller::new(server.address).key(SECRET);
        let mut bed = Testbed::around(self, emulator, upstream);
        bed.servers.push(server);
        bed.begin().await;
        bed
    }

    /// Makes the test bed without sockets.
    pub(crate) fn in_process(self) -> Testbed {
        let emulator = Emulator::new(self.emulator.clone());
        let upstream = Caller::in_process(InProcess::upstream(emulator.clone())).key(SECRET);
        let mut bed = Testbed::around(self, emulator, upstream);
        bed.enter();
        bed
    }
}

/// Weir before an emulator, and callers.
pub(crate) struct Testbed {
    pub(crate) emulator: Emulator,
    /// Calls Weir with the confidential key; where there is no Weir, the emulator.
    pub(crate) weir: Caller,
    /// Calls the emulator itself with the confidential key.
    pub(crate) upstream: Caller,
    /// The state-changing calls that Weir makes detached from their callers.
    pub(crate) work: TaskTracker,
    governor: Option<Arc<Governor>>,
    plan: Plan,
    /// Dropped: the servers end.
    servers: Vec<Server>,
}

impl Testbed {
    /// Describes a test bed with the built-in policy, and an emulator whose ids repeat.
    #[expect(clippy::new_ret_no_self, reason = "a test bed is described first, then started")]
    pub(crate) fn new() -> Plan {
        Plan {
            policy: defaults(),
            emulator: EmulatorOptions { seed: Some(1), ..EmulatorOptions::default() },
            sessions: SessionSettings { capacity: 10_000, ..SessionSettings::default() },
            govern: GovernSettings::default(),
            probe: Probe::default(),
            key: None,
            weir: true,
        }
    }

    fn around(plan: Plan, emulator: Emulator, upstream: Caller) -> Self {
        Self {
            emulator,
            weir: upstream.clone(),
            upstream,
            work: TaskTracker::new(),
            governor: plan.weir.then(|| plan.governor()),
            plan,
            servers: Vec::new(),
        }
    }

    /// Puts a Weir with the present governor before the emulator.
    async fn begin(&mut self) {
        if self.upstream.is_in_process() {
            self.enter();
        } else if let Some(governor) = &self.governor {
            let server = Server::of_weir(governor.clone(), self.upstream.address()).await;
            self.weir = self.upstream.at(server.address);
            self.servers.push(server);
        }
    }

    fn enter(&mut self) {
        let weir = self.governor.clone().map(|governor| (governor, self.work.clone()));
        let (emulator, bend) = (self.emulator.clone(), None);
        self.weir = Caller::in_process(InProcess { emulator, bend, weir }).key(SECRET);
    }

    /// Changes what upstream answers to Weir from now on, in a test bed without sockets.
    pub(crate) fn bend(&mut self, bend: impl Fn(&str, &mut Value) + Send + Sync + 'static) {
        let weir = self.governor.clone().map(|governor| (governor, self.work.clone()));
        let (emulator, bend) = (self.emulator.clone(), Some(Arc::new(bend) as Bend));
        self.weir = Caller::in_process(InProcess { emulator, bend, weir }).key(SECRET);
    }

    /// Starts Weir again, with this policy and nothing remembered.
    pub(crate) async fn cold(&mut self, policy: Policy) {
        self.plan.policy = policy;
        self.governor = Some(self.plan.governor());
        self.begin().await;
    }

    /// Starts Weir again with nothing remembered, where there is one.
    pub(crate) async fn forget(&mut self) {
        if self.governor.is_some() {
            self.cold(self.plan.policy.clone()).await;
        }
    }

    /// Puts a second process in place of this one, with the same policy and the same store.
    pub(crate) async fn second_process(&mut self) {
        let first = self.governor();
        let (policy, sessions) = (Policy::clone(&first.policy()), first.sessions().clone());
        self.governor = Some(Governor::new(policy, sessions, self.plan.govern));
        self.begin().await;
    }

    /// Starts Weir again with what it remembered.
    pub(crate) async fn restart(&mut self) {
        let sessions = self.governor().sessions().clone();
        let plan = &self.plan;
        self.governor = Some(Governor::new(plan.policy.clone(), sessions, plan.govern));
        self.begin().await;
    }

    /// Creates a primary source as the shopper's browser does: Weir does not see it.
    pub(crate) async fn primary(&self, kind: &str) -> String {
        self.upstream.primary(kind).await
    }

    /// Creates a single-use card past Weir.
    pub(crate) async fn card(&self) -> String {
        self.upstream.card().await
    }

    /// Creates store credit through Weir.
    pub(crate) async fn credit(&self, amount: f64) -> String {
        self.weir.credit(amount).await
    }

    /// Creates a checkout over `total` through Weir; returns its id.
    pub(crate) async fn checkout(&self, total: f64) -> String {
        self.weir.checkout(total).await
    }

    /// Returns a shopper with a cart over `total`, who calls Weir and asks for JSON.
    pub(crate) async fn shopper(&self, total: f64) -> Caller {
        self.shopper_of(&self.weir, total).await
    }

    /// Returns a shopper with a cart over `total`, who calls where `caller` does.
    pub(crate) async fn shopper_of(&self, caller: &Caller, total: f64) -> Caller {
        let token = self.upstream.token("grant_type=anonymous&client_id=pk_acme").await;
        let shopper = caller.with_token(&token);
        shopper.ok(&format!("{CART}?productId=p&quantity=1&price={total}"), Value::Null).await;
        shopper
    }

    /// Makes the emulator odd in these ways, and in no other.
    pub(crate) async fn quirks(&self, quirks: Value) {
        let set = self.upstream.ask(&Ask::new(Method::PUT, "/_emulator/quirks", quirks)).await;
        assert_eq!(set.status, 200, "{}", set.text());
    }

    /// Returns the governed calls that upstream refused so far, look-ups not counted, each with
    /// upstream's code.
    pub(crate) fn refused_upstream(&self) -> Vec<(String, Option<String>)> {
        self.emulator
            .calls()
            .into_iter()
            .filter(|call| call.mutation && call.refused_code.is_some())
            .map(|call| (format!("{} {}", call.method, call.target), call.refused_code))
            .collect()
    }

    /// Returns how many state-changing calls of this path reached upstream so far.
    pub(crate) fn mutations_of(&self, path: &str) -> usize {
        self.emulator.calls().iter().filter(|call| call.mutation && call.target == path).count()
    }

    /// Returns how many state-changing calls reached upstream so far.
    pub(crate) fn mutations(&self) -> usize {
        self.emulator.calls().iter().filter(|call| call.mutation).count()
    }

    /// Returns how often upstream did what this call asks for.
    pub(crate) fn times_done(&self, method: &str, target: &str) -> usize {
        let calls = self.emulator.calls();
        let asked = calls.iter().filter(|call| call.method == method && call.target == target);
        asked.filter(|call| call.applied && call.refused_code.is_none()).count()
    }

    /// Returns the ids of the sources that upstream has attached to this session, in order.
    pub(crate) fn attached(&self, kind: Kind, id: &str) -> Vec<String> {
        attached_in(&self.emulator.session(kind, id).expect("the session upstream"))
    }
}

/// Returns the ids of the sources of a session as the emulator shows it.
pub(crate) fn attached_in(session: &Value) -> Vec<String> {
    let sources = session["sources"].as_array().into_iter().flatten();
    sources.map(|source| source["id"].as_str().unwrap_or_default().to_owned()).collect()
}
