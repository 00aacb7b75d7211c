//! Reads security bindings as services describe and configure them.
//!
//! | | |
//! |---|---|
//! | [`Definitions`], [`Endpoint`] | WSDL 1.1 with WS-SecurityPolicy 1.1 and 1.2 (SC §16): endpoints, operations, and what protects them |
//! | [`Definitions::publish`], [`Definitions::plain`] | a backend's WSDL with policies, a service's WSDL without |
//! | [`Explanation`] | what a binding demands, in words |
//! | [`CustomBinding`] | `<customBinding>` of WCF (SC §14), read and written |
//! | [`StandardBinding`] | `wsHttpBinding` and its like, as the custom bindings that they stand for (SC §15) |
//! | [`CustomBindingBuilder`], [`SecurityElement`] | the same in code, in the same words |
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

mod attributes;
mod binding_builder;
mod custom_binding;
mod encoding;
mod error;
mod explain;
mod local_settings;
mod markup;
mod policy;
mod reader;
mod role;
mod security;
mod standard_binding;
mod transport;
mod wsdl;

pub use binding_builder::CustomBindingBuilder;
pub use custom_binding::{BindingTimeouts, CustomBinding};
pub use encoding::{
    CompressionFormat, Encoding, EncodingElement, EncodingPools, MessageVersion, ReaderQuotas, WriteEncoding,
};
pub use error::Error;
pub use explain::Explanation;
pub use role::Role;
pub use security::SecurityElement;
pub use standard_binding::StandardBinding;
pub use transport::{
    AuthenticationSchemes, HostNameComparison, HttpAuthentication, HttpTransport, TransferMode, Transport,
};
pub use wsdl::{
    Definitions, Endpoint, HeaderProtection, MessageProtection, Operation, OperationMessage, Port, Publication,
    PublishedDocument, QName,
};
