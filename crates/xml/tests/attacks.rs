//! What attackers send. Each is refused with the error that fits, before it costs anything.

use handstamp_xml::{Document, EncodingFault, Error, LimitKind, Limits, NamespaceRule, ParseOptions, Syntax, names};

fn outcome(input: impl Into<Vec<u8>>) -> Result<Document, Error> {
    Document::parse(input, &ParseOptions::default())
}

fn refuse(input: impl Into<Vec<u8>>) -> Error {
    let input = input.into();
    let shown = String::from_utf8_lossy(&input[..input.len().min(80)]).into_owned();
    match outcome(input) {
        Err(error) => error,
        Ok(_) => panic!("accepted: {shown}"),
    }
}

fn assert_limit(input: impl Into<Vec<u8>>, expected: LimitKind) {
    let error = refuse(input);
    assert!(matches!(&error, Error::Limit { kind, .. } if *kind == expected), "{error}");
    assert_eq!(error.code(), "HST-XML-LIMIT");
}

#[test]
fn entity_bombs_and_external_entities_are_refused_at_the_document_type() {
    for text in [
        "<!DOCTYPE lolz [<!ENTITY lol 'lol'><!ENTITY lol1 '&lol;&lol;&lol;'>]><lolz>&lol1;</lolz>",
        "<!DOCTYPE a SYSTEM 'file:///etc/passwd'><a/>",
        "<?xml version='1.0'?><!-- x --><!DOCTYPE a [<!ENTITY % x SYSTEM 'http://example.org/x'> %x;]><a/>",
        "<!DOCTYPE a><a/>",
        "<a><!DOCTYPE a></a>",
    ] {
        assert!(matches!(refuse(text), Error::DocumentType { .. }), "{text}");
    }
    assert!(matches!(refuse("<a>&lol;</a>"), Error::NotWellFormed { what: Syntax::Reference, .. }));
    assert!(matches!(refuse("<!ENTITY a 'b'><a/>"), Error::NotWellFormed { what: Syntax::Markup, .. }));
}

#[test]
fn depth_is_bounded_without_recursion() {
    assert_limit("<a>".repeat(1_000_000), LimitKind::Depth);
    let nested = |depth: usize| format!("{}{}", "<a>".repeat(depth), "</a>".repeat(depth));
    assert!(outcome(nested(128)).is_ok());
    assert_limit(nested(129), LimitKind::Depth);
    let deep = ParseOptions::default().with_limits({
        let mut limits = Limits::default();
        limits.depth = 200_000;
        limits.nodes = 400_000;
        limits
    });
    let document = Document::parse(nested(100_000), &deep).expect("depth alone breaks nothing");
    assert_eq!(document.root().descendants().count(), 100_000);
    let mut out = Vec::new();
    handstamp_xml::c14n::canonicalize(document.root(), &handstamp_xml::c14n::Method::exclusive(), None, &mut out);
    assert_eq!(out.len(), 700_000);
}

#[test]
fn attributes_are_bounded_and_compared_without_quadratic_work() {
    let with = |count: usize| format!("<a {}/>", (0..count).map(|i| format!("a{i}='' ")).collect::<String>());
    assert!(outcome(with(128)).is_ok());
    assert_limit(with(129), LimitKind::AttributesPerElement);
    let mut limits = Limits::default();
    limits.attributes_per_element = 60_000;
    let options = ParseOptions::default().with_limits(limits);
    let mut many = with(50_000);
    assert!(Document::parse(many.as_str(), &options).is_ok());
    many.insert_str(many.len() - 2, "a777=''");
    let error = Document::parse(many, &options).expect_err("one is there twice");
    assert!(matches!(error, Error::NotWellFormed { what: Syntax::DuplicateAttribute, .. }));
    limits.attributes = 3;
    let options = ParseOptions::default().with_limits(limits);
    assert!(Document::parse("<a a='' b=''><b a='' b=''/></a>", &options).is_err());
}

#[test]
fn attributes_with_one_expanded_name_are_refused() {
    for text in [
        "<a x='1' x='1'/>",
        "<a xmlns:p='urn:1' xmlns:q='urn:1' p:x='1' q:x='2'/>",
        "<a xmlns:p='urn:1' p:x='1' xmlns:q='urn:1' b='' q:x='2'/>",
        "<a xmlns='urn:1' xmlns='urn:1'/>",
        "<a xmlns:p='urn:1' xmlns:p='urn:2'/>",
    ] {
        assert!(matches!(refuse(text), Error::NotWellFormed { what: Syntax::DuplicateAttribute, .. }), "{text}");
    }
    assert!(outcome("<a xmlns='urn:1' xmlns:p='urn:1' x='1' p:x='2'/>").is_ok());
}

#[test]
fn namespaces_are_bounded() {
    let distinct = |count: usize| {
        let elements: String = (0..count).map(|i| format!("<b xmlns:p{i}='urn:x'/>")).collect();
        format!("<a>{elements}</a>")
    };
    assert!(outcome(distinct(512)).is_ok());
    assert_limit(distinct(513), LimitKind::DistinctNamespaces);
    let names = format!("<a>{}</a>", (0..600).map(|i| format!("<b xmlns='urn:{i}'/>")).collect::<String>());
    assert_limit(names, LimitKind::DistinctNamespaces);
    let same = format!("<a>{}</a>", "<b xmlns:p='urn:x'/>".repeat(5000));
    assert_limit(same, LimitKind::NamespaceDeclarations);
}

#[test]
fn reserved_prefixes_and_undeclaring_are_refused() {
    for text in [
        "<a xmlns:xmlns='urn:x'/>".to_owned(),
        "<a xmlns:xml='urn:x'/>".to_owned(),
        format!("<a xmlns:p='{}'/>", names::XML),
        format!("<a xmlns='{}'/>", names::XML),
        format!("<a xmlns:p='{}'/>", names::XMLNS),
        format!("<a xmlns='{}'/>", names::XMLNS),
        "<xmlns:a/>".to_owned(),
    ] {
        assert!(matches!(refuse(text.as_str()), Error::Namespaces { what: NamespaceRule::Reserved, .. }), "{text}");
    }
    assert!(matches!(refuse("<a xmlns:p=''/>"), Error::Namespaces { what: NamespaceRule::Undeclaring, .. }));
    for text in ["<a:b:c xmlns:a='urn:a'/>", "<:a/>", "<a:/>", "<a :b=''/>", "<a b:=''/>"] {
        assert!(matches!(refuse(text), Error::Namespaces { what: NamespaceRule::QualifiedName, .. }), "{text}");
    }
    assert!(outcome(format!("<a xmlns:xml='{}'/>", names::XML)).is_ok());
}

#[test]
fn one_identifier_means_one_element() {
    let wsu = names::WSU;
    for text in [
        "<a><b Id='x'/><c Id='x'/></a>".to_owned(),
        "<a ID='x'><b AssertionID='x'/></a>".to_owned(),
        format!("<a xmlns:u='{wsu}'><b u:Id='x'/><c Id='x'/></a>"),
        "<a><b xml:id='x'/><c Id='&#120;'/></a>".to_owned(),
        "<a Id='x' xml:id='x'/>".to_owned(),
    ] {
        let error = refuse(text.as_str());
        assert!(matches!(&error, Error::DuplicateId { id, .. } if id == "x"), "{text}: {error}");
    }
    assert_limit(format!("<a>{}</a>", (0..5000).map(|i| format!("<b Id='{i}'/>")).collect::<String>()), LimitKind::Ids);
}

#[test]
fn names_sizes_and_node_counts_are_bounded() {
    assert_limit(format!("<{}/>", "a".repeat(513)), LimitKind::NameLength);
    assert_limit(format!("<{}/>", "é".repeat(300)), LimitKind::NameLength);
    assert_limit(format!("<a {}=''/>", "b".repeat(100_000)), LimitKind::NameLength);
    assert_limit(format!("<a xmlns:p='urn:{}'/>", "x".repeat(509)), LimitKind::NameLength);
    assert_limit(vec![b' '; (8 << 20) + 1], LimitKind::Size);
    assert_limit(format!("<a>{}</a>", "<b/>".repeat(300_000)), LimitKind::Nodes);
    let mut limits = Limits::default();
    limits.size = 40;
    let utf16: Vec<u8> = "\u{FEFF}<a>日本日本日本日本日本日本</a>".encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert_eq!(utf16.len(), 40);
    assert!(Document::parse(utf16, &ParseOptions::default().with_limits(limits)).is_err());
}

#[test]
fn overlong_utf_8_and_surrogates_are_refused() {
    for bytes in [
        &b"<a>\xC0\xBCb/></a>"[..],
        b"<a>\xE0\x80\xBC</a>",
        b"<a>\xF0\x80\x80\xBC</a>",
        b"<a>\xED\xA0\x80</a>",
        b"<a>\xF4\x90\x80\x80</a>",
        b"<a>\x80</a>",
        b"<a>\xC3</a>",
        b"<a\xFF/>",
    ] {
        assert!(matches!(refuse(bytes), Error::Encoding(EncodingFault::NotUtf8 { .. })), "{bytes:?}");
    }
}

#[test]
fn other_encodings_and_contradictions_are_refused() {
    for declared in ["UTF-7", "ISO-8859-1", "UTF-16", "UCS-4", "x-user-defined", "EBCDIC-CP-US"] {
        let error = refuse(format!("<?xml version='1.0' encoding='{declared}'?><a>+ADw-b+AD4-</a>"));
        assert!(matches!(&error, Error::Encoding(EncodingFault::Declared { declared: d }) if d == declared), "{error}");
    }
    let wide = |text: &str| -> Vec<u8> { text.encode_utf16().flat_map(u16::to_be_bytes).collect() };
    assert!(outcome(wide("\u{FEFF}<?xml version='1.0' encoding='UTF-16'?><a/>")).is_ok());
    assert!(outcome(wide("\u{FEFF}<a/>")).is_ok());
    for text in
        ["\u{FEFF}<?xml version='1.0' encoding='UTF-8'?><a/>", "\u{FEFF}<?xml version='1.0' encoding='UTF-16LE'?><a/>"]
    {
        assert!(matches!(refuse(wide(text)), Error::Encoding(EncodingFault::Declared { .. })));
    }
    // Without a mark or a declaration UTF-16 is not recognized.
    assert!(outcome(wide("<a/>")).is_err());
    assert!(outcome("<?xml version='1.0' encoding='US-ASCII'?><a>é</a>").is_err());
}

#[test]
fn byte_order_marks_count_once_and_first() {
    assert!(outcome("\u{FEFF}<a/>").is_ok());
    for text in ["\u{FEFF}\u{FEFF}<a/>", " \u{FEFF}<a/>", "<a/>\u{FEFF}"] {
        refuse(text);
    }
    assert_eq!(outcome("<a>\u{FEFF}</a>").expect("a character as any other").root().text(), "\u{FEFF}");
}

#[test]
fn characters_that_xml_does_not_have_are_refused_everywhere() {
    for character in ["\0", "\u{1}", "\u{8}", "\u{B}", "\u{C}", "\u{1F}", "\u{FFFE}", "\u{FFFF}"] {
        for text in [
            "<a>#</a>",
            "<a b='#'/>",
            "<a><!--#--></a>",
            "<a><![CDATA[#]]></a>",
            "<a#/>",
            "#<a/>",
            "<a/>#",
            "<a><?p #?></a>",
        ] {
            let text = text.replace('#', character);
            assert!(matches!(refuse(text.as_str()), Error::NotWellFormed { what: Syntax::Character, .. }), "{text:?}");
        }
    }
    for reference in ["&#0;", "&#x8;", "&#xB;", "&#xFFFE;", "&#xD800;", "&#x110000;"] {
        for text in ["<a>#</a>", "<a b='#'/>"] {
            let error = refuse(text.replace('#', reference));
            assert!(matches!(error, Error::NotWellFormed { what: Syntax::CharacterReference, .. }));
        }
    }
}

#[test]
fn what_is_cut_off_is_refused_wherever_it_is_cut() {
    let whole =
        "<?xml version='1.0'?><!-- c --><a xmlns:p='urn:p' p:b = '&amp;é'><![CDATA[x]]>t&#65;<?pi d?><p:c/></a>";
    let options = ParseOptions::default().allow_processing_instructions();
    assert!(Document::parse(whole, &options).is_ok());
    for end in 0..whole.len() {
        let cut = &whole.as_bytes()[..end];
        assert!(Document::parse(cut, &options).is_err(), "{}", String::from_utf8_lossy(cut));
    }
}

#[test]
fn every_rule_of_well_formedness_has_its_error() {
    for (text, expected) in [
        ("", Syntax::NoRoot),
        (" ", Syntax::NoRoot),
        ("<!-- -->", Syntax::NoRoot),
        ("x<a/>", Syntax::OutsideRoot),
        ("<a/>x", Syntax::OutsideRoot),
        ("<a/>&amp;", Syntax::OutsideRoot),
        ("<a/><b/>", Syntax::OutsideRoot),
        ("<a/><![CDATA[]]>", Syntax::OutsideRoot),
        ("<a></b>", Syntax::EndTag),
        ("<a></ab>", Syntax::EndTag),
        ("<ab></a>", Syntax::EndTag),
        ("<a></a", Syntax::EndTag),
        ("<a></ a>", Syntax::EndTag),
        ("</a>", Syntax::EndTag),
        ("<a/></a>", Syntax::EndTag),
        ("<a>", Syntax::UnexpectedEnd),
        ("<a", Syntax::UnexpectedEnd),
        ("<", Syntax::UnexpectedEnd),
        ("< a/>", Syntax::Name),
        ("<1a/>", Syntax::Name),
        ("<a&b/>", Syntax::Tag),
        ("<a b='1'c='2'/>", Syntax::Tag),
        ("<a/ >", Syntax::Tag),
        ("<a b/>", Syntax::Attribute),
        ("<a b=1/>", Syntax::Attribute),
        ("<a b='<'/>", Syntax::LessThanInAttribute),
        ("<a>]]></a>", Syntax::CDataEnd),
        ("<a>x]]]>y</a>", Syntax::CDataEnd),
        ("<a><!-- -- --></a>", Syntax::Comment),
        ("<a><!-- ---></a>", Syntax::Comment),
        ("<a><!--></a>", Syntax::UnexpectedEnd),
        ("<a><!></a>", Syntax::Markup),
        ("<a><![cdata[]]></a>", Syntax::Markup),
        ("<?xml?><a/>", Syntax::Declaration),
        ("<?xml encoding='utf-8'?><a/>", Syntax::Declaration),
        ("<?xml version='2.0'?><a/>", Syntax::Declaration),
        ("<?xml version='1.'?><a/>", Syntax::Declaration),
        ("<?xml version='1.0' standalone='maybe'?><a/>", Syntax::Declaration),
        ("<?xml version='1.0' standalone='yes' encoding='utf-8'?><a/>", Syntax::Declaration),
        ("<?xml version='1.0'encoding='utf-8'?><a/>", Syntax::Declaration),
        ("<?xml version='1.0' encoding=''?><a/>", Syntax::Declaration),
        (" <?xml version='1.0'?><a/>", Syntax::Declaration),
        ("<a><?xml version='1.0'?></a>", Syntax::Declaration),
        ("<?XmL ?><a/>", Syntax::Declaration),
    ] {
        let error = refuse(text);
        assert!(matches!(&error, Error::NotWellFormed { what, .. } if *what == expected), "{text}: {error:?}");
    }
}

#[test]
fn canonical_forms_do_not_explode() {
    // One long namespace name, declared once and used by many: exclusive canonicalization repeats it.
    let elements = 20_000;
    let text = format!("<a xmlns:p='urn:{}'>{}</a>", "x".repeat(500), "<p:b/>".repeat(elements));
    let document = outcome(text).expect("within all limits");
    let mut form = Vec::new();
    handstamp_xml::c14n::canonicalize(document.root(), &handstamp_xml::c14n::Method::exclusive(), None, &mut form);
    assert!(form.len() < elements * (512 + 40), "{}", form.len());
}
