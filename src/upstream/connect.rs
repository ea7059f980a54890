//! Makes connections to upstream: TCP, racing both address families or through a proxy, and TLS by
//! rustls if the target is `https`; or over a Unix socket.

#[cfg(unix)]
use super::unix::UnixTransport;
use super::{
    http2::{self, Keeping},
    pool::Connection,
    proxy::{SlowProxy, Tcp, UpstreamProxy},
    settings::UpstreamSettings,
    tls::{self, Offer, Tls, TlsError},
};
use crate::http::{Body, ConnectFailure, ProxyError, UpstreamError};
use hyper::{
    client::conn::http1,
    rt::{Read, Write},
};
use hyper_rustls::MaybeHttpsStream;
use hyper_util::{client::legacy::connect::HttpConnector, rt::TokioIo};
use rustls::{CertificateError, InvalidMessage};
use std::{
    error::Error,
    hash::{BuildHasher, Hasher, RandomState},
    io,
    sync::Arc,
    time::Duration,
};
use tokio::{net::TcpStream, sync::Notify, time::Instant};
use tower::{BoxError, Service};

/// How many fields an answer may have. Upstream has carried out what it answers: an answer that is
/// refused is an outcome that nobody learns.
const MOST_FIELDS: usize = 512;

type Stream = MaybeHttpsStream<TokioIo<TcpStream>>;

/// Connects to one target. Cheap to clone: the trust store is read once and shared.
#[derive(Clone)]
pub(super) struct Connector {
    address: http::Uri,
    timeout: Duration,
    max_age: Duration,
    /// How long nothing may be heard over HTTP/2 before a PING asks.
    ping_after: Duration,
    /// The number of the connections that it makes.
    generation: u64,
    proxy: Option<UpstreamProxy>,
    transport: Transport,
}

#[derive(Clone)]
enum Transport {
    Plain(Tcp),
    Tls(Tls<Tcp>),
    #[cfg(unix)]
    Unix(UnixTransport),
}

/// A connection in the protocol that upstream has chosen.
pub(super) enum Made {
    Http1(Connection),
    Http2(Arc<http2::Connection>),
}

impl Connector {
    /// Makes a connector. The time-out for connecting bounds one connection, name resolution and
    /// TLS handshake included.
    pub(super) fn new(settings: &UpstreamSettings) -> Result<Self, TlsError> {
        let UpstreamSettings { target, connect_timeout: timeout, max_age, ping_after, .. } =
            settings;
        let transport = match &settings.socket {
            #[cfg(unix)]
            Some(path) => Transport::Unix(UnixTransport::new(path, settings)?),
            #[cfg(not(unix))]
            Some(_) => return Err(TlsError::NoUnixSockets),
            None if target.is_https() => Transport::Tls(tls::over(tcp(settings), settings)?),
            None => Transport::Plain(tcp(settings)),
        };
        let proxy = settings.proxy.clone();
        let (timeout, max_age, ping_after) = (*timeout, *max_age, *ping_after);
        Ok(Self {
            address: target.address(),
            timeout,
            max_age,
            ping_after,
            generation: 0,
            proxy,
            transport,
        })
    }

    /// Gives the connections that it makes this number.
    pub(super) fn numbered(self, generation: u64) -> Self {
        Self { generation, ..self }
    }

    /// Returns the number of the connections that it makes.
    pub(super) fn generation(&self) -> u64 {
        self.generation
    }

    /// Returns how long a connection may take.
    pub(super) fn timeout(&self) -> Duration {
        self.timeout
    }

    /// Makes a connection and drives it in a task of its own on the current runtime.
    pub(super) async fn connect(&self) -> Result<Connection, UpstreamError> {
        match &self.transport {
            Transport::Plain(_) | Transport::Tls(_) => {
                self.over_http1(self.in_time(self.tcp(Offer::Http1)).await?).await
            }
            #[cfg(unix)]
            Transport::Unix(socket) => {
                let stream = socket.clone().stream(self.address.clone(), Offer::Http1);
                self.over_http1(self.in_time(stream).await?).await
            }
        }
    }

    /// Makes a connection in the protocol that upstream chooses by ALPN. Over HTTP/2, `room` is
    /// notified when a call leaves it. The caller bounds the time.
    pub(super) async fn connect_either(&self, room: Arc<Notify>) -> Result<Made, UpstreamError> {
        match &self.transport {
            Transport::Plain(_) | Transport::Tls(_) => {
                self.over_either(self.in_time(self.tcp(Offer::Either)).await?, room).await
            }
            #[cfg(unix)]
            Transport::Unix(socket) => {
                let stream = socket.clone().stream(self.address.clone(), Offer::Either);
                self.over_either(self.in_time(stream).await?, room).await
            }
        }
    }

    async fn over_either<S>(
        &self,
        stream: MaybeHttpsStream<S>,
        room: Arc<Notify>,
    ) -> Result<Made, UpstreamError>
    where
        S: Read + Write + Unpin + Send + 'static,
    {
        if !tls::has_chosen_http2(&stream) {
            return self.over_http1(stream).await.map(Made::Http1);
        }
        let keeping = Keeping {
            ends: Instant::now() + jittered(self.max_age),
            generation: self.generation,
            ping_after: self.ping_after,
            ping_timeout: self.timeout,
        };
        http2::Connection::over(stream, keeping, room).await.map(Made::Http2)
    }

    async fn over_http1<S>(&self, stream: S) -> Result<Connection, UpstreamError>
    where
        S: Read + Write + Unpin + Send + 'static,
    {
        let (sender, connection) = http1::Builder::new()
            .max_headers(MOST_FIELDS)
            .handshake::<_, Body>(stream)
            .await
            .map_err(|error| UpstreamError::NotSent(error.into()))?;
        let driver = tokio::spawn(async move {
            if let Err(error) = connection.with_upgrades().await {
                tracing::debug!(%error, "a connection to upstream ended");
            }
        });
        let ends = Instant::now() + jittered(self.max_age);
        Ok(Connection::new(sender, ends, self.generation, driver.abort_handle()))
    }

    /// Waits for a stream for as long as a connection may take.
    async fn in_time<S>(
        &self,
        stream: impl Future<Output = Result<S, BoxError>>,
    ) -> Result<S, UpstreamError> {
        let failed = |error: BoxError| {
            let failure = ConnectFailure::new(named(&*error), hinted(error));
            UpstreamError::Unreachable(failure.into())
        };
        let late = |_| self.late();
        tokio::time::timeout(self.timeout, stream).await.map_err(late)?.map_err(failed)
    }

    /// Names a connection that was not made in time, with the proxy that it would lead through.
    pub(super) fn late(&self) -> UpstreamError {
        match self.proxy.clone().map(SlowProxy) {
            None => UpstreamError::TimedOut { sent: false },
            Some(slow) => UpstreamError::Unreachable(
                ConnectFailure::new(ProxyError::ConnectionTimeout, slow.into()).into(),
            ),
        }
    }

    async fn tcp(&self, offer: Offer) -> Result<Stream, BoxError> {
        match &self.transport {
            Transport::Plain(tcp) => {
                Ok(MaybeHttpsStream::Http(tcp.clone().call(self.address.clone()).await?))
            }
            Transport::Tls(tls) => tls.offering(offer).clone().call(self.address.clone()).await,
            #[cfg(unix)]
            Transport::Unix(_) => Err("upstream is behind a Unix socket".into()),
        }
    }
}

/// Opens the way to upstream's port, as for a connection.
#[cfg(feature = "cli")]
pub(crate) async fn open_stream(settings: &UpstreamSettings) -> Result<TcpStream, BoxError> {
    Ok(tcp(settings).call(settings.target.address()).await?.into_inner())
}

fn tcp(settings: &UpstreamSettings) -> Tcp {
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    Tcp::new(tcp, settings.proxy.clone())
}

/// Takes up to a tenth off, at random: connections that were made together do not end together.
fn jittered(age: Duration) -> Duration {
    let random = RandomState::new().build_hasher().finish() % 1000;
    age - age / 10_000 * u32::try_from(random).unwrap_or_default()
}

/// Upstream answered a TLS handshake with something else, as a port that speaks plain HTTP does.
#[derive(Debug, thiserror::Error)]
#[error("does upstream speak https? Its answer is not TLS")]
struct NotTls(#[source] BoxError);

/// Upstream's own certificate is marked as a CA's, as self-signed ones mostly are.
#[derive(Debug, thiserror::Error)]
#[error(
    "upstream's certificate is a CA's, as a self-signed one is; let a CA of your own sign upstream's, and name the CA's as ca-file"
)]
struct SelfSigned(#[source] BoxError);

/// Names why there is no connection.
fn named(error: &(dyn Error + 'static)) -> ProxyError {
    let mut named = ProxyError::Unavailable;
    // `caused_by` stops at the first cause of TLS, and says whether it is the one asked for.
    let is_tls = |of: fn(&rustls::Error) -> bool| caused_by(error, of);
    if is_tls(|error| matches!(error, rustls::Error::InvalidCertificate(_))) {
        return ProxyError::TlsCertificate;
    } else if is_tls(|error| matches!(error, rustls::Error::AlertReceived(_))) {
        return ProxyError::TlsAlert;
    } else if is_tls(|_| true) {
        return ProxyError::TlsProtocol;
    }
    let mut next = Some(error);
    while let Some(cause) = next {
        // The connector's own type is hidden: its text is all that tells.
        if cause.to_string() == "dns error" {
            return ProxyError::Dns;
        }
        match cause.downcast_ref::<io::Error>().map(io::Error::kind) {
            Some(io::ErrorKind::ConnectionRefused) => named = ProxyError::ConnectionRefused,
            Some(io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable) => {
                named = ProxyError::Unroutable;
            }
            Some(io::ErrorKind::TimedOut) => named = ProxyError::ConnectionTimeout,
            _ => {}
        }
        next = cause.source();
    }
    named
}

/// Adds to an error what its text does not say.
fn hinted(error: BoxError) -> BoxError {
    if caused_by(&*error, is_not_tls) {
        NotTls(error).into()
    } else if caused_by(&*error, is_a_ca) {
        SelfSigned(error).into()
    } else {
        error
    }
}

fn is_not_tls(error: &rustls::Error) -> bool {
    matches!(error, rustls::Error::InvalidMessage(InvalidMessage::InvalidContentType))
}

fn is_a_ca(error: &rustls::Error) -> bool {
    // rustls hands this one on as text.
    matches!(error, rustls::Error::InvalidCertificate(CertificateError::Other(other))
        if other.to_string().contains("CaUsedAsEndEntity"))
}

fn caused_by(error: &(dyn Error + 'static), is_it: fn(&rustls::Error) -> bool) -> bool {
    match (error.downcast_ref::<rustls::Error>(), error.downcast_ref::<io::Error>()) {
        (Some(error), _) => is_it(error),
        // Its source is its cause's source.
        (_, Some(error)) => error.get_ref().is_some_and(|cause| caused_by(cause, is_it)),
        _ => error.source().is_some_and(|source| caused_by(source, is_it)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::Chain;
    use tokio::{io::AsyncWriteExt, net::TcpListener};

    const MINUTE: Duration = Duration::from_secs(60);

    #[test]
    fn ages_differ_by_a_tenth_at_most() {
        let ages: Vec<_> = (0..100).map(|_| jittered(MINUTE)).collect();
        assert!(ages.iter().all(|age| (MINUTE * 9 / 10..=MINUTE).contains(age)), "{ages:?}");
        assert!(ages.iter().any(|age| *age != ages[0]), "{ages:?}");
    }

    #[tokio::test]
    async fn an_upstream_that_speaks_no_tls_is_told_as_that() {
        let authority = rcgen::generate_simple_self_signed(Vec::new()).unwrap();
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), authority.cert.pem()).unwrap();
        let upstream = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let target = format!("https://{}", upstream.local_addr().unwrap()).parse().unwrap();
        let mut settings = UpstreamSettings::new(target);
        settings.ca_file = Some(file.path().to_owned());
        let connector = Connector::new(&settings).unwrap();
        let plain = async {
            let mut stream = upstream.accept().await.unwrap().0;
            stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
            stream
        };
        let (_open, made) = tokio::join!(plain, connector.connect());
        let told = Chain(&made.err().unwrap()).to_string();
        let expected =
            "upstream is unreachable: does upstream speak https? Its answer is not TLS: ";
        assert!(told.starts_with(expected), "{told}");
    }
}
