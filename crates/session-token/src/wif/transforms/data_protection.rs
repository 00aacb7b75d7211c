use super::ConfigurationError;

/// The Windows data protection (DPAPI) transform: known by name, so that its absence can be explained (ST-22).
///
/// It is the original's default, and works only for one Windows account on one machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProtectedData(());

impl ProtectedData {
    /// Fails, always, at start-up.
    ///
    /// # Errors
    /// [`ConfigurationError::DataProtection`], which says what to do instead.
    pub fn new() -> Result<Self, ConfigurationError> {
        Err(ConfigurationError::DataProtection)
    }
}
