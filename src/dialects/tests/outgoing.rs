//! The calls that Weir makes itself.

use crate::{
    dialects::{Call, Classified, Dialects, carts, checkouts, classify},
    rules::{Intent, Lookup, SessionKey, Target},
};
use http::{HeaderMap, Method, Uri};

fn uri(text: &str) -> Uri {
    text.parse().unwrap()
}

fn call(path: &str) -> Call {
    match classify(Dialects::built_in(), &Method::POST, &uri(path), &HeaderMap::new()) {
        Classified::Governed(call) => call,
        other => panic!("{path}: {other:?}"),
    }
}

fn of_checkouts() -> Call {
    call("/checkouts/1")
}

fn of_carts() -> Call {
    call("/v1/shoppers/me/carts/active")
}

fn checkout() -> SessionKey {
    SessionKey::new(checkouts::CHECKOUT, "1")
}

#[test]
fn a_lookup_asks_for_the_whole_thing_in_the_callers_name() {
    let cart =
        uri("/v1/shoppers/me/carts/active/submit-cart?token=t%201&fields=id&format=xml&apiKey=k");
    let attach = Intent::Attach { session: Target::Session(checkout()), source: "s".into() };
    let touch = Intent::Touch { session: carts::ACTIVE };
    let save = Intent::UpdateCustomer {
        dialect: checkouts::DIALECT,
        customer: "c".into(),
        default: None,
        ends: false,
    };
    let active = SessionKey::new(carts::CART, "9");
    let invoice = SessionKey::new(checkouts::INVOICE, "7");
    for (call, what, intent, caller, session, expected) in [
        (of_checkouts(), Lookup::Session, &attach, uri("/checkouts/1"), None, "/checkouts/1"),
        (
            of_checkouts(),
            Lookup::Session,
            &touch,
            uri("/invoices/7/open"),
            Some(&invoice),
            "/invoices/7",
        ),
        (
            of_carts(),
            Lookup::Session,
            &touch,
            cart.clone(),
            None,
            "/v1/shoppers/me/carts/active?token=t%201&format=xml&apiKey=k&expand=all",
        ),
        (
            of_carts(),
            Lookup::Session,
            &touch,
            uri("/v1/x"),
            Some(&active),
            "/v1/shoppers/me/carts/active?expand=all",
        ),
        (
            of_carts(),
            Lookup::Source("s".into()),
            &touch,
            cart.clone(),
            None,
            "/sources/s?token=t%201&apiKey=k",
        ),
        (
            of_checkouts(),
            Lookup::Source("a|b?c d".into()),
            &touch,
            uri("/x"),
            None,
            "/sources/a%7Cb%3Fc%20d",
        ),
        (
            of_checkouts(),
            Lookup::Customer,
            &save,
            uri("/customers/c?fields=id"),
            None,
            "/customers/c",
        ),
        (
            of_carts(),
            Lookup::PaymentOptions,
            &touch,
            cart,
            None,
            "/v1/shoppers/me/payment-options?token=t%201&format=xml&apiKey=k&expand=all",
        ),
    ] {
        let (outgoing, call) = call.look_up(&what, intent, &caller, session).unwrap();
        assert_eq!(outgoing.path.as_str(), expected);
        assert!(outgoing.intent.is_read() && !call.query.filtered && call.is_lookup, "{expected}");
    }
    let sources = ["..", "a/b", "..\\x", "a%2Fb", "a\n", " a", "a\u{ff0f}b"];
    let elsewhere = sources.map(|id| Lookup::Source(id.into()));
    for lookup in elsewhere.into_iter().chain([Lookup::Customer]) {
        assert_eq!(of_checkouts().look_up(&lookup, &touch, &uri("/x"), None), None);
        assert_eq!(of_carts().look_up(&lookup, &touch, &uri("/x"), None), None);
    }
}

#[test]
fn steps_attach_and_detach_one_source() {
    let cart = SessionKey::new(carts::CART, "9");
    let caller = uri(
        "/v1/shoppers/me/carts/active/apply-shopper?token=t&paymentOptionId=3&fields=id&format=json",
    );
    let (step, reader) = of_carts().attach(&cart, &"s\"1".into(), &caller).unwrap();
    assert_eq!(
        (step.method, step.path.as_str()),
        (
            Method::POST,
            "/v1/shoppers/me/carts/active/apply-payment-method?token=t&fields=id&format=json"
        )
    );
    assert_eq!(&step.body[..], br#"{"paymentMethod":{"sourceId":"s\"1"}}"#);
    assert!(reader.query.filtered && !reader.is_lookup);
    assert_eq!(step.intent, Intent::Attach { session: carts::ACTIVE, source: "s\"1".into() });
    let (step, _) = of_carts().detach(&cart, &"s".into(), &caller).unwrap();
    assert_eq!((step.method, step.content_type), (Method::DELETE, Some("application/json")));
    let (step, _) =
        of_checkouts().attach(&checkout(), &"s".into(), &uri("/checkouts/1?x=y")).unwrap();
    assert_eq!(
        (step.path.as_str(), step.body.len(), step.content_type),
        ("/checkouts/1/sources/s", 0, None)
    );
    let invoice = SessionKey::new(checkouts::INVOICE, "2");
    let (step, _) = of_checkouts().detach(&invoice, &"s".into(), &caller).unwrap();
    assert_eq!(step.path.as_str(), "/invoices/2/sources/s?token=t");
}
