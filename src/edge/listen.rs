//! Opens a listener for each worker on one address, among which the kernel spreads connections
//! (`SO_REUSEPORT`), or takes one that was handed over, from which all workers accept.

use super::listener::Listener;
use socket2::{Domain, Protocol, Socket, Type};
use std::{
    io,
    net::{SocketAddr, TcpListener},
};

/// Connections that may wait to be accepted, per listener.
const BACKLOG: i32 = 1024;

/// Opens `n` listeners (at least one) on `address`; port 0 is chosen once and shared by all.
///
/// # Errors
/// Returns an error if the address cannot be bound. A first bind without `SO_REUSEPORT` finds out
/// whether another process listens on it: otherwise two proxies of one user could share a port
/// unknowingly.
pub fn listeners(address: SocketAddr, n: usize) -> io::Result<Vec<TcpListener>> {
    let exclusive = socket(address)?;
    if n <= 1 {
        return Ok(vec![listening(exclusive)?]);
    }
    let address = exclusive.local_addr()?.as_socket().unwrap_or(address);
    drop(listening(exclusive)?);
    (0..n).map(|_| shared(address).and_then(listening)).collect()
}

/// Takes the first socket that was handed over to the process (systemd's `LISTEN_FDS`), for `n`
/// workers (at least one). `None`: none was. Whoever handed it over keeps it open, so that
/// connections wait while one process takes the other's place.
///
/// # Errors
/// Returns an error if the socket is no listener of TCP or Unix.
pub(crate) fn handed_over(n: usize) -> io::Result<Option<Vec<Listener>>> {
    let mut sockets = listenfd::ListenFd::from_env();
    let listener = match sockets.take_tcp_listener(0) {
        Ok(Some(listener)) => listener,
        Ok(None) => return Ok(None),
        #[cfg(unix)]
        Err(error) => match sockets.take_unix_listener(0) {
            Ok(Some(listener)) => return super::listen_unix::shared(listener, n).map(Some),
            _ => return Err(error),
        },
        #[cfg(not(unix))]
        Err(error) => return Err(error),
    };
    let mut listeners = (1..n).map(|_| listener.try_clone()).collect::<io::Result<Vec<_>>>()?;
    listeners.push(listener);
    Ok(Some(listeners.into_iter().map(Listener::Tcp).collect()))
}

/// Binds a socket that does not listen yet. It fails if there is a listener, but not because of a
/// former process's connections that are still closing (`SO_REUSEADDR`).
fn socket(address: SocketAddr) -> io::Result<Socket> {
    let socket = unbound(address)?;
    socket.bind(&address.into())?;
    Ok(socket)
}

fn shared(address: SocketAddr) -> io::Result<Socket> {
    let socket = unbound(address)?;
    socket.set_reuse_port(true)?;
    socket.bind(&address.into())?;
    Ok(socket)
}

fn unbound(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

fn listening(socket: Socket) -> io::Result<TcpListener> {
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANY: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);

    #[test]
    fn all_listeners_share_the_port_that_was_chosen() {
        let listeners = listeners(ANY, 3).unwrap();
        let ports: Vec<u16> =
            listeners.iter().map(|listener| listener.local_addr().unwrap().port()).collect();
        assert_eq!(ports, [ports[0]; 3]);
        assert_ne!(ports[0], 0);
    }

    #[test]
    fn an_address_in_use_is_an_error() {
        for (first, second) in [(1, 1), (1, 2), (2, 1), (2, 2)] {
            let held = listeners(ANY, first).unwrap();
            let address = held[0].local_addr().unwrap();
            let error = listeners(address, second).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::AddrInUse, "{first} then {second}");
        }
    }
}
