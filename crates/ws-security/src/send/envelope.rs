//! The envelope around what is protected: start tags, addressing headers, the body.

use crate::error::Error;
use crate::send::message::{HeaderBlock, Message};
use handstamp_keys::{DigestAlgorithm, DigestValue};
use handstamp_xml::{Document, Element, ParseOptions, c14n, escape, names};
use std::ops::Range;

/// The envelope of one message.
///
/// As in WCF's, `a`, `s` and `u` are declared once, at the top. Canonical forms of elements inside declare them themselves;
/// elements are written so that this is the only difference.
pub(super) struct Frame<'m> {
    pub(super) message: &'m Message,
    /// Declarations of `a`, `s` and `u`, in this order.
    declarations: String,
    soap_at: usize,
    utility_at: usize,
}

/// An addressing header.
pub(super) struct AddressingHeader<'m> {
    pub(super) name: &'static str,
    must_understand: bool,
    is_endpoint: bool,
    value: &'m str,
}

/// Which declarations the canonical form of an element has.
#[derive(Debug, Clone, Copy)]
pub(super) enum Declared {
    /// `a`, `s`, `u`.
    AddressingSoapUtility,
    /// `a`, `u`.
    AddressingUtility,
    /// `s`, `u`.
    SoapUtility,
    /// `u`.
    Utility,
}

impl<'m> Frame<'m> {
    pub(super) fn new(message: &'m Message) -> Self {
        let mut declarations = String::with_capacity(320);
        declarations.extend([" xmlns:a=\"", message.addressing.namespace(), "\""]);
        let soap_at = declarations.len();
        declarations.extend([" xmlns:s=\"", message.soap.namespace(), "\""]);
        let utility_at = declarations.len();
        declarations.extend([" xmlns:u=\"", names::WSU, "\""]);
        Self { message, declarations, soap_at, utility_at }
    }

    /// The message without security.
    pub(super) fn unprotected(&self) -> Result<String, Error> {
        let mut out = String::with_capacity(self.message.body.xml().len() + 1024);
        out.push_str("<s:Envelope");
        out.push_str(self.declarations.get(..self.utility_at).unwrap_or_default());
        out.push_str("><s:Header>");
        for header in self.addressing_headers() {
            self.write_header(&header, None, &mut out)?;
        }
        for block in &self.message.headers {
            out.push_str(&block.xml);
        }
        out.extend(["</s:Header><s:Body>", self.message.body.xml(), "</s:Body></s:Envelope>"]);
        Ok(out)
    }

    pub(super) fn start(&self, out: &mut String) {
        out.extend(["<s:Envelope", &self.declarations, "><s:Header>"]);
    }

    /// The addressing headers, in WCF's order.
    pub(super) fn addressing_headers(&self) -> impl Iterator<Item = AddressingHeader<'m>> + use<'m> {
        let message = self.message;
        let header = |name, must_understand, is_endpoint, value: Option<&'m str>| {
            value.map(|value| AddressingHeader { name, must_understand, is_endpoint, value })
        };
        [
            header("Action", true, false, Some(&message.action)),
            header("MessageID", false, false, message.message_id.as_deref()),
            header("RelatesTo", false, false, message.relates_to.as_deref()),
            header("ReplyTo", false, true, message.reply_to.as_deref()),
            header("To", true, false, message.to.as_deref()),
        ]
        .into_iter()
        .flatten()
    }

    /// Appends a header with this `u:Id`.
    pub(super) fn write_header(
        &self,
        header: &AddressingHeader<'_>,
        id: Option<&str>,
        out: &mut String,
    ) -> Result<(), Error> {
        out.extend(["<a:", header.name]);
        if let Some(id) = id {
            out.extend([" u:Id=\"", id, "\""]);
        }
        out.push_str(if header.must_understand { " s:mustUnderstand=\"1\">" } else { ">" });
        if header.is_endpoint {
            out.push_str("<a:Address>");
        }
        escape::append_text(out, header.value)?;
        if header.is_endpoint {
            out.push_str("</a:Address>");
        }
        out.extend(["</a:", header.name, ">"]);
        Ok(())
    }

    /// The digest of an element that was written with [`write_header`](Self::write_header).
    pub(super) fn digest_header(
        &self,
        algorithm: DigestAlgorithm,
        header: &AddressingHeader<'_>,
        written: &str,
    ) -> DigestValue {
        let declared =
            if header.must_understand { Declared::AddressingSoapUtility } else { Declared::AddressingUtility };
        self.digest(algorithm, declared, written, "<a:".len() + header.name.len())
    }

    /// The digest of an element that uses the envelope's declarations: it gets them behind its name, where the canonical form
    /// has them.
    pub(super) fn digest(
        &self,
        algorithm: DigestAlgorithm,
        declared: Declared,
        written: &str,
        name_end: usize,
    ) -> DigestValue {
        let mut hasher = algorithm.hasher();
        let (name, rest) = written.split_at_checked(name_end).unwrap_or((written, ""));
        hasher.update(name.as_bytes());
        for part in self.declared(declared) {
            hasher.update(part.as_bytes());
        }
        hasher.update(rest.as_bytes());
        hasher.finish()
    }

    /// The digest of the body with this `u:Id` and content, whose canonical form leaves out what is `redundant`.
    pub(super) fn digest_body(
        &self,
        algorithm: DigestAlgorithm,
        id: &str,
        content: &str,
        redundant: Option<&[Range<usize>]>,
    ) -> Result<DigestValue, Error> {
        let Some(redundant) = redundant else {
            let [soap, ..] = self.declared(Declared::SoapUtility);
            let text = ["<s:Body", soap, " u:Id=\"", id, "\">", content, "</s:Body>"].concat();
            return digest_parsed(algorithm, text, |document| Some(document.root()));
        };
        let mut hasher = algorithm.hasher();
        let [soap, ..] = self.declared(Declared::SoapUtility);
        for part in ["<s:Body", soap, " u:Id=\"", id, "\">"] {
            hasher.update(part.as_bytes());
        }
        let mut done = 0;
        for range in redundant {
            hasher.update(content.get(done..range.start).unwrap_or_default().as_bytes());
            done = range.end;
        }
        hasher.update(content.get(done..).unwrap_or_default().as_bytes());
        hasher.update(b"</s:Body>");
        Ok(hasher.finish())
    }

    /// An application header with a `wsu:Id`, and the digest of it.
    pub(super) fn identify_block(
        &self,
        algorithm: DigestAlgorithm,
        block: &HeaderBlock,
        id: &str,
    ) -> Result<(String, DigestValue), Error> {
        let xml = if block.id.is_some() {
            block.xml.clone()
        } else {
            let (name, rest) = block.xml.split_at_checked(block.name_end).unwrap_or((&block.xml, ""));
            let prefix = ["hsu", "hsu1", "hsu2"].into_iter().find(|prefix| !block.xml.contains(&format!("{prefix}=")));
            let prefix = prefix.ok_or_else(|| Error::Configuration("a header uses the prefixes of ours".to_owned()))?;
            format!("{name} xmlns:{prefix}=\"{}\" {prefix}:Id=\"{id}\"{rest}", names::WSU)
        };
        let text = format!("<s:Header{}>{xml}</s:Header>", self.declarations);
        let digest = digest_parsed(algorithm, text, |document| document.root().children().next())?;
        Ok((xml, digest))
    }

    fn declared(&self, declared: Declared) -> [&str; 2] {
        let part = |range: Range<usize>| self.declarations.get(range).unwrap_or_default();
        let (soap, utility, end) = (self.soap_at, self.utility_at, self.declarations.len());
        match declared {
            Declared::AddressingSoapUtility => [part(0..end), ""],
            Declared::AddressingUtility => [part(0..soap), part(utility..end)],
            Declared::SoapUtility => [part(soap..end), ""],
            Declared::Utility => [part(utility..end), ""],
        }
    }
}

/// The digest of an element of a text that may not be canonical.
fn digest_parsed(
    algorithm: DigestAlgorithm,
    text: String,
    element: impl FnOnce(&Document) -> Option<Element<'_>>,
) -> Result<DigestValue, Error> {
    let document = Document::parse(text, &ParseOptions::default())?;
    let mut octets = Vec::with_capacity(document.source().len());
    if let Some(element) = element(&document) {
        c14n::canonicalize(element, &c14n::Method::exclusive(), None, &mut octets);
    }
    Ok(algorithm.digest(&octets))
}
