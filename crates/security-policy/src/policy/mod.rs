//! WS-SecurityPolicy: expressions, and what their assertions mean for a binding.

mod binding;
mod endpoint;
mod expression;
pub(crate) mod names;
mod parts;
mod supporting;
mod tokens;
pub(crate) mod write;

pub(crate) use endpoint::EndpointPolicy;
pub(crate) use expression::{Alternative, Assertion, Sources};
pub(crate) use names as ns;
pub(crate) use parts::{Parts, is_addressing};
