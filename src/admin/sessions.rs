//! The pages of sessions: what is remembered of each.

use super::page::{Page, limit, parameter};
use crate::{
    govern::Governor,
    observe::Decision,
    rules::{
        Attached, Dialect, Fact, Pending, Policy, SessionKey, SessionKind, SessionRecord,
        SourceRecord, Stated, Timestamp,
        settlement::{Operation, Part, split},
    },
    sessions::{StoreError, TurnKey, now},
};
use http::StatusCode;
use serde::Serialize;

/// A fact and its age.
#[derive(Serialize)]
struct AgedFact<T> {
    value: T,
    age_ms: u64,
}

/// A source that a session holds.
#[derive(Serialize)]
struct Source {
    id: String,
    r#type: Option<String>,
    secondary: Option<bool>,
    contributes: Option<String>,
    reusable: Option<AgedFact<bool>>,
    state: Option<AgedFact<String>>,
    customer: Option<AgedFact<Option<String>>>,
}

/// What a source pays of an order.
#[derive(Serialize)]
struct Charge {
    source: String,
    amount: String,
}

/// What is remembered of a session.
#[derive(Serialize)]
struct Session {
    kind: &'static str,
    id: String,
    remembered: bool,
    sure: bool,
    in_flight: bool,
    state: Option<AgedFact<String>>,
    currency: Option<String>,
    total: Option<AgedFact<String>>,
    remaining: Option<AgedFact<String>>,
    customer: Option<AgedFact<Option<String>>>,
    credit_amount: Option<AgedFact<Option<String>>>,
    sources: Option<AgedFact<Vec<Source>>>,
    /// Store credit first, then the primary; absent while an amount is not known.
    capture_order: Option<Vec<Charge>>,
    pending: Option<Pending>,
    calls_waiting: usize,
    known_to_credentials: usize,
}

/// A session and what was decided about it.
#[derive(Serialize)]
struct Detail {
    #[serde(flatten)]
    session: Shown,
    decisions: Vec<Decision>,
}

/// What is shown of a session besides its decisions.
#[derive(Serialize)]
#[serde(untagged)]
enum Shown {
    Remembered(Box<Session>),
    Forgotten(Forgotten),
}

/// A session of which only decisions are left: it was ordered or deleted, or forgotten.
#[derive(Serialize)]
struct Forgotten {
    kind: &'static str,
    id: String,
    remembered: bool,
}

/// Shows the sessions of one dialect or of all, page by page.
pub(super) async fn list(governor: &Governor, query: &str) -> Page {
    let policy = governor.policy();
    let limit = match limit(query) {
        Ok(limit) => limit,
        Err(page) => return page,
    };
    let dialect = match parameter(query, "dialect").map(|name| dialect(&policy, &name)) {
        Some(None) => {
            let names = names(&policy).join(" or ");
            return Page::error(StatusCode::BAD_REQUEST, &format!("dialect must be {names}"));
        }
        found => found.flatten(),
    };
    let after = match parameter(query, "after").map(|text| key(&policy, &text)) {
        Some(None) => {
            return Page::error(
                StatusCode::BAD_REQUEST,
                "after must be <kind>:<id>, as the page before gave it",
            );
        }
        found => found.flatten(),
    };
    let kinds: Vec<_> = match dialect {
        Some(dialect) => dialect.kinds().to_vec(),
        None => kinds(&policy).collect(),
    };
    let found = match governor.sessions().list(&kinds, after.as_ref(), limit).await {
        Ok(found) => found,
        Err(error) => return unavailable(error),
    };
    let next = (found.len() == limit)
        .then(|| found.last().map(|(key, _)| format!("{}:{}", key.kind.as_str(), key.id)))
        .flatten();
    let sessions: Vec<_> =
        found.iter().map(|(key, record)| session(governor, key, record)).collect();
    Page::ok(&serde_json::json!({ "sessions": sessions, "next": next }))
}

/// Shows one session.
pub(super) async fn one(governor: &Governor, name: &str, id: &str) -> Page {
    let policy = governor.policy();
    let Some(dialect) = dialect(&policy, name) else {
        let names = names(&policy).join(" and ");
        return Page::error(StatusCode::NOT_FOUND, &format!("no such dialect: there are {names}"));
    };
    match detail(governor, dialect, id).await {
        Ok(Some(detail)) => Page::ok(&detail),
        Ok(None) => Page::error(
            StatusCode::NOT_FOUND,
            "nothing is remembered of this session, and none of the latest decisions is about it; \
             the next call about it is looked up",
        ),
        Err(error) => unavailable(error),
    }
}

/// Answers for a store that fails, which is not one that remembers nothing.
fn unavailable(error: StoreError) -> Page {
    Page::error(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string())
}

/// Returns the first session of a dialect that has this id and is remembered, with its latest
/// decisions; or the first of which there are decisions.
async fn detail(
    governor: &Governor,
    dialect: Dialect,
    id: &str,
) -> Result<Option<Detail>, StoreError> {
    let keys = || dialect.kinds().iter().map(|kind| SessionKey::new(*kind, id));
    for key in keys() {
        if let Some(record) = governor.sessions().peek(&key).await? {
            let session = Shown::Remembered(Box::new(session(governor, &key, &record)));
            return Ok(Some(Detail { session, decisions: decisions(governor, &key) }));
        }
    }
    let forgotten = keys().find_map(|key| {
        let decisions = decisions(governor, &key);
        let (kind, id) = (key.kind.as_str(), key.id.to_string());
        let session = Shown::Forgotten(Forgotten { kind, id, remembered: false });
        (!decisions.is_empty()).then_some(Detail { session, decisions })
    });
    Ok(forgotten)
}

/// Returns the latest decisions about a session, newest first.
fn decisions(governor: &Governor, key: &SessionKey) -> Vec<Decision> {
    let latest = governor.decisions().about(50, |session| session == key);
    latest.iter().map(|decision| Decision::clone(decision)).collect()
}

fn dialect(policy: &Policy, name: &str) -> Option<Dialect> {
    policy.toggles.dialects().find(|dialect| dialect.as_str() == name)
}

fn names(policy: &Policy) -> Vec<&'static str> {
    policy.toggles.dialects().map(Dialect::as_str).collect()
}

fn kinds(policy: &Policy) -> impl Iterator<Item = SessionKind> {
    policy.toggles.dialects().flat_map(|dialect| dialect.kinds()).copied()
}

fn key(policy: &Policy, text: &str) -> Option<SessionKey> {
    let (kind, id) = text.split_once(':')?;
    let kind = kinds(policy).find(|known| known.as_str() == kind)?;
    Some(SessionKey::new(kind, id))
}

/// Shows a session from its own record, which holds the facts of the sources that it has attached.
/// The store is not asked for them, because that would count as use and keep the records alive.
fn session(governor: &Governor, key: &SessionKey, record: &SessionRecord) -> Session {
    let now = now();
    let policy = governor.policy();
    let unknown = SourceRecord::default();
    let show = |attached: &Attached| {
        source(attached, record.member(&attached.id).unwrap_or(&unknown), &policy, now)
    };
    let sources = record.sources.get().into_iter().flatten().map(show).collect();
    Session {
        kind: key.kind.as_str(),
        id: key.id.to_string(),
        remembered: true,
        sure: !record.unsure && !record.in_flight,
        in_flight: record.in_flight,
        state: fact(&record.state, now, |state| state.as_str().to_owned()),
        currency: record.currency.as_ref().map(ToString::to_string),
        total: fact(&record.total, now, ToString::to_string),
        remaining: fact(&record.remaining, now, ToString::to_string),
        customer: fact(&record.customer, now, |customer| {
            customer.as_ref().map(ToString::to_string)
        }),
        credit_amount: fact(&record.credit_amount, now, |amount| {
            amount.as_ref().map(ToString::to_string)
        }),
        capture_order: capture_order(record, &policy),
        sources: record
            .sources
            .stated_at()
            .map(|at| AgedFact { value: sources, age_ms: now.since(at) }),
        pending: record.pending.as_deref().cloned(),
        calls_waiting: governor.sessions().waiting(&TurnKey::Session(key.clone())),
        known_to_credentials: record.shown_to.len(),
    }
}

fn source(attached: &Attached, known: &SourceRecord, policy: &Policy, now: Timestamp) -> Source {
    let kind = attached.kind.as_ref().or(known.kind.as_ref());
    Source {
        id: attached.id.to_string(),
        r#type: kind.map(ToString::to_string),
        secondary: kind.map(|kind| policy.types.is_secondary(kind)),
        contributes: attached.amount.as_ref().map(ToString::to_string),
        reusable: fact(&known.reusable, now, |reusable| *reusable),
        state: fact(&known.state, now, |state| state.as_str().to_owned()),
        customer: fact(&known.customer, now, |customer| customer.as_ref().map(ToString::to_string)),
    }
}

/// Returns how an order made now would be captured; `None` while an amount is not known.
fn capture_order(record: &SessionRecord, policy: &Policy) -> Option<Vec<Charge>> {
    let attached = record.sources.get()?;
    let mut parts = Vec::with_capacity(attached.len());
    for source in attached {
        let (Stated::Stated(kind), Stated::Stated(open)) = (&source.kind, source.amount) else {
            return None;
        };
        parts.push(Part {
            source: source.id.clone(),
            secondary: policy.types.is_secondary(kind),
            open,
        });
    }
    let all = parts.iter().map(|part| part.open).sum();
    let charges = split(Operation::Capture, &parts, all);
    Some(
        charges
            .into_iter()
            .map(|(source, amount)| Charge {
                source: source.to_string(),
                amount: amount.to_string(),
            })
            .collect(),
    )
}

fn fact<T, U>(remembered: &Fact<T>, now: Timestamp, show: impl Fn(&T) -> U) -> Option<AgedFact<U>> {
    match remembered {
        Fact::Known(value, at) => Some(AgedFact { value: show(value), age_ms: now.since(*at) }),
        Fact::Unknown => None,
    }
}
