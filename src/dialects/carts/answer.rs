//! Answers of the carts dialect: carts, wrapped or bare, and lists of payment options.
//!
//! A missing member says nothing, except in Weir's own look-up, which asks for everything.

use super::{
    routes::{Route, route},
    shapes::{Cart, Method, Money, Options, TypeObject},
};
use crate::{
    dialects::{
        api::{Coverage, Operation},
        read::{
            value::{self, Many, One, UnreadableAnswer},
            xml,
        },
    },
    rules::{
        Amount, Answer, Currency, Intent, OptionFacts, OptionId, SessionFacts, SessionState,
        SourceFacts, SourceId, Stated,
    },
};
use serde::Deserialize;
use std::borrow::Cow;

/// The elements that repeat in an answer, where its JSON has a list.
const LISTS: [&str; 4] =
    ["supplementaryPaymentMethods", "supplementaryPaymentMethod", "paymentOption", "sources"];

/// The members of a cart, and of a list of payment options, that are read; the rest is skipped.
const MEMBERS: [&str; 9] = [
    "id",
    "cart",
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

fn read(route: &Route, coverage: Coverage, json: &[u8]) -> Result<Answer, UnreadableAnswer> {
    match route {
        Route::Read | Route::Update | Route::Attach | Route::ApplyShopper => {
            Ok(Answer { session: Some(of_cart(json, coverage)?), ..Answer::default() })
        }
        // The cart is becoming an order: the id that is shown may be either's.
        Route::Submit | Route::Resume => {
            let sources = match of_cart(json, coverage)?.sources {
                Stated::Stated(sources) => sources,
                Stated::Unstated => Vec::new(),
            };
            Ok(Answer {
                charged: sources.into_iter().map(|source| source.id).collect(),
                ..Answer::default()
            })
        }
        Route::ReadOptions => {
            Ok(Answer { options: of_options(json, coverage)?, ..Answer::default() })
        }
        Route::Detach
        | Route::DetachAll
        | Route::Touch
        | Route::SaveOption
        | Route::ChangeOption(_)
        | Route::RemoveOption(_)
        | Route::ReadOption => Ok(Answer::default()),
    }
}

fn parse<'a, T: Deserialize<'a>>(json: &'a [u8]) -> Result<T, UnreadableAnswer> {
    serde_json::from_slice(json)
        .map_err(|_| UnreadableAnswer("it is not what the call is answered with"))
}

fn of_cart(json: &[u8], coverage: Coverage) -> Result<SessionFacts, UnreadableAnswer> {
    let mut cart: Cart<'_> = parse(json)?;
    if let Some(wrapped) = cart.cart.take() {
        cart = *wrapped;
    }
    let session = cart.payment_session.0.unwrap_or_default();
    let contributed = money(session.amount_contributed)?;
    let remaining = money(session.amount_remaining_to_be_contributed)?;
    let order_total = money(cart.pricing.0.unwrap_or_default().order_total)?;
    let total = match (contributed, remaining) {
        (Some((contributed, one)), Some((remaining, other))) if one == other => {
            contributed.checked_add(remaining)
        }
        _ => order_total.map(|(total, _)| total),
    };
    let is_unfunded = contributed.is_some_and(|(amount, _)| amount == Amount::ZERO)
        && remaining.is_some_and(|(amount, _)| amount.is_positive());
    Ok(SessionFacts {
        id: value::text(cart.id)?.map(|id| (&*id).into()),
        sources: sources(cart.payment_method, coverage, is_unfunded)?,
        total: total.into(),
        remaining: remaining.map(|(amount, _)| amount).into(),
        contributed: contributed.map(|(amount, _)| amount).into(),
        currency: remaining
            .or(contributed)
            .or(order_total)
            .map_or(Stated::Unstated, |(_, currency)| currency),
        state: value::text(session.status.or(session.state))?
            .map(|state| SessionState::read(&state))
            .into(),
        payment_session: value::text(session.id)?.map(|id| Box::from(&*id)).into(),
        ..SessionFacts::default()
    })
}

fn money(shown: One<Money<'_>>) -> Result<Option<(Amount, Stated<Currency>)>, UnreadableAnswer> {
    let shown = shown.0.unwrap_or_default();
    match value::amount(shown.value)? {
        Stated::Stated(amount) => Ok(Some((amount, value::currency(shown.currency)?))),
        Stated::Unstated => Ok(None),
    }
}

/// Reads the attached sources: the cart's payment method and those that supplement it.
fn sources(
    shown: Option<One<Method<'_>>>,
    coverage: Coverage,
    is_unfunded: bool,
) -> Result<Stated<Vec<SourceFacts>>, UnreadableAnswer> {
    let mut found = Vec::new();
    match shown {
        // A filtered list may be cut anywhere.
        Some(_) if coverage == Coverage::Filtered => return Ok(Stated::Unstated),
        Some(One(Some(method))) => {
            if !flatten(&method, &mut found)? {
                return Ok(Stated::Unstated);
            }
        }
        // There, and empty.
        Some(One(None)) => {}
        None if coverage == Coverage::Complete || is_unfunded => {}
        None => return Ok(Stated::Unstated),
    }
    Ok(Stated::Stated(found))
}

/// Collects a method and its supplements. Returns false where one of them pays with something other
/// than a source.
fn flatten(method: &Method<'_>, found: &mut Vec<SourceFacts>) -> Result<bool, UnreadableAnswer> {
    match facts(method)? {
        Some(facts) => found.push(facts),
        None if method.kind.is_some() => return Ok(false),
        None => {}
    }
    let Some(Many(Some(more))) = &method.more else { return Ok(true) };
    for method in more {
        if !flatten(method, found)? {
            return Ok(false);
        }
    }
    Ok(true)
}

fn facts(method: &Method<'_>) -> Result<Option<SourceFacts>, UnreadableAnswer> {
    let Some(id) = value::text(method.source)? else { return Ok(None) };
    let kind = value::kind(method.kind)?;
    let of_type = method
        .objects
        .iter()
        .find(|(name, _)| kind.as_ref().is_some_and(|kind| kind.as_str() == name));
    let reusable = match of_type {
        Some((_, raw)) => parse::<TypeObject<'_>>(raw.as_bytes())?.reusable,
        None => None,
    };
    let money = method.amount.as_ref().and_then(|amount| amount.0).unwrap_or_default();
    Ok(Some(SourceFacts {
        kind,
        amount: value::amount(money.value)?,
        currency: value::currency(money.currency)?,
        reusable: value::flag(reusable.or(method.reusable))?,
        state: value::state(method.state)?,
        ..SourceFacts::named(SourceId::from(&*id))
    }))
}

/// Reads the payment options of an answer that shows the list, and each of them, whole.
fn of_options(
    json: &[u8],
    coverage: Coverage,
) -> Result<Stated<Vec<OptionFacts>>, UnreadableAnswer> {
    let shown: Options<'_> = parse(json)?;
    let list = match (shown.payment_options.0, shown.payment_option.0) {
        _ if coverage == Coverage::Filtered => return Ok(Stated::Unstated),
        (Some(list), _) => list.payment_option.0.unwrap_or_default(),
        (None, Some(list)) => list,
        (None, None) if coverage == Coverage::Complete => Vec::new(),
        (None, None) => return Ok(Stated::Unstated),
    };
    let option = |method: &Method<'_>| {
        let id = value::text(method.id)?.ok_or(UnreadableAnswer("a payment option has no id"))?;
        Ok(OptionFacts {
            id: OptionId::from(&*id),
            source: facts(method)?,
            default: value::flag(method.default)?,
        })
    };
    list.iter().map(option).collect::<Result<_, _>>().map(Stated::Stated)
}

#[cfg(test)]
mod tests;
