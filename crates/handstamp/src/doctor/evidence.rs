//! What was captured: a cookie, an issuer's answer, a request of a browser or of curl.

use http::header::{COOKIE, HeaderMap, HeaderName, HeaderValue};
use http::request::Parts;
use http::{Method, Request};
use serde_json::Value;

/// A request as far as it was captured, and the form it brought.
#[derive(Debug)]
pub(crate) struct Evidence {
    /// Where it comes from, in words.
    pub(crate) source: String,
    /// The head of the request.
    pub(crate) head: Parts,
    /// The fields of a posted form, as they were sent.
    pub(crate) form: Option<String>,
}

/// The most requests of one recording that are looked at: those with cookies or an answer, the last ones.
const MAX_REQUESTS: usize = 20;

impl Evidence {
    /// Finds out what `text` is. `cookie` is the name for a value that stands alone.
    ///
    /// # Errors
    /// Why nothing can be made of it, and what would help.
    pub(crate) fn read(text: &str, cookie: &str) -> Result<Vec<Self>, String> {
        let text = text.trim();
        if text.is_empty() {
            return Err(
                "there is nothing to look at: paste a cookie, a curl command, a HAR file or a wresult".to_owned()
            );
        }
        if text.starts_with('{') {
            return recording(text);
        }
        if text.starts_with("curl ") {
            return curl(text).map(|evidence| vec![evidence]);
        }
        if text.starts_with('<') {
            let form = form_urlencoded::Serializer::new(String::new())
                .append_pair("wa", "wsignin1.0")
                .append_pair("wresult", text)
                .finish();
            return Ok(vec![Self::new("an answer of an issuer (XML)", HeaderMap::new(), Some(form))]);
        }
        if text.contains("wresult=") {
            let form = text.lines().rfind(|line| line.contains("wresult=")).unwrap_or(text).trim();
            return Ok(vec![Self::new("an answer of an issuer (form)", lines(text), Some(form.to_owned()))]);
        }
        let headers = lines(text);
        if !headers.is_empty() {
            return Ok(vec![Self::new("the head of a request", headers, None)]);
        }
        if text.contains('=') && !text.contains(char::is_whitespace) || text.contains("; ") {
            return Ok(vec![Self::new("a Cookie header", cookies(text), None)]);
        }
        if text.contains(char::is_whitespace) {
            return Err("this is no cookie, no curl command, no HAR file and no XML".to_owned());
        }
        Ok(vec![Self::new("the value of a cookie", cookies(&format!("{cookie}={text}")), None)])
    }

    fn new(source: impl Into<String>, headers: HeaderMap, form: Option<String>) -> Self {
        let (mut head, ()) = Request::new(()).into_parts();
        if form.is_some() {
            head.method = Method::POST;
        }
        head.headers = headers;
        Self { source: source.into(), head, form }
    }

    fn is_telling(&self) -> bool {
        self.head.headers.contains_key(COOKIE) || self.form.is_some()
    }
}

/// The requests of a HAR file that browsers save (HTTP Archive 1.2).
fn recording(text: &str) -> Result<Vec<Evidence>, String> {
    let har: Value = serde_json::from_str(text).map_err(|error| format!("this is no whole HAR file: {error}"))?;
    let entries = har["log"]["entries"].as_array().ok_or("this JSON has no log.entries, so it is no HAR file")?;
    let mut found: Vec<Evidence> = entries.iter().filter_map(recorded).filter(Evidence::is_telling).collect();
    if found.is_empty() {
        return Err("the recording has neither cookies nor an answer of an issuer: browsers leave them out unless they are told \
                    to save sensitive data (\"HAR with content\")"
            .to_owned());
    }
    Ok(found.split_off(found.len().saturating_sub(MAX_REQUESTS)))
}

fn recorded(entry: &Value) -> Option<Evidence> {
    let request = &entry["request"];
    let url = request["url"].as_str()?;
    let mut headers = HeaderMap::new();
    for header in request["headers"].as_array()? {
        add(&mut headers, header["name"].as_str()?, header["value"].as_str()?);
    }
    let posted = request["postData"]["text"].as_str().filter(|text| text.contains("wresult="));
    // Browsers' addresses may hold secrets behind the question mark.
    let place = url.split('?').next().unwrap_or(url);
    let source = format!("{} {place}", request["method"].as_str().unwrap_or("GET"));
    Some(Evidence::new(source, headers, posted.map(str::to_owned)))
}

/// A command as browsers copy it ("copy as cURL"), for a POSIX shell.
fn curl(text: &str) -> Result<Evidence, String> {
    let words = words(text)?;
    let mut headers = HeaderMap::new();
    let (mut form, mut address) = (None, "a curl command".to_owned());
    let mut words = words.into_iter().skip(1);
    while let Some(word) = words.next() {
        match word.as_str() {
            "-H" | "--header" => {
                if let Some((name, value)) = words.next().as_deref().and_then(|line| line.split_once(':')) {
                    add(&mut headers, name, value);
                }
            }
            "-b" | "--cookie" => {
                let Some(value) = words.next() else { continue };
                if !value.contains('=') {
                    return Err("the command reads its cookies from a file: paste them".to_owned());
                }
                add(&mut headers, COOKIE.as_str(), &value);
            }
            "-d" | "--data" | "--data-raw" | "--data-binary" | "--data-ascii" | "--data-urlencode" => {
                form = words.next().filter(|data| data.contains("wresult="));
            }
            word if word.starts_with("http") => address = word.split('?').next().unwrap_or(word).to_owned(),
            _ => {}
        }
    }
    Ok(Evidence::new(address, headers, form))
}

/// The words of a shell command: quotes of both kinds, `$'…'` as browsers write it, and lines that go on after a backslash.
fn words(text: &str) -> Result<Vec<String>, String> {
    let open = || "the command breaks off inside a quote".to_owned();
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            ' ' | '\t' | '\r' | '\n' => words.extend(word.take()),
            '\'' => {
                let word = word.get_or_insert_default();
                loop {
                    match letters.next().ok_or_else(open)? {
                        '\'' => break,
                        letter => word.push(letter),
                    }
                }
            }
            '$' if letters.peek() == Some(&'\'') => {
                letters.next();
                let word = word.get_or_insert_default();
                loop {
                    match letters.next().ok_or_else(open)? {
                        '\'' => break,
                        '\\' => word.push(match letters.next().ok_or_else(open)? {
                            'n' => '\n',
                            'r' => '\r',
                            't' => '\t',
                            'u' => {
                                let digits: String = letters.by_ref().take(4).collect();
                                let code = u32::from_str_radix(&digits, 16).ok().and_then(char::from_u32);
                                code.unwrap_or(char::REPLACEMENT_CHARACTER)
                            }
                            letter => letter,
                        }),
                        letter => word.push(letter),
                    }
                }
            }
            '"' => {
                let word = word.get_or_insert_default();
                loop {
                    match letters.next().ok_or_else(open)? {
                        '"' => break,
                        '\\' if matches!(letters.peek(), Some('"' | '\\' | '$' | '`')) => word.extend(letters.next()),
                        letter => word.push(letter),
                    }
                }
            }
            '\\' => match letters.next() {
                Some('\n') | None => {}
                Some('\r') => _ = letters.next_if_eq(&'\n'),
                Some(letter) => word.get_or_insert_default().push(letter),
            },
            letter => word.get_or_insert_default().push(letter),
        }
    }
    words.extend(word);
    Ok(words)
}

/// Header lines, as a tool shows them; others are passed over.
fn lines(text: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for line in text.lines() {
        if let Some((name, value)) = line.split_once(':')
            && name.trim().bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && value.starts_with(' ')
        {
            add(&mut headers, name, value);
        }
    }
    headers
}

fn cookies(text: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    add(&mut headers, COOKIE.as_str(), text);
    headers
}

fn add(headers: &mut HeaderMap, name: &str, value: &str) {
    if let (Ok(name), Ok(value)) = (name.trim().parse::<HeaderName>(), HeaderValue::from_str(value.trim())) {
        headers.append(name, value);
    }
}

/// Whether text is XML of SOAP that was captured; its bytes, decoded where the recording has them in base64.
pub(crate) fn is_soap(text: &[u8]) -> bool {
    let head = &text[..text.len().min(2048)];
    let has = |needle: &[u8]| head.windows(needle.len()).any(|window| window == needle);
    has(b"http://www.w3.org/2003/05/soap-envelope") || has(b"http://schemas.xmlsoap.org/soap/envelope/")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cookie(text: &str) -> String {
        let evidence = Evidence::read(text, "FedAuth").expect("evidence").remove(0);
        evidence.head.headers[COOKIE].to_str().expect("text").to_owned()
    }

    #[test]
    fn every_way_to_show_a_cookie_is_understood() {
        for text in [
            "0INabc",
            "FedAuth=0INabc",
            "Cookie: FedAuth=0INabc",
            "GET / HTTP/1.1\r\nHost: shop.example\r\nCookie: FedAuth=0INabc\r\n",
            "curl 'https://shop.example/' \\\n  -H 'accept: text/html' \\\n  -b 'FedAuth=0INabc' --compressed",
            "curl \"https://shop.example/\" -H \"Cookie: FedAuth=0INabc\"",
            r#"{"log":{"entries":[{"request":{"method":"GET","url":"https://shop.example/?a=b","headers":[{"name":"Cookie","value":"FedAuth=0INabc"}]}}]}}"#,
        ] {
            assert_eq!(cookie(text), "FedAuth=0INabc", "{text}");
        }
    }

    #[test]
    fn an_issuers_answer_is_found() {
        let form = |text: &str| Evidence::read(text, "c").expect("evidence").remove(0).form.expect("a form");
        assert_eq!(form("wa=wsignin1.0&wresult=%3Ca%2F%3E"), "wa=wsignin1.0&wresult=%3Ca%2F%3E");
        assert_eq!(form("<a/>"), "wa=wsignin1.0&wresult=%3Ca%2F%3E");
        assert_eq!(
            form("curl https://x.example/ --data-raw $'wa=wsignin1.0&wresult=%3Ca\\u0021'"),
            "wa=wsignin1.0&wresult=%3Ca!"
        );
    }

    #[test]
    fn what_cannot_be_understood_says_what_would_help() {
        for (text, help) in [
            ("", "paste"),
            ("hello there", "no cookie"),
            ("{\"a\":1}", "log.entries"),
            ("{\"log\":{\"entries\":[]}}", "sensitive"),
            ("curl 'https", "quote"),
            ("curl -b jar.txt https://x.example", "file"),
        ] {
            let problem = Evidence::read(text, "c").expect_err(text);
            assert!(problem.contains(help), "{problem}");
        }
    }
}
