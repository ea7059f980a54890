//! Whether figures show that an order would leave credit out.
//!
//! In: what the payment methods of a session pay, and what the session says of itself, all of one
//! moment. Out: whether credit is left out, or that the figures do not tell.
//!
//! Where credit is left out, the primary pays what the credit should. So the methods sum up to more
//! than is contributed, or the primary alone pays the total, or the credit is shown with nothing.

use super::{Amount, Currency, SourceType, Stated, Types};

/// What one payment method of a session pays, whether or not it names a source.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Share {
    /// The type of what pays.
    pub kind: Stated<SourceType>,
    /// Whether it is shown as a supplement to another, so that it is secondary if no type is told.
    pub supplements: bool,
    /// The amount that it contributes.
    pub amount: Stated<Amount>,
}

impl Share {
    fn is_secondary(&self, types: &Types) -> Option<bool> {
        let told = self.kind.as_ref().map(|kind| types.is_secondary(kind));
        told.or(self.supplements.then_some(true))
    }
}

/// The figures of one moment.
pub(super) struct Figures {
    /// What the primary pays.
    pub(super) primary: Amount,
    /// What each secondary pays; at least one.
    pub(super) secondaries: Vec<Amount>,
    /// What is contributed, as the session says itself.
    pub(super) contributed: Option<Amount>,
    /// What is to be paid.
    pub(super) total: Option<Amount>,
    pub(super) currency: Option<Currency>,
}

impl Figures {
    /// Returns whether they show that credit is left out, or `None` if they do not tell.
    pub(super) fn leave_credit_out(&self) -> Option<bool> {
        if !self.is_more(self.primary, Amount::ZERO) {
            // A primary that pays nothing takes nothing from the credit.
            return Some(false);
        }
        let pays_all = self.total.is_some_and(|total| !self.is_more(total, self.primary));
        if pays_all || self.sum_up_to_more() {
            return Some(true);
        }
        // Credit that is shown with nothing may be left out.
        let all_pay = self.secondaries.iter().all(|credit| self.is_more(*credit, Amount::ZERO));
        (self.contributed.is_some() && all_pay).then_some(false)
    }

    /// Returns whether the sources sum up to more than is contributed.
    fn sum_up_to_more(&self) -> bool {
        let sum =
            self.secondaries.iter().try_fold(self.primary, |sum, credit| sum.checked_add(*credit));
        sum.zip(self.contributed).is_some_and(|(sum, contributed)| self.is_more(sum, contributed))
    }

    /// Returns whether one amount is more than another, by at least what the currency can tell.
    fn is_more(&self, one: Amount, other: Amount) -> bool {
        one.saturating_sub(other).is_difference(self.currency)
    }
}

/// What one answer says of a session beside what its payment methods pay.
pub(super) struct Shown {
    pub(super) contributed: Stated<Amount>,
    pub(super) total: Stated<Amount>,
    pub(super) currency: Stated<Currency>,
}

/// Returns whether the shares of one answer show that an order would leave credit out, or `None`
/// if they do not tell.
pub(super) fn leave_credit_out(shares: &[Share], shown: &Shown, types: &Types) -> Option<bool> {
    let (credit, others): (Vec<&Share>, Vec<&Share>) =
        shares.iter().partition(|share| share.is_secondary(types) == Some(true));
    let primary = match (others.as_slice(), credit.as_slice()) {
        ([], _) | ([_], []) => return Some(false),
        ([primary], _) => primary,
        _ => return None,
    };
    let amount = |share: &&Share| share.amount.as_ref().copied();
    let figures = Figures {
        primary: amount(primary)?,
        secondaries: credit.iter().map(amount).collect::<Option<_>>()?,
        contributed: shown.contributed.as_ref().copied(),
        total: shown.total.as_ref().copied(),
        currency: shown.currency.as_ref().copied(),
    };
    // One whose type is not told may be credit.
    primary.is_secondary(types).and_then(|_| figures.leave_credit_out())
}
