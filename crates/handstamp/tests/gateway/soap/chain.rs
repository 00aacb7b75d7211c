//! A plain client, `initiate`, `terminate`, a plain service.

use super::setting::{AS_ADA, Bootstrap, SOAP_11, SOAP_12, Setting, plain_ledger, request};
use crate::support::status;

/// A header line with a name and a password.
fn basic(credentials: &str) -> String {
    format!("Authorization: Basic {}\r\n", base64_simd::STANDARD.encode_to_string(credentials.as_bytes()))
}

#[tokio::test]
async fn a_plain_client_reaches_a_plain_service_through_a_session() {
    for stateful in [true, false] {
        let (setting, service) = (Setting::new(Bootstrap::Certificate, stateful).await, plain_ledger().await);
        let claims =
            "claims_to_headers = { X-User = \"name\", X-Department = \"urn:department\" }\ncaller_header = true";
        let secured = setting.terminate(service.address, "", claims).await;
        let plain = setting.initiate(&format!("http://{}/ledger", secured.address), AS_ADA).await;
        for soap in [SOAP_11, SOAP_12] {
            let answer = plain.exchange(request(soap, "Balance", "")).await;
            assert_eq!(status(&answer), 200, "{answer}");
            assert!(answer.contains(soap) && answer.contains("42</BalanceResponse>"), "{answer}");
            assert!(answer.contains("<Served xmlns=\"urn:ledger\"") && answer.contains(">yes</Served>"), "{answer}");
            assert!(!answer.contains("Id="), "what signatures need is gone: {answer}");
            let received = service.received();
            let (head, body) = (&received[0], String::from_utf8_lossy(received[0].body()).into_owned());
            assert_eq!((head.uri().path(), &head.headers()["x-user"]), ("/inside", &"ada".parse().expect("a value")));
            assert_eq!(head.headers()["x-department"], "books");
            assert!(body.contains("urn:trace") && body.contains("xmlns:t=\"urn:types\""), "{body}");
            assert!(body.contains("<Caller xmlns=\"urn:handstamp:caller\" Name=\"ada\">"), "{body}");
            assert!(!body.contains("Security>") && !body.contains("Id=") && !body.contains("secret"), "{body}");
            assert!(head.headers()["content-type"].to_str().expect("text").contains("urn:ledger/Balance"));
        }
    }
}

#[tokio::test]
async fn sessions_over_tls_need_tls() {
    let (setting, service) = (Setting::new(Bootstrap::Transport, true).await, plain_ledger().await);
    let secured = setting.terminate_over_tls(service.address, "").await;
    let url = format!("https://localhost:{}/ledger", secured.address.port());
    let plain = setting.initiate(&url, AS_ADA).await;
    let answer = plain.exchange(request(SOAP_12, "Balance", "")).await;
    assert_eq!(status(&answer), 200, "{answer}");

    let bare = setting.terminate(service.address, "", "").await;
    let plain = setting.initiate(&format!("http://{}/ledger", bare.address), AS_ADA).await;
    let answer = plain.exchange(request(SOAP_12, "Balance", "")).await;
    assert_eq!(status(&answer), 500, "{answer}");
    assert!(!service.received().iter().any(|request| request.uri().path() != "/inside"));
}

#[tokio::test]
async fn sessions_whose_bootstrap_negotiates_take_several_steps() {
    for stateful in [true, false] {
        let setting = Setting::new(Bootstrap::Negotiated, stateful).await;
        let service = plain_ledger().await;
        let secured = setting.terminate(service.address, "", "").await;
        let plain = setting.initiate(&format!("http://{}/ledger", secured.address), AS_ADA).await;
        for _ in 0..2 {
            let answer = plain.exchange(request(SOAP_12, "Balance", "")).await;
            assert_eq!(status(&answer), 200, "{answer}");
        }
    }
}

/// `establishSecurityContext="false"`: each message shows the name and the password, under a context that TLS negotiated.
#[tokio::test]
async fn sc_7_credentials_are_in_each_message_where_there_is_no_session() {
    for remembered in [true, false] {
        let (setting, service) = (Setting::new(Bootstrap::Negotiated, !remembered).await, plain_ledger().await);
        let binding = format!(
            r#"<customBinding><binding name="ledger">
                 <security authenticationMode="UserNameForSslNegotiated" requireSecurityContextCancellation="{remembered}"/>
                 <textMessageEncoding/><httpTransport/>
               </binding></customBinding>"#
        );
        std::fs::write(setting.path("binding.xml"), binding).expect("written");
        let claims = "claims_to_headers = { X-User = \"name\", X-Department = \"urn:department\" }";
        let secured = setting.terminate(service.address, "", claims).await;
        let plain = setting.initiate(&format!("http://{}/ledger", secured.address), "callers = \"basic\"").await;
        for (credentials, wanted) in
            [("ada:secret of ada", 200), ("ada:secret of ada", 200), ("ada:secret of bob", 401), ("eve:secret", 401)]
        {
            let answer = plain.exchange(request(SOAP_12, "Balance", &basic(credentials))).await;
            assert_eq!(status(&answer), wanted, "{credentials}: {answer}");
        }
        let received = service.received();
        assert_eq!(received.len(), 2);
        for request in received {
            assert_eq!(request.headers()["x-user"], "ada");
            assert_eq!(request.headers()["x-department"], "books");
        }
    }
}

#[tokio::test]
async fn faults_of_the_service_arrive_with_their_details() {
    let (setting, service) = (Setting::new(Bootstrap::Certificate, true).await, plain_ledger().await);
    for inside in ["same", "1.1"] {
        let secured = setting.terminate(service.address, "", &format!("upstream_soap = \"{inside}\"")).await;
        let plain = setting.initiate(&format!("http://{}/ledger", secured.address), AS_ADA).await;
        for soap in [SOAP_11, SOAP_12] {
            let answer = plain.exchange(request(soap, "Fail", "")).await;
            assert_eq!(status(&answer), 500, "{answer}");
            assert!(
                answer.contains("too much") && answer.contains("<Limit xmlns=\"urn:ledger\">5</Limit>"),
                "{answer}"
            );
        }
    }
}

#[tokio::test]
async fn one_way_messages_are_accepted() {
    let (setting, service) = (Setting::new(Bootstrap::Certificate, true).await, plain_ledger().await);
    let secured = setting.terminate(service.address, "", "").await;
    let plain = setting.initiate(&format!("http://{}/ledger", secured.address), AS_ADA).await;
    assert_eq!(status(&plain.exchange(request(SOAP_12, "Note", "")).await), 202);
    assert_eq!(service.received().len(), 1);
}

#[tokio::test]
async fn callers_sign_in_themselves_and_strangers_are_asked_to() {
    let (setting, service) = (Setting::new(Bootstrap::Certificate, true).await, plain_ledger().await);
    let secured = setting.terminate(service.address, "", "claims_to_headers = { X-User = \"name\" }").await;
    let plain = setting.initiate(&format!("http://{}/ledger", secured.address), "callers = \"basic\"").await;
    for (credentials, name) in
        [("ada:secret of ada", "ada"), ("bob:secret of bob", "bob"), ("ada:secret of ada", "ada")]
    {
        let answer = plain.exchange(request(SOAP_12, "Balance", &basic(credentials))).await;
        assert_eq!(status(&answer), 200, "{answer}");
        assert_eq!(service.received()[0].headers()["x-user"], name);
    }
    for lines in [String::new(), basic("ada:secret of bob"), basic("eve:secret of ada"), basic("ada")] {
        let answer = plain.exchange(request(SOAP_12, "Balance", &lines)).await;
        assert_eq!(status(&answer), 401, "{answer}");
        assert!(answer.to_lowercase().contains("www-authenticate: basic"), "{answer}");
    }
    assert!(service.received().is_empty());
}

#[tokio::test]
async fn sc_12_2_a_password_that_cannot_be_checked_now_is_not_called_wrong() {
    let (setting, service) = (Setting::new(Bootstrap::Certificate, true).await, plain_ledger().await);
    let secured = setting.terminate(service.address, "", "").await;
    let plain = setting.initiate(&format!("http://{}/ledger", secured.address), "callers = \"basic\"").await;
    let accounts = rusqlite::Connection::open(setting.path("accounts.db")).expect("opened");
    accounts.execute_batch("ALTER TABLE account RENAME TO away").expect("renamed");
    let answer = plain.exchange(request(SOAP_12, "Balance", &basic("ada:secret of ada"))).await;
    assert!(status(&answer) == 500 && answer.contains("HST-SOAP-SESSION"), "{answer}");
    accounts.execute_batch("ALTER TABLE away RENAME TO account").expect("renamed");
    let answer = plain.exchange(request(SOAP_12, "Balance", &basic("ada:secret of ada"))).await;
    assert_eq!(status(&answer), 200, "{answer}");
}

#[tokio::test]
async fn many_callers_share_one_session() {
    let (setting, service) = (Setting::new(Bootstrap::Certificate, true).await, plain_ledger().await);
    let secured =
        setting.terminate(service.address, "", "jwt_header = \"X-Token\"\n[jwt]\nissuer = \"urn:test\"").await;
    let plain = setting.initiate(&format!("http://{}/ledger", secured.address), AS_ADA).await;
    let calls: Vec<_> = (0..20)
        .map(|_| {
            let address = plain.address;
            tokio::spawn(crate::support::exchange(address, request(SOAP_12, "Balance", "")))
        })
        .collect();
    for call in calls {
        assert_eq!(status(&call.await.expect("no panic").expect("connected")), 200);
    }
    let session = |token: &str| {
        let payload = token.split('.').nth(1).expect("a payload");
        let payload = base64_simd::URL_SAFE_NO_PAD.decode_to_vec(payload.as_bytes()).expect("base64");
        serde_json::from_slice::<serde_json::Value>(&payload).expect("JSON")["sid"].to_string()
    };
    let tokens = service.received();
    let mut sessions: Vec<_> =
        tokens.iter().map(|request| session(request.headers()["x-token"].to_str().expect("text"))).collect();
    sessions.dedup();
    assert_eq!((tokens.len(), sessions.len()), (20, 1), "one session for all");
}

#[tokio::test]
async fn sessions_survive_another_configuration() {
    for stateful in [true, false] {
        let (setting, service) = (Setting::new(Bootstrap::Certificate, stateful).await, plain_ledger().await);
        let secured = setting.terminate(service.address, "", "").await;
        let route = format!("{AS_ADA}\nlost_session = \"fail\"");
        let plain = setting.initiate(&format!("http://{}/ledger", secured.address), &route).await;
        assert_eq!(status(&plain.exchange(request(SOAP_12, "Balance", "")).await), 200);
        for (gateway, file) in [(&secured, "terminate.toml"), (&plain, "initiate.toml")] {
            let path = setting.path(file);
            let text = std::fs::read_to_string(&path)
                .expect("readable")
                .replace("[soap.ledger]", "[soap.ledger]\nresponse_timeout = \"7s\"");
            let config = handstamp::config::Config::parse(&text, &path).expect("a good configuration");
            gateway.reloader.reload(config).await.expect("taken over");
        }
        let answer = plain.exchange(request(SOAP_12, "Balance", "")).await;
        assert_eq!(status(&answer), 200, "the session goes on: {answer}");
    }
}

#[tokio::test]
async fn what_is_no_soap_is_told_so() {
    let (setting, service) = (Setting::new(Bootstrap::Certificate, true).await, plain_ledger().await);
    let secured = setting.terminate(service.address, "", "max_message_size = \"64KiB\"").await;
    let post = |media: &str, body: &str| {
        format!(
            "POST /ledger HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Type: {media}\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
    };
    for (request, wanted) in [
        (post("application/json", "{}"), 415),
        (post("text/xml", "no XML"), 400),
        (post("application/soap+msbin1", "\u{56}"), 400),
        (post("text/xml", &"x".repeat(70_000)), 413),
        ("GET /ledger HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".to_owned(), 405),
        (request(SOAP_12, "Balance", ""), 500),
    ] {
        let answer = secured.exchange(request).await;
        assert_eq!(status(&answer), wanted, "{answer}");
    }
    assert!(service.received().is_empty(), "nothing gets through without a session");
}
