//! `<machineKey>`: the keys of a farm.

use handstamp_xml::Element;

use super::draft::Draft;
use super::report::Outcome;
use super::settings::settings;

/// What a machine key is good for here.
pub(super) enum Use {
    /// It opens and makes the site's cookies.
    Cookies,
    /// Nothing here needs it, for this reason.
    Nothing(&'static str),
}

/// What may be shown.
const PUBLIC: [&str; 6] =
    ["validation", "decryption", "compatibilitymode", "applicationname", "dataprotectortype", "configsource"];

pub(super) fn read(machine_key: Element<'_>, r#use: &Use, key: &str, draft: &mut Draft) {
    for mut setting in settings(machine_key) {
        // A slip in the name of a key must not show it.
        if !PUBLIC.contains(&setting.name.as_str()) {
            setting.value = "(not shown)".to_owned();
        }
        let value = setting.value.as_str();
        let outcome = match setting.name.as_str() {
            "validationkey" | "decryptionkey" | "validation" | "decryption" => match r#use {
                Use::Cookies => Outcome::Carried(key.to_owned()),
                Use::Nothing(why) => Outcome::Ignored((*why).to_owned()),
            },
            "compatibilitymode" => Outcome::Ignored("has no influence on session cookies".to_owned()),
            "applicationname" => Outcome::Ignored("is used by dataProtectorType only".to_owned()),
            "dataprotectortype" if value.is_empty() => Outcome::Ignored("empty, as if it were absent".to_owned()),
            "dataprotectortype" => Outcome::Unsupported(
                "replaces the machine key by code of yours: nothing but that code opens the cookies".to_owned(),
            ),
            // Reported for the section as a whole.
            "configsource" | "configprotectionprovider" => continue,
            _ => {
                draft.unknown(&setting);
                continue;
            }
        };
        draft.report.push(Some(setting.line), &setting.path, value, outcome);
    }
}
