//! What is wrong with a configuration, and how it is reported: to a person with the line and a
//! caret, to a machine as JSON.

use serde_json::{Value, json};
use std::{fmt, path::PathBuf};

/// Whether a configuration can be used in spite of a problem.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Severity {
    /// It cannot.
    Error,
    /// It can, but it probably does not do what was meant.
    Warning,
}

impl Severity {
    /// Returns `error` or `warning`.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

/// Where a problem is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Place {
    /// In no particular place: something is missing.
    Nowhere,
    /// The file as a whole.
    File(PathBuf),
    /// A spot in a file.
    Spot {
        /// Which file, as it was named.
        file: PathBuf,
        /// From 1.
        line: usize,
        /// In characters, from 1.
        column: usize,
        /// How many characters are at fault, at least 1.
        width: usize,
        /// The line itself, without what may be a credential.
        text: String,
    },
    /// An environment variable.
    Variable(String),
    /// A flag of the command line.
    Flag(String),
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    /// How bad it is.
    pub severity: Severity,
    /// Where.
    pub place: Place,
    /// The path of the key it is about, such as `policy.rules.spent-source`.
    pub key: Option<String>,
    /// What was found, and what is wanted.
    pub message: String,
    /// What to write instead.
    pub suggestion: Option<String>,
}

impl Problem {
    pub(super) fn error(place: Place, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            place,
            key: None,
            message: shorten(message.into()),
            suggestion: None,
        }
    }

    pub(super) fn warning(place: Place, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(place, message) }
    }

    pub(super) fn about(mut self, key: impl Into<String>) -> Self {
        self.key = Some(key.into());
        self
    }

    pub(super) fn suggest(mut self, suggestion: impl Into<String>) -> Self {
        self.suggestion = Some(suggestion.into());
        self
    }

    /// Returns the file that it is in, if it is in one.
    pub(crate) fn file(&self) -> Option<String> {
        match &self.place {
            Place::File(file) | Place::Spot { file, .. } => Some(file.display().to_string()),
            Place::Nowhere | Place::Variable(_) | Place::Flag(_) => None,
        }
    }

    /// Returns the line of the file, from 1, if it is in one.
    pub(crate) fn line(&self) -> Option<usize> {
        match self.place {
            Place::Spot { line, .. } => Some(line),
            _ => None,
        }
    }

    /// Returns the message, after the flag or variable that it is about, if it is about one.
    pub(crate) fn told(&self) -> String {
        match &self.place {
            Place::Variable(name) | Place::Flag(name) => format!("{name}: {}", self.message),
            _ => self.message.clone(),
        }
    }

    fn to_json(&self) -> Value {
        let column = match self.place {
            Place::Spot { column, .. } => Some(column),
            _ => None,
        };
        json!({
            "file": self.file(),
            "line": self.line(),
            "column": column,
            "severity": self.severity.as_str(),
            "message": self.told(),
            "suggestion": self.suggestion,
            "key": self.key,
        })
    }
}

impl fmt::Display for Problem {
    /// ```text
    /// error: unknown key `adress` in [listen]
    ///   --> weir.toml:2:1
    ///    |
    ///  2 | adress = "127.0.0.1:8080"
    ///    | ^^^^^^
    ///    = help: did you mean `address`?
    /// ```
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}: {}", self.severity.as_str(), self.message)?;
        let mut margin = " ".repeat(3);
        match &self.place {
            Place::Nowhere => {}
            Place::File(file) => writeln!(f, "  --> {}", file.display())?,
            Place::Variable(name) => writeln!(f, "  --> environment variable {name}")?,
            Place::Flag(name) => writeln!(f, "  --> flag {name}")?,
            Place::Spot { file, line, column, width, text } => {
                margin = " ".repeat(line.to_string().len() + 2);
                let (shown, before, width) = excerpt(text, column - 1, *width);
                writeln!(f, "  --> {}:{line}:{column}", file.display())?;
                writeln!(f, "{margin}|")?;
                writeln!(f, " {line} | {shown}")?;
                writeln!(f, "{margin}| {before}{}", "^".repeat(width))?;
            }
        }
        match &self.suggestion {
            Some(suggestion) => writeln!(f, "{margin}= help: {suggestion}"),
            None => Ok(()),
        }
    }
}

/// The most characters of a file's line that are shown.
const SHOWN: usize = 120;

/// Returns the part of a line around a place, what stands under it before the mark, and the mark's
/// width. A tab stays a tab, so that the mark is under its letter however wide a tab is.
fn excerpt(text: &str, before: usize, width: usize) -> (String, String, usize) {
    let from = if before < SHOWN / 2 { 0 } else { before - SHOWN / 4 };
    let mut shown: String = text.chars().skip(from).take(SHOWN).collect();
    if text.chars().count() > from + SHOWN {
        shown.push('…');
    }
    let width = width.min((from + SHOWN).saturating_sub(before)).max(1);
    let mut under: String =
        shown.chars().take(before - from).map(|c| if c == '\t' { '\t' } else { ' ' }).collect();
    if from > 0 {
        shown.insert(0, '…');
        under.insert(0, ' ');
    }
    (shown, under, width)
}

/// Cuts a message that quotes a value of any length.
fn shorten(mut message: String) -> String {
    const LONGEST: usize = 600;
    if let Some((end, _)) = message.char_indices().nth(LONGEST) {
        message.truncate(end);
        message.push('…');
    }
    message
}

/// Everything that is wrong, in the order of the files' lines.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Problems(Vec<Problem>);

impl Problems {
    /// Adds a problem.
    pub(super) fn push(&mut self, problem: Problem) {
        self.0.push(problem);
    }

    /// Adds the problems of another file.
    pub(crate) fn append(&mut self, others: Self) {
        self.0.extend(others.0);
    }

    /// Sorts them by their places.
    pub(super) fn sort(&mut self) {
        self.0.sort_by(|a, b| a.place.cmp(&b.place));
    }

    pub(super) fn retain(&mut self, keep: impl FnMut(&Problem) -> bool) {
        self.0.retain(keep);
    }

    /// Returns each problem, in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Problem> {
        self.0.iter()
    }

    /// Counts the problems that forbid using the configuration.
    pub(crate) fn errors(&self) -> usize {
        self.0.iter().filter(|problem| problem.severity == Severity::Error).count()
    }

    /// Counts the problems that do not forbid using the configuration.
    pub(crate) fn warnings(&self) -> usize {
        self.0.len() - self.errors()
    }

    /// Returns whether nothing is wrong.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns an array of objects with `file`, `line`, `column`, `severity`, `message`,
    /// `suggestion` and `key`; `null` where there is none.
    pub(crate) fn to_json(&self) -> Value {
        self.0.iter().map(Problem::to_json).collect()
    }
}

impl fmt::Display for Problems {
    /// Writes each problem, then how many there are; nothing if there are none.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return Ok(());
        }
        for problem in &self.0 {
            writeln!(f, "{problem}")?;
        }
        let count = |number: usize, noun: &str| {
            format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
        };
        match (self.errors(), self.warnings()) {
            (errors, 0) => writeln!(f, "{}", count(errors, "error")),
            (0, warnings) => writeln!(f, "{}", count(warnings, "warning")),
            (errors, warnings) => {
                writeln!(f, "{}, {}", count(errors, "error"), count(warnings, "warning"))
            }
        }
    }
}

impl std::error::Error for Problems {}

#[cfg(test)]
mod tests {
    use super::*;

    fn spot(line: usize, column: usize, width: usize, text: &str) -> Place {
        Place::Spot { file: "weir.toml".into(), line, column, width, text: text.into() }
    }

    #[test]
    fn a_person_sees_the_line_and_what_to_write() {
        let mut problems = Problems::default();
        problems.push(
            Problem::error(spot(12, 2, 6, "\tadress = 1"), "unknown key")
                .suggest("did you mean `address`?"),
        );
        problems.push(Problem::warning(Place::Variable("WEIR_MODE".into()), "odd"));
        assert_eq!(
            problems.to_string(),
            "error: unknown key\n  --> weir.toml:12:2\n    |\n 12 | \tadress = 1\n    | \
             \t^^^^^^\n    = help: did you mean `address`?\n\n\
             warning: odd\n  --> environment variable WEIR_MODE\n\n1 error, 1 warning\n"
        );
    }

    #[test]
    fn of_a_long_line_only_what_is_around_the_place_is_shown() {
        let long = format!("{}adress = 1{}", "x".repeat(1_000), "y".repeat(200_000));
        let problem = Problem::error(spot(2, 1_001, 6, &long), format!("odd: {long}"));
        let told = problem.to_string();
        let lines: Vec<_> = told.lines().collect();
        assert!(told.len() < 1_500, "{}", told.len());
        let [message, .., shown, mark] = &lines[..] else { panic!("{told}") };
        assert!(message.ends_with("x…"), "{message}");
        assert_eq!(shown.find("adress"), mark.find('^').map(|at| at + "……".len() - "…".len() - 1));
        assert_eq!(mark.matches('^').count(), 6);
        // The mark of a value that goes on beyond the excerpt ends with it.
        let (shown, under, width) = excerpt(&long, 2, 5_000);
        assert_eq!((shown.chars().count(), under.as_str(), width), (SHOWN + 1, "  ", SHOWN - 2));
        assert_eq!(excerpt("\ta", 1, 0), ("\ta".to_owned(), "\t".to_owned(), 1));
    }

    #[test]
    fn a_machine_reads_an_array() {
        let mut problems = Problems::default();
        problems.push(
            Problem::error(spot(2, 1, 6, "adress = 1"), "unknown key").about("listen.adress"),
        );
        problems.push(
            Problem::error(Place::Flag("--listen".into()), "no address").suggest("write one"),
        );
        assert_eq!(
            problems.to_json(),
            json!([
                {
                    "file": "weir.toml", "line": 2, "column": 1, "severity": "error",
                    "message": "unknown key", "suggestion": null, "key": "listen.adress",
                },
                {
                    "file": null, "line": null, "column": null, "severity": "error",
                    "message": "--listen: no address", "suggestion": "write one", "key": null,
                },
            ])
        );
    }
}
