//! Decides. The vocabulary of the domain, the rules, and the order of settlement.
//!
//! ```text
//!   Intent ─┐
//!   Known  ─┼─ decide ─▶ Verdict
//!   Policy ─┘
//!
//!   Intent + Answer ─ learn ─▶ observations ─ record.apply ─▶ record
//! ```
//! Everything here is a value or a pure function of values: time is an argument, nothing waits,
//! nothing is logged. Deliberately absent: wire forms (`dialects`), storing (`sessions`), sending
//! (`govern`).

#![deny(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::unwrap_used,
    clippy::expect_used
)]

mod answer;
mod attempt;
mod check;
mod customer;
mod decide;
mod dialect;
mod finding;
#[cfg(test)]
mod fixtures;
mod ids;
mod intent;
mod known;
mod learn;
mod lookup;
mod money;
#[cfg(test)]
mod oracle;
mod policy;
mod remembered;
mod repair;
mod row;
mod rule_id;
mod semantics;
mod session;
pub mod settlement;
mod source;
mod toggle;
mod toggles;
mod told;
mod unknown_name;
mod verdict;
mod violation;

pub use answer::Answer;
pub use attempt::{Attempt, Event, LookupEnd, Next, OwnAnswer, Room, Sending, Unsent};
pub use customer::{CustomerFacts, CustomerObservation, CustomerRecord, OptionFacts, Owner};
pub use decide::{decide, overtakes};
pub use dialect::{Dialect, Keys, KindSpec, Ruleset, SessionKind};
pub use finding::{Finding, Missing};
pub use ids::{CredentialHash, CustomerId, OptionId, SessionId, SessionKey, SourceId, Timestamp};
pub use intent::{Funding, Intent, NewSource, PaidWith, Target, Version};
pub use known::{Known, LookedUp};
pub use learn::{Learned, learn, outcome_unknown, refused};
pub use lookup::Lookup;
pub use money::{Amount, Currency, NotACurrency, NotAnAmount};
pub use policy::{FreshFor, Mode, OnLookupFailure, Policy, Sequencing, Types};
pub use remembered::{Remembered, SHOWN_TO_AT_MOST, ShownTo};
pub use repair::{CallEnd, Refused, Repair, RepairEnd, RepairEvent, RepairStep, Sight};
pub use row::{Mend, Row};
pub use rule_id::RuleId;
pub use semantics::{Charges, Semantics};
pub use session::{
    Attached, Effect, Pending, SessionFacts, SessionObservation, SessionRecord, SessionState,
};
pub use source::{SourceFacts, SourceObservation, SourceRecord, SourceState, SourceType};
pub use toggle::Toggle;
pub use toggles::Toggles;
pub use told::Told;
pub use unknown_name::UnknownName;
pub use verdict::{Incoming, Remedy, Verdict};
pub use violation::{Field, Subject, UsedFact, Violation};
