//! Envelopes for people: without what nobody may read over their shoulder.

use handstamp_xml::{Document, Element, Fragment, NodeId, names};

use super::encoding::parse;

/// The envelope with passwords, secrets and cookies taken out and long ciphertexts cut. What cannot be read is not shown.
pub(super) fn redacted(envelope: &str) -> String {
    let Ok(mut document) = parse(envelope) else { return "(not well-formed XML)".to_owned() };
    let secrets: Vec<(NodeId, &'static str)> = document.root().descendants().filter_map(secret).collect();
    for (place, shown) in secrets {
        if replace_content(&mut document, place, shown).is_none() {
            return "(an envelope with secrets)".to_owned();
        }
    }
    document.root().markup()
}

/// What stands for an element's content.
fn secret(element: Element<'_>) -> Option<(NodeId, &'static str)> {
    let shown = match (element.namespace(), element.local_name()) {
        (names::WSSE, "Password") => "[password]",
        (names::WST_2005 | names::WST_13, "BinarySecret") => "[secret]",
        (names::WCF_SECURITY, "Cookie") => "[cookie]",
        (names::XENC, "CipherValue") => "[ciphertext]",
        // Without its signature an assertion is of no use to whoever reads it.
        (names::DSIG, "SignatureValue") if is_in_assertion(element) => "[signature]",
        _ => return None,
    };
    Some((element.id(), shown))
}

fn is_in_assertion(element: Element<'_>) -> bool {
    let is_assertion = |ancestor: Element<'_>| {
        matches!((ancestor.namespace(), ancestor.local_name()), (names::SAML11 | names::SAML20, "Assertion"))
    };
    element.ancestors().any(is_assertion)
}

/// Keeps the tags. An attribute with `>` in it loses its end: less is shown, never more.
fn replace_content(document: &mut Document, place: NodeId, shown: &str) -> Option<()> {
    let source = document.element(place)?.source();
    let (start, _) = source.split_once('>')?;
    let markup = match (start.ends_with('/'), source.rfind("</")) {
        (true, _) => return Some(()),
        (false, end) => format!("{start}>{shown}{}", source.get(end?..)?),
    };
    document.replace_with_fragment(place, markup.as_bytes(), Fragment::Element).ok().map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_do_not_show() {
        let envelope = format!(
            "<e xmlns:o='{}' xmlns:t='{}' xmlns:d='{}' xmlns:x='{}'><o:Password Type='a'>top&lt;se>cret</o:Password>\
             <t:BinarySecret>AAAA</t:BinarySecret><d:Cookie>BBBB</d:Cookie><x:CipherValue>CCCC</x:CipherValue>\
             <t:BinarySecret/><o:Username>alice</o:Username>\
             <Assertion xmlns='{}'><g:SignatureValue xmlns:g='{}'>DDDD</g:SignatureValue></Assertion></e>",
            names::WSSE,
            names::WST_13,
            names::WCF_SECURITY,
            names::XENC,
            names::SAML20,
            names::DSIG
        );
        let shown = redacted(&envelope);
        for secret in ["top", "cret<", "AAAA", "BBBB", "CCCC", "DDDD"] {
            assert!(!shown.contains(secret), "{secret} in {shown}");
        }
        assert!(shown.contains("alice") && shown.contains("<o:Password Type='a'>[password]</o:Password>"), "{shown}");
        assert_eq!(redacted("<a"), "(not well-formed XML)");
    }
}
