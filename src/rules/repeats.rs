//! Tells whether what was learned of a session says again what is remembered, only later.

use super::{Fact, SessionRecord, SourceRecord};
use std::time::Duration;

impl SessionRecord {
    /// Returns whether this record says what `before` says, each fact later by less than `leeway`.
    pub fn repeats(&self, before: &Self, leeway: Duration) -> bool {
        self.sources.repeats(&before.sources, leeway)
            && self.total.repeats(&before.total, leeway)
            && self.remaining.repeats(&before.remaining, leeway)
            && self.contributed.repeats(&before.contributed, leeway)
            && self.leaves_out.repeats(&before.leaves_out, leeway)
            && self.state.repeats(&before.state, leeway)
            && self.customer.repeats(&before.customer, leeway)
            && self.credit_amount.repeats(&before.credit_amount, leeway)
            && self.billing_optimization.repeats(&before.billing_optimization, leeway)
            && self.members.len() == before.members.len()
            && self
                .members
                .iter()
                .zip(&before.members)
                .all(|((id, source), (known, then))| id == known && source.repeats(then, leeway))
            && self.undated() == before.undated()
    }

    /// Returns all that has no date. Names every field, so that a new one cannot be forgotten.
    fn undated(&self) -> impl PartialEq + '_ {
        let Self {
            sources: _,
            total: _,
            remaining: _,
            contributed: _,
            leaves_out: _,
            currency,
            state: _,
            customer: _,
            credit_amount: _,
            billing_optimization: _,
            payment_session,
            shown_to,
            in_flight,
            unsure,
            epoch,
            ended,
            joined,
            pending,
            members: _,
        } = self;
        let told = (currency, payment_session, shown_to, joined, pending);
        (told, in_flight, unsure, epoch, ended)
    }
}

impl SourceRecord {
    fn repeats(&self, before: &Self, leeway: Duration) -> bool {
        self.amount.repeats(&before.amount, leeway)
            && self.reusable.repeats(&before.reusable, leeway)
            && self.state.repeats(&before.state, leeway)
            && self.customer.repeats(&before.customer, leeway)
            && self.undated() == before.undated()
    }

    /// Returns all that has no date, as above.
    fn undated(&self) -> impl PartialEq + '_ {
        let Self {
            kind,
            amount: _,
            currency,
            reusable: _,
            state: _,
            state_inferred,
            customer: _,
            payment_session,
            shown_to,
            epoch,
        } = self;
        (kind, currency, state_inferred, payment_session, shown_to, epoch)
    }
}

impl<T: PartialEq> Fact<T> {
    /// Returns whether this is the same fact as before, later by less than `leeway`.
    fn repeats(&self, before: &Self, leeway: Duration) -> bool {
        match (self, before) {
            (Fact::Known(value, at), Fact::Known(known, then)) => {
                value == known && Duration::from_millis(at.since(*then)) < leeway
            }
            (Fact::Unknown, Fact::Unknown) => true,
            (Fact::Known(..), Fact::Unknown) | (Fact::Unknown, Fact::Known(..)) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::{CredentialHash, SourceId, SourceState, Timestamp, fixtures::amount};

    fn record(at: u64) -> SessionRecord {
        let source = SourceRecord {
            state: Fact::Known(SourceState::Chargeable, Timestamp(at)),
            ..SourceRecord::default()
        };
        SessionRecord {
            total: Fact::Known(amount("10"), Timestamp(at)),
            members: vec![(SourceId::from("s"), source)],
            ..SessionRecord::default()
        }
    }

    fn alter(change: impl FnOnce(&mut SessionRecord)) -> SessionRecord {
        let mut record = record(9);
        change(&mut record);
        record
    }

    #[test]
    fn only_dates_within_the_limit_are_no_news() {
        let leeway = Duration::from_millis(5);
        let before = record(5);
        for (now, repeats) in [(record(5), true), (record(9), true), (record(10), false)] {
            assert_eq!(now.repeats(&before, leeway), repeats, "{now:?}");
        }
        assert!(!record(5).repeats(&before, Duration::ZERO));
        for news in [
            alter(|record| record.total = Fact::Known(amount("11"), Timestamp(9))),
            alter(|record| record.total = Fact::Unknown),
            alter(|record| record.remaining = Fact::Known(amount("0"), Timestamp(9))),
            alter(|record| record.leaves_out = Fact::Known(true, Timestamp(9))),
            alter(|record| record.unsure = true),
            alter(|record| record.in_flight = true),
            alter(|record| record.epoch = 1),
            alter(|record| record.ended = Some(Timestamp(9))),
            alter(|record| record.joined.order.push("s".into())),
            alter(|record| record.shown_to.add(CredentialHash([1; 16]))),
            alter(|record| record.members.clear()),
            alter(|record| record.members[0].0 = "t".into()),
            alter(|record| record.members[0].1.state_inferred = true),
            alter(|record| {
                record.members[0].1.state = Fact::Known(SourceState::Consumed, Timestamp(9));
            }),
            alter(|record| {
                record.members[0].1.state = Fact::Known(SourceState::Chargeable, Timestamp(10));
            }),
        ] {
            assert!(!news.repeats(&before, leeway), "{news:?}");
        }
    }
}
