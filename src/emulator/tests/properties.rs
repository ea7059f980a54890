//! Any calls in any order: money always adds up, and what is refused changes nothing.

use proptest::prelude::*;
use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::{super::Options, Shop, id, order_of};

const CHECKOUT_TOTAL: f64 = 30.0;
const CART: &str = "/v1/shoppers/me/carts/active";

/// The things that calls are about: two of each kind of source, a checkout, a customer, and a
/// shopper with a cart.
struct Little {
    shop: Shop,
    shopper: Shop,
    checkout: String,
    customer: String,
    sources: Vec<String>,
}

impl Little {
    async fn new(quirks: &str) -> Little {
        let quirks = quirks.parse().unwrap();
        let shop = Shop::with(Options { quirks, ..Options::default() });
        let shopper = shop.shopper().await;
        shopper.post(&format!("{CART}?productId=p&price=30"), Value::Null).await;
        let sources = vec![
            shop.primary("creditCard").await,
            shop.primary("amazonPay").await,
            shop.source(json!({"type": "creditCard", "creditCard": {}, "upstreamId": "redirect"}))
                .await,
            shop.credit(10.0).await,
            shop.credit(25.5).await,
        ];
        Little {
            checkout: shop.checkout(CHECKOUT_TOTAL).await,
            customer: shop.customer().await,
            sources,
            shopper,
            shop,
        }
    }

    async fn call(&self, verb: u8, source: usize) -> (u16, Value) {
        let source = &self.sources[source % self.sources.len()];
        let (checkout, customer) =
            (format!("/checkouts/{}", self.checkout), format!("/customers/{}", self.customer));
        let named = json!({"paymentMethod": {"sourceId": source}});
        let (who, method, target, body) = match verb {
            0 | 1 => (&self.shop, "POST", format!("{checkout}/sources/{source}"), Value::Null),
            2 => (&self.shop, "DELETE", format!("{checkout}/sources/{source}"), Value::Null),
            3 => (
                &self.shop,
                "POST",
                checkout,
                json!({"sourceId": source, "customerId": self.customer}),
            ),
            4 => (&self.shop, "POST", checkout, order_of(20.0)),
            5 => (&self.shop, "POST", format!("{customer}/sources/{source}"), Value::Null),
            6 => (&self.shop, "DELETE", format!("{customer}/sources/{source}"), Value::Null),
            7 => (&self.shop, "POST", "/orders".into(), json!({"checkoutId": self.checkout})),
            8 | 9 => (&self.shopper, "POST", format!("{CART}/apply-payment-method"), named),
            10 => (&self.shopper, "DELETE", format!("{CART}/apply-payment-method"), named),
            11 => (
                &self.shopper,
                "POST",
                "/v1/shoppers/me/payment-options".into(),
                json!({"paymentOption": {"sourceId": source}}),
            ),
            12 => (&self.shopper, "POST", format!("{CART}/apply-shopper"), Value::Null),
            13 => (&self.shopper, "POST", format!("{CART}/submit-cart"), Value::Null),
            _ => {
                (&self.shop, "POST", format!("/_emulator/sources/{source}/authorize"), Value::Null)
            }
        };
        who.call(method, &target, body).await
    }
}

fn money(value: &Value) -> Decimal {
    value.to_string().parse().unwrap()
}

/// Nobody pays less than nothing, and shares add up to what is said to be contributed.
fn adds_up(sessions: &Value) {
    for session in sessions.as_object().unwrap().values() {
        let shares = session["sources"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|source| source["willBeLost"] == false);
        let shares: Vec<Decimal> = shares.map(|source| money(&source["amount"])).collect();
        assert!(shares.iter().all(|share| !share.is_sign_negative()), "{session}");
        assert_eq!(shares.iter().sum::<Decimal>(), money(&session["contributed"]), "{session}");
        assert_eq!(
            money(&session["contributed"]) + money(&session["remaining"]),
            money(&session["total"]),
            "{session}"
        );
        assert!(!money(&session["remaining"]).is_sign_negative(), "{session}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 200,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn money_adds_up_and_refusals_change_nothing(
        calls in prop::collection::vec((0u8..15, 0usize..5), 1..30)
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let little = Little::new("").await;
            for (verb, source) in calls {
                let before = little.shop.emulator.snapshot();
                let (status, body) = little.call(verb, source).await;
                let after = little.shop.emulator.snapshot();
                if status >= 400 {
                    let cart_opened = before["carts"] != after["carts"];
                    assert!(before == after || cart_opened, "{verb} {source}: {status} {body}");
                }
                adds_up(&after["checkouts"]);
                adds_up(&after["carts"]);
                for order in after["orders"].as_object().unwrap().values() {
                    let charges = order["payment"]["charges"].as_array().unwrap();
                    let charged: Decimal =
                        charges.iter().map(|charge| money(&charge["amount"])).sum();
                    assert_eq!(charged, money(&order["totalAmount"]), "{}", id(order));
                }
            }
        });
    }
    #[test]
    fn money_adds_up_also_where_the_vendor_is_odd(
        calls in prop::collection::vec((0u8..15, 0usize..5), 1..30)
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let odd = "late-credit=2,lenient-removals,currency-decimals,noisy-amounts";
            let little = Little::new(odd).await;
            for (verb, source) in calls {
                little.call(verb, source).await;
                let after = little.shop.emulator.snapshot();
                adds_up(&after["checkouts"]);
                adds_up(&after["carts"]);
            }
        });
    }
}
