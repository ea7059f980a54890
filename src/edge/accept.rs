//! Accepts connections and detects which version of HTTP they use.

use super::{limited::Limited, listener::OpenListener, socket::Socket};
use std::{io, net::SocketAddr, time::Duration};
use tokio::time::sleep;

/// How long to wait when the process is out of file descriptors.
const ACCEPT_RETRY: Duration = Duration::from_millis(100);
/// How much to look at of what a connection begins with: mostly a whole head.
const LOOK: usize = 1024;

/// Accepts the next connection. Retries on error: either the peer left, or descriptors ran out and
/// will be freed.
pub(super) async fn accept(listener: &OpenListener) -> (Socket, Option<SocketAddr>) {
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

/// Detects the version of HTTP from the first bytes, which stay to be read. HTTP/2 with prior
/// knowledge begins with `PRI` (RFC 9113 section 3.4), which is no method.
pub(super) async fn sniff_protocol(socket: &mut Socket) -> Option<Protocol> {
    const PRI: &[u8] = b"PRI";
    loop {
        let first = &socket.ahead()[..socket.ahead().len().min(PRI.len())];
        if first == PRI {
            return Some(Protocol::Http2);
        } else if !PRI.starts_with(first) {
            return Some(Protocol::Http1);
        } else if !socket.look_ahead(LOOK).await.ok()? {
            return None;
        }
    }
}
