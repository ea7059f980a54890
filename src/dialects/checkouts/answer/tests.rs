use super::*;
use crate::{
    dialects::checkouts::CHECKOUT,
    rules::{NewSource, PaidWith, SessionKey, SessionState, SourceState, Target},
};

fn key() -> SessionKey {
    SessionKey::new(CHECKOUT, "177642590336")
}

fn session(json: &str) -> SessionFacts {
    let intent = Intent::ReadSession { session: Target::Session(key()) };
    read(&Route::Read(key()), &intent, Coverage::Default, json.as_bytes()).unwrap().session.unwrap()
}

fn source(
    route: Route,
    filtered: bool,
    json: &str,
) -> Result<Option<SourceFacts>, UnreadableAnswer> {
    let coverage = if filtered { Coverage::Filtered } else { Coverage::Default };
    read(&route, &Intent::CreateSource(NewSource::default()), coverage, json.as_bytes())
        .map(|answer| answer.source)
}

/// About 4.8 KB, as upstream sends them.
fn full_checkout() -> String {
    let item = r#"{"id":"108540","skuId":"sku-1","amount":10.0,"quantity":1,"metadata":{"id":"x","sources":[1,[2]],"n":1e99},
            "tax":{"rate":0.06275,"amount":0.63},"importerTax":{"amount":0.0},"duties":{"amount":0.0},"availableToRefundAmount":0.0,
            "fees":{"amount":0.0,"taxAmount":0.0},"shipFrom":{"address":{"line1":"10380 Bren Rd W","city":"Minnetonka","postalCode":"55343",
            "state":"MN","country":"US"}},"productDetails":{"name":"A \"quoted\" name","description":"caf\u00e9"}}"#;
    let items = [item; 6].join(",");
    format!(
        r#"{{"id":"177642590336","createdTime":"2021-04-28T15:19:44Z","customerId":"536319570336","currency":"USD",
            "email":"a@b.c","shipTo":{{"address":{{"line1":"x"}}}},"totalAmount":1198.28,"subtotal":1128.0,"totalTax":70.28,
            "items":[{items}],"updatedTime":"2021-04-28T15:19:44Z","locale":"en_US","customerType":"individual",
            "payment":{{"sources":[
              {{"id":"ee90c07c-5549-4a6b-aa5f-aabe29b1e97a","type":"creditCard","amount":1188.28,"owner":{{"firstName":"J"}},
                "creditCard":{{"brand":"Visa","expirationMonth":7,"expirationYear":2027,"lastFourDigits":"1111"}}}},
              {{"id":"5e2f6a43-3f12-4b1a-b85c-07db3d1f9a8f","type":"customerCredit","amount":"10.00","reusable":false,"state":"chargeable",
                "customerCredit":{{}}}}],
              "session":{{"id":"1f5e2c4a","amountContributed":1198.28,"amountRemainingToBeContributed":0.0,"state":"requires_confirmation",
                "clientSecret":"secret"}}}},
            "sellingEntity":{{"id":"DR_INC-ENTITY","name":"DR globalTech, Inc."}},"liveMode":false}}"#
    )
}

#[test]
fn a_full_checkout_is_read() {
    let json = full_checkout();
    assert!((4_000..6_500).contains(&json.len()), "{}", json.len());
    let facts = session(&json);
    assert_eq!(facts.id, Some("177642590336".into()));
    assert_eq!(facts.total, Stated::Stated("1198.28".parse().unwrap()));
    assert_eq!(facts.remaining, Stated::Stated("0".parse().unwrap()));
    assert_eq!(facts.currency, Stated::Stated("USD".parse().unwrap()));
    assert_eq!(facts.state, Stated::Stated(SessionState::RequiresConfirmation));
    assert_eq!(facts.customer, Stated::Stated(Some("536319570336".into())));
    assert_eq!(facts.credit_amount, Stated::Unstated);
    assert_eq!(facts.payment_session, Stated::Stated("1f5e2c4a".into()));
    let sources = facts.sources.as_ref().unwrap();
    assert_eq!(sources.len(), 2);
    let card = SourceFacts::named("ee90c07c-5549-4a6b-aa5f-aabe29b1e97a");
    let amount = Stated::Stated("1188.28".parse().unwrap());
    assert_eq!(
        sources[0],
        SourceFacts { kind: Stated::Stated("creditCard".into()), amount, ..card }
    );
    assert_eq!(sources[1].amount, Stated::Stated("10".parse().unwrap()));
    assert_eq!(sources[1].reusable, Stated::Stated(false));
    assert_eq!(sources[1].state, Stated::Stated(SourceState::Chargeable));
}

#[test]
fn the_older_shape_is_read() {
    let facts = session(
        r#"{"id":177642590336,"totalAmount":"26.89","creditAmount":11,"currency":"USD","paymentSessionId":"ps_1",
                "sources":[{"id":"s","type":"creditCard","amount":15.89,"reusable":"true"}]}"#,
    );
    assert_eq!(facts.id, Some("177642590336".into()));
    assert_eq!(facts.credit_amount, Stated::Stated(Some("11".parse().unwrap())));
    assert_eq!(facts.total, Stated::Stated("26.89".parse().unwrap()));
    assert_eq!(facts.payment_session, Stated::Stated("ps_1".into()));
    assert_eq!(facts.sources.as_ref().unwrap()[0].reusable, Stated::Stated(true));
    assert_eq!((facts.remaining, facts.state), (Stated::Unstated, Stated::Unstated));
}

#[test]
fn only_the_form_that_has_a_credit_amount_shows_that_there_is_none() {
    for (json, expected) in [
        (r#"{"id":"177642590336","sources":[]}"#, Stated::Stated(None)),
        (r#"{"id":"177642590336","sources":[],"creditAmount":null}"#, Stated::Stated(None)),
        (r#"{"id":"177642590336","creditAmount":"5"}"#, Stated::Stated("5".parse().ok())),
        (r#"{"id":"177642590336","payment":{"sources":[]}}"#, Stated::Unstated),
        (r#"{"id":"177642590336"}"#, Stated::Unstated),
    ] {
        assert_eq!(session(json).credit_amount, expected, "{json}");
    }
}

#[test]
fn what_a_whole_answer_does_not_show_is_not_there() {
    for json in [
        r#"{"id":"177642590336"}"#,
        r#"{"id":"177642590336","sources":null,"customerId":null,"creditAmount":null,"payment":null}"#,
        r#"{"id":"177642590336","payment":{"session":{}}}"#,
        r#"{"id":"177642590336","payment":{"sources":[]}}"#,
    ] {
        let facts = session(json);
        assert_eq!(facts.sources, Stated::Stated(vec![]), "{json}");
        assert_eq!(facts.customer, Stated::Stated(None), "{json}");
        assert_eq!(
            (facts.total, facts.remaining, facts.billing_optimization),
            (Stated::Unstated, Stated::Unstated, Stated::Unstated)
        );
    }
    assert_eq!(session("{}"), SessionFacts::default());
    let filtered = read(
        &Route::Read(key()),
        &Intent::ReadSession { session: Target::Session(key()) },
        Coverage::Filtered,
        br#"{"id":"177642590336","totalAmount":5}"#,
    );
    let facts = filtered.unwrap().session.unwrap();
    assert_eq!(
        (facts.sources, facts.customer, facts.total),
        (Stated::Unstated, Stated::Unstated, Stated::Stated("5".parse().unwrap()))
    );
}

#[test]
fn a_source_is_read_as_the_vendor_shows_it() {
    let json = r#"{
            "id": "99fe8ad1-999e-4e13-95d5-248e472aa7c8",
            "createdTime": "2021-02-24T21:59:05Z",
            "type": "customerCredit",
            "currency": "USD",
            "amount": 2.0,
            "reusable": false,
            "state": "chargeable",
            "clientSecret": "99fe8ad1-999e-4e13-95d5-248e472aa7c8_a8c8bbb4-e9da-4cd7-a3c3-3a00272ced18",
            "customerCredit": {},
            "paymentSessionId": "ps_8cecaa32-f692-44cc-b103-4cf24dc93913",
            "upstreamId": "7765374748",
            "liveMode": false
        }"#;
    let expected = SourceFacts {
        kind: Stated::Stated("customerCredit".into()),
        amount: Stated::Stated("2".parse().unwrap()),
        currency: Stated::Stated("USD".parse().unwrap()),
        reusable: Stated::Stated(false),
        state: Stated::Stated(SourceState::Chargeable),
        customer: Stated::Stated(None),
        payment_session: Stated::Stated("ps_8cecaa32-f692-44cc-b103-4cf24dc93913".into()),
        ..SourceFacts::named("99fe8ad1-999e-4e13-95d5-248e472aa7c8")
    };
    let id = SourceId::from("99fe8ad1-999e-4e13-95d5-248e472aa7c8");
    assert_eq!(source(Route::CreateSource, false, json), Ok(Some(expected.clone())));
    assert_eq!(source(Route::ReadSource(id.clone()), false, json), Ok(Some(expected.clone())));
    let untold = SourceFacts { customer: Stated::Unstated, ..expected };
    assert_eq!(source(Route::ReadSource(id.clone()), true, json), Ok(Some(untold.clone())));
    assert_eq!(source(Route::Attach(key(), id.clone()), false, json), Ok(Some(untold)));
    let saved = r#"{"id":"99fe8ad1-999e-4e13-95d5-248e472aa7c8","reusable":true,"customerId":"544671250336"}"#;
    let facts = source(Route::Save("544671250336".into(), id), false, saved).unwrap().unwrap();
    assert_eq!(
        (facts.reusable, facts.customer),
        (Stated::Stated(true), Stated::Stated(Some("544671250336".into())))
    );
}

#[test]
fn an_attach_may_be_answered_with_the_session() {
    let intent = Intent::Attach { session: Target::Session(key()), source: "s".into() };
    let json = br#"{"id":"177642590336","payment":{"sources":[{"id":"s"}]}}"#;
    let answer = read(&Route::Attach(key(), "s".into()), &intent, Coverage::Default, json).unwrap();
    assert_eq!(answer.session.unwrap().sources, Stated::Stated(vec![SourceFacts::named("s")]));
    assert_eq!(answer.source, None);
}

#[test]
fn a_customer_and_an_order_are_read() {
    let intent = Intent::ReadCustomer { customer: "5".into() };
    let of = |json: &str| {
        read(&Route::ReadCustomer("5".into()), &intent, Coverage::Default, json.as_bytes())
            .map(|a| a.customer.unwrap())
    };
    assert_eq!(
        of(r#"{"id":"5"}"#),
        Ok(CustomerFacts { id: Some("5".into()), saved: Stated::Stated(vec![]) })
    );
    assert_eq!(
        of(r#"{"id":5,"sources":[{"id":"s"}]}"#).unwrap().saved,
        Stated::Stated(vec![SourceFacts::named("s")])
    );
    assert_eq!(of(r#"{}"#).unwrap().saved, Stated::Unstated);
    assert!(of(r#"{"id":"6"}"#).is_err());
    let order = Intent::Order { session: Target::Session(key()), paid_with: PaidWith::Attached };
    let json = br#"{"id":"o","payment":{"sources":[{"id":"a"},{"id":"b"}],"charges":[{"id":"c","sourceId":"a"}]}}"#;
    let answer = read(&Route::Order, &order, Coverage::Default, json).unwrap();
    let charged = vec!["a".into(), "b".into()];
    assert_eq!(answer, Answer { charged, order: Some("o".into()), ..Answer::default() });
}

#[test]
fn what_cannot_be_understood_teaches_nothing() {
    let intent = Intent::ReadSession { session: Target::Session(key()) };
    for json in [
        r#"{"id":"1"}"#,
        r#"{"id":"177642590336"} trailing"#,
        r#"{"id":"177642590336""#,
        "<html>",
        "[]",
    ] {
        assert!(
            read(&Route::Read(key()), &intent, Coverage::Default, json.as_bytes()).is_err(),
            "{json}"
        );
    }
    let deep = format!(
        r#"{{"id":"177642590336","items":{}{}}}"#,
        "[".repeat(1_000_000),
        "]".repeat(1_000_000)
    );
    assert!(session(&deep).id.is_some());
}

/// What is told of the session, by the name of the fact.
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
        of("customer", &facts.customer),
        of("credit", &facts.credit_amount),
        of("payment session", &facts.payment_session),
    ]
}

#[test]
fn a_member_of_an_unknown_form_costs_that_member_and_never_the_answer() {
    let whole = full_checkout();
    let all = told(&session(&whole));
    let nested = &["sources", "remaining", "state", "payment session"][..];
    for (from, to, lost, noted) in [
        (
            r#""totalAmount":1198.28"#,
            r#""totalAmount":{"value":1}"#,
            &["total"][..],
            "totalAmount: an object",
        ),
        (
            r#""totalAmount":1198.28"#,
            r#""totalAmount":"a lot""#,
            &["total"],
            "totalAmount: a text that is no amount",
        ),
        (
            r#""totalAmount":1198.28"#,
            r#""totalAmount":5,"totalAmount":6"#,
            &["total"],
            "totalAmount: there twice",
        ),
        (
            r#""amountRemainingToBeContributed":0.0"#,
            r#""amountRemainingToBeContributed":1e400"#,
            &["remaining"],
            "payment.session.amountRemainingToBeContributed: a number that is too large",
        ),
        (
            r#""state":"requires_confirmation""#,
            r#""state":5"#,
            &["state"],
            "payment.session.state: a number",
        ),
        (
            r#""customerId":"536319570336""#,
            r#""customerId":{}"#,
            &["customer"],
            "customerId: an object",
        ),
        (r#""currency":"USD""#, r#""currency":840"#, &["currency"], "currency: a number"),
        (
            r#""currency":"USD""#,
            r#""creditAmount":[],"currency":"USD""#,
            &["credit"],
            "creditAmount: a list",
        ),
        (
            r#""payment":{"sources""#,
            r#""payment":7,"paid":{"sources""#,
            nested,
            "payment: a number",
        ),
        (
            r#""payment":{"sources":["#,
            r#""payment":{"sources":[5,"#,
            &["sources"],
            "payment.sources: a list of other things than objects",
        ),
        (
            r#""id":"5e2f6a43-3f12-4b1a-b85c-07db3d1f9a8f","type""#,
            r#""type""#,
            &["sources"],
            "payment.sources[].id: missing",
        ),
        (
            r#""id":"5e2f6a43-3f12-4b1a-b85c-07db3d1f9a8f","type""#,
            r#""id":{},"type""#,
            &["sources"],
            "payment.sources[].id: an object",
        ),
    ] {
        assert_eq!(whole.matches(from).count(), 1, "{from}");
        let json = whole.replace(from, to);
        let intent = Intent::ReadSession { session: Target::Session(key()) };
        let answer =
            read(&Route::Read(key()), &intent, Coverage::Default, json.as_bytes()).unwrap();
        let unread: Vec<_> = answer.unread.iter().map(ToString::to_string).collect();
        assert_eq!(unread, [noted]);
        let expected: Vec<_> = all
            .iter()
            .map(|(name, told, _)| match lost.contains(name) {
                true => (*name, false, true),
                false => (*name, *told, false),
            })
            .collect();
        assert_eq!(told(&answer.session.unwrap()), expected, "{to}");
    }
}

#[test]
fn a_source_keeps_what_can_be_read_of_it() {
    let id = SourceId::from("s");
    let route = || Route::ReadSource(id.clone());
    let json = r#"{"id":"s","type":"customerCredit","amount":"2.0","reusable":"no","state":{"is":1},"customerId":[]}"#;
    let facts = source(route(), false, json).unwrap().unwrap();
    assert_eq!(facts.kind, Stated::Stated("customerCredit".into()));
    assert_eq!(facts.amount, Stated::Stated("2".parse().unwrap()));
    assert_eq!(
        (facts.reusable, facts.state, facts.customer),
        (Stated::Unread, Stated::Unread, Stated::Unread)
    );
    let nameless = source(route(), false, r#"{"id":{},"type":"customerCredit"}"#).unwrap().unwrap();
    assert_eq!((nameless.id, nameless.kind), (id.clone(), Stated::Stated("customerCredit".into())));
    assert_eq!(source(Route::CreateSource, false, r#"{"id":{},"type":"x"}"#), Ok(None));
}
