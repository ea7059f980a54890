//! What Weir decided about one governed call: ids, types, states, amounts, and the names of what
//! could not be read; never bodies, headers or credentials.

use crate::rules::{Dialect, Lookup, RuleId, SessionKey, SourceId, Unjudged};
use serde::{Serialize, Serializer, ser::SerializeStruct};
use std::{fmt, sync::Arc};

/// What Weir did with a call: the value of the `Weir-Decision` header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Decided {
    /// Not stopped by a rule. The answer is upstream's: to this call, sent unchanged (or without
    /// its `owner`), or to one that Weir sent before it, such as the look-up that denied the
    /// session.
    Forwarded,
    /// Answered by Weir; nothing was sent.
    Rejected,
    /// Sent in another order than it arrived in, or replaced by several calls.
    Reordered,
    /// Answered with the source as upstream shows it; sent when a later call depends on it.
    Deferred,
    /// Not stopped, although a rule that only reports was broken; the answer is as for `Forwarded`.
    Monitored,
    /// Not stopped by a rule, and not done as it should have been: upstream gave no answer, or a
    /// repair did not succeed. The reason says which.
    Failed,
}

impl Decided {
    /// Returns the header's value.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Forwarded => "forwarded",
            Self::Rejected => "rejected",
            Self::Reordered => "reordered",
            Self::Deferred => "deferred",
            Self::Monitored => "monitored",
            Self::Failed => "failed",
        }
    }
}

impl fmt::Display for Decided {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One call that Weir made upstream while it dealt with the caller's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The purpose of the call.
    pub kind: StepKind,
    /// How it ended.
    pub end: StepEnd,
}

/// How a call of Weir's own ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StepEnd {
    /// Upstream answered with this status.
    Answered(u16),
    /// Upstream answered, and the answer cannot be read.
    Unreadable {
        /// Upstream's status.
        status: u16,
        /// Why it cannot be read.
        why: &'static str,
    },
    /// It was sent, or may have been, and no answer came.
    Unanswered,
    /// It was not sent: there was no connection.
    NotSent,
    /// It was not sent: upstream asked for a pause, or there is nothing to ask for.
    Unasked,
}

impl StepEnd {
    /// Returns upstream's status, if there is one.
    pub fn status(self) -> Option<u16> {
        match self {
            Self::Answered(status) | Self::Unreadable { status, .. } => Some(status),
            Self::Unanswered | Self::NotSent | Self::Unasked => None,
        }
    }

    /// Returns the name of this end.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Answered(_) => "answered",
            Self::Unreadable { .. } => "unreadable",
            Self::Unanswered => "unanswered",
            Self::NotSent => "not-sent",
            Self::Unasked => "unasked",
        }
    }
}

/// The purpose of a call of Weir's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StepKind {
    /// A look-up.
    LookUp(Lookup),
    /// A look-up of this source with Weir's own key.
    LookUpWithOwnKey(SourceId),
    /// A remedy detaches this source.
    Detach(SourceId),
    /// A remedy attaches this primary again.
    AttachPrimary(SourceId),
    /// Attaches a primary whose attach had been deferred.
    AttachDeferred(SourceId),
    /// The caller's own call, among the steps of a remedy.
    Call(&'static str),
}

impl fmt::Display for StepKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LookUp(Lookup::Session) => f.write_str("look up the session"),
            Self::LookUp(Lookup::Source(id)) => write!(f, "look up source {id}"),
            Self::LookUp(Lookup::Customer) => f.write_str("look up the customer"),
            Self::LookUp(Lookup::PaymentOptions) => f.write_str("look up the payment options"),
            Self::LookUpWithOwnKey(id) => write!(f, "look up source {id} with Weir's own key"),
            Self::Detach(id) => write!(f, "detach {id}"),
            Self::AttachPrimary(id) => write!(f, "attach primary {id}"),
            Self::AttachDeferred(id) => write!(f, "attach deferred primary {id}"),
            Self::Call(name) => f.write_str(name),
        }
    }
}

impl Serialize for Step {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut step = serializer.serialize_struct("Step", 3)?;
        step.serialize_field("what", &self.kind.to_string())?;
        step.serialize_field("end", self.end.as_str())?;
        step.serialize_field("status", &self.end.status())?;
        step.end()
    }
}

/// One governed call and its outcome.
#[derive(Clone, Debug, Serialize)]
pub struct Decision {
    /// Unique in this process: the value of `Weir-Decision-Id`.
    pub id: String,
    /// Milliseconds since the Unix epoch when the answer was ready.
    pub at: u64,
    /// The dialect whose rules were applied.
    pub dialect: Dialect,
    /// The session, shown as `checkout 123`; absent where the call names none, or none was found.
    #[serde(serialize_with = "as_text")]
    pub session: Option<SessionKey>,
    /// What the call means: `attach`, `order`, …
    pub call: &'static str,
    /// Whether the call only reads.
    #[serde(skip)]
    pub is_read: bool,
    /// The sources it names, with commas between them, or the one that it created.
    pub source: Option<String>,
    /// The order that it made.
    pub order: Option<String>,
    /// What Weir did with it.
    pub decision: Decided,
    /// Why Weir gave an answer of its own that is no rule's, or why a repair did not succeed: a
    /// stable name.
    pub reason: Option<&'static str>,
    /// The rule that was broken, if one was.
    pub rule: Option<RuleId>,
    /// What was found.
    pub found: Option<String>,
    /// What would have been accepted.
    pub accepted: Option<&'static str>,
    /// The rules that an operator had set otherwise for a while and that may have made this
    /// decision differ, each as `rule = toggle`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub overrides: Vec<String>,
    /// The rules that could not be judged although the call went on, and what was missing.
    #[serde(serialize_with = "unjudged_as_text")]
    pub unjudged: Vec<Unjudged>,
    /// The members of upstream's answers that could not be read: names and forms, no values.
    pub unread: Vec<String>,
    /// The status the caller got.
    pub status: u16,
    /// The code of upstream's error, where the answer is one.
    pub upstream_code: Option<String>,
    /// The calls Weir made besides forwarding, and how each ended.
    pub steps: Vec<Step>,
    /// Microseconds spent waiting for upstream.
    pub upstream_us: u64,
    /// Microseconds spent in Weir, the wait for the session's turn included.
    pub weir_us: u64,
    /// The caller's `X-Request-Id`, where it sent one.
    pub request_id: Option<String>,
    /// The trace that the caller's `traceparent` names, shown as 32 hexadecimal digits.
    #[serde(serialize_with = "as_hex")]
    pub trace_id: Option<u128>,
    /// The subject of the certificate that the caller has shown, where it has shown one.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "as_shown")]
    pub client: Option<Arc<str>>,
}

impl Decision {
    /// Returns whether the call is a read that was done, and needed nothing but its own answer.
    pub(super) fn is_plain_read(&self) -> bool {
        self.is_read && self.status < 400 && self.steps.is_empty() && self.unread.is_empty()
    }
}

#[derive(Serialize)]
struct UnjudgedText {
    rule: RuleId,
    missing: String,
}

fn unjudged_as_text<S: Serializer>(all: &[Unjudged], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(all.iter().map(|unjudged| UnjudgedText {
        rule: unjudged.rule,
        missing: unjudged.missing.to_string(),
    }))
}

fn as_hex<S: Serializer>(trace: &Option<u128>, serializer: S) -> Result<S::Ok, S::Error> {
    trace.map(|trace| format!("{trace:032x}")).serialize(serializer)
}

fn as_shown<S: Serializer>(client: &Option<Arc<str>>, serializer: S) -> Result<S::Ok, S::Error> {
    client.as_deref().serialize(serializer)
}

fn as_text<S: Serializer>(session: &Option<SessionKey>, serializer: S) -> Result<S::Ok, S::Error> {
    session.as_ref().map(ToString::to_string).serialize(serializer)
}
