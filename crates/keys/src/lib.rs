//! Key ring, sealing, RSA and EC identities, X.509 trust: the only crate that names a cryptographic library.
