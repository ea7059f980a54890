//! Describes one governed call: its route, the form of its answer, and how its bodies are read.

use super::{
    api::{Api, Coverage, ErrorCode, Operation, Request},
    form::Form,
    outgoing::Outgoing,
    place::Place,
    read::{
        body::RequestError,
        coding::{self, DecodedBody},
        media::Media,
        members::UnreadableAnswer,
        path::Segments,
        query::Query,
    },
};
use crate::rules::{Answer, Dialect, Intent, Lookup, SessionKey, SourceId, Violation};
use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode, Uri};

/// A governed call, known from its head alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    pub(super) form: Form,
    /// Where its API lies below the caller's paths.
    pub(super) place: Place,
    /// The API through which its sources are read.
    pub(super) source_reader: &'static Api,
    /// `None`: ambiguous; only the form of its answer is known.
    pub(super) route: Option<Route>,
    pub(super) query: Query,
    /// Whether it is a look-up of Weir's own, whose answer shows the whole thing.
    pub(super) is_lookup: bool,
}

/// A method and a path that every parser reads alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Route {
    pub method: Method,
    pub path: Box<str>,
}

/// Why the body of a governed call gives no intent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnreadableRequest {
    /// Two parsers could read it differently: `ambiguous-request`, 400 unless its toggle says
    /// otherwise.
    #[error("two parsers could read the request differently")]
    Ambiguous(Box<Violation>),
    /// It decodes to more than the limit: 413.
    #[error("the body decodes to more than the limit")]
    TooLarge,
    /// It is broken in a way that no toggle excuses: 400. The text says how, and quotes nothing.
    #[error("{0}")]
    Malformed(&'static str),
}

impl Call {
    /// Returns the dialect whose error format answers this path. `/sources` is always checkouts.
    pub fn dialect(&self) -> Dialect {
        self.form.dialect()
    }

    /// Returns the form of an error that answers this call.
    pub fn form(&self) -> Form {
        self.form
    }

    /// Reads what the call means. `None`: no rule governs it (an order without a checkout, a
    /// payment option without a source); it is forwarded like an ungoverned call.
    pub fn intent(
        &self,
        headers: &HeaderMap,
        body: &DecodedBody<'_>,
    ) -> Result<Option<Intent>, UnreadableRequest> {
        let Some(route) = &self.route else { return Ok(None) };
        let segments = Segments::split(&route.path);
        let operation = Operation { method: &route.method, path: segments.as_slice() };
        let api = self.form.api;
        (api.intent)(operation, &Request { query: &self.query, headers, body }).map_err(|why| {
            match why {
                RequestError::Ambiguous(what) => {
                    UnreadableRequest::Ambiguous(Box::new(Violation::ambiguous(api.dialect, what)))
                }
                RequestError::TooLarge => UnreadableRequest::TooLarge,
                RequestError::Malformed(what) => UnreadableRequest::Malformed(what),
            }
        })
    }

    /// Reads what upstream's successful (2xx) answer to the call says. `body` is still
    /// encoded; one that decodes to more than `limit` bytes is not read. An answer without a body
    /// says nothing.
    pub fn read_answer(
        &self,
        intent: &Intent,
        status: StatusCode,
        headers: &HeaderMap,
        body: &[u8],
        limit: usize,
    ) -> Result<Answer, UnreadableAnswer> {
        match status {
            StatusCode::NO_CONTENT | StatusCode::RESET_CONTENT => return Ok(Answer::default()),
            StatusCode::PARTIAL_CONTENT => return Err(UnreadableAnswer("it is a part only")),
            _ => {}
        }
        let decoded = coding::decode(headers, body, limit)
            .map_err(|_| UnreadableAnswer("its Content-Encoding cannot be undone"))?;
        let body = decoded.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(&decoded).trim_ascii();
        let Some(route) = self.route.as_ref().filter(|_| !body.is_empty()) else {
            return Ok(Answer::default());
        };
        let segments = Segments::split(&route.path);
        let operation = Operation { method: &route.method, path: segments.as_slice() };
        (self.form.api.answer)(operation, intent, self.coverage(), body)
    }

    /// Reads the code of an error with which upstream answered the call. `body` is still encoded.
    pub fn error_code(&self, headers: &HeaderMap, body: &[u8], limit: usize) -> Option<ErrorCode> {
        let decoded = coding::decode(headers, body, limit).ok()?;
        let body = decoded.trim_ascii();
        (self.form.api.error_code)(body).filter(|_| !body.is_empty())
    }

    /// Returns whether upstream says with this code that another change is under way.
    pub fn is_busy(&self, error: &ErrorCode) -> bool {
        error.code == self.form.api.busy_code
    }

    fn coverage(&self) -> Coverage {
        match (self.query.filtered, self.is_lookup) {
            (true, _) => Coverage::Filtered,
            (false, false) => Coverage::Default,
            (false, true) => Coverage::Complete,
        }
    }

    /// Makes the call that looks something up for this one, and the call that reads its answer.
    /// `session` names the session where the intent does not (an active cart needs no name). `None`
    /// where the intent names nothing to look up, or the path would be too long.
    pub fn look_up(
        &self,
        lookup: &Lookup,
        intent: &Intent,
        caller: &Uri,
        session: Option<&SessionKey>,
    ) -> Option<(Outgoing, Self)> {
        let api = match lookup {
            Lookup::Source(_) => self.source_reader,
            _ => self.form.api,
        };
        self.own(api, (api.look_up)(lookup, intent, caller, session)?, true)
    }

    /// Makes the call that attaches a source, and the call that reads its answer. The answer has
    /// the form that the caller's query asks for, because it may become the caller's answer.
    /// `None` where the path would be too long.
    pub fn attach(
        &self,
        session: &SessionKey,
        source: &SourceId,
        caller: &Uri,
    ) -> Option<(Outgoing, Self)> {
        self.step(self.form.api.attach, session, source, caller)
    }

    /// Makes the call that detaches a source, and the call that reads its answer. `None` where the
    /// path would be too long.
    pub fn detach(
        &self,
        session: &SessionKey,
        source: &SourceId,
        caller: &Uri,
    ) -> Option<(Outgoing, Self)> {
        self.step(self.form.api.detach, session, source, caller)
    }

    /// Returns the decoded body of this call without the members that the toggle `strip` takes out.
    /// `None` where it has none, or its form does not let them be taken out.
    pub fn strip(&self, body: &DecodedBody<'_>) -> Option<Bytes> {
        (self.form.api.strip)(body.bytes()?)
    }

    fn step(
        &self,
        make: fn(&SessionKey, &SourceId, &Uri) -> Option<Outgoing>,
        session: &SessionKey,
        source: &SourceId,
        caller: &Uri,
    ) -> Option<(Outgoing, Self)> {
        self.own(self.form.api, make(session, source, caller)?, false)
    }

    /// Puts a call of Weir's own where this one is, and returns it with the call that reads its
    /// answer. `None` where it cannot be reached from there.
    fn own(
        &self,
        api: &'static Api,
        outgoing: Outgoing,
        is_lookup: bool,
    ) -> Option<(Outgoing, Self)> {
        let call = Self::outgoing(api, &outgoing, is_lookup);
        let path = self.place.reach(outgoing.path, api == self.form.api)?;
        Some((Outgoing { path, ..outgoing }, call))
    }

    /// Returns the call that reads the answer to one of Weir's own.
    fn outgoing(api: &'static Api, outgoing: &Outgoing, is_lookup: bool) -> Self {
        let uri = Uri::from(outgoing.path.clone());
        let route = Route { method: outgoing.method.clone(), path: uri.path().into() };
        Self {
            form: Form { api, media: Media::Json },
            place: Place::default(),
            source_reader: api,
            route: Some(route),
            query: Query::read(&outgoing.method, &uri, &api.parameters).unwrap_or_default(),
            is_lookup,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialects::{Classified, Dialects, classify, decoded_body};
    use proptest::prelude::*;

    const CALLS: [&str; 6] = [
        "/checkouts/1",
        "/sources",
        "/orders",
        "/checkouts/1/sources/s",
        "/v1/shoppers/me/carts/active",
        "/v1/shoppers/me/payment-options",
    ];

    proptest! {
        #[test]
        fn bodies_of_any_kind_are_read_without_panic(
            nth in 0..CALLS.len(),
            text in r#"([{}\[\]<>&;:,"\\/=!?-]|[0-9.eE+-]{1,9}|"sourceId"|<sourceId>|</sourceId>|<!\[CDATA\[|\]\]>|&#x41;|null|\PC){0,60}"#,
            bytes in prop::collection::vec(any::<u8>(), 0..60),
        ) {
            let uri = CALLS[nth].parse().unwrap();
            let found =
                classify(Dialects::built_in(), &http::Method::POST, &uri, &HeaderMap::new());
            let Classified::Governed(call) = found else { panic!("{}", CALLS[nth]) };
            let objects = [format!("{{{text}}}"), format!(r#"{{"id":{text}}}"#), format!("<cart>{text}</cart>"), text];
            for body in objects.iter().map(String::as_bytes).chain([&*bytes]) {
                let none = HeaderMap::new();
                let _ = call.intent(&none, &decoded_body(&none, body, 1 << 20));
                let (options, ok) = (Intent::ReadOptions, StatusCode::OK);
                let _ = call.read_answer(&options, ok, &none, body, 8 << 20);
                for coding in ["gzip", "deflate", "br"] {
                    let headers = crate::dialects::read::coding::tests::coded(coding);
                    let _ = call.intent(&headers, &decoded_body(&headers, body, 1 << 20));
                }
            }
        }
    }
}
