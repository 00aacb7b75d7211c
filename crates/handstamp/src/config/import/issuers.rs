//! `<issuerNameRegistry>`: which certificates sign, and what their owner is called.

use handstamp_xml::Element;

use super::draft::{Draft, quote, quote_list};
use super::identity::Edit;
use super::report::Outcome;
use super::settings::{attribute, line, named, type_of};

/// A certificate that signs.
#[derive(Clone)]
struct Pin {
    thumbprint: String,
    line: usize,
}

/// An issuer, and the certificates of which one signs its tokens.
struct Trusted {
    /// What claims call it.
    name: String,
    line: usize,
    pins: Vec<Pin>,
}

pub(super) fn read(registry: Element<'_>, draft: &mut Draft) {
    match type_of(registry) {
        "ConfigurationBasedIssuerNameRegistry" => read_names(registry, draft),
        "ValidatingIssuerNameRegistry" => read_authorities(registry, draft),
        _ => {
            draft.unsupported(registry, "names code of yours: pin the issuer's certificate in issuer.sts.certificates");
        }
    }
}

/// Reads the registry in which a certificate tells the issuer, whatever its tokens call it.
fn read_names(registry: Element<'_>, draft: &mut Draft) {
    draft.refuse_repeated(registry, &["trustedIssuers"]);
    let mut named_pins: Vec<(String, Pin)> = Vec::new();
    for list in registry.children() {
        if !named(list, "trustedIssuers") {
            draft.unknown_element(list);
            continue;
        }
        for item in list.children() {
            edit(&mut named_pins, item, attribute(item, "name").unwrap_or(""), draft);
        }
    }
    let Some((name, line)) = named_pins.first().map(|(name, pin)| (name.clone(), pin.line)) else {
        return trusts_nobody(registry, draft);
    };
    let (pins, others): (Vec<_>, Vec<_>) = named_pins.into_iter().partition(|(other, _)| *other == name);
    for (other, pin) in others {
        let why = format!(
            "is named {other:?}, but line {line} {name:?}: add an [issuer.NAME] with its name and thumbprint, and name both in \
             federation.app.issuer, as in issuer = [\"sts\", \"NAME\"]"
        );
        draft.report.push(Some(pin.line), THUMBPRINT, &pin.thumbprint, Outcome::Unsupported(why));
    }
    let issuer = Trusted { name, line, pins: pins.into_iter().map(|(_, pin)| pin).collect() };
    let issuers = [issuer];
    write_pins(&issuers, draft);
    let [Trusted { name, .. }] = &issuers;
    if name.is_empty() {
        draft.unset("issuer.sts.name", line);
    } else {
        draft.set("issuer.sts.name", quote(name), line);
        let key = Outcome::Carried("issuer.sts.name".to_owned());
        draft.report.push(Some(line), "issuerNameRegistry/add/@name", name, key);
    }
}

/// Reads the registry in which tokens must name an issuer for which their certificate may sign: one key of a hub signs for all
/// that are behind it.
fn read_authorities(registry: Element<'_>, draft: &mut Draft) {
    let mut issuers: Vec<Trusted> = Vec::new();
    for authority in registry.children() {
        if named(authority, "authority") {
            read_authority(authority, &mut issuers, draft);
        } else {
            draft.unknown_element(authority);
        }
    }
    if issuers.is_empty() {
        return trusts_nobody(registry, draft);
    }
    write_pins(&issuers, draft);
    for (table, issuer) in tables().zip(&issuers) {
        let (name, entity_id) = (format!("issuer.{table}.name"), format!("issuer.{table}.entity_id"));
        draft.set(&name, quote(&issuer.name), issuer.line);
        draft.set(&entity_id, quote(&issuer.name), issuer.line);
        draft.report.push(Some(issuer.line), "validIssuers/add/@name", &issuer.name, Outcome::Carried(entity_id));
    }
}

/// A claim's issuer is what the token calls itself there, which must be one of the valid ones.
fn read_authority(authority: Element<'_>, issuers: &mut Vec<Trusted>, draft: &mut Draft) {
    draft.refuse_repeated(authority, &["keys", "validIssuers"]);
    let mut keys: Vec<(String, Pin)> = Vec::new();
    let mut valid: Vec<(&str, usize)> = Vec::new();
    for list in authority.children() {
        for item in list.children() {
            match (list.local_name(), attribute(item, "name")) {
                ("keys", _) if named(item, "add") && attribute(item, "thumbprint").is_none() => {
                    draft.unsupported(item, "a symmetric key cannot sign here: use the issuer's certificate");
                }
                ("keys", _) => edit(&mut keys, item, "", draft),
                ("validIssuers", Some(name)) if named(item, "add") => valid.push((name, line(item))),
                ("validIssuers", _) => draft.unknown_element(item),
                _ => {}
            }
        }
        if !["keys", "validIssuers"].contains(&list.local_name()) {
            draft.unknown_element(list);
        }
    }
    if valid.is_empty() || keys.is_empty() {
        let why = "has no valid issuer, or no certificate: no token can be of it";
        return draft.unsupported(authority, why);
    }
    for (name, line) in valid {
        let pins = keys.iter().map(|(_, pin)| pin.clone());
        if let Some(known) = issuers.iter_mut().find(|issuer| issuer.name == name) {
            let fresh: Vec<Pin> =
                pins.filter(|pin| !known.pins.iter().any(|other| other.is(&pin.thumbprint))).collect();
            known.pins.extend(fresh);
        } else {
            issuers.push(Trusted { name: name.to_owned(), line, pins: pins.collect() });
        }
    }
}

/// Applies `add`, `remove` and `clear`.
fn edit(pins: &mut Vec<(String, Pin)>, item: Element<'_>, name: &str, draft: &mut Draft) {
    match Edit::of(item, "thumbprint", draft) {
        Some(Edit::Add(setting)) => {
            let thumbprint = visible(&setting.value);
            if let Some((_, first)) = pins.iter().find(|(_, pin)| pin.is(&thumbprint)) {
                draft.ignore(&setting, &format!("is the certificate of line {} once more", first.line));
            } else {
                pins.push((name.to_owned(), Pin { thumbprint, line: line(item) }));
            }
        }
        Some(Edit::Remove) => match attribute(item, "thumbprint").filter(|_| named(item, "remove")) {
            Some(gone) => pins.retain(|(_, pin)| !pin.is(&visible(gone))),
            None => pins.clear(),
        },
        None => {}
    }
}

const THUMBPRINT: &str = "issuerNameRegistry/add/@thumbprint";

fn trusts_nobody(registry: Element<'_>, draft: &mut Draft) {
    draft.unsupported(registry, "trusts no certificate: name the issuer's in issuer.sts.certificates");
}

/// The names of the issuers' tables.
fn tables() -> impl Iterator<Item = String> {
    std::iter::once("sts".to_owned()).chain((2..).map(|number| format!("sts-{number}")))
}

/// Writes a table for each issuer, in place of those of a registry that was read before.
fn write_pins(issuers: &[Trusted], draft: &mut Draft) {
    let line = issuers.first().map_or(0, |issuer| issuer.line);
    for table in std::mem::take(&mut draft.issuers) {
        for key in ["thumbprints", "name", "entity_id"] {
            draft.unset(&format!("issuer.{table}.{key}"), line);
        }
    }
    draft.issuers = tables().take(issuers.len()).collect();
    let mut pins: Vec<(&Pin, String)> = Vec::new();
    for (table, issuer) in tables().zip(issuers) {
        let key = format!("issuer.{table}.thumbprints");
        let thumbprints: Vec<String> = issuer.pins.iter().map(|pin| pin.thumbprint.clone()).collect();
        draft.set(&key, quote_list(&thumbprints), issuer.pins.first().map_or(issuer.line, |pin| pin.line));
        for pin in &issuer.pins {
            match pins.iter_mut().find(|(known, _)| known.line == pin.line && known.is(&pin.thumbprint)) {
                Some((_, keys)) => *keys = format!("{keys}, {key}"),
                None => pins.push((pin, key.clone())),
            }
        }
    }
    for (pin, keys) in pins {
        draft.report.push(Some(pin.line), THUMBPRINT, &pin.thumbprint, Outcome::Carried(keys));
    }
}

/// Says what several issuers have in common, when everything else was read: the file has one address for all.
pub(super) fn complete(draft: &mut Draft) {
    const HOME_REALM: &str = "federation.app.home_realm";
    let Some((first, others)) =
        draft.issuers.clone().split_first().map(|(first, others)| (first.clone(), others.to_vec()))
    else {
        return;
    };
    if others.is_empty() {
        return;
    }
    for other in &others {
        draft.repeat("issuer.sts.sign_in_url", &format!("issuer.{other}.sign_in_url"));
        draft.repeat(HOME_REALM, &format!("issuer.{other}.home_realm"));
    }
    draft.rename(HOME_REALM, &format!("issuer.{first}.home_realm"));
    if draft.federated {
        draft.add("federation.app.issuer", quote_list(&draft.issuers), "the valid issuers");
        draft.step(
            "people choose among the issuers that signed tokens for the old site: give each a display_name, and a sign_in_url of \
             its own where it has one",
        );
    }
}

impl Pin {
    /// Thumbprints compare without case and spaces, as in WIF.
    fn is(&self, other: &str) -> bool {
        let digits = |text: &str| text.replace(' ', "").to_ascii_lowercase();
        digits(&self.thumbprint) == digits(other)
    }
}

/// Thumbprints copied from the Windows certificate dialog start with an invisible mark.
fn visible(thumbprint: &str) -> String {
    let marks = ['\u{200e}', '\u{200f}', '\u{feff}'];
    thumbprint.chars().filter(|c| !marks.contains(c)).collect::<String>().trim().to_owned()
}
