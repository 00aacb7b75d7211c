//! Attributes as typed values, each declared once: from its name, default and range come reading and writing.

use crate::error::Error;
use crate::reader::{FOREVER, Reader};
use handstamp_time::format_time_span;
use std::time::Duration;

/// What is written into an attribute.
pub(crate) trait AttributeText: PartialEq {
    /// The text; none when the attribute is not written.
    fn text(&self) -> Option<String>;
}

/// The value of an attribute.
pub(crate) trait AttributeValue: AttributeText + Sized {
    /// Reads it; none when it is not written. A number is at least `least`.
    fn read(reader: &mut Reader<'_>, name: &'static str, least: u64) -> Result<Option<Self>, Error>;
}

impl AttributeValue for bool {
    fn read(reader: &mut Reader<'_>, name: &'static str, _: u64) -> Result<Option<Self>, Error> {
        reader.bool(name)
    }
}

impl AttributeText for bool {
    fn text(&self) -> Option<String> {
        Some(self.to_string())
    }
}

/// A `long` of .NET.
impl AttributeValue for u64 {
    fn read(reader: &mut Reader<'_>, name: &'static str, least: u64) -> Result<Option<Self>, Error> {
        reader.number(name, least..=i64::MAX as u64)
    }
}

impl AttributeText for u64 {
    fn text(&self) -> Option<String> {
        Some(self.to_string())
    }
}

/// An `int` of .NET.
impl AttributeValue for usize {
    fn read(reader: &mut Reader<'_>, name: &'static str, least: u64) -> Result<Option<Self>, Error> {
        reader.count(name, least)
    }
}

impl AttributeText for usize {
    fn text(&self) -> Option<String> {
        Some(self.to_string())
    }
}

/// Text, which says nothing when it is empty.
impl AttributeValue for Option<String> {
    fn read(reader: &mut Reader<'_>, name: &'static str, _: u64) -> Result<Option<Self>, Error> {
        Ok(reader.text(name).filter(|text| !text.is_empty()).map(|text| Some(text.to_owned())))
    }
}

impl AttributeText for Option<String> {
    fn text(&self) -> Option<String> {
        self.clone()
    }
}

/// As long as can be is `Infinite`.
impl AttributeValue for Duration {
    fn read(reader: &mut Reader<'_>, name: &'static str, _: u64) -> Result<Option<Self>, Error> {
        reader.span(name)
    }
}

impl AttributeText for Duration {
    fn text(&self) -> Option<String> {
        Some(if *self < FOREVER { format_time_span(*self) } else { "Infinite".to_owned() })
    }
}

/// None is `Infinite`.
impl AttributeValue for Option<Duration> {
    fn read(reader: &mut Reader<'_>, name: &'static str, _: u64) -> Result<Option<Self>, Error> {
        reader.span_or_infinite(name)
    }
}

impl AttributeText for Option<Duration> {
    fn text(&self) -> Option<String> {
        Some(self.map_or_else(|| "Infinite".to_owned(), format_time_span))
    }
}

/// A word.
impl AttributeText for &'static str {
    fn text(&self) -> Option<String> {
        Some((*self).to_owned())
    }
}

/// A struct of attributes of one element: `field: type = default, "attribute" (from least);`.
macro_rules! attributes {
    ($(#[$doc:meta])* pub struct $name:ident {
        $($(#[$field_doc:meta])* $field:ident: $type:ty = $default:expr, $attribute:literal $(from $least:literal)?;)+
    }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub struct $name { $($(#[$field_doc])* pub $field: $type,)+ }

        impl Default for $name {
            fn default() -> Self {
                Self { $($field: $default,)+ }
            }
        }

        impl $name {
            /// Takes the attributes of an element, which may have others.
            pub(crate) fn read(reader: &mut $crate::reader::Reader<'_>) -> Result<Self, $crate::error::Error> {
                let mut read = Self::default();
                $(
                    let least = [0 $(, $least)?];
                    let value = $crate::attributes::AttributeValue::read(reader, $attribute, least[least.len() - 1])?;
                    if let Some(value) = value {
                        read.$field = value;
                    }
                )+
                Ok(read)
            }

            /// Writes what differs from the default.
            pub(crate) fn write(&self, out: &mut $crate::markup::Markup) {
                let default = Self::default();
                $(out.attribute_unless(&default.$field, $attribute, &self.$field);)+
            }
        }
    };
}

/// An enumeration whose values have names in attributes.
macro_rules! words {
    ($(#[$doc:meta])* $visibility:vis enum $name:ident { $($(#[$word_doc:meta])* $word:ident = $text:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
        $visibility enum $name { $($(#[$word_doc])* $word,)+ }

        impl $name {
            /// All words, for people.
            const WORDS: &str = $crate::attributes::listed!($($text),+);

            fn from_word(word: &str) -> Option<Self> {
                match word {
                    $($text => Some(Self::$word),)+
                    _ => None,
                }
            }
        }

        impl $crate::attributes::AttributeValue for $name {
            fn read(
                reader: &mut $crate::reader::Reader<'_>,
                name: &'static str,
                _: u64,
            ) -> Result<Option<Self>, $crate::error::Error> {
                reader.word(name, Self::from_word, Self::WORDS)
            }
        }

        impl $crate::attributes::AttributeText for $name {
            fn text(&self) -> Option<String> {
                let text = match self { $(Self::$word => $text,)+ };
                Some(text.to_owned())
            }
        }
    };
}

/// Words with commas between them.
macro_rules! listed {
    ($first:literal $(, $word:literal)*) => { concat!($first $(, ", ", $word)*) };
}

pub(crate) use {attributes, listed, words};
