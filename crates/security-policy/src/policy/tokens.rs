//! Token assertions.

use crate::error::Error;
use crate::policy::endpoint::EndpointPolicy;
use crate::policy::{Alternative, Assertion, Sources, ns};
use handstamp_ws_security::{
    ClaimTypeRequirement, IssuedKeyType, IssuedTokenParameters, ReferenceStyle, SecureConversation, TokenInclusion,
    TokenKind, TokenParameters,
};
use handstamp_xml::{Element, names};

/// Where a token stands in the policy: decides what `Always` and `Once` come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Holder {
    /// The client shows it, or it is a context that the client names.
    Client,
    /// The service shows it.
    Service,
}

/// The token assertions that an alternative holds, in their order.
pub(crate) fn is_token(assertion: &Assertion<'_>) -> bool {
    ns::is_security(assertion.namespace())
        && assertion.name().ends_with("Token")
        && assertion.name() != "TransportToken"
}

/// Reads the only token inside an assertion like `ProtectionToken`.
pub(crate) fn only_token<'d>(
    sources: &Sources<'d>,
    owner: Element<'d>,
    holder: Holder,
) -> Result<TokenParameters, Error> {
    sources.first(owner, &sources.nested(owner)?, |alternative| match alternative.as_slice() {
        [token] if is_token(token) => read(sources, token.element, holder),
        [] => Err(sources.error(owner, format!("<{}> names no token", owner.local_name()))),
        [other] => Err(unknown(sources, other.element, owner)),
        [_, second, ..] => {
            Err(sources.error(second.element, format!("<{}> names a second token: keep one", owner.local_name())))
        }
    })
}

/// Reads a token assertion.
pub(crate) fn read<'d>(sources: &Sources<'d>, token: Element<'d>, holder: Holder) -> Result<TokenParameters, Error> {
    let inclusion = inclusion(sources, token, holder)?;
    let alternatives = sources.nested(token)?;
    sources.first(token, &alternatives, |alternative| {
        let mut properties = Properties::default();
        let kind = match token.local_name() {
            "X509Token" => x509(sources, token, alternative, &mut properties)?,
            "UsernameToken" => user_name(sources, token, alternative, &mut properties)?,
            "IssuedToken" => issued(sources, token, alternative, &mut properties)?,
            "SecureConversationToken" => secure_conversation(sources, token, alternative, &mut properties)?,
            "SslContextToken" => ssl_context(sources, token, alternative, &mut properties)?,
            name => return Err(refused(sources, token, name)),
        };
        Ok(TokenParameters {
            kind,
            inclusion,
            require_derived_keys: properties.derived_keys,
            reference: properties.reference,
        })
    })
}

/// What every token has.
#[derive(Default)]
struct Properties {
    derived_keys: bool,
    reference: ReferenceStyle,
}

impl Properties {
    /// Takes what every token may have; false for what it does not know.
    fn take<'d>(&mut self, sources: &Sources<'d>, assertion: &Assertion<'d>) -> Result<bool, Error> {
        if !ns::is_security(assertion.namespace()) {
            return Ok(false);
        }
        match assertion.name() {
            "RequireDerivedKeys" | "RequireExplicitDerivedKeys" => self.derived_keys = true,
            "RequireImpliedDerivedKeys" => {
                return Err(sources.error(
                    assertion.element,
                    "<RequireImpliedDerivedKeys> derives keys that no token in the header describes, which is not available: \
                     use RequireDerivedKeys",
                ));
            }
            "RequireThumbprintReference" => self.reference = ReferenceStyle::Thumbprint,
            "RequireIssuerSerialReference" => self.reference = ReferenceStyle::IssuerSerial,
            "RequireKeyIdentifierReference" => self.reference = ReferenceStyle::KeyIdentifier,
            // The other styles of reference are used where they are the only ones.
            "RequireExternalUriReference" | "RequireExternalReference" | "RequireInternalReference" => {}
            _ => return Ok(false),
        }
        Ok(true)
    }
}

fn x509<'d>(
    sources: &Sources<'d>,
    token: Element<'d>,
    alternative: &Alternative<'d>,
    properties: &mut Properties,
) -> Result<TokenKind, Error> {
    no_children_but(sources, token, &[])?;
    for assertion in alternative {
        if properties.take(sources, assertion)? {
            continue;
        }
        match assertion.name() {
            "WssX509V3Token10" | "WssX509V3Token11" => {}
            name @ ("WssX509V1Token10"
            | "WssX509V1Token11"
            | "WssX509Pkcs7Token10"
            | "WssX509Pkcs7Token11"
            | "WssX509PkiPathV1Token10"
            | "WssX509PkiPathV1Token11") => {
                return Err(sources.error(
                    assertion.element,
                    format!("<{name}>: only single certificates of version 3 are available: use WssX509V3Token10"),
                ));
            }
            _ => return Err(unknown(sources, assertion.element, token)),
        }
    }
    Ok(TokenKind::X509)
}

fn user_name<'d>(
    sources: &Sources<'d>,
    token: Element<'d>,
    alternative: &Alternative<'d>,
    properties: &mut Properties,
) -> Result<TokenKind, Error> {
    no_children_but(sources, token, &[])?;
    for assertion in alternative {
        match assertion.name() {
            "WssUsernameToken10" | "WssUsernameToken11" => {}
            "HashPassword" => {
                return Err(sources.error(
                    assertion.element,
                    "<HashPassword> needs the password itself on the side of the service: send it as text, signed and \
                     encrypted, as WCF does",
                ));
            }
            name @ ("NoPassword"
            | "RequireDerivedKeys"
            | "RequireImpliedDerivedKeys"
            | "RequireExplicitDerivedKeys"
            | "Created"
            | "Nonce") => {
                return Err(sources.error(
                    assertion.element,
                    format!(
                        "<{name}> of <UsernameToken> is not available: the token is a name and a password (SC 6.2)"
                    ),
                ));
            }
            _ if properties.take(sources, assertion)? => {}
            _ => return Err(unknown(sources, assertion.element, token)),
        }
    }
    Ok(TokenKind::UserName)
}

fn issued<'d>(
    sources: &Sources<'d>,
    token: Element<'d>,
    alternative: &Alternative<'d>,
    properties: &mut Properties,
) -> Result<TokenKind, Error> {
    for assertion in alternative {
        if !properties.take(sources, assertion)? {
            return Err(unknown(sources, assertion.element, token));
        }
    }
    no_children_but(sources, token, &["Issuer", "RequestSecurityTokenTemplate", "Claims"])?;
    let mut parameters = IssuedTokenParameters::default();
    let security = |name: &str| {
        token.children().find(move |child| child.local_name() == name && ns::is_security(child.namespace()))
    };
    parameters.issuer = security("Issuer")
        .and_then(|issuer| issuer.children().find(|child| child.local_name() == "Address"))
        .map(|address| address.text().trim().to_owned());
    let template = security("RequestSecurityTokenTemplate");
    let template = template.ok_or_else(|| {
        sources.error(token, "<IssuedToken> has no RequestSecurityTokenTemplate, which says what token is asked for")
    })?;
    for child in template.children() {
        if child.namespace() != names::WST_2005 && child.namespace() != names::WST_13 {
            continue;
        }
        let text = child.text();
        let text = text.trim();
        match child.local_name() {
            "TokenType" => parameters.token_type = Some(text.to_owned()).filter(|uri| !uri.is_empty()),
            "KeyType" => parameters.key_type = key_type(sources, child, text)?,
            "KeySize" => {
                let size = text.parse().ok().filter(|size| (64..=8192).contains(size));
                let size: u32 = size.ok_or_else(|| sources.error(child, "<KeySize> is no number of bits"))?;
                parameters.key_size = Some(size);
            }
            "Claims" => parameters.claim_types = claims(child),
            // The other elements are between the client and the token service.
            _ => {}
        }
    }
    if parameters.key_type == IssuedKeyType::Bearer {
        properties.derived_keys = false;
    }
    if let Some(claims_of_token) = token.children().find(|child| child.local_name() == "Claims") {
        parameters.claim_types = claims(claims_of_token);
    }
    Ok(TokenKind::Issued(parameters))
}

fn key_type<'d>(sources: &Sources<'d>, element: Element<'d>, uri: &str) -> Result<IssuedKeyType, Error> {
    match uri.rsplit('/').next().unwrap_or_default() {
        "SymmetricKey" => Ok(IssuedKeyType::Symmetric),
        "PublicKey" => Ok(IssuedKeyType::Asymmetric),
        "Bearer" | "NoProofKey" => Ok(IssuedKeyType::Bearer),
        _ => Err(sources.error(element, "<KeyType> is none of SymmetricKey, PublicKey and Bearer")),
    }
}

fn claims(element: Element<'_>) -> Vec<ClaimTypeRequirement> {
    let types = element.children().filter(|child| child.local_name() == "ClaimType");
    types
        .filter_map(|claim| {
            let claim_type = claim.attribute("Uri")?.to_owned();
            let is_optional = claim.attribute("Optional").is_some_and(|value| matches!(value.trim(), "true" | "1"));
            Some(ClaimTypeRequirement { claim_type, is_optional })
        })
        .collect()
}

fn secure_conversation<'d>(
    sources: &Sources<'d>,
    token: Element<'d>,
    alternative: &Alternative<'d>,
    properties: &mut Properties,
) -> Result<TokenKind, Error> {
    no_children_but(sources, token, &[])?;
    let (mut cancels, mut renews, mut bootstrap) = (true, true, None);
    for assertion in alternative {
        if properties.take(sources, assertion)? {
            continue;
        }
        match assertion.name() {
            "MustNotSendCancel" => cancels = false,
            "MustNotSendRenew" => renews = false,
            "MustNotSendAmend"
            | "SC13SecurityContextToken"
            | "SC10SecurityContextToken"
            | "SC200502SecurityContextToken" => {}
            "BootstrapPolicy" => bootstrap = Some(assertion.element),
            _ => return Err(unknown(sources, assertion.element, token)),
        }
    }
    let bootstrap = bootstrap.ok_or_else(|| {
        sources
            .error(token, "<SecureConversationToken> has no BootstrapPolicy, which says how a session is established")
    })?;
    let binding = sources.first(bootstrap, &sources.nested(bootstrap)?, |alternative| {
        let policy = EndpointPolicy::read(sources, bootstrap, alternative)?;
        policy.security.ok_or_else(|| sources.error(bootstrap, "<BootstrapPolicy> holds no binding assertion"))
    })?;
    if binding.session().is_some() {
        return Err(sources.error(bootstrap, "<BootstrapPolicy> needs another session, which is not available"));
    }
    // A context that is a cookie is neither cancelled nor renewed.
    Ok(TokenKind::SecureConversation(Box::new(SecureConversation {
        bootstrap: binding,
        require_cancellation: cancels,
        can_renew: renews || !cancels,
    })))
}

fn ssl_context<'d>(
    sources: &Sources<'d>,
    token: Element<'d>,
    alternative: &Alternative<'d>,
    properties: &mut Properties,
) -> Result<TokenKind, Error> {
    no_children_but(sources, token, &[])?;
    let (mut client_certificate, mut require_cancellation) = (false, true);
    for assertion in alternative {
        if properties.take(sources, assertion)? {
            continue;
        }
        match assertion.name() {
            "RequireClientCertificate" => client_certificate = true,
            "MustNotSendCancel" => require_cancellation = false,
            "MustNotSendRenew" | "MustNotSendAmend" => {}
            _ => return Err(unknown(sources, assertion.element, token)),
        }
    }
    Ok(TokenKind::SslNegotiated { client_certificate, require_cancellation })
}

/// What `IncludeToken` comes to. Without it a token stands in all messages.
fn inclusion<'d>(sources: &Sources<'d>, token: Element<'d>, holder: Holder) -> Result<TokenInclusion, Error> {
    let written = token.attributes().find(|attribute| attribute.local_name() == "IncludeToken");
    let own = match holder {
        Holder::Client => TokenInclusion::AlwaysToRecipient,
        Holder::Service => TokenInclusion::AlwaysToInitiator,
    };
    let Some(written) = written else { return Ok(own) };
    match written.value().trim().rsplit('/').next().unwrap_or_default() {
        "Never" => Ok(TokenInclusion::Never),
        "AlwaysToRecipient" => Ok(TokenInclusion::AlwaysToRecipient),
        "AlwaysToInitiator" => Ok(TokenInclusion::AlwaysToInitiator),
        // Whoever holds it shows it, and a second time does no harm.
        "Always" | "Once" => Ok(own),
        _ => Err(sources.error(
            token,
            format!(
                "IncludeToken of <{}> ends with none of Never, Once, AlwaysToRecipient, AlwaysToInitiator and Always",
                token.local_name()
            ),
        )),
    }
}

/// Besides a policy, the token holds elements of these names only.
fn no_children_but<'d>(sources: &Sources<'d>, token: Element<'d>, allowed: &[&str]) -> Result<(), Error> {
    let mut others = token.children().filter(|child| !ns::is_policy(child.namespace()));
    match others.find(|child| !allowed.contains(&child.local_name())) {
        None => Ok(()),
        Some(child) => Err(sources.error(
            child,
            format!(
                "<{}> of <{}> is not available: which certificates and tokens are trusted is configured, not negotiated; \
                 remove it",
                child.local_name(),
                token.local_name()
            ),
        )),
    }
}

fn refused<'d>(sources: &Sources<'d>, token: Element<'d>, name: &str) -> Error {
    let why = match name {
        "KerberosToken" | "SpnegoContextToken" => {
            "needs the Windows security provider, which is not available here: choose certificates, user names or issued tokens"
        }
        "SamlToken" => "is a SAML token without a token service: use IssuedToken",
        "SecurityContextToken" => "is a context that was agreed on elsewhere: use SecureConversationToken",
        "RelToken" | "KeyValueToken" | "HttpsToken" => "cannot stand here",
        _ => "is no token that is known here: choose X509Token, UsernameToken, IssuedToken or SecureConversationToken",
    };
    sources.error(token, format!("<{name}> {why}"))
}

/// An assertion that is not known where it stands.
pub(crate) fn unknown<'d>(sources: &Sources<'d>, assertion: Element<'d>, owner: Element<'d>) -> Error {
    sources.error(
        assertion,
        format!(
            "<{}> of namespace {:?} is not known in <{}>: remove it, or mark it wsp:Optional=\"true\" if clients may do without",
            assertion.local_name().chars().take(80).collect::<String>(),
            assertion.namespace().chars().take(120).collect::<String>(),
            owner.local_name()
        ),
    )
}
