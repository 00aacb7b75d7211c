//! SOAP messages as they lie in files and on the wire: how they are encoded, and what is in them.
//!
//! | Module | Holds |
//! |---|---|
//! | [`encoding`] | text, MTOM and .NET binary messages as XML documents |
//! | [`open`] | taking the protection off one captured message |

pub mod encoding;
mod mtom;
pub mod open;
