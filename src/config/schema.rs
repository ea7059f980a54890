//! JSON Schema of the file, for editors: one more walk over the keys.

use super::{
    form::Form,
    keys::{Section, Visitor},
    values::Config,
};
use schemars::{Schema, json_schema};
use serde_json::{Map, Value};

/// Returns the JSON Schema, draft 2020-12. It accepts no key that the reader does not know. It does
/// not check the ranges of durations and sizes.
pub(crate) fn schema(built_in: &Config) -> Schema {
    let mut walk = Walk { tables: vec![Map::new()] };
    built_in.clone().visit(&mut walk);
    let mut root = json_schema!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Configuration of Weir",
    });
    for (name, value) in
        object(walk.tables.pop().unwrap_or_default()).as_object().into_iter().flatten()
    {
        root.insert(name.clone(), value.clone());
    }
    root
}

/// The properties of the tables that the walk is in, the innermost last.
struct Walk {
    tables: Vec<Map<String, Value>>,
}

impl Walk {
    fn add(&mut self, name: &str, doc: &str, mut schema: Schema) {
        schema.insert("description".into(), doc.trim().into());
        if let Some(properties) = self.tables.last_mut() {
            properties.insert(name.to_owned(), schema.to_value());
        }
    }
}

fn object(properties: Map<String, Value>) -> Schema {
    json_schema!({ "type": "object", "properties": properties, "additionalProperties": false })
}

impl Visitor for Walk {
    fn table(&mut self, name: &'static str, doc: &'static str, inside: impl FnOnce(&mut Self)) {
        self.tables.push(Map::new());
        inside(self);
        let properties = self.tables.pop().unwrap_or_default();
        self.add(name, doc, object(properties));
    }

    fn key<F: Form>(
        &mut self,
        name: &'static str,
        doc: &'static str,
        form: &F,
        value: &mut F::Value,
    ) {
        let mut schema = form.schema();
        if let Some(default) =
            form.write(value).and_then(|default| serde_json::to_value(default).ok())
        {
            schema.insert("default".into(), default);
        }
        self.add(name, doc, schema);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{config::paths::Paths, dialects};

    fn paths(schema: &Value, above: &str, found: &mut Vec<String>) {
        for (name, inner) in schema["properties"].as_object().unwrap() {
            let path = if above.is_empty() { name.clone() } else { format!("{above}.{name}") };
            match inner.get("properties") {
                Some(_) => {
                    assert_eq!(inner["additionalProperties"], false, "{path}");
                    paths(inner, &path, found);
                }
                None => found.push(path.clone()),
            }
            assert!(!inner["description"].as_str().unwrap().is_empty(), "{path}");
        }
    }

    #[test]
    fn schema_and_reader_know_the_same_keys() {
        let schema = schema(&Config::built_in(dialects::policy())).to_value();
        assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
        assert_eq!(schema["additionalProperties"], false);
        let mut described = Vec::new();
        paths(&schema, "", &mut described);
        described.sort();
        let mut known = Paths::of(&Config::built_in(dialects::policy())).keys;
        known.sort();
        assert_eq!(described, known);
        for path in &described {
            let (table, key) = path.rsplit_once('.').unwrap();
            let problems =
                Config::parse("w", &format!("[{table}]\n{key} = {{}}\n"), dialects::policy())
                    .unwrap_err()
                    .to_string();
            assert!(!problems.contains("unknown"), "{problems}");
            let problems =
                Config::parse("w", &format!("[{table}]\nno-such-{key} = 1\n"), dialects::policy())
                    .unwrap_err()
                    .to_string();
            assert!(problems.contains("unknown"), "{problems}");
        }
    }

    #[test]
    fn a_default_of_the_schema_is_the_built_in_value() {
        let schema = schema(&Config::built_in(dialects::policy())).to_value();
        let at = |pointer: &str| schema.pointer(pointer).cloned().unwrap_or_default();
        assert_eq!(at("/properties/listen/properties/address/default"), "127.0.0.1:8080");
        assert_eq!(at("/properties/limits/properties/governed-body/default"), "1MiB");
        assert_eq!(at("/properties/policy/properties/fresh-for/default"), "2s");
        assert_eq!(at("/properties/upstream/properties/url/default"), Value::Null);
        assert_eq!(
            at("/properties/policy/properties/rules/properties/carts/properties\
                 /primary-before-secondary/enum"),
            serde_json::json!(["reject", "reorder", "monitor", "off"])
        );
    }
}
