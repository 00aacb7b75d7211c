//! From configuration to a relying party at work.

use std::path::Path;
use std::sync::Arc;

use arc_swap::ArcSwapOption;
use handstamp_keys::{Certificate, CertificateTrust, KeyRing, SystemRandom};
use handstamp_saml::{IssuerNameRegistry, SamlTokenHandler, TrustedIssuer, ValidationSettings};
use handstamp_ws_federation::{IssuerMetadata, RelyingPartySettings, Unsolicited};

use super::back_channel::BackChannel;
use super::description::Description;
use super::events::Events;
use super::issuers::Issuers;
use super::party::LivingParty;
use super::sessions::Sessions;
use super::{Federation, decryption};
use crate::Error;
use crate::admin::Metrics;
use crate::audit::AuditLog;
use crate::config::{self, Config};
use crate::gateway::foundation::Stores;
use crate::gateway::metadata::IssuerDocuments;
use crate::gateway::session_life::SessionEnds;

/// What all relying parties of a process share.
pub(in crate::gateway) struct Shared<'s> {
    pub(in crate::gateway) config: &'s Config,
    pub(in crate::gateway) keys: &'s Arc<KeyRing>,
    pub(in crate::gateway) stores: &'s Stores,
    pub(in crate::gateway) metrics: &'s Arc<Metrics>,
    pub(in crate::gateway) ends: &'s Arc<SessionEnds>,
    pub(in crate::gateway) audit: &'s AuditLog,
    pub(in crate::gateway) documents: &'s IssuerDocuments,
}

impl Federation {
    /// Sets a relying party up.
    ///
    /// # Errors
    /// Certificates that cannot be read, and settings that fit nothing.
    pub(in crate::gateway) fn open(
        name: &str,
        settings: &config::Federation,
        shared: &Shared<'_>,
    ) -> Result<Self, Error> {
        let place = format!("federation.{name}");
        let public_url = settings.public_origin().ok_or_else(|| Error::Setup {
            code: "HST-CONFIG-MISSING",
            message: format!("{place}.public_url: is required: the realm is no address"),
        })?;
        let metrics = shared.metrics.federation(name);
        let sessions = Sessions { place: &place, settings, shared }
            .module()?
            .events(Arc::new(Events {
                rules: settings.claims.0.clone(),
                federation: Arc::clone(&metrics),
                all: Arc::clone(shared.metrics),
                name: name.to_owned(),
                audit: shared.audit.clone(),
            }))
            .build()
            .map_err(|error| setup_error(&place, error.code(), &error))?;
        let configured = shared.config.issuers_of(settings);
        let state_prefix = if settings.cookie.secure { "__Host-signin-" } else { "signin-" };
        let decryption = decryption::open(&place, settings)?;
        let back_channel = match &settings.back_channel {
            Some(channel) => Some(BackChannel::open(settings, channel, &configured, shared, sessions.now())?),
            None => None,
        };
        let description = match &settings.metadata {
            Some(metadata) => Some(Description::open(&place, settings, metadata, &public_url, decryption.as_ref())?),
            None => None,
        };
        let mut parties = Vec::with_capacity(configured.len());
        for (issuer_name, issuer) in configured {
            let party = LivingParty {
                name: format!("{name}/{issuer_name}"),
                place: place.clone(),
                settings: settings.clone(),
                issuer_name: issuer_name.to_owned(),
                issuer: issuer.clone(),
                public_url: public_url.clone(),
                keys: Arc::clone(shared.keys),
                decryption: decryption.clone(),
                metadata: shared.documents.metadata(issuer_name, issuer, shared.metrics, sessions.now())?,
                made: ArcSwapOption::empty(),
            };
            // What is wrong with the settings is said now; what the issuer has not said yet may come.
            party.make()?;
            parties.push(party);
        }
        let issuers = Issuers::new(&place, parties, settings, state_prefix)?;
        Ok(Self {
            name: name.to_owned(),
            sessions: Arc::new(sessions),
            issuers,
            replays: Arc::clone(&shared.stores.replays),
            revocations: Arc::clone(shared.stores.revocations.list()),
            ends: Arc::clone(shared.ends),
            challenge_mode: settings.challenge.mode,
            on_unreadable: settings.session.on_unreadable,
            reply_path: settings.reply_path.as_str().to_owned(),
            back_channel,
            description,
            sign_out_path: settings.sign_out_path.as_str().to_owned(),
            signed_out_path: settings.signed_out_path.as_str().to_owned(),
            persistent: settings.cookie.persistent.is_some(),
            state_prefix: state_prefix.to_owned(),
            metrics,
            audit: shared.audit.clone(),
            random: SystemRandom,
        })
    }
}

pub(super) fn relying_party(living: &LivingParty, sign_in_url: &str) -> RelyingPartySettings {
    let LivingParty { settings, issuer, public_url, .. } = living;
    let mut party = RelyingPartySettings::new(sign_in_url, settings.realm.as_str());
    party.name.clone_from(&living.name);
    party.reply = Some(format!("{public_url}{}", settings.reply_path.as_str()));
    party.sign_out_reply = Some(format!("{public_url}{}", settings.signed_out_path.as_str()));
    party.home_realm = issuer.home_realm.as_ref().or(settings.home_realm.as_ref()).cloned();
    party.freshness = settings.freshness.map(|age| u32::try_from(age.as_secs() / 60).unwrap_or(u32::MAX));
    party.authentication_type.clone_from(&settings.authentication_type);
    // The configuration check was here before, and lets loopback addresses pass.
    party.require_https = false;
    if settings.allow_unsolicited {
        party.unsolicited = Unsolicited::Accept { return_urls: Vec::new() };
    }
    party.secure_cookies = settings.cookie.secure;
    party
}

/// Whom to believe, and under what conditions: whom the configuration pins, whom its authorities vouch for, and whom the issuer's
/// metadata names.
pub(super) fn token_handler(party: &LivingParty, metadata: Option<&IssuerMetadata>) -> Result<SamlTokenHandler, Error> {
    let LivingParty { issuer_name: name, issuer, settings, public_url, .. } = party;
    let trusted = trusted_issuer(name, issuer, metadata)?;
    let audiences =
        if settings.audiences.is_empty() { std::slice::from_ref(&settings.realm) } else { &settings.audiences };
    let mut validation = ValidationSettings::new(audiences);
    validation.max_clock_skew = settings.clock_skew;
    validation.detect_replay = settings.detect_replay;
    validation.recipients = vec![format!("{public_url}{}", settings.reply_path.as_str())];
    let handler = SamlTokenHandler::new(IssuerNameRegistry::new().with_issuer(trusted), validation);
    Ok(match party.decryption.clone() {
        Some(decryption) => handler.with_decryption(decryption),
        None => handler,
    })
}

/// Whom a configuration pins as an issuer, and whom its metadata names.
///
/// # Errors
/// A certificate that cannot be read.
pub(in crate::gateway) fn trusted_issuer(
    name: &str,
    issuer: &config::Issuer,
    metadata: Option<&IssuerMetadata>,
) -> Result<TrustedIssuer, Error> {
    let mut trust = CertificateTrust::none();
    for (index, fingerprint) in issuer.fingerprints.iter().enumerate() {
        let digest = hex(fingerprint).ok_or_else(|| not_hex(name, "fingerprints", index))?;
        trust = trust.with_sha256(digest);
    }
    for (index, thumbprint) in issuer.thumbprints.iter().enumerate() {
        let digest = hex(thumbprint).ok_or_else(|| not_hex(name, "thumbprints", index))?;
        trust = trust.with_sha1(digest);
    }
    for (index, file) in issuer.authorities.iter().enumerate() {
        let key = format!("issuer.{name}.authorities[{index}]");
        for authority in certificates(file, &key)? {
            trust = trust.with_root(&authority).map_err(|error| setup_error(&key, error.code(), &error))?;
        }
    }
    trust = trust.with_chained_signers(issuer.subjects.iter().map(String::as_str));
    let published = metadata.map(|metadata| metadata.entity_id.as_str());
    let mut trusted = TrustedIssuer::new(issuer.name.as_deref().or(published).unwrap_or_default(), trust);
    if let Some(entity_id) = &issuer.entity_id {
        trusted = trusted.with_entity_id(entity_id);
    }
    for certificate in metadata.into_iter().flat_map(|metadata| &metadata.signing_certificates) {
        trusted = trusted.with_certificate(certificate.clone());
    }
    for (index, file) in issuer.certificates.iter().enumerate() {
        for certificate in certificates(file, &format!("issuer.{name}.certificates[{index}]"))? {
            trusted = trusted.with_certificate(certificate);
        }
    }
    Ok(trusted)
}

fn certificates(file: &Path, key: &str) -> Result<Vec<Certificate>, Error> {
    let content = std::fs::read(file).map_err(|error| Error::Setup {
        code: "HST-CONFIG-FILE",
        message: format!("{key}: {} cannot be read: {error}", file.display()),
    })?;
    let found = Certificate::read_all(&content)
        .map_err(|error| Error::Setup { code: error.code(), message: format!("{key}: {}: {error}", file.display()) })?;
    if found.is_empty() {
        let message = format!("{key}: {} holds no certificate", file.display());
        return Err(Error::Setup { code: "HST-CONFIG-FILE", message });
    }
    Ok(found)
}

/// Reads hexadecimal digits, with spaces or colons between them.
pub(in crate::gateway) fn hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digits: Vec<u8> =
        text.chars().filter(char::is_ascii_hexdigit).filter_map(|c| c.to_digit(16)).map(|digit| digit as u8).collect();
    let bytes: Vec<u8> = digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect();
    bytes.try_into().ok()
}

fn not_hex(issuer: &str, key: &str, index: usize) -> Error {
    Error::Setup {
        code: "HST-CONFIG-VALUE",
        message: format!("issuer.{issuer}.{key}[{index}]: must be hexadecimal digits"),
    }
}

pub(super) fn setup_error(place: &str, code: &'static str, error: &dyn std::error::Error) -> Error {
    Error::Setup { code, message: format!("{place}: {error}") }
}
