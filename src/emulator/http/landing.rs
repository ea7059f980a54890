//! How late credits take effect: as an attach that is made now, of which nobody hears.

use super::calls::Session;
use crate::emulator::{
    carts_api::payment,
    checkouts_api::checkouts,
    model::{Kind, LateCredit, World},
};

/// Counts a call for the late credits of its session; credits that the call itself attaches come
/// after.
pub(crate) fn count(world: &mut World, session: Option<&Session>) {
    if let Some((kind, id)) = session {
        world.late.count(*kind, id);
    }
}

/// Lands every credit for which enough calls have been counted.
pub(crate) fn land_due(world: &mut World) {
    let due = world.late.take_due();
    due.iter().for_each(|late| land(world, late));
}

/// Lands the credit now; returns false if it is not on its way.
pub(crate) fn land_source(world: &mut World, source: &str) -> bool {
    let late = world.late.take_of(source);
    late.iter().for_each(|late| land(world, late));
    !late.is_empty()
}

/// Attaches the credit. What refuses it now is not told to anybody.
fn land(world: &mut World, late: &LateCredit) {
    let _ = match late.kind {
        Kind::Cart => payment::land(world, &late.session, &late.source),
        kind => checkouts::land(world, kind, &late.session, &late.source),
    };
}
