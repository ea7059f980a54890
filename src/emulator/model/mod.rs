//! What the vendor remembers: plain data, the arithmetic of its money, and one [`World`] that
//! holds all of it.
//!
//! Both APIs change this model; nothing here knows which call is being made or how an answer is
//! written. A [`Refusal`] is kept in neutral form, and a [`Doc`] is the tree that both APIs read
//! and write.

mod cart;
mod checkout;
mod customer;
mod doc;
mod funding;
mod item;
mod key;
mod kind;
mod late;
mod mint;
mod noise;
mod options;
mod order;
mod ordering;
mod pricing;
mod quirks;
mod refusal;
mod shopper;
mod source;
mod world;

pub(crate) use self::{
    cart::Cart,
    checkout::Checkout,
    customer::Customer,
    doc::Doc,
    funding::{Attached, Funding},
    item::{Item, totals},
    key::{Key, Role},
    late::LateCredit,
    mint::Mint,
    order::{Charge, Movement, Order},
    ordering::{authorize, place},
    pricing::{Pricing, round},
    refusal::Refusal,
    shopper::{PaymentOption, Shopper},
    source::{CREDIT, Source},
    world::World,
};
pub use self::{
    kind::Kind,
    options::Options,
    quirks::{Denial, FailingReads, Landing, QuirkWords, Quirks},
};
