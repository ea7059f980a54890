//! No way round a rule by spelling: every trick, over a bare socket, is understood as the governed
//! call or refused, and never reaches upstream.

use crate::testbed::{
    Adjusted, CART, Kind, Mode, Policy, RawReply, RuleId, SECRET, Testbed, Toggle, defaults,
    method, raw, trusting,
};
use flate2::{Compression, write::GzEncoder};
use serde_json::Value;
use std::io::Write;

/// A checkout with a single-use card, and store credit that may not be attached to it any more.
struct Scene {
    bed: Testbed,
    checkout: String,
    card: String,
    credit: String,
}

impl Scene {
    async fn set(policy: Policy) -> Self {
        let bed = Testbed::new().policy(policy).start().await;
        let checkout = bed.checkout(100.0).await;
        let (card, credit) = (bed.card().await, bed.credit(20.0).await);
        let attached =
            bed.weir.post(&format!("/checkouts/{checkout}/sources/{card}"), Value::Null).await;
        assert_eq!(attached.status, 200);
        Self { bed, checkout, card, credit }
    }

    /// `{c}` is the checkout, `{p}` its card, `{s}` the credit.
    fn fill(&self, text: &str) -> String {
        text.replace("{c}", &self.checkout).replace("{p}", &self.card).replace("{s}", &self.credit)
    }

    fn request(&self, line: &str, headers: &str, body: &[u8]) -> Vec<u8> {
        let headers = self.fill(headers);
        let mut bytes = format!(
            "{} HTTP/1.1\r\nHost: weir\r\nAuthorization: {SECRET}\r\nConnection: close\r\n{headers}Content-Length: {}\r\n\r\n",
            self.fill(line),
            body.len()
        )
        .into_bytes();
        bytes.extend_from_slice(body);
        bytes
    }

    async fn send(&self, line: &str, headers: &str, body: &[u8]) -> RawReply {
        raw(self.bed.weir.address(), &self.request(line, headers, body)).await
    }

    fn mutations(&self) -> usize {
        self.bed.emulator.calls().iter().filter(|call| call.mutation).count()
    }

    fn unchanged(&self, trick: &str) {
        assert_eq!(
            self.bed.attached(Kind::Checkout, &self.checkout),
            std::slice::from_ref(&self.card),
            "{trick}"
        );
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expect {
    /// 400 `ambiguous_request`; nothing is sent.
    Ambiguous,
    /// Understood: refused as the plain call is; nothing is sent.
    Understood,
    /// 400 because it cannot be read; nothing is sent.
    Malformed,
}
use Expect::{Ambiguous, Malformed, Understood};

/// What a caller is told of a body that cannot be read.
const UNREADABLE: &str = "The body is not what its Content-Encoding says.";

fn expect(reply: &RawReply, expected: Expect, trick: &str) {
    let code = reply.json()["errors"][0]["code"].as_str().unwrap_or_default().to_owned();
    let found = (reply.status, code.as_str(), reply.header("weir-rule"));
    let wanted = match expected {
        Ambiguous => (400, "ambiguous_request", Some("ambiguous-request")),
        Understood => {
            (409, "session_update_not_allowed", Some("secondary-after-single-use-primary"))
        }
        Malformed => (400, "invalid_body", None),
    };
    assert_eq!(found, wanted, "{trick}: {}", reply.text());
    let message = reply.json()["errors"][0]["message"].as_str().unwrap_or_default().to_owned();
    assert!(expected != Malformed || message == UNREADABLE, "{trick}: {message}");
}

#[tokio::test]
async fn no_spelling_of_a_path_goes_round_a_rule() {
    let scene = Scene::set(defaults()).await;
    let before = scene.mutations();
    for (path, expected) in [
        ("/checkouts/{c}/sources/{s}", Understood),
        ("/checkouts/{c}/sources/{s}/", Understood),
        ("/checkouts/{c}/sources/{s}?", Understood),
        ("/checkouts/{c}/sources/{s}?x=1", Understood),
        ("http://weir/checkouts/{c}/sources/{s}", Understood),
        ("//checkouts/{c}/sources/{s}", Ambiguous),
        ("/checkouts//{c}/sources/{s}", Ambiguous),
        ("/checkouts/{c}/sources//{s}", Ambiguous),
        ("/checkouts/{c}/sources/{s}//", Ambiguous),
        ("/./checkouts/{c}/sources/{s}", Ambiguous),
        ("/checkouts/./{c}/sources/{s}", Ambiguous),
        ("/x/../checkouts/{c}/sources/{s}", Ambiguous),
        ("/checkouts/{c}/x/../sources/{s}", Ambiguous),
        ("/checkouts/{c}/sources/x/../{s}", Ambiguous),
        ("/checkouts/{c}/sources/{s}/.", Ambiguous),
        ("/x/%2e%2e/checkouts/{c}/sources/{s}", Ambiguous),
        ("/x/.%2e/checkouts/{c}/sources/{s}", Ambiguous),
        ("/%63heckouts/{c}/sources/{s}", Ambiguous),
        ("/checkouts/{c}/s%6furces/{s}", Ambiguous),
        ("/checkouts/{c}%2fsources%2f{s}", Ambiguous),
        ("/checkouts%2F{c}/sources/{s}", Ambiguous),
        ("/checkouts/{c}%5csources%5c{s}", Ambiguous),
        ("/checkouts/{c}/%73%6f%75%72%63%65%73/{s}", Ambiguous),
        ("/%2563heckouts/{c}/sources/{s}", Ambiguous),
        ("/checkouts/{c}/sources/{s}%00", Ambiguous),
        ("/checkouts/{c}/sources/{s}%20", Ambiguous),
        ("/checkouts;v=1/{c}/sources/{s}", Ambiguous),
        ("/checkouts/{c};v=1/sources/{s}", Ambiguous),
        ("/checkouts/{c}/sources;v=1/{s}", Ambiguous),
        ("/checkouts/{c}/sources/{s};v=1", Ambiguous),
        ("/Checkouts/{c}/sources/{s}", Ambiguous),
        ("/CHECKOUTS/{c}/SOURCES/{s}", Ambiguous),
        ("/checkouts/{c}/Sources/{s}", Ambiguous),
        ("/checkouts.json/{c}/sources/{s}", Ambiguous),
        ("/checkouts/{c}/sources/{s}?_method=PUT", Ambiguous),
        ("/checkouts/{c}/sources/{s}?sourceId={p}", Ambiguous),
    ] {
        let reply = scene.send(&format!("POST {path}"), "", b"").await;
        expect(&reply, expected, path);
        assert_eq!(scene.mutations(), before, "{path} reached upstream");
        scene.unchanged(path);
    }
}

#[tokio::test]
async fn no_spelling_of_a_body_goes_round_a_rule() {
    let scene = Scene::set(defaults()).await;
    let before = scene.mutations();
    let gzip = |text: &str| {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(text.as_bytes()).unwrap();
        encoder.finish().unwrap()
    };
    let plain = scene.fill(r#"{"sourceId":"{s}"}"#);
    let utf16: Vec<u8> = plain.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let deep = format!(
        r#"{{"metadata":{}1{},"sourceId":"{{s}}"}}"#,
        "[".repeat(100_000),
        "]".repeat(100_000)
    );
    let huge = format!(r#"{{"metadata":{},"sourceId":"{{s}}"}}"#, "9".repeat(5_000));
    let text = |text: &str| scene.fill(text).into_bytes();
    for (trick, headers, body, expected) in [
        ("plain", "", plain.clone().into_bytes(), Understood),
        ("text/plain", "Content-Type: text/plain\r\n", plain.clone().into_bytes(), Understood),
        (
            "form",
            "Content-Type: application/x-www-form-urlencoded\r\n",
            text("sourceId={s}"),
            Ambiguous,
        ),
        (
            "JSON said to be a form",
            "Content-Type: application/x-www-form-urlencoded\r\n",
            plain.clone().into_bytes(),
            Understood,
        ),
        ("blanks around", "", text(" \r\n\t{\"sourceId\":\"{s}\"} \n"), Understood),
        (
            "escaped value",
            "",
            text(&r#"{"sourceId":"{s}"}"#.replace("{s}", &escaped(&scene.credit))),
            Understood,
        ),
        ("escaped key", "", text(r#"{"source\u0049d":"{s}"}"#), Understood),
        ("gzip", "Content-Encoding: gzip\r\n", gzip(&plain), Understood),
        ("deflate that is gzip", "Content-Encoding: deflate\r\n", gzip(&plain), Malformed),
        ("unknown coding", "Content-Encoding: zstd\r\n", gzip(&plain), Ambiguous),
        ("gzip unannounced", "", gzip(&plain), Ambiguous),
        ("the key twice", "", text(r#"{"sourceId":"{p}","sourceId":"{s}"}"#), Ambiguous),
        (
            "the key twice, once escaped",
            "",
            text(r#"{"sourceId":"{p}","source\u0049d":"{s}"}"#),
            Ambiguous,
        ),
        ("the key in another case", "", text(r#"{"sourceID":"{s}"}"#), Ambiguous),
        ("the key with a blank", "", text(r#"{"sourceId ":"{s}"}"#), Ambiguous),
        ("a byte order mark", "", text("\u{feff}{\"sourceId\":\"{s}\"}"), Understood),
        ("UTF-16", "Content-Type: application/json; charset=utf-16\r\n", utf16, Ambiguous),
        ("single quotes", "", text("{'sourceId':'{s}'}"), Ambiguous),
        ("a comment", "", text(r#"{/* */"sourceId":"{s}"}"#), Ambiguous),
        ("a trailing comma", "", text(r#"{"sourceId":"{s}",}"#), Ambiguous),
        ("no end", "", text(r#"{"sourceId":"{s}""#), Ambiguous),
        ("something after the end", "", text(r#"{"sourceId":"{s}"}{}"#), Ambiguous),
        ("a list", "", text(r#"[{"sourceId":"{s}"}]"#), Ambiguous),
        ("a list of ids", "", text(r#"{"sourceId":["{s}"]}"#), Ambiguous),
        ("an object for an id", "", text(r#"{"sourceId":{"id":"{s}"}}"#), Ambiguous),
        (
            "XML",
            "Content-Type: application/xml\r\n",
            text("<checkout><sourceId>{s}</sourceId></checkout>"),
            Ambiguous,
        ),
        ("an id with a blank", "", text(r#"{"sourceId":" {s}"}"#), Ambiguous),
        ("deep nesting", "", text(&deep), Understood),
        ("a huge number", "", text(&huge), Understood),
        ("a huge exponent", "", text(r#"{"metadata":1e999999999,"sourceId":"{s}"}"#), Understood),
        ("an override", "X-HTTP-Method-Override: PUT\r\n", plain.clone().into_bytes(), Ambiguous),
        ("another override", "X-Method-Override: DELETE\r\n", plain.into_bytes(), Ambiguous),
    ] {
        let reply = scene.send("POST /checkouts/{c}", headers, &body).await;
        expect(&reply, expected, trick);
        assert_eq!(scene.mutations(), before, "{trick} reached upstream");
        scene.unchanged(trick);
    }
    // Two ids that disagree: in the path and in the body.
    let reply = scene
        .send("POST /checkouts/{c}/sources/{p}", "", scene.fill(r#"{"sourceId":"{s}"}"#).as_bytes())
        .await;
    expect(&reply, Ambiguous, "two ids");
    // A method in another case is another method to some, and the same to others.
    for method in ["post", "Post"] {
        let reply = scene.send(&format!("{method} /checkouts/{{c}}/sources/{{s}}"), "", b"").await;
        expect(&reply, Ambiguous, method);
    }
    assert_eq!(scene.mutations(), before);
}

/// Every letter of it as `\u00XX`.
fn escaped(text: &str) -> String {
    text.bytes().map(|byte| format!("\\u{byte:04x}")).collect()
}

#[tokio::test]
async fn no_framing_goes_round_a_rule() {
    let scene = Scene::set(defaults()).await;
    let before = scene.mutations();
    let address = scene.bed.weir.address();
    let attach = scene.fill("POST /checkouts/{c}/sources/{s} HTTP/1.1\r\n");
    let common = format!("Authorization: {SECRET}\r\nConnection: close\r\n");
    let smuggled = format!("{attach}Host: weir\r\n{common}\r\n");
    for (trick, bytes) in [
        ("no host", format!("{attach}{common}\r\n")),
        ("two hosts", format!("{attach}Host: weir\r\nHost: other\r\n{common}\r\n")),
        (
            "two lengths",
            format!(
                "{attach}Host: weir\r\n{common}Content-Length: 0\r\nContent-Length: 5\r\n\r\nhello"
            ),
        ),
        (
            "length and chunks",
            format!(
                "GET /live HTTP/1.1\r\nHost: weir\r\n{common}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{smuggled}"
            ),
        ),
        ("a folded header", format!("{attach}Host: weir\r\n{common}X-A: b\r\n c\r\n\r\n")),
        (
            "a blank before the colon",
            format!("{attach}Host: weir\r\n{common}Content-Length : 5\r\n\r\nhello"),
        ),
        (
            "another coding",
            format!(
                "{attach}Host: weir\r\n{common}Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"
            ),
        ),
        ("a hash", format!("{}Host: weir\r\n{common}\r\n", attach.replace(" HTTP", "#x HTTP"))),
        (
            "a backslash",
            format!("{}Host: weir\r\n{common}\r\n", attach.replace("/sources/", "\\sources\\")),
        ),
    ] {
        let reply = raw(address, bytes.as_bytes()).await;
        assert!(
            (400..=501).contains(&reply.status) || reply.status == 0,
            "{trick}: {} {}",
            reply.status,
            reply.text()
        );
        assert_eq!(scene.mutations(), before, "{trick} reached upstream");
        scene.unchanged(trick);
    }
    // Chunked and pipelined: the usual.
    let chunked = scene.fill("POST /checkouts/{c} HTTP/1.1\r\n")
        + &format!("Host: weir\r\n{common}Transfer-Encoding: chunked\r\n\r\n")
        + &scene.fill("8\r\n{\"source\r\n2\r\nId\r\n29\r\n\":\"{s}\"}\r\n0\r\n\r\n");
    expect(&raw(address, chunked.as_bytes()).await, Understood, "chunks");
    assert_eq!(scene.mutations(), before);
}

#[tokio::test]
async fn no_spelling_goes_round_a_rule_of_the_carts() {
    let bed = Testbed::new().start().await;
    let shopper = bed.shopper(100.0).await;
    let (card, credit) = (bed.card().await, bed.credit(40.0).await);
    let apply = format!("{CART}/apply-payment-method");
    let attached = shopper.post(&apply, method(&card)).await;
    assert_eq!(attached.status, 200);
    let before = bed.emulator.calls().iter().filter(|call| call.mutation).count();
    let json = method(&credit).to_string();
    let understood = Some("primary-before-secondary");
    let ambiguous = Some("ambiguous-request");
    for (path, body, rule) in [
        (apply.clone(), json.clone(), understood),
        (format!("{apply}?format=json"), json.clone(), understood),
        (
            apply.clone(),
            format!("<paymentMethod><sourceId>{credit}</sourceId></paymentMethod>"),
            understood,
        ),
        (
            apply.clone(),
            format!(
                "<?xml version=\"1.0\"?>\n<paymentMethod>\n <sourceId>{credit}</sourceId>\n</paymentMethod>"
            ),
            understood,
        ),
        (apply.clone(), format!("{{\"cart\":{json}}}"), understood),
        (apply.clone(), format!("{{\"sourceId\":\"{credit}\"}}"), understood),
        (apply.replace("/me/", "//me/"), json.clone(), ambiguous),
        (apply.replace("active", "Active"), json.clone(), ambiguous),
        (apply.replace("apply-payment", "apply%2Dpayment"), json.clone(), ambiguous),
        (apply.replace("/v1/", "/V1/"), json.clone(), ambiguous),
        (apply.replace("/v1/", "/x/../v1/"), json.clone(), ambiguous),
        (format!("{apply};x=y"), json.clone(), ambiguous),
        (format!("{apply}?sourceId={card}"), json.clone(), ambiguous),
        (format!("{apply}?token=a&token=b"), json.clone(), ambiguous),
        (
            apply.clone(),
            format!("{{\"paymentMethod\":{{\"sourceId\":\"{card}\"}},\"sourceId\":\"{credit}\"}}"),
            ambiguous,
        ),
        (
            apply.clone(),
            format!("{{\"paymentMethod\":{{\"sourceId\":\"{card}\",\"sourceId\":\"{credit}\"}}}}"),
            ambiguous,
        ),
        (
            apply.clone(),
            format!("{{\"paymentMethod\":{{}},\"paymentMethod\":{{\"sourceId\":\"{credit}\"}}}}"),
            ambiguous,
        ),
        (apply.clone(), format!("{{\"PaymentMethod\":{{\"sourceId\":\"{credit}\"}}}}"), ambiguous),
        (
            apply.clone(),
            format!(
                "<!DOCTYPE a [<!ENTITY e \"{credit}\">]><paymentMethod><sourceId>&e;</sourceId></paymentMethod>"
            ),
            ambiguous,
        ),
        (
            apply.clone(),
            format!(
                "<paymentMethod><sourceId>{card}</sourceId><sourceId>{credit}</sourceId></paymentMethod>"
            ),
            ambiguous,
        ),
        (
            apply.clone(),
            format!(
                "<paymentMethod><sourceId>{}<!-- -->{}</sourceId></paymentMethod>",
                &credit[..5],
                &credit[5..]
            ),
            ambiguous,
        ),
        (apply.clone(), format!("<paymentMethod sourceId=\"{credit}\"/>"), ambiguous),
        (apply.clone(), format!("sourceId={credit}"), ambiguous),
    ] {
        let reply = shopper.post_text(&path, &body).await;
        let status = if rule == understood { 409 } else { 400 };
        assert_eq!(
            (reply.status.as_u16(), reply.verdict().1),
            (status, rule),
            "{path} {body}: {}",
            reply.text()
        );
        let sent = bed.emulator.calls().iter().filter(|call| call.mutation).count();
        assert_eq!(sent, before, "{path} {body} reached upstream");
    }
}

/// Where ambiguity is only reported, or not looked at, it passes; and what it may have done is not
/// held against anybody.
#[tokio::test]
async fn nothing_is_refused_on_what_an_ambiguous_call_may_have_changed() {
    for toggle in [Toggle::Monitor, Toggle::Off] {
        let mut policy = trusting();
        policy.set(RuleId::AmbiguousRequest, toggle);
        // The card is detached by a path that only upstream understands, or by a body that names
        // nothing twice.
        for line in [
            "DELETE //checkouts/{c}/sources/{p}",
            "DELETE /checkouts/{c}/./sources/{p}",
            "DELETE /checkouts/{c}/sources/{p}?_method=DELETE",
        ] {
            let scene = Scene::set(policy.clone()).await;
            let reply = scene.send(line, "", b"").await;
            assert_eq!(reply.status, 204, "{line}: {}", reply.text());
            let reply = scene.send("POST /checkouts/{c}/sources/{s}", "", b"").await;
            assert_eq!(reply.status, 200, "{toggle} {line}: {}", reply.text());
        }
    }
}

#[tokio::test]
async fn monitoring_lets_every_trick_pass_byte_for_byte() {
    let monitoring = defaults().with_mode(Mode::Monitor);
    let long = format!(r#"{{"metadata":{}}}"#, "9".repeat(5_000));
    for (line, headers, body) in [
        ("POST //checkouts/{c}/sources/{s}", "", ""),
        ("POST /checkouts/{c}/./sources/{s}", "", ""),
        ("POST /%63heckouts/{c}/sources/{s}", "", ""),
        ("POST /checkouts/{c}/sources/{s};v=1", "", ""),
        ("POST /Checkouts/{c}/sources/{s}", "", ""),
        ("POST /checkouts/{c}", "", r#"{"sourceId":"a","sourceId":"b"}"#),
        ("POST /checkouts/{c}", "", "{'sourceId':'b'}"),
        ("POST /checkouts/{c}", "Content-Encoding: zstd\r\n", "xyz"),
        ("POST /checkouts/{c}", "X-HTTP-Method-Override: DELETE\r\n", "{}"),
        ("POST /checkouts/{c}", "", &long),
    ] {
        let scene = Scene::set(monitoring.clone()).await;
        let twin = Scene::set(monitoring.clone()).await;
        let through = scene.send(line, headers, body.as_bytes()).await;
        let direct =
            raw(twin.bed.upstream.address(), &twin.request(line, headers, body.as_bytes())).await;
        assert_eq!(
            (through.status, through.text()),
            (direct.status, direct.text()),
            "{line} {headers}"
        );
        let sent = |scene: &Scene| {
            scene.bed.emulator.calls().last().map(|call| (call.method.clone(), call.target.clone()))
        };
        assert_eq!(sent(&scene), sent(&twin), "{line}");
    }
}

#[tokio::test]
async fn nothing_is_refused_on_what_passed_while_no_rule_was_looked_at() {
    let trusting = trusting();
    let scene = Scene::set(trusting.clone()).await;
    scene.bed.set_policy(trusting.clone().with_mode(Mode::Off));
    assert_eq!(scene.send("DELETE /checkouts/{c}/sources/{p}", "", b"").await.status, 204);
    scene.bed.set_policy(trusting);
    let reply = scene.send("POST /checkouts/{c}/sources/{s}", "", b"").await;
    assert_eq!(reply.status, 200, "{}", reply.text());
}
