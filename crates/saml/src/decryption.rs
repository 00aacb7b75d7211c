//! Encrypted assertions: finding the key that was meant for us, and the assertion in its place.

use crate::Error;
use handstamp_keys::cipher::Plaintext;
use handstamp_keys::{Certificate, PrivateKey, SigningIdentity, SymmetricKey};
use handstamp_xml::{Document, Element, Fragment, NodeId, names};
use handstamp_xml_security as xml_security;
use handstamp_xml_security::algorithm::DataEncryption;
use handstamp_xml_security::encryption::{DecryptPolicy, EncryptedData, EncryptedKey, EncryptedType};
use handstamp_xml_security::key_info::{KeyInfo, KeyInfoClause};

/// Our keys that issuers encrypt assertions for, and the algorithms that they may use (SM-30).
#[derive(Clone, Debug)]
pub struct TokenDecryption {
    identities: Vec<SigningIdentity>,
    next: Vec<SigningIdentity>,
    policy: DecryptPolicy,
}

impl TokenDecryption {
    /// Decrypts with these keys: the current one, whose certificate issuers get, and previous ones, for as long as issuers use
    /// them. AES in both modes and RSA-OAEP are accepted: issuers of the .NET Framework know no other than AES-CBC.
    pub fn new(identities: impl IntoIterator<Item = SigningIdentity>) -> Self {
        Self { identities: identities.into_iter().collect(), next: Vec::new(), policy: DecryptPolicy::modern() }
    }

    /// Decrypts with these keys, too: they become current later. Issuers get their certificates ahead, so that a rollover surprises
    /// nobody.
    #[must_use]
    pub fn with_next(mut self, next: impl IntoIterator<Item = SigningIdentity>) -> Self {
        self.next.extend(next);
        self
    }

    /// Accepts these algorithms, and no others.
    #[must_use]
    pub fn with_policy(mut self, policy: DecryptPolicy) -> Self {
        self.policy = policy;
        self
    }

    /// The current key, then the previous ones.
    pub fn identities(&self) -> &[SigningIdentity] {
        &self.identities
    }

    /// The certificates that issuers may encrypt for: the current one, then the next ones. Previous ones are not for new issuers, nor
    /// for those that look again.
    pub fn published_certificates(&self) -> impl Iterator<Item = &Certificate> {
        self.identities.iter().take(1).chain(&self.next).map(SigningIdentity::certificate)
    }

    /// Puts the plaintext of an `EncryptedAssertion` or `EncryptedData` into its place.
    pub(crate) fn decrypt(&self, document: &mut Document, token: NodeId) -> Result<Decrypted, Error> {
        let element = document.element(token).ok_or_else(|| Error::malformed(ENCRYPTED_ASSERTION, "it is gone"))?;
        let encrypted = EncryptedToken::read(element)?;
        let (node, has_integrity) = (encrypted.data.element().id(), has_integrity(encrypted.data.algorithm()));
        let plaintext = self.plaintext(&encrypted)?;
        match document.replace_with_fragment(node, &plaintext, Fragment::Element).as_deref() {
            Ok([element]) => Ok(Decrypted { element: *element, has_integrity }),
            // What a manipulated ciphertext decrypts to is told to nobody.
            _ => Err(Error::Encryption(xml_security::Error::Unauthentic).undecryptable()),
        }
    }

    /// The key that an issuer encrypted for us alone. It may have the length of any AES key: that is the issuer's choice.
    pub(crate) fn unwrap(&self, key: &EncryptedKey<'_>) -> Result<SymmetricKey, Error> {
        let candidates = self.candidates(key)?;
        let attempts = candidates.iter().flat_map(|private| AES_KEY_LENGTHS.map(|length| (private, length)));
        let mut problem = None;
        for (private, length) in attempts.take(MAX_ATTEMPTS) {
            match key.unwrap_with_private_key(private, length, &self.policy) {
                Ok(key) => return Ok(key),
                Err(error) => problem = Some(error),
            }
        }
        Err(problem.map_or_else(|| no_key("EncryptedKey", std::slice::from_ref(key)), Error::Encryption))
    }

    fn plaintext(&self, encrypted: &EncryptedToken<'_>) -> Result<Plaintext, Error> {
        let length = encrypted.data.algorithm().key_length();
        let mut attempts = 0;
        for key in &encrypted.keys {
            for private in self.candidates(key)? {
                attempts += 1;
                if attempts > MAX_ATTEMPTS {
                    return Err(Error::malformed(encrypted.kind, "it has too many keys to try"));
                }
                let opened = key
                    .unwrap_with_private_key(private, length, &self.policy)
                    .and_then(|key| encrypted.data.clone().decrypt(&key, &self.policy));
                match opened {
                    Ok(plaintext) => return Ok(plaintext),
                    Err(xml_security::Error::Unauthentic) => {}
                    // Algorithms: known before any cryptography.
                    Err(other) => return Err(Error::Encryption(other)),
                }
            }
        }
        Err(match attempts {
            0 => no_key(encrypted.kind, &encrypted.keys),
            _ => Error::Encryption(xml_security::Error::Unauthentic).undecryptable(),
        })
    }

    /// The keys of ours that an `EncryptedKey` may be for: the one it names, or all if it names none in a way that we know.
    fn candidates(&self, key: &EncryptedKey<'_>) -> Result<Vec<&PrivateKey>, Error> {
        let key_info = key.key_info().map_err(malformed)?;
        let clauses = recipient_clauses(key_info.as_ref())?;
        let identities = self.identities.iter().chain(&self.next);
        let meant = identities.filter(|identity| names_identity(&clauses, identity).unwrap_or(true));
        Ok(meant.map(SigningIdentity::key).collect())
    }
}

/// An element that took the place of its encryption.
pub(crate) struct Decrypted {
    pub(crate) element: NodeId,
    /// Whether a changed ciphertext would have been noticed.
    pub(crate) has_integrity: bool,
}

const fn has_integrity(algorithm: DataEncryption) -> bool {
    matches!(algorithm, DataEncryption::Aes128Gcm | DataEncryption::Aes192Gcm | DataEncryption::Aes256Gcm)
}

/// In bytes, the usual one first.
const AES_KEY_LENGTHS: [usize; 3] = [32, 16, 24];
/// How many private-key operations one token may cost.
const MAX_ATTEMPTS: usize = 8;
/// How many recipients one token may have.
const MAX_KEYS: usize = 16;

const ENCRYPTED_ASSERTION: &str = "EncryptedAssertion";
const ENCRYPTED_KEY_TYPE: &str = "http://www.w3.org/2001/04/xmlenc#EncryptedKey";
pub(crate) const THUMBPRINT_SHA1: &str =
    "http://docs.oasis-open.org/wss/oasis-wss-soap-message-security-1.1#ThumbprintSHA1";
const SUBJECT_KEY_IDENTIFIER: &str =
    "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-x509-token-profile-1.0#X509SubjectKeyIdentifier";

/// Whether an element is an encrypted token, and which kind.
pub(crate) fn encrypted(element: Element<'_>) -> Option<&'static str> {
    if element.is(names::SAML20, ENCRYPTED_ASSERTION) {
        Some(ENCRYPTED_ASSERTION)
    } else if element.is(names::XENC, "EncryptedData") {
        Some("EncryptedData")
    } else {
        None
    }
}

/// The ciphertext, and the keys that it may be opened with, in document order.
struct EncryptedToken<'d> {
    kind: &'static str,
    data: EncryptedData<'d>,
    keys: Vec<EncryptedKey<'d>>,
}

impl<'d> EncryptedToken<'d> {
    fn read(element: Element<'d>) -> Result<Self, Error> {
        let kind = encrypted(element).unwrap_or("EncryptedData");
        let data = match kind {
            ENCRYPTED_ASSERTION => {
                let mut data = element.children().filter(|child| child.is(names::XENC, "EncryptedData"));
                match (data.next(), data.next()) {
                    (Some(data), None) => data,
                    _ => return Err(Error::malformed(ENCRYPTED_ASSERTION, "it must hold one EncryptedData")),
                }
            }
            _ => element,
        };
        let data = EncryptedData::parse(data).map_err(malformed)?;
        if data.encrypted_type() == EncryptedType::Content {
            return Err(Error::malformed("EncryptedData", "a token is an element, not content"));
        }
        let mut found: Vec<Element<'d>> = Vec::new();
        if let Some(key_info) = data.key_info().map_err(malformed)? {
            for clause in key_info.clauses() {
                match clause {
                    KeyInfoClause::EncryptedKey(key) => found.push(*key),
                    KeyInfoClause::Other(method) if method.is(names::DSIG, "RetrievalMethod") => {
                        found.push(retrieved(*method)?);
                    }
                    _ => {}
                }
            }
        }
        if kind == ENCRYPTED_ASSERTION {
            // Beside the data: all of them, whether it names them or not (SAML core §2.3.4).
            for key in element.children().filter(|child| child.is(names::XENC, "EncryptedKey")) {
                if !found.contains(&key) {
                    found.push(key);
                }
            }
        }
        if found.len() > MAX_KEYS {
            return Err(Error::malformed(kind, "it has too many EncryptedKey elements"));
        }
        let keys = found.into_iter().map(|key| EncryptedKey::parse(key).map_err(malformed));
        Ok(Self { kind, data, keys: keys.collect::<Result<_, _>>()? })
    }
}

/// What to say when none of the keys is for us: whom they are for.
fn no_key(element: &'static str, keys: &[EncryptedKey<'_>]) -> Error {
    let recipients: Vec<String> = keys
        .iter()
        .filter_map(|key| key.key_info().ok().flatten())
        .filter_map(|key_info| recipient_clauses(Some(&key_info)).ok())
        .flatten()
        .filter_map(|recipient| recipient.describe())
        .collect();
    Error::NoDecryptionKey { element, recipients: recipients.iter().map(String::as_str).collect() }
}

/// The element that a `RetrievalMethod` leads to, in this document.
fn retrieved(method: Element<'_>) -> Result<Element<'_>, Error> {
    let is_key = method.attribute("Type").is_none_or(|kind| kind == ENCRYPTED_KEY_TYPE);
    let plain = method.child(names::DSIG, "Transforms").is_none();
    let id = method.attribute("URI").and_then(|uri| uri.strip_prefix('#'));
    let key = id.and_then(|id| method.document().element_by_id(id)).filter(|key| key.is(names::XENC, "EncryptedKey"));
    key.filter(|_| is_key && plain)
        .ok_or_else(|| Error::malformed("RetrievalMethod", "it does not lead to an EncryptedKey of this document"))
}

/// How an `EncryptedKey` names whom it is for.
enum Recipient {
    Certificate(Vec<u8>),
    IssuerSerial(String, String),
    SubjectKeyIdentifier(Vec<u8>),
    Sha1Thumbprint(Vec<u8>),
}

impl Recipient {
    fn is(&self, identity: &SigningIdentity) -> bool {
        let certificate = identity.certificate();
        match self {
            Self::Certificate(der) => certificate.der() == der,
            Self::IssuerSerial(issuer, serial) => certificate.is_issued_as(issuer, serial),
            Self::SubjectKeyIdentifier(id) => certificate.subject_key_identifier() == Some(id),
            Self::Sha1Thumbprint(digest) => certificate.sha1_thumbprint().as_slice() == digest,
        }
    }

    fn describe(&self) -> Option<String> {
        let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        match self {
            Self::Certificate(der) => {
                let certificate = Certificate::from_der(der).ok()?;
                Some(format!("certificate {}", certificate.subject().as_str()))
            }
            Self::IssuerSerial(issuer, serial) => Some(format!("certificate {serial} of {issuer}")),
            Self::SubjectKeyIdentifier(id) => Some(format!("key identifier {}", hex(id))),
            Self::Sha1Thumbprint(digest) => Some(format!("SHA-1 thumbprint {}", hex(digest))),
        }
    }
}

/// Whether the clauses name this identity; none when they name nobody in a way that is known here.
fn names_identity(recipients: &[Recipient], identity: &SigningIdentity) -> Option<bool> {
    (!recipients.is_empty()).then(|| recipients.iter().any(|recipient| recipient.is(identity)))
}

fn recipient_clauses(key_info: Option<&KeyInfo<'_>>) -> Result<Vec<Recipient>, Error> {
    let mut recipients = Vec::new();
    for clause in key_info.map(KeyInfo::clauses).unwrap_or_default() {
        match clause {
            KeyInfoClause::SecurityTokenReference(reference) => recipients.extend(referenced(*reference)?),
            other => recipients.extend(recipient(other)),
        }
    }
    Ok(recipients)
}

fn recipient(clause: &KeyInfoClause<'_>) -> Option<Recipient> {
    match clause {
        KeyInfoClause::Certificate(der) => Some(Recipient::Certificate(der.clone())),
        KeyInfoClause::IssuerSerial { issuer, serial } => Some(Recipient::IssuerSerial(issuer.clone(), serial.clone())),
        KeyInfoClause::SubjectKeyIdentifier(id) => Some(Recipient::SubjectKeyIdentifier(id.clone())),
        _ => None,
    }
}

/// What a `wsse:SecurityTokenReference` says: `X509Data`, or a `KeyIdentifier`.
fn referenced(reference: Element<'_>) -> Result<Vec<Recipient>, Error> {
    // The content of a reference is that of a KeyInfo, as far as X509Data goes.
    let key_info = KeyInfo::parse(reference).map_err(malformed)?;
    let mut recipients: Vec<Recipient> = key_info.clauses().iter().filter_map(recipient).collect();
    for identifier in reference.children().filter(|child| child.is(names::WSSE, "KeyIdentifier")) {
        let text = identifier.text();
        let octets = base64_simd::STANDARD.decode_to_vec(text.trim().as_bytes());
        let octets = octets.map_err(|_| Error::malformed("KeyIdentifier", "its text is not base64"))?;
        match identifier.attribute("ValueType") {
            Some(THUMBPRINT_SHA1) => recipients.push(Recipient::Sha1Thumbprint(octets)),
            Some(SUBJECT_KEY_IDENTIFIER) => recipients.push(Recipient::SubjectKeyIdentifier(octets)),
            _ => {}
        }
    }
    Ok(recipients)
}

/// A structure that is not what its specification says: nothing secret was touched.
fn malformed(error: xml_security::Error) -> Error {
    Error::Encryption(error)
}
