//! The `Forwarded` header (RFC 7239).

use http::HeaderValue;

/// One element: what one proxy says of the request it got.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ForwardedElement {
    /// Who asked: an address, perhaps with port, `unknown`, or a name that the proxy made up.
    pub for_node: Option<String>,
    /// The scheme that was used.
    pub proto: Option<String>,
    /// The host that was asked.
    pub host: Option<String>,
}

impl ForwardedElement {
    /// The elements of all lines, the proxy nearest to the client first. None when a line is malformed, or says one thing twice.
    pub fn parse_all<'h>(lines: impl Iterator<Item = &'h HeaderValue>) -> Option<Vec<Self>> {
        let mut elements = Vec::new();
        for line in lines {
            let mut rest = line.to_str().ok()?;
            loop {
                let (element, after) = Self::parse(rest)?;
                elements.push(element);
                match after {
                    Some(after) => rest = after,
                    None => break,
                }
            }
        }
        Some(elements)
    }

    /// One element, and what follows its comma.
    fn parse(text: &str) -> Option<(Self, Option<&str>)> {
        let mut element = Self::default();
        let mut rest = text.trim_start();
        loop {
            let pair_end = rest.find(['=', ';', ',']).unwrap_or(rest.len());
            let (name, after) = rest.split_at(pair_end);
            if let Some(after) = after.strip_prefix('=') {
                let (value, after) = parse_value(after)?;
                let slot = match name.trim().to_ascii_lowercase().as_str() {
                    "for" => Some(&mut element.for_node),
                    "proto" => Some(&mut element.proto),
                    "host" => Some(&mut element.host),
                    other if is_token(other) => None,
                    _ => return None,
                };
                if let Some(slot) = slot
                    && slot.replace(value).is_some()
                {
                    return None;
                }
                rest = after.trim_start();
            } else if name.trim().is_empty() {
                rest = after;
            } else {
                return None;
            }
            match rest.strip_prefix(';') {
                Some(after) => rest = after,
                None if rest.is_empty() => return Some((element, None)),
                None => return Some((element, Some(rest.strip_prefix(',')?))),
            }
        }
    }
}

/// A token or a quoted string, and what follows it.
fn parse_value(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find([';', ',', ' ', '\t']).unwrap_or(text.len());
        let (token, rest) = text.split_at(end);
        return is_token(token).then(|| (token.to_owned(), rest));
    };
    let mut value = String::new();
    let mut characters = quoted.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Some((value, &quoted[at + 1..])),
            '\\' => value.push(characters.next()?.1),
            other => value.push(other),
        }
    }
    None
}

fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &'static str) -> Option<Vec<ForwardedElement>> {
        ForwardedElement::parse_all([HeaderValue::from_static(text)].iter())
    }

    #[test]
    fn the_examples_of_the_rfc_are_understood() {
        let one = parse("for=192.0.2.60;proto=http;by=203.0.113.43").expect("well formed");
        assert_eq!(one[0].for_node.as_deref(), Some("192.0.2.60"));
        assert_eq!(one[0].proto.as_deref(), Some("http"));
        let two = parse("for=192.0.2.43, For=\"[2001:db8:cafe::17]:4711\"; Host=\"a.example:8\"").expect("well formed");
        assert_eq!(two.len(), 2);
        assert_eq!(two[1].for_node.as_deref(), Some("[2001:db8:cafe::17]:4711"));
        assert_eq!(two[1].host.as_deref(), Some("a.example:8"));
        assert_eq!(parse("for=_gazonk").expect("well formed")[0].for_node.as_deref(), Some("_gazonk"));
        assert_eq!(parse("for=\"a\\\",b\"").expect("well formed")[0].for_node.as_deref(), Some("a\",b"));
    }

    #[test]
    fn what_can_be_read_in_two_ways_is_not_read() {
        for text in
            ["for", "for=", "for=a b", "for=\"a", "for=\"a\\", "for=a;for=b", "=a", "f r=a", "for=a\"b\"", "for=[::1]"]
        {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
