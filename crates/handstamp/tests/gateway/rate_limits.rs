//! How often one client may ask.

use super::support::{Application, Running, status};

#[tokio::test]
async fn a_client_over_its_limit_is_told_when_to_come_back_and_others_are_not_held_up() {
    let application = Application::hello().await;
    let limit = "[web.app.rate_limit]\nrequests = 1\nper = \"1h\"\nburst = 2\n[admin]\naddress = \"127.0.0.1:0\"";
    let gateway = Running::with(application.address, "trusted_proxies = [\"127.0.0.1\"]", "", limit).await;
    let greedy = "X-Forwarded-For: 192.0.2.1\r\n";
    assert_eq!(status(&gateway.get("/", greedy).await), 200);
    assert_eq!(status(&gateway.get("/", greedy).await), 200);
    let refused = gateway.get("/", greedy).await;
    assert_eq!(status(&refused), 429, "{refused}");
    assert!(refused.contains("HST-GATEWAY-RATE"), "{refused}");
    let wait = refused.to_ascii_lowercase();
    let wait = wait.split("retry-after: ").nth(1).and_then(|rest| rest.split("\r\n").next()?.parse::<u32>().ok());
    assert!(wait.is_some_and(|wait| (3500..=3600).contains(&wait)), "{refused}");
    assert_eq!(status(&gateway.get("/", "X-Forwarded-For: 192.0.2.2\r\n").await), 200);
    assert_eq!(application.received().len(), 3);
}
