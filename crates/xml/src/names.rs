//! Namespace names of the specifications this project speaks.
//!
//! The parser gives these namespaces fixed identifiers, so that elements of the WS-* family are told
//! apart by comparing small integers.

/// The namespace of the `xml` prefix.
pub const XML: &str = "http://www.w3.org/XML/1998/namespace";
/// The namespace of the `xmlns` prefix. It can never be declared.
pub const XMLNS: &str = "http://www.w3.org/2000/xmlns/";
/// XML Schema datatypes and structures.
pub const XSD: &str = "http://www.w3.org/2001/XMLSchema";
/// XML Schema attributes for instance documents (`xsi:type`, `xsi:nil`).
pub const XSI: &str = "http://www.w3.org/2001/XMLSchema-instance";
/// SOAP 1.1 envelope.
pub const SOAP11: &str = "http://schemas.xmlsoap.org/soap/envelope/";
/// SOAP 1.2 envelope.
pub const SOAP12: &str = "http://www.w3.org/2003/05/soap-envelope";
/// WS-Addressing 1.0.
pub const WSA: &str = "http://www.w3.org/2005/08/addressing";
/// WS-Addressing, member submission of August 2004.
pub const WSA_2004: &str = "http://schemas.xmlsoap.org/ws/2004/08/addressing";
/// WS-Security 1.0 and 1.1 extension elements.
pub const WSSE: &str = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd";
/// WS-Security 1.1 additions.
pub const WSSE11: &str = "http://docs.oasis-open.org/wss/oasis-wss-wssecurity-secext-1.1.xsd";
/// WS-Security utility elements and attributes (`wsu:Id`, `wsu:Timestamp`).
pub const WSU: &str = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd";
/// XML Signature.
pub const DSIG: &str = "http://www.w3.org/2000/09/xmldsig#";
/// XML Signature 1.1 additions.
pub const DSIG11: &str = "http://www.w3.org/2009/xmldsig11#";
/// Additional XML security algorithm identifiers (RFC 4051, RFC 9231).
pub const DSIG_MORE: &str = "http://www.w3.org/2001/04/xmldsig-more#";
/// XML Encryption.
pub const XENC: &str = "http://www.w3.org/2001/04/xmlenc#";
/// XML Encryption 1.1 additions.
pub const XENC11: &str = "http://www.w3.org/2009/xmlenc11#";
/// Exclusive XML Canonicalization (`InclusiveNamespaces`); also the algorithm's identifier.
pub const EXC_C14N: &str = "http://www.w3.org/2001/10/xml-exc-c14n#";
/// WS-SecureConversation, February 2005.
pub const WSC_2005: &str = "http://schemas.xmlsoap.org/ws/2005/02/sc";
/// WS-SecureConversation 1.3 and 1.4.
pub const WSC_13: &str = "http://docs.oasis-open.org/ws-sx/ws-secureconversation/200512";
/// WS-Trust, February 2005.
pub const WST_2005: &str = "http://schemas.xmlsoap.org/ws/2005/02/trust";
/// WS-Trust 1.3.
pub const WST_13: &str = "http://docs.oasis-open.org/ws-sx/ws-trust/200512";
/// WS-Trust 1.4 additions.
pub const WST_14: &str = "http://docs.oasis-open.org/ws-sx/ws-trust/200802";
/// WS-Policy 1.2 (`AppliesTo`).
pub const WSP: &str = "http://schemas.xmlsoap.org/ws/2004/09/policy";
/// WS-Policy 1.5.
pub const WSP_15: &str = "http://www.w3.org/ns/ws-policy";
/// WS-SecurityPolicy 1.2 and 1.3.
pub const WSSP_12: &str = "http://docs.oasis-open.org/ws-sx/ws-securitypolicy/200702";
/// WS-Federation 1.2.
pub const WSFED: &str = "http://docs.oasis-open.org/wsfed/federation/200706";
/// WS-Federation authorization (claim type descriptions).
pub const WSFED_AUTH: &str = "http://docs.oasis-open.org/wsfed/authorization/200706";
/// SAML 1.0 and 1.1 assertions.
pub const SAML11: &str = "urn:oasis:names:tc:SAML:1.0:assertion";
/// SAML 1.0 and 1.1 protocol.
pub const SAML11_PROTOCOL: &str = "urn:oasis:names:tc:SAML:1.0:protocol";
/// SAML 2.0 assertions.
pub const SAML20: &str = "urn:oasis:names:tc:SAML:2.0:assertion";
/// SAML 2.0 protocol.
pub const SAML20_PROTOCOL: &str = "urn:oasis:names:tc:SAML:2.0:protocol";
/// SAML 2.0 metadata (federation metadata documents).
pub const SAML20_METADATA: &str = "urn:oasis:names:tc:SAML:2.0:metadata";
/// WS-Identity 2005 (claims dialect).
pub const WSID: &str = "http://schemas.xmlsoap.org/ws/2005/05/identity";
/// The namespace WCF uses for the cookie of a stateful security context token.
pub const WCF_SECURITY: &str = "http://schemas.microsoft.com/ws/2006/05/security";

/// Every namespace with a fixed identifier; the identifier is the position. The empty string, "no
/// namespace", comes first, then the two that the Namespaces recommendation reserves.
pub(crate) const KNOWN: [&str; 36] = [
    "",
    XML,
    XMLNS,
    WSU,
    WSSE,
    WSSE11,
    DSIG,
    XENC,
    SOAP11,
    SOAP12,
    WSA,
    WSA_2004,
    DSIG11,
    DSIG_MORE,
    XENC11,
    EXC_C14N,
    WSC_2005,
    WSC_13,
    WST_2005,
    WST_13,
    WST_14,
    WSP,
    WSP_15,
    WSSP_12,
    WSFED,
    WSFED_AUTH,
    SAML11,
    SAML11_PROTOCOL,
    SAML20,
    SAML20_PROTOCOL,
    SAML20_METADATA,
    WSID,
    WCF_SECURITY,
    XSD,
    XSI,
    "http://schemas.xmlsoap.org/ws/2004/09/mex",
];
