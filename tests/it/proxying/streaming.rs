use super::*;
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

/// More than all the buffers on the way can hold.
const MUCH: usize = 64 << 20;

/// Writes `MUCH` bytes and counts those that the socket has taken.
fn pour(mut stream: TcpStream) -> Arc<AtomicUsize> {
    let poured = Arc::new(AtomicUsize::new(0));
    let count = poured.clone();
    tokio::spawn(async move {
        let chunk = vec![b'x'; 1 << 16];
        while count.load(Ordering::Relaxed) < MUCH {
            stream.write_all(&chunk).await.unwrap();
            count.fetch_add(chunk.len(), Ordering::Relaxed);
        }
        std::future::pending::<()>().await;
    });
    poured
}

/// Takes all that was poured, on a clock that runs: this much traffic keeps the kernel busy while
/// the runtime looks idle.
async fn drink(wire: &mut Wire) {
    tokio::time::resume();
    let mut left = MUCH - wire.read.len();
    let mut buffer = vec![0; 1 << 16];
    while left > 0 {
        let n = wire.stream.read(&mut buffer).await.unwrap();
        assert_ne!(n, 0, "closed with {left} bytes to come");
        left -= n;
    }
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_does_not_read_holds_upstream_back() {
    let upstream = Listener::new().await;
    let proxy = Proxy::before(&upstream).await;
    let mut caller = proxy.caller().await;
    caller.write("GET / HTTP/1.1\r\nHost: w\r\n\r\n").await;
    let (_, wire) =
        upstream.answer(&format!("HTTP/1.1 200 OK\r\nContent-Length: {MUCH}\r\n\r\n")).await;
    let poured = pour(wire.stream);
    caller.head().await;
    idle().await;
    assert!(poured.load(Ordering::Relaxed) < MUCH, "nobody holds the whole answer in memory");
    drink(&mut caller).await;
}

#[tokio::test(start_paused = true)]
async fn upstream_that_does_not_read_holds_the_caller_back() {
    let upstream = Listener::new().await;
    let proxy = Proxy::before(&upstream).await;
    let mut caller = proxy.caller().await;
    caller.write(&format!("POST / HTTP/1.1\r\nHost: w\r\nContent-Length: {MUCH}\r\n\r\n")).await;
    let mut wire = upstream.accept().await;
    wire.head().await;
    let poured = pour(caller.stream);
    idle().await;
    assert!(poured.load(Ordering::Relaxed) < MUCH, "nobody holds the whole call in memory");
    drink(&mut wire).await;
}

#[tokio::test]
async fn each_part_passes_before_the_next_is_written() {
    let upstream = Listener::new().await;
    let proxy = Proxy::before(&upstream).await;
    let mut caller = proxy.caller().await;
    caller.write("POST / HTTP/1.1\r\nHost: w\r\nTransfer-Encoding: chunked\r\n\r\n").await;
    let mut wire = upstream.accept().await;
    wire.head().await;
    wire.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").await;
    caller.head().await;
    for part in ["2\r\nab\r\n", "1\r\nc\r\n", "0\r\n\r\n"] {
        caller.write(part).await;
        assert_eq!(wire.exactly(part.len()).await, part);
        wire.write(part).await;
        assert_eq!(caller.exactly(part.len()).await, part);
    }
}

#[tokio::test]
async fn a_connection_is_used_again_after_a_long_answer() {
    let upstream = Listener::new().await;
    let proxy = Proxy::before(&upstream).await;
    let mut caller = proxy.caller().await;
    let long = "x".repeat(300_000);
    let mut wire = None;
    for _ in 0..3 {
        caller.write("GET / HTTP/1.1\r\nHost: w\r\n\r\n").await;
        let upstream = match &mut wire {
            Some(wire) => wire,
            none => none.insert(upstream.accept().await),
        };
        upstream.head().await;
        upstream
            .write(&format!(
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n{long}\r\n0\r\n\r\n",
                long.len()
            ))
            .await;
        caller.until("\r\n0\r\n\r\n").await;
    }
}

#[tokio::test(start_paused = true)]
async fn an_unused_connection_is_closed_in_time() {
    let upstream = Listener::new().await;
    let proxy = Proxy::with(&format!("http://{}", upstream.address()), |settings| {
        settings.pool_idle = Duration::from_secs(5)
    })
    .await;
    let mut caller = proxy.caller().await;
    caller.write("GET / HTTP/1.1\r\nHost: w\r\n\r\n").await;
    let (_, mut wire) = upstream.answer("HTTP/1.1 204 No Content\r\n\r\n").await;
    caller.head().await;
    let before = tokio::time::Instant::now();
    assert_eq!(wire.rest().await, "");
    assert_eq!(before.elapsed().as_secs(), 5);
}
