//! `<authorization>` of ASP.NET and IIS: who may see which part of the site. Routes say so here; a web.config knows none, so it is
//! said what to write there.

use handstamp_xml::Element;

use super::draft::{Draft, quote, quote_list};
use super::report::Outcome;
use super::settings::{attribute, line, named};
use crate::config::PathPrefix;

/// Lists what a section holds, for the part of the site below `location`, or for all of it.
pub(super) fn report(section: Element<'_>, location: Option<&str>, draft: &mut Draft) {
    let path = location.and_then(|path| PathPrefix::parse(&format!("/{}", path.trim().trim_matches('/'))));
    let route = match (location, &path) {
        (None, _) => "in [web.NAME]".to_owned(),
        (Some(_), Some(path)) => {
            format!("in a [web.NAME] of its own with path = {} and ignore_case = true", quote(path.as_str()))
        }
        (Some(location), None) => format!("in a [web.NAME] of its own with the path of {location:?}"),
    };
    let why = match (Rule::of(section), &path) {
        (Rule::Roles(roles), _) => {
            format!("set sign_in = \"required\" and required_roles = {} {route}", quote_list(&roles))
        }
        (Rule::SignedIn, _) => format!("set sign_in = \"required\" {route}"),
        (Rule::Anybody, Some(path)) => {
            format!("set public_paths = [{}] in the [web.NAME] around it", quote(path.as_str()))
        }
        (Rule::Anybody, None) => format!("set sign_in = \"optional\" {route}"),
        (Rule::Other, _) => {
            format!("set sign_in and required_roles {route}; what these cannot say is up to the application")
        }
    };
    let holder = section.parent().map_or("", Element::local_name);
    let why = format!("is not carried over, as the file does not say where the application is: {why}");
    draft.report.push(
        Some(line(section)),
        &format!("{holder}/authorization"),
        location.unwrap_or_default(),
        Outcome::Unsupported(why),
    );
}

/// What the rules of a section come to. The first that fits a user holds.
enum Rule {
    Roles(Vec<String>),
    SignedIn,
    Anybody,
    /// What no route can say, or what is not so simple.
    Other,
}

impl Rule {
    fn of(section: Element<'_>) -> Self {
        let mut roles = Vec::new();
        let mut is_signed_in = false;
        for rule in section.children() {
            let (users, of_roles) = (attribute(rule, "users").map(str::trim), attribute(rule, "roles"));
            if attribute(rule, "verbs").is_some_and(|verbs| !verbs.trim().is_empty()) {
                return Self::Other;
            }
            match (users, of_roles) {
                (None, Some(named_roles)) if named(rule, "allow") => {
                    let named_roles = named_roles.split(',').map(|role| role.trim().to_owned());
                    roles.extend(named_roles.filter(|role| !role.is_empty()));
                }
                (Some("?"), None) if named(rule, "deny") => is_signed_in = true,
                (Some("*"), None) if named(rule, "deny") && !roles.is_empty() => return Self::Roles(roles),
                // Who is in none of the roles may, too.
                (Some("*"), None) if named(rule, "allow") && is_signed_in => return Self::SignedIn,
                (Some("*"), None) if named(rule, "allow") => return Self::Anybody,
                _ => return Self::Other,
            }
        }
        // What holds for everybody else stands further up: a machine's own rules let anybody in.
        if is_signed_in { Self::SignedIn } else { Self::Other }
    }
}
