//! Writes what is under way to the log when SIGQUIT asks for it: calls, turns, look-ups, work that
//! outlives its callers.
//!
//! The lines are warnings, so that the usual levels write them. They name sessions and calls, and
//! no credentials.

use super::{parts::Parts, signals::Quits};
use crate::{govern::OpenCall, metrics::UnderWay, sessions::TurnKey};

/// How many lines each kind has at most.
const MOST: usize = 1000;

/// Tells what is under way at each quit.
pub(super) async fn tell_when_asked(mut quits: Quits, parts: Parts) {
    loop {
        quits.next().await;
        tell(&parts);
    }
}

fn tell(Parts { governor, bounds, .. }: &Parts) {
    let calls = governor.open_calls();
    let turns = governor.sessions().turns_with_waiting();
    let look_ups = governor.look_up_paths();
    let (arriving, oldest_arriving_s) = governor.metrics().under_way(UnderWay::Arriving);
    let (passed, oldest_passed_s) = governor.metrics().under_way(UnderWay::Passed);
    tracing::warn!(
        calls = calls.len(),
        callers_left = calls.iter().filter(|call| !call.caller_waits).count(),
        detached = governor.in_flight(),
        turns_open = governor.sessions().turns_open(),
        calls_waiting = governor.sessions().turns_waiting(),
        look_ups_open = look_ups.len(),
        open = bounds.calls(),
        arriving,
        oldest_arriving_s,
        passed,
        oldest_passed_s,
        pending = governor.sessions().pinned(),
        "what is under way, as SIGQUIT asked"
    );
    for OpenCall { decision_id, call, session, phase, repairing, lasts, caller_waits } in
        calls.iter().take(MOST)
    {
        let ms = u64::try_from(lasts.as_millis()).unwrap_or(u64::MAX);
        tracing::warn!(
            decision_id,
            call,
            session,
            phase,
            repairing,
            ms,
            caller_waits,
            "a call under way"
        );
    }
    for (turn, waiting) in turns.iter().take(MOST) {
        tracing::warn!(turn = named(turn), waiting, "calls that wait for a turn");
    }
    for path in look_ups.iter().take(MOST) {
        tracing::warn!(path, "a look-up under way");
    }
    let left_out = [calls.len(), turns.len(), look_ups.len()].map(|all| all.saturating_sub(MOST));
    if left_out.iter().any(|count| *count > 0) {
        tracing::warn!(left_out = left_out.iter().sum::<usize>(), "more is under way than is told");
    }
}

/// Names a turn, without the hash of a credential.
fn named(turn: &TurnKey) -> String {
    match turn {
        TurnKey::Session(session) => session.to_string(),
        TurnKey::Customer(_) => "a customer's saved sources".to_owned(),
        TurnKey::Shopper(_) => "a shopper's options, or active session".to_owned(),
        TurnKey::Unseen(_, session) => format!("{session}, for one caller"),
    }
}
