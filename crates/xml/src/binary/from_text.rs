use super::{Error, Name, SessionDictionary, StaticDictionary, Value, Writer};
use crate::{Document, Element, Node, ParseOptions};

/// Bytes of a name: nothing is canonicalized here, and .NET knows no limit.
const MAX_NAME: usize = 60_000;

/// Text XML as binary XML: names by number where a dictionary has them, all text as characters.
///
/// Text says nothing of types, so numbers and dates stay characters; only the texts `0` and `1` have records of their own.
/// Processing instructions have no binary form.
///
/// # Errors
/// When the text is not well formed, or holds a processing instruction.
///
/// ```
/// # use handstamp_xml::binary::{Reader, StaticDictionary, from_text, to_text};
/// static WORDS: StaticDictionary = StaticDictionary::new(&["note"]);
/// let binary = from_text(r#"<note id="1">hi</note>"#, Some(&WORDS), None)?;
/// assert_eq!(binary, b"\x42\x00\x04\x02id\x82\x99\x02hi");
/// assert_eq!(to_text(Reader::new(&binary, Some(&WORDS)))?, r#"<note id="1">hi</note>"#);
/// # Ok::<(), handstamp_xml::binary::Error>(())
/// ```
pub fn from_text<'w>(
    text: impl Into<Vec<u8>>,
    dictionary: Option<&'w StaticDictionary>,
    session: Option<&'w mut SessionDictionary>,
) -> Result<Vec<u8>, Error> {
    let limits = crate::Limits { name_length: MAX_NAME, ..crate::Limits::default() };
    let options = ParseOptions::default().with_limits(limits).without_ids();
    let document = Document::parse(text, &options).map_err(|error| Error::Text { reason: error.to_string() })?;
    let mut writer = Writer::new(dictionary);
    if let Some(session) = session {
        writer = writer.with_session(session);
    }
    let (before, after) = around_root(&document);
    comments(&mut writer, before)?;
    start(&mut writer, document.root())?;
    let mut open = vec![document.root().nodes()];
    while let Some(nodes) = open.last_mut() {
        match nodes.next() {
            None => {
                writer.end_element()?;
                open.pop();
            }
            Some(Node::Element(element)) => {
                start(&mut writer, element)?;
                open.push(element.nodes());
            }
            Some(Node::Text(text)) => writer.text(text)?,
            Some(Node::Comment(text)) => writer.comment(text)?,
            Some(Node::ProcessingInstruction { .. }) => {
                return Err(Error::Text { reason: "a processing instruction has no binary form".to_owned() });
            }
        }
    }
    comments(&mut writer, after)?;
    writer.finish()
}

fn around_root(document: &Document) -> (&str, &str) {
    let (source, root) = (document.source(), document.root().source_range());
    (source.get(..root.start).unwrap_or_default(), source.get(root.end..).unwrap_or_default())
}

/// Writes the comments of text that stands outside of the root. Such text is comments, white space and a declaration.
fn comments(writer: &mut Writer<'_>, mut text: &str) -> Result<(), Error> {
    while let Some((comment, rest)) = text.split_once("<!--").and_then(|(_, rest)| rest.split_once("-->")) {
        writer.comment(&comment.replace("\r\n", "\n").replace('\r', "\n"))?;
        text = rest;
    }
    Ok(())
}

fn start(writer: &mut Writer<'_>, element: Element<'_>) -> Result<(), Error> {
    let (prefix, namespace) = (element.prefix(), element.namespace());
    writer.start_element(prefix, Name::Dictionary(element.local_name()), Name::Dictionary(namespace))?;
    for (prefix, namespace) in element.namespace_declarations() {
        writer.declare(prefix, Name::Dictionary(namespace))?;
    }
    for attribute in element.attributes() {
        let (prefix, namespace) = (attribute.prefix(), Name::Dictionary(attribute.namespace()));
        let value = Value::Text(attribute.value().into());
        writer.attribute(prefix, Name::Dictionary(attribute.local_name()), namespace, &value)?;
    }
    Ok(())
}
