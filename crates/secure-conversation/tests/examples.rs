//! The examples do what they say.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(dead_code, reason = "examples have a main of their own")]

#[path = "../examples/issued_token.rs"]
mod issued_token;
#[path = "../examples/secure_client.rs"]
mod secure_client;
#[path = "../examples/secure_service.rs"]
mod secure_service;

/// WST-4: three parties over sockets; the session outlives the ledger that began it.
#[tokio::test]
async fn sc_22_a_token_opens_a_session_that_another_ledger_goes_on_with() {
    let told = issued_token::run().await.unwrap();
    let balance = "100 on the account of alice (auditor, says the token service)";
    let expected = [
        "a token service and a ledger listen",
        "alice has a token for the ledger, good for 10 minutes",
        balance,
        "the ledger is another one now",
        balance,
        "it is the same session",
    ];
    assert_eq!(told, expected);
}

#[tokio::test]
async fn sc_70_the_client_calls_the_service() {
    for remember in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}/", listener.local_addr().unwrap());
        let path = folder.path().to_owned();
        let service = async move { secure_service::serve(listener, &path, remember).await.unwrap() };
        let calls = async {
            let certificate = folder.path().join("certificate.pem");
            while !certificate.exists() {
                tokio::task::yield_now().await;
            }
            let session = secure_client::session(&address, folder.path()).unwrap();
            assert_eq!(secure_client::call(&session, "Balance", "").await.unwrap(), "100");
            assert_eq!(secure_client::call(&session, "Deposit", "20").await.unwrap(), "120");
            assert!(
                secure_client::call(&session, "Deposit", "much")
                    .await
                    .unwrap_err()
                    .to_string()
                    .contains("whole number")
            );
            session.close().await.unwrap();
        };
        tokio::select! {
            () = service => panic!("it serves for ever"),
            () = calls => {}
        }
    }
}
