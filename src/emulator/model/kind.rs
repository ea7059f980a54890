//! The kinds of things that calls change.

/// What a mutation changes, and therefore what two mutations may overlap on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A checkout, and the order made from it.
    Checkout,
    /// An invoice.
    Invoice,
    /// A shopper's cart.
    Cart,
    /// A customer, or a shopper's payment options.
    Customer,
}

impl Kind {
    const ALL: [Self; 4] = [Self::Checkout, Self::Invoice, Self::Cart, Self::Customer];

    /// Returns the kind in one word of lower case.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Checkout => "checkout",
            Self::Invoice => "invoice",
            Self::Cart => "cart",
            Self::Customer => "customer",
        }
    }

    pub(crate) fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// Returns the member of an order that names what it was made from.
    pub(crate) fn origin_field(self) -> &'static str {
        match self {
            Self::Checkout => "checkoutId",
            Self::Invoice => "invoiceId",
            Self::Cart => "cartId",
            Self::Customer => "customerId",
        }
    }
}
