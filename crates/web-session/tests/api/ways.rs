//! The ways of keeping sessions: both cookie formats, both token formats, self-contained and by reference, in all stores.

use handstamp_session_token::SessionSecurityToken;
use handstamp_time::Timestamp;
use handstamp_web_session::cookie::{ChunkedCookieHandler, CookieSettings};
use handstamp_web_session::module::Received;

/// Makes a module of tests with `$suite` for every way.
macro_rules! for_every_way {
    ($suite:ident) => {
        for_every_way! { $suite
            native_self_contained: native, native_format, SelfContained, in_memory;
            native_reference_in_memory: native, native_format, Reference, in_memory;
            native_reference_in_sqlite: native, native_format, Reference, in_sqlite;
            wif_self_contained: wif, native_format, SelfContained, in_memory;
            wif_reference_in_memory: wif, native_format, Reference, in_memory;
            wif_tokens: wif_as_the_original, wif_format, SelfContained, in_memory;
        }
    };
    ($suite:ident $($name:ident: $cookies:ident, $format:ident, $mode:ident, $store:ident;)+) => {$(
        $suite!($name, crate::fixture::Way {
            cookies: crate::ways::$cookies,
            format: crate::fixture::$format,
            mode: handstamp_web_session::SessionMode::$mode,
            store: crate::fixture::$store,
        });
    )+};
}
pub(crate) use for_every_way;

pub(crate) fn native() -> ChunkedCookieHandler {
    ChunkedCookieHandler::native(CookieSettings::default()).with_chunk_size(1000).unwrap()
}

pub(crate) fn wif() -> ChunkedCookieHandler {
    ChunkedCookieHandler::wif(CookieSettings::wif()).with_chunk_size(1000).unwrap()
}

pub(crate) fn wif_as_the_original() -> ChunkedCookieHandler {
    ChunkedCookieHandler::wif(CookieSettings::wif())
}

/// What an application's own sliding would do.
pub(crate) fn reissued(token: &SessionSecurityToken, now: Timestamp) -> Received {
    let builder = token.reissue().valid_from(now).valid_to(token.valid_to());
    Received::Reissue(Box::new(builder.build(now, &handstamp_keys::SystemRandom).unwrap()))
}
