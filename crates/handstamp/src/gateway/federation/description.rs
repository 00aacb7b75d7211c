//! What a relying party publishes about itself, for issuers to import (SM §4.1).

use handstamp_keys::{Certificate, KeyPolicy, SigningIdentity};
use handstamp_saml::TokenDecryption;
use handstamp_ws_federation::{ApplicationMetadata, ClaimTypeDescription};
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue, X_CONTENT_TYPE_OPTIONS};
use http::{Method, Response, StatusCode};
use zeroize::Zeroizing;

use super::is_safe;
use super::setup::setup_error;
use crate::config::{self, PublishedMetadata};
use crate::gateway::body::Body;
use crate::gateway::problem::Problem;
use crate::{Error, password_file};

/// The document, and where it is.
pub(super) struct Description {
    path: String,
    xml: String,
}

impl Description {
    /// Writes the document.
    ///
    /// # Errors
    /// A signing key that cannot be used.
    pub(super) fn open(
        place: &str,
        settings: &config::Federation,
        metadata: &PublishedMetadata,
        public_url: &str,
        decryption: Option<&TokenDecryption>,
    ) -> Result<Self, Error> {
        let signing = metadata.signing_key.as_ref().map(|file| -> Result<SigningIdentity, Error> {
            let password = match &metadata.signing_password_file {
                Some(file) => password_file::read(&format!("{place}.metadata.signing_password_file"), file)?,
                None => Zeroizing::default(),
            };
            let key = format!("{place}.metadata.signing_key");
            SigningIdentity::read(file, &password, &KeyPolicy::default())
                .map_err(|error| setup_error(&key, error.code(), &error))
        });
        let requested: Vec<ClaimTypeDescription> = metadata.claim_types.iter().map(description).collect();
        let reply = format!("{public_url}{}", settings.reply_path.as_str());
        let encryption: Vec<&Certificate> =
            decryption.into_iter().flat_map(TokenDecryption::published_certificates).collect();
        let xml = ApplicationMetadata {
            realm: &settings.realm,
            reply: &reply,
            audiences: &settings.audiences,
            requested: &requested,
            encryption: &encryption,
        }
        .to_xml(signing.transpose()?.as_ref())
        .map_err(|error| setup_error(&format!("{place}.metadata"), error.code(), &error))?;
        Ok(Self { path: metadata.path.as_str().to_owned(), xml })
    }

    pub(super) fn path(&self) -> &str {
        &self.path
    }

    pub(super) fn answer(&self, method: &Method) -> Result<Response<Body>, Problem> {
        if !is_safe(method) {
            let problem = Problem::new(
                StatusCode::METHOD_NOT_ALLOWED,
                "HST-METADATA-METHOD",
                "Only to be read",
                "This is the metadata of an application, for its sign-in service.",
            );
            return Err(problem.header(ALLOW, HeaderValue::from_static("GET, HEAD")));
        }
        let mut response = Response::new(Body::whole(self.xml.clone()));
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/samlmetadata+xml"));
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("public, max-age=300"));
        Ok(response)
    }
}

fn description(claim_type: &config::ClaimTypeName) -> ClaimTypeDescription {
    let uri = claim_type.0.to_string();
    let display_name = uri.rsplit(['/', ':']).next().unwrap_or_default().to_owned();
    ClaimTypeDescription { uri, display_name, optional: true }
}
