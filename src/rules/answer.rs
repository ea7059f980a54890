//! The facts in upstream's answer to a governed call, free of their wire form.

use super::{CustomerFacts, OptionFacts, SessionFacts, SourceFacts, SourceId, Stated};

/// The facts that one answer shows. A dialect fills in those it finds; most answers show one thing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// The session that the answer shows.
    pub session: Option<SessionFacts>,
    /// The source that the answer itself describes.
    pub source: Option<SourceFacts>,
    /// The customer.
    pub customer: Option<CustomerFacts>,
    /// The shopper's payment options. `Unstated` if the answer is not that list.
    pub options: Stated<Vec<OptionFacts>>,
    /// The sources that were charged, if the answer is an order.
    pub charged: Vec<SourceId>,
}
