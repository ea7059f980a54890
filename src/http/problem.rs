//! What can go wrong on the way, closed: an exchange with upstream that failed, and every answer
//! Weir gives for a fault that is no rule's.
//!
//! `UpstreamError` is for code (was it sent? then the outcome is unknown); `Problem` is for people.
//! A problem's wire form is its dialect's and comes in as a `Render`. Broken rules are not here:
//! they are the vendor's own answers and come from `rules`.

use super::{Body, BoxError};
use http::{HeaderValue, Response, StatusCode, header};
use std::{borrow::Cow, fmt};

/// Why there is no answer from upstream, or only a part of it.
#[derive(Debug)]
pub enum UpstreamError {
    /// No connection was made: refused, no such name, no route, a certificate that does not hold.
    /// Nothing was sent.
    Unreachable(BoxError),
    /// There was a connection, but it ended before any of the request was written to it.
    NotSent(BoxError),
    /// Upstream kept us waiting for longer than the time-out: for a connection (not `sent`), or for
    /// the answer's head or its next part (`sent`).
    TimedOut {
        /// True when some of the request may have reached upstream.
        sent: bool,
    },
    /// Reset, closed early, or what came is no HTTP.
    Broken {
        /// True when some of the request may have reached upstream.
        sent: bool,
        /// What hyper saw.
        cause: BoxError,
    },
    /// The caller did not send its own request to the end. Upstream saw an unfinished one.
    Caller {
        /// True when it stalled for longer than the time-out, false when it broke off.
        late: bool,
        /// What hyper saw.
        cause: BoxError,
    },
}

impl UpstreamError {
    /// True when some of the request may have reached upstream, so that what became of it is
    /// unknown.
    pub fn was_sent(&self) -> bool {
        match self {
            UpstreamError::Unreachable(_) | UpstreamError::NotSent(_) => false,
            UpstreamError::TimedOut { sent } | UpstreamError::Broken { sent, .. } => *sent,
            UpstreamError::Caller { .. } => true,
        }
    }
}

/// The text and its causes, outermost first. Addresses and protocol faults only: hyper's errors
/// hold nothing of a message.
impl fmt::Display for UpstreamError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (text, cause) = match self {
            UpstreamError::Unreachable(cause) => ("upstream is unreachable", Some(cause)),
            UpstreamError::NotSent(cause) => {
                ("the connection to upstream ended before the request was sent", Some(cause))
            }
            UpstreamError::TimedOut { sent: false } => {
                ("connecting to upstream took too long", None)
            }
            UpstreamError::TimedOut { sent: true } => ("upstream did not answer in time", None),
            UpstreamError::Broken { cause, .. } => ("upstream's answer is broken", Some(cause)),
            UpstreamError::Caller { late: false, cause } => {
                ("the caller broke off its request", Some(cause))
            }
            UpstreamError::Caller { late: true, cause } => {
                ("the caller stalled in its request", Some(cause))
            }
        };
        f.write_str(text)?;
        let mut next = cause.map(|cause| cause.as_ref() as &dyn std::error::Error);
        while let Some(cause) = next {
            write!(f, ": {cause}")?;
            next = cause.source();
        }
        Ok(())
    }
}

/// `source` is empty: `Display` already tells the whole chain.
impl std::error::Error for UpstreamError {}

/// Whose fault a problem is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blame {
    /// The request cannot be served as it is.
    Caller,
    /// Upstream failed.
    Upstream,
    /// Weir failed.
    Weir,
}

/// Every answer of Weir's own that is no rule's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Problem {
    /// An HTTP/1.1 request must name exactly one valid host (RFC 9112 section 3.2).
    Host,
    /// A request target in a form that its method does not have (RFC 9112 section 3.2).
    Target,
    /// CONNECT asks for a tunnel; a reverse proxy has none to give.
    Connect,
    /// A transfer coding other than `chunked` (RFC 9112 section 6.1).
    TransferCoding,
    /// TRACE or OPTIONS with a `Max-Forwards` that is no number.
    MaxForwards,
    /// TRACE that ends here: echoing a request would echo its credentials.
    Trace,
    /// The content is longer than a governed call's may be.
    TooLarge {
        /// What is accepted, in bytes.
        limit: usize,
    },
    /// The caller broke off its request's content.
    Incomplete,
    /// The caller stalled in its request's content.
    Stalled,
    /// No connection to upstream.
    Unreachable,
    /// Upstream reset the connection, closed it early, or what it answered is no HTTP.
    Broken,
    /// Upstream did not answer in time.
    Late,
    /// A fact that a rule needs could not be had from upstream, and the policy says to reject then.
    FactUnknown,
    /// A fault in Weir itself.
    Internal,
}

impl Problem {
    /// The answer's status.
    pub fn status(self) -> StatusCode {
        match self {
            Problem::Host | Problem::Target | Problem::MaxForwards | Problem::Incomplete => {
                StatusCode::BAD_REQUEST
            }
            Problem::Trace => StatusCode::METHOD_NOT_ALLOWED,
            Problem::Stalled => StatusCode::REQUEST_TIMEOUT,
            Problem::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Problem::Connect | Problem::TransferCoding => StatusCode::NOT_IMPLEMENTED,
            Problem::Unreachable | Problem::Broken => StatusCode::BAD_GATEWAY,
            Problem::Late => StatusCode::GATEWAY_TIMEOUT,
            Problem::FactUnknown => StatusCode::SERVICE_UNAVAILABLE,
            Problem::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// A stable name for programs.
    pub fn code(self) -> &'static str {
        match self {
            Problem::Host => "invalid_host",
            Problem::Target => "invalid_request_target",
            Problem::Connect => "connect_not_supported",
            Problem::TransferCoding => "transfer_coding_not_supported",
            Problem::MaxForwards => "invalid_max_forwards",
            Problem::Trace => "trace_not_supported",
            Problem::TooLarge { .. } => "request_too_large",
            Problem::Incomplete => "incomplete_request",
            Problem::Stalled => "request_timeout",
            Problem::Unreachable => "upstream_unreachable",
            Problem::Broken => "bad_gateway",
            Problem::Late => "gateway_timeout",
            Problem::FactUnknown => "lookup_failed",
            Problem::Internal => "internal_server_error",
        }
    }

    /// Whose fault it is.
    pub fn blame(self) -> Blame {
        match self {
            Problem::Host
            | Problem::Target
            | Problem::Connect
            | Problem::TransferCoding
            | Problem::MaxForwards
            | Problem::Trace
            | Problem::TooLarge { .. }
            | Problem::Incomplete
            | Problem::Stalled => Blame::Caller,
            Problem::Unreachable | Problem::Broken | Problem::Late | Problem::FactUnknown => {
                Blame::Upstream
            }
            Problem::Internal => Blame::Weir,
        }
    }

    /// A sentence for the caller's engineer.
    pub fn message(self) -> Cow<'static, str> {
        Cow::Borrowed(match self {
            Problem::Host => "The request must name exactly one valid host.",
            Problem::Target => "The request target's form does not fit the method.",
            Problem::Connect => "CONNECT is not supported: this is a reverse proxy.",
            Problem::TransferCoding => "The only transfer coding understood is chunked.",
            Problem::MaxForwards => "Max-Forwards must be a number.",
            Problem::Trace => "TRACE is not answered here.",
            Problem::TooLarge { limit } => {
                return format!(
                    "The request's content is too large: at most {limit} bytes are accepted."
                )
                .into();
            }
            Problem::Incomplete => "The request's content ended too early.",
            Problem::Stalled => "The request's content did not arrive in time.",
            Problem::Unreachable => "The payments API cannot be reached. Nothing was sent to it.",
            Problem::Broken => "The payments API's answer was broken off or is not valid HTTP.",
            Problem::Late => "The payments API did not answer in time.",
            Problem::FactUnknown => {
                "The payments API did not tell what is needed to judge this call. Nothing was changed."
            }
            Problem::Internal => "The proxy failed to serve this request.",
        })
    }

    /// The answer, in the form that `render` gives it. The problem itself is left in the response's
    /// extensions for outer layers to read.
    pub fn into_response(self, render: impl FnOnce(Problem) -> Rendered) -> Response<Body> {
        let Rendered { content_type, content } = render(self);
        let mut response = Response::new(Body::full(content));
        *response.status_mut() = self.status();
        response.headers_mut().insert(header::CONTENT_TYPE, content_type);
        if self == Problem::Trace {
            response.headers_mut().insert(header::ALLOW, ALLOWED);
        }
        response.extensions_mut().insert(self);
        response
    }
}

/// What Weir itself lets through; upstream may allow less.
pub(crate) const ALLOWED: HeaderValue =
    HeaderValue::from_static("GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS");

impl From<&UpstreamError> for Problem {
    fn from(error: &UpstreamError) -> Self {
        match error {
            UpstreamError::Unreachable(_) | UpstreamError::NotSent(_) => Problem::Unreachable,
            UpstreamError::TimedOut { .. } => Problem::Late,
            UpstreamError::Broken { .. } => Problem::Broken,
            UpstreamError::Caller { late: false, .. } => Problem::Incomplete,
            UpstreamError::Caller { late: true, .. } => Problem::Stalled,
        }
    }
}

/// A problem in a wire form.
pub struct Rendered {
    /// `application/json`, `application/xml`, …
    pub content_type: HeaderValue,
    /// The body.
    pub content: bytes::Bytes,
}

/// Gives problems the form of the API that the caller believes to talk to.
pub trait Render {
    /// What must be remembered of a request, which will be gone when something fails: which
    /// dialect, XML or JSON.
    type Form: Copy + Send + 'static;

    /// The form for a request's errors. Called for every request: as cheap as a look at the path.
    fn form<B>(&self, request: &http::Request<B>) -> Self::Form;

    /// The problem in that form.
    fn render(&self, form: Self::Form, problem: Problem) -> Rendered;
}

/// Problems as a line of text: for a proxy without a dialect.
#[derive(Clone, Copy, Debug, Default)]
pub struct PlainText;

impl Render for PlainText {
    type Form = ();

    fn form<B>(&self, _: &http::Request<B>) {}

    fn render(&self, (): (), problem: Problem) -> Rendered {
        Rendered {
            content_type: HeaderValue::from_static("text/plain; charset=utf-8"),
            content: format!("{}: {}\n", problem.code(), problem.message()).into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt;

    #[test]
    fn only_what_may_have_reached_upstream_was_sent() {
        let cause = || BoxError::from("reset");
        let cases = [
            (UpstreamError::Unreachable(cause()), false, Problem::Unreachable, 502),
            (UpstreamError::NotSent(cause()), false, Problem::Unreachable, 502),
            (UpstreamError::TimedOut { sent: false }, false, Problem::Late, 504),
            (UpstreamError::TimedOut { sent: true }, true, Problem::Late, 504),
            (UpstreamError::Broken { sent: true, cause: cause() }, true, Problem::Broken, 502),
            (UpstreamError::Caller { late: false, cause: cause() }, true, Problem::Incomplete, 400),
            (UpstreamError::Caller { late: true, cause: cause() }, true, Problem::Stalled, 408),
        ];
        for (error, sent, problem, status) in cases {
            assert_eq!(
                (error.was_sent(), Problem::from(&error), problem.status().as_u16()),
                (sent, problem, status),
                "{error}"
            );
        }
    }

    #[test]
    fn an_error_tells_its_whole_chain_once() {
        let inner = std::io::Error::other("connection refused");
        let error = UpstreamError::Unreachable(std::io::Error::other(inner).into());
        assert_eq!(error.to_string(), "upstream is unreachable: connection refused");
    }

    #[tokio::test]
    async fn a_problem_becomes_a_response_that_outer_layers_can_read() {
        let response =
            Problem::TooLarge { limit: 9 }.into_response(|problem| PlainText.render((), problem));
        assert_eq!(response.status(), 413);
        assert_eq!(response.extensions().get(), Some(&Problem::TooLarge { limit: 9 }));
        let body = response.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(
            body,
            "request_too_large: The request's content is too large: at most 9 bytes are accepted.\n"
        );
    }
}
