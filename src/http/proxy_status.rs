//! Names a fault in `Proxy-Status`, for whoever traces a call through several proxies (RFC 9209).

use super::error::UpstreamError;
use http::{HeaderName, HeaderValue};
use std::{error::Error, fmt};
use tower::BoxError;

/// The name of the header field.
pub(crate) const PROXY_STATUS: HeaderName = HeaderName::from_static("proxy-status");

/// The type of a fault (RFC 9209 section 2.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProxyError {
    /// Upstream's name cannot be resolved.
    Dns,
    /// Upstream refuses connections.
    ConnectionRefused,
    /// No way leads to upstream's address.
    Unroutable,
    /// Connecting took too long.
    ConnectionTimeout,
    /// The connection ended before the answer began.
    ConnectionTerminated,
    /// Upstream's certificate does not hold.
    TlsCertificate,
    /// Upstream ended the TLS handshake with an alert.
    TlsAlert,
    /// The TLS handshake failed otherwise.
    TlsProtocol,
    /// Upstream cannot be reached for another reason.
    Unavailable,
    /// Upstream's answer broke off.
    ResponseIncomplete,
    /// Upstream's answer is not HTTP as it should be.
    ResponseMalformed,
    /// Upstream's answer came too late.
    ResponseTimeout,
    /// The request is at fault.
    Request,
    /// Weir answered without asking upstream, or without learning enough from it.
    OwnAnswer,
    /// A fault in Weir.
    Internal,
}

impl ProxyError {
    /// Returns the field's value.
    pub(crate) fn field(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::Dns => "weir; error=dns_error",
            Self::ConnectionRefused => "weir; error=connection_refused",
            Self::Unroutable => "weir; error=destination_ip_unroutable",
            Self::ConnectionTimeout => "weir; error=connection_timeout",
            Self::ConnectionTerminated => "weir; error=connection_terminated",
            Self::TlsCertificate => "weir; error=tls_certificate_error",
            Self::TlsAlert => "weir; error=tls_alert_received",
            Self::TlsProtocol => "weir; error=tls_protocol_error",
            Self::Unavailable => "weir; error=destination_unavailable",
            Self::ResponseIncomplete => "weir; error=http_response_incomplete",
            Self::ResponseMalformed => "weir; error=http_protocol_error",
            Self::ResponseTimeout => "weir; error=http_response_timeout",
            Self::Request => "weir; error=http_request_error",
            Self::OwnAnswer => "weir; error=proxy_internal_response",
            Self::Internal => "weir; error=proxy_internal_error",
        })
    }

    /// Names what an exchange failed of.
    pub(super) fn of(error: &UpstreamError) -> Self {
        match error {
            UpstreamError::Unreachable(cause) => cause
                .downcast_ref::<ConnectFailure>()
                .map_or(Self::Unavailable, |failure| failure.named),
            UpstreamError::NotSent(_) => Self::ConnectionTerminated,
            UpstreamError::TimedOut { sent: false } => Self::ConnectionTimeout,
            UpstreamError::TimedOut { sent: true } => Self::ResponseTimeout,
            UpstreamError::Broken { cause, .. } => match cause.downcast_ref::<hyper::Error>() {
                Some(error) if error.is_incomplete_message() => Self::ResponseIncomplete,
                Some(error) if !error.is_parse() => Self::ConnectionTerminated,
                _ => Self::ResponseMalformed,
            },
            UpstreamError::Caller { .. } => Self::Request,
        }
    }
}

/// Why there is no connection, with its name. It shows as its cause does.
#[derive(Debug)]
pub(crate) struct ConnectFailure {
    named: ProxyError,
    cause: BoxError,
}

impl ConnectFailure {
    pub(crate) fn new(named: ProxyError, cause: BoxError) -> Self {
        Self { named, cause }
    }
}

impl fmt::Display for ConnectFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.cause.fmt(f)
    }
}

impl Error for ConnectFailure {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.cause.source()
    }
}
