//! `RequestSecurityTokenResponse`: what `wresult` holds (SM §3.6).

use crate::Error;
use handstamp_saml::Version;
use handstamp_time::Timestamp;
use handstamp_xml::{Element, Writer, names};

/// The version of WS-Trust.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TrustVersion {
    /// February 2005: what WIF and AD FS send by default. A bare response.
    Feb2005,
    /// 1.3. A collection of one response.
    V13,
}

impl TrustVersion {
    /// The namespace.
    pub const fn namespace(self) -> &'static str {
        match self {
            Self::Feb2005 => names::WST_2005,
            Self::V13 => names::WST_13,
        }
    }

    const fn prefix(self) -> &'static str {
        match self {
            Self::Feb2005 => "t",
            Self::V13 => "trust",
        }
    }

    const fn bearer_key_type(self) -> &'static str {
        match self {
            Self::Feb2005 => "http://schemas.xmlsoap.org/ws/2005/05/identity/NoProofKey",
            Self::V13 => "http://docs.oasis-open.org/ws-sx/ws-trust/200512/Bearer",
        }
    }

    fn from_namespace(namespace: &str) -> Option<Self> {
        [Self::Feb2005, Self::V13].into_iter().find(|version| version.namespace() == namespace)
    }
}

/// A response, read where it stands: the token stays an element of its document, so that its signature can be verified.
///
/// Nothing here is signed. It leads to the token, and decides nothing.
#[derive(Clone, Debug)]
pub struct TokenResponse<'d> {
    /// The version, chosen by the root's namespace.
    pub version: TrustVersion,
    /// The attribute `Context`.
    pub context: Option<String>,
    /// `TokenType`.
    pub token_type: Option<String>,
    /// The address in `AppliesTo`.
    pub applies_to: Option<String>,
    /// The one token.
    pub token: Element<'d>,
}

impl<'d> TokenResponse<'d> {
    /// Reads a response, bare or in a collection of exactly one (SM-27).
    ///
    /// # Errors
    /// Another root (ID3032), several responses, no token, several tokens.
    pub fn read(root: Element<'d>) -> Result<Self, Error> {
        let wrong_root = || Error::NotATokenResponse(root.local_name().into());
        let version = TrustVersion::from_namespace(root.namespace()).ok_or_else(wrong_root)?;
        let response = match root.local_name() {
            "RequestSecurityTokenResponse" => root,
            "RequestSecurityTokenResponseCollection" => {
                only(root.children(), "the collection", "RequestSecurityTokenResponse")?
            }
            _ => return Err(wrong_root()),
        };
        let ns = version.namespace();
        if !response.is(ns, "RequestSecurityTokenResponse") {
            return Err(malformed("the collection holds something other than a RequestSecurityTokenResponse"));
        }
        let requested = response.children().filter(|child| child.is(ns, "RequestedSecurityToken"));
        let requested = only(requested, "the response", "RequestedSecurityToken")?;
        let token = only(requested.children(), "RequestedSecurityToken", "token")?;
        let text = |element: Element<'_>| element.text().trim().to_owned();
        let applies_to = response.children().find(|child| child.local_name() == "AppliesTo");
        Ok(Self {
            version,
            context: response.attribute("Context").map(str::to_owned),
            token_type: response.child(ns, "TokenType").map(text),
            applies_to: applies_to
                .and_then(|applies| applies.descendants().find(|element| element.local_name() == "Address"))
                .map(text),
            token,
        })
    }
}

/// What an issuer puts around a token.
#[derive(Clone, Debug)]
pub(crate) struct NewTokenResponse<'t> {
    pub(crate) version: TrustVersion,
    pub(crate) created: Timestamp,
    pub(crate) expires: Timestamp,
    pub(crate) applies_to: &'t str,
    pub(crate) token_version: Version,
    /// The signed token, which must declare the namespaces it uses.
    pub(crate) token: &'t str,
}

impl NewTokenResponse<'_> {
    /// The XML, in the original's order of elements.
    pub(crate) fn write(&self) -> Result<String, Error> {
        let (prefix, ns) = (self.version.prefix(), self.version.namespace());
        let mut out = Writer::new();
        if self.version == TrustVersion::V13 {
            out.start(prefix, ns, "RequestSecurityTokenResponseCollection");
        }
        out.start(prefix, ns, "RequestSecurityTokenResponse").start(prefix, ns, "Lifetime");
        for (name, time) in [("Created", self.created), ("Expires", self.expires)] {
            out.element("wsu", names::WSU, name, &time.milliseconds().to_string());
        }
        out.end();
        out.start("wsp", names::WSP, "AppliesTo").start("wsa", names::WSA, "EndpointReference");
        out.element("wsa", names::WSA, "Address", self.applies_to).end().end();
        out.start(prefix, ns, "RequestedSecurityToken").canonical_fragment(self.token).end();
        out.element(prefix, ns, "TokenType", self.token_version.token_type());
        out.element(prefix, ns, "RequestType", &format!("{ns}/Issue"));
        out.element(prefix, ns, "KeyType", self.version.bearer_key_type());
        out.end();
        if self.version == TrustVersion::V13 {
            out.end();
        }
        out.finish().map_err(Error::Xml)
    }
}

fn only<'d>(
    mut elements: impl Iterator<Item = Element<'d>>,
    parent: &'static str,
    name: &'static str,
) -> Result<Element<'d>, Error> {
    match (elements.next(), elements.next()) {
        (Some(element), None) => Ok(element),
        (None, _) => Err(Error::MalformedTokenResponse(format!("{parent} has no {name}"))),
        (Some(_), Some(_)) => Err(Error::MalformedTokenResponse(format!("{parent} has more than one {name}"))),
    }
}

fn malformed(problem: &str) -> Error {
    Error::MalformedTokenResponse(problem.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use handstamp_xml::{Document, ParseOptions};

    fn code(xml: &str) -> Result<String, &'static str> {
        let document = Document::parse(xml, &ParseOptions::default()).unwrap();
        TokenResponse::read(document.root()).map(|r| r.token.local_name().to_owned()).map_err(|e| e.code())
    }

    const T: &str = "xmlns:t='http://schemas.xmlsoap.org/ws/2005/02/trust'";
    const T13: &str = "xmlns:t='http://docs.oasis-open.org/ws-sx/ws-trust/200512'";

    #[test]
    fn sm_27_both_versions_bare_or_in_a_collection_of_one() {
        for ns in [T, T13] {
            let body = "<t:RequestedSecurityToken><x/></t:RequestedSecurityToken>";
            let bare = format!("<t:RequestSecurityTokenResponse {ns}>{body}</t:RequestSecurityTokenResponse>");
            assert_eq!(code(&bare), Ok("x".into()));
            let inner = format!("<t:RequestSecurityTokenResponse>{body}</t:RequestSecurityTokenResponse>");
            for (count, expected) in [(0, Err("HST-WSFED-RSTR")), (1, Ok("x".into())), (2, Err("HST-WSFED-RSTR"))] {
                let collection = format!(
                    "<t:RequestSecurityTokenResponseCollection {ns}>{}</t:RequestSecurityTokenResponseCollection>",
                    inner.repeat(count)
                );
                assert_eq!(code(&collection), expected);
            }
        }
    }

    #[test]
    fn sm_27_exactly_one_token() {
        for body in [
            "",
            "<t:RequestedSecurityToken/>",
            "<t:RequestedSecurityToken>text</t:RequestedSecurityToken>",
            "<t:RequestedSecurityToken><x/><x/></t:RequestedSecurityToken>",
            "<t:RequestedSecurityToken><x/></t:RequestedSecurityToken><t:RequestedSecurityToken><x/></t:RequestedSecurityToken>",
        ] {
            let xml = format!("<t:RequestSecurityTokenResponse {T}>{body}</t:RequestSecurityTokenResponse>");
            assert_eq!(code(&xml), Err("HST-WSFED-RSTR"), "{body}");
        }
    }

    #[test]
    fn sm_27_other_roots_are_id3032() {
        for xml in ["<RequestSecurityTokenResponse/>".to_owned(), format!("<t:RequestSecurityToken {T}/>")] {
            assert_eq!(code(&xml), Err("ID3032"));
        }
        let mixed = format!(
            "<t:RequestSecurityTokenResponseCollection {T13}><u:RequestSecurityTokenResponse \
             xmlns:u='http://schemas.xmlsoap.org/ws/2005/02/trust'/></t:RequestSecurityTokenResponseCollection>"
        );
        assert_eq!(code(&mixed), Err("HST-WSFED-RSTR"));
    }

    #[test]
    fn sm_27_what_is_written_is_read() {
        for version in [TrustVersion::Feb2005, TrustVersion::V13] {
            let new = NewTokenResponse {
                version,
                created: "2030-01-01T00:00:00Z".parse().unwrap(),
                expires: "2030-01-01T01:00:00Z".parse().unwrap(),
                applies_to: "https://rp/?a&b",
                token_version: Version::Saml20,
                token: "<token a=\"b\"></token>",
            };
            let document = Document::parse(new.write().unwrap(), &ParseOptions::default()).unwrap();
            let read = TokenResponse::read(document.root()).unwrap();
            assert_eq!(read.version, version);
            assert_eq!(read.token.source(), new.token);
            assert_eq!(read.applies_to.as_deref(), Some("https://rp/?a&b"));
            assert_eq!(read.token_type.as_deref(), Some("urn:oasis:names:tc:SAML:2.0:assertion"));
        }
    }
}
