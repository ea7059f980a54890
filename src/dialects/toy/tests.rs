//! The toy from end to end: a server of its own behind the layer, with nothing known of it outside
//! of its folder.

use super::{
    API,
    ruleset::{DIALECT, TAB},
};
use crate::{
    dialects::{
        APIS_AND_TOY, Call, Classified, Dialects, carts, checkouts, classify, decoded_body, error,
    },
    govern::{GovernLayer, GovernSettings, Governor},
    http::{Body, collect},
    observe::Decision,
    rules::{
        FreshFor, Intent, LookUps, Lookup, Mode, PaidWith, Policy, RuleId, SessionKey, SourceId,
        Stated, Target,
    },
    sessions::{Sessions, Settings},
    stack,
    upstream::{Upstream, UpstreamSettings},
};
use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode, Uri};
use serde_json::{Value, json};
use std::{
    convert::Infallible,
    fs,
    path::{Path, PathBuf},
    sync::{Arc, LazyLock, Mutex},
};
use tokio_util::task::TaskTracker;
use tower::{Layer, ServiceExt, service_fn};

static DIALECTS: LazyLock<Dialects> = LazyLock::new(|| Dialects::new(APIS_AND_TOY));

/// The tokens that there are, and what they are worth.
const TOKENS: [(&str, u32); 3] = [("a", 500), ("b", 999), ("c", 1)];

/// What the toy's server was sent, and the tokens on its only tab, which is over 14.99.
#[derive(Clone, Default)]
struct Bar {
    calls: Arc<Mutex<Vec<Request<Bytes>>>>,
    tokens: Arc<Mutex<Vec<String>>>,
}

impl Bar {
    async fn answer(self, request: Request<Body>) -> Result<Response<Body>, Infallible> {
        let (head, body) = request.into_parts();
        let body = collect(body, 1 << 20).await.expect("a body").bytes;
        let said: Value = serde_json::from_slice(&body).unwrap_or_default();
        let answer = match (head.method.as_str(), head.uri.path()) {
            ("GET", path) if path.starts_with("/tokens/") => self.token(&path["/tokens/".len()..]),
            ("POST", "/tabs/add") => {
                let token = said["token"].as_str().expect("a token").to_owned();
                self.tokens.lock().unwrap().push(token);
                self.tab(false)
            }
            ("POST", "/tabs/pay") => self.tab(true),
            ("GET", "/tabs/7") => self.tab(false),
            other => panic!("the toy has no {other:?}"),
        };
        self.calls.lock().unwrap().push(Request::from_parts(head, body));
        Ok(Response::new(Body::full(answer.to_string())))
    }

    fn token(&self, id: &str) -> Value {
        let (id, cents) = TOKENS.into_iter().find(|(token, _)| *token == id).expect("a token");
        json!({"token": id, "cents": cents})
    }

    fn tab(&self, paid: bool) -> Value {
        let tokens = self.tokens.lock().unwrap();
        let tokens: Vec<Value> = tokens.iter().map(|id| self.token(id)).collect();
        json!({"tab": "7", "cents": 1499, "paid": paid, "tokens": tokens})
    }

    /// Returns the calls since the last time, as `METHOD path body`.
    fn taken(&self) -> Vec<String> {
        let calls = std::mem::take(&mut *self.calls.lock().unwrap());
        let text = |body: &Bytes| String::from_utf8(body.to_vec()).unwrap();
        let line = |call: Request<Bytes>| {
            format!("{} {} {}", call.method(), call.uri(), text(call.body())).trim().to_owned()
        };
        calls.into_iter().map(line).collect()
    }
}

/// The toy's server, and the layer before it.
struct House {
    bar: Bar,
    governor: Arc<Governor>,
}

/// What a caller sees of an answer.
#[derive(Debug, PartialEq)]
struct Seen {
    status: u16,
    decision: Option<String>,
    rule: Option<String>,
    body: String,
}

fn governor(policy: Policy) -> Arc<Governor> {
    let settings = GovernSettings { dialects: &DIALECTS, ..GovernSettings::default() };
    let policy = Policy { look_ups: LookUps::Thorough, ..policy };
    Governor::new(policy, Sessions::in_memory(Settings::default()), settings)
}

impl House {
    fn new(mode: Mode) -> Self {
        // What was learned a moment ago is fresh, however slow the machine is.
        let policy = Policy { mode, fresh_for: FreshFor::Forever, ..DIALECTS.policy() };
        Self { bar: Bar::default(), governor: governor(policy) }
    }

    async fn call(&self, method: Method, path: &str, body: &str) -> Seen {
        let bar = self.bar.clone();
        let service = GovernLayer::new(self.governor.clone())
            .layer(service_fn(move |request| bar.clone().answer(request)));
        let mut request = Request::new(Body::full(body.to_owned()));
        *request.method_mut() = method;
        *request.uri_mut() = path.parse().unwrap();
        let headers = [("authorization", "Bearer key"), ("idempotency-key", "once")];
        for (name, value) in headers {
            request.headers_mut().insert(name, value.parse().unwrap());
        }
        let response = service.oneshot(request).await.expect("an answer");
        let (head, body) = response.into_parts();
        let header = |name| head.headers.get(name).map(|v| v.to_str().unwrap().to_owned());
        let bytes = collect(body, 1 << 20).await.expect("a body").bytes;
        Seen {
            status: head.status.as_u16(),
            decision: header("weir-decision"),
            rule: header("weir-rule"),
            body: String::from_utf8(bytes.to_vec()).unwrap(),
        }
    }

    async fn post(&self, path: &str, body: &str) -> Seen {
        self.call(Method::POST, path, body).await
    }

    fn decision(&self) -> Arc<Decision> {
        self.governor.decisions().latest(1)[0].clone()
    }
}

fn seen(status: u16, decision: &str, rule: Option<&str>, body: impl ToString) -> Seen {
    let decision = Some(decision.to_owned());
    Seen { status, decision, rule: rule.map(str::to_owned), body: body.to_string() }
}

#[tokio::test]
async fn a_call_that_breaks_the_toys_rule_is_answered_in_its_words_and_one_that_keeps_it_passes() {
    let house = House::new(Mode::Enforce);
    let add = r#"{ "tab": "7", "token": "a" }"#;
    assert_eq!(
        house.post("/tabs/add", add).await,
        seen(200, "forwarded", None, house.bar.tab(false))
    );
    // The caller has to be shown the tab first.
    assert_eq!(house.bar.taken(), ["GET /tabs/7".to_owned(), format!("POST /tabs/add {add}")]);

    // What the answer said is known: nothing is looked up.
    let short = r#"{"code":"SHORT","why":"The tokens are 999 cents short."}"#;
    let rule = Some("underfunded-order");
    assert_eq!(
        house.post("/tabs/pay", r#"{"tab":"7","tokens":["a"]}"#).await,
        seen(402, "rejected", rule, short)
    );
    let decision = house.decision();
    let session = decision.session.as_ref().map(ToString::to_string);
    assert_eq!((decision.dialect, session.as_deref()), (DIALECT, Some("tab 7")));
    assert_eq!((decision.call, decision.rule), ("order", Some(RuleId::UnderfundedOrder)));
    assert_eq!(decision.found.as_deref(), Some("9.99 remains to be contributed"));
    assert!(decision.steps.is_empty());
    assert_eq!(house.bar.taken(), [""; 0]);

    house.post("/tabs/add", r#"{"tab":"7","token":"b"}"#).await;
    let pay = r#"{ "tokens": ["b", "a"], "tab": "7", "tip": 1e0 }"#;
    assert_eq!(
        house.post("/tabs/pay", pay).await,
        seen(200, "forwarded", None, house.bar.tab(true))
    );
    let sent = house.bar.calls.lock().unwrap().last().unwrap().clone();
    assert_eq!((sent.uri().path(), &sent.body()[..]), ("/tabs/pay", pay.as_bytes()));
    assert_eq!(sent.headers()["idempotency-key"], "once");
    let session = house.decision().session.as_ref().map(ToString::to_string);
    assert_eq!(session.as_deref(), Some("tab 7"));

    // A tab that is paid is upstream's to judge.
    house.bar.taken();
    let again = r#"{"tab":"7","tokens":[]}"#;
    assert_eq!(house.post("/tabs/pay", again).await.decision.as_deref(), Some("forwarded"));
    assert_eq!(house.bar.taken(), [format!("POST /tabs/pay {again}")]);
}

#[tokio::test]
async fn a_list_is_summed_up_and_the_tab_is_looked_up_for_it() {
    let house = House::new(Mode::Enforce);
    *house.bar.tokens.lock().unwrap() = ["b", "c"].map(str::to_owned).to_vec();
    let short = r#"{"code":"SHORT","why":"The tokens are 499 cents short."}"#;
    let pay = r#"{"tab":7,"tokens":["b","c"]}"#;
    assert_eq!(house.post("/tabs/pay", pay).await.body, short);
    assert_eq!(house.bar.taken(), ["GET /tabs/7"]);
    // A token that the tab does not show may have come another way: upstream knows.
    let pay = r#"{"tab":7,"tokens":["b","a"]}"#;
    assert_eq!(house.post("/tabs/pay", pay).await.status, 200);
}

#[tokio::test]
async fn a_read_passes_and_teaches() {
    let house = House::new(Mode::Enforce);
    house.bar.tokens.lock().unwrap().push("a".to_owned());
    assert_eq!(
        house.call(Method::GET, "/tabs/7", "").await,
        seen(200, "forwarded", None, house.bar.tab(false))
    );
    assert_eq!(house.bar.taken(), ["GET /tabs/7"]);
    assert_eq!(house.post("/tabs/pay", r#"{"tab":"7","tokens":["a"]}"#).await.status, 402);
    assert_eq!(house.bar.taken(), [""; 0]);
    assert_eq!(house.call(Method::GET, "/tokens/a", "").await.status, 200);
}

#[tokio::test]
async fn monitor_forwards_and_reports() {
    let house = House::new(Mode::Monitor);
    let pay = r#"{"tab":"7","tokens":[]}"#;
    assert_eq!(
        house.post("/tabs/pay", pay).await,
        seen(200, "monitored", Some("underfunded-order"), house.bar.tab(true))
    );
    assert_eq!(house.bar.taken(), ["GET /tabs/7".to_owned(), format!("POST /tabs/pay {pay}")]);
    let decision = house.decision();
    let session = decision.session.as_ref().map(ToString::to_string);
    assert_eq!((decision.dialect, session.as_deref()), (DIALECT, Some("tab 7")));
    assert_eq!(decision.found.as_deref(), Some("14.99 remains to be contributed"));
}

#[tokio::test]
async fn what_goes_wrong_on_the_way_is_answered_in_the_form_of_the_governors_dialects() {
    let target = "http://localhost".parse().unwrap();
    let upstream = Upstream::new(UpstreamSettings::new(target)).unwrap();
    let stack = stack::stack(governor(DIALECTS.policy()), upstream, TaskTracker::new());
    // A request without a Host, which no proxy may take.
    let request = Request::get("/tabs/7").body(Body::empty()).unwrap();
    let response = stack.oneshot(request).await.unwrap();
    assert_eq!(response.status(), StatusCode::BAD_REQUEST);
    let body = collect(response.into_body(), 1 << 20).await.unwrap().bytes;
    let body: Value = serde_json::from_slice(&body).unwrap();
    assert!(body["code"].is_string() && body["why"].is_string(), "{body}");
}

fn governed(path: &'static str) -> (Call, Uri) {
    let uri = Uri::from_static(path);
    match classify(&DIALECTS, &Method::POST, &uri, &HeaderMap::new()) {
        Classified::Governed(call) => (call, uri),
        other => panic!("{path}: {other:?}"),
    }
}

#[test]
fn a_toys_call_is_classified_read_looked_up_and_answered() {
    let (headers, (call, uri)) = (HeaderMap::new(), governed("/tabs/add"));
    let body = decoded_body(&headers, br#"{"tab":"7","token":"s"}"#, 1 << 20);
    let intent = call.intent(&headers, &body).unwrap().unwrap();
    let tab = Target::Session(SessionKey::new(TAB, "7"));
    assert_eq!(intent.session(), Some(&tab));

    let (outgoing, reader) = call.look_up(&Lookup::Session, &intent, &uri, None).unwrap();
    assert_eq!(outgoing.path, "/tabs/7");
    let shown = br#"{"tab":"7","cents":1999}"#;
    let read =
        reader.read_answer(&outgoing.intent, StatusCode::OK, &headers, shown, 1 << 20).unwrap();
    assert_eq!(read.session.unwrap().total, Stated::Stated("19.99".parse().unwrap()));

    let source = Lookup::Source("s".into());
    let (outgoing, reader) = call.look_up(&source, &intent, &uri, None).unwrap();
    assert_eq!((outgoing.path.as_str(), reader.dialect()), ("/tokens/s", DIALECT));

    let rendered = error(call.form(), StatusCode::CONFLICT, call.form().busy_code(), "Wait.");
    assert_eq!(&rendered.body[..], br#"{"code":"BUSY","why":"Wait."}"#);
}

#[test]
fn the_list_of_a_call_is_read_strictly() {
    let (headers, (call, _)) = (HeaderMap::new(), governed("/tabs/pay"));
    let read = |body: &str| call.intent(&headers, &decoded_body(&headers, body.as_bytes(), 999));
    let listed = read(r#"{"tab":"7","tokens":["a","b"]}"#).unwrap().unwrap();
    let sources: Vec<&str> = listed.sources().map(SourceId::as_str).collect();
    assert_eq!(sources, ["a", "b"]);
    let tab = Target::Session(SessionKey::new(TAB, "7"));
    let none = Intent::Order { session: tab, paid_with: PaidWith::Listed(Vec::new()) };
    assert_eq!(read(r#"{"tab":"7"}"#), Ok(Some(none)));
    assert_eq!(read(r#"{"tokens":["a"]}"#), Ok(None));
    for tokens in [r#"["a"],"tokens":["b"]"#, r#""a""#, "[1]", r#"["a/b"]"#, r#"["a"],"Tokens":1"#]
    {
        assert!(read(&format!(r#"{{"tab":"7","tokens":{tokens}}}"#)).is_err(), "{tokens}");
    }
}

#[test]
fn the_toy_changes_nothing_for_the_others_and_its_odd_spellings_are_ambiguous() {
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
        match classify(&DIALECTS, &Method::POST, &uri, &headers) {
            Classified::Ambiguous(call, _) => assert_eq!(call.dialect(), dialect, "{path}"),
            other => panic!("{path}: {other:?}"),
        }
        assert_eq!(DIALECTS.form_for(&uri, &headers).dialect(), dialect, "{path}");
        let known = classify(Dialects::built_in(), &Method::POST, &uri, &headers);
        assert_eq!(known == Classified::Ungoverned, dialect == DIALECT, "{path}");
    }
}

/// A guest is a folder, the line that declares it and the line that lists it.
#[test]
fn nothing_outside_its_folder_names_the_toy_but_two_lines() {
    let folder = API.dialect.as_str();
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let words = ["toy", folder, TAB.as_str()];
    let mut found = Vec::new();
    for file in files(&src).iter().filter(|file| !file.starts_with(src.join("dialects/toy"))) {
        let text = fs::read_to_string(file).unwrap();
        let code = text.lines().map(|line| line.split("//").next().unwrap_or_default().trim());
        let named = code.filter(|line| {
            line.split(|c: char| !c.is_alphanumeric()).any(|word| words.contains(&word))
        });
        let file = file.strip_prefix(&src).unwrap().display().to_string();
        found.extend(named.map(|line| (file.clone(), line.to_owned())));
    }
    let list = "const APIS_AND_TOY: &[&Api] = &[&checkouts::API, &carts::API, &toy::API];";
    let lines = ["mod toy;", list].map(|line| ("dialects/mod.rs".to_owned(), line.to_owned()));
    assert_eq!(found, lines);
}

/// Returns the Rust files below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let (folders, files): (Vec<_>, Vec<_>) = entries.partition(|path| path.is_dir());
    folders.iter().flat_map(|folder| self::files(folder)).chain(files).collect()
}
