//! What a token is good for.

use handstamp_claims::ArcStr;
use std::fmt;

/// The scope of a token: one application, or everywhere (ST-4).
///
/// The original writes the scope as text and calls it `endpointId`; the empty text means everywhere. An unscoped token
/// of one application opens every other application that shares the keys, so say a scope unless the original forbids it.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default, PartialOrd, Ord)]
pub enum EndpointScope {
    /// Valid everywhere: the original's empty endpoint id.
    #[default]
    Unscoped,
    /// Valid for this application only; compared exactly. Never empty when made with [`EndpointScope::from`].
    Endpoint(ArcStr),
}

impl EndpointScope {
    /// The endpoint id as text: empty when unscoped.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Unscoped => "",
            Self::Endpoint(endpoint) => endpoint,
        }
    }

    /// Whether the token is valid everywhere.
    pub fn is_unscoped(&self) -> bool {
        self.as_str().is_empty()
    }
}

impl<T: Into<ArcStr>> From<T> for EndpointScope {
    /// Empty text is [`EndpointScope::Unscoped`].
    fn from(endpoint: T) -> Self {
        let endpoint = endpoint.into();
        if endpoint.is_empty() { Self::Unscoped } else { Self::Endpoint(endpoint) }
    }
}

impl fmt::Display for EndpointScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn st_4_empty_text_is_unscoped() {
        assert_eq!(EndpointScope::from(""), EndpointScope::Unscoped);
        assert_eq!(EndpointScope::from("/app"), EndpointScope::Endpoint("/app".into()));
        assert_eq!(EndpointScope::default().as_str(), "");
        assert!(!EndpointScope::from("/app").is_unscoped());
    }
}
