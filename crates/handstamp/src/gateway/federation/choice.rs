//! The page where people choose at which issuer they sign in.

use askama::Template;
use form_urlencoded::{Serializer, parse};
use handstamp_time::Timestamp;
use handstamp_web_session::Session;
use handstamp_ws_federation::{HomeRealmDecision, ReturnUrl};
use http::header::{HeaderMap, SET_COOKIE};
use http::request::Parts;
use http::{Response, StatusCode};

use super::sign_out::is_foreign;
use super::{Federation, redirect};
use crate::gateway::body::Body;
use crate::gateway::problem::Problem;
use crate::pages::{self, ContentPolicy};

/// The issuers as links.
#[derive(Debug, Template)]
#[template(path = "choose_issuer.html")]
struct ChoicePage {
    issuers: Vec<IssuerLink>,
}

#[derive(Debug)]
struct IssuerLink {
    name: String,
    /// The host where people sign in, when it is known.
    host: String,
    href: String,
    is_last: bool,
    /// Whether something is known of the issuer.
    is_there: bool,
}

impl Federation {
    /// Shows the issuers, or goes on to the one that was chosen there. That is remembered.
    ///
    /// Another site may send people here, and choose for nobody: it could make a browser forget at whose issuer its user is
    /// at home.
    pub(super) fn choose_issuer(&self, request: &Parts, session: &Session) -> Result<Response<Body>, Problem> {
        let query = request.uri.query().unwrap_or_default().as_bytes();
        let field = |wanted: &str| parse(query).find(|(name, _)| name == wanted).map(|(_, value)| value.into_owned());
        let wanted = ReturnUrl::or_root(&field(RETURN_URL).unwrap_or_default());
        let now = session.module().now();
        let chosen = field(HOME_REALM).filter(|_| !is_foreign(&request.headers));
        let chosen = chosen.and_then(|chosen| self.issuers.named(&chosen));
        let Some(party) = chosen else {
            return Ok(self.choice_page(&wanted, &request.headers));
        };
        let mut response = self.send_to(party, None, wanted, &request.headers, now)?;
        response.headers_mut().extend(self.issuers.remember(&party.issuer_name, now).map(|line| (SET_COOKIE, line)));
        Ok(response)
    }

    /// Sends the browser to the issuer that a request is for, or to the page.
    pub(super) fn send_to_issuer(
        &self,
        whr: Option<&str>,
        wanted: ReturnUrl,
        headers: &HeaderMap,
        now: Timestamp,
    ) -> Result<Response<Body>, Problem> {
        if let HomeRealmDecision::Issuer { issuer, home_realm } = self.issuers.decide(whr, headers)
            && let Some(party) = self.issuers.named(issuer)
        {
            return self.send_to(party, home_realm, wanted, headers, now);
        }
        redirect(StatusCode::FOUND, &self.choice_url(&[(RETURN_URL, wanted.as_str())]))
    }

    /// Where people choose.
    pub(super) fn choice_url(&self, fields: &[(&str, &str)]) -> String {
        let mut query = Serializer::new(String::new());
        query.extend_pairs(fields);
        match query.finish() {
            query if query.is_empty() => self.reply_path.clone(),
            query => format!("{}?{query}", self.reply_path),
        }
    }

    fn choice_page(&self, wanted: &ReturnUrl, headers: &HeaderMap) -> Response<Body> {
        let last = self.issuers.remembered(headers);
        let link = |party: &super::LivingParty| {
            let known = party.current().ok();
            let address = known.as_ref().and_then(|party| party.settings().issuer.parse::<http::Uri>().ok());
            IssuerLink {
                name: party.issuer.display_name.clone().unwrap_or_else(|| party.issuer_name.clone()),
                host: address.and_then(|address| address.host().map(str::to_owned)).unwrap_or_default(),
                href: self.choice_url(&[(HOME_REALM, &party.issuer_name), (RETURN_URL, wanted.as_str())]),
                is_last: last == Some(party.issuer_name.as_str()),
                is_there: known.is_some(),
            }
        };
        let page = ChoicePage { issuers: self.issuers.iter().map(link).collect() };
        pages::respond(StatusCode::OK, &page, &ContentPolicy::default()).map(Body::whole)
    }
}

/// What was asked for before the question came up, as `wctx` calls it.
const RETURN_URL: &str = "ru";
const HOME_REALM: &str = "whr";
