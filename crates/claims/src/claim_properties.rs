//! Well-known names of claim [properties](crate::Claim::properties), as SAML assertions lead to them (SM §3.7.1).

use crate::ArcStr;
use arcstr::literal;

/// The name format of a SAML 2.0 attribute.
pub const NAME_FORMAT: ArcStr =
    literal!("http://schemas.xmlsoap.org/ws/2005/05/identity/claimproperties/attributename");
/// The friendly name of a SAML 2.0 attribute.
pub const FRIENDLY_NAME: ArcStr =
    literal!("http://schemas.xmlsoap.org/ws/2005/05/identity/claimproperties/displayname");
/// The format of a name identifier.
pub const NAME_IDENTIFIER_FORMAT: ArcStr =
    literal!("http://schemas.xmlsoap.org/ws/2005/05/identity/claimproperties/format");
/// The name qualifier of a name identifier.
pub const NAME_QUALIFIER: ArcStr =
    literal!("http://schemas.xmlsoap.org/ws/2005/05/identity/claimproperties/namequalifier");
/// The service provider's name qualifier of a SAML 2.0 name identifier.
pub const SP_NAME_QUALIFIER: ArcStr =
    literal!("http://schemas.xmlsoap.org/ws/2005/05/identity/claimproperties/spnamequalifier");
/// The identifier that the service provider gave.
pub const SP_PROVIDED_ID: ArcStr =
    literal!("http://schemas.xmlsoap.org/ws/2005/05/identity/claimproperties/spprovidedid");
