//! SOAP routes: plain programs, the gateway twice, and a plain service.

mod chain;
mod description;
mod doctor;
mod formats;
mod setting;
mod survival;
