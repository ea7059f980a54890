//! Requests of the checkouts dialect: what their bodies say.

use super::{
    routes::{PARAMETERS, Route, route},
    ruleset::{CHECKOUT, DIALECT, INVOICE},
};
use crate::{
    dialects::{
        api::{Operation, Request},
        read::{
            body::{self, RequestError},
            fields::{self, Fields, Member, Value, value},
        },
    },
    rules::{
        CustomerId, Funding, Intent, NewSource, Owner, PaidWith, SessionKey, SessionKind, SourceId,
        SourceType, Stated, Target, Version,
    },
};
use bytes::Bytes;
use http::HeaderMap;
use std::borrow::Cow;

const FUNDING: &[Member] =
    &[value("sourceId"), value("customerId"), value("creditAmount"), value("billingOptimization")];
const ORDER: &[Member] = &[value("checkoutId"), value("sourceId")];
const CUSTOMER: &[Member] =
    &[value("defaultSourceId"), value("enabled"), value("requestToBeForgotten")];
const NEW_SOURCE: &[Member] = &[value("type"), value("amount"), value("owner")];
const EDITED_SOURCE: &[Member] = &[value("amount")];
const NAMED_IN_PATH: &[Member] = &[value("sourceId")];

/// Members of an update that cannot change what is to be paid.
const WITHOUT_PRICE: [&str; 7] =
    ["metadata", "email", "upstreamId", "locale", "browserIp", "applicationId", "description"];

/// The first version that nests payments under `payment`.
const NESTED_SINCE: &str = "2021-03-23";

/// Reads what the call means.
pub(super) fn intent(
    operation: Operation<'_>,
    request: &Request<'_>,
) -> Result<Option<Intent>, RequestError> {
    let Some(route) = route(operation) else { return Ok(None) };
    if let Some(intent) = without_body(&route) {
        return Ok(Some(intent));
    }
    let intent = with_body(route, request)?;
    request
        .query
        .agrees_with(intent.as_ref().and_then(Intent::source).map(SourceId::as_str))
        .map_err(RequestError::Ambiguous)?;
    Ok(intent)
}

/// Returns the body of a request without its `owner`.
pub(super) fn strip(body: &[u8]) -> Option<Bytes> {
    fields::without_member(body, "owner")
}

/// Returns what a call means whose body does not matter.
fn without_body(route: &Route) -> Option<Intent> {
    Some(match route {
        Route::ReadSource(source) => Intent::ReadSource { source: source.clone() },
        Route::List(kind) => Intent::ReadSessions { kind: *kind },
        Route::Read(key) => Intent::ReadSession { session: target(key) },
        Route::ReadCustomer(customer) => Intent::ReadCustomer { customer: customer.clone() },
        Route::Delete(key) => Intent::DeleteSession { session: target(key) },
        Route::Touch(key) => Intent::Touch { session: target(key) },
        Route::Open(key) => Intent::Order { session: target(key), paid_with: PaidWith::Attached },
        Route::Void(key) => Intent::Detach { session: target(key), source: None },
        Route::DeleteCustomer(customer) => {
            Intent::DeleteCustomer { dialect: DIALECT, customer: customer.clone() }
        }
        _ => return None,
    })
}

fn with_body(route: Route, request: &Request<'_>) -> Result<Option<Intent>, RequestError> {
    let text = text(request)?;
    Ok(Some(match route {
        Route::CreateSource => new_source(text)?,
        Route::EditSource(source) => {
            let fields = Fields::read(text, EDITED_SOURCE)?;
            let amount = fields.get("amount").is_some_and(|amount| !amount.is_nothing());
            Intent::EditSource { source, amount }
        }
        Route::Create(kind) => {
            Intent::CreateSession { kind, funding: funding(kind, request.headers, text)? }
        }
        Route::Update(key) => Intent::UpdateSession {
            session: target(&key),
            funding: funding(key.kind, request.headers, text)?,
        },
        Route::Attach(key, source) => {
            confirm(&source, text)?;
            Intent::Attach { session: target(&key), source }
        }
        Route::AttachNamed(key) => {
            let session = target(&key);
            match Fields::read(text, NAMED_IN_PATH)?.id("sourceId")? {
                Some(source) => Intent::Attach { session, source: (&*source).into() },
                None => Intent::Touch { session },
            }
        }
        Route::Detach(key, source) => {
            confirm(&source, text)?;
            Intent::Detach { session: target(&key), source: Some(source) }
        }
        Route::Save(customer, source) => {
            confirm(&source, text)?;
            Intent::Save { dialect: DIALECT, owner: Owner::Customer(customer), source }
        }
        Route::Remove(customer, source) => {
            confirm(&source, text)?;
            Intent::Remove { dialect: DIALECT, customer, source }
        }
        Route::CreateCustomer => {
            let fields = Fields::read(text, CUSTOMER)?;
            let Some(default) = fields.id("defaultSourceId")? else { return Ok(None) };
            Intent::CreateCustomer { dialect: DIALECT, default: (&*default).into() }
        }
        Route::UpdateCustomer(customer) => update_customer(customer, text)?,
        Route::Order => return order(text),
        route => return Ok(without_body(&route)),
    }))
}

fn update_customer(customer: CustomerId, text: &str) -> Result<Intent, RequestError> {
    let fields = Fields::read(text, CUSTOMER)?;
    let is = |name, flag| {
        let stated = fields.get(name).map_or(Ok(None), |value| value.flag(name));
        stated.map(|stated| stated == Some(flag))
    };
    Ok(Intent::UpdateCustomer {
        dialect: DIALECT,
        customer,
        default: fields.id("defaultSourceId")?.map(|id| (&*id).into()),
        ends: is("enabled", false)? || is("requestToBeForgotten", true)?,
    })
}

fn text<'a>(request: &Request<'a>) -> Result<&'a str, RequestError> {
    body::text(request.headers, request.body, &PARAMETERS)
}

fn target(key: &SessionKey) -> Target {
    Target::Session(key.clone())
}

fn funding(kind: SessionKind, headers: &HeaderMap, text: &str) -> Result<Funding, RequestError> {
    let fields = Fields::read(text, FUNDING)?;
    let optimization = fields.get("billingOptimization").filter(|_| kind == INVOICE);
    let customer = fields.id("customerId")?.map(|id| (&*id).into());
    Ok(Funding {
        source: fields.id("sourceId")?.map(|id| (&*id).into()),
        customer: if fields.get("customerId").is_some() {
            Stated::Stated(customer)
        } else {
            Stated::Unstated
        },
        credit_amount: fields
            .get("creditAmount")
            .map_or(Ok(None), |amount| amount.amount("creditAmount"))?,
        changes_total: fields.others().any(|(name, _)| !WITHOUT_PRICE.contains(&name)),
        billing_optimization: optimization
            .map_or(Ok(None), |flag| flag.flag("billingOptimization"))?
            .into(),
        version: version(headers),
    })
}

/// Returns the version that the call asks for. Dates of this form sort as text.
fn version(headers: &HeaderMap) -> Stated<Version> {
    let mut asked = headers.get_all("digitalriver-version").iter();
    let (Some(value), None) = (asked.next(), asked.next()) else { return Stated::Unstated };
    match value.as_bytes().trim_ascii() {
        date if !is_date(date) => Stated::Unstated,
        date if date < NESTED_SINCE.as_bytes() => Stated::Stated(Version::Legacy),
        _ => Stated::Stated(Version::Nested),
    }
}

fn is_date(text: &[u8]) -> bool {
    text.len() == 10
        && text.iter().enumerate().all(|(at, byte)| {
            if at == 4 || at == 7 { *byte == b'-' } else { byte.is_ascii_digit() }
        })
}

fn new_source(text: &str) -> Result<Intent, RequestError> {
    let fields = Fields::read(text, NEW_SOURCE)?;
    let is_there = |name| fields.get(name).is_some_and(|value| !value.is_nothing());
    let kind = fields.get("type").and_then(Value::text).filter(|kind| !kind.is_empty());
    Ok(Intent::CreateSource(NewSource {
        has_amount: is_there("amount"),
        has_type_object: fields
            .others()
            .any(|(name, value)| Some(name) == kind.as_deref() && value.is_object()),
        has_owner: is_there("owner"),
        kind: kind.map(|kind| SourceType::from(&*kind)),
    }))
}

fn order(text: &str) -> Result<Option<Intent>, RequestError> {
    let fields = Fields::read(text, ORDER)?;
    // Beside a checkout the vendor ignores what else the body names.
    let of_checkout = |id: Cow<'_, str>| Intent::Order {
        session: Target::Session(SessionKey::new(CHECKOUT, &*id)),
        paid_with: PaidWith::Attached,
    };
    Ok(match fields.id("checkoutId")? {
        Some(id) => Some(of_checkout(id)),
        None => fields
            .id("sourceId")?
            .map(|id| Intent::OrderAtOnce { dialect: DIALECT, source: (&*id).into() }),
    })
}

/// Checks that a body, if there is one, names the same source as the path.
fn confirm(source: &SourceId, text: &str) -> Result<(), RequestError> {
    match Fields::read(text, NAMED_IN_PATH)?.id("sourceId")? {
        Some(other) if other != source.as_str() => {
            Err(RequestError::ambiguous("The path and the body name different sources."))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        dialects::{Classified, Dialects, UnreadableRequest, classify, decoded_body},
        rules::RuleId,
    };

    fn read(call: &str, version: &str, body: &str) -> Result<Option<Intent>, UnreadableRequest> {
        let (method, uri) = call.split_once(' ').unwrap();
        let mut headers = HeaderMap::new();
        if !version.is_empty() {
            headers.insert("digitalriver-version", version.parse().unwrap());
        }
        let (method, uri) = (method.parse().unwrap(), uri.parse().unwrap());
        match classify(Dialects::built_in(), &method, &uri, &headers) {
            Classified::Governed(call) => {
                call.intent(&headers, &decoded_body(&headers, body.as_bytes(), 1 << 20))
            }
            other => panic!("{call}: {other:?}"),
        }
    }

    fn update(version: &str, body: &str) -> Funding {
        match read("POST /invoices/1", version, body) {
            Ok(Some(Intent::UpdateSession { funding, .. })) => funding,
            other => panic!("{body}: {other:?}"),
        }
    }

    #[test]
    fn an_update_says_how_it_is_paid() {
        let none = Funding::default();
        for (body, expected) in [
            (r#"{"sourceId":"s"}"#, Funding { source: Some("s".into()), ..none.clone() }),
            (
                r#"{"customerId":"c"}"#,
                Funding { customer: Stated::Stated(Some("c".into())), ..none.clone() },
            ),
            (
                r#"{"customerId":544671250336}"#,
                Funding { customer: Stated::Stated(Some("544671250336".into())), ..none.clone() },
            ),
            (r#"{"customerId":null}"#, Funding { customer: Stated::Stated(None), ..none.clone() }),
            (
                r#"{"creditAmount":"11.00"}"#,
                Funding { credit_amount: "11".parse().ok(), ..none.clone() },
            ),
            (r#"{"creditAmount":null}"#, none.clone()),
            (
                r#"{"billingOptimization":"true"}"#,
                Funding { billing_optimization: Stated::Stated(true), ..none.clone() },
            ),
            (
                r#"{"metadata":{"sourceId":"x"},"email":"e","upstreamId":"u","locale":"l"}"#,
                none.clone(),
            ),
            (r#"{"items":[]}"#, Funding { changes_total: true, ..none.clone() }),
            (
                r#"{"shipTo":{"address":{}},"sourceId":"s"}"#,
                Funding { source: Some("s".into()), changes_total: true, ..none },
            ),
        ] {
            assert_eq!(update("", body), expected, "{body}");
        }
    }

    #[test]
    fn the_version_is_the_one_the_call_asks_for() {
        for (version, expected) in [
            ("", Stated::Unstated),
            ("2020-09-30", Stated::Stated(Version::Legacy)),
            ("2021-03-22", Stated::Stated(Version::Legacy)),
            ("2021-03-23", Stated::Stated(Version::Nested)),
            ("2021-12-13", Stated::Stated(Version::Nested)),
            ("latest", Stated::Unstated),
            ("2021-3-1", Stated::Unstated),
        ] {
            assert_eq!(update(version, "{}").version, expected, "{version}");
        }
    }

    #[test]
    fn a_new_source_shows_what_it_has() {
        for (body, expected) in [
            (
                r#"{"paymentSessionId":"p","amount":2,"type":"customerCredit","customerCredit":{},"upstreamId":"7"}"#,
                NewSource {
                    kind: Some("customerCredit".into()),
                    has_amount: true,
                    has_type_object: true,
                    has_owner: false,
                },
            ),
            (
                r#"{"type":"customerCredit","customerCredit":[],"amount":null,"owner":{"firstName":"x"}}"#,
                NewSource {
                    kind: Some("customerCredit".into()),
                    has_owner: true,
                    ..NewSource::default()
                },
            ),
            (r#"{"type":7,"amount":"2"}"#, NewSource { has_amount: true, ..NewSource::default() }),
            ("", NewSource::default()),
        ] {
            assert_eq!(
                read("POST /sources", "", body),
                Ok(Some(Intent::CreateSource(expected))),
                "{body}"
            );
        }
    }

    #[test]
    fn two_ids_that_disagree_are_ambiguous() {
        for (call, body) in [
            ("POST /checkouts/1/sources/s", r#"{"sourceId":"t"}"#),
            ("POST /checkouts/1/sources/s", "sourceId=t"),
            ("DELETE /checkouts/1/sources/s", r#"{"sourceId":"t"}"#),
            ("POST /customers/c/sources/s", r#"{"SOURCEID":"t"}"#),
            ("POST /checkouts/1/sources/s?sourceId=t", ""),
            ("POST /checkouts/1?sourceId=t", "{}"),
            ("POST /checkouts/1?sourceId=t", r#"{"sourceId":"s"}"#),
            ("POST /orders?checkoutId=1", "{}"),
            ("POST /orders", r#"{"CheckoutId":"1"}"#),
            ("POST /customers/c?defaultSourceId=s", "{}"),
            ("POST /checkouts", "<checkout><sourceId>s</sourceId></checkout>"),
            ("POST /checkouts/1", "sourceId=s"),
            ("POST /sources", r#"{"type":"payPal","type":"customerCredit"}"#),
            ("POST /sources/s", r#"{"Amount":1}"#),
        ] {
            let found = read(call, "", body);
            let Err(UnreadableRequest::Ambiguous(violation)) = &found else {
                panic!("{call} {body}: {found:?}")
            };
            assert_eq!(violation.rule, RuleId::AmbiguousRequest, "{call} {body}: {found:?}");
        }
        assert!(read("POST /checkouts/1/sources/s?sourceId=s", "", r#"{"sourceId":"s"}"#).is_ok());
    }

    #[test]
    fn an_amount_that_cannot_be_read_is_ambiguous_and_not_guessed() {
        for body in
            [r#"{"creditAmount":"ten"}"#, r#"{"creditAmount":[1]}"#, r#"{"creditAmount":1e400}"#]
        {
            assert!(
                matches!(read("POST /checkouts/1", "", body), Err(UnreadableRequest::Ambiguous(_))),
                "{body}"
            );
        }
    }

    #[test]
    fn a_body_that_says_nothing_is_no_body_in_any_call() {
        for call in [
            "POST /sources",
            "POST /sources/s",
            "POST /checkouts",
            "POST /checkouts/1",
            "POST /checkouts/1/sources/s",
            "DELETE /checkouts/1/sources/s",
            "POST /orders",
            "POST /customers/c",
            "POST /customers/c/sources/s",
        ] {
            for body in ["[]", " [ ] ", "null", "\"\"", "\n", "\u{feff}null", "\u{feff}"] {
                assert_eq!(read(call, "", body), read(call, "", ""), "{call} {body:?}");
                assert!(read(call, "", body).is_ok(), "{call} {body:?}");
            }
        }
    }

    #[test]
    fn a_long_number_or_deep_nesting_where_no_rule_looks_is_no_reason_to_refuse() {
        let deep = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
        for odd in [&*deep, &"9".repeat(5000), "1e999999999", "-1e-400", "1E+400"] {
            let funding = update("", &format!(r#"{{"metadata":{odd},"sourceId":"s"}}"#));
            assert_eq!(funding.source, Some("s".into()));
        }
    }

    #[test]
    fn in_json_any_text_is_one_id() {
        for id in ["auth0|5f7c", "jane doe", "M\u{fc}ller", "{GUID}", "a#b", "a/b", "../x", "a%2Fb"]
        {
            let funding = update("", &format!(r#"{{"customerId":"{id}","sourceId":"{id}"}}"#));
            assert_eq!(funding.customer, Stated::Stated(Some(id.into())), "{id}");
            assert_eq!(funding.source, Some(id.into()), "{id}");
        }
        let long = |length| format!(r#"{{"sourceId":"{}"}}"#, "x".repeat(length));
        assert!(read("POST /checkouts/1", "", &long(256)).is_ok());
        assert!(matches!(
            read("POST /checkouts/1", "", &long(257)),
            Err(UnreadableRequest::Ambiguous(_))
        ));
    }

    #[test]
    fn encoded_bodies_are_read_in_the_clear_and_no_further_than_a_bound() {
        use crate::dialects::read::coding::tests::{br, coded, gzip};
        let uri = "/checkouts/1".parse().unwrap();
        let Classified::Governed(call) =
            classify(Dialects::built_in(), &http::Method::POST, &uri, &HeaderMap::new())
        else {
            panic!()
        };
        let read = |coding: &str, body: &[u8]| {
            let headers = coded(coding);
            call.intent(&headers, &decoded_body(&headers, body, 1 << 20))
        };
        let body = br#"{"sourceId":"s"}"#;
        for (coding, sent) in [("gzip", gzip(body)), ("br", br(body))] {
            let intent = read(coding, &sent).unwrap().unwrap();
            assert_eq!(intent.attaches().map(SourceId::as_str), Some("s"), "{coding}");
        }
        assert_eq!(read("gzip", &gzip(&vec![b' '; 2 << 20])), Err(UnreadableRequest::TooLarge));
        assert!(matches!(read("gzip", body), Err(UnreadableRequest::Malformed(_))));
        assert!(matches!(read("zstd", body), Err(UnreadableRequest::Ambiguous(_))));
    }
}
