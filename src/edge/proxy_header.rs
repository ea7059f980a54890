//! Reads the header of the PROXY protocol, versions 1 and 2, with which a peer says for whom it
//! speaks.
//!
//! In: the first bytes of a connection. Out: whether they are such a header, the address that it
//! names, and where it ends. The additions of version 2 (TLV) are not read.

use proxy_header::{ParseConfig, Protocol, ProxyHeader};
use std::net::SocketAddr;

/// The longest header of version 1, its end included, as its specification has it.
const MOST_V1: usize = 107;

/// What a header of version 2 begins with: signature, version, family and length.
const FIXED_V2: usize = 16;

/// What may follow that: the addresses, and additions that nobody reads.
const MOST_V2: usize = 4096;

/// The longest header of all.
pub(super) const MOST: usize = FIXED_V2 + MOST_V2;

const BEGIN_V1: &[u8] = b"PROXY ";
const BEGIN_V2: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

/// What the first bytes of a connection are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadProxyHeader {
    /// A whole header.
    Whole {
        /// For whom the peer speaks; `None`: for itself, or for one that it cannot name.
        source: Option<SocketAddr>,
        /// The header's length in bytes.
        length: usize,
    },
    /// A part of a header.
    Part,
    /// No header, and no part of one.
    Broken(BrokenProxyHeader),
}

/// Why bytes are no PROXY header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BrokenProxyHeader {
    /// They begin otherwise.
    #[error("the connection does not begin with a PROXY header")]
    Missing,
    /// The header is too long.
    #[error("the PROXY header is too long")]
    TooLong,
    /// The header cannot be read.
    #[error("the PROXY header cannot be read")]
    Unreadable,
}

/// Reads the PROXY header with which these bytes begin.
pub fn read_proxy_header(data: &[u8]) -> ReadProxyHeader {
    use ReadProxyHeader::{Broken, Part};
    let begins = |with: &[u8]| data.iter().zip(with).all(|(byte, wanted)| byte == wanted);
    let length = if begins(BEGIN_V1) {
        length_v1(data)
    } else if begins(BEGIN_V2) {
        length_v2(data)
    } else {
        Err(BrokenProxyHeader::Missing)
    };
    match length {
        Err(broken) => Broken(broken),
        Ok(Some(length)) => match data.get(..length) {
            Some(header) => parsed(header),
            None => Part,
        },
        Ok(None) => Part,
    }
}

/// Returns where the header of version 1 ends, if that has come.
fn length_v1(data: &[u8]) -> Result<Option<usize>, BrokenProxyHeader> {
    let line = &data[..data.len().min(MOST_V1)];
    match line.windows(2).position(|two| two == b"\r\n") {
        Some(at) => Ok(Some(at + 2)),
        None if data.len() >= MOST_V1 => Err(BrokenProxyHeader::TooLong),
        None => Ok(None),
    }
}

/// Returns where the header of version 2 ends, if it has said so.
fn length_v2(data: &[u8]) -> Result<Option<usize>, BrokenProxyHeader> {
    let Some([.., high, low]) = data.get(..FIXED_V2) else { return Ok(None) };
    match usize::from(u16::from_be_bytes([*high, *low])) {
        more @ ..=MOST_V2 => Ok(Some(FIXED_V2 + more)),
        _ => Err(BrokenProxyHeader::TooLong),
    }
}

fn parsed(header: &[u8]) -> ReadProxyHeader {
    let unreadable = ReadProxyHeader::Broken(BrokenProxyHeader::Unreadable);
    match ProxyHeader::parse(header, ParseConfig { include_tlvs: false, ..ParseConfig::default() })
    {
        Ok((read, length)) if length == header.len() => match read.proxied_address() {
            // Datagrams do not come over a connection.
            Some(named) if named.protocol != Protocol::Stream => unreadable,
            named => ReadProxyHeader::Whole { source: named.map(|named| named.source), length },
        },
        _ => unreadable,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(source: Option<&str>, length: usize) -> ReadProxyHeader {
        let source = source.map(|address| address.parse().unwrap());
        ReadProxyHeader::Whole { source, length }
    }

    fn v2(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
        let length = u16::try_from(rest.len()).unwrap().to_be_bytes();
        [BEGIN_V2, &[command, family], &length, rest].concat()
    }

    #[test]
    fn a_header_names_its_source_and_ends_where_it_says() {
        const PORTS: [u8; 4] = [0xdb, 0xa0, 0x01, 0xbb];
        let four = [&[203, 0, 113, 9, 10, 0, 0, 1], &PORTS[..]].concat();
        let six = [&[0x20, 1, 0xd, 0xb8][..], &[0; 11], &[1], &[0; 16], &PORTS].concat();
        let added = [&four[..], &[0x04, 0, 3, 1, 2, 3]].concat();
        let longest = [&four[..], &vec![0; MOST_V2 - four.len()]].concat();
        let cases = [
            (b"PROXY TCP4 203.0.113.9 10.0.0.1 56224 443\r\n".to_vec(), Some("203.0.113.9:56224")),
            (b"PROXY TCP6 2001:db8::1 ::1 56224 443\r\n".to_vec(), Some("[2001:db8::1]:56224")),
            (b"PROXY UNKNOWN\r\n".to_vec(), None),
            (b"PROXY UNKNOWN 2001:db8::1 ::1 56224 443\r\n".to_vec(), None),
            (v2(0x21, 0x11, &four), Some("203.0.113.9:56224")),
            (v2(0x21, 0x21, &six), Some("[2001:db8::1]:56224")),
            (v2(0x21, 0x11, &added), Some("203.0.113.9:56224")),
            (v2(0x21, 0x11, &longest), Some("203.0.113.9:56224")),
            (v2(0x20, 0x11, &four), None),
            (v2(0x20, 0x00, &[]), None),
            (v2(0x21, 0x00, &[1, 2, 3]), None),
            (v2(0x21, 0x31, &[b'/'; 216]), None),
        ];
        for (header, source) in cases {
            let expected = whole(source, header.len());
            assert_eq!(read_proxy_header(&header), expected, "{header:?}");
            for next in [&b"GET / HTTP/1.1\r\n\r\n"[..], b"\x16\x03\x01", b"\r\n", b"\0"] {
                let all = [&header[..], next].concat();
                assert_eq!(read_proxy_header(&all), expected, "{header:?} and {next:?}");
            }
            for length in 0..header.len() {
                let part = &header[..length];
                assert_eq!(read_proxy_header(part), ReadProxyHeader::Part, "{part:?}");
            }
        }
    }

    #[test]
    fn what_is_no_header_is_found_out_as_soon_as_it_can_be() {
        use BrokenProxyHeader::{Missing, TooLong, Unreadable};
        let mut long = b"PROXY TCP4 203.0.113.9 10.0.0.1 56224 443".to_vec();
        long.resize(MOST_V1, b'0');
        let cases = [
            (b"G".to_vec(), Missing),
            (b"PRI * HTTP/2.0".to_vec(), Missing),
            (b"PROXY\t".to_vec(), Missing),
            (b"\x16\x03\x01".to_vec(), Missing),
            (b"\r\nGET".to_vec(), Missing),
            (b"PROXY TCP4 203.0.113.9 10.0.0.1 443\r\n".to_vec(), Unreadable),
            (b"PROXY TCP4 2001:db8::1 ::1 56224 443\r\n".to_vec(), Unreadable),
            (b"PROXY TCP4 203.0.113.256 10.0.0.1 56224 443\r\n".to_vec(), Unreadable),
            (b"PROXY TCP4 203.0.113.9 10.0.0.1 56224 65536\r\n".to_vec(), Unreadable),
            (b"PROXY TCP4 203.0.113.9 10.0.0.1 56224 443 \r\n".to_vec(), Unreadable),
            (b"PROXY TCP5 203.0.113.9 10.0.0.1 56224 443\r\n".to_vec(), Unreadable),
            (b"PROXY \r\n".to_vec(), Unreadable),
            (long, TooLong),
            (v2(0x11, 0x11, &[0; 12]), Unreadable),
            (v2(0x22, 0x11, &[0; 12]), Unreadable),
            (v2(0x21, 0x41, &[0; 12]), Unreadable),
            (v2(0x21, 0x11, &[0; 11]), Unreadable),
            (v2(0x21, 0x12, &[0; 12]), Unreadable),
            (v2(0x21, 0x11, &[0; MOST_V2 + 1])[..FIXED_V2].to_vec(), TooLong),
        ];
        for (data, expected) in cases {
            assert_eq!(read_proxy_header(&data), ReadProxyHeader::Broken(expected), "{data:?}");
        }
    }
}
