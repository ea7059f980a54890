//! `weir explain`: one rule's story, in each dialect that has it.

use super::{page::wrap, rules::toggles};
use crate::{
    dialects,
    rules::{Dialect, RemedyKind, Row, RuleId, Toggle, Upstream},
};
use clap::builder::{PossibleValuesParser, TypedValueParser};
use std::{
    io::{self, Write},
    process::ExitCode,
};

/// Arguments of `weir explain`.
#[derive(Debug, clap::Args)]
pub(super) struct ExplainArgs {
    /// The rule's id, as in `Weir-Rule`; `weir rules` lists them
    #[arg(value_parser = rule(), value_name = "RULE", hide_possible_values = true)]
    rule: RuleId,
}

/// Lists the possible values, so that shells complete them and clap suggests the one meant.
fn rule() -> impl TypedValueParser<Value = RuleId> {
    PossibleValuesParser::new(RuleId::ALL.iter().map(|rule| rule.as_str()))
        .try_map(|name| name.parse::<RuleId>())
}

pub(super) fn run(args: &ExplainArgs, out: &mut dyn Write) -> io::Result<ExitCode> {
    let rows = dialects::ALL.into_iter().filter_map(|of| Some((of, of.row(args.rule)?)));
    for (number, (dialect, row)) in rows.enumerate() {
        if number > 0 {
            writeln!(out)?;
        }
        explain(dialect, row, out)?;
    }
    Ok(ExitCode::SUCCESS)
}

const WIDTH: usize = 88;

fn explain(dialect: Dialect, row: &Row, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "{} ({})", row.id, dialect)?;
    writeln!(out, "  {}\n", row.meaning)?;
    let toggles = toggles(row).map(|toggle| {
        if toggle == row.default.as_str() { format!("{toggle} (default)") } else { toggle.into() }
    });
    let toggles = toggles.collect::<Vec<_>>().join(", ");
    let parts = [
        ("Fires", row.fires),
        ("Answer", row.answer),
        ("Instead", row.instead),
        ("Upstream", upstream(row.upstream)),
        ("Vendor", row.page),
        ("Toggles", toggles.as_str()),
    ];
    for (name, text) in parts {
        for (number, line) in wrap(text, WIDTH).iter().enumerate() {
            writeln!(out, "  {:<9}{line}", if number == 0 { name } else { "" })?;
        }
    }
    writeln!(out)?;
    for line in snippet(dialect, row).lines() {
        writeln!(out, "{}", format!("      {line}").trim_end())?;
    }
    Ok(())
}

/// Says what upstream itself does.
fn upstream(upstream: Upstream) -> &'static str {
    match upstream {
        Upstream::Refuses => "Refuses such a call itself.",
        Upstream::Accepts => "Carries such a call out, as it was asked to.",
        Upstream::Loses => {
            "Does not refuse such a call, and what was meant is lost: Weir asks for what it lacks."
        }
    }
}

/// Writes how to switch the rule to its remedy, if it has one, or else to another toggle.
fn snippet(dialect: Dialect, row: &Row) -> String {
    let toggle = row.remedy_toggle().unwrap_or(if row.default == Toggle::Reject {
        Toggle::Monitor
    } else {
        Toggle::Reject
    });
    let switch = format!("[policy.rules.{}]\n{} = \"{toggle}\"\n", dialect, row.id);
    match row.remedy {
        // Nothing can be put in order once it has happened: calls must wait.
        Some(RemedyKind::Wait) => {
            format!("{switch}\n[sequencing]\nwindow = \"300ms\"\n")
        }
        // Sources are looked at first, and a shopper's token may not open them.
        Some(RemedyKind::Repair | RemedyKind::Replace | RemedyKind::Resequence) => {
            format!("{switch}\n[upstream]\nkey-file = \"upstream.key\"\n")
        }
        _ => switch,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    #[test]
    fn every_snippet_is_a_configuration_without_a_problem() {
        let rows = |dialect: Dialect| dialect.rows().iter().map(move |row| (dialect, row));
        let key = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(key.path(), "sk_test_1").unwrap();
        for (dialect, row) in dialects::ALL.into_iter().flat_map(rows) {
            let text = snippet(dialect, row).replace("upstream.key", key.path().to_str().unwrap());
            let loaded = Config::parse("snippet", &text, dialects::policy()).unwrap();
            assert!(loaded.warnings.is_empty(), "{}", loaded.warnings);
            assert_eq!(loaded.config.policy.toggles.changed().count(), 1, "{dialect} {}", row.id);
        }
    }
}
