//! SOAP messages as they lie in files and on the wire: how they are encoded, what is in them, and calling services with them.
//!
//! | Module | Holds |
//! |---|---|
//! | [`binding`] | the bindings of WCF that configurations have |
//! | [`encoding`] | text, MTOM and .NET binary messages as XML documents |
//! | [`open`] | taking the protection off one captured message |
//! | [`call`] | calling a service through a secure session |
//! | [`session_file`] | where sessions are kept between calls |

pub mod binding;
pub mod call;
pub mod encoding;
mod mtom;
pub mod open;
mod redact;
pub mod session_file;
