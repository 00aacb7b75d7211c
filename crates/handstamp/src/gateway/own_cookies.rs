//! The cookies of the gateway itself: applications neither get them nor set them.

use std::sync::Arc;

use bytes::Bytes;
use handstamp_web_session::ActiveSession;
use handstamp_web_session::cookie::RequestCookies;
use http::HeaderMap;
use http::header::{COOKIE, HeaderValue, SET_COOKIE};

use super::federation::Federation;
use crate::sts::SecurityTokenService;

/// Whose they are: whoever signs in, on whichever route.
#[derive(Debug, Default)]
pub(super) struct OwnCookies {
    federations: Vec<Arc<Federation>>,
    token_service: Option<SecurityTokenService>,
}

impl OwnCookies {
    pub(super) fn new<'f>(
        federations: impl IntoIterator<Item = &'f Arc<Federation>>,
        token_service: Option<SecurityTokenService>,
    ) -> Self {
        Self { federations: federations.into_iter().cloned().collect(), token_service }
    }

    /// Takes them out of a request, so that the application never has them.
    pub(super) fn take_out(&self, headers: &mut HeaderMap, session: Option<&ActiveSession>) {
        let foreign = match session {
            Some(session) => session
                .memo(|foreign: &mut ForeignCookies| foreign.0.get_or_insert_with(|| self.foreign(headers)).clone()),
            None if RequestCookies::new(headers).iter().any(|(name, _)| self.contain(name)) => self.foreign(headers),
            None => return,
        };
        match foreign {
            Some(foreign) => headers.insert(COOKIE, foreign),
            None => headers.remove(COOKIE),
        };
    }

    /// The cookies of others, in one line, as they were sent.
    fn foreign(&self, headers: &HeaderMap) -> Option<HeaderValue> {
        let foreign = RequestCookies::new(headers).without(|name| self.contain(name));
        HeaderValue::from_maybe_shared(Bytes::from(foreign)).ok().filter(|foreign| !foreign.is_empty())
    }

    /// Drops what an application tries to set under their names.
    pub(super) fn keep(&self, headers: &mut HeaderMap) {
        let is_own = |line: &HeaderValue| {
            let end = line.as_bytes().iter().position(|byte| matches!(byte, b'=' | b';')).unwrap_or(line.len());
            self.contain(line.as_bytes()[..end].trim_ascii())
        };
        if !headers.get_all(SET_COOKIE).iter().any(is_own) {
            return;
        }
        let foreign: Vec<HeaderValue> =
            headers.get_all(SET_COOKIE).iter().filter(|line| !is_own(line)).cloned().collect();
        headers.remove(SET_COOKIE);
        for line in foreign {
            headers.append(SET_COOKIE, line);
        }
    }

    fn contain(&self, name: &[u8]) -> bool {
        self.federations.iter().any(|federation| federation.owns_cookie(name))
            || self.token_service.as_ref().is_some_and(|service| service.owns_cookie(name))
    }
}

/// What is left of the cookies of a request, once that is known.
#[derive(Clone, Default)]
struct ForeignCookies(Option<Option<HeaderValue>>);
