//! Answers of the carts dialect: carts, wrapped or bare, and lists of payment options.
//!
//! A member that is missing is not told, except in Weir's own look-up, which asks for everything.

use super::Route;
use crate::{
    dialects::{
        call::Garbled,
        value::{self, Many, One, Scalar},
    },
    rules::{
        Amount, Answer, Currency, OptionFacts, OptionId, SessionFacts, SessionState, SourceFacts,
        SourceId, Told,
    },
};
use serde::{
    Deserialize, Deserializer,
    de::{Error, IgnoredAny, MapAccess, Visitor},
};
use std::{borrow::Cow, fmt};

/// How much of the thing an answer shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::dialects) enum Shows {
    /// What the caller's `fields=` names; even a list may be cut.
    APart,
    /// What upstream shows unasked: a member that is there is whole, a missing one is not told.
    ThoseThere,
    /// Everything.
    All,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Cart<'a> {
    #[serde(borrow)]
    id: Option<Scalar<'a>>,
    /// The wrapped form.
    cart: Option<Box<Cart<'a>>>,
    payment_method: Option<One<Method<'a>>>,
    #[serde(default)]
    payment_session: One<PaymentSession<'a>>,
    #[serde(default)]
    pricing: One<Pricing<'a>>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct PaymentSession<'a> {
    #[serde(borrow)]
    id: Option<Scalar<'a>>,
    status: Option<Scalar<'a>>,
    state: Option<Scalar<'a>>,
    #[serde(default)]
    amount_contributed: One<Money<'a>>,
    #[serde(default)]
    amount_remaining_to_be_contributed: One<Money<'a>>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Pricing<'a> {
    #[serde(default, borrow)]
    order_total: One<Money<'a>>,
}

#[derive(Clone, Copy, Default, Deserialize)]
struct Money<'a> {
    #[serde(borrow)]
    currency: Option<Scalar<'a>>,
    value: Option<Scalar<'a>>,
}

#[derive(Deserialize)]
struct TypeObject<'a> {
    #[serde(borrow)]
    reusable: Option<Scalar<'a>>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Options<'a> {
    #[serde(default, borrow)]
    payment_options: One<List<'a>>,
    #[serde(default)]
    payment_option: Many<Method<'a>>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct List<'a> {
    #[serde(default, borrow)]
    payment_option: Many<Method<'a>>,
}

/// A payment method of a cart, or a payment option of a shopper. The object named after its type is
/// known only once the type is.
#[derive(Default)]
struct Method<'a> {
    id: Option<Scalar<'a>>,
    source: Option<Scalar<'a>>,
    kind: Option<Scalar<'a>>,
    amount: Option<One<Money<'a>>>,
    reusable: Option<Scalar<'a>>,
    state: Option<Scalar<'a>>,
    default: Option<Scalar<'a>>,
    objects: Vec<(Cow<'a, str>, &'a str)>,
    more: Option<Many<Method<'a>>>,
}

impl<'de: 'a, 'a> Deserialize<'de> for Method<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MethodVisitor)
    }
}

struct MethodVisitor;

impl<'de> Visitor<'de> for MethodVisitor {
    type Value = Method<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a payment method")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Method<'de>, A::Error> {
        #[derive(Deserialize)]
        struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

        let mut method = Method::default();
        while let Some(Name(name)) = map.next_key()? {
            let twice = match &*name {
                "id" => method.id.replace(map.next_value()?).is_some(),
                "sourceId" => method.source.replace(map.next_value()?).is_some(),
                "type" => method.kind.replace(map.next_value()?).is_some(),
                "amountContributed" => method.amount.replace(map.next_value()?).is_some(),
                "reusable" => method.reusable.replace(map.next_value()?).is_some(),
                "state" => method.state.replace(map.next_value()?).is_some(),
                "isDefault" => method.default.replace(map.next_value()?).is_some(),
                "supplementaryPaymentMethods" | "supplementaryPaymentMethod" => {
                    method.more.replace(map.next_value()?).is_some()
                }
                "sourceClientSecret" | "nickName" | "uri" => {
                    map.next_value::<IgnoredAny>()?;
                    false
                }
                _ => {
                    let value: Scalar<'de> = map.next_value()?;
                    let twice = method.objects.iter().any(|(known, _)| *known == name);
                    if value.raw().starts_with('{') {
                        method.objects.push((name, value.raw()));
                    }
                    twice
                }
            };
            if twice {
                return Err(A::Error::custom("a member stands twice"));
            }
        }
        Ok(method)
    }
}

/// Reads the answer to a call.
pub(in crate::dialects) fn read_answer(
    route: &Route,
    shows: Shows,
    json: &[u8],
) -> Result<Answer, Garbled> {
    match route {
        Route::Read | Route::Update | Route::Attach | Route::ApplyShopper(_) => {
            Ok(Answer { session: Some(of_cart(json, shows)?), ..Answer::default() })
        }
        // What it shows is on its way to be an order: its id may be either's.
        Route::Submit => {
            let sources = match of_cart(json, shows)?.sources {
                Told::Told(sources) => sources,
                Told::NotTold => Vec::new(),
            };
            Ok(Answer {
                charged: sources.into_iter().map(|source| source.id).collect(),
                ..Answer::default()
            })
        }
        Route::ReadOptions => Ok(Answer { options: of_options(json, shows)?, ..Answer::default() }),
        Route::Detach
        | Route::DetachAll
        | Route::Touch
        | Route::SaveOption
        | Route::ChangeOption(_)
        | Route::RemoveOption(_)
        | Route::ReadOption => Ok(Answer::default()),
    }
}

fn parse<'a, T: Deserialize<'a>>(json: &'a [u8]) -> Result<T, Garbled> {
    serde_json::from_slice(json).map_err(|_| Garbled("it is not what the call is answered with"))
}

fn of_cart(json: &[u8], shows: Shows) -> Result<SessionFacts, Garbled> {
    let mut cart: Cart<'_> = parse(json)?;
    if let Some(wrapped) = cart.cart.take() {
        cart = *wrapped;
    }
    let session = cart.payment_session.0.unwrap_or_default();
    let contributed = money(session.amount_contributed)?;
    let remaining = money(session.amount_remaining_to_be_contributed)?;
    let order_total = money(cart.pricing.0.unwrap_or_default().order_total)?;
    let total = match (contributed, remaining) {
        (Some((contributed, one)), Some((remaining, other))) if one == other => {
            contributed.checked_add(remaining)
        }
        _ => order_total.map(|(total, _)| total),
    };
    let is_unfunded = matches!((contributed, remaining), (Some((c, _)), Some((r, _))) if c == Amount::ZERO && r.is_positive());
    Ok(SessionFacts {
        id: value::text(cart.id)?.map(|id| (&*id).into()),
        sources: sources(cart.payment_method, shows, is_unfunded)?,
        total: total.into(),
        remaining: remaining.map(|(amount, _)| amount).into(),
        currency: remaining
            .or(contributed)
            .or(order_total)
            .map_or(Told::NotTold, |(_, currency)| currency),
        state: value::text(session.status.or(session.state))?
            .map(|state| SessionState::read(&state))
            .into(),
        payment_session: value::text(session.id)?.map(|id| Box::from(&*id)).into(),
        ..SessionFacts::default()
    })
}

fn money(shown: One<Money<'_>>) -> Result<Option<(Amount, Told<Currency>)>, Garbled> {
    let shown = shown.0.unwrap_or_default();
    match value::amount(shown.value)? {
        Told::Told(amount) => Ok(Some((amount, value::currency(shown.currency)?))),
        Told::NotTold => Ok(None),
    }
}

/// The attached sources: the cart's payment method and those that supplement it.
fn sources(
    shown: Option<One<Method<'_>>>,
    shows: Shows,
    is_unfunded: bool,
) -> Result<Told<Vec<SourceFacts>>, Garbled> {
    let mut found = Vec::new();
    match shown {
        // A filtered list may be cut anywhere.
        Some(_) if shows == Shows::APart => return Ok(Told::NotTold),
        Some(One(Some(method))) => {
            if !flatten(&method, &mut found)? {
                return Ok(Told::NotTold);
            }
        }
        // There, and empty.
        Some(One(None)) => {}
        None if shows == Shows::All || is_unfunded => {}
        None => return Ok(Told::NotTold),
    }
    Ok(Told::Told(found))
}

/// Collects a method and its supplements; false where one of them pays with something that is no
/// source.
fn flatten(method: &Method<'_>, found: &mut Vec<SourceFacts>) -> Result<bool, Garbled> {
    match facts(method)? {
        Some(facts) => found.push(facts),
        None if method.kind.is_some() => return Ok(false),
        None => {}
    }
    let Some(Many(Some(more))) = &method.more else { return Ok(true) };
    for method in more {
        if !flatten(method, found)? {
            return Ok(false);
        }
    }
    Ok(true)
}

fn facts(method: &Method<'_>) -> Result<Option<SourceFacts>, Garbled> {
    let Some(id) = value::text(method.source)? else { return Ok(None) };
    let kind = value::kind(method.kind)?;
    let of_type = method
        .objects
        .iter()
        .find(|(name, _)| kind.as_ref().is_some_and(|kind| kind.as_str() == name));
    let reusable = match of_type {
        Some((_, raw)) => parse::<TypeObject<'_>>(raw.as_bytes())?.reusable,
        None => None,
    };
    let money = method.amount.as_ref().and_then(|amount| amount.0).unwrap_or_default();
    Ok(Some(SourceFacts {
        kind,
        amount: value::amount(money.value)?,
        currency: value::currency(money.currency)?,
        reusable: value::flag(reusable.or(method.reusable))?,
        state: value::state(method.state)?,
        ..SourceFacts::named(SourceId::from(&*id))
    }))
}

/// The options in an answer that shows the list and each of them whole.
fn of_options(json: &[u8], shows: Shows) -> Result<Told<Vec<OptionFacts>>, Garbled> {
    let shown: Options<'_> = parse(json)?;
    let list = match (shown.payment_options.0, shown.payment_option.0) {
        _ if shows == Shows::APart => return Ok(Told::NotTold),
        (Some(list), _) => list.payment_option.0.unwrap_or_default(),
        (None, Some(list)) => list,
        (None, None) if shows == Shows::All => Vec::new(),
        (None, None) => return Ok(Told::NotTold),
    };
    let option = |method: &Method<'_>| {
        let id = value::text(method.id)?.ok_or(Garbled("a payment option has no id"))?;
        Ok(OptionFacts {
            id: OptionId::from(&*id),
            source: facts(method)?,
            default: value::flag(method.default)?,
        })
    };
    list.iter().map(option).collect::<Result<_, _>>().map(Told::Told)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialects::carts;
    use crate::{
        dialects::{Call, Classified, classify, coding, xml},
        rules::Intent,
    };
    use http::{HeaderMap, Method, StatusCode};

    /// The vendor's example of two payment methods.
    const TWO: &str = r#"
        "paymentMethod": {
            "type": "creditCard",
            "sourceId": "d86502e8-5252-48e2-bd82-c2fe6de8810b",
            "sourceClientSecret": "d86502e8-5252-48e2-bd82-c2fe6de8810b_66601535-e527-489a-9b5c-847e9e940aed",
            "creditCard": {
                "expirationYear": "2525",
                "lastFourDigits": "1111",
                "clientSecret": "d86502e8-5252-48e2-bd82-c2fe6de8810b_66601535-e527-489a-9b5c-847e9e940aed",
                "expirationMonth": "8",
                "brand": "Visa",
                "flow": "standard",
                "reusable": "false"
            },
            "amountContributed": {
                "currency": "USD",
                "value": 68.01
            },
            "supplementaryPaymentMethods": [
                {
                    "type": "customerCredit",
                    "sourceId": "4db130f3-2302-43f2-9f7a-eed3835e1a7e",
                    "sourceClientSecret": "4db130f3-2302-43f2-9f7a-eed3835e1a7e_6b7e2d5a-9037-46a8-8632-4d90b0113ffa",
                    "customerCredit": {
                        "clientSecret": "4db130f3-2302-43f2-9f7a-eed3835e1a7e_6b7e2d5a-9037-46a8-8632-4d90b0113ffa",
                        "flow": "standard",
                        "reusable": "false"
                    },
                    "amountContributed": {
                        "currency": "USD",
                        "value": 50
                    }
                }
            ]
        }"#;

    /// The vendor's example of a payment session.
    const SESSION: &str = r#"
    "paymentSession": {
        "id": "3c9bf484-2ec5-46f8-8e88-5f126f026187",
        "clientSecret": "3c9bf484-2ec5-46f8-8e88-5f126f026187_668c5e4d-0a80-4338-9dce-3825f0831782",
        "status": "requires_confirmation",
        "amountContributed": {
            "currency": "USD",
            "value": 118.01
        },
        "amountRemainingToBeContributed": {
            "currency": "USD",
            "value": 0
        }
    }"#;

    const XML: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
    <cart xmlns="http://integration.digitalriver.com/v1" xmlns:x="y" uri="z">
      <id>7</id>
      <lineItems><lineItem><id>1</id><product><id>2</id></product></lineItem></lineItems>
      <paymentMethod>
        <type>creditCard</type><sourceId>d86502e8-5252-48e2-bd82-c2fe6de8810b</sourceId>
        <creditCard><brand>Visa</brand><reusable>false</reusable></creditCard>
        <amountContributed><currency>USD</currency><value>68.01</value></amountContributed>
        <supplementaryPaymentMethods>
          <type>customerCredit</type><sourceId>4db130f3-2302-43f2-9f7a-eed3835e1a7e</sourceId>
          <customerCredit><reusable>false</reusable></customerCredit>
          <amountContributed><currency>USD</currency><value>50</value></amountContributed>
        </supplementaryPaymentMethods>
      </paymentMethod>
      <paymentSession><id>3c9bf484-2ec5-46f8-8e88-5f126f026187</id><status>requires_confirmation</status>
        <amountContributed><currency>USD</currency><value>118.01</value></amountContributed>
        <amountRemainingToBeContributed><currency>USD</currency><value>0</value></amountRemainingToBeContributed>
      </paymentSession>
    </cart>"#;

    fn cart(shows: Shows, json: &str) -> Result<SessionFacts, Garbled> {
        of_cart(json.as_bytes(), shows)
    }

    fn source(id: &str, kind: &str, amount: &str) -> SourceFacts {
        SourceFacts {
            kind: Told::Told(kind.into()),
            amount: Told::Told(amount.parse().unwrap()),
            currency: Told::Told("USD".parse().unwrap()),
            reusable: Told::Told(false),
            ..SourceFacts::named(id)
        }
    }

    fn expected() -> SessionFacts {
        SessionFacts {
            id: Some("7".into()),
            sources: Told::Told(vec![
                source("d86502e8-5252-48e2-bd82-c2fe6de8810b", "creditCard", "68.01"),
                source("4db130f3-2302-43f2-9f7a-eed3835e1a7e", "customerCredit", "50"),
            ]),
            total: Told::Told("118.01".parse().unwrap()),
            remaining: Told::Told("0".parse().unwrap()),
            currency: Told::Told("USD".parse().unwrap()),
            state: Told::Told(SessionState::RequiresConfirmation),
            payment_session: Told::Told("3c9bf484-2ec5-46f8-8e88-5f126f026187".into()),
            ..SessionFacts::default()
        }
    }

    #[test]
    fn the_vendors_examples_are_read_bare_and_wrapped_and_in_xml() {
        let bare = format!(r#"{{"id":7,{TWO},{SESSION},"lineItems":{{"lineItem":[{{"id":1}}]}}}}"#);
        assert_eq!(cart(Shows::ThoseThere, &bare), Ok(expected()));
        assert_eq!(cart(Shows::ThoseThere, &format!(r#"{{"cart":{bare}}}"#)), Ok(expected()));
        assert_eq!(cart(Shows::ThoseThere, &xml::answer_to_json(XML).unwrap()), Ok(expected()));
    }

    #[test]
    fn supplements_come_as_a_list_or_alone() {
        for more in [
            r#"{"sourceId":"b"}"#,
            r#"[{"sourceId":"b"}]"#,
            r#"[{"supplementaryPaymentMethod":[{"sourceId":"b"}]}]"#,
        ] {
            let json = format!(
                r#"{{"paymentMethod":{{"sourceId":"a","supplementaryPaymentMethods":{more}}}}}"#
            );
            let sources = cart(Shows::ThoseThere, &json).unwrap().sources;
            assert_eq!(
                sources,
                Told::Told(vec![SourceFacts::named("a"), SourceFacts::named("b")]),
                "{more}"
            );
        }
        let document = "<cart><paymentMethod><sourceId>a</sourceId><supplementaryPaymentMethods><sourceId>b</sourceId></supplementaryPaymentMethods>\
             <supplementaryPaymentMethods><sourceId>c</sourceId></supplementaryPaymentMethods></paymentMethod></cart>";
        let sources =
            cart(Shows::ThoseThere, &xml::answer_to_json(document).unwrap()).unwrap().sources;
        assert_eq!(sources.as_ref().map(Vec::len), Some(3));
    }

    #[test]
    fn what_is_missing_is_told_only_by_a_look_at_everything() {
        let none = Told::Told(vec![]);
        let unfunded = r#"{"paymentSession":{"amountContributed":{"value":0},"amountRemainingToBeContributed":{"value":"5.00"}}}"#;
        for (json, shows, expected) in [
            (r#"{"id":7}"#, Shows::All, none.clone()),
            (r#"{"id":7}"#, Shows::ThoseThere, Told::NotTold),
            (r#"{"id":7}"#, Shows::APart, Told::NotTold),
            (unfunded, Shows::ThoseThere, none.clone()),
            (unfunded, Shows::APart, none.clone()),
            (r#"{"paymentMethod":{}}"#, Shows::ThoseThere, none.clone()),
            (r#"{"paymentMethod":null}"#, Shows::All, none.clone()),
            (r#"{"cart":{"paymentMethod":""}}"#, Shows::ThoseThere, none),
            (r#"{"paymentMethod":{"sourceId":"a"}}"#, Shows::APart, Told::NotTold),
            (
                r#"{"paymentMethod":{"type":"creditCard","creditCard":{}}}"#,
                Shows::All,
                Told::NotTold,
            ),
        ] {
            assert_eq!(
                cart(shows, json).map(|facts| facts.sources),
                Ok(expected),
                "{json} {shows:?}"
            );
        }
        let facts =
            cart(Shows::All, r#"{"pricing":{"orderTotal":{"currency":"EUR","value":"19.99"}}}"#)
                .unwrap();
        assert_eq!(
            (facts.total, facts.currency),
            (Told::Told("19.99".parse().unwrap()), Told::Told("EUR".parse().unwrap()))
        );
        assert_eq!(
            (facts.remaining, facts.state, facts.customer),
            (Told::NotTold, Told::NotTold, Told::NotTold)
        );
    }

    #[test]
    fn what_cannot_be_understood_teaches_nothing() {
        let deep = format!(r#"{}{{}}{}"#, r#"{"cart":"#.repeat(100_000), "}".repeat(100_000));
        for json in [
            r#"{"id":1,"id":2}"#,
            r#"{"paymentMethod":{"sourceId":"a","sourceId":"a"}}"#,
            r#"{"paymentMethod":{"sourceId":"a","creditCard":{},"creditCard":{"reusable":true}}}"#,
            r#"{"paymentMethod":{"sourceId":"a"},"paymentMethod":null}"#,
            r#"{"paymentMethod":{"sourceId":"a","amountContributed":{"value":"much"}}}"#,
            r#"{"paymentMethod":"creditCard"}"#,
            "[]",
            "x",
            &deep,
        ] {
            assert!(cart(Shows::All, json).is_err(), "{}", &json[..json.len().min(100)]);
        }
    }

    #[test]
    fn payment_options_are_read_from_their_list() {
        let option = |id: &str, source: Option<&str>, default| OptionFacts {
            id: id.into(),
            source: source.map(SourceFacts::named),
            default,
        };
        let list = r#"{"paymentOptions":{"uri":"u","paymentOption":[{"id":1,"nickName":"n","isDefault":"true","sourceId":"s"},{"id":"2"}]}}"#;
        let two = vec![option("1", Some("s"), Told::Told(true)), option("2", None, Told::NotTold)];
        let document = "<paymentOptions><paymentOption uri='u'><id>1</id><isDefault>true</isDefault><sourceId>s</sourceId></paymentOption>\
             <paymentOption><id>2</id></paymentOption></paymentOptions>";
        for (json, shows, expected) in [
            (list.to_owned(), Shows::ThoseThere, Told::Told(two.clone())),
            (xml::answer_to_json(document).unwrap(), Shows::All, Told::Told(two)),
            (list.to_owned(), Shows::APart, Told::NotTold),
            (r#"{"paymentOptions":{}}"#.to_owned(), Shows::All, Told::Told(vec![])),
            (r#"{"paymentOptions":null}"#.to_owned(), Shows::All, Told::Told(vec![])),
            (
                r#"{"paymentOption":{"id":1}}"#.to_owned(),
                Shows::All,
                Told::Told(vec![option("1", None, Told::NotTold)]),
            ),
        ] {
            assert_eq!(of_options(json.as_bytes(), shows), Ok(expected), "{json}");
        }
    }

    fn attach() -> Call {
        let uri = "/v1/shoppers/me/carts/active/apply-payment-method".parse().unwrap();
        match classify(&Method::POST, &uri, &HeaderMap::new()) {
            Classified::Governed(call) => call,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn answers_are_read_in_any_coding_and_passed_over_without_a_body() {
        use coding::tests::{br, coded, gzip};
        let intent = Intent::Attach { session: carts::ACTIVE, source: "s".into() };
        let read = |status, headers: &HeaderMap, body: &[u8]| {
            attach().read_answer(&intent, status, headers, body)
        };
        let ok = StatusCode::OK;
        for (coding, body) in [
            ("gzip", gzip(XML.as_bytes())),
            ("br", br(XML.as_bytes())),
            ("identity", XML.as_bytes().to_vec()),
        ] {
            assert_eq!(
                read(ok, &coded(coding), &body).unwrap().session,
                Some(expected()),
                "{coding}"
            );
        }
        assert_eq!(read(StatusCode::NO_CONTENT, &HeaderMap::new(), b""), Ok(Answer::default()));
        assert_eq!(read(ok, &HeaderMap::new(), b" "), Ok(Answer::default()));
        assert!(read(StatusCode::PARTIAL_CONTENT, &HeaderMap::new(), b"{}").is_err());
        assert!(read(ok, &coded("gzip"), &gzip(&vec![b' '; 9 << 20])).is_err());
        assert!(read(ok, &HeaderMap::new(), b"<html><p>no cart</html>").is_err());
    }

    #[test]
    fn a_submitted_cart_names_what_was_charged() {
        let json = format!(r#"{{"cart":{{"id":9,{TWO}}}}}"#);
        let answer = read_answer(&Route::Submit, Shows::ThoseThere, json.as_bytes()).unwrap();
        let charged = vec![
            "d86502e8-5252-48e2-bd82-c2fe6de8810b".into(),
            "4db130f3-2302-43f2-9f7a-eed3835e1a7e".into(),
        ];
        assert_eq!(answer, Answer { charged, ..Answer::default() });
    }
}
