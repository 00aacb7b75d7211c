//! Certificates that were trusted lately.

use super::certificate::Certificate;
use lru::LruCache;
use std::borrow::Borrow;
use std::hash::{Hash, Hasher};
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError};

/// Remembers the certificates that senders show again and again, as they were read. Not that they are trusted: that is a matter of
/// time. Clones are the same one.
#[derive(Clone)]
pub(super) struct RecentCertificates(Arc<Mutex<LruCache<ByDer, ()>>>);

/// So many take about a megabyte.
const MOST: NonZeroUsize = NonZeroUsize::new(256).unwrap();

/// A certificate that its bytes find.
#[derive(PartialEq, Eq)]
struct ByDer(Certificate);

impl Hash for ByDer {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.der().hash(state);
    }
}

impl Borrow<[u8]> for ByDer {
    fn borrow(&self) -> &[u8] {
        self.0.der()
    }
}

impl Default for RecentCertificates {
    fn default() -> Self {
        // Unlike `LruCache::new`, this takes no memory ahead.
        let mut certificates = LruCache::unbounded();
        certificates.resize(MOST);
        Self(Arc::new(Mutex::new(certificates)))
    }
}

impl RecentCertificates {
    pub(super) fn find(&self, der: &[u8]) -> Option<Certificate> {
        let mut certificates = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        certificates.get_key_value(der).map(|(ByDer(certificate), ())| certificate.clone())
    }

    pub(super) fn remember(&self, certificate: &Certificate) {
        let mut certificates = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if certificates.get(certificate.der()).is_none() {
            certificates.put(ByDer(certificate.clone()), ());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Curve, DeterministicRandom, KeyKind, SigningIdentity};

    fn certificate(name: &str) -> Certificate {
        let (from, to) = ("2026-01-01T00:00:00Z".parse().unwrap(), "2027-01-01T00:00:00Z".parse().unwrap());
        let random = DeterministicRandom::new(1);
        SigningIdentity::self_signed(name, KeyKind::Ec(Curve::P256), from, to, &random).unwrap().certificate().clone()
    }

    #[test]
    fn only_the_very_same_bytes_find_a_certificate() {
        let (recent, alice) = (RecentCertificates::default(), certificate("alice"));
        assert!(recent.find(alice.der()).is_none());
        recent.remember(&alice);
        assert_eq!(recent.clone().find(alice.der()).as_ref(), Some(&alice));
        assert!(recent.find(certificate("bob").der()).is_none());
        let mut changed = alice.der().to_vec();
        *changed.last_mut().unwrap() ^= 1;
        assert!(recent.find(&changed).is_none());
    }

    #[test]
    fn the_one_that_was_not_seen_for_longest_goes() {
        let recent = RecentCertificates::default();
        let mut der = certificate("alice").der().to_vec();
        let last = der.len() - 1;
        let seen: Vec<Certificate> = (0..=MOST.get())
            .map(|number| {
                // The end of a certificate is its signature, which nobody looks at here.
                der[last - 1..].copy_from_slice(&u16::try_from(number).unwrap().to_be_bytes());
                Certificate::from_der(&der).unwrap()
            })
            .collect();
        seen.iter().for_each(|certificate| recent.remember(certificate));
        assert!(recent.find(seen[0].der()).is_none());
        assert!(seen[1..].iter().all(|certificate| recent.find(certificate.der()).is_some()));
    }
}
