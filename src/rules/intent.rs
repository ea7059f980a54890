//! The meaning of a governed call, free of its wire form.
//!
//! A dialect makes an [`Intent`] from a request; `decide` and `learn` read it.

use super::{
    Amount, CustomerId, Dialect, OptionId, Owner, SessionKey, SessionKind, SourceId, SourceType,
    Stated,
};

/// The session that a call names.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Target {
    /// The session of this key.
    Session(SessionKey),
    /// The active session of this kind that belongs to the caller's credential.
    Active(SessionKind),
}

impl Target {
    /// Returns the session's kind.
    pub fn kind(&self) -> SessionKind {
        match self {
            Target::Session(key) => key.kind,
            Target::Active(kind) => *kind,
        }
    }

    /// Returns whether the caller's credential alone names the session.
    pub fn is_active(&self) -> bool {
        matches!(self, Target::Active(_))
    }
}

/// The version of the API that a call asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// The version that has a credit amount without a source.
    Legacy,
    /// The later version, which has no credit amount.
    Nested,
}

/// The members about paying in the body of a create or update.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Funding {
    /// The source that the call attaches.
    pub source: Option<SourceId>,
    /// The customer, or that there is none.
    pub customer: Stated<Option<CustomerId>>,
    /// The legacy credit amount.
    pub credit_amount: Option<Amount>,
    /// Whether the body has other members, which may change the total.
    pub changes_total: bool,
    /// Whether an invoice has billing optimization.
    pub billing_optimization: Stated<bool>,
    /// The version that the call asks for, if it states one.
    pub version: Stated<Version>,
}

/// The members of a new source that a rule needs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewSource {
    /// The type, if there is one and it is text.
    pub kind: Option<SourceType>,
    /// Whether there is an amount that is not null.
    pub has_amount: bool,
    /// Whether there is an object named after the type.
    pub has_type_object: bool,
    /// Whether there is an owner that is not null.
    pub has_owner: bool,
}

/// The sources that pay for an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PaidWith {
    /// The sources that are attached.
    Attached,
    /// The sources that are attached. The order was begun before, and upstream knows whether the
    /// shopper has done what it waited for.
    Resumed,
    /// The sources that the call lists. Other attached sources are detached.
    Listed(Vec<SourceId>),
}

/// A governed call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Intent {
    /// Creates a source.
    CreateSource(NewSource),
    /// Changes a source.
    EditSource {
        /// The source.
        source: SourceId,
        /// Whether the body has an amount.
        amount: bool,
    },
    /// Reads a source.
    ReadSource {
        /// The source.
        source: SourceId,
    },
    /// Creates a session.
    CreateSession {
        /// The session's kind.
        kind: SessionKind,
        /// The members about paying.
        funding: Funding,
    },
    /// Changes a session, and may attach a source.
    UpdateSession {
        /// The session.
        session: Target,
        /// The members about paying.
        funding: Funding,
    },
    /// Attaches a source to a session.
    Attach {
        /// The session.
        session: Target,
        /// The source.
        source: SourceId,
    },
    /// Detaches a source, or all, from a session.
    Detach {
        /// The session.
        session: Target,
        /// The source; `None`: all.
        source: Option<SourceId>,
    },
    /// Attaches the source behind a saved payment option of the caller.
    AttachSaved {
        /// The session.
        session: Target,
        /// The option; `None`: the default one.
        option: Option<OptionId>,
    },
    /// Reads a session.
    ReadSession {
        /// The session.
        session: Target,
    },
    /// Deletes a session.
    DeleteSession {
        /// The session.
        session: Target,
    },
    /// Turns a session into an order.
    Order {
        /// The session.
        session: Target,
        /// The sources that pay for it.
        paid_with: PaidWith,
    },
    /// Makes an order without a session, which charges a source.
    OrderAtOnce {
        /// The dialect whose rules hold.
        dialect: Dialect,
        /// The source.
        source: SourceId,
    },
    /// Saves a source to a customer or the shopper.
    Save {
        /// The dialect whose rules hold.
        dialect: Dialect,
        /// The customer or shopper.
        owner: Owner,
        /// The source.
        source: SourceId,
    },
    /// Removes a saved source from a customer.
    Remove {
        /// The dialect whose rules hold.
        dialect: Dialect,
        /// The customer.
        customer: CustomerId,
        /// The source.
        source: SourceId,
    },
    /// Changes a customer.
    UpdateCustomer {
        /// The dialect whose rules hold.
        dialect: Dialect,
        /// The customer.
        customer: CustomerId,
        /// The new default source, if the call sets one.
        default: Option<SourceId>,
        /// Whether the call disables or forgets the customer.
        ends: bool,
    },
    /// Creates a customer with a default source.
    CreateCustomer {
        /// The dialect whose rules hold.
        dialect: Dialect,
        /// The default source.
        default: SourceId,
    },
    /// Deletes a customer, which spends the saved sources.
    DeleteCustomer {
        /// The dialect whose rules hold.
        dialect: Dialect,
        /// The customer.
        customer: CustomerId,
    },
    /// Reads a list of sessions.
    ReadSessions {
        /// Their kind.
        kind: SessionKind,
    },
    /// Reads a customer.
    ReadCustomer {
        /// The customer.
        customer: CustomerId,
    },
    /// Changes or removes a saved payment option.
    ChangeOption {
        /// The dialect whose rules hold.
        dialect: Dialect,
        /// The option.
        option: OptionId,
        /// Whether the call removes it, which spends the source behind it.
        removes: bool,
        /// The source that the call puts behind it, if it names one.
        source: Option<SourceId>,
    },
    /// Reads one or all of the shopper's payment options.
    ReadOptions,
    /// Changes a session in a way that Weir does not follow.
    Touch {
        /// The session.
        session: Target,
    },
    /// Hands a session to the vendor's own pages, where the shopper may attach and detach anything.
    HandOver {
        /// The session.
        session: Target,
    },
}

impl Intent {
    /// Returns the existing session that the call is about, if there is one.
    pub fn session(&self) -> Option<&Target> {
        match self {
            Intent::UpdateSession { session, .. }
            | Intent::Attach { session, .. }
            | Intent::Detach { session, .. }
            | Intent::ReadSession { session }
            | Intent::DeleteSession { session }
            | Intent::Order { session, .. }
            | Intent::AttachSaved { session, .. }
            | Intent::Touch { session }
            | Intent::HandOver { session } => Some(session),
            _ => None,
        }
    }

    /// Returns the source that the call attaches by its id. The source behind a saved payment
    /// option must be looked up.
    pub fn attaches(&self) -> Option<&SourceId> {
        match self {
            Intent::Attach { source, .. } | Intent::OrderAtOnce { source, .. } => Some(source),
            Intent::CreateSession { funding, .. } | Intent::UpdateSession { funding, .. } => {
                funding.source.as_ref()
            }
            _ => None,
        }
    }

    /// Returns the source that the call names for any purpose.
    pub fn source(&self) -> Option<&SourceId> {
        match self {
            Intent::EditSource { source, .. }
            | Intent::ReadSource { source }
            | Intent::Save { source, .. }
            | Intent::Remove { source, .. } => Some(source),
            Intent::Detach { source, .. } => source.as_ref(),
            Intent::CreateCustomer { default, .. } => Some(default),
            Intent::UpdateCustomer { default, .. } => default.as_ref(),
            Intent::ChangeOption { source, .. } => source.as_ref(),
            _ => self.attaches(),
        }
    }

    /// Returns every source that the call names, those of its list included.
    pub fn sources(&self) -> impl Iterator<Item = &SourceId> {
        let listed = match self {
            Intent::Order { paid_with: PaidWith::Listed(sources), .. } => sources.as_slice(),
            _ => &[],
        };
        self.source().into_iter().chain(listed)
    }

    /// Returns the customer that the call names.
    pub fn customer(&self) -> Option<&CustomerId> {
        match self {
            Intent::Save { owner: Owner::Customer(customer), .. }
            | Intent::Remove { customer, .. }
            | Intent::UpdateCustomer { customer, .. }
            | Intent::DeleteCustomer { customer, .. }
            | Intent::ReadCustomer { customer } => Some(customer),
            _ => None,
        }
    }

    /// Returns whether the call is a read, which changes nothing and is never refused.
    pub fn is_read(&self) -> bool {
        matches!(
            self,
            Intent::ReadSource { .. }
                | Intent::ReadSession { .. }
                | Intent::ReadSessions { .. }
                | Intent::ReadCustomer { .. }
                | Intent::ReadOptions
        )
    }

    /// Returns the dialect whose rules hold. `None` for calls about a source alone, which all
    /// dialects share, and for reads outside a session, which no rule judges.
    pub fn dialect(&self) -> Option<Dialect> {
        match self {
            Intent::CreateSession { kind, .. } | Intent::ReadSessions { kind } => {
                Some(kind.dialect())
            }
            Intent::Save { dialect, .. }
            | Intent::Remove { dialect, .. }
            | Intent::UpdateCustomer { dialect, .. }
            | Intent::CreateCustomer { dialect, .. }
            | Intent::DeleteCustomer { dialect, .. }
            | Intent::OrderAtOnce { dialect, .. }
            | Intent::ChangeOption { dialect, .. } => Some(*dialect),
            _ => self.session().map(|target| target.kind().dialect()),
        }
    }

    /// Returns a short name for logs and the admin API.
    pub fn name(&self) -> &'static str {
        match self {
            Intent::CreateSource(_) => "create source",
            Intent::EditSource { .. } => "edit source",
            Intent::ReadSource { .. } => "read source",
            Intent::CreateSession { .. } => "create",
            Intent::UpdateSession { .. } => "update",
            Intent::Attach { .. } => "attach",
            Intent::Detach { .. } => "detach",
            Intent::AttachSaved { .. } => "apply shopper",
            Intent::ReadSession { .. } => "read",
            Intent::DeleteSession { .. } => "delete",
            Intent::Order { .. } => "order",
            Intent::Save { .. } => "save",
            Intent::Remove { .. } => "remove",
            Intent::OrderAtOnce { .. } => "order at once",
            Intent::UpdateCustomer { .. } => "update customer",
            Intent::CreateCustomer { .. } => "create customer",
            Intent::DeleteCustomer { .. } => "delete customer",
            Intent::ReadSessions { .. } => "list",
            Intent::ReadCustomer { .. } => "read customer",
            Intent::ChangeOption { .. } => "change option",
            Intent::ReadOptions => "read options",
            Intent::Touch { .. } => "change",
            Intent::HandOver { .. } => "hand over",
        }
    }
}
