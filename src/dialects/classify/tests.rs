use super::*;
use crate::{
    dialects::{DecodedBody, UnreadableRequest, carts, checkouts, decoded_body},
    rules::{Funding, Intent, Owner, PaidWith, SessionKey, Target},
};
use proptest::prelude::*;

fn head(call: &str) -> (Method, Uri) {
    let (method, uri) = call.split_once(' ').unwrap();
    (method.parse().unwrap(), uri.parse().unwrap())
}

fn classified(call: &str) -> Classified {
    let (method, uri) = head(call);
    classify(Dialects::built_in(), &method, &uri, &HeaderMap::new())
}

fn intent(call: &str, body: &str) -> Intent {
    match classified(call) {
        Classified::Governed(found) => {
            found.intent(&HeaderMap::new(), &plain(body)).unwrap().unwrap()
        }
        other => panic!("{call}: {other:?}"),
    }
}

fn plain(body: &str) -> DecodedBody<'_> {
    decoded_body(&HeaderMap::new(), body.as_bytes(), 1 << 20)
}

fn checkout() -> Target {
    Target::Session(SessionKey::new(checkouts::CHECKOUT, "1"))
}

fn invoice() -> Target {
    Target::Session(SessionKey::new(checkouts::INVOICE, "1"))
}

#[test]
fn every_call_of_the_checkouts_table_is_understood() {
    let s = || "s".into();
    let customer = || Owner::Customer("c".into());
    for (call, body, expected) in [
        ("GET /sources/s", "", Intent::ReadSource { source: s() }),
        ("POST /sources/s", r#"{"amount":1}"#, Intent::EditSource { source: s(), amount: true }),
        ("PUT /sources/s", r#"{"owner":1}"#, Intent::EditSource { source: s(), amount: false }),
        (
            "PATCH /sources/s",
            r#"{"amount":null}"#,
            Intent::EditSource { source: s(), amount: false },
        ),
        (
            "POST /checkouts",
            "",
            Intent::CreateSession { kind: checkouts::CHECKOUT, funding: Funding::default() },
        ),
        (
            "POST /invoices",
            "{}",
            Intent::CreateSession { kind: checkouts::INVOICE, funding: Funding::default() },
        ),
        (
            "POST /checkouts/1",
            "",
            Intent::UpdateSession { session: checkout(), funding: Funding::default() },
        ),
        (
            "POST /invoices/1/",
            "{}",
            Intent::UpdateSession { session: invoice(), funding: Funding::default() },
        ),
        ("POST /checkouts/1/sources/s", "", Intent::Attach { session: checkout(), source: s() }),
        ("POST /checkouts/1/sources/s/", "{}", Intent::Attach { session: checkout(), source: s() }),
        (
            "POST /invoices/1/sources/s",
            r#"{"sourceId":"s"}"#,
            Intent::Attach { session: invoice(), source: s() },
        ),
        (
            "DELETE /checkouts/1/sources/s",
            "",
            Intent::Detach { session: checkout(), source: Some(s()) },
        ),
        (
            "DELETE /invoices/1/sources/s",
            "null",
            Intent::Detach { session: invoice(), source: Some(s()) },
        ),
        ("GET /checkouts/1", "", Intent::ReadSession { session: checkout() }),
        ("GET /checkouts/1?a=b", "", Intent::ReadSession { session: checkout() }),
        ("DELETE /checkouts/1", "", Intent::DeleteSession { session: checkout() }),
        ("POST /checkouts/1/items", "", Intent::Touch { session: checkout() }),
        (
            "POST /customers/c/sources/s",
            "",
            Intent::Save { dialect: checkouts::DIALECT, owner: customer(), source: s() },
        ),
        (
            "DELETE /customers/c/sources/s",
            "",
            Intent::Remove { dialect: checkouts::DIALECT, customer: "c".into(), source: s() },
        ),
        (
            "POST /customers/c",
            r#"{"defaultSourceId":"s"}"#,
            Intent::UpdateCustomer {
                dialect: checkouts::DIALECT,
                customer: "c".into(),
                default: Some(s()),
                ends: false,
            },
        ),
        (
            "POST /customers/c",
            r#"{"email":"e"}"#,
            Intent::UpdateCustomer {
                dialect: checkouts::DIALECT,
                customer: "c".into(),
                default: None,
                ends: false,
            },
        ),
        ("GET /customers/c", "", Intent::ReadCustomer { customer: "c".into() }),
        ("GET /customers/a%40b", "", Intent::ReadCustomer { customer: "a@b".into() }),
        (
            "POST /orders",
            r#"{"checkoutId":"1"}"#,
            Intent::Order { session: checkout(), paid_with: PaidWith::Attached },
        ),
        (
            "POST /orders",
            r#"{"checkoutId":1}"#,
            Intent::Order { session: checkout(), paid_with: PaidWith::Attached },
        ),
        (
            "POST /orders",
            r#"{"checkoutId":"1","sourceId":"s"}"#,
            Intent::Order { session: checkout(), paid_with: PaidWith::Attached },
        ),
        (
            "POST /orders",
            r#"{"checkoutId":"1","customerId":"c"}"#,
            Intent::Order { session: checkout(), paid_with: PaidWith::Attached },
        ),
        (
            "POST /orders",
            r#"{"checkoutId":"1","sourceId":null}"#,
            Intent::Order { session: checkout(), paid_with: PaidWith::Attached },
        ),
    ] {
        assert_eq!(intent(call, body), expected, "{call}");
    }
}

#[test]
fn every_call_of_the_carts_table_is_understood() {
    let session = || carts::ACTIVE;
    let s = || "s".into();
    let source = r#"{"paymentMethod":{"sourceId":"s"}}"#;
    for (call, body, expected) in [
        ("GET carts/active?expand=all", "", Intent::ReadSession { session: session() }),
        (
            "POST carts/active?token=t",
            "",
            Intent::UpdateSession { session: session(), funding: Funding::default() },
        ),
        (
            "POST carts/active/apply-payment-method",
            source,
            Intent::Attach { session: session(), source: s() },
        ),
        (
            "POST carts/active/apply-payment-method/",
            source,
            Intent::Attach { session: session(), source: s() },
        ),
        (
            "POST carts/active/apply-payment-method",
            r#"{"paymentMethod":{"type":"x"}}"#,
            Intent::Touch { session: session() },
        ),
        (
            "DELETE carts/active/apply-payment-method",
            source,
            Intent::Detach { session: session(), source: Some(s()) },
        ),
        (
            "DELETE carts/active/apply-payment-method",
            "",
            Intent::Detach { session: session(), source: None },
        ),
        ("DELETE carts/active/payment", "", Intent::Detach { session: session(), source: None }),
        (
            "POST carts/active/apply-shopper",
            "",
            Intent::AttachSaved { session: session(), option: None },
        ),
        (
            "POST carts/active/apply-shopper?paymentOptionId=7",
            "",
            Intent::AttachSaved { session: session(), option: Some("7".into()) },
        ),
        (
            "POST carts/active/submit-cart",
            "",
            Intent::Order { session: session(), paid_with: PaidWith::Attached },
        ),
        (
            "POST carts/active/submit-cart",
            source,
            Intent::Order { session: session(), paid_with: PaidWith::Attached },
        ),
        ("POST carts/active/line-items", "not read", Intent::Touch { session: session() }),
        ("DELETE carts/active", "", Intent::Touch { session: session() }),
        (
            "PUT carts/active/apply-payment-method",
            source,
            Intent::Attach { session: session(), source: s() },
        ),
        (
            "PATCH carts/active/submit-cart",
            "",
            Intent::Order { session: session(), paid_with: PaidWith::Attached },
        ),
        ("GET carts/active/web-checkout", "", Intent::HandOver { session: session() }),
        ("POST carts/17/line-items", "", Intent::Touch { session: session() }),
        ("POST carts/17", r#"{"cart":{"lineItems":1}}"#, Intent::Touch { session: session() }),
        ("GET payment-options", "", Intent::ReadOptions),
        ("GET payment-options/7", "", Intent::ReadOptions),
        (
            "POST payment-options",
            r#"{"paymentOption":{"sourceId":"s"}}"#,
            Intent::Save { dialect: carts::DIALECT, owner: Owner::Shopper, source: s() },
        ),
        (
            "POST payment-options/7",
            "",
            Intent::ChangeOption {
                dialect: carts::DIALECT,
                option: "7".into(),
                removes: false,
                source: None,
            },
        ),
        (
            "POST payment-options/7",
            r#"{"paymentOption":{"isDefault":true,"sourceId":"s"}}"#,
            Intent::ChangeOption {
                dialect: carts::DIALECT,
                option: "7".into(),
                removes: false,
                source: Some(s()),
            },
        ),
        (
            "DELETE payment-options/7",
            "",
            Intent::ChangeOption {
                dialect: carts::DIALECT,
                option: "7".into(),
                removes: true,
                source: None,
            },
        ),
    ] {
        assert_eq!(intent(&call.replacen(' ', " /v1/shoppers/me/", 1), body), expected, "{call}");
    }
}

#[test]
fn what_no_rule_speaks_of_is_not_governed() {
    for call in [
        "GET /",
        "OPTIONS *",
        "POST /fulfillments",
        "POST /refunds",
        "GET /orders",
        "GET /orders/1",
        "POST /orders/1",
        "GET /sources",
        "DELETE /sources/s",
        "GET /customers",
        "POST /customers/c/tax-identifiers/t",
        "HEAD /checkouts/1",
        "OPTIONS /checkouts/1",
        "GET /checkouts/1/sources/s",
        "POST /checkouts/store-credits",
        "DELETE /checkouts/store-credits/7",
        "POST /checkout-sessions",
        "POST /skus/a%20b",
        "GET /v1/shoppers/me",
        "POST /v1/shoppers/me",
        "GET /v1/shoppers/me/carts/active/line-items",
        "GET /v1/shoppers/me/products/1",
        "POST /v1/shoppers/me/wishlists",
        "POST /oauth20/token",
    ] {
        assert_eq!(classified(call), Classified::Ungoverned, "{call}");
    }
}

#[test]
fn bodies_without_a_governed_field_are_forwarded() {
    for (call, body) in [
        ("POST /orders", r#"{"currency":"USD","customerId":"c"}"#),
        ("POST /customers", r#"{"email":"a@b"}"#),
        ("POST /orders", ""),
        ("POST /v1/shoppers/me/payment-options", r#"{"paymentOption":{"creditCard":{}}}"#),
    ] {
        let Classified::Governed(found) = classified(call) else { panic!("{call}") };
        assert_eq!(found.intent(&HeaderMap::new(), &plain(body)), Ok(None), "{call}");
    }
}

#[test]
fn odd_heads_of_governed_calls_are_ambiguous() {
    for (call, why) in [
        ("POST /checkouts//1", "The path has empty segments."),
        ("POST //checkouts", "The path has empty segments."),
        ("POST /checkouts/1//", "The path has empty segments."),
        ("POST /checkouts/./1", "The path has dot segments."),
        ("POST /fulfillments/../checkouts/1", "The path has dot segments."),
        ("GET /x/%2e%2e/customers/c", "The path has dot segments."),
        ("POST /%63heckouts/1", "The path has percent-encoded characters."),
        ("POST /checkouts/%31", "The path has percent-encoded characters."),
        ("POST /checkouts/1%2Fsources%2Fs", "The path has percent-encoded characters."),
        ("POST /checkouts%5C1", "The path has percent-encoded characters."),
        ("POST /checkouts\\1", "The path has characters that parsers read differently."),
        ("POST /checkouts/1;x=y", "The path has matrix parameters."),
        ("POST /Checkouts/1", "The path spells `checkouts` in an unusual way."),
        ("POST /checkouts/1/Sources/s", "The path spells `sources` in an unusual way."),
        ("POST /checkouts.json", "The path spells `checkouts` in an unusual way."),
        ("POST /chec%E2%84%AAouts/1", "The path spells `checkouts` in an unusual way."),
        ("POST /%EF%BD%83heckouts/1", "The path spells `checkouts` in an unusual way."),
        ("POST /checkouts%3fa/1", "The path spells `checkouts` in an unusual way."),
        ("POST /checkouts%7C/1", "The path spells `checkouts` in an unusual way."),
        (
            "POST /v1/shoppers/me/carts/active/submit%2Dcart",
            "The path spells `submit-cart` in an unusual way.",
        ),
        ("POST /V1/shoppers/me/carts/active", "The path spells `v1` in an unusual way."),
        (
            "POST /v1/shoppers/me/carts/active/Submit-Cart",
            "The path spells `submit-cart` in an unusual way.",
        ),
        ("post /checkouts/1", "The method is spelled in an unusual way."),
        ("GET /checkouts?_method=POST", "The query overrides the method."),
        ("POST /checkouts/1?_method=DELETE", "The query overrides the method."),
        (
            "POST /v1/shoppers/me/carts/active?token=a&token=b",
            "The query has two values of `token` that differ.",
        ),
        ("POST /%25252525252525checkouts", "The path is encoded many times over."),
    ] {
        let Classified::Ambiguous(found, violation) = classified(call) else {
            panic!("{call}: {:?}", classified(call))
        };
        assert_eq!(violation.finding.to_string(), why, "{call}");
        let carts = call.to_ascii_lowercase().contains("/v1");
        assert_eq!(
            found.dialect(),
            if carts { carts::DIALECT } else { checkouts::DIALECT },
            "{call}"
        );
        assert_eq!(found.intent(&HeaderMap::new(), &plain("x")), Ok(None));
    }
}

#[test]
fn a_header_that_overrides_the_method_makes_any_governed_path_ambiguous() {
    for name in ["X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"] {
        for (call, governed) in [
            ("GET /checkouts", true),
            ("POST /checkouts/1", true),
            ("GET /orders", true),
            ("GET /refunds", false),
        ] {
            let (method, uri) = head(call);
            let mut headers = HeaderMap::new();
            headers.insert(
                http::HeaderName::from_bytes(name.as_bytes()).unwrap(),
                "POST".parse().unwrap(),
            );
            let found = classify(Dialects::built_in(), &method, &uri, &headers);
            assert_eq!(matches!(found, Classified::Ambiguous(..)), governed, "{name} {call}");
            assert_eq!(matches!(found, Classified::Ungoverned), !governed, "{name} {call}");
        }
    }
}

#[test]
fn a_header_that_overrides_the_path_is_ambiguous_where_either_path_is_governed() {
    for name in ["x-original-url", "x-rewrite-url"] {
        for (call, value, governed) in [
            ("GET /", "/checkouts/1/sources/s", true),
            ("POST /fulfillments", "/v1/shoppers/me/carts/active/submit-cart?token=t", true),
            ("GET /", "/Checkouts/1", true),
            ("GET /", "/x/../checkouts/1", true),
            ("GET /", "http://api/orders", true),
            ("POST /checkouts/1", "/x", true),
            ("POST /checkouts/1", "", true),
            ("POST /fulfillments", "/refunds", false),
            ("GET /", "/", false),
        ] {
            let (method, uri) = head(call);
            let mut headers = HeaderMap::new();
            headers.insert(name, value.parse().unwrap());
            let found = classify(Dialects::built_in(), &method, &uri, &headers);
            assert_eq!(
                matches!(found, Classified::Ambiguous(..)),
                governed,
                "{name} {call} {value}"
            );
        }
    }
}

#[test]
fn a_governed_call_that_asks_for_another_protocol_is_ambiguous() {
    for (call, upgrade, ambiguous) in [
        ("GET /checkouts/1", "websocket", true),
        ("POST /checkouts/1", "h2c, WebSocket", true),
        ("GET /orders", "websocket/13", true),
        ("POST /checkouts/1", "h2c", false),
        ("GET /checkouts/1", "TLS/1.2, HTTP/2.0", false),
        ("GET /refunds", "websocket", false),
    ] {
        let (method, uri) = head(call);
        let mut headers = HeaderMap::new();
        headers.insert("upgrade", upgrade.parse().unwrap());
        let found = classify(Dialects::built_in(), &method, &uri, &headers);
        assert_eq!(matches!(found, Classified::Ambiguous(..)), ambiguous, "{call} {upgrade}");
    }
}

#[test]
fn the_kin_of_the_checkouts_calls_are_understood_as_they_are() {
    let s = || "s".into();
    let dialect = checkouts::DIALECT;
    let changed =
        |ends| Intent::UpdateCustomer { dialect, customer: "c".into(), default: None, ends };
    let attach = || Intent::Attach { session: checkout(), source: s() };
    let order = |session| Intent::Order { session, paid_with: PaidWith::Attached };
    for (call, body, expected) in [
        ("PUT /checkouts/1/sources/s", "", attach()),
        ("PATCH /checkouts/1/sources/s", "", attach()),
        ("POST /checkouts/1/sources", r#"{"sourceId":"s"}"#, attach()),
        ("POST /checkouts/1/sources", "", Intent::Touch { session: checkout() }),
        (
            "PATCH /checkouts/1",
            r#"{"sourceId":"s"}"#,
            Intent::UpdateSession {
                session: checkout(),
                funding: Funding { source: Some(s()), ..Funding::default() },
            },
        ),
        ("PUT /orders", r#"{"checkoutId":"1"}"#, order(checkout())),
        ("POST /invoices/1/open", "", order(invoice())),
        ("POST /invoices/1/void", "", Intent::Detach { session: invoice(), source: None }),
        ("GET /checkouts", "", Intent::ReadSessions { kind: checkouts::CHECKOUT }),
        ("GET /invoices?limit=1", "", Intent::ReadSessions { kind: checkouts::INVOICE }),
        ("POST /checkouts/1/open", "", Intent::Touch { session: checkout() }),
        (
            "POST /orders",
            r#"{"sourceId":"s","customerId":"c","items":[]}"#,
            Intent::OrderAtOnce { dialect, source: s() },
        ),
        ("DELETE /customers/c", "", Intent::DeleteCustomer { dialect, customer: "c".into() }),
        ("POST /customers/c", r#"{"enabled":false}"#, changed(true)),
        ("POST /customers/c", r#"{"requestToBeForgotten":true}"#, changed(true)),
        ("POST /customers/c", r#"{"enabled":true,"requestToBeForgotten":false}"#, changed(false)),
        (
            "POST /customers",
            r#"{"id":"c","defaultSourceId":"s"}"#,
            Intent::CreateCustomer { dialect, default: s() },
        ),
    ] {
        assert_eq!(intent(call, body), expected, "{call} {body}");
    }
}

#[test]
fn a_number_in_place_of_active_or_me_is_understood_or_ambiguous() {
    let source = r#"{"paymentMethod":{"sourceId":"s"}}"#;
    for (call, body) in [
        ("POST me/carts/17/apply-payment-method", source),
        ("DELETE me/carts/17/payment", ""),
        ("POST me/carts/17/submit-cart", ""),
        ("POST me/carts/17/resume-cart", ""),
        ("POST 5/carts/active/resume-cart", ""),
        ("POST me/carts/17/apply-shopper", ""),
        ("POST me/carts/17", source),
        ("POST 5/carts/active/submit-cart", ""),
        ("PUT 5/carts/17/apply-payment-method", source),
    ] {
        let call = call.replacen(' ', " /v1/shoppers/", 1);
        let Classified::Governed(found) = classified(&call) else { panic!("{call}") };
        let found = found.intent(&HeaderMap::new(), &plain(body));
        assert!(matches!(found, Err(UnreadableRequest::Ambiguous(_))), "{call}: {found:?}");
    }
    for call in ["GET me/carts/17", "GET 5/carts/active", "GET 5/payment-options"] {
        let call = call.replacen(' ', " /v1/shoppers/", 1);
        assert_eq!(classified(&call), Classified::Ungoverned, "{call}");
    }
    assert_eq!(
        intent("POST /v1/shoppers/5/payment-options", r#"{"paymentOption":{"sourceId":"s"}}"#),
        Intent::Save { dialect: carts::DIALECT, owner: Owner::Shopper, source: "s".into() }
    );
}

#[test]
fn an_id_that_looks_like_a_word_is_an_id() {
    for id in ["orders%40shop.example", "sources", "me@x", "v1%20old", "active%7C5", "payment%23"] {
        for call in [format!("POST /customers/{id}"), format!("POST /checkouts/1/sources/{id}")] {
            assert!(matches!(classified(&call), Classified::Governed(_)), "{call}");
        }
    }
}

#[test]
fn a_script_that_overrides_the_method_of_a_cart_is_ambiguous_and_its_read_is_a_read() {
    let cart = "/v1/shoppers/me/carts/active";
    for (call, ambiguous) in [
        (format!("GET {cart}/submit-cart?token=T&method=post&callback=f"), true),
        (format!("GET {cart}/payment?method=DELETE&callback=f"), true),
        (format!("GET {cart}?method=put"), true),
        (format!("GET /{cart}?method=put"), true),
        ("GET /v1/shoppers/me/payment-options?method=post".to_owned(), true),
        (format!("HEAD {cart}?method=post"), true),
        (format!("GET {cart}?method=get&callback=f"), false),
        (format!("GET {cart}/submit-cart?method=get&callback=f"), false),
        (format!("POST {cart}/submit-cart?method=post"), false),
        ("GET /checkouts/1?method=post".to_owned(), false),
    ] {
        assert_eq!(matches!(classified(&call), Classified::Ambiguous(..)), ambiguous, "{call}");
    }
    let read = intent(&format!("GET {cart}?method=get&callback=f"), "");
    assert_eq!(read, Intent::ReadSession { session: carts::ACTIVE });
}

const GOVERNED: [&str; 12] = [
    "POST /checkouts",
    "POST /checkouts/1",
    "POST /checkouts/1/sources/s",
    "DELETE /invoices/1/sources/s",
    "POST /orders",
    "POST /sources",
    "POST /customers/c",
    "POST /customers/c/sources/s",
    "POST /v1/shoppers/me/carts/active/apply-payment-method",
    "DELETE /v1/shoppers/me/carts/active/payment",
    "POST /v1/shoppers/me/carts/active/submit-cart",
    "POST /v1/shoppers/me/payment-options",
];

/// Ways to spell a path so that some server still finds its way.
fn mangle(path: &str, how: usize, at: usize) -> String {
    let chars: Vec<char> = path.chars().collect();
    let slashes: Vec<usize> = (0..chars.len()).filter(|at| chars[*at] == '/').collect();
    let letters: Vec<usize> = (0..chars.len()).filter(|at| chars[*at] != '/').collect();
    let (slash, letter) = (slashes[at % slashes.len()], letters[at % letters.len()]);
    let insert = |at: usize, text: &str| [&path[..at], text, &path[at..]].concat();
    let replace = |at: usize, text: &str| [&path[..at], text, &path[at + 1..]].concat();
    let encoded = format!("{:02X}", chars[letter] as u32);
    match how {
        0 => insert(slash, "/"),
        1 => insert(slash, "/."),
        2 => insert(slash, "/x/.."),
        3 => insert(slash, "/%2e"),
        4 => replace(letter, &format!("%{encoded}")),
        5 => replace(letter, &format!("%25{encoded}")),
        6 => replace(letter, &chars[letter].to_ascii_uppercase().to_string()),
        7 => format!("{path}/"),
        8 => format!("{path};x=y"),
        9 => insert(slash, if slash == 0 { "/;" } else { ";a=b" }),
        10 => replace(slash, if slash == 0 { "/%2f" } else { "%2F" }),
        11 => replace(slash, if slash == 0 { "//" } else { "%5c" }),
        12 => insert(letter, "%00"),
        13 => format!("{path}%20"),
        14 => insert(slash, "/%2e%2e"),
        _ => replace(slash, if slash == 0 { "/\\" } else { "\\" }),
    }
}

proptest! {
    #[test]
    fn no_spelling_of_a_governed_path_is_ungoverned(
        call in 0..GOVERNED.len(),
        twists in prop::collection::vec((0usize..16, 0usize..64), 1..4),
    ) {
        let (method, path) = GOVERNED[call].split_once(' ').unwrap();
        let path = twists.iter().fold(path.to_owned(), |path, (how, at)| mangle(&path, *how, *at));
        let uri: Uri = path.parse().unwrap();
        let method: Method = method.parse().unwrap();
        let found = classify(Dialects::built_in(), &method, &uri, &HeaderMap::new());
        prop_assert!(found != Classified::Ungoverned, "{method} {path}");
    }

    #[test]
    fn any_path_is_classified_without_panic(path in "/[ -~]{0,40}") {
        if let Ok(uri) = path.parse::<Uri>() {
            for method in [Method::GET, Method::POST, Method::DELETE] {
                classify(Dialects::built_in(), &method, &uri, &HeaderMap::new());
            }
            form_is_found(&uri);
        }
    }
}

fn form_is_found(uri: &Uri) {
    Dialects::built_in().form_for(uri, &HeaderMap::new());
}
