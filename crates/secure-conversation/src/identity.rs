//! Who a caller is, as a claims identity: from the credential of the bootstrap (SC 10.3).
//!
//! Names are those of WCF's primary identity. There is no native logon behind any of them (SC 10.6).

use handstamp_claims::{
    Claim, ClaimsIdentity, DEFAULT_ISSUER, authentication_methods, authentication_types, claim_types, value_types,
};
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

/// Whether two credentials say that it is the same caller: whoever renews a session has to be the one who opened it (SC 4.3).
///
/// A token obtained anew has another time of sign-in, and perhaps other attributes: its subject is what counts. Any
/// other credential has to say the very same.
pub(crate) fn is_same_caller(first: &ClaimsIdentity, second: &ClaimsIdentity) -> bool {
    first == second || is_same_subject(first, second)
}

fn is_same_subject(first: &ClaimsIdentity, second: &ClaimsIdentity) -> bool {
    let named = subject(first);
    !named.is_empty()
        && named == subject(second)
        && first.authentication_type() == second.authentication_type()
        && match (first.actor(), second.actor()) {
            (None, None) => true,
            (Some(first), Some(second)) => is_same_caller(first, second),
            _ => false,
        }
}

/// What a token service calls its subject: the name identifiers with their issuer and qualifiers, in a token without any the
/// names. Empty when it says neither.
fn subject(identity: &ClaimsIdentity) -> Vec<&Claim> {
    let issued = |claim_type: &str| -> Vec<&Claim> {
        let claims = identity.claims().iter();
        claims.filter(|claim| claim.is(claim_type) && *claim.issuer() != DEFAULT_ISSUER).collect()
    };
    let identifiers = issued(&claim_types::NAME_IDENTIFIER);
    if identifiers.is_empty() { issued(identity.name_claim_type()) } else { identifiers }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn issued(claims: &[(&str, &str)]) -> ClaimsIdentity {
        let claim = |(claim_type, value): &(&str, &str)| Claim::new(*claim_type, *value).with_issuer("contoso");
        ClaimsIdentity::new(authentication_types::FEDERATION).with_claims(claims.iter().map(claim))
    }

    #[test]
    fn sc_39_the_subject_of_an_issuer_is_the_caller_whatever_else_its_token_says() {
        let (id, name, role) = (&*claim_types::NAME_IDENTIFIER, &*claim_types::NAME, &*claim_types::ROLE);
        let is_same = |first: &[_], second: &[_]| is_same_caller(&issued(first), &issued(second));
        assert!(is_same(&[(id, "7"), (name, "Alice")], &[(name, "Alice Ash"), (id, "7"), (role, "teller")]));
        assert!(is_same(&[(name, "alice"), (role, "teller")], &[(name, "alice")]));
        assert!(!is_same(&[(id, "7"), (name, "alice")], &[(id, "8"), (name, "alice")]));
        assert!(!is_same(&[(id, "7"), (name, "alice")], &[(name, "alice")]), "one of them says more");
        assert!(!is_same(&[(name, "alice")], &[(name, "bob")]));
        assert!(!is_same(&[(role, "teller")], &[(role, "teller"), (role, "auditor")]), "nobody is named");
        assert!(is_same(&[(role, "teller")], &[(role, "teller")]));
    }

    #[test]
    fn sc_39_issuers_qualifiers_and_actors_tell_subjects_of_the_same_name_apart() {
        let alice = || issued(&[(&claim_types::NAME_IDENTIFIER, "alice")]);
        let claim = || Claim::new(claim_types::NAME_IDENTIFIER, "alice").with_issuer("contoso");
        let with = |claim| ClaimsIdentity::new(authentication_types::FEDERATION).with_claim(claim);
        assert!(is_same_caller(&alice(), &with(claim())));
        assert!(!is_same_caller(&alice(), &with(claim().with_issuer("fabrikam"))));
        assert!(!is_same_caller(&alice(), &with(claim().with_property("urn:qualifier", "eu"))));
        let acting = |actor| alice().with_actor(actor).unwrap();
        let role = Claim::new(claim_types::ROLE, "teller").with_issuer("contoso");
        assert!(is_same_caller(&acting(alice()), &acting(alice().with_claim(role))));
        assert!(!is_same_caller(&acting(alice()), &alice()));
        assert!(!is_same_caller(&acting(alice()), &acting(issued(&[(&claim_types::NAME_IDENTIFIER, "bob")]))));
    }

    #[test]
    fn sc_39_what_no_token_service_said_has_to_be_the_same_in_all() {
        let alice = of_user_name("alice");
        assert!(is_same_caller(&alice, &of_user_name("alice")));
        assert!(!is_same_caller(&alice, &of_user_name("bob")));
        assert!(!is_same_caller(&alice, &of_user_name("alice").with_claim(Claim::new(claim_types::ROLE, "teller"))));
    }
}
