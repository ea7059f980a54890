//! One body type for requests and responses, on every path through the proxy.
//!
//! In flow: what hyper reads (streamed, untouched), what Weir writes (whole), and what was read of
//! a body that turned out too large to be read whole. Nothing is boxed or copied for these.
//! Deliberately absent: decoding; a governed call decodes a copy of the bytes.

mod download;
mod upload;

use download::Download;
pub(crate) use upload::{Turn, Upload};

use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http_body::{Body as _, Frame, SizeHint};
use http_body_util::{BodyExt, combinators::UnsyncBoxBody};
use hyper::body::Incoming;
use std::{
    collections::VecDeque,
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

/// What ends a body too early: hyper's errors, time-outs, whatever a boxed body says.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// A request's or a response's body.
pub struct Body {
    kind: Kind,
    /// Set while the body goes upstream: who is to blame if it stops moving.
    upload: Option<Arc<Upload>>,
}

enum Kind {
    Empty,
    Withheld,
    Full(Bytes),
    Trailed(Bytes, Box<HeaderMap>),
    Incoming(Incoming),
    Download(Download),
    Prefixed(VecDeque<Bytes>, Box<Kind>),
    Boxed(UnsyncBoxBody<Bytes, BoxError>),
}

impl Body {
    /// No content.
    pub fn empty() -> Self {
        Kind::Empty.into()
    }

    /// No content, though a length is announced: a 304 to a caller over HTTP/1.1. hyper keeps the
    /// `Content-Length` of an answer that is empty from the start to a HEAD only, and of this
    /// one always; it writes content for neither.
    pub(crate) fn withheld() -> Self {
        Kind::Withheld.into()
    }

    /// All of the content at once: written to the wire together with the head.
    pub fn full(content: impl Into<Bytes>) -> Self {
        let content = content.into();
        if content.is_empty() { Body::empty() } else { Kind::Full(content).into() }
    }

    /// All of the content, then trailers. Its length is not announced: trailers need the chunked
    /// coding (RFC 9112 section 7.1.2).
    pub fn trailed(content: impl Into<Bytes>, trailers: HeaderMap) -> Self {
        Kind::Trailed(content.into(), Box::new(trailers)).into()
    }

    /// What hyper reads from a peer, frame by frame.
    pub fn incoming(body: Incoming) -> Self {
        if body.is_end_stream() { Body::empty() } else { Kind::Incoming(body).into() }
    }

    /// Any other body: costs an allocation and a virtual call a frame.
    pub fn boxed<B>(body: B) -> Self
    where
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        Kind::Boxed(body.map_err(Into::into).boxed_unsync()).into()
    }

    /// `prefix`, then `rest`: a body of which a part has been read.
    pub fn after(prefix: Bytes, rest: Body) -> Self {
        Body::after_all(VecDeque::from([prefix]), rest)
    }

    fn after_all(mut read: VecDeque<Bytes>, rest: Body) -> Self {
        read.retain(|bytes| !bytes.is_empty());
        if read.is_empty() {
            rest
        } else {
            Body { kind: Kind::Prefixed(read, Box::new(rest.kind)), upload: rest.upload }
        }
    }

    /// What upstream sends, which may be silent for `idle` between two frames. `at_end` is called
    /// when the body has ended, and dropped when it breaks off or is given up.
    pub(crate) fn download(
        body: Incoming,
        idle: Duration,
        at_end: impl FnOnce() + Send + 'static,
    ) -> Self {
        Kind::Download(Download::new(body, idle, Box::new(at_end))).into()
    }

    /// True for a body whose bytes arrive over time: one that the peer at its other end can hold up
    /// or break off.
    pub(crate) fn is_streamed(&self) -> bool {
        !matches!(self.kind, Kind::Empty | Kind::Withheld | Kind::Full(_) | Kind::Trailed(..))
    }

    /// Reports every frame, stall and end to `upload`.
    pub(crate) fn watched(mut self, upload: Arc<Upload>) -> Self {
        self.upload = Some(upload);
        self
    }
}

impl From<Kind> for Body {
    fn from(kind: Kind) -> Self {
        Body { kind, upload: None }
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

/// Names the form and the length, never the content.
impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let form = match self.kind {
            Kind::Empty => "empty",
            Kind::Withheld => "withheld",
            Kind::Full(_) => "full",
            Kind::Trailed(..) => "trailed",
            Kind::Incoming(_) => "incoming",
            Kind::Download(_) => "download",
            Kind::Prefixed(..) => "prefixed",
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
        let Some(upload) = upload else { return kind.poll_frame(context) };
        ready!(upload.poll_wanted(context));
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
            Kind::Empty => None,
            Kind::Withheld => {
                *self = Kind::Empty;
                None
            }
            Kind::Full(content) => {
                let content = std::mem::take(content);
                *self = Kind::Empty;
                Some(Ok(Frame::data(content)))
            }
            Kind::Trailed(content, trailers) if content.is_empty() => {
                let trailers = std::mem::take(&mut **trailers);
                *self = Kind::Empty;
                Some(Ok(Frame::trailers(trailers)))
            }
            Kind::Trailed(content, _) => Some(Ok(Frame::data(std::mem::take(content)))),
            Kind::Incoming(body) => {
                ready!(Pin::new(body).poll_frame(context)).map(|frame| frame.map_err(Into::into))
            }
            Kind::Download(body) => ready!(body.poll_frame(context)),
            Kind::Prefixed(read, rest) => match read.pop_front() {
                Some(bytes) => Some(Ok(Frame::data(bytes))),
                None => ready!(rest.poll_frame(context)),
            },
            Kind::Boxed(body) => ready!(Pin::new(body).poll_frame(context)),
        };
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Kind::Empty => true,
            Kind::Withheld | Kind::Full(_) | Kind::Trailed(..) => false,
            Kind::Incoming(body) => body.is_end_stream(),
            Kind::Download(body) => body.is_end_stream(),
            Kind::Prefixed(read, rest) => read.is_empty() && rest.is_end_stream(),
            Kind::Boxed(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Kind::Empty => SizeHint::with_exact(0),
            Kind::Withheld => SizeHint::default(),
            Kind::Full(content) => SizeHint::with_exact(content.len() as u64),
            Kind::Trailed(content, _) => at_least(content.len() as u64, SizeHint::default()),
            Kind::Incoming(body) => body.size_hint(),
            Kind::Download(body) => body.size_hint(),
            Kind::Prefixed(read, rest) => {
                at_least(read.iter().map(|bytes| bytes.len() as u64).sum(), rest.size_hint())
            }
            Kind::Boxed(body) => body.size_hint(),
        }
    }
}

/// `rest` with `read` bytes before it.
fn at_least(read: u64, rest: SizeHint) -> SizeHint {
    let mut hint = SizeHint::new();
    let upper = rest.upper().and_then(|upper| upper.checked_add(read));
    hint.set_lower(rest.lower().saturating_add(read));
    if let Some(upper) = upper {
        hint.set_upper(upper);
    }
    hint
}

/// A body that has been read to its end.
#[derive(Clone, Default)]
pub struct Whole {
    /// The content.
    pub bytes: Bytes,
    /// What came after it.
    pub trailers: Option<HeaderMap>,
}

impl Whole {
    /// The body as it came; cheap, the content is shared.
    pub fn to_body(&self) -> Body {
        match &self.trailers {
            None => Body::full(self.bytes.clone()),
            Some(trailers) => Body::trailed(self.bytes.clone(), trailers.clone()),
        }
    }
}

/// The length and nothing of the content.
impl fmt::Debug for Whole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Whole")
            .field("bytes", &self.bytes.len())
            .field("trailers", &self.trailers.is_some())
            .finish()
    }
}

/// Why a body could not be read whole.
#[derive(Debug)]
pub enum NotWhole {
    /// It is, or announces itself, longer than the limit. The body is given back with everything
    /// read so far before the rest of it, so that it can still be forwarded untouched.
    TooLarge(Body),
    /// It broke off.
    Broken(BoxError),
}

/// Reads a body of at most `limit` bytes. One that announces a greater length is not read at all: a
/// caller that asked with `Expect: 100-continue` is then never told to go on.
pub async fn collect(mut body: Body, limit: usize) -> Result<Whole, NotWhole> {
    if body.size_hint().lower() > limit as u64 {
        return Err(NotWhole::TooLarge(body));
    }
    let mut read = VecDeque::new();
    let mut length = 0;
    let mut trailers = None;
    while let Some(frame) = body.frame().await {
        match frame.map_err(NotWhole::Broken)?.into_data() {
            Ok(bytes) => {
                length += bytes.len();
                read.push_back(bytes);
                if length > limit {
                    return Err(NotWhole::TooLarge(Body::after_all(read, body)));
                }
            }
            Err(frame) => trailers = frame.into_trailers().ok(),
        }
    }
    Ok(Whole { bytes: joined(read, length), trailers })
}

/// The common body comes in one frame and is not copied.
fn joined(mut read: VecDeque<Bytes>, length: usize) -> Bytes {
    if read.len() <= 1 {
        return read.pop_front().unwrap_or_default();
    }
    let mut whole = BytesMut::with_capacity(length);
    for bytes in read {
        whole.extend_from_slice(&bytes);
    }
    whole.freeze()
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::stream;
    use http_body_util::{Full, StreamBody};

    fn frames(parts: &'static [&'static str]) -> Body {
        Body::boxed(StreamBody::new(stream::iter(
            parts.iter().map(|part| Ok::<_, BoxError>(Frame::data(Bytes::from(*part)))),
        )))
    }

    async fn text(body: Body) -> String {
        String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap()
    }

    #[test]
    fn sizes_and_ends_are_exact_where_they_are_known() {
        let cases: [(Body, u64, Option<u64>, bool); 6] = [
            (Body::empty(), 0, Some(0), true),
            (Body::full(""), 0, Some(0), true),
            (Body::full("abc"), 3, Some(3), false),
            (Body::trailed("abc", HeaderMap::new()), 3, None, false),
            (Body::after(Bytes::from("ab"), Body::full("cde")), 5, Some(5), false),
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

    #[tokio::test]
    async fn a_body_within_the_limit_is_read_whole() {
        assert_eq!(collect(frames(&["ab", "cd"]), 4).await.unwrap().bytes, "abcd");
        assert_eq!(collect(Body::empty(), 0).await.unwrap().bytes, "");
    }

    #[tokio::test]
    async fn a_body_over_the_limit_is_given_back_with_everything_in_it() {
        for body in [frames(&["ab", "cde", "f"]), Body::full("abcdef")] {
            let Err(NotWhole::TooLarge(body)) = collect(body, 4).await else {
                panic!("six bytes are more than four")
            };
            assert_eq!(text(body).await, "abcdef");
        }
    }

    #[tokio::test]
    async fn trailers_are_kept() {
        let trailers =
            HeaderMap::from_iter([(http::header::ETAG, http::HeaderValue::from_static("\"7\""))]);
        let whole = collect(Body::trailed("abc", trailers.clone()), 3).await.unwrap();
        assert_eq!(whole.bytes, "abc");
        assert_eq!(whole.trailers, Some(trailers.clone()));
        let again = whole.to_body().collect().await.unwrap();
        assert_eq!(again.trailers(), Some(&trailers));
        assert_eq!(again.to_bytes(), "abc");
    }

    #[tokio::test]
    async fn a_body_that_breaks_off_is_not_whole() {
        let body = Body::boxed(StreamBody::new(stream::iter([
            Ok(Frame::data(Bytes::from("ab"))),
            Err(BoxError::from("reset")),
        ])));
        assert!(matches!(collect(body, 9).await, Err(NotWhole::Broken(_))));
    }

    #[test]
    fn debug_shows_no_content() {
        assert_eq!(
            format!("{:?}", Body::full("4111")),
            "Body { form: \"full\", at_least: 4, at_most: Some(4) }"
        );
    }
}
