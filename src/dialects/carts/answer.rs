//! Answers of the carts dialect: carts, wrapped or bare, and lists of payment options.
//!
//! A member that is missing is not told, except in Weir's own look-up, which asks for everything.

use super::Route;
use crate::{
    dialects::{
        call::Garbled,
        value::{self, Many, One, Scalar},
    },
    rules::{Amount, Answer, Currency, OptionFacts, OptionId, SessionFacts, SessionState, SourceFacts, SourceId, Told},
};
use serde::{
    Deserialize, Deserializer,
    de::{Error, IgnoredAny, MapAccess, Visitor},
};
use std::{borrow::Cow, fmt};

/// How much of the thing an answer shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::dialects) enum Shows {
    /// What the caller's `fields=` names; even a list may be cut.
    APart,
    /// What upstream shows unasked: a member that is there is whole, a missing one is not told.
    ThoseThere,
    /// Everything.
    All,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Cart<'a> {
    #[serde(borrow)]
    id: Option<Scalar<'a>>,
    /// The wrapped form.
    cart: Option<Box<Cart<'a>>>,
    payment_method: Option<One<Method<'a>>>,
    #[serde(default)]
    payment_session: One<PaymentSession<'a>>,
    #[serde(default)]
    pricing: One<Pricing<'a>>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct PaymentSession<'a> {
    #[serde(borrow)]
    id: Option<Scalar<'a>>,
    status: Option<Scalar<'a>>,
    state: Option<Scalar<'a>>,
    #[serde(default)]
    amount_contributed: One<Money<'a>>,
    #[serde(default)]
    amount_remaining_to_be_contributed: One<Money<'a>>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Pricing<'a> {
    #[serde(default, borrow)]
    order_total: One<Money<'a>>,
}

#[derive(Clone, Copy, Default, Deserialize)]
struct Money<'a> {
    #[serde(borrow)]
    currency: Option<Scalar<'a>>,
    value: Option<Scalar<'a>>,
}

#[derive(Deserialize)]
struct TypeObject<'a> {
    #[serde(borrow)]
    reusable: Option<Scalar<'a>>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Options<'a> {
    #[serde(default, borrow)]
    payment_options: One<List<'a>>,
    #[serde(default)]
    payment_option: Many<Method<'a>>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct List<'a> {
    #[serde(default, borrow)]
    payment_option: Many<Method<'a>>,
}

/// A payment method of a cart, or a payment option of a shopper. The object named after its type is known only once the type is.
#[derive(Default)]
struct Method<'a> {
    id: Option<Scalar<'a>>,
    source: Option<Scalar<'a>>,
    kind: Option<Scalar<'a>>,
    amount: Option<One<Money<'a>>>,
    reusable: Option<Scalar<'a>>,
    state: Option<Scalar<'a>>,
    default: Option<Scalar<'a>>,
    objects: Vec<(Cow<'a, str>, &'a str)>,
    more: Option<Many<Method<'a>>>,
}

impl<'de: 'a, 'a> Deserialize<'de> for Method<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MethodVisitor)
    }
}

struct MethodVisitor;

impl<'de> Visitor<'de> for MethodVisitor {
    type Value = Method<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a payment method")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Method<'de>, A::Error> {
        #[derive(Deserialize)]
        struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

        let mut method = Method::default();
        while let Some(Name(name)) = map.next_key()? {
            let twice = match &*name {
                "id" => method.id.replace(map.next_value()?).is_some(),
                "sourceId" => method.source.replace(map.next_value()?).is_some(),
                "type" => method.kind.replace(map.next_value()?).is_some(),
                "amountContributed" => method.amount.replace(map.next_value()?).is_some(),
                "reusable" => method.reusable.replace(map.next_value()?).is_some(),
                "state" => method.state.replace(map.next_value()?).is_some(),
                "isDefault" => method.default.replace(map.next_value()?).is_some(),
                "supplementaryPaymentMethods" | "supplementaryPaymentMethod" => method.more.replace(map.next_value()?).is_some(),
                "sourceClientSecret" | "nickName" | "uri" => {
                    map.next_value::<IgnoredAny>()?;
                    false
                }
                _ => {
                    let value: Scalar<'de> = map.next_value()?;
                    let twice = method.objects.iter().any(|(known, _)| *known == name);
                    if value.raw().starts_with('{') {
                        method.objects.push((name, value.raw()));
                    }
                    twice
                }
            };
            if twice {
                return Err(A::Error::custom("a member stands twice"));
            }
        }
        Ok(method)
    }
}

/// Reads the answer to a call.
pub(in crate::dialects) fn read_answer(route: &Route, shows: Shows, json: &[u8]) -> Result<Answer, Garbled> {
    match route {
        Route::Read | Route::Update | Route::Attach | Route::ApplyShopper(_) => {
            Ok(Answer { session: Some(of_cart(json, shows)?), ..Answer::default() })
        }
        // What it shows is on its way to be an order: its id may be either's.
        Route::Submit => {
            let sources = match of_cart(json, shows)?.sources {
                Told::Told(sources) => sources,
                Told::NotTold => Vec::new(),
            };
            Ok(Answer { charged: sources.into_iter().map(|source| source.id).collect(), ..Answer::default() })
        }
        Route::ReadOptions => Ok(Answer { options: of_options(json, shows)?, ..Answer::default() }),
        Route::Detach
        | Route::DetachAll
        | Route::Touch
        | Route::SaveOption
        | Route::ChangeOption(_)
        | Route::RemoveOption(_)
        | Route::ReadOption => Ok(Answer::default()),
    }
}

fn parse<'a, T: Deserialize<'a>>(json: &'a [u8]) -> Result<T, Garbled> {
    serde_json::from_slice(json).map_err(|_| Garbled("it is not what the call is answered with"))
}

fn of_cart(json: &[u8], shows: Shows) -> Result<SessionFacts, Garbled> {
    let mut cart: Cart<'_> = parse(json)?;
    if let Some(wrapped) = cart.cart.take() {
        cart = *wrapped;
    }
    let session = cart.payment_session.0.unwrap_or_default();
    let contributed = money(session.amount_contributed)?;
    let remaining = money(session.amount_remaining_to_be_contributed)?;
    let order_total = money(cart.pricing.0.unwrap_or_default().order_total)?;
    let total = match (contributed, remaining) {
        (Some((contributed, one)), Some((remaining, other))) if one == other => contributed.checked_add(remaining),
        _ => order_total.map(|(total, _)| total),
    };
    let is_unfunded = matches!((contributed, remaining), (Some((c, _)), Some((r, _))) if c == Amount::ZERO && r.is_positive());
    Ok(SessionFacts {
        id: value::text(cart.id)?.map(|id| (&*id).into()),
        sources: sources(cart.payment_method, shows, is_unfunded)?,
        total: total.into(),
        remaining: remaining.map(|(amount, _)| amount).into(),
        currency: remaining.or(contributed).or(order_total).map_or(Told::NotTold, |(_, currency)| currency),
        state: value::text(session.status.or(session.state))?.map(|state| SessionState::read(&state)).into(),
        payment_session: value::text(session.id)?.map(|id| Box::from(&*id)).into(),
        ..SessionFacts::default()
    })
}

fn money(shown: One<Money<'_>>) -> Result<Option<(Amount, Told<Currency>)>, Garbled> {
    let shown = shown.0.unwrap_or_default();
    match value::amount(shown.value)? {
        Told::Told(amount) => Ok(Some((amount, value::currency(shown.currency)?))),
        Told::NotTold => Ok(None),
    }
}

/// The attached sources: the cart's payment method and those that supplement it.
fn sources(shown: Option<One<Method<'_>>>, shows: Shows, is_unfunded: bool) -> Result<Told<Vec<SourceFacts>>, Garbled> {
    let mut found = Vec::new();
    match shown {
        // A filtered list may be cut anywhere.
        Some(_) if shows == Shows::APart => return Ok(Told::NotTold),
        Some(One(Some(method))) => {
            if !flatten(&method, &mut found)? {
                return Ok(Told::NotTold);
            }
        }
        // There, and empty.
        Some(One(None)) => {}
        None if shows == Shows::All || is_unfunded => {}
        None => return Ok(Told::NotTold),
    }
    Ok(Told::Told(found))
}

/// Collects a method and its supplements; false where one of them pays with something that is no source.
fn flatten(method: &Method<'_>, found: &mut Vec<SourceFacts>) -> Result<bool, Garbled> {
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

fn facts(method: &Method<'_>) -> Result<Option<SourceFacts>, Garbled> {
    let Some(id) = value::text(method.source)? else { return Ok(None) };
    let kind = value::kind(method.kind)?;
    let of_type = method.objects.iter().find(|(name, _)| kind.as_ref().is_some_and(|kind| kind.as_str() == name));
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

/// The options in an answer that shows the list and each of them whole.
fn of_options(json: &[u8], shows: Shows) -> Result<Told<Vec<OptionFacts>>, Garbled> {
    let shown: Options<'_> = parse(json)?;
    let list = match (shown.payment_options.0, shown.payment_option.0) {
        _ if shows == Shows::APart => return Ok(Told::NotTold),
        (Some(list), _) => list.payment_option.0.unwrap_or_default(),
        (None, Some(list)) => list,
        (None, None) if shows == Shows::All => Vec::new(),
        (None, None) => return Ok(Told::NotTold),
    };
    let option = |method: &Method<'_>| {
        let id = value::text(method.id)?.ok_or(Garbled("a payment option has no id"))?;
        Ok(OptionFacts { id: OptionId::from(&*id), source: facts(method)?, default: value::flag(method.default)? })
    };
    list.iter().map(option).collect::<Result<_, _>>().map(Told::Told)
}
