//! Decrypt in place: replacing elements by fragments.

use handstamp_xml::c14n::{Method, canonicalize, canonicalize_document};
use handstamp_xml::{Document, Element, Error, Fragment, LimitKind, Limits, Node, NodeId, ParseOptions};

const ENVELOPE: &str = "<s:e xmlns:s='urn:s' xmlns='urn:d'><s:h Id='h'><x:enc xmlns:x='urn:x' Id='enc'><x:cipher Id='c'>zz</x:cipher></x:enc></s:h>\
                        <s:b Id='b'>one<data Id='data'/>two</s:b></s:e>";

fn parse(text: &str) -> Document {
    Document::parse(text, &ParseOptions::default()).unwrap_or_else(|e| panic!("{e}: {text}"))
}

fn id(document: &Document, id: &str) -> NodeId {
    document.element_by_id(id).unwrap_or_else(|| panic!("no {id}")).id()
}

fn canonical(document: &Document, method: &Method) -> String {
    let mut out = Vec::new();
    canonicalize_document(document, method, None, &mut out);
    String::from_utf8(out).expect("canonical forms are UTF-8")
}

/// The document with the same markup in the place from the start.
fn assert_equals_parsed(document: &Document, text: &str) {
    let whole = parse(text);
    for method in
        [Method::exclusive(), Method::inclusive(), Method::exclusive().with_comments().with_prefix_list("#default q")]
    {
        assert_eq!(canonical(document, &method), canonical(&whole, &method));
        for (ours, theirs) in document.root().descendants().zip(whole.root().descendants()) {
            assert_eq!(
                (ours.namespace(), ours.local_name(), ours.text()),
                (theirs.namespace(), theirs.local_name(), theirs.text())
            );
            let (mut a, mut b) = (Vec::new(), Vec::new());
            canonicalize(ours, &method, None, &mut a);
            canonicalize(theirs, &method, None, &mut b);
            assert_eq!(a, b);
        }
    }
    assert_eq!(document.root().descendants().count(), whole.root().descendants().count());
    assert_eq!(document.root().markup(), whole.root().source());
}

#[test]
fn an_element_takes_the_place_and_the_identity_of_another() {
    let mut document = parse(ENVELOPE);
    let (enc, cipher, body) = (id(&document, "enc"), id(&document, "c"), id(&document, "b"));
    let new = document
        .replace_with_fragment(enc, b"<s:t q:a='&amp;' xmlns:q='urn:q' Id='new'><u Id='c'/></s:t>", Fragment::Element)
        .unwrap();
    assert_eq!(new, [id(&document, "new")]);
    let replacement = document.element(enc).unwrap();
    assert_eq!(replacement.id(), new[0]);
    assert!(replacement.is("urn:s", "t") && replacement.parent() == document.element_by_id("h"));
    assert_eq!(replacement.attribute_ns("urn:q", "a"), Some("&"));
    assert_eq!(document.element_by_id("enc"), None);
    assert_eq!(document.element(cipher), None, "what was replaced is gone");
    assert!(document.element_by_id("c").unwrap().is("urn:d", "u"), "its identifiers are free");
    assert_eq!(document.element(body), document.element_by_id("b"));
    assert_equals_parsed(
        &document,
        "<s:e xmlns:s='urn:s' xmlns='urn:d'><s:h Id='h'><s:t q:a='&amp;' xmlns:q='urn:q' Id='new'><u Id='c'/></s:t></s:h>\
         <s:b Id='b'>one<data Id='data'/>two</s:b></s:e>",
    );
}

#[test]
fn content_takes_the_place_of_an_element() {
    for content in ["", "text", "<p/>", "a&lt;<p/><!-- c --><![CDATA[<]]><s:q><p/></s:q>\r\nb", "<p/><p/>", "<!-- -->"]
    {
        let mut document = parse(ENVELOPE);
        let data = id(&document, "data");
        let new = document.replace_with_fragment(data, content.as_bytes(), Fragment::Content).unwrap();
        assert_eq!(document.element(data), None);
        let children: Vec<NodeId> = document.element_by_id("b").unwrap().children().map(Element::id).collect();
        assert_eq!(children, new);
        assert_equals_parsed(&document, &ENVELOPE.replace("<data Id='data'/>", content));
    }
}

#[test]
fn replacements_can_be_replaced() {
    let mut document = parse(ENVELOPE);
    let data = id(&document, "data");
    document.replace_with_fragment(data, b"<m Id='m'><n Id='n'/></m>", Fragment::Element).unwrap();
    let inner = id(&document, "n");
    document.replace_with_fragment(inner, b"deep<k/>", Fragment::Content).unwrap();
    assert_equals_parsed(&document, &ENVELOPE.replace("<data Id='data'/>", "<m Id='m'>deep<k/></m>"));
    let outer = id(&document, "m");
    document.replace_with_fragment(outer, b"<z/>", Fragment::Element).unwrap();
    assert!(document.element(data).unwrap().is("urn:d", "z"), "an identity leads through all replacements");
    assert_equals_parsed(&document, &ENVELOPE.replace("<data Id='data'/>", "<z/>"));
}

#[test]
fn the_root_can_be_replaced_by_an_element_only() {
    let mut document = Document::parse("<!--a--><enc/><!--b-->", &ParseOptions::default()).unwrap();
    let root = document.root().id();
    assert!(document.replace_with_fragment(root, b"text", Fragment::Content).is_err());
    document.replace_with_fragment(root, b" <plain>x</plain> ", Fragment::Element).unwrap();
    assert!(document.root().is("", "plain"));
    assert_eq!(document.root().parent(), None);
    assert_eq!(canonical(&document, &Method::exclusive().with_comments()), "<!--a-->\n<plain>x</plain>\n<!--b-->");
}

#[test]
fn only_the_parents_namespaces_are_in_scope() {
    let mut document = parse(ENVELOPE);
    let enc = id(&document, "enc");
    let error = document.replace_with_fragment(enc, b"<x:t/>", Fragment::Element).unwrap_err();
    assert!(matches!(error, Error::Namespaces { .. }), "{error}");
    document.replace_with_fragment(enc, b"<t/>", Fragment::Element).unwrap();
    assert!(document.element(enc).unwrap().is("urn:d", "t"));
}

#[test]
fn a_refused_fragment_changes_nothing() {
    let mut document = parse(ENVELOPE);
    let data = id(&document, "data");
    let before = format!("{document:?}");
    for (fragment, kind) in [
        (&b"<a>"[..], Fragment::Element),
        (b"</s:b>", Fragment::Content),
        (b"</s:b><s:b>", Fragment::Content),
        (b"<a/><b/>", Fragment::Element),
        (b"<a/>x", Fragment::Element),
        (b"", Fragment::Element),
        (b"<!DOCTYPE a><a/>", Fragment::Element),
        (b"<?xml version='1.0'?><a/>", Fragment::Element),
        (b"<?pi?>", Fragment::Content),
        (b"<q:a xmlns:q='urn:new' Id='h'/>", Fragment::Element),
        (b"<a Id='1'/><b Id='1'/>", Fragment::Content),
        (b"<un:bound xmlns:new='urn:new'/>", Fragment::Content),
        (b"\xFF", Fragment::Content),
        (b"\x00", Fragment::Content),
        (b"]]>", Fragment::Content),
        (b"&x;", Fragment::Content),
        (b"\xEF\xBB\xBF<a/>", Fragment::Element),
    ] {
        let shown = String::from_utf8_lossy(fragment).into_owned();
        assert!(document.replace_with_fragment(data, fragment, kind).is_err(), "{shown}");
        // Debug output has everything but the capacity of the hash tables, which does not grow here.
        assert_eq!(format!("{document:?}"), before, "{shown}");
    }
    document.replace_with_fragment(data, b"<fine/>", Fragment::Element).unwrap();
    let error = document.replace_with_fragment(data, b"<again/>", Fragment::Element).unwrap_err();
    assert_eq!(error, Error::NoSuchElement(data));
}

#[test]
fn limits_count_the_whole_document() {
    fn attempt(set: impl Fn(&mut Limits), fragment: &str) -> Result<Vec<NodeId>, Error> {
        let mut limits = Limits::default();
        set(&mut limits);
        let mut document =
            Document::parse("<a><b><data Id='data'/></b></a>", &ParseOptions::default().with_limits(limits)).unwrap();
        let data = document.element_by_id("data").unwrap().id();
        document.replace_with_fragment(data, fragment.as_bytes(), Fragment::Element)
    }
    let refused = |result: Result<Vec<NodeId>, Error>, expected: LimitKind| {
        assert!(matches!(&result, Err(Error::Limit { kind, .. }) if *kind == expected), "{result:?}");
    };
    attempt(|l| l.size = 43, "<c>12345</c>").unwrap();
    attempt(|l| l.depth = 4, "<c><d/></c>").unwrap();
    refused(attempt(|l| l.depth = 3, "<c><d/></c>"), LimitKind::Depth);
    refused(attempt(|l| l.size = 42, "<c>12345</c>"), LimitKind::Size);
    refused(attempt(|l| l.nodes = 5, "<c><d/></c>"), LimitKind::Nodes);
    refused(attempt(|l| l.attributes = 2, "<c a='' b=''/>"), LimitKind::Attributes);
    refused(attempt(|l| l.ids = 1, "<c Id='x'/>"), LimitKind::Ids);
}

#[test]
fn nodes_of_a_mixed_parent_stay_in_order() {
    let mut document = parse(ENVELOPE);
    let data = id(&document, "data");
    document.replace_with_fragment(data, b"1<x/>2", Fragment::Content).unwrap();
    let shown: Vec<String> = document
        .element_by_id("b")
        .unwrap()
        .nodes()
        .map(|node| match node {
            Node::Text(text) => text.to_owned(),
            Node::Element(element) => format!("<{}>", element.local_name()),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(shown, ["one", "1", "<x>", "2", "two"]);
}

/// What is around a replacement was canonical as it stood, so that it could be copied as a whole: no longer.
#[test]
fn canonical_surroundings_of_a_replacement_are_looked_into() {
    let around = "<a><b k=\"1\">one<c><data></data></c></b><d>two</d></a>";
    for (fragment, kind) in [
        ("<e>three</e>", Fragment::Element),
        ("<e z='1' y='2'/>", Fragment::Element),
        ("<p:e xmlns:p=\"urn:p\"></p:e>", Fragment::Element),
        ("three<e></e>", Fragment::Content),
        ("<!-- three -->&#65;", Fragment::Content),
        ("", Fragment::Content),
    ] {
        let mut document = parse(around);
        let data = document.root().descendants().find(|element| element.is("", "data")).unwrap().id();
        document.replace_with_fragment(data, fragment.as_bytes(), kind).unwrap();
        assert_equals_parsed(&document, &around.replace("<data></data>", fragment));
    }
}
