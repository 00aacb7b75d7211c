//! WS-Policy expressions: references, compact form, and the alternatives that they stand for.

use crate::error::Error;
use crate::policy::ns;
use handstamp_xml::{Document, Element, names};
use std::cell::Cell;
use std::collections::HashMap;

/// How many alternatives one expression may stand for.
const MOST_ALTERNATIVES: usize = 64;
/// How deep references may lead to policies that refer on.
const DEEPEST_REFERENCE: usize = 16;
/// How many steps all expansions together may take.
const MOST_STEPS: usize = 200_000;

/// The documents that hold policies, and the policies in them by identity.
pub(crate) struct Sources<'d> {
    documents: Vec<(&'d str, &'d Document)>,
    by_id: HashMap<(usize, &'d str), Element<'d>>,
    by_name: HashMap<&'d str, Element<'d>>,
    steps: Cell<usize>,
}

/// Assertions that hold together.
pub(crate) type Alternative<'d> = Vec<Assertion<'d>>;

/// One assertion.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Assertion<'d> {
    pub(crate) element: Element<'d>,
}

impl<'d> Sources<'d> {
    /// The first document is the main one; the others have the locations that refer to them.
    pub(crate) fn new(documents: Vec<(&'d str, &'d Document)>) -> Self {
        let mut by_id = HashMap::new();
        let mut by_name = HashMap::new();
        for (number, (_, document)) in documents.iter().enumerate() {
            let policies = document.root().descendants().filter(|element| is_operator(*element, "Policy"));
            for policy in policies {
                let id = policy.attribute_ns(names::WSU, "Id").or_else(|| policy.attribute_ns(names::XML, "id"));
                if let Some(id) = id {
                    by_id.entry((number, id)).or_insert(policy);
                }
                if let Some(name) = policy.attribute("Name") {
                    by_name.entry(name).or_insert(policy);
                }
            }
        }
        Self { documents, by_id, by_name, steps: Cell::new(0) }
    }

    /// The documents, the main one first.
    pub(crate) fn documents(&self) -> impl Iterator<Item = &'d Document> {
        self.documents.iter().map(|(_, document)| *document)
    }

    /// An error that names the document, if it is not the main one, and the line.
    pub(crate) fn error(&self, element: Element<'d>, problem: impl Into<String>) -> Error {
        let number = self.number_of(element.document());
        let document = self.documents.get(number).filter(|_| number > 0).map(|(location, _)| (*location).to_owned());
        Error::policy(document, element, problem)
    }

    /// The alternatives of the policy that is attached to these elements of a WSDL, all of them together (WS-Policy 4.3.5 and
    /// WS-PolicyAttachment: the effective policy of a subject).
    pub(crate) fn attached(
        &self,
        carriers: impl IntoIterator<Item = Element<'d>>,
    ) -> Result<Vec<Alternative<'d>>, Error> {
        let mut all = vec![Alternative::new()];
        for carrier in carriers {
            for attribute in carrier.attributes() {
                if attribute.local_name() != "PolicyURIs" || !ns::is_policy(attribute.namespace()) {
                    continue;
                }
                for uri in attribute.value().split_whitespace() {
                    let policy = self.resolve(uri, carrier)?;
                    all = self.both(all, self.conjunction(policy, 0)?, carrier)?;
                }
            }
            for child in carrier.children() {
                let alternatives = if is_operator(child, "Policy") {
                    self.conjunction(child, 0)?
                } else if is_operator(child, "PolicyReference") {
                    self.referenced(child, 0)?
                } else {
                    continue;
                };
                all = self.both(all, alternatives, child)?;
            }
        }
        Ok(all)
    }

    /// The alternatives of the policy inside an assertion; without one, a single empty alternative.
    pub(crate) fn nested(&self, assertion: Element<'d>) -> Result<Vec<Alternative<'d>>, Error> {
        let mut policies = assertion.children().filter(|child| is_operator(*child, "Policy"));
        let Some(policy) = policies.next() else { return Ok(vec![Alternative::new()]) };
        if let Some(second) = policies.next() {
            return Err(self.error(second, format!("<{}> holds a second policy: keep one", assertion.local_name())));
        }
        self.conjunction(policy, 0)
    }

    /// Tries the alternatives in their order; the first that `read` accepts wins. When it accepts none, its first complaint.
    pub(crate) fn first<T>(
        &self,
        owner: Element<'d>,
        alternatives: &[Alternative<'d>],
        mut read: impl FnMut(&Alternative<'d>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let mut complaint = None;
        for alternative in alternatives {
            self.step(owner)?;
            match read(alternative) {
                Ok(read) => return Ok(read),
                Err(error) => complaint = complaint.or(Some(error)),
            }
        }
        Err(complaint.unwrap_or_else(|| {
            self.error(
                owner,
                "the policy has no alternative, which means that nothing fulfills it: fill its ExactlyOne",
            )
        }))
    }

    /// The alternatives of `Policy` and `All`: every child holds.
    fn conjunction(&self, operator: Element<'d>, depth: usize) -> Result<Vec<Alternative<'d>>, Error> {
        let mut all = vec![Alternative::new()];
        for child in operator.children() {
            all = self.both(all, self.operand(child, depth)?, child)?;
        }
        Ok(all)
    }

    fn operand(&self, element: Element<'d>, depth: usize) -> Result<Vec<Alternative<'d>>, Error> {
        self.step(element)?;
        if !ns::is_policy(element.namespace()) {
            let flag = |name: &str| {
                let flags = ns::POLICY.iter().filter_map(|namespace| element.attribute_ns(namespace, name));
                flags.into_iter().any(|value| matches!(value.trim(), "true" | "1"))
            };
            let with = vec![Assertion { element }];
            return Ok(match (flag("Optional"), flag("Ignorable") && !ns::is_security(element.namespace())) {
                (_, true) => vec![Vec::new()],
                (true, false) => vec![with, Vec::new()],
                (false, false) => vec![with],
            });
        }
        match element.local_name() {
            "Policy" | "All" => self.conjunction(element, depth),
            "ExactlyOne" => {
                let mut any = Vec::new();
                for child in element.children() {
                    any.extend(self.operand(child, depth)?);
                    self.check_count(any.len(), child)?;
                }
                Ok(any)
            }
            "PolicyReference" => self.referenced(element, depth),
            other => Err(self.error(element, format!("<{other}> is no operator of WS-Policy"))),
        }
    }

    fn referenced(&self, reference: Element<'d>, depth: usize) -> Result<Vec<Alternative<'d>>, Error> {
        if depth >= DEEPEST_REFERENCE {
            return Err(self.error(reference, "policy references lead in a circle, or too deep: write the policy out"));
        }
        let uri = reference.attribute("URI");
        let uri = uri.ok_or_else(|| self.error(reference, "<PolicyReference> has no URI"))?;
        self.conjunction(self.resolve(uri.trim(), reference)?, depth + 1)
    }

    fn resolve(&self, uri: &str, from: Element<'d>) -> Result<Element<'d>, Error> {
        let missing =
            |what: &str| self.error(from, format!("the policy {:?} {what}", uri.chars().take(120).collect::<String>()));
        let (location, id) = uri.split_once('#').unwrap_or((uri, ""));
        if id.is_empty() {
            return self.by_name.get(uri).copied().ok_or_else(|| {
                missing("is referred to by its name, and no document has it: put it in, with Name or wsu:Id")
            });
        }
        let number = if location.is_empty() {
            self.number_of(from.document())
        } else {
            let found = self.documents.iter().position(|(known, _)| *known == location || known.ends_with(location));
            found.ok_or_else(|| missing("is in another document, which was not given: put it into this one"))?
        };
        self.by_id.get(&(number, id)).copied().ok_or_else(|| missing("is not in the document: check wsu:Id"))
    }

    /// Every pair of alternatives, together.
    fn both(
        &self,
        left: Vec<Alternative<'d>>,
        right: Vec<Alternative<'d>>,
        at: Element<'d>,
    ) -> Result<Vec<Alternative<'d>>, Error> {
        self.check_count(left.len().saturating_mul(right.len()), at)?;
        let mut pairs = Vec::with_capacity(left.len() * right.len());
        for first in &left {
            for second in &right {
                self.steps.set(self.steps.get() + first.len() + second.len());
                self.step(at)?;
                pairs.push(first.iter().chain(second).copied().collect());
            }
        }
        Ok(pairs)
    }

    fn check_count(&self, count: usize, at: Element<'d>) -> Result<(), Error> {
        if count > MOST_ALTERNATIVES {
            return Err(self.error(
                at,
                format!(
                    "the policy stands for more than {MOST_ALTERNATIVES} alternatives: write out those that are meant"
                ),
            ));
        }
        Ok(())
    }

    fn step(&self, at: Element<'d>) -> Result<(), Error> {
        self.steps.set(self.steps.get() + 1);
        if self.steps.get() > MOST_STEPS {
            return Err(
                self.error(at, "the policies take too long to expand: write out the alternatives that are meant")
            );
        }
        Ok(())
    }

    fn number_of(&self, document: &Document) -> usize {
        self.documents.iter().position(|(_, known)| std::ptr::eq(*known, document)).unwrap_or(0)
    }
}

impl<'d> Assertion<'d> {
    pub(crate) fn name(&self) -> &'d str {
        self.element.local_name()
    }

    pub(crate) fn namespace(&self) -> &'d str {
        self.element.namespace()
    }

    /// Whether it is this security assertion, in either dialect or in Microsoft's namespace.
    pub(crate) fn is_security(&self, name: &str) -> bool {
        self.name() == name && ns::is_security(self.namespace())
    }
}

fn is_operator(element: Element<'_>, name: &str) -> bool {
    element.local_name() == name && ns::is_policy(element.namespace())
}
