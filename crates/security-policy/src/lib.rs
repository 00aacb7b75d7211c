//! Reads security bindings as services describe and configure them.
//!
//! | | |
//! |---|---|
//! | [`Definitions`], [`Endpoint`] | WSDL 1.1 with WS-SecurityPolicy 1.1 and 1.2 (SC §16): endpoints, operations, and what protects them |
//! | [`Definitions::publish`], [`Definitions::plain`] | a backend's WSDL with policies, a service's WSDL without |
//! | [`Explanation`] | what a binding demands, in words |
//! | [`CustomBinding`] | `<customBinding>` of WCF (SC §14) |
//!
//! ```
//! use handstamp_security_policy::CustomBinding;
//!
//! let binding = CustomBinding::parse(r#"
//!     <customBinding>
//!       <binding name="ledger">
//!         <security authenticationMode="SecureConversation" requireSecurityContextCancellation="false">
//!           <secureConversationBootstrap authenticationMode="UserNameForCertificate"/>
//!         </security>
//!         <textMessageEncoding/>
//!         <httpTransport/>
//!       </binding>
//!     </customBinding>"#)?;
//! assert_eq!(binding.name(), Some("ledger"));
//! assert!(!binding.security().session().expect("a session").require_cancellation);
//! # Ok::<(), handstamp_security_policy::Error>(())
//! ```
//!
//! Nothing is skipped: an attribute or element that is not known, a value out of range, and a combination that WCF refuses
//! when it opens are errors that name the line. Modes that need the Windows security provider are refused by name.

mod custom_binding;
mod error;
mod explain;
mod local_settings;
mod policy;
mod reader;
mod security;
mod transport;
mod wsdl;

pub use custom_binding::CustomBinding;
pub use error::Error;
pub use explain::Explanation;
pub use transport::{Encoding, MessageVersion, TransferMode, Transport};
pub use wsdl::{
    Definitions, Endpoint, HeaderProtection, MessageProtection, Operation, OperationMessage, Port, Publication,
    PublishedDocument, QName,
};
