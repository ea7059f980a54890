//! What the emulator shows of its world to tests: the whole state, or one session.

use crate::emulator::{
    checkouts_api::show,
    model::{Doc, Funding, Kind, Order, World},
};

/// Shows the whole state.
pub(crate) fn snapshot(world: &World) -> Doc {
    let customers = world
        .customers
        .iter()
        .map(|((merchant, id), customer)| {
            (format!("{merchant}/{id}"), show::customer(world, customer))
        })
        .collect();
    let lost = world.orders.values().flat_map(lost_credits);
    Doc::object()
        .with("sources", each(&world.sources, |_, source| show::source(source, true)))
        .with(
            "checkouts",
            each(&world.checkouts, |id, _| session_or_null(world, Kind::Checkout, id)),
        )
        .with("invoices", each(&world.invoices, |id, _| session_or_null(world, Kind::Invoice, id)))
        .with("carts", each(&world.carts, |id, _| session_or_null(world, Kind::Cart, id)))
        .with("customers", Doc::Object(customers))
        .with("orders", each(&world.orders, |_, order| show::order(world, order, false)))
        .with("lostCredits", Doc::list(lost))
}

/// Shows one session: its sources in order of attachment, what each pays, and its state.
pub(crate) fn session(world: &World, kind: Kind, id: &str) -> Option<Doc> {
    let (funding, merchant, customer) = match kind {
        Kind::Checkout => {
            world.checkouts.get(id).map(|c| (&c.funding, &c.merchant, &c.customer))?
        }
        Kind::Invoice => world.invoices.get(id).map(|c| (&c.funding, &c.merchant, &c.customer))?,
        Kind::Cart => world.carts.get(id).map(|c| (&c.funding, &c.merchant, &None))?,
        Kind::Customer => return None,
    };
    Some(
        Doc::object()
            .with("id", id)
            .with("kind", kind.name())
            .with("merchant", merchant)
            .with_some("customerId", customer.as_deref())
            .with("sessionId", &funding.session)
            .with("currency", &funding.currency)
            .with("total", Doc::money(funding.total))
            .with("contributed", Doc::money(funding.contributed()))
            .with("remaining", Doc::money(funding.remaining()))
            .with("state", funding.state())
            .with("sources", attached(world, funding)),
    )
}

fn attached(world: &World, funding: &Funding) -> Doc {
    Doc::list(funding.attached.iter().map(|one| {
        let source = world.sources.get(&one.source);
        Doc::object()
            .with("id", &one.source)
            .with_some("type", source.map(|source| source.kind.as_str()))
            .with("secondary", one.secondary)
            .with("amount", Doc::money(funding.share(one)))
            .with_some("reusable", source.map(|source| source.reusable))
            .with_some("state", source.map(|source| source.state))
            .with("willBeLost", funding.loses(one))
    }))
}

fn session_or_null(world: &World, kind: Kind, id: &str) -> Doc {
    session(world, kind, id).unwrap_or(Doc::Null)
}

fn lost_credits(order: &Order) -> impl Iterator<Item = Doc> {
    order.lost.iter().map(|one| {
        Doc::object()
            .with_some("cartId", order.origin.as_deref())
            .with("orderId", &order.id)
            .with("sourceId", &one.source)
            .with("amount", Doc::money(one.amount))
    })
}

fn each<'a, T: 'a>(
    items: impl IntoIterator<Item = (&'a String, &'a T)>,
    show: impl Fn(&str, &T) -> Doc,
) -> Doc {
    Doc::Object(items.into_iter().map(|(id, item)| (id.clone(), show(id, item))).collect())
}
