//! Where a proxy on the way to upstream is.

use http::uri::{Authority, Scheme, Uri};
use std::{fmt, str::FromStr};

/// `http`, a host, perhaps a port, a user and a password. Shown without the last two.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct ProxyUrl(Authority);

impl ProxyUrl {
    /// Returns the whole URL, to be used and not to be shown.
    pub(crate) fn expose(&self) -> String {
        format!("http://{}", self.0)
    }

    /// Returns the host alone; an IPv6 address keeps its brackets.
    pub(crate) fn host(&self) -> &str {
        self.0.host()
    }

    /// Returns the port to connect to.
    pub(crate) fn port(&self) -> u16 {
        self.0.port_u16().unwrap_or(80)
    }

    fn without_user(&self) -> &str {
        self.0.as_str().rsplit('@').next().unwrap_or_default()
    }
}

impl fmt::Display for ProxyUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http://{}", self.without_user())
    }
}

impl fmt::Debug for ProxyUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ProxyUrl({self})")
    }
}

/// Why a text is not a proxy's URL. It never shows the text, which may hold a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ParseProxyUrlError {
    /// Not a URL at all, or one without a host.
    #[error("this is no URL of a proxy")]
    Malformed,
    /// Neither `http` nor a text without `://`.
    #[error("a proxy is spoken to over `http` only, and not over https or SOCKS")]
    OtherScheme,
    /// It has a path or a query.
    #[error("the URL of a proxy has no path and no query")]
    Path,
}

impl FromStr for ProxyUrl {
    type Err = ParseProxyUrlError;

    /// A text without a scheme is a host, as for curl.
    fn from_str(text: &str) -> Result<Self, ParseProxyUrlError> {
        let text = match text.contains("://") {
            true => text.to_owned(),
            false => format!("http://{text}"),
        };
        let uri: Uri = text.parse().map_err(|_| ParseProxyUrlError::Malformed)?;
        if uri.scheme() != Some(&Scheme::HTTP) {
            return Err(ParseProxyUrlError::OtherScheme);
        }
        if !matches!(uri.path(), "" | "/") || uri.query().is_some() {
            return Err(ParseProxyUrlError::Path);
        }
        let authority = uri.authority().ok_or(ParseProxyUrlError::Malformed)?;
        let has_port = match authority.as_str().rsplit('@').next().unwrap_or_default() {
            host if host.ends_with(']') || !host.contains(':') => true,
            _ => authority.port_u16().is_some_and(|port| port != 0),
        };
        match authority.host().is_empty() || !has_port {
            true => Err(ParseProxyUrlError::Malformed),
            false => Ok(Self(authority.clone())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_is_shown_without_its_user() {
        for (text, shown) in [
            ("http://me:pass@proxy:3128/", "http://proxy:3128"),
            ("http://me@[::1]:3128", "http://[::1]:3128"),
            ("proxy.internal:3128", "http://proxy.internal:3128"),
            ("HTTP://proxy", "http://proxy"),
        ] {
            let url: ProxyUrl = text.parse().unwrap();
            assert_eq!(url.to_string(), shown, "{text}");
            assert_eq!(format!("{url:?}"), format!("ProxyUrl({shown})"));
        }
        let url: ProxyUrl = "http://me:pass@proxy:3128/".parse().unwrap();
        assert_eq!(url.expose(), "http://me:pass@proxy:3128");
    }

    #[test]
    fn what_is_no_proxy_is_not_taken_for_none() {
        for (text, error) in [
            ("", ParseProxyUrlError::Malformed),
            ("http://", ParseProxyUrlError::Malformed),
            ("http://proxy:port", ParseProxyUrlError::Malformed),
            ("http://proxy:0", ParseProxyUrlError::Malformed),
            ("a b", ParseProxyUrlError::Malformed),
            ("https://proxy:3128", ParseProxyUrlError::OtherScheme),
            ("socks5h://proxy:1080", ParseProxyUrlError::OtherScheme),
            ("http://proxy/pac", ParseProxyUrlError::Path),
            ("http://proxy?x", ParseProxyUrlError::Path),
        ] {
            assert_eq!(text.parse::<ProxyUrl>(), Err(error), "{text}");
        }
    }
}
