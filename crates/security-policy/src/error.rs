//! What is wrong with a configuration or a policy.

use handstamp_xml::Element;

/// Why a configuration is not accepted. The texts name the line, and for refused combinations both attributes.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The text is not acceptable XML.
    #[error(transparent)]
    Xml(#[from] handstamp_xml::Error),
    /// The configuration is wrong.
    #[error("line {line}: {problem}")]
    Configuration {
        /// The line of the element at fault, from 1.
        line: usize,
        /// What is wrong, and what to do.
        problem: String,
    },
    /// A binding made in code is wrong.
    #[error("{problem}")]
    Binding {
        /// What is wrong, and what to do.
        problem: String,
    },
    /// A WSDL or a policy in it is wrong, or asks for what is not available.
    #[error("{}line {line}: {problem}", document.as_ref().map(|name| format!("{name}, ")).unwrap_or_default())]
    Policy {
        /// The location of the imported document that the line is in; none for the main one.
        document: Option<String>,
        /// The line of the element at fault, from 1.
        line: usize,
        /// What is wrong, and what to do.
        problem: String,
    },
    /// A document that the main one imports could not be had.
    #[error("the imported document {location:?}: {problem}")]
    Import {
        /// Where it should be.
        location: String,
        /// What went wrong, and what to do.
        problem: String,
    },
}

impl Error {
    pub(crate) fn policy(document: Option<String>, element: Element<'_>, problem: impl Into<String>) -> Self {
        Self::Policy { document, line: line_of(element), problem: problem.into() }
    }

    /// The same about a text that nobody has seen.
    pub(crate) fn without_line(self) -> Self {
        match self {
            Self::Configuration { problem, .. } => Self::Binding { problem },
            Self::Xml(error) => Self::Binding { problem: format!("the binding cannot be written: {error}") },
            other => other,
        }
    }

    /// A stable code for logs and scripts.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Xml(error) => error.code(),
            Self::Configuration { .. } | Self::Binding { .. } => "HST-BINDING-CONFIG",
            Self::Policy { .. } => "HST-BINDING-POLICY",
            Self::Import { .. } => "HST-BINDING-IMPORT",
        }
    }
}

/// The line on which the element starts, from 1.
pub(crate) fn line_of(element: Element<'_>) -> usize {
    let source = element.document().source().as_bytes();
    let before = source.get(..element.source_range().start).unwrap_or(source);
    1 + before.iter().filter(|octet| **octet == b'\n').count()
}
