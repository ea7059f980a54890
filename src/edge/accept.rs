//! Accepts connections and detects which version of HTTP they use.

use super::limited::Limited;
use std::{io, net::SocketAddr, time::Duration};
use tokio::{
    net::{TcpListener, TcpStream},
    time::sleep,
};

/// How long to wait when the process is out of file descriptors.
const ACCEPT_RETRY: Duration = Duration::from_millis(100);
/// How often to look for the rest of a preface.
const PREFACE_STEP: Duration = Duration::from_millis(10);

/// Accepts the next connection. Retries on error: either the peer left, or descriptors ran out and
/// will be freed.
pub(super) async fn accept(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok(accepted) => return accepted,
            Err(error) if is_peers_fault(&error) => {}
            Err(error) => {
                static LINES: Limited = Limited::new();
                if let Some(held_back) = LINES.pass() {
                    tracing::error!(%error, held_back, "cannot accept connections");
                }
                sleep(ACCEPT_RETRY).await;
            }
        }
    }
}

fn is_peers_fault(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

/// The version of HTTP that a caller uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protocol {
    Http1,
    Http2,
}

/// Detects the version of HTTP from the first bytes, without consuming them. HTTP/2 with prior
/// knowledge begins with `PRI` (RFC 9113 section 3.4), which is no method.
pub(super) async fn sniff_protocol(stream: &TcpStream) -> Option<Protocol> {
    const PRI: &[u8] = b"PRI";
    let mut first = [0; PRI.len()];
    loop {
        match stream.peek(&mut first).await {
            Ok(0) | Err(_) => return None,
            Ok(n) if first[..n] != PRI[..n] => return Some(Protocol::Http1),
            Ok(n) if n == PRI.len() => return Some(Protocol::Http2),
            // The caller sends byte by byte. What it has sent stays in the socket, which would be
            // readable again at once.
            Ok(_) => sleep(PREFACE_STEP).await,
        }
    }
}
