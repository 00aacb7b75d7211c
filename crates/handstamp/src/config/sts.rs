//! Options of the built-in security token service.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use toml::Spanned;
use toml::de::DeValue;

use super::check::not_zero;
use super::cookie::NamedCookie;
use super::findings::{FindingKind, Reader};
use super::schema::{Value, choice, section};
use super::upstream::{UpstreamTls, Upstreams};
use super::values::{HostPattern, HttpUrl, PathPrefix};
use super::web::ClaimHeaders;
use crate::claim_rules::ClaimRule;

section! {
    /// The built-in security token service: accounts, a sign-in page, signed tokens.
    pub struct Sts {
        /// Listeners that serve it, by name; all when empty.
        listeners: Vec<String> = [],
        /// Hosts it answers for; any host when empty.
        hosts: Vec<HostPattern> = [],
        /// Path it answers for, with everything below. Sign-in requests go to `wsfed` below it.
        path: PathPrefix = "/",
        /// The address of the service as browsers see it, without the path, such as `https://sts.example`.
        public_url: HttpUrl,
        /// The issuer that assertions name: an absolute URI. It never changes, even when the address does.
        entity_id: String,
        /// Name people see on the pages.
        display_name: String = "Sign-in service",
        /// Database of accounts; made if needed. `handstamp account` looks after it.
        accounts: PathBuf = "handstamp-accounts.db",
        /// Signing key and certificate, as PEM, readable by its owner only; made on the first start. The certificate alone
        /// is beside it, with the ending `crt`.
        signing_key: PathBuf = "handstamp-sts.pem",
        /// How long a sign-in lasts here: until then, relying parties get tokens without a new password.
        session_lifetime: Duration = "10h",
        /// Name of the session's cookie. A name with `__Host-` binds it to one host and to https.
        cookie_name: String = "__Host-sts",
        /// Send the cookies over https only. Browsers count `localhost` as secure.
        cookie_secure: bool = true,
        /// Give tokens to programs, too: WS-Trust at `trust/2005/…` and `trust/13/…` below `path`, with `usernamemixed` (a
        /// password under TLS) and `username` (a message encrypted for the signing certificate).
        active: bool = false,
        /// Applications that get tokens.
        relying_party: BTreeMap<String, StsRelyingParty>,
    }
}

section! {
    /// An application that gets tokens from the built-in service.
    pub struct StsRelyingParty {
        /// Its identifier (`wtrealm`; for programs `AppliesTo`, thus usually the address of the service): an absolute URI.
        realm: String,
        /// Name people see on the sign-in page; the table's name when absent.
        display_name: Option<String>,
        /// Addresses to which browsers may post tokens; the first when the request names none. May be empty with `sts.active`,
        /// for a service that only programs call.
        reply_urls: Vec<HttpUrl>,
        /// Address that ends the user's session there, called when the user signs out here; the first of `reply_urls` when
        /// absent.
        sign_out_url: Option<HttpUrl>,
        /// Address that is told by a logout token when the user signs out here (OpenID Connect Back-Channel Logout): a gateway's
        /// `back_channel.path`. Its key is published at `jwks` below `sts.path`.
        back_channel_logout: Option<Upstreams>,
        /// TLS to that address.
        back_channel_tls: UpstreamTls,
        /// Form of the token.
        token: TokenForm = "saml-1.1",
        /// How long a token is valid.
        token_lifetime: Duration = "1h",
        /// Certificate for which its tokens are encrypted, as a PEM or DER file; in clear, under TLS only, when absent. Programs get
        /// tokens in clear, whose proof key is encrypted for it; without it, they get tokens for bearers only.
        encryption_certificate: Option<PathBuf>,
        /// How its tokens are encrypted. Applications on the .NET Framework, thus WIF's, know no `aes-256-gcm`.
        encryption: EncryptionForm = "aes-256-gcm",
        /// Claims it receives: `TYPE` for the claims of a type, `TYPE as OTHER` to issue them under another type,
        /// `TYPE = VALUE` for one that is the same for everybody, `*` for everything that is known. Types are URIs, or the
        /// short names `name`, `email`, `upn`, `role`, `name_identifier`.
        claims: ClaimRules = ["*"],
    }
}

choice! {
    /// Forms of tokens.
    pub enum TokenForm {
        /// What WIF's relying parties expect first.
        Saml11 = "saml-1.1",
        /// SAML 2.0.
        Saml20 = "saml-2.0",
    }
}

choice! {
    /// How tokens are encrypted; the key goes with RSA-OAEP.
    pub enum EncryptionForm {
        /// AES-256 in Galois/counter mode.
        Aes256Gcm = "aes-256-gcm",
        /// AES-128 in Galois/counter mode.
        Aes128Gcm = "aes-128-gcm",
        /// AES-256 in CBC mode.
        Aes256Cbc = "aes-256-cbc",
        /// AES-128 in CBC mode.
        Aes128Cbc = "aes-128-cbc",
    }
}

/// Which claims go further, rule by rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimRules(pub Vec<ClaimRule>);

impl ClaimRules {
    fn rule(text: &str) -> Result<ClaimRule, String> {
        if text == "*" {
            return Ok(ClaimRule::ReleaseAll);
        }
        if let Some((claim_type, value)) = text.split_once(" = ") {
            let claim_type = ClaimHeaders::claim_type(claim_type.trim())?;
            return Ok(ClaimRule::Constant { claim_type, value: value.trim().into() });
        }
        let (claim_type, issued_as) = match text.split_once(" as ") {
            Some((claim_type, other)) => (claim_type, Some(ClaimHeaders::claim_type(other.trim())?)),
            None => (text, None),
        };
        let claim_type = ClaimHeaders::claim_type(claim_type.trim())?;
        Ok(ClaimRule::Release { claim_type, issued_as, values: Vec::new() })
    }
}

impl Value for ClaimRules {
    fn kind() -> Cow<'static, str> {
        Cow::Borrowed("list of claim rules")
    }

    fn read(value: &Spanned<DeValue<'_>>, path: &str, reader: &mut Reader) -> Option<Self> {
        let texts = Vec::<String>::read(value, path, reader)?;
        let rules = texts.iter().enumerate().map(|(index, text)| {
            Self::rule(text)
                .map_err(|message| reader.report(FindingKind::Value, &format!("{path}[{index}]"), message))
                .ok()
        });
        rules.collect::<Vec<_>>().into_iter().collect::<Option<Vec<_>>>().map(Self)
    }
}

impl Sts {
    /// Reports what does not fit together.
    pub(super) fn check(&self, reader: &mut Reader) {
        if !is_absolute_uri(&self.entity_id) {
            let message = "must be an absolute URI such as \"urn:company:sts\"";
            reader.report(FindingKind::Value, "sts.entity_id", message);
        }
        if !matches!(self.public_url.path(), "" | "/") || self.public_url.query().is_some() {
            reader.report(FindingKind::Value, "sts.public_url", "must have no path: `path` says where the service is");
        }
        if self.cookie_secure && !self.public_url.is_https() && !self.public_url.is_loopback() {
            let message =
                "needs https, or browsers lose the cookie: use an https `public_url`, or set cookie_secure = false";
            reader.report(FindingKind::Conflict, "sts.cookie_secure", message);
        }
        let cookie = NamedCookie {
            name: ("sts.cookie_name".to_owned(), &self.cookie_name),
            path: None,
            domain: None,
            secure: ("sts.cookie_secure".to_owned(), self.cookie_secure),
        };
        cookie.check(reader);
        not_zero(self.session_lifetime, "sts.session_lifetime", reader);
        let mut realms = BTreeMap::new();
        for (name, party) in &self.relying_party {
            let path = format!("sts.relying_party.{name}");
            not_zero(party.token_lifetime, &format!("{path}.token_lifetime"), reader);
            if !is_absolute_uri(&party.realm) {
                let message = "must be an absolute URI such as \"https://shop.example/\" or \"urn:shop\"";
                reader.report(FindingKind::Value, &format!("{path}.realm"), message);
            }
            if let Some(other) = realms.insert(&party.realm, name) {
                let message = format!("is also the realm of relying_party.{other}; realms tell them apart");
                reader.report(FindingKind::Conflict, &format!("{path}.realm"), message);
            }
            for server in party.back_channel_logout.iter().flat_map(Upstreams::servers) {
                if !server.url.is_https() && !server.url.is_loopback() {
                    let message = format!("{} is not https: anybody on the way would learn who signs out", server.url);
                    reader.report(FindingKind::Conflict, &format!("{path}.back_channel_logout"), message);
                }
            }
            if party.reply_urls.is_empty() && !self.active {
                let message = "needs at least one address: tokens go nowhere else";
                reader.report(FindingKind::Value, &format!("{path}.reply_urls"), message);
            }
        }
    }
}

fn is_absolute_uri(text: &str) -> bool {
    text.split_once(':').is_some_and(|(scheme, rest)| {
        !rest.is_empty()
            && !scheme.is_empty()
            && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use handstamp_claims::claim_types;
    use std::path::Path;

    const GOOD: &str = r#"
        [listener.public]
        address = "127.0.0.1:8080"
        [sts]
        public_url = "https://sts.example"
        entity_id = "urn:example:sts"
        [sts.relying_party.shop]
        realm = "urn:example:shop"
        reply_urls = ["https://shop.example/signin-wsfed"]
        claims = ["name", "email as urn:mail", "urn:tenant = north", "*"]
    "#;

    #[test]
    fn claim_rules_are_read() {
        let config = Config::parse(GOOD, Path::new("test.toml")).unwrap();
        let party = &config.sts.unwrap().relying_party["shop"];
        assert_eq!(
            party.claims.0,
            [
                ClaimRule::release(claim_types::NAME),
                ClaimRule::Release {
                    claim_type: claim_types::EMAIL,
                    issued_as: Some("urn:mail".into()),
                    values: Vec::new()
                },
                ClaimRule::Constant { claim_type: "urn:tenant".into(), value: "north".into() },
                ClaimRule::ReleaseAll,
            ]
        );
        assert_eq!((party.token, party.token_lifetime), (TokenForm::Saml11, Duration::from_secs(3600)));
    }

    #[test]
    fn what_does_not_fit_is_reported() {
        for (change, finding) in [
            (("urn:example:sts", "sts"), "sts.entity_id"),
            (("https://sts.example", "https://sts.example/login"), "sts.public_url"),
            (("https://sts.example", "http://sts.example"), "sts.cookie_secure"),
            (("\"https://shop.example/signin-wsfed\"", ""), "sts.relying_party.shop.reply_urls"),
            (("urn:example:shop", "shop"), "sts.relying_party.shop.realm"),
            (
                ("claims =", "back_channel_logout = \"http://shop.example/bye\"\n        claims ="),
                "sts.relying_party.shop.back_channel_logout",
            ),
            (("\"name\"", "\"nane\""), "sts.relying_party.shop.claims[0]"),
        ] {
            let text = GOOD.replace(change.0, change.1);
            let findings = Config::parse(&text, Path::new("test.toml")).unwrap_err();
            assert!(findings.to_string().contains(finding), "{finding} is missing in: {findings}");
        }
    }
}
