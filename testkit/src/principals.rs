//! People who sign in.

use handstamp_claims::{Claim, ClaimsIdentity, authentication_methods, claim_types, value_types};

/// Who vouches for [`alice`].
pub const ISSUER: &str = "https://sts.contoso.example/trust";

/// Somebody with the twelve claims that the size and the speed of session tokens are measured with: name, email address,
/// UPN, a name identifier of 44 characters, four roles, two group ids, authentication method and instant.
pub fn alice() -> ClaimsIdentity {
    let claim = |claim_type, value: &str| Claim::new(claim_type, value).with_issuer(ISSUER);
    ClaimsIdentity::new("Federation").with_claims([
        claim(claim_types::NAME, "Alice Anderson"),
        claim(claim_types::EMAIL, "alice@contoso.example"),
        claim(claim_types::UPN, "alice@contoso.example"),
        claim(claim_types::NAME_IDENTIFIER, "3q2+7wABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhs="),
        claim(claim_types::ROLE, "Order Clerk"),
        claim(claim_types::ROLE, "Warehouse Manager"),
        claim(claim_types::ROLE, "Approver"),
        claim(claim_types::ROLE, "Auditor"),
        claim(claim_types::GROUPS, "3f2504e0-4f89-41d3-9a0c-0305e82c3301"),
        claim(claim_types::GROUPS, "b7e1a2c4-0d3f-4c56-8e9a-1f2b3c4d5e6f"),
        claim(claim_types::AUTHENTICATION_METHOD, &authentication_methods::PASSWORD),
        claim(claim_types::AUTHENTICATION_INSTANT, "2030-01-01T08:59:58.417Z").with_value_type(value_types::DATE_TIME),
    ])
}
