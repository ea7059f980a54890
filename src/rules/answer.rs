//! What upstream's answer to a governed call says, free of its wire form.

use super::{CustomerFacts, OptionFacts, SessionFacts, SourceFacts, SourceId, Stated};

/// Everything one answer shows. A dialect fills in what it finds; most answers show one thing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// The checkout, invoice or cart.
    pub session: Option<SessionFacts>,
    /// The source the answer itself is.
    pub source: Option<SourceFacts>,
    /// The customer.
    pub customer: Option<CustomerFacts>,
    /// The shopper's payment options; `Unstated` where the answer is not that list.
    pub options: Stated<Vec<OptionFacts>>,
    /// The sources an order charged, where the answer is an order.
    pub charged: Vec<SourceId>,
}
