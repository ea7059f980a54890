//! How faults are written in JSON; the form is in the documentation of `control`.

use super::{
    faults::{Fault, FaultKind, Faults},
    gate::Gates,
};
use crate::emulator::model::{Doc, Refusal};
use std::time::Duration;

/// The members that every fault may have.
const COMMON: [&str; 5] = ["kind", "method", "path", "nth", "times"];

/// Reads a fault. A member that it does not have, or in another form, is a mistake.
pub(crate) fn read(body: &Doc, gates: &Gates) -> Result<Fault, Refusal> {
    let kind = read_kind(body, gates)?;
    for (member, value) in body.members() {
        if !COMMON.contains(&member.as_str()) && own_member(&kind) != Some(member.as_str()) {
            let known = COMMON.into_iter().chain(own_member(&kind)).collect::<Vec<_>>().join(", ");
            let message = format!("A fault of this kind has no '{member}', only {known}.");
            return Err(Refusal::new(400, "invalid_parameter", message).about(member));
        }
        if matches!(member.as_str(), "method" | "path" | "location" | "gate")
            && value.text().is_none()
        {
            return Err(Refusal::invalid(member));
        }
    }
    let times = number(body, "times", 1)?;
    Ok(Fault {
        method: body.text_of("method").map(str::to_ascii_uppercase),
        path: body.text_of("path").unwrap_or("*").to_owned(),
        skip: u64::from(number(body, "nth", 1)?.max(1) - 1),
        times: (times > 0).then_some(times.into()),
        kind,
    })
}

/// Shows the faults that may still strike.
pub(crate) fn show(faults: &Faults) -> Doc {
    let faults = faults.list();
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

fn read_kind(body: &Doc, gates: &Gates) -> Result<FaultKind, Refusal> {
    let gate = || gates.named(body.text_of("gate").unwrap_or("default"));
    Ok(match body.text_of("kind").ok_or_else(|| Refusal::missing("kind"))? {
        "delay" => FaultKind::Delay(Duration::from_millis(number(body, "ms", 100)?.into())),
        "fail-before" => FaultKind::FailBefore(read_status(body)?),
        "fail-after" => FaultKind::FailAfter(read_status(body)?),
        "reset-before" => FaultKind::ResetBefore,
        "reset-after" => FaultKind::ResetAfter,
        "too-many-requests" => FaultKind::TooManyRequests(number(body, "retryAfter", 1)?.into()),
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
    })
}

/// Returns the member that faults of this kind have beside the common ones.
fn own_member(kind: &FaultKind) -> Option<&'static str> {
    match kind {
        FaultKind::Delay(_) => Some("ms"),
        FaultKind::FailBefore(_) | FaultKind::FailAfter(_) => Some("status"),
        FaultKind::TooManyRequests(_) => Some("retryAfter"),
        FaultKind::Redirect(_) => Some("location"),
        FaultKind::WrongLength(_) => Some("by"),
        FaultKind::HoldBefore(_) | FaultKind::HoldAfter(_) => Some("gate"),
        FaultKind::ResetBefore
        | FaultKind::ResetAfter
        | FaultKind::CutBody
        | FaultKind::StallBody
        | FaultKind::Garbage => None,
    }
}

fn read_status(body: &Doc) -> Result<u16, Refusal> {
    number(body, "status", 500)?
        .try_into()
        .ok()
        .filter(|status| (400..600).contains(status))
        .ok_or_else(|| Refusal::invalid("status"))
}

fn number(body: &Doc, name: &str, default: u32) -> Result<u32, Refusal> {
    body.get(name)
        .map_or(Ok(default), |number| number.count().ok_or_else(|| Refusal::invalid(name)))
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
