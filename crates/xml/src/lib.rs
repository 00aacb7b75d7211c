//! Bounded XML parsing into one arena, canonicalization, writing, and .NET binary XML.

pub mod binary;
