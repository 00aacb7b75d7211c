//! `handstamp config import`: the old settings, each carried over or listed (SM-44, SM-45).
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod service_model;

use std::path::Path;
use std::time::Duration;

use handstamp::config::import::{Import, Outcome};
use handstamp::config::{Config, RsaOrder, SessionFormat};

const REALISTIC: &str = r#"<?xml version="1.0" encoding="utf-8"?>
<configuration>
  <configSections><section name="system.identityModel" type="x"/></configSections>
  <appSettings><add key="a" value="b"/></appSettings>
  <system.web>
    <authentication mode="None"/>
    <machineKey validationKey="0011223344556677" decryptionKey="AABBCCDDAABBCCDDAABBCCDDAABBCCDD" validation="HMACSHA256" decryption="AES"/>
  </system.web>
  <!-- trust -->
  <system.identityModel>
    <identityConfiguration name="other"/>
    <identityConfiguration SaveBootstrapContext="true">
      <audienceUris><add value="https://old.example/"/><clear/><add value="https://shop.example/"/></audienceUris>
      <issuerNameRegistry type="System.IdentityModel.Tokens.ConfigurationBasedIssuerNameRegistry, System.IdentityModel">
        <trustedIssuers>
          <add thumbprint="0123456789ABCDEF0123456789ABCDEF01234567" name="sts"/>
        </trustedIssuers>
      </issuerNameRegistry>
      <securityTokenHandlers>
        <remove type="System.IdentityModel.Tokens.SessionSecurityTokenHandler, System.IdentityModel"/>
        <add type="System.IdentityModel.Services.Tokens.MachineKeySessionSecurityTokenHandler, System.IdentityModel.Services">
          <sessionTokenRequirement lifetime="08:30:00"/>
        </add>
      </securityTokenHandlers>
      <certificateValidation certificateValidationMode="None"/>
      <claimsAuthenticationManager type="My.Claims, My"/>
    </identityConfiguration>
  </system.identityModel>
  <system.identityModel.services>
    <federationConfiguration name="second"/>
    <federationConfiguration>
      <cookieHandler REQUIRESSL="false" persistentSessionLifetime="7.00:00:00">
        <chunkedCookieHandler chunkSize="3000"/>
      </cookieHandler>
      <wsFederation issuer="https://sts.example/wsfed" realm="urn:shop" reply="https://shop.example/auth"
                    freshness="20" persistentCookiesOnPassiveRedirects="true"
                    requestPtr="https://sts.example/request"/>
    </federationConfiguration>
  </system.identityModel.services>
</configuration>"#;

fn load(import: &Import) -> Config {
    Config::parse(import.toml(), Path::new("handstamp.toml")).unwrap()
}

fn minimal(services: &str, identity: &str) -> String {
    format!(
        "<configuration>\n<system.identityModel>{identity}</system.identityModel>\n\
         <system.identityModel.services>{services}</system.identityModel.services>\n</configuration>"
    )
}

const TRUST: &str = r#"<identityConfiguration><issuerNameRegistry type="A.ConfigurationBasedIssuerNameRegistry"><trustedIssuers>
<add thumbprint="0123456789ABCDEF0123456789ABCDEF01234567"/></trustedIssuers></issuerNameRegistry></identityConfiguration>"#;
const SIGN_IN: &str = r#"<federationConfiguration><wsFederation issuer="https://sts.example/" realm="https://shop.example/"/></federationConfiguration>"#;

fn refusal(text: &str) -> String {
    Import::read(text).map(|import| import.toml().to_owned()).unwrap_err().to_string()
}

#[test]
fn sm_44_a_realistic_file_becomes_a_configuration_the_loader_accepts() {
    let import = Import::read(REALISTIC).unwrap();
    let config = load(&import);
    let app = &config.federation["app"];
    assert_eq!(app.realm, "urn:shop");
    assert_eq!(app.public_origin().unwrap(), "https://shop.example");
    assert_eq!(app.reply_path.as_str(), "/signin-wsfed", "the old site's own answers must reach it");
    assert_eq!(app.audiences, ["https://shop.example/"]);
    assert_eq!(app.freshness, Some(Duration::from_secs(20 * 60)));
    assert_eq!(app.session.absolute_timeout, Duration::from_secs(8 * 3600 + 1800));
    assert!(!app.cookie.secure);
    assert_eq!(app.cookie.chunk_size, 3000);
    assert_eq!(app.cookie.persistent, Some(Duration::from_secs(7 * 86_400)));
    let sign_in_url = config.issuer["sts"].sign_in_url.as_ref().map(handstamp::config::HttpUrl::as_str);
    assert_eq!(sign_in_url, Some("https://sts.example/wsfed"));
    assert_eq!(config.issuer["sts"].thumbprints, ["0123456789ABCDEF0123456789ABCDEF01234567"]);
}

#[test]
fn sm_44_what_is_not_carried_over_is_listed_with_its_line_and_no_key_is_shown() {
    let import = Import::read(REALISTIC).unwrap();
    let unsupported: Vec<(usize, &str)> = import
        .report()
        .unsupported()
        .filter_map(|entry| entry.line.map(|line| (line, entry.setting.as_str())))
        .collect();
    for wanted in [
        (12, "identityConfiguration/@SaveBootstrapContext"),
        (26, "identityConfiguration/claimsAuthenticationManager"),
        (30, "system.identityModel.services/federationConfiguration"),
        (37, "wsFederation/@requestPtr"),
    ] {
        assert!(unsupported.contains(&wanted), "{wanted:?} in {unsupported:?}");
    }
    let table = import.report().to_string();
    assert!(!table.contains("00112233") && !table.contains("AABBCCDD"));
    assert!(!import.toml().contains("00112233") && !import.toml().contains("AABBCCDD"));
    assert!(table.contains("3 other sections"), "{table}");
}

#[test]
fn sm_44_defaults_are_those_of_the_original() {
    let import = Import::read(minimal(SIGN_IN, TRUST)).unwrap();
    let app = &load(&import).federation["app"];
    assert_eq!(app.cookie.name, "FedAuth");
    assert!(app.cookie.secure && app.require_https && !app.detect_replay);
    assert_eq!(app.cookie.chunk_size, 2000);
    assert_eq!(app.cookie.persistent, None);
    assert_eq!(app.clock_skew, Duration::from_secs(300));
    assert_eq!(app.session.absolute_timeout, Duration::from_secs(36_000));
    let defaults = import.report().entries().iter().filter(|entry| entry.line.is_none());
    assert_eq!(defaults.clone().filter(|entry| matches!(entry.outcome, Outcome::Carried(_))).count(), 8);
    let refused: Vec<_> = defaults.filter(|entry| matches!(entry.outcome, Outcome::Unsupported(_))).collect();
    assert!(matches!(&refused[..], [handler] if handler.value == "SessionSecurityTokenHandler"), "{refused:?}");
}

#[test]
fn sm_45_several_named_elements_need_one_without_a_name() {
    let two = r#"<federationConfiguration name="a"/><federationConfiguration name="b"/>"#;
    assert!(refusal(&minimal(two, TRUST)).starts_with("line 4: several named <federationConfiguration>"));
    let two = r#"<identityConfiguration name="a"/><identityConfiguration name="b"/>"#;
    assert!(refusal(&minimal(SIGN_IN, two)).starts_with("line 2: several named <identityConfiguration>"));
    let absent =
        SIGN_IN.replace("<federationConfiguration>", r#"<federationConfiguration identityConfigurationName="x">"#);
    assert!(refusal(&minimal(&absent, TRUST)).contains("no <identityConfiguration> named \"x\""));
}

#[test]
fn sm_44_settings_of_a_handler_collection_hold_before_those_of_the_service() {
    let both = TRUST.replace("<identityConfiguration>", "<identityConfiguration maximumClockSkew='00:01:00'>").replace(
        "</identityConfiguration>",
        "<securityTokenHandlers>\n<securityTokenHandlerConfiguration maximumClockSkew='00:02:00'/></securityTokenHandlers></identityConfiguration>",
    );
    let import = Import::read(minimal(SIGN_IN, &both)).unwrap();
    assert_eq!(load(&import).federation["app"].clock_skew, Duration::from_secs(120));
    let entries = import.report().entries();
    let of = |line| entries.iter().find(|entry| entry.line == Some(line) && entry.setting.contains("Skew")).unwrap();
    assert_eq!(of(2).outcome, Outcome::Ignored("line 4 holds instead".to_owned()));
    assert_eq!(of(4).outcome, Outcome::Carried("federation.app.clock_skew".to_owned()));
}

#[test]
fn without_a_pinned_certificate_the_tables_are_comments_that_say_why() {
    let import = Import::read(minimal(SIGN_IN, "")).unwrap();
    assert!(load(&import).federation.is_empty());
    assert!(import.toml().contains("# INCOMPLETE: no thumbprint"));
}

#[test]
fn wrong_settings_are_refused_with_their_lines() {
    let cookie = |attributes: &str| {
        minimal(&SIGN_IN.replace("<wsFederation", &format!("<cookieHandler\n{attributes}/><wsFederation")), TRUST)
    };
    for (text, message) in [
        (cookie("requireSsl='maybe'"), "line 5: cookieHandler/@requireSsl: \"maybe\" must be true or false"),
        (cookie("persistentSessionLifetime='366.00:00:00'"), "at most 365 days"),
        (cookie("persistentSessionLifetime='-1:00:00'"), "must not be negative"),
        (cookie("name='a b'"), "line 5: federation.app.cookie.name must be letters"),
        (minimal(&SIGN_IN.replace("https://sts", "http://sts"), TRUST), "is not https"),
        (minimal(&SIGN_IN.replace("realm", "rea"), TRUST), "has no realm"),
        (minimal(SIGN_IN, &TRUST.replace("thumbprint=\"0", "thumbprint=\"x")), "40 hexadecimal digits"),
        ("<configuration/>".to_owned(), "there is no <system.identityModel>"),
        ("<!DOCTYPE configuration><configuration/>".to_owned(), "document type declarations"),
        ("<configuration>".to_owned(), "not well-formed"),
    ] {
        let refused = refusal(&text);
        assert!(refused.contains(message), "{message}: {refused}");
    }
}

/// The whole report of a large file, line by line: what is read, what is not, and nothing else.
#[test]
fn sm_44_the_report_of_a_large_file_is_exactly_this() {
    let import = Import::read(include_str!("web.config")).unwrap();
    let report = format!("{}\n", import.report());
    assert_eq!(report, include_str!("report.txt"), "{report}");
    assert_eq!(import.toml(), include_str!("handstamp.toml"), "{}", import.toml());
    assert!(!import.toml().contains("41157FA2") && !report.contains("41157FA2"), "no key is shown");
    let config = load(&import);
    assert_eq!(config.federation["app"].clock_skew, Duration::from_secs(600));
    assert_eq!(config.issuer["sts"].thumbprints.len(), 2);
}

fn entry<'i>(import: &'i Import, setting: &str) -> &'i Outcome {
    let found = import.report().entries().iter().find(|entry| entry.setting == setting);
    &found.unwrap_or_else(|| panic!("{setting} in\n{}", import.report())).outcome
}

const WIF35: &str = r#"<configuration>
  <system.web><machineKey validationKey="AutoGenerate,IsolateApps" decryptionKey="AutoGenerate" decryption="3DES"/></system.web>
  <microsoft.identityModel>
    <service saveBootstrapTokens="false">
      <audienceUris mode="Always"><add value="https://old.example/"/></audienceUris>
      <federatedAuthentication>
        <wsFederation issuer="https://sts.example/" realm="https://old.example/" passiveRedirectEnabled="false"/>
        <cookieHandler hideFromScript="true" path="/old"/>
      </federatedAuthentication>
      <applicationService><claimTypeRequired><claimType type="urn:x"/></claimTypeRequired></applicationService>
      <maximumClockSkew value="00:07:00"/>
      <serviceCertificate><certificateReference findValue="abc"/></serviceCertificate>
      <issuerNameRegistry type="Microsoft.IdentityModel.Tokens.ConfigurationBasedIssuerNameRegistry, Microsoft.IdentityModel">
        <trustedIssuers><add thumbprint="0123456789ABCDEF0123456789ABCDEF01234567" name="sts"/></trustedIssuers>
      </issuerNameRegistry>
      <securityTokenHandlers>
        <remove type="Microsoft.IdentityModel.Tokens.SessionSecurityTokenHandler, Microsoft.IdentityModel"/>
        <add type="Microsoft.IdentityModel.Tokens.SessionSecurityTokenHandler, Microsoft.IdentityModel">
          <sessionTokenRequirement lifetime="02:00:00" useWindowsTokenService="false" securityTokenCacheSize="500"/>
        </add>
      </securityTokenHandlers>
    </service>
  </microsoft.identityModel>
</configuration>"#;

#[test]
fn sm_44_the_section_of_wif_3_5_is_read_too() {
    let import = Import::read(WIF35).unwrap();
    let app = &load(&import).federation["app"];
    assert_eq!((app.realm.as_str(), app.cookie.path.as_str()), ("https://old.example/", "/old"));
    assert_eq!(app.clock_skew, Duration::from_secs(420));
    assert_eq!(app.session.absolute_timeout, Duration::from_secs(7200));
    assert!(!app.cookie.secure, "the default of 3.5");
    let unsupported = "sessionTokenRequirement/@securityTokenCacheSize";
    assert!(matches!(entry(&import, unsupported), Outcome::Unsupported(_)));
    assert!(matches!(entry(&import, "certificateReference/@findValue"), Outcome::Carried(_)));
    assert_eq!(app.decryption_keys, [Path::new("service-certificate.pem")], "it decrypts the issuer's tokens");
    for ignored in ["applicationService/claimTypeRequired", "sessionTokenRequirement/@useWindowsTokenService"] {
        assert!(matches!(entry(&import, ignored), Outcome::Ignored(_)), "{ignored}");
    }
    let both = WIF35.replace(
        "</configuration>",
        &format!(
            "<system.identityModel>{TRUST}</system.identityModel>\
         <system.identityModel.services>{SIGN_IN}</system.identityModel.services></configuration>"
        ),
    );
    let import = Import::read(both).unwrap();
    assert_eq!(load(&import).federation["app"].realm, "https://shop.example/");
    assert!(matches!(entry(&import, "configuration/microsoft.identityModel"), Outcome::Unsupported(_)));
}

#[test]
fn sm_45_a_named_configuration_can_be_asked_for() {
    let named = |name: &str, realm: &str, identity: &str| {
        SIGN_IN
            .replace(
                "<federationConfiguration>",
                &format!("<federationConfiguration name='{name}' identityConfigurationName='{identity}'>"),
            )
            .replace("https://shop.example/", realm)
    };
    let services = named("a", "urn:a:x", "") + &named("b", "urn:b:x", "strict");
    let identity = format!(
        "{TRUST}{}",
        TRUST.replace("<identityConfiguration>", "<identityConfiguration name='strict' maximumClockSkew='0:0:1'>")
    );
    let text = minimal(&services.replace("realm=", "reply='https://shop.example/in' realm="), &identity);
    assert!(refusal(&text).contains("say which with --federation NAME"));
    let import = Import::read_named(text.as_str(), Some("b")).unwrap();
    let app = &load(&import).federation["app"];
    assert_eq!((app.realm.as_str(), app.clock_skew), ("urn:b:x", Duration::from_secs(1)));
    assert_eq!(app.reply_path.as_str(), "/in", "nothing is shared with the old site");
    let import = Import::read_named(text.as_str(), Some("a")).unwrap();
    assert_eq!(load(&import).federation["app"].clock_skew, Duration::from_secs(300));
    let refused = Import::read_named(text.as_str(), Some("c")).unwrap_err().to_string();
    assert!(refused.contains("there is no <federationConfiguration> named \"c\""), "{refused}");
}

#[test]
fn a_location_that_means_the_whole_site_is_read() {
    let whole = |path: &str| {
        minimal(SIGN_IN, TRUST)
            .replace("<configuration>", &format!("<configuration><location {path} inheritInChildApplications='false'>"))
            .replace("</configuration>", "</location></configuration>")
    };
    for path in ["path='.'", "path=''", ""] {
        assert_eq!(
            load(&Import::read(whole(path)).unwrap()).federation["app"].realm,
            "https://shop.example/",
            "{path}"
        );
    }
    let part = minimal(SIGN_IN, TRUST).replace(
        "</configuration>",
        "<location path='admin'><system.web><machineKey/></system.web></location></configuration>",
    );
    let import = Import::read(part).unwrap();
    assert!(matches!(entry(&import, "system.web/machineKey"), Outcome::Unsupported(why) if why.contains("[web.NAME]")));
    assert!(refusal(&whole("path='admin'")).contains("there is no <system.identityModel>"));
}

#[test]
fn sections_that_are_kept_elsewhere_are_listed() {
    let text = minimal("", TRUST).replace(
        "<system.identityModel.services>",
        "<system.identityModel.services configSource='wif\\services.config'>",
    );
    let import = Import::read(text).unwrap();
    assert!(import.toml().contains("# INCOMPLETE"));
    let outcome = entry(&import, "configuration/system.identityModel.services");
    assert!(matches!(outcome, Outcome::Unsupported(why) if why.contains("services.config")), "{outcome:?}");
    let text =
        minimal(SIGN_IN, "").replace("<system.identityModel>", "<system.identityModel configProtectionProvider='Rsa'>");
    let import = Import::read(text).unwrap();
    assert!(
        matches!(entry(&import, "configuration/system.identityModel"), Outcome::Unsupported(why) if why.contains("aspnet_regiis -pdf"))
    );
}

const KEY_1: &str = "<add thumbprint='0123456789ABCDEF0123456789ABCDEF01234567'/>";
const KEY_2: &str = "<add thumbprint='1123456789ABCDEF0123456789ABCDEF01234567'/>";

fn validating(authorities: &[(&str, &[&str])]) -> String {
    let authorities: String = authorities
        .iter()
        .map(|(keys, issuers)| {
            let issuers: String = issuers.iter().map(|name| format!("<add name='{name}'/>")).collect();
            format!(
                "<authority name='https://sts.windows.net/t/'><keys>{keys}</keys>\n\
                 <validIssuers>{issuers}</validIssuers></authority>\n"
            )
        })
        .collect();
    format!(
        "<identityConfiguration><issuerNameRegistry type='System.IdentityModel.Tokens.ValidatingIssuerNameRegistry, V'>\n\
         {authorities}</issuerNameRegistry></identityConfiguration>"
    )
}

/// SM-44: a hub signs for all its tenants with one key; the valid issuers tell whose tokens count.
#[test]
fn a_validating_registry_goes_on_checking_the_issuer() {
    let keys = format!("{KEY_1}{}<add symmetricKey='AAAA'/>{KEY_2}", KEY_1.to_lowercase());
    let import = Import::read(minimal(SIGN_IN, &validating(&[(&keys, &["https://issuer/"])]))).unwrap();
    let config = load(&import);
    let issuer = &config.issuer["sts"];
    assert_eq!(issuer.entity_id.as_deref(), Some("https://issuer/"));
    assert_eq!((issuer.name.as_deref(), issuer.thumbprints.len()), (Some("https://issuer/"), 2));
    assert!(matches!(entry(&import, "validIssuers/add/@name"), Outcome::Carried(key) if key == "issuer.sts.entity_id"));
    assert!(matches!(entry(&import, "keys/add"), Outcome::Unsupported(why) if why.contains("symmetric")));
    assert_eq!(config.issuer.len(), 1);
}

#[test]
fn several_valid_issuers_become_issuers_to_choose_from() {
    let sign_in = SIGN_IN.replace("realm=", "homeRealm='urn:home' realm=");
    // The second authority has the same key, for others.
    let authorities: &[(&str, &[&str])] = &[(KEY_1, &["a", "b"]), (KEY_1, &["c"]), (KEY_2, &["b"])];
    let import = Import::read(minimal(&sign_in, &validating(authorities))).unwrap();
    let config = load(&import);
    assert_eq!(config.federation["app"].issuer.as_ref().unwrap().iter().collect::<Vec<_>>(), ["sts", "sts-2", "sts-3"]);
    for (table, name, keys) in [("sts", "a", 1), ("sts-2", "b", 2), ("sts-3", "c", 1)] {
        let issuer = &config.issuer[table];
        assert_eq!((issuer.name.as_deref(), issuer.entity_id.as_deref()), (Some(name), Some(name)));
        assert_eq!(issuer.thumbprints.len(), keys, "{table}");
        assert_eq!(issuer.home_realm.as_deref(), Some("urn:home"));
        assert_eq!(issuer.sign_in_url.as_ref().unwrap().as_str(), "https://sts.example/");
    }
    assert!(import.report().steps().iter().any(|step| step.contains("display_name")));
}

#[test]
fn an_authority_without_valid_issuers_is_no_trust() {
    let import = Import::read(minimal(SIGN_IN, &validating(&[(KEY_1, &[])]))).unwrap();
    assert!(import.toml().contains("# INCOMPLETE"));
    assert!(matches!(entry(&import, "issuerNameRegistry/authority"), Outcome::Unsupported(_)));
}

/// Everything that .NET refuses to start with, each with its line.
#[test]
fn what_stands_twice_is_refused_as_by_the_original() {
    let handlers = |content: &str| {
        minimal(
            SIGN_IN,
            &TRUST.replace(
                "</identityConfiguration>",
                &format!("<securityTokenHandlers>\n{content}</securityTokenHandlers></identityConfiguration>"),
            ),
        )
    };
    let session = "<add type='System.IdentityModel.Tokens.SessionSecurityTokenHandler, S'>";
    let machine_key = "<add type='System.IdentityModel.Services.Tokens.MachineKeySessionSecurityTokenHandler, S'/>";
    let requirement = "<sessionTokenRequirement lifetime='1:00:00'/>";
    for (text, message) in [
        (handlers(&format!("{session}{requirement}\n{requirement}</add>")), "line 5: <sessionTokenRequirement> stands here a second time, as in line 4 (ID7026)"),
        (handlers(&format!("{session}<sessionTokenRequirement lifetime='x'/></add>")), "(ID7017)"),
        (handlers(&format!("{session}<sessionTokenRequirement lifetime='-1:00:00'/></add>")), "(ID7018)"),
        (handlers(&format!("{session}<sessionTokenRequirement lifetime='0:00:00'/></add>")), "longer than zero"),
        (handlers(&format!("{session}<sessionTokenRequirement life='1:00:00'/></add>")), "(ID7004)"),
        (handlers(machine_key), "line 4: a session handler beside WIF's own: WIF refuses both; put <remove type="),
        (handlers(&format!("<clear/>{machine_key}\n{machine_key}")), "line 5: a second session handler beside that of line 4"),
        (handlers("<add/>"), "line 4: <add> has no type"),
        (minimal(&SIGN_IN.replace("<wsFederation", "<cookieHandler/>\n<cookieHandler/><wsFederation"), TRUST), "line 5: <cookieHandler> stands here a second time; the first is in line 4"),
        (minimal(SIGN_IN, &TRUST.replace("</identityConfiguration>", "<audienceUris/><audienceUris/></identityConfiguration>")), "<audienceUris> stands here a second time"),
        (minimal(SIGN_IN, &TRUST.replace("</identityConfiguration>", "<securityTokenHandlers/><securityTokenHandlers/></identityConfiguration>")), "a second <securityTokenHandlers> named \"\""),
        (minimal(SIGN_IN, &format!("{TRUST}{TRUST}")), "a second <identityConfiguration> named \"\""),
        (minimal(SIGN_IN, TRUST).replace("</configuration>", "<system.identityModel/></configuration>"), "<system.identityModel> stands here a second time"),
        (minimal(&SIGN_IN.replace("realm=", "Realm='urn:x:y' realm="), TRUST), "has realm twice, in different case"),
        (minimal(&SIGN_IN.replace("<wsFederation", "<wsFederation xmlns:xdt='http://schemas.microsoft.com/XML-Document-Transform' xdt:Transform='Replace'"), TRUST), "(xdt)"),
        (minimal(&SIGN_IN.replace("<wsFederation", "<cookieHandler mode='Custom'/><wsFederation"), TRUST), "exactly when it holds a <customCookieHandler>"),
        (minimal(SIGN_IN, &TRUST.replace("</identityConfiguration>", "<certificateValidation certificateValidationMode='Custom'/></identityConfiguration>")), "(ID4280)"),
        (minimal(SIGN_IN, &TRUST.replace("</identityConfiguration>", "<certificateValidation revocationMode='Never'/></identityConfiguration>")), "must be one of nocheck, online, offline"),
        (minimal(SIGN_IN, &TRUST.replace("<identityConfiguration>", "<identityConfiguration maximumClockSkew='-0:0:1'>")), "(ID2070)"),
        (minimal(SIGN_IN, &TRUST.replace("<identityConfiguration>", "<identityConfiguration>\n<x></y>")), "line 3"),
    ] {
        let refused = refusal(&text);
        assert!(refused.contains(message), "{message}: {refused}");
    }
}

#[test]
fn handlers_that_are_code_are_listed_with_what_to_do() {
    let handlers = |content: &str| {
        minimal(
            SIGN_IN,
            &TRUST.replace(
                "</identityConfiguration>",
                &format!("<securityTokenHandlers>{content}</securityTokenHandlers></identityConfiguration>"),
            ),
        )
    };
    for (content, words) in [
        ("<add type='Contoso.Handler, C'/>", "code of yours"),
        ("<clear/>", "keep anybody signed in"),
        ("<add type='System.IdentityModel.Tokens.EncryptedSecurityTokenHandler, S'/>", "decryption_keys"),
        ("<clear/><add type='Contoso.RsaSessionSecurityTokenHandler, C'/>", "sign in once more"),
    ] {
        let import = Import::read(handlers(content)).unwrap();
        assert!(import.report().to_string().contains(words), "{words}: {}", import.report());
    }
}

#[test]
fn identifiers_may_repeat_in_a_configuration_and_bad_xml_has_its_line() {
    let repeated = minimal(SIGN_IN, TRUST).replace("</configuration>", "<x ID='1'/><y ID='1'/></configuration>");
    assert!(Import::read(repeated).is_ok());
    for (text, message) in [
        ("<configuration>\n  <a>\n</configuration>", "line 3"),
        ("<configuration>\n<a b='1' b='2'/></configuration>", "line 2"),
        ("<configuration>\n&nbsp;</configuration>", "line 2"),
        ("", "no root element"),
    ] {
        let refused = refusal(text);
        assert!(refused.contains(message), "{message}: {refused}");
    }
}

/// A site whose session handler is `add`, below a machine key.
fn site(machine_key: &str, add: &str, cookie: &str) -> String {
    let handlers = format!("<securityTokenHandlers><clear/>{add}</securityTokenHandlers></identityConfiguration>");
    minimal(
        &SIGN_IN.replace("<wsFederation", &format!("{cookie}<wsFederation")),
        &TRUST.replace("</identityConfiguration>", &handlers),
    )
    .replace("</configuration>", &format!("<system.web>{machine_key}</system.web></configuration>"))
}

const MACHINE_KEY: &str = "<machineKey validation='SHA1' decryption='AES' validationKey='00112233445566778899' \
    decryptionKey='AABBCCDDAABBCCDDAABBCCDDAABBCCDD'/>";
const MACHINE_KEY_HANDLER: &str = "<add type='System.IdentityModel.Services.Tokens.MachineKeySessionSecurityTokenHandler, System.IdentityModel.Services'/>";

#[test]
fn sm_44_cookies_behind_a_machine_key_are_shared_with_the_old_site() {
    let cookie = "<cookieHandler name='Shop' path='/shop' domain='.shop.example' requireSsl='false'/>";
    let import = Import::read(site(MACHINE_KEY, MACHINE_KEY_HANDLER, cookie)).unwrap();
    let app = &load(&import).federation["app"];
    assert_eq!(app.session.format, SessionFormat::Wif);
    let wif = app.wif.as_ref().unwrap();
    assert_eq!((wif.cookie_name.as_str(), wif.cookie_path.as_str()), ("Shop", "/shop"));
    assert_eq!(wif.cookie_domain.as_deref(), Some(".shop.example"));
    assert_eq!(wif.machine_keys, [Path::new("machine-key.xml")]);
    assert_eq!(app.cookie.name, "handstamp-session", "the default name demands https");
    assert_eq!(import.machine_key(), Some(MACHINE_KEY));
    assert!(!format!("{import:?}").contains("0011223344"));
    assert_eq!(
        *entry(&import, "machineKey/@decryptionKey"),
        Outcome::Carried("federation.app.wif.machine_keys".to_owned())
    );

    let import = Import::read(site(MACHINE_KEY, MACHINE_KEY_HANDLER, "")).unwrap();
    let app = &load(&import).federation["app"];
    assert_eq!(app.wif.as_ref().unwrap().cookie_name, "FedAuth");
    assert_eq!(app.cookie.name, "__Host-session");
    let mut switched = import.toml().replace("format = \"wif\"", "format = \"native\"\naccept = [\"wif\"]");
    assert!(Config::parse(&switched, Path::new("x")).is_ok(), "what the comment says to do later: {switched}");
    switched = switched.replace("FedAuth", "__Host-session");
    assert!(Config::parse(&switched, Path::new("x")).is_err());
}

#[test]
fn sm_44_cookies_behind_rsa_are_shared_with_the_old_site() {
    let chain = |transforms: &[&str]| {
        let name = |name| format!("<add type='System.IdentityModel.{name}CookieTransform, S'/>");
        let names: String = transforms.iter().map(name).collect();
        format!("<add type='Contoso.Sessions, C'><transforms>{names}</transforms></add>")
    };
    let import = Import::read(site("", &chain(&["Deflate", "RsaSignature", "RsaEncryption"]), "")).unwrap();
    assert_eq!(load(&import).federation["app"].wif.as_ref().unwrap().rsa_keys, [Path::new("service-certificate.pem")]);
    assert!(import.toml().contains("# Before `handstamp serve`: export the service certificate"));
    assert_eq!(import.machine_key(), None);
    for (transforms, order, deflate) in [
        (["Deflate", "RsaSignature", "RsaEncryption"].as_slice(), RsaOrder::SignFirst, true),
        (&["Deflate", "RsaEncryption", "RsaSignature"], RsaOrder::EncryptFirst, true),
        (&["RsaEncryption", "RsaSignature"], RsaOrder::EncryptFirst, false),
    ] {
        let import = Import::read(site("", &chain(transforms), "")).unwrap();
        assert!(matches!(entry(&import, "securityTokenHandlers/add"), Outcome::Carried(_)), "{transforms:?}");
        let wif = load(&import).federation["app"].wif.clone().unwrap();
        assert_eq!((wif.rsa_order, wif.deflate), (order, deflate), "{transforms:?}");
    }
    // ST-24: RSA encryption alone is forgeable by anybody; deflating behind the protection has no setting here.
    for transforms in [["Deflate", "RsaEncryption"].as_slice(), &["RsaEncryption", "Deflate", "RsaSignature"]] {
        let import = Import::read(site("", &chain(transforms), "")).unwrap();
        assert!(load(&import).federation["app"].wif.is_none(), "{transforms:?}");
        assert!(matches!(entry(&import, "securityTokenHandlers/add"), Outcome::Unsupported(_)), "{transforms:?}");
    }
}

#[test]
fn cookies_that_cannot_be_shared_say_why() {
    let session = "<add type='System.IdentityModel.Tokens.SessionSecurityTokenHandler, S'/>";
    for (machine_key, handler, words) in [
        (MACHINE_KEY, session, "DPAPI"),
        ("", MACHINE_KEY_HANDLER, "copy the <machineKey>"),
        ("<machineKey/>", MACHINE_KEY_HANDLER, "set explicit keys on both sides"),
        ("<machineKey configSource='key.config'/>", MACHINE_KEY_HANDLER, "not readable here"),
        (&MACHINE_KEY.replace("decryption='AES'", "decryption='RC2'"), MACHINE_KEY_HANDLER, "RC2"),
        (MACHINE_KEY, "<add type='Contoso.CookieSessionSecurityTokenHandler, C'/>", "code of yours"),
    ] {
        let import = Import::read(site(machine_key, handler, "<cookieHandler name='Shop'/>")).unwrap();
        let app = &load(&import).federation["app"];
        assert!(app.wif.is_none() && app.cookie.name == "Shop" && import.machine_key().is_none(), "{words}");
        let outcome = entry(&import, "securityTokenHandlers/add");
        let all = import.report().to_string();
        assert!(all.contains(words) && all.contains("sign in once more"), "{words}: {outcome:?}");
        assert!(!all.contains("0011223344"));
    }
}

#[test]
fn the_command_writes_both_files_for_their_owner_and_neither_twice() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("web.config"), site(MACHINE_KEY, MACHINE_KEY_HANDLER, "")).unwrap();
    let run = |arguments: &[&str]| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_handstamp"));
        command.args(["config"]).args(arguments).current_dir(folder.path()).output().unwrap()
    };
    let output = run(&["import", "web.config", "--output", "handstamp.toml"]);
    assert!(output.status.success() && output.stdout.is_empty(), "{output:?}");
    assert_eq!(std::fs::read_to_string(folder.path().join("machine-key.xml")).unwrap(), MACHINE_KEY);
    assert!(run(&["check", "handstamp.toml"]).status.success());
    #[cfg(unix)]
    for file in ["handstamp.toml", "machine-key.xml"] {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(std::fs::metadata(folder.path().join(file)).unwrap().permissions().mode() & 0o077, 0, "{file}");
    }
    assert_eq!(run(&["import", "web.config", "--output", "handstamp.toml"]).status.code(), Some(4));
    let explained = run(&["import", "web.config", "--explain"]);
    let table = String::from_utf8(explained.stdout).unwrap();
    assert!(explained.status.success() && table.contains("machineKey/@validationKey") && !table.contains("0011223344"));
    std::fs::write(folder.path().join("web.config"), "<configuration>\n<a></configuration>").unwrap();
    let refused = run(&["import", "web.config"]);
    assert_eq!((refused.status.code(), refused.stdout.len()), (Some(1), 0));
    let message = String::from_utf8(refused.stderr).unwrap();
    assert!(message.starts_with("HST-XML-SYNTAX: web.config: ") && message.contains("line 2"), "{message}");
}

/// Whatever becomes of a byte: what is accepted loads, and no key is shown.
#[test]
fn changed_files_are_refused_or_load_and_never_show_a_key() {
    let text = site(MACHINE_KEY, MACHINE_KEY_HANDLER, "<cookieHandler name='Shop' path='/shop'/>");
    let mut accepted = 0;
    for at in 0..text.len() {
        for byte in [b'<', b'"', b'\'', b'/', b' ', b'0', 0xFF] {
            let mut changed = text.clone().into_bytes();
            changed[at] = byte;
            if let Ok(import) = Import::read(changed) {
                accepted += 1;
                assert!(Config::parse(import.toml(), Path::new("x")).is_ok(), "byte {at}");
                let shown = format!("{}{}{import:?}", import.report(), import.toml());
                assert!(!shown.contains("2233445566") && !shown.contains("CCDDAABBCC"), "byte {at}: {shown}");
            }
        }
        assert!(Import::read(&text.as_bytes()[..at]).is_err(), "cut at {at}");
    }
    assert!(accepted > 500, "{accepted}");
}

/// Every number that the specifications name has its row in the administrator's guide.
#[test]
fn the_guide_explains_every_number() {
    let guide = include_str!("../../../../docs/migrating-from-wif.md");
    let specifications = [
        include_str!("../../../../docs/spec/session-token.md"),
        include_str!("../../../../docs/spec/session-management.md"),
    ]
    .concat();
    // ID7000 and ID7028 are the ends of a range, of which some are known.
    let mut known = vec!["ID7000", "ID7028"];
    for (at, _) in specifications.match_indices("ID") {
        let Some(number) = specifications.get(at..at + 6) else { continue };
        if number.bytes().skip(2).all(|byte| byte.is_ascii_digit()) && !known.contains(&number) {
            assert!(guide.contains(number), "{number}");
            known.push(number);
        }
    }
    assert!(known.len() > 80, "{}", known.len());
}

/// A line break inside of a value begins no line of what is written or said, whichever value it is.
#[test]
fn line_breaks_in_values_begin_no_lines() {
    let files = [REALISTIC, include_str!("wcf/web.config")];
    let values = files.iter().flat_map(|file| file.match_indices("=\"").map(move |(at, _)| (file, at + 2)));
    for (file, start) in values {
        let end = start + file[start..].find('"').unwrap();
        let broken = format!("{}&#10;[web.evil]&#x85;{}", &file[..end], &file[end..]);
        let said = match Import::read(broken.as_str()) {
            Ok(import) => {
                assert!(load(&import).web.is_empty(), "{}", import.toml());
                format!("{}\n{}", import.toml(), import.report())
            }
            Err(error) => error.to_string(),
        };
        let plain = |line: &str| !line.starts_with("[web.evil]") && !line.contains(char::is_control);
        assert!(said.lines().all(plain) && !said.contains("expected"), "{:?}: {said}", &file[start..end]);
    }
}

/// SM-44: who may see which part of the site is not lost without a word.
#[test]
fn rules_of_authorization_are_listed_with_what_to_write() {
    let section = |rules: &str| format!("<system.web><authorization>{rules}</authorization></system.web>");
    let part = |rules: &str| format!("<location path='admin/'>{}</location>", section(rules));
    for (text, value, says) in [
        (
            part("<allow roles='Admin, Boss'/><deny users='*'/>"),
            "admin/",
            "set sign_in = \"required\" and required_roles = [\"Admin\", \"Boss\"] in a [web.NAME] of its own with path = \"/admin\" and ignore_case = true",
        ),
        (
            section("<deny users='?'/><allow roles='A'/><deny users='*'/>"),
            "",
            "set sign_in = \"required\" and required_roles = [\"A\"] in [web.NAME]",
        ),
        (section("<deny users='?'/>"), "", "set sign_in = \"required\" in [web.NAME]"),
        (section("<deny users='?'/><allow users='*'/>"), "", "set sign_in = \"required\" in [web.NAME]"),
        (part("<allow users='*'/>"), "admin/", "set public_paths = [\"/admin\"] in the [web.NAME] around it"),
        // Everybody may: the rules further up say so, and those of a machine let anybody in.
        (section("<allow roles='A'/>"), "", "set sign_in and required_roles in [web.NAME]"),
        (
            section("<allow roles='A' verbs='POST'/><deny users='*'/>"),
            "",
            "set sign_in and required_roles in [web.NAME]",
        ),
        (section("<allow users='ada'/><deny users='*'/>"), "", "set sign_in and required_roles in [web.NAME]"),
    ] {
        let import =
            Import::read(minimal(SIGN_IN, TRUST).replace("</configuration>", &format!("{text}</configuration>")));
        let import = import.unwrap();
        assert!(
            matches!(entry(&import, "system.web/authorization"), Outcome::Unsupported(why) if why.contains(says)),
            "{says}: {}",
            import.report()
        );
        let mut listed = import.report().unsupported();
        assert!(listed.any(|entry| entry.setting == "system.web/authorization" && entry.value == value), "{says}");
    }
    let iis = "<system.webServer><security><authorization><add accessType='Allow' roles='A'/></authorization></security></system.webServer>";
    let import =
        Import::read(minimal(SIGN_IN, TRUST).replace("</configuration>", &format!("{iis}</configuration>"))).unwrap();
    assert!(matches!(entry(&import, "security/authorization"), Outcome::Unsupported(_)));
}
