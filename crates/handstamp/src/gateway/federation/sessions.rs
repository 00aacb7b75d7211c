//! The sessions of a relying party: in which cookies and formats they travel, and how long they last.

use std::path::PathBuf;
use std::sync::Arc;

use handstamp_claims::ArcStr;
use handstamp_session_token::native::NativeFormat;
use handstamp_session_token::wif::WifFormat;
use handstamp_session_token::wif::transforms::{CookieTransform, CookieTransforms, Deflate, RsaHash};
use handstamp_session_token::{Carrier, SessionSecurityTokenHandler};
use handstamp_web_session::Error as SessionError;
use handstamp_web_session::cookie::{ChunkedCookieHandler, CookieSettings, CookieSettingsBuilder, SameSite};
use handstamp_web_session::module::{OnUnreadable, SessionMode, SessionModule, SessionModuleBuilder, SessionSettings};

use super::issuer_sessions::IssuerSessions;
use super::setup::{Shared, setup_error};
use crate::config::{self, SessionFormat};
use crate::{Error, wif_keys};

/// Builds the session module of one relying party.
pub(super) struct Sessions<'s> {
    /// Where the settings are in the file, for messages.
    pub(super) place: &'s str,
    pub(super) settings: &'s config::Federation,
    pub(super) shared: &'s Shared<'s>,
}

/// Cookies and tokens of one format.
type Kind = (SessionSecurityTokenHandler, ChunkedCookieHandler);

impl Sessions<'_> {
    /// The module, without its events.
    pub(super) fn module(&self) -> Result<SessionModuleBuilder, Error> {
        let session = &self.settings.session;
        let (tokens, cookies) = self.kind(session.format)?;
        let mut module = SessionModule::builder(tokens)
            .settings(self.lifetimes().map_err(|error| self.wrong(&error))?)
            .cookies(cookies)
            .cache(Arc::clone(&self.shared.stores.cache))
            .revocations(Arc::clone(&self.shared.stores.revocations));
        for format in &session.accept {
            let (tokens, cookies) = self.kind(*format)?;
            module = module.accept(tokens, cookies);
        }
        Ok(module)
    }

    fn kind(&self, format: SessionFormat) -> Result<Kind, Error> {
        match (format, &self.settings.wif) {
            (SessionFormat::Native, _) => self.native().map_err(|error| self.wrong(&error)),
            (SessionFormat::Wif, Some(wif)) => {
                let transforms = self.transforms(wif)?;
                self.wif(wif, transforms).map_err(|error| self.wrong(&error))
            }
            (SessionFormat::Wif, None) => Err(Error::Setup {
                code: "HST-CONFIG-MISSING",
                message: format!("{}.wif: is required for sessions in the format \"wif\"", self.place),
            }),
        }
    }

    fn native(&self) -> Result<Kind, SessionError> {
        let cookie = &self.settings.cookie;
        let tokens = SessionSecurityTokenHandler::builder(Arc::new(NativeFormat::new(Arc::clone(self.shared.keys))))
            .audience(self.settings.realm.as_str())
            .require_endpoint_scope(true)
            .clock_skew(self.settings.session.clock_skew)
            .carrier(Carrier::Cookie(ArcStr::from(cookie.name.as_str())))
            .revocations(Arc::clone(self.shared.stores.revocations.list()));
        let others = &self.shared.config.federation;
        let shared = self.settings.session.accept_from.iter().filter_map(|name| others.get(name));
        let tokens = shared.fold(tokens, |tokens, other| tokens.accept_audience(other.realm.as_str())).build()?;
        let mut named = CookieSettings::builder(&cookie.name).path(cookie.path.as_str());
        if let Some(domain) = &cookie.domain {
            named = named.domain(domain);
        }
        Ok((tokens, self.cut(ChunkedCookieHandler::native(self.attributes(named).build()?))?))
    }

    fn wif(&self, wif: &config::Wif, transforms: CookieTransforms) -> Result<Kind, SessionError> {
        let mut format = WifFormat::new(transforms);
        if wif.references {
            format = format.with_unauthenticated_references();
        }
        if let Some(sessions) = IssuerSessions::of(&self.shared.config.issuers_of(self.settings)) {
            format = format.with_issuer_sessions(sessions);
        }
        let mut tokens = SessionSecurityTokenHandler::builder(Arc::new(format))
            .clock_skew(self.settings.session.clock_skew)
            .carrier(Carrier::Cookie(ArcStr::from(wif.cookie_name.as_str())))
            .revocations(Arc::clone(self.shared.stores.revocations.list()));
        if let Some((first, others)) = wif.scopes.split_first() {
            tokens = tokens.audience(first.as_str());
            tokens = others.iter().fold(tokens, |tokens, scope| tokens.accept_audience(scope.as_str()));
        }
        let mut named = CookieSettings::builder(&wif.cookie_name).path(wif.cookie_path.as_str());
        if let Some(domain) = &wif.cookie_domain {
            named = named.domain(domain);
        }
        Ok((tokens.build()?, self.cut(ChunkedCookieHandler::wif(self.attributes(named).build()?))?))
    }

    /// What both kinds of cookies have in common.
    fn attributes(&self, cookies: CookieSettingsBuilder) -> CookieSettingsBuilder {
        let cookie = &self.settings.cookie;
        let cookies = cookies.secure(cookie.secure).same_site(match cookie.same_site {
            config::SameSite::Strict => SameSite::Strict,
            config::SameSite::Lax => SameSite::Lax,
            config::SameSite::None => SameSite::None,
        });
        match cookie.persistent {
            Some(lifetime) => cookies.persistent_lifetime(lifetime),
            None => cookies,
        }
    }

    fn cut(&self, cookies: ChunkedCookieHandler) -> Result<ChunkedCookieHandler, SessionError> {
        let (chunk_size, max_chunks) =
            (self.settings.cookie.chunk_size as usize, self.settings.cookie.max_chunks as usize);
        let max_bytes = chunk_size.saturating_mul(max_chunks).min(MAX_COOKIE_BYTES);
        cookies.with_chunk_size(chunk_size)?.with_limits(max_chunks, max_bytes)
    }

    fn transforms(&self, wif: &config::Wif) -> Result<CookieTransforms, Error> {
        let hash = match wif.rsa_hash {
            config::RsaHash::Sha256 => RsaHash::Sha256,
            config::RsaHash::Sha1 => RsaHash::Sha1,
            config::RsaHash::Sha384 => RsaHash::Sha384,
            config::RsaHash::Sha512 => RsaHash::Sha512,
        };
        let private = |files: &[PathBuf]| files.iter().try_for_each(|file| wif_keys::require_private(file));
        let mut transforms: Vec<Arc<dyn CookieTransform>> = Vec::new();
        if wif.deflate {
            transforms.push(Arc::new(Deflate::default()));
        }
        if wif.rsa_keys.is_empty() {
            private(&wif.machine_keys)?;
            transforms.push(Arc::new(wif_keys::machine_key(&wif.machine_keys, &wif.machine_key_purposes)?));
        } else {
            private(&wif.rsa_keys)?;
            let signature: Arc<dyn CookieTransform> = Arc::new(wif_keys::rsa_signature(&wif.rsa_keys, hash)?);
            let encryption: Arc<dyn CookieTransform> = Arc::new(wif_keys::rsa_encryption(&wif.rsa_keys, hash)?);
            transforms.extend(match wif.rsa_order {
                config::RsaOrder::SignFirst => [signature, encryption],
                config::RsaOrder::EncryptFirst => [encryption, signature],
            });
        }
        CookieTransforms::new(transforms).map_err(wif_keys::unusable)
    }

    fn lifetimes(&self) -> Result<SessionSettings, SessionError> {
        let session = &self.settings.session;
        let mut lifetimes = SessionSettings::builder()
            .absolute_timeout(session.absolute_timeout)
            .cap_to_issuer_lifetime(session.cap_to_issuer_lifetime)
            .verified_tokens(session.verified_tokens as usize)
            .overflow_to_reference(session.mode == config::SessionMode::Automatic)
            .mode(match session.mode {
                config::SessionMode::SelfContained | config::SessionMode::Automatic => SessionMode::SelfContained,
                config::SessionMode::Reference => SessionMode::Reference,
            })
            .on_unreadable(match session.on_unreadable {
                config::OnUnreadable::Drop => OnUnreadable::Drop,
                config::OnUnreadable::Refuse => OnUnreadable::Strict,
            });
        if let Some(idle) = session.idle_timeout {
            lifetimes = lifetimes.idle_timeout(idle).slide_after(idle * session.slide_after / 100);
        }
        lifetimes.build()
    }

    fn wrong(&self, error: &SessionError) -> Error {
        setup_error(self.place, error.code(), error)
    }
}

/// SM §2.3: what servers and browsers on the way surely carry.
const MAX_COOKIE_BYTES: usize = 14 << 10;
