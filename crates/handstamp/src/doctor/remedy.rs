//! What to do about a code. `docs/migrating-from-wif.md` has all of them with their reasons; here are those that people meet.

/// What helps, in a sentence; none when the message of the error says it all.
pub(super) fn of(code: &str) -> Option<&'static str> {
    Some(match code {
        "ID4257" => {
            "the issuer's certificate is known but cannot be used at the time above: if that time is right, the issuer needs a new one; \
             if not, set the clock by NTP"
        }
        "ID4255" | "ID4222" | "ID4223" | "ID4147" | "ID4148" => {
            "compare both clocks above. If they agree, this is an old cookie or page: sign in again. If not, set the clocks by NTP"
        }
        "HST-TOKEN-UNAUTHENTIC" => {
            "compare the key id above with `handstamp keys list`: a key that is missing means another ring (one ring for all nodes), \
             a revoked one means signing in again. With the right key, cookie name and realm must be those it was sealed for"
        }
        "HST-TOKEN-REVOKED" => "somebody signed out, or an administrator revoked the session: sign in again",
        "ID4243" => "the store has no such session: it ended, or the nodes do not share one store ([store])",
        "ID4291" => "the session is for another realm: give both sites the same realm, or name its scope in `scopes`",
        "HST-COOKIE-UNREADABLE" => {
            "delete the site's cookies; if it comes back, a proxy cuts long headers: look at its limits"
        }
        "ID4175" => {
            "if the certificate in the message is genuine, add its SHA-256 to issuer.NAME.fingerprints: issuers change it every year or so"
        }
        "ID1038" | "ID1043" => {
            "let the issuer name this application's realm to the letter: http or https and the last slash count"
        }
        "HST-SAML-ENCRYPTED" => "name the key that decrypts, or turn token encryption off at the issuer",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_codes_are_those_that_errors_have() {
        let unauthentic = handstamp_session_token::Error::Unauthentic;
        assert!(super::of(unauthentic.code()).is_some(), "{}", unauthentic.code());
        assert!(super::of(handstamp_session_token::Error::NotFoundInCache.code()).is_some());
        assert!(super::of("HST-NO-SUCH-CODE").is_none());
    }
}
