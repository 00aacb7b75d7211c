//! Which claims a relying party receives.

use super::Account;
use handstamp_claims::{ArcStr, Claim};

/// One rule of a relying party. Rules apply in order; what no rule names stays here.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClaimRule {
    /// Passes on every claim of one type.
    Release {
        /// The type as the account has it.
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

    fn apply(&self, account: &Account, issuer: &ArcStr, issued: &mut Vec<Claim>) {
        match self {
            Self::Release { claim_type, issued_as, values } => {
                let released = account
                    .all_claims(issuer)
                    .filter(|claim| claim.is(claim_type) && (values.is_empty() || values.contains(claim.value())));
                issued.extend(released.map(|claim| match issued_as {
                    Some(name) => Claim::new(name.clone(), claim.value().clone()).with_issuer(issuer.clone()),
                    None => claim,
                }));
            }
            Self::Constant { claim_type, value } => {
                issued.push(Claim::new(claim_type.clone(), value.clone()).with_issuer(issuer.clone()));
            }
            Self::ReleaseAll => issued.extend(account.all_claims(issuer)),
        }
    }
}

/// The claims about `account` that the rules let out, without repetitions, as claims of `issuer`.
pub fn issue_claims(rules: &[ClaimRule], account: &Account, issuer: &ArcStr) -> Vec<Claim> {
    let mut issued = Vec::new();
    rules.iter().for_each(|rule| rule.apply(account, issuer, &mut issued));
    let mut unique: Vec<Claim> = Vec::with_capacity(issued.len());
    for claim in issued {
        if !unique.iter().any(|other| other.is(claim.claim_type()) && other.value() == claim.value()) {
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
        let account = Account {
            user_name: "alice".into(),
            subject: "subject-1".into(),
            claims: vec![
                ("urn:email".into(), "alice@example.com".into()),
                ("urn:role".into(), "Clerk".into()),
                ("urn:role".into(), "Auditor".into()),
            ],
            enabled: true,
            epoch: 0,
        };
        let claims = issue_claims(rules, &account, &"urn:sts".into());
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
