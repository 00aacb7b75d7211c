use super::Error;

/// What has been said of an attribute's value: text is joined to one record, a typed value stands alone.
#[derive(Debug)]
pub(super) enum AttributeValue {
    None,
    Written,
    Text(String),
    DictionaryText(String),
    Bytes(Vec<u8>),
}

impl AttributeValue {
    pub(super) fn append(&mut self, text: &str) -> Result<(), Error> {
        let mut joined = match std::mem::replace(self, Self::Written) {
            Self::None => String::new(),
            Self::Written => {
                return Err(Error::Misuse { reason: "an attribute holds one typed value and nothing else" });
            }
            Self::Text(before) | Self::DictionaryText(before) => before,
            Self::Bytes(bytes) => base64_simd::STANDARD.encode_to_string(bytes),
        };
        joined.push_str(text);
        *self = Self::Text(joined);
        Ok(())
    }

    pub(super) fn append_bytes(&mut self, bytes: &[u8]) -> Result<(), Error> {
        match self {
            Self::None => *self = Self::Bytes(bytes.to_vec()),
            Self::Bytes(before) => before.extend_from_slice(bytes),
            _ => return self.append(&base64_simd::STANDARD.encode_to_string(bytes)),
        }
        Ok(())
    }
}
