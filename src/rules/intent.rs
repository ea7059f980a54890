//! What a governed call means, in the words of the domain.
//!
//! In: nothing; a dialect builds these. Out: what `decide` and `learn` need to know of a request,
//! free of its wire form.

use super::{
    Amount, CustomerId, Dialect, OptionId, Owner, SessionKey, SessionKind, SourceId, SourceType,
    Stated,
};

/// The session a call names.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Target {
    /// By its id.
    Session(SessionKey),
    /// The active session of this kind that the caller's credential stands for.
    Active(SessionKind),
}

impl Target {
    /// What is funded.
    pub fn kind(&self) -> SessionKind {
        match self {
            Target::Session(key) => key.kind,
            Target::Active(kind) => *kind,
        }
    }

    /// Whether it is named by the caller's credential alone.
    pub fn is_active(&self) -> bool {
        matches!(self, Target::Active(_))
    }
}

/// Which of the two shapes of the checkouts dialect a call asked for with `DigitalRiver-Version`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// Before 2021-03-23: `sources[]` at the top, `creditAmount`.
    Legacy,
    /// 2021-03-23 and later: all under `payment`.
    Nested,
}

/// What the body of a create or update says about paying.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Funding {
    /// `sourceId`: attaches it.
    pub source: Option<SourceId>,
    /// `customerId`.
    pub customer: Stated<Option<CustomerId>>,
    /// `creditAmount` (legacy).
    pub credit_amount: Option<Amount>,
    /// The body has other members, so that the total after the call is not known before it.
    pub changes_total: bool,
    /// `billingOptimization` of an invoice.
    pub billing_optimization: Stated<bool>,
    /// The version the call asked for; `Unstated` without the header.
    pub version: Stated<Version>,
}

/// The parts of `POST /sources` that a rule looks at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewSource {
    /// `type`, where it is there and text.
    pub kind: Option<SourceType>,
    /// Whether `amount` is there and not null.
    pub has_amount: bool,
    /// Members that are objects, of which one must be named after the type: whether that one is
    /// there.
    pub has_type_object: bool,
    /// Whether `owner` is there and not null.
    pub has_owner: bool,
}

/// What an order is paid with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PaidWith {
    /// The sources that are attached.
    Attached,
    /// A source or customer that the body brings, so that the session alone does not tell whether
    /// the order is funded.
    Brought,
    /// The sources that the call lists. What else is attached is given up, as if detached.
    Listed(Vec<SourceId>),
}

/// A governed call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Intent {
    /// `POST /sources`.
    CreateSource(NewSource),
    /// `POST`, `PUT` or `PATCH /sources/{id}`.
    EditSource {
        /// Which.
        source: SourceId,
        /// Whether the body has `amount`.
        amount: bool,
    },
    /// `GET /sources/{id}`.
    ReadSource {
        /// Which.
        source: SourceId,
    },
    /// `POST /checkouts`, `POST /invoices`.
    CreateSession {
        /// Checkout or invoice.
        kind: SessionKind,
        /// What its body says about paying.
        funding: Funding,
    },
    /// `POST /checkouts/{id}`, `POST /invoices/{id}`, `POST …/carts/active`.
    UpdateSession {
        /// Which.
        session: Target,
        /// What its body says about paying.
        funding: Funding,
    },
    /// `POST …/sources/{sourceId}`, `POST …/apply-payment-method`.
    Attach {
        /// To what.
        session: Target,
        /// What.
        source: SourceId,
    },
    /// `DELETE …/sources/{sourceId}`, `DELETE …/apply-payment-method`, `DELETE …/payment`.
    Detach {
        /// From what.
        session: Target,
        /// What; `None`: all.
        source: Option<SourceId>,
    },
    /// Attaches what a saved payment option of the caller stands for (`POST …/apply-shopper`).
    AttachSaved {
        /// To what.
        session: Target,
        /// `paymentOptionId`; `None`: the default one.
        option: Option<OptionId>,
    },
    /// `GET` of a session.
    ReadSession {
        /// Which.
        session: Target,
    },
    /// `DELETE` of a session.
    DeleteSession {
        /// Which.
        session: Target,
    },
    /// `POST /orders` with `checkoutId`, `POST …/submit-cart`.
    Order {
        /// Of what.
        session: Target,
        /// With what it is paid.
        paid_with: PaidWith,
    },
    /// `POST /customers/{id}/sources/{sourceId}`, `POST …/payment-options`.
    Save {
        /// Under whose rules.
        dialect: Dialect,
        /// To whom.
        owner: Owner,
        /// What.
        source: SourceId,
    },
    /// `DELETE /customers/{id}/sources/{sourceId}`.
    Remove {
        /// Under whose rules.
        dialect: Dialect,
        /// From whom.
        customer: CustomerId,
        /// What.
        source: SourceId,
    },
    /// `POST /customers/{id}`.
    UpdateCustomer {
        /// Under whose rules.
        dialect: Dialect,
        /// Whom.
        customer: CustomerId,
        /// `defaultSourceId`, where it is set to something.
        default: Option<SourceId>,
    },
    /// `GET /customers/{id}`.
    ReadCustomer {
        /// Whom.
        customer: CustomerId,
    },
    /// `POST` or `DELETE …/payment-options/{id}`.
    ChangeOption {
        /// Under whose rules.
        dialect: Dialect,
        /// Which.
        option: OptionId,
        /// It is a `DELETE`: the source behind it is thereby spent.
        removes: bool,
    },
    /// `GET …/payment-options`, `GET …/payment-options/{id}`.
    ReadOptions,
    /// Another mutation of a session's own path, without a meaning that Weir follows.
    Touch {
        /// Which.
        session: Target,
    },
}

impl Intent {
    /// The session the call is about, where it is about one that exists.
    pub fn session(&self) -> Option<&Target> {
        match self {
            Intent::UpdateSession { session, .. }
            | Intent::Attach { session, .. }
            | Intent::Detach { session, .. }
            | Intent::ReadSession { session }
            | Intent::DeleteSession { session }
            | Intent::Order { session, .. }
            | Intent::AttachSaved { session, .. }
            | Intent::Touch { session } => Some(session),
            _ => None,
        }
    }

    /// The source that would be attached, in whichever form. A saved payment option
    /// names none: it must be looked up.
    pub fn attaches(&self) -> Option<&SourceId> {
        match self {
            Intent::Attach { source, .. } => Some(source),
            Intent::CreateSession { funding, .. } | Intent::UpdateSession { funding, .. } => {
                funding.source.as_ref()
            }
            _ => None,
        }
    }

    /// The source the call names, attached or not.
    pub fn source(&self) -> Option<&SourceId> {
        match self {
            Intent::EditSource { source, .. }
            | Intent::ReadSource { source }
            | Intent::Save { source, .. }
            | Intent::Remove { source, .. } => Some(source),
            Intent::Detach { source, .. } => source.as_ref(),
            Intent::UpdateCustomer { default, .. } => default.as_ref(),
            _ => self.attaches(),
        }
    }

    /// Every source the call names: the one, and those of its list.
    pub fn sources(&self) -> impl Iterator<Item = &SourceId> {
        let listed = match self {
            Intent::Order { paid_with: PaidWith::Listed(sources), .. } => sources.as_slice(),
            _ => &[],
        };
        self.source().into_iter().chain(listed)
    }

    /// The customer the call names.
    pub fn customer(&self) -> Option<&CustomerId> {
        match self {
            Intent::Save { owner: Owner::Customer(customer), .. }
            | Intent::Remove { customer, .. }
            | Intent::UpdateCustomer { customer, .. }
            | Intent::ReadCustomer { customer } => Some(customer),
            _ => None,
        }
    }

    /// Reads change nothing: they need no turn and are never refused.
    pub fn is_read(&self) -> bool {
        matches!(
            self,
            Intent::ReadSource { .. }
                | Intent::ReadSession { .. }
                | Intent::ReadCustomer { .. }
                | Intent::ReadOptions
        )
    }

    /// Returns the dialect whose rules hold. `None` for `/sources`, which all dialects share, and
    /// for reads outside a session, which no rule judges.
    pub fn dialect(&self) -> Option<Dialect> {
        match self {
            Intent::CreateSession { kind, .. } => Some(kind.dialect()),
            Intent::Save { dialect, .. }
            | Intent::Remove { dialect, .. }
            | Intent::UpdateCustomer { dialect, .. }
            | Intent::ChangeOption { dialect, .. } => Some(*dialect),
            _ => self.session().map(|target| target.kind().dialect()),
        }
    }

    /// A short name for logs and the admin API.
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
            Intent::UpdateCustomer { .. } => "update customer",
            Intent::ReadCustomer { .. } => "read customer",
            Intent::ChangeOption { .. } => "change option",
            Intent::ReadOptions => "read options",
            Intent::Touch { .. } => "change",
        }
    }
}
