//! The form in which errors about a call are answered.

use super::{api::Api, read::media::Media};
use crate::rules::Dialect;
use http::{HeaderMap, Uri};

/// The API in whose words an error is answered, and the media type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Form {
    pub(super) api: &'static Api,
    pub(super) media: Media,
}

impl Form {
    /// Returns the form of an API for this caller.
    pub(super) fn of(api: &'static Api, uri: &Uri, headers: &HeaderMap) -> Self {
        Self { api, media: (api.media)(uri, headers) }
    }

    /// Returns the dialect.
    pub fn dialect(self) -> Dialect {
        self.api.dialect
    }

    /// Returns the dialect's code for an error that tells a caller to wait for other changes of the
    /// session.
    pub fn busy_code(self) -> &'static str {
        self.api.busy_code
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialects::{Dialects, carts, checkouts};

    fn form(uri: &str, accept: &str) -> Form {
        let mut headers = HeaderMap::new();
        if !accept.is_empty() {
            headers.insert(http::header::ACCEPT, accept.parse().unwrap());
        }
        Dialects::built_in().form_for(&uri.parse().unwrap(), &headers)
    }

    #[test]
    fn carts_answer_in_the_media_type_asked_for() {
        let cart = "/v1/shoppers/me/carts/active";
        assert_eq!(form(cart, "").media, Media::Xml);
        assert_eq!(form(cart, "application/json").media, Media::Json);
        assert_eq!(form("/v1/shoppers/me?format=json", "").media, Media::Json);
    }

    #[test]
    fn every_path_has_a_dialect() {
        for (path, dialect) in [
            ("/checkouts/1", checkouts::DIALECT),
            ("/fulfillments", checkouts::DIALECT),
            ("/v1/shoppers/me/carts/active", carts::DIALECT),
            ("/v1/shoppers/me/orders", carts::DIALECT),
            ("/V1/shoppers", carts::DIALECT),
            ("//v1/shoppers/me/carts", carts::DIALECT),
            ("/%76%31/shoppers/me/carts", carts::DIALECT),
        ] {
            assert_eq!(form(path, "").dialect(), dialect, "{path}");
        }
        assert_eq!(form("/checkouts", "application/xml").media, Media::Json);
    }
}
