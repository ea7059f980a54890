//! The line in the log about a request that upstream did not answer, or not to the end.
//!
//! It has what one searches for: the decision to come, the caller's own id, the call and its
//! session. A call that meets the same fault several times leaves one line; the steps of its
//! decision show each.

use super::{about::request_id, governor::Governor, trace::Trace};
use crate::{
    http::{Body, Chain, UpstreamError, trace_id},
    observe::StepKind,
    rules::SessionKey,
};
use http_body_util::BodyExt;
use std::sync::Arc;

/// What such a line says besides the error.
pub(super) struct Fault<'a> {
    pub governor: &'a Arc<Governor>,
    pub trace: &'a Arc<Trace>,
    /// The purpose of the request.
    pub what: &'a StepKind,
    /// The session that it is about, where that is known.
    pub session: Option<&'a SessionKey>,
}

impl Fault<'_> {
    /// Logs the error, unless the call has met the same before.
    pub(super) fn log(&self, error: &UpstreamError) {
        let error = Chain(error).to_string();
        let Self { governor, trace, what, session } = self;
        if !trace.is_new_fault(&error) {
            return;
        }
        // A look-up with another credential has another head.
        let head = trace.head.as_deref();
        tracing::warn!(
            decision_id = trace.id(governor.decisions()),
            request_id = head.and_then(|head| request_id(&head.headers)),
            trace_id = head
                .and_then(|head| trace_id(&head.headers))
                .map(|trace| format!("{trace:032x}")),
            method = head.map(|head| head.method.as_str()),
            // Not the query, which may hold a token.
            path = head.map(|head| head.uri.path()),
            session = session.map(ToString::to_string),
            %what,
            error,
            "asking upstream failed"
        );
    }

    /// Returns a body that passes through unread, and whose fault is logged.
    pub(super) fn watch(&self, body: Body) -> Body {
        let (governor, trace) = (self.governor.clone(), self.trace.clone());
        let (what, session) = (self.what.clone(), self.session.cloned());
        Body::boxed(body.map_err(move |error| {
            let (governor, trace) = (&governor, &trace);
            let fault = Fault { governor, trace, what: &what, session: session.as_ref() };
            let error = UpstreamError::from(error);
            fault.log(&error);
            error
        }))
    }
}
