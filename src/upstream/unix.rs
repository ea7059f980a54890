//! Reaches upstream over a Unix socket, with or without TLS.

use super::{
    settings::UpstreamSettings,
    tls::{self, Offer, Tls, TlsError},
};
use futures_util::future::BoxFuture;
use http::Uri;
use hyper_rustls::MaybeHttpsStream;
use hyper_util::rt::TokioIo;
use std::{
    io,
    path::Path,
    sync::Arc,
    task::{Context, Poll},
};
use tokio::net::UnixStream;
use tower::{BoxError, Service};

/// A Unix socket behind which upstream is.
#[derive(Clone)]
pub(super) enum UnixTransport {
    Plain(Dialer),
    Tls(Tls<Dialer>),
}

impl UnixTransport {
    pub(super) fn new(path: &Path, settings: &UpstreamSettings) -> Result<Self, TlsError> {
        let dialer = Dialer(path.into());
        match settings.target.is_https() {
            true => tls::over(dialer, settings).map(Self::Tls),
            false => Ok(Self::Plain(dialer)),
        }
    }

    /// Connects. TLS goes by the name in `address`, and ALPN offers this.
    pub(super) async fn stream(
        self,
        address: Uri,
        offer: Offer,
    ) -> Result<MaybeHttpsStream<TokioIo<UnixStream>>, BoxError> {
        match self {
            Self::Plain(mut dialer) => Ok(MaybeHttpsStream::Http(dialer.call(address).await?)),
            Self::Tls(tls) => tls.offering(offer).clone().call(address).await,
        }
    }
}

/// Connects to one Unix socket, whatever it is asked for.
#[derive(Clone)]
pub(super) struct Dialer(Arc<Path>);

impl Service<Uri> for Dialer {
    type Response = TokioIo<UnixStream>;
    type Error = io::Error;
    type Future = BoxFuture<'static, io::Result<TokioIo<UnixStream>>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        let path = self.0.clone();
        Box::pin(async move {
            let stream = UnixStream::connect(&path).await;
            // The system's own text names no file.
            let named = |error: io::Error| {
                io::Error::new(error.kind(), format!("{}: {error}", path.display()))
            };
            stream.map(TokioIo::new).map_err(named)
        })
    }
}
