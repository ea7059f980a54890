//! A dialect that is in none of the lists: one kind of session, named in the body of a call, and
//! integer minor units. It shows that a vendor API is one value.

use crate::{
    dialects::{
        Classified, Dialects, Outgoing, Refusal, UnreadableAnswer,
        api::{Api, Coverage, ErrorEntry, Operation, Request},
        carts, checkouts, classify, decoded_body, error,
        read::{
            body::{self, RequestError},
            fields::{Fields, Member, value},
            media::Media,
            path::PathWords,
            query::Parameters,
        },
    },
    rules::{
        Amount, Answer, Charges, Dialect, Intent, Keys, KindSpec, Lookup, RuleId, Ruleset,
        Semantics, SessionFacts, SessionKey, SessionKind, SourceId, Target, Told,
    },
};
use http::{HeaderMap, Method, StatusCode, Uri};
use serde::Deserialize;

const DIALECT: Dialect = Dialect::new(&RULESET);
const TAB: SessionKind = SessionKind::new(&KindSpec {
    name: "tab",
    number: 9,
    dialect: DIALECT,
    active: false,
    billing: false,
});

static RULESET: Ruleset = Ruleset {
    name: "tabs",
    kinds: || &[TAB],
    keys: Keys {
        toggles: "Toggles for tabs only.",
        pairing: ("pairing-tabs", "The primaries that a secondary can be combined with on tabs."),
    },
    pairing: &[],
    rows: &[],
    semantics: Semantics {
        detaching_spends: false,
        order_charges: Charges::All,
        waits_under: RuleId::SecondaryAfterSingleUsePrimary,
        may_defer: false,
        credential_opens_sources: false,
    },
};

static API: Api = Api {
    dialect: DIALECT,
    path: PathWords {
        all: &["tabs", "pay"],
        roots: &["tabs"],
        governed: &["tabs"],
        marks: &["tabs"],
    },
    version_header: None,
    parameters: PARAMETERS,
    reads_sources: false,
    busy_code: "BUSY",
    refusal: |violation| Refusal::conflict("BROKEN", violation.finding.to_string()),
    resource: |path| match path {
        ["tabs", "pay"] => Some("pay"),
        ["tabs", _] => Some("tab"),
        _ => None,
    },
    governs: |operation| is_pay(operation) || read_tab(operation).is_some(),
    intent,
    answer,
    look_up,
    attach: |_, _, _| None,
    detach: |_, _, _| None,
    strip: |_| None,
    media: |_, _| Media::Json,
    error: |_, _, entry: &ErrorEntry<'_>| format!("{{\"code\":\"{}\"}}", entry.code).into_bytes(),
};

const PARAMETERS: Parameters = Parameters { body_fields: &["tab"], id: None, inert: &[] };
const PAY: &[Member] = &[value("tab"), value("source")];

fn is_pay(operation: Operation<'_>) -> bool {
    operation.method == Method::POST && matches!(operation.path, ["tabs", "pay"])
}

fn read_tab(operation: Operation<'_>) -> Option<SessionKey> {
    match (operation.method.as_str(), operation.path) {
        ("GET", ["tabs", id]) => Some(SessionKey::new(TAB, *id)),
        _ => None,
    }
}

fn intent(operation: Operation<'_>, request: &Request<'_>) -> Result<Option<Intent>, RequestError> {
    if let Some(key) = read_tab(operation) {
        return Ok(Some(Intent::ReadSession { session: Target::Session(key) }));
    }
    let text = body::text(request.headers, request.body, &PARAMETERS)?;
    let fields = Fields::read(text, PAY)?;
    let (tab, source) = (fields.id("tab")?, fields.id("source")?);
    Ok(tab.zip(source).map(|(tab, source)| Intent::Attach {
        session: Target::Session(SessionKey::new(TAB, &*tab)),
        source: SourceId::from(&*source),
    }))
}

fn answer(
    _: Operation<'_>,
    _: &Intent,
    _: Coverage,
    json: &[u8],
) -> Result<Answer, UnreadableAnswer> {
    #[derive(Deserialize)]
    struct Tab {
        cents: i64,
    }
    let tab: Tab = serde_json::from_slice(json).map_err(|_| UnreadableAnswer("it is no tab"))?;
    let total: Amount = format!("{}.{:02}", tab.cents / 100, tab.cents % 100).parse().unwrap();
    let facts = SessionFacts { total: Told::Told(total), ..SessionFacts::default() };
    Ok(Answer { session: Some(facts), ..Answer::default() })
}

fn look_up(lookup: &Lookup, intent: &Intent, _: &Uri, _: Option<&SessionKey>) -> Option<Outgoing> {
    let (Lookup::Session, Some(Target::Session(key))) = (lookup, intent.session()) else {
        return None;
    };
    let read = Intent::ReadSession { session: Target::Session(key.clone()) };
    Some(Outgoing::bare(Method::GET, format!("/tabs/{}", key.id).parse().ok()?, read))
}

#[test]
fn a_third_dialect_is_classified_read_looked_up_and_answered() {
    let dialects = Dialects::new(&[&checkouts::API, &carts::API, &API]);
    let (headers, uri) = (HeaderMap::new(), Uri::from_static("/tabs/pay"));
    let Classified::Governed(call) = classify(&dialects, &Method::POST, &uri, &headers) else {
        panic!("not governed")
    };
    let body = decoded_body(&headers, br#"{"tab":"7","source":"s"}"#, 1 << 20);
    let intent = call.intent(&headers, &body).unwrap().unwrap();
    let key = SessionKey::new(TAB, "7");
    assert_eq!(intent.session(), Some(&Target::Session(key)));

    let (outgoing, reader) = call.look_up(&Lookup::Session, &intent, &uri, None).unwrap();
    assert_eq!(outgoing.path, "/tabs/7");
    let read = reader
        .read_answer(&outgoing.intent, StatusCode::OK, &headers, br#"{"cents":1999}"#, 1 << 20)
        .unwrap();
    assert_eq!(read.session.unwrap().total, Told::Told("19.99".parse().unwrap()));

    // It has no call that reads a source: that of the first listed API is asked.
    let source = Lookup::Source("s".into());
    let (outgoing, reader) = call.look_up(&source, &intent, &uri, None).unwrap();
    assert_eq!((outgoing.path.as_str(), reader.dialect()), ("/sources/s", checkouts::DIALECT));

    let rendered = error(call.form(), StatusCode::CONFLICT, call.form().busy_code(), "Wait.");
    assert_eq!(&rendered.body[..], br#"{"code":"BUSY"}"#);
}

#[test]
fn a_third_dialect_changes_nothing_for_the_others_and_its_odd_spellings_are_ambiguous() {
    let dialects = Dialects::new(&[&checkouts::API, &carts::API, &API]);
    let headers = HeaderMap::new();
    for (path, dialect) in [
        ("/tabs//pay", DIALECT),
        ("/Tabs/pay", DIALECT),
        ("/x/../tabs/pay", DIALECT),
        ("/%74abs/pay", DIALECT),
        ("/checkouts//1", checkouts::DIALECT),
        ("//v1/shoppers/me/carts/active", carts::DIALECT),
    ] {
        let uri: Uri = path.parse().unwrap();
        match classify(&dialects, &Method::POST, &uri, &headers) {
            Classified::Ambiguous(call, _) => assert_eq!(call.dialect(), dialect, "{path}"),
            other => panic!("{path}: {other:?}"),
        }
        assert_eq!(dialects.form_for(&uri, &headers).dialect(), dialect, "{path}");
        let known = classify(Dialects::built_in(), &Method::POST, &uri, &headers);
        assert_eq!(known == Classified::Ungoverned, dialect == DIALECT, "{path}");
    }
}
