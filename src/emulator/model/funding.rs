//! The payment session of one checkout, invoice or cart: what is attached, and who pays how much.
//!
//! Holds amounts only; each API judges for itself whether an attach is allowed. A primary
//! contributes all that the credits leave of the total. On checkouts every attached credit counts.
//! On carts only those attached *before* the primary do: the others are shown, and lost when the
//! cart is submitted.

use rust_decimal::Decimal;

/// A source that is attached to a payment session.
#[derive(Clone, Debug)]
pub(crate) struct Attached {
    pub(crate) source: String,
    pub(crate) secondary: bool,
    /// A credit's own amount; a primary's share is computed.
    pub(crate) amount: Decimal,
}

#[derive(Clone, Debug)]
pub(crate) struct Funding {
    pub(crate) session: String,
    pub(crate) secret: String,
    pub(crate) currency: String,
    pub(crate) total: Decimal,
    /// In the order of attachment.
    pub(crate) attached: Vec<Attached>,
    /// Whether an order was made from it.
    pub(crate) complete: bool,
    /// Carts only: a credit attached after the primary does not count.
    pub(crate) late_credit_is_lost: bool,
}

impl Funding {
    pub(crate) fn holds(&self, source: &str) -> bool {
        self.attached.iter().any(|one| one.source == source)
    }

    pub(crate) fn primary(&self) -> Option<&Attached> {
        self.attached.iter().find(|one| !one.secondary)
    }

    pub(crate) fn secondaries(&self) -> impl Iterator<Item = &Attached> {
        self.attached.iter().filter(|one| one.secondary)
    }

    /// Returns the sum of all attached credits, including those that will be lost.
    pub(crate) fn credits(&self) -> Decimal {
        self.secondaries().map(|one| one.amount).sum()
    }

    /// Returns the sources that an order charges: the credits in order of attachment, then the
    /// primary.
    pub(crate) fn charged(&self) -> Vec<&Attached> {
        let (mut charged, primary): (Vec<_>, Vec<_>) =
            self.attached.iter().filter(|one| !self.loses(one)).partition(|one| one.secondary);
        charged.extend(primary);
        charged
    }

    /// Returns whether an order will leave this source out.
    pub(crate) fn loses(&self, one: &Attached) -> bool {
        self.lost().any(|lost| lost.source == one.source)
    }

    /// Returns the credits that an order will leave out.
    pub(crate) fn lost(&self) -> impl Iterator<Item = &Attached> {
        let primary = self
            .attached
            .iter()
            .position(|one| !one.secondary)
            .filter(|_| self.late_credit_is_lost);
        self.attached
            .iter()
            .enumerate()
            .filter(move |(at, one)| one.secondary && primary.is_some_and(|p| *at > p))
            .map(|(_, one)| one)
    }

    /// Returns what one attached source contributes.
    pub(crate) fn share(&self, one: &Attached) -> Decimal {
        if one.secondary {
            one.amount
        } else {
            self.total - self.credits() + self.lost().map(|one| one.amount).sum::<Decimal>()
        }
    }

    pub(crate) fn contributed(&self) -> Decimal {
        if self.primary().is_some() { self.total } else { self.credits() }
    }

    pub(crate) fn remaining(&self) -> Decimal {
        self.total - self.contributed()
    }

    pub(crate) fn state(&self) -> &'static str {
        if self.complete {
            "complete"
        } else if self.remaining().is_zero() {
            "requires_confirmation"
        } else {
            "requires_source"
        }
    }

    pub(crate) fn detach(&mut self, source: &str) {
        self.attached.retain(|one| one.source != source);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn funding(late_credit_is_lost: bool, attached: &[(&str, bool, i64)]) -> Funding {
        let attached = attached
            .iter()
            .map(|(id, secondary, amount)| Attached {
                source: (*id).into(),
                secondary: *secondary,
                amount: Decimal::from(*amount),
            })
            .collect();
        Funding {
            session: "s".into(),
            secret: "s_s".into(),
            currency: "USD".into(),
            total: Decimal::from(100),
            attached,
            complete: false,
            late_credit_is_lost,
        }
    }

    #[test]
    fn a_primary_takes_what_credits_leave() {
        let f = funding(false, &[("p", false, 0), ("c", true, 30)]);
        assert_eq!(f.share(&f.attached[0]), Decimal::from(70));
        assert_eq!((f.remaining(), f.state()), (Decimal::ZERO, "requires_confirmation"));
    }

    #[test]
    fn credits_alone_leave_a_remainder() {
        let f = funding(false, &[("c", true, 30)]);
        assert_eq!((f.remaining(), f.state()), (Decimal::from(70), "requires_source"));
    }

    #[test]
    fn on_a_cart_only_a_credit_before_the_primary_counts() {
        let early = funding(true, &[("c", true, 30), ("p", false, 0)]);
        assert_eq!(early.share(&early.attached[1]), Decimal::from(70));
        assert_eq!(early.lost().count(), 0);
        let late = funding(true, &[("p", false, 0), ("c", true, 30)]);
        assert_eq!(late.share(&late.attached[0]), Decimal::from(100));
        assert_eq!(late.lost().count(), 1);
    }
}
