//! Putting a client together.

use super::{Credentials, SecureConversationClient, Settings};
use crate::contract::Contract;
use crate::error::Error;
use crate::requirements::{Requirements, check_binding};
use handstamp_keys::{Certificate, CertificateTrust, KeyPolicy, SigningIdentity};
use handstamp_ws_security::soap::SoapVersion;
use handstamp_ws_security::{AddressingVersion, IssuedToken, SecurityBinding, UserNameCredential};
use handstamp_xml::{Limits, ParseOptions};
use std::fmt;
use std::sync::Arc;

/// Builds a [`SecureConversationClient`]. What the binding needs has to be given; [`build`](Self::build) says what is missing.
#[must_use]
pub struct SecureConversationClientBuilder {
    binding: SecurityBinding,
    address: String,
    soap: SoapVersion,
    addressing: AddressingVersion,
    credentials: Credentials,
    contract: Contract,
    max_message_size: usize,
    reissues: bool,
    credentials_come_later: bool,
}

impl SecureConversationClientBuilder {
    pub(super) fn new(binding: SecurityBinding, address: String) -> Self {
        Self {
            binding,
            address,
            soap: SoapVersion::default(),
            addressing: AddressingVersion::default(),
            credentials: Credentials::default(),
            contract: Contract::default(),
            max_message_size: 65_536,
            reissues: false,
            credentials_come_later: false,
        }
    }

    /// The versions of SOAP and WS-Addressing. Default: SOAP 1.2 and WS-Addressing 1.0.
    pub fn message_version(mut self, soap: SoapVersion, addressing: AddressingVersion) -> Self {
        (self.soap, self.addressing) = (soap, addressing);
        self
    }

    /// The service's certificate.
    pub fn service_certificate(mut self, certificate: Certificate) -> Self {
        self.credentials.service_certificate = Some(certificate);
        self
    }

    /// Which other certificates of services are trusted, when they come with a reply or in a negotiation. One that is trusted for
    /// its chain has to name the host of the address in a negotiation.
    pub fn trust(mut self, trust: CertificateTrust) -> Self {
        self.credentials.trust = Some(trust);
        self
    }

    /// Which keys of certificates are strong enough. Default: RSA from 2048 bits.
    pub fn key_policy(mut self, policy: KeyPolicy) -> Self {
        self.credentials.key_policy = policy;
        self
    }

    /// The client's own certificate and private key.
    pub fn identity(mut self, identity: SigningIdentity) -> Self {
        self.credentials.identity = Some(identity);
        self
    }

    /// A name and a password.
    pub fn user_name(mut self, user_name: UserNameCredential) -> Self {
        self.credentials.user_name = Some(user_name);
        self
    }

    /// A token of a token service.
    pub fn issued_token(mut self, token: IssuedToken) -> Self {
        self.credentials.issued_token = Some(token);
        self
    }

    /// Leaves name and password, or the token of the token service, to be given when a session is due, not before: with
    /// [`replace_user_name`](SecureConversationClient::replace_user_name) or
    /// [`replace_issued_token`](SecureConversationClient::replace_issued_token).
    pub fn credentials_come_later(mut self) -> Self {
        self.credentials_come_later = true;
        self
    }

    /// What the service offers: how bodies are protected. Default: encrypted and signed both ways.
    pub fn contract(mut self, contract: Contract) -> Self {
        self.contract = contract;
        self
    }

    /// The size of an answer in bytes (`maxReceivedMessageSize`). Default 64 KiB.
    pub fn max_message_size(mut self, bytes: usize) -> Self {
        self.max_message_size = bytes;
        self
    }

    /// Obtains a new session and sends a request once more when the service does not know a session that is a cookie. The fault
    /// that says so is unauthenticated, so whoever sits on the line can make the client do that once for every message: it is
    /// off by default. Use it for operations that may be done twice (SC 12.4, 19.10).
    pub fn reissue_lost_sessions(mut self) -> Self {
        self.reissues = true;
        self
    }

    /// Builds the client. It has no session yet.
    ///
    /// # Errors
    /// [`Error::Configuration`], which says what is missing or does not go together.
    pub fn build(self) -> Result<SecureConversationClient, Error> {
        let session = check_binding(&self.binding)?;
        let bootstrap = session.map_or(&self.binding, |session| &session.bootstrap);
        let settings = &self.binding.local_client;
        self.contract.check(session)?;
        let needs = Requirements::of(bootstrap);
        let at_once = match self.credentials_come_later {
            true => Requirements { issued_token: false, user_name: false, ..needs },
            false => needs,
        };
        self.credentials.check(at_once)?;
        if settings
            .session_key_renewal_interval
            .is_some_and(|interval| interval < settings.session_key_rollover_interval)
        {
            return Err(Error::Configuration(
                "sessionKeyRolloverInterval cannot be greater than sessionKeyRenewalInterval in localClientSettings"
                    .to_owned(),
            ));
        }
        let mut limits = Limits::default();
        // What is decrypted in place counts once more.
        limits.size = self.max_message_size.saturating_mul(3);
        let settings = Settings {
            renewal: self.binding.renewal().unwrap_or_else(|| bootstrap.clone()),
            bootstrap: bootstrap.clone(),
            generation: self.binding.version.generation,
            // A negotiated context is used like a cookie, also when the service remembers it.
            is_stateful: session.is_none_or(|session| !session.require_cancellation),
            is_negotiated: session.is_none(),
            can_renew: session.is_some_and(|session| session.can_renew),
            protected_channel: self.address.get(..8).is_some_and(|scheme| scheme.eq_ignore_ascii_case("https://")),
            address: self.address,
            soap: self.soap,
            addressing: self.addressing,
            contract: self.contract,
            parse_options: ParseOptions::default().with_limits(limits),
            max_message_size: self.max_message_size,
            reissues: self.reissues,
            negotiates: needs.negotiation,
            outer: self.binding,
        };
        Ok(SecureConversationClient::without_session(Arc::new(settings), Arc::new(self.credentials)))
    }
}

/// Nothing that is a secret.
impl fmt::Debug for SecureConversationClientBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SecureConversationClientBuilder").field("address", &self.address).finish_non_exhaustive()
    }
}
