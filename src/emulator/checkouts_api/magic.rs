//! Values that make a source misbehave on purpose, so that every state can be reached.
//!
//! The table of words and card numbers is in the documentation of the emulator. A `wireTransfer`
//! needs no word. Case does not matter; the value must be the word alone.

use crate::emulator::model::Doc;

/// How a new source behaves.
pub(crate) struct Fate {
    pub(crate) state: &'static str,
    pub(crate) flow: &'static str,
    pub(crate) declines: bool,
}

/// Reads how a source of that type behaves.
pub(crate) fn fate(kind: &str, body: &Doc) -> Fate {
    let fate = |state, flow, declines| Fate { state, flow, declines };
    match word(kind, body).as_str() {
        "redirect" | "4000000000003220" => fate("pending_redirect", "redirect", false),
        "funds" => fate("pending_funds", "receiver", false),
        "action" | "4000000000003063" => fate("requires_action", "standard", false),
        "failed" | "4000000000000069" => fate("failed", "standard", false),
        "declined" | "4000000000000002" => fate("chargeable", "standard", true),
        _ if kind == "wireTransfer" => fate("pending_funds", "receiver", false),
        _ => fate("chargeable", "standard", false),
    }
}

/// Returns the details that a source shows: of a card, never the number.
pub(crate) fn shown_details(kind: &str, sent: &Doc) -> Doc {
    if kind != "creditCard" && kind != "googlePay" && kind != "applePay" {
        return sent.clone();
    }
    let number = sent.text_of("number").unwrap_or("4111111111111111");
    let last_four = number.get(number.len().saturating_sub(4)..).unwrap_or("1111");
    let or =
        |name: &str, default: u32| sent.get(name).cloned().unwrap_or_else(|| Doc::from(default));
    Doc::object()
        .with("brand", sent.text_of("brand").unwrap_or("Visa"))
        .with("expirationMonth", or("expirationMonth", 7))
        .with("expirationYear", or("expirationYear", 2027))
        .with("lastFourDigits", sent.text_of("lastFourDigits").unwrap_or(last_four))
}

/// Returns the first magic word or card number of the body, or an empty text.
fn word(kind: &str, body: &Doc) -> String {
    let words = ["redirect", "funds", "action", "failed", "declined"];
    let places = [
        body.text_of("upstreamId"),
        body.at(&["owner", "lastName"]).and_then(Doc::text),
        body.at(&[kind, "number"]).and_then(Doc::text),
    ];
    places
        .into_iter()
        .flatten()
        .map(|text| text.replace(' ', "").to_ascii_lowercase())
        .find(|text| words.contains(&text.as_str()) || text.starts_with("40000000"))
        .unwrap_or_default()
}
