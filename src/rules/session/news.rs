//! Tells whether what was learned of a session is news, or only later than what is remembered.

use super::SessionRecord;
use crate::rules::{Fact, SourceRecord};
use std::time::Duration;

impl SessionRecord {
    /// Returns whether this record says what `before` says, with no fact that is later by `limit`
    /// or more.
    pub fn repeats(&self, before: &Self, limit: Duration) -> bool {
        let Self { sources, total, remaining, contributed, state, customer, .. } = self;
        let Self { credit_amount, billing_optimization, members, .. } = self;
        let one_by_one = |(one, other): (&(_, SourceRecord), &(_, SourceRecord))| {
            one.0 == other.0 && one.1.repeats(&other.1, limit)
        };
        sources.repeats(&before.sources, limit)
            && total.repeats(&before.total, limit)
            && remaining.repeats(&before.remaining, limit)
            && contributed.repeats(&before.contributed, limit)
            && state.repeats(&before.state, limit)
            && customer.repeats(&before.customer, limit)
            && credit_amount.repeats(&before.credit_amount, limit)
            && billing_optimization.repeats(&before.billing_optimization, limit)
            && members.len() == before.members.len()
            && members.iter().zip(&before.members).all(one_by_one)
            && self.undated() == before.undated()
    }

    /// Returns all that has no date.
    fn undated(&self) -> impl PartialEq + '_ {
        let Self {
            sources: _,
            total: _,
            remaining: _,
            contributed: _,
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
    fn repeats(&self, before: &Self, limit: Duration) -> bool {
        self.amount.repeats(&before.amount, limit)
            && self.reusable.repeats(&before.reusable, limit)
            && self.state.repeats(&before.state, limit)
            && self.customer.repeats(&before.customer, limit)
            && self.undated() == before.undated()
    }

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
    /// Returns whether this is the same fact as before, and not later by `limit` or more.
    fn repeats(&self, before: &Self, limit: Duration) -> bool {
        match (self, before) {
            (Fact::Known(value, at), Fact::Known(known, then)) => {
                value == known && Duration::from_millis(at.since(*then)) < limit
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
        let limit = Duration::from_millis(5);
        let before = record(5);
        for (now, repeats) in [(record(5), true), (record(9), true), (record(10), false)] {
            assert_eq!(now.repeats(&before, limit), repeats, "{now:?}");
        }
        assert!(!record(5).repeats(&before, Duration::ZERO));
        for news in [
            alter(|record| record.total = Fact::Known(amount("11"), Timestamp(9))),
            alter(|record| record.total = Fact::Unknown),
            alter(|record| record.remaining = Fact::Known(amount("0"), Timestamp(9))),
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
            assert!(!news.repeats(&before, limit), "{news:?}");
        }
    }
}
