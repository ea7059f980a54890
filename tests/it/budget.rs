//! How many calls reach upstream for one call of a caller, with sparing look-ups.

use crate::testbed::{
    APPLY, APPLY_SHOPPER, Ask, CART, Caller, LookUps, SUBMIT, Testbed, defaults, method, thorough,
};
use http::Method;
use serde_json::{Value, json};

/// A call of which the calls upstream are counted.
struct Scene {
    bed: Testbed,
    caller: Caller,
    ask: Ask,
}

impl Scene {
    /// Makes the call, and returns the methods of the calls that reached upstream.
    async fn cost(&self) -> Vec<String> {
        self.bed.emulator.clear_calls();
        self.caller.ask(&self.ask).await;
        self.bed.emulator.calls().into_iter().map(|call| call.method.to_string()).collect()
    }
}

/// What a session holds before the call.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Holds {
    Nothing,
    Card,
    Credit,
}

/// What Weir knows before the call.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Knows {
    /// The session and the sources: they came through Weir.
    All,
    /// The session, and no source that comes with the call.
    Session,
    /// Nothing.
    Nothing,
}

#[derive(Clone, Copy, Debug)]
enum Does {
    AttachCard,
    AttachCredit,
    AttachInBody,
    Order,
    Read,
    Detach,
}

/// Creates the source that comes with the call past Weir, and shows it to the caller where it is
/// known.
async fn source(bed: &Testbed, caller: &Caller, does: Does, knows: Knows) -> String {
    let source = match does {
        Does::AttachCard => bed.card().await,
        _ => bed.upstream.credit(30.0).await,
    };
    if knows == Knows::All {
        assert_eq!(caller.get(&format!("/sources/{source}")).await.status, 200);
    }
    source
}

async fn on_checkouts(collection: &str, holds: Holds, knows: Knows, does: Does) -> Scene {
    let mut bed = Testbed::new().in_process();
    let items = json!({
        "currency": "USD", "items": [{ "skuId": "s", "quantity": 1, "aggregatePrice": 100.0 }],
    });
    let id = bed.weir.ok(&format!("/{collection}"), items).await.id();
    let path = format!("/{collection}/{id}");
    let held = match holds {
        Holds::Nothing => None,
        Holds::Card => Some(bed.card().await),
        Holds::Credit => Some(bed.credit(30.0).await),
    };
    if let Some(held) = &held {
        assert_eq!(bed.weir.attach(&path, held).await.status, 200);
    }
    let source = source(&bed, &bed.weir, does, knows).await;
    if knows == Knows::Nothing {
        bed.forget().await;
    }
    let ask = match does {
        Does::AttachCard | Does::AttachCredit => Ask::attach(&path, &source),
        Does::AttachInBody => Ask::attach_in_body(&path, &source),
        Does::Order => Ask::order(&id),
        Does::Read => Ask::get(path),
        Does::Detach => Ask::detach(&path, held.as_deref().unwrap_or("none")),
    };
    Scene { caller: bed.weir.clone(), bed, ask }
}

async fn on_carts(holds: Holds, knows: Knows, does: Does) -> Scene {
    let mut bed = Testbed::new().in_process();
    let shopper = bed.shopper(100.0).await;
    let held = match holds {
        Holds::Nothing => None,
        Holds::Card => Some(bed.card().await),
        Holds::Credit => Some(bed.credit(30.0).await),
    };
    if let Some(held) = &held {
        assert_eq!(shopper.post(APPLY, method(held)).await.status, 200);
    }
    let source = source(&bed, &shopper, does, knows).await;
    let mut caller = shopper;
    if knows == Knows::Nothing {
        bed.forget().await;
        caller = caller.to(&bed.weir);
    }
    let ask = match does {
        Does::AttachCard | Does::AttachCredit | Does::AttachInBody => {
            Ask::post(APPLY, method(&source))
        }
        Does::Order => Ask::post(SUBMIT, Value::Null),
        Does::Read => Ask::get(CART),
        Does::Detach => Ask::new(Method::DELETE, APPLY, method(held.as_deref().unwrap_or("none"))),
    };
    Scene { caller, bed, ask }
}

#[tokio::test]
async fn a_call_on_a_checkout_or_an_invoice_costs_no_more_than_its_budget() {
    use {Does::*, Holds::*, Knows as K};
    for (holds, knows, does, calls) in [
        (Nothing, K::Session, AttachCard, 1),
        (Nothing, K::All, AttachCard, 1),
        (Nothing, K::Session, AttachCredit, 1),
        (Nothing, K::All, AttachCredit, 1),
        (Nothing, K::Session, AttachInBody, 1),
        (Nothing, K::Nothing, AttachCard, 1),
        (Nothing, K::Nothing, AttachCredit, 1),
        (Nothing, K::Nothing, AttachInBody, 1),
        (Card, K::Nothing, AttachCard, 1),
        (Card, K::Nothing, AttachCredit, 1),
        (Card, K::All, AttachCredit, 0),
        (Card, K::Session, Read, 1),
        (Card, K::Nothing, Read, 1),
        (Card, K::Session, Detach, 1),
        (Card, K::Nothing, Detach, 1),
    ] {
        for collection in ["checkouts", "invoices"] {
            let cost = on_checkouts(collection, holds, knows, does).await.cost().await;
            assert_eq!(cost.len(), calls, "{collection} {holds:?} {knows:?} {does:?}: {cost:?}");
        }
    }
    for (holds, knows, calls) in [(Card, K::Session, 1), (Card, K::Nothing, 1)] {
        let cost = on_checkouts("checkouts", holds, knows, Order).await.cost().await;
        assert_eq!(cost.len(), calls, "an order: {holds:?} {knows:?}: {cost:?}");
    }
}

#[tokio::test]
async fn a_call_on_a_cart_costs_no_more_than_its_budget() {
    use {Does::*, Holds::*, Knows as K};
    for (holds, knows, does, calls) in [
        (Nothing, K::Session, AttachCard, 1),
        (Nothing, K::All, AttachCard, 1),
        (Nothing, K::Session, AttachCredit, 1),
        (Nothing, K::All, AttachCredit, 1),
        // A cart that was never seen is read once: upstream would not refuse.
        (Nothing, K::Nothing, AttachCard, 2),
        (Nothing, K::Nothing, AttachCredit, 2),
        (Card, K::All, AttachCredit, 0),
        (Card, K::Session, Order, 1),
        (Card, K::Session, Read, 1),
        (Card, K::Nothing, Read, 1),
        (Card, K::Session, Detach, 1),
    ] {
        let cost = on_carts(holds, knows, does).await.cost().await;
        assert_eq!(cost.len(), calls, "{holds:?} {knows:?} {does:?}: {cost:?}");
    }
    let scene = on_carts(Nothing, K::Session, Read).await;
    scene.bed.emulator.clear_calls();
    scene.caller.post(APPLY_SHOPPER, Value::Null).await;
    assert_eq!(scene.bed.emulator.calls().len(), 1, "the shopper applied to an empty cart");
}

/// What is more than the budget is spent on reads.
#[tokio::test]
async fn where_a_violation_is_likely_upstream_is_asked_and_only_read() {
    use {Does::*, Holds::*, Knows as K};
    for (holds, does, sent) in
        [(Card, AttachCredit, 0), (Card, AttachCard, 1), (Credit, AttachCard, 1)]
    {
        let cost = on_checkouts("checkouts", holds, K::Session, does).await.cost().await;
        let changes = cost.iter().filter(|method| *method != "GET").count();
        assert_eq!(changes, sent, "{holds:?} {does:?}: {cost:?}");
        assert!((2..=3).contains(&(cost.len() + 1 - sent)), "{holds:?} {does:?}: {cost:?}");
    }
}

/// The caller gets the same answer, from Weir or from upstream.
#[tokio::test]
async fn sparing_and_thorough_look_ups_answer_alike() {
    use {Does::*, Holds::*, Knows as K};
    for (holds, does) in [(Card, AttachCredit), (Nothing, Order), (Card, AttachCard)] {
        for knows in [K::Session, K::Nothing] {
            let mut answers = Vec::new();
            for look_ups in [LookUps::Sparing, LookUps::Thorough] {
                let scene = on_checkouts("checkouts", holds, knows, does).await;
                scene.bed.set_policy(match look_ups {
                    LookUps::Sparing => defaults(),
                    LookUps::Thorough => thorough(),
                });
                let reply = scene.caller.ask(&scene.ask).await;
                let error = reply.json()["errors"].clone();
                answers.push((reply.status, error));
            }
            assert_eq!(answers[0], answers[1], "{holds:?} {knows:?} {does:?}");
        }
    }
}
