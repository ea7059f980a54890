//! The errors of an exchange with upstream.
//!
//! An [`UpstreamError`] is for code: it says whether the request was sent, so that its outcome may
//! be unknown. A [`Problem`](super::Problem) is what the caller sees.

use std::{error::Error, fmt};
use tower::BoxError;

/// Why there is no answer from upstream, or only a part of one.
///
/// A custom client may return these as its errors; with any other error, the request counts as one
/// that may have reached upstream.
#[derive(Debug, thiserror::Error)]
pub enum UpstreamError {
    /// No connection was made: refused, no such name, no route, a certificate that does not hold.
    /// Nothing was sent.
    #[error("upstream is unreachable")]
    Unreachable(#[source] BoxError),
    /// There was a connection, but it ended before any of the request was written to it; or
    /// upstream said over HTTP/2 that it did not process the request.
    #[error("upstream did not take the request")]
    NotSent(#[source] BoxError),
    /// Upstream took longer than the time-out: for a connection (not `sent`), or for the answer's
    /// head or its next part (`sent`).
    #[error("{}", match sent {
        true => "upstream did not answer in time",
        false => "connecting to upstream took too long",
    })]
    TimedOut {
        /// True when some of the request may have reached upstream.
        sent: bool,
    },
    /// Upstream reset the connection, closed it early, or sent something that is not HTTP.
    #[error("upstream's answer is broken")]
    Broken {
        /// True when some of the request may have reached upstream.
        sent: bool,
        /// What hyper saw.
        #[source]
        cause: BoxError,
    },
    /// The caller did not send its whole request. Upstream saw an unfinished one, or none.
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
    /// Returns true when some of the request may have reached upstream, so that its outcome is
    /// unknown.
    pub fn was_sent(&self) -> bool {
        match self {
            Self::Unreachable(_) | Self::NotSent(_) => false,
            Self::TimedOut { sent } | Self::Broken { sent, .. } => *sent,
            Self::Caller { .. } => true,
        }
    }
}

/// Converts the error of any client. One that is not an `UpstreamError` does not say whether the
/// request was sent, so the request counts as sent. Its text is dropped unless it is hyper's own: a
/// client may name the whole URL in it, with a token.
impl From<BoxError> for UpstreamError {
    fn from(error: BoxError) -> Self {
        let foreign = match error.downcast() {
            Ok(error) => return *error,
            Err(foreign) => foreign,
        };
        let cause: BoxError = match foreign.downcast::<hyper::Error>() {
            Ok(error) => error,
            Err(_) => ForeignError.into(),
        };
        Self::Broken { sent: true, cause }
    }
}

/// Stands for the error of a custom client.
#[derive(Debug, thiserror::Error)]
#[error("the client failed with an error of its own, which is not shown")]
struct ForeignError;

/// Prints an error and its causes, outermost first.
///
/// For logs: an [`UpstreamError`] that Weir makes has hyper's errors as its causes, which hold
/// addresses and protocol faults, but no part of a message.
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

    #[test]
    fn nothing_of_a_foreign_errors_text_is_kept() {
        let text = "https://upstream/v1/shoppers/me?token=secret timed out";
        let nested = io::Error::other(io::Error::other(text));
        for foreign in [BoxError::from(text), BoxError::from(nested)] {
            let error = UpstreamError::from(foreign);
            let shown = format!("{} {error:?}", Chain(&error));
            assert!(!shown.contains("secret"), "{shown}");
            assert!(shown.contains("an error of its own"), "{shown}");
        }
    }
}
