//! Why an exchange with upstream has no answer.
//!
//! An [`UpstreamError`] is for code: whether the request was sent decides whether its outcome is
//! known. A [`Problem`](super::Problem) is what the caller is told of it.

use std::{error::Error, fmt};
use tower::BoxError;

/// Why there is no answer from upstream, or only a part of it.
///
/// A client of one's own may give these as its errors; any other error is taken for a request that
/// may have reached upstream.
#[derive(Debug, thiserror::Error)]
pub enum UpstreamError {
    /// No connection was made: refused, no such name, no route, a certificate that does not hold.
    /// Nothing was sent.
    #[error("upstream is unreachable")]
    Unreachable(#[source] BoxError),
    /// There was a connection, but it ended before any of the request was written to it.
    #[error("the connection to upstream ended before the request was sent")]
    NotSent(#[source] BoxError),
    /// Upstream kept us waiting for longer than the time-out: for a connection (not `sent`), or for
    /// the answer's head or its next part (`sent`).
    #[error("{}", match sent {
        true => "upstream did not answer in time",
        false => "connecting to upstream took too long",
    })]
    TimedOut {
        /// True when some of the request may have reached upstream.
        sent: bool,
    },
    /// Reset, closed early, or what came is no HTTP.
    #[error("upstream's answer is broken")]
    Broken {
        /// True when some of the request may have reached upstream.
        sent: bool,
        /// What hyper saw.
        #[source]
        cause: BoxError,
    },
    /// The caller did not send its own request to the end. Upstream saw an unfinished one.
    #[error("{}", match late {
        true => "the caller stalled in its request",
        false => "the caller broke off its request",
    })]
    Caller {
        /// True when it stalled for longer than the time-out, false when it broke off.
        late: bool,
        /// What hyper saw.
        #[source]
        cause: BoxError,
    },
}

impl UpstreamError {
    /// Returns true when some of the request may have reached upstream, so that what became of it
    /// is unknown.
    pub fn was_sent(&self) -> bool {
        match self {
            Self::Unreachable(_) | Self::NotSent(_) => false,
            Self::TimedOut { sent } | Self::Broken { sent, .. } => *sent,
            Self::Caller { .. } => true,
        }
    }
}

/// Takes an error of any client: one that is not an `UpstreamError` says nothing of whether the
/// request was sent, so it counts as sent.
impl From<BoxError> for UpstreamError {
    fn from(error: BoxError) -> Self {
        match error.downcast() {
            Ok(error) => *error,
            Err(cause) => Self::Broken { sent: true, cause },
        }
    }
}

/// Prints an error and its causes, outermost first.
///
/// For logs: hyper's errors hold addresses and protocol faults, and nothing of a message.
#[derive(Clone, Copy, Debug)]
pub struct Chain<'a>(pub &'a (dyn Error + 'static));

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut next = self.0.source();
        while let Some(cause) = next {
            write!(f, ": {cause}")?;
            next = cause.source();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;

    #[test]
    fn a_chain_tells_every_cause_once() {
        let inner = io::Error::other("connection refused");
        let error = UpstreamError::Unreachable(io::Error::other(inner).into());
        assert_eq!(error.to_string(), "upstream is unreachable");
        assert_eq!(Chain(&error).to_string(), "upstream is unreachable: connection refused");
    }

    #[test]
    fn a_foreign_error_counts_as_sent_and_ones_own_stays_what_it_is() {
        let own = BoxError::from(UpstreamError::TimedOut { sent: false });
        assert!(matches!(UpstreamError::from(own), UpstreamError::TimedOut { sent: false }));
        assert!(UpstreamError::from(BoxError::from("reset")).was_sent());
    }
}
