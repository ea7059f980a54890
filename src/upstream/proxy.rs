//! Reaches upstream's port: directly, or through a proxy that opens a tunnel to it (CONNECT).
//!
//! In: upstream's address. Out: a TCP stream that ends at upstream. What is sent through the tunnel
//! is as without one: TLS begins at Weir and ends at upstream. Nothing of a request is sent before
//! the tunnel is open.

use http::{HeaderValue, Uri, uri::Authority};
use hyper_util::{
    client::{
        legacy::connect::{HttpConnector, proxy::Tunnel},
        proxy::matcher::Matcher,
    },
    rt::TokioIo,
};
use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};
use tokio::net::TcpStream;
use tower::{BoxError, Service};

/// A proxy on the way to upstream. It shows without its credentials.
#[derive(Clone, PartialEq, Eq)]
pub struct UpstreamProxy {
    address: Uri,
    credentials: Option<HeaderValue>,
}

impl UpstreamProxy {
    /// Takes a proxy's URL: `http`, a host, perhaps a port (80 if none), a user and a password;
    /// `None` if it is not one.
    pub fn new(url: &str) -> Option<Self> {
        let matcher = Matcher::builder().https(url).build();
        let found = matcher.intercept(&Uri::from_static("https://upstream"))?;
        let credentials = found.basic_auth().cloned();
        let address = found.uri().clone();
        (address.scheme_str() == Some("http")).then_some(Self { address, credentials })
    }

    fn tunnel(&self, tcp: HttpConnector) -> Tunnel<HttpConnector> {
        let tunnel = Tunnel::new(self.address.clone(), tcp);
        match &self.credentials {
            Some(credentials) => tunnel.with_auth(credentials.clone()),
            None => tunnel,
        }
    }
}

impl fmt::Display for UpstreamProxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let authority = self.address.authority().map(Authority::as_str).unwrap_or_default();
        write!(f, "http://{authority}")
    }
}

impl fmt::Debug for UpstreamProxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "UpstreamProxy({self})")
    }
}

/// The proxy opened no tunnel.
#[derive(Debug, thiserror::Error)]
#[error("the proxy {proxy} opened no tunnel to upstream")]
pub(super) struct NoTunnel {
    proxy: UpstreamProxy,
    source: BoxError,
}

/// There was no way through the proxy in time.
#[derive(Debug, thiserror::Error)]
#[error("connecting to upstream through the proxy {0} took too long")]
pub(super) struct SlowProxy(pub(super) UpstreamProxy);

/// Makes streams that end at upstream.
#[derive(Clone)]
pub(super) struct Tcp {
    tcp: HttpConnector,
    proxy: Option<UpstreamProxy>,
}

impl Tcp {
    pub(super) fn new(tcp: HttpConnector, proxy: Option<UpstreamProxy>) -> Self {
        Self { tcp, proxy }
    }
}

impl Service<Uri> for Tcp {
    type Response = TokioIo<TcpStream>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.tcp.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, upstream: Uri) -> Self::Future {
        let Some(proxy) = self.proxy.clone() else {
            let connecting = self.tcp.call(upstream);
            return Box::pin(async move { Ok(connecting.await?) });
        };
        let opening = proxy.tunnel(self.tcp.clone()).call(with_port(upstream));
        Box::pin(async move {
            opening.await.map_err(|error| NoTunnel { proxy, source: error.into() }.into())
        })
    }
}

/// Adds the scheme's own port: a tunnel would take 443 for any.
fn with_port(upstream: Uri) -> Uri {
    let (None, Some("http"), Some(host)) =
        (upstream.port(), upstream.scheme_str(), upstream.host())
    else {
        return upstream;
    };
    let built = Uri::builder().scheme("http").authority(format!("{host}:80"));
    built.path_and_query("/").build().unwrap_or(upstream)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_is_read_and_shows_no_credentials() {
        let proxy = UpstreamProxy::new("http://Aladdin:opensesame@proxy:3128").unwrap();
        let credentials = proxy.credentials.as_ref().unwrap();
        assert_eq!(credentials, "Basic QWxhZGRpbjpvcGVuc2VzYW1l");
        assert!(credentials.is_sensitive());
        assert_eq!(
            format!("{proxy} {proxy:?}"),
            "http://proxy:3128 UpstreamProxy(http://proxy:3128)"
        );
        for text in ["https://proxy", "socks5://proxy", "", "a b"] {
            assert_eq!(UpstreamProxy::new(text), None, "{text}");
        }
    }

    #[test]
    fn a_tunnel_leads_to_the_schemes_own_port() {
        for (url, expected) in [
            ("http://a/", "http://a:80/"),
            ("http://[::1]/", "http://[::1]:80/"),
            ("http://a:81/", "http://a:81/"),
            ("https://a/", "https://a/"),
        ] {
            assert_eq!(with_port(url.parse().unwrap()).to_string(), expected);
        }
    }
}
