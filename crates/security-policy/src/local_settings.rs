//! `localServiceSettings` and `localClientSettings` (SC 14.3, 14.4).

use crate::error::Error;
use crate::markup::Markup;
use crate::reader::Reader;
use handstamp_ws_security::{LocalClientSettings, LocalServiceSettings};
use handstamp_xml::Element;

/// Sets what is written.
macro_rules! set {
    ($($field:expr => $value:expr;)+) => { $(if let Some(value) = $value? { $field = value; })+ };
}

/// Writes what differs from the default.
macro_rules! differing {
    ($out:expr, $settings:expr, $default:expr; $($($field:ident).+ => $name:literal;)+) => {
        $($out.attribute_unless(&$default.$($field).+, $name, &$settings.$($field).+);)+
    };
}

pub(crate) fn service(element: Element<'_>) -> Result<LocalServiceSettings, Error> {
    let mut reader = Reader::new(element);
    let mut settings = LocalServiceSettings::default();
    set! {
        settings.detect_replays => reader.bool("detectReplays");
        settings.issued_cookie_lifetime => reader.span_or_infinite("issuedCookieLifetime");
        settings.max_stateful_negotiations => reader.count("maxStatefulNegotiations", 0);
        settings.replay_cache_size => reader.count("replayCacheSize", 1);
        settings.negotiation_timeout => reader.timer("negotiationTimeout");
        settings.freshness.replay_window => reader.span("replayWindow");
        settings.inactivity_timeout => reader.timer("inactivityTimeout");
        settings.session_key_renewal_interval => reader.span_or_infinite("sessionKeyRenewalInterval");
        settings.session_key_rollover_interval => reader.span("sessionKeyRolloverInterval");
        settings.reconnect_transport_on_failure => reader.bool("reconnectTransportOnFailure");
        settings.max_pending_sessions => reader.count("maxPendingSessions", 1);
        settings.max_cached_cookies => reader.count("maxCachedCookies", 0);
        settings.timestamp_validity => reader.span("timestampValidityDuration");
        settings.freshness.max_clock_skew => reader.span("maxClockSkew");
    }
    reader.children(&[])?;
    reader.finish()?;
    Ok(settings)
}

pub(crate) fn write_service(settings: &LocalServiceSettings, out: &mut Markup) {
    let default = LocalServiceSettings::default();
    if *settings == default {
        return;
    }
    out.start("localServiceSettings");
    differing! { out, settings, default;
        detect_replays => "detectReplays";
        issued_cookie_lifetime => "issuedCookieLifetime";
        max_stateful_negotiations => "maxStatefulNegotiations";
        replay_cache_size => "replayCacheSize";
        negotiation_timeout => "negotiationTimeout";
        freshness.replay_window => "replayWindow";
        inactivity_timeout => "inactivityTimeout";
        session_key_renewal_interval => "sessionKeyRenewalInterval";
        session_key_rollover_interval => "sessionKeyRolloverInterval";
        reconnect_transport_on_failure => "reconnectTransportOnFailure";
        max_pending_sessions => "maxPendingSessions";
        max_cached_cookies => "maxCachedCookies";
        timestamp_validity => "timestampValidityDuration";
        freshness.max_clock_skew => "maxClockSkew";
    }
    out.end();
}

pub(crate) fn client(element: Element<'_>) -> Result<LocalClientSettings, Error> {
    let mut reader = Reader::new(element);
    let mut settings = LocalClientSettings::default();
    set! {
        settings.cache_cookies => reader.bool("cacheCookies");
        settings.detect_replays => reader.bool("detectReplays");
        settings.replay_cache_size => reader.count("replayCacheSize", 1);
        settings.max_cookie_caching_time => reader.span_or_infinite("maxCookieCachingTime");
        settings.freshness.replay_window => reader.span("replayWindow");
        settings.session_key_renewal_interval => reader.span_or_infinite("sessionKeyRenewalInterval");
        settings.session_key_rollover_interval => reader.span("sessionKeyRolloverInterval");
        settings.reconnect_transport_on_failure => reader.bool("reconnectTransportOnFailure");
        settings.timestamp_validity => reader.span("timestampValidityDuration");
        settings.freshness.max_clock_skew => reader.span("maxClockSkew");
    }
    if let Some(percent) = reader.number("cookieRenewalThresholdPercentage", 0..=100)? {
        settings.cookie_renewal_threshold_percentage = u8::try_from(percent).unwrap_or(100);
    }
    reader.children(&[])?;
    reader.finish()?;
    Ok(settings)
}

pub(crate) fn write_client(settings: &LocalClientSettings, out: &mut Markup) {
    let default = LocalClientSettings::default();
    if *settings == default {
        return;
    }
    out.start("localClientSettings");
    differing! { out, settings, default;
        cache_cookies => "cacheCookies";
        detect_replays => "detectReplays";
        replay_cache_size => "replayCacheSize";
        max_cookie_caching_time => "maxCookieCachingTime";
        freshness.replay_window => "replayWindow";
        session_key_renewal_interval => "sessionKeyRenewalInterval";
        session_key_rollover_interval => "sessionKeyRolloverInterval";
        reconnect_transport_on_failure => "reconnectTransportOnFailure";
        timestamp_validity => "timestampValidityDuration";
        freshness.max_clock_skew => "maxClockSkew";
    }
    let percentages = [&default, settings].map(|settings| u64::from(settings.cookie_renewal_threshold_percentage));
    out.attribute_unless(&percentages[0], "cookieRenewalThresholdPercentage", &percentages[1]);
    out.end();
}
