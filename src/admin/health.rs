//! Answers probes: whether the workers run, whether new calls are taken, whether upstream answers.

use super::page::{Page, parameter};
use crate::edge::Pulses;
use futures_util::future::BoxFuture;
use http::StatusCode;
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::{
    sync::Mutex,
    time::{Instant, timeout},
};

/// Asks upstream whether it answers; the error says why it does not.
pub type AskUpstream = Arc<dyn Fn() -> BoxFuture<'static, Result<(), String>> + Send + Sync>;

/// How long `/ready?deep` waits for upstream.
const ASK_AT_MOST: Duration = Duration::from_secs(2);

/// How long upstream's answer serves later probes, however many ask.
const ASKED_AGAIN_AFTER: Duration = Duration::from_secs(2);

/// What probes are told about.
pub(super) struct Health {
    pub pulses: Pulses,
    pub stalled_after: Duration,
    pub ask: Option<AskUpstream>,
    /// What upstream's last answer showed, and when.
    asked: Mutex<Option<(Instant, Result<(), String>)>>,
    /// Set for good when a stop begins.
    stopping: AtomicBool,
    /// Set while an operator wants new calls to go elsewhere.
    drained: AtomicBool,
}

impl Health {
    pub(super) fn new(pulses: Pulses, stalled_after: Duration, ask: Option<AskUpstream>) -> Self {
        let (stopping, drained) = (AtomicBool::new(false), AtomicBool::new(false));
        Self { pulses, stalled_after, ask, asked: Mutex::default(), stopping, drained }
    }

    pub(super) fn stop(&self) {
        self.stopping.store(true, Ordering::Relaxed);
    }

    /// Sets whether `/ready` answers 503 because an operator wants it to. Returns whether that is
    /// new.
    pub(super) fn drain(&self, drains: bool) -> bool {
        self.drained.swap(drains, Ordering::Relaxed) != drains
    }

    pub(super) fn is_drained(&self) -> bool {
        self.drained.load(Ordering::Relaxed)
    }

    /// Answers whether every worker runs.
    pub(super) fn live(&self) -> Page {
        let Some((worker, silent)) = self.pulses.stalled(self.stalled_after) else {
            return Page::ok(&serde_json::json!({ "live": true }));
        };
        let seconds = silent.as_secs();
        let reason = format!("worker {worker} has not run for {seconds} s");
        unavailable(&serde_json::json!({ "live": false, "reason": reason }))
    }

    /// Answers whether new calls are taken; with `deep`, also whether upstream answers. `tells`:
    /// why it does not may be shown, which names hosts.
    pub(super) async fn ready(&self, query: &str, tells: bool) -> Page {
        if self.stopping.load(Ordering::Relaxed) {
            return unavailable(&serde_json::json!({ "ready": false }));
        }
        if self.is_drained() {
            let reason = "an operator wants new calls to go elsewhere";
            return unavailable(&serde_json::json!({ "ready": false, "reason": reason }));
        }
        if parameter(query, "deep").is_none() {
            return Page::ok(&serde_json::json!({ "ready": true }));
        }
        match self.upstream().await {
            Ok(()) => Page::ok(&serde_json::json!({ "ready": true, "upstream": "answers" })),
            Err(_) if !tells && self.ask.is_some() => {
                let reason = "upstream does not answer; the admin address says why";
                unavailable(&serde_json::json!({ "ready": false, "reason": reason }))
            }
            Err(reason) => unavailable(&serde_json::json!({ "ready": false, "reason": reason })),
        }
    }

    /// Asks upstream, unless it was asked a moment ago. Probes that come at the same time wait for
    /// one answer.
    async fn upstream(&self) -> Result<(), String> {
        let Some(ask) = &self.ask else { return Err("there is no way to ask upstream".into()) };
        let mut asked = self.asked.lock().await;
        if let Some((at, answer)) = &*asked
            && at.elapsed() < ASKED_AGAIN_AFTER
        {
            return answer.clone();
        }
        let late = |_| Err(format!("upstream did not answer within {} s", ASK_AT_MOST.as_secs()));
        let answer = timeout(ASK_AT_MOST, ask()).await.unwrap_or_else(late);
        *asked = Some((Instant::now(), answer.clone()));
        answer
    }
}

fn unavailable(content: &serde_json::Value) -> Page {
    Page { status: StatusCode::SERVICE_UNAVAILABLE, ..Page::ok(content) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicUsize;
    use tokio::time::advance;

    #[tokio::test(start_paused = true)]
    async fn upstream_is_asked_once_in_a_while_however_many_probes_ask() {
        let times = Arc::new(AtomicUsize::new(0));
        let counted = times.clone();
        let ask: AskUpstream = Arc::new(move || {
            let before = counted.fetch_add(1, Ordering::Relaxed);
            Box::pin(async move {
                tokio::time::sleep(Duration::from_millis(100)).await;
                if before == 0 { Err("it is down".to_owned()) } else { Ok(()) }
            })
        });
        let health = Health::new(Pulses::default(), Duration::ZERO, Some(ask));
        let (a, b) = tokio::join!(health.ready("deep", true), health.ready("deep=1", true));
        assert_eq!((a.status.as_u16(), b.status.as_u16()), (503, 503));
        assert!(a.text.contains("it is down"), "{}", a.text);
        assert_eq!(times.load(Ordering::Relaxed), 1);
        advance(ASKED_AGAIN_AFTER).await;
        assert_eq!(health.ready("deep", true).await.status, 200);
        assert_eq!(times.load(Ordering::Relaxed), 2);
        assert_eq!(health.ready("", true).await.status, 200);
    }

    #[tokio::test(start_paused = true)]
    async fn an_upstream_that_is_silent_is_not_waited_for_without_end() {
        let ask: AskUpstream = Arc::new(|| Box::pin(std::future::pending()));
        let health = Health::new(Pulses::default(), Duration::ZERO, Some(ask));
        let page = health.ready("deep", true).await;
        assert_eq!(page.status, 503);
        assert!(page.text.contains("upstream did not answer within 2 s"), "{}", page.text);
    }
}
