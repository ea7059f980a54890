//! Shows the values in effect and where each came from: one more walk over the keys. A
//! configuration holds no secrets.

use super::{
    Config, Loaded, Origin, Origins,
    form::Form,
    keys::{Path, Section, Visitor},
};
use serde_json::{Map, Value};
use std::fmt::Write;

impl Loaded {
    /// A file that says the same, with the origin of each value that is not built in as a comment.
    pub fn to_toml(&self) -> String {
        let mut walk = AsToml {
            at: Path::default(),
            origins: &self.origins,
            text: String::new(),
            headed: None,
        };
        self.config.clone().visit(&mut walk);
        walk.text
    }

    /// `{"values": {"listen": {"address": …}, …}, "origins": {"listen.address": "weir.toml:3",
    /// …}}`; a key without an origin has its built-in value.
    pub fn to_json(&self) -> Value {
        let origins: Map<String, Value> = self
            .origins
            .iter()
            .map(|(key, origin)| (key.clone(), origin.to_string().into()))
            .collect();
        serde_json::json!({ "values": self.config.to_json(), "origins": origins })
    }
}

impl Config {
    /// The values in effect, table by table, written as in the file.
    pub fn to_json(&self) -> Value {
        let mut walk = AsJson { tables: vec![Map::new()] };
        self.clone().visit(&mut walk);
        walk.tables.pop().unwrap_or_default().into()
    }
}

struct AsToml<'a> {
    at: Path,
    origins: &'a Origins,
    text: String,
    /// The table whose header was written last.
    headed: Option<String>,
}

impl Visitor for AsToml<'_> {
    fn table(&mut self, name: &'static str, _: &'static str, inside: impl FnOnce(&mut Self)) {
        self.at.enter(name);
        inside(self);
        self.at.leave();
    }

    fn key<F: Form>(
        &mut self,
        name: &'static str,
        _: &'static str,
        form: &F,
        value: &mut F::Value,
    ) {
        let Some(written) = form.write(value) else { return };
        let table = self.at.table();
        let gap = if self.text.is_empty() { "" } else { "\n" };
        if self.headed.as_ref() != Some(&table) {
            // Writing to a String does not fail.
            let _ = writeln!(self.text, "{gap}[{table}]");
            self.headed = Some(table);
        }
        let _ = match self.origins.get(&self.at.key(name)) {
            Some(origin) => writeln!(self.text, "{name} = {written} # {}", one_line(origin)),
            None => writeln!(self.text, "{name} = {written}"),
        };
    }
}

/// An origin fit for a comment, whatever a file is called.
fn one_line(origin: &Origin) -> String {
    origin.to_string().replace(|c: char| c.is_control(), "?")
}

struct AsJson {
    tables: Vec<Map<String, Value>>,
}

impl AsJson {
    fn add(&mut self, name: &str, value: Value) {
        if let Some(table) = self.tables.last_mut() {
            table.insert(name.to_owned(), value);
        }
    }
}

impl Visitor for AsJson {
    fn table(&mut self, name: &'static str, _: &'static str, inside: impl FnOnce(&mut Self)) {
        self.tables.push(Map::new());
        inside(self);
        let table = self.tables.pop().unwrap_or_default();
        self.add(name, table.into());
    }

    fn key<F: Form>(
        &mut self,
        name: &'static str,
        _: &'static str,
        form: &F,
        value: &mut F::Value,
    ) {
        if let Some(written) =
            form.write(value).and_then(|written| serde_json::to_value(written).ok())
        {
            self.add(name, written);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialects;

    #[test]
    fn what_is_shown_reads_back_as_itself() {
        let text = "[listen]\naddress = \"[::1]:1\"\nworkers = 2\n[upstream]\nurl = \"https://a/b\"\n\
                    [policy.rules]\nspent-source = \"off\"\n[policy.rules.carts]\nprimary-before-secondary = \"reorder\"\n\
                    [sequencing]\nwindow = \"250ms\"\n";
        let loaded = Config::parse("weir.toml", text, dialects::policy()).unwrap();
        let shown = loaded.to_toml();
        assert_eq!(
            Config::parse("shown", &shown, dialects::policy()).unwrap().config,
            loaded.config
        );
        assert!(
            shown.contains(
                "[listen]\naddress = \"[::1]:1\" # weir.toml:2\nworkers = 2 # weir.toml:3\n"
            ),
            "{shown}"
        );
        assert!(shown.contains("spent-source = \"off\" # weir.toml:7\n"), "{shown}");
        assert!(shown.contains("window = \"250ms\" # weir.toml:11\ndefer = false\n"), "{shown}");
    }

    #[test]
    fn json_has_values_and_origins() {
        let loaded =
            Config::parse("weir.toml", "[admin]\naddress = \"off\"\n", dialects::policy()).unwrap();
        let json = loaded.to_json();
        assert_eq!(json["values"]["admin"]["address"], "off");
        assert_eq!(json["values"]["policy"]["rules"]["checkouts"]["second-primary"], "monitor");
        assert_eq!(json["origins"], serde_json::json!({ "admin.address": "weir.toml:2" }));
    }
}
