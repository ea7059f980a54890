//! Tells governed calls from all others, from the request head alone.
//!
//! In: method, URI, headers. Out: whether a rule may have something to say. Whatever upstream could read as a governed call is either understood
//! as one or ambiguous; an ungoverned call costs one look at its path, and no allocation unless the path is oddly spelled.

use super::{
    Call, Form,
    call::Route,
    carts, checkouts,
    path::{self, Path},
    query::Query,
};
use crate::rules::{Dialect, Violation};
use http::{HeaderMap, Method, Uri};
use std::mem;

/// What a request head says.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(clippy::large_enum_variant, reason = "the usual variants move once, from here into the one who asks")]
pub enum Classified {
    /// No rule has anything to say: forward it untouched.
    Ungoverned,
    /// A governed call.
    Governed(Call),
    /// It could be read as a governed call and as something else. The call tells the form of the answer; it has no intent.
    Ambiguous(Call, Violation),
}

/// Headers by which some servers let a caller override the method.
const OVERRIDES: [&str; 4] = ["x-http-method-override", "x-http-method", "x-method-override", "x-method"];

/// The methods that governed calls have; another spelling of one is another method to some servers only.
const STANDARD: [Method; 5] = [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE];

/// A governed path.
enum Place<'a> {
    Checkouts(checkouts::Resource<'a>),
    Carts(carts::Resource<'a>),
}

/// Classifies a request.
pub fn classify(method: &Method, uri: &Uri, headers: &HeaderMap) -> Classified {
    match path::read(uri.path()) {
        Path::Elsewhere => Classified::Ungoverned,
        Path::Plain(segments) => plainly(segments.as_slice(), method, uri, headers),
        Path::Odd { could_be, climbs, why } => {
            let parts: Vec<&str> = could_be.iter().map(String::as_str).collect();
            let governed = place(&parts).is_some_and(|place| could_be_governed(&place, method, headers));
            let carts = parts.iter().any(|part| matches!(*part, "v1" | "shoppers" | "carts"));
            match climbs || governed {
                true => ambiguous(if carts { Dialect::Carts } else { Dialect::Checkouts }, uri, headers, why),
                false => Classified::Ungoverned,
            }
        }
    }
}

fn plainly(segments: &[&str], method: &Method, uri: &Uri, headers: &HeaderMap) -> Classified {
    let place_of = place(segments);
    if let Some(loosened) = path::loosened(segments) {
        let parts: Vec<&str> = loosened.iter().map(String::as_str).collect();
        let other = place(&parts).filter(|other| !place_of.as_ref().is_some_and(|place| place.is_like(other)));
        if let Some(other) = other.filter(|other| could_be_governed(other, method, headers)) {
            return ambiguous(other.dialect(), uri, headers, "The path has words in an unusual spelling.");
        }
    }
    let Some(place) = place_of else { return Classified::Ungoverned };
    if overrides_method(headers) {
        return ambiguous(place.dialect(), uri, headers, "A header overrides the method.");
    }
    if STANDARD.iter().any(|known| known != method && known.as_str().eq_ignore_ascii_case(method.as_str())) {
        return ambiguous(place.dialect(), uri, headers, "The method is spelled in an unusual way.");
    }
    let Some(mut route) = place.route(method) else {
        return match could_be_governed(&place, method, headers) || overrides_in_query(uri) {
            true => ambiguous(place.dialect(), uri, headers, "The method is overridden in the query."),
            false => Classified::Ungoverned,
        };
    };
    match Query::read(uri) {
        Err(why) => ambiguous(place.dialect(), uri, headers, &why),
        Ok(query) => {
            if let Route::Carts(carts::Route::ApplyShopper(option)) = &mut route {
                option.clone_from(&query.option);
            }
            Classified::Governed(Call { route, form: Form::of(place.dialect(), uri, headers), query, own: false })
        }
    }
}

fn place<'a>(segments: &[&'a str]) -> Option<Place<'a>> {
    match segments {
        ["v1", rest @ ..] => carts::resource(rest).map(Place::Carts),
        _ => checkouts::resource(segments).map(Place::Checkouts),
    }
}

impl Place<'_> {
    fn dialect(&self) -> Dialect {
        match self {
            Place::Checkouts(_) => Dialect::Checkouts,
            Place::Carts(_) => Dialect::Carts,
        }
    }

    fn route(&self, method: &Method) -> Option<Route> {
        match self {
            Place::Checkouts(resource) => resource.route(method).map(Route::Checkouts),
            Place::Carts(resource) => resource.route(method).map(Route::Carts),
        }
    }

    /// The same kind of thing, whatever its ids.
    fn is_like(&self, other: &Place<'_>) -> bool {
        match (self, other) {
            (Place::Checkouts(one), Place::Checkouts(other)) => mem::discriminant(one) == mem::discriminant(other),
            (Place::Carts(one), Place::Carts(other)) => mem::discriminant(one) == mem::discriminant(other),
            _ => false,
        }
    }
}

/// Whether a server that is generous about methods would take the call for a governed one.
fn could_be_governed(place: &Place<'_>, method: &Method, headers: &HeaderMap) -> bool {
    let meant = STANDARD.iter().find(|known| known.as_str().eq_ignore_ascii_case(method.as_str())).unwrap_or(method);
    overrides_method(headers) || place.route(meant).is_some()
}

fn overrides_method(headers: &HeaderMap) -> bool {
    OVERRIDES.iter().any(|name| headers.contains_key(*name))
}

fn overrides_in_query(uri: &Uri) -> bool {
    uri.query().is_some() && Query::read(uri).is_err_and(|why| why.contains("method"))
}

fn ambiguous(dialect: Dialect, uri: &Uri, headers: &HeaderMap, why: &str) -> Classified {
    let call = Call { route: Route::Unclear, form: Form::of(dialect, uri, headers), query: Query::default(), own: false };
    Classified::Ambiguous(call, Violation::ambiguous(dialect, why))
}
