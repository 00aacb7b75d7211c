//! Answers to what is refused: unsecured when nothing was verified, secured when something was (SC 12.2).

use super::SecureConversationService;
use super::answer::{Answer, Event, Handled};
use crate::error::Error;
use handstamp_keys::SecureRandom;
use handstamp_time::Timestamp;
use handstamp_ws_security::addressing::unverified_header;
use handstamp_ws_security::soap::{Envelope, Fault, FaultCode, QualifiedName, SecurityFault, SoapVersion};
use handstamp_ws_security::token::SecurityContextToken;
use handstamp_ws_security::{
    AddressingVersion, Body, HeaderBlock, Message, OutsideFault, ProtectionLevel, RequestContext, Sender,
};
use handstamp_xml::{Element, Writer, names};
use std::net::IpAddr;

/// What a message says before anything of it was verified: enough to route it and to refuse it.
#[derive(Debug)]
pub(crate) struct Head {
    pub(crate) soap: SoapVersion,
    pub(crate) addressing: AddressingVersion,
    pub(crate) action: Option<String>,
    pub(crate) message_id: Option<String>,
    pub(crate) has_security: bool,
    /// The identifier of the first security context token in the security header.
    pub(crate) first_context: Option<String>,
    pub(crate) protected_channel: bool,
    /// Where the message comes from.
    pub(crate) address: Option<IpAddr>,
}

impl Head {
    pub(crate) fn of(envelope: &Envelope<'_>, protected_channel: bool) -> Self {
        let header = envelope.header();
        let text = |name| header.and_then(|header| unverified_header(header, name)).map(std::borrow::Cow::into_owned);
        // Of two that are for us the message is refused when it is opened.
        let first = || envelope.header_blocks().find(|block| block.is(names::WSSE, "Security"));
        let security = envelope.security_header().unwrap_or_else(|_| first());
        let is_context = |child: &Element<'_>| child.local_name() == "SecurityContextToken";
        let token = security.and_then(|security| security.children().find(is_context));
        Self {
            soap: envelope.version(),
            addressing: header.and_then(AddressingVersion::of_header).unwrap_or_default(),
            action: text("Action"),
            message_id: text("MessageID"),
            has_security: security.is_some(),
            first_context: token
                .and_then(|token| SecurityContextToken::parse(token).ok())
                .map(|token| token.context.identifier),
            protected_channel,
            address: None,
        }
    }
}

impl Head {
    /// The head of a message in which an identifier is given twice. It is well formed, so WCF refuses it as it refuses any other
    /// that was tampered with; our parser makes no document of it, so its versions and its `MessageID` are looked for in the text.
    pub(crate) fn of_text(text: &str, protected_channel: bool) -> Self {
        let soap = if text.contains(names::SOAP11) { SoapVersion::Soap11 } else { SoapVersion::Soap12 };
        let addressing = if text.contains(names::WSA) { AddressingVersion::V10 } else { AddressingVersion::August2004 };
        let is_plain = |id: &&str| id.bytes().all(|octet| octet.is_ascii_graphic() && octet != b'&');
        let message_id = text.split_once("MessageID").and_then(|(_, rest)| rest.split_once('>'));
        let message_id = message_id.and_then(|(_, rest)| rest.split('<').next()).filter(is_plain);
        Self {
            soap,
            addressing,
            action: None,
            message_id: message_id.map(str::to_owned),
            has_security: true,
            first_context: None,
            protected_channel,
            address: None,
        }
    }
}

impl SecureConversationService {
    /// The fault for a message that could not be verified. `bad_context` is the namespace in which contexts are unknown.
    pub(super) fn refuse_unverified(
        &self,
        head: &Head,
        error: handstamp_ws_security::Error,
        bad_context: &'static str,
    ) -> Handled {
        self.refuse(head, SecurityFault::of(error.outside(), bad_context), error.into())
    }

    /// An unsecured fault.
    pub(super) fn refuse(&self, head: &Head, fault: SecurityFault, error: Error) -> Handled {
        unsecured(head, fault.to_fault(), error).into()
    }

    /// The header of HTTP and that of the message ask for different things (SC 1.3). WCF has a fault for it in addressing 1.0 only.
    pub(super) fn refuse_action_mismatch(&self, head: &Head) -> Handled {
        let name = match head.addressing {
            AddressingVersion::V10 => "ActionMismatch",
            AddressingVersion::August2004 => "InvalidMessageInformationHeader",
        };
        let fault = Fault {
            code: FaultCode::Sender,
            subcode: Some(QualifiedName::new(head.addressing.namespace(), name)),
            reason: "The SOAP action specified on the message does not match the HTTP SOAP Action.".to_owned(),
        };
        let error = Error::trust("SC 1.3", "Action", "SOAPAction says another action than the message");
        let envelope = match head.addressing {
            AddressingVersion::V10 => about_action(head, &fault),
            AddressingVersion::August2004 => return unsecured(head, fault, error).into(),
        };
        let event = Event::Refused(error);
        envelope.map(|envelope| Answer { envelope, soap: head.soap, fault: Some(fault), event }).into()
    }

    /// A fault in a reply that is protected like any other reply to this request.
    pub(super) fn refuse_secured(
        &self,
        sender: &Sender<'_>,
        (head, request): (&Head, &RequestContext),
        (fault, action): (Fault, Option<&str>),
        error: Error,
        (now, random): (Timestamp, &dyn SecureRandom),
    ) -> Handled {
        let message = fault_message(head.soap, head.addressing, request.message_id.clone(), &fault, action);
        let envelope =
            message.and_then(|message| Ok(sender.answering(request).protect(&message, random, now)?.envelope));
        match envelope {
            Ok(envelope) => {
                Handled::Answer(Answer { envelope, soap: head.soap, fault: Some(fault), event: Event::Refused(error) })
            }
            Err(error) => Handled::Dropped(error),
        }
    }

    /// The fault for an authentic message with a header that nobody understands, protected with `sender`; none for other errors.
    pub(super) fn refuse_not_understood(
        &self,
        sender: &Sender<'_>,
        head: &Head,
        error: handstamp_ws_security::Error,
        now_and_random: (Timestamp, &dyn SecureRandom),
    ) -> Result<Handled, handstamp_ws_security::Error> {
        let handstamp_ws_security::Error::NotUnderstood { request, .. } = &error else { return Err(error) };
        let (request, fault) = (request.clone(), (SecurityFault::MustUnderstand.to_fault(), None));
        Ok(self.refuse_secured(sender, (head, &request), fault, error.into(), now_and_random))
    }
}

/// A fault as a reply. The action is that of faults, unless another is said.
pub(crate) fn fault_message(
    soap: SoapVersion,
    addressing: AddressingVersion,
    relates_to: Option<String>,
    fault: &Fault,
    action: Option<&str>,
) -> Result<Message, Error> {
    let mut writer = Writer::new();
    fault.write(soap, &mut writer);
    let message = Message::reply(soap, addressing, action.unwrap_or(addressing.fault_action()), relates_to);
    Ok(message.with_body(Body::canonical(writer.finish()?)))
}

/// A fault that nobody protected about the header `Action`, named in the details: those about headers SOAP 1.1 has in a header.
fn about_action(head: &Head, fault: &Fault) -> Result<String, Error> {
    let wsa = head.addressing.namespace();
    let name_header = |writer: &mut Writer| {
        writer.start("a", wsa, "ProblemHeaderQName").text("a:Action").end();
    };
    let mut body = Writer::new();
    let mut headers = Vec::new();
    match head.soap {
        SoapVersion::Soap12 => fault.write_with_detail(head.soap, &mut body, name_header),
        SoapVersion::Soap11 => {
            fault.write(head.soap, &mut body);
            let mut detail = Writer::new();
            detail.start("a", wsa, "FaultDetail");
            name_header(&mut detail);
            detail.end();
            headers.push(HeaderBlock::from_xml(detail.finish()?, ProtectionLevel::None)?);
        }
    }
    let message = Message::reply(head.soap, head.addressing, head.addressing.fault_action(), head.message_id.clone());
    let message = Message { headers, ..message.with_body(Body::canonical(body.finish()?)) };
    Ok(message.to_unprotected()?)
}

/// A fault that nobody protected.
pub(crate) fn unsecured(head: &Head, fault: Fault, error: Error) -> Result<Answer, Error> {
    let envelope = fault.to_message(head.soap, head.addressing, head.message_id.as_deref())?;
    Ok(Answer { envelope, soap: head.soap, fault: Some(fault), event: Event::Refused(error) })
}

/// Access was denied, or a caller gets no session: said inside the protection, so the code is all that is told.
pub(super) fn access_denied() -> Fault {
    Fault {
        reason: "Access is denied.".to_owned(),
        ..SecurityFault::of(OutsideFault::FailedAuthentication, "").to_fault()
    }
}

/// A credential turned out to be invalid while a token was issued: in the trust namespace of February 2005 (SC 12.2).
pub(super) fn failed_authentication() -> Fault {
    Fault {
        code: FaultCode::Sender,
        subcode: Some(QualifiedName::new(names::WST_2005, "FailedAuthentication")),
        reason: "The request for security token could not be satisfied because authentication failed.".to_owned(),
    }
}

/// The service is closing.
pub(super) fn endpoint_unavailable(addressing: AddressingVersion) -> Fault {
    Fault {
        code: FaultCode::Receiver,
        subcode: Some(QualifiedName::new(addressing.namespace(), "EndpointUnavailable")),
        reason:
            "The server is not accepting new secure conversations currently because it is closing. Please retry later."
                .to_owned(),
    }
}
