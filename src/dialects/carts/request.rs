//! Requests of the carts dialect: what their bodies say, in JSON or XML, wrapped in `cart` or bare.

use super::{
    routes::{PARAMETERS, Route, route},
    ruleset::{ACTIVE, DIALECT},
};
use crate::{
    dialects::{
        api::{Operation, Request},
        read::{
            body::{self, RequestError},
            fields::{Fields, Member, value},
            xml::{self, XmlError},
        },
    },
    rules::{Funding, Intent, OptionId, Owner, PaidWith, SourceId},
};
use std::borrow::Cow;

const METHOD: &[Member] = &[value("sourceId")];
const CART: &[Member] = &[value("sourceId"), Member { name: "paymentMethod", of: METHOD }];
const CALL: &[Member] = &[
    value("sourceId"),
    Member { name: "cart", of: CART },
    Member { name: "paymentMethod", of: METHOD },
    Member { name: "paymentOption", of: METHOD },
];

const BY_NUMBER: &str =
    "The path names the cart or the shopper by a number. Write `me` and `active`.";

/// Reads what the call means.
pub(super) fn intent(
    operation: Operation<'_>,
    request: &Request<'_>,
) -> Result<Option<Intent>, RequestError> {
    let Some(route) = route(operation) else { return Ok(None) };
    let session = ACTIVE;
    let (intent, source) = match &route {
        Route::Read => return Ok(Some(Intent::ReadSession { session })),
        Route::Touch => return Ok(Some(Intent::Touch { session })),
        Route::WebCheckout => return Ok(Some(Intent::HandOver { session })),
        Route::ReadOption | Route::ReadOptions => return Ok(Some(Intent::ReadOptions)),
        Route::RemoveOption(option) => {
            return Ok(Some(Intent::ChangeOption {
                dialect: DIALECT,
                option: option.clone(),
                removes: true,
                source: None,
            }));
        }
        Route::ByNumber => return Err(RequestError::ambiguous(BY_NUMBER)),
        Route::DetachAll => (Intent::Detach { session, source: None }, None),
        Route::ApplyShopper => {
            let option = request.query.id.as_deref().map(OptionId::from);
            (Intent::AttachSaved { session, option }, None)
        }
        Route::Update
        | Route::UpdateByNumber
        | Route::Attach
        | Route::Detach
        | Route::Submit
        | Route::Resume
        | Route::SaveOption
        | Route::ChangeOption(_) => {
            let text = text(request)?;
            let fields = Fields::read(&text, CALL)?;
            let source = fields.id("sourceId")?.map(|id| SourceId::from(&*id));
            if source.is_some() && route == Route::UpdateByNumber {
                return Err(RequestError::ambiguous(BY_NUMBER));
            }
            let changes_total = request.query.changes || fields.others().next().is_some();
            let Some(intent) = with_body(&route, source.clone(), changes_total) else {
                return Ok(None);
            };
            (intent, source)
        }
    };
    request
        .query
        .agrees_with(source.as_ref().map(SourceId::as_str))
        .map_err(RequestError::Ambiguous)?;
    Ok(Some(intent))
}

/// How deep a rule looks into a document, and one more.
const DEPTH: usize = 4;

/// Returns the JSON of the body. An XML document is converted with all its names as deep as a rule
/// looks, since other spellings of a name must be seen.
fn text<'a>(request: &Request<'a>) -> Result<Cow<'a, str>, RequestError> {
    let text = body::text(request.headers, request.body, &PARAMETERS)?;
    if !text.trim_ascii_start().starts_with('<') {
        return Ok(Cow::Borrowed(text));
    }
    if xml::has_attribute(text, "sourceId") {
        return Err(RequestError::ambiguous(
            "The body has an attribute that could be taken for a member.",
        ));
    }
    xml::to_json(text, &[], |depth, _| depth <= DEPTH).map(Cow::Owned).map_err(|why| match why {
        XmlError::Ambiguous => {
            RequestError::ambiguous("The body has XML that parsers read differently.")
        }
        XmlError::Malformed | XmlError::TooDeep => {
            RequestError::ambiguous("The body is neither one JSON object nor one XML document.")
        }
    })
}

fn with_body(route: &Route, source: Option<SourceId>, changes_total: bool) -> Option<Intent> {
    let session = ACTIVE;
    Some(match (route, source) {
        (Route::Attach, Some(source)) => Intent::Attach { session, source },
        // A payment method of another kind than a source.
        (Route::Attach, None) => Intent::Touch { session },
        (Route::Detach, source) => Intent::Detach { session, source },
        (Route::Resume, _) => Intent::Order { session, paid_with: PaidWith::Resumed },
        // The vendor ignores a source that is named here.
        (Route::Submit, _) => Intent::Order { session, paid_with: PaidWith::Attached },
        (Route::UpdateByNumber, _) => Intent::Touch { session },
        (Route::ChangeOption(option), source) => Intent::ChangeOption {
            dialect: DIALECT,
            option: option.clone(),
            removes: false,
            source,
        },
        (Route::SaveOption, source) => {
            Intent::Save { dialect: DIALECT, owner: Owner::Shopper, source: source? }
        }
        (_, source) => Intent::UpdateSession {
            session,
            funding: Funding { source, changes_total, ..Funding::default() },
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialects::{Classified, Dialects, UnreadableRequest, classify, decoded_body};
    use http::HeaderMap;

    fn read(call: &str, body: &str) -> Result<Option<Intent>, UnreadableRequest> {
        let (method, path) = call.split_once(' ').unwrap();
        let uri = format!("/v1/shoppers/me/{path}").parse().unwrap();
        let headers = HeaderMap::new();
        match classify(Dialects::built_in(), &method.parse().unwrap(), &uri, &headers) {
            Classified::Governed(call) => {
                call.intent(&headers, &decoded_body(&headers, body.as_bytes(), 1 << 20))
            }
            other => panic!("{call}: {other:?}"),
        }
    }

    const ATTACH: &str = "POST carts/active/apply-payment-method";

    #[test]
    fn a_source_is_found_in_every_form_of_body() {
        for body in [
            r#"{"paymentMethod":{"sourceId":"s"}}"#,
            r#"{"cart":{"paymentMethod":{"sourceId":"s"}}}"#,
            r#"{"sourceId":"s"}"#,
            "<paymentMethod><sourceId>s</sourceId></paymentMethod>",
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<cart xmlns=\"x\"><paymentMethod>\n<sourceId>s</sourceId></paymentMethod></cart>",
            "<paymentMethod><sourceId><![CDATA[s]]></sourceId></paymentMethod>",
        ] {
            let expected = Intent::Attach { session: ACTIVE, source: "s".into() };
            assert_eq!(read(ATTACH, body), Ok(Some(expected)), "{body}");
        }
        let save = "<paymentOption><nickName>n</nickName><isDefault>true</isDefault><sourceId>s</sourceId></paymentOption>";
        let expected = Intent::Save { dialect: DIALECT, owner: Owner::Shopper, source: "s".into() };
        assert_eq!(read("POST payment-options", save), Ok(Some(expected)));
    }

    #[test]
    fn an_update_says_what_it_attaches_and_whether_the_total_may_change() {
        for (call, body, source, changes_total) in [
            (
                "POST carts/active",
                r#"{"cart":{"paymentMethod":{"sourceId":"s"}}}"#,
                Some("s"),
                false,
            ),
            ("POST carts/active?expand=all&token=t", "", None, false),
            ("POST carts/active?promoCode=x", "", None, true),
            ("POST carts/active", r#"{"cart":{"lineItems":{}}}"#, None, true),
            (
                "POST carts/active",
                r#"{"shippingMethod":1,"paymentMethod":{"sourceId":"s"}}"#,
                Some("s"),
                true,
            ),
        ] {
            let Ok(Some(Intent::UpdateSession { funding, .. })) = read(call, body) else {
                panic!("{call}")
            };
            assert_eq!(
                (funding.source.as_ref().map(SourceId::as_str), funding.changes_total),
                (source, changes_total),
                "{call} {body}"
            );
        }
    }

    #[test]
    fn a_byte_order_mark_or_deep_nesting_where_no_rule_looks_is_read_past() {
        let deep = format!("{}{}", "<a>".repeat(1000), "</a>".repeat(1000));
        let expected = Intent::Attach { session: ACTIVE, source: "s".into() };
        for body in [
            "\u{feff}<paymentMethod><sourceId>s</sourceId></paymentMethod>".to_owned(),
            "\u{feff}{\"sourceId\":\"s\"}".to_owned(),
            format!("<cart>{deep}<paymentMethod><sourceId>s</sourceId></paymentMethod></cart>"),
        ] {
            assert_eq!(read(ATTACH, &body), Ok(Some(expected.clone())));
        }
    }

    #[test]
    fn a_body_that_says_nothing_is_no_body_in_any_call() {
        for call in [
            ATTACH,
            "DELETE carts/active/apply-payment-method",
            "POST carts/active",
            "POST carts/active/submit-cart",
            "POST payment-options",
        ] {
            for body in ["[]", "null", "\"\"", "\u{feff}[ ]"] {
                assert_eq!(read(call, body), read(call, ""), "{call} {body:?}");
                assert!(read(call, body).is_ok(), "{call} {body:?}");
            }
        }
    }

    #[test]
    fn what_two_parsers_would_read_differently_is_ambiguous() {
        for (call, body) in [
            (ATTACH, r#"{"paymentMethod":{"sourceId":"s","sourceId":"t"}}"#),
            (ATTACH, r#"{"paymentMethod":{"sourceId":"s","source\u0049d":"s"}}"#),
            (ATTACH, r#"{"paymentMethod":{"sourceId":"s"},"paymentmethod":{"sourceId":"t"}}"#),
            (
                ATTACH,
                r#"{"paymentMethod":{"sourceId":"s"},"cart":{"paymentMethod":{"sourceId":"t"}}}"#,
            ),
            (ATTACH, "<paymentMethod><sourceId>s</sourceId><sourceId>t</sourceId></paymentMethod>"),
            (ATTACH, "<PaymentMethod><sourceId>s</sourceId></PaymentMethod>"),
            (ATTACH, "<paymentMethod><sourceId>s<!-- -->t</sourceId></paymentMethod>"),
            (
                ATTACH,
                "<!DOCTYPE x [<!ENTITY e 's'>]><paymentMethod><sourceId>&e;</sourceId></paymentMethod>",
            ),
            (ATTACH, "<paymentMethod><sourceId>s</sourceId>"),
            (ATTACH, "paymentMethod.sourceId=s"),
            ("POST carts/active/apply-payment-method?sourceId=s", ""),
            (
                "POST carts/active/apply-payment-method?paymentMethod[sourceId]=t",
                r#"{"paymentMethod":{"sourceId":"s"}}"#,
            ),
            ("DELETE carts/active/apply-payment-method?sourceId=s", ""),
            ("DELETE carts/active/payment?sourceId=s", ""),
            ("POST carts/active/submit-cart", "["),
        ] {
            assert!(
                matches!(read(call, body), Err(UnreadableRequest::Ambiguous(_))),
                "{call} {body}: {:?}",
                read(call, body)
            );
        }
        assert!(matches!(
            read(ATTACH, &"<a>".repeat(10_000)),
            Err(UnreadableRequest::Ambiguous(_))
        ));
        assert!(read("POST carts/active/submit-cart?sourceId=s", r#"{"sourceId":"s"}"#).is_ok());
    }
}
