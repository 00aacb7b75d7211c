//! Certificates, who holds their keys, and which of them are believed.

mod certificate;
mod identity;
mod name;
mod pkcs12;
mod recent;
mod trust;

pub use certificate::{Certificate, KeyUsage};
pub use identity::SigningIdentity;
pub use name::DistinguishedName;
pub use trust::{CertificateTrust, TrustedBy};
