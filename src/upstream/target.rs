//! Upstream's address, and the targets of requests to it. Path and query are kept byte for byte.

use http::{
    HeaderValue, Uri,
    uri::{Authority, PathAndQuery, Scheme},
};
use std::str::FromStr;

/// Upstream's address: scheme, authority, and a path that is put before every request's path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    scheme: Scheme,
    authority: Authority,
    /// The authority as in `host`.
    named: Authority,
    host: HeaderValue,
    /// The path, without slashes at its end: empty for the root.
    base: String,
}

/// Why a text is not an address of upstream.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseTargetError {
    /// The text is no URL.
    #[error("not a URL: {0}")]
    NotAUrl(String),
    /// The scheme is neither `http` nor `https`.
    #[error("the scheme must be http or https, not `{0}`")]
    Scheme(String),
    /// The URL names no host.
    #[error("the URL names no host")]
    NoHost,
    /// The URL carries a user or a password.
    #[error("the URL must carry no user or password")]
    UserInfo,
    /// The URL carries a query.
    #[error("the URL must carry no query")]
    Query,
}

impl FromStr for Target {
    type Err = ParseTargetError;

    fn from_str(url: &str) -> Result<Self, ParseTargetError> {
        let uri: Uri = url
            .parse()
            .map_err(|error: http::uri::InvalidUri| ParseTargetError::NotAUrl(error.to_string()))?;
        let scheme = uri.scheme().ok_or(ParseTargetError::NoHost)?.clone();
        if scheme != Scheme::HTTP && scheme != Scheme::HTTPS {
            return Err(ParseTargetError::Scheme(scheme.to_string()));
        }
        let authority = uri
            .authority()
            .filter(|authority| !authority.host().is_empty())
            .ok_or(ParseTargetError::NoHost)?
            .clone();
        if authority.as_str().contains('@') {
            return Err(ParseTargetError::UserInfo);
        }
        if uri.query().is_some() {
            return Err(ParseTargetError::Query);
        }
        Ok(Self::new(scheme, authority, uri.path()))
    }
}

/// Returns the authority without the scheme's own port (RFC 9110 section 4.2.3).
fn host<'a>(scheme: &Scheme, authority: &'a Authority) -> &'a str {
    let default = if *scheme == Scheme::HTTPS { ":443" } else { ":80" };
    authority.as_str().strip_suffix(default).unwrap_or(authority.as_str())
}

impl Target {
    /// Makes an address. `base_path`, without slashes at its end, is put before every request's
    /// path.
    pub fn new(scheme: Scheme, authority: Authority, base_path: &str) -> Self {
        // Every byte that an authority may have is one that a header value may have.
        let name = host(&scheme, &authority);
        let named = name.parse().unwrap_or_else(|_| authority.clone());
        let host = HeaderValue::from_str(name).unwrap_or_else(|_| HeaderValue::from_static(""));
        let base = base_path.trim_end_matches('/').to_owned();
        Self { scheme, authority, named, host, base }
    }

    /// Returns the `Host` of every request to upstream.
    pub fn host(&self) -> &HeaderValue {
        &self.host
    }

    /// Returns the path that is put before every request's path: empty for the root.
    pub fn base_path(&self) -> &str {
        &self.base
    }

    /// Returns true when upstream is reached over TLS.
    pub fn is_https(&self) -> bool {
        self.scheme == Scheme::HTTPS
    }

    /// Returns where to connect to.
    pub fn address(&self) -> Uri {
        Uri::builder()
            .scheme(self.scheme.clone())
            .authority(self.authority.clone())
            .path_and_query("/")
            .build()
            .unwrap_or_default()
    }

    /// Returns the request target for upstream, in origin-form; `*` (OPTIONS for the server as a
    /// whole) stays as it is. The caller's scheme and authority, if its target was in
    /// absolute-form or came over HTTP/2, are dropped: there is only one upstream.
    pub fn join(&self, uri: &Uri) -> Uri {
        let Some(target) = uri.path_and_query() else { return Uri::from_static("/") };
        if self.base.is_empty() || target.as_str() == "*" {
            return Uri::from(target.clone());
        }
        PathAndQuery::try_from(format!("{}{target}", self.base))
            .map_or_else(|_| Uri::from(target.clone()), Uri::from)
    }

    /// Returns a request target for HTTP/2, which takes the host from it, without the scheme's own
    /// port.
    pub(super) fn by_name(&self, origin: Uri) -> Uri {
        let mut parts = origin.into_parts();
        parts.scheme = Some(self.scheme.clone());
        parts.authority = Some(self.named.clone());
        Uri::from_parts(parts).unwrap_or_default()
    }

    /// Returns a request target in absolute-form, for a client that reads the host from it; `*`
    /// stays as it is.
    pub(super) fn absolute(&self, origin: Uri) -> Uri {
        if origin.path() == "*" {
            return origin;
        }
        let mut parts = origin.into_parts();
        parts.scheme = Some(self.scheme.clone());
        parts.authority = Some(self.authority.clone());
        Uri::from_parts(parts).unwrap_or_default()
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
            ("ftp://up", ParseTargetError::Scheme("ftp".into())),
            ("up:80", ParseTargetError::NoHost),
            ("/path", ParseTargetError::NoHost),
            ("http://user:secret@up", ParseTargetError::UserInfo),
            ("http://up/?a=1", ParseTargetError::Query),
        ];
        for (url, expected) in cases {
            assert_eq!(url.parse::<Target>().unwrap_err(), expected, "{url}");
        }
    }
}
