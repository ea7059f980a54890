//! What a probe found, for a person and for a program.

use super::super::output::{OutputFormat, write_json};
use serde_json::{Value, json};
use std::io::{self, Write};

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// As it should be.
    Ok,
    /// Worth knowing; Weir works.
    Note,
    /// Weir works, and someone should look at it.
    Warning,
    /// Weir would not work.
    Wrong,
}

impl Verdict {
    fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Wrong => "wrong",
        }
    }
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Finding {
    verdict: Verdict,
    topic: &'static str,
    what: String,
    advice: Option<String>,
    facts: Value,
}

impl Finding {
    pub(super) fn new(verdict: Verdict, topic: &'static str, what: impl Into<String>) -> Self {
        Self { verdict, topic, what: what.into(), advice: None, facts: json!({}) }
    }

    /// Adds what to do.
    pub(super) fn advise(mut self, advice: impl Into<String>) -> Self {
        self.advice = Some(advice.into());
        self
    }

    /// Adds what a program wants to know; an object.
    pub(super) fn facts(mut self, facts: Value) -> Self {
        self.facts = facts;
        self
    }

    pub(super) fn is_wrong(&self) -> bool {
        self.verdict == Verdict::Wrong
    }

    fn to_json(&self) -> Value {
        json!({
            "verdict": self.verdict.as_str(),
            "topic": self.topic,
            "what": self.what,
            "advice": self.advice,
            "facts": self.facts,
        })
    }
}

/// All findings, in the order in which things were looked at.
#[derive(Debug)]
pub(super) struct Report {
    upstream: String,
    way: String,
    findings: Vec<Finding>,
}

impl Report {
    pub(super) fn new(upstream: String, way: String) -> Self {
        Self { upstream, way, findings: Vec::new() }
    }

    /// Adds a finding; returns whether things are as Weir needs them.
    pub(super) fn add(&mut self, finding: Finding) -> bool {
        let is_right = !finding.is_wrong();
        self.findings.push(finding);
        is_right
    }

    pub(super) fn is_wrong(&self) -> bool {
        self.findings.iter().any(Finding::is_wrong)
    }

    pub(super) fn write(&self, format: OutputFormat, out: &mut dyn Write) -> io::Result<()> {
        match format {
            OutputFormat::Json => write_json(
                out,
                &json!({
                    "upstream": self.upstream,
                    "way": self.way,
                    "wrong": self.is_wrong(),
                    "findings": self.findings.iter().map(Finding::to_json).collect::<Vec<_>>(),
                }),
            ),
            OutputFormat::Human => self.write_lines(out),
        }
    }

    fn write_lines(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "{}, {}", self.upstream, self.way)?;
        let wide =
            self.findings.iter().map(|finding| finding.topic.len()).max().unwrap_or_default();
        for Finding { verdict, topic, what, advice, .. } in &self.findings {
            writeln!(out, "{:7}  {topic:wide$}  {what}", verdict.as_str())?;
            if let Some(advice) = advice {
                writeln!(out, "{:7}  {:wide$}  → {advice}", "", "")?;
            }
        }
        let end = match self.is_wrong() {
            true => "Weir would not work before this upstream as it is configured.",
            false => "Nothing here keeps Weir from working before this upstream.",
        };
        writeln!(out, "{end}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_aligned_and_end_with_what_follows() {
        let mut report = Report::new("https://a".into(), "directly".into());
        assert!(report.add(Finding::new(Verdict::Ok, "name", "a is 192.0.2.1")));
        assert!(report.add(Finding::new(Verdict::Warning, "clock", "off").advise("look at NTP")));
        let mut text = Vec::new();
        report.write(OutputFormat::Human, &mut text).unwrap();
        let expected = "https://a, directly\n\
                        ok       name   a is 192.0.2.1\n\
                        warning  clock  off\n                → look at NTP\n\
                        Nothing here keeps Weir from working before this upstream.\n";
        assert_eq!(String::from_utf8(text).unwrap(), expected);
        assert!(!report.add(Finding::new(Verdict::Wrong, "connect", "refused")));
        assert!(report.is_wrong());
    }
}
