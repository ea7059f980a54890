//! Converts XML to the equivalent JSON, so that one reader serves both.
//!
//! In: a document. Out: JSON text. An element with elements in it is an object, any other a text,
//! and repeated list elements are an array. Names lose their prefix, attributes are left out,
//! nothing recurses, and no entity is expanded but the five of XML and character references.

use quick_xml::{
    Reader,
    events::{BytesRef, Event},
};
use std::fmt::Write;

/// How deep a document may nest.
const DEPTH: usize = 128;

/// Why a document is not converted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum XmlError {
    /// It has a document type, an entity, a comment inside a text, or text between elements.
    #[error("the document has XML that parsers read differently")]
    Ambiguous,
    /// It is not one well-formed document.
    #[error("it is not one well-formed XML document")]
    Malformed,
    /// It nests too deeply.
    #[error("the document is nested too deeply")]
    TooDeep,
}

/// Returns whether an element of the document has this attribute, in any case: some mapper of
/// objects could read it as a member.
pub(crate) fn has_attribute(document: &str, name: &str) -> bool {
    let mut reader = Reader::from_str(document);
    loop {
        match reader.read_event() {
            Ok(Event::Start(tag) | Event::Empty(tag)) => {
                // Without the check for doubles, whose work grows with their number's square.
                let mut attributes = tag.attributes();
                let mut names = attributes.with_checks(false).flatten();
                if names
                    .any(|attribute| attribute.key.local_name().as_ref().eq_ignore_ascii_case(name))
                {
                    return true;
                }
            }
            Ok(Event::Eof) | Err(_) => return false,
            Ok(_) => {}
        }
    }
}

/// An element that is open.
#[derive(Default)]
struct Open {
    /// Text so far.
    text: String,
    /// It has elements: an object has been begun.
    object: bool,
    /// The list of repeated elements that has been begun inside it.
    list: Option<&'static str>,
    /// Its text is interrupted by a comment, or next to one.
    broken_up: bool,
}

/// Converts a document. `lists` names the elements that may repeat; what repeats besides them
/// becomes a repeated member. An element of a depth and name that `keep` refuses is skipped unread.
pub(crate) fn to_json(
    document: &str,
    lists: &[&'static str],
    keep: impl Fn(usize, &str) -> bool,
) -> Result<String, XmlError> {
    let is_ascii = document.is_ascii();
    let mut reader = Reader::from_str(document);
    let mut json = String::new();
    let mut open = vec![Open::default()];
    loop {
        match reader.read_event().map_err(|_| XmlError::Malformed)? {
            Event::Start(tag) => {
                if open.len() > DEPTH {
                    return Err(XmlError::TooDeep);
                }
                let name = tag.local_name();
                if keep(open.len() - 1, name.as_ref()) {
                    begin(&mut open, name.as_ref(), lists, &mut json)?;
                    open.push(Open::default());
                } else {
                    reader.read_to_end(tag.name()).map_err(|_| XmlError::Malformed)?;
                }
            }
            Event::Empty(tag) => {
                let name = tag.local_name();
                if keep(open.len() - 1, name.as_ref()) {
                    begin(&mut open, name.as_ref(), lists, &mut json)?;
                    json.push_str("\"\"");
                }
            }
            Event::End(_) => end(open.pop().ok_or(XmlError::Malformed)?, &mut json)?,
            Event::Eof => return finish(open, json),
            event => content(event, is_ascii, &mut open)?,
        }
    }
}

/// Takes what is between the tags.
fn content(event: Event<'_>, is_ascii: bool, open: &mut [Open]) -> Result<(), XmlError> {
    match event {
        Event::Text(text) => append(open, &text.into_inner()),
        Event::CData(text) => append(open, &text.into_inner()),
        Event::GeneralRef(reference) => append(open, resolve(&reference)?.encode_utf8(&mut [0; 4])),
        Event::Comment(_) | Event::PI(_) => {
            if let Some(last) = open.last_mut() {
                last.broken_up = true;
            }
            Ok(())
        }
        Event::Decl(declaration) => {
            let named = declaration.encoding().transpose().map_err(|_| XmlError::Malformed)?;
            match named.is_some_and(|name| !name.eq_ignore_ascii_case("utf-8")) && !is_ascii {
                true => Err(XmlError::Ambiguous),
                false => Ok(()),
            }
        }
        Event::DocType(_) => Err(XmlError::Ambiguous),
        Event::Start(_) | Event::Empty(_) | Event::End(_) | Event::Eof => Ok(()),
    }
}

/// Closes the document's one element.
fn finish(mut open: Vec<Open>, mut json: String) -> Result<String, XmlError> {
    match (open.pop(), open.is_empty()) {
        (Some(root), true) if root.object && root.text.trim_ascii().is_empty() => {
            close_list(root.list, &mut json);
            json.push('}');
            Ok(json)
        }
        _ => Err(XmlError::Malformed),
    }
}

/// Writes the name of a new element into the object that holds it.
fn begin(
    open: &mut [Open],
    name: &str,
    lists: &[&'static str],
    json: &mut String,
) -> Result<(), XmlError> {
    let depth = open.len();
    let parent = open.last_mut().ok_or(XmlError::Malformed)?;
    if !parent.text.trim_ascii().is_empty() {
        return Err(XmlError::Ambiguous);
    }
    if depth == 1 && parent.object {
        return Err(XmlError::Malformed);
    }
    if parent.list == Some(name) {
        json.push(',');
        return Ok(());
    }
    close_list(parent.list.take(), json);
    json.push(if parent.object { ',' } else { '{' });
    parent.object = true;
    quoted(name, json);
    json.push(':');
    parent.list = lists.iter().copied().find(|list| *list == name);
    if parent.list.is_some() {
        json.push('[');
    }
    Ok(())
}

fn end(element: Open, json: &mut String) -> Result<(), XmlError> {
    let text = element.text.trim_ascii();
    match element.object {
        true if !text.is_empty() => return Err(XmlError::Ambiguous),
        true => {
            close_list(element.list, json);
            json.push('}');
        }
        false if element.broken_up && !text.is_empty() => return Err(XmlError::Ambiguous),
        false => quoted(text, json),
    }
    Ok(())
}

fn close_list(list: Option<&str>, json: &mut String) {
    if list.is_some() {
        json.push(']');
    }
}

fn append(open: &mut [Open], text: &str) -> Result<(), XmlError> {
    open.last_mut().map(|element| element.text.push_str(text)).ok_or(XmlError::Malformed)
}

fn resolve(reference: &BytesRef<'_>) -> Result<char, XmlError> {
    if let Some(c) = reference.resolve_char_ref().map_err(|_| XmlError::Malformed)? {
        return Ok(c);
    }
    match &**reference {
        "amp" => Ok('&'),
        "lt" => Ok('<'),
        "gt" => Ok('>'),
        "apos" => Ok('\''),
        "quot" => Ok('"'),
        _ => Err(XmlError::Ambiguous),
    }
}

fn quoted(text: &str, json: &mut String) {
    json.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => json.extend(['\\', c]),
            '\0'..='\x1F' => {
                // Writing to a string cannot fail.
                let _ = write!(json, "\\u{:04x}", u32::from(c));
            }
            c => json.push(c),
        }
    }
    json.push('"');
}

/// Escapes text for an element. Characters that XML cannot hold are left out.
pub(crate) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '\t' | '\n' | '\r' => out.push(c),
            '\0'..='\x1F' | '\u{FFFE}' | '\u{FFFF}' => {}
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const LISTS: [&str; 1] = ["paymentOption"];

    #[test]
    fn elements_become_members_and_texts() {
        for (document, json) in [
            ("<a>1</a>", r#"{"a":"1"}"#),
            ("<a/>", r#"{"a":""}"#),
            ("<a><b>x</b><c/></a>", r#"{"a":{"b":"x","c":""}}"#),
            (
                "<?xml version='1.0' encoding='utf-8'?>\n<a xmlns='u' k='v'>\n <n:b> x </n:b>\n</a>\n",
                r#"{"a":{"b":"x"}}"#,
            ),
            ("<a><b>&lt;&amp;&#x41;&quot;</b></a>", r#"{"a":{"b":"<&A\""}}"#),
            ("<a><b><![CDATA[x<y]]></b></a>", r#"{"a":{"b":"x<y"}}"#),
            ("<a><!-- c --><b>x</b></a>", r#"{"a":{"b":"x"}}"#),
            ("<a><b>1</b><b>2</b></a>", r#"{"a":{"b":"1","b":"2"}}"#),
            (
                "<a><paymentOption><id>1</id></paymentOption><paymentOption><id>2</id></paymentOption><z/></a>",
                r#"{"a":{"paymentOption":[{"id":"1"},{"id":"2"}],"z":""}}"#,
            ),
            ("<a><paymentOption>1</paymentOption></a>", r#"{"a":{"paymentOption":["1"]}}"#),
        ] {
            assert_eq!(to_json(document, &LISTS, |_, _| true).as_deref(), Ok(json), "{document}");
        }
    }

    #[test]
    fn what_parsers_read_differently_is_not_converted() {
        let bomb = "<!DOCTYPE a [<!ENTITY b 'bb'>]><a>&b;</a>";
        for (document, why) in [
            (bomb, XmlError::Ambiguous),
            ("<a>&b;</a>", XmlError::Ambiguous),
            ("<a>x<!-- -->y</a>", XmlError::Ambiguous),
            ("<a>x<b/></a>", XmlError::Ambiguous),
            ("<a><b/>x</a>", XmlError::Ambiguous),
            ("<a>", XmlError::Malformed),
            ("<a></b>", XmlError::Malformed),
            ("<a/><b/>", XmlError::Malformed),
            ("<a/>x", XmlError::Malformed),
            ("x", XmlError::Malformed),
            ("", XmlError::Malformed),
            ("<?xml version='1.0' encoding='utf-16'?><a>\u{e9}</a>", XmlError::Ambiguous),
        ] {
            assert_eq!(to_json(document, &LISTS, |_, _| true), Err(why), "{document}");
        }
        assert_eq!(to_json(&"<a>".repeat(100_000), &LISTS, |_, _| true), Err(XmlError::TooDeep));
    }

    /// With work that grows with the square, each of these takes many seconds.
    #[test]
    fn the_work_of_reading_grows_with_the_length_only() {
        let began = std::time::Instant::now();
        let names: String = (0..100_000).map(|n| format!(" a{n}=''")).collect();
        assert!(!has_attribute(&format!("<a{names}/>"), "b"));
        let again = "<?xml version='1.0' encoding='x'?>".repeat(100_000);
        let _ = to_json(&format!("{again}<a><b/></a>"), &LISTS, |_, _| true);
        assert!(began.elapsed() < std::time::Duration::from_secs(5), "{:?}", began.elapsed());
    }

    #[test]
    fn escaped_text_is_well_formed() {
        assert_eq!(escaped("a<b>&\"\u{0}\u{1}\n"), "a&lt;b&gt;&amp;\"\n");
    }
}
