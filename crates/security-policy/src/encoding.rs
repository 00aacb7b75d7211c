//! The encoding of messages (SC 14.5).

use crate::attributes::{AttributeText, AttributeValue, attributes, words};
use crate::error::Error;
use crate::markup::Markup;
use crate::reader::Reader;
use handstamp_ws_security::AddressingVersion;
use handstamp_ws_security::soap::SoapVersion;
use handstamp_xml::Element;

/// How messages are written on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Encoding {
    /// Text XML.
    #[default]
    Text,
    /// MTOM.
    Mtom,
    /// .NET binary XML.
    Binary,
}

/// `messageVersion`. The default is `Soap12WSAddressing10`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct MessageVersion {
    /// SOAP; none for `None`.
    pub soap: Option<SoapVersion>,
    /// WS-Addressing; none for versions without it.
    pub addressing: Option<AddressingVersion>,
}

/// `writeEncoding`: the characters of text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum WriteEncoding {
    /// `utf-8`.
    #[default]
    Utf8,
    /// `utf-16`, also called `unicode`.
    Utf16,
    /// `utf-16BE`.
    Utf16BigEndian,
}

words! {
    /// `compressionFormat` of binary messages.
    pub enum CompressionFormat {
        /// None.
        #[default]
        None = "None",
        /// `application/soap+msbin1+gzip`.
        GZip = "GZip",
        /// `application/soap+msbin1+deflate`.
        Deflate = "Deflate",
    }
}

attributes! {
    /// `readerQuotas`: what a reader of messages takes at most. They say nothing about security; limits here are of their own.
    pub struct ReaderQuotas {
        /// `maxDepth`: elements in elements; 0 in any of these is its default. Default 32.
        max_depth: usize = 32, "maxDepth";
        /// `maxStringContentLength`, in characters. Default 8192.
        max_string_content_length: usize = 8192, "maxStringContentLength";
        /// `maxArrayLength`. Default 16384.
        max_array_length: usize = 16_384, "maxArrayLength";
        /// `maxBytesPerRead`: of a start tag. Default 4096.
        max_bytes_per_read: usize = 4096, "maxBytesPerRead";
        /// `maxNameTableCharCount`. Default 16384.
        max_name_table_char_count: usize = 16_384, "maxNameTableCharCount";
    }
}

attributes! {
    /// What every encoding keeps in readiness.
    pub struct EncodingPools {
        /// `maxReadPoolSize`: readers. Default 64.
        max_read_pool_size: usize = 64, "maxReadPoolSize" from 1;
        /// `maxWritePoolSize`: writers. Default 16.
        max_write_pool_size: usize = 16, "maxWritePoolSize" from 1;
    }
}

/// `textMessageEncoding`, `mtomMessageEncoding` or `binaryMessageEncoding`. What another encoding has is of no effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EncodingElement {
    /// Which one.
    pub encoding: Encoding,
    /// SOAP and addressing. Binary messages have the default.
    pub message_version: MessageVersion,
    /// The characters, of text and MTOM. Default UTF-8.
    pub write_encoding: WriteEncoding,
    /// The compression of binary messages. Default none.
    pub compression_format: CompressionFormat,
    /// `maxBufferSize` of MTOM, in octets. Default 65536.
    pub max_buffer_size: usize,
    /// `maxSessionSize` of binary messages, in octets. Default 2048.
    pub max_session_size: usize,
    /// Readers and writers.
    pub pools: EncodingPools,
    /// Limits of readers.
    pub reader_quotas: ReaderQuotas,
}

/// `Soap12WSAddressing10`.
impl Default for MessageVersion {
    fn default() -> Self {
        Self { soap: Some(SoapVersion::Soap12), addressing: Some(AddressingVersion::V10) }
    }
}

impl MessageVersion {
    /// The version of this configuration string; `Default` is the default.
    pub fn from_name(name: &str) -> Option<Self> {
        if name == "Default" {
            return Some(Self::default());
        }
        VERSIONS.iter().find(|(known, _)| *known == name).map(|(_, version)| *version)
    }

    /// The configuration string.
    pub fn name(self) -> &'static str {
        // Addressing without SOAP does not exist.
        VERSIONS.iter().find(|(_, version)| *version == self).map_or("None", |(name, _)| name)
    }
}

const VERSIONS: [(&str, MessageVersion); 7] = {
    use AddressingVersion::{August2004, V10};
    use SoapVersion::{Soap11, Soap12};
    const fn version(soap: Option<SoapVersion>, addressing: Option<AddressingVersion>) -> MessageVersion {
        MessageVersion { soap, addressing }
    }
    [
        ("None", version(None, None)),
        ("Soap11", version(Some(Soap11), None)),
        ("Soap12", version(Some(Soap12), None)),
        ("Soap11WSAddressing10", version(Some(Soap11), Some(V10))),
        ("Soap12WSAddressing10", version(Some(Soap12), Some(V10))),
        ("Soap11WSAddressingAugust2004", version(Some(Soap11), Some(August2004))),
        ("Soap12WSAddressingAugust2004", version(Some(Soap12), Some(August2004))),
    ]
};

/// Text.
impl Default for EncodingElement {
    fn default() -> Self {
        Self::text(MessageVersion::default())
    }
}

impl EncodingElement {
    /// `textMessageEncoding`.
    pub fn text(message_version: MessageVersion) -> Self {
        Self {
            encoding: Encoding::Text,
            message_version,
            write_encoding: WriteEncoding::default(),
            compression_format: CompressionFormat::default(),
            max_buffer_size: 65_536,
            max_session_size: 2048,
            pools: EncodingPools::default(),
            reader_quotas: ReaderQuotas::default(),
        }
    }

    /// `mtomMessageEncoding`.
    pub fn mtom(message_version: MessageVersion) -> Self {
        Self { encoding: Encoding::Mtom, ..Self::text(message_version) }
    }

    /// `binaryMessageEncoding`.
    pub fn binary() -> Self {
        Self { encoding: Encoding::Binary, ..Self::default() }
    }

    pub(crate) fn read(element: Element<'_>) -> Result<Self, Error> {
        let mut reader = Reader::new(element);
        let encoding = match element.local_name() {
            "binaryMessageEncoding" => Encoding::Binary,
            "mtomMessageEncoding" => Encoding::Mtom,
            _ => Encoding::Text,
        };
        let mut read = Self { encoding, pools: EncodingPools::read(&mut reader)?, ..Self::default() };
        if encoding == Encoding::Binary {
            set(&mut read.max_session_size, &mut reader, "maxSessionSize", 0)?;
            set(&mut read.compression_format, &mut reader, "compressionFormat", 0)?;
        } else {
            let from_name = MessageVersion::from_name;
            let version = reader.word("messageVersion", from_name, "a message version like Soap12WSAddressing10")?;
            read.message_version = version.unwrap_or_default();
            set(&mut read.write_encoding, &mut reader, "writeEncoding", 0)?;
        }
        if encoding == Encoding::Mtom {
            set(&mut read.max_buffer_size, &mut reader, "maxBufferSize", 1)?;
        }
        for child in reader.children(&["readerQuotas"])? {
            read.reader_quotas = quotas(child)?;
        }
        reader.finish()?;
        Ok(read)
    }

    pub(crate) fn write(&self, out: &mut Markup) {
        out.start(match self.encoding {
            Encoding::Text => "textMessageEncoding",
            Encoding::Mtom => "mtomMessageEncoding",
            Encoding::Binary => "binaryMessageEncoding",
        });
        let default = Self::default();
        self.pools.write(out);
        if self.encoding == Encoding::Binary {
            out.attribute_unless(&default.max_session_size, "maxSessionSize", &self.max_session_size);
            out.attribute_unless(&default.compression_format, "compressionFormat", &self.compression_format);
        } else {
            out.attribute_unless(&default.message_version.name(), "messageVersion", &self.message_version.name());
            out.attribute_unless(&default.write_encoding, "writeEncoding", &self.write_encoding);
        }
        if self.encoding == Encoding::Mtom {
            out.attribute_unless(&default.max_buffer_size, "maxBufferSize", &self.max_buffer_size);
        }
        if self.reader_quotas != ReaderQuotas::default() {
            out.start("readerQuotas");
            self.reader_quotas.write(out);
            out.end();
        }
        out.end();
    }
}

fn set<T: AttributeValue>(field: &mut T, reader: &mut Reader<'_>, name: &'static str, least: u64) -> Result<(), Error> {
    if let Some(value) = T::read(reader, name, least)? {
        *field = value;
    }
    Ok(())
}

/// `readerQuotas`.
pub(crate) fn quotas(element: Element<'_>) -> Result<ReaderQuotas, Error> {
    let mut reader = Reader::new(element);
    let quotas = ReaderQuotas::read(&mut reader)?;
    reader.children(&[])?;
    reader.finish()?;
    Ok(quotas)
}

/// In any letter case, and by their names in .NET.
impl AttributeValue for WriteEncoding {
    fn read(reader: &mut Reader<'_>, name: &'static str, _: u64) -> Result<Option<Self>, Error> {
        let read = |value: &str| match value.to_ascii_lowercase().as_str() {
            "utf-8" => Some(Self::Utf8),
            "utf-16" | "utf-16le" | "unicode" => Some(Self::Utf16),
            "utf-16be" | "unicodefffe" => Some(Self::Utf16BigEndian),
            _ => None,
        };
        reader.word(name, read, "utf-8, utf-16, unicode or utf-16BE")
    }
}

impl AttributeText for WriteEncoding {
    fn text(&self) -> Option<String> {
        let text = match self {
            Self::Utf8 => "utf-8",
            Self::Utf16 => "utf-16",
            Self::Utf16BigEndian => "utf-16BE",
        };
        Some(text.to_owned())
    }
}
