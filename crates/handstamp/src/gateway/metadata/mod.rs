//! What issuers publish about themselves, kept up to date while the gateway runs: their federation metadata (SM §4.2, SM-43), and the
//! keys of their logout tokens.

mod federation;
mod fetch;
mod key_set;
mod living;

use std::sync::Arc;

use handstamp_time::{Clock, Timestamp};

pub(crate) use federation::LivingMetadata;
pub(crate) use key_set::{KeySet, LivingKeySet};

use crate::Error;
use crate::admin::Metrics;
use crate::config::{Issuer, LogoutTokens};
use federation::FederationMetadata;
use key_set::LogoutKeys;
use living::Shelf;

/// What all issuers publish.
#[derive(Default)]
pub(crate) struct IssuerDocuments {
    metadata: Shelf<FederationMetadata>,
    key_sets: Shelf<LogoutKeys>,
}

impl IssuerDocuments {
    /// The metadata of an issuer; none when it is not configured to publish any. What was there for the same settings stays.
    ///
    /// # Errors
    /// Authorities or fingerprints that cannot be used.
    pub(crate) fn metadata(
        &self,
        name: &str,
        settings: &Issuer,
        metrics: &Metrics,
        now: Timestamp,
    ) -> Result<Option<Arc<LivingMetadata>>, Error> {
        let document = FederationMetadata::of(name, settings)?;
        document.map(|document| self.metadata.of(name, document, || metrics.metadata(name), now)).transpose()
    }

    /// The keys of an issuer's logout tokens; none when they are not published.
    ///
    /// # Errors
    /// Authorities that cannot be used.
    pub(crate) fn key_set(
        &self,
        name: &str,
        settings: &LogoutTokens,
        metrics: &Metrics,
        now: Timestamp,
    ) -> Result<Option<Arc<LivingKeySet>>, Error> {
        let document = LogoutKeys::of(settings);
        document.map(|document| self.key_sets.of(name, document, || metrics.key_set(name), now)).transpose()
    }

    /// Fetches what is due, for ever. What no relying party uses any more is forgotten.
    pub(crate) async fn look_after(&self, clock: &dyn Clock) {
        tokio::join!(self.metadata.look_after(clock), self.key_sets.look_after(clock));
    }
}
