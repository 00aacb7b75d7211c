//! The request that a reply answers, as its client has it.

use handstamp_ws_security::soap::Envelope;
use handstamp_ws_security::{AddressingVersion, Expectation, ProtectionLevel, RequestContext, WrappedKey};
use handstamp_xml::{Document, Element, names};
use handstamp_xml_security::signature::Signature;

use super::{Ends, Opener, action_of, included_certificate};

/// What a client knows of its own request.
pub(super) struct OwnRequest {
    pub(super) action: String,
    pub(super) context: RequestContext,
    /// The request with its protection off, if it could be taken off.
    pub(super) plain: Option<Document>,
    /// Why it could not.
    pub(super) closed: Option<String>,
}

impl OwnRequest {
    /// Opens the request as its service would, at the time when it was made. Where that is not possible, because a key is missing
    /// or the request is not what a service accepts, what stands in clear has to do: the reply is what is judged.
    pub(super) fn read(opener: &Opener, message: &Document) -> Self {
        let action = action_of(message);
        let wrapped = opener.given.wrapped(message);
        // Whose certificate is in it is the client's own affair, whatever identity is at hand.
        let own = || opener.identity.as_ref().map(|identity| identity.certificate().clone());
        let ends = Ends {
            identity: opener.identity_for(message),
            peer: included_certificate(message).or_else(own),
            now: made(message).unwrap_or(opener.now),
            is_sender: true,
        };
        let expected = Expectation::request().with_body(ProtectionLevel::None);
        let expected = match &wrapped {
            Some(wrapped) => expected.with_wrapped_key(wrapped),
            None => expected,
        };
        match opener.open_as_service(message, &ends, expected) {
            Ok(opened) => {
                let plain = Some(opened.document().clone());
                Self { action, context: opened.into_request_context(), plain, closed: None }
            }
            Err(refusal) => Self::in_clear(message, action, wrapped, refusal.message),
        }
    }

    fn in_clear(message: &Document, action: String, encrypted_key: Option<WrappedKey>, problem: String) -> Self {
        let envelope = Envelope::of(message).ok();
        let header = envelope.and_then(|envelope| envelope.header());
        let block = |name: &str| {
            let is_named = |block: &Element<'_>| {
                block.local_name() == name && AddressingVersion::from_namespace(block.namespace()).is_some()
            };
            header?.children().find(is_named).map(|block| block.text().trim().to_owned())
        };
        let security = envelope.and_then(|envelope| envelope.security_header().ok().flatten());
        let children = || security.into_iter().flat_map(Element::children);
        let signatures = children().filter(|child| child.is(names::DSIG, "Signature"));
        let values = signatures.filter_map(|signature| Some(Signature::parse(signature).ok()?.value().to_vec()));
        let context = RequestContext {
            message_id: block("MessageID"),
            encrypted_key,
            signature_values: values.collect(),
            ..RequestContext::default()
        };
        let encrypts = |envelope: Envelope<'_>| envelope.body().child(names::XENC, "EncryptedData").is_some();
        let plain = envelope.is_some_and(|envelope| !encrypts(envelope)).then(|| message.clone());
        Self { action, context, plain, closed: Some(problem) }
    }
}

/// When the message says that it was made.
fn made(message: &Document) -> Option<handstamp_time::Timestamp> {
    let security = Envelope::of(message).ok()?.security_header().ok()??;
    let timestamp = security.child(names::WSU, "Timestamp")?;
    timestamp.child(names::WSU, "Created")?.text().trim().parse().ok()
}
