//! Lists the vendor APIs, and finds the one that a path or a rule belongs to.

use super::{
    api::{Api, ErrorCode},
    form::Form,
    read::path::{self, Path, Words},
    refusal::Refusal,
    render::{self, Rendered},
    types::types,
};
use crate::rules::{Dialect, Finding, Policy, RuleId, Violation};
use http::{HeaderMap, Uri};

/// A list of vendor APIs, with the words of their paths put together.
#[derive(Debug)]
pub struct Dialects {
    apis: Vec<&'static Api>,
    pub(super) words: Words,
}

/// The API and the resource of a governed path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct GovernedPath {
    pub api: &'static Api,
    pub resource: &'static str,
}

impl Dialects {
    /// Puts APIs together; there must be at least one. An error about a path that is in none of
    /// them is answered in the form of the first.
    pub(crate) fn new(apis: &[&'static Api]) -> Self {
        Self { apis: apis.to_vec(), words: Words::new(apis.iter().map(|api| &api.path)) }
    }

    pub(super) fn apis(&self) -> impl Iterator<Item = &'static Api> {
        self.apis.iter().copied()
    }

    /// Returns the first API, except the default one, that is such, or the default one.
    fn find(&self, is_such: impl FnMut(&&'static Api) -> bool) -> &'static Api {
        self.apis().skip(1).find(is_such).unwrap_or(self.apis[0])
    }

    /// Returns the names of request headers that select the version of a call, in lower case.
    pub(crate) fn version_headers(&self) -> Vec<&'static str> {
        self.apis().filter_map(|api| api.version_header).collect()
    }

    /// Returns the API and the resource of a path, where some method on it is governed.
    pub(super) fn governed_path(&self, segments: &[&str]) -> Option<GovernedPath> {
        self.apis()
            .find_map(|api| (api.resource)(segments).map(|resource| GovernedPath { api, resource }))
    }

    /// Returns the API in whose form a call with a suspicious path is answered.
    pub(super) fn marked(&self, reading: &[String]) -> &'static Api {
        let is_marked = |api: &&Api| reading.iter().any(|part| api.path.marks.contains(&&**part));
        self.find(is_marked)
    }

    /// Returns the API through which sources of this one are read.
    pub(super) fn source_reader(&self, api: &'static Api) -> &'static Api {
        let reads = |api: &&Api| api.reads_sources;
        if api.reads_sources { api } else { self.apis().find(reads).unwrap_or(api) }
    }

    /// Returns the form in which an error about any path, also an ungoverned one, is answered.
    pub fn form_for(&self, uri: &Uri, headers: &HeaderMap) -> Form {
        let api = match path::read(uri.path(), &self.words) {
            Path::Suspicious { reading, .. } => self.marked(&reading),
            _ => self.rooted(uri.path().split('/').nth(1).unwrap_or_default()),
        };
        Form::of(api, uri, headers)
    }

    /// Returns the policy that holds where nothing else is configured.
    pub fn policy(&self) -> Policy {
        let dialects: Vec<_> = self.apis().map(|api| api.dialect).collect();
        Policy::new(&dialects, types(&dialects))
    }

    /// Puts a broken rule into the words of the API whose rule it is.
    pub fn words(&self, violation: &Violation) -> Refusal {
        (self.find(|api| api.dialect == violation.dialect).refusal)(violation)
    }

    /// Returns which of these rules upstream names by refusing a call with this error; none where
    /// it does not tell two of them apart.
    pub(crate) fn named_by(
        &self,
        rules: &[(Dialect, RuleId)],
        error: &ErrorCode,
    ) -> Option<Violation> {
        let named = |(dialect, rule): &(Dialect, RuleId)| {
            let api = self.find(|api| api.dialect == *dialect);
            let (code, detail) = (api.refuses_with)(*rule)?;
            match (detail, error.detail.as_deref()) {
                _ if code != error.code => None,
                (Some(detail), Some(told)) if detail != told => None,
                (detail, told) => Some((*dialect, *rule, detail.is_none() || told.is_some())),
            }
        };
        let found: Vec<_> = rules.iter().filter_map(named).collect();
        let exact = found.iter().find(|(_, _, exact)| *exact);
        let only = found.first().filter(|_| found.len() == 1);
        let (dialect, rule, _) = *exact.or(only)?;
        let finding = Finding::RefusedByUpstream { code: error.code.as_str().into() };
        Some(Violation { rule, dialect, finding, facts: Vec::new() })
    }

    /// Writes the vendor's answer to a broken rule, in the form of the call. A call that all APIs
    /// share may break a rule of another API than the form's.
    pub fn refusal(&self, form: Form, violation: &Violation) -> Rendered {
        render::refusal(form, &self.words(violation))
    }

    fn rooted(&self, first: &str) -> &'static Api {
        let is_rooted =
            |api: &&Api| api.path.roots.iter().any(|root| root.eq_ignore_ascii_case(first));
        self.find(is_rooted)
    }
}
