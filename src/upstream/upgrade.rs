//! Tunnels: copies both directions after upstream's 101, until both have ended.
//!
//! A shutdown does not wait for tunnels: Weir cannot see the protocol's messages, so it knows no
//! moment at which to end it politely.

use super::pool::Connection;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;

/// Copies between caller and upstream once both have switched. Keeps `connection` until upstream's
/// side has been handed over.
pub(super) fn tunnel(caller: OnUpgrade, upstream: OnUpgrade, connection: Connection) {
    tokio::spawn(async move {
        let switched = upstream.await;
        connection.detach();
        let (mut upstream, mut caller) = match (switched, caller.await) {
            (Ok(upstream), Ok(caller)) => (TokioIo::new(upstream), TokioIo::new(caller)),
            (Err(error), _) | (_, Err(error)) => {
                tracing::debug!(%error, "an upgrade was not completed");
                return;
            }
        };
        match tokio::io::copy_bidirectional(&mut caller, &mut upstream).await {
            Ok((up, down)) => tracing::debug!(up, down, "a tunnel ended"),
            Err(error) => tracing::debug!(%error, "a tunnel broke off"),
        }
    });
}
