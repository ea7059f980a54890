//! Separates governed calls from all others by the request head alone.
//!
//! A call that upstream could read as a governed one is either understood as that or ambiguous. An
//! ungoverned call costs one look at its path and one pass over the names of its headers, and no
//! allocation unless the path is oddly spelled.

use super::{
    api::{Api, Operation},
    call::{Call, Route},
    form::Form,
    place::Place,
    read::{
        path::{self, Path},
        query::Query,
    },
    registry::{Dialects, GovernedPath},
};
use crate::rules::Violation;
use http::{HeaderMap, HeaderName, Method, Uri, header};

/// What a request head says.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(clippy::large_enum_variant, reason = "the large variant is moved once, to the caller")]
pub enum Classified {
    /// No rule has anything to say: it is forwarded untouched.
    Ungoverned,
    /// A governed call.
    Governed(Call),
    /// It could be read as a governed call and as something else. The call tells the form of the
    /// answer; it has no intent.
    Ambiguous(Call, Violation),
}

/// Headers by which some servers let a caller override the path.
static REWRITES: [HeaderName; 2] =
    [HeaderName::from_static("x-original-url"), HeaderName::from_static("x-rewrite-url")];

/// Headers by which some servers let a caller override the method.
static OVERRIDES: [HeaderName; 4] = [
    HeaderName::from_static("x-http-method-override"),
    HeaderName::from_static("x-http-method"),
    HeaderName::from_static("x-method-override"),
    HeaderName::from_static("x-method"),
];

/// The head of a request that is being classified.
struct Head<'a> {
    dialects: &'a Dialects,
    method: &'a Method,
    uri: &'a Uri,
    headers: &'a HeaderMap,
}

/// Classifies a request.
pub fn classify(
    dialects: &Dialects,
    method: &Method,
    uri: &Uri,
    headers: &HeaderMap,
) -> Classified {
    let head = Head { dialects, method, uri, headers };
    if let Some(api) = head.rewritten() {
        return head.ambiguous(api, "A header overrides the path.");
    }
    match path::read(uri.path(), &dialects.words) {
        Path::Ungoverned => Classified::Ungoverned,
        Path::Plain(segments) => head.classify_plain(segments.as_slice()),
        Path::Suspicious { reading, escapes, reason } => {
            let parts: Vec<&str> = reading.iter().map(String::as_str).collect();
            let is_governed = || {
                dialects.governed_path(&parts).is_some_and(|path| head.could_be(path.api, &parts))
            };
            match escapes || is_governed() {
                true => head.ambiguous(dialects.marked(&reading), reason),
                false => Classified::Ungoverned,
            }
        }
    }
}

impl Head<'_> {
    fn classify_plain(&self, segments: &[&str]) -> Classified {
        let governed = self.dialects.governed_path(segments);
        if let Some((other, word)) = self.relaxed(segments, governed) {
            return self.ambiguous(other, &format!("The path spells `{word}` in an unusual way."));
        }
        let Some(GovernedPath { api, .. }) = governed else { return Classified::Ungoverned };
        let governs = |method| (api.governs)(Operation { method, path: segments });
        if self.overrides_method() {
            return self.ambiguous(api, "A header overrides the method.");
        }
        if self.rewrites().next().is_some() {
            return self.ambiguous(api, "A header overrides the path.");
        }
        if self.switches_protocol() {
            return self.ambiguous(api, "The call asks for another protocol.");
        }
        let normalised = normalised_method(self.method);
        if normalised != self.method && governs(normalised) {
            return self.ambiguous(api, "The method is spelled in an unusual way.");
        }
        if !governs(self.method) {
            return match Query::overrides_method(self.method, self.uri, &api.parameters) {
                true => self.ambiguous(api, "The query overrides the method."),
                false => Classified::Ungoverned,
            };
        }
        match Query::read(self.method, self.uri, &api.parameters) {
            Err(why) => self.ambiguous(api, &why),
            Ok(query) => {
                let route = Route { method: self.method.clone(), path: self.uri.path().into() };
                Classified::Governed(self.call(api, Some(route), query))
            }
        }
    }

    /// Returns the API in which a server that ignores case and suffixes would find a governed path,
    /// where the segments as they are mean another path or none, and the first word that is spelled
    /// in an unusual way.
    fn relaxed(
        &self,
        segments: &[&str],
        governed: Option<GovernedPath>,
    ) -> Option<(&'static Api, &'static str)> {
        let (relaxed, word) = path::relaxed(segments, &self.dialects.words)?;
        let parts: Vec<&str> = relaxed.iter().map(String::as_str).collect();
        let other = self.dialects.governed_path(&parts).filter(|other| governed != Some(*other))?;
        self.could_be(other.api, &parts).then_some((other.api, word))
    }

    /// Returns whether a server that is generous about methods would take the call for a governed
    /// one.
    fn could_be(&self, api: &Api, segments: &[&str]) -> bool {
        let method = normalised_method(self.method);
        self.overrides_method()
            || Query::overrides_method(self.method, self.uri, &api.parameters)
            || (api.governs)(Operation { method, path: segments })
    }

    /// Returns whether a header is one of these, all of which begin with `x-`. One pass over the
    /// names costs less than looking each of these up.
    fn has(&self, names: &[HeaderName]) -> bool {
        let mut own = self.headers.keys().filter(|name| name.as_str().starts_with("x-"));
        own.any(|name| names.contains(name))
    }

    /// Returns the paths that headers put in place of the call's own.
    fn rewrites(&self) -> impl Iterator<Item = &[u8]> {
        let names = if self.has(&REWRITES) { &REWRITES[..] } else { &[] };
        names
            .iter()
            .flat_map(|name| self.headers.get_all(name))
            .map(|value| value.as_bytes().trim_ascii())
    }

    /// Returns the API to which a header would lead, whatever the call's own path is. One that is
    /// no path leads anywhere.
    fn rewritten(&self) -> Option<&'static Api> {
        self.rewrites().find_map(|value| {
            let target = Uri::try_from(value).ok();
            let path = target.as_ref().map_or("", Uri::path);
            match path::read(path, &self.dialects.words) {
                Path::Ungoverned => None,
                Path::Plain(segments) => {
                    let parts = segments.as_slice();
                    let relaxed = || self.relaxed(parts, None).map(|(api, _)| api);
                    self.dialects.governed_path(parts).map(|found| found.api).or_else(relaxed)
                }
                Path::Suspicious { reading, .. } => Some(self.dialects.marked(&reading)),
            }
        })
    }

    /// Returns whether the call asks to go on in a protocol that Weir cannot follow. A later
    /// version of HTTP is not offered to upstream.
    fn switches_protocol(&self) -> bool {
        const HTTP: [&[u8]; 4] = [b"h2c", b"h2", b"http", b"tls"];
        let tokens = self.headers.get_all(header::UPGRADE).into_iter();
        tokens.flat_map(|value| value.as_bytes().split(|byte| *byte == b',')).any(|token| {
            let name = token.trim_ascii().split(|byte| *byte == b'/').next().unwrap_or_default();
            !name.is_empty() && !HTTP.iter().any(|http| name.eq_ignore_ascii_case(http))
        })
    }

    fn overrides_method(&self) -> bool {
        self.has(&OVERRIDES)
    }

    fn ambiguous(&self, api: &'static Api, why: &str) -> Classified {
        let call = self.call(api, None, Query::default());
        Classified::Ambiguous(call, Violation::ambiguous(api.dialect, why))
    }

    fn call(&self, api: &'static Api, route: Option<Route>, query: Query) -> Call {
        Call {
            form: Form::of(api, self.uri, self.headers),
            place: Place::default(),
            source_reader: self.dialects.source_reader(api),
            route,
            query,
            is_lookup: false,
        }
    }
}

/// Returns the method that a server which ignores case would see.
fn normalised_method(method: &Method) -> &Method {
    const STANDARD: [&Method; 5] =
        [&Method::GET, &Method::POST, &Method::PUT, &Method::PATCH, &Method::DELETE];
    STANDARD
        .into_iter()
        .find(|known| known.as_str().eq_ignore_ascii_case(method.as_str()))
        .unwrap_or(method)
}

#[cfg(test)]
mod tests;
