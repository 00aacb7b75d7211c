//! A message as a form that posts itself.

use crate::Parameters;
use std::fmt::Write as _;

/// A message for the browser to POST: data for a program's own page, or a minimal page with [`Self::to_html`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FormPost {
    /// Where the form goes.
    pub action: String,
    /// The fields of the form.
    pub parameters: Parameters,
}

impl FormPost {
    /// The one script of [`Self::to_html`].
    pub const SCRIPT: &'static str = "document.forms[0].submit()";

    /// The source expression that lets a `Content-Security-Policy` allow exactly [`Self::SCRIPT`].
    pub const SCRIPT_CSP_SOURCE: &'static str = "'sha256-ePniVEkSivX/c7XWBGafqh8tSpiRrKiqYeqbG7N1TOE='";

    /// A page that posts the message at once, or by a button where scripts are off.
    pub fn to_html(&self) -> String {
        let mut page = String::from(
            "<!DOCTYPE html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>Signing in</title></head><body>\
             <form method=\"post\" action=\"",
        );
        escape_into(&self.action, &mut page);
        page.push_str("\">");
        for (name, value) in self.parameters.iter() {
            page.push_str("<input type=\"hidden\" name=\"");
            escape_into(name, &mut page);
            page.push_str("\" value=\"");
            escape_into(value, &mut page);
            page.push_str("\">");
        }
        let _ = write!(
            page,
            "<noscript><p>Scripts are off in this browser.</p><button type=\"submit\">Continue</button></noscript>\
             </form><script>{}</script></body></html>",
            Self::SCRIPT
        );
        page
    }
}

/// Escapes for a quoted attribute value. CR and LF become references, or the HTML parser would normalize them.
fn escape_into(text: &str, out: &mut String) {
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\r' => out.push_str("&#13;"),
            '\n' => out.push_str("&#10;"),
            c => out.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_from_outside_is_escaped() {
        let form = FormPost {
            action: "https://rp.example/?a=1&b=\"><script>".into(),
            parameters: Parameters::from_pairs([("wresult", "<t a='\"'/>\r\n"), ("wctx", "x\" onfocus=\"y")]).unwrap(),
        };
        let html = form.to_html();
        assert!(html.contains(r#"action="https://rp.example/?a=1&amp;b=&quot;&gt;&lt;script&gt;""#));
        assert!(html.contains(r#"name="wresult" value="&lt;t a=&#39;&quot;&#39;/&gt;&#13;&#10;""#));
        assert!(html.contains(r#"value="x&quot; onfocus=&quot;y""#));
        assert_eq!(html.matches("<script>").count(), 1);
    }
}
