//! A session's record, with what is known of its sources.

use super::{
    super::change::StoreError,
    fields::{
        Callers, Dated, Digits, ago, amount, callers, currency, customer, dated, letters,
        remembered, shown_to, stated,
    },
    source::{self, Source},
    text::Text,
};
use crate::rules::{
    Attached, Joined, Pending, SessionRecord, SessionState, SourceId, SourceRecord, Timestamp,
};
use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

#[derive(Serialize, Deserialize)]
pub(super) struct Session<'a> {
    latest: u64,
    #[serde(borrow)]
    sources: Dated<SmallVec<[Part<'a>; 2]>>,
    total: Dated<Digits>,
    remaining: Dated<Digits>,
    contributed: Dated<Digits>,
    leaves_out: Dated<bool>,
    currency: Option<[u8; 3]>,
    state: Dated<State<'a>>,
    customer: Dated<Option<Text<'a>>>,
    credit_amount: Dated<Option<Digits>>,
    billing_optimization: Dated<bool>,
    payment_session: Option<Text<'a>>,
    shown_to: Callers,
    in_flight: bool,
    unsure: bool,
    epoch: u32,
    /// How long before `latest` the last mutation ended.
    ended: Option<u64>,
    /// The order in which the sources joined, and those that may still join.
    joined: (SmallVec<[Member<'a>; 2]>, SmallVec<[Text<'a>; 1]>),
    pending: Option<Note<'a>>,
    members: SmallVec<[(Member<'a>, Source<'a>); 2]>,
}

/// An attached source.
#[derive(Serialize, Deserialize)]
struct Part<'a> {
    #[serde(borrow)]
    id: Text<'a>,
    kind: Option<Text<'a>>,
    amount: Option<Digits>,
}

#[derive(Serialize, Deserialize)]
enum State<'a> {
    RequiresSource,
    RequiresConfirmation,
    Complete,
    Other(&'a str),
}

#[derive(Serialize, Deserialize)]
enum Note<'a> {
    Repair {
        #[serde(borrow)]
        primary: Text<'a>,
        incoming: Option<Text<'a>>,
        replaces: bool,
    },
    Deferred {
        primary: Text<'a>,
        since: u64,
        sending: bool,
    },
}

/// Names a member: usually by its position among the attached sources.
#[derive(Serialize, Deserialize)]
enum Member<'a> {
    Attached(u8),
    Named(#[serde(borrow)] Text<'a>),
}

impl<'a> Session<'a> {
    pub(super) fn of(record: &'a SessionRecord) -> Self {
        let latest = latest(record);
        Self {
            latest: latest.0,
            sources: dated(&record.sources, latest, |sources| {
                sources.iter().map(Part::of).collect()
            }),
            total: dated(&record.total, latest, |amount| amount.parts()),
            remaining: dated(&record.remaining, latest, |amount| amount.parts()),
            contributed: dated(&record.contributed, latest, |amount| amount.parts()),
            leaves_out: dated(&record.leaves_out, latest, |leaves_out| *leaves_out),
            currency: record.currency.as_ref().map(letters),
            state: dated(&record.state, latest, State::of),
            customer: dated(&record.customer, latest, |id| {
                id.as_ref().map(|id| id.as_str().into())
            }),
            credit_amount: dated(&record.credit_amount, latest, |amount| {
                amount.map(|amount| amount.parts())
            }),
            billing_optimization: dated(&record.billing_optimization, latest, |optimized| {
                *optimized
            }),
            payment_session: record.payment_session.as_ref().map(|id| (**id).into()),
            shown_to: callers(&record.shown_to),
            in_flight: record.in_flight,
            unsure: record.unsure,
            epoch: record.epoch,
            ended: record.ended.map(|ended| latest.since(ended)),
            joined: (
                record.joined.order.iter().map(|id| Member::of(id, record)).collect(),
                record.joined.awaited.iter().map(|id| id.as_str().into()).collect(),
            ),
            pending: record.pending.as_deref().map(Note::of),
            members: record
                .members
                .iter()
                .map(|(id, facts)| {
                    (Member::of(id, record), Source::of(facts, latest, Some(record)))
                })
                .collect(),
        }
    }

    pub(super) fn record(self) -> Result<SessionRecord, StoreError> {
        let latest = Timestamp(self.latest);
        let mut record = SessionRecord {
            sources: remembered(self.sources, latest, |sources| {
                sources.into_iter().map(Part::value).collect()
            })?,
            total: remembered(self.total, latest, amount)?,
            remaining: remembered(self.remaining, latest, amount)?,
            contributed: remembered(self.contributed, latest, amount)?,
            leaves_out: remembered(self.leaves_out, latest, Ok)?,
            currency: stated(self.currency, currency)?,
            state: remembered(self.state, latest, |state| Ok(state.value()))?,
            customer: customer(self.customer, latest)?,
            credit_amount: remembered(self.credit_amount, latest, |digits| {
                digits.map(amount).transpose()
            })?,
            billing_optimization: remembered(self.billing_optimization, latest, Ok)?,
            payment_session: stated(self.payment_session, Text::name)?,
            shown_to: shown_to(self.shown_to),
            in_flight: self.in_flight,
            unsure: self.unsure,
            epoch: self.epoch,
            ended: self.ended.map(|before| ago(before, latest)).transpose()?,
            joined: Joined::default(),
            pending: self.pending.map(Note::value).transpose()?.map(Box::new),
            members: Vec::new(),
        };
        let member = |(member, facts): (Member<'_>, Source<'_>)| {
            Ok((member.value(&record)?, facts.record(latest, Some(&record))?))
        };
        let members: Vec<(SourceId, SourceRecord)> =
            self.members.into_iter().map(member).collect::<Result<_, StoreError>>()?;
        record.members = members;
        let (order, awaited) = self.joined;
        record.joined = Joined {
            order: order.into_iter().map(|id| id.value(&record)).collect::<Result<_, _>>()?,
            awaited: awaited.into_iter().map(Text::name).collect::<Result<_, _>>()?,
        };
        Ok(record)
    }
}

/// Returns the latest date of the record.
fn latest(record: &SessionRecord) -> Timestamp {
    let dates = [
        record.sources.stated_at(),
        record.total.stated_at(),
        record.remaining.stated_at(),
        record.contributed.stated_at(),
        record.leaves_out.stated_at(),
        record.state.stated_at(),
        record.customer.stated_at(),
        record.credit_amount.stated_at(),
        record.billing_optimization.stated_at(),
        record.ended,
    ];
    let members = record.members.iter().map(|(_, facts)| source::latest(facts));
    dates.into_iter().flatten().chain(members).max().unwrap_or_default()
}

impl<'a> Part<'a> {
    fn of(attached: &'a Attached) -> Self {
        Self {
            id: attached.id.as_str().into(),
            kind: attached.kind.as_ref().map(|kind| kind.as_str().into()),
            amount: attached.amount.as_ref().map(|amount| amount.parts()),
        }
    }

    fn value(self) -> Result<Attached, StoreError> {
        Ok(Attached {
            id: self.id.name()?,
            kind: stated(self.kind, Text::name)?,
            amount: stated(self.amount, amount)?,
        })
    }
}

impl<'a> State<'a> {
    fn of(state: &'a SessionState) -> Self {
        match state {
            SessionState::RequiresSource => Self::RequiresSource,
            SessionState::RequiresConfirmation => Self::RequiresConfirmation,
            SessionState::Complete => Self::Complete,
            SessionState::Other(name) => Self::Other(name),
        }
    }

    fn value(self) -> SessionState {
        match self {
            Self::RequiresSource => SessionState::RequiresSource,
            Self::RequiresConfirmation => SessionState::RequiresConfirmation,
            Self::Complete => SessionState::Complete,
            Self::Other(name) => SessionState::Other(name.into()),
        }
    }
}

impl<'a> Note<'a> {
    fn of(pending: &'a Pending) -> Self {
        match pending {
            Pending::Repair { primary, incoming, replaces } => Self::Repair {
                primary: primary.as_str().into(),
                incoming: incoming.as_ref().map(|id| id.as_str().into()),
                replaces: *replaces,
            },
            Pending::Deferred { primary, since, sending } => Self::Deferred {
                primary: primary.as_str().into(),
                since: since.0,
                sending: *sending,
            },
        }
    }

    fn value(self) -> Result<Pending, StoreError> {
        Ok(match self {
            Self::Repair { primary, incoming, replaces } => Pending::Repair {
                primary: primary.name()?,
                incoming: incoming.map(Text::name).transpose()?,
                replaces,
            },
            Self::Deferred { primary, since, sending } => {
                Pending::Deferred { primary: primary.name()?, since: Timestamp(since), sending }
            }
        })
    }
}

impl<'a> Member<'a> {
    fn of(id: &'a SourceId, record: &SessionRecord) -> Self {
        let place = record
            .sources
            .get()
            .and_then(|sources| sources.iter().position(|attached| attached.id == *id));
        match place.and_then(|place| u8::try_from(place).ok()) {
            Some(place) => Self::Attached(place),
            None => Self::Named(id.as_str().into()),
        }
    }

    fn value(self, record: &SessionRecord) -> Result<SourceId, StoreError> {
        match self {
            Self::Attached(place) => record
                .sources
                .get()
                .and_then(|sources| sources.get(usize::from(place)))
                .map(|attached| attached.id.clone())
                .ok_or(StoreError::Unreadable),
            Self::Named(id) => id.name(),
        }
    }
}
