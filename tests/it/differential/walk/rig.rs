//! Weir on a line to the emulator, in this thread alone.

use super::line::{Line, Struck};
use crate::testbed::{
    Ask, Body, Emulator, EmulatorOptions, GovernLayer, Governor, Plan, Policy, Quirks, Reply,
    SessionSettings, TaskTracker, Testbed, collect,
};
use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use std::{sync::Arc, time::Duration};
use tower::{Layer, ServiceExt};

#[derive(Clone)]
pub(crate) struct Rig {
    pub(crate) emulator: Emulator,
    pub(crate) line: Line,
    plan: Plan,
    governor: Arc<Governor>,
    work: TaskTracker,
}

impl Rig {
    pub(crate) fn new(policy: Policy, quirks: Quirks, own_key: bool, latency: Duration) -> Self {
        let options = EmulatorOptions {
            seed: Some(7),
            call_log: 8,
            gzip: false,
            quirks,
            ..EmulatorOptions::default()
        };
        let sessions = SessionSettings { capacity: 64, ..SessionSettings::default() };
        let plan = Testbed::new().policy(policy).sessions(sessions);
        let plan = if own_key { plan.key("sk_test_acme_weir") } else { plan };
        let emulator = Emulator::new(options);
        let line = Line::new(emulator.clone(), latency);
        let governor = plan.governor();
        Self { emulator, line, plan, governor, work: TaskTracker::new() }
    }

    /// Starts Weir again with nothing remembered.
    pub(crate) fn forget(&mut self) {
        self.governor = self.plan.governor();
    }

    /// Makes a call through Weir. A call that goes past all rules and that fails on the line has an
    /// answer without headers.
    pub(crate) async fn ask(&self, ask: &Ask) -> Reply {
        let layer = GovernLayer::new(self.governor.clone()).work(self.work.clone());
        let service = layer.layer(self.line.clone());
        let Ok(response) = service.oneshot(ask.request("", &[], Body::full)).await else {
            return broken(HeaderMap::new());
        };
        let (head, body) = response.into_parts();
        match collect(body, usize::MAX).await {
            Ok(whole) => Reply { status: head.status, headers: head.headers, body: whole.bytes },
            Err(_) => broken(head.headers),
        }
    }

    /// Makes a call through Weir, whose caller is gone after so many milliseconds.
    pub(crate) async fn ask_for(&self, ask: &Ask, patience: Option<u64>) -> Option<Reply> {
        match patience {
            None => Some(self.ask(ask).await),
            Some(patience) => {
                let reply =
                    tokio::time::timeout(Duration::from_millis(patience), self.ask(ask)).await;
                self.settle().await;
                reply.ok()
            }
        }
    }

    /// Waits until nothing is under way any more.
    pub(crate) async fn settle(&self) {
        while self.left_open() != (0, 0, 0) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    pub(crate) fn arm(&self, faults: &[(usize, Struck)]) {
        self.line.arm(faults);
    }

    /// Returns what is left open, which must be nothing.
    pub(crate) fn left_open(&self) -> (u64, usize, usize) {
        let governor = &self.governor;
        (governor.in_flight(), governor.sessions().turns_open(), governor.look_ups_open())
    }
}

fn broken(headers: HeaderMap) -> Reply {
    Reply { status: StatusCode::BAD_GATEWAY, headers, body: Bytes::new() }
}
