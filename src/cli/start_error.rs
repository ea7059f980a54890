//! Why a subcommand cannot start, and how that is reported.

use crate::{edge::TlsFileError, http::Chain, upstream::TlsError};
use std::{
    error::Error,
    fmt,
    io::{self, Write},
    process::ExitCode,
};

/// Why a gateway or an emulator cannot start: what, where, and what to do.
#[derive(Debug, thiserror::Error)]
pub(super) enum StartError {
    /// The address is taken.
    #[error(
        "cannot listen on {address} for {what}: the address is in use; \
         stop what uses it, or choose another with {flag}"
    )]
    InUse { what: &'static str, flag: &'static str, address: String },
    /// The address cannot be listened on.
    #[error("cannot listen on {address} for {what}: {error}; choose another with {flag}")]
    Listen { what: &'static str, flag: &'static str, address: String, error: io::Error },
    /// What was handed over is no listener.
    #[error(
        "cannot take the socket that was handed over (LISTEN_FDS): {0}; \
         hand a listener of TCP or Unix over, or unset LISTEN_FDS"
    )]
    HandedOver(io::Error),
    /// The walk of `weir dev` goes to an address and port.
    #[error("cannot print a walk to {0}: give `weir dev` an address and port with --listen")]
    NoPort(String),
    /// The configuration names no upstream.
    #[error("cannot prepare the way to upstream: upstream.url is not set")]
    NoUpstream,
    /// The proxy on the way cannot be used.
    #[error("cannot prepare the way to upstream: {0} is no proxy (`upstream.proxy`, HTTPS_PROXY)")]
    Proxy(String),
    /// Connections over TLS cannot be made.
    #[error("cannot prepare the way to upstream")]
    Tls(#[from] TlsError),
    /// TLS of callers cannot end here.
    #[error("cannot serve callers over TLS (`listen.certificates`, `listen.client-ca-file`)")]
    Certificates(#[from] TlsFileError),
    /// The thread that writes the decision log cannot be started.
    #[error("cannot start the decision log (`decision-log.to`): {0}")]
    DecisionLog(io::Error),
    /// The thread that sends traces cannot be started.
    #[cfg(feature = "otlp")]
    #[error("cannot start the traces (`otlp.endpoint`): {0}")]
    Traces(io::Error),
}

impl StartError {
    /// Returns what makes an error of `address` a `StartError`; `flag` chooses another address.
    pub(super) fn listening(
        what: &'static str,
        flag: &'static str,
        address: impl fmt::Display,
    ) -> impl Fn(io::Error) -> Self {
        let address = address.to_string();
        move |error| match error.kind() {
            io::ErrorKind::AddrInUse => Self::InUse { what, flag, address: address.clone() },
            _ => Self::Listen { what, flag, address: address.clone(), error },
        }
    }
}

/// Writes an error and its causes on one line of standard error.
pub(super) fn report(error: &(dyn Error + 'static)) -> io::Result<ExitCode> {
    writeln!(io::stderr(), "error: {}", Chain(error))?;
    Ok(ExitCode::FAILURE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_named_once_with_the_reason_and_the_flag() {
        let address = std::net::SocketAddr::from(([127, 0, 0, 1], 80));
        let listening = StartError::listening("callers", "--listen", address);
        assert_eq!(
            listening(io::ErrorKind::AddrInUse.into()).to_string(),
            "cannot listen on 127.0.0.1:80 for callers: the address is in use; \
             stop what uses it, or choose another with --listen"
        );
        assert_eq!(
            listening(io::Error::other("permission denied")).to_string(),
            "cannot listen on 127.0.0.1:80 for callers: permission denied; \
             choose another with --listen"
        );
    }
}
