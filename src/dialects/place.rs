//! Where an API lies below the paths that callers send: behind a base path of upstream, or behind a
//! site's name.

use http::uri::PathAndQuery;

/// Upstream's base path, as far as it is the beginning of an API's paths.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Base {
    /// What callers leave out of every path: it begins with a word with which a governed path
    /// begins.
    pub(super) omitted: Box<str>,
    /// Whether it has such a word where no governed path has it.
    pub(super) misplaced: bool,
}

impl Base {
    /// Returns whether the base path has a governed word in a place where no call can be judged.
    pub fn hides_calls(&self) -> bool {
        self.misplaced
    }
}

/// The place of one call's API below the caller's paths.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Place {
    pub omitted: Box<str>,
    /// What stands before the API's own path.
    pub before: Box<str>,
}

impl Place {
    /// Puts a path of this API where the call's is. `None` where it cannot be reached from there.
    pub(super) fn reach(&self, path: PathAndQuery, is_own_api: bool) -> Option<PathAndQuery> {
        if !self.omitted.is_empty() {
            let rest = path.as_str().strip_prefix(&*self.omitted)?;
            return PathAndQuery::try_from(match rest {
                "" => "/",
                rest => rest,
            })
            .ok();
        }
        if self.before.is_empty() || !is_own_api {
            return Some(path);
        }
        PathAndQuery::try_from(format!("{}{path}", self.before)).ok()
    }
}
