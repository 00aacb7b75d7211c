//! Version sets (SC 2): which specifications a binding speaks.

use handstamp_xml::names;

/// The two generations of WS-Trust and WS-SecureConversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Generation {
    /// Both of February 2005.
    #[default]
    February2005,
    /// Both 1.3; 1.4 keeps their namespaces.
    V13,
}

impl Generation {
    /// The namespace of WS-Trust.
    pub const fn trust(self) -> &'static str {
        match self {
            Self::February2005 => names::WST_2005,
            Self::V13 => names::WST_13,
        }
    }

    /// The namespace of WS-SecureConversation.
    pub const fn conversation(self) -> &'static str {
        match self {
            Self::February2005 => names::WSC_2005,
            Self::V13 => names::WSC_13,
        }
    }

    /// The generation whose secure-conversation namespace this is.
    pub fn of_conversation(namespace: &str) -> Option<Self> {
        match namespace {
            names::WSC_2005 => Some(Self::February2005),
            names::WSC_13 => Some(Self::V13),
            _ => None,
        }
    }

    /// The token type of security context tokens, and the `ValueType` of references to them.
    pub const fn context_token_type(self) -> &'static str {
        match self {
            Self::February2005 => "http://schemas.xmlsoap.org/ws/2005/02/sc/sct",
            Self::V13 => "http://docs.oasis-open.org/ws-sx/ws-secureconversation/200512/sct",
        }
    }

    /// The token type of derived keys, and the `ValueType` of references to them.
    pub const fn derived_key_token_type(self) -> &'static str {
        match self {
            Self::February2005 => "http://schemas.xmlsoap.org/ws/2005/02/sc/dk",
            Self::V13 => "http://docs.oasis-open.org/ws-sx/ws-secureconversation/200512/dk",
        }
    }

    /// The algorithm identifier of key derivation.
    pub const fn derivation_algorithm(self) -> &'static str {
        match self {
            Self::February2005 => "http://schemas.xmlsoap.org/ws/2005/02/sc/dk/p_sha1",
            Self::V13 => "http://docs.oasis-open.org/ws-sx/ws-secureconversation/200512/dk/p_sha1",
        }
    }
}

/// WS-Security itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum WssVersion {
    /// 1.0: no signature confirmation, no thumbprint and no EncryptedKeySHA1 references.
    V10,
    /// 1.1.
    #[default]
    V11,
}

/// `messageSecurityVersion`: one of the six sets that WCF has (SC 2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct MessageSecurityVersion {
    /// WS-Security.
    pub wss: WssVersion,
    /// WS-Trust and WS-SecureConversation.
    pub generation: Generation,
    /// Whether the writer adds the attributes of the Basic Security Profile (SC 2.2). Readers accept both forms.
    pub basic_security_profile: bool,
}

impl MessageSecurityVersion {
    /// Set 1, `Default`.
    pub const WSS11_FEBRUARY2005: Self = Self::new(WssVersion::V11, Generation::February2005, false);
    /// Set 2.
    pub const WSS10_FEBRUARY2005_BSP: Self = Self::new(WssVersion::V10, Generation::February2005, true);
    /// Set 3, of `wsHttpBinding`.
    pub const WSS11_FEBRUARY2005_BSP: Self = Self::new(WssVersion::V11, Generation::February2005, true);
    /// Set 4.
    pub const WSS10_13_BSP: Self = Self::new(WssVersion::V10, Generation::V13, true);
    /// Set 5.
    pub const WSS11_13: Self = Self::new(WssVersion::V11, Generation::V13, false);
    /// Set 6, of `ws2007HttpBinding`.
    pub const WSS11_13_BSP: Self = Self::new(WssVersion::V11, Generation::V13, true);

    const fn new(wss: WssVersion, generation: Generation, basic_security_profile: bool) -> Self {
        Self { wss, generation, basic_security_profile }
    }

    /// The set of this configuration string (SC 2.1); `Default` is set 1.
    pub fn from_name(name: &str) -> Option<Self> {
        NAMES.iter().find(|(_, known)| *known == name).map(|(set, _)| *set)
    }

    /// The configuration string.
    pub fn name(self) -> &'static str {
        // WSS 1.0 exists with the profile only.
        NAMES.iter().find(|(set, _)| *set == self).map_or("Default", |(_, name)| name)
    }
}

/// Set 1.
impl Default for MessageSecurityVersion {
    fn default() -> Self {
        Self::WSS11_FEBRUARY2005
    }
}

const NAMES: [(MessageSecurityVersion, &str); 7] = [
    (
        MessageSecurityVersion::WSS11_FEBRUARY2005,
        "WSSecurity11WSTrustFebruary2005WSSecureConversationFebruary2005WSSecurityPolicy11",
    ),
    (
        MessageSecurityVersion::WSS10_FEBRUARY2005_BSP,
        "WSSecurity10WSTrustFebruary2005WSSecureConversationFebruary2005WSSecurityPolicy11BasicSecurityProfile10",
    ),
    (
        MessageSecurityVersion::WSS11_FEBRUARY2005_BSP,
        "WSSecurity11WSTrustFebruary2005WSSecureConversationFebruary2005WSSecurityPolicy11BasicSecurityProfile10",
    ),
    (
        MessageSecurityVersion::WSS10_13_BSP,
        "WSSecurity10WSTrust13WSSecureConversation13WSSecurityPolicy12BasicSecurityProfile10",
    ),
    (MessageSecurityVersion::WSS11_13, "WSSecurity11WSTrust13WSSecureConversation13WSSecurityPolicy12"),
    (
        MessageSecurityVersion::WSS11_13_BSP,
        "WSSecurity11WSTrust13WSSecureConversation13WSSecurityPolicy12BasicSecurityProfile10",
    ),
    (MessageSecurityVersion::WSS11_FEBRUARY2005, "Default"),
];

#[cfg(test)]
mod tests {
    use super::*;

    /// SC-01.
    #[test]
    fn sc_2_1_the_six_sets_have_their_names() {
        for (set, name) in &NAMES[..6] {
            assert_eq!(set.name(), *name);
            assert_eq!(MessageSecurityVersion::from_name(name), Some(*set));
        }
        assert_eq!(MessageSecurityVersion::from_name("Default"), Some(MessageSecurityVersion::default()));
        assert_eq!(MessageSecurityVersion::from_name("default"), None);
    }
}
