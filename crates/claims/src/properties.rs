//! Name-value pairs attached to a claim.

use crate::ArcStr;

/// Properties of a claim: a map from text to text that remembers the order of insertion.
///
/// Names are unique and compared exactly. Equality disregards order, as for any map.
#[derive(Clone, Debug, Default)]
pub struct Properties(Vec<(ArcStr, ArcStr)>);

impl Properties {
    /// Sets a property and returns the value it had before. A replaced property keeps its place.
    pub fn insert(&mut self, name: impl Into<ArcStr>, value: impl Into<ArcStr>) -> Option<ArcStr> {
        let (name, value) = (name.into(), value.into());
        match self.0.iter_mut().find(|(existing, _)| *existing == name) {
            Some((_, existing)) => Some(std::mem::replace(existing, value)),
            None => {
                self.0.push((name, value));
                None
            }
        }
    }

    /// Removes a property and returns its value.
    pub fn remove(&mut self, name: &str) -> Option<ArcStr> {
        let at = self.0.iter().position(|(existing, _)| existing == name)?;
        Some(self.0.remove(at).1)
    }

    /// The value of a property.
    pub fn get(&self, name: &str) -> Option<&ArcStr> {
        self.0.iter().find(|(existing, _)| existing == name).map(|(_, value)| value)
    }

    /// Name and value of each property, in order of insertion.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&ArcStr, &ArcStr)> {
        self.0.iter().map(|(name, value)| (name, value))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl PartialEq for Properties {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && self.iter().all(|(name, value)| other.get(name) == Some(value))
    }
}

impl Eq for Properties {}

impl<N: Into<ArcStr>, V: Into<ArcStr>> FromIterator<(N, V)> for Properties {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(pairs: I) -> Self {
        let mut properties = Self::default();
        for (name, value) in pairs {
            properties.insert(name, value);
        }
        properties
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replaced_property_keeps_its_place() {
        let mut properties = Properties::from_iter([("b", "1"), ("a", "2")]);
        assert_eq!(properties.insert("b", "3").as_deref(), Some("1"));
        let pairs: Vec<_> = properties.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        assert_eq!(pairs, [("b", "3"), ("a", "2")]);
        assert_eq!(properties.remove("b").as_deref(), Some("3"));
        assert_eq!((properties.len(), properties.get("b")), (1, None));
    }

    #[test]
    fn equality_disregards_order() {
        assert_eq!(Properties::from_iter([("a", "1"), ("b", "2")]), Properties::from_iter([("b", "2"), ("a", "1")]));
        assert_ne!(Properties::from_iter([("a", "1")]), Properties::from_iter([("a", "1"), ("b", "2")]));
        assert_ne!(Properties::from_iter([("a", "1")]), Properties::from_iter([("a", "2")]));
    }
}
