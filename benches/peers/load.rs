//! Sends calls: many connections at once, each with one call at a time; or one connection, at a
//! fixed rate.

use crate::stub::{CREDIT, MIB, length_of};
use std::{
    io::{Read, Write},
    net::TcpStream as BlockingStream,
    ops::Range,
    thread,
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    runtime::Builder,
    task::LocalSet,
};

/// A kind of call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Call {
    /// One that no rule governs; an answer of 4.8 KB.
    Product,
    /// A read of a checkout, of 4.8 KB.
    Checkout,
    /// Store credit attached to a checkout of its own.
    Attach,
    /// Store credit attached after a single-use card.
    TooLate,
    /// Ninety reads, eight attaches and two that are too late.
    Mixed,
    /// A megabyte from upstream.
    Download,
    /// A megabyte to upstream.
    Upload,
}

impl Call {
    /// Returns the call of this number.
    fn request(self, number: u64) -> Vec<u8> {
        let attach = |checkout: u64| {
            format!("POST /checkouts/{checkout:012}/sources/{CREDIT}{checkout:012}")
        };
        let line = match self {
            Self::Product => "GET /products/1?fields=id".to_owned(),
            Self::Checkout => format!("GET /checkouts/{:012}", checkout(number % 1_000)),
            Self::Attach => attach(100_000_000_000 + number),
            Self::TooLate => attach(held(number % 1_000)),
            Self::Mixed => return Self::of_a_mixture(number).request(number),
            Self::Download => "GET /large".to_owned(),
            Self::Upload => "POST /upload".to_owned(),
        };
        let body = if self == Self::Upload { vec![b'x'; MIB] } else { Vec::new() };
        let length = match line.starts_with("POST") {
            true => format!("Content-Length: {}\r\n", body.len()),
            false => String::new(),
        };
        let head = format!(
            "{line} HTTP/1.1\r\nHost: proxy\r\nAuthorization: Bearer sk_test_0123456789\r\nAccept: application/json\r\nUser-Agent: bench\r\n{length}\r\n"
        );
        [head.into_bytes(), body].concat()
    }

    fn of_a_mixture(number: u64) -> Self {
        match number % 50 {
            0 => Self::TooLate,
            1..=4 => Self::Attach,
            _ => Self::Checkout,
        }
    }

    /// Whether Weir refuses the call of this number.
    fn is_refused(self, number: u64) -> bool {
        match self {
            Self::TooLate => true,
            Self::Mixed => Self::of_a_mixture(number) == Self::TooLate,
            _ => false,
        }
    }
}

/// A checkout that holds nothing.
fn checkout(number: u64) -> u64 {
    177_000_000_000 + number
}

/// A checkout that holds a single-use card.
fn held(number: u64) -> u64 {
    200_000_000_000 + number
}

/// Lets a proxy see the checkouts that hold a card, as a shop does before it attaches.
pub(crate) fn show_what_is_held(port: u16) {
    let mut stream = BlockingStream::connect(("127.0.0.1", port)).expect("the proxy listens");
    for number in 0..1_000 {
        let request = format!(
            "GET /checkouts/{:012} HTTP/1.1\r\nHost: proxy\r\nAuthorization: Bearer sk_test_0123456789\r\nAccept: application/json\r\n\r\n",
            held(number)
        );
        ask(&mut stream, request.as_bytes(), "200");
    }
}

/// Sends the calls of these numbers over so many connections.
pub(crate) fn send(port: u16, call: Call, numbers: Range<u64>, connections: u64, enforces: bool) {
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    LocalSet::new().block_on(&runtime, async {
        let one = |connection: u64| {
            let numbers = numbers.clone().skip(connection as usize).step_by(connections as usize);
            tokio::task::spawn_local(async move {
                let stream = TcpStream::connect(("127.0.0.1", port)).await;
                let mut stream = stream.expect("the proxy listens");
                stream.set_nodelay(true).expect("a socket");
                let mut read = vec![0; 64 << 10];
                for number in numbers {
                    let refused = enforces && call.is_refused(number);
                    let request = call.request(number);
                    stream.write_all(&request).await.expect("the proxy reads");
                    take(&mut stream, &mut read, if refused { "409" } else { "200" }).await;
                }
            })
        };
        let callers: Vec<_> = (0..connections).map(one).collect();
        for caller in callers {
            caller.await.expect("no panic");
        }
    });
}

/// Reads one answer, and passes over its body.
async fn take(stream: &mut TcpStream, read: &mut [u8], status: &str) {
    let (mut end, mut whole) = (0, None);
    let mut kept = 0;
    while whole.is_none_or(|whole| end < whole) {
        let n = stream.read(&mut read[kept..]).await.expect("the proxy answers");
        assert_ne!(n, 0, "the proxy hung up");
        end += n;
        kept = if whole.is_some() { 0 } else { kept + n };
        if whole.is_none()
            && let Some(head) = read[..kept].windows(4).position(|bytes| bytes == b"\r\n\r\n")
        {
            whole = Some(whole_length(&read[..head + 4], status));
            kept = 0;
        }
    }
}

fn whole_length(head: &[u8], status: &str) -> usize {
    let text = std::str::from_utf8(head).expect("a head in ASCII");
    assert!(text[9..].starts_with(status), "{text}");
    head.len() + length_of(text)
}

/// Opens so many connections, makes one call on each, and keeps them.
pub(crate) fn connect(port: u16, connections: usize) -> Vec<BlockingStream> {
    let open = |_| {
        let mut stream = BlockingStream::connect(("127.0.0.1", port)).expect("the proxy listens");
        ask(&mut stream, &Call::Checkout.request(1), "200");
        stream
    };
    (0..connections).map(open).collect()
}

/// Makes one call a millisecond, and returns the median of the times to the answer.
pub(crate) fn median(port: u16, call: Call, numbers: Range<u64>) -> Duration {
    let mut stream = BlockingStream::connect(("127.0.0.1", port)).expect("the proxy listens");
    stream.set_nodelay(true).expect("a socket");
    let begun = Instant::now();
    let mut times: Vec<Duration> = numbers
        .enumerate()
        .map(|(n, number)| {
            let due = begun + Duration::from_millis(n as u64);
            thread::sleep(due.saturating_duration_since(Instant::now()));
            let asked = Instant::now();
            ask(&mut stream, &call.request(number), "200");
            asked.elapsed()
        })
        .collect();
    times.sort_unstable();
    times[times.len() / 2]
}

fn ask(stream: &mut BlockingStream, request: &[u8], status: &str) {
    stream.write_all(request).expect("the proxy reads");
    let mut read = vec![0; 16 << 10];
    let (mut end, mut whole) = (0, None);
    while whole.is_none_or(|whole| end < whole) {
        let n = stream.read(&mut read[end..]).expect("the proxy answers");
        assert_ne!(n, 0, "the proxy hung up");
        end += n;
        let head = read[..end].windows(4).position(|bytes| bytes == b"\r\n\r\n");
        whole = whole.or(head.map(|head| whole_length(&read[..head + 4], status)));
    }
}
