//! `wctx` as the original writes it.

use crate::{Error, Limits, Parameters};

/// The content of `wctx` in the original: itself a query string with the keys `rm`, `id`, `cx` and `ru` (SM §3.4).
///
/// Nothing in it is signed, so nothing in it is believed on the way back: see the relying party.
///
/// ```
/// use handstamp_ws_federation::WifContext;
///
/// let context = WifContext { id: "passive".into(), return_url: Some("/orders/7".into()), ..WifContext::default() };
/// assert_eq!(context.encode(), "rm=0&id=passive&ru=%2forders%2f7");
/// # assert_eq!(WifContext::parse(&context.encode())?, context);
/// # Ok::<(), handstamp_ws_federation::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WifContext {
    /// `rm`: whether the session cookie outlives the browser.
    pub remember: bool,
    /// `id`: who started the sign-in. The original writes `passive`; we write the sign-in's random state.
    pub id: String,
    /// `cx`: text of the application.
    pub sign_in_context: Option<String>,
    /// `ru`: path and query to return to.
    pub return_url: Option<String>,
}

impl WifContext {
    /// The text of `wctx`, keys in the order `rm`, `id`, `cx`, `ru`.
    pub fn encode(&self) -> String {
        let mut out = Parameters::new();
        out.set("rm", if self.remember { "1" } else { "0" });
        out.set("id", &self.id);
        for (name, value) in [("cx", &self.sign_in_context), ("ru", &self.return_url)] {
            if let Some(value) = value {
                out.set(name, value);
            }
        }
        out.to_query_string()
    }

    /// Reads the text of `wctx`, in any order of keys. Unknown keys are ignored.
    ///
    /// # Errors
    /// A repeated key, text that is not UTF-8, or no `id`.
    pub fn parse(wctx: &str) -> Result<Self, Error> {
        let parameters = Parameters::parse(wctx, &Limits::default())?;
        let text = |name| parameters.get(name).map(str::to_owned);
        Ok(Self {
            remember: parameters.get("rm") == Some("1"),
            id: text("id").ok_or(Error::MissingParameter { message: "wctx", parameter: "id" })?,
            sign_in_context: text("cx"),
            return_url: text("ru"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sm_24_wctx_is_read_in_any_order() {
        let context = WifContext::parse("ru=%2fa%3fb%3dc%26d&cx=text&x=y&rm=1&id=signin1").unwrap();
        assert_eq!(
            context,
            WifContext {
                remember: true,
                id: "signin1".into(),
                sign_in_context: Some("text".into()),
                return_url: Some("/a?b=c&d".into()),
            }
        );
        assert_eq!(context.encode(), "rm=1&id=signin1&cx=text&ru=%2fa%3fb%3dc%26d");
    }

    #[test]
    fn foreign_contexts_are_errors() {
        assert_eq!(WifContext::parse("AAECAw==").unwrap_err().code(), "HST-WSFED-MISSING");
        assert_eq!(WifContext::parse("id=a&id=b").unwrap_err().code(), "HST-WSFED-REPEATED");
    }
}
