//! One request from arrival to answer: logged, watched for overlap, struck by faults, and in
//! between applied.
//!
//! In: a whole request. Out: an [`Outcome`], which says what the connection should do. Waiting
//! (faults, latency) happens outside the world's lock; the call itself is one step under it.

use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, header};
use tokio::time::sleep;

use super::{
    Emulator, Kind, control,
    faults::FaultKind,
    refusal::Refusal,
    router,
    wire::{Ask, Reply},
};

/// What to do with the connection.
#[derive(Debug)]
pub(super) enum Outcome {
    Answer(Response<Bytes>),
    /// Send half, then close.
    Cut(Response<Bytes>),
    /// Send half, then nothing.
    Stall(Response<Bytes>),
    /// Send it with a length that is off by so much.
    Length(Response<Bytes>, i64),
    Reset,
}

impl Outcome {
    fn status(&self) -> Option<u16> {
        match self {
            Outcome::Answer(response)
            | Outcome::Cut(response)
            | Outcome::Stall(response)
            | Outcome::Length(response, _) => Some(response.status().as_u16()),
            Outcome::Reset => None,
        }
    }
}

type Session = Option<(Kind, String)>;
type Refused = Option<(String, Option<String>)>;

pub(super) async fn exchange(emulator: &Emulator, request: Request<Bytes>) -> Outcome {
    let ask = Ask::read(request);
    if ask.path.first().is_some_and(|word| word == control::PREFIX) {
        return Outcome::Answer(control::answer(emulator, &ask));
    }
    let session = router::session_of(&mut emulator.world(), &ask);
    let mutation = ask.mutation();
    let (number, overlap) =
        emulator.log().begin(ask.method.as_str(), &ask.target, session.clone(), mutation);
    let flight = Flight { emulator, number, session: session.filter(|_| mutation), ended: false };
    let (outcome, refused) = process(emulator, &ask, number, overlap).await;
    flight.land(&outcome, refused);
    outcome
}

/// A call in progress; dropped unfinished (its task was aborted), it still gives up its place.
struct Flight<'a> {
    emulator: &'a Emulator,
    number: u64,
    session: Session,
    ended: bool,
}

impl Flight<'_> {
    fn land(mut self, outcome: &Outcome, refused: Refused) {
        self.ended = true;
        self.emulator.log().end(self.number, self.session.take(), outcome.status(), refused);
    }
}

impl Drop for Flight<'_> {
    fn drop(&mut self) {
        if !self.ended {
            self.emulator.log().end(self.number, self.session.take(), None, None);
        }
    }
}

async fn process(emulator: &Emulator, ask: &Ask, number: u64, overlap: bool) -> (Outcome, Refused) {
    let path = ask.target.split('?').next().unwrap_or_default();
    let faults = emulator.faults().strike(ask.method.as_str(), path);
    for fault in &faults {
        if let Some(outcome) = before(ask, fault).await {
            return (outcome, None);
        }
    }
    let (latency, refuse) = {
        let world = emulator.world();
        (world.options.latency, world.options.refuse_overlaps)
    };
    if ask.mutation() && !latency.is_zero() {
        sleep(latency).await;
    }
    let (response, refused) = if overlap && refuse {
        refuse_overlap(ask)
    } else {
        emulator.log().applied(number);
        apply(emulator, ask)
    };
    let mut outcome = Outcome::Answer(response);
    for fault in &faults {
        outcome = after(ask, fault, outcome).await;
    }
    (outcome, refused)
}

fn apply(emulator: &Emulator, ask: &Ask) -> (Response<Bytes>, Refused) {
    let mut world = emulator.world();
    let gzip = world.options.gzip;
    match router::route(&mut world, ask) {
        Ok(reply) => (reply.write(ask, speaks_xml(ask), gzip), None),
        Err(refusal) => refuse(ask, &refusal, gzip),
    }
}

fn refuse(ask: &Ask, refusal: &Refusal, gzip: bool) -> (Response<Bytes>, Refused) {
    let carts = router::is_carts(ask);
    let mut reply =
        Reply::new(refusal.status, if carts { refusal.as_carts() } else { refusal.as_checkouts() });
    if refusal.status == 401 {
        reply = reply.with(header::WWW_AUTHENTICATE, "Bearer");
    }
    let subcode = refusal.detail.clone().filter(|_| carts);
    (reply.write(ask, speaks_xml(ask), gzip), Some((refusal.code.to_owned(), subcode)))
}

fn refuse_overlap(ask: &Ask) -> (Response<Bytes>, Refused) {
    let code = if router::is_carts(ask) {
        "concurrent-cart-modification-failure"
    } else {
        "concurrent_modification"
    };
    refuse(ask, &Refusal::conflict(code, "Another change of this resource is in progress."), false)
}

async fn before(ask: &Ask, fault: &FaultKind) -> Option<Outcome> {
    match fault {
        FaultKind::Delay(time) => sleep(*time).await,
        FaultKind::HoldBefore(gate) => gate.pass().await,
        FaultKind::FailBefore(status) => return Some(Outcome::Answer(failure(ask, *status, None))),
        FaultKind::TooManyRequests(seconds) => {
            return Some(Outcome::Answer(failure(ask, 429, Some(*seconds))));
        }
        FaultKind::ResetBefore => return Some(Outcome::Reset),
        FaultKind::Redirect(place) => {
            let reply =
                Reply { status: 302, doc: None, headers: vec![(header::LOCATION, place.clone())] };
            return Some(Outcome::Answer(reply.write(ask, false, false)));
        }
        _ => {}
    }
    None
}

async fn after(ask: &Ask, fault: &FaultKind, outcome: Outcome) -> Outcome {
    match (fault, outcome) {
        (FaultKind::HoldAfter(gate), outcome) => {
            gate.pass().await;
            outcome
        }
        (FaultKind::FailAfter(status), _) => Outcome::Answer(failure(ask, *status, None)),
        (FaultKind::ResetAfter, _) => Outcome::Reset,
        (FaultKind::Garbage, _) => Outcome::Answer(garbage()),
        (FaultKind::CutBody, Outcome::Answer(response)) => Outcome::Cut(response),
        (FaultKind::StallBody, Outcome::Answer(response)) => Outcome::Stall(response),
        (FaultKind::WrongLength(by), Outcome::Answer(response)) => Outcome::Length(response, *by),
        (_, outcome) => outcome,
    }
}

/// A failure of the vendor's own, in its error form.
fn failure(ask: &Ask, status: u16, retry_after: Option<u64>) -> Response<Bytes> {
    let code = match status {
        429 => "too_many_requests",
        502 => "bad_gateway",
        503 => "service_unavailable",
        504 => "gateway_timeout",
        _ => "internal_server_error",
    };
    let refusal = Refusal::new(status, code, "The request could not be processed.");
    let mut reply = Reply::new(
        status,
        if router::is_carts(ask) { refusal.as_carts() } else { refusal.as_checkouts() },
    );
    if let Some(seconds) = retry_after {
        reply = reply.with(header::RETRY_AFTER, seconds.to_string());
    }
    reply.write(ask, speaks_xml(ask), false)
}

fn garbage() -> Response<Bytes> {
    let mut response = Response::new(Bytes::from_static(b"<html><body>It works!</body>\x00\xff"));
    *response.status_mut() = StatusCode::OK;
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// The carts API speaks XML unless asked for JSON; its tokens are always JSON.
fn speaks_xml(ask: &Ask) -> bool {
    ask.path.first().is_some_and(|word| word.eq_ignore_ascii_case("v1")) && !ask.wants_json()
}
