//! What the decision log needs of a call besides its decision.

use crate::rules::{Basis, CredentialHash, Intent, NewSource, Policy, SourceType, Types};
use std::{sync::Arc, time::Duration};

/// The longest name of a type that no list has.
const LONGEST: usize = 32;

/// Stands for a type that is none. No list can have it, because it has blanks.
const NO_TYPE: &str = "not a type";

/// A call that was understood: who made it, what it means, and what it was judged on.
#[derive(Clone, Debug)]
pub(crate) struct Recorded {
    /// The caller; `None`: one without a credential that is recognised.
    pub caller: Option<CredentialHash>,
    pub intent: Arc<Intent>,
    /// The policy in force when the call came.
    pub policy: Arc<Policy>,
    /// What its last judgement rested on; `None`: no rule judged it.
    pub basis: Option<Box<Basis>>,
    /// How long before that judgement upstream may have been changed past the records.
    pub changed: Option<Duration>,
}

impl Recorded {
    /// Replaces what a caller has put in the place of a new source's type and that is none: it may
    /// be long, or a secret. The rules take it for a type that is in no list, before and after.
    pub(crate) fn without_odd_type(mut self) -> Self {
        if let Intent::CreateSource(new) = &*self.intent
            && let Some(kind) = &new.kind
            && !is_type(kind, &self.policy.types)
        {
            let kind = Some(NO_TYPE.into());
            self.intent = Arc::new(Intent::CreateSource(NewSource { kind, ..new.clone() }));
        }
        self
    }
}

/// Returns whether this is a type that the policy lists, or may be another one.
fn is_type(kind: &SourceType, types: &Types) -> bool {
    let Types { secondary, pairing, savable, not_savable } = types;
    let name = kind.as_str();
    let may_be = name.len() <= LONGEST
        && name.starts_with(|first: char| first.is_ascii_alphabetic())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let pairing = pairing.iter().map(|(_, list)| list);
    may_be || [secondary, savable, not_savable].into_iter().chain(pairing).any(|l| l.contains(kind))
}
