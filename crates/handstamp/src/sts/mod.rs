//! The built-in security token service: accounts, a sign-in page, signed tokens.
//!
//! Relying parties send a browser here with `wa=wsignin1.0`; it leaves with a signed SAML assertion about its user. The
//! service is a relying party of its own session: whoever signed in once is not asked again until the session ends, the
//! password changes, or a relying party asks for a fresh proof (`wfresh`).
//!
//! | Module | Holds |
//! |---|---|
//! | [`accounts`](AccountStore) | who may sign in and what is known about them, in SQLite |
//! | [`passwords`](PasswordHasher) | Argon2id, bounded so that guessing cannot exhaust the machine |
//! | [`rate_limit`](SignInLimiter) | how many guesses an account and a client get |
//! | [`service`](SecurityTokenService) | requests in, pages out |
//! | `active` | the same for programs: WS-Trust, with the same accounts, parties and limits |
//! | [`back_channel`](LogoutChannel) | logout tokens for relying parties when somebody signs out |
//! | `pages` | sign-in, signed-out and the page that posts the token |

mod accounts;
mod active;
mod back_channel;
mod error;
mod form_guard;
pub(crate) mod pages;
mod passwords;
mod rate_limit;
mod service;
mod setup;
mod sign_in;
mod sign_out;
mod signing;
mod user_name;
mod visited;

pub use accounts::{Account, AccountStore, NewAccount};
pub use back_channel::LogoutChannel;
pub use error::Error;
pub use passwords::{PasswordCost, PasswordHasher, PasswordText};
pub use rate_limit::{Allowance, ClientKey, SignInLimiter, SignInLimits, TooManyAttempts};
pub use service::SecurityTokenService;
pub use setup::Surroundings;
pub use signing::{certificate_path, load_or_create_signing_identity};
pub use user_name::UserName;
