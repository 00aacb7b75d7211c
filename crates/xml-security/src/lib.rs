//! XML Signature and XML Encryption: what was verified is what is used.
