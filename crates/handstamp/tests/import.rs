//! `handstamp config import`: the old settings, each carried over or listed (SM-44, SM-45).
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;
use std::time::Duration;

use handstamp::config::Config;
use handstamp::config::import::{Import, Outcome};

const REALISTIC: &str = r#"<?xml version="1.0" encoding="utf-8"?>
<configuration>
  <configSections><section name="system.identityModel" type="x"/></configSections>
  <appSettings><add key="a" value="b"/></appSettings>
  <system.web>
    <authentication mode="None"/>
    <machineKey validationKey="00112233" decryptionKey="AABBCCDD" validation="HMACSHA256" decryption="AES"/>
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
    assert_eq!(app.reply_path.as_str(), "/auth");
    assert_eq!(app.audiences, ["https://shop.example/"]);
    assert_eq!(app.freshness, Some(Duration::from_secs(20 * 60)));
    assert_eq!(app.session.absolute_timeout, Duration::from_secs(8 * 3600 + 1800));
    assert!(!app.cookie.secure);
    assert_eq!(app.cookie.chunk_size, 3000);
    assert_eq!(app.cookie.persistent, Some(Duration::from_secs(7 * 86_400)));
    assert_eq!(config.issuer["sts"].sign_in_url.as_str(), "https://sts.example/wsfed");
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
        (7, "machineKey/@validationKey"),
        (12, "identityConfiguration/@SaveBootstrapContext"),
        (21, "securityTokenHandlers/add"),
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
    assert!(
        defaults.clone().count() == 8 && defaults.clone().all(|entry| matches!(entry.outcome, Outcome::Carried(_)))
    );
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
