/// Why a transform failed, for logs. To the peer all of them are one (ST-24).
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TransformError {
    /// There is nothing to encode.
    #[error("there is nothing to protect")]
    NothingToEncode,
    /// There is nothing to decode: the cookie is empty.
    #[error("the cookie is empty")]
    NothingToDecode,

    /// The stream is not raw DEFLATE, is cut off, or something follows it.
    #[error("the cookie does not inflate")]
    Inflate,
    /// The inflated data passes the limit.
    #[error("the cookie inflates to more than {limit} bytes")]
    InflatedTooLarge {
        /// The limit in bytes.
        limit: usize,
    },

    /// The frame of the signature is shorter than its length field.
    #[error("the signature frame is too short")]
    SignatureFrameTooShort,
    /// The length of the signature is negative.
    #[error("the length of the signature is negative")]
    SignatureLengthNegative,
    /// The signature leaves no data behind it.
    #[error("the length of the signature is too large")]
    SignatureLengthTooLarge,
    /// No key verifies the signature. Typical causes: another hash, an old key that is not listed any more.
    #[error("no key verifies the signature")]
    SignatureInvalid,

    /// The length of the encrypted key is negative.
    #[error("the length of the encrypted key is negative")]
    KeyLengthNegative,
    /// The encrypted key is longer than the cookie.
    #[error("the length of the encrypted key is too large")]
    KeyLengthTooLarge,
    /// The length of the encrypted data is negative.
    #[error("the length of the encrypted data is negative")]
    DataLengthNegative,
    /// The encrypted data is longer than the cookie.
    #[error("the length of the encrypted data is too large")]
    DataLengthTooLarge,
    /// The cookie ends inside a length field.
    #[error("the encryption frame is cut off")]
    EncryptionFrameTooShort,
    /// The cookie was encrypted for another key.
    #[error("no decryption key matches the cookie")]
    NoMatchingKey,
    /// The decrypted key is shorter than a key.
    #[error("the decrypted key is too short")]
    KeyTooShort,
    /// Decryption, padding or a MAC failed.
    #[error("the cookie is not authentic, or was made with another key")]
    Cryptographic,

    /// There is no key to verify with.
    #[error("no verification key is configured")]
    NoVerificationKey,
    /// There is no key to sign with.
    #[error("no signing key is configured")]
    NoSigningKey,
    /// There is no key to decrypt with.
    #[error("no decryption key is configured")]
    NoDecryptionKey,
    /// There is no key to encrypt with.
    #[error("no encryption key is configured")]
    NoEncryptionKey,
    /// Randomness or the cryptographic library failed.
    #[error("the cryptographic library failed")]
    Unavailable,
}

impl TransformError {
    /// A stable code: the original's number where it has one.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NothingToEncode => "ID6044",
            Self::NothingToDecode => "ID6045",
            Self::Inflate => "HST-TOKEN-INFLATE",
            Self::InflatedTooLarge { .. } => "ID1068",
            Self::SignatureFrameTooShort => "ID1012",
            Self::SignatureLengthNegative => "ID1005",
            Self::SignatureLengthTooLarge => "ID1013",
            Self::SignatureInvalid => "ID1014",
            Self::KeyLengthNegative => "ID1006",
            Self::KeyLengthTooLarge => "ID1007",
            Self::DataLengthNegative => "ID1008",
            Self::DataLengthTooLarge => "ID1009",
            Self::EncryptionFrameTooShort => "HST-TOKEN-ENCRYPTION-FRAME",
            Self::NoMatchingKey => "ID6040",
            Self::KeyTooShort => "ID6047",
            Self::Cryptographic => "HST-TOKEN-CRYPTOGRAPHIC",
            Self::NoVerificationKey => "ID6036",
            Self::NoSigningKey => "ID6042",
            Self::NoDecryptionKey => "ID6039",
            Self::NoEncryptionKey => "ID6043",
            Self::Unavailable => "ID6035",
        }
    }
}

/// Transforms that may not be configured like this. Found at start-up, not at the first request.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigurationError {
    /// A chain that encrypts and does not authenticate (ST-24).
    #[error(
        "RSA encryption alone lets everybody who knows the public key make valid cookies; add the RSA signature transform"
    )]
    EncryptionAlone,
    /// A chain that authenticates nothing.
    #[error("nothing in this chain stops a forged cookie; add the RSA signature or the machine key transform")]
    Unauthenticated,
    /// The DPAPI transform, which is the original's default (ST-22).
    #[error(
        "the protected-data (DPAPI) transform works with keys of one Windows account on one machine and cannot be used \
         here; configure the machine key transform with explicit keys on both sides, and every user signs in once more"
    )]
    DataProtection,
    /// A hash that the transform does not have.
    #[error("{0:?} is not a hash of this transform; it is SHA256 or SHA1")]
    UnknownHash(String),
    /// A key that is not RSA.
    #[error("the {0} transform takes RSA keys only")]
    NotRsa(&'static str),
    /// A transform without any key.
    #[error("the {0} transform needs at least one key")]
    NoKeys(&'static str),
    /// A machine key that cannot be used.
    #[error("machineKey: {0}")]
    MachineKey(String),
}

impl ConfigurationError {
    /// A stable code: the original's number where it has one.
    pub fn code(&self) -> &'static str {
        match self {
            Self::EncryptionAlone => "HST-TRANSFORM-ENCRYPTION-ALONE",
            Self::Unauthenticated => "HST-TRANSFORM-UNAUTHENTICATED",
            Self::DataProtection => "HST-TRANSFORM-DPAPI",
            Self::UnknownHash(_) => "ID6034",
            Self::NotRsa(_) => "ID1002",
            Self::NoKeys(_) => "ID6039",
            Self::MachineKey(_) => "HST-TRANSFORM-MACHINE-KEY",
        }
    }
}
