//! Where upstream is.

use http::uri::{Authority, Scheme, Uri};
use std::{fmt, str::FromStr};

/// `http` or `https`, a host, perhaps a port and a base path; no user, no query, no fragment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct UpstreamUrl {
    scheme: Scheme,
    authority: Authority,
    base_path: Box<str>,
}

impl UpstreamUrl {
    /// Returns the scheme.
    pub(crate) fn scheme(&self) -> &Scheme {
        &self.scheme
    }

    /// Returns the host and, if it was written, the port: the value of `Host`.
    pub(crate) fn authority(&self) -> &Authority {
        &self.authority
    }

    /// Returns the host alone; an IPv6 address keeps its brackets.
    pub(crate) fn host(&self) -> &str {
        self.authority.host()
    }

    /// Returns the port to connect to.
    pub(crate) fn port(&self) -> u16 {
        let default = if self.scheme == Scheme::HTTPS { 443 } else { 80 };
        self.authority.port_u16().unwrap_or(default)
    }

    /// Returns what is put before every path: nothing, or a path that begins with `/` and does not
    /// end with it.
    pub(crate) fn base_path(&self) -> &str {
        &self.base_path
    }
}

impl fmt::Display for UpstreamUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}{}", self.scheme, self.authority, self.base_path)
    }
}

/// Why a text is not an upstream's URL. It never shows the text, which may hold a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ParseUpstreamUrlError {
    /// It has characters that no URL has; the text says which.
    #[error("the URL has {0} in it")]
    Odd(&'static str),
    /// An IPv6 address has a zone.
    #[error("the URL's address has a zone, which no URL of http has")]
    Zone,
    /// Not a URL at all.
    #[error("this is not a URL")]
    Malformed,
    /// There is no `scheme://`.
    #[error("the URL has no scheme")]
    NoScheme,
    /// Neither `http` nor `https`.
    #[error("upstream is spoken to over `http` or `https` only")]
    OtherScheme,
    /// A user or a password stands before the host.
    #[error("the URL holds a user or a password")]
    User,
    /// `?`.
    #[error("the URL holds a query")]
    Query,
    /// `#`.
    #[error("the URL holds a fragment")]
    Fragment,
    /// The port is not one.
    #[error("the URL's port is not a port")]
    Port,
    /// The base path has empty, `.` or `..` segments, or percent-encoding: it could be read in two
    /// ways.
    #[error("the URL's base path can be read in two ways")]
    Path,
}

impl ParseUpstreamUrlError {
    /// Says what to write in place of `text`.
    pub(super) fn suggestion(self, text: &str) -> Option<String> {
        match self {
            Self::NoScheme if format!("https://{text}").parse::<UpstreamUrl>().is_ok() => {
                Some(format!("write \"https://{text}\""))
            }
            Self::Odd("quotes") => Some("leave the quotes out: they belong to a shell".into()),
            Self::Odd(_) => Some("write the URL in one line, with nothing around it".into()),
            Self::Zone => Some("name the host, or an address that needs no zone".into()),
            Self::User => Some("leave the user out: callers bring their own credentials".into()),
            Self::Query | Self::Fragment => {
                let plain = text.split(['?', '#']).next().unwrap_or_default();
                plain.parse::<UpstreamUrl>().ok().map(|url| format!("write \"{url}\""))
            }
            Self::Path => {
                Some("write the base path plainly, as in \"https://api.example.com/base\"".into())
            }
            Self::Port => Some("write a port from 1 to 65535, or none".into()),
            Self::Malformed | Self::NoScheme | Self::OtherScheme => {
                Some("write a URL such as \"https://api.example.com\"".into())
            }
        }
    }
}

/// Returns what a character is that no URL has.
fn odd(c: char) -> Option<&'static str> {
    match c {
        '"' | '\'' | '\u{2018}'..='\u{201F}' => Some("quotes"),
        '\n' | '\r' => Some("a line feed"),
        c if c.is_control() => Some("a control character"),
        c if c.is_whitespace() => Some("a blank"),
        _ => None,
    }
}

impl FromStr for UpstreamUrl {
    type Err = ParseUpstreamUrlError;

    fn from_str(text: &str) -> Result<Self, ParseUpstreamUrlError> {
        if let Some(odd) = text.chars().find_map(odd) {
            return Err(ParseUpstreamUrlError::Odd(odd));
        }
        let Some((scheme, rest)) = text.split_once("://") else {
            return Err(ParseUpstreamUrlError::NoScheme);
        };
        let scheme = match scheme {
            name if name.eq_ignore_ascii_case("http") => Scheme::HTTP,
            name if name.eq_ignore_ascii_case("https") => Scheme::HTTPS,
            _ => return Err(ParseUpstreamUrlError::OtherScheme),
        };
        // `Uri` drops a fragment without a word, so these are looked for first.
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        if authority.contains('@') {
            return Err(ParseUpstreamUrlError::User);
        }
        if authority.starts_with('[') && authority.contains('%') {
            return Err(ParseUpstreamUrlError::Zone);
        }
        if rest.contains('#') {
            return Err(ParseUpstreamUrlError::Fragment);
        }
        if rest.contains('?') {
            return Err(ParseUpstreamUrlError::Query);
        }
        let uri: Uri = text.parse().map_err(|_| ParseUpstreamUrlError::Malformed)?;
        let authority = uri
            .authority()
            .filter(|authority| !authority.host().is_empty())
            .ok_or(ParseUpstreamUrlError::Malformed)?;
        let written_port = authority.as_str().len() > authority.host().len();
        if written_port && authority.port_u16().is_none_or(|port| port == 0) {
            return Err(ParseUpstreamUrlError::Port);
        }
        let base_path = uri.path().strip_suffix('/').unwrap_or(uri.path());
        if base_path.contains('%')
            || base_path.split('/').skip(1).any(|segment| matches!(segment, "" | "." | ".."))
        {
            return Err(ParseUpstreamUrlError::Path);
        }
        Ok(Self { scheme, authority: authority.clone(), base_path: base_path.into() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_taken_apart() {
        let cases = [
            (
                "https://api.digitalriver.com",
                "api.digitalriver.com",
                443,
                "",
                "https://api.digitalriver.com",
            ),
            ("HTTP://localhost:8081/", "localhost", 8081, "", "http://localhost:8081"),
            (
                "https://gateway.example/pay/v2/",
                "gateway.example",
                443,
                "/pay/v2",
                "https://gateway.example/pay/v2",
            ),
            ("http://[::1]:81/a", "[::1]", 81, "/a", "http://[::1]:81/a"),
        ];
        for (text, host, port, base_path, shown) in cases {
            let url: UpstreamUrl = text.parse().unwrap();
            assert_eq!(
                (url.host(), url.port(), url.base_path(), url.to_string().as_str()),
                (host, port, base_path, shown)
            );
        }
    }

    #[test]
    fn what_is_no_upstream_is_refused_with_its_reason() {
        use ParseUpstreamUrlError::*;
        let cases = [
            ("api.digitalriver.com", NoScheme, Some("write \"https://api.digitalriver.com\"")),
            ("ftp://a", OtherScheme, Some("write a URL such as \"https://api.example.com\"")),
            (
                "https://user:secret@a/",
                User,
                Some("leave the user out: callers bring their own credentials"),
            ),
            ("\"https://a\"", Odd("quotes"), Some("leave the quotes out: they belong to a shell")),
            (
                "https://a\n",
                Odd("a line feed"),
                Some("write the URL in one line, with nothing around it"),
            ),
            (
                " https://a",
                Odd("a blank"),
                Some("write the URL in one line, with nothing around it"),
            ),
            (
                "http://[fe80::1%25eth0]:81",
                Zone,
                Some("name the host, or an address that needs no zone"),
            ),
            (
                "http://[fe80::1%eth0]",
                Zone,
                Some("name the host, or an address that needs no zone"),
            ),
            ("https://a/b?c=d", Query, Some("write \"https://a/b\"")),
            ("https://a/#b", Fragment, Some("write \"https://a\"")),
            ("https://a:99999", Port, Some("write a port from 1 to 65535, or none")),
            ("https://a:0", Port, Some("write a port from 1 to 65535, or none")),
            ("https://", Malformed, Some("write a URL such as \"https://api.example.com\"")),
            (
                "https://a/b//c",
                Path,
                Some("write the base path plainly, as in \"https://api.example.com/base\""),
            ),
            (
                "https://a/../c",
                Path,
                Some("write the base path plainly, as in \"https://api.example.com/base\""),
            ),
            (
                "https://a/%62",
                Path,
                Some("write the base path plainly, as in \"https://api.example.com/base\""),
            ),
        ];
        for (text, error, instead) in cases {
            assert_eq!(text.parse::<UpstreamUrl>(), Err(error), "{text}");
            assert_eq!(error.suggestion(text).as_deref(), instead, "{text}");
        }
    }
}
