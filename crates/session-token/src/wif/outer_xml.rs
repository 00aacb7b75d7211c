use super::Error;
use crate::{SecureConversationVersion, UniqueId};
use handstamp_claims::ArcStr;
use handstamp_xml::{Document, Element, Node, ParseOptions};
use std::borrow::Cow;

/// The XML around a token (ST §2.1): who it is, in the clear, and the protected cookie.
///
/// Nothing in it is protected. The ids only count once they were compared with those in the cookie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OuterXml {
    /// The version, said by the namespace.
    pub version: SecureConversationVersion,
    /// The `wsu:Id`.
    pub id: Option<ArcStr>,
    /// The `Identifier`.
    pub context_id: UniqueId,
    /// The `Instance`.
    pub key_generation: Option<UniqueId>,
    /// The content of the `Cookie`: what the last transform gave. None in reference mode.
    pub cookie: Option<Vec<u8>>,
}

/// UTF-8's byte order mark, with which the original begins.
pub(crate) const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";
const COOKIE_NAMESPACE: &str = "http://schemas.microsoft.com/ws/2006/05/security";
const WSU: &str = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd";

impl OuterXml {
    /// The largest document that is parsed (ST-9): 1 MiB.
    pub const MAX_BYTES: usize = 1 << 20;

    /// Reads the XML, in UTF-8, with or without byte order mark and declaration.
    ///
    /// # Errors
    /// When it is not well formed, or not the XML of a token.
    pub fn read(xml: &[u8]) -> Result<Self, Error> {
        if xml.len() > Self::MAX_BYTES {
            return Err(Error::Limit { what: "bytes of XML", limit: Self::MAX_BYTES });
        }
        let document = Document::parse(xml, &ParseOptions::default()).map_err(|error| Error::Xml(error.to_string()))?;
        let root = document.root();
        let version = SecureConversationVersion::from_namespace(root.namespace())
            .filter(|_| root.local_name() == "SecurityContextToken")
            .ok_or(Error::MissingElement("SecurityContextToken"))?;
        let mut children = elements(root)?.into_iter().peekable();
        let identifier = children.next_if(|child| child.is(version.namespace(), "Identifier"));
        let context_id = unique_id(identifier.ok_or(Error::MissingElement("Identifier"))?)?;
        let instance = children.next_if(|child| child.is(version.namespace(), "Instance"));
        let cookie = children.next_if(|child| child.is(COOKIE_NAMESPACE, "Cookie"));
        if let Some(unexpected) = children.next() {
            return Err(Error::unexpected(unexpected.local_name()));
        }
        Ok(Self {
            version,
            id: root.attribute_ns(WSU, "Id").map(ArcStr::from),
            context_id,
            key_generation: instance.map(unique_id).transpose()?,
            cookie: cookie.map(base64).transpose()?,
        })
    }

    /// The XML with its declaration, as text.
    pub fn to_text(&self) -> String {
        let cookie = self.cookie.as_ref().map(|cookie| base64_simd::STANDARD.encode_to_string(cookie));
        let mut xml = String::with_capacity(500 + cookie.as_ref().map_or(0, String::len));
        xml.push_str(r#"<?xml version="1.0" encoding="utf-8"?><SecurityContextToken"#);
        if let Some(id) = &self.id {
            xml.push_str(" p1:Id=\"");
            push_escaped(&mut xml, id);
            xml.push_str("\" xmlns:p1=\"");
            xml.push_str(WSU);
            xml.push('"');
        }
        xml.push_str(" xmlns=\"");
        xml.push_str(self.version.namespace());
        xml.push_str("\"><Identifier>");
        self.context_id.with_text(|text| push_escaped(&mut xml, text));
        xml.push_str("</Identifier>");
        if let Some(generation) = &self.key_generation {
            xml.push_str("<Instance>");
            generation.with_text(|text| push_escaped(&mut xml, text));
            xml.push_str("</Instance>");
        }
        if let Some(cookie) = cookie {
            xml.push_str("<Cookie xmlns=\"");
            xml.push_str(COOKIE_NAMESPACE);
            xml.push_str("\">");
            xml.push_str(&cookie);
            xml.push_str("</Cookie>");
        }
        xml.push_str("</SecurityContextToken>");
        xml
    }

    /// The XML as bytes, with the byte order mark: what the original puts into HTTP cookies (ST-7).
    pub fn to_bytes(&self) -> Vec<u8> {
        [BYTE_ORDER_MARK, self.to_text().as_bytes()].concat()
    }
}

/// The child elements; text that is not white space is refused.
fn elements(parent: Element<'_>) -> Result<Vec<Element<'_>>, Error> {
    let mut children = Vec::new();
    for node in parent.nodes() {
        match node {
            Node::Element(element) => children.push(element),
            Node::Text(text) if !text.trim_ascii().is_empty() => {
                return Err(Error::Structure("text stands between elements"));
            }
            _ => {}
        }
    }
    Ok(children)
}

fn text_only(element: Element<'_>) -> Result<Cow<'_, str>, Error> {
    if element.children().next().is_some() {
        return Err(Error::unexpected(element.local_name()));
    }
    Ok(element.text())
}

fn unique_id(element: Element<'_>) -> Result<UniqueId, Error> {
    text_only(element)?.trim_ascii().parse().map_err(|_| Error::EmptyUniqueId)
}

fn base64(element: Element<'_>) -> Result<Vec<u8>, Error> {
    let mut text = text_only(element)?;
    if text.bytes().any(|byte| byte.is_ascii_whitespace()) {
        text.to_mut().retain(|character| !character.is_ascii_whitespace());
    }
    base64_simd::STANDARD.decode_to_vec(text.as_bytes()).map_err(|_| Error::NotBase64)
}

fn push_escaped(xml: &mut String, text: &str) {
    for character in text.chars() {
        match character {
            '&' => xml.push_str("&amp;"),
            '<' => xml.push_str("&lt;"),
            '>' => xml.push_str("&gt;"),
            '"' => xml.push_str("&quot;"),
            '\r' => xml.push_str("&#xD;"),
            '\n' => xml.push_str("&#xA;"),
            '\t' => xml.push_str("&#x9;"),
            other => xml.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(xml: &str) -> Result<OuterXml, &'static str> {
        OuterXml::read(xml.as_bytes()).map_err(|error| error.code())
    }

    fn token(children: &str) -> String {
        format!(
            "<t:SecurityContextToken xmlns:t='{}'>{children}</t:SecurityContextToken>",
            SecureConversationVersion::V1_3.namespace()
        )
    }

    #[test]
    fn st_8_prefixes_space_comments_and_order_of_attributes_do_not_matter() {
        let cookie = format!("<c:Cookie xmlns:c='{COOKIE_NAMESPACE}'>AAEC\n AwQ=</c:Cookie>");
        let xml = token(&format!(
            "\n <!-- x --><t:Identifier> urn:a </t:Identifier>\n<t:Instance>urn:b</t:Instance> {cookie} "
        ));
        let read = read(&xml).unwrap();
        assert_eq!(read.context_id.to_string(), "urn:a");
        assert_eq!(read.key_generation.as_ref().map(ToString::to_string).as_deref(), Some("urn:b"));
        assert_eq!(read.cookie.as_deref(), Some(&[0, 1, 2, 3, 4][..]));
        assert_eq!(OuterXml::read(&read.to_bytes()).unwrap(), read);
    }

    #[test]
    fn st_8_what_is_not_the_xml_of_a_token_is_refused() {
        let identifier = "<t:Identifier>a</t:Identifier>";
        for (xml, code) in [
            ("<SecurityContextToken/>".to_owned(), "ID4230"),
            (token(""), "ID4230"),
            (token("<t:Instance>a</t:Instance>"), "ID4230"),
            (token("<t:Identifier> </t:Identifier>"), "ID4242"),
            (token(&format!("{identifier}<t:Cookie>AA==</t:Cookie>")), "HST-TOKEN-ELEMENT"),
            (token(&format!("{identifier}<Cookie xmlns='{COOKIE_NAMESPACE}'>AA=</Cookie>")), "HST-TOKEN-BASE64"),
            (token(&format!("{identifier}<Cookie xmlns='{COOKIE_NAMESPACE}'><x/></Cookie>")), "HST-TOKEN-ELEMENT"),
            (token(&format!("{identifier}{identifier}")), "HST-TOKEN-ELEMENT"),
            (token(&format!("{identifier}text")), "HST-TOKEN-STRUCTURE"),
            (format!("<!DOCTYPE x>{}", token(identifier)), "HST-TOKEN-XML"),
            (String::new(), "HST-TOKEN-XML"),
        ] {
            assert_eq!(read(&xml), Err(code), "{xml}");
        }
        assert_eq!(OuterXml::read(&vec![b' '; OuterXml::MAX_BYTES + 1]).unwrap_err().code(), "HST-TOKEN-LIMIT");
    }
}
