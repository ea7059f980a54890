//! Describes a call for its decision: what it means, whose it is, and when it came.

use crate::{
    http::{ClientSubject, trace_id},
    rules::{
        Dialect, Intent, Override, Policy, SessionKey, SourceId, Target, Toggle, Unjudged,
        Violation,
    },
};
use http::{Extensions, HeaderMap};
use std::{sync::Arc, time::Instant};

/// How many sources a decision names: it is kept for long, and with thousands of others.
const NAMED: usize = 16;

/// What a decision records of a call besides its outcome.
pub(super) struct About {
    pub(super) dialect: Dialect,
    pub(super) call: &'static str,
    pub(super) is_read: bool,
    pub(super) session: Option<SessionKey>,
    pub(super) source: Option<String>,
    pub(super) request_id: Option<String>,
    pub(super) trace_id: Option<u128>,
    pub(super) client: Option<Arc<str>>,
    pub(super) started: Instant,
    /// The rules that an operator had set otherwise when the call came.
    overrides: Vec<Override>,
}

impl About {
    /// Describes a call that was understood.
    pub(super) fn of(
        dialect: Dialect,
        intent: &Intent,
        (headers, extensions): (&HeaderMap, &Extensions),
        started: Instant,
    ) -> Self {
        let source = named(intent.sources());
        let session = match intent.session() {
            Some(Target::Session(key)) => Some(key.clone()),
            _ => None,
        };
        let (call, is_read) = (intent.name(), intent.is_read());
        Self {
            call,
            is_read,
            session,
            source,
            ..Self::unread(dialect, (headers, extensions), started)
        }
    }

    /// Describes a call that was not read.
    pub(super) fn unread(
        dialect: Dialect,
        (headers, extensions): (&HeaderMap, &Extensions),
        started: Instant,
    ) -> Self {
        let client = extensions.get().map(|ClientSubject(client)| client.clone());
        Self {
            dialect,
            call: "unread",
            is_read: false,
            session: None,
            source: None,
            request_id: request_id(headers),
            trace_id: trace_id(headers),
            client,
            started,
            overrides: Vec::new(),
        }
    }

    /// Notes the policy under which the call came.
    pub(super) fn under(self, policy: &Policy) -> Self {
        // Nothing is allocated where nothing is overridden.
        Self { overrides: policy.overrides.clone(), ..self }
    }

    /// Names the overrides that may have made the decision differ. A rule that is off is not
    /// checked, so that any call but a read may have broken it.
    pub(super) fn overrides(
        &self,
        violation: Option<&Violation>,
        unjudged: &[Unjudged],
    ) -> Vec<String> {
        let differs = |set: &&Override| {
            let broken =
                violation.is_some_and(|one| (one.dialect, one.rule) == (set.dialect, set.rule));
            let may_be = set.toggle == Toggle::Off && !self.is_read;
            let here = may_be || unjudged.iter().any(|one| one.rule == set.rule);
            broken || (set.dialect == self.dialect && here)
        };
        let named = self.overrides.iter().filter(differs);
        named.map(|set| format!("{} = {}", set.rule, set.toggle)).collect()
    }
}

impl About {
    /// Returns the dialect's name.
    pub(super) fn dialect(&self) -> &'static str {
        self.dialect.as_str()
    }

    /// Logs that the caller hung up, or was cut off. A read changes nothing, so its line is at
    /// `DEBUG`.
    pub(super) fn log_hangup(&self, decision_id: &str) {
        macro_rules! line {
            ($level:expr) => {
                tracing::event!(
                    $level,
                    decision_id,
                    request_id = self.request_id.as_deref(),
                    trace_id = self.trace_id.map(|trace| format!("{trace:032x}")),
                    client = self.client.as_deref(),
                    dialect = %self.dialect,
                    session = self.session.as_ref().map(ToString::to_string),
                    call = self.call,
                    source = self.source.as_deref(),
                    "the caller hung up or was cut off before its answer; see what upstream has done"
                )
            };
        }
        match self.is_read {
            true => line!(tracing::Level::DEBUG),
            false => line!(tracing::Level::WARN),
        }
    }
}

/// Names sources, with commas between them.
fn named<'a>(sources: impl Iterator<Item = &'a SourceId>) -> Option<String> {
    let mut sources = sources.map(SourceId::as_str);
    let first: Vec<&str> = sources.by_ref().take(NAMED).collect();
    let more = sources.count();
    match (first.is_empty(), more) {
        (true, _) => None,
        (false, 0) => Some(first.join(", ")),
        (false, _) => Some(format!("{} and {more} more", first.join(", "))),
    }
}

/// Returns the caller's own id of this request, where it is short and printable.
pub(super) fn request_id(headers: &HeaderMap) -> Option<String> {
    let id = headers.get("x-request-id")?.to_str().ok()?;
    (id.len() <= 128).then(|| id.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decision_names_so_many_sources_and_counts_the_rest() {
        let ids = |count: usize| (0..count).map(|n| SourceId::from(n.to_string())).collect();
        let told = |count: usize| {
            let ids: Vec<SourceId> = ids(count);
            named(ids.iter())
        };
        assert_eq!((told(0), told(2).as_deref()), (None, Some("0, 1")));
        assert!(told(16).unwrap().ends_with(", 15"));
        assert!(told(20).unwrap().ends_with(", 15 and 4 more"));
    }
}
