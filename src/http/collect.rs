//! Reads a body whole, up to a bound.

use super::body::Body;
use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http_body::Body as _;
use http_body_util::BodyExt;
use std::{collections::VecDeque, fmt};
use tower::BoxError;

/// A body that has been read to its end.
#[derive(Clone, Default)]
pub struct Collected {
    /// The content.
    pub bytes: Bytes,
    /// The trailers, if there were any.
    pub trailers: Option<HeaderMap>,
}

impl Collected {
    /// Returns the body as it was read; cheap, the content is shared.
    pub fn to_body(&self) -> Body {
        match &self.trailers {
            None => Body::full(self.bytes.clone()),
            Some(trailers) => Body::with_trailers(self.bytes.clone(), trailers.clone()),
        }
    }
}

/// Shows the length and nothing of the content.
impl fmt::Debug for Collected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Collected")
            .field("bytes", &self.bytes.len())
            .field("trailers", &self.trailers.is_some())
            .finish()
    }
}

/// Why a body could not be read whole.
#[derive(Debug, thiserror::Error)]
pub enum CollectError {
    /// The body is, or announces itself as, longer than the limit. It is given back with everything
    /// that was read before the rest, so that it can still be forwarded untouched.
    #[error("the body is too large")]
    TooLarge(Body),
    /// The body broke off.
    #[error("the body broke off")]
    Broken(#[source] BoxError),
}

/// Reads a body of at most `limit` bytes. One that announces a greater length is not read at all,
/// so a caller that sent `Expect: 100-continue` never gets the 100.
pub async fn collect(mut body: Body, limit: usize) -> Result<Collected, CollectError> {
    if body.size_hint().lower() > limit as u64 {
        return Err(CollectError::TooLarge(body));
    }
    // A body usually comes in one frame, which is not copied. Further ones are joined at once: what
    // a caller sends byte by byte takes no more memory than its bytes.
    let (mut first, mut further) = (Bytes::new(), BytesMut::new());
    let mut trailers = None;
    while let Some(frame) = body.frame().await {
        match frame.map_err(CollectError::Broken)?.into_data() {
            Ok(bytes) if first.is_empty() => first = bytes,
            Ok(bytes) => further.extend_from_slice(&bytes),
            Err(frame) => trailers = frame.into_trailers().ok(),
        }
        if first.len() + further.len() > limit {
            let read = VecDeque::from([first, further.freeze()]);
            return Err(CollectError::TooLarge(Body::partial(read, body)));
        }
    }
    let bytes = match further.is_empty() {
        true => first,
        false => [first, further.freeze()].concat().into(),
    };
    Ok(Collected { bytes, trailers })
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::stream;
    use http_body::Frame;
    use http_body_util::StreamBody;

    fn frames(parts: &'static [&'static str]) -> Body {
        Body::boxed(StreamBody::new(stream::iter(
            parts.iter().map(|part| Ok::<_, BoxError>(Frame::data(Bytes::from(*part)))),
        )))
    }

    async fn text(body: Body) -> String {
        String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap()
    }

    #[tokio::test]
    async fn a_body_within_the_limit_is_read_whole() {
        assert_eq!(collect(frames(&["ab", "cd"]), 4).await.unwrap().bytes, "abcd");
        assert_eq!(collect(Body::empty(), 0).await.unwrap().bytes, "");
    }

    #[tokio::test]
    async fn a_body_over_the_limit_is_given_back_with_everything_in_it() {
        for body in [frames(&["ab", "cde", "f"]), Body::full("abcdef")] {
            let Err(CollectError::TooLarge(body)) = collect(body, 4).await else {
                panic!("six bytes are more than four")
            };
            assert_eq!(text(body).await, "abcdef");
        }
    }

    #[tokio::test]
    async fn trailers_are_kept() {
        let trailers =
            HeaderMap::from_iter([(http::header::ETAG, http::HeaderValue::from_static("\"7\""))]);
        let whole = collect(Body::with_trailers("abc", trailers.clone()), 3).await.unwrap();
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
        assert!(matches!(collect(body, 9).await, Err(CollectError::Broken(_))));
    }
}
