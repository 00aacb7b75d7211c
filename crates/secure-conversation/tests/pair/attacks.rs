//! Attacks on a whole service, seen from outside: what it answers, and how long that takes (SC 19).

use crate::support::{
    PARTIES, Pair, client, deliver, invalid_security, service, service_builder, stateful, stateless, user_name,
};
use handstamp_keys::transport::{Oaep, RsaPkcs1};
use handstamp_keys::{DeterministicRandom, SecureRandom as _, SymmetricKey};
use handstamp_secure_conversation::{Handled, Incoming};
use handstamp_ws_security::{AlgorithmSuite, MemoryReplayCache, MessageSecurityVersion, SecurityBinding};
use std::sync::Arc;
use std::time::{Duration, Instant};

fn both() -> [SecurityBinding; 2] {
    let bootstrap = user_name(MessageSecurityVersion::default());
    [stateful(bootstrap.clone()), stateless(bootstrap)]
}

/// The octets of the last `CipherValue` behind `start`, and the message with others in their place.
fn ciphertext<'m>(message: &'m str, start: &str) -> (Vec<u8>, impl Fn(&[u8]) -> String + 'm) {
    let from = message.find(start).unwrap();
    let from = from + message[from..].find("CipherValue>").unwrap() + "CipherValue>".len();
    let to = from + message[from..].find('<').unwrap();
    let octets = base64_simd::STANDARD.decode_to_vec(&message[from..to]).unwrap();
    let with = move |octets: &[u8]| {
        format!("{}{}{}", &message[..from], base64_simd::STANDARD.encode_to_string(octets), &message[to..])
    };
    (octets, with)
}

/// Vaudenay's question, in all its 256 forms: each answer is the same, octet for octet.
#[test]
fn sc_92_all_paddings_are_answered_alike() {
    for binding in both() {
        let mut pair = Pair::new(&binding);
        pair.works();
        let request = pair.request("hello");
        for part in ["<s:Body", "</o:Security>"] {
            // The body, and what is encrypted in the header: the signature.
            let start = if part == "<s:Body" { part } else { "#Element" };
            let (octets, with) = ciphertext(request.envelope(), start);
            let at = octets.len() - 17;
            let mut answers: Vec<String> = Vec::new();
            for flip in 1..=120_u8 {
                let mut probe = octets.clone();
                probe[at] ^= flip;
                let wire = pair.deliver(&with(&probe));
                assert_eq!(wire.code(), invalid_security());
                answers.push(wire.envelope.unwrap());
            }
            answers.dedup();
            assert_eq!(answers.len(), 1, "{answers:?}");
        }
    }
}

/// Whether the padding is bad or only the signature cannot be told by the time that the answer takes.
#[test]
fn sc_92_a_bad_padding_takes_as_long_as_a_bad_signature() {
    let mut pair = Pair::new(&both()[0]);
    pair.works();
    let request = pair.request(&"hello ".repeat(500));
    let (octets, with) = ciphertext(request.envelope(), "<s:Body");
    let changed = |at: usize| {
        let mut probe = octets.clone();
        probe[at] ^= 0x55;
        with(&probe)
    };
    // The first block of text is garbled, and the padding good; or the padding is bad.
    let probes = [changed(20), changed(octets.len() - 17)];
    let mut fastest = [Duration::MAX; 2];
    for _ in 0..150 {
        for (probe, fastest) in probes.iter().zip(&mut fastest) {
            let started = Instant::now();
            assert_eq!(pair.deliver(probe).code(), invalid_security());
            *fastest = started.elapsed().min(*fastest);
        }
    }
    let [garbled, padding] = fastest.map(|time| time.as_secs_f64());
    let ratio = garbled / padding;
    assert!((0.6..1.7).contains(&ratio), "{garbled} s and {padding} s");
}

/// Bleichenbacher's question: a key that is malformed, of another length, or well-formed and not the right one.
#[test]
fn sc_71_malformed_encrypted_keys_are_answered_alike() {
    for name in ["Basic256Rsa15", "Basic256"] {
        let mut bootstrap = user_name(MessageSecurityVersion::default());
        bootstrap.suite = AlgorithmSuite::from_name(name).unwrap();
        let binding = stateful(bootstrap);
        let mut pair = Pair::new(&binding);
        pair.works();
        let exchange = client(&binding).establish(pair.now, &pair.random).unwrap();
        let (octets, with) = ciphertext(exchange.envelope(), "EncryptedKey");
        let recipient = PARTIES.service.key().public_key();
        let encrypted = |length: usize| {
            let key = SymmetricKey::from(vec![7; length]);
            if name == "Basic256" {
                Oaep::default().encrypt(recipient, &key)
            } else {
                RsaPkcs1.encrypt(recipient, &key)
            }
        };
        let mut probes: Vec<Vec<u8>> =
            [1, 16, 31, 32, 33, 64].iter().map(|length| encrypted(*length).unwrap()).collect();
        for seed in 0..20 {
            let mut noise = vec![0; octets.len()];
            DeterministicRandom::new(seed).fill(&mut noise).unwrap();
            noise[0] &= 0x3f;
            probes.push(noise);
        }
        probes.extend([vec![0; octets.len()], vec![0xff; octets.len()], octets[1..].to_vec(), vec![1]]);
        let mut answers: Vec<String> = Vec::new();
        for probe in probes {
            let wire = pair.deliver(&with(&probe));
            assert_eq!(wire.code(), invalid_security(), "{name}");
            answers.push(wire.envelope.unwrap());
        }
        // For a certificate that nobody has the key of.
        let thumbprint = exchange.envelope().replacen("#ThumbprintSHA1\">", "#ThumbprintSHA1\">AAAA", 1);
        assert_ne!(thumbprint, exchange.envelope());
        answers.push(pair.deliver(&thumbprint).envelope.unwrap());
        answers.dedup();
        assert_eq!(answers.len(), 1, "{name}: {answers:?}");
        assert!(pair.deliver(exchange.envelope()).fault.is_none(), "the unchanged one is good");
        pair.works();
    }
}

/// Whether the block of an RSA-1.5 ciphertext is well-formed cannot be told by the time either.
#[test]
fn sc_71_a_malformed_encrypted_key_takes_as_long_as_a_wrong_one() {
    let mut bootstrap = user_name(MessageSecurityVersion::default());
    bootstrap.suite = AlgorithmSuite::from_name("Basic256Rsa15").unwrap();
    let binding = stateful(bootstrap);
    let pair = Pair::new(&binding);
    let exchange = client(&binding).establish(pair.now, &pair.random).unwrap();
    let (octets, with) = ciphertext(exchange.envelope(), "EncryptedKey");
    let wrong = RsaPkcs1.encrypt(PARTIES.service.key().public_key(), &SymmetricKey::from(vec![7; 32])).unwrap();
    let mut malformed = vec![0; octets.len()];
    DeterministicRandom::new(1).fill(&mut malformed).unwrap();
    malformed[0] &= 0x3f;
    let probes = [with(&wrong), with(&malformed)];
    let mut fastest = [Duration::MAX; 2];
    for _ in 0..150 {
        for (probe, fastest) in probes.iter().zip(&mut fastest) {
            let started = Instant::now();
            assert_eq!(pair.deliver(probe).code(), invalid_security());
            *fastest = started.elapsed().min(*fastest);
        }
    }
    let [wrong, malformed] = fastest.map(|time| time.as_secs_f64());
    let ratio = wrong / malformed;
    assert!((0.6..1.7).contains(&ratio), "{wrong} s and {malformed} s");
}

/// Nodes that share a memory of messages let each in once; nodes that do not, once each (SC 13.2, 19.12).
#[test]
fn sc_81_a_message_counts_once_on_all_nodes_that_share_their_replay_cache() {
    let binding = both()[0].clone();
    let shared = Arc::new(MemoryReplayCache::new(100));
    let nodes = [(); 2].map(|()| service_builder(&binding).replay_cache(shared.clone()).build().unwrap());
    let mut pair = Pair::new(&binding);
    pair.establish().unwrap();
    for first in [0, 1] {
        let request = pair.request("hello");
        let send = |node: usize| deliver(&nodes[node], request.envelope(), pair.now, &pair.random);
        assert!(send(first).fault.is_none());
        assert_eq!(send(1 - first).code(), invalid_security(), "across nodes");
        assert_eq!(send(first).code(), invalid_security());
    }
    let apart = [service(&binding), service(&binding)];
    let request = pair.request("hello");
    for node in &apart {
        assert!(deliver(node, request.envelope(), pair.now, &pair.random).fault.is_none());
        assert_eq!(deliver(node, request.envelope(), pair.now, &pair.random).code(), invalid_security());
    }
}

/// Before a signature is looked at, and before a key is decrypted.
#[test]
fn sc_84_what_is_too_large_too_deep_or_a_bomb_is_not_read() {
    for binding in both() {
        let mut pair = Pair::new(&binding);
        let request = client(&binding).establish(pair.now, &pair.random).unwrap().envelope().to_owned();
        let deep = format!("{}{}", "<x>".repeat(5_000), "</x>".repeat(5_000));
        let attributes: String = (0..5_000).map(|number| format!(" a{number}=''")).collect();
        let bomb = "<!DOCTYPE s [<!ENTITY a 'aaaaaaaaaa'><!ENTITY b '&a;&a;&a;&a;&a;&a;&a;&a;'>]>";
        for probe in [
            format!("{request}{}", " ".repeat(70_000)),
            request.replacen("</s:Body>", &format!("{deep}</s:Body>"), 1),
            request.replacen("</s:Body>", &format!("<x{attributes}/></s:Body>"), 1),
            format!("{bomb}{request}"),
            request.replacen("</s:Body>", "&b;</s:Body>", 1),
            format!("<?target?>{request}"),
            request[..request.len() / 2].to_owned(),
        ] {
            let handled = pair.service.handle(Incoming::new(probe.as_str()), pair.now, &pair.random);
            assert!(
                matches!(handled, Handled::Unreadable(_)),
                "{:.200} {handled:?}",
                &probe[probe.len().saturating_sub(200)..]
            );
        }
        pair.works();
    }
}
