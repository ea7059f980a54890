//! Weir's own key for upstream: where it is read from, and what is wrong with it. It is never
//! shown.

use super::{
    problem::{Place, Problem},
    read::Reading,
    sources::{Purpose, Sources},
    values::Config,
};
use crate::rules::{Dialect, RemedyKind, RuleId, Toggle};
use std::{fmt, io, path::Path};

/// The environment variable that is the key.
pub(crate) const KEY_VARIABLE: &str = "WEIR_UPSTREAM_KEY";

/// The longest key that is read, in bytes.
const LONGEST: usize = 4096;

/// A text that is never shown.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Secret(pub(super) String);

impl Secret {
    /// Returns the text, to be used and not to be shown.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// Reads the key from the variable or from the file, and reports what is wrong with it, or that it
/// is missing where a remedy may need it.
pub(super) fn read(config: &Config, sources: &Sources, reading: &mut Reading) -> Option<Secret> {
    let variable = sources.variable(KEY_VARIABLE);
    let file = config.upstream.key_file.as_deref();
    let place = match (variable, reading.places.get("upstream.key-file")) {
        (Some(_), _) => Place::Variable(KEY_VARIABLE.into()),
        (None, Some(place)) => place.clone(),
        (None, None) => Place::Nowhere,
    };
    let problem =
        |message: String| Problem::error(place.clone(), message).about("upstream.key-file");
    let text = match (variable, file) {
        (Some(text), _) => text.to_str().map(str::to_owned),
        (None, Some(file)) => match std::fs::read(file) {
            Ok(bytes) => String::from_utf8(bytes).ok(),
            Err(error) => {
                reading.problems.push(unreadable(file, &error, sources.purpose, place));
                return None;
            }
        },
        (None, None) => {
            if let Some(missing) = missing(config, sources.purpose, reading) {
                reading.problems.push(missing);
            }
            return None;
        }
    };
    let key = text.map(|text| text.trim().to_owned()).filter(|key| is_key(key));
    if key.is_none() {
        let message = match file.filter(|_| variable.is_none()) {
            Some(file) => format!("{} holds no key", named(file, "key-file")),
            None => "this is no key".to_owned(),
        };
        let form = "a key is one word of visible ASCII characters, at most 4096, without `Bearer`";
        reading.problems.push(problem(message).suggest(form));
    }
    key.map(Secret)
}

/// Reports a file that cannot be read. The key need not be where the configuration is only checked.
fn unreadable(file: &Path, error: &io::Error, purpose: Purpose, place: Place) -> Problem {
    let file = named(file, "key-file");
    let message = match error.kind() {
        io::ErrorKind::NotFound if purpose != Purpose::Run => format!("{file} is not here"),
        _ => format!("{file} cannot be read: {error}"),
    };
    let (problem, help) = match purpose {
        Purpose::Run => (Problem::error(place, message), None),
        Purpose::Check => (
            Problem::warning(place, message),
            Some("`weir run` does not start unless its user can read it"),
        ),
    };
    let problem = problem.about("upstream.key-file");
    match help {
        Some(help) => problem.suggest(help),
        None => problem,
    }
}

/// Names a file. A name that does not end like one of a file may be a key that was pasted, and is
/// not shown.
pub(super) fn named(file: &Path, key: &str) -> String {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let is_short = |end: &str| (1..=8).contains(&end.len());
    match name.split('.').collect::<Vec<_>>()[..] {
        [_, end] if is_short(end) => format!("the file {}", file.display()),
        _ => format!("the file that `{key}` names"),
    }
}

/// Returns whether a text can be a key: one word that a header can carry.
pub(super) fn is_key(text: &str) -> bool {
    !text.is_empty() && text.len() <= LONGEST && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// Warns of a remedy that looks at sources which callers may not be allowed to read.
fn missing(config: &Config, purpose: Purpose, reading: &Reading) -> Option<Problem> {
    let (dialect, rule) = needs_key(config).filter(|_| purpose == Purpose::Check)?;
    let of = [format!("policy.rules.{dialect}.{rule}"), format!("policy.rules.{rule}")];
    let place = of.iter().find_map(|key| reading.places.get(key)).cloned();
    let message =
        format!("`{rule} = \"reorder\"` looks at sources, which a caller's own token may not open");
    let problem = Problem::warning(place.unwrap_or(Place::Nowhere), message);
    let instead = "name a `key-file` in [upstream], or set WEIR_UPSTREAM_KEY where it runs";
    Some(problem.about(of[0].clone()).suggest(instead))
}

/// Returns a rule whose remedy looks at sources, in a dialect whose sessions are opened by
/// credentials that may open no sources.
fn needs_key(config: &Config) -> Option<(Dialect, RuleId)> {
    let mends = |kind| {
        matches!(kind, Some(RemedyKind::Repair | RemedyKind::Replace | RemedyKind::Resequence))
    };
    let mut rows = config.policy.toggles.rows();
    rows.find(|(dialect, row, toggle)| {
        *toggle == Toggle::Reorder
            && mends(row.remedy)
            && !dialect.semantics().credential_opens_sources
    })
    .map(|(dialect, row, _)| (dialect, row.id))
}
