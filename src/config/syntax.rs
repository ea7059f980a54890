//! Reports text that is not TOML, with what to write instead.

use super::{
    problem::{Place, Problem, Problems},
    source_text::SourceText,
};
use std::collections::BTreeMap;

/// Adds the parser's errors, one a line: the first explains the others. Drops all other problems of
/// such a line, and of the lines under a header that cannot be read: they rest on a guess of how
/// the text goes on.
pub(super) fn report(source: &SourceText, errors: &[toml::de::Error], problems: &mut Problems) {
    let mut by_line = BTreeMap::new();
    for error in errors {
        let place = source.place(error.span().unwrap_or(0..0));
        if let Place::Spot { line, .. } = &place {
            by_line.entry(*line).or_insert_with(|| problem(error.message(), place));
        }
    }
    let lines: Vec<&str> = source.text().lines().collect();
    let is_header =
        |line: usize| lines.get(line - 1).is_some_and(|text| text.trim_start().starts_with('['));
    let in_doubt = |line: usize| {
        let header = (1..=line).rev().find(|line| is_header(*line)).unwrap_or(line);
        by_line.contains_key(&line) || by_line.contains_key(&header)
    };
    problems.retain(|problem| !matches!(problem.place, Place::Spot { line, .. } if in_doubt(line)));
    for (_, problem) in by_line {
        problems.push(problem);
    }
}

fn problem(message: &str, place: Place) -> Problem {
    let written = match &place {
        Place::Spot { text, .. } => text.clone(),
        _ => String::new(),
    };
    if message.starts_with("duplicate key") {
        return Problem::error(place, "this stands in the file a second time")
            .suggest("keep one of the two");
    }
    let message = match message {
        message if message.starts_with("string values must be quoted") => "text must be quoted",
        message => message,
    };
    let problem = Problem::error(place, format!("this is not TOML: {message}"));
    match suggestion(&written) {
        Some(suggestion) => problem.suggest(suggestion),
        None => problem,
    }
}

/// Guesses what a line was meant to be.
fn suggestion(line: &str) -> Option<String> {
    let line = line.trim();
    let is_name = |name: &str| {
        !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
    };
    if line.starts_with('[') {
        return None;
    }
    let Some((key, value)) = line.split_once('=') else {
        let (key, value) = line.split_once(':').unwrap_or((line, ""));
        return is_name(key).then(|| match value.trim() {
            "" => format!("write `{key} = …`, or `[{key}]` for a table"),
            value => format!("write `{key} = {value}`"),
        });
    };
    let (key, value) = (key.trim(), value.split(" #").next().unwrap_or_default().trim());
    match value {
        "" => Some(format!("write a value: `{key} = …`")),
        "True" | "TRUE" | "False" | "FALSE" => {
            Some(format!("write `{key} = {}`", value.to_lowercase()))
        }
        value if !value.contains(['"', '\'', '[', ']', '{', '}']) => {
            Some(format!("write `{key} = \"{value}\"`"))
        }
        value if value.starts_with(['"', '\'']) && value.matches(['"', '\'']).count() == 1 => {
            Some("close the quotes".into())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use crate::{config::Config, dialects};

    #[test]
    fn a_line_that_is_not_toml_is_told_how_to_become_it() {
        let cases: &[(&str, &[&str])] = &[
            ("[log]\nlevel = info # all", &["2 write `level = \"info\"`"]),
            ("[upstream]\ntimeout = 30s", &["2 write `timeout = \"30s\"`"]),
            ("[upstream]\nurl = https://a.b/c", &["2 write `url = \"https://a.b/c\"`"]),
            ("[listen]\naddress = 127.0.0.1:8080", &["2 write `address = \"127.0.0.1:8080\"`"]),
            ("[listen]\naddress: \"a\"", &["2 write `address = \"a\"`"]),
            (
                "listen:\n  address: x",
                &["1 write `listen = …`, or `[listen]` for a table", "2 write `address = x`"],
            ),
            ("[listen]\naddress =", &["2 write a value: `address = …`"]),
            ("[log]\nlevel = 'info", &["2 close the quotes"]),
            ("[headers]\ndecision = True", &["2 write `decision = true`"]),
            ("[log]\nlevel = \"info\"\nlevel = \"warn\"", &["3 keep one of the two"]),
            // Under a header that is not one, nothing else is judged; under the next one,
            // everything is.
            ("[listen\nadress = 1\n[log]\nlevle = \"info\"", &["1 ", "4 did you mean `level`?"]),
        ];
        for (text, expected) in cases {
            let problems = Config::parse("w", text, dialects::policy()).unwrap_err().to_json();
            let said: Vec<_> = problems
                .as_array()
                .unwrap()
                .iter()
                .map(|p| format!("{} {}", p["line"], p["suggestion"].as_str().unwrap_or_default()))
                .collect();
            assert_eq!(said, *expected, "{text}: {problems:#}");
        }
    }
}
