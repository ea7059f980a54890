//! A request as the emulator reads it.
//!
//! The reading is deliberately lenient, because a strict stand-in would hide what a lenient vendor
//! lets through: path letters may be percent-encoded or in any case; `//`, dot segments, matrix
//! parameters and trailing slashes are tidied; bodies may be gzip or carry a byte order mark;
//! `X-HTTP-Method-Override` counts and the content type does not. Where the vendor's quirks say so,
//! the query of a cart's GET overrides the method too.

use super::xml;
use crate::emulator::model::{Doc, Refusal};
use bytes::Bytes;
use flate2::read::{MultiGzDecoder, ZlibDecoder};
use http::{HeaderMap, Method, Request, header};
use percent_encoding::percent_decode_str;
use std::io::Read;

/// Larger bodies are answered 413.
const LARGEST_BODY: u64 = 1 << 20;

/// A request whose path and query are read.
#[derive(Debug)]
pub(crate) struct ParsedRequest {
    pub(crate) method: Method,
    /// Path and query as they arrived.
    pub(crate) target: String,
    /// The segments of the path, tidied and decoded.
    pub(crate) path: Vec<String>,
    /// Query parameters, as an object of texts.
    pub(crate) query: Doc,
    pub(crate) headers: HeaderMap,
    /// The function that the answer calls, once [`ParsedRequest::read_jsonp`] has found one.
    callback: Option<String>,
    body: Bytes,
}

impl ParsedRequest {
    pub(crate) fn read(request: Request<Bytes>) -> Self {
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
        Self {
            method: overriding.unwrap_or(head.method),
            path: segments(head.uri.path()),
            query: Doc::Object(
                query
                    .map(|(name, value)| (name.into_owned(), Doc::Text(value.into_owned())))
                    .collect(),
            ),
            target,
            headers: head.headers,
            callback: None,
            body,
        }
    }

    /// Takes method and callback of a GET of the carts API from its query, as scripts send them.
    pub(crate) fn read_jsonp(&mut self) {
        if self.method != Method::GET || !self.segment(0).eq_ignore_ascii_case("v1") {
            return;
        }
        let callback = self.query.text_of("callback").filter(|name| is_function(name));
        self.callback = callback.map(str::to_owned);
        match self.query.text_of("method").map(str::to_ascii_uppercase).as_deref() {
            Some("POST") => self.method = Method::POST,
            Some("PUT") => self.method = Method::PUT,
            Some("DELETE") => self.method = Method::DELETE,
            _ => {}
        }
    }

    /// Returns the function that the answer calls, if it is a script.
    pub(crate) fn callback(&self) -> Option<&str> {
        self.callback.as_deref()
    }

    /// Returns the segments of the path in lower case, to be matched with words. Ids are taken from
    /// `path`.
    pub(crate) fn words(&self) -> Vec<String> {
        self.path.iter().map(|segment| segment.to_ascii_lowercase()).collect()
    }

    /// Returns a segment of the path as it was sent, or an empty text.
    pub(crate) fn segment(&self, at: usize) -> &str {
        self.path.get(at).map(String::as_str).unwrap_or_default()
    }

    /// Returns the path as it arrived, without the query.
    pub(crate) fn raw_path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }

    /// Returns the method, with `HEAD` taken for `GET`.
    pub(crate) fn verb(&self) -> &str {
        if self.method == Method::HEAD { "GET" } else { self.method.as_str() }
    }

    /// Returns whether the call is the carts API's; all others are the checkouts API's.
    pub(crate) fn is_carts(&self) -> bool {
        let word = self.segment(0);
        word.eq_ignore_ascii_case("v1") || word.eq_ignore_ascii_case("oauth20")
    }

    /// Returns whether the answer is XML: that of the carts API, unless JSON is asked for. Tokens
    /// are always JSON.
    pub(crate) fn speaks_xml(&self) -> bool {
        self.segment(0).eq_ignore_ascii_case("v1") && !self.wants_json()
    }

    /// Returns whether the call changes something, or only reads.
    pub(crate) fn mutation(&self) -> bool {
        !matches!(self.method, Method::GET | Method::HEAD | Method::OPTIONS)
    }

    /// Returns whether the call reads something.
    pub(crate) fn is_read(&self) -> bool {
        matches!(self.method, Method::GET | Method::HEAD)
    }

    /// Reads the body as a tree; an empty body is an empty object.
    pub(crate) fn body(&self) -> Result<Doc, Refusal> {
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

    /// Reads the body of an OAuth call: a form, or JSON.
    pub(crate) fn form(&self) -> Result<Doc, Refusal> {
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

    /// Decompresses the body.
    fn plain_body(&self) -> Result<Vec<u8>, Refusal> {
        let body = &self.body[..];
        let coding = self.header("content-encoding").unwrap_or("identity");
        match coding.trim().to_ascii_lowercase().as_str() {
            "identity" | "" => read_bounded(body),
            "gzip" | "x-gzip" => read_bounded(MultiGzDecoder::new(body)),
            "deflate" => read_bounded(ZlibDecoder::new(body)),
            _ => Err(Refusal::new(
                415,
                "unsupported_media_type",
                "The content encoding is not supported.",
            )),
        }
    }

    fn wants_json(&self) -> bool {
        if self.callback.is_some() {
            return true;
        }
        match self.query.text_of("format") {
            Some(format) => format.eq_ignore_ascii_case("json"),
            None => self
                .headers
                .get_all(header::ACCEPT)
                .iter()
                .any(|accept| accept.to_str().is_ok_and(|accept| accept.contains("json"))),
        }
    }

    /// Returns the refusal of a call that no route answers.
    pub(crate) fn unknown_route(&self) -> Refusal {
        let text = format!("There is no {} {}.", self.method, self.raw_path());
        Refusal::new(404, "not_found", text)
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    pub(crate) fn accepts_gzip(&self) -> bool {
        self.header("accept-encoding").is_some_and(|codings| {
            codings.split(',').any(|coding| {
                let mut parts = coding.split(';').map(str::trim);
                parts.next().is_some_and(|name| name.eq_ignore_ascii_case("gzip"))
                    && !parts.any(|part| part == "q=0")
            })
        })
    }
}

/// Returns whether a script can call a function of that name.
fn is_function(name: &str) -> bool {
    !name.starts_with(|first: char| first.is_ascii_digit())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_$.".contains(&byte))
}

fn read_bounded(body: impl Read) -> Result<Vec<u8>, Refusal> {
    let mut plain = Vec::new();
    match body.take(LARGEST_BODY + 1).read_to_end(&mut plain) {
        Ok(length) if length as u64 > LARGEST_BODY => {
            Err(Refusal::new(413, "request_entity_too_large", "The request is too large."))
        }
        Ok(_) => Ok(plain),
        Err(_) => Err(malformed()),
    }
}

fn malformed() -> Refusal {
    Refusal::new(400, "bad_request", "The request body is not valid.")
}

/// Tidies a path as a lenient server does.
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
        let read = |body: &'static [u8]| {
            ParsedRequest::read(Request::new(Bytes::from_static(body))).body()
        };
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
}
