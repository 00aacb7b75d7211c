//! What is wrong with a configuration.

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
}

impl Error {
    /// A stable code for logs and scripts.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Xml(error) => error.code(),
            Self::Configuration { .. } => "HST-BINDING-CONFIG",
        }
    }
}
