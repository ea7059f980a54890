//! A stand-in for the vendor: both of its APIs, stateful, on loopback, good enough to develop and
//! to test against.
//!
//! In: HTTP requests as the vendor documents them. Out: the vendor's answers, refusals included,
//! and to whoever runs it a view of what happened ([`Emulator::calls`], [`Emulator::session`],
//! [`Emulator::snapshot`]) and the power to make it go wrong ([`Emulator::faults`]). It is an
//! independent account of the vendor, written from its pages: it uses nothing else of this crate,
//! so that pitting Weir against it means something.
//!
//! # A request's way through
//! `serve` (connections) → `exchange` (log, overlap watch, faults) → `router` (keys, paths) → one
//! file per resource, all of them working on one `World` behind one lock → `wire` (JSON, XML,
//! gzip). `control` answers `/_emulator/…`.
//!
//! # Keys and tokens
//! `pk_acme`, `sk_acme`, `rk_acme` (optionally `sk_test_acme`, `sk_live_acme`, and anything after a
//! further underscore) are the public, confidential and restricted keys of the merchant `acme`;
//! every name is a merchant. A public key creates primary sources (`POST /sources`) and reads a
//! source whose `clientSecret` is in the query; a restricted key reads; the rest needs the
//! confidential key. `POST /oauth20/token` gives shoppers of the carts API their tokens.
//!
//! # Magic values
//! A source misbehaves if its `upstreamId` or `owner.lastName` is one of these words, or its card
//! has this number:
//!
//! | word | card number | what happens |
//! |---|---|---|
//! | `redirect` | `4000000000003220` | created `pending_redirect` (flow `redirect`) until authorised |
//! | `funds` | | created `pending_funds` (flow `receiver`) until authorised; every `wireTransfer` is |
//! | `action` | `4000000000003063` | created `requires_action` until authorised |
//! | `failed` | `4000000000000069` | created `failed` |
//! | `declined` | `4000000000000002` | created `chargeable`; its order is refused (`payment_declined`) and nothing changes |
//!
//! `POST /_emulator/sources/{id}/authorize` makes a waiting source chargeable.
//!
//! # Choices where the vendor's pages are silent
//! - A change of items that would leave less than the credits attached is refused
//!   (`session_source_amount_too_large`).
//! - An update, attach or detach after the order is refused (`session_update_not_allowed`); a
//!   second order is refused as `order_submit_failed`.
//! - Attaching what is attached changes nothing and succeeds, unless a rule refuses credit at that
//!   moment.
//! - A cart without sources shows an empty `paymentMethod`; a checkout without any shows an empty
//!   `sources[]`.
//! - `creditAmount` in a call of 2021-03-23 or later is refused (`invalid_parameter`), not ignored.
//! - The customer of a checkout must exist; one that is removed takes its saved sources along.
//! - Lists inside XML are repeated elements: `<supplementaryPaymentMethods>` once per credit.
//! - A mutation that has begun completes even if its caller hangs up.

mod attach;
mod calls;
mod cart_sources;
mod carts;
mod checkouts;
mod control;
mod customers;
mod doc;
mod exchange;
mod faults;
mod funding;
mod gate;
mod items;
mod keys;
mod magic;
mod mint;
mod orders;
mod payment_options;
mod refusal;
mod router;
mod serve;
mod settlement;
mod shoppers;
mod sources;
mod submit;
mod wire;
mod world;
mod xml;

#[cfg(test)]
mod tests;

use std::{
    fmt,
    future::Future,
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response};
use rust_decimal::Decimal;
use tokio::net::TcpListener;

pub use self::{
    calls::Call,
    faults::{Fault, FaultKind, Faults},
    gate::Gate,
};

use self::{calls::Calls, control::Gates, exchange::Outcome, world::World};

/// How an emulator behaves.
#[derive(Clone, Debug)]
pub struct Options {
    /// Makes ids and times reproducible; without one they are random and the machine's.
    pub seed: Option<u64>,
    /// The API version of calls without a `DigitalRiver-Version` header.
    pub version: String,
    /// Sources inside checkouts and orders show `reusable` and `state` too; the vendor's often do
    /// not.
    pub whole_sources: bool,
    /// Compresses answers for callers that accept gzip.
    pub gzip: bool,
    /// Tax on every line, as a fraction of its price: `0.2` is 20 %.
    pub tax_rate: Decimal,
    /// Amounts on carts are JSON strings instead of numbers.
    pub cart_amounts_as_strings: bool,
    /// The merchant of shoppers whose grant names no `client_id`.
    pub default_merchant: String,
    /// How long every mutation takes before it has an effect.
    pub latency: Duration,
    /// Refuses a mutation while another one of the same session is in flight, instead of only
    /// counting it.
    pub refuse_overlaps: bool,
    /// How many calls the log keeps.
    pub call_log: usize,
    /// How long connections may finish what they are doing after shutdown.
    pub drain: Duration,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            seed: None,
            version: "2021-12-13".to_owned(),
            whole_sources: false,
            gzip: true,
            tax_rate: Decimal::ZERO,
            cart_amounts_as_strings: false,
            default_merchant: "acme".to_owned(),
            latency: Duration::ZERO,
            refuse_overlaps: false,
            call_log: 10_000,
            drain: Duration::from_secs(1),
        }
    }
}

/// What a mutation is about, and so what it may not overlap on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A checkout, and the order made from it.
    Checkout,
    /// An invoice.
    Invoice,
    /// A shopper's cart.
    Cart,
    /// A customer, or a shopper's payment options.
    Customer,
}

impl Kind {
    /// The kind in one word of lower case.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Kind::Checkout => "checkout",
            Kind::Invoice => "invoice",
            Kind::Cart => "cart",
            Kind::Customer => "customer",
        }
    }

    fn parse(name: &str) -> Option<Kind> {
        [Kind::Checkout, Kind::Invoice, Kind::Cart, Kind::Customer]
            .into_iter()
            .find(|kind| kind.name() == name)
    }

    fn origin_field(self) -> &'static str {
        match self {
            Kind::Checkout => "checkoutId",
            Kind::Invoice => "invoiceId",
            Kind::Cart => "cartId",
            Kind::Customer => "customerId",
        }
    }
}

/// The version of one call: a date.
struct Version(String);

impl Version {
    /// Before `payment` existed: sources at the top, `creditAmount`.
    fn legacy(&self) -> bool {
        self.0.as_str() < "2021-03-23"
    }
}

/// The vendor, emulated. A clone is the same vendor.
#[derive(Clone)]
pub struct Emulator {
    inner: Arc<Inner>,
}

struct Inner {
    world: Mutex<World>,
    calls: Mutex<Calls>,
    faults: Faults,
    gates: Gates,
}

impl Emulator {
    /// A vendor that has no checkouts, no customers, nothing yet.
    #[must_use]
    pub fn new(options: Options) -> Emulator {
        let calls = Mutex::new(Calls::new(options.call_log));
        let inner = Inner {
            world: Mutex::new(World::new(options)),
            calls,
            faults: Faults::default(),
            gates: Gates::default(),
        };
        Emulator { inner: Arc::new(inner) }
    }

    /// Serves HTTP/1.1 and h2c until `shutdown` completes; calls in progress then have
    /// `Options::drain` to finish.
    ///
    /// # Errors
    /// When the listener fails for good. A connection that fails ends alone.
    pub async fn run(
        self,
        listener: TcpListener,
        shutdown: impl Future<Output = ()>,
    ) -> io::Result<()> {
        serve::run(self, listener, shutdown).await
    }

    /// Answers one request without a socket; `None` where a connection would have been reset.
    /// Faults that only spoil how the answer is sent (cut, stalled, wrong length) do not show
    /// here.
    pub async fn handle(&self, request: Request<Bytes>) -> Option<Response<Bytes>> {
        match exchange::exchange(self, request).await {
            Outcome::Answer(response)
            | Outcome::Cut(response)
            | Outcome::Stall(response)
            | Outcome::Length(response, _) => Some(response),
            Outcome::Reset => None,
        }
    }

    /// The latest `Options::call_log` calls, oldest first; calls to `/_emulator/…` are not among
    /// them.
    #[must_use]
    pub fn calls(&self) -> Vec<Call> {
        self.log().all()
    }

    /// Forgets all calls that have ended, all peaks, and all overlaps.
    pub fn clear_calls(&self) {
        self.log().clear();
    }

    /// How often a mutation of a checkout, invoice or cart began while another one of the same was
    /// in flight.
    #[must_use]
    pub fn overlaps(&self) -> u64 {
        self.log().overlaps()
    }

    /// The most mutations of one session that were in flight at once; an order counts for its
    /// checkout.
    #[must_use]
    pub fn in_flight_peak(&self, kind: Kind, id: &str) -> u64 {
        self.log().peak(&(kind, id.to_owned()))
    }

    /// Everything: `sources`, `checkouts`, `invoices`, `carts`, `customers` (by `merchant/id`),
    /// `orders`, each by id, and `lostCredits[]` (`cartId`, `orderId`, `sourceId`, `amount`).
    /// Amounts are JSON numbers with a decimal point.
    #[must_use]
    pub fn snapshot(&self) -> serde_json::Value {
        self.world().snapshot().to_value()
    }

    /// One checkout, invoice or cart: `total`, `contributed`, `remaining`, `state`, and `sources[]`
    /// in order of attachment (`id`, `type`, `secondary`, `amount`, `reusable`, `state`, and on
    /// carts `willBeLost`).
    #[must_use]
    pub fn session(&self, kind: Kind, id: &str) -> Option<serde_json::Value> {
        self.world().session_doc(kind, id).map(|doc| doc.to_value())
    }

    /// What goes wrong on purpose.
    #[must_use]
    pub fn faults(&self) -> &Faults {
        &self.inner.faults
    }

    /// Does what a shopper does who returns from a redirect, or a bank that has received the money.
    /// False if there is no such source.
    pub fn authorize(&self, source: &str) -> bool {
        sources::authorize(&mut self.world(), source).is_ok()
    }

    /// Makes an access or refresh token invalid from now on; false if it was not valid.
    pub fn expire_token(&self, token: &str) -> bool {
        self.world().shoppers.expire(token)
    }

    /// Back to nothing: state, faults and calls. With a seed, ids start over.
    pub fn reset(&self) {
        let mut world = self.world();
        *world = World::new(world.options.clone());
        self.inner.faults.clear();
        self.log().clear();
    }

    fn world(&self) -> MutexGuard<'_, World> {
        self.inner.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn log(&self) -> MutexGuard<'_, Calls> {
        self.inner.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Emulator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Emulator").finish_non_exhaustive()
    }
}
