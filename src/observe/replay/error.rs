//! Why a line cannot be decided again.

/// The version of the log's lines.
pub(crate) const VERSION: u64 = 1;

/// The error of a line that cannot be decided again.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// The line is no line of a decision log.
    #[error("this is no line of a decision log: {0}")]
    Form(#[from] serde_json::Error),
    /// The line is of another version.
    #[error("the line has version {0}, and this program reads version {version}", version = VERSION)]
    Version(u64),
    /// The line names a dialect or a kind of session that the policy does not have.
    #[error("the policy knows no dialect and no kind of session that is called `{0}`")]
    Name(String),
}
