//! Answers of upstream that were read whole, and what look-ups bring.

use crate::{
    http::{Body, Collected},
    rules::{LookupEnd, OptionFacts, RefusalScope, SessionKey, Timestamp},
};
use http::{HeaderMap, Response, StatusCode, response};
use std::sync::Arc;

/// An answer that was read whole.
#[derive(Clone)]
pub(super) struct Answered {
    pub head: Arc<response::Parts>,
    pub body: Collected,
}

impl Answered {
    pub(super) fn status(&self) -> StatusCode {
        self.head.status
    }

    pub(super) fn headers(&self) -> &HeaderMap {
        &self.head.headers
    }

    /// Returns the answer with upstream's bytes unchanged.
    pub(super) fn into_response(self) -> Response<Body> {
        let head = Arc::try_unwrap(self.head).unwrap_or_else(|shared| (*shared).clone());
        Response::from_parts(head, self.body.to_body())
    }
}

/// How a look-up ended.
#[derive(Clone)]
pub(super) enum LookupOutcome {
    /// Upstream answered; what it told is in the records, dated so.
    Shown(Shown),
    /// Upstream does not show it to this caller (401, 403, 404): this is its answer.
    Denied(Answered),
    /// It is not known: an error, a time-out, a pause that upstream asked for.
    Failed,
}

/// What a look-up brought.
#[derive(Clone)]
pub(super) struct Shown {
    /// The date of the facts.
    pub at: Timestamp,
    /// The session that was shown. An active one may be another than was thought.
    pub session: Option<SessionKey>,
    /// The payment options, where these were asked for.
    pub options: Option<Arc<Vec<OptionFacts>>>,
    /// The answer itself.
    pub answer: Answered,
}

impl LookupOutcome {
    pub(super) fn status(&self) -> Option<StatusCode> {
        match self {
            Self::Shown(shown) => Some(shown.answer.status()),
            Self::Denied(answer) => Some(answer.status()),
            Self::Failed => None,
        }
    }

    /// Returns the outcome without its answer. A caller that is not recognised where sources are
    /// looked up may still be good for its session: `credential_opens_sources` says.
    pub(super) fn end(&self, credential_opens_sources: bool) -> LookupEnd {
        match self {
            Self::Shown(shown) => LookupEnd::Shown {
                at: shown.at,
                session: shown.session.clone(),
                options: shown.options.as_deref().cloned(),
            },
            Self::Denied(answer) => {
                let status = answer.status();
                let missing = status == StatusCode::NOT_FOUND;
                let unrecognised = status == StatusCode::UNAUTHORIZED;
                LookupEnd::Denied {
                    why: if missing { RefusalScope::Missing } else { RefusalScope::ForNow },
                    absent: missing || (unrecognised && credential_opens_sources),
                }
            }
            Self::Failed => LookupEnd::Failed,
        }
    }
}
