//! SOAP routes: plain programs, the gateway twice, and a plain service.

mod chain;
mod credentials;
mod description;
mod doctor;
mod formats;
mod imported;
mod large;
mod lost;
mod protection;
pub(crate) mod setting;
mod survival;
mod tracing;
