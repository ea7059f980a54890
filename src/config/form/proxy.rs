//! How upstream is reached: by the environment's proxy, by none, or by this one.

use super::base::{Complaint, Form};
use crate::config::proxy_url::{ParseProxyUrlError, ProxyUrl};
use schemars::{Schema, json_schema};
use toml::de::DeValue;

const WANTED: &str = "\"env\", \"off\" or a URL such as \"http://proxy.internal:3128\"";

/// Which proxy leads to upstream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ProxyChoice {
    /// The one that the environment names, if any.
    Env,
    /// None.
    Off,
    /// This one.
    Url(ProxyUrl),
}

/// `"env"`, `"off"`, or the URL of a proxy.
pub(in crate::config) struct Proxy;

impl Form for Proxy {
    type Value = ProxyChoice;

    fn read(&self, value: &DeValue<'_>) -> Result<ProxyChoice, Vec<Complaint>> {
        let text = match value.as_str() {
            Some("env") => return Ok(ProxyChoice::Env),
            Some("off") => return Ok(ProxyChoice::Off),
            Some(text) => text,
            None => {
                let complaint = Complaint::wrong_type(WANTED, value);
                return Err(match value {
                    DeValue::Boolean(false) => complaint.suggest("write \"off\""),
                    _ => complaint,
                }
                .into());
            }
        };
        // A host alone would make a proxy of each misspelt word.
        let url = match text.contains("://") {
            true => text.parse(),
            false => Err(ParseProxyUrlError::Malformed),
        };
        url.map(ProxyChoice::Url).map_err(|error: ParseProxyUrlError| {
            Complaint::new(error.to_string()).suggest(format!("write {WANTED}")).into()
        })
    }

    /// Writes it without user and password: this is what is shown.
    fn write(&self, value: &ProxyChoice) -> Option<toml::Value> {
        Some(match value {
            ProxyChoice::Env => "env".into(),
            ProxyChoice::Off => "off".into(),
            ProxyChoice::Url(url) => url.to_string().into(),
        })
    }

    fn schema(&self) -> Schema {
        json_schema!({ "type": "string", "pattern": "^(env|off|[Hh][Tt][Tt][Pp]://[^/?#]+/?)$" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_is_a_word_or_a_url_and_its_password_is_not_written() {
        for (text, written) in
            [("env", "env"), ("off", "off"), ("http://me:pass@proxy:3128", "http://proxy:3128")]
        {
            let value = Proxy.read_text(text).unwrap();
            assert_eq!(Proxy.write(&value), Some(written.into()));
            assert!(!format!("{value:?}").contains("pass"), "{value:?}");
        }
        for text in ["", "of", "me:pass@proxy:3128", "https://me:pass@proxy", "http://me:pass@"] {
            let complaint = &Proxy.read_text(text).unwrap_err()[0];
            assert!(!complaint.message.contains("pass"), "{}", complaint.message);
            assert_eq!(complaint.suggestion.as_deref(), Some(&*format!("write {WANTED}")));
        }
        let no = &Proxy.read(&DeValue::Boolean(false)).unwrap_err()[0];
        assert_eq!(no.suggestion.as_deref(), Some("write \"off\""));
    }
}
