//! The encodings of WCF, and compression.

use std::fs;
use std::io::Read;

use flate2::Compression;
use flate2::read::{GzDecoder, GzEncoder};
use handstamp_xml::binary::{Reader, WCF_DICTIONARY, from_text, to_text};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::setting::{AS_ADA, Bootstrap, SOAP_12, Setting, plain_ledger, request};
use crate::support::{Running, status};

/// The head and the body of the answer to these bytes.
async fn exchange(gateway: &Running, bytes: &[u8]) -> (String, Vec<u8>) {
    let mut stream = gateway.connect().await;
    stream.write_all(bytes).await.expect("written");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.expect("read");
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n").expect("a head");
    (String::from_utf8_lossy(&answer[..end]).into_owned(), answer[end + 4..].to_vec())
}

fn post(headers: &str, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "POST /ledger HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{headers}\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

#[tokio::test]
async fn sc_14_5_sessions_speak_every_encoding_of_the_binding() {
    for encoding in ["textMessageEncoding", "mtomMessageEncoding", "binaryMessageEncoding"] {
        let (setting, service) = (Setting::new(Bootstrap::Certificate, true).await, plain_ledger().await);
        let binding = fs::read_to_string(setting.path("binding.xml")).expect("readable");
        fs::write(setting.path("binding.xml"), binding.replace("textMessageEncoding", encoding)).expect("written");
        let secured = setting.terminate(service.address, "", "").await;
        let plain = setting.initiate(&format!("http://{}/ledger", secured.address), AS_ADA).await;
        for operation in ["Balance", "Fail"] {
            let answer = plain.exchange(request(SOAP_12, operation, "")).await;
            let wanted =
                if operation == "Fail" { "<Limit xmlns=\"urn:ledger\">5</Limit>" } else { "42</BalanceResponse>" };
            assert!(answer.contains(wanted), "{encoding}: {answer}");
        }
    }
}

#[tokio::test]
async fn local_programs_may_write_mtom_binary_and_gzip() {
    let (setting, service) = (Setting::new(Bootstrap::Certificate, true).await, plain_ledger().await);
    let secured = setting.terminate(service.address, "", "").await;
    let plain = setting.initiate(&format!("http://{}/ledger", secured.address), AS_ADA).await;
    let text = request(SOAP_12, "Balance", "");
    let envelope = text.split_once("\r\n\r\n").expect("a body").1;

    let binary = from_text(envelope, Some(&WCF_DICTIONARY), None).expect("binary");
    let headers = "Content-Type: application/soap+msbin1; action=\"urn:ledger/Balance\"";
    let (head, body) = exchange(&plain, &post(headers, &binary)).await;
    assert_eq!(status(&head), 200, "{head}");
    let answer = to_text(Reader::new(&body, Some(&WCF_DICTIONARY))).expect("binary");
    assert!(answer.contains("42</BalanceResponse>"), "{answer}");

    let with_part = envelope.replace(
        ">1</l:Balance>",
        "><i:Include xmlns:i=\"http://www.w3.org/2004/08/xop/include\" href=\"cid:one@x\"/></l:Balance>",
    );
    let package = format!(
        "--b\r\nContent-ID: <root@x>\r\nContent-Type: application/xop+xml\r\n\r\n{with_part}\r\n\
         --b\r\nContent-ID: <one@x>\r\n\r\nlarge\r\n--b--\r\n"
    );
    let headers = "Content-Type: multipart/related; type=\"application/xop+xml\"; start=\"<root@x>\"; boundary=b; \
                   action=\"urn:ledger/Balance\"";
    let (head, body) = exchange(&plain, &post(headers, package.as_bytes())).await;
    assert_eq!(status(&head), 200, "{head}");
    assert!(head.contains("multipart/related") && String::from_utf8_lossy(&body).contains("42</BalanceResponse>"));
    let received = service.received();
    assert!(String::from_utf8_lossy(received[1].body()).contains(">bGFyZ2U=</l:Balance>"), "{:?}", received[1].body());

    let mut compressed = Vec::new();
    GzEncoder::new(envelope.as_bytes(), Compression::fast()).read_to_end(&mut compressed).expect("compressed");
    let headers = "Content-Type: application/soap+xml; action=\"urn:ledger/Balance\"\r\nContent-Encoding: gzip";
    let (head, _) = exchange(&plain, &post(headers, &compressed)).await;
    assert_eq!(status(&head), 200, "{head}");
}

#[tokio::test]
async fn compression_is_bounded_and_comes_back_where_it_is_wanted() {
    let (setting, service) = (Setting::new(Bootstrap::Certificate, true).await, plain_ledger().await);
    let secured = setting.terminate(service.address, "", "max_message_size = \"64KiB\"").await;
    let mut bomb = Vec::new();
    GzEncoder::new(vec![b' '; 1 << 20].as_slice(), Compression::fast()).read_to_end(&mut bomb).expect("compressed");
    let headers = "Content-Type: application/soap+xml\r\nContent-Encoding: gzip";
    let (head, _) = exchange(&secured, &post(headers, &bomb)).await;
    assert_eq!(status(&head), 400, "{head}");

    let plain = setting.initiate(&format!("http://{}/ledger", secured.address), AS_ADA).await;
    let text = request(SOAP_12, "Large", "Accept-Encoding: gzip\r\n");
    let (head, body) = exchange(&plain, text.as_bytes()).await;
    assert!(head.to_lowercase().contains("content-encoding: gzip"), "{head}");
    let mut answer = String::new();
    GzDecoder::new(body.as_slice()).read_to_string(&mut answer).expect("gzip");
    assert!(answer.contains("large large"), "{answer}");
}
