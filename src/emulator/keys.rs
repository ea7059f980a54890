//! Who is calling: merchant keys of the checkouts API, and how credentials are presented.
//!
//! In: a request's headers. Out: the merchant and what the key may do. A key is `pk_` (public),
//! `sk_` (confidential) or `rk_` (restricted), then optionally `test_` or `live_`, then the
//! merchant's name up to the next underscore: `sk_test_acme` and `pk_acme_web` are both keys of
//! `acme`. There is no list of keys: any key of that form is valid.

use http::{HeaderMap, header::AUTHORIZATION};

use super::refusal::Refusal;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// Creates primary sources, and reads a source whose client secret it holds.
    Public,
    /// May make every call.
    Confidential,
    /// Reads only.
    Restricted,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Key {
    pub(super) merchant: String,
    pub(super) role: Role,
}

impl Key {
    pub(super) fn parse(text: &str) -> Option<Key> {
        let (prefix, rest) = text.split_once('_')?;
        let role = match prefix {
            "pk" => Role::Public,
            "sk" => Role::Confidential,
            "rk" => Role::Restricted,
            _ => return None,
        };
        let rest =
            rest.strip_prefix("test_").or_else(|| rest.strip_prefix("live_")).unwrap_or(rest);
        let merchant = rest.split('_').next().filter(|name| !name.is_empty())?;
        Some(Key { merchant: merchant.to_owned(), role })
    }

    /// Refuses what this key may not do: a restricted key only reads, a public one neither.
    pub(super) fn allow(&self, mutation: bool) -> Result<(), Refusal> {
        match self.role {
            Role::Confidential => Ok(()),
            Role::Restricted if !mutation => Ok(()),
            _ => Err(Refusal::forbidden()),
        }
    }
}

/// The credential a request presents, in any of the ways the vendor reads: `Authorization: Bearer
/// x`, bare `x`, Basic with `x` as the user, or `X-API-KEY: x`.
pub(super) fn credential(headers: &HeaderMap) -> Option<String> {
    if let Some(key) = headers.get("x-api-key") {
        return key.to_str().ok().map(|key| key.trim().to_owned());
    }
    let value = headers.get(AUTHORIZATION)?.to_str().ok()?.trim();
    match value.split_once(' ') {
        None => Some(value.to_owned()),
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("bearer") => {
            Some(rest.trim().to_owned())
        }
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("basic") => {
            let decoded = String::from_utf8(base64(rest.trim())?).ok()?;
            decoded.split(':').next().map(str::to_owned)
        }
        Some(_) => None,
    }
}

/// Standard Base64; padding is optional.
fn base64(text: &str) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len() * 3 / 4);
    let (mut bits, mut held) = (0u32, 0);
    for byte in text.trim_end_matches('=').bytes() {
        let six = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            _ => return None,
        };
        bits = (bits << 6) | u32::from(six);
        held += 6;
        if held >= 8 {
            held -= 8;
            out.push((bits >> held) as u8);
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_names_its_merchant_and_role() {
        for (text, merchant, role) in [
            ("pk_acme", "acme", Role::Public),
            ("sk_test_acme", "acme", Role::Confidential),
            ("sk_live_globex_2", "globex", Role::Confidential),
            ("rk_acme_reports", "acme", Role::Restricted),
        ] {
            assert_eq!(Key::parse(text), Some(Key { merchant: merchant.into(), role }), "{text}");
        }
        for bad in ["", "acme", "xx_acme", "sk_", "sk_test_"] {
            assert_eq!(Key::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_credential_is_read_in_every_way_it_is_sent() {
        for (name, value) in [
            ("authorization", "Bearer sk_acme"),
            ("authorization", "bearer sk_acme"),
            ("authorization", "sk_acme"),
            ("authorization", "Basic c2tfYWNtZTo="),
            ("x-api-key", "sk_acme"),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(name, value.parse().unwrap());
            assert_eq!(credential(&headers).as_deref(), Some("sk_acme"), "{name}: {value}");
        }
    }
}
