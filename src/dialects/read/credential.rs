//! Finds the caller's credential, and spells it the same in every form. The bytes must be hashed at
//! once, and never kept or shown.

use super::query;
use http::{HeaderMap, Uri, header};
use std::borrow::Cow;

/// Returns the caller's credential: `Authorization` (`Bearer` or bare; `Basic` without a password
/// counts as its user name), `X-API-KEY`, or the `token` or `apiKey` parameter. The same key is the
/// same bytes in every spelling. Different credentials in one call are all in the answer, in order,
/// so that the pair is neither of the two. `None` where there is none: an `apiKey` alone names a
/// site, and nobody in particular.
pub fn credential<'a>(headers: &'a HeaderMap, uri: &'a Uri) -> Option<Cow<'a, [u8]>> {
    if query_token(uri).is_none()
        && !CREDENTIAL_HEADERS.iter().any(|name| headers.contains_key(name))
    {
        return None;
    }
    let authorization =
        headers.get_all(header::AUTHORIZATION).iter().map(|value| authorization(value.as_bytes()));
    let keys = headers
        .get_all("x-api-key")
        .iter()
        .map(|value| Cow::Borrowed(value.as_bytes().trim_ascii()));
    let mut all: Option<Cow<'a, [u8]>> = None;
    let mut last: Option<Cow<'a, [u8]>> = None;
    for one in authorization.chain(keys).chain(tokens(uri)).filter(|one| !one.is_empty()) {
        if last.as_ref() == Some(&one) {
            continue;
        }
        match &mut all {
            None => all = Some(one.clone()),
            Some(all) => {
                let all = all.to_mut();
                all.push(0);
                all.extend_from_slice(&one);
            }
        }
        last = Some(one);
    }
    all
}

/// The headers in which a credential may stand.
pub(crate) const CREDENTIAL_HEADERS: [header::HeaderName; 2] =
    [header::AUTHORIZATION, header::HeaderName::from_static("x-api-key")];

/// Returns the shopper's token, where it stands in the query.
pub(crate) fn query_token(uri: &Uri) -> Option<Cow<'_, str>> {
    query::value(uri, "token").filter(|token| !token.is_empty())
}

fn tokens(uri: &Uri) -> impl Iterator<Item = Cow<'_, [u8]>> {
    let query = uri.query().unwrap_or_default();
    form_urlencoded::parse(query.as_bytes()).filter(|(name, _)| query::is_credential(name)).map(
        |(_, value)| match value {
            Cow::Borrowed(value) => Cow::Borrowed(value.as_bytes()),
            Cow::Owned(value) => Cow::Owned(value.into_bytes()),
        },
    )
}

fn authorization(value: &[u8]) -> Cow<'_, [u8]> {
    let value = value.trim_ascii();
    let Some(space) = memchr::memchr2(b' ', b'\t', value) else { return Cow::Borrowed(value) };
    let (scheme, rest) = (&value[..space], value[space..].trim_ascii());
    if scheme.eq_ignore_ascii_case(b"bearer") {
        Cow::Borrowed(rest)
    } else if scheme.eq_ignore_ascii_case(b"basic") {
        match base64(rest) {
            Some(mut pair) => {
                if pair.last() == Some(&b':') {
                    pair.pop();
                }
                Cow::Owned(pair)
            }
            None => Cow::Borrowed(value),
        }
    } else {
        Cow::Borrowed(value)
    }
}

/// RFC 4648, standard alphabet, with or without padding.
fn base64(text: &[u8]) -> Option<Vec<u8>> {
    let digits = text.strip_suffix(b"==").or_else(|| text.strip_suffix(b"=")).unwrap_or(text);
    if digits.len() % 4 == 1 {
        return None;
    }
    let mut out = Vec::with_capacity(digits.len() * 3 / 4);
    let (mut bits, mut count) = (0u32, 0);
    for &digit in digits {
        let six = match digit {
            b'A'..=b'Z' => digit - b'A',
            b'a'..=b'z' => digit - b'a' + 26,
            b'0'..=b'9' => digit - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        bits = (bits << 6) | u32::from(six);
        count += 6;
        if count >= 8 {
            count -= 8;
            // The eight bits above those that are left.
            out.push((bits >> count) as u8);
            bits &= (1 << count) - 1;
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(headers: &[(&'static str, &str)], uri: &str) -> Option<Vec<u8>> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, value.parse().unwrap());
        }
        credential(&map, &uri.parse().unwrap()).map(Cow::into_owned)
    }

    #[test]
    fn one_key_is_the_same_in_every_spelling() {
        for header in [
            ("authorization", "Bearer sk_1"),
            ("authorization", "bearer   sk_1 "),
            ("authorization", "sk_1"),
            ("authorization", "Basic c2tfMTo="),
            ("authorization", "basic c2tfMQ=="),
            ("x-api-key", "sk_1"),
        ] {
            assert_eq!(read(&[header], "/").as_deref(), Some(&b"sk_1"[..]), "{header:?}");
        }
        assert_eq!(read(&[], "/v1?token=sk%5F1").as_deref(), Some(&b"sk_1"[..]));
        assert_eq!(
            read(&[("authorization", "Bearer sk_1"), ("x-api-key", "sk_1")], "/?token=sk_1")
                .as_deref(),
            Some(&b"sk_1"[..])
        );
        assert_eq!(
            read(&[("authorization", "Basic dXNlcjpwYXNz")], "/").as_deref(),
            Some(&b"user:pass"[..])
        );
    }

    #[test]
    fn different_credentials_are_told_apart() {
        assert_eq!(
            read(&[("authorization", "a"), ("x-api-key", "b")], "/").as_deref(),
            Some(&b"a\0b"[..])
        );
        assert_eq!(read(&[("authorization", "a")], "/?token=b").as_deref(), Some(&b"a\0b"[..]));
        assert_eq!(read(&[("authorization", "Digest x")], "/").as_deref(), Some(&b"Digest x"[..]));
        assert_eq!(read(&[("authorization", "Basic !!")], "/").as_deref(), Some(&b"Basic !!"[..]));
        assert_eq!(read(&[], "/?apiKey=a&token=b").as_deref(), Some(&b"a\0b"[..]));
        assert_eq!(read(&[], "/?x=token"), None);
        assert_eq!(read(&[], "/?apiKey=site"), None);
        assert_eq!(read(&[("authorization", "")], "/"), None);
    }
}
