//! From an assertion to an identity (SM §3.7.1).

use crate::read::attribute_content;
use crate::{Assertion, Attribute, AttributeFault, AttributeValue, Error, NameId, Version, authentication_method};
use handstamp_claims::{
    ArcStr, Claim, ClaimsIdentity, authentication_types, claim_properties, claim_types, value_types,
};
use handstamp_xml::{Document, ParseOptions};
use handstamp_xml_security::signature::VerifiedElement;

/// How claims are made of an assertion.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct MappingSettings {
    /// The claim type that the identity's name is read from.
    pub name_claim_type: ArcStr,
    /// The claim type that roles are read from.
    pub role_claim_type: ArcStr,
}

impl Default for MappingSettings {
    fn default() -> Self {
        Self { name_claim_type: claim_types::NAME, role_claim_type: claim_types::ROLE }
    }
}

impl Assertion {
    /// The identity that the assertion describes, every claim issued by `issuer`: the name under which the registry knows
    /// the signing certificate, not the text in the assertion.
    ///
    /// Order: the subject's name, attributes, authentication statements.
    ///
    /// # Errors
    /// [`Error::Attribute`].
    pub fn to_identity(&self, issuer: &str, settings: &MappingSettings) -> Result<ClaimsIdentity, Error> {
        let issuer = ArcStr::from(issuer);
        let mut identity = new_identity(settings);
        if let Some(name) = self.subject.as_ref().and_then(|subject| subject.name_id.as_ref()) {
            identity.add_claim(name_claim(name, &issuer));
        }
        let mapping = Mapping { version: self.version, issuer: &issuer, settings };
        mapping.add_attributes(&self.attributes, &mut identity, 0)?;
        for statement in &self.authentications {
            if let Some(method) = &statement.method {
                let value = authentication_method::to_claim(self.version, method);
                identity.add_claim(Claim::new(claim_types::AUTHENTICATION_METHOD, value).with_issuer(issuer.clone()));
            }
            let instant = statement.instant.milliseconds().to_string();
            identity.add_claim(
                Claim::new(claim_types::AUTHENTICATION_INSTANT, instant)
                    .with_value_type(value_types::DATE_TIME)
                    .with_issuer(issuer.clone()),
            );
        }
        Ok(identity)
    }
}

impl Attribute {
    /// The claim type: the name in 2.0; namespace, slash and name in 1.1.
    pub fn claim_type(&self) -> String {
        match self.namespace.as_deref() {
            None | Some("") => self.name.clone(),
            Some(namespace) if namespace.ends_with('/') => format!("{namespace}{}", self.name),
            Some(namespace) => format!("{namespace}/{}", self.name),
        }
    }
}

struct Mapping<'m> {
    version: Version,
    issuer: &'m ArcStr,
    settings: &'m MappingSettings,
}

impl Mapping<'_> {
    fn add_attributes(
        &self,
        attributes: &[Attribute],
        identity: &mut ClaimsIdentity,
        depth: usize,
    ) -> Result<(), Error> {
        for attribute in attributes {
            let claim_type = attribute.claim_type();
            if claim_type.eq_ignore_ascii_case(&claim_types::ACTOR) {
                self.add_actor(attribute, identity, depth)?;
                continue;
            }
            if self.version == Version::Saml11 && attribute.name == "NameIdentifier" {
                return Err(fault(attribute, AttributeFault::NameIdentifier));
            }
            let claim_type = ArcStr::from(claim_type);
            identity.add_claims(attribute.values.iter().flatten().map(|value| {
                let mut claim = Claim::new(claim_type.clone(), value.text.as_str()).with_issuer(self.issuer.clone());
                if let Some(value_type) = &value.value_type {
                    claim = claim.with_value_type(value_type.as_str());
                }
                if let Some(original) = &attribute.original_issuer {
                    claim = claim.with_original_issuer(original.as_str());
                }
                with_properties(
                    claim,
                    [
                        (claim_properties::NAME_FORMAT, &attribute.name_format),
                        (claim_properties::FRIENDLY_NAME, &attribute.friendly_name),
                    ],
                )
            }));
        }
        Ok(())
    }

    /// An actor is an attribute whose value is an `Actor` element that holds attributes, as text or as markup.
    fn add_actor(&self, attribute: &Attribute, identity: &mut ClaimsIdentity, depth: usize) -> Result<(), Error> {
        let mut values = attribute.values.iter().flatten();
        let (value, more) = (values.next(), values.next());
        if more.is_some() || identity.actor().is_some() {
            return Err(fault(attribute, AttributeFault::SeveralActors(self.version)));
        }
        if depth == ClaimsIdentity::MAX_ACTOR_DEPTH {
            return Err(fault(attribute, AttributeFault::ActorsTooDeep));
        }
        let Some(value) = value else { return Ok(()) };
        let nested = nested_attributes(value, self.version).ok_or(fault(attribute, AttributeFault::MalformedActor))?;
        let mut actor = new_identity(self.settings);
        for part in nested {
            if part.claim_type().eq_ignore_ascii_case(&claim_types::NAME_IDENTIFIER) {
                let names = part.values.iter().flatten().map(|value| NameId::new(value.text.as_str()));
                actor.add_claims(names.map(|name| name_claim(&name, self.issuer)));
            } else {
                self.add_attributes(std::slice::from_ref(&part), &mut actor, depth + 1)?;
            }
        }
        identity.set_actor(Some(actor)).map_err(|_| fault(attribute, AttributeFault::ActorsTooDeep))
    }
}

fn new_identity(settings: &MappingSettings) -> ClaimsIdentity {
    ClaimsIdentity::new(authentication_types::FEDERATION)
        .with_name_claim_type(settings.name_claim_type.clone())
        .with_role_claim_type(settings.role_claim_type.clone())
}

fn name_claim(name: &NameId, issuer: &ArcStr) -> Claim {
    let claim = Claim::new(claim_types::NAME_IDENTIFIER, name.value.as_str()).with_issuer(issuer.clone());
    with_properties(
        claim,
        [
            (claim_properties::NAME_IDENTIFIER_FORMAT, &name.format),
            (claim_properties::NAME_QUALIFIER, &name.name_qualifier),
            (claim_properties::SP_NAME_QUALIFIER, &name.sp_name_qualifier),
            (claim_properties::SP_PROVIDED_ID, &name.sp_provided_id),
        ],
    )
}

fn with_properties<const N: usize>(mut claim: Claim, properties: [(ArcStr, &Option<String>); N]) -> Claim {
    for (name, value) in properties {
        // An empty property could not be kept in a session token (ID4250).
        if let Some(value) = value.as_deref().filter(|value| !value.is_empty()) {
            claim = claim.with_property(name, value);
        }
    }
    claim
}

/// The attributes in an actor's value. They are as trustworthy as the value, which was read from verified content.
fn nested_attributes(value: &AttributeValue, version: Version) -> Option<Vec<Attribute>> {
    let document = Document::parse(value.text.as_str(), &ParseOptions::default()).ok()?;
    let actor = VerifiedElement::trusted_without_signature(document.root());
    if actor.local_name() != "Actor" {
        return None;
    }
    actor
        .children()
        .map(|child| match child.is(version.namespace(), "Attribute") {
            true => attribute_content(child, version).ok(),
            false => None,
        })
        .collect()
}

fn fault(attribute: &Attribute, fault: AttributeFault) -> Error {
    Error::Attribute { name: attribute.name.as_str().into(), fault }
}
