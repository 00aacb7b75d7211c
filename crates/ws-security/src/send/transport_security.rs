//! Transport bindings: TLS protects; the header carries a timestamp, tokens, and signatures that endorse the timestamp (SC 6.4,
//! 8.11).

use crate::binding::HeaderLayout;
use crate::error::Error;
use crate::send::Protected;
use crate::send::protecting::{Protecting, Supporting};
use crate::send::tokens::Key;
use handstamp_keys::DigestValue;
use handstamp_xml_security::signature::SignedInfo;

impl Protecting<'_> {
    /// Adds the header.
    pub(super) fn by_transport_security(mut self) -> Result<Protected, Error> {
        let message = self.frame.message;
        let timestamp_id = self.ids.number();
        let (timestamp, timestamp_digest) = self.timestamp(&timestamp_id);
        let mut out = String::with_capacity(message.body.xml().len() + 4096);
        self.frame.start(&mut out);
        let to = self.write_plain_headers(&mut out)?;
        let supporting = self.supporting()?;
        let confirmations = self.confirmations()?;

        // WCF refuses a header with nothing in it, and sends none (SC 6.4).
        if !self.binding().include_timestamp && supporting.is_empty() && confirmations.is_empty() {
            out.extend(["</s:Header><s:Body>", message.body.xml(), "</s:Body></s:Envelope>"]);
            return Ok(Protected { envelope: out, request: self.request });
        }
        self.start_security(&mut out);
        let (timestamp_is_last, include_timestamp) =
            (self.binding().layout == HeaderLayout::LaxTimestampLast, self.binding().include_timestamp);
        if include_timestamp && !timestamp_is_last {
            out.push_str(&timestamp);
        }
        for Supporting { token, endorsement, .. } in &supporting {
            out.push_str(&token.xml);
            let derivation = endorsement.as_ref().and_then(|endorsement| endorsement.derivation.as_deref());
            out.push_str(derivation.unwrap_or_default());
        }
        confirmations.iter().for_each(|confirmation| out.push_str(&confirmation.xml));
        let suite = self.binding().suite;
        for Supporting { endorsement, signs_to, .. } in &supporting {
            let Some(endorsement) = endorsement else { continue };
            if !include_timestamp {
                return Err(Error::Configuration(
                    "under a transport binding an endorsing token signs the timestamp: set includeTimestamp".to_owned(),
                ));
            }
            let mut signed = SignedInfo::new(endorsement.key.method(&suite), suite.digest());
            signed.reference(&timestamp_id, &timestamp_digest);
            let signs_to = *signs_to || matches!(endorsement.key, Key::Private(_));
            if let Some((id, digest)) = to.as_ref().filter(|_| signs_to) {
                signed.reference(id, digest);
            }
            let signature = self.sign(&signed, &endorsement.key, None, &endorsement.reference)?;
            out.push_str(&signature);
        }
        if include_timestamp && timestamp_is_last {
            out.push_str(&timestamp);
        }
        out.extend(["</o:Security></s:Header><s:Body>", message.body.xml(), "</s:Body></s:Envelope>"]);
        Ok(Protected { envelope: out, request: self.request })
    }

    /// Headers without identifiers, but for `To` when a private key endorses, which WCF wants signed (SC 8.11), or when the binding names it.
    fn write_plain_headers(&mut self, out: &mut String) -> Result<Option<(String, DigestValue)>, Error> {
        let signs_to = self.endorses_with_private_key() || self.supporting_tokens().any(|token| self.names_to(token));
        let mut to = None;
        for header in self.frame.addressing_headers() {
            let id = (signs_to && header.name == "To").then(|| self.ids.number());
            let start = out.len();
            self.frame.write_header(&header, id.as_deref(), out)?;
            if let Some(id) = id {
                let written = out.get(start..).unwrap_or_default();
                to = Some((id, self.frame.digest_header(self.digest_algorithm(), &header, written)));
            }
        }
        self.frame.message.headers.iter().for_each(|block| out.push_str(&block.xml));
        Ok(to)
    }
}
