//! The forms of our own pages. This is no HTML parser: it reads what our templates write.

/// A form: where it goes and what it holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Form {
    /// The action, as written.
    pub action: String,
    /// Names and values of the inputs, in order.
    pub fields: Vec<(String, String)>,
}

impl Form {
    /// The first form of a page.
    pub fn find(page: &str) -> Option<Self> {
        let (_, rest) = page.split_once("<form")?;
        let (form, _) = rest.split_once("</form>")?;
        let (tag, inner) = form.split_once('>')?;
        let fields = inner.split("<input").skip(1).filter_map(|input| {
            let (tag, _) = input.split_once('>')?;
            Some((attribute(tag, "name")?, attribute(tag, "value").unwrap_or_default()))
        });
        Some(Self { action: attribute(tag, "action").unwrap_or_default(), fields: fields.collect() })
    }

    /// The fields with some of them filled in.
    ///
    /// # Panics
    /// When the form has no such field.
    pub fn filled(&self, fill: &[(&str, &str)]) -> Vec<(String, String)> {
        let mut fields = self.fields.clone();
        for (name, value) in fill {
            let field = fields.iter_mut().find(|(field, _)| field == name);
            field.unwrap_or_else(|| panic!("the form has no field \"{name}\"")).1 = (*value).to_owned();
        }
        fields
    }
}

fn attribute(tag: &str, name: &str) -> Option<String> {
    let (_, rest) = tag.split_once(&format!(" {name}=\""))?;
    let (value, _) = rest.split_once('"')?;
    Some(unescape(value))
}

/// Undoes what the template engine's escaper does: numeric references and the five named ones.
fn unescape(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('&') {
        plain.push_str(before);
        let Some((name, after)) = after.split_once(';') else {
            plain.push('&');
            rest = after;
            continue;
        };
        let character = match name {
            "amp" => Some('&'),
            "lt" => Some('<'),
            "gt" => Some('>'),
            "quot" => Some('"'),
            "apos" => Some('\''),
            _ => name.strip_prefix('#').and_then(|digits| digits.parse().ok()).and_then(char::from_u32),
        };
        plain.extend(character);
        rest = after;
    }
    plain + rest
}

#[cfg(test)]
mod tests {
    use super::Form;

    #[test]
    fn the_first_form_is_read_and_filled() {
        let page = r#"<p>x</p><form method="post" action="/go?a=1&#38;b=2"><input type="hidden" name="wresult" value="&lt;t a=&#34;1&quot;/&gt;">
            <input type="text" name="username" required></form>"#;
        let form = Form::find(page).unwrap();
        assert_eq!(form.action, "/go?a=1&b=2");
        let expected = [("wresult".to_owned(), "<t a=\"1\"/>".to_owned()), ("username".to_owned(), "alice".to_owned())];
        assert_eq!(form.filled(&[("username", "alice")]), expected);
        assert_eq!(Form::find("<p>nothing</p>"), None);
    }
}
