//! Undoes `Content-Encoding`: gzip, deflate (with its zlib wrapper or without), br, and any two or
//! three of them over each other.
//!
//! In: a body as it came. Out: what it stands for, never more than a cap, so that a bomb costs no
//! more than that. The original passes on untouched.

use http::{HeaderMap, header};
use std::{
    borrow::Cow,
    io::{BufRead, Read},
};

/// Why a body cannot be had in the clear.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Undecoded {
    /// It would be larger than the cap.
    TooLarge,
    /// It is not what its header says, or something follows it.
    Corrupt,
    /// A coding that Weir does not know, or too many of them.
    Unknown,
}

/// How many codings may lie over each other.
const LAYERS: usize = 3;

/// A body in the clear; borrowed where it has no coding. `cap` holds for every layer.
pub(super) fn decode<'a>(
    headers: &HeaderMap,
    body: &'a [u8],
    cap: usize,
) -> Result<Cow<'a, [u8]>, Undecoded> {
    let mut plain = Cow::Borrowed(body);
    if !headers.contains_key(header::CONTENT_ENCODING) {
        return Ok(plain);
    }
    let mut codings = Vec::new();
    for value in headers.get_all(header::CONTENT_ENCODING) {
        let value = value.to_str().map_err(|_| Undecoded::Unknown)?;
        codings.extend(value.split(',').map(|coding| coding.trim().to_ascii_lowercase()));
    }
    // Some clients say `utf-8` here, and mean nothing by it.
    codings.retain(|coding| !matches!(coding.as_str(), "" | "identity" | "utf-8"));
    if codings.len() > LAYERS {
        return Err(Undecoded::Unknown);
    }
    for coding in codings.iter().rev() {
        if plain.is_empty() {
            return Ok(plain);
        }
        let decoded = match coding.as_str() {
            "gzip" | "x-gzip" => all(flate2::bufread::MultiGzDecoder::new(&*plain), cap),
            "deflate" => inflate(&plain, cap),
            "br" => all(brotli::Decompressor::new(&*plain, 4096), cap),
            _ => Err(Undecoded::Unknown),
        }?;
        plain = Cow::Owned(decoded);
    }
    Ok(plain)
}

/// `deflate` means zlib, and much software sends it bare. A body that is both, and differs, is
/// neither.
fn inflate(body: &[u8], cap: usize) -> Result<Vec<u8>, Undecoded> {
    let wrapped =
        whole(flate2::bufread::ZlibDecoder::new(body), |decoder| decoder.into_inner(), cap);
    let bare =
        whole(flate2::bufread::DeflateDecoder::new(body), |decoder| decoder.into_inner(), cap);
    match (wrapped, bare) {
        (Ok(wrapped), Ok(bare)) if wrapped != bare => Err(Undecoded::Corrupt),
        (Ok(decoded), _) => Ok(decoded),
        (Err(Undecoded::Corrupt), bare) => bare,
        (Err(why), _) => Err(why),
    }
}

/// Everything, and nothing left of the input.
fn whole<D: Read, R: BufRead>(
    mut decoder: D,
    input: impl FnOnce(D) -> R,
    cap: usize,
) -> Result<Vec<u8>, Undecoded> {
    let decoded = all(&mut decoder, cap)?;
    match input(decoder).fill_buf() {
        Ok([]) => Ok(decoded),
        _ => Err(Undecoded::Corrupt),
    }
}

fn all(decoder: impl Read, cap: usize) -> Result<Vec<u8>, Undecoded> {
    let mut decoded = Vec::new();
    let limit = u64::try_from(cap).unwrap_or(u64::MAX).saturating_add(1);
    decoder.take(limit).read_to_end(&mut decoded).map_err(|_| Undecoded::Corrupt)?;
    if decoded.len() > cap { Err(Undecoded::TooLarge) } else { Ok(decoded) }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use std::io::Write;

    pub(in super::super) fn gzip(body: &[u8]) -> Vec<u8> {
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

    pub(in super::super) fn br(body: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        brotli::BrotliCompress(&mut &body[..], &mut out, &Default::default()).unwrap();
        out
    }

    pub(in super::super) fn coded(coding: &str) -> HeaderMap {
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
                Err(Undecoded::TooLarge),
                "{coding}"
            );
        }
        assert_eq!(
            decode(&coded("gzip, gzip"), &gzip(&gzip(&bomb)), 1 << 20),
            Err(Undecoded::TooLarge)
        );
    }

    #[test]
    fn what_is_not_what_it_says_is_not_guessed_at() {
        let whole = gzip(b"{}");
        let followed = [zlib(b"{}"), b"more".to_vec()].concat();
        for (coding, sent, why) in [
            ("gzip", &b"{}"[..], Undecoded::Corrupt),
            ("gzip", &whole[..whole.len() - 3], Undecoded::Corrupt),
            ("gzip", &[&whole[..], b"more"].concat(), Undecoded::Corrupt),
            ("deflate", &followed, Undecoded::Corrupt),
            ("br", b"\xff\xff\xff", Undecoded::Corrupt),
            ("zstd", b"{}", Undecoded::Unknown),
            ("gzip, gzip, gzip, gzip", b"{}", Undecoded::Unknown),
        ] {
            assert_eq!(decode(&coded(coding), sent, 100), Err(why), "{coding}");
        }
    }
}
