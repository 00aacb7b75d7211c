//! `<microsoft.identityModel>`: the section of WIF 3.5, before it became part of .NET.
//!
//! One `<service>` holds what .NET Framework 4.5 has in two sections.

use handstamp_xml::Element;

use super::draft::Draft;
use super::identity::read_clock_skew;
use super::report::Outcome;
use super::selection::Named;
use super::settings::{line, named, settings};
use super::{identity, services};

pub(super) fn read(section: Element<'_>, asked: Option<&str>, draft: &mut Draft) {
    let all = Named::of(section, "service", draft);
    let Some(service) = all.choose(asked, None, "say which with --federation NAME", draft) else { return };
    for other in all.others(service) {
        let why = format!("only line {} is imported; for another say --federation NAME", line(service));
        draft.unsupported(other, &why);
    }
    identity::read(service, draft, |child, draft| match child.local_name() {
        "federatedAuthentication" => services::read(Some(child), draft),
        "serviceCertificate" => services::read_service_certificate(child, draft),
        "maximumClockSkew" => {
            for setting in settings(child) {
                match setting.name.as_str() {
                    "value" => read_clock_skew(&setting, draft),
                    _ => draft.unknown(&setting),
                }
            }
        }
        "applicationService" => {
            for inner in child.children() {
                if named(inner, "claimTypeRequired") {
                    let why = "is for metadata and tools; WIF does not enforce it either";
                    draft.element(inner, Outcome::Ignored(why.to_owned()));
                } else {
                    draft.unknown_element(inner);
                }
            }
        }
        _ => draft.unknown_element(child),
    });
    if !service.children().any(|child| named(child, "federatedAuthentication")) {
        services::read(None, draft);
    }
}
