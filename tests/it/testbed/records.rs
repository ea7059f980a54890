//! What Weir remembers and what it is doing, in the tests' own words: the one place that knows the
//! library's record.

use super::{Governor, Kind, Policy, Sessions, Testbed, carts, checkouts};
use http::HeaderMap;
use std::{fmt::Debug, sync::Arc};
use weir::internals::{
    dialects::credential,
    rules::{Pending, SessionKey},
    sessions::CustomerKey,
};

/// What Weir remembers of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Remembered {
    /// Whether no change of it ended in a way that Weir does not know, and none is under way.
    pub(crate) sure: bool,
    pub(crate) waiting: Waiting,
    /// The ids of its sources, where they are known.
    pub(crate) sources: Option<Vec<String>>,
    pub(crate) state: Option<String>,
}

/// What a session waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Waiting {
    Nothing,
    /// A repair that is under way or was broken off.
    Repair,
    /// The attach of this source, which was deferred.
    Deferred(String),
    /// The same; it may have been sent already.
    Sending(String),
}

impl Testbed {
    /// Returns Weir's governor.
    pub(crate) fn governor(&self) -> &Arc<Governor> {
        self.governor.as_ref().expect("a test bed with Weir")
    }

    fn memory(&self) -> &Sessions {
        self.governor().sessions()
    }

    /// Changes the policy while Weir runs.
    pub(crate) fn set_policy(&self, policy: Policy) {
        self.governor().set_policy(policy);
    }

    /// Returns what Weir remembers of this session.
    pub(crate) async fn remembers(&self, kind: Kind, id: &str) -> Remembered {
        let kind = match kind {
            Kind::Checkout => checkouts::CHECKOUT,
            Kind::Invoice => checkouts::INVOICE,
            Kind::Cart => carts::CART,
            Kind::Customer => panic!("a customer is no session"),
        };
        let key = SessionKey::new(kind, id);
        let record = self.memory().session(&key).await.expect("a store").unwrap_or_default();
        let waiting = match record.pending.as_deref() {
            None => Waiting::Nothing,
            Some(Pending::Repair { .. }) => Waiting::Repair,
            Some(Pending::Deferred { sending, primary, .. }) => match sending {
                false => Waiting::Deferred(primary.to_string()),
                true => Waiting::Sending(primary.to_string()),
            },
        };
        let ids = record.sources.get().map(|sources| sources.iter().map(|s| s.id.to_string()));
        Remembered {
            sure: !record.unsure && !record.in_flight,
            waiting,
            sources: ids.map(Iterator::collect),
            state: record.state.get().map(|state| state.as_str().to_owned()),
        }
    }

    /// Returns how many sessions and sources are remembered.
    pub(crate) fn remembered(&self) -> u64 {
        self.memory().run_pending_tasks();
        self.memory().count()
    }

    /// Returns how many records must not be dropped: a deferred attach or a repair needs them.
    pub(crate) fn pinned(&self) -> u64 {
        self.memory().pinned() as u64
    }

    pub(crate) fn turns_open(&self) -> usize {
        self.memory().turns_open()
    }

    pub(crate) fn turns_waiting(&self) -> usize {
        self.memory().turns_waiting()
    }

    pub(crate) fn look_ups_open(&self) -> usize {
        self.governor().look_ups_open()
    }

    /// Returns how many governed calls are under way upstream.
    pub(crate) fn in_flight(&self) -> u64 {
        self.governor().in_flight()
    }

    /// Returns how many repairs ended halfway.
    pub(crate) fn stranded(&self) -> u64 {
        self.governor().stranded()
    }
}

/// Returns whether this Weir remembers of no caller that it was shown this source.
pub(crate) async fn nobody_was_shown(governor: &Governor, source: &str) -> bool {
    let record = governor.sessions().source(&source.into()).await.expect("a store");
    record.unwrap_or_default().shown_to.is_empty()
}

/// Returns whether this Weir remembers anything of this source, or of this customer for the caller
/// with this `Authorization`.
pub(crate) async fn remembers(
    governor: &Governor,
    source: &str,
    customer: &str,
    key: &str,
) -> bool {
    let sessions = governor.sessions();
    let mut headers = HeaderMap::new();
    headers.insert("authorization", key.parse().expect("a value"));
    let uri = "/customers".parse().expect("a path");
    let bytes = credential(&headers, &uri).expect("a credential");
    let key = CustomerKey { caller: sessions.hash(&bytes), id: customer.into() };
    let customer = sessions.customer(&key).await.expect("a store");
    customer.is_some() || sessions.source(&source.into()).await.expect("a store").is_some()
}

/// Returns how this Weir knows a caller who sends nothing but this path and query.
pub(crate) fn credential_hash(
    governor: &Governor,
    path: &str,
) -> Option<impl PartialEq + Debug + use<>> {
    let (headers, uri) = (HeaderMap::new(), path.parse().expect("a path"));
    credential(&headers, &uri).map(|bytes| governor.sessions().hash(&bytes))
}
