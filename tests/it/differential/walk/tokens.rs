//! Shoppers' tokens.

use super::{form::Keys, rig::Rig};
use crate::testbed::{Ask, text_of};
use http::Method;
use serde_json::Value;

/// Gives a shopper two tokens, and a shopper of another merchant one.
pub(crate) async fn tokens(rig: &Rig) -> Keys {
    let grant = async |form: &str| -> Value {
        let body = bytes::Bytes::from(form.to_owned());
        let path = "/oauth20/token".to_owned();
        let ask = Ask { method: Method::POST, path, headers: Vec::new(), body };
        serde_json::from_slice(&rig.line.past(&ask).await.body).unwrap_or_default()
    };
    let first = grant("grant_type=anonymous&client_id=pk_acme").await;
    let refresh = text_of(&first["refresh_token"]);
    let second = grant(&format!("grant_type=refresh_token&refresh_token={refresh}")).await;
    let foreign = grant("grant_type=anonymous&client_id=pk_globex").await;
    Keys {
        first: text_of(&first["access_token"]),
        second: text_of(&second["access_token"]),
        foreign: text_of(&foreign["access_token"]),
        ..Keys::of_a_merchant()
    }
}
