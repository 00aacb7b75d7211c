//! Claims in the form of .NET's data contract serializer: for types that have no short form.

use crate::Quoted;
use crate::wif::{Cursor, Error};
use handstamp_claims::ArcStr;
use handstamp_time::Timestamp;
use handstamp_xml::binary::{DateTime, DateTimeKind, Decimal, Guid, Name, Value, Writer};

/// A claim of any type with a value of a plain type.
///
/// The value is kept as text in the form of XML Schema, bytes as base64. A type outside of [`DataType`] is refused; no
/// name from the input is ever resolved to a native type (ST-44).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataContractClaim {
    /// The claim type URI.
    pub claim_type: ArcStr,
    /// The right URI.
    pub right: ArcStr,
    /// The type of the value.
    pub data_type: DataType,
    /// The value.
    pub value: ArcStr,
}

/// The types of values that are read and written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names are those of XML Schema, and guid is a GUID")]
pub enum DataType {
    String,
    Boolean,
    Byte,
    Short,
    Int,
    Long,
    UnsignedByte,
    UnsignedShort,
    UnsignedInt,
    UnsignedLong,
    Float,
    Double,
    Decimal,
    DateTime,
    Base64Binary,
    AnyUri,
    Guid,
}

const IDENTITY_NAMESPACE: &str = "http://schemas.xmlsoap.org/ws/2005/05/identity";
const SCHEMA: &str = "http://www.w3.org/2001/XMLSchema";
const SCHEMA_INSTANCE: &str = "http://www.w3.org/2001/XMLSchema-instance";
const SERIALIZATION: &str = "http://schemas.microsoft.com/2003/10/Serialization/";

impl DataType {
    /// Type, name in XML, name in .NET.
    const NAMES: [(Self, &'static str, &'static str); 17] = [
        (Self::String, "string", "System.String"),
        (Self::Boolean, "boolean", "System.Boolean"),
        (Self::Byte, "byte", "System.SByte"),
        (Self::Short, "short", "System.Int16"),
        (Self::Int, "int", "System.Int32"),
        (Self::Long, "long", "System.Int64"),
        (Self::UnsignedByte, "unsignedByte", "System.Byte"),
        (Self::UnsignedShort, "unsignedShort", "System.UInt16"),
        (Self::UnsignedInt, "unsignedInt", "System.UInt32"),
        (Self::UnsignedLong, "unsignedLong", "System.UInt64"),
        (Self::Float, "float", "System.Single"),
        (Self::Double, "double", "System.Double"),
        (Self::Decimal, "decimal", "System.Decimal"),
        (Self::DateTime, "dateTime", "System.DateTime"),
        (Self::Base64Binary, "base64Binary", "System.Byte[]"),
        (Self::AnyUri, "anyURI", "System.Uri"),
        (Self::Guid, "guid", "System.Guid"),
    ];

    /// The name of the .NET type.
    pub fn dotnet_name(self) -> &'static str {
        Self::NAMES.iter().find(|(data_type, ..)| *data_type == self).map_or("", |(.., name)| name)
    }

    /// The type of a .NET type's name.
    pub fn from_dotnet_name(name: &str) -> Option<Self> {
        Self::NAMES.iter().find(|(.., dotnet)| *dotnet == name).map(|(data_type, ..)| *data_type)
    }

    fn xml_name(self) -> &'static str {
        Self::NAMES.iter().find(|(data_type, ..)| *data_type == self).map_or("", |(_, name, _)| name)
    }

    fn namespace(self) -> &'static str {
        if self == Self::Guid { SERIALIZATION } else { SCHEMA }
    }

    fn from_xml(namespace: &str, name: &str) -> Option<Self> {
        let (data_type, ..) =
            Self::NAMES.iter().find(|(data_type, xml, _)| *xml == name && data_type.namespace() == namespace)?;
        Some(*data_type)
    }

    /// The typed value of a text; none when the text is not of this type. Bytes are checked by their reader.
    fn value(self, text: &str) -> Option<Value<'_>> {
        let integer = |min: i64, max: i64| {
            let value = text.parse::<i64>().ok().filter(|value| (min..=max).contains(value))?;
            Some(Value::Int64(value))
        };
        match self {
            Self::String | Self::AnyUri | Self::Base64Binary => Some(Value::Text(text.into())),
            Self::Guid => Guid::parse(text).map(|_| Value::Text(text.into())),
            Self::Boolean => match text {
                "true" | "1" => Some(Value::Bool(true)),
                "false" | "0" => Some(Value::Bool(false)),
                _ => None,
            },
            Self::Byte => integer(i8::MIN.into(), i8::MAX.into()),
            Self::Short => integer(i16::MIN.into(), i16::MAX.into()),
            Self::Int => integer(i32::MIN.into(), i32::MAX.into()),
            Self::Long => integer(i64::MIN, i64::MAX),
            Self::UnsignedByte => integer(0, u8::MAX.into()),
            Self::UnsignedShort => integer(0, u16::MAX.into()),
            Self::UnsignedInt => integer(0, u32::MAX.into()),
            // The serializer has no record for it and writes characters.
            Self::UnsignedLong => text.parse::<u64>().ok().map(|_| Value::Text(text.into())),
            Self::Float => floating(text).map(|value| Value::Float(value as f32)),
            Self::Double => floating(text).map(Value::Double),
            Self::Decimal => Decimal::parse(text).map(Value::Decimal),
            Self::DateTime => date_time(text).map(Value::DateTime),
        }
    }
}

impl DataContractClaim {
    /// Whether the element that comes is such a claim.
    pub(super) fn is_at(cursor: &mut Cursor<'_>) -> Result<bool, Error> {
        let element = cursor.peek()?;
        Ok(element.is_some_and(|element| element.name == "Claim" && element.namespace == IDENTITY_NAMESPACE))
    }

    /// Reads the claim that comes.
    pub(super) fn read(cursor: &mut Cursor<'_>) -> Result<Self, Error> {
        cursor.enter_any()?;
        enter(cursor, "ClaimType")?;
        let claim_type = ArcStr::from(&*cursor.text()?);
        enter(cursor, "Resource")?;
        let named = cursor.attribute_ns(SCHEMA_INSTANCE, "type").unwrap_or_default();
        let (prefix, name) = named.split_once(':').unwrap_or(("", &named));
        let data_type = cursor.namespace_of(prefix).and_then(|namespace| DataType::from_xml(namespace, name));
        let data_type = data_type.ok_or_else(|| Error::UnknownSystemClaim(Quoted::new(&named)))?;
        let value = if data_type == DataType::Base64Binary {
            ArcStr::from(base64_simd::STANDARD.encode_to_string(cursor.bytes()?))
        } else {
            ArcStr::from(&*cursor.text()?)
        };
        data_type.value(&value).ok_or(Error::Structure("the value of a claim is not of its type"))?;
        enter(cursor, "Right")?;
        let right = ArcStr::from(&*cursor.text()?);
        cursor.leave()?;
        Ok(Self { claim_type, right, data_type, value })
    }

    pub(super) fn write(&self, writer: &mut Writer<'_>) -> Result<(), Error> {
        const NAMESPACE: Name<'_> = Name::Inline(IDENTITY_NAMESPACE);
        let wrong = || Error::Description(format!("{:?} is not of type {}", self.value, self.data_type.xml_name()));
        writer.start_element("", Name::Inline("Claim"), NAMESPACE)?;
        writer.declare("i", Name::Inline(SCHEMA_INSTANCE))?;
        writer.start_element("", Name::Inline("ClaimType"), NAMESPACE)?;
        writer.text(&self.claim_type)?;
        writer.end_element()?;
        writer.start_element("", Name::Inline("Resource"), NAMESPACE)?;
        writer.start_attribute("i", Name::Inline("type"), Name::Inline(SCHEMA_INSTANCE))?;
        writer.text(&format!("a:{}", self.data_type.xml_name()))?;
        writer.end_attribute()?;
        writer.declare("a", Name::Inline(self.data_type.namespace()))?;
        if self.data_type == DataType::Base64Binary {
            let bytes = base64_simd::STANDARD.decode_to_vec(self.value.as_bytes());
            writer.bytes(&bytes.map_err(|_| wrong())?)?;
        } else {
            writer.value(&self.data_type.value(&self.value).ok_or_else(wrong)?)?;
        }
        writer.end_element()?;
        writer.start_element("", Name::Inline("Right"), NAMESPACE)?;
        writer.text(&self.right)?;
        writer.end_element()?;
        writer.end_element()?;
        Ok(())
    }
}

fn enter(cursor: &mut Cursor<'_>, name: &'static str) -> Result<(), Error> {
    match cursor.peek()? {
        Some(element) if element.name == name && element.namespace == IDENTITY_NAMESPACE => {
            cursor.enter_any()?;
            Ok(())
        }
        _ => Err(Error::MissingElement(name)),
    }
}

fn floating(text: &str) -> Option<f64> {
    match text {
        "INF" => Some(f64::INFINITY),
        "-INF" => Some(f64::NEG_INFINITY),
        "NaN" => Some(f64::NAN),
        _ => text.parse().ok().filter(|value: &f64| value.is_finite()),
    }
}

/// A time with a zone is an instant; one without has no kind.
fn date_time(text: &str) -> Option<DateTime> {
    let ticks = |time: Timestamp| u64::try_from(time.ticks()).ok();
    match text.parse::<Timestamp>() {
        Ok(time) if text.ends_with('Z') => DateTime::new(ticks(time)?, DateTimeKind::Utc),
        Ok(time) if text.get(19..).is_some_and(|zone| zone.contains(['+', '-'])) => {
            DateTime::new(ticks(time)?, DateTimeKind::Local)
        }
        _ => DateTime::new(ticks(format!("{text}Z").parse().ok()?)?, DateTimeKind::Unspecified),
    }
}
