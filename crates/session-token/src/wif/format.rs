use super::transforms::CookieTransforms;
use super::{Error, OuterXml, Payload, PayloadPolicy, nrbf};
use crate::format::{Carrier, Expected, Opened, TextEncoding, TokenFormat};
use crate::{IssuerSession, Malformed, SessionSecurityToken, SessionTokenCacheKey};
use handstamp_keys::SecureRandom;
use handstamp_time::Timestamp;
use std::fmt;
use std::sync::Arc;

/// The format of WIF's session cookies, for the handler: shared with .NET Framework applications byte for byte.
///
/// Made with a [chain](CookieTransforms) that authenticates; there is no way to make one without. A cookie in this format
/// is bound to neither cookie name nor audience, because the original has no place for that: use keys that nothing else
/// uses.
#[derive(Debug, Clone)]
pub struct WifFormat {
    transforms: CookieTransforms,
    policy: PayloadPolicy,
    references: bool,
    issuer_sessions: Option<Arc<dyn IssuerSessionSource>>,
}

impl WifFormat {
    /// A format behind these transforms, which must be those of the .NET side, in its order.
    pub fn new(transforms: CookieTransforms) -> Self {
        Self { transforms, policy: PayloadPolicy::default(), references: false, issuer_sessions: None }
    }

    /// Reads payloads by another policy.
    #[must_use]
    pub fn with_policy(mut self, policy: PayloadPolicy) -> Self {
        self.policy = policy;
        self
    }

    /// Reads and writes references as the original does: **not authenticated**. Whoever learns a context id has the
    /// session, so this is for sites that share a cache with the original and cannot do otherwise.
    #[must_use]
    pub fn with_unauthenticated_references(mut self) -> Self {
        self.references = true;
        self
    }

    /// Gives tokens that are read the session at the issuer that `source` sees in them.
    #[must_use]
    pub fn with_issuer_sessions(mut self, source: Arc<dyn IssuerSessionSource>) -> Self {
        self.issuer_sessions = Some(source);
        self
    }

    /// The XML of a token, the cookie in it protected.
    ///
    /// # Errors
    /// As [`Payload::write`], and those of the transforms.
    pub fn write_xml(&self, payload: &Payload, random: &dyn SecureRandom) -> Result<OuterXml, Error> {
        write_xml(payload, &self.transforms, random)
    }

    /// What is in the XML of a token; none in reference mode.
    ///
    /// # Errors
    /// In the detail that a log needs.
    pub fn read_xml(&self, xml: &OuterXml) -> Result<Option<Payload>, Error> {
        let Some(cookie) = &xml.cookie else { return Ok(None) };
        read_cookie(xml, cookie.clone(), &self.transforms, &self.policy).map(Some)
    }
}

impl TokenFormat for WifFormat {
    fn name(&self) -> &'static str {
        "wif"
    }

    fn text_encoding(&self) -> TextEncoding {
        TextEncoding::Base64
    }

    fn recognizes(&self, bytes: &[u8]) -> bool {
        bytes.strip_prefix(super::outer_xml::BYTE_ORDER_MARK).unwrap_or(bytes).first() == Some(&b'<')
    }

    fn recognizes_text(&self, text: &str) -> bool {
        // Base64 of the byte order mark, or of `<` and whatever follows.
        text.starts_with("77u/P") || matches!(text.as_bytes(), [b'P', b'A'..=b'P', ..])
    }

    fn write(
        &self,
        token: &SessionSecurityToken,
        _carrier: &Carrier,
        _now: Timestamp,
        random: &dyn SecureRandom,
    ) -> Result<Vec<u8>, crate::Error> {
        if token.is_reference_mode() && !self.references {
            return Err(crate::Error::NotWritable(
                "the WIF format has no protection for references; use the native format for reference mode",
            ));
        }
        Ok(self.write_xml(&Payload::from(token), random)?.to_bytes())
    }

    fn read(&self, bytes: Vec<u8>, expected: &Expected<'_>) -> Result<Opened, crate::Error> {
        let mut xml = OuterXml::read(&bytes)?;
        if let Some(cookie) = xml.cookie.take() {
            let payload = read_cookie(&xml, cookie, &self.transforms, &self.policy)?;
            let mut token = payload.into_token()?;
            token.issuer_session = self.issuer_sessions.as_ref().and_then(|source| source.issuer_session(&token));
            return Ok(Opened::Token(Box::new(token)));
        }
        if !self.references {
            return Err(Malformed::Structure("a WIF reference, which this route does not accept").into());
        }
        let scope = expected.scopes.first().cloned().unwrap_or_default();
        let generation = xml.key_generation.map(Into::into);
        Ok(Opened::Reference(SessionTokenCacheKey::new(scope, xml.context_id.into(), generation)))
    }
}

/// Sees in a verified token which session at the issuer it goes back to.
///
/// WIF's payload has no field for that, so that the issuer could not [end](crate::Revocation::issuer_session) the session
/// by it. What the token does carry may tell: its [context](SessionSecurityToken::context), or a claim.
pub trait IssuerSessionSource: fmt::Debug + Send + Sync {
    /// The session at the issuer; none when nothing tells.
    fn issuer_session(&self, token: &SessionSecurityToken) -> Option<IssuerSession>;
}

/// Puts a payload through envelope and transforms into its XML.
pub(crate) fn write_xml(
    payload: &Payload,
    transforms: &CookieTransforms,
    random: &dyn SecureRandom,
) -> Result<OuterXml, Error> {
    let cookie = if payload.is_reference_mode && !payload.is_sct_wrapper {
        None
    } else {
        Some(transforms.encode(nrbf::write_envelope(&payload.write()?)?, random)?)
    };
    Ok(OuterXml {
        version: payload.secure_conversation_version,
        id: Some(payload.id.clone()),
        context_id: payload.context_id.clone(),
        key_generation: payload.key_generation.clone(),
        cookie,
    })
}

/// Takes the cookie of a token's XML apart and compares what is inside with what is outside.
pub(crate) fn read_cookie(
    xml: &OuterXml,
    cookie: Vec<u8>,
    transforms: &CookieTransforms,
    policy: &PayloadPolicy,
) -> Result<Payload, Error> {
    let envelope = transforms.decode(cookie)?;
    let payload = Payload::read(nrbf::read_envelope(&envelope)?, policy)?;
    if payload.context_id != xml.context_id {
        return Err(Error::ContextIdMismatch);
    }
    if xml.id.as_ref() != Some(&payload.id) {
        return Err(Error::IdMismatch);
    }
    if payload.key_generation != xml.key_generation {
        return Err(Error::KeyGenerationMismatch);
    }
    Ok(payload)
}

impl From<Error> for crate::Error {
    /// What the handler may say. All transforms fail alike (ST-24).
    fn from(error: Error) -> Self {
        match error {
            Error::Transform(_) => Self::Unauthentic,
            Error::Keys(keys) => Self::Keys(keys),
            Error::Reference => Self::NotFoundInCache,
            Error::Version(_) => Malformed::Version.into(),
            Error::MissingElement(name) => Malformed::MissingElement(name).into(),
            Error::EmptyUniqueId => Malformed::UniqueId.into(),
            Error::IdMismatch => Malformed::IdMismatch.into(),
            Error::ContextIdMismatch => Malformed::ContextIdMismatch.into(),
            Error::NotBase64 => Malformed::NotBase64.into(),
            Error::Limit { what, .. } => Malformed::Limit(what).into(),
            Error::EmptyPayload => Malformed::Structure("the payload is empty").into(),
            Error::BinaryXml(_) => Malformed::Structure("the binary XML of the payload").into(),
            Error::Xml(_) => Malformed::Structure("the XML around the cookie").into(),
            Error::UnexpectedElement(_) => Malformed::Structure("an element that may not stand there").into(),
            Error::Structure(what) | Error::Times(what) => Malformed::Structure(what).into(),
            Error::MissingId => Malformed::Structure("the token has no id").into(),
            Error::Envelope { problem, .. } => Malformed::Structure(problem).into(),
            Error::NotAnIdentity(_)
            | Error::EmptyPropertyName
            | Error::EmptyPropertyValue
            | Error::UnknownSystemClaim(_)
            | Error::UnwritableSystemClaim(_)
            | Error::UnknownBootstrapContext
            | Error::WindowsIdentityRefused
            | Error::KeyGenerationMismatch
            | Error::Description(_) => Malformed::Structure("the content of the payload").into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wif::transforms::{MachineKey, MachineKeyTransform};
    use crate::{Revocation, RevocationList};
    use handstamp_claims::{ClaimsIdentity, ClaimsPrincipal};
    use handstamp_keys::DeterministicRandom;

    #[derive(Debug)]
    struct ByContext;

    impl IssuerSessionSource for ByContext {
        fn issuer_session(&self, token: &SessionSecurityToken) -> Option<IssuerSession> {
            let session_index = Some(token.context()?.clone());
            Some(IssuerSession { issuer: "sts".into(), session_index, sign_out_url: None })
        }
    }

    #[test]
    fn sm_13_a_token_ends_with_the_session_that_its_context_tells() {
        let digits = "00112233445566778899AABBCCDDEEFF";
        let element = format!("<machineKey decryptionKey='{digits}' validationKey='{digits}'/>");
        let machine_key = MachineKeyTransform::new(&[MachineKey::from_xml(&element).unwrap()]).unwrap();
        let format = WifFormat::new(CookieTransforms::new(vec![Arc::new(machine_key)]).unwrap());
        let now: Timestamp = "2030-01-01T09:00:00Z".parse().unwrap();
        let (random, carrier) = (DeterministicRandom::new(1), Carrier::Cookie("FedAuth".into()));
        let alice = ClaimsPrincipal::from(ClaimsIdentity::new("Federation"));
        let token = SessionSecurityToken::builder(alice).context("s-1").build(now, &random).unwrap();
        let written = format.write(&token, &carrier, now, &random).unwrap();
        let read = |format: &WifFormat| {
            let expected = Expected { carrier: &carrier, scopes: &[], now };
            let Ok(Opened::Token(token)) = format.read(written.clone(), &expected) else { panic!("it does not open") };
            token
        };
        let telling = read(&format.clone().with_issuer_sessions(Arc::new(ByContext)));
        for (session, is_over) in [("s-2", false), ("s-1", true)] {
            let revocations = RevocationList::new();
            revocations.apply(&Revocation::issuer_session("sts", session, token.valid_to()), now).unwrap();
            assert_eq!(revocations.is_revoked(&telling), is_over, "{session}");
            assert!(!revocations.is_revoked(&read(&format)), "nothing tells");
        }
    }
}
