//! Virtual clock, fixtures and drivers shared by the tests.
//!
//! | Module | Holds |
//! |---|---|
//! | [`vectors`] | the golden data in the repository |
//! | [`principals`] | people who sign in |
//! | `program` | a process under test, started, killed and started again (feature `program`) |
//! | `agent` | an HTTP user agent with a cookie jar, for what a browser is too slow for (feature `program`) |
//! | `browser` | a real Chromium (feature `program`) |

#[cfg(feature = "program")]
pub mod agent;
#[cfg(feature = "program")]
pub mod browser;
#[cfg(feature = "program")]
pub mod form;
pub mod principals;
#[cfg(feature = "program")]
pub mod program;
pub mod vectors;

pub use handstamp_time::VirtualClock;
