//! Puts the configuration together: built-in values, then the file, then the environment, then
//! flags, each over the one before.

use super::{
    Config, Place, Problem, Problems, checks,
    near::nearest,
    overrides::{self, CONFIG_VARIABLE, OVERRIDES},
    read::{self, Reading},
    source_text::SourceText,
};
use crate::rules::Policy;
use std::{
    collections::BTreeMap,
    ffi::{OsStr, OsString},
    fmt,
    path::{Path, PathBuf},
};

/// What the configuration is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Purpose {
    /// To be looked at: an upstream may be named later, and the files it names may be on another
    /// machine.
    #[default]
    Check,
    /// To run: there must be an upstream, and the files it names must be there.
    Run,
}

/// Where values may come from. Nothing is read from the process itself, so the same sources always
/// mean the same.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sources {
    /// The file named by `--config`; else `WEIR_CONFIG` of `environment` names one; else there is
    /// none.
    pub file: Option<PathBuf>,
    /// The environment. Only `WEIR_…` is looked at; an empty variable counts as unset.
    pub environment: Vec<(OsString, OsString)>,
    /// Flags that were given, by the key they set (see [`OVERRIDES`]), and their text.
    pub flags: Vec<(&'static str, String)>,
    /// What the configuration is for.
    pub purpose: Purpose,
}

impl Sources {
    /// One file and nothing else.
    pub fn file(path: impl Into<PathBuf>) -> Self {
        Sources { file: Some(path.into()), ..Sources::default() }
    }

    fn variable(&self, name: &str) -> Option<&OsStr> {
        self.environment
            .iter()
            .find(|(variable, text)| variable == name && !text.is_empty())
            .map(|(_, text)| text.as_os_str())
    }
}

/// Which source a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A line of the file.
    File {
        /// Which file.
        file: PathBuf,
        /// From 1.
        line: usize,
    },
    /// An environment variable.
    Variable(String),
    /// A flag.
    Flag(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::File { file, line } => write!(f, "{}:{line}", file.display()),
            Origin::Variable(name) | Origin::Flag(name) => f.write_str(name),
        }
    }
}

/// Origins by the path of the key. A key that is missing has its built-in value.
pub type Origins = BTreeMap<String, Origin>;

/// A configuration that can be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loaded {
    /// The validated values.
    pub config: Config,
    /// Where each came from.
    pub origins: Origins,
    /// What an operator should know; no errors.
    pub warnings: Problems,
}

impl Config {
    /// Reads all sources over the built-in values, of which the policy is given. Opens files,
    /// changes nothing.
    ///
    /// # Errors
    /// Everything that is wrong, warnings included, if anything forbids using the configuration.
    pub fn load(sources: &Sources, policy: Policy) -> Result<Loaded, Problems> {
        let file =
            sources.file.clone().or_else(|| sources.variable(CONFIG_VARIABLE).map(PathBuf::from));
        match file.as_deref().map(SourceText::open).transpose() {
            Ok(source) => load(sources, source.as_ref(), policy),
            Err(problem) => {
                // The file is lost, the rest is still looked at.
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
    pub fn parse(name: impl AsRef<Path>, text: &str, policy: Policy) -> Result<Loaded, Problems> {
        let source = SourceText::new(name.as_ref(), text.to_owned());
        load(&Sources::default(), Some(&source), policy)
    }
}

fn load(
    sources: &Sources,
    source: Option<&SourceText>,
    policy: Policy,
) -> Result<Loaded, Problems> {
    let mut config = Config::built_in(policy);
    let mut said = source.map(|source| read::read(source, &mut config)).unwrap_or_default();
    if let (Some(source), Some(Place::Spot { .. }), Some(file)) =
        (source, said.places.get("upstream.ca-file"), &config.upstream.ca_file)
    {
        config.upstream.ca_file = Some(source.file().parent().unwrap_or(Path::new("")).join(file));
    }
    for entry in OVERRIDES {
        if let Some(text) = sources.variable(entry.variable) {
            let place = Place::Variable(entry.variable.into());
            match text.to_str() {
                Some(text) => apply(&mut config, &mut said, entry.key, text, place),
                None => said
                    .problems
                    .push(Problem::error(place, "the value is not UTF-8").about(entry.key)),
            }
        }
    }
    for (key, text) in &sources.flags {
        let flag =
            OVERRIDES.iter().find(|entry| entry.key == *key).map_or(*key, |entry| entry.flag);
        apply(&mut config, &mut said, key, text, Place::Flag(flag.into()));
    }
    misspelt_variables(sources, &mut said.problems);
    checks::check(&config, sources.purpose, &mut said);
    said.problems.sort();
    match said.problems.errors() {
        0 => {
            let origins = origins(said.places, &config.policy);
            Ok(Loaded { config, origins, warnings: said.problems })
        }
        _ => Err(said.problems),
    }
}

fn apply(config: &mut Config, said: &mut Reading, key: &str, text: &str, place: Place) {
    match overrides::set(config, key, text) {
        Ok(()) => {
            said.broken.remove(key);
            said.places.insert(key.to_owned(), place);
        }
        Err(complaints) => {
            said.broken.insert(key.to_owned());
            for complaint in complaints {
                let problem = Problem::error(place.clone(), complaint.message).about(key);
                said.problems.push(Problem { suggestion: complaint.suggestion, ..problem });
            }
        }
    }
}

/// A variable that is nearly one of ours is a slip. Others are not ours to judge.
fn misspelt_variables(sources: &Sources, problems: &mut Problems) {
    let known = || OVERRIDES.iter().map(|entry| entry.variable).chain([CONFIG_VARIABLE]);
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

fn origins(places: BTreeMap<String, Place>, policy: &Policy) -> Origins {
    let origin = |place| match place {
        Place::Spot { file, line, .. } => Some(Origin::File { file, line }),
        Place::Variable(name) => Some(Origin::Variable(name)),
        Place::Flag(name) => Some(Origin::Flag(name)),
        Place::Nowhere | Place::File(_) => None,
    };
    let mut origins: Origins =
        places.into_iter().filter_map(|(key, place)| Some((key, origin(place)?))).collect();
    // A toggle for both dialects is in effect in each that has no toggle of its own.
    for (dialect, row, _) in policy.toggles.rows() {
        let id = row.id;
        if let Some(common) = origins.get(&format!("policy.rules.{id}")).cloned() {
            origins.entry(format!("policy.rules.{dialect}.{id}")).or_insert(common);
        }
    }
    origins
}
