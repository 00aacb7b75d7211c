//! One statement about a subject.

use crate::{ArcStr, Properties, value_types};
use std::fmt;

/// The issuer of a claim that names none: `LOCAL AUTHORITY`.
pub const DEFAULT_ISSUER: ArcStr = arcstr::literal!("LOCAL AUTHORITY");

/// One statement that an issuer makes about a subject (ST §1.4).
///
/// Type and value are always present and may be empty. The value type defaults to `xs:string`, the issuer to
/// [`DEFAULT_ISSUER`], the original issuer to the issuer. Two claims are equal when every field and every property
/// is. The text form is `type: value`.
///
/// ```
/// use handstamp_claims::{Claim, claim_types, value_types};
///
/// let claim = Claim::new(claim_types::EMAIL, "alice@contoso.example").with_issuer("https://sts.contoso.example/trust");
/// assert_eq!(claim.value_type(), &value_types::STRING);
/// assert_eq!(claim.original_issuer(), "https://sts.contoso.example/trust");
/// ```
#[derive(Clone, Debug)]
pub struct Claim {
    claim_type: ArcStr,
    value: ArcStr,
    value_type: ArcStr,
    issuer: ArcStr,
    original_issuer: Option<ArcStr>,
    properties: Properties,
}

impl Claim {
    /// A claim of value type `xs:string`, issued by [`DEFAULT_ISSUER`], without properties.
    pub fn new(claim_type: impl Into<ArcStr>, value: impl Into<ArcStr>) -> Self {
        Self {
            claim_type: claim_type.into(),
            value: value.into(),
            value_type: value_types::STRING,
            issuer: DEFAULT_ISSUER,
            original_issuer: None,
            properties: Properties::default(),
        }
    }

    /// Sets the value type: how to read the value, usually one of [`value_types`].
    #[must_use]
    pub fn with_value_type(mut self, value_type: impl Into<ArcStr>) -> Self {
        self.value_type = value_type.into();
        self
    }

    /// Sets the issuer; an empty one means [`DEFAULT_ISSUER`].
    #[must_use]
    pub fn with_issuer(mut self, issuer: impl Into<ArcStr>) -> Self {
        self.issuer = non_empty(issuer).unwrap_or(DEFAULT_ISSUER);
        self
    }

    /// Sets who issued the claim first, when the issuer only passes it on; an empty one means the issuer.
    #[must_use]
    pub fn with_original_issuer(mut self, original_issuer: impl Into<ArcStr>) -> Self {
        self.original_issuer = non_empty(original_issuer);
        self
    }

    /// Adds a property, or replaces the one of the same name.
    #[must_use]
    pub fn with_property(mut self, name: impl Into<ArcStr>, value: impl Into<ArcStr>) -> Self {
        self.properties.insert(name, value);
        self
    }

    /// The properties, to add or change: the only part of a claim that can change.
    pub fn properties_mut(&mut self) -> &mut Properties {
        &mut self.properties
    }

    /// What is stated: a URI, usually one of [`claim_types`](crate::claim_types).
    pub fn claim_type(&self) -> &ArcStr {
        &self.claim_type
    }

    /// The value as text.
    pub fn value(&self) -> &ArcStr {
        &self.value
    }

    /// How to read the value: a URI, usually one of [`value_types`].
    pub fn value_type(&self) -> &ArcStr {
        &self.value_type
    }

    /// Who states it. Never empty.
    pub fn issuer(&self) -> &ArcStr {
        &self.issuer
    }

    /// Who stated it first; the issuer unless another was set. Never empty.
    pub fn original_issuer(&self) -> &ArcStr {
        self.original_issuer.as_ref().unwrap_or(&self.issuer)
    }

    /// Remarks about the claim, such as the format of a name identifier.
    pub fn properties(&self) -> &Properties {
        &self.properties
    }

    /// Whether the claim is of this type, compared without ASCII case (ST §1.4).
    pub fn is(&self, claim_type: &str) -> bool {
        self.claim_type.as_str() == claim_type || self.claim_type.eq_ignore_ascii_case(claim_type)
    }
}

impl PartialEq for Claim {
    fn eq(&self, other: &Self) -> bool {
        self.claim_type == other.claim_type
            && self.value == other.value
            && self.value_type == other.value_type
            && self.issuer == other.issuer
            && self.original_issuer() == other.original_issuer()
            && self.properties == other.properties
    }
}

impl Eq for Claim {}

impl fmt::Display for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.claim_type, self.value)
    }
}

fn non_empty(text: impl Into<ArcStr>) -> Option<ArcStr> {
    Some(text.into()).filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_of_a_claim() {
        let claim = Claim::new("t", "");
        assert_eq!(claim.value(), "");
        assert_eq!(claim.value_type(), "http://www.w3.org/2001/XMLSchema#string");
        assert_eq!((claim.issuer().as_str(), claim.original_issuer().as_str()), ("LOCAL AUTHORITY", "LOCAL AUTHORITY"));
        assert_eq!(claim.to_string(), "t: ");
    }

    #[test]
    fn empty_issuers_mean_absent_ones() {
        let claim = Claim::new("t", "v").with_issuer("").with_original_issuer("");
        assert_eq!(claim, Claim::new("t", "v"));
        let claim = Claim::new("t", "v").with_original_issuer("").with_issuer("sts");
        assert_eq!(claim.original_issuer(), "sts");
    }

    #[test]
    fn an_original_issuer_that_is_the_issuer_makes_no_difference() {
        let implied = Claim::new("t", "v").with_issuer("sts");
        assert_eq!(implied, implied.clone().with_original_issuer("sts"));
        assert_ne!(implied, implied.clone().with_original_issuer("other"));
    }

    #[test]
    fn equality_looks_at_every_field() {
        let claim = Claim::new("t", "v").with_property("p", "1");
        for other in [
            Claim::new("T", "v").with_property("p", "1"),
            Claim::new("t", "V").with_property("p", "1"),
            claim.clone().with_value_type("x"),
            claim.clone().with_issuer("sts").with_original_issuer("LOCAL AUTHORITY"),
            claim.clone().with_property("p", "2"),
            claim.clone().with_property("q", "1"),
            Claim::new("t", "v"),
        ] {
            assert_ne!(claim, other);
        }
    }

    #[test]
    fn types_are_compared_without_case_but_only_ascii() {
        assert!(Claim::new("HTTP://Name", "v").is("http://name"));
        assert!(!Claim::new("K\u{212a}", "v").is("kk"));
    }
}
