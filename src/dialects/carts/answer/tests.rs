use super::*;
use crate::{
    dialects::{Call, Classified, Dialects, carts, classify, read::coding},
    rules::{SessionState, Share},
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

fn cart(coverage: Coverage, json: &str) -> Result<SessionFacts, UnreadableAnswer> {
    of_cart(json.as_bytes(), coverage, &Notes::default())
}

fn converted(document: &str) -> String {
    String::from_utf8(from_xml(document.as_bytes()).unwrap()).unwrap()
}

#[test]
fn an_answer_in_xml_is_converted_without_its_bulk() {
    let document = "<cart><id>1</id><lineItems><lineItem><id>9</id></lineItem></lineItems><pricing><x/></pricing></cart>";
    assert_eq!(converted(document), r#"{"cart":{"id":"1","pricing":{"x":""}}}"#);
}

fn source(id: &str, kind: &str, amount: &str) -> SourceFacts {
    SourceFacts {
        kind: Stated::Stated(kind.into()),
        amount: Stated::Stated(amount.parse().unwrap()),
        currency: Stated::Stated("USD".parse().unwrap()),
        reusable: Stated::Stated(false),
        ..SourceFacts::named(id)
    }
}

fn expected() -> SessionFacts {
    SessionFacts {
        id: Some("7".into()),
        sources: Stated::Stated(vec![
            source("d86502e8-5252-48e2-bd82-c2fe6de8810b", "creditCard", "68.01"),
            SourceFacts {
                supplements: true,
                ..source("4db130f3-2302-43f2-9f7a-eed3835e1a7e", "customerCredit", "50")
            },
        ]),
        total: Stated::Stated("118.01".parse().unwrap()),
        remaining: Stated::Stated("0".parse().unwrap()),
        contributed: Stated::Stated("118.01".parse().unwrap()),
        currency: Stated::Stated("USD".parse().unwrap()),
        state: Stated::Stated(SessionState::RequiresConfirmation),
        payment_session: Stated::Stated("3c9bf484-2ec5-46f8-8e88-5f126f026187".into()),
        ..SessionFacts::default()
    }
}

#[test]
fn the_vendors_examples_are_read_bare_and_wrapped_and_in_xml() {
    let bare = format!(r#"{{"id":7,{TWO},{SESSION},"lineItems":{{"lineItem":[{{"id":1}}]}}}}"#);
    assert_eq!(cart(Coverage::Default, &bare), Ok(expected()));
    assert_eq!(cart(Coverage::Default, &format!(r#"{{"cart":{bare}}}"#)), Ok(expected()));
    assert_eq!(cart(Coverage::Default, &converted(XML)), Ok(expected()));
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
        let sources = cart(Coverage::Default, &json).unwrap().sources;
        assert_eq!(
            sources,
            Stated::Stated(vec![
                SourceFacts::named("a"),
                SourceFacts { supplements: true, ..SourceFacts::named("b") }
            ]),
            "{more}"
        );
    }
    let document = "<cart><paymentMethod><sourceId>a</sourceId><supplementaryPaymentMethods><sourceId>b</sourceId></supplementaryPaymentMethods>\
         <supplementaryPaymentMethods><sourceId>c</sourceId></supplementaryPaymentMethods></paymentMethod></cart>";
    let sources = cart(Coverage::Default, &converted(document)).unwrap().sources;
    assert_eq!(sources.as_ref().map(Vec::len), Some(3));
}

#[test]
fn what_is_missing_is_told_only_by_a_look_at_everything() {
    let none = Stated::Stated(vec![]);
    let unfunded = r#"{"paymentSession":{"amountContributed":{"value":0},"amountRemainingToBeContributed":{"value":"5.00"}}}"#;
    for (json, shows, expected) in [
        (r#"{"id":7}"#, Coverage::Complete, none.clone()),
        (r#"{"id":7}"#, Coverage::Default, Stated::Unstated),
        (r#"{"id":7}"#, Coverage::Filtered, Stated::Unstated),
        (unfunded, Coverage::Default, none.clone()),
        (unfunded, Coverage::Filtered, none.clone()),
        (r#"{"paymentMethod":{}}"#, Coverage::Default, Stated::Unstated),
        (r#"{"paymentMethod":null}"#, Coverage::Complete, none),
        (r#"{"cart":{"paymentMethod":""}}"#, Coverage::Default, Stated::Unstated),
        (r#"{"paymentMethod":{"sourceId":"a"}}"#, Coverage::Filtered, Stated::Unstated),
        (
            r#"{"paymentMethod":{"type":"creditCard","creditCard":{}}}"#,
            Coverage::Complete,
            Stated::Unstated,
        ),
    ] {
        assert_eq!(cart(shows, json).map(|facts| facts.sources), Ok(expected), "{json} {shows:?}");
    }
    let facts = cart(
        Coverage::Complete,
        r#"{"pricing":{"orderTotal":{"currency":"EUR","value":"19.99"}}}"#,
    )
    .unwrap();
    assert_eq!(
        (facts.total, facts.currency),
        (Stated::Stated("19.99".parse().unwrap()), Stated::Stated("EUR".parse().unwrap()))
    );
    assert_eq!(
        (facts.remaining, facts.state, facts.customer),
        (Stated::Unstated, Stated::Unstated, Stated::Unstated)
    );
}

#[test]
fn what_names_no_source_still_shows_what_it_pays() {
    let money = |of: &str| format!(r#""amountContributed":{{"currency":"USD","value":{of}}}"#);
    let card = |name: &str| format!(r#"{name}"type":"creditCard",{}"#, money("60"));
    let credit = |name: &str| {
        format!(
            r#""supplementaryPaymentMethods":[{{{name}"type":"customerCredit",{}}}]"#,
            money("40")
        )
    };
    let share = |kind: &str, supplements, of: &str| Share {
        kind: Stated::Stated(kind.into()),
        supplements,
        amount: Stated::Stated(of.parse().unwrap()),
    };
    let both = vec![share("creditCard", false, "60"), share("customerCredit", true, "40")];
    let (named, unreadable) = (r#""sourceId":"s","#, r#""sourceId":{},"#);
    for (one, other, sources) in [
        ("", named, Stated::Unstated),
        (named, "", Stated::Unstated),
        ("", "", Stated::Unstated),
        (unreadable, named, Stated::Unread),
        (named, unreadable, Stated::Unread),
        (unreadable, "", Stated::Unread),
    ] {
        let json = format!(r#"{{"paymentMethod":{{{},{}}}}}"#, card(one), credit(other));
        let facts = cart(Coverage::Default, &json).unwrap();
        assert_eq!(facts.sources, sources, "{json}");
        assert_eq!(facts.shares, Stated::Stated(both.clone()), "{json}");
        let filtered = cart(Coverage::Filtered, &json).unwrap();
        assert_eq!((filtered.sources, filtered.shares), (Stated::Unstated, Stated::Unstated));
    }
    let json = format!(r#"{{"paymentMethod":{{{},{}}}}}"#, card(named), credit(named));
    let facts = cart(Coverage::Default, &json).unwrap();
    assert_eq!((facts.sources.is_stated(), facts.shares), (true, Stated::Unstated));
    // Whether there are more cannot be told.
    let json = format!(r#"{{"paymentMethod":{{{},"supplementaryPaymentMethods":5}}}}"#, card(""));
    let facts = cart(Coverage::Default, &json).unwrap();
    assert_eq!((facts.sources, facts.shares), (Stated::Unread, Stated::Unstated));
    // What pays without a type pays all the same, and so does what is supplemented.
    let untyped = |amount: Option<&str>, supplements| Share {
        kind: Stated::Unstated,
        supplements,
        amount: amount.map(|of| of.parse().unwrap()).into(),
    };
    let one = share("customerCredit", true, "40");
    for (json, shares) in [
        (
            format!(r#"{},{}"#, money("60"), credit(named)),
            vec![untyped(Some("60"), false), one.clone()],
        ),
        (format!(r#""uri":"u",{}"#, credit(named)), vec![one.clone(), untyped(None, false)]),
        (
            format!(r#"{named}"supplementaryPaymentMethods":[{{"uri":"u"}}]"#),
            vec![untyped(None, false), untyped(None, true)],
        ),
    ] {
        let facts = cart(Coverage::Default, &format!(r#"{{"paymentMethod":{{{json}}}}}"#)).unwrap();
        assert_eq!(
            (facts.sources, facts.shares),
            (Stated::Unstated, Stated::Stated(shares)),
            "{json}"
        );
    }
}

#[test]
fn what_cannot_be_understood_teaches_nothing() {
    for json in ["[]", "x", r#"{"id":7"#, r#"{"id":7} x"#] {
        assert!(cart(Coverage::Complete, json).is_err(), "{json}");
    }
}

#[test]
fn what_nests_without_end_is_read_past() {
    let deep = format!(r#"{}{{}}{}"#, r#"{"cart":"#.repeat(100_000), "}".repeat(100_000));
    assert_eq!(cart(Coverage::Default, &deep), Ok(SessionFacts::default()));
    let more = r#"{"sourceId":"a","supplementaryPaymentMethods":"#;
    let deep = format!(r#"{{"paymentMethod":{}{{}}{}}}"#, more.repeat(20_000), "}".repeat(20_000));
    assert_eq!(cart(Coverage::Default, &deep).unwrap().sources, Stated::Unread);
}

#[test]
fn more_sources_than_are_read_are_unread_however_they_nest() {
    let ids = |n: usize| (0..n).map(|n| format!(r#"{{"sourceId":"s{n}"}}"#)).collect::<Vec<_>>();
    let more = |nested: Vec<String>, n: usize| {
        let list = nested.join(",");
        format!(r#"{{"sourceId":"m{n}","supplementaryPaymentMethods":[{list}]}}"#)
    };
    let (few, many) = (more(ids(200), 0), more(vec![more(ids(200), 1), more(ids(200), 2)], 0));
    let flat = more(ids(100_000), 0);
    for (method, is_read) in [(few, true), (many, false), (flat, false)] {
        let json = format!(r#"{{"paymentMethod":{method}}}"#);
        let sources = cart(Coverage::Default, &json).unwrap().sources;
        assert_eq!((sources.is_stated(), sources == Stated::Unread), (is_read, !is_read));
    }
}

/// What is told of the cart, by the name of the fact.
fn told(facts: &SessionFacts) -> Vec<(&'static str, bool, bool)> {
    fn of<T>(name: &'static str, fact: &Stated<T>) -> (&'static str, bool, bool) {
        (name, fact.is_stated(), matches!(fact, Stated::Unread))
    }
    vec![
        of("sources", &facts.sources),
        of("total", &facts.total),
        of("remaining", &facts.remaining),
        of("currency", &facts.currency),
        of("state", &facts.state),
        of("payment session", &facts.payment_session),
    ]
}

#[test]
fn a_member_of_an_unknown_form_costs_that_member_and_never_the_answer() {
    let whole = format!(
        r#"{{"cart":{{"id":7,{TWO},{SESSION},"pricing":{{"orderTotal":{{"currency":"USD","value":118.01}}}}}}}}"#
    );
    let whole: String = whole.split_whitespace().collect();
    let all = told(&cart(Coverage::Default, &whole).unwrap());
    let contributed = r#""amountContributed":{"currency":"USD","value":118.01}"#;
    for (from, to, lost, noted) in [
        (
            contributed,
            r#""amountContributed":118.01"#,
            &[][..],
            "paymentSession.amountContributed: a number",
        ),
        (
            contributed,
            r#""amountContributed":"118.01""#,
            &[],
            "paymentSession.amountContributed: a text",
        ),
        (
            contributed,
            r#""amountContributed":{"value":{"amount":1}}"#,
            &[],
            "paymentSession.amountContributed.value: an object",
        ),
        (
            r#""amountRemainingToBeContributed":{"currency":"USD","value":0}"#,
            r#""amountRemainingToBeContributed":{"currency":"USD","value":1e400}"#,
            &["remaining"],
            "paymentSession.amountRemainingToBeContributed.value: a number that is too large",
        ),
        (
            r#""orderTotal":{"currency":"USD","value":118.01}"#,
            r#""orderTotal":"118.01""#,
            &[],
            "pricing.orderTotal: a text",
        ),
        (
            r#""status":"requires_confirmation""#,
            r#""status":{}"#,
            &["state"],
            "paymentSession.status: an object",
        ),
        (
            r#""supplementaryPaymentMethods":[{"#,
            r#""supplementaryPaymentMethods":[7,{"#,
            &["sources"],
            "paymentMethod.supplementaryPaymentMethods: a list of other things than objects",
        ),
        (
            r#""sourceId":"4db130f3-2302-43f2-9f7a-eed3835e1a7e""#,
            r#""sourceId":{}"#,
            &["sources"],
            "paymentMethod.supplementaryPaymentMethods[].sourceId: an object",
        ),
        (
            r#""paymentMethod":{"#,
            r#""paymentMethod":"creditCard","other":{"#,
            &["sources"],
            "paymentMethod: a text",
        ),
        (
            r#""paymentMethod":{"#,
            r#""paymentMethod":{},"paymentMethod":{"#,
            &["sources"],
            "paymentMethod: there twice",
        ),
    ] {
        assert_eq!(whole.matches(from).count(), 1, "{from}");
        let json = whole.replace(from, to);
        let notes = Notes::default();
        let facts = of_cart(json.as_bytes(), Coverage::Default, &notes).unwrap();
        let unread: Vec<_> = notes.into_unread().iter().map(ToString::to_string).collect();
        assert_eq!(unread, [noted]);
        let expected: Vec<_> = all
            .iter()
            .map(|(name, told, _)| match lost.contains(name) {
                true => (*name, false, true),
                false => (*name, *told, false),
            })
            .collect();
        assert_eq!(told(&facts), expected, "{to}");
    }
}

#[test]
fn a_total_that_cannot_be_read_is_not_the_total_from_before() {
    for (json, expected) in [
        (r#"{"pricing":{"orderTotal":"118"}}"#, Stated::Unread),
        (r#"{"pricing":7}"#, Stated::Unread),
        (r#"{"paymentSession":7}"#, Stated::Unread),
        (r#"{"paymentSession":{"amountContributed":7}}"#, Stated::Unread),
        (
            r#"{"paymentSession":{"amountContributed":7},"pricing":{"orderTotal":{"value":5}}}"#,
            Stated::Stated("5".parse().unwrap()),
        ),
        (r#"{}"#, Stated::Unstated),
    ] {
        assert_eq!(cart(Coverage::Default, json).unwrap().total, expected, "{json}");
    }
}

#[test]
fn a_method_keeps_what_can_be_read_of_it() {
    let json = r#"{"paymentMethod":{"sourceId":"a","type":"customerCredit","amountContributed":5,
        "customerCredit":{"reusable":"no"},"state":[]}}"#;
    let sources = cart(Coverage::Default, json).unwrap().sources;
    let expected = SourceFacts {
        kind: Stated::Stated("customerCredit".into()),
        amount: Stated::Unread,
        currency: Stated::Unread,
        reusable: Stated::Unread,
        state: Stated::Unread,
        ..SourceFacts::named("a")
    };
    assert_eq!(sources, Stated::Stated(vec![expected]));
    let untyped = r#"{"paymentMethod":{"sourceId":"a","type":{},"customerCredit":{}}}"#;
    let expected =
        SourceFacts { kind: Stated::Unread, reusable: Stated::Unread, ..SourceFacts::named("a") };
    assert_eq!(cart(Coverage::Default, untyped).unwrap().sources, Stated::Stated(vec![expected]));
}

#[test]
fn a_cart_to_which_something_contributes_is_not_empty_because_it_shows_no_method() {
    let paid = r#""paymentSession":{"amountContributed":{"value":5}}"#;
    let unpaid = r#""paymentSession":{"amountContributed":{"value":0},"amountRemainingToBeContributed":{"value":5}}"#;
    for method in [
        "",
        r#""paymentMethod":null,"#,
        r#""paymentMethod":"","#,
        r#""paymentMethod":{},"#,
        r#""paymentMethod":{"uri":"u"},"#,
        r#""paymentMethod":{"supplementaryPaymentMethods":[]},"#,
    ] {
        for coverage in [Coverage::Complete, Coverage::Default] {
            let sources =
                |session| cart(coverage, &format!("{{{method}{session}}}")).unwrap().sources;
            assert_eq!(sources(paid), Stated::Unstated, "{method} {coverage:?}");
            assert_eq!(sources(unpaid), Stated::Stated(vec![]), "{method} {coverage:?}");
        }
    }
    let linked = "<cart><paymentMethod uri=\"u\"/><paymentSession><amountContributed>\
         <value>5</value></amountContributed></paymentSession></cart>";
    assert_eq!(cart(Coverage::Complete, &converted(linked)).unwrap().sources, Stated::Unstated);
}

#[test]
fn what_cannot_be_told_of_an_option_costs_that_member_and_not_the_list() {
    let whole = || OptionFacts {
        id: Stated::Stated("2".into()),
        source: Stated::Stated(None),
        default: Stated::Unstated,
    };
    for (option, expected) in [
        (r#"{"id":{}}"#, OptionFacts { id: Stated::Unread, ..whole() }),
        (r#"{}"#, OptionFacts { id: Stated::Unread, ..whole() }),
        (r#"{"id":2,"sourceId":[]}"#, OptionFacts { source: Stated::Unread, ..whole() }),
        (r#"{"id":2,"isDefault":"yes"}"#, OptionFacts { default: Stated::Unread, ..whole() }),
    ] {
        let json = format!(r#"{{"paymentOptions":{{"paymentOption":[{{"id":"2"}},{option}]}}}}"#);
        let notes = Notes::default();
        let read = of_options(json.as_bytes(), Coverage::Complete, &notes);
        assert_eq!(read, Ok(Stated::Stated(vec![whole(), expected])), "{option}");
        assert_eq!(notes.into_unread().len(), 1, "{option}");
    }
    let json = r#"{"paymentOptions":{"paymentOption":[{"id":"2"},7]}}"#;
    let read = of_options(json.as_bytes(), Coverage::Complete, &Notes::default());
    assert_eq!(read, Ok(Stated::Unread), "which members it has is not told");
}

#[test]
fn payment_options_are_read_from_their_list() {
    let option = |id: &str, source: Option<&str>, default| OptionFacts {
        id: Stated::Stated(id.into()),
        source: Stated::Stated(source.map(SourceFacts::named)),
        default,
    };
    let list = r#"{"paymentOptions":{"uri":"u","paymentOption":[{"id":1,"nickName":"n","isDefault":"true","sourceId":"s"},{"id":"2"}]}}"#;
    let two =
        vec![option("1", Some("s"), Stated::Stated(true)), option("2", None, Stated::Unstated)];
    let document = "<paymentOptions><paymentOption uri='u'><id>1</id><isDefault>true</isDefault><sourceId>s</sourceId></paymentOption>\
         <paymentOption><id>2</id></paymentOption></paymentOptions>";
    for (json, shows, expected) in [
        (list.to_owned(), Coverage::Default, Stated::Stated(two.clone())),
        (converted(document), Coverage::Complete, Stated::Stated(two)),
        (list.to_owned(), Coverage::Filtered, Stated::Unstated),
        (r#"{"paymentOptions":{}}"#.to_owned(), Coverage::Complete, Stated::Stated(vec![])),
        (r#"{"paymentOptions":null}"#.to_owned(), Coverage::Complete, Stated::Stated(vec![])),
        (
            r#"{"paymentOption":{"id":1}}"#.to_owned(),
            Coverage::Complete,
            Stated::Stated(vec![option("1", None, Stated::Unstated)]),
        ),
    ] {
        assert_eq!(of_options(json.as_bytes(), shows, &Notes::default()), Ok(expected), "{json}");
    }
}

fn attach() -> Call {
    let uri = "/v1/shoppers/me/carts/active/apply-payment-method".parse().unwrap();
    match classify(Dialects::built_in(), &Method::POST, &uri, &HeaderMap::new()) {
        Classified::Governed(call) => call,
        other => panic!("{other:?}"),
    }
}

#[test]
fn answers_are_read_in_any_coding_and_passed_over_without_a_body() {
    use coding::tests::{br, coded, gzip};
    let intent = Intent::Attach { session: carts::ACTIVE, source: "s".into() };
    let read = |status, headers: &HeaderMap, body: &[u8]| {
        attach().read_answer(&intent, status, headers, body, 8 << 20)
    };
    let ok = StatusCode::OK;
    for (coding, body) in [
        ("gzip", gzip(XML.as_bytes())),
        ("br", br(XML.as_bytes())),
        ("identity", XML.as_bytes().to_vec()),
    ] {
        assert_eq!(read(ok, &coded(coding), &body).unwrap().session, Some(expected()), "{coding}");
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
    let answer = read(&Route::Submit, Coverage::Default, json.as_bytes()).unwrap();
    let charged = vec![
        "d86502e8-5252-48e2-bd82-c2fe6de8810b".into(),
        "4db130f3-2302-43f2-9f7a-eed3835e1a7e".into(),
    ];
    assert_eq!(answer, Answer { charged, ..Answer::default() });
    let json = br#"{"submitCart":{"order":{"id":12,"charges":{}}}}"#;
    let answer = read(&Route::Submit, Coverage::Default, json).unwrap();
    assert_eq!(answer, Answer { order: Some("12".into()), ..Answer::default() });
}
