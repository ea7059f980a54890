//! Tells which way leads to upstream: directly, over a Unix socket, or through a proxy.
//!
//! In: `upstream.proxy`, upstream's URL, and the variables of the environment that curl reads, too.
//! Out: the way and what says so. A variable that names no proxy which can be used is an error: a
//! machine that has one mostly has no other way out.

use super::{
    form::ProxyChoice,
    problem::{Place, Problem},
    proxy_url::ProxyUrl,
    upstream_url::UpstreamUrl,
    values::Config,
};
use http::{Uri, uri::Scheme};
use hyper_util::client::proxy::matcher::Matcher;
use std::{
    ffi::{OsStr, OsString},
    fmt,
    net::IpAddr,
    path::PathBuf,
};

/// The way to upstream. It shows as what an operator is told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Way {
    /// Nothing names a proxy, or it is not for this upstream.
    #[default]
    Direct,
    /// `upstream.proxy` is `"off"`, though the environment names a proxy.
    Off {
        /// The variable.
        passed_by: &'static str,
    },
    /// A variable names a proxy, and another one says that it is not for this upstream.
    Excepted {
        /// The variable that names the proxy.
        proxy: &'static str,
        /// The variable that excepts upstream.
        by: &'static str,
    },
    /// Over a Unix socket: no proxy is asked, whatever the environment says.
    Socket(PathBuf),
    /// Through a proxy.
    Through {
        /// The proxy.
        proxy: ProxyUrl,
        /// The key or the variable that names it.
        named_by: &'static str,
    },
}

impl Way {
    /// Returns the proxy, if the way leads through one.
    pub(crate) fn proxy(&self) -> Option<&ProxyUrl> {
        match self {
            Self::Through { proxy, .. } => Some(proxy),
            Self::Direct | Self::Off { .. } | Self::Excepted { .. } | Self::Socket(_) => None,
        }
    }
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Direct => f.write_str("directly"),
            Self::Off { passed_by } => {
                write!(f, "directly: `upstream.proxy` is \"off\", and {passed_by} is not used")
            }
            Self::Excepted { proxy, by } => {
                write!(f, "directly: {by} has it, and {proxy} is not used")
            }
            Self::Socket(path) => write!(f, "over the Unix socket {}", path.display()),
            Self::Through { proxy, named_by } => {
                write!(f, "through the proxy {proxy} ({named_by})")
            }
        }
    }
}

/// The variables that name a proxy for `https` and for `http`, the first that is set wins. That of
/// `http` has no form in capitals, which a caller of a CGI program could set.
const HTTPS: &[&str] = &["https_proxy", "HTTPS_PROXY"];
const HTTP: &[&str] = &["http_proxy"];
const EXCEPT: &[&str] = &["no_proxy", "NO_PROXY"];

/// Returns whether a variable of the environment may say which way leads to upstream.
pub(crate) fn is_of_the_way(name: &OsStr) -> bool {
    [HTTPS, HTTP, EXCEPT].concat().iter().any(|known| name == *known)
}

/// Tells the way.
///
/// # Errors
/// A variable has to be followed and cannot be.
pub(crate) fn way(
    config: &Config,
    environment: &[(OsString, OsString)],
) -> Result<Way, Box<Problem>> {
    let Some(url) = &config.upstream.url else { return Ok(Way::Direct) };
    if let Some(socket) = &config.upstream.socket {
        return match &config.upstream.proxy {
            ProxyChoice::Url(_) => Err(both()),
            ProxyChoice::Off | ProxyChoice::Env => Ok(Way::Socket(socket.clone())),
        };
    }
    let names = if *url.scheme() == Scheme::HTTPS { HTTPS } else { HTTP };
    let named = first(names, environment).filter(|_| !is_loopback(url.host()));
    match (&config.upstream.proxy, named) {
        (ProxyChoice::Url(proxy), _) => {
            Ok(Way::Through { proxy: proxy.clone(), named_by: "upstream.proxy" })
        }
        (ProxyChoice::Off, Some((passed_by, _))) => Ok(Way::Off { passed_by }),
        (ProxyChoice::Off | ProxyChoice::Env, None) => Ok(Way::Direct),
        (ProxyChoice::Env, Some((name, text))) => by_variable(url, name, text, environment),
    }
}

/// Nobody can know which of the two was meant.
fn both() -> Box<Problem> {
    let message = "`upstream.socket` and `upstream.proxy` cannot both lead to upstream";
    let problem = Problem::error(Place::Nowhere, message).about("upstream.proxy");
    Box::new(problem.suggest("take one of them out"))
}

fn by_variable(
    url: &UpstreamUrl,
    name: &'static str,
    text: &OsStr,
    environment: &[(OsString, OsString)],
) -> Result<Way, Box<Problem>> {
    let wrong = |name: &str, message: String| {
        let problem = Problem::error(Place::Variable(name.into()), message);
        let instead = "write \"http://proxy.internal:3128\", or set `upstream.proxy`";
        Box::new(problem.about("upstream.proxy").suggest(instead))
    };
    if let Some((by, names)) = first(EXCEPT, environment) {
        let Some(names) = names.to_str() else {
            return Err(wrong(by, "the value is not UTF-8".into()));
        };
        if excepts(names, url) {
            return Ok(Way::Excepted { proxy: name, by });
        }
    }
    let proxy = text.to_str().map(str::parse::<ProxyUrl>);
    match proxy {
        None => Err(wrong(name, "the value is not UTF-8".into())),
        Some(Err(error)) => Err(wrong(name, error.to_string())),
        Some(Ok(proxy)) => Ok(Way::Through { proxy, named_by: name }),
    }
}

/// Returns the first of these variables that is set and not empty.
fn first<'a>(
    names: &[&'static str],
    environment: &'a [(OsString, OsString)],
) -> Option<(&'static str, &'a OsStr)> {
    let value = |name: &str| {
        let found = environment.iter().find(|(known, text)| known == name && !text.is_empty());
        found.map(|(_, text)| text.as_os_str())
    };
    names.iter().find_map(|name| Some((*name, value(name)?)))
}

/// Returns whether a list of names and networks has upstream's host.
fn excepts(names: &str, url: &UpstreamUrl) -> bool {
    let uri = Uri::builder().scheme("http").authority(url.authority().clone());
    let Ok(uri) = uri.path_and_query("/").build() else { return false };
    // It takes only a destination that some proxy would serve.
    Matcher::builder().all("http://proxy").no(names).build().intercept(&uri).is_none()
}

/// No proxy is asked for the way to this machine, whatever the environment says.
fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost")
        || bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialects;

    type Variables<'a> = &'a [(&'a str, &'a str)];

    fn told(url: &str, proxy: &str, environment: Variables<'_>) -> String {
        let text = format!("[upstream]\nurl = \"{url}\"\nproxy = \"{proxy}\"\n");
        let config = Config::parse("w", &text, dialects::policy()).unwrap().config;
        let environment: Vec<_> =
            environment.iter().map(|(name, text)| (name.into(), text.into())).collect();
        match way(&config, &environment) {
            Ok(way) => way.to_string(),
            Err(problem) => problem.to_string(),
        }
    }

    #[test]
    fn the_environment_is_followed_as_curl_follows_it() {
        let proxy = ("HTTPS_PROXY", "http://me:pass@proxy:3128");
        let through = "through the proxy http://proxy:3128 (HTTPS_PROXY)";
        let cases: [(&str, Variables<'_>, &str); 9] = [
            ("https://a.example", &[], "directly"),
            ("https://a.example", &[proxy], through),
            ("https://a.example", &[("HTTPS_PROXY", "")], "directly"),
            (
                "https://a.example",
                &[proxy, ("https_proxy", "other:1")],
                "through the proxy http://other:1 (https_proxy)",
            ),
            ("http://a.example", &[proxy, ("HTTP_PROXY", "http://evil")], "directly"),
            (
                "http://a.example",
                &[("http_proxy", "http://plain")],
                "through the proxy http://plain (http_proxy)",
            ),
            ("https://localhost:1", &[proxy], "directly"),
            ("https://127.0.0.1", &[proxy], "directly"),
            ("https://[::1]:1", &[proxy], "directly"),
        ];
        for (url, environment, expected) in cases {
            assert_eq!(told(url, "env", environment), expected, "{url} {environment:?}");
        }
    }

    #[test]
    fn no_proxy_excepts_names_and_networks() {
        let proxy = ("HTTPS_PROXY", "http://proxy");
        let excepted = "directly: NO_PROXY has it, and HTTPS_PROXY is not used";
        for (url, names, is_excepted) in [
            ("https://api.example.com", "example.com", true),
            ("https://api.example.com:8443", ".example.com", true),
            ("https://API.example.com", "other.com, api.example.com", true),
            ("https://notexample.com", "example.com", false),
            ("https://10.1.2.3", "10.0.0.0/8", true),
            ("https://11.1.2.3", "10.0.0.0/8", false),
            ("https://[fd00::1]", "fd00::/8", true),
            ("https://a.example", "*", true),
            ("https://a.example", " , ", false),
        ] {
            let got = told(url, "env", &[proxy, ("NO_PROXY", names)]);
            assert_eq!(got == excepted, is_excepted, "{url} {names}: {got}");
        }
    }

    #[test]
    fn a_key_wins_over_the_environment_and_no_proxy_with_it() {
        let environment = [("HTTPS_PROXY", "http://other"), ("NO_PROXY", "*")];
        assert_eq!(
            told("https://127.0.0.1", "http://me:pass@proxy:1", &environment),
            "through the proxy http://proxy:1 (upstream.proxy)"
        );
        assert_eq!(
            told("https://a.example", "off", &environment),
            "directly: `upstream.proxy` is \"off\", and HTTPS_PROXY is not used"
        );
        assert_eq!(told("https://a.example", "off", &[]), "directly");
    }

    #[test]
    fn a_socket_is_the_way_and_a_proxy_beside_it_is_an_error() {
        let told = |more: &str| {
            let text = format!("[upstream]\nurl = \"https://a.example\"\nsocket = \"/s\"\n{more}");
            let config = Config::parse("w", &text, dialects::policy()).map(|loaded| loaded.config);
            let environment = [("HTTPS_PROXY".into(), "http://proxy".into())];
            config.map(|config| way(&config, &environment).unwrap().to_string())
        };
        for more in ["", "proxy = \"off\""] {
            assert_eq!(told(more).unwrap(), "over the Unix socket /s");
        }
        let both = told("proxy = \"http://proxy\"").unwrap_err().to_string();
        assert!(both.contains("cannot both lead to upstream"), "{both}");
    }

    #[test]
    fn a_proxy_that_cannot_be_used_is_not_passed_by() {
        for text in ["socks5://me:pass@proxy", "https://me:pass@proxy", "http://me:pass@"] {
            let told = told("https://a.example", "env", &[("HTTPS_PROXY", text)]);
            assert!(told.starts_with("error: "), "{told}");
            assert!(told.contains("--> environment variable HTTPS_PROXY"), "{told}");
            assert!(!told.contains("pass"), "{told}");
        }
    }
}
