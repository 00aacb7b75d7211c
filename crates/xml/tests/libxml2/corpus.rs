//! Random documents, and random damage to them. The same seed gives the same corpus.

pub(crate) struct Corpus {
    state: u64,
}

impl Corpus {
    pub(crate) fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// A well-formed document with everything that canonicalization has to deal with.
    pub(crate) fn document(&mut self) -> String {
        let mut out = String::new();
        if self.one_in(3) {
            out += self.pick(&[
                "<?xml version=\"1.0\"?>",
                "<?xml version='1.0' encoding='UTF-8'?>",
                "<?xml version=\"1.0\" encoding=\"utf-8\" standalone=\"yes\" ?>",
            ]);
        }
        self.misc(&mut out);
        let mut scope = vec![(String::new(), String::new())];
        self.element(&mut out, &mut scope, 0);
        self.misc(&mut out);
        out
    }

    /// A document with some bytes changed, removed, doubled or inserted.
    pub(crate) fn mutation(&mut self) -> Vec<u8> {
        const SNIPPETS: &[&str] = &[
            "<",
            ">",
            "&",
            "\"",
            "'",
            "/",
            "=",
            ":",
            " ",
            "\t",
            "\r\n",
            "]]>",
            "<!--",
            "-->",
            "--",
            "<![CDATA[",
            "<?",
            "?>",
            "<?xml?>",
            "&amp;",
            "&#x0;",
            "&#xD;",
            "&#65;",
            "&lt",
            "&unknown;",
            "xmlns=''",
            " xmlns:q=''",
            " xmlns:q='urn:q'",
            " q:a=''",
            " a='1' a='2'",
            " xmlns:xml='http://www.w3.org/XML/1998/namespace'",
            " xmlns:xmlns='urn:x'",
            " xmlns:p='http://www.w3.org/2000/xmlns/'",
            "<a>",
            "</a>",
            "<a/>",
            "<p:a/>",
            "<:a/>",
            "<a:/>",
            "<a:b:c/>",
            "<1/>",
            "<-a/>",
            "é",
            "\u{B7}",
            "\u{FFFE}",
            "\u{1F600}",
            "\u{2028}",
            "\0",
            "\u{1}",
            "\u{7F}",
            "\u{85}",
            "<?a:b c?>",
            "<?XML c?>",
            "<?p",
            " b = 'x'",
            "x='<'",
            "x=1",
            "<!ELEMENT a ANY>",
            "&&",
            ";",
        ];
        let mut bytes = self.document().into_bytes();
        for _ in 0..=self.below(2) {
            let at = self.below(bytes.len() + 1);
            match self.below(6) {
                0 | 1 => _ = bytes.splice(at..at, self.pick(SNIPPETS).bytes()),
                2 => {
                    let end = (at + 1 + self.below(6)).min(bytes.len());
                    _ = bytes.drain(at..end);
                }
                3 if at < bytes.len() => bytes[at] = self.below(256) as u8,
                4 => {
                    let end = (at + self.below(12)).min(bytes.len());
                    let copy = bytes[at..end].to_vec();
                    _ = bytes.splice(at..at, copy);
                }
                _ => {
                    let swapped = self.pick(&["<", ">", "/", "\"", "'", "=", ":", " ", "&", ";", "a", "p"]);
                    if at < bytes.len() {
                        bytes[at] = swapped.as_bytes()[0];
                    }
                }
            }
        }
        bytes
    }

    fn element(&mut self, out: &mut String, scope: &mut Vec<(String, String)>, depth: usize) {
        const PREFIXES: &[&str] = &["", "p", "q", "r", "long-prefix", "é"];
        const NAMESPACES: &[&str] = &[
            "urn:1",
            "urn:2",
            "http://example.org/a?b=1;c#d",
            "urn:%C3%BC",
            "http://www.w3.org/2003/05/soap-envelope",
        ];
        const LOCALS: &[&str] = &["a", "b", "Z", "_x", "a-b.c", "élan", "日本", "xml-like"];
        let outer = scope.len();
        let mut declared: Vec<&str> = Vec::new();
        let mut parts: Vec<String> = Vec::new();
        for _ in 0..self.below(4) {
            let prefix = self.pick(PREFIXES);
            if declared.contains(&prefix) {
                continue;
            }
            declared.push(prefix);
            let namespace = if prefix.is_empty() && self.one_in(3) { "" } else { self.pick(NAMESPACES) };
            let name = if prefix.is_empty() { "xmlns".to_owned() } else { format!("xmlns:{prefix}") };
            parts.push(self.written(&name, namespace));
            scope.push((prefix.to_owned(), namespace.to_owned()));
        }
        let prefix = self.bound(scope);
        let name = qualified(&prefix, self.pick(LOCALS));
        let mut expanded: Vec<(String, &str)> = Vec::new();
        for _ in 0..self.below(5) {
            let prefix = if self.one_in(2) { String::new() } else { self.bound(scope) };
            let local = self.pick(&["a", "b", "k", "Z", "é", "b-b"]);
            let namespace = if prefix.is_empty() { String::new() } else { namespace_of(scope, &prefix) };
            if expanded.iter().any(|(n, l)| *n == namespace && *l == local) {
                continue;
            }
            expanded.push((namespace, local));
            let value = self.value();
            parts.push(self.written(&qualified(&prefix, local), &value));
        }
        if self.one_in(6) {
            parts.push(self.written("xml:lang", "en"));
        }
        for i in (1..parts.len()).rev() {
            parts.swap(i, self.below(i + 1));
        }
        out.push('<');
        out.push_str(&name);
        for part in parts {
            out.push_str(self.pick(&[" ", " ", " ", "  ", "\n", "\r\n", "\t"]));
            out.push_str(&part);
        }
        if self.one_in(5) {
            out.push_str(self.pick(&["/>", " />", "\n/>"]));
        } else {
            out.push_str(self.pick(&[">", ">", ">", " >", "\r>"]));
            for _ in 0..self.below(if depth < 6 { 6 } else { 1 }) {
                match self.below(8) {
                    0..=2 => self.element(out, scope, depth + 1),
                    3 | 4 => out.push_str(&self.text()),
                    5 => out.push_str(self.pick(&[
                        "<![CDATA[<&>\"]]]]>",
                        "<![CDATA[]]>",
                        "<![CDATA[\r\n]]>",
                        "<![CDATA[é]]>",
                    ])),
                    6 => out.push_str(self.pick(&[
                        "<!-- c -->",
                        "<!---->",
                        "<!--\r\n&amp;-->",
                        "<!--<a>-->",
                        "<!-- - -->",
                    ])),
                    _ => out.push_str(self.pick(&["<?pi?>", "<?pi  a b ?>", "<?pi\r\n?>", "<?é <x>\r?>", "<?pi ??>"])),
                }
            }
            out.push_str("</");
            out.push_str(&name);
            out.push_str(self.pick(&[">", ">", ">", " >", "\n>"]));
        }
        scope.truncate(outer);
    }

    fn misc(&mut self, out: &mut String) {
        for _ in 0..self.below(3) {
            out.push_str(self.pick(&["\n", " \r\n\t", "<!-- outside -->", "<?pi outside?>", "<?p?>"]));
        }
    }

    /// An attribute, with any quotes and white space around the equals sign.
    fn written(&mut self, name: &str, value: &str) -> String {
        let equals = self.pick(&["=", "=", "=", " =", "= ", "\n=\t"]);
        if self.one_in(3) {
            format!("{name}{equals}'{}'", value.replace('\'', "&apos;"))
        } else {
            format!("{name}{equals}\"{}\"", value.replace('"', "&#34;"))
        }
    }

    fn value(&mut self) -> String {
        (0..self.below(4))
            .map(|_| {
                self.pick(&[
                    "plain",
                    " ",
                    "\t",
                    "\r\n",
                    "\n",
                    "\r",
                    "&amp;",
                    "&lt;",
                    "&gt;",
                    ">",
                    "&quot;",
                    "\"",
                    "'",
                    "&#9;",
                    "&#xA;",
                    "&#xD;",
                    "&#xd;",
                    "é",
                    "𝄞",
                    "&#x1D11E;",
                    "&#38;",
                    "]]>",
                ])
            })
            .collect()
    }

    fn text(&mut self) -> String {
        (0..=self.below(4))
            .map(|_| {
                self.pick(&[
                    "plain text",
                    " ",
                    "\t",
                    "\r\n",
                    "\n",
                    "\r",
                    "&amp;",
                    "&lt;",
                    "&gt;",
                    ">",
                    "&quot;",
                    "\"",
                    "'",
                    "&#9;",
                    "&#10;",
                    "&#xD;",
                    "&#13;",
                    "é日本",
                    "𝄞",
                    "&#x1D11E;",
                    "&#38;lt;",
                    "]] ",
                    "\u{85}\u{2028}",
                    "\u{FEFF}",
                ])
            })
            .collect()
    }

    /// A prefix that is bound to a namespace, or the empty prefix.
    fn bound(&mut self, scope: &[(String, String)]) -> String {
        let index = self.below(scope.len());
        scope[index].0.clone()
    }

    fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    fn pick<'t>(&mut self, choices: &[&'t str]) -> &'t str {
        choices[self.below(choices.len())]
    }

    /// SplitMix64.
    fn below(&mut self, n: usize) -> usize {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) % n as u64) as usize
    }
}

fn qualified(prefix: &str, local: &str) -> String {
    if prefix.is_empty() { local.to_owned() } else { format!("{prefix}:{local}") }
}

fn namespace_of(scope: &[(String, String)], prefix: &str) -> String {
    scope.iter().rev().find(|(p, _)| p == prefix).map(|(_, namespace)| namespace.clone()).unwrap_or_default()
}
