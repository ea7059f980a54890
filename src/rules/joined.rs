//! The order in which the sources of a session joined it, as far as Weir saw it.
//!
//! No answer of upstream shows the order. It follows from the attaches that Weir sent and from what
//! upstream showed before and after each. A source whose place was not seen is in no list, and no
//! order is claimed of it.
//!
//! A source is *awaited* where its attach was sent and no answer has shown it yet: the attach ended
//! in no known way, or was accepted without an effect that shows. It may take effect at any time.

use super::SourceId;
use smallvec::SmallVec;

/// The order of attachment, and the sources that may still join.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Joined {
    /// The attached sources whose place is known, the first to join first.
    pub order: SmallVec<[SourceId; 2]>,
    /// The sources that may still join.
    pub awaited: SmallVec<[SourceId; 1]>,
}

impl Joined {
    /// Returns whether `one` joined after `other`, or `None` if that was not seen.
    pub fn after(&self, one: &SourceId, other: &SourceId) -> Option<bool> {
        Some(self.place(one)? > self.place(other)?)
    }

    fn place(&self, id: &SourceId) -> Option<usize> {
        self.order.iter().position(|known| known == id)
    }

    /// Notes that a source was attached just now, and was not before.
    pub(super) fn attach(&mut self, id: &SourceId) {
        self.detach(id);
        self.order.push(id.clone());
    }

    /// Notes that a source is detached, or that its place is no longer known.
    pub(super) fn detach(&mut self, id: &SourceId) {
        self.order.retain(|known| known != id);
    }

    /// Notes that a source may join at any time from now on.
    pub(super) fn wait_for(&mut self, id: &SourceId) {
        if !self.awaited.contains(id) {
            self.awaited.push(id.clone());
        }
    }

    /// Forgets every place.
    pub(super) fn forget_order(&mut self) {
        self.order.clear();
    }

    /// Learns from an answer that shows all attached sources. `attached` is the source that the
    /// answered call attached.
    pub(super) fn shown(&mut self, now: &[SourceId], attached: Option<&SourceId>) {
        let before = self.order.len();
        self.order.retain(|known| now.contains(known));
        if let Some(id) = attached.filter(|id| !now.contains(id)) {
            self.wait_for(id);
        }
        let come: Vec<SourceId> =
            self.awaited.iter().filter(|id| now.contains(id)).cloned().collect();
        self.awaited.retain(|id| !now.contains(id));
        // It came after all others only if these were there before it.
        if let [id] = come.as_slice()
            && self.place(id).is_none()
            && before > 0
            && attached.is_none_or(|attached| attached == id)
            && now.iter().all(|other| other == id || self.place(other).is_some())
        {
            self.order.push(id.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(names: &[&str]) -> Vec<SourceId> {
        names.iter().map(|name| SourceId::from(*name)).collect()
    }

    fn joined(order: &[&str], awaited: &[&str]) -> Joined {
        Joined {
            order: ids(order).into_iter().collect(),
            awaited: ids(awaited).into_iter().collect(),
        }
    }

    #[test]
    fn what_is_attached_comes_last_and_what_is_detached_has_no_place() {
        let mut joined = Joined::default();
        let [card, credit] = ["card".into(), "credit".into()];
        joined.attach(&card);
        joined.attach(&credit);
        assert_eq!(joined.after(&credit, &card), Some(true));
        joined.detach(&card);
        assert_eq!(joined.after(&credit, &card), None);
        joined.attach(&card);
        assert_eq!(joined.after(&credit, &card), Some(false));
    }

    #[test]
    fn a_source_that_appears_unseen_has_no_place() {
        let mut at = joined(&["card"], &[]);
        at.shown(&ids(&["card", "credit"]), None);
        assert_eq!(at, joined(&["card"], &[]));
        at.shown(&ids(&["credit"]), None);
        assert_eq!(at, joined(&[], &[]));
    }

    #[test]
    fn an_awaited_source_is_last_only_where_all_others_were_there_before() {
        for (before, now, attached, after) in [
            // It took effect after the card.
            (
                joined(&["card"], &["credit"]),
                &["card", "credit"][..],
                None,
                joined(&["card", "credit"], &[]),
            ),
            // Not yet.
            (joined(&["card"], &["credit"]), &["card"], None, joined(&["card"], &["credit"])),
            // It took effect before the card, or after: the card has just joined.
            (
                joined(&["card"], &["credit"]),
                &["card", "credit"],
                Some("card"),
                joined(&["card"], &[]),
            ),
            // Another source of unknown place.
            (
                joined(&["card"], &["credit"]),
                &["card", "x", "credit"],
                None,
                joined(&["card"], &[]),
            ),
            (joined(&[], &["credit"]), &["credit"], None, joined(&[], &[])),
            // Two at once.
            (joined(&["card"], &["a", "b"]), &["card", "a", "b"], None, joined(&["card"], &[])),
            // Accepted, and not shown.
            (
                joined(&["card", "credit"], &[]),
                &["card"],
                Some("credit"),
                joined(&["card"], &["credit"]),
            ),
        ] {
            let mut found = before.clone();
            let attached = attached.map(SourceId::from);
            found.shown(&ids(now), attached.as_ref());
            assert_eq!(found, after, "{before:?} {now:?}");
        }
    }
}
