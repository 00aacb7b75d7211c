//! `<issuerNameRegistry>`: which certificates sign, and what their owner is called.

use handstamp_xml::Element;

use super::draft::{Draft, quote, quote_list};
use super::identity::Edit;
use super::report::Outcome;
use super::settings::{attribute, line, named, type_of};

/// A certificate that signs.
struct Pin {
    thumbprint: String,
    /// What its owner is called in claims.
    name: String,
    line: usize,
}

pub(super) fn read(registry: Element<'_>, draft: &mut Draft) {
    let mut pins: Vec<Pin> = Vec::new();
    match type_of(registry) {
        "ConfigurationBasedIssuerNameRegistry" => {
            draft.refuse_repeated(registry, &["trustedIssuers"]);
            for list in registry.children() {
                if !named(list, "trustedIssuers") {
                    draft.unknown_element(list);
                    continue;
                }
                for item in list.children() {
                    edit(&mut pins, item, attribute(item, "name").unwrap_or(""), draft);
                }
            }
        }
        "ValidatingIssuerNameRegistry" => {
            for authority in registry.children() {
                if named(authority, "authority") {
                    read_authority(authority, &mut pins, draft);
                } else {
                    draft.unknown_element(authority);
                }
            }
        }
        _ => {
            return draft
                .unsupported(registry, "names code of yours: pin the issuer's certificate in issuer.sts.certificates");
        }
    }
    carry(registry, pins, draft);
}

/// A claim's issuer is what the token calls itself there, which must be one of the valid ones.
fn read_authority(authority: Element<'_>, pins: &mut Vec<Pin>, draft: &mut Draft) {
    draft.refuse_repeated(authority, &["keys", "validIssuers"]);
    let valid: Vec<&str> = authority
        .children()
        .filter(|list| named(*list, "validIssuers"))
        .flat_map(Element::children)
        .filter_map(|item| attribute(item, "name"))
        .collect();
    let name = match valid.as_slice() {
        [only] => only,
        _ => attribute(authority, "name").unwrap_or(""),
    };
    for list in authority.children() {
        match list.local_name() {
            "keys" => {
                for item in list.children() {
                    if named(item, "add") && attribute(item, "thumbprint").is_none() {
                        draft.unsupported(item, "a symmetric key cannot sign here: use the issuer's certificate");
                    } else {
                        edit(pins, item, name, draft);
                    }
                }
            }
            "validIssuers" if valid.len() > 1 => {
                let why = format!(
                    "{} issuers sign with these certificates; here all their claims carry the name {name:?}. To keep them \
                     apart is not possible",
                    valid.len()
                );
                draft.unsupported(list, &why);
            }
            "validIssuers" => {
                let why = "the certificates, which are pinned, tell the issuer; its name is in issuer.sts.name";
                draft.element(list, Outcome::Ignored(why.to_owned()));
            }
            _ => draft.unknown_element(list),
        }
    }
}

/// Applies `add`, `remove` and `clear`.
fn edit(pins: &mut Vec<Pin>, item: Element<'_>, name: &str, draft: &mut Draft) {
    match Edit::of(item, "thumbprint", draft) {
        Some(Edit::Add(setting)) => {
            let thumbprint = visible(&setting.value);
            if let Some(first) = pins.iter().find(|pin| same(&pin.thumbprint, &thumbprint)) {
                draft.ignore(&setting, &format!("is the certificate of line {} once more", first.line));
            } else {
                pins.push(Pin { thumbprint, name: name.to_owned(), line: line(item) });
            }
        }
        Some(Edit::Remove) => match attribute(item, "thumbprint").filter(|_| named(item, "remove")) {
            Some(gone) => pins.retain(|pin| !same(&pin.thumbprint, &visible(gone))),
            None => pins.clear(),
        },
        None => {}
    }
}

fn carry(registry: Element<'_>, pins: Vec<Pin>, draft: &mut Draft) {
    const SETTING: &str = "issuerNameRegistry/add/@thumbprint";
    let Some((name, first_line)) = pins.first().map(|pin| (pin.name.clone(), pin.line)) else {
        return draft.unsupported(registry, "trusts no certificate: name the issuer's in issuer.sts.certificates");
    };
    let (kept, others): (Vec<_>, Vec<_>) = pins.into_iter().partition(|pin| pin.name == name);
    for other in others {
        let why = format!(
            "is named {:?}, but line {first_line} {name:?}: add an [issuer.NAME] with its name and thumbprint, and name both in \
             federation.app.issuer, as in issuer = [\"sts\", \"NAME\"]",
            other.name
        );
        draft.report.push(Some(other.line), SETTING, &other.thumbprint, Outcome::Unsupported(why));
    }
    let values: Vec<String> = kept.iter().map(|pin| pin.thumbprint.clone()).collect();
    draft.set("issuer.sts.thumbprints", quote_list(&values), first_line);
    for pin in &kept {
        let key = Outcome::Carried("issuer.sts.thumbprints".to_owned());
        draft.report.push(Some(pin.line), SETTING, &pin.thumbprint, key);
    }
    if name.is_empty() {
        draft.unset("issuer.sts.name", first_line);
    } else {
        draft.set("issuer.sts.name", quote(&name), first_line);
        let key = Outcome::Carried("issuer.sts.name".to_owned());
        draft.report.push(Some(first_line), "issuerNameRegistry/add/@name", &name, key);
    }
}

/// Thumbprints compare without case and spaces, as in WIF.
fn same(one: &str, other: &str) -> bool {
    let digits = |text: &str| text.replace(' ', "").to_ascii_lowercase();
    digits(one) == digits(other)
}

/// Thumbprints copied from the Windows certificate dialog start with an invisible mark.
fn visible(thumbprint: &str) -> String {
    let marks = ['\u{200e}', '\u{200f}', '\u{feff}'];
    thumbprint.chars().filter(|c| !marks.contains(c)).collect::<String>().trim().to_owned()
}
