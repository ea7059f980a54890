//! Holds upstream's answers that were read whole, and how look-ups ended.

use crate::{
    http::{Body, Collected},
    observe::StepEnd,
    rules::{LookupEnd, OptionFacts, RefusalScope, SessionKey, Timestamp, UnreadMember},
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
    /// Upstream answered; its facts are in the records.
    Shown(Shown),
    /// Upstream answered Weir's own key; its facts are in the records, and the answer is nobody's.
    ShownToWeir(Shown),
    /// Upstream does not show it to this caller; its answer is a 401, 403 or 404.
    Denied(Answered),
    /// There is no usable answer: an error, a time-out, or a pause that upstream asked for.
    Failed(StepEnd),
}

/// What a look-up found.
#[derive(Clone)]
pub(super) struct Shown {
    /// The date of the facts.
    pub at: Timestamp,
    /// The session that was shown; the active one may have changed.
    pub session: Option<SessionKey>,
    /// The payment options, where they were asked for.
    pub options: Option<Arc<Vec<OptionFacts>>>,
    /// The members that could not be read.
    pub unread: Arc<Vec<UnreadMember>>,
    /// The answer itself.
    pub answer: Answered,
}

impl LookupOutcome {
    pub(super) fn step_end(&self) -> StepEnd {
        match self {
            Self::Shown(shown) | Self::ShownToWeir(shown) => {
                StepEnd::Answered(shown.answer.status().as_u16())
            }
            Self::Denied(answer) => StepEnd::Answered(answer.status().as_u16()),
            Self::Failed(end) => *end,
        }
    }

    /// Returns the outcome without its answer. `credential_opens_sources`: a credential that is not
    /// recognised for a source cannot be good for the session either.
    pub(super) fn end(&self, credential_opens_sources: bool) -> LookupEnd {
        match self {
            Self::Shown(shown) | Self::ShownToWeir(shown) => LookupEnd::Shown {
                at: shown.at,
                session: shown.session.clone(),
                options: shown.options.as_deref().cloned(),
            },
            Self::Denied(answer) if answer.status() == StatusCode::FORBIDDEN => {
                LookupEnd::Forbidden
            }
            Self::Denied(answer) => {
                let status = answer.status();
                let missing = status == StatusCode::NOT_FOUND;
                let unrecognised = status == StatusCode::UNAUTHORIZED;
                LookupEnd::Denied {
                    why: if missing { RefusalScope::Missing } else { RefusalScope::ForNow },
                    absent: missing || (unrecognised && credential_opens_sources),
                }
            }
            Self::Failed(_) => LookupEnd::Failed,
        }
    }
}
