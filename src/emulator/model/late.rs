//! Store credit whose attach was answered and has not taken effect yet.

use super::{kind::Kind, quirks::Landing};

/// One such attach.
#[derive(Clone, Debug)]
pub(crate) struct LateCredit {
    pub(crate) kind: Kind,
    /// The id of the checkout, invoice or cart.
    pub(crate) session: String,
    pub(crate) source: String,
    landing: Landing,
}

/// All of them, in the order in which they were asked for.
#[derive(Debug, Default)]
pub(crate) struct LateCredits(Vec<LateCredit>);

impl LateCredits {
    pub(crate) fn add(&mut self, kind: Kind, session: &str, source: &str, landing: Landing) {
        let (session, source) = (session.to_owned(), source.to_owned());
        self.0.push(LateCredit { kind, session, source, landing });
    }

    /// Counts one call about a session.
    pub(crate) fn count(&mut self, kind: Kind, session: &str) {
        for late in self.0.iter_mut().filter(|one| one.kind == kind && one.session == session) {
            if let Landing::AfterCalls(left) = &mut late.landing {
                *left = left.saturating_sub(1);
            }
        }
    }

    /// Takes out those for which enough calls have been counted.
    pub(crate) fn take_due(&mut self) -> Vec<LateCredit> {
        self.0.extract_if(.., |late| late.landing == Landing::AfterCalls(0)).collect()
    }

    /// Takes out those of one source.
    pub(crate) fn take_of(&mut self, source: &str) -> Vec<LateCredit> {
        self.0.extract_if(.., |late| late.source == source).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_late_credit_counts_the_calls_about_its_session_alone() {
        let mut late = LateCredits::default();
        late.add(Kind::Cart, "1", "a", Landing::AfterCalls(2));
        late.add(Kind::Cart, "1", "b", Landing::WhenTold);
        for (kind, session, due) in [
            (Kind::Cart, "1", 0),
            (Kind::Cart, "2", 0),
            (Kind::Checkout, "1", 0),
            (Kind::Cart, "1", 1),
            (Kind::Cart, "1", 0),
        ] {
            late.count(kind, session);
            assert_eq!(late.take_due().len(), due, "{kind:?} {session}");
        }
        assert_eq!((late.take_of("a").len(), late.take_of("b").len()), (0, 1));
    }
}
