//! Answers a connection that is not served, or no longer: in the clear, once, and within a second.

use super::stream::Stream;
use std::time::Duration;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::timeout,
};

/// There are too many connections.
pub(super) const TOO_MANY: &str = "HTTP/1.1 503 Service Unavailable\r\n\
    content-type: text/plain; charset=utf-8\r\ncontent-length: 51\r\nretry-after: 1\r\n\
    connection: close\r\n\r\ntoo_many_connections: try again, nothing was taken\n";

/// The head of a request did not come in time.
pub(super) const TOO_SLOW: &str = "HTTP/1.1 408 Request Timeout\r\n\
    content-type: text/plain; charset=utf-8\r\ncontent-length: 60\r\nconnection: close\r\n\r\n\
    request_timeout: The request's head did not arrive in time.\n";

/// How long a farewell may take.
const LIMIT: Duration = Duration::from_secs(1);

/// Writes `answer` and closes. Reads what still comes, since a connection that is closed with bytes
/// unread is reset, and its peer may lose the answer.
pub(super) async fn answer(mut stream: Stream, answer: &str) {
    let farewell = async {
        stream.write_all(answer.as_bytes()).await.ok()?;
        stream.shutdown().await.ok()?;
        let mut unread = [0; 1024];
        while stream.read(&mut unread).await.ok()? > 0 {}
        Some(())
    };
    // A peer that does not take it in time is left without.
    let _ = timeout(LIMIT, farewell).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lengths_are_those_of_the_bodies() {
        for answer in [TOO_MANY, TOO_SLOW] {
            let (head, body) = answer.split_once("\r\n\r\n").unwrap();
            assert!(head.contains(&format!("\r\ncontent-length: {}\r\n", body.len())), "{answer}");
        }
    }
}
