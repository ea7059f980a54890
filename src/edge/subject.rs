//! The subject of a client's certificate, as text for people and logs.
//!
//! In: a certificate that was verified. Out: its subject as RFC 4514 writes it, on one line and of
//! bounded length.

use std::{fmt::Write, sync::Arc};
use x509_cert::{Certificate, der::Decode};

/// The longest subject, in characters; a longer one is cut.
const LONGEST: usize = 256;

/// Stands for a subject that cannot be read.
const UNREADABLE: &str = "(a subject that cannot be read)";

/// Returns the subject of a certificate.
pub(super) fn subject(certificate: &[u8]) -> Arc<str> {
    let mut text = String::new();
    let read = Certificate::from_der(certificate)
        .ok()
        .and_then(|certificate| write!(text, "{}", certificate.tbs_certificate().subject()).ok());
    match read {
        Some(()) => on_one_line(&text).into(),
        None => UNREADABLE.into(),
    }
}

/// Escapes what moves a reader's cursor, as RFC 4514 escapes bytes, and cuts the rest off.
fn on_one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for (number, character) in text.chars().enumerate() {
        if number == LONGEST {
            line.push('…');
            break;
        }
        match is_shown(character) {
            true => line.push(character),
            false => {
                for byte in character.encode_utf8(&mut [0; 4]).bytes() {
                    // A text takes all that is written.
                    let _ = write!(line, "\\{byte:02x}");
                }
            }
        }
    }
    line
}

/// Returns whether a character is shown where it stands: no control, and none that turns the
/// direction of writing.
fn is_shown(character: char) -> bool {
    let turns = matches!(
        character,
        '\u{200e}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
    );
    !character.is_control() && !turns
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair};

    fn of(names: &[(DnType, &str)]) -> Arc<str> {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name = DistinguishedName::new();
        for (kind, value) in names {
            params.distinguished_name.push(kind.clone(), *value);
        }
        let made = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
        subject(made.der())
    }

    #[test]
    fn a_subject_is_written_as_rfc_4514_says() {
        let shop = [(DnType::OrganizationName, "Acme, Inc."), (DnType::CommonName, "shop")];
        assert_eq!(&*of(&shop), "CN=shop,O=Acme\\, Inc.");
        assert_eq!(&*of(&[]), "");
    }

    #[test]
    fn what_moves_a_cursor_is_escaped_and_what_is_too_long_is_cut() {
        let odd = "a\n\u{1b}[2J\u{9b}\u{202e}\u{e4}";
        let shown = of(&[(DnType::CommonName, odd)]);
        assert_eq!(&*shown, "CN=a\\0a\\1b[2J\\c2\\9b\\e2\\80\\ae\u{e4}");
        let long = of(&[(DnType::CommonName, &"x".repeat(1000))]);
        assert_eq!((long.chars().count(), long.ends_with("xx…")), (LONGEST + 1, true));
        assert_eq!(&*subject(b"nothing"), UNREADABLE);
    }
}
