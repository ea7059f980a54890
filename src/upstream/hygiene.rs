//! Header hygiene as a layer: the fields that a proxy must remove, set and keep (RFC 9110 section
//! 7.6, RFC 9112 sections 6, 7 and 9).
//!
//! Removed in both directions: `Connection` and the fields it names, `Keep-Alive`,
//! `Proxy-Connection`, `TE`, `Transfer-Encoding`, `Upgrade`, `HTTP2-Settings`, and the fields of
//! proxy authentication, which Weir does not do (`Proxy-Authorization`, `Proxy-Authenticate`,
//! `Proxy-Authentication-Info`). Removed from requests: `Upgrade` for good unless the switch is on,
//! and look-alikes of the framing's and the routing's fields. Set: the URI and `Host` to
//! upstream's, `Via`, and `Content-Length` to the body's length. Kept: all others, in their order
//! and with their bytes, `Forwarded` and `X-Forwarded-For` among them unless the switch is on;
//! `Trailer` too, which is not hop-by-hop (RFC 9110 section 6.6.2).

use super::{
    fields::{has_token, remove_hop_by_hop, remove_look_alikes, upgrade_of},
    framing::{frame_request, one_length},
    target::Target,
};
use crate::http::{Body, CallerAddress, UpstreamError, only_chunked};
use http::{
    HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode, Version,
    header::{self, Entry},
    request, response,
};
use http_body::Body as _;
use pin_project_lite::pin_project;
use std::{
    future::Future,
    net::IpAddr,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    task::{Context, Poll, ready},
};
use tower::{Layer, Service};

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

const CONNECTION_UPGRADE: HeaderValue = HeaderValue::from_static("upgrade");
const TE_OPTION: HeaderValue = HeaderValue::from_static("te");
const TRAILERS: HeaderValue = HeaderValue::from_static("trailers");

/// Prepares callers' requests for upstream, and upstream's answers for callers.
#[derive(Clone, Debug)]
pub struct HygieneLayer(Arc<Outward>);

/// The settings for requests to upstream.
#[derive(Clone, Debug)]
struct Outward {
    target: Target,
    switches: Arc<Switches>,
    /// Names of fields that `Connection` cannot remove, besides end-to-end fields.
    kept: Vec<&'static str>,
}

/// What can be switched while requests go through.
#[derive(Debug, Default)]
pub(super) struct Switches {
    forwarded: AtomicBool,
    upgrade: AtomicBool,
}

impl Switches {
    /// Switches both.
    pub(super) fn set(&self, forwarded: bool, upgrade: bool) {
        self.forwarded.store(forwarded, Relaxed);
        self.upgrade.store(upgrade, Relaxed);
    }
}

impl HygieneLayer {
    /// Makes a layer for a client of this upstream. Requests leave it with an absolute URI.
    pub fn new(target: Target) -> Self {
        Self(Arc::new(Outward { target, switches: Arc::default(), kept: Vec::new() }))
    }

    /// Says whether the caller's address is appended to `Forwarded` and `X-Forwarded-For`. It is
    /// taken from a [`CallerAddress`] in the request's extensions.
    pub fn forwarded(self, forwarded: bool) -> Self {
        let upgrade = self.0.switches.upgrade.load(Relaxed);
        self.switched(Arc::new(Switches { forwarded: forwarded.into(), upgrade: upgrade.into() }))
    }

    /// Says whether a request may switch to another protocol. If not, its `Upgrade` is removed, and
    /// upstream answers it as any other.
    pub fn upgrade(self, upgrade: bool) -> Self {
        let forwarded = self.0.switches.forwarded.load(Relaxed);
        self.switched(Arc::new(Switches { forwarded: forwarded.into(), upgrade: upgrade.into() }))
    }

    /// Goes by these switches from now on.
    pub(super) fn switched(self, switches: Arc<Switches>) -> Self {
        Self(Arc::new(Outward { switches, ..(*self.0).clone() }))
    }

    /// Keeps fields of these names, in lower case, even if a caller's `Connection` names them: the
    /// vendor's own fields that change what a call means.
    pub fn keeping(self, kept: Vec<&'static str>) -> Self {
        Self(Arc::new(Outward { kept, ..(*self.0).clone() }))
    }
}

impl<S> Layer<S> for HygieneLayer {
    type Service = Hygiene<S>;

    fn layer(&self, inner: S) -> Hygiene<S> {
        Hygiene { inner, outward: self.0.clone() }
    }
}

/// A client whose requests and answers go through header hygiene.
#[derive(Clone, Debug)]
pub struct Hygiene<S> {
    inner: S,
    outward: Arc<Outward>,
}

impl<S> Service<Request<Body>> for Hygiene<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error: Into<UpstreamError>>,
{
    type Response = Response<Body>;
    type Error = UpstreamError;
    type Future = HygieneFuture<S::Future>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), UpstreamError>> {
        self.inner.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let (mut parts, body) = request.into_parts();
        let over_http1 = parts.version != Version::HTTP_2;
        let caller = parts.extensions.remove::<CallerAddress>();
        // Where no address is known, what the call says of itself must not be the last.
        let caller = self.outward.switches.forwarded.load(Relaxed).then_some(caller);
        let target = &self.outward.target;
        to_upstream(&mut parts, &body, &self.outward, caller);
        // A client that keeps connections to many hosts reads the host from the URI.
        parts.uri = target.absolute(parts.uri);
        HygieneFuture { inner: self.inner.call(Request::from_parts(parts, body)), over_http1 }
    }
}

pin_project! {
    /// The future of [`Hygiene`].
    pub struct HygieneFuture<F> {
        #[pin]
        inner: F,
        over_http1: bool,
    }
}

impl<F, E> Future for HygieneFuture<F>
where
    F: Future<Output = Result<Response<Body>, E>>,
    E: Into<UpstreamError>,
{
    type Output = Result<Response<Body>, UpstreamError>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let response = ready!(this.inner.poll(context)).map_err(Into::into)?;
        let (mut parts, mut body) = response.into_parts();
        if *this.over_http1 && parts.status == StatusCode::NOT_MODIFIED && body.is_end_stream() {
            body = Body::head_only();
        }
        let cleaned = to_caller(&mut parts, &body);
        Poll::Ready(match cleaned {
            Ok(()) => Ok(Response::from_parts(parts, body)),
            Err(error) => Err(UpstreamError::Broken { sent: true, cause: error.into() }),
        })
    }
}

/// Turns a caller's request into one for upstream over HTTP/1.1. Keeps an `Upgrade` only if it may
/// be passed on. Appends `caller`, or that it is not known, to `Forwarded` and `X-Forwarded-For`,
/// unless nothing is to be told there.
fn to_upstream(
    parts: &mut request::Parts,
    body: &Body,
    outward: &Outward,
    caller: Option<Option<CallerAddress>>,
) {
    let target = &outward.target;
    let headers = &mut parts.headers;
    let upgrade = outward
        .switches
        .upgrade
        .load(Relaxed)
        .then(|| upgrade_of(headers, parts.version))
        .flatten();
    let trailers = headers.get_all(header::TE).iter().any(|te| has_token(te, "trailers"));
    remove_hop_by_hop(headers, &outward.kept);
    remove_look_alikes(headers, &outward.kept);
    headers.remove(header::PROXY_AUTHORIZATION);
    headers.insert(header::HOST, target.host().clone());
    headers.append(header::VIA, via(parts.version));
    if let Some(upgrade) = upgrade {
        headers.insert(header::UPGRADE, upgrade);
        headers.insert(header::CONNECTION, CONNECTION_UPGRADE);
    }
    if trailers {
        headers.insert(header::TE, TRAILERS);
        headers.append(header::CONNECTION, TE_OPTION);
    }
    if parts.version == Version::HTTP_2 {
        join_cookies(headers);
    }
    if let Some(caller) = caller {
        append_forwarded(headers, caller);
    }
    frame_request(&parts.method, headers, body);
    parts.uri = target.join(&parts.uri);
    parts.version = Version::HTTP_11;
}

/// Turns upstream's answer into one for the caller. Fails on a transfer coding other than
/// `chunked`, whose content could not be read; Weir's `TE` asks for none.
fn to_caller(parts: &mut response::Parts, body: &Body) -> Result<(), UnknownCoding> {
    let headers = &mut parts.headers;
    let upgrade =
        matches!(parts.status, StatusCode::SWITCHING_PROTOCOLS | StatusCode::UPGRADE_REQUIRED)
            .then(|| headers.get(header::UPGRADE).cloned())
            .flatten();
    if !only_chunked(headers) {
        return Err(UnknownCoding);
    }
    let chunked = headers.contains_key(header::TRANSFER_ENCODING);
    remove_hop_by_hop(headers, &[]);
    if let Some(upgrade) = upgrade {
        headers.insert(header::UPGRADE, upgrade);
        headers.insert(header::CONNECTION, CONNECTION_UPGRADE);
    }
    headers.append(header::VIA, via(parts.version));
    if chunked || parts.status == StatusCode::NO_CONTENT || parts.status.is_informational() {
        // RFC 9112 section 6.3 (chunked wins) and RFC 9110 section 8.6 (no length on a 1xx or 204).
        headers.remove(header::CONTENT_LENGTH);
    } else {
        one_length(headers, body);
    }
    parts.version = Version::HTTP_11;
    Ok(())
}

/// An answer in a transfer coding that was not asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a transfer coding other than chunked")]
struct UnknownCoding;

/// Returns `Via`, which states the version of the received message (RFC 9110 section 7.6.3).
fn via(version: Version) -> HeaderValue {
    HeaderValue::from_static(match version {
        Version::HTTP_09 | Version::HTTP_10 => "1.0 weir",
        Version::HTTP_2 => "2.0 weir",
        _ => "1.1 weir",
    })
}

/// Joins cookies that HTTP/2 has split into several fields; HTTP/1.1 needs one field (RFC 9113
/// section 8.2.3).
fn join_cookies(headers: &mut HeaderMap) {
    let Entry::Occupied(mut cookies) = headers.entry(header::COOKIE) else { return };
    if cookies.iter().nth(1).is_none() {
        return;
    }
    let crumbs: Vec<&[u8]> = cookies.iter().map(HeaderValue::as_bytes).collect();
    if let Ok(mut joined) = HeaderValue::from_bytes(&crumbs.join(&b"; "[..])) {
        joined.set_sensitive(true);
        cookies.insert(joined);
    }
}

/// Appends the caller's address (RFC 7239 section 4: an IPv6 address is quoted and in brackets), or
/// `unknown` (section 6.2), and the protocol that it speaks with Weir.
fn append_forwarded(headers: &mut HeaderMap, caller: Option<CallerAddress>) {
    let address =
        caller.and_then(|caller| caller.address).map(|address| address.ip().to_canonical());
    let node = match address {
        None => "unknown".to_owned(),
        Some(IpAddr::V4(address)) => address.to_string(),
        Some(IpAddr::V6(address)) => format!("\"[{address}]\""),
    };
    let proto = match caller {
        None => "",
        Some(CallerAddress { over_tls: true, .. }) => ";proto=https",
        Some(CallerAddress { over_tls: false, .. }) => ";proto=http",
    };
    let plain = address.map_or("unknown".to_owned(), |address| address.to_string());
    let forwarded = format!("for={node}{proto}");
    for (name, value) in [(header::FORWARDED, forwarded), (X_FORWARDED_FOR, plain)] {
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.append(name, value);
        }
    }
}

#[cfg(test)]
mod tests;
