//! Properties of reading, canonicalizing and writing, over generated documents.

use handstamp_xml::c14n::{Method, canonicalize, canonicalize_document};
use handstamp_xml::{Document, Element, Fragment, ParseOptions, Parser, Writer};
use proptest::prelude::*;

/// A tree that says what to write.
#[derive(Clone, Debug)]
struct Tree {
    name: (usize, usize),
    attributes: Vec<(usize, usize, String)>,
    children: Vec<Child>,
}

#[derive(Clone, Debug)]
enum Child {
    Text(String),
    Tree(Tree),
}

const NAMESPACES: [(&str, &str); 4] = [("", ""), ("", "urn:default"), ("p", "urn:p"), ("q", "urn:q?a=1&b=\"<\"")];
const LOCALS: [&str; 4] = ["a", "b", "élan", "x-1.y"];

fn text() -> impl Strategy<Value = String> {
    // All XML characters, with the troublesome ones more often.
    let character = prop_oneof![
        6 => proptest::sample::select(vec!['&', '<', '>', '"', '\'', '\t', '\n', '\r', ']', ' ', 'a']),
        3 => any::<char>().prop_filter("an XML character", |&c| c >= ' ' && !matches!(c, '\u{FFFE}' | '\u{FFFF}')),
    ];
    proptest::collection::vec(character, 0..8).prop_map(|characters| characters.into_iter().collect())
}

fn tree() -> impl Strategy<Value = Tree> {
    let attributes = || {
        proptest::collection::vec((prop_oneof![Just(0_usize), Just(2), Just(3)], 0..LOCALS.len(), text()), 0..4)
            .prop_map(|mut attributes| {
                attributes.sort_by_key(|a| (a.0, a.1));
                attributes.dedup_by_key(|a| (a.0, a.1));
                attributes
            })
    };
    let name = || (0..NAMESPACES.len(), 0..LOCALS.len());
    let leaf = (name(), attributes()).prop_map(|(name, attributes)| Tree { name, attributes, children: Vec::new() });
    leaf.prop_recursive(4, 24, 4, move |inner| {
        let child = prop_oneof![text().prop_map(Child::Text), inner.prop_map(Child::Tree)];
        (name(), attributes(), proptest::collection::vec(child, 0..4)).prop_map(|(name, attributes, children)| Tree {
            name,
            attributes,
            children,
        })
    })
}

fn write(tree: &Tree, writer: &mut Writer) {
    let (prefix, namespace) = NAMESPACES[tree.name.0];
    writer.start(prefix, namespace, LOCALS[tree.name.1]);
    for (namespace, local, value) in &tree.attributes {
        let (prefix, namespace) = NAMESPACES[*namespace];
        writer.attribute_ns(prefix, namespace, LOCALS[*local], value);
    }
    for child in &tree.children {
        match child {
            Child::Text(text) => _ = writer.text(text),
            Child::Tree(tree) => write(tree, writer),
        }
    }
    writer.end();
}

fn assert_reads_as(element: Element<'_>, tree: &Tree) {
    assert!(element.is(NAMESPACES[tree.name.0].1, LOCALS[tree.name.1]));
    assert_eq!(element.attributes().len(), tree.attributes.len());
    for (namespace, local, value) in &tree.attributes {
        assert_eq!(element.attribute_ns(NAMESPACES[*namespace].1, LOCALS[*local]), Some(value.as_str()));
    }
    let own_text: String = tree.children.iter().map(|c| if let Child::Text(t) = c { t } else { "" }).collect();
    let read: String =
        element.nodes().filter_map(|n| if let handstamp_xml::Node::Text(t) = n { Some(t) } else { None }).collect();
    assert_eq!(read, own_text);
    let children: Vec<&Tree> =
        tree.children.iter().filter_map(|c| if let Child::Tree(t) = c { Some(t) } else { None }).collect();
    assert_eq!(element.children().count(), children.len());
    for (element, tree) in element.children().zip(children) {
        assert_reads_as(element, tree);
    }
}

fn parse(text: &str) -> Document {
    Document::parse(text, &ParseOptions::default()).unwrap_or_else(|e| panic!("{e}: {text}"))
}

fn canonical(element: Element<'_>, method: &Method) -> String {
    let mut out = Vec::new();
    canonicalize(element, method, None, &mut out);
    String::from_utf8(out).expect("canonical forms are UTF-8")
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(192) })]

    #[test]
    fn what_is_written_reads_back_and_is_canonical(tree in tree()) {
        let mut writer = Writer::new();
        write(&tree, &mut writer);
        let text = writer.finish().expect("nothing wrong was written");
        let document = parse(&text);
        assert_reads_as(document.root(), &tree);
        prop_assert_eq!(&canonical(document.root(), &Method::exclusive()), &text);
    }

    #[test]
    fn an_exclusive_form_stands_on_its_own(tree in tree()) {
        let mut writer = Writer::new();
        write(&tree, &mut writer);
        let document = parse(&writer.finish().expect("nothing wrong was written"));
        for element in document.root().descendants() {
            let form = canonical(element, &Method::exclusive());
            let alone = parse(&form);
            prop_assert_eq!(&canonical(alone.root(), &Method::exclusive()), &form);
            prop_assert_eq!(alone.root().text(), element.text());
            // With all namespaces in scope made explicit, nothing more is to be inherited either.
            let inclusive = canonical(element, &Method::inclusive());
            prop_assert_eq!(&canonical(parse(&inclusive).root(), &Method::inclusive()), &inclusive);
        }
    }

    #[test]
    fn leaving_an_element_out_is_the_same_as_not_having_it(tree in tree(), index in any::<proptest::sample::Index>()) {
        let mut writer = Writer::new();
        write(&tree, &mut writer);
        let document = parse(&writer.finish().expect("nothing wrong was written"));
        let elements: Vec<Element<'_>> = document.root().descendants().skip(1).collect();
        prop_assume!(!elements.is_empty());
        let omitted = elements[index.index(elements.len())];
        for method in [Method::exclusive(), Method::inclusive()] {
            let mut form = Vec::new();
            canonicalize(document.root(), &method, Some(omitted.id()), &mut form);
            let mut without = document.clone();
            without.replace_with_fragment(omitted.id(), b"", Fragment::Content).expect("nothing is content");
            prop_assert_eq!(String::from_utf8(form).expect("UTF-8"), canonical(without.root(), &method));
        }
    }

    #[test]
    fn a_replacement_reads_like_the_whole_document(outer in tree(), inner in tree(), index in any::<proptest::sample::Index>()) {
        let mut writer = Writer::new();
        write(&inner, &mut writer);
        let fragment = writer.finish().expect("nothing wrong was written");
        let mut writer = Writer::new();
        write(&outer, &mut writer);
        let text = writer.finish().expect("nothing wrong was written");
        let mut document = parse(&text);
        let (id, start, length) = {
            let elements: Vec<Element<'_>> = document.root().descendants().collect();
            let chosen = elements[index.index(elements.len())];
            (chosen.id(), chosen.source().as_ptr() as usize - document.source().as_ptr() as usize, chosen.source().len())
        };
        // A canonical form without xmlns="" takes the default namespace of its new place, in both ways alike.
        document.replace_with_fragment(id, fragment.as_bytes(), Fragment::Element).expect("a good fragment");
        let whole = parse(&format!("{}{fragment}{}", &text[..start], &text[start + length..]));
        for method in [Method::exclusive(), Method::inclusive()] {
            let (mut ours, mut theirs) = (Vec::new(), Vec::new());
            canonicalize_document(&document, &method, None, &mut ours);
            canonicalize_document(&whole, &method, None, &mut theirs);
            prop_assert_eq!(String::from_utf8(ours).expect("UTF-8"), String::from_utf8(theirs).expect("UTF-8"));
        }
    }

    #[test]
    fn any_bytes_are_refused_or_read_and_a_parser_has_no_memory(pieces in proptest::collection::vec(
        prop_oneof![
            proptest::sample::select(vec!["<a>", "</a>", "<b", "/>", ">", " x='", "'", "&amp;", "&", "<!--", "-->", "<![CDATA[", "]]>", "\r\n", "é", "p:", " xmlns:p='u'", "Id='1'"])
                .prop_map(|piece: &str| piece.as_bytes().to_vec()),
            proptest::collection::vec(any::<u8>(), 0..3),
        ], 0..20))
    {
        let bytes = pieces.concat();
        let mut parser = Parser::new(ParseOptions::default());
        let before = parser.parse("<a xmlns:p='urn:p'><p:b Id='1'>&amp;</p:b></a>").expect("a good document");
        parser.recycle(before);
        let fresh = Document::parse(bytes.as_slice(), &ParseOptions::default());
        let reused = parser.parse(bytes.as_slice());
        match (fresh, reused) {
            (Ok(fresh), Ok(reused)) => {
                prop_assert_eq!(canonical(fresh.root(), &Method::exclusive()), canonical(reused.root(), &Method::exclusive()));
            }
            (Err(fresh), Err(reused)) => prop_assert_eq!(fresh, reused),
            (fresh, reused) => prop_assert!(false, "{fresh:?} {reused:?}"),
        }
    }
}
