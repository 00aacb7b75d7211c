//! Well-known claim types.
//!
//! Names follow .NET's `ClaimTypes` where it has one.

use crate::ArcStr;
use arcstr::literal;

/// The name of the subject, unique within the issuer; the default name claim type.
pub const NAME: ArcStr = literal!("http://schemas.xmlsoap.org/ws/2005/05/identity/claims/name");
/// A role of the subject; the default role claim type.
pub const ROLE: ArcStr = literal!("http://schemas.microsoft.com/ws/2008/06/identity/claims/role");
/// The subject's identifier at the issuer.
pub const NAME_IDENTIFIER: ArcStr = literal!("http://schemas.xmlsoap.org/ws/2005/05/identity/claims/nameidentifier");
/// An electronic mail address.
pub const EMAIL: ArcStr = literal!("http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress");
/// The user principal name, `user@domain`.
pub const UPN: ArcStr = literal!("http://schemas.xmlsoap.org/ws/2005/05/identity/claims/upn");
/// The given name.
pub const GIVEN_NAME: ArcStr = literal!("http://schemas.xmlsoap.org/ws/2005/05/identity/claims/givenname");
/// The family name.
pub const SURNAME: ArcStr = literal!("http://schemas.xmlsoap.org/ws/2005/05/identity/claims/surname");
/// How the issuer authenticated the subject; one of [`authentication_methods`](crate::authentication_methods).
pub const AUTHENTICATION_METHOD: ArcStr =
    literal!("http://schemas.microsoft.com/ws/2008/06/identity/claims/authenticationmethod");
/// When the issuer authenticated the subject, an `xs:dateTime`.
pub const AUTHENTICATION_INSTANT: ArcStr =
    literal!("http://schemas.microsoft.com/ws/2008/06/identity/claims/authenticationinstant");
/// The actor of a delegation, as SAML carries it.
pub const ACTOR: ArcStr = literal!("http://schemas.xmlsoap.org/ws/2009/09/identity/claims/actor");
/// The name of a group, as AD FS issues it.
pub const GROUP: ArcStr = literal!("http://schemas.xmlsoap.org/claims/Group");
/// The object id of a group, as Microsoft Entra ID issues it.
pub const GROUPS: ArcStr = literal!("http://schemas.microsoft.com/ws/2008/06/identity/claims/groups");
/// The security identifier of a group.
pub const GROUP_SID: ArcStr = literal!("http://schemas.microsoft.com/ws/2008/06/identity/claims/groupsid");
/// The security identifier of the primary group.
pub const PRIMARY_GROUP_SID: ArcStr =
    literal!("http://schemas.microsoft.com/ws/2008/06/identity/claims/primarygroupsid");
/// The security identifier of the subject.
pub const PRIMARY_SID: ArcStr = literal!("http://schemas.microsoft.com/ws/2008/06/identity/claims/primarysid");
/// The primary group when it may only deny.
pub const DENY_ONLY_PRIMARY_GROUP_SID: ArcStr =
    literal!("http://schemas.microsoft.com/ws/2008/06/identity/claims/denyonlyprimarygroupsid");
/// The subject's security identifier when it may only deny.
pub const DENY_ONLY_PRIMARY_SID: ArcStr =
    literal!("http://schemas.microsoft.com/ws/2008/06/identity/claims/denyonlyprimarysid");
/// A security identifier that may only deny.
pub const DENY_ONLY_SID: ArcStr = literal!("http://schemas.xmlsoap.org/ws/2005/05/identity/claims/denyonlysid");
/// A device group that may only deny.
pub const DENY_ONLY_WINDOWS_DEVICE_GROUP: ArcStr =
    literal!("http://schemas.microsoft.com/ws/2008/06/identity/claims/denyonlywindowsdevicegroup");
/// A security identifier.
pub const SID: ArcStr = literal!("http://schemas.xmlsoap.org/ws/2005/05/identity/claims/sid");
/// The account name, `DOMAIN\\user`.
pub const WINDOWS_ACCOUNT_NAME: ArcStr =
    literal!("http://schemas.microsoft.com/ws/2008/06/identity/claims/windowsaccountname");
/// A claim about the device.
pub const WINDOWS_DEVICE_CLAIM: ArcStr =
    literal!("http://schemas.microsoft.com/ws/2008/06/identity/claims/windowsdeviceclaim");
/// A group of the device.
pub const WINDOWS_DEVICE_GROUP: ArcStr =
    literal!("http://schemas.microsoft.com/ws/2008/06/identity/claims/windowsdevicegroup");
/// The version of a fully qualified binary name.
pub const WINDOWS_FQBN_VERSION: ArcStr =
    literal!("http://schemas.microsoft.com/ws/2008/06/identity/claims/windowsfqbnversion");
/// A sub-authority of a security identifier.
pub const WINDOWS_SUB_AUTHORITY: ArcStr =
    literal!("http://schemas.microsoft.com/ws/2008/06/identity/claims/windowssubauthority");
/// A claim about the user.
pub const WINDOWS_USER_CLAIM: ArcStr =
    literal!("http://schemas.microsoft.com/ws/2008/06/identity/claims/windowsuserclaim");
/// The subject is anonymous.
pub const ANONYMOUS: ArcStr = literal!("http://schemas.xmlsoap.org/ws/2005/05/identity/claims/anonymous");
/// Whether the subject is authenticated.
pub const AUTHENTICATION: ArcStr = literal!("http://schemas.xmlsoap.org/ws/2005/05/identity/claims/authentication");
/// A decision about a request.
pub const AUTHORIZATION_DECISION: ArcStr =
    literal!("http://schemas.xmlsoap.org/ws/2005/05/identity/claims/authorizationdecision");
/// The key that the presenter of the token must prove.
pub const CONFIRMATION_KEY: ArcStr =
    literal!("http://schemas.microsoft.com/ws/2008/06/identity/claims/confirmationkey");
/// The path of a cookie.
pub const COOKIE_PATH: ArcStr = literal!("http://schemas.microsoft.com/ws/2008/06/identity/claims/cookiepath");
/// The country or region.
pub const COUNTRY: ArcStr = literal!("http://schemas.xmlsoap.org/ws/2005/05/identity/claims/country");
/// The date of birth.
pub const DATE_OF_BIRTH: ArcStr = literal!("http://schemas.xmlsoap.org/ws/2005/05/identity/claims/dateofbirth");
/// A name in the domain name system.
pub const DNS: ArcStr = literal!("http://schemas.xmlsoap.org/ws/2005/05/identity/claims/dns");
/// A DSA key.
pub const DSA: ArcStr = literal!("http://schemas.microsoft.com/ws/2008/06/identity/claims/dsa");
/// When something expires.
pub const EXPIRATION: ArcStr = literal!("http://schemas.microsoft.com/ws/2008/06/identity/claims/expiration");
/// Whether something has expired.
pub const EXPIRED: ArcStr = literal!("http://schemas.microsoft.com/ws/2008/06/identity/claims/expired");
/// The gender.
pub const GENDER: ArcStr = literal!("http://schemas.xmlsoap.org/ws/2005/05/identity/claims/gender");
/// A hash value.
pub const HASH: ArcStr = literal!("http://schemas.xmlsoap.org/ws/2005/05/identity/claims/hash");
/// The telephone number at home.
pub const HOME_PHONE: ArcStr = literal!("http://schemas.xmlsoap.org/ws/2005/05/identity/claims/homephone");
/// Whether a session outlives the browser.
pub const IS_PERSISTENT: ArcStr = literal!("http://schemas.microsoft.com/ws/2008/06/identity/claims/ispersistent");
/// The locality.
pub const LOCALITY: ArcStr = literal!("http://schemas.xmlsoap.org/ws/2005/05/identity/claims/locality");
/// The mobile telephone number.
pub const MOBILE_PHONE: ArcStr = literal!("http://schemas.xmlsoap.org/ws/2005/05/identity/claims/mobilephone");
/// Another telephone number.
pub const OTHER_PHONE: ArcStr = literal!("http://schemas.xmlsoap.org/ws/2005/05/identity/claims/otherphone");
/// The postal code.
pub const POSTAL_CODE: ArcStr = literal!("http://schemas.xmlsoap.org/ws/2005/05/identity/claims/postalcode");
/// An identifier of the subject that only this relying party sees.
pub const PPID: ArcStr = literal!("http://schemas.xmlsoap.org/ws/2005/05/identity/claims/privatepersonalidentifier");
/// An RSA key.
pub const RSA: ArcStr = literal!("http://schemas.xmlsoap.org/ws/2005/05/identity/claims/rsa");
/// A serial number.
pub const SERIAL_NUMBER: ArcStr = literal!("http://schemas.microsoft.com/ws/2008/06/identity/claims/serialnumber");
/// A service principal name.
pub const SPN: ArcStr = literal!("http://schemas.xmlsoap.org/ws/2005/05/identity/claims/spn");
/// The state or province.
pub const STATE_OR_PROVINCE: ArcStr = literal!("http://schemas.xmlsoap.org/ws/2005/05/identity/claims/stateorprovince");
/// The street address.
pub const STREET_ADDRESS: ArcStr = literal!("http://schemas.xmlsoap.org/ws/2005/05/identity/claims/streetaddress");
/// The system itself.
pub const SYSTEM: ArcStr = literal!("http://schemas.xmlsoap.org/ws/2005/05/identity/claims/system");
/// The thumbprint of a certificate.
pub const THUMBPRINT: ArcStr = literal!("http://schemas.xmlsoap.org/ws/2005/05/identity/claims/thumbprint");
/// A URI.
pub const URI: ArcStr = literal!("http://schemas.xmlsoap.org/ws/2005/05/identity/claims/uri");
/// Data of the application.
pub const USER_DATA: ArcStr = literal!("http://schemas.microsoft.com/ws/2008/06/identity/claims/userdata");
/// A version.
pub const VERSION: ArcStr = literal!("http://schemas.microsoft.com/ws/2008/06/identity/claims/version");
/// The address of a web page.
pub const WEB_PAGE: ArcStr = literal!("http://schemas.xmlsoap.org/ws/2005/05/identity/claims/webpage");
/// An X.500 distinguished name.
pub const X500_DISTINGUISHED_NAME: ArcStr =
    literal!("http://schemas.xmlsoap.org/ws/2005/05/identity/claims/x500distinguishedname");
/// The object id of the subject in Microsoft Entra ID.
pub const OBJECT_IDENTIFIER: ArcStr = literal!("http://schemas.microsoft.com/identity/claims/objectidentifier");
/// The id of the subject's tenant in Microsoft Entra ID.
pub const TENANT_ID: ArcStr = literal!("http://schemas.microsoft.com/identity/claims/tenantid");
/// The identity provider behind the issuer, as Microsoft Entra ID issues it.
pub const IDENTITY_PROVIDER: ArcStr = literal!("http://schemas.microsoft.com/identity/claims/identityprovider");
/// The name to show, as Microsoft Entra ID issues it.
pub const DISPLAY_NAME: ArcStr = literal!("http://schemas.microsoft.com/identity/claims/displayname");
/// The authentication methods used, as AD FS and Microsoft Entra ID issue them.
pub const AUTHENTICATION_METHODS_REFERENCES: ArcStr =
    literal!("http://schemas.microsoft.com/claims/authnmethodsreferences");
/// The common name, as AD FS issues it.
pub const COMMON_NAME: ArcStr = literal!("http://schemas.xmlsoap.org/claims/CommonName");
