//! Calls that Weir makes itself: look-ups, and the steps of a remedy.
//!
//! In: what is wanted, and the caller's URI. Out: a path with what of the caller's query names the
//! caller (`token`, `apiKey`); the caller's headers are the sender's to add. `fields` is never
//! carried into a look-up: it must show the whole thing.

use super::{Call, Form, Media, call::Route, carts, checkouts, path, query, query::Query};
use crate::rules::{
    CustomerId, Dialect, Intent, Lookup, SessionKey, SessionKind, SourceId, Target,
};
use bytes::Bytes;
use http::{Method, Uri, uri::PathAndQuery};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// One call of a remedy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// How.
    pub method: Method,
    /// Where, on the caller's upstream.
    pub path: PathAndQuery,
    /// Its body; may be empty.
    pub body: Bytes,
    /// `Content-Type`, where there is a body.
    pub content_type: Option<&'static str>,
    /// Reads the answer.
    pub call: Call,
    /// What it means.
    pub intent: Intent,
}

/// What may stand in a path as it is: the marks of `path::is_plain_id`.
const NOT_PLAIN: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b':')
    .remove(b'@')
    .remove(b'!')
    .remove(b'$')
    .remove(b'&')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')')
    .remove(b'*')
    .remove(b'+')
    .remove(b',')
    .remove(b'=');

/// The `GET` that looks this up: its path, the call that reads its answer, and what it means.
/// `session` names the session where the intent does not (an active cart needs no name). `None`
/// where the intent names nothing to look up, or the path would be too long.
pub fn lookup(
    lookup: &Lookup,
    intent: &Intent,
    caller: &Uri,
    session: Option<&SessionKey>,
) -> Option<(PathAndQuery, Call, Intent)> {
    match lookup {
        Lookup::Session => {
            match session.cloned().map(Target::Session).as_ref().or(intent.session())? {
                Target::Session(key) if key.kind != carts::CART => {
                    let read = Intent::ReadSession { session: Target::Session(key.clone()) };
                    Some((
                        checkouts_path(&[collection(key.kind), key.id.as_str()], caller)?,
                        checkouts::Route::Read(key.clone()),
                        read,
                    ))
                }
                _ => {
                    return carts_lookup("carts/active", caller, carts::Route::Read, active_cart());
                }
            }
        }
        Lookup::Source(id) => {
            let read = Intent::ReadSource { source: id.clone() };
            Some((
                checkouts_path(&["sources", id.as_str()], caller)?,
                checkouts::Route::ReadSource(id.clone()),
                read,
            ))
        }
        Lookup::Customer => {
            let id: &CustomerId = intent.customer()?;
            let read = Intent::ReadCustomer { customer: id.clone() };
            Some((
                checkouts_path(&["customers", id.as_str()], caller)?,
                checkouts::Route::ReadCustomer(id.clone()),
                read,
            ))
        }
        Lookup::PaymentOptions => {
            return carts_lookup(
                "payment-options",
                caller,
                carts::Route::ReadOptions,
                Intent::ReadOptions,
            );
        }
    }
    .map(|(path, route, read)| {
        (path, own(Route::Checkouts(route), checkouts::DIALECT, Query::default()), read)
    })
}

/// The call that attaches a source: by path on checkouts and invoices, by body on carts. On carts
/// the answer has the form that the caller's query asks for, because it may become the caller's
/// answer. `None` where the path would be too long.
pub fn attach(session: &SessionKey, source: &SourceId, caller: &Uri) -> Option<Step> {
    step(Method::POST, session, source, caller)
}

/// The call that detaches a source. `None` where the path would be too long.
pub fn detach(session: &SessionKey, source: &SourceId, caller: &Uri) -> Option<Step> {
    step(Method::DELETE, session, source, caller)
}

fn step(method: Method, session: &SessionKey, source: &SourceId, caller: &Uri) -> Option<Step> {
    let attaches = method == Method::POST;
    let carts = session.kind == carts::CART;
    let target = if carts { carts::ACTIVE } else { Target::Session(session.clone()) };
    let intent = match attaches {
        true => Intent::Attach { session: target, source: source.clone() },
        false => Intent::Detach { session: target, source: Some(source.clone()) },
    };
    if carts {
        let path = carts_path("carts/active/apply-payment-method", caller, query::is_harmless, "")?;
        let query = Query::read(&Uri::from(path.clone())).unwrap_or_default();
        let route = if attaches { carts::Route::Attach } else { carts::Route::Detach };
        let call = own(Route::Carts(route), carts::DIALECT, query);
        let body = carts::source_body(source);
        // Its answer is the caller's kind of answer, not the whole cart of a look-up.
        return Some(Step {
            method,
            path,
            body,
            content_type: Some("application/json"),
            call: Call { own: false, ..call },
            intent,
        });
    }
    let path = checkouts_path(
        &[collection(session.kind), session.id.as_str(), "sources", source.as_str()],
        caller,
    )?;
    let route = match attaches {
        true => checkouts::Route::Attach(session.clone(), source.clone()),
        false => checkouts::Route::Detach(session.clone(), source.clone()),
    };
    let call =
        Call { own: false, ..own(Route::Checkouts(route), checkouts::DIALECT, Query::default()) };
    Some(Step { method, path, body: Bytes::new(), content_type: None, call, intent })
}

fn own(route: Route, dialect: Dialect, query: Query) -> Call {
    Call { route, form: Form { dialect, media: Media::Json }, query, own: true }
}

fn active_cart() -> Intent {
    Intent::ReadSession { session: carts::ACTIVE }
}

fn carts_lookup(
    of: &str,
    caller: &Uri,
    route: carts::Route,
    read: Intent,
) -> Option<(PathAndQuery, Call, Intent)> {
    // In the caller's own format: what upstream says to a look-up may become the caller's answer.
    let path = carts_path(
        of,
        caller,
        |name| query::is_credential(name) || name == "format",
        "expand=all",
    )?;
    Some((path, own(Route::Carts(route), carts::DIALECT, Query::default()), read))
}

fn collection(kind: SessionKind) -> &'static str {
    if kind == checkouts::INVOICE { "invoices" } else { "checkouts" }
}

/// An id that upstream gave may hold anything; in a path it stands for itself only.
fn checkouts_path(segments: &[&str], caller: &Uri) -> Option<PathAndQuery> {
    let mut path = String::new();
    for segment in segments {
        if matches!(*segment, "" | "." | "..") {
            return None;
        }
        path.push('/');
        match path::is_plain_id(segment) {
            true => path.push_str(segment),
            false => path.extend(utf8_percent_encode(segment, NOT_PLAIN)),
        }
    }
    with_query(path, caller, query::is_credential, "")
}

fn carts_path(
    of: &str,
    caller: &Uri,
    keep: impl Fn(&str) -> bool,
    more: &str,
) -> Option<PathAndQuery> {
    with_query(format!("/v1/shoppers/me/{of}"), caller, keep, more)
}

fn with_query(
    mut path: String,
    caller: &Uri,
    keep: impl Fn(&str) -> bool,
    more: &str,
) -> Option<PathAndQuery> {
    let mut mark = '?';
    for part in query::kept(caller, keep).chain((!more.is_empty()).then_some(more)) {
        path.push(mark);
        path.push_str(part);
        mark = '&';
    }
    PathAndQuery::try_from(path).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uri(text: &str) -> Uri {
        text.parse().unwrap()
    }

    fn checkout() -> SessionKey {
        SessionKey::new(checkouts::CHECKOUT, "1")
    }

    #[test]
    fn a_lookup_asks_for_the_whole_thing_in_the_callers_name() {
        let cart = uri(
            "/v1/shoppers/me/carts/active/submit-cart?token=t%201&fields=id&format=xml&apiKey=k",
        );
        let attach = Intent::Attach { session: Target::Session(checkout()), source: "s".into() };
        let touch = Intent::Touch { session: carts::ACTIVE };
        let save = Intent::UpdateCustomer {
            dialect: checkouts::DIALECT,
            customer: "c".into(),
            default: None,
        };
        let active = SessionKey::new(carts::CART, "9");
        let invoice = SessionKey::new(checkouts::INVOICE, "7");
        for (what, intent, caller, session, expected) in [
            (Lookup::Session, &attach, uri("/checkouts/1"), None, "/checkouts/1"),
            (Lookup::Session, &touch, uri("/invoices/7/open"), Some(&invoice), "/invoices/7"),
            (
                Lookup::Session,
                &touch,
                cart.clone(),
                None,
                "/v1/shoppers/me/carts/active?token=t%201&format=xml&apiKey=k&expand=all",
            ),
            (
                Lookup::Session,
                &touch,
                uri("/v1/x"),
                Some(&active),
                "/v1/shoppers/me/carts/active?expand=all",
            ),
            (
                Lookup::Source("s".into()),
                &touch,
                cart.clone(),
                None,
                "/sources/s?token=t%201&apiKey=k",
            ),
            (Lookup::Source("a/b?c d".into()), &touch, uri("/x"), None, "/sources/a%2Fb%3Fc%20d"),
            (Lookup::Customer, &save, uri("/customers/c?fields=id"), None, "/customers/c"),
            (
                Lookup::PaymentOptions,
                &touch,
                cart,
                None,
                "/v1/shoppers/me/payment-options?token=t%201&format=xml&apiKey=k&expand=all",
            ),
        ] {
            let (path, call, read) = lookup(&what, intent, &caller, session).unwrap();
            assert_eq!(path.as_str(), expected);
            assert!(read.is_read() && !call.is_filtered() && call.own, "{expected}");
        }
        assert_eq!(lookup(&Lookup::Customer, &touch, &uri("/x"), None), None);
        assert_eq!(lookup(&Lookup::Source("..".into()), &touch, &uri("/x"), None), None);
    }

    #[test]
    fn steps_attach_and_detach_one_source() {
        let cart = SessionKey::new(carts::CART, "9");
        let caller = uri(
            "/v1/shoppers/me/carts/active/apply-shopper?token=t&paymentOptionId=3&fields=id&format=json",
        );
        let step = attach(&cart, &"s\"1".into(), &caller).unwrap();
        assert_eq!(
            (step.method, step.path.as_str()),
            (
                Method::POST,
                "/v1/shoppers/me/carts/active/apply-payment-method?token=t&fields=id&format=json"
            )
        );
        assert_eq!(&step.body[..], br#"{"paymentMethod":{"sourceId":"s\"1"}}"#);
        assert!(step.call.is_filtered());
        assert_eq!(step.intent, Intent::Attach { session: carts::ACTIVE, source: "s\"1".into() });
        let step = detach(&cart, &"s".into(), &caller).unwrap();
        assert_eq!((step.method, step.content_type), (Method::DELETE, Some("application/json")));
        let step = attach(&checkout(), &"s".into(), &uri("/checkouts/1?x=y")).unwrap();
        assert_eq!(
            (step.path.as_str(), step.body.len(), step.content_type),
            ("/checkouts/1/sources/s", 0, None)
        );
        let step = detach(&SessionKey::new(checkouts::INVOICE, "2"), &"s".into(), &caller).unwrap();
        assert_eq!(step.path.as_str(), "/invoices/2/sources/s?token=t");
    }
}
