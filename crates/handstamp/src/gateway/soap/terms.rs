//! What both sides of a route agreed on: read from a WCF binding, from a WSDL with policies, or from both.

use std::fs;
use std::path::Path;
use std::time::Duration;

use handstamp_keys::{Certificate, CertificateTrust, KeyPolicy, SigningIdentity};
use handstamp_secure_conversation::{Contract, Operation as Protection};
use handstamp_security_policy::{
    CustomBinding, Definitions, Encoding, Endpoint, HeaderProtection, MessageProtection, MessageVersion, Operation,
    Role,
};
use handstamp_ws_security::{AddressingVersion, HeaderBlock, ProtectionLevel, SecurityBinding, soap::SoapVersion};

use super::plain::PlainHeader;
use crate::Error;
use crate::config::{HeaderPattern, SoapMode, SoapRoute};

/// What secures messages, and which there are.
#[derive(Debug)]
pub(super) struct Terms {
    pub(super) security: SecurityBinding,
    pub(super) version: MessageVersion,
    pub(super) encoding: Encoding,
    /// How long an active session that the service remembers may be idle; none is forever.
    pub(super) receive_timeout: Option<Duration>,
    pub(super) description: Option<Description>,
    /// Headers that are encrypted whatever the WSDL says.
    pub(super) encrypted_headers: Vec<HeaderPattern>,
}

/// The WSDL of the service behind the route.
#[derive(Debug)]
pub(super) struct Description {
    pub(super) definitions: Definitions,
    /// What it says of the port, its policies left aside when there is a binding.
    pub(super) endpoint: Endpoint,
}

impl Terms {
    /// Reads the files of a route.
    ///
    /// # Errors
    /// A file that cannot be read, or says what cannot be.
    pub(super) fn read(route: &SoapRoute) -> Result<Self, Error> {
        let description = route.wsdl.as_deref().map(|file| Description::read(file, route)).transpose()?;
        if let Some(file) = &route.binding {
            let text = read_file(file)?;
            let binding = match &route.binding_name {
                Some(name) => CustomBinding::parse_named(text, name),
                None => CustomBinding::parse(text),
            };
            let role = match route.mode {
                SoapMode::Terminate => Role::Service,
                SoapMode::Initiate => Role::Client,
            };
            let binding = binding
                .and_then(|binding| binding.check_for(role).and(binding.check_http()).map(|()| binding))
                .map_err(|error| unusable(file, error.code(), &error))?;
            return Ok(Self {
                security: binding.security().clone(),
                version: binding.message_version(),
                encoding: binding.encoding(),
                receive_timeout: binding.receive_timeout(),
                description,
                encrypted_headers: route.encrypted_headers.clone(),
            });
        }
        let (Some(description), Some(file)) = (description, &route.wsdl) else {
            return Err(setup("HST-SOAP-BINDING", "there is neither binding nor wsdl".to_owned()));
        };
        let Some(mut security) = description.endpoint.security.clone() else {
            let problem = "the port has no policy, so nothing says what secures messages: name a file in binding";
            return Err(unusable(file, "HST-SOAP-BINDING", &problem));
        };
        // No policy says whether to write what the Basic Security Profile wants. Everybody reads it, and some insist on it.
        security.version.basic_security_profile = true;
        if let Some(session) = security.session_mut() {
            session.bootstrap.version.basic_security_profile = true;
        }
        Ok(Self {
            security,
            version: description.endpoint.message_version,
            encoding: description.endpoint.encoding,
            receive_timeout: Some(Duration::from_secs(600)),
            description: Some(description),
            encrypted_headers: route.encrypted_headers.clone(),
        })
    }

    /// Whether bodies can pass as they come, where the route wants that.
    ///
    /// # Errors
    /// They cannot.
    pub(super) fn check_streaming(&self, name: &str, route: &SoapRoute) -> Result<(), Error> {
        if route.max_streamed_size.is_none() || self.security.is_transport() {
            return Ok(());
        }
        let problem =
            "the binding signs and encrypts bodies, so each is held as a whole, up to max_message_size: leave it out";
        Err(setup("HST-SOAP-STREAM", format!("soap.{name}.max_streamed_size: {problem}")))
    }

    /// SOAP on the secured side.
    pub(super) fn soap(&self) -> SoapVersion {
        self.version.soap.unwrap_or_default()
    }

    /// WS-Addressing on the secured side.
    pub(super) fn addressing(&self) -> AddressingVersion {
        self.version.addressing.unwrap_or_default()
    }

    /// The operations that the WSDL names; none without one.
    pub(super) fn operations(&self) -> &[Operation] {
        self.description.as_ref().map_or(&[], |description| &description.endpoint.operations)
    }

    /// The operation of a request: by its action, or by what a client without addressing sends instead.
    pub(super) fn operation(&self, action: Option<&str>, element: Option<(&str, &str)>) -> Option<&Operation> {
        let operations = self.operations();
        let by_action = action.and_then(|action| {
            let is_asked = |operation: &&Operation| {
                operation.request.action == action || operation.soap_action.as_deref() == Some(action)
            };
            operations.iter().find(is_asked)
        });
        let by_element = || {
            let (namespace, local_name) = element?;
            operations.iter().find(|operation| {
                let named = operation.request.element.as_ref();
                named.is_some_and(|named| named.namespace == namespace && named.local_name == local_name)
            })
        };
        by_action.or_else(|| by_element().filter(|_| action.is_none()))
    }

    /// Headers of the application, each protected as the policies of a message and the route say; signed when they say nothing.
    pub(super) fn protected(
        &self,
        headers: Vec<PlainHeader>,
        protection: Option<&MessageProtection>,
    ) -> Vec<HeaderBlock> {
        let named = protection.map(|protection| protection.headers.as_slice()).unwrap_or_default();
        let protected = |PlainHeader { namespace, local_name, block }: PlainHeader| {
            let is_meant = |header: &&HeaderProtection| {
                let (of, name) = (&header.name.namespace, header.name.local_name.as_ref());
                *of == namespace && name.is_none_or(|name| *name == local_name)
            };
            let of_policy = named.iter().find(is_meant).map_or(ProtectionLevel::Sign, |header| header.level);
            let is_encrypted = self.encrypted_headers.iter().any(|pattern| pattern.matches(&namespace, &local_name));
            block.with_level(if is_encrypted { ProtectionLevel::EncryptAndSign } else { of_policy })
        };
        headers.into_iter().map(protected).collect()
    }

    /// How the operations are protected. A contract without operations takes all actions.
    pub(super) fn contract(&self, name: &str) -> Contract {
        let with = |contract: Contract, operation: &Operation| {
            let reply = operation.reply.as_ref().map(|reply| reply.protection.body).unwrap_or_default();
            let protection = Protection { request: operation.request.protection.body, reply };
            contract.with_operation(operation.request.action.clone(), protection)
        };
        self.operations().iter().fold(Contract::new(name), with)
    }
}

impl Description {
    fn read(file: &Path, route: &SoapRoute) -> Result<Self, Error> {
        let folder = file.parent().unwrap_or(Path::new(""));
        let import = |location: &str| {
            let is_near = !location.contains("://") && !location.starts_with("urn:");
            let problem = || "only files beside the WSDL are read: save it there".to_owned();
            is_near.then_some(()).ok_or_else(problem)?;
            fs::read(folder.join(location)).map_err(|error| error.to_string())
        };
        let problem = |error: handstamp_security_policy::Error| unusable(file, error.code(), &error);
        let definitions = Definitions::parse_with(read_file(file)?, import).map_err(problem)?;
        let port = match &route.port {
            Some(port) => port.clone(),
            None => {
                let ports = definitions.ports().map_err(problem)?;
                let first = ports.into_iter().find(|port| port.soap.is_some());
                first.ok_or_else(|| unusable(file, "HST-SOAP-WSDL", &"it has no port that speaks SOAP"))?.name
            }
        };
        let endpoint = definitions.endpoint(&port).map_err(problem)?;
        Ok(Self { definitions, endpoint })
    }
}

/// Reads our certificate and its key.
pub(super) fn read_identity(file: &Path) -> Result<SigningIdentity, Error> {
    Ok(SigningIdentity::read(file, "", &KeyPolicy::default())?)
}

/// The certificates in a list of files.
pub(super) fn read_certificates(files: &[std::path::PathBuf]) -> Result<Vec<Certificate>, Error> {
    let mut all = Vec::new();
    for file in files {
        let found = Certificate::read_all(&read_file(file)?).map_err(|error| unusable(file, error.code(), &error))?;
        if found.is_empty() {
            return Err(unusable(file, "HST-KEYS-CERTIFICATE", &"there is no certificate in it"));
        }
        all.extend(found);
    }
    Ok(all)
}

/// Whom a route believes besides one certificate that it knows; none when it names nobody.
pub(super) fn read_trust(route: &SoapRoute) -> Result<Option<CertificateTrust>, Error> {
    if route.peer_certificates.is_empty() && route.peer_authorities.is_empty() {
        return Ok(None);
    }
    let pinned = read_certificates(&route.peer_certificates)?;
    let trust = pinned.iter().fold(CertificateTrust::none(), CertificateTrust::with_certificate);
    let roots = read_certificates(&route.peer_authorities)?;
    Ok(Some(roots.iter().try_fold(trust, CertificateTrust::with_root)?))
}

pub(super) fn read_file(file: &Path) -> Result<Vec<u8>, Error> {
    fs::read(file).map_err(|error| unusable(file, "HST-SOAP-FILE", &error))
}

pub(super) fn unusable(file: &Path, code: &'static str, problem: &dyn std::fmt::Display) -> Error {
    setup(code, format!("{}: {problem}", file.display()))
}

pub(super) fn setup(code: &'static str, message: String) -> Error {
    Error::Setup { code, message }
}
