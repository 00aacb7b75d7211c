//! Certificates that Windows keeps: they become files, which a person exports.

use handstamp_xml::Element;

use super::endpoint::slug;
use crate::config::import::draft::{Draft, quote, quote_list};
use crate::config::import::report::Outcome;
use crate::config::import::settings::{attribute, settings};

/// What is needed of a certificate.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// The certificate and its private key, in a key of one file.
    WithKey,
    /// The certificate alone, in a key of a list of files.
    Alone,
}

/// Reads an element that says how Windows finds a certificate, and names a file for it in these keys. Says whether it did.
pub(super) fn read(element: Element<'_>, kind: Kind, keys: &[String], draft: &mut Draft) -> bool {
    let mut found = false;
    for setting in settings(element) {
        match setting.name.as_str() {
            "findvalue" if keys.is_empty() => draft.ignore(&setting, "no route of this file needs it"),
            "findvalue" if !setting.value.trim().is_empty() => {
                found = true;
                let file = file_name(&setting.value, kind);
                let literal =
                    if kind == Kind::WithKey { quote(&file) } else { quote_list(std::slice::from_ref(&file)) };
                keys.iter().for_each(|key| draft.set(key, literal.clone(), setting.line));
                let outcome = Outcome::Carried(keys.join(", "));
                draft.report.push(Some(setting.line), &setting.path, &setting.value, outcome);
                draft.step(step(element, kind, &file));
            }
            "findvalue" => draft.refuse(&setting, "is empty and finds no certificate"),
            "storelocation" | "storename" | "x509findtype" | "ischainincluded" => {
                draft.ignore(&setting, "says where Windows keeps the certificate");
            }
            // `targetUri` of a certificate for one service is read by whoever chooses it.
            "targeturi" => {}
            _ => draft.unknown(&setting),
        }
    }
    found
}

/// The same into a list that may have others already.
pub(super) fn read_into_list(element: Element<'_>, key: &str, draft: &mut Draft) {
    for setting in settings(element) {
        if setting.name == "findvalue" && !setting.value.trim().is_empty() {
            let file = file_name(&setting.value, Kind::Alone);
            draft.extend(key, &file, setting.line);
            let outcome = Outcome::Carried(key.to_owned());
            draft.report.push(Some(setting.line), &setting.path, &setting.value, outcome);
            draft.step(step(element, Kind::Alone, &file));
        } else {
            draft.ignore(&setting, "says where Windows keeps the certificate");
        }
    }
}

fn step(element: Element<'_>, kind: Kind, file: &str) -> String {
    let said = |name: &str, default: &'static str| attribute(element, name).unwrap_or(default).trim().to_owned();
    let value: String = said("findValue", "").chars().filter(|letter| !letter.is_control()).take(120).collect();
    let (location, store) = (said("storeLocation", "LocalMachine"), said("storeName", "My"));
    let find = said("x509FindType", "FindBySubjectDistinguishedName");
    let which = format!("the certificate {value} ({find} in {location}\\{store})");
    let console = if location == "CurrentUser" { "certmgr.msc" } else { "certlm.msc" };
    match kind {
        Kind::WithKey => format!(
            "export {which} with its private key from Windows ({console}, Export, PKCS #12), and put both as PEM into {file}, \
             readable by its owner only: openssl pkcs12 -in export.pfx -nodes -out {file}; chmod 600 {file}"
        ),
        Kind::Alone => {
            format!(
                "export {which} without a private key from Windows ({console}, Export, Base-64 encoded X.509) as {file}"
            )
        }
    }
}

/// A file for a certificate that is found by this value: by its subject, or by a number.
fn file_name(value: &str, kind: Kind) -> String {
    let value = value.trim();
    let number: String = value.chars().filter(char::is_ascii_hexdigit).take(8).collect();
    let is_number = value.chars().all(|letter| letter.is_ascii_hexdigit() || !letter.is_ascii_alphanumeric());
    let stem = if is_number && number.len() == 8 {
        format!("certificate-{}", number.to_ascii_lowercase())
    } else {
        let subject = value.split_once('=').map_or(value, |(_, rest)| rest);
        let subject = subject.split(',').next().unwrap_or(subject);
        slug(&subject.replace(['.', '/', '+'], "-"))
    };
    let ending = if kind == Kind::WithKey { "pem" } else { "crt" };
    format!("{stem}.{ending}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_named_after_what_finds_the_certificate() {
        for (value, file) in [
            ("CN=ledger.contoso.example, O=Contoso", "ledger-contoso-example.pem"),
            ("ledger.contoso.example", "ledger-contoso-example.pem"),
            ("9b 74 c9 89 7b ac 77 0f fc 02 91 02 a2 00 c5 de 00 00 00 02", "certificate-9b74c989.pem"),
            ("?", "service.pem"),
        ] {
            assert_eq!(file_name(value, Kind::WithKey), file);
        }
        assert_eq!(file_name("x", Kind::Alone), "x.crt");
    }
}
