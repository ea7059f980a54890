//! Requests of the toy: the body names the tab, and one token or a list of them.

use super::{
    routes::{PARAMETERS, Route, route},
    ruleset::TAB,
};
use crate::{
    dialects::{
        api::{Operation, Request},
        read::{
            body::{self, RequestError},
            escapes,
            fields::{Fields, Member, value},
        },
    },
    rules::{Intent, PaidWith, SessionKey, SourceId, Target},
};
use serde::Deserialize;
use std::borrow::Cow;

const ADD: &[Member] = &[value("tab"), value("token")];
const PAY: &[Member] = &[value("tab"), value("tokens")];

/// Reads what the call means.
pub(super) fn intent(
    operation: Operation<'_>,
    request: &Request<'_>,
) -> Result<Option<Intent>, RequestError> {
    let Some(route) = route(operation) else { return Ok(None) };
    request.query.agrees_with(None).map_err(RequestError::Ambiguous)?;
    let text = || body::text(request.headers, request.body, &PARAMETERS);
    match route {
        Route::ReadTab(key) => {
            Ok(Some(Intent::ReadSession { session: Target::Session(key.clone()) }))
        }
        Route::ReadToken(source) => Ok(Some(Intent::ReadSource { source })),
        Route::Add => add(text()?),
        Route::Pay => pay(text()?),
    }
}

fn add(text: &str) -> Result<Option<Intent>, RequestError> {
    let fields = Fields::read(text, ADD)?;
    let (tab, token) = (target(&fields)?, fields.id("token")?);
    Ok(tab.zip(token).map(|(session, token)| Intent::Attach { session, source: (&*token).into() }))
}

fn pay(text: &str) -> Result<Option<Intent>, RequestError> {
    let Some(session) = target(&Fields::read(text, PAY)?)? else { return Ok(None) };
    Ok(Some(Intent::Order { session, paid_with: PaidWith::Listed(tokens(text)?) }))
}

fn target(fields: &Fields<'_>) -> Result<Option<Target>, RequestError> {
    Ok(fields.id("tab")?.map(|id| Target::Session(SessionKey::new(TAB, &*id))))
}

/// Reads the list of tokens. That it is there at most once is already known.
fn tokens(text: &str) -> Result<Vec<SourceId>, RequestError> {
    #[derive(Deserialize)]
    struct Pay<'a> {
        #[serde(borrow, default)]
        tokens: Vec<Cow<'a, str>>,
    }
    match serde_json::from_str::<Pay<'_>>(text) {
        Ok(pay) if pay.tokens.iter().all(|id| escapes::is_plain_id(id)) => {
            Ok(pay.tokens.iter().map(|id| SourceId::from(&**id)).collect())
        }
        _ => Err(RequestError::ambiguous("In the body, tokens is not a list of ids.")),
    }
}
