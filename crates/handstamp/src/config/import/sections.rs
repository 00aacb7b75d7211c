//! Where the sections of WIF and WCF stand in a web.config.

use std::collections::BTreeMap;

use handstamp_xml::Element;

use super::authorization;
use super::draft::Draft;
use super::report::Outcome;
use super::settings::{TRANSFORM, attribute, line, named};

const SERVICE_MODEL: &str = "system.serviceModel";

/// The sections that matter.
#[derive(Default)]
pub(super) struct Sections<'d> {
    pub(super) identity_model: Option<Element<'d>>,
    pub(super) services: Option<Element<'d>>,
    pub(super) wif35: Option<Element<'d>>,
    pub(super) machine_key: Option<Element<'d>>,
    pub(super) service_model: Option<Element<'d>>,
}

impl<'d> Sections<'d> {
    /// Finds them below `<configuration>`, and in a `<location>` that means the whole site.
    pub(super) fn find(root: Element<'d>, draft: &mut Draft) -> Self {
        let mut sections = Self::default();
        if named(root, SERVICE_MODEL) {
            once(&mut sections.service_model, root, draft);
            return sections;
        }
        if !named(root, "configuration") {
            draft.problem(Some(line(root)), "the root element must be <configuration>");
            return sections;
        }
        let mut others = BTreeMap::new();
        sections.collect(root, &mut others, draft);
        draft.report.other_sections = others;
        sections
    }

    fn collect(&mut self, parent: Element<'d>, others: &mut BTreeMap<String, usize>, draft: &mut Draft) {
        for child in parent.children() {
            let place = match child.local_name() {
                "system.identityModel" => &mut self.identity_model,
                "system.identityModel.services" => &mut self.services,
                "microsoft.identityModel" => &mut self.wif35,
                SERVICE_MODEL => &mut self.service_model,
                "system.web" => {
                    for child in child.children() {
                        if named(child, "machineKey") {
                            once(&mut self.machine_key, child, draft);
                        } else if named(child, AUTHORIZATION) {
                            authorization::report(child, None, draft);
                        } else {
                            *others.entry(format!("system.web/{}", child.local_name())).or_insert(0) += 1;
                        }
                    }
                    continue;
                }
                "location" if is_whole_site(child) && looked_into(child).next().is_some() => {
                    let why = "means the whole site: what it holds is read as if it stood outside";
                    draft.element(child, Outcome::Ignored(why.to_owned()));
                    self.collect(child, others, draft);
                    continue;
                }
                "location" => {
                    if looked_into(child).next().is_none() {
                        *others.entry("location".to_owned()).or_insert(0) += 1;
                    }
                    for section in authorizations(child) {
                        authorization::report(section, Some(attribute(child, "path").unwrap_or_default()), draft);
                    }
                    for element in ours(child) {
                        draft.unsupported(
                            element,
                            "stands in a <location>: settings for a part of the site are not imported; import that part as a \
                             file of its own, and give it a [federation.NAME] and a [web.NAME] with its path",
                        );
                    }
                    continue;
                }
                other => {
                    for section in authorizations(child) {
                        authorization::report(section, None, draft);
                    }
                    *others.entry(other.to_owned()).or_insert(0) += 1;
                    continue;
                }
            };
            once(place, child, draft);
        }
    }
}

fn is_whole_site(location: Element<'_>) -> bool {
    matches!(attribute(location, "path").unwrap_or("").trim(), "" | "." | "/")
}

const AUTHORIZATION: &str = "authorization";

/// Who may see what, below an element.
fn authorizations(element: Element<'_>) -> impl Iterator<Item = Element<'_>> {
    const OF_IIS: &str = "security";
    element.descendants().filter(|inner| {
        let parent = inner.parent().map_or("", Element::local_name);
        named(*inner, AUTHORIZATION) && ["system.web", OF_IIS].contains(&parent)
    })
}

fn looked_into(element: Element<'_>) -> impl Iterator<Item = Element<'_>> {
    ours(element).chain(authorizations(element))
}

/// The sections that are read, below an element.
fn ours(element: Element<'_>) -> impl Iterator<Item = Element<'_>> {
    const OURS: [&str; 5] = [
        "system.identityModel",
        "system.identityModel.services",
        "microsoft.identityModel",
        SERVICE_MODEL,
        "machineKey",
    ];
    element.descendants().filter(|inner| OURS.contains(&inner.local_name()))
}

/// Takes a section that may stand once; one that is kept in another file or encrypted has nothing to read.
fn once<'d>(place: &mut Option<Element<'d>>, section: Element<'d>, draft: &mut Draft) {
    if let Some(first) = place {
        let message =
            format!("<{}> stands here a second time; the first is in line {}", section.local_name(), line(*first));
        draft.problem(Some(line(section)), message);
        return;
    }
    *place = Some(section);
    refuse_transforms_and_twins(section, draft);
    report_elsewhere(section, draft);
}

/// Reports a section that is kept in another file or encrypted: there is nothing in it to read.
pub(super) fn report_elsewhere(section: Element<'_>, draft: &mut Draft) {
    if let Some(file) = attribute(section, "configSource") {
        let why = format!("is kept in the file {file:?}: put that file's content here and import again");
        draft.unsupported(section, &why);
    } else if attribute(section, "configProtectionProvider").is_some() {
        draft
            .unsupported(section, "is encrypted: decrypt it with `aspnet_regiis -pdf` on its machine and import again");
    }
}

/// A file of instructions for publishing is not what a site runs with, and of two attributes that differ in case only one
/// can hold.
fn refuse_transforms_and_twins(section: Element<'_>, draft: &mut Draft) {
    for element in section.descendants() {
        let mut names: Vec<String> = Vec::new();
        for attribute in element.attributes() {
            let name = attribute.local_name().to_ascii_lowercase();
            if attribute.namespace() == TRANSFORM {
                let message =
                    "has an instruction for publishing (xdt): publish, and import the web.config that results";
                draft.problem(Some(line(element)), format!("<{}> {message}", element.local_name()));
            } else if names.contains(&name) {
                let message = format!("<{}> has {name} twice, in different case", element.local_name());
                draft.problem(Some(line(element)), message);
            }
            names.push(name);
        }
    }
}
