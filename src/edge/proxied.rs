//! Takes the PROXY header off a connection of a peer that must send one.

use super::{
    limited::Limited,
    peer::Peer,
    proxy_header::{BrokenProxyHeader, MOST, ReadProxyHeader, read_proxy_header},
    socket::Socket,
};
use std::net::SocketAddr;

/// How much is read at once of what may be a header: most are shorter.
const STEP: usize = 512;

/// The connection is to be closed.
pub(super) struct Refused;

/// Returns the caller's address, if it has one that is known: takes the header off if the peer must
/// send one.
pub(super) async fn caller(
    socket: &mut Socket,
    peer: &Peer,
) -> Result<Option<SocketAddr>, Refused> {
    let (address, options) = (peer.address, &peer.options);
    if !options.proxy_peers.includes(address.map(|address| address.ip())) {
        return Ok(address);
    }
    let taken = tokio::select! {
        biased;
        taken = take(socket) => taken,
        () = peer.lose_patience() => Taken::Late,
    };
    let (bound, why) = match taken {
        Taken::Header(source) => return Ok(source.or(address)),
        // It says nothing, as one does that only looks whether somebody listens.
        Taken::Ended if socket.ahead().is_empty() => return Err(Refused),
        Taken::Late if peer.draining.is_cancelled() => return Err(Refused),
        Taken::Ended => ("proxy-header", "the connection ended within the PROXY header".to_owned()),
        Taken::Broken(why) => ("proxy-header", why.to_string()),
        Taken::Late => ("head-time", "the PROXY header did not arrive in time".to_owned()),
    };
    options.bound_hit(bound);
    static LINES: Limited = Limited::new();
    if let Some(held_back) = LINES.pass() {
        tracing::warn!(
            peer = peer.name(),
            held_back,
            "{why}, and `listen.proxy-protocol` names the peer: its connection was closed"
        );
    }
    Err(Refused)
}

/// How the taking of a header ended.
enum Taken {
    /// With the source that it names, if it names one.
    Header(Option<SocketAddr>),
    Broken(BrokenProxyHeader),
    Ended,
    Late,
}

async fn take(socket: &mut Socket) -> Taken {
    loop {
        match read_proxy_header(socket.ahead()) {
            ReadProxyHeader::Whole { source, length } => {
                socket.pass(length);
                return Taken::Header(source);
            }
            ReadProxyHeader::Broken(why) => return Taken::Broken(why),
            ReadProxyHeader::Part => {
                let most = MOST.min(socket.ahead().len() + STEP);
                if !matches!(socket.look_ahead(most).await, Ok(true)) {
                    return Taken::Ended;
                }
            }
        }
    }
}
