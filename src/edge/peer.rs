//! The other end of a connection, and what ends it.

use super::options::ServeOptions;
use std::{net::SocketAddr, sync::Arc, time::Duration};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

/// How long a connection that was accepted last may take to send its first byte.
const FIRST_BYTE_GRACE: Duration = Duration::from_millis(100);

/// The other end of a connection, and what ends it.
pub(super) struct Peer {
    /// `None`: it comes over a Unix socket.
    pub address: Option<SocketAddr>,
    pub options: Arc<ServeOptions>,
    /// Cancelled when no new requests are taken.
    pub draining: CancellationToken,
    /// Cancelled when open connections are cut.
    pub closed: CancellationToken,
}

impl Peer {
    /// Names it for a line of the log.
    pub(super) fn name(&self) -> String {
        self.address.map_or("a Unix socket".to_owned(), |address| address.to_string())
    }

    /// Waits for as long as a connection may take to send its first bytes.
    pub(super) async fn lose_patience(&self) {
        tokio::select! {
            () = sleep(self.options.header_timeout) => {}
            () = self.draining.cancelled() => sleep(FIRST_BYTE_GRACE).await,
        }
    }
}
