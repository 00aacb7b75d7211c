//! Writes policies as WCF does (SC 16.2): what a client generator of WCF or CXF reads.

use crate::Encoding;
use crate::error::Error;
use crate::policy::ns;
use crate::wsdl::MessageProtection;
use handstamp_ws_security::addressing::SIGNED_HEADERS;
use handstamp_ws_security::{
    AddressingVersion, Generation, HeaderLayout, HeaderName, IssuedKeyType, IssuedTokenParameters, KeyEntropyMode,
    MessageParts, Protection, ProtectionLevel, ProtectionOrder, ReferenceStyle, SecureConversation, SecurityBinding,
    TokenInclusion, TokenKind, TokenParameters, TokenRole, WssVersion,
};
use handstamp_xml::{Writer, names};

/// What the policy of an endpoint says.
#[derive(Debug, Clone, Copy)]
pub(crate) struct EndpointTerms<'b> {
    pub(crate) security: Option<&'b SecurityBinding>,
    pub(crate) addressing: Option<AddressingVersion>,
    pub(crate) encoding: Encoding,
    /// Whether TLS asks for a certificate.
    pub(crate) require_client_certificate: bool,
}

/// The policy of an endpoint, with this `wsu:Id`.
pub(crate) fn endpoint(id: &str, terms: EndpointTerms<'_>) -> Result<String, Error> {
    let generation = terms.security.map(|binding| binding.version.generation).unwrap_or_default();
    policy(id, generation, |out| {
        if let Some(binding) = terms.security {
            let bound = BindingWriter { binding, addressing: terms.addressing, terms };
            bound.write(out);
        }
        match terms.encoding {
            Encoding::Text => {}
            Encoding::Mtom => out.empty("wsoma", ns::WSOMA, "OptimizedMimeSerialization"),
            Encoding::Binary => out.empty("msb", ns::BINARY, "BinaryEncoding"),
        }
        match terms.addressing {
            None => {}
            Some(AddressingVersion::V10) => out.empty("wsaw", ns::WSAW, "UsingAddressing"),
            Some(AddressingVersion::August2004) => out.empty("wsap", ns::WSAP, "UsingAddressing"),
        }
    })
}

/// The policy of a message, with this `wsu:Id`.
pub(crate) fn message(
    id: &str,
    generation: Generation,
    addressing: Option<AddressingVersion>,
    protection: &MessageProtection,
) -> Result<String, Error> {
    let header = |wanted: fn(ProtectionLevel) -> bool| {
        let headers = protection.headers.iter().filter(move |header| wanted(header.level));
        headers.map(|header| header.name.clone()).collect::<Vec<_>>()
    };
    let signed = MessageParts {
        body: protection.body >= ProtectionLevel::Sign,
        headers: addressing_headers(addressing)
            .into_iter()
            .chain(header(|level| level >= ProtectionLevel::Sign))
            .collect(),
    };
    let encrypted = MessageParts {
        body: protection.body == ProtectionLevel::EncryptAndSign,
        headers: header(|level| level == ProtectionLevel::EncryptAndSign),
    };
    policy(id, generation, |out| {
        out.parts("SignedParts", &signed);
        out.parts("EncryptedParts", &encrypted);
    })
}

fn policy(id: &str, generation: Generation, content: impl FnOnce(&mut Assertions)) -> Result<String, Error> {
    let mut writer = Writer::new();
    let sp = namespace(generation);
    writer.start("wsp", names::WSP, "Policy").attribute_ns("wsu", names::WSU, "Id", id).declare("sp", sp);
    writer.start("wsp", names::WSP, "ExactlyOne").start("wsp", names::WSP, "All");
    let mut assertions = Assertions { writer, sp, generation };
    content(&mut assertions);
    let mut writer = assertions.writer;
    writer.end().end().end();
    Ok(writer.finish()?)
}

/// Writes one binding and what stands beside it.
#[derive(Clone, Copy)]
struct BindingWriter<'b> {
    binding: &'b SecurityBinding,
    addressing: Option<AddressingVersion>,
    terms: EndpointTerms<'b>,
}

impl BindingWriter<'_> {
    fn write(self, out: &mut Assertions) {
        let before = out.switch(self.binding.version.generation);
        let name = match self.binding.protection {
            Protection::Symmetric { .. } => "SymmetricBinding",
            Protection::Asymmetric { .. } => "AsymmetricBinding",
            Protection::Transport => "TransportBinding",
        };
        out.nested(name, |out| {
            match &self.binding.protection {
                Protection::Symmetric { token } => out.nested("ProtectionToken", |out| self.token(out, token)),
                Protection::Asymmetric { initiator, recipient } => {
                    out.nested("InitiatorToken", |out| self.token(out, initiator));
                    out.nested("RecipientToken", |out| self.token(out, recipient));
                }
                Protection::Transport => out.nested("TransportToken", |out| self.https_token(out)),
            }
            self.properties(out);
        });
        self.supporting(out);
        self.protocols(out);
        out.switch(before);
    }

    fn https_token(self, out: &mut Assertions) {
        let required = self.terms.require_client_certificate;
        if out.generation == Generation::V13 {
            out.start("HttpsToken");
            out.writer.start("wsp", names::WSP, "Policy");
            if required {
                out.flag("RequireClientCertificate");
            }
            out.writer.end().end();
        } else {
            out.start("HttpsToken");
            out.writer.attribute("RequireClientCertificate", if required { "true" } else { "false" }).end();
        }
    }

    fn properties(self, out: &mut Assertions) {
        let binding = self.binding;
        out.nested("AlgorithmSuite", |out| out.flag(binding.suite.name()));
        let layout = match binding.layout {
            HeaderLayout::Strict => "Strict",
            HeaderLayout::Lax => "Lax",
            HeaderLayout::LaxTimestampFirst => "LaxTsFirst",
            HeaderLayout::LaxTimestampLast => "LaxTsLast",
        };
        out.nested("Layout", |out| out.flag(layout));
        if binding.include_timestamp {
            out.flag("IncludeTimestamp");
        }
        if binding.is_transport() {
            return;
        }
        match binding.protection_order {
            ProtectionOrder::SignBeforeEncrypt => {}
            ProtectionOrder::EncryptBeforeSign => out.flag("EncryptBeforeSigning"),
            ProtectionOrder::SignBeforeEncryptAndEncryptSignature => out.flag("EncryptSignature"),
        }
        if binding.protect_tokens {
            out.flag("ProtectTokens");
        }
        out.flag("OnlySignEntireHeadersAndBody");
    }

    fn supporting(self, out: &mut Assertions) {
        for supporting in &self.binding.supporting_tokens {
            let name = match (supporting.role, out.generation) {
                // WS-SecurityPolicy 1.1 has no word for both.
                (TokenRole::Signed, _) | (TokenRole::SignedEncrypted, Generation::February2005) => {
                    "SignedSupportingTokens"
                }
                (TokenRole::SignedEncrypted, Generation::V13) => "SignedEncryptedSupportingTokens",
                (TokenRole::Endorsing, _) => "EndorsingSupportingTokens",
                (TokenRole::SignedEndorsing, _) => "SignedEndorsingSupportingTokens",
                (TokenRole::EndorsingEncrypted, _) => "EndorsingEncryptedSupportingTokens",
                (TokenRole::SignedEndorsingEncrypted, _) => "SignedEndorsingEncryptedSupportingTokens",
            };
            let mut parts = supporting.signed_parts.clone();
            if self.binding.is_transport() && supporting.role.endorses() && has_private_key(&supporting.parameters.kind)
            {
                let to = addressing_headers(self.addressing).into_iter().take(1);
                parts.headers.extend(to);
            }
            out.nested(name, |out| {
                self.token(out, &supporting.parameters);
                out.parts("SignedParts", &parts);
            });
        }
    }

    fn protocols(self, out: &mut Assertions) {
        let binding = self.binding;
        let wss = if binding.version.wss == WssVersion::V11 { "Wss11" } else { "Wss10" };
        let references = References::of(binding);
        out.nested(wss, |out| {
            out.flag_if(references.key_identifier, "MustSupportRefKeyIdentifier");
            out.flag_if(references.issuer_serial, "MustSupportRefIssuerSerial");
            out.flag_if(references.thumbprint, "MustSupportRefThumbprint");
            out.flag_if(references.encrypted_key, "MustSupportRefEncryptedKey");
            out.flag_if(binding.require_signature_confirmation, "RequireSignatureConfirmation");
        });
        let trust = if out.generation == Generation::V13 { "Trust13" } else { "Trust10" };
        out.nested(trust, |out| {
            out.flag("MustSupportIssuedTokens");
            if binding.key_entropy != KeyEntropyMode::Server {
                out.flag("RequireClientEntropy");
            }
            if binding.key_entropy != KeyEntropyMode::Client {
                out.flag("RequireServerEntropy");
            }
        });
    }

    fn token(self, out: &mut Assertions, token: &TokenParameters) {
        let inclusion = match token.inclusion {
            TokenInclusion::AlwaysToRecipient => "AlwaysToRecipient",
            TokenInclusion::AlwaysToInitiator => "AlwaysToInitiator",
            TokenInclusion::Never => "Never",
        };
        let derives = token.require_derived_keys && token.kind != TokenKind::UserName;
        match &token.kind {
            TokenKind::X509 => out.token("X509Token", inclusion, |out| {
                out.flag_if(derives, "RequireDerivedKeys");
                match token.reference {
                    ReferenceStyle::Any => {}
                    ReferenceStyle::Thumbprint => out.flag("RequireThumbprintReference"),
                    ReferenceStyle::IssuerSerial => out.flag("RequireIssuerSerialReference"),
                    ReferenceStyle::KeyIdentifier => out.flag("RequireKeyIdentifierReference"),
                }
                out.flag("WssX509V3Token10");
            }),
            TokenKind::UserName => out.token("UsernameToken", inclusion, |out| out.flag("WssUsernameToken10")),
            TokenKind::RsaKey => {
                out.writer.start("mssp", ns::MSSP, "RsaToken");
                out.inclusion(inclusion);
                out.writer.end();
            }
            TokenKind::SecureConversation(session) => out.token("SecureConversationToken", inclusion, |out| {
                out.flag_if(derives, "RequireDerivedKeys");
                self.session(out, session);
            }),
            TokenKind::Issued(issued) => {
                out.start("IssuedToken");
                out.inclusion(inclusion);
                template(out, issued);
                out.writer.start("wsp", names::WSP, "Policy");
                out.flag_if(derives, "RequireDerivedKeys");
                out.flag("RequireInternalReference");
                out.writer.end().end();
            }
            TokenKind::SslNegotiated { client_certificate, require_cancellation } => {
                out.writer.start("mssp", ns::MSSP, "SslContextToken");
                out.inclusion(inclusion);
                out.writer.start("wsp", names::WSP, "Policy");
                out.flag_if(derives, "RequireDerivedKeys");
                if !require_cancellation {
                    out.must_not_send_cancel();
                }
                if *client_certificate {
                    out.empty("mssp", ns::MSSP, "RequireClientCertificate");
                }
                if out.generation == Generation::V13 {
                    out.flag("MustNotSendAmend");
                    out.flag("MustNotSendRenew");
                }
                out.writer.end().end();
            }
        }
    }

    fn session(self, out: &mut Assertions, session: &SecureConversation) {
        if !session.require_cancellation {
            out.must_not_send_cancel();
        }
        out.nested("BootstrapPolicy", |out| {
            let headers = addressing_headers(self.addressing);
            out.parts("SignedParts", &MessageParts { body: true, headers });
            out.parts("EncryptedParts", &MessageParts { body: true, headers: Vec::new() });
            BindingWriter { binding: &session.bootstrap, addressing: self.addressing, terms: self.terms }.write(out);
        });
        if out.generation == Generation::V13 {
            out.flag("MustNotSendAmend");
            out.flag_if(!session.require_cancellation || !session.can_renew, "MustNotSendRenew");
        }
    }
}

/// How the tokens of a binding are referred to, by other means than their ids.
#[derive(Default)]
struct References {
    key_identifier: bool,
    issuer_serial: bool,
    thumbprint: bool,
    encrypted_key: bool,
}

impl References {
    fn of(binding: &SecurityBinding) -> Self {
        let mut references = Self::default();
        let protecting = match &binding.protection {
            Protection::Symmetric { token } => {
                // Replies are protected by the key that the request encrypted.
                references.encrypted_key = token.kind == TokenKind::X509;
                vec![token]
            }
            Protection::Asymmetric { initiator, recipient } => vec![initiator, recipient],
            Protection::Transport => Vec::new(),
        };
        let supporting = binding.supporting_tokens.iter().map(|supporting| &supporting.parameters);
        for token in protecting.into_iter().chain(supporting).filter(|token| token.kind == TokenKind::X509) {
            match (token.reference, binding.version.wss) {
                (ReferenceStyle::Any, WssVersion::V10) => {
                    (references.key_identifier, references.issuer_serial) = (true, true);
                }
                (ReferenceStyle::Any, WssVersion::V11) | (ReferenceStyle::Thumbprint, _) => {
                    references.thumbprint = true;
                }
                (ReferenceStyle::IssuerSerial, _) => references.issuer_serial = true,
                (ReferenceStyle::KeyIdentifier, _) => references.key_identifier = true,
            }
        }
        references
    }
}

/// `RequestSecurityTokenTemplate`: what a client asks a token service for.
fn template(out: &mut Assertions, issued: &IssuedTokenParameters) {
    let trust = out.generation.trust();
    if let Some(issuer) = &issued.issuer {
        out.start("Issuer");
        out.writer.element("a", names::WSA, "Address", issuer).end();
    }
    out.start("RequestSecurityTokenTemplate");
    if let Some(token_type) = &issued.token_type {
        out.writer.element("t", trust, "TokenType", token_type);
    }
    let key_type = match (issued.key_type, out.generation) {
        (IssuedKeyType::Symmetric, _) => format!("{trust}/SymmetricKey"),
        (IssuedKeyType::Asymmetric, _) => format!("{trust}/PublicKey"),
        (IssuedKeyType::Bearer, Generation::V13) => format!("{trust}/Bearer"),
        (IssuedKeyType::Bearer, Generation::February2005) => format!("{}/NoProofKey", names::WSID),
    };
    out.writer.element("t", trust, "KeyType", &key_type);
    if let Some(size) = issued.key_size {
        out.writer.element("t", trust, "KeySize", &size.to_string());
    }
    if !issued.claim_types.is_empty() {
        out.writer.start("t", trust, "Claims").attribute("Dialect", names::WSID);
        for claim in &issued.claim_types {
            out.writer.start("wsid", names::WSID, "ClaimType").attribute("Uri", &claim.claim_type);
            if claim.is_optional {
                out.writer.attribute("Optional", "true");
            }
            out.writer.end();
        }
        out.writer.end();
    }
    out.writer.end();
}

fn addressing_headers(version: Option<AddressingVersion>) -> Vec<HeaderName> {
    let header = |version: AddressingVersion, name: &str| HeaderName {
        namespace: version.namespace().to_owned(),
        local_name: Some(name.to_owned()),
    };
    version.into_iter().flat_map(|version| SIGNED_HEADERS.map(|name| header(version, name))).collect()
}

fn has_private_key(kind: &TokenKind) -> bool {
    match kind {
        TokenKind::X509 | TokenKind::RsaKey => true,
        TokenKind::Issued(issued) => issued.key_type == IssuedKeyType::Asymmetric,
        _ => false,
    }
}

fn namespace(generation: Generation) -> &'static str {
    match generation {
        Generation::February2005 => ns::SP_11,
        Generation::V13 => ns::SP_12,
    }
}

/// Writes assertions in one dialect.
struct Assertions {
    writer: Writer,
    sp: &'static str,
    generation: Generation,
}

impl Assertions {
    /// Goes on in another dialect; the one before comes back.
    fn switch(&mut self, generation: Generation) -> Generation {
        self.sp = namespace(generation);
        std::mem::replace(&mut self.generation, generation)
    }

    fn start(&mut self, name: &str) {
        self.writer.start("sp", self.sp, name);
    }

    fn flag(&mut self, name: &str) {
        self.empty("sp", self.sp, name);
    }

    fn flag_if(&mut self, wanted: bool, name: &str) {
        if wanted {
            self.flag(name);
        }
    }

    fn empty(&mut self, prefix: &str, namespace: &str, name: &str) {
        self.writer.start(prefix, namespace, name).end();
    }

    /// An assertion with a policy in it.
    fn nested(&mut self, name: &str, content: impl FnOnce(&mut Self)) {
        self.start(name);
        self.writer.start("wsp", names::WSP, "Policy");
        content(self);
        self.writer.end().end();
    }

    fn token(&mut self, name: &str, inclusion: &str, content: impl FnOnce(&mut Self)) {
        self.start(name);
        self.inclusion(inclusion);
        self.writer.start("wsp", names::WSP, "Policy");
        content(self);
        self.writer.end().end();
    }

    fn inclusion(&mut self, inclusion: &str) {
        let uri = format!("{}/IncludeToken/{inclusion}", self.sp);
        self.writer.attribute_ns("sp", self.sp, "IncludeToken", &uri);
    }

    fn must_not_send_cancel(&mut self) {
        match self.generation {
            Generation::February2005 => self.empty("mssp", ns::MSSP, "MustNotSendCancel"),
            Generation::V13 => self.flag("MustNotSendCancel"),
        }
    }

    /// `SignedParts` or `EncryptedParts`; nothing when there are none, since without children they mean everything.
    fn parts(&mut self, name: &str, parts: &MessageParts) {
        if !parts.body && parts.headers.is_empty() {
            return;
        }
        self.start(name);
        self.flag_if(parts.body, "Body");
        for header in &parts.headers {
            self.start("Header");
            if let Some(local_name) = &header.local_name {
                self.writer.attribute("Name", local_name);
            }
            self.writer.attribute("Namespace", &header.namespace).end();
        }
        self.writer.end();
    }
}
