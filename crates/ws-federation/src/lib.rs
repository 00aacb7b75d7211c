//! WS-Federation passive sign-in and sign-out for relying party and issuer, without I/O.
