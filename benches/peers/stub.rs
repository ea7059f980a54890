//! The payments API, as far as the proxies can tell: it answers from the head of a request, counts
//! the calls, and remembers nothing.

use crate::{relay::each_connection, vendor};
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// What the ids of store credit begin with; the twelve digits of its checkout follow.
pub(crate) const CREDIT: &str = "c9e79f0b-284a-4dbc-8659-";

/// The bytes of a large body.
pub(crate) const MIB: usize = 1 << 20;

#[derive(Clone, Default)]
pub(crate) struct Stub {
    calls: Arc<AtomicU64>,
}

impl Stub {
    /// Starts it on a thread of its own, and returns its port.
    pub(crate) fn start(&self) -> u16 {
        let calls = self.calls.clone();
        crate::on_a_thread("stub", move |listener| async move {
            each_connection(listener, |stream| serve(stream, calls.clone())).await;
        })
    }

    /// How many calls it has answered.
    pub(crate) fn calls(&self) -> u64 {
        self.calls.load(Ordering::Relaxed)
    }
}

async fn serve(mut stream: TcpStream, calls: Arc<AtomicU64>) {
    let large = vendor::answer(&"x".repeat(MIB));
    let mut read = vec![0; 64 << 10];
    let mut end = 0;
    loop {
        let head = loop {
            if let Some(head) = head_of(&read[..end]) {
                break head;
            }
            match stream.read(&mut read[end..]).await {
                Ok(n) if n > 0 => end += n,
                _ => return,
            }
        };
        let text = String::from_utf8_lossy(&read[..head]).into_owned();
        let mut rest = length_of(&text) - (end - head).min(length_of(&text));
        while rest > 0 {
            match stream.read(&mut read).await {
                Ok(n) if n > 0 => rest -= n.min(rest),
                _ => return,
            }
        }
        end = 0;
        calls.fetch_add(1, Ordering::Relaxed);
        let line = text.lines().next().unwrap_or_default();
        let written = match line.contains("/large ") {
            true => stream.write_all(large.as_bytes()).await,
            false => stream.write_all(answer(line).as_bytes()).await,
        };
        if written.is_err() {
            return;
        }
    }
}

/// Returns the length of a head, once it is there.
fn head_of(read: &[u8]) -> Option<usize> {
    read.windows(4).position(|bytes| bytes == b"\r\n\r\n").map(|at| at + 4)
}

/// Returns the length of the body that a head announces.
pub(crate) fn length_of(head: &str) -> usize {
    let fields = head.lines().filter_map(|line| line.split_once(": "));
    let mut lengths = fields.filter(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    lengths.next().and_then(|(_, length)| length.trim().parse().ok()).unwrap_or_default()
}

fn answer(line: &str) -> String {
    let parts: Vec<_> = line.split([' ', '/', '?']).filter(|part| !part.is_empty()).collect();
    let body = match parts[..] {
        ["GET", "checkouts", id, ..] => vendor::checkout(id, id.starts_with('2')),
        [_, "sources", id, ..] | ["POST", "checkouts", _, "sources", id, ..] => {
            let kind = if id.starts_with(CREDIT) { "customerCredit" } else { "creditCard" };
            vendor::source(id, kind, id.rsplit('-').next().unwrap_or_default())
        }
        [_, "upload", ..] => "{}".to_owned(),
        _ => "x".repeat(4_800),
    };
    vendor::answer(&body)
}
