//! `/_emulator/…`: what no vendor offers. It speaks JSON, needs no key, and is not in the log of
//! calls.
//!
//! | route | does |
//! |---|---|
//! | `GET /_emulator/state` | everything (`Emulator::snapshot`) |
//! | `GET /_emulator/state/{checkout\|invoice\|cart}/{id}` | one session |
//! | `GET`, `DELETE /_emulator/calls` | the log; forgets it |
//! | `POST /_emulator/faults` | adds a fault, answers its `number` |
//! | `GET`, `DELETE /_emulator/faults` | lists; clears |
//! | `DELETE /_emulator/faults/{number}` | removes one |
//! | `POST /_emulator/gates/{name}/release`, `…/open` | lets one held call go on; lets all go on |
//! | `POST /_emulator/sources/{id}/authorize` | the shopper authorises, or the money arrives |
//! | `POST /_emulator/tokens/{token}/expire` | the token is no longer valid |
//! | `POST /_emulator/reset` | back to nothing |
//!
//! A fault is `{"kind": …, "method"?, "path"?, "nth"?, "times"?}`; `path` may hold `*` and defaults
//! to all, `nth` counts from 1, `times` defaults to 1 and `0` means for ever. Kinds: `delay`
//! (`ms`), `fail-before`, `fail-after` (`status`), `reset-before`, `reset-after`,
//! `too-many-requests` (`retryAfter`), `cut-body`, `stall-body`, `garbage`, `redirect`
//! (`location`), `wrong-length` (`by`), `hold-before`, `hold-after` (`gate`).

use super::{
    fault_docs,
    reply::Reply,
    request::ParsedRequest,
    snapshot::{session, snapshot},
    vendor::Vendor,
};
use crate::emulator::{
    checkouts_api::{show, sources},
    model::{Doc, Kind, Refusal},
};
use bytes::Bytes;
use http::Response;

/// The first segment of control routes.
pub(crate) const PREFIX: &str = "_emulator";

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
