//! The gateway over real sockets: what applications see, what clients see, and what never passes.

mod admin;
mod admin_page;
mod audit;
mod bodies;
mod browser;
mod doctor;
mod failures;
mod formats;
mod forward_auth;
mod headers;
mod imported;
mod limits;
mod malformed;
mod proxies;
mod rate_limits;
mod reload;
mod routing;
mod shared_store;
mod shutdown;
mod sign_in;
mod soap;
mod support;
mod survival;
mod tls;
mod upstreams;
mod websocket;
