//! What reading and writing .NET binary XML costs, per byte of the text that it stands for.
//!
//! `cargo bench -p handstamp-xml --bench binary`
//!
//! Two documents: the payload of a session token with 200 claims, and a WCF message of 29 KB as text. No other Rust crate
//! reads the format, so the peer is the parser of the same document as text.
#![allow(missing_docs)]

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use handstamp_xml::binary::{Reader, StaticDictionary, WCF_DICTIONARY, from_text, to_text};
use handstamp_xml::{Document, ParseOptions};
use std::hint::black_box;

struct Sample {
    name: &'static str,
    binary: Vec<u8>,
    text: String,
    dictionary: &'static StaticDictionary,
}

fn samples() -> Vec<Sample> {
    let tokens = handstamp_testkit::vectors::load("session_token");
    let strings = tokens["sessionDictionary"].as_array().expect("a list").iter();
    let strings = strings.map(|string| string.as_str().expect("a string").to_owned());
    let words: &'static StaticDictionary = Box::leak(Box::new(StaticDictionary::from_strings(strings)));
    let case = tokens["cases"].as_array().expect("a list").iter().find(|case| case["name"] == "two-hundred-claims");
    let payload = case.expect("the case")["payload"].as_str().expect("base64");
    let payload = base64_simd::STANDARD.decode_to_vec(payload).expect("base64");
    let text = to_text(Reader::new(&payload, Some(words))).expect("legal");
    let order = "<o:line xmlns:o=\"urn:orders\"><o:article>4711</o:article><o:text>A hat, black</o:text></o:line>";
    let message = format!(
        "<s:Envelope xmlns:s=\"http://www.w3.org/2003/05/soap-envelope\"><s:Body>{}</s:Body></s:Envelope>",
        order.repeat(300)
    );
    let binary = from_text(message.as_str(), Some(&WCF_DICTIONARY), None).expect("well-formed");
    vec![
        Sample { name: "payload, 200 claims", binary: payload, text, dictionary: words },
        Sample { name: "message, 300 lines", binary, text: message, dictionary: &WCF_DICTIONARY },
    ]
}

fn binary(c: &mut Criterion) {
    for sample in samples() {
        let Sample { name, binary, text, dictionary } = &sample;
        let mut group = c.benchmark_group(*name);
        group.throughput(Throughput::Bytes(text.len() as u64));
        group.bench_function("read", |b| {
            b.iter(|| {
                let mut reader = Reader::new(black_box(binary), Some(dictionary));
                while let Some(node) = reader.read().expect("legal") {
                    black_box(node);
                }
            });
        });
        group.bench_function("to text", |b| b.iter(|| to_text(Reader::new(black_box(binary), Some(dictionary)))));
        group.bench_function("from text", |b| b.iter(|| from_text(black_box(text.as_str()), Some(dictionary), None)));
        group.bench_function("peer: parse the text", |b| {
            b.iter(|| Document::parse(black_box(text.as_str()), &ParseOptions::default()));
        });
        group.finish();
    }
}

criterion_group!(benches, binary);
criterion_main!(benches);
