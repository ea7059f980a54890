//! Looks at what is said of callers' TLS: whoever asks for certificates must not be served without.

use super::{
    problem::{Place, Problem},
    read::Reading,
    values::Config,
};

/// Returns what is missing where callers are to show certificates.
pub(super) fn check(config: &Config, reading: &Reading) -> Option<Problem> {
    const KEY: &str = "listen.client-ca-file";
    let listen = &config.listen;
    if listen.client_ca_file.is_none() || !listen.certificates.is_empty() {
        return None;
    }
    let place = reading.places.get(KEY).cloned().unwrap_or(Place::Nowhere);
    let message = "callers cannot show certificates: Weir ends no TLS without `certificates`";
    let instead = "name Weir's own as `certificates`, or take `client-ca-file` out";
    Some(Problem::error(place, message).about(KEY).suggest(instead))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialects;

    #[test]
    fn certificates_of_callers_take_one_of_weirs_own() {
        let told = |listen: &str| {
            let text = format!("[upstream]\nurl = \"https://a\"\n[listen]\n{listen}");
            let read = Config::parse("w.toml", &text, dialects::policy());
            read.err().map(|problems| problems.to_string()).unwrap_or_default()
        };
        let (own, ca) = ("certificates = [\"a.pem\"]\n", "client-ca-file = \"ca.pem\"\n");
        for right in ["", own, &format!("{own}{ca}")] {
            assert_eq!(told(right), "", "{right}");
        }
        assert!(told(ca).contains("Weir ends no TLS without"), "{}", told(ca));
    }
}
