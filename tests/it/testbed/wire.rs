//! Callers and upstreams that are scripts: they write and read bytes.

use std::{net::SocketAddr, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// An upstream.
pub(crate) struct Listener(TcpListener);

impl Listener {
    pub(crate) async fn new() -> Listener {
        Listener(TcpListener::bind("127.0.0.1:0").await.unwrap())
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.0.local_addr().unwrap()
    }

    pub(crate) async fn accept(&self) -> Wire {
        Wire::new(self.0.accept().await.unwrap().0)
    }

    /// Serves one request on one connection: reads a head, writes `answer`, and hands the
    /// connection over.
    pub(crate) async fn answer(&self, answer: &str) -> (String, Wire) {
        let mut wire = self.accept().await;
        let head = wire.head().await;
        wire.write(answer).await;
        (head, wire)
    }
}

/// One end of a connection.
pub(crate) struct Wire {
    pub(crate) stream: TcpStream,
    pub(crate) read: Vec<u8>,
}

impl Wire {
    pub(crate) fn new(stream: TcpStream) -> Wire {
        Wire { stream, read: Vec::new() }
    }

    pub(crate) async fn write(&mut self, text: &str) {
        self.stream.write_all(text.as_bytes()).await.unwrap();
    }

    /// The next message's head, its empty line included.
    pub(crate) async fn head(&mut self) -> String {
        self.until("\r\n\r\n").await
    }

    /// Everything up to and including `mark`.
    pub(crate) async fn until(&mut self, mark: &str) -> String {
        loop {
            if let Some(at) =
                self.read.windows(mark.len()).position(|window| window == mark.as_bytes())
            {
                return text(self.read.drain(..at + mark.len()).collect());
            }
            assert!(
                self.more().await,
                "closed before {mark:?}: {:?}",
                String::from_utf8_lossy(&self.read)
            );
        }
    }

    /// The next `n` bytes.
    pub(crate) async fn exactly(&mut self, n: usize) -> String {
        while self.read.len() < n {
            assert!(
                self.more().await,
                "closed before {n} bytes: {:?}",
                String::from_utf8_lossy(&self.read)
            );
        }
        text(self.read.drain(..n).collect())
    }

    /// Everything until the other end closes or resets.
    pub(crate) async fn rest(&mut self) -> String {
        while self.more().await {}
        text(std::mem::take(&mut self.read))
    }

    async fn more(&mut self) -> bool {
        self.stream.read_buf(&mut self.read).await.is_ok_and(|n| n > 0)
    }

    /// Closes with a reset.
    pub(crate) fn reset(self) {
        socket2::SockRef::from(&self.stream).set_linger(Some(Duration::ZERO)).unwrap();
    }
}

pub(crate) fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap()
}

/// A head without the line that differs from second to second.
pub(crate) fn undated(message: &str) -> String {
    message.split_inclusive("\r\n").filter(|line| !line.starts_with("date: ")).collect()
}

pub(crate) fn status(message: &str) -> &str {
    message.lines().next().unwrap_or_default()
}

/// Lets everything that can run, run. On a paused clock a sleep ends when all else waits.
pub(crate) async fn idle() {
    tokio::time::sleep(Duration::from_millis(1)).await;
}
