//! XML for the carts API, which speaks it unless asked for JSON.
//!
//! The members of an object become elements, a list becomes its element repeated, and scalars
//! become text. The single member of the outermost object is the root of the document. Reading
//! does the same the other way round; every leaf is text.

use crate::emulator::model::Doc;
use quick_xml::{Reader, escape::escape, events::Event};

/// Deeper nesting is not read.
const DEEPEST: usize = 64;

/// Writes a document.
pub(crate) fn write(doc: &Doc) -> Vec<u8> {
    let mut out = String::from(r#"<?xml version="1.0" encoding="UTF-8" standalone="yes"?>"#);
    for (name, value) in doc.members() {
        element(&mut out, name, value);
    }
    out.into_bytes()
}

fn element(out: &mut String, name: &str, value: &Doc) {
    if let Doc::List(items) = value {
        items.iter().for_each(|item| element(out, name, item));
        return;
    }
    if !is_name(name) {
        return;
    }
    out.push_str(&format!("<{name}>"));
    match value {
        Doc::Object(members) => members.iter().for_each(|(name, value)| element(out, name, value)),
        Doc::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        other => out.push_str(&escape(other.text().unwrap_or_default())),
    }
    out.push_str(&format!("</{name}>"));
}

/// Returns whether XML can have an element of that name. Callers choose some names (a source's
/// details), and the others are left out.
fn is_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// Reads a document, unless it is not well-formed or nested too deeply.
pub(crate) fn read(text: &str) -> Option<Doc> {
    let mut reader = Reader::from_str(text);
    reader.config_mut().trim_text(true);
    let mut open: Vec<(String, Doc, String)> = vec![(String::new(), Doc::object(), String::new())];
    loop {
        match reader.read_event().ok()? {
            Event::Start(tag) => {
                if open.len() > DEEPEST {
                    return None;
                }
                open.push((tag.local_name().as_ref().to_owned(), Doc::object(), String::new()));
            }
            Event::Empty(tag) => {
                add(&mut open.last_mut()?.1, tag.local_name().as_ref().to_owned(), Doc::object())
            }
            Event::Text(text) => open.last_mut()?.2.push_str(&text),
            Event::CData(text) => open.last_mut()?.2.push_str(&text),
            Event::GeneralRef(name) => open.last_mut()?.2.push(entity(&name)?),
            Event::End(_) => {
                let (name, members, text) = open.pop()?;
                let value = if members.members().is_empty() && !text.is_empty() {
                    Doc::Text(text)
                } else {
                    members
                };
                add(&mut open.last_mut()?.1, name, value);
            }
            Event::Eof => break,
            _ => {}
        }
    }
    let (_, doc, _) = open.pop()?;
    (open.is_empty() && !doc.members().is_empty()).then_some(doc)
}

fn entity(name: &str) -> Option<char> {
    match name {
        "lt" => Some('<'),
        "gt" => Some('>'),
        "amp" => Some('&'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        _ => {
            let code = name.strip_prefix('#')?;
            let code = match code.strip_prefix('x') {
                Some(hex) => u32::from_str_radix(hex, 16),
                None => code.parse(),
            };
            char::from_u32(code.ok()?)
        }
    }
}

/// Adds an element to its parent; a repeated element makes a list.
fn add(parent: &mut Doc, name: String, value: Doc) {
    let value = match parent.get(&name).cloned() {
        None => value,
        Some(Doc::List(mut items)) => {
            items.push(value);
            Doc::List(items)
        }
        Some(first) => Doc::List(vec![first, value]),
    };
    parent.set(&name, value);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_repeated_elements_and_text_is_escaped() {
        let doc = Doc::object()
            .with("a", Doc::object().with("b", Doc::list(["x", "<y>"])).with("c", Doc::object()));
        let xml = String::from_utf8(write(&doc)).unwrap();
        assert_eq!(
            xml,
            concat!(
                r#"<?xml version="1.0" encoding="UTF-8" standalone="yes"?>"#,
                "<a><b>x</b><b>&lt;y&gt;</b><c></c></a>",
            )
        );
        assert_eq!(read(&xml), Some(doc));
    }

    #[test]
    fn names_that_xml_cannot_say_are_left_out() {
        let doc =
            Doc::object().with("a", Doc::object().with("<b>", "x").with("1", "x").with("b_1", "x"));
        let xml = String::from_utf8(write(&doc)).unwrap();
        assert!(xml.ends_with("?><a><b_1>x</b_1></a>"), "{xml}");
    }

    #[test]
    fn what_is_not_xml_is_not_read() {
        for bad in ["", "<a>", "<a></b>", "text", "<a>&nope;</a>", &"<a>".repeat(1000)] {
            assert_eq!(read(bad), None, "{bad:.20}");
        }
    }
}
