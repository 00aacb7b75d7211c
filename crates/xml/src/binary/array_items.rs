use super::{DateTime, Decimal, Guid, record};

/// The items of an array: all of one type, without records of their own.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum ArrayItems<'a> {
    /// Booleans.
    Bool(&'a [bool]),
    /// 16-bit numbers.
    Int16(&'a [i16]),
    /// 32-bit numbers.
    Int32(&'a [i32]),
    /// 64-bit numbers.
    Int64(&'a [i64]),
    /// 32-bit floating-point numbers.
    Float(&'a [f32]),
    /// 64-bit floating-point numbers.
    Double(&'a [f64]),
    /// Decimals.
    Decimal(&'a [Decimal]),
    /// Dates.
    DateTime(&'a [DateTime]),
    /// Durations in units of 100 ns.
    TimeSpan(&'a [i64]),
    /// GUIDs.
    Guid(&'a [Guid]),
}

impl ArrayItems<'_> {
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Bool(items) => items.len(),
            Self::Int16(items) => items.len(),
            Self::Int32(items) => items.len(),
            Self::Int64(items) | Self::TimeSpan(items) => items.len(),
            Self::Float(items) => items.len(),
            Self::Double(items) => items.len(),
            Self::Decimal(items) => items.len(),
            Self::DateTime(items) => items.len(),
            Self::Guid(items) => items.len(),
        }
    }

    pub(super) fn record(&self) -> u8 {
        match self {
            Self::Bool(_) => record::BOOL,
            Self::Int16(_) => record::INT16,
            Self::Int32(_) => record::INT32,
            Self::Int64(_) => record::INT64,
            Self::Float(_) => record::FLOAT,
            Self::Double(_) => record::DOUBLE,
            Self::Decimal(_) => record::DECIMAL,
            Self::DateTime(_) => record::DATE_TIME,
            Self::TimeSpan(_) => record::TIME_SPAN,
            Self::Guid(_) => record::UUID,
        }
    }

    pub(super) fn to_wire(self) -> Vec<u8> {
        match self {
            Self::Bool(items) => items.iter().map(|&item| item.into()).collect(),
            Self::Int16(items) => items.iter().flat_map(|item| item.to_le_bytes()).collect(),
            Self::Int32(items) => items.iter().flat_map(|item| item.to_le_bytes()).collect(),
            Self::Int64(items) | Self::TimeSpan(items) => items.iter().flat_map(|item| item.to_le_bytes()).collect(),
            Self::Float(items) => items.iter().flat_map(|item| item.to_le_bytes()).collect(),
            Self::Double(items) => items.iter().flat_map(|item| item.to_le_bytes()).collect(),
            Self::Decimal(items) => items.iter().flat_map(|item| item.to_wire()).collect(),
            Self::DateTime(items) => items.iter().flat_map(|item| item.to_wire().to_le_bytes()).collect(),
            Self::Guid(items) => items.iter().flat_map(|item| item.0).collect(),
        }
    }
}
