//! The members of carts and payment options that are read.

use crate::dialects::read::value::{Many, One, Scalar};
use serde::{
    Deserialize, Deserializer,
    de::{Error, IgnoredAny, MapAccess, Visitor},
};
use std::{borrow::Cow, fmt};

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Cart<'a> {
    #[serde(borrow)]
    pub id: Option<Scalar<'a>>,
    /// The wrapped form.
    pub cart: Option<Box<Cart<'a>>>,
    pub payment_method: Option<One<Method<'a>>>,
    #[serde(default)]
    pub payment_session: One<PaymentSession<'a>>,
    #[serde(default)]
    pub pricing: One<Pricing<'a>>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PaymentSession<'a> {
    #[serde(borrow)]
    pub id: Option<Scalar<'a>>,
    pub status: Option<Scalar<'a>>,
    pub state: Option<Scalar<'a>>,
    #[serde(default)]
    pub amount_contributed: One<Money<'a>>,
    #[serde(default)]
    pub amount_remaining_to_be_contributed: One<Money<'a>>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Pricing<'a> {
    #[serde(default, borrow)]
    pub order_total: One<Money<'a>>,
}

#[derive(Clone, Copy, Default, Deserialize)]
pub(super) struct Money<'a> {
    #[serde(borrow)]
    pub currency: Option<Scalar<'a>>,
    pub value: Option<Scalar<'a>>,
}

#[derive(Deserialize)]
pub(super) struct TypeObject<'a> {
    #[serde(borrow)]
    pub reusable: Option<Scalar<'a>>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Options<'a> {
    #[serde(default, borrow)]
    pub payment_options: One<List<'a>>,
    #[serde(default)]
    pub payment_option: Many<Method<'a>>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct List<'a> {
    #[serde(default, borrow)]
    pub payment_option: Many<Method<'a>>,
}

/// A payment method of a cart, or a payment option of a shopper. The object named after its type is
/// known only once the type is.
#[derive(Default)]
pub(super) struct Method<'a> {
    pub id: Option<Scalar<'a>>,
    pub source: Option<Scalar<'a>>,
    pub kind: Option<Scalar<'a>>,
    pub amount: Option<One<Money<'a>>>,
    pub reusable: Option<Scalar<'a>>,
    pub state: Option<Scalar<'a>>,
    pub default: Option<Scalar<'a>>,
    pub objects: Vec<(Cow<'a, str>, &'a str)>,
    pub more: Option<Many<Method<'a>>>,
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
                "supplementaryPaymentMethods" | "supplementaryPaymentMethod" => {
                    method.more.replace(map.next_value()?).is_some()
                }
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
