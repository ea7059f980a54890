//! Reads a file: walks its TOML tree and the keys side by side, and goes on after every problem.

use super::{
    did_you_mean::nearest,
    form::{Complaint, Form, kind},
    keys::{Path, Section, Visitor},
    paths::Paths,
    problem::{Place, Problem, Problems},
    source_text::SourceText,
    syntax,
    values::Config,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
};
use toml::de::{DeTable, DeValue};

/// What was read of a file.
#[derive(Debug, Default)]
pub(super) struct Reading {
    /// The place of each key that was read.
    pub(super) places: BTreeMap<String, Place>,
    /// The place of each name in a list, by the key's path and the name.
    pub(super) items: BTreeMap<(String, String), Place>,
    /// Keys whose values could not be read.
    pub(super) broken: BTreeSet<String>,
    /// Everything that is wrong.
    pub(super) problems: Problems,
}

/// Reads `source` over `config`; a key that cannot be read keeps its value.
pub(super) fn read(source: &SourceText, config: &mut Config) -> Reading {
    let (root, errors) = DeTable::parse_recoverable(source.text());
    let mut reader = Reader {
        source,
        paths: Paths::of(config),
        at: Path::default(),
        frames: vec![Frame::of(root.get_ref())],
        reading: Reading::default(),
    };
    config.visit(&mut reader);
    reader.report_unknown();
    let mut reading = reader.reading;
    syntax::report(source, &errors, &mut reading.problems);
    reading
}

struct Reader<'a> {
    source: &'a SourceText,
    /// All that a configuration has.
    paths: Paths,
    at: Path,
    frames: Vec<Frame<'a>>,
    reading: Reading,
}

/// A table of the file, and the names that the walk has visited in it.
struct Frame<'a> {
    table: &'a DeTable<'a>,
    known: Vec<&'static str>,
}

impl<'a> Frame<'a> {
    fn of(table: &'a DeTable<'a>) -> Self {
        Self { table, known: Vec::new() }
    }

    /// Returns the value of a name and its span, if the file has it.
    fn look_up(&mut self, name: &'static str) -> Option<(&'a DeValue<'a>, Range<usize>)> {
        self.known.push(name);
        self.table
            .iter()
            .find(|(key, _)| key.get_ref() == name)
            .map(|(_, value)| (value.get_ref(), value.span()))
    }
}

impl Visitor for Reader<'_> {
    fn table(&mut self, name: &'static str, _: &'static str, inside: impl FnOnce(&mut Self)) {
        let Some((value, span)) = self.frames.last_mut().and_then(|frame| frame.look_up(name))
        else {
            return;
        };
        self.at.enter(name);
        match value.as_table() {
            Some(table) => {
                self.frames.push(Frame::of(table));
                inside(self);
                self.report_unknown();
                self.frames.pop();
            }
            None => {
                let path = self.at.table();
                let message = format!("`{path}` is a table, found {}", kind(value));
                let problem = Problem::error(self.source.place(span), message)
                    .suggest(format!("write [{path}] on a line of its own"));
                self.reading.problems.push(problem.about(path));
            }
        }
        self.at.leave();
    }

    fn key<F: Form>(
        &mut self,
        name: &'static str,
        _: &'static str,
        form: &F,
        value: &mut F::Value,
    ) {
        let Some((written, span)) = self.frames.last_mut().and_then(|frame| frame.look_up(name))
        else {
            return;
        };
        let path = self.at.key(name);
        for item in written.as_array().into_iter().flat_map(|array| array.iter()) {
            if let Some(name) = item.get_ref().as_str() {
                self.reading
                    .items
                    .insert((path.clone(), name.to_owned()), self.source.place(item.span()));
            }
        }
        match form.read(written) {
            Ok(read) => {
                *value = read;
                self.reading.places.insert(path, self.source.place(span));
            }
            Err(complaints) => {
                for Complaint { message, suggestion, span: part } in complaints {
                    let place = self.source.place(part.unwrap_or(span.clone()));
                    self.reading.problems.push(Problem {
                        suggestion,
                        ..Problem::error(place, message).about(path.clone())
                    });
                }
                self.reading.broken.insert(path);
            }
        }
    }
}

impl Reader<'_> {
    /// Reports what the file has in the innermost table and the walk has not visited.
    fn report_unknown(&mut self) {
        let Some(Frame { table, known }) = self.frames.last() else { return };
        let here = self.at.table();
        for (key, value) in table.iter().filter(|(key, _)| !known.contains(&key.get_ref().as_ref()))
        {
            let name = key.get_ref();
            let what = match (value.get_ref().is_table(), here.starts_with("policy.rules")) {
                (true, _) => "table",
                (false, true) => "rule",
                (false, false) => "key",
            };
            let message = match here.as_str() {
                "" => format!("unknown {what} `{name}`"),
                here => format!("unknown {what} `{name}` in [{here}]"),
            };
            let problem =
                Problem::error(self.source.place(key.span()), message).about(self.at.key(name));
            self.reading.problems.push(problem.suggest(self.suggestion(name, &here, known)));
        }
    }

    /// Says where an unknown name belongs, what was probably meant, or what is known here.
    fn suggestion(&self, name: &str, here: &str, known: &[&str]) -> String {
        let Paths { keys, tables, .. } = &self.paths;
        let mut homes: Vec<String> = Vec::new();
        for path in keys.iter().chain(tables) {
            if let Some((table, last)) = path.rsplit_once('.')
                && last == name
            {
                homes.push(format!("[{table}]"));
            }
        }
        if !homes.is_empty() {
            return format!("it belongs in {}", homes.join(" or "));
        }
        if let Some(near) = nearest(name, known.iter().copied()) {
            return format!("did you mean `{near}`?");
        }
        match here.starts_with("policy.rules") {
            true => "`weir rules` lists the rules".into(),
            false => format!("known here: {}", known.join(", ")),
        }
    }
}
