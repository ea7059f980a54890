//! Answers of the checkouts dialect, in the shape since 2021-03-23 (`payment`) and in the one
//! before.
//!
//! An answer of this dialect is whole: what it does not show is absent. A missing member says
//! nothing only where the caller filtered the answer (`fields=`).

use super::routes::{Route, route};
use crate::{
    dialects::{
        api::{Coverage, Operation},
        read::members::{Members, Notes, UnreadableAnswer},
    },
    rules::{
        Answer, CustomerFacts, CustomerId, Intent, SessionFacts, SourceFacts, SourceId, Stated,
    },
};

const SESSION: &[&str] = &[
    "id",
    "totalAmount",
    "currency",
    "customerId",
    "creditAmount",
    "billingOptimization",
    "sources",
    "payment",
    "paymentSessionId",
];
const PAYMENT: &[&str] = &["sources", "session", "charges"];
const PAYMENT_SESSION: &[&str] = &["id", "amountRemainingToBeContributed", "state"];
const CHARGE: &[&str] = &["sourceId"];
const SOURCE: &[&str] =
    &["id", "type", "amount", "currency", "reusable", "state", "customerId", "paymentSessionId"];
const CUSTOMER: &[&str] = &["id", "sources"];
const ORDER: &[&str] = &["id", "sources", "payment", "charges"];

/// Members that only a session has: an attach may be answered with either.
const SESSION_MARKS: [&str; 3] = ["payment", "sources", "totalAmount"];

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
    let notes = Notes::default();
    let answer = read_noting(route, intent, coverage, json, &notes)?;
    Ok(Answer { unread: notes.into_unread(), ..answer })
}

fn read_noting(
    route: &Route,
    intent: &Intent,
    coverage: Coverage,
    json: &[u8],
    notes: &Notes,
) -> Result<Answer, UnreadableAnswer> {
    let whole = coverage != Coverage::Filtered;
    let of = |names| Members::of(json, names, notes);
    match route {
        Route::CreateSource => of_source(&of(SOURCE)?, None, whole),
        Route::EditSource(id) | Route::ReadSource(id) => of_source(&of(SOURCE)?, Some(id), whole),
        Route::Save(_, id) => of_source(&of(SOURCE)?, Some(id), false),
        Route::Attach(..) | Route::AttachNamed(_) => {
            let session = of(SESSION)?;
            match SESSION_MARKS.iter().any(|mark| session.has(mark)) {
                true => of_session(&session, intent, whole),
                false => of_source(&of(SOURCE)?, None, false),
            }
        }
        Route::Create(_) | Route::Update(_) | Route::Read(_) | Route::Open(_) | Route::Void(_) => {
            of_session(&of(SESSION)?, intent, whole)
        }
        Route::UpdateCustomer(id) | Route::ReadCustomer(id) => {
            of_customer(&of(CUSTOMER)?, id, whole)
        }
        Route::Order => Ok(of_order(&of(ORDER)?)),
        Route::List(_)
        | Route::Delete(_)
        | Route::Detach(..)
        | Route::Touch(_)
        | Route::CreateCustomer
        | Route::DeleteCustomer(_)
        | Route::Remove(..) => Ok(Answer::default()),
    }
}

fn of_source(
    source: &Members<'_, '_>,
    asked: Option<&SourceId>,
    whole: bool,
) -> Result<Answer, UnreadableAnswer> {
    let id = match (source.id("id"), asked) {
        (Stated::Stated(id), Some(asked)) if *id != *asked.as_str() => {
            return Err(UnreadableAnswer("it is about another source"));
        }
        (Stated::Stated(id), _) => SourceId::from(&*id),
        // The answer to the question for one source is about that source.
        (Stated::Unread, Some(asked)) => asked.clone(),
        (Stated::Unread, None) | (Stated::Unstated, _) => return Ok(Answer::default()),
    };
    let mut facts = facts(source, id);
    if whole {
        facts.customer = facts.customer.or(Stated::Stated(None));
    }
    Ok(Answer { source: Some(facts), ..Answer::default() })
}

fn facts(source: &Members<'_, '_>, id: SourceId) -> SourceFacts {
    SourceFacts {
        id,
        kind: source.kind("type"),
        amount: source.amount("amount"),
        currency: source.currency("currency"),
        reusable: source.flag("reusable"),
        state: source.state("state"),
        customer: source.id("customerId").map(|id| Some(CustomerId::from(&*id))),
        payment_session: source.id("paymentSessionId").map(|id| Box::from(&*id)),
        supplements: false,
    }
}

/// Reads the sources that are shown; a whole answer without a list has none. A source without an
/// id that can be read may be any, so the list says nothing then.
fn all(sources: Stated<Vec<Members<'_, '_>>>, whole: bool) -> Stated<Vec<SourceFacts>> {
    let sources = if whole { sources.or(Stated::Stated(Vec::new())) } else { sources };
    sources.and_then(|sources| {
        let mut all = Vec::with_capacity(sources.len());
        for source in &sources {
            match source.id("id") {
                Stated::Stated(id) => all.push(facts(source, SourceId::from(&*id))),
                Stated::Unstated => return source.unread("id", "missing"),
                Stated::Unread => return Stated::Unread,
            }
        }
        Stated::Stated(all)
    })
}

/// Returns what is shown; what a whole answer does not show is absent.
fn or_none<T>(shown: Stated<T>, whole: bool) -> Stated<Option<T>> {
    let absent = if whole { Stated::Stated(None) } else { Stated::Unstated };
    shown.map(Some).or(absent)
}

fn of_session(
    shown: &Members<'_, '_>,
    intent: &Intent,
    whole: bool,
) -> Result<Answer, UnreadableAnswer> {
    let id = shown.id("id");
    if let (Some(crate::rules::Target::Session(asked)), Some(id)) = (intent.session(), id.as_ref())
        && *asked.id.as_str() != **id
    {
        return Err(UnreadableAnswer("it is about another session"));
    }
    let whole = whole && id != Stated::Unstated;
    // The later version has no credit amount, and shows that by its form.
    let has_credit = !shown.has("payment") && shown.has("sources");
    let payment = shown.object("payment", PAYMENT);
    let payment = payment.as_view();
    let session = payment.and_then(|payment| payment.object("session", PAYMENT_SESSION));
    let session = session.as_view();
    let nested = payment.and_then(|payment| payment.list("sources", SOURCE));
    let facts = SessionFacts {
        sources: all(nested.or(shown.list("sources", SOURCE)), whole),
        contributed: Stated::Unstated,
        total: shown.amount("totalAmount"),
        remaining: session.and_then(|s| s.amount("amountRemainingToBeContributed")),
        currency: shown.currency("currency"),
        state: session.and_then(|s| s.session_state("state")),
        customer: or_none(shown.id("customerId").map(|id| CustomerId::from(&*id)), whole),
        credit_amount: or_none(shown.amount("creditAmount"), whole && has_credit),
        billing_optimization: shown.flag("billingOptimization"),
        payment_session: session
            .and_then(|s| s.id("id"))
            .or(shown.id("paymentSessionId"))
            .map(|id| Box::from(&*id)),
        id: id.as_ref().map(|id| (&**id).into()),
        shares: Stated::Unstated,
    };
    Ok(Answer { session: Some(facts), ..Answer::default() })
}

fn of_customer(
    shown: &Members<'_, '_>,
    asked: &CustomerId,
    whole: bool,
) -> Result<Answer, UnreadableAnswer> {
    let told = shown.id("id");
    let id = told.as_ref().map(|id| CustomerId::from(&**id));
    if id.as_ref().is_some_and(|id| id != asked) {
        return Err(UnreadableAnswer("it is about another customer"));
    }
    let saved = all(shown.list("sources", SOURCE), whole && told != Stated::Unstated);
    Ok(Answer { customer: Some(CustomerFacts { id, saved }), ..Answer::default() })
}

/// Reads which sources were charged. The order's id is not its checkout's, so it says nothing else
/// about the session.
fn of_order(shown: &Members<'_, '_>) -> Answer {
    let payment = shown.object("payment", PAYMENT);
    let mut charged: Vec<SourceId> = Vec::new();
    let mut note = |id: Stated<std::borrow::Cow<'_, str>>| {
        if let Stated::Stated(id) = id
            && !charged.iter().any(|known| *known.as_str() == *id)
        {
            charged.push(SourceId::from(&*id));
        }
    };
    let holders = || payment.as_ref().into_iter().chain([shown]);
    for source in holders().filter_map(|in_it| in_it.list("sources", SOURCE).into_stated()) {
        source.iter().for_each(|source| note(source.id("id")));
    }
    for charge in holders().filter_map(|in_it| in_it.list("charges", CHARGE).into_stated()) {
        charge.iter().for_each(|charge| note(charge.id("sourceId")));
    }
    let order = shown.id("id").into_stated().map(|id| Box::from(&*id));
    Answer { charged, order, ..Answer::default() }
}

#[cfg(test)]
mod tests;
