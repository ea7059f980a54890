//! One governed call of a caller.

use super::asker::Asker;
use crate::{
    dialects::Call,
    http::{Body, Collected},
    rules::{Intent, Policy, SourceId},
    sessions::CustomerKey,
};
use http::Request;
use std::sync::Arc;
use tokio_util::task::TaskTracker;

/// A caller's call: who asks, and what for. Cheap to clone, so that detached work can own one.
#[derive(Clone)]
pub(super) struct Exchange {
    pub asker: Asker,
    pub work: TaskTracker,
    pub policy: Arc<Policy>,
    pub call: Call,
    pub body: Collected,
    pub intent: Arc<Intent>,
}

impl Exchange {
    /// Returns the caller's own call, unchanged.
    pub(super) fn original(&self) -> Request<Body> {
        Request::from_parts((*self.asker.head).clone(), self.body.to_body())
    }

    /// Returns the sources that the call names.
    pub(super) fn sources(&self) -> Vec<SourceId> {
        self.intent.sources().cloned().collect()
    }

    /// Returns the customer that the call names, as this caller knows it.
    pub(super) fn customer(&self) -> Option<CustomerKey> {
        let caller = self.asker.who.caller()?;
        self.intent.customer().map(|id| CustomerKey { caller, id: id.clone() })
    }
}
