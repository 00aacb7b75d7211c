//! What parsing and canonicalizing a signed SOAP message costs, beside the two parsers most Rust programs would use.
//!
//! `cargo bench -p handstamp-xml --bench xml`
//!
//! The message is an application request of a WS-SecureConversation session, 6 KB: addressing headers, a timestamp, a security context
//! token with its cookie, two derived keys and encrypted parts; the same after decryption has the signature with its seven references.
#![allow(missing_docs)]

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use handstamp_xml::c14n::{Canonicalizer, Method};
use handstamp_xml::{Document, Element, NodeId, ParseOptions, Parser, Writer, names};
use std::hint::black_box;

const ENCRYPTED: &str = include_str!("../../../docs/spec/messages/app-request-feb2005-stateful.xml");
const DECRYPTED: &str = include_str!("../../../docs/spec/messages/app-request-feb2005-stateful.decrypted.xml");

fn parse(c: &mut Criterion) {
    let mut group = c.benchmark_group("parse");
    group.throughput(Throughput::Bytes(ENCRYPTED.len() as u64));
    let options = ParseOptions::default();
    group.bench_function("handstamp", |b| {
        b.iter(|| Document::parse(black_box(ENCRYPTED), &options).map(|d| d.root().id()));
    });
    let mut parser = Parser::new(options);
    group.bench_function("handstamp, buffers reused", |b| {
        b.iter(|| {
            let document = parser.parse(black_box(ENCRYPTED)).expect("a good message");
            parser.recycle(document);
        });
    });
    group.bench_function("roxmltree", |b| {
        b.iter(|| roxmltree::Document::parse(black_box(ENCRYPTED)).map(|d| d.root().id()));
    });
    group.bench_function("quick-xml, namespaces resolved, no tree", |b| {
        b.iter(|| quick_xml_events(black_box(ENCRYPTED)));
    });
    group.finish();
}

fn quick_xml_events(text: &str) -> usize {
    let mut reader = quick_xml::NsReader::from_str(text);
    let mut seen = 0;
    loop {
        match reader.read_resolved_event().expect("a good message") {
            (_, quick_xml::events::Event::Eof) => return seen,
            (_, quick_xml::events::Event::Start(tag) | quick_xml::events::Event::Empty(tag)) => {
                seen += tag.attributes().filter_map(Result::ok).count();
            }
            _ => seen += 1,
        }
    }
}

/// The seven elements that the message's signature refers to.
fn signed(document: &Document) -> Vec<NodeId> {
    ["_2", "_4", "_5", "_6", "_7", "uuid-7d0c9e52-1f7b-4a57-8a53-0a6b1c2d3e4f-7"]
        .iter()
        .map(|id| document.element_by_id(id).expect("a signed element").id())
        .chain(document.root().descendants().find(|e| e.is(names::DSIG, "SignedInfo")).map(Element::id))
        .collect()
}

fn canonicalize(c: &mut Criterion) {
    let mut group = c.benchmark_group("c14n");
    let mut parser = Parser::new(ParseOptions::default());
    let mut canonicalizer = Canonicalizer::default();
    let mut out = Vec::new();
    group.bench_function("parse and canonicalize seven elements", |b| {
        b.iter(|| {
            let document = parser.parse(black_box(DECRYPTED)).expect("a good message");
            for id in signed(&document) {
                out.clear();
                canonicalizer.element(document.element(id).expect("an element"), &Method::exclusive(), None, &mut out);
                black_box(&out);
            }
            parser.recycle(document);
        });
    });
    let document = Document::parse(DECRYPTED, &ParseOptions::default()).expect("a good message");
    let ids = signed(&document);
    group.bench_function("canonicalize seven elements", |b| {
        b.iter(|| {
            for &id in &ids {
                out.clear();
                canonicalizer.element(document.element(id).expect("an element"), &Method::exclusive(), None, &mut out);
                black_box(&out);
            }
        });
    });
    for (name, method) in
        [("whole message, exclusive", Method::exclusive()), ("whole message, inclusive", Method::inclusive())]
    {
        group.bench_function(name, |b| {
            b.iter(|| {
                out.clear();
                canonicalizer.element(document.root(), &method, None, &mut out);
                black_box(&out);
            });
        });
    }
    group.finish();
}

fn write(c: &mut Criterion) {
    c.bench_function("write a SignedInfo of seven references", |b| {
        b.iter(|| {
            let mut writer = Writer::new();
            writer.start("", names::DSIG, "SignedInfo");
            writer.start("", names::DSIG, "CanonicalizationMethod").attribute("Algorithm", names::EXC_C14N).end();
            for id in ["_1", "_2", "_3", "_4", "_5", "_6", "_7"] {
                writer.start("", names::DSIG, "Reference").attribute("URI", id);
                writer.start("", names::DSIG, "Transforms");
                writer.start("", names::DSIG, "Transform").attribute("Algorithm", names::EXC_C14N).end().end();
                writer.element("", names::DSIG, "DigestValue", "RD0UVSi5H3YjpQ2Ug/Nelq+ZSbc=").end();
            }
            writer.end();
            writer.finish()
        });
    });
}

criterion_group!(benches, parse, canonicalize, write);
criterion_main!(benches);
