//! Classifies calls by the path that upstream will see.
//!
//! In: upstream's base path, and the caller's request. Out: the call by the path that the API would
//! know. An API lies below its own root, behind a base path of upstream, or behind a site's name.

use super::{
    api::Api,
    classify::{Classified, classify},
    place::{Base, Place},
    read::escapes,
    registry::Dialects,
};
use http::{HeaderMap, Method, Uri, uri::PathAndQuery};

/// Classifies a request by the path that upstream will see.
pub fn classify_below(
    dialects: &Dialects,
    base: &Base,
    method: &Method,
    uri: &Uri,
    headers: &HeaderMap,
) -> Classified {
    if !base.omitted.is_empty()
        && let Some(whole) = with_path(uri, |path| Some(format!("{}{path}", base.omitted)))
    {
        let place = Place { omitted: base.omitted.clone(), ..Place::default() };
        let found = classify(dialects, method, &whole, headers).at(place);
        if found != Classified::Ungoverned {
            return found;
        }
    }
    let found = classify(dialects, method, uri, headers);
    if found != Classified::Ungoverned {
        return found;
    }
    let Some(before) = dialects.site(uri.path()) else { return found };
    let behind = |path: &str| path.get(before.len()..).map(str::to_owned);
    match with_path(uri, behind) {
        Some(rest) => {
            let place = Place { before: before.into(), ..Place::default() };
            classify(dialects, method, &rest, headers).at(place)
        }
        None => found,
    }
}

/// Returns the same path and query with another beginning.
fn with_path(uri: &Uri, change: impl FnOnce(&str) -> Option<String>) -> Option<Uri> {
    let path = uri.path_and_query()?.as_str();
    let changed = change(path).filter(|changed| changed.starts_with('/'))?;
    PathAndQuery::try_from(changed).ok().map(Uri::from)
}

impl Classified {
    fn at(mut self, place: Place) -> Self {
        match &mut self {
            Self::Governed(call) | Self::Ambiguous(call, _) => call.place = place,
            Self::Ungoverned => {}
        }
        self
    }
}

impl Dialects {
    /// Reads upstream's base path.
    pub fn base(&self, path: &str) -> Base {
        let is_root = |part: &&str| self.apis().any(|api| api.path.roots.contains(part));
        let mut parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
        let misplaced = self.holds_word(path);
        match parts.iter().position(is_root) {
            Some(at) => {
                parts.drain(..at);
                Base { omitted: format!("/{}", parts.join("/")).into(), misplaced: false }
            }
            None => Base { omitted: "".into(), misplaced },
        }
    }

    /// Returns whether an ungoverned path has a word that only governed paths have, where they do
    /// not have it: the API may lie elsewhere than Weir looks for it.
    pub fn holds_word(&self, path: &str) -> bool {
        let mut parts = path.split('/').skip(1);
        let first = parts.next().unwrap_or_default();
        let is = |words: fn(&Api) -> &'static [&'static str], part: &str| {
            self.apis().any(|api| words(api).iter().any(|word| part.eq_ignore_ascii_case(word)))
        };
        let governed = |part: &str| is(|api| api.path.governed, part);
        !is(|api| api.path.roots, first) && (governed(first) || parts.any(governed))
    }

    /// Returns the beginning of a path that names a site, before the API's own path.
    fn site<'a>(&self, path: &'a str) -> Option<&'a str> {
        let first = path.split('/').nth(1)?;
        let is_site = |part: &str| {
            let mut words = self.apis().flat_map(|api| api.path.sites);
            words.any(|word| part.eq_ignore_ascii_case(word))
        };
        let is_escaped_site =
            || Some(first.contains('%') && is_site(&escapes::decode(first, true)?));
        if !is_site(first) && !is_escaped_site()? {
            return None;
        }
        let (site, _) = path.get(first.len() + 2..)?.split_once('/')?;
        path.get(..first.len() + 2 + site.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        dialects::{carts, decoded_body},
        rules::{Intent, Lookup, PaidWith},
    };

    fn find(base: &str, call: &str) -> Classified {
        let dialects = Dialects::built_in();
        let (method, uri) = call.split_once(' ').unwrap();
        let (method, uri) = (method.parse().unwrap(), uri.parse().unwrap());
        classify_below(dialects, &dialects.base(base), &method, &uri, &HeaderMap::new())
    }

    #[test]
    fn a_call_is_judged_by_the_path_that_upstream_will_see() {
        for (base, call, own_path) in [
            (
                "",
                "POST /v1/shoppers/me/carts/active/submit-cart?token=t",
                "/v1/shoppers/me/carts/active?token=t&expand=all",
            ),
            (
                "/v1",
                "POST /shoppers/me/carts/active/submit-cart?token=t",
                "/shoppers/me/carts/active?token=t&expand=all",
            ),
            ("/x/v1/shoppers", "POST /me/carts/active/submit-cart", "/me/carts/active?expand=all"),
            (
                "/pay",
                "POST /v1/shoppers/me/carts/active/submit-cart",
                "/v1/shoppers/me/carts/active?expand=all",
            ),
            (
                "",
                "POST /store/shop/v1/shoppers/me/carts/active/submit-cart",
                "/store/shop/v1/shoppers/me/carts/active?expand=all",
            ),
        ] {
            let Classified::Governed(found) = find(base, call) else { panic!("{base} {call}") };
            let none = HeaderMap::new();
            let order = Intent::Order { session: carts::ACTIVE, paid_with: PaidWith::Attached };
            let intent = found.intent(&none, &decoded_body(&none, b"", 9));
            assert_eq!(intent, Ok(Some(order.clone())), "{base} {call}");
            let uri = call.split_once(' ').unwrap().1.parse().unwrap();
            let (own, _) = found.look_up(&Lookup::Session, &order, &uri, None).unwrap();
            assert_eq!(own.path.as_str(), own_path, "{base} {call}");
            let (source, _) = match found.look_up(&Lookup::Source("s".into()), &order, &uri, None) {
                Some(found) => found,
                None => {
                    assert!(base.contains("/v1"), "sources lie above {base}");
                    continue;
                }
            };
            assert!(source.path.as_str().starts_with("/sources/s"), "{base} {call}");
        }
        assert!(matches!(find("/v1", "POST /checkouts/1"), Classified::Governed(_)));
        assert!(matches!(find("/checkouts", "POST /1/sources/s"), Classified::Governed(_)));
    }

    #[test]
    fn no_spelling_of_a_place_goes_round_a_rule() {
        for (base, call) in [
            ("", "POST /Store/shop/v1/shoppers/me/carts/active/submit-cart"),
            ("", "POST /st%6fre/shop/v1/shoppers/me/carts/active/submit-cart"),
            ("", "POST /store/a%20b/v1/shoppers/me/carts/active/submit-cart"),
            ("", "POST /store/shop//v1/shoppers/me/carts/active/submit-cart"),
            ("", "POST /store/shop/V1/shoppers/me/carts/active/submit-cart"),
            ("/v1", "POST //shoppers/me/carts/active/submit-cart"),
            ("/v1", "POST /Shoppers/me/carts/active/submit-cart"),
        ] {
            assert_ne!(find(base, call), Classified::Ungoverned, "{base} {call}");
        }
    }

    #[test]
    fn a_governed_word_in_another_place_is_seen() {
        let dialects = Dialects::built_in();
        for (path, found) in [
            ("/api/checkouts/1", true),
            ("/shoppers/me/carts/active", true),
            ("/v2/Shoppers/me", true),
            ("/orders/1", false),
            ("/v1/shoppers/me/wishlists", false),
            ("/fulfillments", false),
            ("/", false),
        ] {
            assert_eq!(dialects.holds_word(path), found, "{path}");
        }
        for (base, hides) in [("", false), ("/v1", false), ("/pay", false), ("/shoppers/me", true)]
        {
            assert_eq!(dialects.base(base).hides_calls(), hides, "{base}");
        }
    }
}
