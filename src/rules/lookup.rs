//! The look-ups that the rules can ask for.

use super::SourceId;

/// A thing that upstream can be asked for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Lookup {
    /// The session that the call is about.
    Session,
    /// A source.
    Source(SourceId),
    /// The customer that the call is about.
    Customer,
    /// The payment options of the shopper behind the caller's token.
    PaymentOptions,
}
