//! `/checkouts` and `/invoices`, which follow the same rules.
//!
//! A change is made to a draft, judged as a whole, and only then put in place, so that a refused
//! call leaves no trace.

use super::{attach, draft::Draft, show, version::Version};
use crate::emulator::model::{Doc, Kind, Refusal, World};

/// `POST /checkouts`, `POST /invoices`.
pub(crate) fn create(
    world: &mut World,
    merchant: &str,
    kind: Kind,
    version: &Version,
    body: &Doc,
) -> Result<Doc, Refusal> {
    let checkout = Draft::new(world, merchant, kind, version, body)?.commit(world);
    Ok(show::checkout(world, &checkout, version))
}

/// `POST /checkouts/{id}`, `POST /invoices/{id}`.
pub(crate) fn update(
    world: &mut World,
    merchant: &str,
    kind: Kind,
    id: &str,
    version: &Version,
    body: &Doc,
) -> Result<Doc, Refusal> {
    let mut draft = Draft::of(world.checkout(merchant, kind, id)?);
    if draft.checkout.ended() {
        return Err(attach::not_allowed());
    }
    draft.change(world, version, body)?;
    let checkout = draft.commit(world);
    Ok(show::checkout(world, &checkout, version))
}

/// `GET /checkouts/{id}`, `GET /invoices/{id}`.
pub(crate) fn read(
    world: &World,
    merchant: &str,
    kind: Kind,
    id: &str,
    version: &Version,
) -> Result<Doc, Refusal> {
    Ok(show::checkout(world, world.checkout(merchant, kind, id)?, version))
}

/// `GET /checkouts`, `GET /invoices`: all of them, whatever the query asks for.
pub(crate) fn list(world: &World, merchant: &str, kind: Kind, version: &Version) -> Doc {
    let all = if kind == Kind::Invoice { &world.invoices } else { &world.checkouts };
    let own = all.values().filter(|checkout| checkout.merchant == merchant);
    let shown = own.map(|checkout| show::checkout(world, checkout, version));
    Doc::object().with("hasMore", false).with("data", Doc::list(shown))
}

/// `DELETE /checkouts/{id}`, `DELETE /invoices/{id}`.
pub(crate) fn delete(
    world: &mut World,
    merchant: &str,
    kind: Kind,
    id: &str,
) -> Result<(), Refusal> {
    if let Err(refusal) = world.checkout(merchant, kind, id) {
        return world.quirks.absent(refusal);
    }
    world.checkouts_mut(kind).remove(id);
    Ok(())
}

/// `POST /checkouts/{id}/sources/{sourceId}`: answers the source.
pub(crate) fn attach_source(
    world: &mut World,
    merchant: &str,
    kind: Kind,
    id: &str,
    source: &str,
) -> Result<Doc, Refusal> {
    let mut draft = Draft::of(world.checkout(merchant, kind, id)?);
    draft.attach(world, source)?;
    draft.commit(world);
    Ok(show::source(world.source(merchant, source)?, true))
}

/// Attaches a credit whose attach was put off, unless something is in its way by now.
pub(crate) fn land(world: &mut World, kind: Kind, id: &str, source: &str) -> Result<(), Refusal> {
    let found = world.checkouts_mut(kind).get(id).map(Draft::of);
    let mut draft = found.ok_or_else(|| Refusal::not_found("Checkout", id))?;
    draft.attach_now(world, source)?;
    draft.commit(world);
    Ok(())
}

/// `DELETE /checkouts/{id}/sources/{sourceId}`: spends a single-use source.
pub(crate) fn detach_source(
    world: &mut World,
    merchant: &str,
    kind: Kind,
    id: &str,
    source: &str,
) -> Result<(), Refusal> {
    let mut draft = Draft::of(world.checkout(merchant, kind, id)?);
    if draft.checkout.ended() {
        return Err(attach::not_allowed());
    }
    if !draft.checkout.funding.holds(source) {
        return world.quirks.absent(Refusal::not_found("Source", source).about("sourceId"));
    }
    draft.detach(source);
    draft.commit(world);
    Ok(())
}
