//! Answers of the checkouts dialect, in the shape since 2021-03-23 (`payment`) and in the one
//! before.
//!
//! An answer of this dialect is whole: what it does not show is not there. Only where the caller
//! filtered it (`fields=`) is a missing member not told.

use super::Route;
use crate::{
    dialects::{
        call::Garbled,
        value::{self, Many, One, Scalar},
    },
    rules::{
        Answer, CustomerFacts, CustomerId, Intent, SessionFacts, SessionState, SourceFacts,
        SourceId, Told,
    },
};
use serde::{Deserialize, de::IgnoredAny};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Session<'a> {
    #[serde(borrow)]
    id: Option<Scalar<'a>>,
    total_amount: Option<Scalar<'a>>,
    currency: Option<Scalar<'a>>,
    customer_id: Option<Scalar<'a>>,
    credit_amount: Option<Scalar<'a>>,
    billing_optimization: Option<Scalar<'a>>,
    #[serde(default)]
    sources: Many<Source<'a>>,
    #[serde(default)]
    payment: One<Payment<'a>>,
    payment_session_id: Option<Scalar<'a>>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Payment<'a> {
    #[serde(default, borrow)]
    sources: Many<Source<'a>>,
    #[serde(default)]
    session: One<PaymentSession<'a>>,
    #[serde(default)]
    charges: Many<Charge<'a>>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct PaymentSession<'a> {
    #[serde(borrow)]
    id: Option<Scalar<'a>>,
    amount_remaining_to_be_contributed: Option<Scalar<'a>>,
    state: Option<Scalar<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Charge<'a> {
    #[serde(borrow)]
    source_id: Option<Scalar<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Source<'a> {
    #[serde(borrow)]
    id: Option<Scalar<'a>>,
    r#type: Option<Scalar<'a>>,
    amount: Option<Scalar<'a>>,
    currency: Option<Scalar<'a>>,
    reusable: Option<Scalar<'a>>,
    state: Option<Scalar<'a>>,
    customer_id: Option<Scalar<'a>>,
    payment_session_id: Option<Scalar<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Customer<'a> {
    #[serde(borrow)]
    id: Option<Scalar<'a>>,
    #[serde(default)]
    sources: Many<Source<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Order<'a> {
    #[serde(default, borrow)]
    sources: Many<Source<'a>>,
    #[serde(default)]
    payment: One<Payment<'a>>,
    #[serde(default)]
    charges: Many<Charge<'a>>,
}

/// Members that only a session has: an attach may be answered with either.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SessionMark {
    payment: Option<IgnoredAny>,
    sources: Option<IgnoredAny>,
    total_amount: Option<IgnoredAny>,
}

/// Reads the answer to a call; `filtered` where it shows only what the caller asked for.
pub(in crate::dialects) fn read_answer(
    route: &Route,
    intent: &Intent,
    filtered: bool,
    json: &[u8],
) -> Result<Answer, Garbled> {
    let whole = !filtered;
    match route {
        Route::CreateSource => of_source(json, None, whole),
        Route::EditSource(id) | Route::ReadSource(id) => of_source(json, Some(id), whole),
        Route::Save(_, id) => of_source(json, Some(id), false),
        Route::Attach(..) if has_session_marks(json)? => of_session(json, intent, whole),
        Route::Attach(..) => of_source(json, None, false),
        Route::Create(_) | Route::Update(_) | Route::Read(_) => of_session(json, intent, whole),
        Route::UpdateCustomer(id) | Route::ReadCustomer(id) => of_customer(json, id, whole),
        Route::Order => of_order(json),
        Route::Delete(_) | Route::Detach(..) | Route::Touch(_) | Route::Remove(..) => {
            Ok(Answer::default())
        }
    }
}

fn parse<'a, T: Deserialize<'a>>(json: &'a [u8]) -> Result<T, Garbled> {
    serde_json::from_slice(json)
        .map_err(|_| Garbled("it is not the JSON that the call is answered with"))
}

fn has_session_marks(json: &[u8]) -> Result<bool, Garbled> {
    let mark: SessionMark = parse(json)?;
    Ok(mark.payment.is_some() || mark.sources.is_some() || mark.total_amount.is_some())
}

fn of_source(json: &[u8], asked: Option<&SourceId>, whole: bool) -> Result<Answer, Garbled> {
    let source: Source<'_> = parse(json)?;
    if value::text(source.id)?.is_none() {
        return Ok(Answer::default());
    }
    let mut facts = facts(&source)?;
    if asked.is_some_and(|asked| *asked != facts.id) {
        return Err(Garbled("it is about another source"));
    }
    if whole && !facts.customer.is_told() {
        facts.customer = Told::Told(None);
    }
    Ok(Answer { source: Some(facts), ..Answer::default() })
}

fn facts(source: &Source<'_>) -> Result<SourceFacts, Garbled> {
    let id = value::text(source.id)?.ok_or(Garbled("a source has no id"))?;
    Ok(SourceFacts {
        id: SourceId::from(&*id),
        kind: value::kind(source.r#type)?,
        amount: value::amount(source.amount)?,
        currency: value::currency(source.currency)?,
        reusable: value::flag(source.reusable)?,
        state: value::state(source.state)?,
        customer: value::text(source.customer_id)?.map(|id| Some(CustomerId::from(&*id))).into(),
        payment_session: value::text(source.payment_session_id)?.map(|id| Box::from(&*id)).into(),
    })
}

/// Those shown; none where a whole answer shows no list.
fn all(sources: Many<Source<'_>>, whole: bool) -> Result<Told<Vec<SourceFacts>>, Garbled> {
    match sources.0 {
        Some(sources) => sources.iter().map(facts).collect::<Result<_, _>>().map(Told::Told),
        None if whole => Ok(Told::Told(Vec::new())),
        None => Ok(Told::NotTold),
    }
}

/// What is there, or, in a whole answer, that it is not.
fn or_none<T>(shown: Option<T>, whole: bool) -> Told<Option<T>> {
    if shown.is_some() || whole { Told::Told(shown) } else { Told::NotTold }
}

fn of_session(json: &[u8], intent: &Intent, whole: bool) -> Result<Answer, Garbled> {
    let shown: Session<'_> = parse(json)?;
    let id = value::text(shown.id)?;
    if let (Some(crate::rules::Target::Session(asked)), Some(id)) = (intent.session(), &id)
        && asked.id.as_str() != &**id
    {
        return Err(Garbled("it is about another session"));
    }
    let whole = whole && id.is_some();
    let payment = shown.payment.0.unwrap_or_default();
    let session = payment.session.0.unwrap_or_default();
    let sources = if payment.sources.0.is_some() { payment.sources } else { shown.sources };
    let credit_amount = match value::amount(shown.credit_amount)? {
        Told::Told(amount) => Some(amount),
        Told::NotTold => None,
    };
    let facts = SessionFacts {
        sources: all(sources, whole)?,
        total: value::amount(shown.total_amount)?,
        remaining: value::amount(session.amount_remaining_to_be_contributed)?,
        currency: value::currency(shown.currency)?,
        state: value::text(session.state)?.map(|state| SessionState::read(&state)).into(),
        customer: or_none(value::text(shown.customer_id)?.map(|id| CustomerId::from(&*id)), whole),
        credit_amount: or_none(credit_amount, whole),
        billing_optimization: value::flag(shown.billing_optimization)?,
        payment_session: value::text(session.id.or(shown.payment_session_id))?
            .map(|id| Box::from(&*id))
            .into(),
        id: id.map(|id| (&*id).into()),
    };
    Ok(Answer { session: Some(facts), ..Answer::default() })
}

fn of_customer(json: &[u8], asked: &CustomerId, whole: bool) -> Result<Answer, Garbled> {
    let shown: Customer<'_> = parse(json)?;
    let id = value::text(shown.id)?.map(|id| CustomerId::from(&*id));
    if id.as_ref().is_some_and(|id| id != asked) {
        return Err(Garbled("it is about another customer"));
    }
    let saved = all(shown.sources, whole && id.is_some())?;
    Ok(Answer { customer: Some(CustomerFacts { id, saved }), ..Answer::default() })
}

/// The order's id is not its checkout's, so it tells nothing about the session but which sources
/// were charged.
fn of_order(json: &[u8]) -> Result<Answer, Garbled> {
    let shown: Order<'_> = parse(json)?;
    let payment = shown.payment.0.unwrap_or_default();
    let sources = [payment.sources.0, shown.sources.0]
        .into_iter()
        .flatten()
        .flatten()
        .map(|source| source.id);
    let charges = [payment.charges.0, shown.charges.0]
        .into_iter()
        .flatten()
        .flatten()
        .map(|charge| charge.source_id);
    let mut charged: Vec<SourceId> = Vec::new();
    for id in sources.chain(charges) {
        if let Some(id) = value::text(id)?
            && !charged.iter().any(|known| known.as_str() == id)
        {
            charged.push(SourceId::from(&*id));
        }
    }
    Ok(Answer { charged, ..Answer::default() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialects::checkouts;
    use crate::rules::{NewSource, SessionKey, SourceState, Target};

    fn key() -> SessionKey {
        SessionKey::new(checkouts::CHECKOUT, "177642590336")
    }

    fn session(json: &str) -> SessionFacts {
        let intent = Intent::ReadSession { session: Target::Session(key()) };
        read_answer(&Route::Read(key()), &intent, false, json.as_bytes()).unwrap().session.unwrap()
    }

    fn source(route: Route, filtered: bool, json: &str) -> Result<Option<SourceFacts>, Garbled> {
        read_answer(&route, &Intent::CreateSource(NewSource::default()), filtered, json.as_bytes())
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
        assert_eq!(facts.total, Told::Told("1198.28".parse().unwrap()));
        assert_eq!(facts.remaining, Told::Told("0".parse().unwrap()));
        assert_eq!(facts.currency, Told::Told("USD".parse().unwrap()));
        assert_eq!(facts.state, Told::Told(SessionState::RequiresConfirmation));
        assert_eq!(facts.customer, Told::Told(Some("536319570336".into())));
        assert_eq!(facts.credit_amount, Told::Told(None));
        assert_eq!(facts.payment_session, Told::Told("1f5e2c4a".into()));
        let sources = facts.sources.as_ref().unwrap();
        assert_eq!(sources.len(), 2);
        let card = SourceFacts::named("ee90c07c-5549-4a6b-aa5f-aabe29b1e97a");
        let amount = Told::Told("1188.28".parse().unwrap());
        assert_eq!(
            sources[0],
            SourceFacts { kind: Told::Told("creditCard".into()), amount, ..card }
        );
        assert_eq!(sources[1].amount, Told::Told("10".parse().unwrap()));
        assert_eq!(sources[1].reusable, Told::Told(false));
        assert_eq!(sources[1].state, Told::Told(SourceState::Chargeable));
    }

    #[test]
    fn the_older_shape_is_read() {
        let facts = session(
            r#"{"id":177642590336,"totalAmount":"26.89","creditAmount":11,"currency":"USD","paymentSessionId":"ps_1",
                "sources":[{"id":"s","type":"creditCard","amount":15.89,"reusable":"true"}]}"#,
        );
        assert_eq!(facts.id, Some("177642590336".into()));
        assert_eq!(facts.credit_amount, Told::Told(Some("11".parse().unwrap())));
        assert_eq!(facts.total, Told::Told("26.89".parse().unwrap()));
        assert_eq!(facts.payment_session, Told::Told("ps_1".into()));
        assert_eq!(facts.sources.as_ref().unwrap()[0].reusable, Told::Told(true));
        assert_eq!((facts.remaining, facts.state), (Told::NotTold, Told::NotTold));
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
            assert_eq!(facts.sources, Told::Told(vec![]), "{json}");
            assert_eq!(facts.customer, Told::Told(None), "{json}");
            assert_eq!(facts.credit_amount, Told::Told(None), "{json}");
            assert_eq!(
                (facts.total, facts.remaining, facts.billing_optimization),
                (Told::NotTold, Told::NotTold, Told::NotTold)
            );
        }
        assert_eq!(session("{}"), SessionFacts::default());
        let filtered = read_answer(
            &Route::Read(key()),
            &Intent::ReadSession { session: Target::Session(key()) },
            true,
            br#"{"id":"177642590336","totalAmount":5}"#,
        );
        let facts = filtered.unwrap().session.unwrap();
        assert_eq!(
            (facts.sources, facts.customer, facts.total),
            (Told::NotTold, Told::NotTold, Told::Told("5".parse().unwrap()))
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
            kind: Told::Told("customerCredit".into()),
            amount: Told::Told("2".parse().unwrap()),
            currency: Told::Told("USD".parse().unwrap()),
            reusable: Told::Told(false),
            state: Told::Told(SourceState::Chargeable),
            customer: Told::Told(None),
            payment_session: Told::Told("ps_8cecaa32-f692-44cc-b103-4cf24dc93913".into()),
            ..SourceFacts::named("99fe8ad1-999e-4e13-95d5-248e472aa7c8")
        };
        let id = SourceId::from("99fe8ad1-999e-4e13-95d5-248e472aa7c8");
        assert_eq!(source(Route::CreateSource, false, json), Ok(Some(expected.clone())));
        assert_eq!(source(Route::ReadSource(id.clone()), false, json), Ok(Some(expected.clone())));
        let untold = SourceFacts { customer: Told::NotTold, ..expected };
        assert_eq!(source(Route::ReadSource(id.clone()), true, json), Ok(Some(untold.clone())));
        assert_eq!(source(Route::Attach(key(), id.clone()), false, json), Ok(Some(untold)));
        let saved = r#"{"id":"99fe8ad1-999e-4e13-95d5-248e472aa7c8","reusable":true,"customerId":"544671250336"}"#;
        let facts = source(Route::Save("544671250336".into(), id), false, saved).unwrap().unwrap();
        assert_eq!(
            (facts.reusable, facts.customer),
            (Told::Told(true), Told::Told(Some("544671250336".into())))
        );
    }

    #[test]
    fn an_attach_may_be_answered_with_the_session() {
        let intent = Intent::Attach { session: Target::Session(key()), source: "s".into() };
        let json = br#"{"id":"177642590336","payment":{"sources":[{"id":"s"}]}}"#;
        let answer = read_answer(&Route::Attach(key(), "s".into()), &intent, false, json).unwrap();
        assert_eq!(answer.session.unwrap().sources, Told::Told(vec![SourceFacts::named("s")]));
        assert_eq!(answer.source, None);
    }

    #[test]
    fn a_customer_and_an_order_are_read() {
        let read = Intent::ReadCustomer { customer: "5".into() };
        let of = |json: &str| {
            read_answer(&Route::ReadCustomer("5".into()), &read, false, json.as_bytes())
                .map(|a| a.customer.unwrap())
        };
        assert_eq!(
            of(r#"{"id":"5"}"#),
            Ok(CustomerFacts { id: Some("5".into()), saved: Told::Told(vec![]) })
        );
        assert_eq!(
            of(r#"{"id":5,"sources":[{"id":"s"}]}"#).unwrap().saved,
            Told::Told(vec![SourceFacts::named("s")])
        );
        assert_eq!(of(r#"{}"#).unwrap().saved, Told::NotTold);
        assert!(of(r#"{"id":"6"}"#).is_err());
        let order = Intent::Order { session: Target::Session(key()), brings_funding: false };
        let json = br#"{"id":"o","payment":{"sources":[{"id":"a"},{"id":"b"}],"charges":[{"id":"c","sourceId":"a"}]}}"#;
        let answer = read_answer(&Route::Order, &order, false, json).unwrap();
        assert_eq!(answer, Answer { charged: vec!["a".into(), "b".into()], ..Answer::default() });
    }

    #[test]
    fn what_cannot_be_understood_teaches_nothing() {
        let intent = Intent::ReadSession { session: Target::Session(key()) };
        for json in [
            r#"{"id":"177642590336","id":"177642590336"}"#,
            r#"{"id":"177642590336","payment":{"sources":[],"sources":[]}}"#,
            r#"{"id":"177642590336","totalAmount":"a lot"}"#,
            r#"{"id":"177642590336","totalAmount":{"value":1}}"#,
            r#"{"id":"177642590336","sources":[{"type":"creditCard"}]}"#,
            r#"{"id":"177642590336","sources":7}"#,
            r#"{"id":"1"}"#,
            r#"{"id":"177642590336"} trailing"#,
            r#"{"id":"177642590336""#,
            "<html>",
            "[]",
        ] {
            assert!(
                read_answer(&Route::Read(key()), &intent, false, json.as_bytes()).is_err(),
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
}
