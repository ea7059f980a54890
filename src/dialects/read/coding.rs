//! Undoes `Content-Encoding`: gzip, deflate (with its zlib wrapper or without), br, and up to three
//! of them over each other. A body never decodes to more than a limit, which bounds what a bomb can
//! cost.

use http::{HeaderMap, header};
use std::{
    borrow::Cow,
    io::{BufRead, Read},
};

/// Why a body cannot be decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum DecodeError {
    /// It would be larger than the limit.
    #[error("the body decodes to more than the limit")]
    TooLarge,
    /// It is not what its header says, or something follows it.
    #[error("the body is not what its Content-Encoding says")]
    Corrupt,
    /// The header names a coding that Weir does not know, or too many of them.
    #[error("the body has a Content-Encoding that cannot be read here")]
    Unknown,
}

/// A request's body without its `Content-Encoding`, or why it cannot be decoded. It is decoded once
/// for all its readers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecodedBody<'a>(Result<Cow<'a, [u8]>, DecodeError>);

/// Decodes a request's body, to at most `limit` bytes; a body without a coding is not measured.
pub fn decoded_body<'a>(headers: &HeaderMap, body: &'a [u8], limit: usize) -> DecodedBody<'a> {
    DecodedBody(decode(headers, body, limit))
}

impl DecodedBody<'_> {
    /// Returns the bytes, or `None` where they cannot be had.
    pub fn bytes(&self) -> Option<&[u8]> {
        self.0.as_deref().ok()
    }

    pub(crate) fn get(&self) -> Result<&[u8], DecodeError> {
        self.0.as_deref().map_err(|why| *why)
    }
}

/// How many codings may lie over each other.
const LAYERS: usize = 3;

/// Decodes a body; it is borrowed where it has no coding. `limit` holds for every layer.
pub(crate) fn decode<'a>(
    headers: &HeaderMap,
    body: &'a [u8],
    limit: usize,
) -> Result<Cow<'a, [u8]>, DecodeError> {
    let mut plain = Cow::Borrowed(body);
    if !headers.contains_key(header::CONTENT_ENCODING) {
        return Ok(plain);
    }
    let mut codings = Vec::new();
    for value in headers.get_all(header::CONTENT_ENCODING) {
        let value = value.to_str().map_err(|_| DecodeError::Unknown)?;
        codings.extend(value.split(',').map(|coding| coding.trim().to_ascii_lowercase()));
    }
    // Some clients say `utf-8` here, and mean nothing by it.
    codings.retain(|coding| !matches!(coding.as_str(), "" | "identity" | "utf-8"));
    if codings.len() > LAYERS {
        return Err(DecodeError::Unknown);
    }
    for coding in codings.iter().rev() {
        if plain.is_empty() {
            return Ok(plain);
        }
        let decoded = match coding.as_str() {
            "gzip" | "x-gzip" => all(flate2::bufread::MultiGzDecoder::new(&*plain), limit),
            "deflate" => inflate(&plain, limit),
            "br" => all(brotli::Decompressor::new(&*plain, 4096), limit),
            _ => Err(DecodeError::Unknown),
        }?;
        plain = Cow::Owned(decoded);
    }
    Ok(plain)
}

/// Decodes `deflate`, which means zlib and which much software sends bare. A body that can be read
/// as both, with different results, is corrupt.
fn inflate(body: &[u8], limit: usize) -> Result<Vec<u8>, DecodeError> {
    let wrapped =
        whole(flate2::bufread::ZlibDecoder::new(body), |decoder| decoder.into_inner(), limit);
    let bare =
        whole(flate2::bufread::DeflateDecoder::new(body), |decoder| decoder.into_inner(), limit);
    match (wrapped, bare) {
        (Ok(wrapped), Ok(bare)) if wrapped != bare => Err(DecodeError::Corrupt),
        (Ok(decoded), _) => Ok(decoded),
        (Err(DecodeError::Corrupt), bare) => bare,
        (Err(why), _) => Err(why),
    }
}

/// Decodes everything, and fails where some of the input is left.
fn whole<D: Read, R: BufRead>(
    mut decoder: D,
    input: impl FnOnce(D) -> R,
    limit: usize,
) -> Result<Vec<u8>, DecodeError> {
    let decoded = all(&mut decoder, limit)?;
    match input(decoder).fill_buf() {
        Ok([]) => Ok(decoded),
        _ => Err(DecodeError::Corrupt),
    }
}

fn all(decoder: impl Read, limit: usize) -> Result<Vec<u8>, DecodeError> {
    let mut decoded = Vec::new();
    let most = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    decoder.take(most).read_to_end(&mut decoded).map_err(|_| DecodeError::Corrupt)?;
    if decoded.len() > limit { Err(DecodeError::TooLarge) } else { Ok(decoded) }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use std::io::Write;

    pub(crate) fn gzip(body: &[u8]) -> Vec<u8> {
        let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        out.write_all(body).unwrap();
        out.finish().unwrap()
    }

    fn zlib(body: &[u8]) -> Vec<u8> {
        let mut out = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
        out.write_all(body).unwrap();
        out.finish().unwrap()
    }

    fn raw(body: &[u8]) -> Vec<u8> {
        let mut out =
            flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::default());
        out.write_all(body).unwrap();
        out.finish().unwrap()
    }

    pub(crate) fn br(body: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        brotli::BrotliCompress(&mut &body[..], &mut out, &Default::default()).unwrap();
        out
    }

    pub(crate) fn coded(coding: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_ENCODING, coding.parse().unwrap());
        headers
    }

    #[test]
    fn every_coding_is_undone() {
        let body = br#"{"sourceId":"a"}"#.repeat(50);
        for (coding, sent) in [
            ("gzip", gzip(&body)),
            ("X-GZIP", gzip(&body)),
            ("deflate", zlib(&body)),
            ("deflate", raw(&body)),
            ("br", br(&body)),
            ("gzip, br", br(&gzip(&body))),
            ("identity", body.clone()),
            ("utf-8", body.clone()),
        ] {
            assert_eq!(decode(&coded(coding), &sent, 1 << 20).as_deref(), Ok(&*body), "{coding}");
        }
        assert_eq!(decode(&coded("gzip"), b"", 10).as_deref(), Ok(&b""[..]));
    }

    #[test]
    fn a_bomb_costs_no_more_than_the_cap() {
        let bomb = vec![b' '; 2 << 20];
        for (coding, sent) in [
            ("gzip", gzip(&bomb)),
            ("deflate", zlib(&bomb)),
            ("deflate", raw(&bomb)),
            ("br", br(&bomb)),
        ] {
            assert_eq!(
                decode(&coded(coding), &sent, 1 << 20),
                Err(DecodeError::TooLarge),
                "{coding}"
            );
        }
        assert_eq!(
            decode(&coded("gzip, gzip"), &gzip(&gzip(&bomb)), 1 << 20),
            Err(DecodeError::TooLarge)
        );
    }

    #[test]
    fn what_is_not_what_it_says_is_not_guessed_at() {
        let whole = gzip(b"{}");
        let followed = [zlib(b"{}"), b"more".to_vec()].concat();
        for (coding, sent, why) in [
            ("gzip", &b"{}"[..], DecodeError::Corrupt),
            ("gzip", &whole[..whole.len() - 3], DecodeError::Corrupt),
            ("gzip", &[&whole[..], b"more"].concat(), DecodeError::Corrupt),
            ("deflate", &followed, DecodeError::Corrupt),
            ("br", b"\xff\xff\xff", DecodeError::Corrupt),
            ("zstd", b"{}", DecodeError::Unknown),
            ("gzip, gzip, gzip, gzip", b"{}", DecodeError::Unknown),
        ] {
            assert_eq!(decode(&coded(coding), sent, 100), Err(why), "{coding}");
        }
    }
}
