//! How a request presents its credential.

use http::{HeaderMap, header::AUTHORIZATION};

/// Returns the credential of a request, in any form that the vendor reads: `Authorization: Bearer
/// x`, bare `x`, Basic with `x` as the user, or `X-API-KEY: x`.
pub(crate) fn credential(headers: &HeaderMap) -> Option<String> {
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

/// Decodes Base64; padding is optional.
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
