//! The facts in upstream's answer to a governed call, free of their wire form.

use super::{CustomerFacts, OptionFacts, SessionFacts, SourceFacts, SourceId, Stated};
use std::fmt;

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
    /// The order that was made, if the answer is one.
    pub order: Option<Box<str>>,
    /// The members that could not be read.
    pub unread: Vec<UnreadMember>,
}

/// A member of an answer that is there in a form that cannot be read. It has names and forms only,
/// never a value.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct UnreadMember {
    /// Its place, as in `paymentSession.amountContributed`.
    pub member: Box<str>,
    /// Its form, as in "a number".
    pub form: &'static str,
}

impl fmt::Display for UnreadMember {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.member, self.form)
    }
}
