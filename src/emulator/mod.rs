//! A stand-in for the vendor: both of its APIs, stateful, on loopback, good enough to develop and
//! to test against.
//!
//! In: HTTP requests as the vendor documents them. Out: the vendor's answers, refusals included. A
//! test can also look at what happened ([`Emulator::calls`], [`Emulator::session`],
//! [`Emulator::snapshot`]) and make calls go wrong ([`Emulator::faults`]). The emulator is an
//! independent account of the vendor, written from its pages. It uses nothing else of this crate,
//! because a test of Weir against Weir's own rules would prove nothing.
//!
//! # The folders
//! `http` reads a request and dispatches it to `checkouts_api` or `carts_api`, which change the
//! `model`: plain data in one `World` behind one lock. `model` uses none of the others, and the
//! APIs use only `model`.
//!
//! # Keys and tokens
//! `pk_acme`, `sk_acme`, `rk_acme` (optionally `sk_test_acme`, `sk_live_acme`, and anything after a
//! further underscore) are the public, confidential and restricted keys of the merchant `acme`;
//! every name is a merchant. A public key creates primary sources (`POST /sources`) and reads a
//! source whose `clientSecret` is in the query; a restricted key reads; the rest needs the
//! confidential key. `POST /oauth20/token` gives shoppers of the carts API their tokens.
//!
//! # Magic values
//! A source misbehaves if its `upstreamId` or `owner.lastName` is one of these words, or if its
//! card has this number:
//!
//! | word | card number | created as |
//! |---|---|---|
//! | `redirect` | `4000000000003220` | `pending_redirect` (flow `redirect`) |
//! | `funds` | | `pending_funds` (flow `receiver`), as every `wireTransfer` is |
//! | `action` | `4000000000003063` | `requires_action` |
//! | `failed` | `4000000000000069` | `failed` |
//! | `declined` | `4000000000000002` | `chargeable`; its order is refused (`payment_declined`) |
//!
//! `POST /_emulator/sources/{id}/authorize` makes a waiting source chargeable.
//!
//! # Quirks
//! The vendor is as its pages say, unless it is told to be odd ([`Quirks`]): by a flag, by
//! `/_emulator/quirks`, or by [`Emulator::set_quirks`]. `docs/emulator.md` lists the quirks.
//!
//! # Choices where the vendor's pages are silent
//! - A change of items that would leave less than the credits attached is refused
//!   (`session_source_amount_too_large`).
//! - An update, attach or detach after the order is refused (`session_update_not_allowed`); a
//!   second order is refused as `order_submit_failed`.
//! - Attaching a source that is attached changes nothing and succeeds, unless a rule refuses credit
//!   at that moment.
//! - A cart without sources shows an empty `paymentMethod`; a checkout without any shows an empty
//!   `sources[]`.
//! - `creditAmount` in a call of 2021-03-23 or later is refused (`invalid_parameter`), not ignored.
//! - The customer of a checkout must exist. Deleting a customer spends its saved sources, and so
//!   does a customer's request to be forgotten. Orders for a disabled customer are refused
//!   (`invalid_parameter`).
//! - Opening an invoice that is not funded is refused as an order would be. Voiding one releases
//!   its sources as a detach does.
//! - `resume-cart` does and answers what `submit-cart` does. `web-checkout` answers the cart.
//! - Lists hold everything of the merchant on one page, whatever the query asks for.
//! - `POST /orders` without `checkoutId` needs `currency` and `items`, as a checkout does.
//! - Lists inside XML are repeated elements: `<supplementaryPaymentMethods>` once per credit.
//! - A mutation that has begun completes even if its caller hangs up.

mod carts_api;
mod checkouts_api;
mod http;
mod model;

#[cfg(test)]
mod tests;

pub use self::{
    http::{CONTROL_ROUTES, Call, ControlRoute, Fault, FaultKind, Faults, Gate},
    model::{Denial, FailingReads, Kind, Landing, Options, QuirkWords, Quirks},
};

use self::{
    checkouts_api::sources,
    http::{exchange::exchange, landing, serve, snapshot, vendor::Vendor},
};
use ::http::{Request, Response};
use bytes::Bytes;
use std::{fmt, future::Future, io, sync::Arc};
use tokio::net::TcpListener;

/// The vendor, emulated. A clone is the same vendor.
#[derive(Clone)]
pub struct Emulator {
    vendor: Arc<Vendor>,
}

impl Emulator {
    /// Makes a vendor that has no checkouts, no customers, nothing yet.
    #[must_use]
    pub fn new(options: Options) -> Self {
        Self { vendor: Arc::new(Vendor::new(options)) }
    }

    /// Serves HTTP/1.1 and h2c until `shutdown` completes; calls in progress then have
    /// `Options::drain` to finish.
    ///
    /// # Errors
    /// None at present: a connection that fails ends alone, and a failed accept is tried again.
    pub async fn run(
        self,
        listener: TcpListener,
        shutdown: impl Future<Output = ()>,
    ) -> io::Result<()> {
        serve::run(self.vendor, listener, shutdown).await
    }

    /// Answers one request without a socket; returns `None` where a connection would have been
    /// reset. Faults that only spoil how the answer is sent (cut, stalled, wrong length) have no
    /// effect here.
    pub async fn handle(&self, request: Request<Bytes>) -> Option<Response<Bytes>> {
        exchange(&self.vendor, request).await.response()
    }

    /// Returns the latest `Options::call_log` calls, oldest first, without calls to `/_emulator/…`.
    #[must_use]
    pub fn calls(&self) -> Vec<Call> {
        self.vendor.calls().all()
    }

    /// Forgets all calls that have ended, all peaks, and all overlaps.
    pub fn clear_calls(&self) {
        self.vendor.calls().clear();
    }

    /// Returns how often a mutation of a checkout, invoice or cart began while another one of the
    /// same was in flight.
    #[must_use]
    pub fn overlaps(&self) -> u64 {
        self.vendor.calls().overlaps()
    }

    /// Returns the most mutations of one session that were in flight at once; an order counts for
    /// its checkout.
    #[must_use]
    pub fn in_flight_peak(&self, kind: Kind, id: &str) -> u64 {
        self.vendor.calls().peak(&(kind, id.to_owned()))
    }

    /// Returns the whole state: `sources`, `checkouts`, `invoices`, `carts`, `customers` (by
    /// `merchant/id`), `orders`, each by id, and `lostCredits[]` (`cartId`, `orderId`, `sourceId`,
    /// `amount`). Amounts are JSON numbers with a decimal point.
    #[must_use]
    pub fn snapshot(&self) -> serde_json::Value {
        snapshot::snapshot(&self.vendor.world()).to_value()
    }

    /// Returns one checkout, invoice or cart: `total`, `contributed`, `remaining`, `state`, and
    /// `sources[]` in order of attachment (`id`, `type`, `secondary`, `amount`, `reusable`,
    /// `state`, and `willBeLost`, which is true only on carts).
    #[must_use]
    pub fn session(&self, kind: Kind, id: &str) -> Option<serde_json::Value> {
        snapshot::session(&self.vendor.world(), kind, id).map(|doc| doc.to_value())
    }

    /// Returns what goes wrong on purpose.
    #[must_use]
    pub fn faults(&self) -> &Faults {
        &self.vendor.faults
    }

    /// Returns in what the vendor is odd.
    #[must_use]
    pub fn quirks(&self) -> Quirks {
        self.vendor.world().quirks
    }

    /// Makes the vendor odd in these things from now on, and in nothing else.
    pub fn set_quirks(&self, quirks: Quirks) {
        self.vendor.world().quirks = quirks;
    }

    /// Lets a late credit take effect; returns false if it is not on its way.
    pub fn land(&self, source: &str) -> bool {
        landing::land_source(&mut self.vendor.world(), source)
    }

    /// Makes a waiting source chargeable: the shopper returns from a redirect, or the bank has
    /// received the money. Returns false if there is no such source.
    pub fn authorize(&self, source: &str) -> bool {
        sources::authorize(&mut self.vendor.world(), source).is_ok()
    }

    /// Makes an access or refresh token invalid from now on; returns false if it was not valid.
    pub fn expire_token(&self, token: &str) -> bool {
        self.vendor.world().shoppers.expire(token)
    }

    /// Forgets all state, faults and calls; quirks are those of the options again. With a seed, ids
    /// start over.
    pub fn reset(&self) {
        self.vendor.reset();
    }
}

impl fmt::Debug for Emulator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Emulator").finish_non_exhaustive()
    }
}
