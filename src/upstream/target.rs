//! Where upstream is, and what a request's target becomes there. Path and query are kept byte for
//! byte.

use http::{
    HeaderValue, Uri,
    uri::{Authority, PathAndQuery, Scheme},
};
use std::fmt;

/// Upstream's address: scheme, authority, and a path that every request's path is put behind.
#[derive(Clone, Debug)]
pub struct Target {
    scheme: Scheme,
    authority: Authority,
    host: HeaderValue,
    /// Without its last slash: empty for the root.
    base: String,
}

/// Why an address cannot be upstream's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotATarget {
    /// It is no URL.
    NotAUrl(String),
    /// It is neither `http` nor `https`.
    Scheme(String),
    /// It names no host.
    NoHost,
    /// It carries a user or a password.
    UserInfo,
    /// It carries a query.
    Query,
}

impl fmt::Display for NotATarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NotATarget::NotAUrl(why) => write!(f, "not a URL: {why}"),
            NotATarget::Scheme(scheme) => {
                write!(f, "the scheme must be http or https, not `{scheme}`")
            }
            NotATarget::NoHost => f.write_str("the URL names no host"),
            NotATarget::UserInfo => f.write_str("the URL must carry no user or password"),
            NotATarget::Query => f.write_str("the URL must carry no query"),
        }
    }
}

impl std::error::Error for NotATarget {}

impl std::str::FromStr for Target {
    type Err = NotATarget;

    fn from_str(url: &str) -> Result<Self, NotATarget> {
        let uri: Uri = url
            .parse()
            .map_err(|error: http::uri::InvalidUri| NotATarget::NotAUrl(error.to_string()))?;
        let scheme = uri.scheme().ok_or(NotATarget::NoHost)?.clone();
        if scheme != Scheme::HTTP && scheme != Scheme::HTTPS {
            return Err(NotATarget::Scheme(scheme.to_string()));
        }
        let authority = uri
            .authority()
            .filter(|authority| !authority.host().is_empty())
            .ok_or(NotATarget::NoHost)?
            .clone();
        if authority.as_str().contains('@') {
            return Err(NotATarget::UserInfo);
        }
        if uri.query().is_some() {
            return Err(NotATarget::Query);
        }
        let host = HeaderValue::from_str(host(&scheme, &authority))
            .map_err(|error| NotATarget::NotAUrl(error.to_string()))?;
        Ok(Target { scheme, authority, host, base: uri.path().trim_end_matches('/').to_owned() })
    }
}

/// The authority without the scheme's own port (RFC 9110 section 4.2.3).
fn host<'a>(scheme: &Scheme, authority: &'a Authority) -> &'a str {
    let default = if *scheme == Scheme::HTTPS { ":443" } else { ":80" };
    authority.as_str().strip_suffix(default).unwrap_or(authority.as_str())
}

impl Target {
    /// The `Host` of every request to upstream.
    pub fn host(&self) -> &HeaderValue {
        &self.host
    }

    /// True when upstream is to be reached over TLS.
    pub fn is_https(&self) -> bool {
        self.scheme == Scheme::HTTPS
    }

    /// Where to connect to.
    pub fn address(&self) -> Uri {
        Uri::builder()
            .scheme(self.scheme.clone())
            .authority(self.authority.clone())
            .path_and_query("/")
            .build()
            .unwrap_or_default()
    }

    /// The request target for upstream, in origin-form; `*` (OPTIONS for the server as a whole)
    /// stays what it is. The caller's scheme and authority, if its target was in absolute-form
    /// or came over HTTP/2, are dropped: there is only one upstream.
    pub fn join(&self, uri: &Uri) -> Uri {
        let Some(target) = uri.path_and_query() else { return Uri::from_static("/") };
        if self.base.is_empty() || target.as_str() == "*" {
            return Uri::from(target.clone());
        }
        PathAndQuery::try_from(format!("{}{target}", self.base))
            .map_or_else(|_| Uri::from(target.clone()), Uri::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_joined_without_a_byte_changed() {
        let cases = [
            ("http://up", "/checkouts?a=1", "/checkouts?a=1"),
            ("http://up/", "/checkouts", "/checkouts"),
            ("http://up/api", "/checkouts", "/api/checkouts"),
            ("http://up/api/", "/checkouts", "/api/checkouts"),
            ("http://up/api", "/", "/api/"),
            ("http://up", "//checkouts/./%2e%41?q=%20+&&=", "//checkouts/./%2e%41?q=%20+&&="),
            ("http://up/api", "http://elsewhere:1/checkouts?x", "/api/checkouts?x"),
            ("http://up", "http://elsewhere", "/"),
            ("http://up/api", "*", "*"),
            ("http://up/api", "/?", "/api/?"),
        ];
        for (upstream, asked, expected) in cases {
            let target: Target = upstream.parse().unwrap();
            assert_eq!(
                target.join(&asked.parse().unwrap()).to_string(),
                expected,
                "{upstream} + {asked}"
            );
        }
    }

    #[test]
    fn the_host_leaves_out_the_port_of_its_scheme() {
        let cases = [
            ("http://up:80", "up"),
            ("https://up:443/x", "up"),
            ("http://up:443", "up:443"),
            ("https://[::1]:8443", "[::1]:8443"),
        ];
        for (upstream, host) in cases {
            assert_eq!(upstream.parse::<Target>().unwrap().host(), host, "{upstream}");
        }
    }

    #[test]
    fn what_is_no_address_is_refused_with_the_reason() {
        let cases = [
            ("ftp://up", NotATarget::Scheme("ftp".into())),
            ("up:80", NotATarget::NoHost),
            ("/path", NotATarget::NoHost),
            ("http://user:secret@up", NotATarget::UserInfo),
            ("http://up/?a=1", NotATarget::Query),
        ];
        for (url, expected) in cases {
            assert_eq!(url.parse::<Target>().unwrap_err(), expected, "{url}");
        }
    }
}
