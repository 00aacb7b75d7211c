//! Links that sign in.

use handstamp_ws_federation::ReturnUrl;
use http::{Request, Response, StatusCode};

use super::Visit;
use super::body::Body;
use super::federation::{Federation, redirect};

/// Goes to the issuer and then to the page that `return` names; at once to that page for those who are signed in.
pub(super) async fn answer(federation: &Federation, request: Request<Body>, visit: Visit<'_>) -> Response<Body> {
    federation
        .with_session(request, visit, |request, session| async move {
            let query = request.uri().query().unwrap_or_default();
            let wanted = form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "return");
            // A path of this host, and nothing else.
            let wanted = wanted.map_or_else(ReturnUrl::root, |(_, value)| ReturnUrl::or_root(&value));
            if !session.is_anonymous() {
                return redirect(StatusCode::SEE_OTHER, wanted.as_str());
            }
            federation.challenge_for(request.method(), wanted, request.headers(), &session)
        })
        .await
}
