//! XML of the carts dialect, told as the JSON of the same thing, so that there is one account of
//! what a cart says.
//!
//! In: a document. Out: JSON text: an element with elements in it is an object, any other a text,
//! repeated list elements an array. Names lose their prefix, attributes tell nothing, nothing
//! recurses, and no entity is ever expanded but the five of XML and character references.

use super::request::Trouble;
use quick_xml::{
    Reader,
    events::{BytesRef, Event},
};
use std::fmt::Write;

/// How deep a document may nest.
const DEPTH: usize = 128;

/// The elements that repeat in an answer, where its JSON has a list. What repeats in a request is
/// in doubt.
const LISTS: [&str; 4] =
    ["supplementaryPaymentMethods", "supplementaryPaymentMethod", "paymentOption", "sources"];

/// The members of a cart, and of a list of payment options, that are worth telling: the rest of an
/// answer is skipped unread.
const OF_AN_ANSWER: [&str; 9] = [
    "id",
    "cart",
    "paymentMethod",
    "paymentSession",
    "pricing",
    "paymentOption",
    "paymentOptions",
    "sourceId",
    "isDefault",
];

/// Why a document is not told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NotTold {
    /// It has a document type, an entity, a comment inside a text, or text between elements.
    Doubtful,
    /// It is not one well-formed document.
    Broken,
    /// It nests too deeply.
    Deep,
}

/// An answer's document; only the parts that are worth telling.
pub(super) fn answer_to_json(document: &str) -> Result<String, NotTold> {
    to_json(document, &LISTS, |depth, name| depth != 1 || OF_AN_ANSWER.contains(&name))
}

/// A request's document, whole: other spellings of a name must be seen.
pub(super) fn request_to_json(document: &str) -> Result<String, Trouble> {
    if attribute_tells(document) {
        return Err(Trouble::ambiguous(
            "The body has an attribute that could be taken for a member.",
        ));
    }
    to_json(document, &[], |_, _| true).map_err(|why| match why {
        NotTold::Doubtful => Trouble::ambiguous("The body has XML that parsers read differently."),
        NotTold::Broken => {
            Trouble::ambiguous("The body is neither one JSON object nor one XML document.")
        }
        NotTold::Deep => Trouble::Malformed("The body is nested too deeply."),
    })
}

/// Whether some mapper of objects could read the governed id out of an attribute.
fn attribute_tells(document: &str) -> bool {
    let mut reader = Reader::from_str(document);
    loop {
        match reader.read_event() {
            Ok(Event::Start(tag) | Event::Empty(tag)) => {
                let mut names = tag.attributes().flatten();
                if names.any(|attribute| {
                    attribute.key.local_name().as_ref().eq_ignore_ascii_case("sourceId")
                }) {
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
    /// A comment stands in or beside its text.
    broken_up: bool,
}

fn to_json(
    document: &str,
    lists: &[&'static str],
    keep: impl Fn(usize, &str) -> bool,
) -> Result<String, NotTold> {
    let mut reader = Reader::from_str(document);
    let mut json = String::new();
    let mut open = vec![Open::default()];
    loop {
        match reader.read_event().map_err(|_| NotTold::Broken)? {
            Event::Start(tag) => {
                if open.len() > DEPTH {
                    return Err(NotTold::Deep);
                }
                let name = tag.local_name();
                if keep(open.len() - 1, name.as_ref()) {
                    begin(&mut open, name.as_ref(), lists, &mut json)?;
                    open.push(Open::default());
                } else {
                    reader.read_to_end(tag.name()).map_err(|_| NotTold::Broken)?;
                }
            }
            Event::Empty(tag) => {
                let name = tag.local_name();
                if keep(open.len() - 1, name.as_ref()) {
                    begin(&mut open, name.as_ref(), lists, &mut json)?;
                    json.push_str("\"\"");
                }
            }
            Event::End(_) => end(open.pop().ok_or(NotTold::Broken)?, &mut json)?,
            Event::Text(text) => append(&mut open, &text.into_inner())?,
            Event::CData(text) => append(&mut open, &text.into_inner())?,
            Event::GeneralRef(reference) => {
                append(&mut open, resolve(&reference)?.encode_utf8(&mut [0; 4]))?
            }
            Event::Comment(_) | Event::PI(_) => {
                if let Some(last) = open.last_mut() {
                    last.broken_up = true;
                }
            }
            Event::Decl(declaration) => {
                let named = declaration.encoding().transpose().map_err(|_| NotTold::Broken)?;
                if named.is_some_and(|name| !name.eq_ignore_ascii_case("utf-8"))
                    && !document.is_ascii()
                {
                    return Err(NotTold::Doubtful);
                }
            }
            Event::DocType(_) => return Err(NotTold::Doubtful),
            Event::Eof => break,
        }
    }
    match (open.pop(), open.is_empty()) {
        (Some(root), true) if root.object && root.text.trim_ascii().is_empty() => {
            close_list(root.list, &mut json);
            json.push('}');
            Ok(json)
        }
        _ => Err(NotTold::Broken),
    }
}

/// Writes the name of a new element into the object that holds it.
fn begin(
    open: &mut [Open],
    name: &str,
    lists: &[&'static str],
    json: &mut String,
) -> Result<(), NotTold> {
    let depth = open.len();
    let parent = open.last_mut().ok_or(NotTold::Broken)?;
    if !parent.text.trim_ascii().is_empty() {
        return Err(NotTold::Doubtful);
    }
    if depth == 1 && parent.object {
        return Err(NotTold::Broken);
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

fn end(element: Open, json: &mut String) -> Result<(), NotTold> {
    let text = element.text.trim_ascii();
    match element.object {
        true if !text.is_empty() => return Err(NotTold::Doubtful),
        true => {
            close_list(element.list, json);
            json.push('}');
        }
        false if element.broken_up && !text.is_empty() => return Err(NotTold::Doubtful),
        false => quoted(text, json),
    }
    Ok(())
}

fn close_list(list: Option<&str>, json: &mut String) {
    if list.is_some() {
        json.push(']');
    }
}

fn append(open: &mut [Open], text: &str) -> Result<(), NotTold> {
    open.last_mut().map(|element| element.text.push_str(text)).ok_or(NotTold::Broken)
}

fn resolve(reference: &BytesRef<'_>) -> Result<char, NotTold> {
    if let Some(c) = reference.resolve_char_ref().map_err(|_| NotTold::Broken)? {
        return Ok(c);
    }
    match &**reference {
        "amp" => Ok('&'),
        "lt" => Ok('<'),
        "gt" => Ok('>'),
        "apos" => Ok('\''),
        "quot" => Ok('"'),
        _ => Err(NotTold::Doubtful),
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

/// Text as it stands in an element. Characters that XML cannot hold are left out.
pub(super) fn escaped(text: &str) -> String {
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
    fn an_answer_is_told_without_its_bulk() {
        let document = "<cart><id>1</id><lineItems><lineItem><id>9</id></lineItem></lineItems><pricing><x/></pricing></cart>";
        assert_eq!(
            answer_to_json(document).as_deref(),
            Ok(r#"{"cart":{"id":"1","pricing":{"x":""}}}"#)
        );
    }

    #[test]
    fn what_parsers_read_differently_is_not_told() {
        let bomb = "<!DOCTYPE a [<!ENTITY b 'bb'>]><a>&b;</a>";
        for (document, why) in [
            (bomb, NotTold::Doubtful),
            ("<a>&b;</a>", NotTold::Doubtful),
            ("<a>x<!-- -->y</a>", NotTold::Doubtful),
            ("<a>x<b/></a>", NotTold::Doubtful),
            ("<a><b/>x</a>", NotTold::Doubtful),
            ("<a>", NotTold::Broken),
            ("<a></b>", NotTold::Broken),
            ("<a/><b/>", NotTold::Broken),
            ("<a/>x", NotTold::Broken),
            ("x", NotTold::Broken),
            ("", NotTold::Broken),
            ("<?xml version='1.0' encoding='utf-16'?><a>\u{e9}</a>", NotTold::Doubtful),
        ] {
            assert_eq!(to_json(document, &LISTS, |_, _| true), Err(why), "{document}");
        }
        assert_eq!(to_json(&"<a>".repeat(100_000), &LISTS, |_, _| true), Err(NotTold::Deep));
    }

    #[test]
    fn escaped_text_is_well_formed() {
        assert_eq!(escaped("a<b>&\"\u{0}\u{1}\n"), "a&lt;b&gt;&amp;\"\n");
    }
}
