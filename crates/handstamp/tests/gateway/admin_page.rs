//! The page for operators.

use super::browser::{Browser, Options, Site};
use super::soap::setting::{AS_ADA, Bootstrap, SOAP_12, Setting, plain_ledger, request};
use super::support::{Application, Running, status};

/// A gateway whose sessions are in a database, and a page for those with the role `operator`.
async fn gateway(site: &Site, application: &Application) -> (Running, Running) {
    gateway_with(site, application, "").await
}

/// The same with further tables.
async fn gateway_with(site: &Site, application: &Application, tables: &str) -> (Running, Running) {
    let folder = site.folder.path().display().to_string();
    let binding = "<customBinding><binding><security authenticationMode='SecureConversation'>\
                   <secureConversationBootstrap authenticationMode='UserNameOverTransport'/></security>\
                   <textMessageEncoding/><httpsTransport/></binding></customBinding>";
    std::fs::write(site.folder.path().join("binding.xml"), binding).expect("written");
    let rest = format!(
        "[soap.books]\nmode = \"initiate\"\npath = \"/books\"\nupstream = \"https://localhost:9/\"\n\
         binding = \"{folder}/binding.xml\"\ncallers = \"basic\"\n[admin]\naddress = \"127.0.0.1:0\"\nfederation = \"shop\"\nrequired_roles = [\"operator\"]\n\
         trusted_proxies = [\"127.0.0.1\"]\n\
         [store]\nkind = \"sqlite\"\npath = \"{folder}/store.db\"\n{tables}"
    );
    let options = Options { session: "mode = \"reference\"", rest: &rest, ..Options::default() };
    let gateway = site.gateway(application.address, options).await;
    // The same program, by its other address.
    let admin = Running {
        address: gateway.admin.expect("an admin listener"),
        admin: None,
        reloader: gateway.reloader.clone(),
        trigger: gateway.trigger.clone(),
        served: tokio::spawn(async {}),
    };
    (gateway, admin)
}

const FROM_HERE: &str = "Origin: https://shop.example\r\nSec-Fetch-Site: same-origin\r\n\
                         Content-Type: application/x-www-form-urlencoded\r\n";

async fn operator(site: &Site, gateway: &Running) -> Browser {
    let mut browser = Browser::default();
    browser.sign_in(site, gateway, "/", "olga", &["operator"]).await;
    browser
}

#[tokio::test]
async fn only_operators_see_it_and_it_says_what_there_is() {
    let (site, application) = (Site::new(), Application::hello().await);
    let (gateway, admin) = gateway(&site, &application).await;
    let mut nobody = Browser::default();
    assert_eq!(nobody.open(&admin, "/").await.status, 302, "to sign in");
    let mut alice = Browser::default();
    alice.sign_in(&site, &gateway, "/", "<alice>", &["staff"]).await;
    for path in ["/", "/end-session?session=1", "/end-user?user=olga"] {
        assert_eq!(alice.open(&admin, path).await.status, 403, "{path}");
    }
    let page = operator(&site, &gateway).await.open(&admin, "/").await;
    assert_eq!(page.status, 200);
    for text in [
        "olga",
        "&#60;alice&#62;",
        "in the store",
        "seals and opens",
        "https://sts.example/wsfed",
        "HST-GATEWAY-ROLE",
        "Secure sessions of SOAP",
        "books <span class=\"pill\">sessions with the service begin here",
    ] {
        assert!(page.body.contains(text), "{text} is not in {}", page.body);
    }
    assert!(!page.body.contains("<script"));
    let health = admin.get("/healthz", "").await;
    assert!(health.contains("200 OK"), "health needs no sign-in: {health}");
}

/// A proxy ends TLS in front of the page, too: SM-23 keeps secure cookies off plain HTTP.
#[tokio::test]
async fn operators_sign_in_through_a_proxy_that_ends_tls() {
    let (site, application) = (Site::new(), Application::hello().await);
    let (_gateway, admin) = gateway(&site, &application).await;
    let mut olga = operator(&site, &admin).await;
    assert_eq!(olga.open(&admin, "/").await.status, 200);
}

#[tokio::test]
async fn it_lists_the_secure_sessions_of_soap_routes() {
    let (site, application) = (Site::new(), Application::hello().await);
    for stateful in [false, true] {
        let (setting, ledger) = (Setting::new(Bootstrap::Certificate, stateful).await, plain_ledger().await);
        let file = |name: &str| setting.path(name).display().to_string();
        let table = format!(
            "[soap.ledger]\nmode = \"terminate\"\npath = \"/ledger\"\nupstream = \"http://{}/\"\nbinding = \"{}\"\n\
             identity = \"{}\"\naccounts = \"{}\"\n",
            ledger.address,
            file("binding.xml"),
            file("ledger.pem"),
            file("accounts.db")
        );
        let (gateway, admin) = gateway_with(&site, &application, &table).await;
        let plain = setting.initiate(&format!("http://{}/ledger", gateway.address), AS_ADA).await;
        assert_eq!(status(&plain.exchange(request(SOAP_12, "Balance", "")).await), 200);
        let page = operator(&site, &gateway).await.open(&admin, "/").await;
        let row = "<th scope=\"row\">ada</th><td>ledger</td><td><code>";
        assert!(page.body.contains(row) && page.body.contains("clients&#39; sessions end here"), "{}", page.body);
        assert!(page.body.contains("<dt>Issued</dt><dd>1</dd>"), "{}", page.body);
        end_secure_session(&site, (&gateway, &admin), &page.body).await;
        let mut answer = String::new();
        for _ in 0..300 {
            answer = plain.exchange(request(SOAP_12, "Balance", "")).await;
            if answer.contains("HST-SOAP-LOST") {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        assert!(answer.contains("HST-SOAP-LOST"), "the session goes on: {answer}");
        assert_eq!(status(&plain.exchange(request(SOAP_12, "Balance", "")).await), 200, "a new one");
    }
}

/// Follows the link of the only secure session on the page, and confirms.
async fn end_secure_session(site: &Site, (gateway, admin): (&Running, &Running), page: &str) {
    let link = page.split("href=\"/end-secure-session").nth(1).and_then(|rest| rest.split('"').next()).expect("a link");
    let form = link.trim_start_matches('?').replace("&#38;", "&").replace("&amp;", "&");
    let mut olga = operator(site, gateway).await;
    let question = olga.open(admin, &format!("/end-secure-session?{form}")).await;
    assert!(question.status == 200 && question.body.contains("of ada with ledger?"), "{question:?}");
    let foreign = olga.send(admin, "POST", "/end-secure-session", "Origin: https://evil.example\r\n", &form).await;
    assert_eq!(foreign.status, 403, "{foreign:?}");
    let unknown = olga.send(admin, "POST", "/end-secure-session", FROM_HERE, "route=ledger&session=nothing").await;
    assert_eq!(unknown.status, 404, "{unknown:?}");
    let done = olga.send(admin, "POST", "/end-secure-session", FROM_HERE, &form).await;
    assert_eq!(done.status, 200, "{done:?}");
}

#[tokio::test]
async fn an_operator_ends_a_session_after_a_second_thought() {
    let (site, application) = (Site::new(), Application::hello().await);
    let (gateway, admin) = gateway(&site, &application).await;
    let mut alice = Browser::default();
    alice.sign_in(&site, &gateway, "/", "alice", &["staff"]).await;
    let mut olga = operator(&site, &gateway).await;
    let page = olga.open(&admin, "/").await.body;
    let row = page.split("<tr>").find(|row| row.contains(">alice<")).expect("her session is listed");
    let link = row.split("href=\"").nth(1).and_then(|rest| rest.split('"').next()).expect("a link").to_owned();
    let question = olga.open(&admin, &link).await;
    assert!(question.status == 200 && question.body.contains("of alice?"), "{question:?}");
    assert_eq!(alice.open(&gateway, "/").await.status, 200, "asking ends nothing");

    let form = link.split_once('?').expect("a query").1.to_owned();
    let done = olga.send(&admin, "POST", "/end-session", FROM_HERE, &form).await;
    assert_eq!(done.status, 200, "{done:?}");
    for _ in 0..300 {
        if alice.open(&gateway, "/").await.status == 302 {
            assert_eq!(olga.open(&gateway, "/").await.status, 200, "others go on");
            let again = olga.send(&admin, "POST", "/end-session", FROM_HERE, &form).await;
            assert_eq!(again.status, 404, "it is gone");
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("her session goes on");
}

#[tokio::test]
async fn an_operator_signs_a_user_out_everywhere() {
    let (site, application) = (Site::new(), Application::hello().await);
    let (gateway, admin) = gateway(&site, &application).await;
    let (mut one, mut two) = (Browser::default(), Browser::default());
    one.sign_in(&site, &gateway, "/", "alice", &["staff"]).await;
    two.sign_in(&site, &gateway, "/", "alice", &["staff"]).await;
    let mut olga = operator(&site, &gateway).await;
    assert_eq!(olga.open(&admin, "/end-user?user=").await.status, 400);
    let question = olga.open(&admin, "/end-user?user=alice").await;
    assert!(question.status == 200 && question.body.contains("Sign alice out everywhere?"), "{question:?}");
    let done = olga.send(&admin, "POST", "/end-user", FROM_HERE, "user=alice").await;
    assert!(done.status == 200 && done.body.contains("2 session(s)"), "{done:?}");
    for _ in 0..300 {
        if one.open(&gateway, "/").await.status == 302 && two.open(&gateway, "/").await.status == 302 {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("the user is still signed in");
}

#[tokio::test]
async fn a_form_of_another_site_or_of_no_browser_does_nothing() {
    let (site, application) = (Site::new(), Application::hello().await);
    let (gateway, admin) = gateway(&site, &application).await;
    let mut alice = Browser::default();
    alice.sign_in(&site, &gateway, "/", "alice", &["staff"]).await;
    let mut olga = operator(&site, &gateway).await;
    let foreign = FROM_HERE.replace("https://shop.example", "https://evil.example");
    let cross_site = FROM_HERE.replace("same-origin", "cross-site");
    let unsaid = "Content-Type: application/x-www-form-urlencoded\r\n";
    for lines in [foreign.as_str(), &cross_site, unsaid] {
        let answer = olga.send(&admin, "POST", "/end-user", lines, "user=alice").await;
        assert_eq!(answer.status, 403, "{lines}");
        assert!(answer.body.contains("HST-GATEWAY-FOREIGN-FORM"), "{answer:?}");
    }
    tokio::time::sleep(std::time::Duration::from_millis(1500)).await;
    assert_eq!(alice.open(&gateway, "/").await.status, 200);
}
