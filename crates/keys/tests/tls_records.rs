//! TLS in messages, both ends in one process (SC §7).

use handstamp_keys::tls::{TlsPeer, TlsRecords};
use handstamp_keys::{
    CertificateTrust, Curve, DeterministicRandom, Error, KeyKind, KeyPolicy, SigningIdentity, SymmetricKey,
};
use handstamp_time::Timestamp;

fn now() -> Timestamp {
    "2030-06-01T00:00:00Z".parse().expect("a time")
}

fn identity(name: &str, kind: KeyKind) -> SigningIdentity {
    let (from, to) = ("2030-01-01T00:00:00Z".parse().expect("a time"), "2031-01-01T00:00:00Z".parse().expect("a time"));
    SigningIdentity::self_signed(name, kind, from, to, &DeterministicRandom::new(1)).expect("a certificate")
}

fn believing(whom: &SigningIdentity) -> TlsPeer {
    TlsPeer { trust: CertificateTrust::none().with_certificate(whom.certificate()), key_policy: KeyPolicy::default() }
}

/// Hands records back and forth until neither end has any.
fn shake(client: &mut TlsRecords, server: &mut TlsRecords) -> Result<(), Error> {
    let mut records = client.advance(&[])?;
    while !records.is_empty() {
        let answer = server.advance(&records)?;
        records = client.advance(&answer)?;
    }
    Ok(())
}

#[test]
fn sc_7_3_both_ends_agree_with_rsa_and_with_ec_keys() {
    for kind in [KeyKind::Rsa { bits: 2048 }, KeyKind::Ec(Curve::P256)] {
        let (service, caller) = (identity("svc", kind), identity("caller", kind));
        let mut server = TlsRecords::server(&service, Some(believing(&caller)), now()).expect("usable");
        let mut client = TlsRecords::client("svc.example", believing(&service), Some(&caller), now()).expect("usable");
        assert!(!client.is_established() && client.peer_certificate().is_none());
        shake(&mut client, &mut server).expect("both believe each other");
        assert!(client.is_established() && server.is_established());
        assert_eq!(server.peer_certificate().as_ref(), Some(caller.certificate()));
        assert_eq!(client.peer_certificate().as_ref(), Some(service.certificate()));
        let key = SymmetricKey::from_bytes(&[7; 32]);
        let record = server.seal(&key).expect("established");
        assert_eq!(record[..3], [23, 3, 3], "SC 7.2: one record of data, its header included");
        assert_eq!(record.len(), 5 + usize::from(u16::from_be_bytes([record[3], record[4]])));
        assert_eq!(client.open(&record, 32).expect("the server's"), key);
    }
}

#[test]
fn sc_7_3_nobody_is_believed_without_reason() {
    let (service, other) = (identity("svc", KeyKind::Ec(Curve::P256)), identity("other", KeyKind::Ec(Curve::P256)));
    let client = |peer: &SigningIdentity, own| TlsRecords::client("svc.example", believing(peer), own, now());
    let server = |clients| TlsRecords::server(&service, clients, now()).expect("usable");
    let refused = |mut client: TlsRecords, mut server: TlsRecords| {
        let error = shake(&mut client, &mut server).expect_err("not believed");
        assert!(matches!(error, Error::TlsPeer(_)), "{error}");
    };
    refused(client(&other, None).expect("usable"), server(None));
    refused(client(&service, Some(&service)).expect("usable"), server(Some(believing(&other))));
    refused(client(&service, None).expect("usable"), server(Some(believing(&other))));
    let late = "2031-06-01T00:00:00Z".parse().expect("a time");
    refused(TlsRecords::client("svc.example", believing(&service), None, late).expect("usable"), server(None));
}

#[test]
fn sc_7_2_a_changed_record_and_a_key_of_another_length_are_refused() {
    let service = identity("svc", KeyKind::Ec(Curve::P256));
    let pair = || {
        let mut server = TlsRecords::server(&service, None, now()).expect("usable");
        let mut client = TlsRecords::client("127.0.0.1", believing(&service), None, now()).expect("usable");
        shake(&mut client, &mut server).expect("both believe each other");
        (client, server)
    };
    let key = SymmetricKey::from_bytes(&[7; 32]);
    let (mut client, mut server) = pair();
    let mut record = server.seal(&key).expect("established");
    *record.last_mut().expect("not empty") ^= 1;
    assert!(client.open(&record, 32).is_err());
    let (mut client, mut server) = pair();
    assert!(client.open(&server.seal(&key).expect("established"), 16).is_err());
    let (mut client, _) = pair();
    assert!(client.open(&[], 32).is_err());
}

#[test]
fn sc_7_1_what_is_no_tls_is_refused_and_nothing_is_sealed_before_its_time() {
    let service = identity("svc", KeyKind::Ec(Curve::P256));
    let fresh = || TlsRecords::server(&service, None, now()).expect("usable");
    assert!(fresh().advance(b"hello").map_or(true, |records| records.is_empty()));
    assert!(fresh().advance(&[0x17, 3, 3, 0, 1, 0]).is_err());
    assert!(fresh().advance(&[0x16, 3, 1, 0xff, 0xff]).is_err());
    assert!(matches!(fresh().seal(&SymmetricKey::from_bytes(&[7; 32])), Err(Error::Misuse(_))));
}
