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

            /// Returns the id as it is written.
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
    /// A secondary comes after any primary.
    PrimaryBeforeSecondary = "primary-before-secondary",
    /// A primary comes while another is attached.
    SecondPrimary = "second-primary",
    /// A primary would be combined with several secondaries.
    OneSecondary = "one-secondary",
    /// A source is cancelled, consumed or failed.
    SpentSource = "spent-source",
    /// A secondary is worth more than is left to pay.
    AmountExceedsTotal = "amount-exceeds-total",
    /// A primary cannot be combined with store credit.
    PrimaryPairing = "primary-pairing",
    /// A source is saved whose type cannot be saved.
    SaveNonreusable = "save-nonreusable",
    /// A source is saved that is not chargeable.
    SaveNotChargeable = "save-not-chargeable",
    /// An order charges a source that is saved to another customer.
    ForeignSavedSource = "foreign-saved-source",
    /// An order comes before it is fully funded.
    UnderfundedOrder = "underfunded-order",
    /// An order comes while store credit stands behind a primary.
    LostCredit = "lost-credit",
    /// A default source is not saved to the customer.
    DefaultSourceNotSaved = "default-source-not-saved",
    /// Store credit is created without a member that it needs.
    SecondarySourceShape = "secondary-source-shape",
    /// A legacy credit amount is sent where there is one already.
    CreditAmountRepeated = "credit-amount-repeated",
    /// A legacy credit amount is sent after a single-use primary.
    CreditAmountAfterSingleUsePrimary = "credit-amount-after-single-use-primary",
    /// Store credit comes to an invoice with billing optimization.
    InvoiceBillingOptimization = "invoice-billing-optimization",
    /// Store credit is created with an owner.
    SecondarySourceOwner = "secondary-source-owner",
    /// The amount of store credit is changed.
    SecondaryAmountEdit = "secondary-amount-edit",
    /// Two parsers could read the call differently.
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
