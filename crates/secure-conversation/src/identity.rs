//! Who a caller is, as a claims identity: from the credential of the bootstrap (SC 10.3).
//!
//! Names are those of WCF's primary identity. There is no native logon behind any of them (SC 10.6).

use handstamp_claims::{Claim, ClaimsIdentity, authentication_methods, authentication_types, claim_types, value_types};
use handstamp_keys::Certificate;

/// A name whose password was validated.
pub(crate) fn of_user_name(name: &str) -> ClaimsIdentity {
    ClaimsIdentity::new(authentication_types::PASSWORD)
        .with_claim(Claim::new(claim_types::NAME, name.to_owned()))
        .with_claim(Claim::new(claim_types::AUTHENTICATION_METHOD, authentication_methods::PASSWORD))
}

/// The holder of a certificate's key. The name is the subject and the thumbprint, as WCF has it.
pub(crate) fn of_certificate(certificate: &Certificate) -> ClaimsIdentity {
    let subject = certificate.subject().to_string();
    let mut name = format!("{}; ", certificate.subject().spaced());
    let digits = certificate.sha1_thumbprint().iter().flat_map(|octet| [octet >> 4, octet & 15]);
    name.extend(digits.filter_map(|digit| char::from_digit(digit.into(), 16)).map(|digit| digit.to_ascii_uppercase()));
    let thumbprint = base64_simd::STANDARD.encode_to_string(certificate.sha1_thumbprint());
    ClaimsIdentity::new(authentication_types::X509)
        .with_claim(Claim::new(claim_types::NAME, name))
        .with_claim(Claim::new(claim_types::THUMBPRINT, thumbprint).with_value_type(value_types::BASE64_BINARY))
        .with_claim(Claim::new(claim_types::X500_DISTINGUISHED_NAME, subject).with_value_type(value_types::X500_NAME))
        .with_claim(Claim::new(claim_types::SERIAL_NUMBER, certificate.serial_decimal().to_owned()))
        .with_claim(Claim::new(claim_types::AUTHENTICATION_METHOD, authentication_methods::X509))
}
