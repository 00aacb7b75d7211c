//! Options of the tokens that applications get.

use std::path::PathBuf;
use std::time::Duration;

use super::schema::section;
use super::values::PathPrefix;

section! {
    /// Signed statements of who is there, for applications (`jwt_header` of a route).
    pub struct Jwt {
        /// Signing key, as PEM, readable by its owner only: EC on P-256 (ES256), P-384 or P-521, or RSA (RS256). A P-256 key is
        /// made on the first start.
        key: PathBuf = "handstamp-jwt.pem",
        /// Keys that signed before and are still published: for a change of key, move the old file here, and remove it when the
        /// last token is over.
        previous_keys: Vec<PathBuf> = [],
        /// Who signs (`iss`), such as the address of the site.
        issuer: String,
        /// How long a token is valid, at most; it never outlives its session.
        lifetime: Duration = "5m",
        /// Path of the public keys, a JWK Set, on the hosts of routes that hand tokens on.
        key_set_path: PathPrefix = "/.well-known/handstamp/jwks.json",
    }
}
