//! The proxy's ground over real sockets: callers and upstreams are scripts that write and read
//! bytes.

mod draining;
mod expecting;
mod failing;
mod forwarding;
mod framing;
mod http2;
mod streaming;
mod timing;
mod tls;
mod upgrading;

use std::{convert::Infallible, net::SocketAddr, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::oneshot,
    task::JoinHandle,
};
use tower::{Layer, Service};
use weir::{
    Body, Drained, Problem, ServeOptions, Upstream, UpstreamSettings, edge::FaultsLayer, serve,
};

/// A proxy between the test's caller and the test's upstream.
struct Proxy {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    ended: JoinHandle<Drained>,
}

impl Proxy {
    async fn before(upstream: &Listener) -> Proxy {
        Proxy::with(&format!("http://{}", upstream.address()), |_| {}).await
    }

    async fn with(url: &str, change: impl FnOnce(&mut UpstreamSettings)) -> Proxy {
        let mut settings = UpstreamSettings::new(url.parse().unwrap());
        change(&mut settings);
        let options =
            ServeOptions { caller_address: settings.forwarded, ..ServeOptions::default() };
        Proxy::serving(service(settings), options).await
    }

    async fn serving<S>(service: S, options: ServeOptions) -> Proxy
    where
        S: Service<
                http::Request<Body>,
                Response = http::Response<Body>,
                Error = Infallible,
                Future: Send,
            > + Clone
            + Send
            + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel();
        let shutdown = async move { drop(stopped.await) };
        Proxy { address, stop, ended: tokio::spawn(serve(listener, service, options, shutdown)) }
    }

    async fn caller(&self) -> Wire {
        Wire::new(TcpStream::connect(self.address).await.unwrap())
    }

    /// One request over a connection of its own; everything that comes back until the proxy closes
    /// it.
    async fn ask(&self, request: &str) -> String {
        let mut caller = self.caller().await;
        caller.write(request).await;
        caller.rest().await
    }
}

fn service(
    settings: UpstreamSettings,
) -> impl Service<http::Request<Body>, Response = http::Response<Body>, Error = Infallible, Future: Send>
+ Clone
+ Send
+ 'static {
    before(Upstream::new(settings).unwrap())
}

/// Everything of the proxy but the rules.
fn before(
    upstream: Upstream,
) -> impl Service<http::Request<Body>, Response = http::Response<Body>, Error = Infallible, Future: Send>
+ Clone
+ Send
+ 'static {
    FaultsLayer::new(in_plain_text).layer(upstream.hygiene().layer(upstream))
}

fn in_plain_text(_: &http::Uri, _: &http::HeaderMap, problem: Problem) -> http::Response<Body> {
    let text = format!("{}: {}\n", problem.code(), problem.message());
    problem.into_response("text/plain; charset=utf-8", text.into())
}

/// An upstream.
struct Listener(TcpListener);

impl Listener {
    async fn new() -> Listener {
        Listener(TcpListener::bind("127.0.0.1:0").await.unwrap())
    }

    fn address(&self) -> SocketAddr {
        self.0.local_addr().unwrap()
    }

    async fn accept(&self) -> Wire {
        Wire::new(self.0.accept().await.unwrap().0)
    }

    /// Serves one request on one connection: reads a head, writes `answer`, and hands the
    /// connection over.
    async fn answer(&self, answer: &str) -> (String, Wire) {
        let mut wire = self.accept().await;
        let head = wire.head().await;
        wire.write(answer).await;
        (head, wire)
    }
}

/// One end of a connection.
struct Wire {
    stream: TcpStream,
    read: Vec<u8>,
}

impl Wire {
    fn new(stream: TcpStream) -> Wire {
        Wire { stream, read: Vec::new() }
    }

    async fn write(&mut self, text: &str) {
        self.stream.write_all(text.as_bytes()).await.unwrap();
    }

    /// The next message's head, its empty line included.
    async fn head(&mut self) -> String {
        self.until("\r\n\r\n").await
    }

    /// Everything up to and including `mark`.
    async fn until(&mut self, mark: &str) -> String {
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
    async fn exactly(&mut self, n: usize) -> String {
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
    async fn rest(&mut self) -> String {
        while self.more().await {}
        text(std::mem::take(&mut self.read))
    }

    async fn more(&mut self) -> bool {
        self.stream.read_buf(&mut self.read).await.is_ok_and(|n| n > 0)
    }

    /// Closes with a reset.
    fn reset(self) {
        socket2::SockRef::from(&self.stream).set_linger(Some(Duration::ZERO)).unwrap();
    }
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap()
}

/// A head without the line that differs from second to second.
fn undated(message: &str) -> String {
    message.split_inclusive("\r\n").filter(|line| !line.starts_with("date: ")).collect()
}

fn status(message: &str) -> &str {
    message.lines().next().unwrap_or_default()
}

/// Lets everything that can run, run. On a paused clock a sleep ends when all else waits.
async fn idle() {
    tokio::time::sleep(Duration::from_millis(1)).await;
}
