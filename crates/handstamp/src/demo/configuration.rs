//! The demo's configuration: an ordinary `handstamp.toml`.

use super::app::{AUDITOR_ROLE, AUDITORS_PATH, SESSION_HEADER};
use super::ports::Ports;
use super::{DemoOptions, SIGN_OUT_PATH};
use crate::config::format_duration;
use std::net::SocketAddr;

/// What the token service says of everybody who signs in to the operators' page.
const OPERATOR_ROLE: &str = "Operator";

/// Where everything is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Addresses {
    pub(super) ports: Ports,
    pub(super) upstream: SocketAddr,
}

impl Addresses {
    pub(super) fn web(&self) -> String {
        format!("http://localhost:{}", self.ports.web)
    }

    pub(super) fn sts(&self) -> String {
        format!("http://localhost:{}", self.ports.sts)
    }

    pub(super) fn admin(&self) -> String {
        format!("http://localhost:{}", self.ports.admin)
    }

    pub(super) fn soap(&self) -> String {
        format!("http://localhost:{}/ledger", self.ports.soap)
    }
}

/// The file, in which paths are relative to its folder.
///
/// Cookies are not `Secure`, because the demo has no TLS: some browsers refuse such cookies over http even from localhost.
pub(super) fn text(addresses: &Addresses, options: &DemoOptions) -> String {
    let Addresses { ports: Ports { web: web_port, sts: sts_port, admin: admin_port, .. }, upstream } = addresses;
    let (web, sts, admin) = (addresses.web(), addresses.sts(), addresses.admin());
    let mode = if options.reference_mode { "reference" } else { "self-contained" };
    let lifetime = format_duration(options.session_lifetime);
    format!(
        r#"# Written by `handstamp demo` at each start; changes are lost.

[log]
level = "warn"

[keys]
path = "keys.json"

[store]
kind = "sqlite"
path = "store.db"

[admin]
address = "127.0.0.1:{admin_port}"
federation = "operators"
required_roles = ["{OPERATOR_ROLE}"]

[shutdown]
drain = "5s"

[listener.web]
address = "127.0.0.1:{web_port}"

[listener.sts]
address = "127.0.0.1:{sts_port}"

[issuer.demo]
sign_in_url = "{sts}/wsfed"
name = "urn:handstamp:demo:sts"
certificates = ["sts.crt"]

[federation.demo]
realm = "urn:handstamp:demo:app"
public_url = "{web}"
sign_out_path = "{SIGN_OUT_PATH}"

[federation.demo.session]
mode = "{mode}"
absolute_timeout = "{lifetime}"
cap_to_issuer_lifetime = false
clock_skew = "0s"

[federation.demo.cookie]
name = "handstamp-demo"
secure = false

[federation.operators]
realm = "urn:handstamp:demo:operators"
public_url = "{admin}"

[federation.operators.session]
absolute_timeout = "{lifetime}"

[federation.operators.cookie]
name = "handstamp-demo-operators"
secure = false

[web.application]
listeners = ["web"]
federation = "demo"
upstream = "http://{upstream}"
sign_in = "required"
session_header = "{SESSION_HEADER}"

[web.auditors]
listeners = ["web"]
federation = "demo"
path = "{AUDITORS_PATH}"
upstream = "http://{upstream}"
sign_in = "required"
required_roles = ["{AUDITOR_ROLE}"]
session_header = "{SESSION_HEADER}"

[sts]
listeners = ["sts"]
public_url = "{sts}"
entity_id = "urn:handstamp:demo:sts"
display_name = "Demo sign-in service"
accounts = "accounts.db"
signing_key = "sts.pem"
session_lifetime = "{lifetime}"
cookie_name = "handstamp-demo-sts"
cookie_secure = false

[sts.relying_party.application]
realm = "urn:handstamp:demo:app"
display_name = "Sample application"
reply_urls = ["{web}/signin-wsfed"]
token = "saml-2.0"

[sts.relying_party.operators]
realm = "urn:handstamp:demo:operators"
display_name = "Operators' page"
reply_urls = ["{admin}/signin-wsfed"]
token = "saml-2.0"
claims = ["*", "role = {OPERATOR_ROLE}"]
"#
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use std::path::Path;
    use std::time::Duration;

    #[test]
    fn the_generated_configuration_is_valid_in_both_modes() {
        for reference_mode in [false, true] {
            let addresses = Addresses {
                ports: Ports { web: 7420, sts: 7421, admin: 7422, soap: 7423 },
                upstream: "127.0.0.1:7424".parse().unwrap(),
            };
            let options =
                DemoOptions { data: None, port: None, reference_mode, session_lifetime: Duration::from_secs(8 * 3600) };
            let text = text(&addresses, &options);
            let config = Config::parse(&text, Path::new("/nowhere/handstamp.toml"));
            let config = config.unwrap_or_else(|findings| panic!("{findings}"));
            assert_eq!(config.sts.unwrap().session_lifetime, Duration::from_secs(8 * 3600));
        }
    }
}
