//! Which of several named elements holds (SM-45).

use handstamp_xml::Element;

use super::draft::Draft;
use super::settings::{attribute, line, named};

/// The elements of one kind in a section, each with a name that may be empty.
pub(super) struct Named<'d> {
    kind: &'static str,
    elements: Vec<Element<'d>>,
}

impl<'d> Named<'d> {
    /// The children of `section` that are called `kind`. Others are not known; equal names are refused, as by WIF.
    pub(super) fn of(section: Element<'d>, kind: &'static str, draft: &mut Draft) -> Self {
        let (elements, others): (Vec<_>, Vec<_>) = section.children().partition(|child| named(*child, kind));
        for other in others {
            draft.unknown_element(other);
        }
        let mut seen: Vec<&str> = Vec::new();
        for element in &elements {
            let name = attribute(*element, "name").unwrap_or("");
            if seen.contains(&name) {
                draft.problem(Some(line(*element)), format!("a second <{kind}> named {name:?}"));
            }
            seen.push(name);
        }
        Self { kind, elements }
    }

    /// The one that is asked for, else the one without a name, else the only one. `asked_in` is the line that asks.
    pub(super) fn choose(
        &self,
        asked: Option<&str>,
        asked_in: Option<usize>,
        how_to_ask: &str,
        draft: &mut Draft,
    ) -> Option<Element<'d>> {
        let by_name = |name: &str| {
            self.elements.iter().copied().find(|element| attribute(*element, "name").unwrap_or("") == name)
        };
        if let Some(name) = asked.filter(|name| !name.is_empty()) {
            let found = by_name(name);
            if found.is_none() {
                draft.problem(asked_in, format!("there is no <{}> named {name:?}", self.kind));
            }
            return found;
        }
        match self.elements.as_slice() {
            [] => None,
            [only] => Some(*only),
            [first, ..] => by_name("").or_else(|| {
                let message = format!("several named <{}> and none without a name: {how_to_ask}", self.kind);
                draft.problem(Some(line(*first)), message);
                None
            }),
        }
    }

    /// All but the chosen one.
    pub(super) fn others(&self, chosen: Element<'d>) -> impl Iterator<Item = Element<'d>> {
        self.elements.iter().copied().filter(move |element| element.id() != chosen.id())
    }
}
