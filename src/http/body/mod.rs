//! The one body type for requests and responses, on every path through the proxy.
//!
//! A body is streamed untouched from hyper, or written whole by Weir, or is the part already read
//! of a body that proved too large, followed by its rest. None of these is boxed or copied.
//! Deliberately absent: decoding; a governed call decodes a copy of the bytes.

mod download;
mod received;
mod upload;

pub(crate) use upload::{Upload, UploadState};

use bytes::Bytes;
use download::Download;
use http::HeaderMap;
use http_body::{Body as _, Frame, SizeHint};
use http_body_util::{BodyExt, combinators::UnsyncBoxBody};
use hyper::body::Incoming;
use received::Received;
use std::{
    collections::VecDeque,
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};
use tower::BoxError;
use upload::Watched;

/// A request's or a response's body.
///
/// Its error says what ended it too early: an error of hyper's, a time-out, or the error of a boxed
/// body.
pub struct Body {
    kind: Kind,
    /// Set while the body goes upstream, to find out which side stalls.
    upload: Option<Watched>,
}

enum Kind {
    Empty,
    /// Without content, but with the `Content-Length` that a GET would have.
    HeadOnly,
    Full(Bytes),
    WithTrailers(Bytes, Box<HeaderMap>),
    /// From a caller.
    Received(Received),
    /// From upstream.
    Download(Download),
    /// The part already read, then the rest.
    Partial(VecDeque<Bytes>, Box<Kind>),
    Boxed(UnsyncBoxBody<Bytes, BoxError>),
}

impl Body {
    /// Makes a body without content.
    pub fn empty() -> Self {
        Kind::Empty.into()
    }

    /// Makes an empty body that keeps its `Content-Length`, as in a 304. hyper drops the length of
    /// a body that starts out empty, except for HEAD.
    pub(crate) fn head_only() -> Self {
        Kind::HeadOnly.into()
    }

    /// Makes a body of this content, written to the wire together with the head.
    pub fn full(content: impl Into<Bytes>) -> Self {
        let content = content.into();
        if content.is_empty() { Body::empty() } else { Kind::Full(content).into() }
    }

    /// Makes a body of this content and these trailers. Its length is not announced: trailers need
    /// the chunked coding (RFC 9112 section 7.1.2).
    pub fn with_trailers(content: impl Into<Bytes>, trailers: HeaderMap) -> Self {
        Kind::WithTrailers(content.into(), Box::new(trailers)).into()
    }

    /// Makes a body of what hyper reads from a peer, frame by frame.
    pub fn incoming(body: Incoming) -> Self {
        if body.is_end_stream() {
            Body::empty()
        } else {
            Kind::Received(Received::new(body)).into()
        }
    }

    /// Makes a body of any other, at the cost of an allocation and a virtual call for each frame.
    pub fn boxed<B>(body: B) -> Self
    where
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        Kind::Boxed(body.map_err(Into::into).boxed_unsync()).into()
    }

    /// Makes a body of the part already read and the rest.
    pub(in crate::http) fn partial(mut read: VecDeque<Bytes>, rest: Body) -> Self {
        read.retain(|bytes| !bytes.is_empty());
        if read.is_empty() {
            rest
        } else {
            Body { kind: Kind::Partial(read, Box::new(rest.kind)), upload: rest.upload }
        }
    }

    /// Makes a body of what upstream sends, with at most `read_timeout` between two frames. Calls
    /// `at_end` when the body has ended, and drops it when the body breaks off or is dropped: it
    /// holds the connection, which this room need not know.
    pub(crate) fn download(
        body: Incoming,
        read_timeout: Duration,
        at_end: impl FnOnce() + Send + 'static,
    ) -> Self {
        Kind::Download(Download::new(body.into(), read_timeout, Box::new(at_end))).into()
    }

    /// Makes a body of what upstream sends over HTTP/2, as [`Self::download`] does.
    pub(crate) fn download_http2(
        body: Incoming,
        read_timeout: Duration,
        at_end: impl FnOnce() + Send + 'static,
    ) -> Self {
        let mut body = Received::new(body);
        body.over_http2();
        Kind::Download(Download::new(body.into(), read_timeout, Box::new(at_end))).into()
    }

    /// Copies a body that is whole, so that what was not processed can be sent again. A streamed
    /// one has no copy.
    pub(crate) fn copy(&self) -> Option<Self> {
        let kind = match &self.kind {
            Kind::Empty => Kind::Empty,
            Kind::HeadOnly => Kind::HeadOnly,
            Kind::Full(content) => Kind::Full(content.clone()),
            Kind::WithTrailers(content, trailers) => {
                Kind::WithTrailers(content.clone(), trailers.clone())
            }
            Kind::Received(_) | Kind::Download(_) | Kind::Partial(..) | Kind::Boxed(_) => {
                return None;
            }
        };
        Some(kind.into())
    }

    /// Lets content that is whole be taken in parts of at most `most` bytes: a body that was handed
    /// over at once says nothing of how much of it has gone.
    pub(crate) fn in_parts(self, most: usize) -> Self {
        match self.kind {
            Kind::Full(content) if content.len() > most => {
                let parts = (0..content.len()).step_by(most.max(1));
                let end = |at: usize| content.len().min(at.saturating_add(most));
                let parts = parts.map(|at| content.slice(at..end(at))).collect();
                Body { kind: Kind::Partial(parts, Box::new(Kind::Empty)), upload: self.upload }
            }
            _ => self,
        }
    }

    /// Says that a caller sends this body over HTTP/2, where the end of a whole body is marked.
    pub(crate) fn over_http2(&mut self) {
        if let Kind::Received(body) = &mut self.kind {
            body.over_http2();
        }
    }

    /// Returns true for a body that announced no content and may still bring some, so that it is
    /// not known yet whether the request is whole.
    pub(crate) fn is_doubtful(&self) -> bool {
        matches!(&self.kind, Kind::Received(body) if body.is_doubtful())
    }

    /// Returns true for a body whose bytes arrive over time, so that a peer can delay it or break
    /// it off.
    pub(crate) fn is_streamed(&self) -> bool {
        !matches!(self.kind, Kind::Empty | Kind::HeadOnly | Kind::Full(_) | Kind::WithTrailers(..))
    }

    /// Reports every frame, stall and end to `upload`.
    pub(crate) fn watched(mut self, upload: Arc<Upload>) -> Self {
        self.upload = Some(Watched(upload));
        self
    }
}

impl From<Kind> for Body {
    fn from(kind: Kind) -> Self {
        Self { kind, upload: None }
    }
}

impl Default for Body {
    fn default() -> Self {
        Body::empty()
    }
}

impl From<Bytes> for Body {
    fn from(content: Bytes) -> Self {
        Body::full(content)
    }
}

/// Shows the form and the length, never the content.
impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let form = match self.kind {
            Kind::Empty => "empty",
            Kind::HeadOnly => "head-only",
            Kind::Full(_) => "full",
            Kind::WithTrailers(..) => "with-trailers",
            Kind::Received(_) => "received",
            Kind::Download(_) => "download",
            Kind::Partial(..) => "partial",
            Kind::Boxed(_) => "boxed",
        };
        let size = self.size_hint();
        f.debug_struct("Body")
            .field("form", &form)
            .field("at_least", &size.lower())
            .field("at_most", &size.upper())
            .finish()
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let Body { kind, upload } = &mut *self;
        let Some(Watched(upload)) = upload else { return kind.poll_frame(context) };
        if let Err(error) = ready!(upload.poll_released(context)) {
            return Poll::Ready(Some(Err(error.into())));
        }
        let polled = kind.poll_frame(context);
        upload.note(&polled, kind.is_end_stream());
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.kind.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.kind.size_hint()
    }
}

impl Kind {
    fn poll_frame(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let frame = match self {
            Self::Empty => None,
            Self::HeadOnly => {
                *self = Self::Empty;
                None
            }
            Self::Full(content) => {
                let content = std::mem::take(content);
                *self = Self::Empty;
                Some(Ok(Frame::data(content)))
            }
            Self::WithTrailers(content, trailers) if content.is_empty() => {
                let trailers = std::mem::take(&mut **trailers);
                *self = Self::Empty;
                Some(Ok(Frame::trailers(trailers)))
            }
            Self::WithTrailers(content, _) => Some(Ok(Frame::data(std::mem::take(content)))),
            Self::Received(body) => ready!(body.poll_frame(context)),
            Self::Download(body) => ready!(body.poll_frame(context)),
            Self::Partial(read, rest) => match read.pop_front() {
                Some(bytes) => Some(Ok(Frame::data(bytes))),
                None => ready!(rest.poll_frame(context)),
            },
            Self::Boxed(body) => ready!(Pin::new(body).poll_frame(context)),
        };
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Empty => true,
            Self::HeadOnly | Self::Full(_) | Self::WithTrailers(..) => false,
            Self::Received(body) => body.is_end_stream(),
            Self::Download(body) => body.is_end_stream(),
            Self::Partial(read, rest) => read.is_empty() && rest.is_end_stream(),
            Self::Boxed(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Empty => SizeHint::with_exact(0),
            Self::HeadOnly => SizeHint::default(),
            Self::Full(content) => SizeHint::with_exact(content.len() as u64),
            Self::WithTrailers(content, _) => at_least(content.len() as u64, SizeHint::default()),
            Self::Received(body) => body.size_hint(),
            Self::Download(body) => body.size_hint(),
            Self::Partial(read, rest) => {
                at_least(read.iter().map(|bytes| bytes.len() as u64).sum(), rest.size_hint())
            }
            Self::Boxed(body) => body.size_hint(),
        }
    }
}

/// Adds `read` bytes to the hint of a body's rest.
fn at_least(read: u64, rest: SizeHint) -> SizeHint {
    let mut hint = SizeHint::new();
    let upper = rest.upper().and_then(|upper| upper.checked_add(read));
    hint.set_lower(rest.lower().saturating_add(read));
    if let Some(upper) = upper {
        hint.set_upper(upper);
    }
    hint
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::Full;

    #[test]
    fn sizes_and_ends_are_exact_where_they_are_known() {
        let cases: [(Body, u64, Option<u64>, bool); 6] = [
            (Body::empty(), 0, Some(0), true),
            (Body::full(""), 0, Some(0), true),
            (Body::full("abc"), 3, Some(3), false),
            (Body::with_trailers("abc", HeaderMap::new()), 3, None, false),
            (Body::partial([Bytes::from("ab")].into(), Body::full("cde")), 5, Some(5), false),
            (Body::boxed(Full::new(Bytes::from("abcd"))), 4, Some(4), false),
        ];
        for (body, lower, upper, ended) in cases {
            assert_eq!(
                (body.size_hint().lower(), body.size_hint().upper(), body.is_end_stream()),
                (lower, upper, ended),
                "{body:?}"
            );
        }
    }

    #[tokio::test]
    async fn a_full_body_is_one_frame_and_then_at_its_end() {
        let mut body = Body::full("abc");
        assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), "abc");
        assert!(body.is_end_stream());
        assert!(body.frame().await.is_none());
    }

    #[test]
    fn whole_bodies_have_a_copy_and_streamed_ones_have_none() {
        for body in [Body::empty(), Body::full("abc"), Body::with_trailers("ab", HeaderMap::new())]
        {
            assert_eq!(format!("{:?}", body.copy().unwrap()), format!("{body:?}"));
        }
        assert!(Body::boxed(Full::new(Bytes::from("abcd"))).copy().is_none());
        assert!(Body::partial([Bytes::from("ab")].into(), Body::full("cde")).copy().is_none());
    }

    #[test]
    fn debug_shows_no_content() {
        assert_eq!(
            format!("{:?}", Body::full("4111")),
            "Body { form: \"full\", at_least: 4, at_most: Some(4) }"
        );
    }
}
