//! The validated values, table by table.

use super::{
    keys::{Section, Visitor},
    policy,
    sections::{
        Admin, DecisionLog, Headers, Limits, Listen, Log, Otlp, Probes, Reload, Sequencing,
        Sessions, Upstream,
    },
};
use crate::rules::Policy;

/// The validated configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Config {
    /// `[listen]`.
    pub listen: Listen,
    /// `[admin]`.
    pub admin: Admin,
    /// `[probes]`.
    pub probes: Probes,
    /// `[upstream]`.
    pub upstream: Upstream,
    /// `[policy]`, and `window` and `defer` of `[sequencing]`.
    pub policy: Policy,
    /// `[sessions]`.
    pub sessions: Sessions,
    /// The rest of `[sequencing]`.
    pub sequencing: Sequencing,
    /// `[limits]`.
    pub limits: Limits,
    /// `[headers]`.
    pub headers: Headers,
    /// `[reload]`.
    pub reload: Reload,
    /// `[log]`.
    pub log: Log,
    /// `[decision-log]`.
    pub decision_log: DecisionLog,
    /// `[otlp]`.
    pub otlp: Otlp,
}

impl Config {
    /// Returns what holds where nothing is said. The built-in policy comes with its dialects.
    pub(crate) fn built_in(policy: Policy) -> Self {
        Self {
            listen: Listen::default(),
            admin: Admin::default(),
            probes: Probes::default(),
            upstream: Upstream::default(),
            policy,
            sessions: Sessions::default(),
            sequencing: Sequencing::default(),
            limits: Limits::default(),
            headers: Headers::default(),
            reload: Reload::default(),
            log: Log::default(),
            decision_log: DecisionLog::default(),
            otlp: Otlp::default(),
        }
    }
}

impl Section for Config {
    fn visit<V: Visitor>(&mut self, v: &mut V) {
        v.table("listen", Listen::DOC, |v| self.listen.visit(v));
        v.table("admin", Admin::DOC, |v| self.admin.visit(v));
        v.table("probes", Probes::DOC, |v| self.probes.visit(v));
        v.table("upstream", Upstream::DOC, |v| self.upstream.visit(v));
        v.table("policy", policy::DOC, |v| self.policy.visit(v));
        v.table("sequencing", Sequencing::DOC, |v| {
            policy::remedies(&mut self.policy, v);
            self.sequencing.visit(v);
        });
        v.table("sessions", Sessions::DOC, |v| self.sessions.visit(v));
        v.table("limits", Limits::DOC, |v| self.limits.visit(v));
        v.table("headers", Headers::DOC, |v| self.headers.visit(v));
        v.table("reload", Reload::DOC, |v| self.reload.visit(v));
        v.table("log", Log::DOC, |v| self.log.visit(v));
        v.table("decision-log", DecisionLog::DOC, |v| self.decision_log.visit(v));
        v.table("otlp", Otlp::DOC, |v| self.otlp.visit(v));
    }
}
