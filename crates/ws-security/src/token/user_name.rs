//! `wsse:UsernameToken` (SC 6.2).

use crate::error::Error;
use handstamp_xml::{Element, Writer, names};
use std::fmt;
use zeroize::Zeroizing;

/// A name and a password.
#[derive(Clone, PartialEq, Eq)]
pub struct UserNameToken {
    /// `wsu:Id`.
    pub id: Option<String>,
    /// The name.
    pub name: String,
    /// The password; empty when there is none.
    pub password: Zeroizing<String>,
}

/// `Type` of a password in clear.
pub const PASSWORD_TEXT: &str =
    "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-username-token-profile-1.0#PasswordText";

impl UserNameToken {
    /// Reads the element: `Username` and `Password` (text only); `Nonce` and `Created` are skipped, all else is an error.
    pub fn parse(element: Element<'_>) -> Result<Self, Error> {
        if !element.is(names::WSSE, "UsernameToken") {
            return Err(malformed("it is another element"));
        }
        let (mut name, mut password) = (None, None);
        for child in element.children() {
            match (child.namespace(), child.local_name()) {
                (names::WSSE, "Username") if name.is_none() => name = Some(child.text().into_owned()),
                (names::WSSE, "Password") if password.is_none() => {
                    if child.attribute("Type").is_some_and(|kind| kind != PASSWORD_TEXT) {
                        return Err(malformed("the Type of its password is not PasswordText"));
                    }
                    password = Some(Zeroizing::new(child.text().into_owned()));
                }
                (names::WSSE, "Nonce") | (names::WSU, "Created") => {}
                _ => return Err(malformed("it holds something that is not known, or something twice")),
            }
        }
        Ok(Self {
            id: element.attribute_ns(names::WSU, "Id").map(str::to_owned),
            name: name.ok_or_else(|| malformed("it has no Username"))?,
            password: password.unwrap_or_default(),
        })
    }

    /// Writes the element as WCF does.
    pub fn write(&self, writer: &mut Writer, basic_security_profile: bool) {
        writer.start("o", names::WSSE, "UsernameToken");
        if let Some(id) = &self.id {
            writer.wsu_id(id);
        }
        writer.element("o", names::WSSE, "Username", &self.name).start("o", names::WSSE, "Password");
        if basic_security_profile {
            writer.attribute("Type", PASSWORD_TEXT);
        }
        writer.text(&self.password).end().end();
    }
}

/// Without the password.
impl fmt::Debug for UserNameToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UserNameToken").field("id", &self.id).field("name", &self.name).finish_non_exhaustive()
    }
}

fn malformed(problem: &str) -> Error {
    Error::malformed("SC 6.2", "UsernameToken", problem)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::token::test_support::written;

    #[test]
    fn sc_6_2_tokens_survive_writing_and_reading_and_hide_the_password() {
        let token =
            UserNameToken { id: Some("u".into()), name: "alice".into(), password: Zeroizing::new("secret".into()) };
        let document = written(|writer| token.write(writer, true));
        assert_eq!(UserNameToken::parse(document.root()).unwrap(), token);
        assert!(!format!("{token:?}").contains("secret"));
    }

    #[test]
    fn sc_6_2_digests_and_unknown_children_are_refused() {
        let document = written(|writer| {
            writer.start("o", names::WSSE, "UsernameToken").element("o", names::WSSE, "Username", "alice");
            writer.start("o", names::WSSE, "Password").attribute("Type", "urn:digest").text("x").end().end();
        });
        assert!(UserNameToken::parse(document.root()).is_err());
        let document = written(|writer| {
            writer.start("o", names::WSSE, "UsernameToken").element("o", names::WSSE, "Username", "alice");
            writer.element("o", names::WSSE, "Username", "bob").end();
        });
        assert!(UserNameToken::parse(document.root()).is_err());
    }
}
