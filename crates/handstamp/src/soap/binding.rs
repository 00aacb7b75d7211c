//! Bindings in files, as configurations of WCF have them.

use handstamp_security_policy::{CustomBinding, Error, StandardBinding};
use handstamp_xml::{Document, ParseOptions};

/// Reads a `<customBinding>` or its `<binding>`, or one of the standard bindings (`<wsHttpBinding>` and its like).
///
/// # Errors
/// [`Error`], with the line where there is one.
pub fn read_binding(text: &[u8]) -> Result<CustomBinding, Error> {
    let document = Document::parse(text, &ParseOptions::default())?;
    let root = document.root();
    let Some(standard) = StandardBinding::from_name(root.local_name()) else { return CustomBinding::parse(text) };
    let mut bindings = root.children().filter(|child| child.local_name() == "binding");
    match (bindings.next(), bindings.next()) {
        (binding, None) => standard.expand(binding),
        _ => Err(Error::Binding {
            problem: format!("<{}> holds several <binding>: leave the one that is meant", standard.name()),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sc_15_standard_bindings_are_read_as_the_custom_ones_that_they_stand_for() {
        let binding = |establishes: bool| {
            format!(
                "<wsHttpBinding><binding><security><message clientCredentialType='UserName' \
                 establishSecurityContext='{establishes}'/></security></binding></wsHttpBinding>"
            )
        };
        assert!(read_binding(binding(true).as_bytes()).unwrap().security().session().is_some());
        assert!(read_binding(binding(false).as_bytes()).unwrap().security().session().is_none());
        let two = binding(true).replace("<wsHttpBinding>", "<wsHttpBinding><binding/>");
        assert!(read_binding(two.as_bytes()).unwrap_err().to_string().contains("several"));
        // Windows credentials are the default, and not available.
        assert!(read_binding(b"<wsHttpBinding/>").is_err());
        let custom = "<binding><security authenticationMode='AnonymousForCertificate'/><httpTransport/></binding>";
        assert!(read_binding(custom.as_bytes()).is_ok());
    }
}
