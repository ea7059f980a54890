//! The admin API over a real socket: what it shows of what happened, and what it says to those who
//! ask for what is not there.

use crate::testbed::{
    APPLY, Adjusted, Admin, CART, Caller, GovernSettings, Governor, Mode, Probe, SUBMIT, Server,
    SessionSettings, Testbed, defaults, items, method, rows, text_of,
};
use http::Method;
use serde_json::{Value, json};
use std::sync::Arc;

async fn admin(governor: Arc<Governor>) -> (Caller, Admin, Server) {
    let admin = Admin::new(governor, r#"{"policy":{"mode":"enforce"}}"#.into());
    let running = admin.clone();
    let server = Server::start(|listener, stopped| async move {
        let _drained = running.run(listener, stopped).await;
    })
    .await;
    (Caller::new(server.address), admin, server)
}

/// A checkout with credit and a card beside which more credit was refused, and a cart with a card.
async fn scene() -> (Testbed, String, [String; 3], String) {
    let bed = Testbed::new().start().await;
    let checkout = bed.checkout(100.0).await;
    let (credit, card, late) = (bed.credit(20.5).await, bed.card().await, bed.credit(5.0).await);
    for source in [&credit, &card, &late] {
        bed.weir
            .with("x-request-id", "mine")
            .post(&format!("/checkouts/{checkout}/sources/{source}"), Value::Null)
            .await;
    }
    let shopper = bed.shopper(60.0).await;
    let applied =
        shopper.post(&format!("{CART}/apply-payment-method"), method(&bed.card().await)).await;
    let id = match &applied.json()["cart"]["id"] {
        Value::String(id) => id.clone(),
        other => other.to_string(),
    };
    (bed, checkout, [credit, card, late], id)
}

#[tokio::test]
async fn a_session_is_shown_with_all_that_is_known_and_what_was_decided() {
    let (bed, checkout, [credit, card, late], cart) = scene().await;
    let (admin, _, _running) = admin(bed.governor().clone()).await;
    let shown = admin.get(&format!("/sessions/checkouts/{checkout}")).await;
    assert_eq!(
        (shown.status.as_u16(), shown.header("content-type")),
        (200, Some("application/json"))
    );
    assert_eq!(shown.header("cache-control"), Some("no-store"));
    let shown = shown.json();
    assert_eq!(
        (&shown["kind"], &shown["id"], &shown["sure"]),
        (&json!("checkout"), &json!(checkout), &json!(true))
    );
    assert_eq!(
        (&shown["total"]["value"], &shown["currency"]),
        (&json!("100"), &json!("USD")),
        "{shown}"
    );
    let sources = shown["sources"]["value"].as_array().unwrap();
    let told: Vec<_> = sources
        .iter()
        .map(|s| (s["id"].as_str().unwrap(), s["secondary"].as_bool().unwrap()))
        .collect();
    assert_eq!(told, [(credit.as_str(), true), (card.as_str(), false)]);
    assert_eq!(sources[1]["reusable"]["value"], json!(false));
    let decisions = shown["decisions"].as_array().unwrap();
    let refused = &decisions[0];
    assert_eq!(
        (&refused["decision"], &refused["rule"]),
        (&json!("rejected"), &json!("secondary-after-single-use-primary"))
    );
    assert_eq!(
        (&refused["source"], &refused["status"], &refused["request_id"]),
        (&json!(late), &json!(409), &json!("mine"))
    );
    assert!(refused["found"].as_str().unwrap().contains(&card), "{refused}");
    assert_eq!(
        decisions.iter().filter(|decision| decision["decision"] == "forwarded").count(),
        3,
        "{decisions:?}"
    );
    let shown = admin.get(&format!("/sessions/carts/{cart}")).await.json();
    assert_eq!(
        (&shown["kind"], &shown["remaining"]["value"]),
        (&json!("cart"), &json!("0")),
        "{shown}"
    );
    // The other dialect's page does not know it.
    assert_eq!(admin.get(&format!("/sessions/carts/{checkout}")).await.status, 404);
}

#[tokio::test]
async fn sessions_are_listed_page_by_page() {
    let (bed, checkout, _, cart) = scene().await;
    let mut all = vec![checkout];
    for _ in 0..4 {
        all.push(bed.checkout(5.0).await);
    }
    all.sort();
    let (admin, _, _running) = admin(bed.governor().clone()).await;
    let (mut found, mut next) = (Vec::new(), String::new());
    loop {
        let page = admin.get(&format!("/sessions?dialect=checkouts&limit=2{next}")).await.json();
        let ids = page["sessions"]
            .as_array()
            .unwrap()
            .iter()
            .map(|session| session["id"].as_str().unwrap().to_owned());
        found.extend(ids);
        match page["next"].as_str() {
            Some(after) => next = format!("&after={after}"),
            None => break,
        }
    }
    found.sort();
    assert_eq!(found, all);
    let carts = admin.get("/sessions?dialect=carts").await.json();
    assert_eq!(
        (carts["sessions"][0]["id"].as_str(), carts["sessions"].as_array().map(Vec::len)),
        (Some(cart.as_str()), Some(1))
    );
    assert_eq!(admin.get("/sessions").await.json()["sessions"].as_array().map(Vec::len), Some(6));
}

#[tokio::test]
async fn decisions_are_shown_newest_first_under_the_ids_of_their_answers() {
    let (bed, _, _, _) = scene().await;
    let (admin, _, _running) = admin(bed.governor().clone()).await;
    let last = bed.weir.post("/checkouts", items(1.0)).await;
    let shown = admin.get("/decisions?limit=2").await.json();
    assert_eq!(shown.as_array().map(Vec::len), Some(2));
    assert_eq!(shown[0]["id"].as_str(), last.header("weir-decision-id"));
    assert_eq!((&shown[0]["call"], &shown[0]["dialect"]), (&json!("create"), &json!("checkouts")));
    assert!(shown[0]["upstream_us"].as_u64().is_some_and(|us| us > 0), "{shown}");
}

/// Kind: a post-mortem that finds nothing, because the order was made or other calls came.
#[tokio::test]
async fn what_was_decided_about_a_session_is_shown_after_it_was_ordered() {
    let bed = Testbed::new().start().await;
    let shopper = bed.shopper(60.0).await;
    let id = text_of(&shopper.get(CART).await.json()["cart"]["id"]);
    shopper.post(APPLY, method(&bed.card().await)).await;
    assert_eq!(shopper.post(SUBMIT, Value::Null).await.status, 200);
    for _ in 0..1_100 {
        bed.weir.post("/checkouts", Value::Null).await;
    }
    bed.governor().sessions().run_pending_tasks();
    let (admin, _, _running) = admin(bed.governor().clone()).await;
    let calls = |shown: &Value| -> Vec<String> {
        let decisions = shown.as_array().expect("decisions").iter();
        decisions.map(|decision| decision["call"].as_str().expect("a call").to_owned()).collect()
    };
    let shown = admin.get(&format!("/decisions?session=cart:{id}")).await.json();
    assert_eq!(calls(&shown)[..2], ["order", "attach"]);
    assert_eq!(admin.get(&format!("/decisions?session={id}")).await.json(), shown);
    let one = admin.get(&format!("/decisions?session={id}&limit=1")).await.json();
    assert_eq!(calls(&one), ["order"]);
    assert_eq!(admin.get("/decisions?session=cart:nosuch").await.json(), json!([]));
    assert_eq!(admin.get(&format!("/decisions?session=checkout:{id}")).await.json(), json!([]));
    let session = admin.get(&format!("/sessions/carts/{id}")).await.json();
    assert_eq!(session["decisions"], shown, "{session}");
    assert_eq!((&session["kind"], &session["id"]), (&json!("cart"), &json!(id)));
}

#[tokio::test]
async fn a_session_that_is_forgotten_has_its_decisions_and_so_many_are_kept() {
    let govern = GovernSettings { history: 4, ..GovernSettings::default() };
    let sessions = SessionSettings { capacity: 1, ..SessionSettings::default() };
    let bed = Testbed::new().govern(govern).sessions(sessions).start().await;
    let first = bed.checkout(100.0).await;
    let second = bed.checkout(100.0).await;
    bed.governor().sessions().run_pending_tasks();
    let (admin, _, _running) = admin(bed.governor().clone()).await;
    let page = |id: &str| format!("/sessions/checkouts/{id}");
    let shown = admin.get(&page(&first)).await.json();
    assert_eq!(
        (&shown["kind"], &shown["id"], &shown["remembered"], &shown["decisions"][0]["call"]),
        (&json!("checkout"), &json!(first), &json!(false), &json!("create"))
    );
    assert_eq!(admin.get(&page(&second)).await.json()["remembered"], true);
    for _ in 0..3 {
        bed.weir.post("/checkouts", Value::Null).await;
    }
    assert_eq!(admin.get(&page(&first)).await.status, 404);
    assert_eq!(admin.get("/decisions").await.json().as_array().map(Vec::len), Some(4));
}

#[tokio::test]
async fn rules_show_what_the_policy_in_force_makes_of_them() {
    let bed = Testbed::new().start().await;
    let (admin, _, _running) = admin(bed.governor().clone()).await;
    let shown = admin.get("/rules").await.json();
    assert_eq!(
        (shown["mode"].as_str(), shown["rules"].as_array().map(Vec::len)),
        (Some("enforce"), Some(rows()))
    );
    bed.set_policy(defaults().with_mode(Mode::Monitor));
    let shown = admin.get("/rules").await.json();
    assert_eq!(shown["mode"], "monitor");
    assert!(
        shown["rules"].as_array().unwrap().iter().all(|rule| rule["in_force"] == "monitor"),
        "{shown}"
    );
    assert_eq!(admin.get("/config").await.json()["policy"]["mode"], "enforce");
}

#[tokio::test]
async fn it_is_live_and_ready_until_it_drains() {
    let bed = Testbed::new().start().await;
    let (caller, admin, _running) = admin(bed.governor().clone()).await;
    assert_eq!(caller.get("/live").await.json(), json!({ "live": true }));
    assert_eq!(caller.get("/ready").await.json(), json!({ "ready": true }));
    admin.drain();
    let ready = caller.get("/ready").await;
    assert_eq!((ready.status.as_u16(), ready.json()), (503, json!({ "ready": false })));
    assert_eq!(caller.get("/live").await.status, 200);
    bed.checkout(1.0).await;
    let stats = caller.get("/stats").await.json();
    assert_eq!(
        (&stats["sessions"], &stats["turns_open"], &stats["calls_in_flight"]),
        (&json!(1), &json!(0), &json!(0)),
        "{stats}"
    );
}

#[tokio::test]
async fn what_is_not_there_or_makes_no_sense_is_told() {
    let bed = Testbed::new().start().await;
    let (admin, _, _running) = admin(bed.governor().clone()).await;
    for (path, status) in [
        ("/", 404),
        ("/nothing", 404),
        ("/sessions/checkouts/nosuch", 404),
        ("/sessions/orders/1", 404),
        ("/sessions/checkouts/1/sources", 404),
        ("/sessions?limit=0", 400),
        ("/sessions?limit=1001", 400),
        ("/sessions?limit=many", 400),
        ("/sessions?limit=-1", 400),
        ("/sessions?dialect=orders", 400),
        ("/sessions?after=1", 400),
        ("/sessions?after=order:1", 400),
        ("/decisions?limit=x", 400),
        ("/decisions?rule=spent-source", 400),
        ("/decisions?limit=5&source=1", 400),
        ("/decisions/nosuch", 404),
        ("/sessions?kind=checkout", 400),
        ("/stats?limit=5", 400),
        ("/config?x", 400),
    ] {
        let reply = admin.get(path).await;
        assert_eq!(reply.status.as_u16(), status, "{path}: {}", reply.text());
        assert!(
            reply.json()["error"].as_str().is_some_and(|text| text.len() > 10),
            "{path}: {}",
            reply.text()
        );
    }
    for method in [Method::POST, Method::DELETE, Method::PUT] {
        let reply = admin.send(method.clone(), "/sessions", "").await;
        assert_eq!(
            (reply.status.as_u16(), reply.header("allow")),
            (405, Some("GET, HEAD")),
            "{method}"
        );
    }
}

/// A read of the store counts as use, which would keep idle sessions and what is pending for them.
#[tokio::test]
async fn the_list_of_sessions_uses_none_of_them() {
    let probe = Probe::default();
    let bed = Testbed::new().probed(&probe).start().await;
    let checkout = bed.checkout(100.0).await;
    let (credit, card) = (bed.credit(20.0).await, bed.card().await);
    for source in [&credit, &card] {
        bed.weir.attach(&format!("/checkouts/{checkout}"), source).await;
    }
    let (admin, _, _running) = admin(bed.governor().clone()).await;
    let reads = probe.reads();
    let listed = admin.get("/sessions").await.json();
    let sources = listed["sessions"][0]["sources"]["value"].as_array().unwrap();
    assert_eq!(sources.len(), 2, "{listed}");
    assert_eq!(sources[1]["reusable"]["value"], json!(false), "{listed}");
    assert_eq!(probe.reads(), reads);
}

#[tokio::test]
async fn a_store_that_fails_is_told_and_not_taken_for_an_empty_one() {
    let probe = Probe::default();
    let bed = Testbed::new().probed(&probe).start().await;
    let checkout = bed.checkout(100.0).await;
    let credit = bed.credit(20.0).await;
    bed.weir.attach(&format!("/checkouts/{checkout}"), &credit).await;
    let (admin, _, _running) = admin(bed.governor().clone()).await;
    let path = format!("/sessions/checkouts/{checkout}");
    assert_eq!(admin.get(&path).await.status.as_u16(), 200);
    probe.fail_reads_after(0, u64::MAX);
    assert_eq!(admin.get(&path).await.status.as_u16(), 500);
    probe.heal();
    assert_eq!(admin.get(&path).await.status.as_u16(), 200);
}
