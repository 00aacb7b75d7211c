//! Well-known value types: how to read the text of a claim's value.
//!
//! Names follow .NET's `ClaimValueTypes`.

use crate::ArcStr;
use arcstr::literal;

/// Bytes in base64.
pub const BASE64_BINARY: ArcStr = literal!("http://www.w3.org/2001/XMLSchema#base64Binary");
/// Bytes in base64, the older name.
pub const BASE64_OCTET: ArcStr = literal!("http://www.w3.org/2001/XMLSchema#base64Octet");
/// `true` or `false`.
pub const BOOLEAN: ArcStr = literal!("http://www.w3.org/2001/XMLSchema#boolean");
/// A calendar date.
pub const DATE: ArcStr = literal!("http://www.w3.org/2001/XMLSchema#date");
/// A date and time.
pub const DATE_TIME: ArcStr = literal!("http://www.w3.org/2001/XMLSchema#dateTime");
/// A floating-point number.
pub const DOUBLE: ArcStr = literal!("http://www.w3.org/2001/XMLSchema#double");
/// A fully qualified binary name.
pub const FQBN: ArcStr = literal!("http://www.w3.org/2001/XMLSchema#fqbn");
/// Bytes in hexadecimal.
pub const HEX_BINARY: ArcStr = literal!("http://www.w3.org/2001/XMLSchema#hexBinary");
/// An integer.
pub const INTEGER: ArcStr = literal!("http://www.w3.org/2001/XMLSchema#integer");
/// A signed integer of 32 bits.
pub const INTEGER32: ArcStr = literal!("http://www.w3.org/2001/XMLSchema#integer32");
/// A signed integer of 64 bits.
pub const INTEGER64: ArcStr = literal!("http://www.w3.org/2001/XMLSchema#integer64");
/// A security identifier.
pub const SID: ArcStr = literal!("http://www.w3.org/2001/XMLSchema#sid");
/// Text; the default.
pub const STRING: ArcStr = literal!("http://www.w3.org/2001/XMLSchema#string");
/// A time of day.
pub const TIME: ArcStr = literal!("http://www.w3.org/2001/XMLSchema#time");
/// An unsigned integer of 32 bits.
pub const UINTEGER32: ArcStr = literal!("http://www.w3.org/2001/XMLSchema#uinteger32");
/// An unsigned integer of 64 bits.
pub const UINTEGER64: ArcStr = literal!("http://www.w3.org/2001/XMLSchema#uinteger64");
/// A DNS name.
pub const DNS_NAME: ArcStr = literal!("http://schemas.xmlsoap.org/claims/dns");
/// An electronic mail address.
pub const EMAIL: ArcStr = literal!("http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress");
/// An RSA key.
pub const RSA: ArcStr = literal!("http://schemas.xmlsoap.org/ws/2005/05/identity/claims/rsa");
/// A user principal name.
pub const UPN_NAME: ArcStr = literal!("http://schemas.xmlsoap.org/claims/UPN");
/// An XML-signature `DSAKeyValue`.
pub const DSA_KEY_VALUE: ArcStr = literal!("http://www.w3.org/2000/09/xmldsig#DSAKeyValue");
/// An XML-signature `KeyInfo`.
pub const KEY_INFO: ArcStr = literal!("http://www.w3.org/2000/09/xmldsig#KeyInfo");
/// An XML-signature `RSAKeyValue`.
pub const RSA_KEY_VALUE: ArcStr = literal!("http://www.w3.org/2000/09/xmldsig#RSAKeyValue");
/// A duration in days and time.
pub const DAY_TIME_DURATION: ArcStr =
    literal!("http://www.w3.org/TR/2002/WD-xquery-operators-20020816#dayTimeDuration");
/// A duration in years and months.
pub const YEAR_MONTH_DURATION: ArcStr =
    literal!("http://www.w3.org/TR/2002/WD-xquery-operators-20020816#yearMonthDuration");
/// An RFC 822 name.
pub const RFC822_NAME: ArcStr = literal!("urn:oasis:names:tc:xacml:1.0:data-type:rfc822Name");
/// An X.500 name.
pub const X500_NAME: ArcStr = literal!("urn:oasis:names:tc:xacml:1.0:data-type:x500Name");
