//! The messages of the passive requestor profile (SM §3.3).

use crate::{Error, Parameters};
use handstamp_time::Timestamp;

/// What a message asks for: the value of `wa`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Action {
    /// `wsignin1.0`: a sign-in request, or the response to one.
    SignIn,
    /// `wsignout1.0`: asks the issuer to end its session.
    SignOut,
    /// `wsignoutcleanup1.0`: tells a relying party to forget the user.
    SignOutCleanup,
    /// `wattr1.0`: an attribute request; recognized, not served.
    Attribute,
    /// `wpseudo1.0`: a pseudonym request; recognized, not served.
    Pseudonym,
}

impl Action {
    /// The value of `wa`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SignIn => "wsignin1.0",
            Self::SignOut => "wsignout1.0",
            Self::SignOutCleanup => "wsignoutcleanup1.0",
            Self::Attribute => "wattr1.0",
            Self::Pseudonym => "wpseudo1.0",
        }
    }

    /// The action that `wa` names.
    pub fn from_wa(wa: &str) -> Option<Self> {
        [Self::SignIn, Self::SignOut, Self::SignOutCleanup, Self::Attribute, Self::Pseudonym]
            .into_iter()
            .find(|action| action.as_str() == wa)
    }

    /// Tells cheaply whether a query is a message at all, without decoding it.
    ///
    /// An application's own query may repeat names as it likes; only what starts like a message needs
    /// [`Parameters::parse`].
    ///
    /// ```
    /// use handstamp_ws_federation::Action;
    /// assert_eq!(Action::in_query("wa=wsignoutcleanup1.0"), Some(Action::SignOutCleanup));
    /// assert_eq!(Action::in_query("tag=a&tag=b"), None);
    /// ```
    pub fn in_query(query: &str) -> Option<Self> {
        query.split('&').find_map(|piece| piece.strip_prefix("wa=")).and_then(Self::from_wa)
    }
}

/// A message, told apart by `wa` and by whether it carries a result.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Message {
    /// Relying party to issuer: who is this browser's user?
    SignInRequest(SignInRequest),
    /// Issuer to relying party: this one, says the token.
    SignInResponse(SignInResponse),
    /// Relying party to issuer: end the session.
    SignOutRequest(SignOutRequest),
    /// Issuer to relying party: forget the user.
    SignOutCleanup(SignOutRequest),
    /// An attribute or pseudonym request, which nobody here serves.
    Other(Action, Parameters),
}

impl Message {
    /// Sorts parameters into a message.
    ///
    /// # Errors
    /// `wa` missing or unknown, values of the wrong form, or parameters that exclude each other. Whether a
    /// message may come by this HTTP method is for the state machines to say.
    pub fn from_parameters(parameters: &Parameters) -> Result<Self, Error> {
        let wa = required(parameters, "message", "wa")?;
        Ok(match Action::from_wa(wa) {
            Some(Action::SignIn) if ["wresult", "wresultptr"].iter().any(|p| parameters.get(p).is_some()) => {
                Self::SignInResponse(SignInResponse::from_parameters(parameters)?)
            }
            Some(Action::SignIn) => Self::SignInRequest(SignInRequest::from_parameters(parameters)?),
            Some(Action::SignOut) => Self::SignOutRequest(SignOutRequest::from_parameters(parameters)),
            Some(Action::SignOutCleanup) => Self::SignOutCleanup(SignOutRequest::from_parameters(parameters)),
            Some(action) => Self::Other(action, parameters.clone()),
            None => return Err(Error::UnknownAction(wa.into())),
        })
    }
}

/// `wa=wsignin1.0` from a relying party. Absent parameters are none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SignInRequest {
    /// `wtrealm`: who asks.
    pub realm: Option<String>,
    /// `wreply`: where to post the response.
    pub reply: Option<String>,
    /// `wctx`: returned unchanged with the response.
    pub context: Option<String>,
    /// `wct`: the sender's clock.
    pub current_time: Option<Timestamp>,
    /// `wfresh`: the greatest age of the authentication in minutes; 0 asks for credentials again.
    pub freshness: Option<u32>,
    /// `wauth`: URI of the authentication method asked for.
    pub authentication_type: Option<String>,
    /// `whr`: the preferred identity provider.
    pub home_realm: Option<String>,
    /// `wp`: URL of a policy.
    pub policy: Option<String>,
    /// `wres`: URL of the resource (legacy).
    pub resource: Option<String>,
    /// `wreq`: an inline `RequestSecurityToken`.
    pub request: Option<String>,
    /// `wreqptr`: where a `RequestSecurityToken` is. Excludes `wreq`.
    pub request_ptr: Option<String>,
    /// `wencoding`: encoding of XML parameters.
    pub encoding: Option<String>,
    /// Every other parameter, in order.
    pub other: Parameters,
}

impl SignInRequest {
    /// Reads a request.
    ///
    /// # Errors
    /// Neither `wtrealm` nor `wreply`; both `wreq` and `wreqptr`; `wfresh` or `wct` malformed.
    pub fn from_parameters(parameters: &Parameters) -> Result<Self, Error> {
        let mut request = Self::default();
        for (name, value) in parameters.iter() {
            match name {
                "wa" => {}
                "wct" => request.current_time = Some(time(value)?),
                "wfresh" => request.freshness = Some(minutes(value)?),
                _ => match request.text_mut(name) {
                    Some(field) => *field = Some(value.to_owned()),
                    None => request.other.set(name, value),
                },
            }
        }
        if request.realm.is_none() && request.reply.is_none() {
            return Err(Error::MissingParameter { message: "sign-in request", parameter: "wtrealm" });
        }
        if request.request.is_some() && request.request_ptr.is_some() {
            return Err(Error::ExclusiveParameters("wreq", "wreqptr"));
        }
        Ok(request)
    }

    /// The parameters, in the order in which the original sends them: `wa`, `wtrealm`, `wctx`, `wct`, the rest.
    pub fn to_parameters(&self) -> Parameters {
        let mut out = with_action(Action::SignIn);
        let texts = [
            ("wreply", &self.reply),
            ("wauth", &self.authentication_type),
            ("whr", &self.home_realm),
            ("wp", &self.policy),
            ("wres", &self.resource),
            ("wreq", &self.request),
            ("wreqptr", &self.request_ptr),
            ("wencoding", &self.encoding),
        ];
        set_all(&mut out, [("wtrealm", &self.realm), ("wctx", &self.context)]);
        if let Some(time) = self.current_time {
            out.set("wct", time.whole_seconds().to_string());
        }
        if let Some(minutes) = self.freshness {
            out.set("wfresh", minutes.to_string());
        }
        set_all(&mut out, texts);
        set_other(&mut out, &self.other);
        out
    }

    fn text_mut(&mut self, name: &str) -> Option<&mut Option<String>> {
        Some(match name {
            "wtrealm" => &mut self.realm,
            "wreply" => &mut self.reply,
            "wctx" => &mut self.context,
            "wauth" => &mut self.authentication_type,
            "whr" => &mut self.home_realm,
            "wp" => &mut self.policy,
            "wres" => &mut self.resource,
            "wreq" => &mut self.request,
            "wreqptr" => &mut self.request_ptr,
            "wencoding" => &mut self.encoding,
            _ => return None,
        })
    }
}

/// `wa=wsignin1.0` with a result, from an issuer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SignInResponse {
    /// `wresult`: the XML of a `RequestSecurityTokenResponse`.
    pub result: String,
    /// `wctx`: what the request carried.
    pub context: Option<String>,
    /// `wct`: the sender's clock.
    pub current_time: Option<Timestamp>,
    /// Every other parameter, in order.
    pub other: Parameters,
}

impl SignInResponse {
    /// Reads a response.
    ///
    /// # Errors
    /// `wa` is not `wsignin1.0`, `wresult` is missing, or `wresultptr` is there (SM-26): a URL that a stranger
    /// names is never fetched.
    pub fn from_parameters(parameters: &Parameters) -> Result<Self, Error> {
        let wa = required(parameters, "sign-in response", "wa")?;
        if Action::from_wa(wa) != Some(Action::SignIn) {
            return Err(Error::InvalidParameter { parameter: "wa", expected: "wsignin1.0", value: wa.into() });
        }
        if parameters.get("wresultptr").is_some() {
            return Err(Error::PointerRefused("wresultptr"));
        }
        let mut response =
            Self { result: required(parameters, "sign-in response", "wresult")?.to_owned(), ..Self::default() };
        for (name, value) in parameters.iter() {
            match name {
                "wa" | "wresult" => {}
                "wctx" => response.context = Some(value.to_owned()),
                // The sender's clock is unsigned and decides nothing, so a malformed one does no harm.
                "wct" => response.current_time = value.parse().ok(),
                _ => response.other.set(name, value),
            }
        }
        Ok(response)
    }

    /// The parameters: `wa`, `wresult`, `wctx`, `wct`, the rest.
    pub fn to_parameters(&self) -> Parameters {
        let mut out = with_action(Action::SignIn);
        out.set("wresult", &self.result);
        set_all(&mut out, [("wctx", &self.context)]);
        if let Some(time) = self.current_time {
            out.set("wct", time.whole_seconds().to_string());
        }
        set_other(&mut out, &self.other);
        out
    }
}

/// `wa=wsignout1.0` or `wa=wsignoutcleanup1.0`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SignOutRequest {
    /// `wreply`: where to send the browser afterwards.
    pub reply: Option<String>,
    /// `wtrealm`: who asks.
    pub realm: Option<String>,
    /// `wctx`.
    pub context: Option<String>,
    /// Every other parameter, in order.
    pub other: Parameters,
}

impl SignOutRequest {
    /// Reads a request of either action.
    pub fn from_parameters(parameters: &Parameters) -> Self {
        let mut request = Self::default();
        for (name, value) in parameters.iter() {
            match name {
                "wa" => {}
                "wreply" => request.reply = Some(value.to_owned()),
                "wtrealm" => request.realm = Some(value.to_owned()),
                "wctx" => request.context = Some(value.to_owned()),
                _ => request.other.set(name, value),
            }
        }
        request
    }

    /// The parameters, as a message with this action.
    pub fn to_parameters(&self, action: Action) -> Parameters {
        let mut out = with_action(action);
        set_all(&mut out, [("wtrealm", &self.realm), ("wreply", &self.reply), ("wctx", &self.context)]);
        set_other(&mut out, &self.other);
        out
    }
}

fn with_action(action: Action) -> Parameters {
    let mut out = Parameters::new();
    out.set("wa", action.as_str());
    out
}

fn set_all<const N: usize>(out: &mut Parameters, texts: [(&str, &Option<String>); N]) {
    for (name, value) in texts {
        if let Some(value) = value {
            out.set(name, value);
        }
    }
}

/// Appends extra parameters; one that the message itself sets keeps the message's value.
fn set_other(out: &mut Parameters, other: &Parameters) {
    for (name, value) in other.iter() {
        if out.get(name).is_none() {
            out.set(name, value);
        }
    }
}

fn required<'p>(parameters: &'p Parameters, message: &'static str, parameter: &'static str) -> Result<&'p str, Error> {
    parameters.get(parameter).ok_or(Error::MissingParameter { message, parameter })
}

fn time(value: &str) -> Result<Timestamp, Error> {
    value.parse().map_err(|_| Error::InvalidParameter {
        parameter: "wct",
        expected: "a time such as 2030-01-01T00:00:00Z",
        value: value.into(),
    })
}

fn minutes(value: &str) -> Result<u32, Error> {
    value.parse().map_err(|_| Error::InvalidParameter {
        parameter: "wfresh",
        expected: "a number of minutes",
        value: value.into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Limits;

    fn message(query: &str) -> Result<Message, Error> {
        Message::from_parameters(&Parameters::parse(query, &Limits::default())?)
    }

    #[test]
    fn sm_24_the_example_of_the_specification() {
        let request = SignInRequest {
            realm: Some("https://rp.example/".into()),
            context: Some("rm=0&id=passive&ru=%2forders%2f7".into()),
            current_time: Some("2030-01-01T00:00:00.5Z".parse().unwrap()),
            ..SignInRequest::default()
        };
        assert_eq!(
            request.to_parameters().append_to("https://sts.example/wsfed"),
            "https://sts.example/wsfed?wa=wsignin1.0&wtrealm=https%3a%2f%2frp.example%2f\
             &wctx=rm%3d0%26id%3dpassive%26ru%3d%252forders%252f7&wct=2030-01-01T00%3a00%3a00Z"
        );
    }

    #[test]
    fn sm_24_every_request_parameter_survives_both_ways() {
        let query = "wa=wsignin1.0&wtrealm=urn%3ar&wctx=c&wct=2030-01-01T00%3a00%3a00Z&wfresh=0&wreply=https%3a%2f%2fr\
                     &wauth=urn%3aa&whr=h&wp=p&wres=s&wreq=%3crst%2f%3e&wencoding=e&pr=wsfederation";
        let Message::SignInRequest(request) = message(query).unwrap() else { panic!("not a sign-in request") };
        assert_eq!(request.freshness, Some(0));
        assert_eq!(request.other.get("pr"), Some("wsfederation"));
        assert_eq!(request.to_parameters().to_query_string(), query);
    }

    #[test]
    fn messages_are_told_apart() {
        assert!(matches!(message("wa=wsignin1.0&wresult=x"), Ok(Message::SignInResponse(_))));
        assert!(matches!(message("wa=wsignout1.0"), Ok(Message::SignOutRequest(_))));
        assert!(matches!(message("wa=wsignoutcleanup1.0&wreply=x"), Ok(Message::SignOutCleanup(_))));
        assert!(matches!(message("wa=wattr1.0"), Ok(Message::Other(Action::Attribute, _))));
        assert!(matches!(message("wa=wpseudo1.0"), Ok(Message::Other(Action::Pseudonym, _))));
    }

    #[test]
    fn sm_25_sm_26_malformed_messages_have_their_own_codes() {
        for (query, code) in [
            ("", "HST-WSFED-MISSING"),
            ("wa=", "HST-WSFED-ACTION"),
            ("wa=WSIGNIN1.0&wtrealm=a", "HST-WSFED-ACTION"),
            ("wa=wsignin1.0", "HST-WSFED-MISSING"),
            ("wa=wsignin1.0&wtrealm=a&wreq=b&wreqptr=c", "HST-WSFED-EXCLUSIVE"),
            ("wa=wsignin1.0&wtrealm=a&wfresh=-1", "HST-WSFED-VALUE"),
            ("wa=wsignin1.0&wtrealm=a&wct=now", "HST-WSFED-VALUE"),
            ("wa=wsignin1.0&wresultptr=https://evil", "HST-WSFED-POINTER"),
            ("wa=wsignin1.0&wresult=x&wresultptr=https://evil", "HST-WSFED-POINTER"),
            ("wa=wsignin1.0&wtrealm=a&wtrealm=b", "HST-WSFED-REPEATED"),
        ] {
            assert_eq!(message(query).unwrap_err().code(), code, "{query}");
        }
        let cleanup = Parameters::from_pairs([("wa", "wsignoutcleanup1.0"), ("wresult", "x")]).unwrap();
        assert_eq!(SignInResponse::from_parameters(&cleanup).unwrap_err().code(), "HST-WSFED-VALUE");
    }

    #[test]
    fn a_response_round_trips() {
        let response = SignInResponse {
            result: "<t:RequestSecurityTokenResponse/>".into(),
            context: Some("state".into()),
            ..SignInResponse::default()
        };
        assert_eq!(SignInResponse::from_parameters(&response.to_parameters()).unwrap(), response);
    }
}
