//! SAML tokens that let callers in: of issuers that the configuration names, signed with the keys that they have now.

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use handstamp_claims::ClaimsIdentity;
use handstamp_saml::{IssuerNameRegistry, SamlTokenHandler, TokenDecryption, ValidationSettings};
use handstamp_secure_conversation::{IssuedTokens, SamlTokens};
use handstamp_time::Timestamp;
use handstamp_ws_security::{IssuedTokenValidator, ProofKey, SecurityBinding};
use handstamp_xml::Element;

use super::terms::{Terms, read_identity, setup};
use crate::Error;
use crate::config::{Config, Issuer, SoapRoute};
use crate::gateway::federation::trusted_issuer;
use crate::gateway::metadata::LivingMetadata;

/// Whom a route believes.
pub(super) struct CallerTokens {
    issuers: Vec<BelievedIssuer>,
    binding: SecurityBinding,
    audiences: Vec<String>,
    decryption: Option<TokenDecryption>,
    made: ArcSwapOption<Made>,
}

struct BelievedIssuer {
    name: String,
    settings: Issuer,
    metadata: Option<Arc<LivingMetadata>>,
}

/// What accepts tokens, and of which of the issuers' metadata it was made.
struct Made {
    versions: Vec<u64>,
    tokens: SamlTokens,
}

impl CallerTokens {
    /// Whom the configuration names; none when the binding asks for no tokens. `metadata` finds what an issuer publishes.
    ///
    /// # Errors
    /// Nobody is named although the binding asks for tokens, or the other way round; a certificate that cannot be used.
    pub(super) fn open(
        name: &str,
        route: &SoapRoute,
        terms: &Terms,
        config: &Config,
        metadata: impl Fn(&str, &Issuer) -> Result<Option<Arc<LivingMetadata>>, Error>,
    ) -> Result<Option<Self>, Error> {
        let wanted = terms.security.issued_token_parameters().is_some();
        let problem = match (wanted, route.issuers.is_empty()) {
            (false, true) => return Ok(None),
            (true, false) => None,
            (true, true) => Some("the binding lets callers in by tokens of a token service: name whom to believe"),
            (false, false) => {
                Some("the binding asks for no token of a token service: leave it out, or correct the binding")
            }
        };
        if let Some(problem) = problem {
            return Err(setup("HST-SOAP-ISSUER", format!("soap.{name}.issuers: {problem}")));
        }
        let believed = |issuer: &String| {
            // The configuration check has made sure of it.
            let settings = config.issuer.get(issuer).cloned();
            let settings =
                settings.ok_or_else(|| setup("HST-SOAP-ISSUER", format!("there is no [issuer.{issuer}]")))?;
            Ok(BelievedIssuer { name: issuer.clone(), metadata: metadata(issuer, &settings)?, settings })
        };
        let address = route.address.as_ref().map(ToString::to_string);
        let audiences =
            if route.audiences.is_empty() { address.into_iter().collect() } else { route.audiences.clone() };
        let identity = route.identity.as_deref().map(read_identity).transpose()?;
        let tokens = Self {
            issuers: route.issuers.iter().map(believed).collect::<Result<_, Error>>()?,
            binding: terms.security.clone(),
            audiences,
            decryption: identity.map(|identity| TokenDecryption::new([identity])),
            made: ArcSwapOption::empty(),
        };
        // What is wrong with the settings is said now; what an issuer has not said yet may come.
        tokens.make()?;
        Ok(Some(tokens))
    }

    fn current(&self) -> Result<Arc<Made>, String> {
        let made = self.made.load_full();
        let is_current = |made: &Arc<Made>| {
            let known =
                self.issuers.iter().map(|issuer| issuer.metadata.as_ref().map_or(0, |metadata| metadata.version()));
            known.eq(made.versions.iter().copied())
        };
        match made.filter(is_current) {
            Some(made) => Ok(made),
            None => self.make().map_err(|error| error.to_string()),
        }
    }

    fn make(&self) -> Result<Arc<Made>, Error> {
        let (mut issuers, mut versions) = (IssuerNameRegistry::new(), Vec::new());
        for BelievedIssuer { name, settings, metadata } in &self.issuers {
            let (published, version) = metadata.as_ref().map_or((None, 0), |metadata| metadata.current());
            versions.push(version);
            if published.is_some() || settings.is_pinned() {
                issuers = issuers.with_issuer(trusted_issuer(name, settings, published.as_deref())?);
            }
        }
        let handler = SamlTokenHandler::new(issuers, ValidationSettings::new(&self.audiences));
        let handler = match self.decryption.clone() {
            Some(decryption) => handler.with_decryption(decryption),
            None => handler,
        };
        let tokens = SamlTokens::new(handler, &self.binding).map_err(|error| setup(error.code(), error.to_string()))?;
        let made = Arc::new(Made { versions, tokens });
        self.made.store(Some(Arc::clone(&made)));
        Ok(made)
    }
}

impl IssuedTokenValidator for CallerTokens {
    fn validate(&self, assertion: Element<'_>, now: Timestamp) -> Result<ProofKey, String> {
        self.current()?.tokens.validate(assertion, now)
    }
}

impl IssuedTokens for CallerTokens {
    fn identity(&self, assertion: Element<'_>, now: Timestamp) -> Result<ClaimsIdentity, String> {
        self.current()?.tokens.identity(assertion, now)
    }
}
