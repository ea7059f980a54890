//! The emulator over sockets: each quirk is turned on and off by the control route, and flags and
//! pages say what it does.

use crate::testbed::{
    APPLY, Ask, CART, Caller, Emulator, EmulatorOptions, Kind, PUBLIC, Program, SECRET, Server,
    credit, items, lines_of, method, weir,
};
use http::Method;
use serde_json::{Value, json};

const QUIRKS: &str = "/_emulator/quirks";

/// What calls of one sort see of an emulator.
struct Visit {
    emulator: Emulator,
    merchant: Caller,
    _server: Server,
}

impl Visit {
    async fn begin() -> Self {
        let options = EmulatorOptions { seed: Some(1), ..EmulatorOptions::default() };
        let emulator = Emulator::new(options);
        let server = Server::of_emulator(emulator.clone()).await;
        let merchant = Caller::new(server.address).key(SECRET);
        Self { emulator, merchant, _server: server }
    }

    async fn quirks(&self, body: Value) {
        let reply = self.merchant.ask(&Ask::new(Method::PUT, QUIRKS, body)).await;
        assert_eq!(reply.status, 200, "{}", reply.text());
    }

    async fn shopper(&self) -> Caller {
        let token = self.merchant.token("grant_type=anonymous&client_id=pk_acme").await;
        let shopper = self.merchant.with_token(&token);
        shopper.ok(&format!("{CART}?productId=p&price=100"), Value::Null).await;
        shopper
    }

    /// A call that the quirk changes, in a few words.
    async fn seen(&self, quirk: &str) -> String {
        let merchant = &self.merchant;
        match quirk {
            "deny-shopper-reads" => {
                let source = merchant.card().await;
                let shopper = self.shopper().await;
                shopper.get(&format!("/sources/{source}")).await.status.as_u16().to_string()
            }
            "order-only-keys" => {
                let checkout = format!("/checkouts/{}", merchant.checkout(50.0).await);
                let restricted = merchant.key("Bearer rk_test_acme");
                let card = merchant.card().await;
                let read = restricted.get(&checkout).await.status.as_u16();
                let attached = restricted.attach(&checkout, &card).await.status.as_u16();
                format!("{read} {attached}")
            }
            "lenient-removals" => {
                let checkout = format!("/checkouts/{}", merchant.checkout(50.0).await);
                let card = merchant.card().await;
                merchant.ask(&Ask::detach(&checkout, &card)).await.status.as_u16().to_string()
            }
            "nameless-primaries" => {
                let shopper = self.shopper().await;
                let card = method(&merchant.card().await);
                let shown = shopper.post(APPLY, card).await.json();
                let shown = &shown["cart"]["paymentMethod"];
                format!("{} {}", shown["type"], shown["sourceId"].is_string())
            }
            "jsonp" => {
                let target = format!("{CART}/payment?method=delete&callback=f");
                let removed = self.shopper().await.get(&target).await;
                let read = self.shopper().await.get(&format!("{CART}?callback=f")).await;
                format!("{} {}", removed.status.as_u16(), read.media().unwrap_or_default())
            }
            "noisy-amounts" => {
                let checkout = merchant.ok("/checkouts", items(10.3)).await.text();
                after(&checkout, "totalAmount")
            }
            "currency-decimals" => {
                let mut body = items(1.2345);
                body["currency"] = json!("KWD");
                after(&merchant.ok("/checkouts", body).await.text(), "totalAmount")
            }
            "late-credit" => {
                let id = merchant.checkout(50.0).await;
                let source = merchant.ok("/sources", credit(10)).await.id();
                let attached = merchant.attach(&format!("/checkouts/{id}"), &source).await;
                let session = self.emulator.session(Kind::Checkout, &id).expect("a checkout");
                format!("{} {}", attached.status.as_u16(), session["contributed"])
            }
            "failing-reads" => {
                let checkout = format!("/checkouts/{}", merchant.checkout(50.0).await);
                let reply = merchant.get(&checkout).await;
                let wait = reply.header("retry-after").unwrap_or("at once");
                format!("{} {wait}", reply.status.as_u16())
            }
            other => panic!("no test looks at the quirk {other}"),
        }
    }
}

/// The number after a member's name.
fn after(text: &str, member: &str) -> String {
    let (_, rest) = text.split_once(&format!("\"{member}\":")).expect("a member");
    rest.split([',', '}']).next().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn each_quirk_changes_what_is_seen_until_it_is_turned_off() {
    let visit = Visit::begin().await;
    let shown = visit.merchant.get(QUIRKS).await.json();
    let cases = [
        ("deny-shopper-reads", json!(true), "200", "403"),
        ("deny-shopper-reads", json!(401), "200", "401"),
        ("order-only-keys", json!(true), "200 403", "403 200"),
        ("lenient-removals", json!(true), "404", "204"),
        ("nameless-primaries", json!(true), "\"creditCard\" true", "\"creditCard\" false"),
        ("jsonp", json!(true), "404 application/json", "204 application/javascript"),
        ("noisy-amounts", json!(true), "10.3", "10.299999999999999"),
        ("currency-decimals", json!(true), "1.23", "1.235"),
        ("late-credit", json!(true), "200 10.0", "200 0.0"),
        ("failing-reads", json!("429x5"), "200 at once", "429 1"),
        ("failing-reads", json!(503), "200 at once", "503 at once"),
    ];
    for (name, value, usual, odd) in &cases {
        assert_eq!(visit.seen(name).await, *usual, "{name}");
        visit.quirks(json!({ *name: value })).await;
        assert_eq!(visit.seen(name).await, *odd, "{name}");
        visit.quirks(json!({})).await;
        assert_eq!(visit.seen(name).await, *usual, "{name}");
    }
    for name in shown.as_object().expect("quirks").keys() {
        assert!(cases.iter().any(|(known, ..)| known == name), "{name}");
    }
}

#[tokio::test]
async fn a_credit_whose_attach_was_cut_off_lands_behind_the_card() {
    let visit = Visit::begin().await;
    let shopper = visit.shopper().await;
    let (card, late) = (visit.merchant.card().await, visit.merchant.credit(40).await);
    visit.quirks(json!({ "late-credit": 2 })).await;
    let fault = json!({ "kind": "fail-after", "status": 504, "path": "*/apply-payment-method" });
    visit.merchant.ok("/_emulator/faults", fault).await;
    let apply = |source: &str| Ask::post(format!("{CART}/apply-payment-method"), method(source));
    assert_eq!(shopper.ask(&apply(&late)).await.status, 504);
    let detach = Ask::delete(format!("{CART}/apply-payment-method"), method(&late));
    assert_eq!(shopper.ask(&detach).await.status, 404, "it is not there yet");
    shopper.done(&apply(&card)).await;
    shopper.ok(&format!("{CART}/submit-cart"), Value::Null).await;
    let lost = visit.emulator.snapshot()["lostCredits"].clone();
    assert_eq!((&lost[0]["sourceId"], &lost[0]["amount"]), (&json!(late), &json!(40.0)));
}

#[test]
fn flags_set_the_quirks_of_both_programs() {
    let flags = ["--quirks", "jsonp,late-credit=2"];
    let alone = Program::emulator(&flags);
    let url = alone.printed[0].split_whitespace().find(|word| word.starts_with("http://"));
    let behind = Program::dev(&flags);
    for address in [
        url.and_then(|url| url.strip_prefix("http://")).expect("a URL").trim_end_matches('.'),
        &behind.address("Emulator"),
    ] {
        let shown = lines_of(&format!("curl -s http://{address}{QUIRKS}")).join("\n");
        let shown: Value = serde_json::from_str(&shown).expect("JSON");
        assert_eq!(
            (&shown["jsonp"], &shown["late-credit"], &shown["noisy-amounts"]),
            (&json!(true), &json!("2"), &json!(false))
        );
    }
}

#[test]
fn a_flag_that_names_no_quirk_is_a_slip_of_the_command_line() {
    for command in ["emulator", "dev"] {
        for (quirks, told) in [
            ("odd", "There is no quirk 'odd'. The quirks are deny-shopper-reads"),
            ("jsonp,late-credit=soon", "Write the quirk as late-credit[=CALLS]."),
        ] {
            let output = weir(&[command, "--quirks", quirks]).output().expect("weir runs");
            let errors = String::from_utf8_lossy(&output.stderr).into_owned();
            assert_eq!(output.status.code(), Some(2), "{errors}");
            assert!(errors.contains(told), "{errors}");
        }
    }
}

/// The entries of the help: each with its form, and its facts in a row.
fn entries(help: &str) -> Vec<String> {
    let mut entries: Vec<String> = Vec::new();
    for line in help.lines().skip_while(|line| !line.starts_with("Quirks ")) {
        match (line.strip_prefix("      "), line.strip_prefix("  "), entries.last_mut()) {
            (Some(fact), _, Some(entry)) => *entry += &format!(" {fact}"),
            (None, Some(form), _) => entries.push(format!("- {form}:")),
            _ => {}
        }
    }
    entries
}

#[test]
fn the_page_says_what_the_help_says() {
    let output = weir(&["emulator", "--help"]).output().expect("weir runs");
    let entries = entries(&String::from_utf8_lossy(&output.stdout));
    assert!(entries.len() > 20, "{entries:#?}");
    let page = include_str!("../../docs/emulator.md").replace('`', "");
    let page = page.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut rest = page.as_str();
    for entry in entries {
        let (_, after) = rest.split_once(&entry).unwrap_or_else(|| panic!("not there: {entry}"));
        rest = after;
    }
}

#[tokio::test]
async fn the_public_key_reads_its_source_whatever_restricted_keys_may() {
    let visit = Visit::begin().await;
    visit.quirks(json!({ "order-only-keys": true, "deny-shopper-reads": true })).await;
    let browser = visit.merchant.key(PUBLIC);
    let body = json!({ "type": "creditCard", "creditCard": {} });
    let card = browser.ok("/sources", body).await.json();
    let text = |name: &str| card[name].as_str().expect("a text").to_owned();
    let target = format!("/sources/{}?clientSecret={}", text("id"), text("clientSecret"));
    assert_eq!(browser.get(&target).await.status, 200);
}

/// Kind: a typing error that makes a test pass because its fault never strikes.
#[tokio::test]
async fn a_fault_with_a_member_that_it_does_not_have_is_refused_by_name() {
    let visit = Visit::begin().await;
    for (fault, member) in [
        (json!({ "kind": "garbage", "pth": "/checkouts" }), "pth"),
        (json!({ "kind": "garbage", "status": 500 }), "status"),
        (json!({ "kind": "delay", "ms": 1, "gate": "slow" }), "gate"),
        (json!({ "kind": "garbage", "path": ["/checkouts"] }), "path"),
    ] {
        let refused = visit.merchant.post("/_emulator/faults", fault).await;
        assert_eq!(refused.status, 400, "{member}");
        assert!(refused.text().contains(&format!("'{member}'")), "{}", refused.text());
    }
    let none = visit.merchant.get("/_emulator/faults").await.json();
    assert_eq!(none["faults"], json!([]));
}
