//! From an identity to an assertion (SM §3.7.1, the other way).

use crate::{
    Assertion, Attribute, AttributeValue, AuthenticationStatement, ClaimFault, Conditions, Error, NameId, Subject,
    SubjectConfirmation, SubjectConfirmationData, Version, authentication_method,
};
use handstamp_claims::{Claim, ClaimsIdentity, DEFAULT_ISSUER, claim_properties, claim_types, value_types};
use handstamp_keys::{Certificate, PublicKey, SecureRandom};
use handstamp_time::Timestamp;
use handstamp_xml::names;

/// What an assertion says besides the claims.
#[derive(Clone, Debug)]
pub struct TokenDescriptor {
    /// The version to write.
    pub version: Version,
    /// Who says so.
    pub issuer: String,
    /// For whom: the relying party's realm.
    pub audience: String,
    /// When it is made.
    pub issued_at: Timestamp,
    /// The start of its validity.
    pub not_before: Timestamp,
    /// The end of its validity.
    pub not_on_or_after: Timestamp,
    /// URL that it may be presented at (2.0). WIF's relying parties refuse assertions that have one; so none is the default to
    /// choose.
    pub recipient: Option<String>,
}

impl Assertion {
    /// An assertion about `identity`, for any bearer, with a random id.
    ///
    /// The name identifier claim becomes the subject, authentication method and instant become statements, an actor becomes a
    /// nested attribute; every other claim becomes a value of an attribute. Claims of one type, value type and origin
    /// share an attribute, so claims may come back in another order.
    ///
    /// # Errors
    /// [`Error::Unrepresentable`], or randomness fails.
    pub fn from_identity(
        identity: &ClaimsIdentity,
        descriptor: &TokenDescriptor,
        random: &dyn SecureRandom,
    ) -> Result<Self, Error> {
        let version = descriptor.version;
        let statements = Statements::of(identity, descriptor)?;
        let mut authentications = statements.authentications;
        if version == Version::Saml11 && authentications.is_empty() && statements.attributes.is_empty() {
            // The schema of 1.1 wants a statement, and this one claims least.
            authentications.push(authentication(
                Some(authentication_method::from_claim(
                    version,
                    &handstamp_claims::authentication_methods::UNSPECIFIED,
                )),
                descriptor.issued_at,
            ));
        }
        let data =
            SubjectConfirmationData { recipient: descriptor.recipient.clone(), ..SubjectConfirmationData::default() };
        let confirmation =
            SubjectConfirmation { method: version.bearer().to_owned(), data, ..SubjectConfirmation::default() };
        Ok(Self {
            version,
            id: random_id(random)?,
            issuer: NameId::new(descriptor.issuer.as_str()),
            issue_instant: descriptor.issued_at,
            subject: Some(Subject { name_id: statements.name_id, confirmations: vec![confirmation] }),
            conditions: Some(Conditions {
                not_before: Some(descriptor.not_before),
                not_on_or_after: Some(descriptor.not_on_or_after),
                audience_restrictions: vec![vec![descriptor.audience.clone()]],
                ..Conditions::default()
            }),
            attributes: statements.attributes,
            authentications,
        })
    }
}

impl Assertion {
    /// The same assertion for the holder of a key alone. `key_info` says which: see
    /// [`TokenEncryption::key_info`](crate::TokenEncryption::key_info) for a key that the issuer makes.
    #[must_use]
    pub fn for_holder_of_key(mut self, key_info: impl Into<String>) -> Self {
        let (method, key_info) = (self.version.holder_of_key(), key_info.into());
        for confirmation in self.subject.iter_mut().flat_map(|subject| &mut subject.confirmations) {
            (confirmation.method, confirmation.key_info) = (method.to_owned(), Some(key_info.clone()));
        }
        self
    }

    /// The same assertion for the holder of this certificate's key alone.
    #[must_use]
    pub fn for_holder_of_certificate(self, certificate: &Certificate) -> Self {
        self.for_holder_of_key(format!(
            "<KeyInfo xmlns=\"{}\"><X509Data><X509Certificate>{}</X509Certificate></X509Data></KeyInfo>",
            names::DSIG,
            certificate.to_base64()
        ))
    }

    /// The same assertion for the holder alone of the private key that goes with this RSA key.
    ///
    /// # Errors
    /// [`Error::Keys`] for a key that is no RSA key.
    pub fn for_holder_of_public_key(self, key: &PublicKey) -> Result<Self, Error> {
        let (modulus, exponent) = key.rsa_components().ok_or_else(|| {
            handstamp_keys::Error::UnusableKey("assertions name RSA keys, and others by a certificate".to_owned())
        })?;
        let base64 = |octets: &[u8]| base64_simd::STANDARD.encode_to_string(octets);
        Ok(self.for_holder_of_key(format!(
            "<KeyInfo xmlns=\"{}\"><KeyValue><RSAKeyValue><Modulus>{}</Modulus><Exponent>{}</Exponent></RSAKeyValue></KeyValue></KeyInfo>",
            names::DSIG,
            base64(modulus),
            base64(exponent)
        )))
    }
}

/// The claims of an identity, sorted into what SAML makes of them.
#[derive(Default)]
struct Statements {
    name_id: Option<NameId>,
    attributes: Vec<Attribute>,
    authentications: Vec<AuthenticationStatement>,
}

impl Statements {
    fn of(identity: &ClaimsIdentity, descriptor: &TokenDescriptor) -> Result<Self, Error> {
        let mut statements = Self::default();
        let mut methods = Vec::new();
        let mut instants = Vec::new();
        for claim in identity.claims() {
            check_characters(claim)?;
            if claim.is(&claim_types::NAME_IDENTIFIER) {
                if statements.name_id.replace(name_id(claim)).is_some() {
                    return Err(unrepresentable(claim, ClaimFault::SeveralNames));
                }
            } else if claim.is(&claim_types::AUTHENTICATION_METHOD) {
                methods.push(authentication_method::from_claim(descriptor.version, claim.value()));
            } else if claim.is(&claim_types::AUTHENTICATION_INSTANT) {
                instants.push(claim.value().parse().map_err(|_| unrepresentable(claim, ClaimFault::NotATime))?);
            } else {
                statements.add_attribute(claim, descriptor)?;
            }
        }
        let instant = |i: usize| instants.get(i).or(instants.last()).copied().unwrap_or(descriptor.issued_at);
        statements.authentications = (0..methods.len().max(instants.len()))
            .map(|i| authentication(methods.get(i).or(methods.last()).cloned(), instant(i)))
            .collect();
        if let Some(actor) = identity.actor() {
            statements.attributes.push(actor_attribute(actor, descriptor)?);
        }
        Ok(statements)
    }

    fn add_attribute(&mut self, claim: &Claim, descriptor: &TokenDescriptor) -> Result<(), Error> {
        let mut attribute = empty_attribute(claim, descriptor)?;
        let value_type = Some(claim.value_type().as_str()).filter(|uri| *uri != value_types::STRING.as_str());
        if value_type.is_some_and(|uri| uri.split_once('#').is_none_or(|(ns, name)| ns.is_empty() || !is_name(name))) {
            return Err(unrepresentable(claim, ClaimFault::ValueType));
        }
        let value = Some(AttributeValue { text: claim.value().to_string(), value_type: value_type.map(str::to_owned) });
        let same = |known: &&mut Attribute| {
            let known_type = known.values.first().and_then(|v| v.as_ref()).and_then(|v| v.value_type.as_deref());
            known.name == attribute.name
                && known.namespace == attribute.namespace
                && known.name_format == attribute.name_format
                && known.friendly_name == attribute.friendly_name
                && known.original_issuer == attribute.original_issuer
                && known_type == value_type
        };
        match self.attributes.iter_mut().find(same) {
            Some(known) => known.values.push(value),
            None => {
                attribute.values.push(value);
                self.attributes.push(attribute);
            }
        }
        Ok(())
    }
}

fn empty_attribute(claim: &Claim, descriptor: &TokenDescriptor) -> Result<Attribute, Error> {
    let (namespace, name) = match descriptor.version {
        Version::Saml20 => (None, claim.claim_type().as_str()),
        Version::Saml11 => match claim.claim_type().rsplit_once('/') {
            Some((namespace, name)) if !namespace.is_empty() && !name.is_empty() => (Some(namespace.to_owned()), name),
            _ => return Err(unrepresentable(claim, ClaimFault::NotNamespaceAndName)),
        },
    };
    if name.is_empty() {
        return Err(unrepresentable(claim, ClaimFault::NotNamespaceAndName));
    }
    let original = claim.original_issuer();
    let passed_on = *original != DEFAULT_ISSUER && original != descriptor.issuer.as_str();
    let property = |name: &str| match descriptor.version {
        Version::Saml11 => None,
        Version::Saml20 => claim.properties().get(name).map(ToString::to_string),
    };
    Ok(Attribute {
        name: name.to_owned(),
        namespace,
        name_format: property(&claim_properties::NAME_FORMAT),
        friendly_name: property(&claim_properties::FRIENDLY_NAME),
        original_issuer: passed_on.then(|| original.to_string()),
        values: Vec::new(),
    })
}

/// The actor's claims as attributes, all of them, in one value of markup.
fn actor_attribute(actor: &ClaimsIdentity, descriptor: &TokenDescriptor) -> Result<Attribute, Error> {
    let mut nested = Statements::default();
    for claim in actor.claims() {
        check_characters(claim)?;
        nested.add_attribute(claim, descriptor)?;
    }
    if let Some(next) = actor.actor() {
        nested.attributes.push(actor_attribute(next, descriptor)?);
    }
    let claim = Claim::new(claim_types::ACTOR, "");
    let mut attribute = empty_attribute(&claim, descriptor)?;
    let markup = crate::write::actor_markup(&nested.attributes, descriptor.version)?;
    attribute.values.push(Some(AttributeValue::new(markup)));
    Ok(attribute)
}

fn name_id(claim: &Claim) -> NameId {
    let property = |name: &str| claim.properties().get(name).map(ToString::to_string);
    NameId {
        value: claim.value().to_string(),
        format: property(&claim_properties::NAME_IDENTIFIER_FORMAT),
        name_qualifier: property(&claim_properties::NAME_QUALIFIER),
        sp_name_qualifier: property(&claim_properties::SP_NAME_QUALIFIER),
        sp_provided_id: property(&claim_properties::SP_PROVIDED_ID),
    }
}

fn authentication(method: Option<String>, instant: Timestamp) -> AuthenticationStatement {
    AuthenticationStatement {
        method,
        instant,
        session_index: None,
        session_not_on_or_after: None,
        address: None,
        dns_name: None,
    }
}

/// `_` and 32 hexadecimal digits: an XML name of 128 random bits.
fn random_id(random: &dyn SecureRandom) -> Result<String, Error> {
    let mut bytes = [0; 16];
    random.fill(&mut bytes)?;
    Ok(format!("_{:032x}", u128::from_be_bytes(bytes)))
}

fn check_characters(claim: &Claim) -> Result<(), Error> {
    let properties = claim.properties().iter().map(|(_, value)| value);
    let texts = [claim.claim_type(), claim.value(), claim.value_type(), claim.original_issuer()].into_iter();
    let allowed =
        |c: char| matches!(c, '\t' | '\n' | '\r' | ' '..='\u{D7FF}' | '\u{E000}'..='\u{FFFD}' | '\u{10000}'..);
    match texts.chain(properties).all(|text| text.chars().all(allowed)) {
        true => Ok(()),
        false => Err(unrepresentable(claim, ClaimFault::Character)),
    }
}

/// Whether a text can follow the colon of a qualified name. ASCII is enough for every type there is.
fn is_name(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'))
        && text.bytes().next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_')
}

fn unrepresentable(claim: &Claim, problem: ClaimFault) -> Error {
    Error::Unrepresentable { claim_type: claim.claim_type().as_str().into(), problem }
}
