//! What a call means, as a line of the decision log writes it: ids, amounts and types only.

use super::{
    error::ReplayError,
    form::{Names, is_default},
    parts::{FundingForm, NewForm, OwnerForm, PaidForm},
};
use crate::rules::{
    CustomerId, Dialect, Intent, OptionId, SessionId, SessionKey, SourceId, Target,
};
use serde::{Deserialize, Serialize};

/// A call's intent. `is` names it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) enum IntentForm {
    CreateSource { new: NewForm },
    EditSource { source: SourceId, amount: bool },
    ReadSource { source: SourceId },
    CreateSession { kind: String, funding: FundingForm },
    UpdateSession { session: TargetForm, funding: FundingForm },
    Attach { session: TargetForm, source: SourceId },
    Detach { session: TargetForm, source: Option<SourceId> },
    AttachSaved { session: TargetForm, option: Option<OptionId> },
    ReadSession { session: TargetForm },
    DeleteSession { session: TargetForm },
    Order { session: TargetForm, paid_with: PaidForm },
    OrderAtOnce { dialect: String, source: SourceId },
    Save { dialect: String, owner: OwnerForm, source: SourceId },
    Remove { dialect: String, customer: CustomerId, source: SourceId },
    UpdateCustomer { dialect: String, customer: CustomerId, default: Option<SourceId>, ends: bool },
    CreateCustomer { dialect: String, default: SourceId },
    DeleteCustomer { dialect: String, customer: CustomerId },
    ReadSessions { kind: String },
    ReadCustomer { customer: CustomerId },
    ChangeOption { dialect: String, option: OptionId, removes: bool, source: Option<SourceId> },
    ReadOptions,
    Touch { session: TargetForm },
    HandOver { session: TargetForm },
}

/// A session: its kind, and its id unless it is the caller's active one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TargetForm {
    kind: String,
    #[serde(default, skip_serializing_if = "is_default")]
    id: Option<SessionId>,
}

impl IntentForm {
    pub(crate) fn of(intent: Intent) -> Self {
        let (target, funded) = (TargetForm::of, FundingForm::of);
        let name = |dialect: Dialect| dialect.as_str().to_owned();
        match intent {
            Intent::CreateSource(new) => Self::CreateSource { new: NewForm::of(new) },
            Intent::EditSource { source, amount } => Self::EditSource { source, amount },
            Intent::ReadSource { source } => Self::ReadSource { source },
            Intent::CreateSession { kind, funding } => {
                Self::CreateSession { kind: kind.as_str().to_owned(), funding: funded(&funding) }
            }
            Intent::UpdateSession { session, funding } => {
                Self::UpdateSession { session: target(&session), funding: funded(&funding) }
            }
            Intent::Attach { session, source } => {
                Self::Attach { session: target(&session), source }
            }
            Intent::Detach { session, source } => {
                Self::Detach { session: target(&session), source }
            }
            Intent::AttachSaved { session, option } => {
                Self::AttachSaved { session: target(&session), option }
            }
            Intent::ReadSession { session } => Self::ReadSession { session: target(&session) },
            Intent::DeleteSession { session } => Self::DeleteSession { session: target(&session) },
            Intent::Order { session, paid_with } => {
                Self::Order { session: target(&session), paid_with: PaidForm::of(paid_with) }
            }
            Intent::OrderAtOnce { dialect, source } => {
                Self::OrderAtOnce { dialect: name(dialect), source }
            }
            Intent::Save { dialect, owner, source } => {
                Self::Save { dialect: name(dialect), owner: OwnerForm::of(owner), source }
            }
            Intent::Remove { dialect, customer, source } => {
                Self::Remove { dialect: name(dialect), customer, source }
            }
            Intent::UpdateCustomer { dialect, customer, default, ends } => {
                Self::UpdateCustomer { dialect: name(dialect), customer, default, ends }
            }
            Intent::CreateCustomer { dialect, default } => {
                Self::CreateCustomer { dialect: name(dialect), default }
            }
            Intent::DeleteCustomer { dialect, customer } => {
                Self::DeleteCustomer { dialect: name(dialect), customer }
            }
            Intent::ReadSessions { kind } => Self::ReadSessions { kind: kind.as_str().to_owned() },
            Intent::ReadCustomer { customer } => Self::ReadCustomer { customer },
            Intent::ChangeOption { dialect, option, removes, source } => {
                Self::ChangeOption { dialect: name(dialect), option, removes, source }
            }
            Intent::ReadOptions => Self::ReadOptions,
            Intent::Touch { session } => Self::Touch { session: target(&session) },
            Intent::HandOver { session } => Self::HandOver { session: target(&session) },
        }
    }

    pub(super) fn intent(self, names: &Names<'_>) -> Result<Intent, ReplayError> {
        let target = |session: TargetForm| session.target(names);
        let dialect_of = |name: String| names.dialect(&name);
        Ok(match self {
            Self::CreateSource { new } => Intent::CreateSource(new.source()),
            Self::EditSource { source, amount } => Intent::EditSource { source, amount },
            Self::ReadSource { source } => Intent::ReadSource { source },
            Self::CreateSession { kind, funding } => {
                Intent::CreateSession { kind: names.kind(&kind)?, funding: funding.funding() }
            }
            Self::UpdateSession { session, funding } => {
                Intent::UpdateSession { session: target(session)?, funding: funding.funding() }
            }
            Self::Attach { session, source } => {
                Intent::Attach { session: target(session)?, source }
            }
            Self::Detach { session, source } => {
                Intent::Detach { session: target(session)?, source }
            }
            Self::AttachSaved { session, option } => {
                Intent::AttachSaved { session: target(session)?, option }
            }
            Self::ReadSession { session } => Intent::ReadSession { session: target(session)? },
            Self::DeleteSession { session } => Intent::DeleteSession { session: target(session)? },
            Self::Order { session, paid_with } => {
                Intent::Order { session: target(session)?, paid_with: paid_with.paid_with() }
            }
            Self::OrderAtOnce { dialect, source } => {
                Intent::OrderAtOnce { dialect: dialect_of(dialect)?, source }
            }
            Self::Save { dialect, owner, source } => {
                Intent::Save { dialect: dialect_of(dialect)?, owner: owner.owner(), source }
            }
            Self::Remove { dialect, customer, source } => {
                Intent::Remove { dialect: dialect_of(dialect)?, customer, source }
            }
            Self::UpdateCustomer { dialect, customer, default, ends } => {
                Intent::UpdateCustomer { dialect: dialect_of(dialect)?, customer, default, ends }
            }
            Self::CreateCustomer { dialect, default } => {
                Intent::CreateCustomer { dialect: dialect_of(dialect)?, default }
            }
            Self::DeleteCustomer { dialect, customer } => {
                Intent::DeleteCustomer { dialect: dialect_of(dialect)?, customer }
            }
            Self::ReadSessions { kind } => Intent::ReadSessions { kind: names.kind(&kind)? },
            Self::ReadCustomer { customer } => Intent::ReadCustomer { customer },
            Self::ChangeOption { dialect, option, removes, source } => {
                Intent::ChangeOption { dialect: dialect_of(dialect)?, option, removes, source }
            }
            Self::ReadOptions => Intent::ReadOptions,
            Self::Touch { session } => Intent::Touch { session: target(session)? },
            Self::HandOver { session } => Intent::HandOver { session: target(session)? },
        })
    }
}

impl TargetForm {
    fn of(target: &Target) -> Self {
        let id = match target {
            Target::Session(key) => Some(key.id.clone()),
            Target::Active(_) => None,
        };
        Self { kind: target.kind().as_str().to_owned(), id }
    }

    fn target(self, names: &Names<'_>) -> Result<Target, ReplayError> {
        let kind = names.kind(&self.kind)?;
        Ok(match self.id {
            Some(id) => Target::Session(SessionKey { kind, id }),
            None => Target::Active(kind),
        })
    }
}
