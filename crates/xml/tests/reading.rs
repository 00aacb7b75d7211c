//! Reading a document through its public API.

use handstamp_xml::{Document, Element, Error, NamespaceRule, Node, ParseOptions, Parser, Syntax, names};

fn parse(text: &str) -> Document {
    Document::parse(text, &ParseOptions::default()).unwrap_or_else(|e| panic!("{e}: {text}"))
}

fn refuse(text: &str) -> Error {
    match Document::parse(text, &ParseOptions::default()) {
        Err(error) => error,
        Ok(_) => panic!("accepted: {text}"),
    }
}

#[test]
fn names_attributes_and_text() {
    let document = parse(
        "<?xml version='1.0' encoding='utf-8'?><!-- hello -->\n<p:a xmlns:p='urn:p' xmlns='urn:d' x='1' p:x=\"2\" y=' a\t&#x9;&lt;\r\nb '>\
         one<b/>two<!-- three --><![CDATA[<four>]]>&#x35;\r\n</p:a>\n",
    );
    let root = document.root();
    assert_eq!((root.local_name(), root.namespace(), root.prefix()), ("a", "urn:p", "p"));
    assert_eq!(root.attribute("x"), Some("1"));
    assert_eq!(root.attribute_ns("urn:p", "x"), Some("2"));
    assert_eq!(root.attribute("y"), Some(" a \t< b "));
    assert_eq!(root.attribute("z"), None);
    assert_eq!(root.attributes().len(), 3);
    assert_eq!(root.text(), "onetwo<four>5\n");
    let nodes: Vec<Node<'_>> = root.nodes().collect();
    assert!(
        matches!(nodes[1], Node::Element(e) if e.is("urn:d", "b") && e.parent() == Some(root) && e.source() == "<b/>")
    );
    assert_eq!(nodes[0], Node::Text("one"));
    assert_eq!(nodes[3], Node::Comment(" three "));
    assert_eq!(nodes.len(), 6);
    assert_eq!(root.parent(), None);
}

#[test]
fn prefixes_are_resolved_in_scope() {
    let document = parse("<a xmlns='urn:1' xmlns:p='urn:p'><b xmlns='' xmlns:p='urn:q'><p:c/></b><p:d/></a>");
    let names: Vec<(&str, &str)> = document.root().descendants().map(|e| (e.namespace(), e.local_name())).collect();
    assert_eq!(names, [("urn:1", "a"), ("", "b"), ("urn:q", "c"), ("urn:p", "d")]);
    let c = document.root().descendants().nth(2).unwrap();
    assert_eq!(c.namespace_of_prefix("p"), Some("urn:q"));
    assert_eq!(c.namespace_of_prefix(""), None);
    assert_eq!(c.namespace_of_prefix("xml"), Some(names::XML));
    assert_eq!(c.namespace_of_prefix("none"), None);
    assert_eq!(document.root().namespace_of_prefix(""), Some("urn:1"));
    assert_eq!(c.ancestors().map(Element::local_name).collect::<Vec<_>>(), ["b", "a"]);
    assert!(c.is_in(document.root()) && !document.root().is_in(c));
    assert_eq!(document.root().namespace_declarations().collect::<Vec<_>>(), [("", "urn:1"), ("p", "urn:p")]);
}

#[test]
fn identifiers_of_all_kinds_are_found() {
    let document = parse(
        "<a xmlns:u='http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd' xmlns:o='urn:other' Id='1'>\
         <b ID='2'/><c AssertionID='3'/><d u:Id='4'/><e xml:id='5'/><f id='6'/><g o:Id='7'/></a>",
    );
    let found = |id: &str| document.element_by_id(id).map(Element::local_name);
    assert_eq!(
        ["1", "2", "3", "4", "5", "6", "7", ""].map(found),
        [Some("a"), Some("b"), Some("c"), Some("d"), Some("e"), None, None, None,]
    );
}

#[test]
fn a_parser_gives_the_same_documents_when_it_is_used_again() {
    let mut parser = Parser::new(ParseOptions::default());
    for text in [
        "<a xmlns:q='urn:q' q:x='&amp;' Id='1'/>",
        "<b/>",
        "<c xmlns:z='urn:z'><z:d Id='1'>x</z:d></c>",
        "<broken>",
        "<e/>",
    ] {
        match (parser.parse(text), Document::parse(text, &ParseOptions::default())) {
            (Ok(reused), Ok(fresh)) => {
                let seen = |d: &Document| {
                    d.root()
                        .descendants()
                        .map(|e| format!("{e:?}{:?}", e.attributes().collect::<Vec<_>>()))
                        .collect::<Vec<_>>()
                };
                assert_eq!(seen(&reused), seen(&fresh));
                parser.recycle(reused);
            }
            (Err(a), Err(b)) => assert_eq!(a, b),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn errors_say_what_and_where() {
    let error = refuse("<a>\n <ä>&foo;</ä></a>");
    let Error::NotWellFormed { what: Syntax::Reference, at } = error else { panic!("{error:?}") };
    assert_eq!((at.line, at.column, at.offset), (2, 5, 9));
    assert!(matches!(refuse("<a><p:b/></a>"), Error::Namespaces { what: NamespaceRule::UndeclaredPrefix, .. }));
    assert!(matches!(refuse("<!DOCTYPE a []><a/>"), Error::DocumentType { .. }));
    assert!(matches!(refuse("<?p?><a/>"), Error::ProcessingInstruction { .. }));
    assert!(matches!(refuse("<a Id='x'><b ID='x'/></a>"), Error::DuplicateId { .. }));
}
