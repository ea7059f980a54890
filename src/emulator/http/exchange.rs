//! One request from arrival to answer: logged, watched for overlap, struck by faults, and in
//! between applied.
//!
//! In: a whole request. Out: an [`Outcome`], which says what the connection does. Waiting (faults,
//! latency) happens outside the world's lock; the call itself is one step under the lock.

use super::{
    calls::{Refused, Session},
    control,
    faults::FaultKind,
    landing,
    reply::Reply,
    request::ParsedRequest,
    router,
    vendor::Vendor,
};
use crate::emulator::{carts_api, checkouts_api, model::Refusal};
use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, header};
use tokio::time::sleep;

/// What the connection does with an answer.
#[derive(Debug)]
pub(crate) enum Outcome {
    Answer(Response<Bytes>),
    /// Sends half, then closes.
    Cut(Response<Bytes>),
    /// Sends half, then nothing more.
    Stall(Response<Bytes>),
    /// Sends it with a length that is off by so much.
    Length(Response<Bytes>, i64),
    Reset,
}

impl Outcome {
    /// Returns the answer, as far as there is one.
    pub(crate) fn response(self) -> Option<Response<Bytes>> {
        match self {
            Self::Answer(response)
            | Self::Cut(response)
            | Self::Stall(response)
            | Self::Length(response, _) => Some(response),
            Self::Reset => None,
        }
    }

    fn status(&self) -> Option<u16> {
        match self {
            Self::Answer(response)
            | Self::Cut(response)
            | Self::Stall(response)
            | Self::Length(response, _) => Some(response.status().as_u16()),
            Self::Reset => None,
        }
    }
}

/// Answers one request.
pub(crate) async fn exchange(vendor: &Vendor, request: Request<Bytes>) -> Outcome {
    let mut request = ParsedRequest::read(request);
    if request.segment(0) == control::PREFIX {
        return Outcome::Answer(control::answer(vendor, &request));
    }
    if vendor.world().quirks.jsonp {
        request.read_jsonp();
    }
    let session = router::session_of(&mut vendor.world(), &request);
    let mutation = request.mutation();
    let (number, overlap) =
        vendor.calls().begin(request.method.as_str(), &request.target, session.clone(), mutation);
    let changed = session.clone().filter(|_| mutation);
    let flight = Flight { vendor, number, session: changed, ended: false };
    let arrival = Arrival { number, overlap, session };
    let (outcome, refused) = process(vendor, &request, &arrival).await;
    flight.land(&outcome, refused);
    outcome
}

/// What the log noted of a call as it came.
struct Arrival {
    number: u64,
    overlap: bool,
    /// What the call is about, reads included.
    session: Option<Session>,
}

/// A call in progress. If it is dropped unfinished (its task was aborted), it still leaves the
/// count of mutations in flight.
struct Flight<'a> {
    vendor: &'a Vendor,
    number: u64,
    session: Option<Session>,
    ended: bool,
}

impl Flight<'_> {
    fn land(mut self, outcome: &Outcome, refused: Option<Refused>) {
        self.ended = true;
        self.vendor.calls().end(self.number, self.session.take(), outcome.status(), refused);
    }
}

impl Drop for Flight<'_> {
    fn drop(&mut self) {
        if !self.ended {
            self.vendor.calls().end(self.number, self.session.take(), None, None);
        }
    }
}

/// Applies the call, with the faults that strike it.
async fn process(
    vendor: &Vendor,
    request: &ParsedRequest,
    arrival: &Arrival,
) -> (Outcome, Option<Refused>) {
    let faults = vendor.faults.strike(request.method.as_str(), request.raw_path());
    for fault in &faults {
        if let Some(outcome) = strike_before(request, fault).await {
            return (outcome, None);
        }
    }
    let (latency, refuse, failing) = {
        let mut world = vendor.world();
        let failing = if request.is_read() { world.quirks.fail_a_read() } else { None };
        (world.options.latency, world.options.refuse_overlaps, failing)
    };
    if let Some(status) = failing {
        let retry_after = (status == 429).then_some(1);
        return (Outcome::Answer(failure(request, status, retry_after)), None);
    }
    if request.mutation() && !latency.is_zero() {
        sleep(latency).await;
    }
    let (response, refused) = if arrival.overlap && refuse {
        refuse_overlap(request)
    } else {
        vendor.calls().applied(arrival.number);
        apply(vendor, request, arrival.session.as_ref())
    };
    let mut outcome = Outcome::Answer(response);
    for fault in &faults {
        outcome = strike_after(request, fault, outcome).await;
    }
    (outcome, refused)
}

/// Makes the call, and then attaches the late credits for which it was the last to wait.
fn apply(
    vendor: &Vendor,
    request: &ParsedRequest,
    session: Option<&Session>,
) -> (Response<Bytes>, Option<Refused>) {
    let mut world = vendor.world();
    let gzip = world.options.gzip;
    landing::count(&mut world, session);
    let answer = router::route(&mut world, request);
    landing::land_due(&mut world);
    match answer {
        Ok(reply) => (reply.write(request, request.speaks_xml(), gzip), None),
        Err(refusal) => refuse(request, refusal, gzip),
    }
}

fn refuse(
    request: &ParsedRequest,
    refusal: Refusal,
    gzip: bool,
) -> (Response<Bytes>, Option<Refused>) {
    let mut reply = error_reply(request, &refusal);
    if refusal.status == 401 {
        reply = reply.with(header::WWW_AUTHENTICATE, "Bearer");
    }
    let response = reply.write(request, request.speaks_xml(), gzip);
    let subcode = refusal.detail.filter(|_| request.is_carts());
    (response, Some(Refused { code: refusal.code, subcode }))
}

fn refuse_overlap(request: &ParsedRequest) -> (Response<Bytes>, Option<Refused>) {
    let code = if request.is_carts() {
        "concurrent-cart-modification-failure"
    } else {
        "concurrent_modification"
    };
    let text = "Another change of this resource is in progress.";
    refuse(request, Refusal::conflict(code, text), false)
}

/// Does what a fault does instead of the call, or makes the call wait.
async fn strike_before(request: &ParsedRequest, fault: &FaultKind) -> Option<Outcome> {
    let response = match fault {
        FaultKind::Delay(time) => {
            sleep(*time).await;
            return None;
        }
        FaultKind::HoldBefore(gate) => {
            gate.pass().await;
            return None;
        }
        FaultKind::FailBefore(status) => failure(request, *status, None),
        FaultKind::TooManyRequests(seconds) => failure(request, 429, Some(*seconds)),
        FaultKind::ResetBefore => return Some(Outcome::Reset),
        FaultKind::Redirect(place) => {
            Reply::empty(302).with(header::LOCATION, place).write(request, false, false)
        }
        _ => return None,
    };
    Some(Outcome::Answer(response))
}

/// Spoils the answer of a call that took effect.
async fn strike_after(request: &ParsedRequest, fault: &FaultKind, outcome: Outcome) -> Outcome {
    match (fault, outcome) {
        (FaultKind::HoldAfter(gate), outcome) => {
            gate.pass().await;
            outcome
        }
        (FaultKind::FailAfter(status), _) => Outcome::Answer(failure(request, *status, None)),
        (FaultKind::ResetAfter, _) => Outcome::Reset,
        (FaultKind::Garbage, _) => Outcome::Answer(garbage()),
        (FaultKind::CutBody, Outcome::Answer(response)) => Outcome::Cut(response),
        (FaultKind::StallBody, Outcome::Answer(response)) => Outcome::Stall(response),
        (FaultKind::WrongLength(by), Outcome::Answer(response)) => Outcome::Length(response, *by),
        (_, outcome) => outcome,
    }
}

/// Makes a failure of the vendor itself, in its error form.
fn failure(request: &ParsedRequest, status: u16, retry_after: Option<u64>) -> Response<Bytes> {
    let code = match status {
        429 => "too_many_requests",
        502 => "bad_gateway",
        503 => "service_unavailable",
        504 => "gateway_timeout",
        _ => "internal_server_error",
    };
    let refusal = Refusal::new(status, code, "The request could not be processed.");
    let mut reply = error_reply(request, &refusal);
    if let Some(seconds) = retry_after {
        reply = reply.with(header::RETRY_AFTER, seconds.to_string());
    }
    reply.write(request, request.speaks_xml(), false)
}

/// Writes a refusal in the error form of the API that was called.
fn error_reply(request: &ParsedRequest, refusal: &Refusal) -> Reply {
    let doc = if request.is_carts() {
        carts_api::show::error(refusal)
    } else {
        checkouts_api::show::error(refusal)
    };
    Reply::new(refusal.status, doc)
}

fn garbage() -> Response<Bytes> {
    let mut response = Response::new(Bytes::from_static(b"<html><body>It works!</body>\x00\xff"));
    *response.status_mut() = StatusCode::OK;
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
