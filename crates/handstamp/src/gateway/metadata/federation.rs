//! Federation metadata: whom to believe, and where people sign in.
//!
//! New metadata is believed only when it holds: fetched over https, signed by whom the configuration names, of the same issuer
//! as before, with keys in it. Until then the last good one stays, also over restarts when there is a cache.

use handstamp_keys::CertificateTrust;
use handstamp_time::Timestamp;
use handstamp_ws_federation::{IssuerMetadata, MetadataPolicy};

use super::living::{Living, Place, Published};
use crate::Error;
use crate::config::{HttpUrl, Issuer};

/// The metadata of an issuer as it is now.
pub(crate) type LivingMetadata = Living<FederationMetadata>;

/// Metadata, and what must hold of it.
pub(crate) struct FederationMetadata {
    settings: Issuer,
    url: HttpUrl,
    policy: MetadataPolicy,
}

impl FederationMetadata {
    /// # Errors
    /// A fingerprint that is none.
    pub(super) fn of(name: &str, settings: &Issuer) -> Result<Option<Self>, Error> {
        let Some(url) = settings.metadata.clone() else { return Ok(None) };
        let mut policy = MetadataPolicy::default();
        if !settings.metadata_signers.is_empty() {
            let mut signers = CertificateTrust::none();
            for (index, fingerprint) in settings.metadata_signers.iter().enumerate() {
                let digest = crate::gateway::federation::fingerprint(fingerprint).ok_or_else(|| Error::Setup {
                    code: "HST-CONFIG-VALUE",
                    message: format!("issuer.{name}.metadata_signers[{index}]: must be hexadecimal digits"),
                })?;
                signers = signers.with_sha256(digest);
            }
            policy.signers = Some(signers);
        }
        Ok(Some(Self { settings: settings.clone(), url, policy }))
    }
}

impl Published for FederationMetadata {
    type Content = IssuerMetadata;

    const WHAT: &'static str = "metadata";

    fn place(&self) -> Place {
        Place {
            url: self.url.clone(),
            authorities: self.settings.metadata_authorities.clone(),
            cache: self.settings.metadata_cache.clone(),
            refresh: self.settings.metadata_refresh,
        }
    }

    fn is_same(&self, other: &Self) -> bool {
        self.settings == other.settings
    }

    fn examine(&self, xml: &[u8], known: Option<&IssuerMetadata>, now: Timestamp) -> Result<IssuerMetadata, String> {
        let mut policy = self.policy.clone();
        policy.entity_id = self.settings.entity_id.clone().or_else(|| known.map(|known| known.entity_id.clone()));
        let metadata = IssuerMetadata::read_trusted(xml, &policy, now).map_err(|error| error.to_string())?;
        let endpoint = metadata.passive_endpoint.as_deref().map(HttpUrl::parse);
        match endpoint {
            None if self.settings.sign_in_url.is_none() => {
                Err("it names no passive endpoint: set sign_in_url of the issuer".to_owned())
            }
            Some(None) => Err("its passive endpoint is no http address".to_owned()),
            Some(Some(url)) if !url.is_https() && !url.is_loopback() => {
                Err(format!("its passive endpoint {url} is not https"))
            }
            _ => Ok(metadata),
        }
    }
}
