//! Looks back at an attach that was carried out, and mends what it has left behind.
//!
//! In: the turn, after the answer was learned. Out: what becomes of the answer. [`aftermath`]
//! decides. It runs in the same turn and in the same detached work as the call, so that nothing
//! comes in between.

use super::{exchange::Exchange, holding::Holding, recall::recall, repair};
use crate::{
    http::Body,
    rules::{Aftermath, Known, Violation, aftermath},
    sessions::now,
};
use http::Response;

/// What an attach has left behind.
pub(super) struct After {
    pub violation: Violation,
    /// The answer of the repair, where the order was mended.
    pub mended: Option<Response<Body>>,
}

/// Judges what is attached after a call of this turn was carried out, and mends it if the policy
/// says so. Where the store fails, nothing is done: `lost-credit` judges the submit.
pub(super) async fn look_back(exchange: &Exchange, hand: &mut Option<Holding>) -> Option<After> {
    let Some(Holding::Turn(turn)) = hand else { return None };
    let mut known = Known::default();
    recall(exchange, turn.records_mut(), &mut known).await.ok()?;
    match aftermath(&known, &exchange.intent, &exchange.policy, now())? {
        Aftermath::Report(violation) => Some(After { violation, mended: None }),
        Aftermath::Mend { primary, violation } => {
            let Some(Holding::Turn(turn)) = hand.take() else { return None };
            let mended = repair::mend(exchange, turn, &primary).await;
            Some(After { violation, mended })
        }
    }
}
