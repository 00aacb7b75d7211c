//! What a configuration file may say, and what is said about one that is wrong.

use std::path::Path;

use handstamp::config::{Config, reference};

fn findings(text: &str) -> Vec<String> {
    match Config::parse(text, Path::new("/etc/handstamp.toml")) {
        Ok(_) => Vec::new(),
        Err(findings) => findings.iter().map(ToString::to_string).collect(),
    }
}

#[track_caller]
fn assert_finds(text: &str, expected: &[&str]) {
    assert_eq!(findings(text), expected, "for\n{text}");
}

const MINIMAL: &str = "[listener.public]\naddress = \"127.0.0.1:0\"\n";

#[test]
fn an_unknown_key_is_an_error_that_names_line_and_nearest_key() {
    assert_finds(
        &format!("{MINIMAL}\n[web.shop]\nupstrem = \"http://127.0.0.1:3000\"\n"),
        &[
            "/etc/handstamp.toml:4:6: HST-CONFIG-MISSING web.shop.upstream: is required: set it to a URL",
            "/etc/handstamp.toml:5:1: HST-CONFIG-UNKNOWN-KEY web.shop.upstrem: unknown key; did you mean `upstream`?",
        ],
    );
    assert_finds(
        "[lisstener.public]\naddress = \"127.0.0.1:0\"\n",
        &["/etc/handstamp.toml:1:2: HST-CONFIG-UNKNOWN-KEY lisstener: unknown key; did you mean `listener`?"],
    );
    assert_finds(
        "[log]\nzebra = 1\n",
        &[
            "/etc/handstamp.toml:2:1: HST-CONFIG-UNKNOWN-KEY log.zebra: unknown key; known here: level, format, requests",
        ],
    );
}

#[test]
fn every_mistake_is_reported_in_the_order_of_the_file() {
    assert_finds(
        r#"
[log]
level = "loud"

[listener.public]
address = "8080"
header_timeout = "10 seconds"
max_header_size = "64KB"
trusted_proxies = ["10.0.0.0/40"]

[shutdown]
drain = 30
"#,
        &[
            "/etc/handstamp.toml:3:1: HST-CONFIG-VALUE log.level: must be one of `error` `warn` `info` `debug` `trace`",
            "/etc/handstamp.toml:6:1: HST-CONFIG-VALUE listener.public.address: must be an address and port such as \"127.0.0.1:8080\" or \"[::1]:8080\", or \"unix:\" and the path of a socket",
            "/etc/handstamp.toml:7:1: HST-CONFIG-VALUE listener.public.header_timeout: must be a duration such as \"30s\", \"15m\", \"1h30m\" or \"7d\"",
            "/etc/handstamp.toml:8:1: HST-CONFIG-VALUE listener.public.max_header_size: must be a size such as \"64KiB\" or \"1MiB\"",
            "/etc/handstamp.toml:9:20: HST-CONFIG-VALUE listener.public.trusted_proxies[0]: must be an address or a network such as \"10.0.0.0/8\" or \"fd00::/8\"",
            "/etc/handstamp.toml:12:1: HST-CONFIG-VALUE shutdown.drain: must be a duration such as \"30s\", \"15m\", \"1h30m\" or \"7d\"",
        ],
    );
}

#[test]
fn what_is_no_toml_is_said_with_its_line() {
    let found = findings("[log]\nlevel = \n");
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].starts_with("/etc/handstamp.toml:2:"), "{found:?}");
    assert!(found[0].contains("HST-CONFIG-SYNTAX"), "{found:?}");
}

#[test]
fn references_to_what_is_not_there_are_errors() {
    assert_finds(
        &format!(
            "{MINIMAL}\n[web.shop]\nupstream = \"http://127.0.0.1:3000\"\nlisteners = [\"publik\"]\nsign_in = \"required\"\n"
        ),
        &[
            "/etc/handstamp.toml:4:6: HST-CONFIG-MISSING web.shop.federation: there is none: add [federation.NAME]",
            "/etc/handstamp.toml:6:14: HST-CONFIG-CONFLICT web.shop.listeners[0]: there is no [listener.publik]; did you mean \"public\"?",
        ],
    );
}

#[test]
fn what_does_not_fit_together_is_an_error() {
    assert_finds(
        &format!(
            r#"{MINIMAL}
[issuer.corp]
sign_in_url = "http://sts.example/wsfed"

[federation.shop]
realm = "shop"
sign_out_path = "/"

[federation.shop.session]
mode = "reference"
idle_timeout = "20h"
clock_skew = "5m"

[federation.shop.cookie]
secure = false
chunk_size = 10

[web.shop]
upstream = "https://127.0.0.1:3000/app"
required_roles = ["admin"]

[web.old]
path = "/old"
upstream = "http://127.0.0.1:3000"
sign_in = "required"
pass_session_cookie = true
"#
        ),
        &[
            "/etc/handstamp.toml:4:9: HST-CONFIG-MISSING issuer.corp: is not trusted: give its metadata, name its signing certificate in certificates, or give fingerprints",
            "/etc/handstamp.toml:5:1: HST-CONFIG-CONFLICT issuer.corp.sign_in_url: http://sts.example/wsfed is not https: anybody on the way could take over the sign-in; use https, or set federation.shop.require_https = false",
            "/etc/handstamp.toml:8:1: HST-CONFIG-VALUE federation.shop.realm: must be an absolute URI such as \"https://shop.example/\" or \"urn:shop\"",
            "/etc/handstamp.toml:9:1: HST-CONFIG-CONFLICT federation.shop.sign_out_path: must not be the whole site",
            "/etc/handstamp.toml:12:1: HST-CONFIG-CONFLICT federation.shop.session.mode: needs a store that survives a restart: set [store] kind = \"sqlite\", \"redis\" or \"postgresql\"",
            "/etc/handstamp.toml:13:1: HST-CONFIG-CONFLICT federation.shop.session.idle_timeout: is longer than absolute_timeout and would never take effect",
            "/etc/handstamp.toml:14:1: HST-CONFIG-VALUE federation.shop.session.clock_skew: must be at most \"60s\": our own nodes agree on the time; for the issuer's clock set clock_skew of the federation",
            "/etc/handstamp.toml:17:1: HST-CONFIG-CONFLICT federation.shop.cookie.secure: must be true for a cookie name with __Host-; or choose another federation.shop.cookie.name",
            "/etc/handstamp.toml:18:1: HST-CONFIG-VALUE federation.shop.cookie.chunk_size: must be at least 1000 (SM-21)",
            "/etc/handstamp.toml:21:1: HST-CONFIG-VALUE web.shop.upstream: must be scheme, host and port only, such as \"http://127.0.0.1:3000\"",
            "/etc/handstamp.toml:22:1: HST-CONFIG-CONFLICT web.shop.required_roles: means nothing without sign-in: set sign_in = \"required\" or \"optional\"",
            "/etc/handstamp.toml:28:1: HST-CONFIG-CONFLICT web.old.pass_session_cookie: is for applications that sign people in themselves: set sign_in = \"off\"",
        ],
    );
}

/// A relying party whose session has these settings, from line 12 on, and what follows them.
fn shop(session: &str, rest: &str) -> String {
    format!(
        r#"{MINIMAL}
[issuer.corp]
sign_in_url = "https://sts.example/wsfed"
thumbprints = ["aa aa aa aa aa aa aa aa aa aa aa aa aa aa aa aa aa aa aa aa"]

[federation.shop]
realm = "https://shop.example/"

[federation.shop.session]
{session}
{rest}
"#
    )
}

/// What `serve` would refuse only when it makes the cookie.
#[test]
fn cookies_that_cannot_be_made_are_found() {
    let wif = "[federation.shop.wif]\nmachine_keys = [\"machine-key.xml\"]\n";
    let cookie = "[federation.shop.cookie]\n";
    for (lines, finding) in [
        (format!("{cookie}name = \"a b\""), "cookie.name: must be letters, digits, - and _"),
        (format!("{cookie}name = \"n\"\npath = \"/a;b\""), "cookie.path: must not contain ; in a cookie"),
        (format!("{cookie}name = \"n\"\ndomain = \"shop.example:8080\""), "cookie.domain: must be a domain"),
        (format!("{cookie}name = \"__host-n\"\nsecure = false"), "cookie.secure: must be true"),
        (format!("{cookie}name = \"__Http-n\"\nsecure = false"), "cookie.secure: must be true"),
        (format!("{cookie}max_chunks = 17"), "cookie.max_chunks: must be from 1 to 16"),
        (format!("{wif}cookie_path = \"/a;b\""), "wif.cookie_path: must not contain ; in a cookie"),
        (format!("{wif}cookie_domain = \"a..b\""), "wif.cookie_domain: must be a domain"),
        (format!("{wif}cookie_name = \"__Host-FedAuth\"\ncookie_domain = \"a\""), "wif.cookie_domain: must be absent"),
    ] {
        let session = if lines.starts_with(wif) { "accept = [\"wif\"]" } else { "" };
        let found = findings(&shop(session, &lines));
        assert!(found.len() == 1 && found[0].contains(&format!("federation.shop.{finding}")), "{lines}: {found:#?}");
    }
}

/// What lasts no time is over before it is used; `serve` would not begin, or nobody could sign in.
#[test]
fn what_lasts_no_time_is_refused() {
    let sts = "[sts]\npublic_url = \"https://sts.example\"\nentity_id = \"urn:sts\"\nsession_lifetime = \"0s\"\n\
        [sts.relying_party.shop]\nrealm = \"urn:shop\"\nreply_urls = [\"https://shop.example/\"]\ntoken_lifetime = \"0s\"\n\
        [jwt]\nissuer = \"https://shop.example\"\nlifetime = \"0s\"\n";
    let lines = [
        "6:1: HST-CONFIG-VALUE sts.session_lifetime",
        "10:1: HST-CONFIG-VALUE sts.relying_party.shop.token_lifetime",
        "13:1: HST-CONFIG-VALUE jwt.lifetime",
    ];
    let expected = lines.map(|line| format!("/etc/handstamp.toml:{line}: must be longer than 0s"));
    assert_finds(&format!("{MINIMAL}{sts}"), &expected.each_ref().map(String::as_str));
}

#[test]
fn keys_do_not_rotate_faster_than_nodes_learn_of_them() {
    let finding = "/etc/handstamp.toml:4:1: HST-CONFIG-VALUE keys.rotate_after: must be at least 10m: a fresh key waits two minutes \
        until every node has it, and none is forgotten while sessions may be under it";
    for (age, expected) in [("0s", &[finding][..]), ("599s", &[finding]), ("10m", &[])] {
        assert_finds(&format!("{MINIMAL}[keys]\nrotate_after = \"{age}\"\n"), expected);
    }
}

/// Room for so many would be more than a machine has: the first request would end the program.
#[test]
fn more_header_lines_than_fit_into_memory_are_refused() {
    assert_finds(
        &format!("{MINIMAL}max_headers = 4294967295\n"),
        &["/etc/handstamp.toml:3:1: HST-CONFIG-VALUE listener.public.max_headers: must be from 1 to 10000"],
    );
}

/// A finding is one line, whatever stands in the file, and text is what it looks like.
#[test]
fn control_characters_do_not_reach_whoever_reads() {
    assert_finds(
        "\"a\\nb\\u001b[2J\" = 1\n",
        &[&format!(
            "/etc/handstamp.toml:1:1: HST-CONFIG-UNKNOWN-KEY a\\nb\\u{{1b}}[2J: unknown key; known here: {}",
            "log, keys, store, admin, audit, telemetry, pages, shutdown, listener, issuer, federation, web, soap, forward_auth, jwt, sts"
        )],
    );
    assert_finds(
        "[audit]\npath = \"audit.log\\n\"\n",
        &["/etc/handstamp.toml:2:1: HST-CONFIG-VALUE audit.path: must be one line, without control characters"],
    );
}

#[test]
fn formats_of_sessions_need_their_keys_and_names_of_their_own() {
    let wif = "[federation.shop.wif]\nmachine_keys = [\"key.xml\"]\n";
    assert_finds(&shop("accept = [\"wif\"]", wif), &[]);
    assert_finds(&shop("format = \"wif\"\naccept = [\"native\"]", &format!("{wif}scopes = [\"/orders\"]")), &[]);
    assert_finds(
        &shop("accept = [\"wif\", \"native\", \"wif\"]", ""),
        &[
            "/etc/handstamp.toml:8:13: HST-CONFIG-MISSING federation.shop.wif: is required for sessions in the format \"wif\": add [federation.shop.wif] with machine_keys or rsa_keys",
            "/etc/handstamp.toml:12:18: HST-CONFIG-CONFLICT federation.shop.session.accept[1]: is the format that is written: name only others",
            "/etc/handstamp.toml:12:28: HST-CONFIG-CONFLICT federation.shop.session.accept[2]: is there twice",
        ],
    );
    assert_finds(
        &shop("", wif),
        &[
            "/etc/handstamp.toml:13:18: HST-CONFIG-CONFLICT federation.shop.wif: means nothing unless session.format or session.accept names \"wif\"",
        ],
    );
    assert_finds(
        &shop("accept = [\"wif\"]", "[federation.shop.wif]\ncookie_name = \"__Host-session\""),
        &[
            "/etc/handstamp.toml:13:18: HST-CONFIG-MISSING federation.shop.wif.machine_keys: is empty, and so is rsa_keys: name the file of a <machineKey> element. Without one, WIF protects cookies by DPAPI, which exists on Windows only: set MachineKeySessionSecurityTokenHandler there",
            "/etc/handstamp.toml:14:1: HST-CONFIG-CONFLICT federation.shop.wif.cookie_name: is also the name of the native format's cookie: choose another cookie.name",
        ],
    );
    assert_finds(
        &shop(
            "format = \"wif\"\nmode = \"reference\"",
            &format!("{wif}rsa_keys = [\"farm.pem\"]\nscopes = [\" \"]\n[store]\nkind = \"sqlite\"\npath = \"s.db\""),
        ),
        &[
            "/etc/handstamp.toml:14:18: HST-CONFIG-CONFLICT federation.shop.wif.references: must be true for session.mode = \"reference\" or \"automatic\" in the format \"wif\"; the native format authenticates its references",
            "/etc/handstamp.toml:16:1: HST-CONFIG-CONFLICT federation.shop.wif.rsa_keys: cannot be combined with machine_keys: a cookie is protected by one of them",
            "/etc/handstamp.toml:17:11: HST-CONFIG-VALUE federation.shop.wif.scopes[0]: must not be empty",
        ],
    );
}

#[test]
fn the_next_decryption_key_comes_after_a_current_one() {
    let keys = |keys: &str| shop("", "").replace("realm =", &format!("{keys}\nrealm ="));
    assert_finds(&keys("decryption_keys = [\"a.pem\", \"old.pem\"]\nnext_decryption_key = \"b.pem\""), &[]);
    assert_finds(
        &keys("decryption_keys = [\"a.pem\", \"b.pem\"]\nnext_decryption_key = \"b.pem\""),
        &[
            "/etc/handstamp.toml:10:1: HST-CONFIG-CONFLICT federation.shop.next_decryption_key: is in decryption_keys already, where the first one is current and the others are previous ones",
        ],
    );
    assert_finds(
        &keys("next_decryption_key = \"b.pem\""),
        &[
            "/etc/handstamp.toml:9:1: HST-CONFIG-CONFLICT federation.shop.next_decryption_key: means nothing without decryption_keys: name it there, as it is the only one",
        ],
    );
}

#[test]
fn two_routes_for_the_same_place_are_an_error() {
    assert_finds(
        &format!(
            "{MINIMAL}\n[web.a]\nupstream = \"http://127.0.0.1:1\"\nhosts = [\"Shop.example\"]\n\n[web.b]\nupstream = \"http://127.0.0.1:2\"\nhosts = [\"shop.example\"]\n"
        ),
        &["/etc/handstamp.toml:8:6: HST-CONFIG-CONFLICT web.b: answers for the same host and path as web.a"],
    );
}

#[test]
fn claims_become_headers_by_short_name_or_uri() {
    let web = "[web.shop]\nupstream = \"http://127.0.0.1:1\"\nsign_in = \"required\"\nfederation = \"shop\"\n";
    let rest = "[issuer.corp]\nsign_in_url = \"https://sts.example/\"\nthumbprints = [\"aa aa aa aa aa aa aa aa aa aa aa aa aa aa aa aa aa aa aa aa\"]\n[federation.shop]\nrealm = \"https://localhost/\"\n";
    let good = format!(
        "{MINIMAL}{rest}{web}[web.shop.claims_to_headers]\nX-User = \"name\"\nX-Dept = \"http://example/dept\"\n"
    );
    let config = Config::parse(&good, Path::new("handstamp.toml")).expect("it is good");
    let headers: Vec<(String, String)> = config.web["shop"]
        .claims_to_headers
        .iter()
        .map(|(header, claim)| (header.to_string(), claim.to_string()))
        .collect();
    assert_eq!(headers[1], ("x-user".into(), "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/name".into()));
    assert_eq!(headers[0], ("x-dept".into(), "http://example/dept".into()));

    assert_finds(
        &format!("{MINIMAL}{rest}{web}[web.shop.claims_to_headers]\nX-User = \"nmae\"\nHost = \"name\"\n"),
        &[
            "/etc/handstamp.toml:13:1: HST-CONFIG-VALUE web.shop.claims_to_headers.X-User: unknown claim; did you mean `name`?",
            "/etc/handstamp.toml:14:1: HST-CONFIG-VALUE web.shop.claims_to_headers.Host: has a meaning of its own in HTTP; use a name such as \"X-User\"",
        ],
    );
}

#[test]
fn relative_paths_start_in_the_folder_of_the_file() {
    let config =
        Config::parse("[keys]\npath = \"ring.json\"\n", Path::new("/etc/handstamp/h.toml")).expect("it is good");
    assert_eq!(config.keys.path, Path::new("/etc/handstamp/ring.json"));
}

#[test]
fn the_reference_holds_every_option_with_its_default() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/configuration.md");
    let (begin, end) = ("<!-- reference: begin -->\n", "\n<!-- reference: end -->");
    let document = std::fs::read_to_string(&file).expect("docs/configuration.md is there");
    let from = document.find(begin).expect("it has the marker") + begin.len();
    let to = document.find(end).expect("it has the end marker");
    if std::env::var_os("HANDSTAMP_BLESS").is_some() {
        let fresh = format!("{}{}{}", &document[..from], reference().trim(), &document[to..]);
        std::fs::write(&file, fresh).expect("docs/configuration.md is writable");
        return;
    }
    assert_eq!(
        &document[from..to],
        reference().trim(),
        "docs/configuration.md is out of date: run this test with HANDSTAMP_BLESS=1"
    );
}

#[test]
fn examples_in_the_documentation_are_good() {
    for file in ["README.md", "docs/configuration.md", "docs/forward-auth.md"] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(file);
        let document = std::fs::read_to_string(&path).expect("the document is there");
        let blocks =
            document.split("```toml\n").skip(1).map(|block| block.split("```").next().expect("the block ends"));
        // Others are parts of one.
        let whole: Vec<&str> = blocks.filter(|block| block.contains("[listener.")).collect();
        assert!(!whole.is_empty(), "{file}");
        for example in whole {
            assert_finds(example, &[]);
            let config = Config::parse(example, Path::new("/etc/handstamp.toml")).expect("it is good");
            assert_eq!(config.warnings(), [""; 0], "{file}");
        }
    }
}

/// SM-23: a secure cookie is not set over plain HTTP, so somebody must tell what came over TLS.
#[test]
fn secure_cookies_need_a_listener_that_knows_https() {
    let party = |listener: &str, federation: &str| {
        format!(
            "[listener.public]\naddress = \"127.0.0.1:8080\"\n{listener}\n[issuer.corp]\nsign_in_url = \"https://sts.example/\"\n\
             certificates = [\"corp.crt\"]\n[federation.shop]\n{federation}\n[web.shop]\n\
             upstream = \"http://127.0.0.1:3000\"\nsign_in = \"required\"\n"
        )
    };
    let shop = "realm = \"https://shop.example/\"";
    let says =
        "federation.shop.cookie.secure: needs https, and all that arrives at listener.public counts as plain HTTP";
    let warnings = |text: &str| {
        let config = Config::parse(text, Path::new("/etc/handstamp.toml"));
        config.unwrap_or_else(|findings| panic!("{findings}")).warnings()
    };
    let found = warnings(&party("", shop));
    assert!(found.len() == 1 && found[0].starts_with(says), "{found:?}");
    let tls = "[listener.public.tls.certificate.shop]\nchain = \"shop.pem\"\nkey = \"shop.pem\"";
    for (listener, federation) in [
        ("trusted_proxies = [\"127.0.0.1\"]", shop.to_owned()),
        (tls, shop.to_owned()),
        ("", format!("{shop}\ncookie = {{ secure = false, name = \"session\" }}")),
        // Browsers count the machine itself as secure.
        ("", format!("{shop}\npublic_url = \"http://localhost:8080\"")),
    ] {
        assert_eq!(warnings(&party(listener, &federation)), [""; 0]);
    }
    let elsewhere = party("[listener.other]\naddress = \"127.0.0.1:8081\"\ntrusted_proxies = [\"127.0.0.1\"]", shop);
    assert_eq!(warnings(&elsewhere), [""; 0]);
    let found = warnings(&format!("{elsewhere}listeners = [\"public\"]\n"));
    assert!(found.len() == 1 && found[0].starts_with(says), "{found:?}");
    let operators = party("", shop).replace("sign_in = \"required\"", "")
        + "[admin]\nfederation = \"shop\"\nrequired_roles = [\"operator\"]\n";
    let found = warnings(&operators);
    assert!(found.len() == 1 && found[0].contains("all that arrives at admin counts as plain"), "{found:?}");
    assert_eq!(warnings(&format!("{operators}trusted_proxies = [\"127.0.0.1\"]\n")), [""; 0]);
}

#[test]
fn sm_42_issuers_of_one_relying_party_are_told_apart() {
    let base = format!(
        "{MINIMAL}[keys]\npath = \"/k\"\n[issuer.a]\nname = \"urn:a\"\nsign_in_url = \"https://a.example/\"\nthumbprints = [\"{0}\"]\n\
         [issuer.b]\nname = \"urn:NAME\"\nsign_in_url = \"https://b.example/\"\nthumbprints = [\"{0}\"]\n\
         [federation.shop]\nrealm = \"https://shop.example/\"\n",
        "00".repeat(20)
    );
    let with = |name: &str, line: &str| findings(&format!("{}{line}\n", base.replace("NAME", name)));
    assert_eq!(with("b", "issuer = [\"a\", \"b\"]"), Vec::<String>::new());
    assert_eq!(with("b", "issuer = \"b\""), Vec::<String>::new());
    for (name, line, expected) in [
        ("a", "issuer = [\"a\", \"b\"]", "issuer.b.name: is the name of issuer.a, too"),
        ("b", "issuer = [\"a\", \"c\"]", "federation.shop.issuer: there is no [issuer.c]"),
        ("b", "issuer = [\"a\", \"a\"]", "federation.shop.issuer: must name from 1 to 32 issuers, each once"),
        ("b", "issuer = []", "federation.shop.issuer: must name from 1 to 32 issuers, each once"),
        ("b", "", "federation.shop.issuer: is required because there are several"),
        ("b", "issuer = [\"a\", \"b\"]\nhome_realm = \"urn:x\"", "home_realm: means nothing with several issuers"),
    ] {
        let found = with(name, line);
        assert!(found.iter().any(|finding| finding.contains(expected)), "{expected}: {found:?}");
    }
}

#[test]
fn an_authority_vouches_for_named_subjects_only() {
    let with = |lines: &str| {
        findings(&format!("{MINIMAL}[issuer.a]\nname = \"urn:a\"\nsign_in_url = \"https://a.example/\"\n{lines}\n"))
    };
    assert_eq!(with("authorities = [\"ca.pem\"]\nsubjects = [\"CN=a\"]"), Vec::<String>::new());
    for (lines, expected) in [
        ("authorities = [\"ca.pem\"]", "issuer.a.subjects: is required with authorities"),
        ("subjects = [\"CN=a\"]", "issuer.a.subjects: means nothing without authorities"),
    ] {
        let found = with(lines);
        assert!(found.iter().any(|finding| finding.contains(expected)), "{expected}: {found:?}");
    }
}

#[test]
fn relying_parties_that_share_a_cookie_say_whose_sessions_they_accept() {
    let of = |name: &str, lines: &str| {
        format!(
            "[federation.{name}]\nrealm = \"https://shop.example/{name}\"\nreply_path = \"/{name}/in\"\nsign_out_path = \"/{name}/out\"\n\
             signed_out_path = \"/{name}/bye\"\n{lines}\n"
        )
    };
    let base = format!(
        "{MINIMAL}[keys]\npath = \"/k\"\n[issuer.a]\nname = \"urn:a\"\nsign_in_url = \"https://a.example/\"\nthumbprints = [\"{}\"]\n",
        "00".repeat(20)
    );
    let with = |a: &str, b: &str| findings(&format!("{base}{}{}", of("a", a), of("b", b)));
    let accept = |name: &str| format!("session.accept_from = [\"{name}\"]");
    assert_eq!(with("", &accept("a")), Vec::<String>::new());
    assert_eq!(with(&accept("b"), &accept("a")), Vec::<String>::new());
    assert_eq!(with("", "cookie.name = \"__Host-b\""), Vec::<String>::new());
    for (a, b, expected) in [
        ("", String::new(), "federation.a.cookie.name: is the name of federation.b's cookie, too"),
        ("", format!("cookie.name = \"__Host-b\"\n{}", accept("a")), "a has another cookie"),
        ("", accept("b"), "its own sessions are accepted anyway"),
        ("", accept("c"), "there is no [federation.c]"),
    ] {
        let found = with(a, &b);
        assert!(found.iter().any(|finding| finding.contains(expected)), "{expected}: {found:?}");
    }
}

#[test]
fn options_of_soap_routes_have_to_fit_together() {
    let routes = r#"
[soap.in]
mode = "terminate"
upstream = "http://127.0.0.1:1/"
binding = "b.xml"
issuers = ["sts"]
caller_header = true
max_streamed_size = "1KiB"
replay_memory = "store"
encrypted_headers = ["{urn:a}b"]
[soap.in.token_service]
url = "https://sts.example/"
[soap.out]
mode = "initiate"
path = "/out"
upstream = "http://127.0.0.1:1/"
binding = "b.xml"
refusals = { requests = 1 }
max_sessions = 0
encrypted_headers = ["{urn:a}b", "{urn:a}*"]
[soap.out.token_service]
url = "http://sts.example/"
"#;
    let routes = format!("{MINIMAL}{routes}");
    let malformed = findings(&routes.replace("\"{urn:a}*\"", "\"Customer\", \"{urn:a}b c\""));
    for at in ["soap.out.encrypted_headers[1]", "soap.out.encrypted_headers[2]"] {
        assert!(
            malformed.iter().any(|found| found.contains(&format!("{at}: must be a name such as"))),
            "{malformed:?}"
        );
    }
    let found = findings(&routes);
    for expected in [
        "soap.in.issuers[0]: there is no [issuer.sts]",
        "soap.in.audiences: is required with issuers",
        "soap.in.caller_header: does not go with max_streamed_size",
        "soap.in.max_streamed_size: must not be smaller than max_message_size",
        "soap.in.replay_memory: needs a store that others can see",
        "soap.in.token_service: means something only with mode = \"initiate\"",
        "soap.out.refusals: means something only with mode = \"terminate\"",
        "soap.out.max_sessions: must be at least 1",
        "soap.out.token_service.url: is not https",
    ] {
        assert!(found.iter().any(|finding| finding.contains(expected)), "{expected} is not in {found:#?}");
    }
    assert_eq!(found.len(), 9, "{found:#?}");
}

/// A page of documentation with something torn out, doubled or changed, again and again: files as people leave them half edited.
#[test]
fn a_damaged_file_is_refused_or_read_and_never_a_panic() {
    let document = include_str!("../../../docs/configuration.md");
    let mut state = 1_u64;
    let mut random = move |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below.max(1)
    };
    let pieces = [
        "[",
        "]",
        "\"",
        "=",
        "\n",
        "{",
        "}",
        "0",
        "-",
        "9999999999999999999",
        "\\",
        "#",
        "\u{0}",
        "é",
        "true",
        "[[web]]",
    ];
    for block in document.split("```toml\n").skip(1) {
        let example: Vec<char> = block.split("```").next().expect("the block ends").chars().collect();
        for _ in 0..2000 {
            let mut text = example.clone();
            for _ in 0..=random(3) {
                let from = random(text.len());
                let to = (from + random(12)).min(text.len());
                let instead: Vec<char> = match random(3) {
                    0 => Vec::new(),
                    1 => text[from..to].repeat(2),
                    _ => pieces[random(pieces.len())].chars().collect(),
                };
                text.splice(from..to, instead);
            }
            let text: String = text.into_iter().collect();
            match Config::parse(&text, Path::new("/nowhere/handstamp.toml")) {
                Ok(config) => assert!(!config.explain().to_string().is_empty()),
                Err(findings) => assert!(!findings.to_string().is_empty()),
            }
        }
    }
}

const TWO_PARTIES: &str = r#"
[listener.public]
address = "127.0.0.1:0"
trusted_proxies = ["127.0.0.1"]

[issuer.corp]
sign_in_url = "https://sts.example/"
certificates = ["corp.crt"]

[federation.a]
realm = "https://shop.example/a"

[federation.b]
realm = "https://shop.example/b"

[federation.b.cookie]
name = "__Host-b"

[web.a]
path = "/a"
upstream = "http://127.0.0.1:3000"
sign_in = "required"
federation = "a"

[web.b]
path = "/b"
upstream = "http://127.0.0.1:3001"
sign_in = "required"
federation = "b"
"#;

const OWN_PATHS_OF_B: &str = "realm = \"https://shop.example/b\"\nreply_path = \"/b/in\"\nsign_out_path = \"/b/out\"\nsigned_out_path = \"/b/done\"";

/// Requests for one relying party must not go to another (docs/shared-sessions.md).
#[test]
fn two_relying_parties_of_one_host_have_paths_of_their_own() {
    let found = findings(TWO_PARTIES);
    for (key, path) in
        [("reply_path", "/signin-wsfed"), ("sign_out_path", "/signout"), ("signed_out_path", "/signed-out")]
    {
        let says = format!(
            "HST-CONFIG-CONFLICT federation.b.{key}: {path} on listener.public is answered by federation.a.{key}, too"
        );
        assert!(found.iter().any(|finding| finding.contains(&says)), "{found:#?}");
    }
    assert_eq!(found.len(), 3, "{found:#?}");
    assert_finds(&TWO_PARTIES.replace("realm = \"https://shop.example/b\"", OWN_PATHS_OF_B), &[]);
    // Hosts, and listeners, tell them apart as well.
    let b = "federation = \"b\"\nhosts = [\"b.example\"]";
    let apart = TWO_PARTIES.replace("https://shop.example/b", "https://b.example/").replace("federation = \"b\"", b);
    let found = findings(&apart);
    assert_eq!(found.len(), 3, "the pages of a are at b.example, too: {found:#?}");
    assert_finds(&apart.replace("path = \"/b\"", "path = \"/\""), &[]);
    assert_finds(&apart.replace("federation = \"a\"", "federation = \"a\"\nhosts = [\"shop.example\"]"), &[]);
    let listeners = TWO_PARTIES
        .replace(
            "[issuer.corp]",
            "[listener.other]\naddress = \"127.0.0.1:0\"\ntrusted_proxies = [\"127.0.0.1\"]\n[issuer.corp]",
        )
        .replace("federation = \"b\"", "federation = \"b\"\nlisteners = [\"other\"]")
        .replace("federation = \"a\"", "federation = \"a\"\nlisteners = [\"public\"]");
    assert_finds(&listeners, &[]);
}

#[test]
fn paths_of_the_gateway_itself_lead_to_one_place_only() {
    let base = TWO_PARTIES.replace("realm = \"https://shop.example/b\"", OWN_PATHS_OF_B);
    let a = |added: &str| base.replace("federation = \"a\"", &format!("federation = \"a\"\n{added}"));
    let table = |added: &str| format!("{base}\n{added}");
    for (text, key, other) in [
        (a("session_path = \"/signin-wsfed\""), "web.a.session_path", "federation.a.reply_path"),
        (a("sign_in_path = \"/b/out\""), "web.a.sign_in_path", "federation.b.sign_out_path"),
        (a("session_path = \"/me\"\nsign_in_path = \"/me\""), "web.a.sign_in_path", "web.a.session_path"),
        (a("session_path = \"/a\""), "web.a.session_path", "web.a.path"),
        (
            table("[web.x]\npath = \"/signout\"\nupstream = \"http://127.0.0.1:3002\""),
            "federation.a.sign_out_path",
            "web.x.path",
        ),
        // What is for one host goes before what is for any, and that is where a's site is.
        (
            table("[web.x]\nhosts = [\"shop.example\"]\nupstream = \"http://127.0.0.1:3002\""),
            "federation.a.reply_path",
            "web.x.path",
        ),
        (
            a("jwt_header = \"X-Token\"") + "[jwt]\nissuer = \"https://shop.example\"\nkey_set_path = \"/b/in\"",
            "jwt.key_set_path",
            "federation.b.reply_path",
        ),
        (
            table("[forward_auth.x]\nfederation = \"a\"\n[forward_auth.y]\nfederation = \"b\""),
            "forward_auth.y.path",
            "forward_auth.x.path",
        ),
        (
            table("[sts]\npublic_url = \"https://shop.example\"\nentity_id = \"urn:sts\"\npath = \"/b\"")
                .replace("/b/in", "/b/wsfed"),
            "sts.path",
            "federation.b.reply_path",
        ),
    ] {
        let found = findings(&text);
        let says =
            |finding: &String| finding.contains(&format!(" {key}: ")) && finding.contains(&format!(" by {other}, too"));
        assert!(found.iter().any(says), "{key}, {other}: {found:#?}");
    }
    let admin = "[admin]\nfederation = \"b\"\nrequired_roles = [\"Operator\"]";
    let found = findings(&table(admin).replace("/b/done", "/metrics"));
    assert!(found.iter().any(|finding| finding.contains("federation.b.signed_out_path: /metrics")), "{found:#?}");
}
