//! An upstream that writes down what reaches it, and tells whole requests from broken-off ones.

use super::{Listener, Wire};
use std::net::SocketAddr;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::{JoinHandle, JoinSet},
};

/// What arrived over one connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) text: String,
    /// Whether its framing says that it is a whole request.
    pub(crate) is_whole: bool,
}

/// A recording upstream. It answers whole requests with 204.
pub(crate) struct Recorder {
    pub(crate) address: SocketAddr,
    task: JoinHandle<Vec<Seen>>,
}

/// Sent over a connection of its own: every connection before it has been accepted.
const LAST: &str = "LAST";

impl Recorder {
    pub(crate) async fn start() -> Self {
        let listener = Listener::new().await;
        let address = listener.address();
        let task = tokio::spawn(async move {
            let mut open = JoinSet::new();
            loop {
                let mut wire = listener.accept().await;
                let mut first = [0; LAST.len()];
                // A whole request is longer; a shorter one is a broken one.
                let n = wire.stream.peek(&mut first).await.unwrap_or_default();
                if &first[..n] == LAST.as_bytes() {
                    return open.join_all().await;
                }
                open.spawn(async move { read(&mut wire).await });
            }
        });
        Self { address, task }
    }

    /// Returns what arrived, once every connection has brought a whole request or has ended.
    pub(crate) async fn seen(self) -> Vec<Seen> {
        let mut last = TcpStream::connect(self.address).await.expect("a connection");
        last.write_all(LAST.as_bytes()).await.expect("sent");
        self.task.await.expect("a recorder")
    }
}

async fn read(wire: &mut Wire) -> Seen {
    let mut text = String::new();
    loop {
        if is_whole(&text) {
            let _ = wire.stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await;
            return Seen { text, is_whole: true };
        }
        let mut part = [0; 4096];
        match wire.stream.read(&mut part).await {
            Ok(n) if n > 0 => text.push_str(&String::from_utf8_lossy(&part[..n])),
            _ => return Seen { text, is_whole: false },
        }
    }
}

fn is_whole(text: &str) -> bool {
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let head = head.to_ascii_lowercase();
    if head.contains("transfer-encoding: chunked") {
        return body == "0\r\n\r\n" || body.contains("\r\n0\r\n") && body.ends_with("\r\n\r\n");
    }
    let length = head.split("content-length: ").nth(1).and_then(|rest| rest.lines().next());
    body.len() >= length.map_or(0, |length| length.parse().expect("a length"))
}
