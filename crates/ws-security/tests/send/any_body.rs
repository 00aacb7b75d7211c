//! Bodies of any shape arrive as they were.

use crate::ends::{Ends, Way};
use handstamp_ws_security::soap::Envelope;
use handstamp_ws_security::{
    Body, HeaderBlock, Message, MessageSecurityVersion, ProtectionLevel, ProtectionOrder, SecurityBinding,
};
use handstamp_xml::{Document, Element, ParseOptions, c14n};
use proptest::prelude::*;
use std::sync::LazyLock;

/// A tree of elements whose prefixes are those that the envelope uses, bound to the same namespaces and to others.
#[derive(Debug, Clone)]
enum Tree {
    Text(String),
    Element {
        prefix: &'static str,
        namespace: &'static str,
        attribute: Option<String>,
        empty_tag: bool,
        children: Vec<Tree>,
    },
}

impl Tree {
    fn write(&self, out: &mut String) {
        match self {
            Self::Text(text) => out.push_str(&text.replace('&', "&amp;").replace('<', "&lt;").replace("]]>", "]]&gt;")),
            Self::Element { prefix, namespace, attribute, empty_tag, children } => {
                let (name, declaration) = match *prefix {
                    "" => ("e".to_owned(), "xmlns".to_owned()),
                    prefix => (format!("{prefix}:e"), format!("xmlns:{prefix}")),
                };
                *out += &format!("<{name} {declaration}='{namespace}'");
                if let Some(value) = attribute {
                    let value = value.replace('&', "&amp;").replace('<', "&lt;").replace('\'', "&apos;");
                    *out += &if prefix.is_empty() {
                        format!(" b='{value}'")
                    } else {
                        format!(" {prefix}:b='{value}' a=''")
                    };
                }
                if children.is_empty() && *empty_tag {
                    return out.push_str("/>");
                }
                out.push('>');
                children.iter().for_each(|child| child.write(out));
                *out += &format!("</{name}>");
            }
        }
    }
}

fn trees() -> impl Strategy<Value = Vec<Tree>> {
    let text = "[ -~\u{e4}\u{20ac}\n\t]{0,12}".prop_map(Tree::Text);
    let leaf = prop_oneof![text, element(Just(Vec::new()))];
    let tree = leaf.prop_recursive(3, 12, 4, |inner| element(prop::collection::vec(inner, 0..4)));
    prop::collection::vec(tree, 0..4)
}

fn element(children: impl Strategy<Value = Vec<Tree>>) -> impl Strategy<Value = Tree> {
    let namespaces = vec![
        handstamp_xml::names::SOAP12,
        handstamp_xml::names::WSU,
        handstamp_xml::names::WSA,
        handstamp_xml::names::DSIG,
        "urn:x",
    ];
    let prefixes = vec!["", "s", "u", "a", "o", "p"];
    let names = (prop::sample::select(prefixes), prop::sample::select(namespaces));
    (names, prop::option::of("[ -~]{0,6}"), any::<bool>(), children).prop_map(
        |((prefix, namespace), attribute, empty_tag, children)| Tree::Element {
            prefix,
            namespace,
            attribute,
            empty_tag,
            children,
        },
    )
}

static ENDS: LazyLock<(Ends, SecurityBinding)> = LazyLock::new(|| {
    let version = MessageSecurityVersion::WSS11_13;
    let bootstrap = SecurityBinding::anonymous_for_certificate(version).unwrap();
    (Ends::new(version.generation, 32), SecurityBinding::secure_conversation(bootstrap, version))
});

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    /// SC 8.6: content is digested in its place and encrypted on its own, and is the same on the other side.
    #[test]
    fn sc_8_6_bodies_and_headers_arrive_as_they_were(
        body in trees(),
        header in trees(),
        order in prop::sample::select(vec![
            ProtectionOrder::SignBeforeEncryptAndEncryptSignature,
            ProtectionOrder::SignBeforeEncrypt,
            ProtectionOrder::EncryptBeforeSign,
        ]),
        level in prop::sample::select(vec![ProtectionLevel::Sign, ProtectionLevel::EncryptAndSign]),
    ) {
        let (ends, binding) = &*ENDS;
        let binding = SecurityBinding { protection_order: order, ..binding.clone() };
        let way = Way { level, ..Way::default() };
        let write = |trees: &[Tree]| {
            let mut out = String::new();
            trees.iter().for_each(|tree| tree.write(&mut out));
            out
        };
        let (content, header) = (write(&body), format!("<h:h xmlns:h='urn:h'>{}</h:h>", write(&header)));
        let mut message = Message::request(way.soap, way.addressing, "urn:echo", "urn:to", "urn:uuid:1")
            .with_body(Body::from_xml(content.as_str()).unwrap())
            .with_protection(level);
        message.headers.push(HeaderBlock::from_xml(header.as_str(), level).unwrap());
        let sent = ends.client(&binding).protect(&message, &ends.random, ends.now).unwrap();
        let opened = ends.open_request(&binding, &sent.envelope, way).map_err(|error| {
            TestCaseError::fail(format!("{error}: {content} {header}"))
        })?;
        let received = Envelope::of(opened.document()).unwrap().body();
        prop_assert_eq!(inside(received), inside(parse(&format!("<b>{content}</b>")).root()));
        let received = opened.header("urn:h", "h").unwrap();
        prop_assert_eq!(inside(received.element()), inside(parse(&header).root()));
    }
}

/// The canonical form of each child, wherever it stands.
fn inside(element: Element<'_>) -> Vec<String> {
    let canonical = |child: Element<'_>| {
        let mut out = Vec::new();
        c14n::canonicalize(child, &c14n::Method::exclusive(), None, &mut out);
        String::from_utf8(out).unwrap()
    };
    std::iter::once(element.text().into_owned()).chain(element.children().map(canonical)).collect()
}

fn parse(text: &str) -> Document {
    Document::parse(text, &ParseOptions::default()).unwrap()
}
