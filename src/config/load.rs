//! Puts the configuration together: built-in values, then the file, then the environment, then
//! flags, each over the one before.

use super::{
    checks,
    did_you_mean::nearest,
    form::LogTo,
    key::{self, KEY_VARIABLE, Secret},
    origin::{Origins, origins},
    overrides::{self, CONFIG_VARIABLE, OVERRIDES, Override},
    problem::{Place, Problem, Problems},
    read::{self, Reading},
    source_text::SourceText,
    sources::{Purpose, Sources},
    times, token,
    values::Config,
    way::{self, Way},
};
use crate::rules::Policy;
use std::path::Path;

/// A configuration that can be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Loaded {
    /// The validated values.
    pub config: Config,
    /// The source of each value that is not built in.
    pub origins: Origins,
    /// Problems that do not forbid using it.
    pub warnings: Problems,
    /// Weir's own key, if it has one.
    pub key: Option<Secret>,
    /// The token of the admin API, if it has one.
    pub token: Option<Secret>,
    /// The way to upstream.
    pub way: Way,
}

impl Config {
    /// Reads all sources over the built-in values, of which the policy is given. Opens files and
    /// changes nothing.
    ///
    /// # Errors
    /// Everything that is wrong, warnings included, if anything forbids using the configuration.
    pub(crate) fn load(sources: &Sources, policy: Policy) -> Result<Loaded, Problems> {
        match sources.path().as_deref().map(SourceText::open).transpose() {
            Ok(source) => load(sources, source.as_ref(), policy),
            Err(problem) => {
                // The other sources are still checked.
                let mut problems =
                    load(&Sources { purpose: Purpose::Check, ..sources.clone() }, None, policy)
                        .err()
                        .unwrap_or_default();
                problems.push(*problem);
                problems.sort();
                Err(problems)
            }
        }
    }

    /// Reads the text of a file, as if it were the file `name`, and nothing else.
    ///
    /// # Errors
    /// As [`Config::load`].
    #[cfg(test)]
    pub(crate) fn parse(
        name: impl AsRef<Path>,
        text: &str,
        policy: Policy,
    ) -> Result<Loaded, Problems> {
        let source = SourceText::new(name.as_ref(), text.to_owned());
        load(&Sources::default(), Some(&source), policy)
    }
}

/// Makes the names of files relative to the folder of the configuration file, which named them:
/// flags and variables are read later.
fn join_files(config: &mut Config, folder: &Path) {
    let upstream = &mut config.upstream;
    let alone = [
        &mut upstream.socket,
        &mut upstream.ca_file,
        &mut upstream.key_file,
        &mut upstream.client_certificate,
        &mut upstream.client_key,
        &mut config.admin.token_file,
        &mut config.listen.client_ca_file,
        &mut config.log.file,
    ];
    for file in alone.into_iter().flatten().chain(&mut config.listen.certificates) {
        *file = folder.join(&file);
    }
    if let LogTo::File(file) = &mut config.decision_log.to {
        *file = folder.join(&file);
    }
}

fn load(
    sources: &Sources,
    source: Option<&SourceText>,
    policy: Policy,
) -> Result<Loaded, Problems> {
    let mut config = Config::built_in(policy);
    let mut reading = source.map(|source| read::read(source, &mut config)).unwrap_or_default();
    if let Some(source) = source {
        join_files(&mut config, source.file().parent().unwrap_or(Path::new("")));
    }
    for Override { key, variable, .. } in OVERRIDES {
        if let Some(text) = sources.variable(variable) {
            let place = Place::Variable((*variable).into());
            match text.to_str() {
                Some(text) => apply(&mut config, &mut reading, key, text, place),
                None => {
                    let problem = Problem::error(place, "the value is not UTF-8");
                    reading.problems.push(problem.about(*key));
                }
            }
        }
    }
    for (key, text) in &sources.flags {
        let flag =
            OVERRIDES.iter().find(|entry| entry.key == *key).map_or(*key, |entry| entry.flag);
        apply(&mut config, &mut reading, key, text, Place::Flag(flag.into()));
    }
    report_misspelt_variables(sources, &mut reading.problems);
    let key = key::read(&config, sources, &mut reading);
    let token = token::read(&config, sources.purpose, &mut reading);
    let way = way::way(&config, &sources.environment).unwrap_or_else(|problem| {
        reading.problems.push(*problem);
        Way::Direct
    });
    checks::check(&config, sources.purpose, &mut reading);
    times::check(&config, &mut reading);
    reading.problems.sort();
    match reading.problems.errors() {
        0 => {
            let origins = origins(reading.places, &config.policy);
            Ok(Loaded { config, origins, warnings: reading.problems, key, token, way })
        }
        _ => Err(reading.problems),
    }
}

fn apply(config: &mut Config, reading: &mut Reading, key: &str, text: &str, place: Place) {
    match overrides::set(config, key, text) {
        Ok(()) => {
            reading.broken.remove(key);
            reading.places.insert(key.to_owned(), place);
        }
        Err(complaints) => {
            reading.broken.insert(key.to_owned());
            for complaint in complaints {
                let problem = Problem::error(place.clone(), complaint.message).about(key);
                reading.problems.push(Problem { suggestion: complaint.suggestion, ..problem });
            }
        }
    }
}

/// Warns of a variable whose name is nearly one of Weir's. Other `WEIR_…` names may belong to a
/// cluster.
fn report_misspelt_variables(sources: &Sources, problems: &mut Problems) {
    let known =
        || OVERRIDES.iter().map(|entry| entry.variable).chain([CONFIG_VARIABLE, KEY_VARIABLE]);
    for name in sources.environment.iter().filter_map(|(name, _)| name.to_str()) {
        if let Some(rest) = name.strip_prefix("WEIR_")
            && !known().any(|variable| variable == name)
            && let Some(near) =
                nearest(rest, known().filter_map(|variable| variable.strip_prefix("WEIR_")))
        {
            let problem =
                Problem::warning(Place::Variable(name.to_owned()), "this variable is not read");
            problems.push(problem.suggest(format!("did you mean `WEIR_{near}`?")));
        }
    }
}
