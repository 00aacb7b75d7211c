//! The words of the state, which never travel (ST §2.9).

use handstamp_xml::binary::StaticDictionary;

/// Element and attribute names of the state: string number `n` is `2 * n` on the wire. Frozen.
pub static SCT_STATE_DICTIONARY: StaticDictionary = StaticDictionary::new(STRINGS);

const STRINGS: &[&str] = &[
    "SecurityContextSecurityToken",
    "Version",
    "ContextId",
    "Id",
    "Key",
    "IsCookieMode",
    "ServiceContractId",
    "EffectiveTime",
    "ExpiryTime",
    "KeyGeneration",
    "KeyEffectiveTime",
    "KeyExpiryTime",
    "Claim",
    "ClaimSets",
    "ClaimSet",
    "Identities",
    "PrimaryIdentity",
    "PrimaryIssuer",
    "X509CertificateClaimSet",
    "SystemClaimSet",
    "WindowsClaimSet",
    "AnonymousClaimSet",
    "BinaryClaim",
    "DnsClaim",
    "GenericIdentity",
    "AuthenticationType",
    "Right",
    "HashClaim",
    "MailAddressClaim",
    "NameClaim",
    "RsaClaim",
    "SpnClaim",
    "SystemClaim",
    "UpnClaim",
    "UrlClaim",
    "WindowsSidClaim",
    "DenyOnlySidClaim",
    "WindowsSidIdentity",
    "X500DistinguishedClaim",
    "X509ThumbprintClaim",
    "Name",
    "Sid",
    "Value",
    "Null",
    "GenericXmlSecurityToken",
    "TokenType",
    "InternalTokenReference",
    "ExternalTokenReference",
    "TokenXml",
    "",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn st_43_the_dictionary_is_the_golden_one() {
        let vectors = handstamp_testkit::vectors::load("sct_cookie");
        let golden = vectors["sctClaimDictionary"].as_array().unwrap();
        assert_eq!(golden.len(), STRINGS.len());
        for (ours, golden) in STRINGS.iter().zip(golden) {
            assert_eq!(Some(*ours), golden.as_str());
        }
    }
}
