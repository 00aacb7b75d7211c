//! The frozen table of well-known texts.

use handstamp_claims::ArcStr;
use handstamp_claims::arcstr::literal;
use std::sync::LazyLock;

/// The text of an index.
pub(super) fn text(index: u64) -> Option<&'static ArcStr> {
    TEXTS.get(usize::try_from(index).ok()?)
}

/// The index of a text.
pub(super) fn index(text: &str) -> Option<u64> {
    let mut slot = hash(text);
    loop {
        let index = *INDEX.get(slot % SLOTS)?;
        if index == EMPTY {
            return None;
        }
        if TEXTS.get(usize::from(index))?.as_str() == text {
            return Some(u64::from(index));
        }
        slot += 1;
    }
}

/// Open addressing: at most a quarter of the slots is used, so a miss is found out after one or two looks.
static INDEX: LazyLock<[u8; SLOTS]> = LazyLock::new(|| {
    let mut slots = [EMPTY; SLOTS];
    for (index, text) in TEXTS.iter().enumerate() {
        let mut slot = hash(text);
        while slots[slot % SLOTS] != EMPTY {
            slot += 1;
        }
        slots[slot % SLOTS] = index as u8;
    }
    slots
});

/// Well-known texts differ in their length or their end.
fn hash(text: &str) -> usize {
    let tail =
        text.as_bytes().iter().rev().take(8).fold(text.len() as u64, |n, byte| n << 8 ^ n >> 56 ^ u64::from(*byte));
    (tail.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40) as usize
}

const SLOTS: usize = 1024;
const EMPTY: u8 = u8::MAX;

/// Frozen: the place of a text is its number in every token ever sealed. New texts go to the end; 255 is not used.
/// The first 24 take one byte each, the others two.
static TEXTS: [ArcStr; 137] = [
    literal!("http://schemas.xmlsoap.org/ws/2005/05/identity/claims/name"),
    literal!("http://schemas.xmlsoap.org/ws/2005/05/identity/claims/nameidentifier"),
    literal!("http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress"),
    literal!("http://schemas.xmlsoap.org/ws/2005/05/identity/claims/upn"),
    literal!("http://schemas.xmlsoap.org/ws/2005/05/identity/claims/givenname"),
    literal!("http://schemas.xmlsoap.org/ws/2005/05/identity/claims/surname"),
    literal!("http://schemas.microsoft.com/ws/2008/06/identity/claims/role"),
    literal!("http://schemas.microsoft.com/ws/2008/06/identity/claims/groups"),
    literal!("http://schemas.microsoft.com/ws/2008/06/identity/claims/authenticationmethod"),
    literal!("http://schemas.microsoft.com/ws/2008/06/identity/claims/authenticationinstant"),
    literal!("Federation"),
    literal!("http://schemas.microsoft.com/ws/2008/06/identity/authenticationmethod/password"),
    literal!("http://schemas.xmlsoap.org/claims/Group"),
    literal!("http://schemas.microsoft.com/ws/2008/06/identity/claims/groupsid"),
    literal!("http://schemas.microsoft.com/ws/2008/06/identity/claims/primarysid"),
    literal!("http://schemas.microsoft.com/ws/2008/06/identity/claims/windowsaccountname"),
    literal!("http://schemas.microsoft.com/identity/claims/objectidentifier"),
    literal!("http://schemas.microsoft.com/identity/claims/tenantid"),
    literal!("http://schemas.microsoft.com/identity/claims/displayname"),
    literal!("http://schemas.microsoft.com/identity/claims/identityprovider"),
    literal!("http://schemas.microsoft.com/claims/authnmethodsreferences"),
    literal!("http://www.w3.org/2001/XMLSchema#string"),
    literal!("http://www.w3.org/2001/XMLSchema#dateTime"),
    literal!("LOCAL AUTHORITY"),
    literal!("http://schemas.xmlsoap.org/ws/2009/09/identity/claims/actor"),
    literal!("http://schemas.microsoft.com/ws/2008/06/identity/claims/primarygroupsid"),
    literal!("http://schemas.microsoft.com/ws/2008/06/identity/claims/denyonlyprimarygroupsid"),
    literal!("http://schemas.microsoft.com/ws/2008/06/identity/claims/denyonlyprimarysid"),
    literal!("http://schemas.xmlsoap.org/ws/2005/05/identity/claims/denyonlysid"),
    literal!("http://schemas.microsoft.com/ws/2008/06/identity/claims/denyonlywindowsdevicegroup"),
    literal!("http://schemas.xmlsoap.org/ws/2005/05/identity/claims/sid"),
    literal!("http://schemas.microsoft.com/ws/2008/06/identity/claims/windowsdeviceclaim"),
    literal!("http://schemas.microsoft.com/ws/2008/06/identity/claims/windowsdevicegroup"),
    literal!("http://schemas.microsoft.com/ws/2008/06/identity/claims/windowsfqbnversion"),
    literal!("http://schemas.microsoft.com/ws/2008/06/identity/claims/windowssubauthority"),
    literal!("http://schemas.microsoft.com/ws/2008/06/identity/claims/windowsuserclaim"),
    literal!("http://schemas.xmlsoap.org/ws/2005/05/identity/claims/anonymous"),
    literal!("http://schemas.xmlsoap.org/ws/2005/05/identity/claims/authentication"),
    literal!("http://schemas.xmlsoap.org/ws/2005/05/identity/claims/authorizationdecision"),
    literal!("http://schemas.microsoft.com/ws/2008/06/identity/claims/confirmationkey"),
    literal!("http://schemas.microsoft.com/ws/2008/06/identity/claims/cookiepath"),
    literal!("http://schemas.xmlsoap.org/ws/2005/05/identity/claims/country"),
    literal!("http://schemas.xmlsoap.org/ws/2005/05/identity/claims/dateofbirth"),
    literal!("http://schemas.xmlsoap.org/ws/2005/05/identity/claims/dns"),
    literal!("http://schemas.microsoft.com/ws/2008/06/identity/claims/dsa"),
    literal!("http://schemas.microsoft.com/ws/2008/06/identity/claims/expiration"),
    literal!("http://schemas.microsoft.com/ws/2008/06/identity/claims/expired"),
    literal!("http://schemas.xmlsoap.org/ws/2005/05/identity/claims/gender"),
    literal!("http://schemas.xmlsoap.org/ws/2005/05/identity/claims/hash"),
    literal!("http://schemas.xmlsoap.org/ws/2005/05/identity/claims/homephone"),
    literal!("http://schemas.microsoft.com/ws/2008/06/identity/claims/ispersistent"),
    literal!("http://schemas.xmlsoap.org/ws/2005/05/identity/claims/locality"),
    literal!("http://schemas.xmlsoap.org/ws/2005/05/identity/claims/mobilephone"),
    literal!("http://schemas.xmlsoap.org/ws/2005/05/identity/claims/otherphone"),
    literal!("http://schemas.xmlsoap.org/ws/2005/05/identity/claims/postalcode"),
    literal!("http://schemas.xmlsoap.org/ws/2005/05/identity/claims/privatepersonalidentifier"),
    literal!("http://schemas.xmlsoap.org/ws/2005/05/identity/claims/rsa"),
    literal!("http://schemas.microsoft.com/ws/2008/06/identity/claims/serialnumber"),
    literal!("http://schemas.xmlsoap.org/ws/2005/05/identity/claims/spn"),
    literal!("http://schemas.xmlsoap.org/ws/2005/05/identity/claims/stateorprovince"),
    literal!("http://schemas.xmlsoap.org/ws/2005/05/identity/claims/streetaddress"),
    literal!("http://schemas.xmlsoap.org/ws/2005/05/identity/claims/system"),
    literal!("http://schemas.xmlsoap.org/ws/2005/05/identity/claims/thumbprint"),
    literal!("http://schemas.xmlsoap.org/ws/2005/05/identity/claims/uri"),
    literal!("http://schemas.microsoft.com/ws/2008/06/identity/claims/userdata"),
    literal!("http://schemas.microsoft.com/ws/2008/06/identity/claims/version"),
    literal!("http://schemas.xmlsoap.org/ws/2005/05/identity/claims/webpage"),
    literal!("http://schemas.xmlsoap.org/ws/2005/05/identity/claims/x500distinguishedname"),
    literal!("http://schemas.xmlsoap.org/claims/CommonName"),
    literal!("http://www.w3.org/2001/XMLSchema#base64Binary"),
    literal!("http://www.w3.org/2001/XMLSchema#base64Octet"),
    literal!("http://www.w3.org/2001/XMLSchema#boolean"),
    literal!("http://www.w3.org/2001/XMLSchema#date"),
    literal!("http://www.w3.org/2001/XMLSchema#double"),
    literal!("http://www.w3.org/2001/XMLSchema#fqbn"),
    literal!("http://www.w3.org/2001/XMLSchema#hexBinary"),
    literal!("http://www.w3.org/2001/XMLSchema#integer"),
    literal!("http://www.w3.org/2001/XMLSchema#integer32"),
    literal!("http://www.w3.org/2001/XMLSchema#integer64"),
    literal!("http://www.w3.org/2001/XMLSchema#sid"),
    literal!("http://www.w3.org/2001/XMLSchema#time"),
    literal!("http://www.w3.org/2001/XMLSchema#uinteger32"),
    literal!("http://www.w3.org/2001/XMLSchema#uinteger64"),
    literal!("http://schemas.xmlsoap.org/claims/dns"),
    literal!("http://schemas.xmlsoap.org/claims/UPN"),
    literal!("http://www.w3.org/2000/09/xmldsig#DSAKeyValue"),
    literal!("http://www.w3.org/2000/09/xmldsig#KeyInfo"),
    literal!("http://www.w3.org/2000/09/xmldsig#RSAKeyValue"),
    literal!("http://www.w3.org/TR/2002/WD-xquery-operators-20020816#dayTimeDuration"),
    literal!("http://www.w3.org/TR/2002/WD-xquery-operators-20020816#yearMonthDuration"),
    literal!("urn:oasis:names:tc:xacml:1.0:data-type:rfc822Name"),
    literal!("urn:oasis:names:tc:xacml:1.0:data-type:x500Name"),
    literal!("http://schemas.microsoft.com/ws/2008/06/identity/authenticationmethod/hardwaretoken"),
    literal!("http://schemas.microsoft.com/ws/2008/06/identity/authenticationmethod/kerberos"),
    literal!("http://schemas.microsoft.com/ws/2008/06/identity/authenticationmethod/pgp"),
    literal!("http://schemas.microsoft.com/ws/2008/06/identity/authenticationmethod/secureremotepassword"),
    literal!("http://schemas.microsoft.com/ws/2008/06/identity/authenticationmethod/signature"),
    literal!("http://schemas.microsoft.com/ws/2008/06/identity/authenticationmethod/smartcard"),
    literal!("http://schemas.microsoft.com/ws/2008/06/identity/authenticationmethod/smartcardpki"),
    literal!("http://schemas.microsoft.com/ws/2008/06/identity/authenticationmethod/spki"),
    literal!("http://schemas.microsoft.com/ws/2008/06/identity/authenticationmethod/tlsclient"),
    literal!("http://schemas.microsoft.com/ws/2008/06/identity/authenticationmethod/unspecified"),
    literal!("http://schemas.microsoft.com/ws/2008/06/identity/authenticationmethod/windows"),
    literal!("http://schemas.microsoft.com/ws/2008/06/identity/authenticationmethod/x509"),
    literal!("http://schemas.microsoft.com/ws/2008/06/identity/authenticationmethod/xkms"),
    literal!("Password"),
    literal!("X509"),
    literal!("Windows"),
    literal!("Kerberos"),
    literal!("Negotiate"),
    literal!("Basic"),
    literal!("Signature"),
    literal!("http://schemas.xmlsoap.org/ws/2005/05/identity/claimproperties/attributename"),
    literal!("http://schemas.xmlsoap.org/ws/2005/05/identity/claimproperties/displayname"),
    literal!("http://schemas.xmlsoap.org/ws/2005/05/identity/claimproperties/format"),
    literal!("http://schemas.xmlsoap.org/ws/2005/05/identity/claimproperties/namequalifier"),
    literal!("http://schemas.xmlsoap.org/ws/2005/05/identity/claimproperties/spnamequalifier"),
    literal!("http://schemas.xmlsoap.org/ws/2005/05/identity/claimproperties/spprovidedid"),
    literal!("urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified"),
    literal!("urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress"),
    literal!("urn:oasis:names:tc:SAML:1.1:nameid-format:X509SubjectName"),
    literal!("urn:oasis:names:tc:SAML:1.1:nameid-format:WindowsDomainQualifiedName"),
    literal!("urn:oasis:names:tc:SAML:2.0:nameid-format:kerberos"),
    literal!("urn:oasis:names:tc:SAML:2.0:nameid-format:entity"),
    literal!("urn:oasis:names:tc:SAML:2.0:nameid-format:persistent"),
    literal!("urn:oasis:names:tc:SAML:2.0:nameid-format:transient"),
    literal!("urn:oasis:names:tc:SAML:2.0:attrname-format:unspecified"),
    literal!("urn:oasis:names:tc:SAML:2.0:attrname-format:uri"),
    literal!("urn:oasis:names:tc:SAML:2.0:attrname-format:basic"),
    literal!("urn:oasis:names:tc:SAML:2.0:ac:classes:Password"),
    literal!("urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport"),
    literal!("urn:oasis:names:tc:SAML:2.0:ac:classes:X509"),
    literal!("urn:oasis:names:tc:SAML:2.0:ac:classes:TLSClient"),
    literal!("urn:oasis:names:tc:SAML:2.0:ac:classes:Kerberos"),
    literal!("urn:federation:authentication:windows"),
    literal!("true"),
    literal!("false"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use handstamp_claims::{authentication_methods, authentication_types, claim_types, value_types};

    #[test]
    fn every_text_has_one_index_and_back() {
        for (n, entry) in TEXTS.iter().enumerate() {
            assert_eq!(index(entry), Some(n as u64), "{entry} appears twice");
            assert_eq!(text(n as u64), Some(entry));
        }
        assert_eq!(text(TEXTS.len() as u64), None);
        for unknown in ["", "alice", "urn:other", "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/Name"] {
            assert_eq!(index(unknown), None);
        }
    }

    #[test]
    fn the_table_is_frozen() {
        for (n, entry) in [
            (0, &claim_types::NAME),
            (6, &claim_types::ROLE),
            (9, &claim_types::AUTHENTICATION_INSTANT),
            (10, &authentication_types::FEDERATION),
            (11, &authentication_methods::PASSWORD),
            (22, &value_types::DATE_TIME),
        ] {
            assert_eq!(text(n), Some(entry));
        }
        let all = TEXTS.iter().map(ArcStr::as_str).collect::<Vec<_>>().join("\n");
        let digest = handstamp_keys::sha256(all.as_bytes());
        assert_eq!((TEXTS.len(), digest[..4].to_vec()), (137, vec![0x96, 0x8a, 0x7a, 0xc0]), "append, never change");
    }

    #[test]
    fn every_well_known_name_is_in_the_table() {
        for name in [claim_types::X500_DISTINGUISHED_NAME, value_types::X500_NAME, authentication_methods::XKMS] {
            assert!(index(&name).is_some(), "{name}");
        }
    }
}
