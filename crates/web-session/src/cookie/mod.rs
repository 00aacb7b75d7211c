//! Session cookies: reading them from a request, cutting a token into them, and writing them.
//!
//! | Type | What it does |
//! |---|---|
//! | [`RequestCookies`] | looks cookies up in a request's headers without allocating |
//! | [`CookieSettings`] | name, path, domain and flags; checked once, when built |
//! | [`SetCookie`] | one `Set-Cookie` header |
//! | [`CookieHandler`] | carries the bytes of a token in one or more cookies |
//! | [`ChunkedCookieHandler`] | the handler of this crate, in the [native](ChunkedCookieHandler::native) or the [WIF](ChunkedCookieHandler::wif) format |
//!
//! ```
//! use handstamp_web_session::cookie::{
//!     ChunkedCookieHandler, CookieHandler, CookieLifetime, CookieSettings, RequestCookies,
//! };
//! use http::{HeaderMap, header::COOKIE};
//!
//! let handler = ChunkedCookieHandler::wif(CookieSettings::wif());
//! let request = HeaderMap::new();
//! let cookies = handler.write(&[7; 2000], CookieLifetime::BrowserSession, RequestCookies::new(&request))?;
//! assert_eq!(cookies.len(), 2); // FedAuth and FedAuth1
//!
//! // The browser sends them back with the next request.
//! let mut request = HeaderMap::new();
//! for cookie in &cookies {
//!     let pair = cookie.to_str()?.split(';').next().unwrap_or_default();
//!     request.append(COOKIE, pair.parse()?);
//! }
//! let mut token = Vec::new();
//! assert!(handler.read(RequestCookies::new(&request), 0, &mut token)?);
//! assert_eq!(token, [7; 2000]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod chunked;
mod framing;
mod handler;
mod request;
mod set_cookie;
mod settings;

pub use chunked::ChunkedCookieHandler;
pub use handler::{CookieHandler, MAX_DUPLICATES};
pub use request::RequestCookies;
pub use set_cookie::{CookieLifetime, SetCookie};
pub use settings::{CookieSettings, CookieSettingsBuilder, SameSite};
