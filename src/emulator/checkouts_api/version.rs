//! The version of a call.

/// The version of one call: a date.
pub(crate) struct Version(String);

impl Version {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let is_date = text.len() == 10
            && text.bytes().enumerate().all(|(at, byte)| {
                if at == 4 || at == 7 { byte == b'-' } else { byte.is_ascii_digit() }
            });
        is_date.then(|| Self(text.to_owned()))
    }

    /// Returns whether it is older than `payment`: sources are at the top, and there is
    /// `creditAmount`.
    pub(crate) fn legacy(&self) -> bool {
        self.0.as_str() < "2021-03-23"
    }
}
