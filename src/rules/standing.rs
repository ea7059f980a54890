//! How store credit stands beside a primary: by the order in which they joined, and by the figures
//! that the session shows.
//!
//! In: what is remembered of a session. Out: whether an order would leave credit out, or that it is
//! not known.

use super::{Amount, Attached, Fact, Joined, SessionRecord, SourceId, figures::Figures};

/// How store credit stands beside a primary.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// There is none, or it joined before the primary.
    Right,
    /// It joined after the primary, and an order would leave it out.
    Lost { secondary: SourceId, primary: SourceId },
    /// An order would leave some out. Which, and what the primary is, the session does not name.
    LeftOut,
    /// Which of them joined first is not known.
    Unknown { secondary: SourceId, primary: SourceId },
}

impl Standing {
    pub(super) fn lost(secondary: &Attached, primary: &Attached) -> Self {
        Self::Lost { secondary: secondary.id.clone(), primary: primary.id.clone() }
    }
}

/// Returns how these secondaries stand beside the primary.
pub(super) fn standing(
    record: &SessionRecord,
    primary: &Attached,
    secondaries: &[&Attached],
) -> Standing {
    let Some(any) = secondaries.last() else { return Standing::Right };
    let late = secondaries.iter().find(|one| is_late(&record.joined, one, primary) == Some(true));
    let figures = by_figures(record, primary, secondaries);
    let is_seen = secondaries.iter().all(|one| is_late(&record.joined, one, primary).is_some());
    match (late, figures) {
        (Some(late), _) => Standing::lost(late, primary),
        (None, Some(true)) => Standing::lost(any, primary),
        (None, Some(false)) => Standing::Right,
        (None, None) if is_seen => Standing::Right,
        (None, None) => {
            Standing::Unknown { secondary: any.id.clone(), primary: primary.id.clone() }
        }
    }
}

/// Returns whether the secondary was seen to join after the primary.
pub(super) fn is_late(joined: &Joined, secondary: &Attached, primary: &Attached) -> Option<bool> {
    joined.after(&secondary.id, &primary.id)
}

/// Returns whether the figures show that credit is left out, or `None` if they do not tell.
pub(super) fn by_figures(
    record: &SessionRecord,
    primary: &Attached,
    secondaries: &[&Attached],
) -> Option<bool> {
    let credit = |one: &&Attached| one.amount.as_ref().copied();
    Figures {
        primary: *primary.amount.as_ref()?,
        secondaries: secondaries.iter().map(credit).collect::<Option<_>>()?,
        contributed: of_that_answer(record, &record.contributed),
        total: of_that_answer(record, &record.total),
        currency: record.currency.as_ref().copied(),
    }
    .leave_credit_out()
}

/// Returns how credit stands beside the one source whose type is not known, where the figures show
/// that it is a primary which leaves credit out.
pub(super) fn standing_beside_untyped(
    record: &SessionRecord,
    is_secondary: impl Fn(&SourceId) -> Option<bool>,
) -> Option<Standing> {
    let (untyped, typed): (Vec<_>, Vec<_>) =
        record.sources.get()?.iter().partition(|one| is_secondary(&one.id).is_none());
    let [primary] = untyped.as_slice() else { return None };
    let secondary =
        typed.last().filter(|_| typed.iter().all(|one| is_secondary(&one.id) == Some(true)))?;
    let amount = |one: &&Attached| one.amount.as_ref().copied();
    let figures = Figures {
        primary: amount(primary)?,
        secondaries: typed.iter().map(amount).collect::<Option<_>>()?,
        contributed: of_that_answer(record, &record.contributed),
        total: None,
        currency: record.currency.as_ref().copied(),
    };
    (figures.leave_credit_out() == Some(true)).then(|| Standing::lost(secondary, primary))
}

/// Returns a figure of the answer that showed the sources. Figures of two answers say nothing.
fn of_that_answer(record: &SessionRecord, fact: &Fact<Amount>) -> Option<Amount> {
    fact.get().copied().filter(|_| fact.stated_at() == record.sources.stated_at())
}
