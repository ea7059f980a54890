//! The closed list of Weir's own error answers: status, code and text.
//!
//! The form on the wire comes from outside, since it is the dialect's. Refusals by rules are not
//! here: they are answered in the vendor's own words.

use super::{
    body::Body,
    error::UpstreamError,
    proxy_status::{PROXY_STATUS, ProxyError},
};
use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use std::borrow::Cow;

/// An error answer of Weir's own that is no rule's refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Problem {
    /// A request must name one valid host, and an HTTP/1.1 request exactly one (RFC 9112 section
    /// 3.2, RFC 9113 section 8.3.1).
    Host,
    /// A request target in a form that its method does not have (RFC 9112 section 3.2).
    Target,
    /// CONNECT asks for a tunnel, which a reverse proxy does not offer.
    Connect,
    /// A transfer coding other than `chunked` (RFC 9112 section 6.1).
    TransferCoding,
    /// OPTIONS with a `Max-Forwards` that is no number.
    MaxForwards,
    /// TRACE: echoing a request would echo its credentials, here or upstream.
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
    /// No connection to upstream, or none in time. Nothing was sent.
    Unreachable(ProxyError),
    /// Upstream reset the connection, closed it early, or answered with something that is not HTTP;
    /// or its answer to a step of a repair cannot be read, and a look cannot tell what was done.
    Broken(ProxyError),
    /// Upstream did not answer in time.
    Late,
    /// The call took longer than one may, with all that Weir does for it.
    CallTooLong,
    /// A fact that a rule needs could not be looked up, and the policy rejects the call then.
    FactUnknown,
    /// What is remembered cannot be read or written, and the call must not be sent then.
    StoreFailed,
    /// There are too many calls in flight. It was not taken.
    Overloaded,
    /// A fault in Weir itself.
    Internal,
}

impl Problem {
    /// Returns the answer's status.
    pub fn status(self) -> StatusCode {
        match self {
            Self::Host | Self::Target | Self::MaxForwards | Self::Incomplete => {
                StatusCode::BAD_REQUEST
            }
            Self::Trace => StatusCode::METHOD_NOT_ALLOWED,
            Self::Stalled => StatusCode::REQUEST_TIMEOUT,
            Self::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Connect | Self::TransferCoding => StatusCode::NOT_IMPLEMENTED,
            Self::Unreachable(_) | Self::Broken(_) => StatusCode::BAD_GATEWAY,
            Self::Late | Self::CallTooLong => StatusCode::GATEWAY_TIMEOUT,
            Self::FactUnknown | Self::StoreFailed | Self::Overloaded => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// Returns a stable name for programs.
    pub fn code(self) -> &'static str {
        match self {
            Self::Host => "invalid_host",
            Self::Target => "invalid_request_target",
            Self::Connect => "connect_not_supported",
            Self::TransferCoding => "transfer_coding_not_supported",
            Self::MaxForwards => "invalid_max_forwards",
            Self::Trace => "trace_not_supported",
            Self::TooLarge { .. } => "request_too_large",
            Self::Incomplete => "incomplete_request",
            Self::Stalled => "request_timeout",
            Self::Unreachable(_) => "upstream_unreachable",
            Self::Broken(_) => "bad_gateway",
            Self::Late => "gateway_timeout",
            Self::CallTooLong => "call_timeout",
            Self::FactUnknown => "lookup_failed",
            Self::StoreFailed => "store_failed",
            Self::Overloaded => "too_many_calls",
            Self::Internal => "internal_server_error",
        }
    }

    /// Returns a sentence for the caller's engineer.
    pub fn message(self) -> Cow<'static, str> {
        Cow::Borrowed(match self {
            Self::Host => "The request must name exactly one valid host.",
            Self::Target => "The request target's form does not fit the method.",
            Self::Connect => "CONNECT is not supported: this is a reverse proxy.",
            Self::TransferCoding => "The only transfer coding understood is chunked.",
            Self::MaxForwards => "Max-Forwards must be a number.",
            Self::Trace => "TRACE is not supported: it would echo credentials.",
            Self::TooLarge { limit } => {
                return format!(
                    "The request's content is too large: at most {limit} bytes are accepted."
                )
                .into();
            }
            Self::Incomplete => "The request's content ended too early.",
            Self::Stalled => "The request's content did not arrive in time.",
            Self::Unreachable(_) => "The payments API cannot be reached. Nothing was sent to it.",
            Self::Broken(_) => "The payments API's answer was broken off or cannot be read.",
            Self::Late => "The payments API did not answer in time.",
            Self::CallTooLong => {
                "The call took too long. What was begun is finished without you: \
                 look at the session before you send it again."
            }
            Self::FactUnknown => {
                "The payments API did not tell what is needed to judge this call. \
                 Nothing was changed; try again."
            }
            Self::StoreFailed => {
                "The proxy's memory of payment sessions cannot be read or written now. \
                 This call was not sent; try again."
            }
            Self::Overloaded => {
                "The proxy has too many calls in flight. This one was not taken; try again."
            }
            Self::Internal => "The proxy failed to serve this request.",
        })
    }

    /// Returns after how many seconds the call may be tried again, where that may help and is safe.
    pub(crate) fn retry_after(self) -> Option<u64> {
        matches!(self, Self::FactUnknown | Self::StoreFailed | Self::Overloaded).then_some(1)
    }

    /// Returns the type of the fault, as `Proxy-Status` names it.
    pub(crate) fn proxy_error(self) -> ProxyError {
        match self {
            Self::Unreachable(error) | Self::Broken(error) => error,
            Self::Late | Self::CallTooLong => ProxyError::ResponseTimeout,
            Self::FactUnknown | Self::Overloaded => ProxyError::OwnAnswer,
            Self::StoreFailed | Self::Internal => ProxyError::Internal,
            Self::Host
            | Self::Target
            | Self::Connect
            | Self::TransferCoding
            | Self::MaxForwards
            | Self::Trace
            | Self::TooLarge { .. }
            | Self::Incomplete
            | Self::Stalled => ProxyError::Request,
        }
    }

    /// Builds the answer, with `content` as its body. The problem itself is left in the response's
    /// extensions for outer layers to read.
    pub fn into_response(self, content_type: &'static str, content: Bytes) -> Response<Body> {
        let mut response = Response::new(Body::full(content));
        *response.status_mut() = self.status();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
        headers.insert(PROXY_STATUS, self.proxy_error().field());
        if self == Self::Trace {
            headers.insert(header::ALLOW, ALLOWED);
        }
        if let Some(seconds) = self.retry_after() {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response.extensions_mut().insert(self);
        response
    }
}

/// The methods that Weir lets through; upstream may allow fewer.
pub(crate) const ALLOWED: HeaderValue =
    HeaderValue::from_static("GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS");

impl From<&UpstreamError> for Problem {
    fn from(error: &UpstreamError) -> Self {
        let named = ProxyError::of(error);
        match error {
            UpstreamError::Unreachable(_)
            | UpstreamError::NotSent(_)
            | UpstreamError::TimedOut { sent: false } => Problem::Unreachable(named),
            UpstreamError::TimedOut { sent: true } => Problem::Late,
            UpstreamError::Broken { .. } => Problem::Broken(named),
            UpstreamError::Caller { late: false, .. } => Problem::Incomplete,
            UpstreamError::Caller { late: true, .. } => Problem::Stalled,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt;
    use tower::BoxError;

    #[test]
    fn only_what_may_have_reached_upstream_was_sent() {
        let cause = || BoxError::from("reset");
        let cases = [
            (
                UpstreamError::Unreachable(cause()),
                false,
                Problem::Unreachable(ProxyError::Unavailable),
                502,
            ),
            (
                UpstreamError::NotSent(cause()),
                false,
                Problem::Unreachable(ProxyError::ConnectionTerminated),
                502,
            ),
            (
                UpstreamError::TimedOut { sent: false },
                false,
                Problem::Unreachable(ProxyError::ConnectionTimeout),
                502,
            ),
            (UpstreamError::TimedOut { sent: true }, true, Problem::Late, 504),
            (
                UpstreamError::Broken { sent: true, cause: cause() },
                true,
                Problem::Broken(ProxyError::ResponseMalformed),
                502,
            ),
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

    #[tokio::test]
    async fn a_problem_becomes_a_response_that_outer_layers_can_read() {
        let problem = Problem::TooLarge { limit: 9 };
        let content = format!("{}: {}\n", problem.code(), problem.message());
        let response = problem.into_response("text/plain", content.into());
        assert_eq!(response.status(), 413);
        assert_eq!(response.headers()["content-type"], "text/plain");
        assert_eq!(response.extensions().get(), Some(&Problem::TooLarge { limit: 9 }));
        let body = response.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(
            body,
            "request_too_large: The request's content is too large: at most 9 bytes are accepted.\n"
        );
    }
}
