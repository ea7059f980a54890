//! Requests of the carts dialect: what their bodies say, in JSON or XML, wrapped in `cart` or bare.

use super::Route;
use crate::{
    dialects::{
        query::Query,
        request::{self, Fields, Member, Trouble, value},
    },
    rules::{Funding, Intent, Owner, SourceId, Target},
};
use bytes::Bytes;
use http::HeaderMap;
use serde::Serialize;

const METHOD: &[Member] = &[value("sourceId")];
const CART: &[Member] = &[value("sourceId"), Member { name: "paymentMethod", of: METHOD }];
const CALL: &[Member] = &[
    value("sourceId"),
    Member { name: "cart", of: CART },
    Member { name: "paymentMethod", of: METHOD },
    Member { name: "paymentOption", of: METHOD },
];

/// Whether the body has a say in what the call means.
pub(in crate::dialects) fn reads_body(route: &Route) -> bool {
    matches!(route, Route::Update | Route::Attach | Route::Detach | Route::Submit | Route::SaveOption)
}

/// The body that names one source, to attach or detach it.
pub(in crate::dialects) fn source_body(source: &SourceId) -> Bytes {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Body<'a> {
        payment_method: Method<'a>,
    }
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Method<'a> {
        source_id: &'a str,
    }
    // Strings only: this cannot fail.
    let body = serde_json::to_vec(&Body { payment_method: Method { source_id: source.as_str() } });
    Bytes::from(body.unwrap_or_default())
}

/// What the call means.
pub(in crate::dialects) fn intent(
    route: &Route,
    query: &Query,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<Option<Intent>, Trouble> {
    let session = Target::ActiveCart;
    let (intent, source) = match route {
        Route::Read => return Ok(Some(Intent::ReadSession { session })),
        Route::Touch => return Ok(Some(Intent::Touch { session })),
        Route::ReadOption | Route::ReadOptions => return Ok(Some(Intent::ReadOptions)),
        Route::ChangeOption(option) => return Ok(Some(Intent::ChangeOption { option: option.clone(), removes: false })),
        Route::RemoveOption(option) => return Ok(Some(Intent::ChangeOption { option: option.clone(), removes: true })),
        Route::DetachAll => (Intent::Detach { session, source: None }, None),
        Route::ApplyShopper(option) => (Intent::ApplyShopper { option: option.clone() }, None),
        Route::Update | Route::Attach | Route::Detach | Route::Submit | Route::SaveOption => {
            let text = request::text_or_xml(headers, body)?;
            let fields = Fields::read(&text, CALL)?;
            let source = fields.id("sourceId")?.map(|id| SourceId::from(&*id));
            let changes_total = query.changes || fields.others().next().is_some();
            let Some(intent) = with_body(route, source.clone(), changes_total) else { return Ok(None) };
            (intent, source)
        }
    };
    query.agrees_with(source.as_ref().map(SourceId::as_str)).map_err(Trouble::Ambiguous)?;
    Ok(Some(intent))
}

fn with_body(route: &Route, source: Option<SourceId>, changes_total: bool) -> Option<Intent> {
    let session = Target::ActiveCart;
    Some(match (route, source) {
        (Route::Attach, Some(source)) => Intent::Attach { session, source },
        // A payment method of another kind than a source.
        (Route::Attach, None) => Intent::Touch { session },
        (Route::Detach, source) => Intent::Detach { session, source },
        (Route::Submit, source) => Intent::Order { session, brings_funding: source.is_some() },
        (Route::SaveOption, source) => Intent::Save { owner: Owner::Shopper, source: source? },
        (_, source) => Intent::UpdateSession { session, funding: Funding { source, changes_total, ..Funding::default() } },
    })
}
