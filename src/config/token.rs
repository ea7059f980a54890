//! The token of the admin API: where it is read from, and what is wrong with it. It is never shown.

use super::{
    key::{Secret, is_key, named},
    problem::{Place, Problem},
    read::Reading,
    sources::Purpose,
    values::Config,
};

/// The key of the configuration.
const KEY: &str = "admin.token-file";

/// The shortest token that is taken: a shorter one can be guessed.
const SHORTEST: usize = 16;

/// Reads the token from its file, and reports what is wrong with it.
pub(super) fn read(config: &Config, purpose: Purpose, reading: &mut Reading) -> Option<Secret> {
    let file = config.admin.token_file.as_deref()?;
    let text = std::fs::read(file);
    let message = match &text {
        Err(error) => format!("{} cannot be read: {error}", named(file, "token-file")),
        Ok(text) => match std::str::from_utf8(text).map(str::trim) {
            Ok(token) if is_key(token) && token.len() >= SHORTEST => {
                return Some(Secret(token.to_owned()));
            }
            _ => format!("{} holds no token", named(file, "token-file")),
        },
    };
    let place = reading.places.get(KEY).cloned().unwrap_or(Place::Nowhere);
    let form = "a token is one word of 16 to 4096 visible ASCII characters";
    let problem = match (purpose, text.is_err()) {
        (Purpose::Check, true) => Problem::warning(place, message)
            .suggest("`weir run` does not start unless its user can read it"),
        (Purpose::Run, true) => Problem::error(place, message),
        (_, false) => Problem::error(place, message).suggest(form),
    };
    reading.problems.push(problem.about(KEY));
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{config::sources::Sources, dialects};

    #[test]
    fn a_token_is_read_beside_its_file_and_is_never_shown() {
        let folder = tempfile::tempdir().unwrap();
        let (file, token) = (folder.path().join("weir.toml"), folder.path().join("admin.token"));
        std::fs::write(
            &file,
            "[admin]\ntoken-file = \"admin.token\"\n[upstream]\nurl = \"http://a\"\n",
        )
        .unwrap();
        let load = |purpose| {
            let sources = Sources { purpose, ..Sources::file(&file) };
            Config::load(&sources, dialects::policy())
        };
        let absent = load(Purpose::Check).unwrap();
        assert!(absent.token.is_none());
        let told = absent.warnings.to_string();
        assert!(told.contains("admin.token cannot be read") && told.contains(":2:"), "{told}");
        std::fs::write(&token, "too-short\n").unwrap();
        let told = load(Purpose::Check).unwrap_err().to_string();
        assert!(told.contains("holds no token") && !told.contains("too-short"), "{told}");
        std::fs::write(&token, "a-token-of-some-length\n").unwrap();
        let loaded = load(Purpose::Check).unwrap();
        assert_eq!(loaded.token.as_ref().map(Secret::expose), Some("a-token-of-some-length"));
        let shown = format!("{loaded:?} {}", loaded.to_json());
        assert!(!shown.contains("a-token-of-some-length"), "{shown}");
        std::fs::remove_file(&token).unwrap();
        let told = load(Purpose::Run).unwrap_err().to_string();
        assert!(told.contains("admin.token cannot be read"), "{told}");
    }
}
