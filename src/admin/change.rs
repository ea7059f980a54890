//! Changes what an operator may change while Weir runs: the level of the log, whether `/ready`
//! takes new calls, a rule for a while. Every change needs the token, and is a line of the log.

use super::{page::Page, state::State};
use crate::{
    govern::{Governor, Overridden},
    http::{Body, collect},
    observe::{log_level, set_log_level},
    rules::{Dialect, RuleId, Toggle},
    sessions::now,
};
use http::{Method, StatusCode};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::{sync::Arc, time::Duration};

/// The longest body of a change.
const BODY: usize = 4096;

/// The longest time for which a rule is set otherwise.
const LONGEST: u64 = 24 * 3600;

/// The levels of the log.
const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];

/// Names the methods that a page takes.
pub(super) fn methods(segments: &[&str]) -> &'static str {
    match segments {
        ["loglevel"] => "GET, HEAD, PUT, POST",
        ["drain"] => "GET, HEAD, POST, DELETE",
        ["rules", _] => "POST, DELETE",
        _ => "GET, HEAD",
    }
}

/// Changes what the path names.
pub(super) async fn change(state: &State, method: &Method, segments: &[&str], body: Body) -> Page {
    let known = methods(segments).split(", ").any(|known| known == method.as_str());
    if !known {
        let message = match methods(segments) {
            "GET, HEAD" => "this page only shows: use GET".to_owned(),
            methods => format!("this page takes {methods}"),
        };
        return Page::error(StatusCode::METHOD_NOT_ALLOWED, &message);
    }
    if let Err(page) = state.gate.load().admits_changes() {
        return page;
    }
    match (segments, method) {
        (["loglevel"], _) => read(body).await.and_then(change_level),
        (["drain"], method) => Ok(drain(state, *method == Method::POST)),
        (["rules", rule], &Method::POST) => {
            read(body).await.and_then(|asked| override_rule(&state.governor, rule, asked))
        }
        (["rules", rule], _) => end_override(&state.governor, rule),
        _ => Err(refusal("no such change")),
    }
    .unwrap_or_else(|page| page)
}

fn refusal(message: &str) -> Page {
    Page::error(StatusCode::BAD_REQUEST, message)
}

/// Reads a body of JSON.
async fn read<T: DeserializeOwned>(body: Body) -> Result<T, Page> {
    let Ok(body) = collect(body, BODY).await else {
        return Err(refusal("the body is too long, or broke off"));
    };
    // The text of the error says what is missing or unknown, and where.
    serde_json::from_slice(&body.bytes).map_err(|error| refusal(&format!("the body: {error}")))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Level {
    level: String,
}

/// Shows what is logged.
pub(super) fn level() -> Page {
    Page::ok(&serde_json::json!({ "level": log_level() }))
}

fn change_level(asked: Level) -> Result<Page, Page> {
    let Some(level) = LEVELS.into_iter().find(|level| *level == asked.level) else {
        return Err(refusal(&format!("level must be one of {}", LEVELS.join(", "))));
    };
    let before = log_level();
    let tell = || tracing::warn!(before, now = level, "an operator changes the level of the log");
    if !set_log_level(level, tell) {
        let message = "the level cannot be changed: this process does not write its log by itself";
        return Err(Page::error(StatusCode::CONFLICT, message));
    }
    Ok(self::level())
}

/// Makes `/ready` answer 503, or lets it answer as it did.
fn drain(state: &State, drains: bool) -> Page {
    if state.health.drain(drains) {
        let now = if drains { "503" } else { "200" };
        tracing::warn!(now, "an operator has changed what /ready answers");
    }
    drained(state)
}

/// Shows whether an operator makes `/ready` answer 503.
pub(super) fn drained(state: &State) -> Page {
    Page::ok(&serde_json::json!({ "drained": state.health.is_drained() }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    toggle: Toggle,
    seconds: u64,
    dialect: Option<String>,
}

/// A rule that an operator has set otherwise, as the pages show it.
#[derive(Serialize)]
pub(super) struct Shown {
    rule: RuleId,
    dialect: Dialect,
    toggle: Toggle,
    configured: Toggle,
    seconds_left: u64,
}

impl Shown {
    pub(super) fn of(one: &Overridden) -> Self {
        Self {
            rule: one.set.rule,
            dialect: one.set.dialect,
            toggle: one.set.toggle,
            configured: one.configured,
            seconds_left: one.until.since(now()).div_ceil(1000),
        }
    }
}

fn override_rule(governor: &Arc<Governor>, rule: &str, asked: Asked) -> Result<Page, Page> {
    let rule = known(rule)?;
    if !(1..=LONGEST).contains(&asked.seconds) {
        return Err(refusal("seconds must be a number from 1 to 86400"));
    }
    let policy = governor.policy();
    let dialect = match asked.dialect.as_deref() {
        None => None,
        Some(name) => match policy.toggles.dialects().find(|one| one.as_str() == name) {
            None => return Err(refusal(&format!("there is no dialect {name:?}"))),
            found => found,
        },
    };
    let lasting = Duration::from_secs(asked.seconds);
    match governor.override_rule(rule, dialect, asked.toggle, lasting) {
        Ok(begun) => {
            let overrides: Vec<_> = begun.iter().map(Shown::of).collect();
            Ok(Page::ok(&serde_json::json!({ "mode": policy.mode, "overrides": overrides })))
        }
        Err(error) => Err(refusal(&error.to_string())),
    }
}

fn end_override(governor: &Governor, rule: &str) -> Result<Page, Page> {
    let rule = known(rule)?;
    match governor.end_override(rule) {
        true => Ok(Page::ok(&serde_json::json!({ "rule": rule, "ended": true }))),
        false => {
            let message = format!("{rule} is as the configuration says: there is nothing to end");
            Err(Page::error(StatusCode::NOT_FOUND, &message))
        }
    }
}

fn known(rule: &str) -> Result<RuleId, Page> {
    rule.parse().map_err(|_| Page::error(StatusCode::NOT_FOUND, "no such rule: /rules lists them"))
}
