//! An answer, and the response it is written as: JSON or XML, compressed if the caller accepts it.

use super::{request::ParsedRequest, xml};
use crate::emulator::model::{Doc, Refusal};
use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use http::{HeaderName, HeaderValue, Response, StatusCode, header};
use std::io::Write;

/// An answer or a refusal, before either is written.
pub(crate) type Answer = Result<Reply, Refusal>;

/// Answers 200 with a body.
pub(crate) fn ok(doc: Result<Doc, Refusal>) -> Answer {
    doc.map(|doc| Reply::new(200, doc))
}

/// Answers 201 with a body.
pub(crate) fn created(doc: Result<Doc, Refusal>) -> Answer {
    doc.map(|doc| Reply::new(201, doc))
}

/// Answers 204.
pub(crate) fn no_content<T>(done: Result<T, Refusal>) -> Answer {
    done.map(|_| Reply::empty(204))
}

/// An answer before it is written.
#[derive(Debug)]
pub(crate) struct Reply {
    status: u16,
    doc: Option<Doc>,
    headers: Vec<(HeaderName, String)>,
}

impl Reply {
    /// Makes an answer with a body.
    pub(crate) fn new(status: u16, doc: Doc) -> Self {
        Self { status, doc: Some(doc), headers: Vec::new() }
    }

    /// Makes an answer without a body.
    pub(crate) fn empty(status: u16) -> Self {
        Self { status, doc: None, headers: Vec::new() }
    }

    /// Adds a header.
    pub(crate) fn with(mut self, name: HeaderName, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// Writes the response: in XML if `as_xml`, and compressed if `gzip` and the caller accepts it.
    pub(crate) fn write(
        self,
        request: &ParsedRequest,
        as_xml: bool,
        gzip: bool,
    ) -> Response<Bytes> {
        let (body, kind) = match &self.doc {
            None => (Vec::new(), None),
            Some(doc) if as_xml => (xml::write(doc), Some("application/xml;charset=UTF-8")),
            Some(doc) => match request.callback() {
                Some(name) => (script(name, doc), Some("application/javascript;charset=UTF-8")),
                None => (doc.to_json(), Some("application/json;charset=UTF-8")),
            },
        };
        let compress = gzip && !body.is_empty() && request.accepts_gzip();
        let body = if compress { compressed(&body).unwrap_or(body) } else { body };
        let mut response = Response::new(Bytes::from(body));
        *response.status_mut() =
            StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let headers = response.headers_mut();
        if let Some(kind) = kind {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
            headers.insert(header::VARY, HeaderValue::from_static("Accept-Encoding"));
        }
        if compress {
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

/// Writes a script that calls a function with the answer.
fn script(function: &str, doc: &Doc) -> Vec<u8> {
    [function.as_bytes(), b"(", &doc.to_json(), b");"].concat()
}

fn compressed(body: &[u8]) -> Option<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(body).ok()?;
    encoder.finish().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::Request;

    #[test]
    fn gzip_is_used_only_when_it_is_accepted() {
        for (accept, squeezed) in
            [("gzip", true), ("br, gzip;q=0.5", true), ("gzip;q=0", false), ("identity", false)]
        {
            let request =
                Request::builder().header("accept-encoding", accept).body(Bytes::new()).unwrap();
            let response =
                Reply::new(200, Doc::object()).write(&ParsedRequest::read(request), false, true);
            assert_eq!(response.headers().contains_key("content-encoding"), squeezed, "{accept}");
        }
    }
}
