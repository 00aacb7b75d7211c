//! `SecurityContextToken` (SC 10.1).

use crate::error::Error;
use crate::token::from_base64;
use crate::version::Generation;
use handstamp_xml::{Element, Writer, names};
use std::iter::Peekable;

/// What a message says about its security context.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecurityContextToken {
    /// `wsu:Id`: a cookie holds it too, so it cannot be moved to another token.
    pub id: Option<String>,
    /// Which context.
    pub context: ContextReference,
    /// The sealed state of the service, when contexts are cookies.
    pub cookie: Option<Vec<u8>>,
}

/// Names one key of a security context.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ContextReference {
    /// The namespace that it came in.
    pub generation: Generation,
    /// `Identifier`: the context id, an absolute URI.
    pub identifier: String,
    /// `Instance`: which key, after a renewal.
    pub instance: Option<String>,
}

/// The largest cookie that is read, in bytes: what WCF reads.
const MAX_COOKIE: usize = 16_384;

impl SecurityContextToken {
    /// Reads the element as a service does: `Identifier`, `Instance`, `Cookie`, and nothing else.
    ///
    /// A cookie that is not base64 is empty, which opens nothing: where the context is known nobody looks at it (SC-35).
    pub fn parse(element: Element<'_>) -> Result<Self, Error> {
        let (mut token, mut rest) = Self::parse_names(element)?;
        let cookie = rest.next_if(|child| child.is(names::WCF_SECURITY, "Cookie"));
        if rest.next().is_some() {
            return Err(malformed("it holds something besides Identifier, Instance and Cookie"));
        }
        token.cookie = cookie.map(|cookie| bounded_cookie(&cookie.text())).transpose()?;
        Ok(token)
    }

    /// Reads the element as a client does: whatever follows `Identifier` and `Instance` is the service's own business, and is
    /// neither read nor lost (SC 4.2).
    pub fn parse_as_client(element: Element<'_>) -> Result<Self, Error> {
        let (mut token, rest) = Self::parse_names(element)?;
        let mut cookies = rest.filter(|child| child.is(names::WCF_SECURITY, "Cookie"));
        token.cookie = cookies.next().and_then(|cookie| from_base64(&cookie.text()));
        Ok(token)
    }

    fn parse_names(element: Element<'_>) -> Result<(Self, Peekable<impl Iterator<Item = Element<'_>>>), Error> {
        let generation = Generation::of_conversation(element.namespace())
            .filter(|_| element.local_name() == "SecurityContextToken")
            .ok_or_else(|| malformed("it is another element"))?;
        let namespace = generation.conversation();
        let mut children = element.children().peekable();
        let identifier = children.next().filter(|child| child.is(namespace, "Identifier"));
        let identifier = identifier.ok_or_else(|| malformed("it does not start with Identifier"))?.text();
        let identifier = identifier.trim();
        if identifier.is_empty() {
            return Err(malformed("its Identifier is empty"));
        }
        let instance =
            children.next_if(|child| child.is(namespace, "Instance")).map(|child| child.text().trim().to_owned());
        let token = Self {
            id: element.attribute_ns(names::WSU, "Id").map(str::to_owned),
            context: ContextReference { generation, identifier: identifier.to_owned(), instance },
            cookie: None,
        };
        Ok((token, children))
    }

    /// Writes the element as WCF does. A client does not write tokens but repeats them as it got them.
    pub fn write(&self, writer: &mut Writer) {
        let namespace = self.context.generation.conversation();
        let prefix = match self.context.generation {
            Generation::February2005 => "c",
            Generation::V13 => "sc",
        };
        writer.start(prefix, namespace, "SecurityContextToken");
        if let Some(id) = &self.id {
            writer.wsu_id(id);
        }
        writer.element(prefix, namespace, "Identifier", &self.context.identifier);
        if let Some(instance) = &self.context.instance {
            writer.element(prefix, namespace, "Instance", instance);
        }
        if let Some(cookie) = &self.cookie {
            writer.element("dnse", names::WCF_SECURITY, "Cookie", &super::to_base64(cookie));
        }
        writer.end();
    }
}

/// Empty when it is not base64.
fn bounded_cookie(text: &str) -> Result<Vec<u8>, Error> {
    let cookie = if text.len() > 2 * MAX_COOKIE { None } else { Some(from_base64(text).unwrap_or_default()) };
    cookie.filter(|cookie| cookie.len() <= MAX_COOKIE).ok_or_else(|| malformed("its Cookie is too large"))
}

fn malformed(problem: &str) -> Error {
    Error::malformed("SC 10.1", "SecurityContextToken", problem)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::token::test_support::written;

    #[test]
    fn sc_10_1_tokens_survive_writing_and_reading() {
        for (instance, cookie) in [(None, None), (Some("urn:uuid:2".to_owned()), None), (None, Some(vec![1, 2, 3]))] {
            let context = ContextReference { generation: Generation::V13, identifier: "urn:uuid:1".into(), instance };
            let token = SecurityContextToken { id: Some("uuid-1".into()), context, cookie };
            let document = written(|writer| token.write(writer));
            assert_eq!(SecurityContextToken::parse(document.root()).unwrap(), token);
        }
    }

    #[test]
    fn sc_10_1_a_service_refuses_unknown_children_and_large_cookies() {
        let bad = |content: &dyn Fn(&mut Writer)| {
            let document = written(|writer| {
                writer.start("c", names::WSC_2005, "SecurityContextToken");
                writer.element("c", names::WSC_2005, "Identifier", "urn:uuid:1");
                content(writer);
                writer.end();
            });
            SecurityContextToken::parse(document.root()).is_err()
        };
        assert!(!bad(&|_| {}));
        assert!(bad(&|writer| {
            writer.element("", "urn:x", "Extra", "");
        }));
        let large = "A".repeat(24_000);
        assert!(bad(&|writer| {
            writer.element("d", names::WCF_SECURITY, "Cookie", &large);
        }));
    }
}
