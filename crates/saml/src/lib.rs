//! SAML 1.1 and 2.0 assertions: read, validate, write, map to claims.
