//! Decides who may see a page and who may change something: by the name that is called, and by the
//! token.
//!
//! A page of the web may let its own name lead to this address (DNS rebinding), and a browser then
//! sends that name as `Host`: only literals, `localhost` and configured names are answered.

use super::page::Page;
use http::{HeaderMap, Request, StatusCode, header, uri::Authority};
use std::net::IpAddr;

/// Who is let in.
pub(super) struct Gate {
    hosts: Vec<String>,
    /// The hash of the token, which is compared in constant time.
    token: Option<blake3::Hash>,
}

impl Gate {
    pub(super) fn new(hosts: Vec<String>, token: Option<&str>) -> Self {
        Self { hosts, token: token.map(|token| blake3::hash(token.as_bytes())) }
    }

    /// Refuses a request that calls this address by a name that is not its own.
    pub(super) fn admits_name(&self, request: &Request<()>) -> Result<(), Page> {
        let hosts = request.headers().get_all(header::HOST).iter();
        let named = hosts.map(|host| host.to_str().unwrap_or_default());
        let called = request.uri().authority().map(Authority::as_str);
        match named.chain(called).all(|name| self.is_own(name)) {
            true => Ok(()),
            false => Err(Page::error(
                StatusCode::MISDIRECTED_REQUEST,
                "this address is not answered under that name: call it by its IP address or as \
                 localhost, or add the name to `hosts` in [admin]",
            )),
        }
    }

    fn is_own(&self, name: &str) -> bool {
        let Ok(authority) = name.parse::<Authority>() else { return false };
        if name.contains('@') {
            return false;
        }
        let host = authority.host();
        let literal = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        literal.unwrap_or(host).parse::<IpAddr>().is_ok()
            || host.eq_ignore_ascii_case("localhost")
            || self.hosts.iter().any(|known| host.eq_ignore_ascii_case(known))
    }

    /// Refuses a request without the token, where there is one.
    pub(super) fn admits_token(&self, headers: &HeaderMap) -> Result<(), Page> {
        match &self.token {
            Some(token) if !given(headers).is_some_and(|given| given == *token) => {
                Err(Page::error(
                    StatusCode::UNAUTHORIZED,
                    "this page needs the token: send it as `Authorization: Bearer …`",
                ))
            }
            _ => Ok(()),
        }
    }

    /// Refuses a change where there is no token, so that nobody could be told apart.
    pub(super) fn admits_changes(&self) -> Result<(), Page> {
        match self.token {
            Some(_) => Ok(()),
            None => Err(Page::error(
                StatusCode::FORBIDDEN,
                "nothing can be changed here without a token: name a `token-file` in [admin], and \
                 start Weir again",
            )),
        }
    }
}

/// Returns the hash of the token that is sent. Hashes compare in constant time.
fn given(headers: &HeaderMap) -> Option<blake3::Hash> {
    let mut sent = headers.get_all(header::AUTHORIZATION).iter();
    let (Some(only), None) = (sent.next(), sent.next()) else { return None };
    let (scheme, token) = only.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| blake3::hash(token.trim().as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(headers: &[(&str, &str)]) -> Request<()> {
        let mut request = Request::builder().uri("/sessions");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap()
    }

    #[test]
    fn only_literals_localhost_and_configured_names_are_answered() {
        let gate = Gate::new(vec!["weir.internal".into()], None);
        for (host, own) in [
            ("127.0.0.1:9090", true),
            ("10.0.0.7", true),
            ("[::1]:9090", true),
            ("localhost", true),
            ("LocalHost:9090", true),
            ("weir.internal:9090", true),
            ("WEIR.internal", true),
            ("weir.internal.evil.example", false),
            ("evil.example", false),
            ("evil.example:9090", false),
            ("127.0.0.1.evil.example", false),
            ("localhost.evil.example", false),
            ("user@localhost", false),
            ("", false),
            ("a b", false),
        ] {
            assert_eq!(gate.admits_name(&asked(&[("host", host)])).is_ok(), own, "{host}");
        }
        assert!(gate.admits_name(&asked(&[])).is_ok(), "HTTP/1.0 may name no host");
        let twice = asked(&[("host", "localhost"), ("host", "evil.example")]);
        assert!(gate.admits_name(&twice).is_err());
        let mut absolute = asked(&[("host", "localhost")]);
        *absolute.uri_mut() = "http://evil.example/sessions".parse().unwrap();
        assert!(gate.admits_name(&absolute).is_err());
    }

    #[test]
    fn where_there_is_a_token_it_must_be_sent_whole_and_once() {
        let gate = Gate::new(Vec::new(), Some("secret-1"));
        for (headers, admitted) in [
            (&[("authorization", "Bearer secret-1")][..], true),
            (&[("authorization", "bearer  secret-1 ")], true),
            (&[("authorization", "Bearer secret-")], false),
            (&[("authorization", "Bearer secret-12")], false),
            (&[("authorization", "Bearer")], false),
            (&[("authorization", "Basic secret-1")], false),
            (&[("authorization", "secret-1")], false),
            (&[("authorization", "Bearer secret-1"), ("authorization", "Bearer x")], false),
            (&[("x-token", "secret-1")], false),
            (&[], false),
        ] {
            let found = gate.admits_token(asked(headers).headers());
            assert_eq!(found.is_ok(), admitted, "{headers:?}");
        }
        assert!(gate.admits_changes().is_ok());
        let open = Gate::new(Vec::new(), None);
        assert!(open.admits_token(asked(&[]).headers()).is_ok());
        assert!(open.admits_changes().is_err());
    }
}
