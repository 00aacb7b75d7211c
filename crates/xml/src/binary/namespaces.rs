//! Namespace declarations in scope, and what XML allows as a name.

pub(super) const XML_NAMESPACE: &str = "http://www.w3.org/XML/1998/namespace";
pub(super) const XMLNS_NAMESPACE: &str = "http://www.w3.org/2000/xmlns/";

/// The declarations in scope, innermost last.
#[derive(Debug)]
pub(super) struct Namespaces<S> {
    declarations: Vec<Declaration<S>>,
}

#[derive(Debug)]
pub(super) struct Declaration<S> {
    pub(super) prefix: S,
    pub(super) namespace: S,
    /// The depth of the element that carries it; the root is 1.
    pub(super) depth: usize,
}

impl<S: AsRef<str>> Namespaces<S> {
    pub(super) const fn new() -> Self {
        Self { declarations: Vec::new() }
    }

    /// The caller has checked [`forbidden`] and that `depth` has no declaration of this prefix.
    pub(super) fn declare(&mut self, prefix: S, namespace: S, depth: usize) {
        self.declarations.push(Declaration { prefix, namespace, depth });
    }

    /// Forgets the declarations of elements at `depth` and deeper.
    #[inline]
    pub(super) fn leave(&mut self, depth: usize) {
        while self.declarations.last().is_some_and(|declaration| declaration.depth >= depth) {
            self.declarations.pop();
        }
    }

    pub(super) fn len(&self) -> usize {
        self.declarations.len()
    }

    /// The innermost declaration of `prefix`, made at whatever depth.
    #[inline]
    pub(super) fn declaration(&self, prefix: &str) -> Option<&Declaration<S>> {
        self.declarations.iter().rev().find(|declaration| is_same_prefix(declaration.prefix.as_ref(), prefix))
    }

    /// The declarations of the element at `depth`, in the order in which they were made.
    pub(super) fn at(&self, depth: usize) -> impl Iterator<Item = &Declaration<S>> {
        let first = self.declarations.partition_point(|declaration| declaration.depth < depth);
        self.declarations[first..].iter()
    }

    /// The namespace that `prefix` stands for. Without a declaration the empty prefix stands for no namespace.
    #[inline]
    pub(super) fn namespace_of(&self, prefix: &str) -> Option<&str> {
        match self.declaration(prefix) {
            Some(declaration) => Some(declaration.namespace.as_ref()),
            None => match prefix {
                "" => Some(""),
                "xml" => Some(XML_NAMESPACE),
                _ => None,
            },
        }
    }

    /// The innermost prefix that stands for `namespace` and is not redeclared further in.
    pub(super) fn prefix_of(&self, namespace: &str, for_attribute: bool) -> Option<&str> {
        if namespace == XML_NAMESPACE {
            return Some("xml");
        }
        let declared = self.declarations.iter().rev().find(|declaration| {
            let prefix = declaration.prefix.as_ref();
            declaration.namespace.as_ref() == namespace
                && !(for_attribute && prefix.is_empty())
                && self.namespace_of(prefix) == Some(namespace)
        });
        match declared {
            Some(declaration) => Some(declaration.prefix.as_ref()),
            None => (namespace.is_empty() && self.namespace_of("") == Some("")).then_some(""),
        }
    }
}

/// Equality of texts that mostly have one letter or none.
#[inline]
fn is_same_prefix(one: &str, other: &str) -> bool {
    match (one.as_bytes(), other.as_bytes()) {
        ([], []) => true,
        ([one], [other]) => one == other,
        (one, other) => one == other,
    }
}

/// Why `prefix` must not be declared as `namespace`, if it must not.
pub(super) fn forbidden(prefix: &str, namespace: &str) -> Option<&'static str> {
    if prefix == "xmlns" {
        Some("the prefix xmlns is never declared")
    } else if (prefix == "xml") != (namespace == XML_NAMESPACE) {
        Some("the prefix xml and its namespace belong together")
    } else if namespace == XMLNS_NAMESPACE {
        Some("the namespace of declarations has no prefix but xmlns")
    } else if namespace.is_empty() && !prefix.is_empty() {
        Some("a prefix cannot stand for no namespace")
    } else {
        None
    }
}

/// Whether XML Namespaces allows `name` as a local name or a prefix.
#[inline]
pub(super) fn is_nc_name(name: &str) -> bool {
    let bytes = name.as_bytes();
    let class = |byte: u8| NAME_BYTES[usize::from(byte)];
    match bytes.first().map(|&first| class(first)) {
        Some(ByteClass::Start) if bytes.iter().all(|&byte| class(byte) >= ByteClass::Character) => true,
        _ => is_unusual_nc_name(name),
    }
}

/// [`is_nc_name`] for whatever is not all ASCII.
fn is_unusual_nc_name(name: &str) -> bool {
    let mut characters = name.chars();
    characters.next().is_some_and(is_name_start) && characters.all(is_name_character)
}

/// What an ASCII byte may be in a name.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum ByteClass {
    /// Nothing, or part of a longer character.
    Other,
    /// Any but the first.
    Character,
    /// Any, the first included.
    Start,
}

const NAME_BYTES: [ByteClass; 256] = {
    let mut classes = [ByteClass::Other; 256];
    let mut byte: u8 = 0;
    while byte < 0x80 {
        classes[byte as usize] = match byte {
            b'A'..=b'Z' | b'_' | b'a'..=b'z' => ByteClass::Start,
            b'-' | b'.' | b'0'..=b'9' => ByteClass::Character,
            _ => ByteClass::Other,
        };
        byte += 1;
    }
    classes
};

fn is_name_start(character: char) -> bool {
    matches!(character,
        'A'..='Z' | '_' | 'a'..='z' | '\u{C0}'..='\u{D6}' | '\u{D8}'..='\u{F6}' | '\u{F8}'..='\u{2FF}'
        | '\u{370}'..='\u{37D}' | '\u{37F}'..='\u{1FFF}' | '\u{200C}'..='\u{200D}' | '\u{2070}'..='\u{218F}'
        | '\u{2C00}'..='\u{2FEF}' | '\u{3001}'..='\u{D7FF}' | '\u{F900}'..='\u{FDCF}' | '\u{FDF0}'..='\u{FFFD}'
        | '\u{10000}'..='\u{EFFFF}')
}

fn is_name_character(character: char) -> bool {
    is_name_start(character)
        || matches!(character, '-' | '.' | '0'..='9' | '\u{B7}' | '\u{300}'..='\u{36F}' | '\u{203F}'..='\u{2040}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_redeclared_prefix_no_longer_stands_for_its_namespace() {
        let mut namespaces = Namespaces::new();
        namespaces.declare("a", "urn:1", 1);
        namespaces.declare("", "urn:1", 1);
        namespaces.declare("a", "urn:2", 2);
        assert_eq!(namespaces.prefix_of("urn:1", false), Some(""));
        assert_eq!(namespaces.prefix_of("urn:1", true), None);
        assert_eq!(namespaces.prefix_of("", false), None);
        namespaces.leave(2);
        assert_eq!(namespaces.prefix_of("urn:1", true), Some("a"));
        namespaces.leave(1);
        assert_eq!(namespaces.prefix_of("", false), Some(""));
    }

    #[test]
    fn names_follow_xml() {
        for good in ["a", "_1", "имя", "元素", "a-b.c"] {
            assert!(is_nc_name(good), "{good}");
        }
        for bad in ["", "1", "a:b", "a b", "-a", "a>", "\u{d7}"] {
            assert!(!is_nc_name(bad), "{bad}");
        }
    }
}
