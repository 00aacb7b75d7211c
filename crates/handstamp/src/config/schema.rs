//! One declaration per option: from it come the field, its default, its reader, the list of known
//! keys and its line in the reference. Nothing about an option is written twice.

use std::borrow::Cow;
use std::collections::BTreeMap;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::findings::{FindingKind, Reader, child_path};

/// A type that can stand in a configuration file.
pub trait Value: Sized {
    /// What the reference calls such a value, such as `duration`.
    fn kind() -> Cow<'static, str>;

    /// Reads the value at `path`; on failure reports a finding and gives none.
    fn read(value: &Spanned<DeValue<'_>>, path: &str, reader: &mut Reader) -> Option<Self>;

    /// The value of a key that is not there and has no default.
    fn absent(path: &str, reader: &mut Reader) -> Option<Self> {
        reader.report(FindingKind::Missing, path, format!("is required: set it to a {}", Self::kind()));
        None
    }

    /// Whether [`absent`](Value::absent) succeeds: the key may be left out even without a default.
    const MAY_BE_ABSENT: bool = false;

    /// Adds the rows of the reference for this option.
    fn describe(row: OptionRow, rows: &mut Vec<OptionRow>) {
        rows.push(row);
    }
}

/// One line of the reference of all options.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OptionRow {
    /// The full name, with `NAME` where a name is free, such as `web.NAME.upstream`.
    pub key: String,
    /// What kind of value it takes.
    pub kind: Cow<'static, str>,
    /// The default as TOML; none when the option is required or simply off when absent.
    pub default: Option<&'static str>,
    /// Whether the file must give it (inside a table that is given).
    pub required: bool,
    /// What it is, in words.
    pub doc: String,
}

/// A table with a fixed set of keys; [`section!`] writes the implementation.
pub trait Section: Sized {
    /// The keys of the table, without those of tables inside it.
    const KEYS: &'static [&'static str];

    /// Reads the table at `path`; every mistake is reported, not only the first.
    fn read_table(table: &DeTable<'_>, path: &str, reader: &mut Reader) -> Option<Self>;

    /// The rows of the reference, prefixed with `path`.
    fn describe_table(path: &str, rows: &mut Vec<OptionRow>);
}

impl<S: Section> Value for S {
    fn kind() -> Cow<'static, str> {
        Cow::Borrowed("table")
    }

    fn read(value: &Spanned<DeValue<'_>>, path: &str, reader: &mut Reader) -> Option<Self> {
        match value.get_ref() {
            DeValue::Table(table) => S::read_table(table, path, reader),
            other => {
                wrong_type("a table", other, path, reader);
                None
            }
        }
    }

    /// A section that is not there is one in which nothing is set.
    fn absent(path: &str, reader: &mut Reader) -> Option<Self> {
        S::read_table(&DeTable::new(), path, reader)
    }

    const MAY_BE_ABSENT: bool = true;

    fn describe(row: OptionRow, rows: &mut Vec<OptionRow>) {
        S::describe_table(&row.key, rows);
    }
}

impl<T: Value> Value for Option<T> {
    fn kind() -> Cow<'static, str> {
        T::kind()
    }

    fn read(value: &Spanned<DeValue<'_>>, path: &str, reader: &mut Reader) -> Option<Self> {
        T::read(value, path, reader).map(Some)
    }

    fn absent(_: &str, _: &mut Reader) -> Option<Self> {
        Some(None)
    }

    const MAY_BE_ABSENT: bool = true;

    fn describe(row: OptionRow, rows: &mut Vec<OptionRow>) {
        T::describe(row, rows);
    }
}

/// Tables with a name of the operator's choice: `[web.orders]`.
impl<T: Section> Value for BTreeMap<String, T> {
    fn kind() -> Cow<'static, str> {
        Cow::Borrowed("named tables")
    }

    fn read(value: &Spanned<DeValue<'_>>, path: &str, reader: &mut Reader) -> Option<Self> {
        let DeValue::Table(table) = value.get_ref() else {
            wrong_type("named tables", value.get_ref(), path, reader);
            return None;
        };
        let mut complete = true;
        let mut named = Self::new();
        for (name, value) in table {
            let name = name.get_ref();
            let path = child_path(path, name);
            if !is_name(name) {
                reader.report(FindingKind::Value, &path, "is no name: use letters, digits, - and _");
                complete = false;
                continue;
            }
            match <T as Value>::read(value, &path, reader) {
                Some(value) => {
                    named.insert(name.to_string(), value);
                }
                None => complete = false,
            }
        }
        complete.then_some(named)
    }

    fn absent(_: &str, _: &mut Reader) -> Option<Self> {
        Some(Self::new())
    }

    const MAY_BE_ABSENT: bool = true;

    fn describe(row: OptionRow, rows: &mut Vec<OptionRow>) {
        T::describe_table(&child_path(&row.key, "NAME"), rows);
    }
}

impl<T: Value> Value for Vec<T> {
    fn kind() -> Cow<'static, str> {
        Cow::Owned(format!("list of {}", T::kind()))
    }

    fn read(value: &Spanned<DeValue<'_>>, path: &str, reader: &mut Reader) -> Option<Self> {
        let DeValue::Array(array) = value.get_ref() else {
            wrong_type(&Self::kind(), value.get_ref(), path, reader);
            return None;
        };
        let values: Vec<Option<T>> = array
            .iter()
            .enumerate()
            .map(|(index, value)| T::read(value, &format!("{path}[{index}]"), reader))
            .collect();
        values.into_iter().collect()
    }
}

/// Reports that a value has the wrong TOML type.
pub(crate) fn wrong_type(wanted: &str, found: &DeValue<'_>, path: &str, reader: &mut Reader) {
    reader.report(FindingKind::Value, path, format!("must be {wanted}, not {}", type_name(found)));
}

/// Reads the field `key` of `table`, or its default.
pub(crate) fn read_field<T: Value>(
    table: &DeTable<'_>,
    key: &str,
    default: Option<&'static str>,
    path: &str,
    reader: &mut Reader,
) -> Option<T> {
    let path = child_path(path, key);
    match (table.get(key), default) {
        (Some(value), _) => T::read(value, &path, reader),
        (None, Some(default)) => match DeValue::parse(default) {
            Ok(value) => T::read(&value, &path, reader),
            Err(error) => {
                reader.report(FindingKind::Value, &path, error.message().to_owned());
                None
            }
        },
        (None, None) => T::absent(&path, reader),
    }
}

/// Reports every key of `table` that is not among `known`, with the nearest that is.
pub(crate) fn refuse_unknown_keys(table: &DeTable<'_>, known: &[&'static str], path: &str, reader: &mut Reader) {
    for (key, _) in table {
        let key = key.get_ref().as_ref();
        if known.contains(&key) {
            continue;
        }
        let message = match nearest(key, known) {
            Some(nearest) => format!("unknown key; did you mean `{nearest}`?"),
            None => format!("unknown key; known here: {}", known.join(", ")),
        };
        reader.report(FindingKind::UnknownKey, &child_path(path, key), message);
    }
}

/// The known word that `word` most likely is a slip of.
pub(crate) fn nearest<'k>(word: &str, known: &[&'k str]) -> Option<&'k str> {
    let plain = |text: &str| text.to_ascii_lowercase().replace('-', "_");
    let word = plain(word);
    let length = word.chars().count();
    known
        .iter()
        // A word much longer than all that are known is no slip, and comparing it would take long.
        .filter(|candidate| length.abs_diff(candidate.chars().count()) <= 1 + candidate.len() / 4)
        .map(|candidate| (strsim::damerau_levenshtein(&word, &plain(candidate)), *candidate))
        .filter(|(distance, candidate)| *distance <= 1 + candidate.len() / 4)
        .min()
        .map(|(_, candidate)| candidate)
}

fn type_name(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "text",
        DeValue::Integer(_) => "an integer",
        DeValue::Float(_) => "a fraction",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

/// Declares a table of the configuration: fields with their documentation and, after `=`, their
/// default as TOML. A field without default is required unless its type says otherwise
/// (`Option`, a section, named tables).
macro_rules! section {
    (
        $(#[doc = $struct_doc:literal])*
        pub struct $Name:ident {
            $(
                $(#[doc = $doc:literal])+
                $field:ident: $Type:ty $(= $default:tt)?,
            )*
        }
    ) => {
        $(#[doc = $struct_doc])*
        #[derive(Debug, Clone, PartialEq)]
        pub struct $Name {
            $( $(#[doc = $doc])+ pub $field: $Type, )*
        }

        impl $crate::config::schema::Section for $Name {
            const KEYS: &'static [&'static str] = &[$(stringify!($field)),*];

            fn read_table(
                table: &toml::de::DeTable<'_>,
                path: &str,
                reader: &mut $crate::config::Reader,
            ) -> Option<Self> {
                use $crate::config::schema::{read_field, refuse_unknown_keys};
                refuse_unknown_keys(table, Self::KEYS, path, reader);
                $(
                    let $field: Option<$Type> = read_field(
                        table,
                        stringify!($field),
                        $crate::config::schema::section!(@default $($default)?),
                        path,
                        reader,
                    );
                )*
                Some(Self { $($field: $field?,)* })
            }

            fn describe_table(path: &str, rows: &mut Vec<$crate::config::schema::OptionRow>) {
                use $crate::config::schema::{OptionRow, Value};
                $(
                    let default: Option<&'static str> =
                        $crate::config::schema::section!(@default $($default)?);
                    <$Type as Value>::describe(
                        OptionRow {
                            key: $crate::config::findings::child_path(path, stringify!($field)),
                            kind: <$Type as Value>::kind(),
                            default,
                            required: default.is_none() && !<$Type as Value>::MAY_BE_ABSENT,
                            doc: [$($doc),+].map(str::trim).join(" "),
                        },
                        rows,
                    );
                )*
            }
        }
    };
    (@default) => { None };
    (@default $default:tt) => { Some(stringify!($default)) };
}
pub(crate) use section;

/// Declares a choice among words.
macro_rules! choice {
    (
        $(#[doc = $enum_doc:literal])*
        pub enum $Name:ident {
            $( $(#[doc = $doc:literal])+ $Variant:ident = $word:literal, )+
        }
    ) => {
        $(#[doc = $enum_doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum $Name {
            $( $(#[doc = $doc])+ $Variant, )+
        }

        impl $Name {
            /// The word that stands for it in the configuration file.
            pub fn word(self) -> &'static str {
                match self {
                    $( Self::$Variant => $word, )+
                }
            }
        }

        impl $crate::config::schema::Value for $Name {
            fn kind() -> std::borrow::Cow<'static, str> {
                std::borrow::Cow::Borrowed(concat!("one of", $(" `", $word, "`"),+))
            }

            fn read(
                value: &toml::Spanned<toml::de::DeValue<'_>>,
                path: &str,
                reader: &mut $crate::config::Reader,
            ) -> Option<Self> {
                use $crate::config::schema::nearest;
                match value.get_ref() {
                    toml::de::DeValue::String(word) => match word.as_ref() {
                        $( $word => Some(Self::$Variant), )+
                        other => {
                            let hint = nearest(other, &[$($word),+])
                                .map(|word| format!("; did you mean `{word}`?"))
                                .unwrap_or_default();
                            reader.report(
                                $crate::config::FindingKind::Value,
                                path,
                                format!("must be {}{hint}", Self::kind()),
                            );
                            None
                        }
                    },
                    other => {
                        $crate::config::schema::wrong_type(&Self::kind(), other, path, reader);
                        None
                    }
                }
            }
        }
    };
}
pub(crate) use choice;
