//! Virtual clock, fixtures and drivers shared by the tests.
//!
//! | Module | Holds |
//! |---|---|
//! | [`vectors`] | the golden data in the repository |
//! | [`principals`] | people who sign in |
//! | [`mono`] | Mono as a peer, where it is installed |
//! | [`ports`] | ports that stay a test's own |
//! | `program` | a process under test, started, killed and started again (feature `program`) |
//! | `agent` | an HTTP user agent with a cookie jar, for what a browser is too slow for (feature `program`) |
//! | `browser` | a real Chromium (feature `program`) |
//! | `servers` | Redis and PostgreSQL, of a test's own (feature `servers`) |

#[cfg(feature = "program")]
pub mod agent;
#[cfg(feature = "program")]
pub mod browser;
#[cfg(feature = "program")]
pub mod form;
pub mod mono;
pub mod ports;
pub mod principals;
#[cfg(feature = "program")]
pub mod program;
#[cfg(feature = "servers")]
pub mod servers;
pub mod vectors;

pub use handstamp_time::VirtualClock;
