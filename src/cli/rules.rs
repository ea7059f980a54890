//! `weir rules`: the table of rules.

use super::{
    output::{OutputFormat, write_json},
    page,
};
use crate::{
    dialects,
    rules::{Dialect, Row, Toggle},
};
use clap::builder::{PossibleValuesParser, TypedValueParser};
use serde_json::{Value, json};
use std::{
    io::{self, Write},
    process::ExitCode,
};

/// Arguments of `weir rules`.
#[derive(Debug, clap::Args)]
pub(super) struct RulesArgs {
    /// Only the rules of this dialect
    #[arg(long, value_parser = dialect())]
    dialect: Option<Dialect>,
    /// How to write the table
    #[arg(long, value_enum, default_value_t)]
    format: OutputFormat,
}

fn dialect() -> impl TypedValueParser<Value = Dialect> {
    PossibleValuesParser::new(dialects::ALL.map(Dialect::as_str)).try_map(|name| {
        dialects::ALL.into_iter().find(|dialect| dialect.as_str() == name).ok_or("no such dialect")
    })
}

pub(super) fn run(args: &RulesArgs, out: &mut dyn Write) -> io::Result<ExitCode> {
    let dialects =
        || dialects::ALL.into_iter().filter(|of| args.dialect.is_none_or(|one| *of == one));
    let rows = || dialects().flat_map(|of| of.rows().iter().map(move |row| (of, row)));
    match args.format {
        OutputFormat::Json => write_json(out, &rows().map(|(of, row)| as_json(of, row)).collect())?,
        OutputFormat::Human => {
            let mut lines = vec![vec!["RULE", "DIALECT", "DEFAULT", "UPSTREAM", "MEANING"]];
            lines.extend(rows().map(|(of, row)| {
                let (default, upstream) = (row.default.as_str(), row.upstream.as_str());
                vec![row.id.as_str(), of.as_str(), default, upstream, row.meaning]
            }));
            page::table(out, &lines)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn as_json(dialect: Dialect, row: &Row) -> Value {
    json!({
        "rule": row.id.as_str(),
        "dialect": dialect.as_str(),
        "default": row.default.as_str(),
        "toggles": toggles(row).collect::<Vec<_>>(),
        "upstream": row.upstream.as_str(),
        "meaning": row.meaning,
        "fires": row.fires,
        "answer": row.answer,
        "instead": row.instead,
        "page": row.page,
    })
}

/// Names the toggles that a rule takes.
pub(super) fn toggles(row: &Row) -> impl Iterator<Item = &'static str> {
    Toggle::ALL.into_iter().filter(|toggle| row.allows(*toggle)).map(Toggle::as_str)
}
