//! Virtual clock, fixtures and drivers shared by the tests.

pub mod vectors;

pub use handstamp_time::VirtualClock;
