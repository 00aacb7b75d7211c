//! Values of the [authentication method](crate::claim_types::AUTHENTICATION_METHOD) claim: how the issuer authenticated
//! the subject (SM §3.7.1).

use crate::ArcStr;
use arcstr::literal;

/// A hardware token.
pub const HARDWARE_TOKEN: ArcStr =
    literal!("http://schemas.microsoft.com/ws/2008/06/identity/authenticationmethod/hardwaretoken");
/// Kerberos.
pub const KERBEROS: ArcStr = literal!("http://schemas.microsoft.com/ws/2008/06/identity/authenticationmethod/kerberos");
/// A password.
pub const PASSWORD: ArcStr = literal!("http://schemas.microsoft.com/ws/2008/06/identity/authenticationmethod/password");
/// A PGP key.
pub const PGP: ArcStr = literal!("http://schemas.microsoft.com/ws/2008/06/identity/authenticationmethod/pgp");
/// The secure remote password protocol.
pub const SECURE_REMOTE_PASSWORD: ArcStr =
    literal!("http://schemas.microsoft.com/ws/2008/06/identity/authenticationmethod/secureremotepassword");
/// A digital signature.
pub const SIGNATURE: ArcStr =
    literal!("http://schemas.microsoft.com/ws/2008/06/identity/authenticationmethod/signature");
/// A smart card.
pub const SMARTCARD: ArcStr =
    literal!("http://schemas.microsoft.com/ws/2008/06/identity/authenticationmethod/smartcard");
/// A smart card with a certificate.
pub const SMARTCARD_PKI: ArcStr =
    literal!("http://schemas.microsoft.com/ws/2008/06/identity/authenticationmethod/smartcardpki");
/// A simple public key infrastructure.
pub const SPKI: ArcStr = literal!("http://schemas.microsoft.com/ws/2008/06/identity/authenticationmethod/spki");
/// A client certificate in TLS.
pub const TLS_CLIENT: ArcStr =
    literal!("http://schemas.microsoft.com/ws/2008/06/identity/authenticationmethod/tlsclient");
/// Some way that the issuer does not tell.
pub const UNSPECIFIED: ArcStr =
    literal!("http://schemas.microsoft.com/ws/2008/06/identity/authenticationmethod/unspecified");
/// Windows integrated authentication.
pub const WINDOWS: ArcStr = literal!("http://schemas.microsoft.com/ws/2008/06/identity/authenticationmethod/windows");
/// An X.509 certificate.
pub const X509: ArcStr = literal!("http://schemas.microsoft.com/ws/2008/06/identity/authenticationmethod/x509");
/// An XKMS key.
pub const XKMS: ArcStr = literal!("http://schemas.microsoft.com/ws/2008/06/identity/authenticationmethod/xkms");
