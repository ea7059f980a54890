//! The rules: the domain's vocabulary, the verdict on a call, and the order of settlement.
//!
//! ```text
//!   Intent ─┐
//!   Known  ─┼─ decide ─▶ Verdict
//!   Policy ─┘
//!
//!   Intent + Answer ─ learn ─▶ observations ─ record.apply ─▶ record
//! ```
//! Everything here is a value or a pure function of values: time is an argument, nothing waits,
//! nothing is logged. Wire forms belong to `dialects`, storing to `sessions`, sending to `govern`.

#![deny(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::unwrap_used,
    clippy::expect_used
)]

mod aftermath;
mod answer;
mod attempt;
mod basis;
mod check;
mod customer;
mod decide;
mod dialect;
mod fact;
mod figures;
mod finding;
#[cfg(test)]
mod fixtures;
mod ids;
mod intent;
mod joined;
mod known;
mod learn;
mod lookup;
mod money;
#[cfg(test)]
mod oracle;
mod policy;
mod repair;
mod repeats;
mod row;
mod rule_id;
mod semantics;
mod session;
pub mod settlement;
mod shown_to;
mod source;
mod standing;
mod stated;
mod toggle;
mod toggles;
mod unknown_name;
mod verdict;
mod violation;

pub use aftermath::{Aftermath, aftermath};
pub use answer::{Answer, UnreadMember};
pub use attempt::{Attempt, Event, LookupEnd, Next, OwnAnswer, Sending, Start, Unsent};
pub use basis::Basis;
pub use customer::{CustomerFacts, CustomerObservation, CustomerRecord, OptionFacts, Owner};
pub use decide::{decide, judge_call, left_to_upstream, overtakes, unjudged};
pub use dialect::{Dialect, Keys, KindSpec, Ruleset, SessionKind};
pub use fact::Fact;
pub use figures::Share;
pub use finding::{Finding, Missing};
pub use ids::{CredentialHash, CustomerId, OptionId, SessionId, SessionKey, SourceId, Timestamp};
pub use intent::{Funding, Intent, NewSource, PaidWith, Target, Version};
pub use joined::Joined;
pub use known::{Known, LookupResult};
pub use learn::{Learned, learn, outcome_unknown, refused};
pub use lookup::Lookup;
pub use money::{Amount, Currency, ParseAmountError, ParseCurrencyError};
pub use policy::{FreshFor, LookUps, Mode, OnLookupFailure, Override, Policy, Sequencing, Types};
pub use repair::{CallEnd, RefusalScope, Repair, RepairEnd, RepairEvent, RepairStep, SessionView};
pub use row::{RemedyKind, Row, Upstream};
pub use rule_id::RuleId;
pub use semantics::{Charges, Semantics};
pub use session::{
    Attached, Effect, Pending, SessionFacts, SessionObservation, SessionRecord, SessionState,
};
pub use shown_to::{SHOWN_TO_AT_MOST, ShownTo};
pub use source::{SourceFacts, SourceObservation, SourceRecord, SourceState, SourceType};
pub use stated::Stated;
pub use toggle::Toggle;
pub use toggles::Toggles;
pub use unknown_name::UnknownName;
pub use verdict::{Incoming, Judgement, MissingFact, Remedy, Unjudged, Verdict};
pub use violation::{Field, Subject, UsedFact, Violation};
