//! The payment session of one checkout, invoice or cart: what is attached, and who pays how much.
//!
//! Holds amounts only; whether an attach is allowed is judged where the dialect's rules are
//! (`attach`, `cart_sources`). A primary contributes all that the credits leave of the total. On
//! checkouts every attached credit counts; on carts only those attached *before* the primary do:
//! the others are shown, and lost when the cart is submitted.

use rust_decimal::Decimal;

use super::doc::Doc;

#[derive(Clone, Debug)]
pub(super) struct Attached {
    pub(super) source: String,
    pub(super) secondary: bool,
    /// A credit's own amount; a primary's share is computed.
    pub(super) amount: Decimal,
}

#[derive(Clone, Debug)]
pub(super) struct Funding {
    pub(super) session: String,
    pub(super) secret: String,
    pub(super) currency: String,
    pub(super) total: Decimal,
    /// In the order of attachment.
    pub(super) attached: Vec<Attached>,
    /// An order was made from it.
    pub(super) complete: bool,
    /// Carts: a credit attached after the primary does not count.
    pub(super) late_credit_is_lost: bool,
}

impl Funding {
    pub(super) fn holds(&self, source: &str) -> bool {
        self.attached.iter().any(|one| one.source == source)
    }

    pub(super) fn primary(&self) -> Option<&Attached> {
        self.attached.iter().find(|one| !one.secondary)
    }

    pub(super) fn secondaries(&self) -> impl Iterator<Item = &Attached> {
        self.attached.iter().filter(|one| one.secondary)
    }

    /// The sum of all attached credits, also of those that will be lost.
    pub(super) fn credits(&self) -> Decimal {
        self.secondaries().map(|one| one.amount).sum()
    }

    /// Credits that will not be charged.
    pub(super) fn lost(&self) -> impl Iterator<Item = &Attached> {
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

    /// What one attached source contributes.
    pub(super) fn share(&self, one: &Attached) -> Decimal {
        if one.secondary {
            one.amount
        } else {
            self.total - self.credits() + self.lost().map(|one| one.amount).sum::<Decimal>()
        }
    }

    pub(super) fn contributed(&self) -> Decimal {
        if self.primary().is_some() { self.total } else { self.credits() }
    }

    pub(super) fn remaining(&self) -> Decimal {
        self.total - self.contributed()
    }

    pub(super) fn state(&self) -> &'static str {
        if self.complete {
            "complete"
        } else if self.remaining().is_zero() {
            "requires_confirmation"
        } else {
            "requires_source"
        }
    }

    pub(super) fn detach(&mut self, source: &str) {
        self.attached.retain(|one| one.source != source);
    }

    /// `payment.session` of a checkout.
    pub(super) fn as_session(&self) -> Doc {
        Doc::object()
            .with("id", &self.session)
            .with("amountContributed", Doc::money(self.contributed()))
            .with("amountRemainingToBeContributed", Doc::money(self.remaining()))
            .with("clientSecret", &self.secret)
            .with("state", self.state())
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
