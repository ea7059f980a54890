//! Answers of the carts dialect: carts, wrapped or bare, and lists of payment options.
//!
//! A missing member says nothing, except in Weir's own look-up, which asks for everything.

use super::routes::{Route, route};
use crate::{
    dialects::{
        api::{Coverage, Operation},
        read::{
            members::{MOST_LISTED, Members, Notes, UnreadableAnswer},
            xml,
        },
    },
    rules::{
        Amount, Answer, Currency, Intent, OptionFacts, OptionId, SessionFacts, Share, SourceFacts,
        SourceId, Stated,
    },
};
use std::borrow::Cow;

/// The elements that repeat in an answer, where its JSON has a list.
const LISTS: [&str; 4] =
    ["supplementaryPaymentMethods", "supplementaryPaymentMethod", "paymentOption", "sources"];

/// The members of a cart, and of a list of payment options, that are read; the rest is skipped.
const MEMBERS: [&str; 10] = [
    "id",
    "cart",
    "order",
    "paymentMethod",
    "paymentSession",
    "pricing",
    "paymentOption",
    "paymentOptions",
    "sourceId",
    "isDefault",
];

/// Reads the answer to a call, in JSON or XML.
pub(super) fn read_answer(
    operation: Operation<'_>,
    _: &Intent,
    coverage: Coverage,
    body: &[u8],
) -> Result<Answer, UnreadableAnswer> {
    let json = match body.first() {
        Some(b'<') => Cow::Owned(from_xml(body)?),
        _ => Cow::Borrowed(body),
    };
    match route(operation) {
        Some(route) => read(&route, coverage, &json),
        None => Ok(Answer::default()),
    }
}

fn from_xml(document: &[u8]) -> Result<Vec<u8>, UnreadableAnswer> {
    let text = std::str::from_utf8(document).map_err(|_| UnreadableAnswer("it is not in UTF-8"))?;
    xml::to_json(text, &LISTS, |depth, name| depth != 1 || MEMBERS.contains(&name))
        .map(String::into_bytes)
        .map_err(|_| UnreadableAnswer("it is no well-formed XML"))
}

const CART: &[&str] = &["id", "cart", "paymentMethod", "paymentSession", "pricing"];
const PAYMENT_SESSION: &[&str] =
    &["id", "status", "state", "amountContributed", "amountRemainingToBeContributed"];
const PRICING: &[&str] = &["orderTotal"];
const MONEY: &[&str] = &["currency", "value"];
const SUPPLEMENTS: [&str; 2] = ["supplementaryPaymentMethods", "supplementaryPaymentMethod"];
const METHOD: &[&str] = &[
    "id",
    "sourceId",
    "type",
    "amountContributed",
    "reusable",
    "state",
    "isDefault",
    SUPPLEMENTS[0],
    SUPPLEMENTS[1],
];
const TYPE_OBJECT: &[&str] = &["reusable"];
const OPTIONS: &[&str] = &["paymentOptions", "paymentOption"];
const SUBMITTED: &[&str] = &["submitCart", "order"];

/// How deep payment methods may supplement each other.
const DEPTH: usize = 4;

fn read(route: &Route, coverage: Coverage, json: &[u8]) -> Result<Answer, UnreadableAnswer> {
    let notes = Notes::default();
    let answer = match route {
        Route::Read | Route::Update | Route::Attach | Route::ApplyShopper => {
            Answer { session: Some(of_cart(json, coverage, &notes)?), ..Answer::default() }
        }
        // The cart is becoming an order: the id that is shown may be either's.
        Route::Submit | Route::Resume => {
            let sources = of_cart(json, coverage, &notes)?.sources.into_stated();
            let charged = sources.into_iter().flatten().map(|source| source.id).collect();
            Answer { charged, order: order(json, &notes)?, ..Answer::default() }
        }
        Route::ReadOptions => {
            Answer { options: of_options(json, coverage, &notes)?, ..Answer::default() }
        }
        Route::Detach
        | Route::DetachAll
        | Route::Touch
        | Route::WebCheckout
        | Route::ByNumber
        | Route::UpdateByNumber
        | Route::SaveOption
        | Route::ChangeOption(_)
        | Route::RemoveOption(_)
        | Route::ReadOption => Answer::default(),
    };
    Ok(Answer { unread: notes.into_unread(), ..answer })
}

fn of_cart(
    json: &[u8],
    coverage: Coverage,
    notes: &Notes,
) -> Result<SessionFacts, UnreadableAnswer> {
    let outer = Members::of(json, CART, notes)?;
    let cart = match outer.wrapped("cart", CART) {
        Stated::Stated(wrapped) => wrapped,
        Stated::Unstated => outer,
        Stated::Unread => return Err(UnreadableAnswer("its cart is not an object")),
    };
    let session = cart.object("paymentSession", PAYMENT_SESSION);
    let session = session.as_view();
    let contributed = session.and_then(|session| money(session, "amountContributed"));
    let remaining = session.and_then(|session| money(session, "amountRemainingToBeContributed"));
    let order_total =
        cart.object("pricing", PRICING).and_then(|pricing| money(&pricing, "orderTotal"));
    let amount = |(amount, _): (Amount, Stated<Currency>)| amount;
    let is_more_than_zero = |shown: &Stated<(Amount, Stated<Currency>)>| {
        shown.as_ref().map(|(amount, _)| amount.is_positive())
    };
    let is_unfunded = is_more_than_zero(&contributed) == Some(false)
        && is_more_than_zero(&remaining) == Some(true);
    let method = match is_more_than_zero(&contributed) {
        // Something pays, so there is a method, whether or not it is shown.
        Some(true) => Absent::IsUntold,
        _ if coverage == Coverage::Complete || is_unfunded => Absent::IsNone,
        _ => Absent::IsUntold,
    };
    let (sources, shares) = sources(&cart, coverage, method);
    Ok(SessionFacts {
        id: cart.id("id").into_stated().map(|id| (&*id).into()),
        sources,
        shares,
        total: total(contributed, remaining, order_total),
        remaining: remaining.map(amount),
        contributed: contributed.map(amount),
        currency: [remaining, contributed, order_total]
            .into_iter()
            .find_map(Stated::into_stated)
            .map_or(Stated::Unstated, |(_, currency)| currency),
        state: session
            .and_then(|session| session.session_state("status").or(session.session_state("state"))),
        payment_session: session.and_then(|session| session.id("id")).map(|id| Box::from(&*id)),
        ..SessionFacts::default()
    })
}

/// Returns the total: what is contributed and what remains, or the price where these do not say it.
fn total(
    contributed: Stated<(Amount, Stated<Currency>)>,
    remaining: Stated<(Amount, Stated<Currency>)>,
    order_total: Stated<(Amount, Stated<Currency>)>,
) -> Stated<Amount> {
    match (contributed, remaining) {
        (Stated::Stated((contributed, one)), Stated::Stated((remaining, other)))
            if one == other =>
        {
            contributed.checked_add(remaining).into()
        }
        (Stated::Unread, _) | (_, Stated::Unread) => {
            order_total.or(Stated::Unread).map(|(total, _)| total)
        }
        _ => order_total.map(|(total, _)| total),
    }
}

fn money(shown: &Members<'_, '_>, name: &'static str) -> Stated<(Amount, Stated<Currency>)> {
    shown
        .object(name, MONEY)
        .and_then(|money| money.amount("value").map(|amount| (amount, money.currency("currency"))))
}

/// What it means that a cart shows no payment method.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Absent {
    IsNone,
    IsUntold,
}

/// Reads the attached sources: the cart's payment method and those that supplement it. If one of
/// them cannot be told, it may be any, and the list says nothing. If one names no source, the list
/// says nothing either, but what each of them pays does.
fn sources(
    cart: &Members<'_, '_>,
    coverage: Coverage,
    absent: Absent,
) -> (Stated<Vec<SourceFacts>>, Stated<Vec<Share>>) {
    let is_shown = cart.has("paymentMethod");
    if is_shown && coverage == Coverage::Filtered {
        // A filtered list may be cut anywhere.
        return (Stated::Unstated, Stated::Unstated);
    }
    let mut found = Methods::default();
    let read = match cart.object("paymentMethod", METHOD) {
        Stated::Stated(method) => found.add(&method, false, DEPTH),
        Stated::Unstated => Stated::Stated(()),
        Stated::Unread => Stated::Unread,
    };
    if read.is_stated() && found.sources.len() < found.shares.len() {
        let sources = if found.is_unread { Stated::Unread } else { Stated::Unstated };
        return (sources, Stated::Stated(found.shares));
    }
    // One that is empty, or only a link to it, tells no more than one that is not there.
    let sources = match absent {
        Absent::IsUntold if found.sources.is_empty() && read.is_stated() => Stated::Unstated,
        _ => read.map(|()| found.sources),
    };
    (sources, Stated::Unstated)
}

/// A method and its supplements, one after the other.
#[derive(Default)]
struct Methods {
    /// Those that name a source.
    sources: Vec<SourceFacts>,
    /// All of them.
    shares: Vec<Share>,
    /// Whether one names a source in a form that cannot be read.
    is_unread: bool,
}

impl Methods {
    /// Collects a method and its supplements. What supplements another is secondary, whether or not
    /// its type is told.
    fn add(&mut self, method: &Members<'_, '_>, supplements: bool, depth: usize) -> Stated<()> {
        let source = facts(method);
        self.is_unread |= source == Stated::Unread;
        let has = |names: &[&str]| names.iter().any(|name| method.has(name));
        let is_told = has(&["type", "amountContributed"]) || supplements && !has(&SUPPLEMENTS);
        let before = self.shares.len();
        if let Stated::Stated(Some(facts)) = source {
            let (kind, amount) = (facts.kind.clone(), facts.amount);
            self.shares.push(Share { kind, supplements, amount });
            self.sources.push(SourceFacts { supplements, ..facts });
        } else if is_told || source == Stated::Unread {
            // It pays with something other than a source, or does not say which.
            let amount = money(method, "amountContributed").map(|(amount, _)| amount);
            self.shares.push(Share { kind: method.kind("type"), supplements, amount });
        }
        let adds_no_share = self.shares.len() == before;
        for name in SUPPLEMENTS {
            let more = match method.list(name, METHOD) {
                Stated::Stated(more) => more,
                Stated::Unstated => continue,
                Stated::Unread => return Stated::Unread,
            };
            if depth == 0 || self.shares.len() + more.len() > MOST_LISTED {
                return method.unread(name, "too many, or nested too deeply");
            }
            for method in &more {
                match self.add(method, true, depth - 1) {
                    Stated::Stated(()) => {}
                    other => return other,
                }
            }
        }
        if adds_no_share && !supplements && self.shares.len() > before {
            // What is supplemented pays, too.
            self.shares.push(Share::default());
        }
        Stated::Stated(())
    }
}

/// Reads the source of a method or an option; `None` where it has none.
fn facts(method: &Members<'_, '_>) -> Stated<Option<SourceFacts>> {
    let id = match method.id("sourceId") {
        Stated::Stated(id) => id,
        Stated::Unstated => return Stated::Stated(None),
        Stated::Unread => return Stated::Unread,
    };
    let kind = method.kind("type");
    let of_type = kind
        .as_view()
        .and_then(|kind| method.object_named(kind.as_str(), TYPE_OBJECT))
        .and_then(|of_type| of_type.flag("reusable"));
    let (amount, currency) = match money(method, "amountContributed") {
        Stated::Stated((amount, currency)) => (Stated::Stated(amount), currency),
        Stated::Unread => (Stated::Unread, Stated::Unread),
        Stated::Unstated => (Stated::Unstated, Stated::Unstated),
    };
    Stated::Stated(Some(SourceFacts {
        kind,
        amount,
        currency,
        reusable: of_type.or(method.flag("reusable")),
        state: method.state("state"),
        ..SourceFacts::named(SourceId::from(&*id))
    }))
}

/// Reads the payment options of an answer that shows the list whole. What cannot be told of one
/// option is not known of that one.
fn of_options(
    json: &[u8],
    coverage: Coverage,
    notes: &Notes,
) -> Result<Stated<Vec<OptionFacts>>, UnreadableAnswer> {
    let shown = Members::of(json, OPTIONS, notes)?;
    if coverage == Coverage::Filtered {
        return Ok(Stated::Unstated);
    }
    let none = Stated::Stated(Vec::new());
    let list = match shown.object("paymentOptions", &OPTIONS[1..]) {
        Stated::Stated(list) => list.list("paymentOption", METHOD).or(none),
        Stated::Unread => Stated::Unread,
        Stated::Unstated => match shown.list("paymentOption", METHOD) {
            Stated::Unstated if coverage == Coverage::Complete => none,
            list => list,
        },
    };
    let of_option = |method: &Members<'_, '_>| OptionFacts {
        id: match method.id("id") {
            Stated::Unstated => method.unread("id", "missing"),
            id => id.map(|id| OptionId::from(&*id)),
        },
        source: facts(method),
        default: method.flag("isDefault"),
    };
    Ok(list.map(|list| list.iter().map(of_option).collect()))
}

/// Reads the id of the order that a cart became.
fn order(json: &[u8], notes: &Notes) -> Result<Option<Box<str>>, UnreadableAnswer> {
    let outer = Members::of(json, SUBMITTED, notes)?;
    let submitted = outer.wrapped("submitCart", SUBMITTED).into_stated().unwrap_or(outer);
    let order = submitted.object("order", &["id"]).into_stated();
    Ok(order.and_then(|order| order.id("id").into_stated()).map(|id| Box::from(&*id)))
}

#[cfg(test)]
mod tests;
