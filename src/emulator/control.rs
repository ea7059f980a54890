//! `/_emulator/…`: what no vendor offers. Always JSON, no key needed, never in the log of calls.
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

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use http::Response;

use super::{
    Emulator, Kind,
    doc::Doc,
    faults::{Fault, FaultKind},
    gate::Gate,
    refusal::Refusal,
    sources,
    wire::{Ask, Reply},
};

/// The first segment of control routes.
pub(super) const PREFIX: &str = "_emulator";

/// Gates by name, for faults that come over HTTP.
#[derive(Default)]
pub(super) struct Gates(Mutex<BTreeMap<String, Gate>>);

impl Gates {
    fn named(&self, name: &str) -> Gate {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .entry(name.to_owned())
            .or_default()
            .clone()
    }
}

pub(super) fn answer(emulator: &Emulator, ask: &Ask) -> Response<Bytes> {
    let reply = match route(emulator, ask) {
        Ok(Some(doc)) => Reply::new(200, doc),
        Ok(None) => Reply::empty(),
        Err(refusal) => Reply::new(refusal.status, refusal.as_checkouts()),
    };
    reply.write(ask, false, false)
}

fn route(emulator: &Emulator, ask: &Ask) -> Result<Option<Doc>, Refusal> {
    let path: Vec<&str> = ask.path.iter().skip(1).map(String::as_str).collect();
    let none = |what: &str, id: &str| Refusal::not_found(what, id);
    match (ask.method.as_str(), path.as_slice()) {
        ("GET", ["state"]) => Ok(Some(emulator.world().snapshot())),
        ("GET", ["state", kind, id]) => {
            let found = Kind::parse(kind).and_then(|kind| emulator.world().session_doc(kind, id));
            found.map(Some).ok_or_else(|| none("Session", id))
        }
        ("GET", ["calls"]) => Ok(Some(
            Doc::object()
                .with("overlaps", emulator.overlaps())
                .with("calls", Doc::list(emulator.calls().iter().map(|call| call.to_doc()))),
        )),
        ("DELETE", ["calls"]) => {
            emulator.clear_calls();
            Ok(None)
        }
        ("POST", ["faults"]) => {
            let number = emulator.faults().add(fault(emulator, &ask.body()?)?);
            Ok(Some(Doc::object().with("number", number)))
        }
        ("GET", ["faults"]) => Ok(Some(listed(emulator))),
        ("DELETE", ["faults"]) => {
            emulator.faults().clear();
            Ok(None)
        }
        ("DELETE", ["faults", number]) => {
            let removed = number.parse().is_ok_and(|number| emulator.faults().remove(number));
            removed.then_some(None).ok_or_else(|| none("Fault", number))
        }
        ("POST", ["gates", name, "release"]) => {
            emulator.inner.gates.named(name).release();
            Ok(None)
        }
        ("POST", ["gates", name, "open"]) => {
            emulator.inner.gates.named(name).open();
            Ok(None)
        }
        ("POST", ["sources", id, "authorize"]) => {
            sources::authorize(&mut emulator.world(), id).map(Some)
        }
        ("POST", ["tokens", token, "expire"]) => {
            emulator.expire_token(token).then_some(None).ok_or_else(|| none("Token", token))
        }
        ("POST", ["reset"]) => {
            emulator.reset();
            Ok(None)
        }
        _ => Err(Refusal::new(404, "not_found", "There is no such control route.")),
    }
}

fn listed(emulator: &Emulator) -> Doc {
    let faults = emulator.faults().list();
    let shown = faults.iter().map(|(number, fault, seen)| {
        Doc::object()
            .with("number", *number)
            .with_some("method", fault.method.as_deref())
            .with("path", &fault.path)
            .with("nth", fault.skip + 1)
            .with("times", fault.times.unwrap_or_default())
            .with("kind", name(&fault.kind))
            .with("matched", *seen)
    });
    Doc::object().with("faults", Doc::list(shown))
}

fn fault(emulator: &Emulator, body: &Doc) -> Result<Fault, Refusal> {
    let number = |name: &str, default: u32| {
        body.get(name)
            .map_or(Ok(default), |told| told.count().ok_or_else(|| Refusal::invalid(name)))
    };
    let status = || {
        number("status", 500)?
            .try_into()
            .ok()
            .filter(|status| (400..600).contains(status))
            .ok_or_else(|| Refusal::invalid("status"))
    };
    let gate = || emulator.inner.gates.named(body.text_of("gate").unwrap_or("default"));
    let kind = match body.text_of("kind").ok_or_else(|| Refusal::missing("kind"))? {
        "delay" => FaultKind::Delay(Duration::from_millis(number("ms", 100)?.into())),
        "fail-before" => FaultKind::FailBefore(status()?),
        "fail-after" => FaultKind::FailAfter(status()?),
        "reset-before" => FaultKind::ResetBefore,
        "reset-after" => FaultKind::ResetAfter,
        "too-many-requests" => FaultKind::TooManyRequests(number("retryAfter", 1)?.into()),
        "cut-body" => FaultKind::CutBody,
        "stall-body" => FaultKind::StallBody,
        "garbage" => FaultKind::Garbage,
        "redirect" => {
            FaultKind::Redirect(body.text_of("location").unwrap_or("/elsewhere").to_owned())
        }
        "wrong-length" => {
            let by = body.get("by").map_or(Some(10), |by| by.text()?.parse().ok());
            FaultKind::WrongLength(by.ok_or_else(|| Refusal::invalid("by"))?)
        }
        "hold-before" => FaultKind::HoldBefore(gate()),
        "hold-after" => FaultKind::HoldAfter(gate()),
        _ => return Err(Refusal::invalid("kind")),
    };
    let times = number("times", 1)?;
    Ok(Fault {
        method: body.text_of("method").map(str::to_ascii_uppercase),
        path: body.text_of("path").unwrap_or("*").to_owned(),
        skip: u64::from(number("nth", 1)?.max(1) - 1),
        times: (times > 0).then_some(times.into()),
        kind,
    })
}

fn name(kind: &FaultKind) -> &'static str {
    match kind {
        FaultKind::Delay(_) => "delay",
        FaultKind::FailBefore(_) => "fail-before",
        FaultKind::FailAfter(_) => "fail-after",
        FaultKind::ResetBefore => "reset-before",
        FaultKind::ResetAfter => "reset-after",
        FaultKind::TooManyRequests(_) => "too-many-requests",
        FaultKind::CutBody => "cut-body",
        FaultKind::StallBody => "stall-body",
        FaultKind::Garbage => "garbage",
        FaultKind::Redirect(_) => "redirect",
        FaultKind::WrongLength(_) => "wrong-length",
        FaultKind::HoldBefore(_) => "hold-before",
        FaultKind::HoldAfter(_) => "hold-after",
    }
}
