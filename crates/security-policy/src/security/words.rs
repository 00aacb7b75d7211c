//! The words of attributes of `<security>`.

use handstamp_ws_security::{HeaderLayout, IssuedKeyType, KeyEntropyMode, ProtectionOrder};

/// Values and their words.
pub(super) type Words<T> = [(T, &'static str)];

/// `securityHeaderLayout`.
pub(super) const LAYOUTS: &Words<HeaderLayout> = &[
    (HeaderLayout::Strict, "Strict"),
    (HeaderLayout::Lax, "Lax"),
    (HeaderLayout::LaxTimestampFirst, "LaxTimestampFirst"),
    (HeaderLayout::LaxTimestampLast, "LaxTimestampLast"),
];

/// `keyEntropyMode`.
pub(super) const ENTROPIES: &Words<KeyEntropyMode> = &[
    (KeyEntropyMode::Combined, "CombinedEntropy"),
    (KeyEntropyMode::Client, "ClientEntropy"),
    (KeyEntropyMode::Server, "ServerEntropy"),
];

/// `messageProtectionOrder`.
pub(super) const ORDERS: &Words<ProtectionOrder> = &[
    (ProtectionOrder::SignBeforeEncrypt, "SignBeforeEncrypt"),
    (ProtectionOrder::SignBeforeEncryptAndEncryptSignature, "SignBeforeEncryptAndEncryptSignature"),
    (ProtectionOrder::EncryptBeforeSign, "EncryptBeforeSign"),
];

/// `keyType`.
pub(super) const KEY_TYPES: &Words<IssuedKeyType> = &[
    (IssuedKeyType::Symmetric, "SymmetricKey"),
    (IssuedKeyType::Asymmetric, "AsymmetricKey"),
    (IssuedKeyType::Bearer, "BearerKey"),
];

/// The value of a word.
pub(super) fn value_of<T: Copy>(words: &Words<T>, word: &str) -> Option<T> {
    words.iter().find(|(_, known)| *known == word).map(|(value, _)| *value)
}

/// The word of a value.
pub(super) fn word_of<T: PartialEq>(words: &Words<T>, value: &T) -> Option<&'static str> {
    words.iter().find(|(known, _)| known == value).map(|(_, word)| *word)
}

/// All words, for people.
pub(super) fn list<T>(words: &Words<T>) -> String {
    words.iter().map(|(_, word)| *word).collect::<Vec<_>>().join(", ")
}
