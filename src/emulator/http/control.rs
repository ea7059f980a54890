//! `/_emulator/…`: what no vendor offers. It speaks JSON, needs no key, and is not in the log of
//! calls.
//!
//! [`CONTROL_ROUTES`] lists the routes.
//!
//! A fault is `{"kind": …, "method"?, "path"?, "nth"?, "times"?}`; `path` may hold `*` and defaults
//! to all, `nth` counts from 1, `times` defaults to 1 and `0` means for ever. Kinds: `delay`
//! (`ms`), `fail-before`, `fail-after` (`status`), `reset-before`, `reset-after`,
//! `too-many-requests` (`retryAfter`), `cut-body`, `stall-body`, `garbage`, `redirect`
//! (`location`), `wrong-length` (`by`), `hold-before`, `hold-after` (`gate`).

use super::{
    fault_docs, landing,
    reply::Reply,
    request::ParsedRequest,
    snapshot::{session, snapshot},
    vendor::Vendor,
};
use crate::emulator::{
    checkouts_api::{show, sources},
    model::{Doc, Kind, Quirks, Refusal},
};
use bytes::Bytes;
use http::Response;

/// The first segment of control routes.
pub(crate) const PREFIX: &str = "_emulator";

/// A control route, as help and pages describe it.
#[derive(Clone, Copy, Debug)]
pub struct ControlRoute {
    /// Its methods and its path.
    pub form: &'static str,
    /// What it does.
    pub about: &'static str,
}

/// Every control route.
pub const CONTROL_ROUTES: [ControlRoute; 15] = [
    route_words("GET /_emulator/", "Lists these routes."),
    route_words("GET /_emulator/state", "Shows everything, amounts exactly."),
    route_words("GET /_emulator/state/{checkout|invoice|cart}/{id}", "Shows one session."),
    route_words("GET, DELETE /_emulator/calls", "Lists the calls, or forgets them."),
    route_words("GET /_emulator/quirks", "Shows every quirk with its value; false is off."),
    route_words("PUT /_emulator/quirks", "Sets the quirks it names, and turns off all others."),
    route_words("PATCH /_emulator/quirks", "Sets the quirks it names, and leaves all others."),
    route_words("POST /_emulator/faults", "Adds a fault, and answers its number."),
    route_words("GET, DELETE /_emulator/faults", "Lists the faults, or removes them all."),
    route_words("DELETE /_emulator/faults/{number}", "Removes one fault."),
    route_words(
        "POST /_emulator/gates/{name}/{release|open}",
        "Lets one held call go on, or all of them.",
    ),
    route_words(
        "POST /_emulator/sources/{id}/authorize",
        "Makes a waiting source chargeable: the shopper authorises, or the money arrives.",
    ),
    route_words("POST /_emulator/sources/{id}/land", "Lets a late credit take effect."),
    route_words("POST /_emulator/tokens/{token}/expire", "Makes a token invalid."),
    route_words(
        "POST /_emulator/reset",
        "Forgets everything; quirks are those of the start again.",
    ),
];

const fn route_words(form: &'static str, about: &'static str) -> ControlRoute {
    ControlRoute { form, about }
}

/// What a control call answers: a body, or 204.
type Done = Result<Option<Doc>, Refusal>;

/// Answers a control call.
pub(crate) fn answer(vendor: &Vendor, request: &ParsedRequest) -> Response<Bytes> {
    let reply = match route(vendor, request) {
        Ok(Some(doc)) => Reply::new(200, doc),
        Ok(None) => Reply::empty(204),
        Err(refusal) => Reply::new(refusal.status, show::error(&refusal)),
    };
    reply.write(request, false, false)
}

fn route(vendor: &Vendor, request: &ParsedRequest) -> Done {
    let path: Vec<&str> = request.path.iter().skip(1).map(String::as_str).collect();
    match (request.method.as_str(), path.as_slice()) {
        ("GET", []) => Ok(Some(routes())),
        ("GET", ["state"]) => Ok(Some(snapshot(&vendor.world()))),
        ("GET", ["state", kind, id]) => {
            let found = Kind::parse(kind).and_then(|kind| session(&vendor.world(), kind, id));
            found.map(Some).ok_or_else(|| Refusal::not_found("Session", id))
        }
        ("GET", ["calls"]) => Ok(Some(vendor.calls().to_doc())),
        ("DELETE", ["calls"]) => {
            vendor.calls().clear();
            Ok(None)
        }
        (_, ["quirks"]) => route_quirks(vendor, request),
        (_, ["faults", rest @ ..]) => route_faults(vendor, request, rest),
        ("POST", ["gates", name, "release"]) => {
            vendor.gates.named(name).release();
            Ok(None)
        }
        ("POST", ["gates", name, "open"]) => {
            vendor.gates.named(name).open();
            Ok(None)
        }
        ("POST", ["sources", id, "authorize"]) => {
            sources::authorize(&mut vendor.world(), id).map(Some)
        }
        ("POST", ["sources", id, "land"]) => {
            let landed = landing::land_source(&mut vendor.world(), id);
            landed.then_some(None).ok_or_else(|| Refusal::not_found("Late credit", id))
        }
        ("POST", ["tokens", token, "expire"]) => {
            let expired = vendor.world().shoppers.expire(token);
            expired.then_some(None).ok_or_else(|| Refusal::not_found("Token", token))
        }
        ("POST", ["reset"]) => {
            vendor.reset();
            Ok(None)
        }
        _ => Err(unknown_route()),
    }
}

/// Shows every control route.
fn routes() -> Doc {
    let routes = CONTROL_ROUTES
        .iter()
        .map(|route| Doc::object().with("route", route.form).with("about", route.about));
    Doc::object().with("routes", Doc::list(routes))
}

/// Answers a call about quirks: what is wrong with one changes none.
fn route_quirks(vendor: &Vendor, request: &ParsedRequest) -> Done {
    let mut world = vendor.world();
    match request.method.as_str() {
        "GET" => {}
        "PUT" => world.quirks = Quirks::default().read(&request.body()?)?,
        "PATCH" => world.quirks = world.quirks.read(&request.body()?)?,
        _ => return Err(unknown_route()),
    }
    Ok(Some(world.quirks.to_doc()))
}

/// Answers a call about faults; `path` follows `faults`.
fn route_faults(vendor: &Vendor, request: &ParsedRequest, path: &[&str]) -> Done {
    match (request.method.as_str(), path) {
        ("POST", []) => {
            let number = vendor.faults.add(fault_docs::read(&request.body()?, &vendor.gates)?);
            Ok(Some(Doc::object().with("number", number)))
        }
        ("GET", []) => Ok(Some(fault_docs::show(&vendor.faults))),
        ("DELETE", []) => {
            vendor.faults.clear();
            Ok(None)
        }
        ("DELETE", [number]) => {
            let removed = number.parse().is_ok_and(|number| vendor.faults.remove(number));
            removed.then_some(None).ok_or_else(|| Refusal::not_found("Fault", number))
        }
        _ => Err(unknown_route()),
    }
}

fn unknown_route() -> Refusal {
    Refusal::new(404, "not_found", "There is no such control route.")
}
