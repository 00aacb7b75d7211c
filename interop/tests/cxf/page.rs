//! `docs/interop.md`.

use crate::trial::{LIMITS, Pair, Row};
use std::path::Path;

const BEFORE: &str = r#"# Interoperability

<!-- Written by the run that it tells of: HANDSTAMP_BLESS=1 cargo xtask test --only interop -->

Secure sessions are tried against Apache CXF VERSION from Maven Central, alive and over HTTP, at the 24 endpoints of the
public WS-SecureConversation interoperability service of WCF, from WSDLs of our own with the same policies
(`interop/tests/cxf`). `cargo xtask test --only interop` builds CXF (Java, Maven, Python and Node are needed), runs everything, and fails when
something does not work or this page says otherwise.

At each endpoint and for each pair of client and service:

* a session is established, and two calls are made in it;
* where the endpoint's policy lets clients cancel, a session is cancelled after a call;
* `AC` once more with an empty `SOAPAction`.

Two columns go through routes of the gateway, which have the same WSDLs: CXF's client calls a Python service that knows nothing of
security, by `mode = "terminate"`, and the service is told who calls; zeep, npm's soap and curl call CXF's service by
`mode = "initiate"`, with nothing but the plain WSDL that the route serves (`interop/soap`).

Names of endpoints: `A` anonymous client, `X` client certificate, `UX` user name, all for the service's certificate; `D` derived
keys; `C` sessions are cookies, and are not cancelled; a leading `_` invites to cancel; `ES` encrypt before signing, `SEES` sign, encrypt,
and encrypt the signature; `10` WS-Security 1.0. CXF has two implementations of message security, on trees (DOM) and on streams. The
last two columns are CXF on its own.

"#;

/// Compares the page with what a run found, or writes it.
pub(crate) fn check(rows: &[Row]) -> Result<(), String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/interop.md");
    let page = page(rows);
    if std::env::var_os("HANDSTAMP_BLESS").is_some() {
        std::fs::write(&path, page).unwrap();
        return Ok(());
    }
    if std::fs::read_to_string(&path).is_ok_and(|there| there == page) {
        return Ok(());
    }
    Err("docs/interop.md says something else than this run: look into it, then run again with HANDSTAMP_BLESS=1"
        .to_owned())
}

fn page(rows: &[Row]) -> String {
    let mut page = BEFORE.replace("VERSION", version());
    let titles = Pair::ALL.map(Pair::title).join(" | ");
    page.push_str(&format!("| Endpoint | {titles} |\n|---|{}\n", "---|".repeat(Pair::ALL.len())));
    for row in rows {
        let cells = Pair::ALL.map(|pair| row.cell(pair)).join(" | ");
        page.push_str(&format!("| {} | {cells} |\n", row.name));
    }
    page.push('\n');
    for (index, limit) in LIMITS.iter().enumerate() {
        page.push_str(&format!("[{}] {}\n\n", index + 1, limit.reason));
    }
    page.trim_end().to_owned() + "\n"
}

/// Of CXF, as the build has it.
fn version() -> &'static str {
    let build = include_str!("../../cxf/pom.xml");
    let version = build.split_once("<cxf.version>").and_then(|(_, rest)| rest.split_once('<'));
    version.map(|(version, _)| version).unwrap_or_default()
}
