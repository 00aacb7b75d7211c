//! Reads `<security>` and `<secureConversationBootstrap>`.

use super::words::{ENTROPIES, LAYOUTS, ORDERS, Words, list, value_of};
use super::{BOOTSTRAP, Place, SECURITY, SecurityElement, issued};
use crate::error::{Error, line_of};
use crate::local_settings;
use crate::reader::Reader;
use handstamp_ws_security::{AlgorithmSuite, AuthenticationMode, MessageSecurityVersion};
use handstamp_xml::Element;

impl SecurityElement {
    pub(crate) fn read(element: Element<'_>) -> Result<Self, Error> {
        let mut reader = Reader::new(element);
        let mut read = Self {
            mode: reader.word("authenticationMode", AuthenticationMode::from_name, "an authentication mode of WCF")?,
            default_algorithm_suite: reader.word(
                "defaultAlgorithmSuite",
                AlgorithmSuite::from_name,
                "an algorithm suite",
            )?,
            allow_serialized_signing_token_on_reply: reader.bool("allowSerializedSigningTokenOnReply")?,
            enable_unsecured_response: reader.bool("enableUnsecuredResponse")?,
            require_derived_keys: reader.bool("requireDerivedKeys")?,
            security_header_layout: word(&mut reader, "securityHeaderLayout", LAYOUTS)?,
            include_timestamp: reader.bool("includeTimestamp")?,
            allow_insecure_transport: reader.bool("allowInsecureTransport")?,
            key_entropy_mode: word(&mut reader, "keyEntropyMode", ENTROPIES)?,
            message_protection_order: word(&mut reader, "messageProtectionOrder", ORDERS)?,
            protect_tokens: reader.bool("protectTokens")?,
            message_security_version: reader.word(
                "messageSecurityVersion",
                MessageSecurityVersion::from_name,
                "a message security version, or Default",
            )?,
            require_security_context_cancellation: reader.bool("requireSecurityContextCancellation")?,
            require_signature_confirmation: reader.bool("requireSignatureConfirmation")?,
            can_renew_security_context_token: reader.bool("canRenewSecurityContextToken")?,
            place: Place { line: Some(line_of(element)), is_bootstrap: element.local_name() == BOOTSTRAP },
            ..Self::default()
        };
        let mut names = vec!["issuedTokenParameters", "localClientSettings", "localServiceSettings"];
        if element.local_name() == SECURITY {
            names.push(BOOTSTRAP);
        }
        for child in reader.children(&names)? {
            match child.local_name() {
                "issuedTokenParameters" => read.issued_token_parameters = Some(issued::read(child)?),
                "localClientSettings" => read.local_client_settings = Some(local_settings::client(child)?),
                "localServiceSettings" => read.local_service_settings = Some(local_settings::service(child)?),
                _ => read.bootstrap = Some(Box::new(Self::read(child)?)),
            }
        }
        reader.finish()?;
        Ok(read)
    }
}

pub(super) fn word<T: Copy>(reader: &mut Reader<'_>, name: &'static str, words: &Words<T>) -> Result<Option<T>, Error> {
    reader.word(name, |value| value_of(words, value), &list(words))
}
