//! Answers of the checkouts dialect, in the shape since 2021-03-23 (`payment`) and in the one
//! before.
//!
//! An answer of this dialect is whole: what it does not show is absent. A missing member says
//! nothing only where the caller filtered the answer (`fields=`).

use super::routes::{Route, route};
use crate::{
    dialects::{
        api::{Coverage, Operation},
        read::value::{self, Many, One, Scalar, UnreadableAnswer},
    },
    rules::{
        Answer, CustomerFacts, CustomerId, Intent, SessionFacts, SessionState, SourceFacts,
        SourceId, Stated,
    },
};
use serde::{Deserialize, de::IgnoredAny};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Session<'a> {
    #[serde(borrow)]
    id: Option<Scalar<'a>>,
    total_amount: Option<Scalar<'a>>,
    currency: Option<Scalar<'a>>,
    customer_id: Option<Scalar<'a>>,
    credit_amount: Option<Scalar<'a>>,
    billing_optimization: Option<Scalar<'a>>,
    #[serde(default)]
    sources: Many<Source<'a>>,
    #[serde(default)]
    payment: One<Payment<'a>>,
    payment_session_id: Option<Scalar<'a>>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Payment<'a> {
    #[serde(default, borrow)]
    sources: Many<Source<'a>>,
    #[serde(default)]
    session: One<PaymentSession<'a>>,
    #[serde(default)]
    charges: Many<Charge<'a>>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct PaymentSession<'a> {
    #[serde(borrow)]
    id: Option<Scalar<'a>>,
    amount_remaining_to_be_contributed: Option<Scalar<'a>>,
    state: Option<Scalar<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Charge<'a> {
    #[serde(borrow)]
    source_id: Option<Scalar<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Source<'a> {
    #[serde(borrow)]
    id: Option<Scalar<'a>>,
    r#type: Option<Scalar<'a>>,
    amount: Option<Scalar<'a>>,
    currency: Option<Scalar<'a>>,
    reusable: Option<Scalar<'a>>,
    state: Option<Scalar<'a>>,
    customer_id: Option<Scalar<'a>>,
    payment_session_id: Option<Scalar<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Customer<'a> {
    #[serde(borrow)]
    id: Option<Scalar<'a>>,
    #[serde(default)]
    sources: Many<Source<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Order<'a> {
    #[serde(default, borrow)]
    sources: Many<Source<'a>>,
    #[serde(default)]
    payment: One<Payment<'a>>,
    #[serde(default)]
    charges: Many<Charge<'a>>,
}

/// Members that only a session has: an attach may be answered with either.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SessionMark {
    payment: Option<IgnoredAny>,
    sources: Option<IgnoredAny>,
    total_amount: Option<IgnoredAny>,
}

/// Reads the answer to a call.
pub(super) fn read_answer(
    operation: Operation<'_>,
    intent: &Intent,
    coverage: Coverage,
    json: &[u8],
) -> Result<Answer, UnreadableAnswer> {
    match route(operation) {
        Some(route) => read(&route, intent, coverage, json),
        None => Ok(Answer::default()),
    }
}

fn read(
    route: &Route,
    intent: &Intent,
    coverage: Coverage,
    json: &[u8],
) -> Result<Answer, UnreadableAnswer> {
    let whole = coverage != Coverage::Filtered;
    match route {
        Route::CreateSource => of_source(json, None, whole),
        Route::EditSource(id) | Route::ReadSource(id) => of_source(json, Some(id), whole),
        Route::Save(_, id) => of_source(json, Some(id), false),
        Route::Attach(..) | Route::AttachNamed(_) if has_session_marks(json)? => {
            of_session(json, intent, whole)
        }
        Route::Attach(..) | Route::AttachNamed(_) => of_source(json, None, false),
        Route::Create(_) | Route::Update(_) | Route::Read(_) | Route::Open(_) | Route::Void(_) => {
            of_session(json, intent, whole)
        }
        Route::UpdateCustomer(id) | Route::ReadCustomer(id) => of_customer(json, id, whole),
        Route::Order => of_order(json),
        Route::List(_)
        | Route::Delete(_)
        | Route::Detach(..)
        | Route::Touch(_)
        | Route::CreateCustomer
        | Route::DeleteCustomer(_)
        | Route::Remove(..) => Ok(Answer::default()),
    }
}

fn parse<'a, T: Deserialize<'a>>(json: &'a [u8]) -> Result<T, UnreadableAnswer> {
    serde_json::from_slice(json)
        .map_err(|_| UnreadableAnswer("it is not the JSON that the call is answered with"))
}

fn has_session_marks(json: &[u8]) -> Result<bool, UnreadableAnswer> {
    let mark: SessionMark = parse(json)?;
    Ok(mark.payment.is_some() || mark.sources.is_some() || mark.total_amount.is_some())
}

fn of_source(
    json: &[u8],
    asked: Option<&SourceId>,
    whole: bool,
) -> Result<Answer, UnreadableAnswer> {
    let source: Source<'_> = parse(json)?;
    if value::text(source.id)?.is_none() {
        return Ok(Answer::default());
    }
    let mut facts = facts(&source)?;
    if asked.is_some_and(|asked| *asked != facts.id) {
        return Err(UnreadableAnswer("it is about another source"));
    }
    if whole && !facts.customer.is_stated() {
        facts.customer = Stated::Stated(None);
    }
    Ok(Answer { source: Some(facts), ..Answer::default() })
}

fn facts(source: &Source<'_>) -> Result<SourceFacts, UnreadableAnswer> {
    let id = value::text(source.id)?.ok_or(UnreadableAnswer("a source has no id"))?;
    Ok(SourceFacts {
        id: SourceId::from(&*id),
        kind: value::kind(source.r#type)?,
        amount: value::amount(source.amount)?,
        currency: value::currency(source.currency)?,
        reusable: value::flag(source.reusable)?,
        state: value::state(source.state)?,
        customer: value::text(source.customer_id)?.map(|id| Some(CustomerId::from(&*id))).into(),
        payment_session: value::text(source.payment_session_id)?.map(|id| Box::from(&*id)).into(),
    })
}

/// Reads the sources that are shown; a whole answer without a list has none.
fn all(
    sources: Many<Source<'_>>,
    whole: bool,
) -> Result<Stated<Vec<SourceFacts>>, UnreadableAnswer> {
    match sources.0 {
        Some(sources) => sources.iter().map(facts).collect::<Result<_, _>>().map(Stated::Stated),
        None if whole => Ok(Stated::Stated(Vec::new())),
        None => Ok(Stated::Unstated),
    }
}

/// Returns what is shown; what a whole answer does not show is absent.
fn or_none<T>(shown: Option<T>, whole: bool) -> Stated<Option<T>> {
    if shown.is_some() || whole { Stated::Stated(shown) } else { Stated::Unstated }
}

fn of_session(json: &[u8], intent: &Intent, whole: bool) -> Result<Answer, UnreadableAnswer> {
    let shown: Session<'_> = parse(json)?;
    let id = value::text(shown.id)?;
    if let (Some(crate::rules::Target::Session(asked)), Some(id)) = (intent.session(), &id)
        && asked.id.as_str() != &**id
    {
        return Err(UnreadableAnswer("it is about another session"));
    }
    let whole = whole && id.is_some();
    // The later version has no credit amount, and shows that by its form.
    let has_credit = shown.payment.0.is_none() && shown.sources.0.is_some();
    let payment = shown.payment.0.unwrap_or_default();
    let session = payment.session.0.unwrap_or_default();
    let sources = if payment.sources.0.is_some() { payment.sources } else { shown.sources };
    let credit_amount = match value::amount(shown.credit_amount)? {
        Stated::Stated(amount) => Some(amount),
        Stated::Unstated => None,
    };
    let facts = SessionFacts {
        sources: all(sources, whole)?,
        total: value::amount(shown.total_amount)?,
        remaining: value::amount(session.amount_remaining_to_be_contributed)?,
        currency: value::currency(shown.currency)?,
        state: value::text(session.state)?.map(|state| SessionState::read(&state)).into(),
        customer: or_none(value::text(shown.customer_id)?.map(|id| CustomerId::from(&*id)), whole),
        credit_amount: or_none(credit_amount, whole && has_credit),
        billing_optimization: value::flag(shown.billing_optimization)?,
        payment_session: value::text(session.id.or(shown.payment_session_id))?
            .map(|id| Box::from(&*id))
            .into(),
        id: id.map(|id| (&*id).into()),
    };
    Ok(Answer { session: Some(facts), ..Answer::default() })
}

fn of_customer(json: &[u8], asked: &CustomerId, whole: bool) -> Result<Answer, UnreadableAnswer> {
    let shown: Customer<'_> = parse(json)?;
    let id = value::text(shown.id)?.map(|id| CustomerId::from(&*id));
    if id.as_ref().is_some_and(|id| id != asked) {
        return Err(UnreadableAnswer("it is about another customer"));
    }
    let saved = all(shown.sources, whole && id.is_some())?;
    Ok(Answer { customer: Some(CustomerFacts { id, saved }), ..Answer::default() })
}

/// Reads which sources were charged. The order's id is not its checkout's, so it says nothing else
/// about the session.
fn of_order(json: &[u8]) -> Result<Answer, UnreadableAnswer> {
    let shown: Order<'_> = parse(json)?;
    let payment = shown.payment.0.unwrap_or_default();
    let sources = [payment.sources.0, shown.sources.0]
        .into_iter()
        .flatten()
        .flatten()
        .map(|source| source.id);
    let charges = [payment.charges.0, shown.charges.0]
        .into_iter()
        .flatten()
        .flatten()
        .map(|charge| charge.source_id);
    let mut charged: Vec<SourceId> = Vec::new();
    for id in sources.chain(charges) {
        if let Some(id) = value::text(id)?
            && !charged.iter().any(|known| known.as_str() == id)
        {
            charged.push(SourceId::from(&*id));
        }
    }
    Ok(Answer { charged, ..Answer::default() })
}

#[cfg(test)]
mod tests;
