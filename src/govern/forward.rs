//! Sends the caller's own call, in the turn that it holds, and looks back at what it has left
//! behind.

use super::{
    aftermath::{After, look_back},
    answer::{OwnError, own_error},
    exchange::Exchange,
    governor::log_store_error,
    holding::Holding,
    learn,
    send::{CallOutcome, run_detached, send},
};
use crate::{http::Body, rules::Known, sessions::StoreError};
use http::{Request, Response};

/// Sends the caller's call, detached, and holds its turn until the answer is learned. A call that
/// overlaps with another leaves unsure what it may have changed; where no record can say so, facts
/// from before its end are not trusted, unless upstream refused it: whoever is refused changes
/// nothing for others. Returns the answer, and what the call has left behind that breaks a rule.
///
/// # Errors
/// Fails where the store fails before the call is sent.
pub(super) async fn forward(
    exchange: &Exchange,
    mut hand: Option<Holding>,
    request: Request<Body>,
    known: Known,
) -> Result<(Response<Body>, Option<After>), StoreError> {
    let form = exchange.call.form();
    let work = {
        let exchange = exchange.clone();
        async move {
            let governor = &exchange.asker.governor;
            let unseen =
                learn::goes_unseen(&exchange.intent, hand.as_ref()).then(|| governor.unseen_end());
            learn::mark_overlap(&exchange, hand.as_mut(), &known);
            let records = hand.as_mut().map(Holding::records_mut);
            let sent =
                send(&exchange, &exchange.call, &exchange.intent, records, &known, request).await;
            if let (Some(unseen), Ok(CallOutcome::Refused(..) | CallOutcome::NotSent(_))) =
                (unseen, &sent)
            {
                unseen.nothing_changed();
            }
            // Another call may have come in between, so what was learned is not certain.
            if let Some(records) = learn::mark_overlap(&exchange, hand.as_mut(), &known)
                && let Err(error) = records.write().await
            {
                log_store_error(&error);
                governor.note_unseen_change();
            }
            let after = match &sent {
                Ok(CallOutcome::Done(_)) => look_back(&exchange, &mut hand).await,
                _ => None,
            };
            (sent, after)
        }
    };
    match run_detached(exchange, work).await {
        Ok((outcome, after)) => Ok((outcome?.into_response(form), after)),
        Err(failure) => Ok((own_error(form, &OwnError::Problem(failure.problem)), None)),
    }
}
