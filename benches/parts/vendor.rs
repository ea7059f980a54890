//! What the payments API would say, as large as it says it.

/// A checkout that holds a single-use card, or nothing; about 4.8 KB, mostly items, as real ones.
pub(crate) fn checkout(id: &str, holds_a_card: bool) -> String {
    let item = r#"{"id":"135930700336","skuId":"gold-plan","quantity":1,"amount":26.89,"tax":{"rate":0.085,"amount":2.11},"importerTax":{"amount":0},"duties":{"amount":0},"fees":{"amount":0,"taxAmount":0},"availableToRefundAmount":0,"metadata":{"note":"as long as a real one"},"subscriptionInfo":{"autoRenewal":true,"freeTrial":false,"terms":"terms of a subscription, in the words of a lawyer"}}"#;
    let items = [item; 11].join(",");
    let card = format!(
        r#"{{"id":"2308a5a8-d9c4-49e3-8125-{:0>12}","type":"creditCard","amount":295.79,"reusable":false,"state":"chargeable"}}"#,
        id
    );
    let (sources, remaining) = if holds_a_card { (&*card, "0.0") } else { ("", "295.79") };
    format!(
        r#"{{"id":"{id}","createdTime":"2026-01-01T00:00:00Z","currency":"USD","items":[{items}],"subtotal":272.58,"totalTax":23.21,"totalAmount":295.79,"payment":{{"sources":[{sources}],"session":{{"id":"ps_{id}","amountRemainingToBeContributed":{remaining},"state":"requires_source"}}}}}}"#
    )
}

/// A source of the payment session of this checkout.
pub(crate) fn source(id: &str, kind: &str, checkout: &str) -> String {
    format!(
        r#"{{"id":"{id}","createdTime":"2026-01-01T00:00:00Z","type":"{kind}","currency":"USD","amount":11.0,"reusable":false,"state":"chargeable","clientSecret":"{id}_a8c8bbb4","{kind}":{{}},"paymentSessionId":"ps_{checkout}","liveMode":false}}"#
    )
}

/// An answer with this body.
pub(crate) fn answer(body: &str) -> String {
    format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nDate: Thu, 01 Jan 2026 00:00:00 GMT\r\nX-Request-Id: 1\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}
