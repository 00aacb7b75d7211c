//! Reading `ds:Signature` into a form that holds only what may be verified.

use crate::algorithm::{DigestMethod, ENVELOPED_SIGNATURE, STR_TRANSFORM, SignatureMethod};
use crate::error::Error;
use crate::key_info::KeyInfo;
use crate::octets;
use handstamp_keys::DigestValue;
use handstamp_xml::{Element, NodeId, c14n, names};

/// A `ds:Signature` that is well formed and uses only known algorithms; nothing in it is trusted yet.
///
/// Parsing costs no cryptography. Choose the key with the help of [`Signature::key_info`], then call
/// [`Signature::verify`].
#[derive(Debug, Clone)]
pub struct Signature<'d> {
    pub(super) element: Element<'d>,
    pub(super) signed_info: Element<'d>,
    pub(super) canonicalization: c14n::Method,
    pub(super) method: SignatureMethod,
    pub(super) references: Vec<Reference<'d>>,
    pub(super) value: Vec<u8>,
    key_info: Option<Element<'d>>,
}

/// One `ds:Reference`.
#[derive(Debug, Clone)]
pub(super) struct Reference<'d> {
    pub(super) target: Target<'d>,
    pub(super) omit: Option<NodeId>,
    /// Whether the target is a `SecurityTokenReference`, and what it names is digested.
    pub(super) dereferences: bool,
    pub(super) canonicalization: c14n::Method,
    /// The `InclusiveNamespaces` of the transform.
    pub(super) prefix_list: Option<NodeId>,
    pub(super) digest_method: DigestMethod,
    pub(super) digest: DigestValue,
}

/// What a reference covers.
#[derive(Debug, Clone, Copy)]
pub(super) enum Target<'d> {
    /// `URI=""`: the whole document.
    Document(Element<'d>),
    /// `URI="#id"`: one element.
    Element(Element<'d>),
}

impl<'d> Target<'d> {
    pub(super) fn element(self) -> Element<'d> {
        match self {
            Self::Document(element) | Self::Element(element) => element,
        }
    }
}

impl<'d> Signature<'d> {
    /// Reads the structure of a `ds:Signature` element (XML Signature §4).
    ///
    /// # Errors
    /// Whatever does not follow the schema, names an unknown algorithm, has more than
    /// [`MAX_REFERENCES`] references or [`MAX_TRANSFORMS`] transforms, or refers to something that is not an
    /// element of the same document.
    pub fn parse(element: Element<'d>) -> Result<Self, Error> {
        if !element.is(names::DSIG, "Signature") {
            return Err(Error::malformed("Signature", "it is another element"));
        }
        let mut children = element.children();
        let signed_info = expect(children.next(), "Signature", "SignedInfo")?;
        let value = base64(expect(children.next(), "Signature", "SignatureValue")?, "SignatureValue")?;
        let key_info = children.next().filter(|child| child.is(names::DSIG, "KeyInfo"));

        let mut parts = signed_info.children();
        let canonicalization_element = expect(parts.next(), "SignedInfo", "CanonicalizationMethod")?;
        let canonicalization = canonicalization(canonicalization_element, Comments::AsNamed)?;
        let method_element = expect(parts.next(), "SignedInfo", "SignatureMethod")?;
        let method = SignatureMethod::from_uri(algorithm(method_element)?)?;
        if method_element.children().next().is_some() {
            // HMACOutputLength would let the message choose how much of the signature counts.
            return Err(Error::malformed("SignatureMethod", "it has a parameter; truncated signatures are refused"));
        }
        let mut references = Vec::with_capacity(8);
        for part in parts {
            if !part.is(names::DSIG, "Reference") {
                return Err(Error::malformed("SignedInfo", "something other than Reference follows the methods"));
            }
            if references.len() == MAX_REFERENCES {
                return Err(Error::TooMany { what: "references", structure: "SignedInfo", limit: MAX_REFERENCES });
            }
            references.push(Reference::parse(part, element)?);
        }
        if references.is_empty() {
            return Err(Error::malformed("SignedInfo", "it has no Reference"));
        }
        Ok(Self { element, signed_info, canonicalization, method, references, value, key_info })
    }

    /// The one `ds:Signature` among the children of `parent`; none when there is none.
    ///
    /// # Errors
    /// Two of them, or one that [`Self::parse`] refuses.
    pub fn of_child(parent: Element<'d>) -> Result<Option<Self>, Error> {
        let mut found = parent.children().filter(|child| child.is(names::DSIG, "Signature"));
        match (found.next(), found.next()) {
            (None, _) => Ok(None),
            (Some(element), None) => Self::parse(element).map(Some),
            (Some(_), Some(_)) => Err(Error::malformed("Signature", "two signatures stand side by side")),
        }
    }

    /// What the sender says about the key: a hint for choosing among trusted keys, never a key to trust.
    pub fn key_info(&self) -> Result<Option<KeyInfo<'d>>, Error> {
        self.key_info.map(KeyInfo::parse).transpose()
    }

    /// The algorithm that the signature claims; [`Self::verify`] checks it against the policy.
    pub fn method(&self) -> SignatureMethod {
        self.method
    }

    /// The `ds:Signature` element.
    pub fn element(&self) -> Element<'d> {
        self.element
    }

    /// The octets of `SignatureValue`: what a `SignatureConfirmation` repeats.
    pub fn value(&self) -> &[u8] {
        &self.value
    }
}

impl<'d> Reference<'d> {
    fn parse(element: Element<'d>, signature: Element<'d>) -> Result<Self, Error> {
        let target = resolve(element)?;
        let mut children = element.children().peekable();
        let mut omit = None;
        let mut dereferences = false;
        let mut method = None;
        let mut prefix_list = None;
        if let Some(transforms) = children.next_if(|child| child.is(names::DSIG, "Transforms")) {
            for (index, transform) in transforms.children().enumerate() {
                if index == MAX_TRANSFORMS {
                    return Err(Error::TooMany { what: "transforms", structure: "Reference", limit: MAX_TRANSFORMS });
                }
                if !transform.is(names::DSIG, "Transform") {
                    return Err(Error::malformed("Transforms", "it holds something other than Transform"));
                }
                if method.is_some() {
                    return Err(Error::malformed("Transforms", "a transform follows canonicalization"));
                }
                match algorithm(transform)? {
                    ENVELOPED_SIGNATURE => omit = Some(signature.id()),
                    STR_TRANSFORM => {
                        dereferences = true;
                        method = Some(canonicalization(parameters(transform)?, Comments::Never)?);
                    }
                    _ => {
                        method = Some(canonicalization(transform, Comments::Never)?);
                        prefix_list = transform.child(names::EXC_C14N, "InclusiveNamespaces").map(Element::id);
                    }
                }
            }
        }
        let digest_method_element = expect(children.next(), "Reference", "DigestMethod")?;
        let digest_value = expect(children.next(), "Reference", "DigestValue")?;
        let digest = octets::digest_from_base64(&digest_value.text())
            .ok_or_else(|| Error::malformed("DigestValue", "its text is not the base64 of a digest"))?;
        if children.next().is_some() {
            return Err(Error::malformed("Reference", "something follows DigestValue"));
        }
        Ok(Self {
            target,
            omit,
            dereferences,
            // XML Signature §4.4.3.2: without a transform that makes octets, inclusive C14N does.
            canonicalization: method.unwrap_or_else(c14n::Method::inclusive),
            prefix_list,
            digest_method: DigestMethod::from_uri(algorithm(digest_method_element)?)?,
            digest,
        })
    }
}

/// How many references one `SignedInfo` may have.
pub const MAX_REFERENCES: usize = 100;
/// How many transforms one reference may have.
pub const MAX_TRANSFORMS: usize = 10;

enum Comments {
    /// The identifier says whether comments count.
    AsNamed,
    /// A same-document reference selects no comments, whatever the transform is called (XML Signature §4.4.3.3).
    Never,
}

fn resolve(reference: Element<'_>) -> Result<Target<'_>, Error> {
    let document = reference.document();
    let uri = reference
        .attribute("URI")
        .ok_or_else(|| Error::malformed("Reference", "it has no URI: only elements of this document can be signed"))?;
    let unresolved = || Error::UnresolvedReference { uri: uri.chars().take(128).collect() };
    match uri.strip_prefix('#') {
        None if uri.is_empty() => Ok(Target::Document(document.root())),
        None => Err(unresolved()),
        Some(id) => document.element_by_id(id).map(Target::Element).ok_or_else(unresolved),
    }
}

fn canonicalization(element: Element<'_>, comments: Comments) -> Result<c14n::Method, Error> {
    let uri = algorithm(element)?;
    let mut method = c14n::Method::from_uri(uri).ok_or_else(|| Error::AlgorithmNotAllowed {
        uri: uri.chars().take(128).collect(),
        purpose: "canonicalization",
    })?;
    method.comments &= matches!(comments, Comments::AsNamed);
    let mut parameters = element.children();
    if let Some(parameter) = parameters.next() {
        let exclusive = method.algorithm == c14n::Algorithm::Exclusive;
        if !exclusive || !parameter.is(names::EXC_C14N, "InclusiveNamespaces") || parameters.next().is_some() {
            return Err(Error::malformed("Transform", "it has a parameter that its algorithm does not take"));
        }
        method = method.with_prefix_list(parameter.attribute("PrefixList").unwrap_or_default());
    }
    Ok(method)
}

/// The `CanonicalizationMethod` inside an STR-Transform (WSS §8.3).
fn parameters(transform: Element<'_>) -> Result<Element<'_>, Error> {
    let mut parameters = transform.children();
    let method = match (parameters.next(), parameters.next()) {
        (Some(only), None) if only.is(names::WSSE, "TransformationParameters") => {
            only.child(names::DSIG, "CanonicalizationMethod")
        }
        _ => None,
    };
    method.ok_or_else(|| Error::malformed("Transform", "the STR-Transform does not say how it canonicalizes"))
}

fn algorithm(element: Element<'_>) -> Result<&str, Error> {
    element.attribute("Algorithm").ok_or_else(|| Error::malformed("Signature", "an Algorithm attribute is missing"))
}

#[inline]
fn expect<'d>(found: Option<Element<'d>>, parent: &'static str, name: &str) -> Result<Element<'d>, Error> {
    found
        .filter(|element| element.is(names::DSIG, name))
        .ok_or_else(|| Error::malformed(parent, format!("{name} is missing or in another place")))
}

fn base64(element: Element<'_>, structure: &'static str) -> Result<Vec<u8>, Error> {
    octets::from_base64(&element.text()).ok_or_else(|| Error::malformed(structure, "its text is not base64"))
}
