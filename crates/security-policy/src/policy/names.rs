//! The namespaces of policies, and the two dialects of WS-SecurityPolicy.

use handstamp_ws_security::Generation;
use handstamp_xml::names;

/// WS-Policy 1.2 and 1.5: what an expression may be written in.
pub(crate) const POLICY: [&str; 2] = [names::WSP, names::WSP_15];
/// WS-SecurityPolicy 1.1.
pub(crate) const SP_11: &str = "http://schemas.xmlsoap.org/ws/2005/07/securitypolicy";
/// WS-SecurityPolicy 1.2.
pub(crate) const SP_12: &str = names::WSSP_12;
/// What WS-SecurityPolicy 1.3 adds to 1.2.
pub(crate) const SP_13: &str = "http://docs.oasis-open.org/ws-sx/ws-securitypolicy/200802";
/// Microsoft's own security assertions.
pub(crate) const MSSP: &str = "http://schemas.microsoft.com/ws/2005/07/securitypolicy";
/// Algorithm suites that Apache CXF adds.
pub(crate) const CXF: &str = "http://cxf.apache.org/custom/security-policy";
/// `UsingAddressing` of WS-Addressing 1.0, and its attribute `Action`.
pub(crate) const WSAW: &str = "http://www.w3.org/2006/05/addressing/wsdl";
/// `Addressing` of the metadata specification, and its attribute `Action`.
pub(crate) const WSAM: &str = "http://www.w3.org/2007/05/addressing/metadata";
/// `UsingAddressing` of August 2004.
pub(crate) const WSAP: &str = "http://schemas.xmlsoap.org/ws/2004/08/addressing/policy";
/// MTOM, as WCF says it.
pub(crate) const WSOMA: &str = "http://schemas.xmlsoap.org/ws/2004/09/policy/optimizedmimeserialization";
/// MTOM, as the W3C says it.
pub(crate) const MTOM: &str = "http://www.w3.org/2007/08/soap12-mtom-policy";
/// .NET binary XML.
pub(crate) const BINARY: &str = "http://schemas.microsoft.com/ws/06/2004/mspolicy/netbinary1";
/// HTTP authentication.
pub(crate) const HTTP: &str = "http://schemas.microsoft.com/ws/06/2004/policy/http";

/// The generation that a namespace of WS-SecurityPolicy implies (SC 16.3).
pub(crate) fn generation(namespace: &str) -> Option<Generation> {
    match namespace {
        SP_11 => Some(Generation::February2005),
        SP_12 | SP_13 => Some(Generation::V13),
        _ => None,
    }
}

/// Whether this is a namespace of security assertions.
pub(crate) fn is_security(namespace: &str) -> bool {
    generation(namespace).is_some() || namespace == MSSP
}

/// Whether this is a namespace of WS-Policy.
pub(crate) fn is_policy(namespace: &str) -> bool {
    POLICY.contains(&namespace)
}
