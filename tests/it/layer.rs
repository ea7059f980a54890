//! The layer in somebody else's service: the documented example, end to end before the emulator.

use crate::testbed::{
    APPLY, Adjusted, CART, Policy, RuleId, SUBMIT, Server, Testbed, Toggle, defaults, method,
};
use serde_json::{Value, json};

#[path = "../../examples/axum.rs"]
mod example;

/// An emulator, and in Weir's place the example with this policy.
async fn shop(policy: Policy) -> (Testbed, Server) {
    let mut bed = Testbed::new().without_weir().start().await;
    let target = format!("http://{}", bed.upstream.address()).parse().expect("a target");
    let app = example::app(target, policy);
    let server = Server::start(|listener, stopped| async move {
        axum::serve(listener, app).with_graceful_shutdown(stopped).await.expect("a listener");
    })
    .await;
    bed.weir = bed.weir.at(server.address);
    (bed, server)
}

#[tokio::test]
async fn the_examples_own_routes_and_ungoverned_calls_pass() {
    let (shop, _app) = shop(defaults()).await;
    let health = shop.weir.get("/health").await;
    assert_eq!(
        (health.status.as_u16(), health.text(), health.verdict()),
        (200, "well".to_owned(), ("none", None))
    );
    let unknown = shop.weir.get("/no-such-thing").await;
    assert_eq!((unknown.status.as_u16(), unknown.verdict()), (404, ("none", None)));
    assert_eq!(
        shop.emulator.calls().iter().map(|call| call.target.clone()).collect::<Vec<_>>(),
        ["/no-such-thing"]
    );
}

#[tokio::test]
async fn a_purchase_through_the_example_passes_in_the_right_order_and_is_refused_in_the_wrong_one()
{
    let (shop, _app) = shop(defaults()).await;
    for (card_first, statuses) in [(false, [200, 200, 201]), (true, [200, 409, 201])] {
        let checkout = shop.checkout(26.89).await;
        let (credit, card) = (shop.credit(11.0).await, shop.weir.card().await);
        let order = if card_first { [&card, &credit] } else { [&credit, &card] };
        let mut seen = Vec::new();
        for source in order {
            seen.push(shop.weir.attach(&format!("/checkouts/{checkout}"), source).await);
        }
        seen.push(shop.weir.order(&checkout).await);
        assert_eq!(seen.iter().map(|reply| reply.status.as_u16()).collect::<Vec<_>>(), statuses);
        if card_first {
            assert_eq!(seen[1].verdict(), ("rejected", Some("secondary-after-single-use-primary")));
            let sent = format!("/checkouts/{checkout}/sources/{credit}");
            assert!(
                shop.emulator.calls().iter().all(|call| call.target != sent),
                "the refused call was sent"
            );
        }
    }
}

#[tokio::test]
async fn a_policy_given_to_the_example_repairs_a_cart() {
    let policy = defaults().with_rule(RuleId::PrimaryBeforeSecondary, Toggle::Reorder);
    let (shop, _app) = shop(policy).await;
    let token = shop.weir.token("grant_type=anonymous&client_id=pk_acme").await;
    let shopper = shop.weir.with_token(&token);
    shopper.ok(&format!("{CART}?productId=p&quantity=1&price=100"), Value::Null).await;
    let (credit, card) = (shop.credit(11.0).await, shop.weir.card().await);
    assert_eq!(shopper.post(APPLY, method(&card)).await.status, 200);
    let repaired = shopper.post(APPLY, method(&credit)).await;
    assert_eq!(
        (repaired.status.as_u16(), repaired.verdict()),
        (200, ("reordered", Some("primary-before-secondary")))
    );
    assert_eq!(shopper.post(SUBMIT, Value::Null).await.status, 200);
    assert_eq!(shop.emulator.snapshot()["lostCredits"], json!([]));
}

/// A client whose errors say more than anyone may read in a log, in its answers' heads and bodies.
mod talkative {
    use crate::testbed::{Body, BoxError, GovernLayer, GovernSettings, SECRET, Testbed, collect};
    use bytes::Bytes;
    use http::{Request, Response};
    use http_body_util::StreamBody;
    use std::{
        io,
        sync::{Arc, Mutex},
    };
    use tower::{Layer, ServiceExt, service_fn};

    const TEXT: &str = "GET https://upstream/v1/shoppers/me?token=hush-hush: timed out";

    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Log {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn failing_body() -> Body {
        let failed = Err::<http_body::Frame<Bytes>, _>(io::Error::other(TEXT));
        Body::boxed(StreamBody::new(futures_util::stream::iter([failed])))
    }

    #[tokio::test]
    async fn the_text_of_a_clients_error_is_not_logged() {
        let log = Log::default();
        let writer = log.clone();
        let lines = tracing_subscriber::fmt().with_writer(move || writer.clone()).finish();
        let _logging = tracing::subscriber::set_default(lines);
        for in_body in [false, true] {
            let client = service_fn(move |_: Request<Body>| async move {
                match in_body {
                    true => Ok(Response::new(failing_body())),
                    false => Err(BoxError::from(io::Error::other(io::Error::other(TEXT)))),
                }
            });
            let governed = GovernLayer::new(Testbed::new().governor()).layer(client);
            let request = Request::post("/checkouts/1/sources/2").header("authorization", SECRET);
            let answer = governed.oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
            assert!(answer.status().is_server_error());
        }
        let panicking = service_fn(|_: Request<Body>| async {
            if !TEXT.is_empty() {
                panic!("{TEXT}");
            }
            Ok::<_, BoxError>(Response::new(Body::empty()))
        });
        let governed = GovernLayer::new(Testbed::new().governor()).layer(panicking);
        let request = Request::post("/checkouts/1/sources/2").header("authorization", SECRET);
        let answer = governed.oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        assert_eq!(answer.status(), 500);
        let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
        assert!(log.contains("it panicked"), "{log}");
        assert!(log.contains("an error of its own"), "{log}");
        assert!(!log.contains("hush-hush"), "{log}");
    }

    /// An answer that is too long to be learned from is passed on as it comes.
    #[tokio::test]
    async fn a_long_answer_that_breaks_off_is_logged_with_its_call_and_session() {
        let log = Log::default();
        let writer = log.clone();
        let lines = tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone());
        let _logging = tracing::subscriber::set_default(lines.finish());
        let client = service_fn(|_: Request<Body>| async {
            let parts = [
                Ok(http_body::Frame::data(Bytes::from_static(b"{\"id\":\"1\","))),
                Err(io::Error::other(TEXT)),
            ];
            let body = Body::boxed(StreamBody::new(futures_util::stream::iter(parts)));
            Ok::<_, BoxError>(Response::new(body))
        });
        let settings = GovernSettings { answer: 4, ..GovernSettings::default() };
        let governed = GovernLayer::new(Testbed::new().govern(settings).governor()).layer(client);
        let request = Request::post("/checkouts/1/sources/2?token=secret")
            .header("authorization", SECRET)
            .header("x-request-id", "mine");
        let answer = governed.oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        assert_eq!(answer.status(), 200);
        assert!(collect(answer.into_body(), usize::MAX).await.is_err(), "it breaks off");
        let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
        let told: Vec<_> =
            log.lines().filter(|line| line.contains("asking upstream failed")).collect();
        assert_eq!(told.len(), 1, "{log}");
        for part in ["\"mine\"", "\"POST\"", "\"/checkouts/1/sources/2\"", "\"checkout 1\""] {
            assert!(told[0].contains(part), "{part}: {}", told[0]);
        }
        assert!(!log.contains("secret") && !log.contains("hush-hush"), "{log}");
    }
}
