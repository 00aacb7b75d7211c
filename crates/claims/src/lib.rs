//! Claims, identities and principals as Windows Identity Foundation defines them.
