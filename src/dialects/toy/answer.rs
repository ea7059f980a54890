//! Answers of the toy. Amounts are whole numbers of minor units.

use super::routes::{Route, route};
use crate::{
    dialects::{
        api::{Coverage, Operation},
        read::members::UnreadableAnswer,
    },
    rules::{Amount, Answer, Intent, SessionFacts, SessionState, SourceFacts, Stated},
};
use serde::Deserialize;
use std::borrow::Cow;

/// How many digits of an amount are minor units.
pub(super) const MINOR_DIGITS: u32 = 2;

#[derive(Deserialize)]
struct Tab<'a> {
    #[serde(borrow)]
    tab: Cow<'a, str>,
    cents: Option<i64>,
    paid: Option<bool>,
    tokens: Option<Vec<Token<'a>>>,
}

#[derive(Deserialize)]
struct Token<'a> {
    #[serde(borrow)]
    token: Cow<'a, str>,
    cents: Option<i64>,
}

/// Reads the answer to a call: the tab, or a token where that was read.
pub(super) fn read_answer(
    operation: Operation<'_>,
    _: &Intent,
    _: Coverage,
    json: &[u8],
) -> Result<Answer, UnreadableAnswer> {
    match route(operation) {
        None => Ok(Answer::default()),
        Some(Route::ReadToken(_)) => {
            let token: Token<'_> = parse(json)?;
            Ok(Answer { source: Some(of_token(&token)), ..Answer::default() })
        }
        Some(Route::Add | Route::Pay | Route::ReadTab(_)) => {
            let tab: Tab<'_> = parse(json)?;
            Ok(Answer { session: Some(of_tab(&tab)), ..Answer::default() })
        }
    }
}

fn parse<'a, T: Deserialize<'a>>(json: &'a [u8]) -> Result<T, UnreadableAnswer> {
    serde_json::from_slice(json).map_err(|_| UnreadableAnswer("it is neither tab nor token"))
}

fn of_tab(tab: &Tab<'_>) -> SessionFacts {
    let state = |paid| if paid { SessionState::Complete } else { SessionState::RequiresSource };
    SessionFacts {
        id: Some((&*tab.tab).into()),
        total: amount(tab.cents),
        state: tab.paid.map(state).into(),
        sources: tab.tokens.as_ref().map(|all| all.iter().map(of_token).collect()).into(),
        ..SessionFacts::default()
    }
}

fn of_token(token: &Token<'_>) -> SourceFacts {
    SourceFacts { amount: amount(token.cents), ..SourceFacts::named(&*token.token) }
}

fn amount(cents: Option<i64>) -> Stated<Amount> {
    cents.and_then(|cents| Amount::from_parts(cents.into(), MINOR_DIGITS)).into()
}
