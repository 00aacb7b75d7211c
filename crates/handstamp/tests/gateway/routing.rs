//! Which application answers.

use http::Response;

use super::browser::{Browser, Options, Site};
use super::support::{Application, Running, status};

#[tokio::test]
async fn host_and_path_choose_the_application() {
    let shop = Application::answering(|_| Response::new("shop".to_owned())).await;
    let api = Application::answering(|_| Response::new("api".to_owned())).await;
    let gateway = Running::from_toml(&format!(
        r#"
        [listener.public]
        address = "127.0.0.1:0"
        [web.shop]
        hosts = ["shop.example"]
        upstream = "http://{}"
        [web.api]
        hosts = ["*.example"]
        path = "/api"
        upstream = "http://{}"
        "#,
        shop.address, api.address
    ))
    .await;
    assert!(gateway.get("/", "").await.ends_with("shop"));
    let ask = |host: &str, path: &str| {
        gateway.exchange(format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"))
    };
    assert!(ask("www.example:8080", "/api/1").await.ends_with("api"));
    let nowhere = ask("www.example", "/").await;
    assert_eq!(status(&nowhere), 404);
    assert!(nowhere.contains("HST-GATEWAY-ROUTE"), "{nowhere}");
    let absolute = gateway
        .exchange("GET http://shop.example/x HTTP/1.1\r\nHost: other.example\r\nConnection: close\r\n\r\n")
        .await;
    assert!(absolute.ends_with("shop"), "{absolute}");
    let received = shop.received();
    assert_eq!(received[1].headers()["host"], "shop.example", "the target wins over the Host line");
    assert_eq!(received[1].uri(), "/x");
}

#[tokio::test]
async fn connections_to_the_application_are_kept() {
    let application = Application::answering(|_| Response::new("x".to_owned())).await;
    let gateway = Running::before(application.address).await;
    let twice = "GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    assert_eq!(gateway.exchange(twice).await.matches("HTTP/1.1 200").count(), 2);
    assert_eq!(application.received().len(), 2);
}

#[tokio::test]
async fn an_application_may_believe_to_be_at_the_root() {
    let application = Application::hello().await;
    let route = "path = \"/shop\"\nstrip_path = true";
    let gateway = Running::with(application.address, "", route, "").await;
    for (path, seen) in
        [("/shop", "/"), ("/shop/", "/"), ("/shop?id=7", "/?id=7"), ("/shop/a/shop?b=/shop", "/a/shop?b=/shop")]
    {
        assert_eq!(status(&gateway.get(path, "X-Forwarded-Prefix: /forged\r\n").await), 200, "{path}");
        let request = &application.received()[0];
        assert_eq!(
            (request.uri().to_string().as_str(), request.headers()["x-forwarded-prefix"].to_str().ok()),
            (seen, Some("/shop"))
        );
    }
    assert_eq!(status(&gateway.get("/shopping", "").await), 404);
}

/// An application with a guarded place in it: whatever it makes of a path, the place stays guarded.
#[tokio::test]
async fn the_rules_of_a_path_hold_in_every_reading_of_it() {
    let (site, application) = (Site::new(), Application::hello().await);
    let rest = format!(
        "[web.admin]\npath = \"/admin\"\nupstream = \"http://{0}\"\nsign_in = \"required\"\nrequired_roles = [\"boss\"]\n\
         [web.private]\npath = \"/assets/private\"\nupstream = \"http://{0}\"\nsign_in = \"required\"\n",
        application.address
    );
    let options = Options { route: "public_paths = [\"/assets\"]", rest: &rest, ..Options::default() };
    let gateway = site.gateway(application.address, options).await;
    let mut browser = Browser::default();
    browser.sign_in(&site, &gateway, "/", "alice", &["staff"]).await;
    assert_eq!(browser.open(&gateway, "/admin").await.status, 403);
    for path in [
        "/%61dmin",
        "/admi%6e/delete",
        "//admin",
        "/%2fadmin",
        "/;/admin",
        "/admin%2fy",
        "/admin;x",
        "/%2561dmin",
        "/assets/..%2fadmin",
        "/assets//../admin",
        "/assets/%252e%252e/admin",
        "/assets%2f..%2fadmin",
        "/assets//private",
        "/assets/;/private",
    ] {
        for browser in [&mut browser, &mut Browser::default()] {
            let answer = browser.open(&gateway, path).await;
            assert_eq!(answer.status, 400, "{path}");
            assert!(answer.body.contains("HST-GATEWAY-TARGET"), "{answer:?}");
        }
    }
    assert!(application.received().is_empty());
}

#[tokio::test]
async fn a_path_reaches_the_application_as_it_was_sent() {
    let application = Application::hello().await;
    let gateway = Running::before(application.address).await;
    for path in ["//a//b", "/a%2Fb", "/a;v=1/b", "/%61", "/a%252Fb?c=%2F..", "/100%25"] {
        assert_eq!(status(&gateway.get(path, "").await), 200, "{path}");
        let uri = application.received()[0].uri().to_string();
        assert_eq!(uri, path);
    }
}

#[tokio::test]
async fn a_request_for_no_path_is_told_so() {
    let application = Application::hello().await;
    let gateway = Running::before(application.address).await;
    let answer = gateway.exchange("OPTIONS * HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await;
    assert_eq!(status(&answer), 400);
    assert!(answer.contains("begins with a slash") && !answer.contains("segments"), "{answer}");
    assert!(application.received().is_empty());
}
