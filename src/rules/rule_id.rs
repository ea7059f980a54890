//! The names of the rules.

use super::UnknownName;
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

macro_rules! rule_ids {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)*) => {
        /// A rule's id: the toggle's key in the policy and the value of the `Weir-Rule` header.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum RuleId {
            $($(#[$doc])* #[serde(rename = $text)] $name,)*
        }

        impl RuleId {
            /// Every rule.
            pub const ALL: &[RuleId] = &[$(RuleId::$name),*];

            /// The id as it is written.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(RuleId::$name => $text,)*
                }
            }
        }
    };
}

rule_ids! {
    /// A secondary comes after a single-use primary.
    SecondaryAfterSingleUsePrimary = "secondary-after-single-use-primary",
    /// Carts: a secondary comes after any primary.
    PrimaryBeforeSecondary = "primary-before-secondary",
    /// A second primary.
    SecondPrimary = "second-primary",
    /// Carts: one primary goes with one secondary.
    OneSecondary = "one-secondary",
    /// A cancelled, consumed or failed source.
    SpentSource = "spent-source",
    /// More credit than there is to pay.
    AmountExceedsTotal = "amount-exceeds-total",
    /// A primary that store credit cannot be combined with.
    PrimaryPairing = "primary-pairing",
    /// Saving what cannot be saved.
    SaveNonreusable = "save-nonreusable",
    /// Saving what is not chargeable.
    SaveNotChargeable = "save-not-chargeable",
    /// An order with somebody else's saved source.
    ForeignSavedSource = "foreign-saved-source",
    /// An order without the money.
    UnderfundedOrder = "underfunded-order",
    /// A default source that is not saved.
    DefaultSourceNotSaved = "default-source-not-saved",
    /// Store credit without what it needs.
    SecondarySourceShape = "secondary-source-shape",
    /// Legacy credit sent twice.
    CreditAmountRepeated = "credit-amount-repeated",
    /// Legacy credit after a single-use primary.
    CreditAmountAfterSingleUsePrimary = "credit-amount-after-single-use-primary",
    /// Store credit on an invoice with billing optimization.
    InvoiceBillingOptimization = "invoice-billing-optimization",
    /// Store credit that carries an owner.
    SecondarySourceOwner = "secondary-source-owner",
    /// Changing the amount of store credit.
    SecondaryAmountEdit = "secondary-amount-edit",
    /// A call that two parsers could read differently.
    AmbiguousRequest = "ambiguous-request",
}

impl fmt::Display for RuleId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for RuleId {
    type Err = UnknownName;

    fn from_str(name: &str) -> Result<Self, UnknownName> {
        UnknownName::find(Self::ALL.iter().copied(), Self::as_str, name, "rule")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_read_as_they_are_written() {
        for id in RuleId::ALL {
            assert_eq!(id.as_str().parse(), Ok(*id));
        }
    }
}
