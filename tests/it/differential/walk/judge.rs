//! Judges one answer of Weir's by what the vendor says.

use super::{
    Section, Tally,
    circumstances::Circumstances,
    ensure,
    line::{Answer, Exchange, Line, Struck},
};
use crate::{
    differential::checkouts::OWN_WORDS,
    testbed::{Ask, OnLookupFailure, Reply},
};
use http::Method;
use serde_json::Value;

/// One call through Weir, and what came of it.
pub(crate) struct Called<'a> {
    pub(crate) ask: &'a Ask,
    pub(crate) reply: &'a Reply,
    pub(crate) log: &'a [Exchange],
    pub(crate) circumstances: &'a Circumstances,
    /// Whether upstream may still ask this caller for a pause.
    pub(crate) backing_off: bool,
    /// Whether something changed behind Weir's back.
    pub(crate) behind: bool,
    /// Whether an earlier repair was cut off, which the next call finishes first.
    pub(crate) unfinished: bool,
}

impl Called<'_> {
    /// Whether something befell a call on the line.
    pub(crate) fn is_struck(&self) -> bool {
        self.log.iter().any(|exchange| exchange.struck.is_some())
    }

    /// Whether this is the caller's own call, without the owner where the policy takes it out.
    fn is_own(&self, one: &Exchange) -> bool {
        let mut body: Value = serde_json::from_slice(&self.ask.body).unwrap_or_default();
        let owner = body.as_object_mut().and_then(|body| body.remove("owner"));
        if owner.is_none() || !self.circumstances.strips() {
            return one.is(self.ask);
        }
        let sent: Value = serde_json::from_slice(&one.body).unwrap_or_default();
        one.method == self.ask.method && one.target == self.ask.path && sent == body
    }

    /// How often something was changed upstream, or was to be.
    pub(crate) fn changes(&self) -> usize {
        self.log.iter().filter(|exchange| exchange.is_change()).count()
    }

    /// Whether upstream was changed this often, but for finishing an earlier repair.
    fn changed(&self, times: usize) -> bool {
        self.changes() == times || (self.unfinished && self.changes() > times)
    }

    /// Judges a call that went up, and that no remedy is about.
    pub(crate) async fn is_upstreams_answer(
        &self,
        line: &Line,
        tally: &mut Tally,
    ) -> Result<(), String> {
        let own: Vec<&Exchange> = self.log.iter().filter(|one| self.is_own(one)).collect();
        if own.is_empty() {
            return self.is_a_denial(line, tally).await;
        }
        if self.ask.method != Method::GET {
            // Finishing an earlier repair may take the same call.
            let most = if self.unfinished { 2 } else { 1 };
            ensure!(own.len() <= most, "the call was sent {} times", own.len());
            ensure!(self.changed(1), "upstream was changed by more than the call");
        }
        let Some(last) = own.last() else { return Ok(()) };
        match &last.answer {
            Some(answer) => {
                ensure!(answered(self.reply) == *answer, "upstream answered otherwise: {answer:?}");
            }
            None => {
                let status = self.reply.status.as_u16();
                ensure!([502, 504].contains(&status), "upstream did not answer");
            }
        }
        Ok(())
    }

    /// Judges the answer to a call that was not sent, because a look-up was denied.
    async fn is_a_denial(&self, line: &Line, tally: &mut Tally) -> Result<(), String> {
        let denied = |one: &&Exchange| one.status().is_some_and(|s| s == 401 || s == 404);
        let denials = self.log.iter().filter(denied).filter_map(|one| one.answer.as_ref());
        let reply = answered(self.reply);
        ensure!(
            denials.into_iter().any(|denial| *denial == reply),
            "the call was not sent, and no look-up has this answer"
        );
        ensure!(self.changed(0), "the call was denied, and something was changed");
        let upstream = line.past(self.ask).await;
        let is_lenient = self.circumstances.lenient_removals && upstream.status == 204;
        if self.ask.method == Method::DELETE && is_lenient {
            tally.count(Section::Excused, "a removal that upstream accepts from anybody");
            return Ok(());
        }
        if upstream.status == 403 {
            // The key may not make the call, and there is nothing to make it to.
            tally.count(Section::Held, "denied by a look-up, and forbidden besides");
            return Ok(());
        }
        ensure!(
            seen(&upstream, None) == seen(&reply, None),
            "denied, where upstream answers {upstream:?}"
        );
        Ok(())
    }

    /// Judges a refusal: upstream was not changed, and refuses the same call in the same words.
    pub(crate) async fn is_upstreams_refusal(
        &self,
        line: &Line,
        rule: &str,
        tally: &mut Tally,
    ) -> Result<(), String> {
        ensure!(self.changed(0), "refused, and something was changed");
        if rule == "second-primary" {
            // Upstream would take it, and replace the first: the policy is stricter.
            let path = self.ask.path.split('?').next().unwrap_or_default();
            let session: Vec<&str> = path.splitn(4, '/').take(3).collect();
            let read = Ask::get(session.join("/")).with("authorization", "Bearer sk_test_acme");
            let shown: Value =
                serde_json::from_slice(&line.past(&read).await.body).unwrap_or_default();
            let sources = shown["payment"]["sources"].as_array().or(shown["sources"].as_array());
            let is_primary = |source: &Value| source["type"] != "customerCredit";
            let holds_one = sources.is_some_and(|sources| sources.iter().any(is_primary));
            ensure!(holds_one || self.behind, "there is no first primary: {shown}");
            tally.count(Section::Held, "refused a second primary");
            return Ok(());
        }
        if rule == "secondary-source-owner" {
            // Upstream takes it: it is advice.
            let body: Value = serde_json::from_slice(&self.ask.body).unwrap_or_default();
            ensure!(body["owner"].is_object(), "there is no owner: {body}");
            tally.count(Section::Held, "refused an owner");
            return Ok(());
        }
        let upstream = line.past(self.ask).await;
        let reply = answered(self.reply);
        if upstream.status < 400 && self.behind && self.circumstances.may_believe() {
            tally.count(Section::Excused, "fresh-for: something changed past Weir");
            return Ok(());
        }
        ensure!(upstream.status >= 400, "refused, where upstream answers {upstream:?}");
        if seen(&reply, Some(rule)) != seen(&upstream, Some(rule)) {
            tally.count(Section::Held, "refused by another of several rules");
        }
        tally.count(Section::Held, "refused as upstream refuses");
        Ok(())
    }

    /// Judges an answer of Weir's own that no rule gives.
    /// `must_know`: whether the call must not go up without the fact, whatever the policy says.
    pub(crate) fn is_owed_to_a_fault(&self, must_know: bool) -> Result<(), String> {
        let reason = self.reply.header("weir-reason").unwrap_or_default();
        let in_vain = |one: &Exchange| !one.is_change() && one.status() != Some(200);
        let blind = self.backing_off || self.is_struck() || self.log.iter().any(in_vain);
        ensure!(reason == "lookup_failed", "refused for a reason of its own: {reason:?}");
        ensure!(blind, "refused for want of a fact, and every look-up was answered");
        ensure!(
            must_know || self.circumstances.on_lookup_failure == OnLookupFailure::Reject,
            "refused for want of a fact, where the policy forwards"
        );
        ensure!(self.changed(0), "refused for want of a fact, and something was changed");
        Ok(())
    }

    /// Counts the call, and what befell it.
    pub(crate) fn tally(&self, tally: &mut Tally) {
        tally.count(Section::Done, "calls through Weir");
        tally.add(Section::Done, "calls upstream", self.log.len() as u64);
        let (decision, rule) = self.reply.verdict();
        tally.count(Section::Decided, format!("{decision} {}", rule.unwrap_or_default()));
        for struck in self.log.iter().filter_map(|one| one.struck) {
            tally.count(Section::Struck, name_of(struck));
        }
    }
}

fn name_of(struck: Struck) -> &'static str {
    match struck {
        Struck::NotSent => "not sent",
        Struck::FailBefore(_) => "5xx, not done",
        Struck::TooMany => "429",
        Struck::ResetBefore => "reset, not done",
        Struck::FailAfter(_) => "5xx or 408, done",
        Struck::ResetAfter => "reset, done",
        Struck::Garbage => "unreadable",
        Struck::Cut => "broken off",
        Struck::Late(_) => "timed out, done later",
    }
}

pub(crate) fn answered(reply: &Reply) -> Answer {
    Answer {
        status: reply.status.as_u16(),
        media: reply.headers.get("content-type").cloned(),
        body: reply.body.clone(),
    }
}

/// What a client can match on: the status, the media type, and the errors without words that are
/// Weir's own.
fn seen(answer: &Answer, rule: Option<&str>) -> (u16, Option<String>, Value) {
    let mut body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let own_words = rule.is_some_and(|rule| OWN_WORDS.contains(&rule));
    for error in body["errors"].as_array_mut().into_iter().flatten() {
        if own_words {
            error["message"] = Value::Null;
        }
        if answer.status == 404 {
            // A look-up names `id`, where an order would name `checkoutId`.
            error["parameter"] = Value::Null;
        }
    }
    let media = answer.media.as_ref().and_then(|media| media.to_str().ok());
    let media = media.and_then(|media| media.split(';').next()).map(str::to_owned);
    (answer.status, media, body)
}
