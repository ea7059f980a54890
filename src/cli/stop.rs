//! Tells how a stop goes: what it waits for, what it has cut off, and what is lost with the
//! process.
//!
//! In: how the workers drained, and what is pending. Out: lines of the log, and the exit code. What
//! is pending lives in memory only: an attach that was promised and not sent, and a repair that was
//! begun, have a line each.

use crate::{
    dialects,
    edge::Drained,
    govern::Governor,
    rules::{Dialect, Pending, SessionKey},
};
use std::{process::ExitCode, sync::Arc, time::Duration};

/// So many lines are written at once, and so long is the pause before the next.
const AT_ONCE: usize = 1000;
const PAUSE: Duration = Duration::from_millis(20);

/// The exit code of a stop that cut something off.
const CUT: u8 = 3;

/// Tells that a stop begins.
pub(super) fn begin(grace: Duration) {
    if grace.is_zero() {
        tracing::info!(
            "stopping: nothing new is taken, what has begun is finished; a second signal cuts it off"
        );
    } else {
        tracing::info!(
            ?grace,
            "stopping: /ready answers 503, new calls are taken until the grace is over; \
             a second signal ends all at once"
        );
    }
}

/// Tells what is lost by a stop that waits for nothing.
pub(super) async fn at_once(governor: Arc<Governor>) {
    tracing::warn!("stopped at once: what was under way is cut off");
    tell_lost(&governor).await;
    governor.finish_recording();
}

/// Tells how a stop went, and returns the exit code that says the same.
pub(super) async fn end(drained: Drained, governor: &Governor) -> ExitCode {
    tell_lost(governor).await;
    match drained {
        Drained { connections_cut: 0, work_cut: 0 } => {
            tracing::info!(%drained, "stopped");
            ExitCode::SUCCESS
        }
        Drained { connections_cut, work_cut: calls_cut } => {
            tracing::warn!(connections_cut, calls_cut, "stopped, and cut off what was under way");
            ExitCode::from(CUT)
        }
    }
}

/// Names each session for which something is pending, which nobody will do any more.
pub(super) async fn tell_lost(governor: &Governor) {
    let sessions = governor.sessions();
    let kinds = dialects::ALL.into_iter().flat_map(Dialect::kinds);
    let pending: Vec<_> = kinds.flat_map(|kind| sessions.pinned_of(*kind)).collect();
    if !pending.is_empty() {
        tracing::warn!(sessions = pending.len(), "what was pending is lost; a line names each");
    }
    for (number, session) in pending.into_iter().enumerate() {
        if number % AT_ONCE == AT_ONCE - 1 {
            // The log's queue drops what finds no room.
            tokio::time::sleep(PAUSE).await;
        }
        match sessions.peek(&session).await {
            Ok(record) => {
                if let Some(pending) = record.and_then(|record| record.pending) {
                    tell_pending(&session, &pending);
                }
            }
            Err(error) => {
                tracing::error!(%session, %error, "what was pending for this session is not known");
            }
        }
    }
}

fn tell_pending(session: &SessionKey, pending: &Pending) {
    match pending {
        Pending::Deferred { primary, sending: false, .. } => tracing::warn!(
            %session, %primary,
            "lost by the stop: this primary's attach was answered and is not sent; attach it again"
        ),
        Pending::Deferred { primary, sending: true, .. } => tracing::warn!(
            %session, %primary,
            "lost by the stop: whether this primary's deferred attach was done is not known; \
             look at the session, and attach it again where it is missing"
        ),
        Pending::Repair { primary, incoming, .. } => tracing::warn!(
            %session, %primary, incoming = incoming.as_ref().map(ToString::to_string),
            "lost by the stop: a repair was not finished, and this primary may be off; \
             look at the session, and attach it again where it is missing"
        ),
    }
}
