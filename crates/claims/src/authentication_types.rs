//! Usual values of [`ClaimsIdentity::authentication_type`](crate::ClaimsIdentity::authentication_type).

use crate::ArcStr;
use arcstr::literal;

/// An issuer's token; what SAML assertions and session tokens lead to.
pub const FEDERATION: ArcStr = literal!("Federation");
/// User name and password.
pub const PASSWORD: ArcStr = literal!("Password");
/// An X.509 certificate.
pub const X509: ArcStr = literal!("X509");
/// Windows integrated authentication.
pub const WINDOWS: ArcStr = literal!("Windows");
/// Kerberos.
pub const KERBEROS: ArcStr = literal!("Kerberos");
/// SPNEGO.
pub const NEGOTIATE: ArcStr = literal!("Negotiate");
/// HTTP basic authentication.
pub const BASIC: ArcStr = literal!("Basic");
/// A digital signature.
pub const SIGNATURE: ArcStr = literal!("Signature");
