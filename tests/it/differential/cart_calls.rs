//! The calls of a shopper's on its active cart and its payment options.

use super::calls::pick;
use crate::testbed::{APPLY, Ask, CART, OPTIONS, method};
use proptest::prelude::*;
use serde_json::{Value, json};

/// One call of a shopper's.
#[derive(Clone, Debug)]
pub(crate) enum CartOp {
    Credit { amount: usize, owner: bool },
    Primary { kind: usize, fate: usize },
    Apply(usize),
    Detach(usize),
    DetachAll,
    ApplyShopper(Option<usize>),
    Add { price: usize },
    Save { source: usize, default: bool },
    MakeDefault(usize),
    Unsave(usize),
    Submit { resumes: bool },
    Read,
    Authorize(usize),
}

pub(crate) fn cart_op() -> impl Strategy<Value = CartOp> {
    let n = || 0usize..6;
    prop_oneof![
        2 => (n(), prop::bool::weighted(0.15))
            .prop_map(|(amount, owner)| CartOp::Credit { amount, owner }),
        2 => (n(), prop_oneof![3 => Just(0usize), 1 => n()])
            .prop_map(|(kind, fate)| CartOp::Primary { kind, fate }),
        9 => n().prop_map(CartOp::Apply),
        2 => n().prop_map(CartOp::Detach),
        1 => Just(CartOp::DetachAll),
        2 => prop::option::of(n()).prop_map(CartOp::ApplyShopper),
        1 => n().prop_map(|price| CartOp::Add { price }),
        2 => (n(), any::<bool>()).prop_map(|(source, default)| CartOp::Save { source, default }),
        1 => n().prop_map(CartOp::MakeDefault),
        1 => n().prop_map(CartOp::Unsave),
        3 => prop::bool::weighted(0.25).prop_map(|resumes| CartOp::Submit { resumes }),
        1 => Just(CartOp::Read),
        1 => n().prop_map(CartOp::Authorize),
    ]
}

impl CartOp {
    /// The call, or `None` for what happens elsewhere than in a call of the shopper's.
    pub(crate) fn ask(&self, sources: &[String], options: &[String]) -> Option<Ask> {
        let source = |n: &usize| pick(sources, *n);
        let option = |n: &usize| if options.is_empty() { "none" } else { pick(options, *n) };
        Some(match self {
            CartOp::Apply(n) => Ask::post(APPLY, method(source(n))),
            CartOp::Detach(n) => Ask::delete(APPLY, method(source(n))),
            CartOp::DetachAll => Ask::delete(format!("{CART}/payment"), Value::Null),
            CartOp::ApplyShopper(None) => Ask::post(format!("{CART}/apply-shopper"), Value::Null),
            CartOp::ApplyShopper(Some(n)) => Ask::post(
                format!("{CART}/apply-shopper?paymentOptionId={}", option(n)),
                Value::Null,
            ),
            CartOp::Add { price } => {
                let price = [10, 3, 25][price % 3];
                Ask::post(format!("{CART}?productId=p&quantity=1&price={price}"), Value::Null)
            }
            CartOp::Save { source: n, default } => Ask::post(
                OPTIONS,
                json!({ "paymentOption": { "sourceId": source(n), "isDefault": default } }),
            ),
            CartOp::MakeDefault(n) => Ask::post(
                format!("{OPTIONS}/{}", option(n)),
                json!({ "paymentOption": { "isDefault": true } }),
            ),
            CartOp::Unsave(n) => Ask::delete(format!("{OPTIONS}/{}", option(n)), Value::Null),
            CartOp::Submit { resumes } => {
                let call = if *resumes { "resume-cart" } else { "submit-cart" };
                Ask::post(format!("{CART}/{call}"), Value::Null)
            }
            CartOp::Read => Ask::get(CART),
            CartOp::Credit { .. } | CartOp::Primary { .. } | CartOp::Authorize(_) => return None,
        })
    }
}
