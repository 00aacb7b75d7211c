//! Which claims go further: from the token service to a relying party, and from an issuer's token into a session.

use handstamp_claims::{ArcStr, Claim};

/// One rule. Rules apply in order; what no rule names goes no further.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClaimRule {
    /// Passes on every claim of one type.
    Release {
        /// The type as it comes.
        claim_type: ArcStr,
        /// The type under which it is issued, when another.
        issued_as: Option<ArcStr>,
        /// Only these values; all when empty.
        values: Vec<ArcStr>,
    },
    /// States the same of every user.
    Constant {
        /// The type of the claim.
        claim_type: ArcStr,
        /// Its value.
        value: ArcStr,
    },
    /// Passes on everything.
    ReleaseAll,
}

impl ClaimRule {
    /// Passes on every claim of `claim_type`.
    pub fn release(claim_type: impl Into<ArcStr>) -> Self {
        Self::Release { claim_type: claim_type.into(), issued_as: None, values: Vec::new() }
    }

    fn apply(&self, claims: &[Claim], issuer: &ArcStr, released: &mut Vec<Claim>) {
        match self {
            Self::Release { claim_type, issued_as, values } => {
                let wanted = claims
                    .iter()
                    .filter(|claim| claim.is(claim_type) && (values.is_empty() || values.contains(claim.value())));
                released.extend(wanted.map(|claim| {
                    match issued_as {
                        Some(name) => Claim::new(name.clone(), claim.value().clone())
                            .with_value_type(claim.value_type().clone())
                            .with_issuer(claim.issuer().clone())
                            .with_original_issuer(claim.original_issuer().clone()),
                        None => claim.clone(),
                    }
                }));
            }
            Self::Constant { claim_type, value } => {
                released.push(Claim::new(claim_type.clone(), value.clone()).with_issuer(issuer.clone()));
            }
            Self::ReleaseAll => released.extend_from_slice(claims),
        }
    }
}

/// What the rules make of `claims`, without repetitions. Constants are claims of `issuer`.
pub fn release_claims(rules: &[ClaimRule], claims: &[Claim], issuer: &ArcStr) -> Vec<Claim> {
    let mut released = Vec::new();
    rules.iter().for_each(|rule| rule.apply(claims, issuer, &mut released));
    let mut unique: Vec<Claim> = Vec::with_capacity(released.len());
    for claim in released {
        let same = |other: &Claim| {
            other.is(claim.claim_type()) && other.value() == claim.value() && other.issuer() == claim.issuer()
        };
        if !unique.iter().any(same) {
            unique.push(claim);
        }
    }
    unique
}

#[cfg(test)]
mod tests {
    use super::*;
    use handstamp_claims::claim_types;

    #[test]
    fn what_no_rule_names_stays_here() {
        assert!(issued(&[]).is_empty());
        assert_eq!(issued(&[ClaimRule::release("urn:email")]), [("urn:email", "alice@example.com")]);
        assert!(issued(&[ClaimRule::release("urn:salary")]).is_empty());
    }

    #[test]
    fn rules_filter_rename_and_add_in_their_order() {
        let rules = [
            ClaimRule::Constant { claim_type: "urn:tenant".into(), value: "north".into() },
            ClaimRule::Release {
                claim_type: "urn:role".into(),
                issued_as: Some("urn:group".into()),
                values: vec!["Auditor".into()],
            },
            ClaimRule::release(claim_types::NAME),
        ];
        assert_eq!(
            issued(&rules),
            [("urn:tenant", "north"), ("urn:group", "Auditor"), (claim_types::NAME.as_str(), "alice")]
        );
    }

    #[test]
    fn a_claim_named_twice_is_issued_once() {
        let rules = [ClaimRule::release("urn:email"), ClaimRule::ReleaseAll, ClaimRule::release("URN:EMAIL")];
        let claims = issued(&rules);
        assert_eq!(claims.iter().filter(|(claim_type, _)| *claim_type == "urn:email").count(), 1);
        assert_eq!(claims.len(), 5, "name identifier, name and the three stored claims");
    }

    fn issued(rules: &[ClaimRule]) -> Vec<(&'static str, &'static str)> {
        let all = [
            (claim_types::NAME_IDENTIFIER, "subject-1"),
            (claim_types::NAME, "alice"),
            ("urn:email".into(), "alice@example.com"),
            ("urn:role".into(), "Clerk"),
            ("urn:role".into(), "Auditor"),
        ];
        let all = all.map(|(claim_type, value)| Claim::new(claim_type, value).with_issuer("urn:sts"));
        let claims = release_claims(rules, &all, &"urn:sts".into());
        assert!(claims.iter().all(|claim| claim.issuer() == "urn:sts"));
        claims
            .iter()
            .map(|claim| {
                let leak = |text: &str| &*Box::leak(text.to_owned().into_boxed_str());
                (leak(claim.claim_type()), leak(claim.value()))
            })
            .collect()
    }
}
