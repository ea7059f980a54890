//! Between bytes and meaning: what was asked, read generously, and the answer as the caller wants
//! it.
//!
//! In: a whole HTTP request. Out: an [`Ask`]; and a [`Reply`] turned into an HTTP response in JSON
//! or XML, compressed if the caller accepts it. The reading is deliberately lenient, because a
//! strict stand-in would hide what a lenient vendor lets through: path letters may be
//! percent-encoded or in any case, `//`, dot segments, matrix parameters and trailing slashes are
//! tidied, bodies may be gzip or carry a byte order mark, `X-HTTP-Method-Override` counts, the
//! content type does not.

use std::io::{Read, Write};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, header};
use percent_encoding::percent_decode_str;

use super::{doc::Doc, refusal::Refusal, xml};

/// Larger bodies are answered 413.
const LARGEST_BODY: u64 = 1 << 20;

/// A request, read.
#[derive(Debug)]
pub(super) struct Ask {
    pub(super) method: Method,
    /// Path and query as they arrived.
    pub(super) target: String,
    /// The path's segments, tidied and decoded.
    pub(super) path: Vec<String>,
    /// Query parameters, as an object of texts.
    pub(super) query: Doc,
    pub(super) headers: HeaderMap,
    body: Bytes,
}

impl Ask {
    pub(super) fn read(request: Request<Bytes>) -> Ask {
        let (head, body) = request.into_parts();
        let overriding = head
            .headers
            .get("x-http-method-override")
            .and_then(|method| Method::from_bytes(method.as_bytes()).ok());
        let target = head
            .uri
            .path_and_query()
            .map_or_else(|| head.uri.path().to_owned(), |target| target.as_str().to_owned());
        let query = form_urlencoded::parse(head.uri.query().unwrap_or_default().as_bytes());
        Ask {
            method: overriding.unwrap_or(head.method),
            path: segments(head.uri.path()),
            query: Doc::Object(
                query
                    .map(|(name, value)| (name.into_owned(), Doc::Text(value.into_owned())))
                    .collect(),
            ),
            target,
            headers: head.headers,
            body,
        }
    }

    /// The path's segments in lower case, to be matched with words; ids are taken from `path`.
    pub(super) fn words(&self) -> Vec<String> {
        self.path.iter().map(|segment| segment.to_ascii_lowercase()).collect()
    }

    /// Changes something, as opposed to reading it.
    pub(super) fn mutation(&self) -> bool {
        !matches!(self.method, Method::GET | Method::HEAD | Method::OPTIONS)
    }

    /// The body as a tree; an empty one is an empty object.
    pub(super) fn body(&self) -> Result<Doc, Refusal> {
        let bytes = self.plain_body()?;
        let text = std::str::from_utf8(&bytes)
            .map_err(|_| malformed())?
            .trim_start_matches('\u{feff}')
            .trim();
        if text.is_empty() {
            return Ok(Doc::object());
        }
        let doc =
            if text.starts_with('<') { xml::read(text) } else { serde_json::from_str(text).ok() };
        doc.filter(|doc| matches!(doc, Doc::Object(_))).ok_or_else(malformed)
    }

    /// The body of an OAuth call: a form, or JSON.
    pub(super) fn form(&self) -> Result<Doc, Refusal> {
        let bytes = self.plain_body()?;
        if bytes.trim_ascii_start().starts_with(b"{") {
            return self.body();
        }
        let pairs = form_urlencoded::parse(&bytes)
            .map(|(name, value)| (name.into_owned(), Doc::Text(value.into_owned())));
        Ok(pairs
            .chain(self.query.members().iter().cloned())
            .fold(Doc::object(), |doc, (name, value)| doc.with(&name, value)))
    }

    fn plain_body(&self) -> Result<Bytes, Refusal> {
        let too_large =
            || Refusal::new(413, "request_entity_too_large", "The request is too large.");
        let coding = self
            .headers
            .get(header::CONTENT_ENCODING)
            .and_then(|coding| coding.to_str().ok())
            .unwrap_or("identity");
        let mut plain = Vec::new();
        let read = match coding.trim().to_ascii_lowercase().as_str() {
            "identity" | "" => (&self.body[..]).take(LARGEST_BODY + 1).read_to_end(&mut plain),
            "gzip" | "x-gzip" => flate2::read::MultiGzDecoder::new(&self.body[..])
                .take(LARGEST_BODY + 1)
                .read_to_end(&mut plain),
            "deflate" => flate2::read::ZlibDecoder::new(&self.body[..])
                .take(LARGEST_BODY + 1)
                .read_to_end(&mut plain),
            _ => {
                return Err(Refusal::new(
                    415,
                    "unsupported_media_type",
                    "The content encoding is not supported.",
                ));
            }
        };
        match read {
            Ok(length) if length as u64 > LARGEST_BODY => Err(too_large()),
            Ok(_) => Ok(plain.into()),
            Err(_) => Err(malformed()),
        }
    }

    /// JSON, where XML is the default.
    pub(super) fn wants_json(&self) -> bool {
        match self.query.text_of("format") {
            Some(format) => format.eq_ignore_ascii_case("json"),
            None => self
                .headers
                .get_all(header::ACCEPT)
                .iter()
                .any(|accept| accept.to_str().is_ok_and(|accept| accept.contains("json"))),
        }
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    fn accepts_gzip(&self) -> bool {
        self.header("accept-encoding").is_some_and(|codings| {
            codings.split(',').any(|coding| {
                let mut parts = coding.split(';').map(str::trim);
                parts.next().is_some_and(|name| name.eq_ignore_ascii_case("gzip"))
                    && !parts.any(|part| part == "q=0")
            })
        })
    }
}

/// An answer before it is written.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) doc: Option<Doc>,
    pub(super) headers: Vec<(HeaderName, String)>,
}

impl Reply {
    pub(super) fn new(status: u16, doc: Doc) -> Reply {
        Reply { status, doc: Some(doc), headers: Vec::new() }
    }

    pub(super) fn empty() -> Reply {
        Reply { status: 204, doc: None, headers: Vec::new() }
    }

    pub(super) fn with(mut self, name: HeaderName, value: impl Into<String>) -> Reply {
        self.headers.push((name, value.into()));
        self
    }

    /// The response: XML if the dialect's default holds, gzip if it is accepted and `gzip` is on.
    pub(super) fn write(self, ask: &Ask, as_xml: bool, gzip: bool) -> Response<Bytes> {
        let (body, kind) = match &self.doc {
            None => (Vec::new(), None),
            Some(doc) if as_xml => (xml::write(doc), Some("application/xml;charset=UTF-8")),
            Some(doc) => (doc.to_json(), Some("application/json;charset=UTF-8")),
        };
        let squeeze = gzip && !body.is_empty() && ask.accepts_gzip();
        let body = if squeeze { squeezed(&body).unwrap_or(body) } else { body };
        let mut response = Response::new(Bytes::from(body));
        *response.status_mut() =
            StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let headers = response.headers_mut();
        if let Some(kind) = kind {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
            headers.insert(header::VARY, HeaderValue::from_static("Accept-Encoding"));
        }
        if squeeze {
            headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        for (name, value) in self.headers {
            if let Ok(value) = HeaderValue::from_str(&value) {
                headers.insert(name, value);
            }
        }
        response
    }
}

pub(super) fn malformed() -> Refusal {
    Refusal::new(400, "bad_request", "The request body is not valid.")
}

fn squeezed(body: &[u8]) -> Option<Vec<u8>> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(body).ok()?;
    encoder.finish().ok()
}

fn segments(path: &str) -> Vec<String> {
    let decoded = percent_decode_str(path).decode_utf8_lossy();
    let mut out: Vec<String> = Vec::new();
    for segment in decoded.split('/') {
        match segment.split(';').next().unwrap_or_default() {
            "" | "." => {}
            ".." => drop(out.pop()),
            segment => out.push(segment.to_owned()),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_read_as_a_lenient_server_reads_them() {
        for path in [
            "/checkouts/1",
            "//checkouts//1/",
            "/x/../checkouts/./1",
            "/%63heckouts/1",
            "/checkouts;v=1/1",
        ] {
            assert_eq!(segments(path), ["checkouts", "1"], "{path}");
        }
    }

    #[test]
    fn a_body_is_read_whatever_its_type_says() {
        let read = |body: &'static [u8]| Ask::read(Request::new(Bytes::from_static(body))).body();
        assert_eq!(read(b"").unwrap(), Doc::object());
        assert_eq!(read(b"\xEF\xBB\xBF{\"a\":\"1\"}").unwrap(), Doc::object().with("a", "1"));
        assert_eq!(read(b"<a>1</a>").unwrap(), Doc::object().with("a", "1"));
        for bad in [&b"{"[..], b"[]", b"\xff", b"{\"a\":1}x"] {
            assert_eq!(read(Box::leak(bad.to_vec().into_boxed_slice())).unwrap_err().status, 400);
        }
        let deep: &'static [u8] =
            Box::leak("{\"a\":".repeat(100_000).into_bytes().into_boxed_slice());
        assert_eq!(read(deep).unwrap_err().status, 400);
    }

    #[test]
    fn gzip_is_used_only_when_it_is_accepted() {
        for (accept, squeezed) in
            [("gzip", true), ("br, gzip;q=0.5", true), ("gzip;q=0", false), ("identity", false)]
        {
            let request =
                Request::builder().header("accept-encoding", accept).body(Bytes::new()).unwrap();
            let response = Reply::new(200, Doc::object()).write(&Ask::read(request), false, true);
            assert_eq!(response.headers().contains_key("content-encoding"), squeezed, "{accept}");
        }
    }
}
