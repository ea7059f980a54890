//! Shows the values in effect and where each came from: one more walk over the keys. The only
//! secret of a configuration, a proxy's password, is left out by its form.

use super::{
    form::Form,
    keys::{Section, Visitor},
    load::Loaded,
    values::Config,
};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};

impl Loaded {
    /// Returns `{"values": {"listen": {"address": …}, …}, "origins": {"listen.address": "w:3"}}`; a
    /// key without an origin has its built-in value. `way_to_upstream` says what came of a proxy.
    pub(crate) fn to_json(&self) -> Value {
        let origins: Map<String, Value> = self
            .origins
            .iter()
            .map(|(key, origin)| (key.clone(), origin.to_string().into()))
            .collect();
        serde_json::json!({
            "values": self.config.to_json(),
            "origins": origins,
            "way_to_upstream": self.way.to_string(),
        })
    }
}

impl Config {
    /// Returns the keys whose values differ from `other`'s.
    pub(crate) fn differences(&self, other: &Config) -> Vec<String> {
        let (mut ours, mut theirs) = (BTreeMap::new(), BTreeMap::new());
        flatten("", &self.to_json(), &mut ours);
        flatten("", &other.to_json(), &mut theirs);
        let keys: BTreeSet<&String> = ours.keys().chain(theirs.keys()).collect();
        let differs = |key: &&String| ours.get(*key) != theirs.get(*key);
        keys.into_iter().filter(differs).cloned().collect()
    }

    /// Returns the values in effect, table by table, written as in the file.
    pub(crate) fn to_json(&self) -> Value {
        let mut walk = AsJson { tables: vec![Map::new()] };
        self.clone().visit(&mut walk);
        walk.tables.pop().unwrap_or_default().into()
    }
}

/// Gathers the values of a table and of the tables in it, by the paths of their keys.
fn flatten(path: &str, value: &Value, into: &mut BTreeMap<String, Value>) {
    let Some(table) = value.as_object() else {
        into.insert(path.to_owned(), value.clone());
        return;
    };
    for (name, value) in table {
        let key = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        flatten(&key, value, into);
    }
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
        let text = "[listen]\naddress = \"[::1]:1\"\nworkers = 2\n\
                    [upstream]\nurl = \"https://a/b\"\n\
                    [policy.rules]\nspent-source = \"off\"\n\
                    [policy.rules.carts]\nprimary-before-secondary = \"reorder\"\n\
                    [sequencing]\nwindow = \"250ms\"\n";
        let loaded = Config::parse("weir.toml", text, dialects::policy()).unwrap();
        let shown = toml::to_string(&loaded.config.to_json()).unwrap();
        assert_eq!(
            Config::parse("shown", &shown, dialects::policy()).unwrap().config,
            loaded.config
        );
        let origins = &loaded.to_json()["origins"];
        assert_eq!(origins["listen.address"], "weir.toml:2");
        assert_eq!(origins["listen.workers"], "weir.toml:3");
        assert_eq!(origins["policy.rules.spent-source"], "weir.toml:7");
        assert_eq!(origins["sequencing.window"], "weir.toml:11");
        assert_eq!(origins.get("sequencing.defer"), None);
    }

    #[test]
    fn what_differs_is_named_by_its_keys() {
        let read = |text| Config::parse("w", text, dialects::policy()).unwrap().config;
        let built_in = read("");
        assert_eq!(built_in.differences(&read("[log]\nlevel = \"info\"\n")), [""; 0]);
        let other = read(
            "[upstream]\nurl = \"https://a\"\n[limits]\ndrain = \"1s\"\n\
             [policy.rules]\nunderfunded-order = \"off\"\n[policy.types]\nsavable = [\"ideal\"]\n",
        );
        let keys = [
            "limits.drain",
            "policy.rules.carts.underfunded-order",
            "policy.rules.checkouts.underfunded-order",
            "policy.types.savable",
            "upstream.url",
        ];
        assert_eq!(built_in.differences(&other), keys);
        assert_eq!(other.differences(&built_in), keys);
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
