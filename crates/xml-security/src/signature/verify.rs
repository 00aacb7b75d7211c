//! Verification: first the signature over `SignedInfo`, then each digest, then the proof of both as a value.

use crate::algorithm::{AlgorithmSet, DigestMethod, STR_TRANSFORM, SignatureMethod};
use crate::error::Error;
use crate::signature::signed_info::{Reference, Signature, Target};
use crate::signature::verified::{CoveredPrefixes, Verified, VerifiedElement};
use handstamp_keys::{DigestValue, HmacKey, PublicKey};
use handstamp_xml::c14n::{self, Canonicalizer};
use handstamp_xml::{Document, Element, NodeId};

/// What the configuration allows in a signature. The message has no say in it.
#[derive(Debug, Clone)]
pub struct VerifyPolicy {
    signature_methods: AlgorithmSet<SignatureMethod>,
    digest_methods: AlgorithmSet<DigestMethod>,
    by_id_and_exclusive_c14n: bool,
    str_transform: bool,
}

impl VerifyPolicy {
    /// RSA and ECDSA with SHA-2: what a signature by a certificate should use today.
    pub fn asymmetric() -> Self {
        use SignatureMethod::{EcdsaSha256, EcdsaSha384, EcdsaSha512, RsaSha256, RsaSha384, RsaSha512};
        Self::exactly(
            [RsaSha256, RsaSha384, RsaSha512, EcdsaSha256, EcdsaSha384, EcdsaSha512],
            [DigestMethod::Sha256, DigestMethod::Sha384, DigestMethod::Sha512],
        )
    }

    /// Exactly these algorithms, as an algorithm suite of WS-SecurityPolicy asks for.
    pub fn exactly(
        signature_methods: impl IntoIterator<Item = SignatureMethod>,
        digest_methods: impl IntoIterator<Item = DigestMethod>,
    ) -> Self {
        Self {
            signature_methods: signature_methods.into_iter().collect(),
            digest_methods: digest_methods.into_iter().collect(),
            by_id_and_exclusive_c14n: false,
            str_transform: false,
        }
    }

    /// Allows RSA-SHA1 and SHA-1 digests too, for issuers that cannot do better. SHA-1 is not collision
    /// resistant: whoever may choose part of what the issuer signs can make two documents with one signature.
    #[must_use]
    pub fn allow_rsa_sha1(mut self) -> Self {
        self.signature_methods.insert(SignatureMethod::RsaSha1);
        self.digest_methods.insert(DigestMethod::Sha1);
        self
    }

    /// Accepts only what messages of WS-Security need: references by id, and exclusive canonicalization without comments
    /// as the one transform. No enveloped signatures, no whole documents.
    #[must_use]
    pub fn by_id_and_exclusive_c14n(mut self) -> Self {
        self.by_id_and_exclusive_c14n = true;
        self
    }

    /// Accepts the STR-Transform of WS-Security. The caller then says which token each reference leads to, before it verifies
    /// digests: see [`SignedReferences::dereference`].
    #[must_use]
    pub fn allow_str_transform(mut self) -> Self {
        self.str_transform = true;
        self
    }

    fn check(&self, signature: &Signature<'_>) -> Result<(), Error> {
        if !self.signature_methods.contains(signature.method) {
            return Err(Error::AlgorithmNotAllowed { uri: signature.method.uri().to_owned(), purpose: "signatures" });
        }
        for reference in &signature.references {
            if !self.digest_methods.contains(reference.digest_method) {
                let uri = reference.digest_method.uri().to_owned();
                return Err(Error::AlgorithmNotAllowed { uri, purpose: "digests" });
            }
            if reference.dereferences && !self.str_transform {
                return Err(Error::AlgorithmNotAllowed { uri: STR_TRANSFORM.to_owned(), purpose: "transforms here" });
            }
            let by_id = matches!(reference.target, Target::Element(_)) && reference.omit.is_none();
            if self.by_id_and_exclusive_c14n && !by_id {
                return Err(Error::malformed("Reference", "only elements named by their id can be signed here"));
            }
        }
        let mut methods = signature.references.iter().map(|reference| &reference.canonicalization);
        let is_exclusive = |method: &c14n::Method| method.algorithm == c14n::Algorithm::Exclusive && !method.comments;
        if self.by_id_and_exclusive_c14n && !(is_exclusive(&signature.canonicalization) && methods.all(is_exclusive)) {
            return Err(Error::AlgorithmNotAllowed {
                uri: signature.canonicalization.uri().to_owned(),
                purpose: "canonicalization here: it has to be exclusive, for SignedInfo and every reference",
            });
        }
        Ok(())
    }
}

/// The key to verify with, chosen by the caller among keys it trusts.
#[derive(Debug, Clone, Copy)]
pub enum VerificationKey<'k> {
    /// An RSA or elliptic-curve public key.
    Public(&'k PublicKey),
    /// Key octets that both ends hold, for HMAC.
    Symmetric(&'k [u8]),
}

impl<'d> Signature<'d> {
    /// Verifies with `key` and returns what is covered.
    ///
    /// The signature over `SignedInfo` is checked before any reference is digested, so a message that does not
    /// come from the holder of the key costs one check.
    ///
    /// # Errors
    /// [`Error::AlgorithmNotAllowed`] when `policy` does not list an algorithm that is used;
    /// [`Error::KeyMismatch`] when `key` is of another kind than the algorithm;
    /// [`Error::Unauthentic`] when the signature or a digest does not hold.
    pub fn verify(&self, key: VerificationKey<'_>, policy: &VerifyPolicy) -> Result<Verified<'d>, Error> {
        self.verify_value(key, policy)?.verify_references(self.element.document())
    }

    /// The first half of [`verify`](Self::verify): the signature over `SignedInfo`. What comes back no longer borrows the
    /// document, so that parts of it can be decrypted before [`SignedReferences::verify_references`] digests them.
    ///
    /// # Errors
    /// As [`verify`](Self::verify).
    pub fn verify_value(&self, key: VerificationKey<'_>, policy: &VerifyPolicy) -> Result<SignedReferences, Error> {
        policy.check(self)?;
        let mut octets = Vec::with_capacity(2048);
        Canonicalizer::default().element(self.signed_info, &self.canonicalization, None, &mut octets);
        self.check_value(key, &octets)?;
        let references = self.references.iter().map(ReferenceDigest::of).collect();
        Ok(SignedReferences { method: self.method, references })
    }

    fn check_value(&self, key: VerificationKey<'_>, octets: &[u8]) -> Result<(), Error> {
        let verified = match key {
            VerificationKey::Symmetric(key) => {
                self.method.hmac().map(|digest| HmacKey::new(digest, key).verify(octets, &self.value))
            }
            VerificationKey::Public(key) => {
                self.method.for_key(key.kind()).map(|algorithm| key.verify(algorithm, octets, &self.value))
            }
        };
        let verified = verified.ok_or(Error::KeyMismatch { algorithm: self.method.uri() })?;
        verified.map_err(|_| Error::Unauthentic)
    }
}

/// The references of a signature whose value was verified: digests that the holder of the key signed. Nothing is known yet
/// about the elements.
#[derive(Debug, Clone)]
pub struct SignedReferences {
    method: SignatureMethod,
    references: Vec<ReferenceDigest>,
}

#[derive(Debug, Clone)]
struct ReferenceDigest {
    whole_document: bool,
    target: NodeId,
    omit: Option<NodeId>,
    /// Of an STR-Transform.
    token: Option<Token>,
    canonicalization: c14n::Method,
    prefix_list: Option<NodeId>,
    digest_method: DigestMethod,
    digest: DigestValue,
}

/// What the `SecurityTokenReference` under an STR-Transform names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Token {
    /// Nobody has said it yet.
    NotKnown,
    /// The target of the reference is the token now.
    Known,
}

impl SignedReferences {
    /// Replaces each `SecurityTokenReference` under an STR-Transform by the token that it names, as the caller resolves it.
    ///
    /// # Errors
    /// [`Error::UnresolvedReference`] when `resolve` does not know it.
    pub fn dereference(&mut self, resolve: impl Fn(NodeId) -> Option<NodeId>) -> Result<(), Error> {
        for reference in self.references.iter_mut().filter(|reference| reference.token == Some(Token::NotKnown)) {
            let token = resolve(reference.target);
            reference.target = token.ok_or(Error::UnresolvedReference { uri: STR_TRANSFORM.to_owned() })?;
            reference.token = Some(Token::Known);
        }
        Ok(())
    }

    /// Digests the elements as they are now and returns them as verified. `document` is the one that the signature was in.
    ///
    /// # Errors
    /// [`Error::Unauthentic`] when a digest does not hold, or an element is gone or was replaced.
    pub fn verify_references<'d>(&self, document: &'d Document) -> Result<Verified<'d>, Error> {
        self.verify_each_reference(document).map_err(|(_, error)| error)
    }

    /// The same, for errors that name the element: the first one whose digest does not hold.
    ///
    /// # Errors
    /// That element, and what [`verify_references`](Self::verify_references) says.
    pub fn verify_each_reference<'d>(&self, document: &'d Document) -> Result<Verified<'d>, (NodeId, Error)> {
        let mut canonicalizer = Canonicalizer::default();
        let mut octets = Vec::with_capacity(self.longest_source(document));
        let mut elements = Vec::with_capacity(self.references.len());
        for reference in &self.references {
            octets.clear();
            let checked = reference.check(document, &mut canonicalizer, &mut octets);
            elements.push(checked.map_err(|error| (reference.target, error))?);
        }
        Ok(Verified { method: self.method, elements })
    }

    /// About how long the longest canonical form will be: as what was received, which is longer than what is decrypted in it.
    fn longest_source(&self, document: &Document) -> usize {
        self.targets().filter_map(|target| Some(document.element(target)?.source().len())).max().unwrap_or_default()
    }

    /// The elements that the references name, in their order: for deciding whether they may be signed before digesting them.
    pub fn targets(&self) -> impl Iterator<Item = NodeId> {
        self.references.iter().map(|reference| reference.target)
    }
}

impl ReferenceDigest {
    fn of(reference: &Reference<'_>) -> Self {
        Self {
            whole_document: matches!(reference.target, Target::Document(_)),
            target: reference.target.element().id(),
            omit: reference.omit,
            token: reference.dereferences.then_some(Token::NotKnown),
            canonicalization: reference.canonicalization.clone(),
            prefix_list: reference.prefix_list,
            digest_method: reference.digest_method,
            digest: reference.digest,
        }
    }

    fn check<'d>(
        &self,
        document: &'d Document,
        canonicalizer: &mut Canonicalizer,
        octets: &mut Vec<u8>,
    ) -> Result<VerifiedElement<'d>, Error> {
        let element = document.element(self.target).filter(|element| element.id() == self.target);
        let element = element.ok_or(Error::Unauthentic)?;
        if self.whole_document {
            canonicalizer.document(document, &self.canonicalization, self.omit, octets);
        } else {
            canonicalizer.element(element, &self.canonicalization, self.omit, octets);
        }
        let holds = match self.token {
            None => self.is_digest_of(octets),
            Some(Token::NotKnown) => return Err(Error::UnresolvedReference { uri: STR_TRANSFORM.to_owned() }),
            // WSS has the transform declare the default namespace where nothing does; some leave that out.
            Some(Token::Known) => {
                self.is_digest_of(&with_default_namespace(octets, element)) || self.is_digest_of(octets)
            }
        };
        if !holds {
            return Err(Error::Unauthentic);
        }
        Ok(VerifiedElement { element, omitted: self.omit, prefixes: self.prefixes(document) })
    }

    fn is_digest_of(&self, octets: &[u8]) -> bool {
        self.digest_method.algorithm().digest(octets) == self.digest
    }

    fn prefixes<'d>(&self, document: &'d Document) -> CoveredPrefixes<'d> {
        if self.canonicalization.algorithm == c14n::Algorithm::Inclusive {
            return CoveredPrefixes::All;
        }
        let list = self.prefix_list.and_then(|id| document.element(id)?.attribute("PrefixList"));
        CoveredPrefixes::Listed(list.unwrap_or_default())
    }
}

/// What an STR-Transform digests: the canonical form of the token, which declares the default namespace in any case.
fn with_default_namespace(canonical: &[u8], token: Element<'_>) -> Vec<u8> {
    let prefix = token.prefix();
    let name_end = 1 + prefix.len() + usize::from(!prefix.is_empty()) + token.local_name().len();
    str_transformed(canonical, name_end)
}

/// The same, for the canonical form of an element whose name ends there.
pub(super) fn str_transformed(canonical: &[u8], name_end: usize) -> Vec<u8> {
    let (name, rest) = canonical.split_at_checked(name_end).unwrap_or((canonical, &[]));
    let declaration: &[u8] = if rest.starts_with(b" xmlns=\"") { b"" } else { b" xmlns=\"\"" };
    [name, declaration, rest].concat()
}
