//! What of two messages has to be alike: names, attributes, order, identifiers, kinds of references. Random values aside.

use handstamp_xml::{Element, Node, names};
use std::fmt::Write as _;

/// The elements of an envelope, one a line. `with_plaintext`: the message was decrypted, and what was encrypted counts too.
pub(crate) fn skeleton(envelope: Element<'_>, with_plaintext: bool) -> String {
    let mut lines = String::new();
    write(envelope, 0, with_plaintext, &mut lines);
    lines
}

fn write(element: Element<'_>, depth: usize, with_plaintext: bool, lines: &mut String) {
    let name = element.local_name();
    // An assertion is repeated as it is; the application's content is not ours to lay out.
    let is_body = depth == 1 && name == "Body";
    let content = element.nodes().any(|node| matches!(node, Node::Element(_)));
    _ = write!(lines, "{:depth$}{{{}}}{name}", "", element.namespace());
    let mut attributes: Vec<_> = element
        .attributes()
        .map(|attribute| {
            format!(" {{{}}}{}={}", attribute.namespace(), attribute.local_name(), value(attribute.value()))
        })
        .collect();
    attributes.sort();
    lines.push_str(&attributes.concat());
    if !content && !is_body {
        _ = write!(lines, " {}", text(name, &element.text()));
    }
    lines.push('\n');
    let is_encrypted = |child: Element<'_>| child.is(names::XENC, "EncryptedData") && !with_plaintext;
    for child in element.children().filter(|child| !is_body || is_encrypted(*child)) {
        write(child, depth + 1, with_plaintext, lines);
    }
}

/// Identifiers with numbers have to be the same numbers.
fn value(value: &str) -> String {
    match value.trim_start_matches('#').strip_prefix("uuid-") {
        Some(_) => format!("{}uuid", if value.starts_with('#') { "#" } else { "" }),
        None if value.ends_with('=') && value.len() >= 28 => "base64".to_owned(),
        None => value.to_owned(),
    }
}

fn text(name: &str, text: &str) -> String {
    match name {
        "Nonce" | "DigestValue" => format!("{} characters", text.len()),
        "CipherValue" | "SignatureValue" | "Created" | "Expires" => "…".to_owned(),
        "KeyIdentifier" if text.ends_with('=') && text.len() == 28 => "28 characters".to_owned(),
        _ => text.to_owned(),
    }
}
