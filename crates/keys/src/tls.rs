//! TLS, as rustls speaks it, with this crate's cryptography.

use rustls::crypto::{CryptoProvider, aws_lc_rs};
use std::sync::Arc;

/// The cryptography of every TLS connection: aws-lc, its default suites and groups.
pub fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}
