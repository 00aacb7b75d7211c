use super::namespaces::is_nc_name;
use std::fmt::{Debug, Formatter};
use std::sync::OnceLock;

/// A table of strings that both sides know before they talk ([MC-NBFS]): string number `n` is `2 * n` on the wire.
///
/// The order of the strings is part of a format: never insert, only append.
pub struct StaticDictionary {
    strings: Strings,
    /// String numbers in the order of their strings, made by the first search.
    sorted: OnceLock<Box<[u32]>>,
    /// Which strings are XML names, made by the first reader.
    names: OnceLock<Box<[bool]>>,
}

enum Strings {
    Static(&'static [&'static str]),
    Owned(Box<[Box<str>]>),
}

impl StaticDictionary {
    /// A dictionary over a constant table.
    pub const fn new(strings: &'static [&'static str]) -> Self {
        Self { strings: Strings::Static(strings), sorted: OnceLock::new(), names: OnceLock::new() }
    }

    /// A dictionary from strings read at run time, for instance from a file.
    pub fn from_strings(strings: impl IntoIterator<Item = String>) -> Self {
        let strings = strings.into_iter().map(String::into_boxed_str).collect();
        Self { strings: Strings::Owned(strings), sorted: OnceLock::new(), names: OnceLock::new() }
    }

    /// String number `index`.
    #[inline]
    pub fn get(&self, index: u32) -> Option<&str> {
        let index = usize::try_from(index).ok()?;
        match &self.strings {
            Strings::Static(strings) => strings.get(index).copied(),
            Strings::Owned(strings) => strings.get(index).map(AsRef::as_ref),
        }
    }

    /// The lowest number under which `string` is in the dictionary.
    pub fn index_of(&self, string: &str) -> Option<u32> {
        let sorted = self.sorted.get_or_init(|| {
            let mut sorted: Box<[u32]> = (0..u32::try_from(self.len()).unwrap_or(u32::MAX)).collect();
            sorted.sort_by_key(|&index| self.get(index));
            sorted
        });
        let at = sorted.partition_point(|&index| self.get(index) < Some(string));
        sorted.get(at).copied().filter(|&index| self.get(index) == Some(string))
    }

    /// Which strings are XML names, by their numbers. Checked once, because messages repeat them.
    pub(super) fn names(&self) -> &[bool] {
        self.names.get_or_init(|| (0..).map_while(|index| self.get(index)).map(is_nc_name).collect())
    }

    /// How many strings there are.
    pub fn len(&self) -> usize {
        match &self.strings {
            Strings::Static(strings) => strings.len(),
            Strings::Owned(strings) => strings.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Debug for StaticDictionary {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        write!(f, "StaticDictionary({} strings)", self.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_found_by_number_and_numbers_by_string() {
        let dictionary = StaticDictionary::new(&["b", "a", "", "b"]);
        assert_eq!(dictionary.get(1), Some("a"));
        assert_eq!(dictionary.get(4), None);
        assert_eq!(dictionary.index_of("b"), Some(0));
        assert_eq!(dictionary.index_of(""), Some(2));
        assert_eq!(dictionary.index_of("c"), None);
        assert_eq!(StaticDictionary::from_strings(["x".into()]).index_of("x"), Some(0));
    }
}
