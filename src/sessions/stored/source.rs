//! A source's record, by itself or as part of a session's.

use super::{
    super::change::StoreError,
    fields::{
        Callers, Dated, Digits, amount, callers, currency, customer, dated, letters, remembered,
        shown_to, stated,
    },
    text::Text,
};
use crate::rules::{SessionRecord, SourceRecord, SourceState, Stated, Timestamp};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
pub(super) struct Source<'a> {
    #[serde(borrow)]
    kind: Option<Text<'a>>,
    amount: Dated<Digits>,
    currency: Option<[u8; 3]>,
    reusable: Dated<bool>,
    state: Dated<State<'a>>,
    customer: Dated<Option<Text<'a>>>,
    payment_session: PaymentSession<'a>,
    /// The callers; `None` if they are the session's.
    shown_to: Option<Callers>,
    epoch: u32,
}

#[derive(Serialize, Deserialize)]
enum State<'a> {
    Chargeable,
    PendingRedirect,
    PendingFunds,
    RequiresAction,
    Pending,
    Consumed,
    Cancelled,
    Failed,
    Other(&'a str),
    /// Concluded from what a call did, and not shown by upstream.
    InferredConsumed,
    /// As above.
    InferredCancelled,
}

#[derive(Serialize, Deserialize)]
enum PaymentSession<'a> {
    Unstated,
    /// The same as that of the session that holds this record.
    Same,
    Stated(#[serde(borrow)] Text<'a>),
}

/// Returns the latest date of the record.
pub(super) fn latest(record: &SourceRecord) -> Timestamp {
    let SourceRecord { amount, reusable, state, customer, .. } = record;
    let dates = [amount.stated_at(), reusable.stated_at(), state.stated_at(), customer.stated_at()];
    dates.into_iter().flatten().max().unwrap_or_default()
}

impl<'a> Source<'a> {
    /// Returns the stored form of a record. `within` is the session whose record holds it, if one
    /// does; what both have in common is written once.
    pub(super) fn of(
        record: &'a SourceRecord,
        latest: Timestamp,
        within: Option<&SessionRecord>,
    ) -> Self {
        let payment_session = match (&record.payment_session, within) {
            (Stated::Unstated | Stated::Unread, _) => PaymentSession::Unstated,
            (stated, Some(session)) if *stated == session.payment_session => PaymentSession::Same,
            (Stated::Stated(id), _) => PaymentSession::Stated((**id).into()),
        };
        let same_callers = within.is_some_and(|session| session.shown_to == record.shown_to);
        Self {
            kind: record.kind.as_ref().map(|kind| kind.as_str().into()),
            amount: dated(&record.amount, latest, |amount| amount.parts()),
            currency: record.currency.as_ref().map(letters),
            reusable: dated(&record.reusable, latest, |reusable| *reusable),
            state: dated(&record.state, latest, |state| State::of(state, record.state_inferred)),
            customer: dated(&record.customer, latest, |id| {
                id.as_ref().map(|id| id.as_str().into())
            }),
            payment_session,
            shown_to: (!same_callers).then(|| callers(&record.shown_to)),
            epoch: record.epoch,
        }
    }

    pub(super) fn record(
        self,
        latest: Timestamp,
        within: Option<&SessionRecord>,
    ) -> Result<SourceRecord, StoreError> {
        let session = || within.ok_or(StoreError::Unreadable);
        let state_inferred = self.state.as_ref().is_some_and(|(state, _)| state.is_inferred());
        Ok(SourceRecord {
            kind: stated(self.kind, Text::name)?,
            amount: remembered(self.amount, latest, amount)?,
            currency: stated(self.currency, currency)?,
            reusable: remembered(self.reusable, latest, Ok)?,
            state: remembered(self.state, latest, |state| Ok(state.value()))?,
            state_inferred,
            customer: customer(self.customer, latest)?,
            payment_session: match self.payment_session {
                PaymentSession::Unstated => Stated::Unstated,
                PaymentSession::Same => session()?.payment_session.clone(),
                PaymentSession::Stated(id) => Stated::Stated(id.name()?),
            },
            shown_to: match self.shown_to {
                Some(callers) => shown_to(callers),
                None => session()?.shown_to.clone(),
            },
            epoch: self.epoch,
        })
    }
}

impl<'a> State<'a> {
    fn of(state: &'a SourceState, inferred: bool) -> Self {
        match state {
            SourceState::Consumed if inferred => Self::InferredConsumed,
            SourceState::Cancelled if inferred => Self::InferredCancelled,
            SourceState::Chargeable => Self::Chargeable,
            SourceState::PendingRedirect => Self::PendingRedirect,
            SourceState::PendingFunds => Self::PendingFunds,
            SourceState::RequiresAction => Self::RequiresAction,
            SourceState::Pending => Self::Pending,
            SourceState::Consumed => Self::Consumed,
            SourceState::Cancelled => Self::Cancelled,
            SourceState::Failed => Self::Failed,
            SourceState::Other(name) => Self::Other(name),
        }
    }

    fn is_inferred(&self) -> bool {
        matches!(self, Self::InferredConsumed | Self::InferredCancelled)
    }

    fn value(self) -> SourceState {
        match self {
            Self::Chargeable => SourceState::Chargeable,
            Self::PendingRedirect => SourceState::PendingRedirect,
            Self::PendingFunds => SourceState::PendingFunds,
            Self::RequiresAction => SourceState::RequiresAction,
            Self::Pending => SourceState::Pending,
            Self::Consumed | Self::InferredConsumed => SourceState::Consumed,
            Self::Cancelled | Self::InferredCancelled => SourceState::Cancelled,
            Self::Failed => SourceState::Failed,
            Self::Other(name) => SourceState::Other(name.into()),
        }
    }
}
