//! A judgement of a call, as a line of the decision log writes it.

use super::{form::is_default, looked_up::LookupForm};
use crate::rules::{
    Dialect, Incoming, Judgement, Lookup, OptionId, Remedy, RuleId, SourceId, Unjudged, Verdict,
    Violation,
};
use serde::{Deserialize, Serialize};

/// A judgement: the verdict, the rule that is broken, and what could not be judged.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Judged {
    /// The verdict's name.
    pub is: Is,
    /// The rule that is broken.
    #[serde(skip_serializing_if = "is_default")]
    pub rule: Option<RuleId>,
    /// The dialect whose table has the rule.
    #[serde(skip_serializing_if = "is_default")]
    pub dialect: Option<String>,
    /// What was found.
    #[serde(skip_serializing_if = "is_default")]
    pub found: Option<String>,
    /// What is to be looked up, or could not be.
    #[serde(skip_serializing_if = "is_default")]
    lookup: Option<LookupForm>,
    /// The calls that take the call's place.
    #[serde(skip_serializing_if = "is_default")]
    remedy: Option<RemedyForm>,
    /// How long the call waits for secondaries.
    #[serde(skip_serializing_if = "is_default")]
    pub window_ms: Option<u64>,
    /// The rules that could not be judged although the call goes on, each with what was missing.
    #[serde(skip_serializing_if = "is_default")]
    pub unjudged: Vec<(RuleId, String)>,
}

/// The name of a verdict.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Is {
    /// Send it unchanged.
    #[default]
    Forward,
    /// Send it without its `owner` member.
    Strip,
    /// Refuse it.
    Reject,
    /// Look something up, then judge again.
    Need,
    /// Refuse it, because something could not be looked up.
    Unavailable,
    /// Send several calls in its place.
    Remedy,
    /// Let it wait for secondaries.
    Hold,
    /// Answer it, and send it later.
    Defer,
}

/// The calls that take a call's place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum RemedyForm {
    Repair { primary: SourceId, incoming: SourceId },
    Replace { primary: SourceId, incoming: IncomingForm },
    Resequence { primary: SourceId },
}

/// What a replacing call attaches.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum IncomingForm {
    Source(SourceId),
    Option(OptionId),
}

impl Judged {
    pub(crate) fn of(judgement: &Judgement) -> Self {
        let Judgement { verdict, unjudged } = judgement;
        let unjudged =
            unjudged.iter().map(|Unjudged { rule, missing }| (*rule, missing.to_string()));
        Self { unjudged: unjudged.collect(), ..Self::of_verdict(verdict) }
    }

    fn of_verdict(verdict: &Verdict) -> Self {
        let simple = |is| Self { is, ..Self::default() };
        match verdict {
            Verdict::Forward { monitored } => monitored
                .as_ref()
                .map_or_else(Self::default, |found| Self::broken(Is::Forward, found)),
            Verdict::Strip(violation) => Self::broken(Is::Strip, violation),
            Verdict::Reject(violation) => Self::broken(Is::Reject, violation),
            Verdict::Need(lookup) => Self::asking(Is::Need, lookup),
            Verdict::Unavailable(lookup) => Self::asking(Is::Unavailable, lookup),
            Verdict::Remedy { remedy, violation } => {
                let remedy = Some(RemedyForm::of(remedy.clone()));
                Self { remedy, ..Self::broken(Is::Remedy, violation) }
            }
            Verdict::Hold { window } => {
                let window_ms = u64::try_from(window.as_millis()).unwrap_or(u64::MAX);
                Self { window_ms: Some(window_ms), ..simple(Is::Hold) }
            }
            Verdict::Defer => simple(Is::Defer),
        }
    }

    fn broken(is: Is, violation: &Violation) -> Self {
        Self {
            is,
            rule: Some(violation.rule),
            dialect: Some(Dialect::as_str(violation.dialect).to_owned()),
            found: Some(violation.finding.to_string()),
            ..Self::default()
        }
    }

    fn asking(is: Is, lookup: &Lookup) -> Self {
        Self { is, lookup: Some(LookupForm::of(lookup)), ..Self::default() }
    }
}

impl RemedyForm {
    fn of(remedy: Remedy) -> Self {
        match remedy {
            Remedy::Repair { primary, incoming } => Self::Repair { primary, incoming },
            Remedy::Replace { primary, incoming } => {
                let incoming = match incoming {
                    Incoming::Source(id) => IncomingForm::Source(id),
                    Incoming::Option(id) => IncomingForm::Option(id),
                };
                Self::Replace { primary, incoming }
            }
            Remedy::Resequence { primary } => Self::Resequence { primary },
        }
    }
}
