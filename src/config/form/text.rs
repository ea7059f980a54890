//! Values that are text of their own: URLs, files, lists of names.

use super::base::{Complaint, Form, quoted};
use crate::{
    config::upstream_url::{ParseUpstreamUrlError, UpstreamUrl},
    rules::SourceType,
};
use http::uri::Scheme;
use schemars::{Schema, json_schema};
use std::{collections::BTreeSet, path::PathBuf};
use toml::de::DeValue;

/// Upstream's URL.
pub(in crate::config) struct Url;

impl Form for Url {
    type Value = Option<UpstreamUrl>;

    fn read(&self, value: &DeValue<'_>) -> Result<Option<UpstreamUrl>, Vec<Complaint>> {
        let text = value.as_str().ok_or_else(|| {
            Complaint::wrong_type("a URL such as \"https://api.example.com\"", value)
        })?;
        text.parse().map(Some).map_err(|error: ParseUpstreamUrlError| {
            let suggestion = error.suggestion(text);
            Complaint { suggestion, ..Complaint::new(error.to_string()) }.into()
        })
    }

    fn write(&self, value: &Option<UpstreamUrl>) -> Option<toml::Value> {
        value.as_ref().map(|url| url.to_string().into())
    }

    fn schema(&self) -> Schema {
        json_schema!({
            "type": "string",
            "format": "uri",
            "pattern": "^[Hh][Tt][Tt][Pp][Ss]?://[^/?#@]+(/[^?#]*)?$",
        })
    }
}

/// The URL of a collector of traces, or `"off"` (`None`).
pub(in crate::config) struct Collector;

impl Form for Collector {
    type Value = Option<UpstreamUrl>;

    fn read(&self, value: &DeValue<'_>) -> Result<Option<UpstreamUrl>, Vec<Complaint>> {
        const EXAMPLE: &str = "\"http://127.0.0.1:4318/v1/traces\", or \"off\"";
        let wanted = || format!("a URL such as {EXAMPLE}");
        let text = value.as_str().ok_or_else(|| Complaint::wrong_type(&wanted(), value))?;
        if text == "off" {
            return Ok(None);
        }
        match text.parse::<UpstreamUrl>() {
            Ok(url) if *url.scheme() == Scheme::HTTPS => {
                let complaint = Complaint::new("spans are sent without TLS");
                Err(complaint.suggest("name a collector on this machine, with http://").into())
            }
            Ok(_) if !cfg!(feature = "otlp") => {
                let complaint = Complaint::new("this Weir was built without the feature `otlp`");
                Err(complaint.suggest("build it with `--features otlp`, or write \"off\"").into())
            }
            Ok(url) => Ok(Some(url)),
            Err(_) => {
                let complaint = Complaint::new("this is no collector's URL");
                Err(complaint.suggest(format!("write {}", wanted())).into())
            }
        }
    }

    fn write(&self, value: &Option<UpstreamUrl>) -> Option<toml::Value> {
        Some(value.as_ref().map_or("off".into(), |url| url.to_string().into()))
    }

    fn schema(&self) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": "^(off|[Hh][Tt][Tt][Pp]://[^/?#@]+(/[^?#]*)?)$",
        })
    }
}

/// The name of a file.
pub(in crate::config) struct File;

impl Form for File {
    type Value = Option<PathBuf>;

    fn read(&self, value: &DeValue<'_>) -> Result<Option<PathBuf>, Vec<Complaint>> {
        match value.as_str() {
            None => Err(Complaint::wrong_type("the name of a file", value).into()),
            Some("") => Err(Complaint::new("the name of the file is empty")
                .suggest("leave the key out to name none")
                .into()),
            Some(name) => Ok(Some(name.into())),
        }
    }

    fn write(&self, value: &Option<PathBuf>) -> Option<toml::Value> {
        value.as_ref().map(|path| path.display().to_string().into())
    }

    fn schema(&self) -> Schema {
        json_schema!({ "type": "string", "minLength": 1 })
    }
}

/// The names of files, each at most once.
pub(in crate::config) struct Files;

impl Form for Files {
    type Value = Vec<PathBuf>;

    fn read(&self, value: &DeValue<'_>) -> Result<Vec<PathBuf>, Vec<Complaint>> {
        let array = value.as_array().ok_or_else(|| {
            let complaint = Complaint::wrong_type("a list of files such as [\"shop.pem\"]", value);
            match value.as_str() {
                Some(name) => complaint.suggest(format!("write [{}]", quoted(name))),
                None => complaint,
            }
        })?;
        let mut files = Vec::new();
        let mut complaints = Vec::new();
        for item in array.iter() {
            let complaint = match File.read(item.get_ref()) {
                Ok(Some(file)) if files.contains(&file) => {
                    let name = file.display().to_string();
                    Complaint::new(format!("{} stands in the list twice", quoted(&name)))
                        .suggest("remove one of them")
                        .into()
                }
                Ok(file) => {
                    files.extend(file);
                    continue;
                }
                Err(complaints) => complaints,
            };
            complaints.extend(complaint.into_iter().map(|complaint| complaint.at(item.span())));
        }
        if complaints.is_empty() { Ok(files) } else { Err(complaints) }
    }

    fn write(&self, value: &Vec<PathBuf>) -> Option<toml::Value> {
        let names = value.iter().map(|file| toml::Value::from(file.display().to_string()));
        Some(names.collect::<Vec<_>>().into())
    }

    fn schema(&self) -> Schema {
        json_schema!({ "type": "array", "items": File.schema(), "uniqueItems": true })
    }
}

/// Names of hosts, without ports.
pub(in crate::config) struct Hosts;

impl Form for Hosts {
    type Value = Vec<String>;

    fn read(&self, value: &DeValue<'_>) -> Result<Vec<String>, Vec<Complaint>> {
        let wanted = "a list of names such as [\"weir.internal\"]";
        let array = value.as_array().ok_or_else(|| {
            let complaint = Complaint::wrong_type(wanted, value);
            match value.as_str() {
                Some(name) => complaint.suggest(format!("write [{}]", quoted(name))),
                None => complaint,
            }
        })?;
        let (mut names, mut complaints) = (Vec::new(), Vec::new());
        for item in array.iter() {
            match item.get_ref().as_str() {
                Some(name) if is_host(name) => names.push(name.to_owned()),
                Some(name) => {
                    let complaint =
                        Complaint::new(format!("{} is no name of a host", quoted(name)))
                            .suggest("write the name alone, without scheme, port and path");
                    complaints.push(complaint.at(item.span()));
                }
                None => {
                    let complaint = Complaint::wrong_type("the name of a host", item.get_ref());
                    complaints.push(complaint.at(item.span()));
                }
            }
        }
        if complaints.is_empty() { Ok(names) } else { Err(complaints) }
    }

    fn write(&self, value: &Vec<String>) -> Option<toml::Value> {
        Some(value.iter().map(|name| toml::Value::from(name.as_str())).collect::<Vec<_>>().into())
    }

    fn schema(&self) -> Schema {
        json_schema!({ "type": "array", "items": { "type": "string", "pattern": HOST } })
    }
}

const HOST: &str = r"^[0-9A-Za-z._-]{1,253}$";

fn is_host(name: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    (1..=253).contains(&name.len()) && name.bytes().all(is_part)
}

/// Types of sources, each at most once, at least `least` of them.
pub(in crate::config) struct Names {
    pub(in crate::config) least: usize,
}

impl Form for Names {
    type Value = Vec<SourceType>;

    fn read(&self, value: &DeValue<'_>) -> Result<Vec<SourceType>, Vec<Complaint>> {
        let array = value.as_array().ok_or_else(|| {
            let complaint =
                Complaint::wrong_type("a list of source types such as [\"creditCard\"]", value);
            match value.as_str() {
                Some(name) => complaint.suggest(format!("write [{}]", quoted(name))),
                None => complaint,
            }
        })?;
        let mut seen = BTreeSet::new();
        let mut complaints = Vec::new();
        for item in array.iter() {
            let complaint = match item.get_ref().as_str() {
                None => Complaint::wrong_type("the name of a source type", item.get_ref()),
                Some(name)
                    if name.is_empty()
                        || name.contains(|c: char| c.is_whitespace() || c.is_control()) =>
                {
                    Complaint::new(format!("{} is not a source type", quoted(name)))
                }
                Some(name) if !seen.insert(name) => {
                    Complaint::new(format!("{} stands in the list twice", quoted(name)))
                        .suggest("remove one of them")
                }
                Some(_) => continue,
            };
            complaints.push(complaint.at(item.span()));
        }
        if complaints.is_empty() && seen.len() < self.least {
            complaints.push(
                Complaint::new("the list is empty: nothing would be store credit")
                    .suggest("write [\"customerCredit\"]"),
            );
        }
        match complaints.is_empty() {
            true => Ok(array
                .iter()
                .filter_map(|item| item.get_ref().as_str())
                .map(SourceType::from)
                .collect()),
            false => Err(complaints),
        }
    }

    fn write(&self, value: &Vec<SourceType>) -> Option<toml::Value> {
        Some(value.iter().map(|kind| toml::Value::from(kind.as_str())).collect::<Vec<_>>().into())
    }

    fn schema(&self) -> Schema {
        json_schema!({
            "type": "array",
            "items": { "type": "string", "pattern": r"^\S+$" },
            "uniqueItems": true,
            "minItems": self.least,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_wrong_with_a_list_is_said_where_it_stands() {
        let value = DeValue::parse(r#"["a", "b", "a", 3, "c d"]"#).unwrap();
        let complaints = Names { least: 1 }.read(value.get_ref()).unwrap_err();
        let said: Vec<_> =
            complaints.iter().map(|c| (c.message.as_str(), c.span.clone())).collect();
        assert_eq!(
            said,
            [
                ("\"a\" stands in the list twice", Some(11..14)),
                ("expected the name of a source type, found an integer", Some(16..17)),
                ("\"c d\" is not a source type", Some(19..24)),
            ]
        );
    }

    #[test]
    fn a_collector_is_a_url_without_tls_where_traces_are_built_in() {
        use crate::config::form::base::tests::says;
        let built_in = cfg!(feature = "otlp");
        let unbuilt = "this Weir was built without the feature `otlp` (build it with \
                       `--features otlp`, or write \"off\")";
        let url = "http://127.0.0.1:4318/v1/traces";
        let shown = format!("\"{url}\"");
        for (text, told) in [
            ("off", "\"off\""),
            (url, if built_in { shown.as_str() } else { unbuilt }),
            (
                "https://127.0.0.1/v1/traces",
                "spans are sent without TLS (name a collector on this machine, with http://)",
            ),
            (
                "127.0.0.1:4318",
                "this is no collector's URL (write a URL such as \
                 \"http://127.0.0.1:4318/v1/traces\", or \"off\")",
            ),
        ] {
            assert_eq!(says(&Collector, text), told, "{text}");
        }
    }

    #[test]
    fn a_host_is_a_name_alone() {
        let read = |text: &str| Hosts.read(DeValue::parse(text).unwrap().get_ref());
        assert_eq!(
            read(r#"["weir.internal", "a-b"]"#),
            Ok(vec!["weir.internal".into(), "a-b".into()])
        );
        for wrong in ["weir:9090", "http://weir", "weir/x", "", "*"] {
            let text = format!("[\"{wrong}\"]");
            let complaints = read(&text).unwrap_err();
            assert!(complaints[0].message.ends_with("is no name of a host"), "{wrong}");
        }
        let complaints = read("\"weir\"").unwrap_err();
        assert_eq!(complaints[0].suggestion.as_deref(), Some("write [\"weir\"]"));
    }

    #[test]
    fn a_single_name_is_told_to_become_a_list() {
        let complaint =
            &Names { least: 1 }.read(&DeValue::String("customerCredit".into())).unwrap_err()[0];
        assert_eq!(complaint.suggestion.as_deref(), Some("write [\"customerCredit\"]"));
        let empty = DeValue::parse("[]").unwrap();
        assert!(Names { least: 1 }.read(empty.get_ref()).is_err());
        assert_eq!(Names { least: 0 }.read(empty.get_ref()), Ok(vec![]));
    }
}
