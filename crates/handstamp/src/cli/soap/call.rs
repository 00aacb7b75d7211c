//! `handstamp soap call`.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use handstamp_keys::tls::{ClientSettings, TlsIdentity};
use handstamp_keys::{Certificate, KeyPolicy, SigningIdentity, SystemRandom};
use handstamp_secure_conversation::{SecureConversationClient, TokenClient};
use handstamp_security_policy::{CustomBinding, Role, Transport};
use handstamp_session_token::UniqueId;
use handstamp_time::{Clock, SystemClock};
use handstamp_ws_security::soap::{Envelope, SoapVersion};
use handstamp_ws_security::{
    AddressingVersion, Body, Generation, IssuedTokenParameters, Message, MessageSecurityVersion, SecurityBinding,
    Unprotected, UserNameCredential,
};
use handstamp_xml::Document;
use handstamp_xml_security::signature::VerifiedElement;
use zeroize::Zeroizing;

use crate::Error;
use crate::cli::{block_on, input, print};
use crate::soap::binding::read_binding;
use crate::soap::call::{CallError, Caller, Reply};
use crate::soap::encoding::read_message;
use crate::soap::session_file::{SessionFile, Update};

/// Send a SOAP request through a secure session, and print the content of the reply's body.
///
/// The session is kept in a private file in the user's cache folder. The next call with the same address, binding and user
/// name or certificate uses it again, and needs no password while it goes on.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  echo '<Balance xmlns=\"urn:handstamp:ledger\"/>' | handstamp soap call http://localhost:7423/ledger \
    \\\n    --binding ledger.xml --user ada --service-cert ledger.crt\n\n\
    Exit codes: 0 answered; 1 refused, or answered with a fault; 2 wrong arguments; 3 binding or keys cannot be used; \
    4 file not readable."
)]
pub(in crate::cli) struct Call {
    /// The address of the service.
    url: String,
    /// The binding as a configuration of WCF has it: <customBinding>, its <binding>, or <wsHttpBinding> and its like.
    #[arg(long, value_name = "FILE")]
    binding: PathBuf,
    /// Who calls. Without a password it is read from HANDSTAMP_PASSWORD, or from the terminal.
    #[arg(long, value_name = "NAME[:PASSWORD]")]
    user: Option<String>,
    /// The client's certificate and private key, PEM: for bindings that show a certificate in messages, and for servers that ask for one in
    /// TLS.
    #[arg(long, value_name = "FILE")]
    cert: Option<PathBuf>,
    /// The service's certificate, PEM.
    #[arg(long, value_name = "FILE")]
    service_cert: Option<PathBuf>,
    /// An authority that vouches for https:// servers, PEM; may be repeated. Default: those of the system.
    #[arg(long, value_name = "FILE")]
    ca: Vec<PathBuf>,
    /// The token service that gives a token to --user (or to the holder of --cert), for bindings with an Issued… mode: its WS-Trust
    /// address. Default: the issuer in the binding. The service's address or --applies-to says for whom the token is.
    #[arg(long, value_name = "URL")]
    issuer: Option<String>,
    /// The token service's certificate, PEM: messages to it are encrypted for it. Without it the password goes in TLS.
    #[arg(long, value_name = "FILE")]
    issuer_cert: Option<PathBuf>,
    /// The relying party that the token is for, where its name is not the address of the service.
    #[arg(long, value_name = "URI")]
    applies_to: Option<String>,
    /// What is asked. Default: the namespace of the body's element, a slash where it does not end in one, and its name.
    #[arg(long, value_name = "URI")]
    action: Option<String>,
    /// The content of the request's body, or a whole envelope. Default: standard input.
    #[arg(long, value_name = "FILE")]
    body: Option<PathBuf>,
    /// What to do about sessions.
    #[arg(long, value_enum, default_value_t = Session::Reuse, value_name = "WHICH")]
    session: Session,
    /// Print the whole envelope of the reply.
    #[arg(long)]
    envelope: bool,
    /// Show each step on standard error. Passwords, secrets and ciphertexts are left out.
    #[arg(short, long)]
    verbose: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Session {
    /// Obtain a new session and keep it.
    New,
    /// Use the kept session, or obtain one and keep it.
    Reuse,
    /// Obtain a session for this call alone.
    None,
}

impl Call {
    pub(super) fn run(self) -> Result<(), Error> {
        let binding_text = input::read_option(&self.binding)?;
        let setup = |code, file: &Path, problem: &dyn std::fmt::Display| Error::Setup {
            code,
            message: format!("{}: {problem}", file.display()),
        };
        let binding = read_binding(&binding_text)
            .and_then(|binding| binding.check_for(Role::Client).and(binding.check_http()).map(|()| binding))
            .map_err(|error| setup(error.code(), &self.binding, &error))?;
        let version = binding.message_version();
        let (soap, addressing) = (version.soap.unwrap_or_default(), version.addressing.unwrap_or_default());
        let content = read_message(input::read(self.body.as_ref())?)?;
        let message = self.message(&content, soap, addressing)?;
        let mut client = SecureConversationClient::builder(binding.security().clone(), self.url.clone())
            .message_version(soap, addressing)
            .max_message_size(4 << 20);
        let user = self.user.as_deref().map(|user| user.split_once(':').unwrap_or((user, "")).0);
        let wanted = binding.security().issued_token_parameters();
        let policy = KeyPolicy::default();
        let certificate = self.cert.as_deref().map(input::read_option).transpose()?;
        let identity = match (&self.cert, &certificate) {
            (Some(file), Some(pem)) => {
                Some(SigningIdentity::from_pem(pem, &policy).map_err(|error| setup(error.code(), file, &error))?)
            }
            _ => None,
        };
        let issuer = wanted.map(|wanted| self.issuer_address(wanted, identity.is_some())).transpose()?;
        let user_later = self.user.clone().filter(|_| issuer.is_none() && binding.security().session().is_some());
        client = match &self.user {
            _ if issuer.is_some() || user_later.is_some() => client.credentials_come_later(),
            // Without a session each message has the password in it.
            Some(user) => client.user_name(credential(user)?),
            None => client,
        };
        if let Some(identity) = &identity {
            client = client.identity(identity.clone());
        }
        if let Some(file) = &self.service_cert {
            client = client.service_certificate(certificate_in(file)?);
        }
        let mut client = client.build().map_err(|error| setup(error.code(), &self.binding, &error))?;
        let parts = [self.url.as_bytes(), &binding_text, user.unwrap_or_default().as_bytes()];
        let issued = issuer.as_deref().unwrap_or_default().as_bytes();
        let for_whom = self.applies_to.as_deref().unwrap_or_default().as_bytes();
        let parts = [&parts[..], &[certificate.as_deref().unwrap_or_default(), issued, for_whom]].concat();
        let file = (self.session != Session::None).then(|| SessionFile::of(&parts)).transpose()?;
        let loaded = match (self.session, &file) {
            (Session::Reuse, Some(file)) => file.load()?,
            _ => None,
        };
        if let Some(saved) = &loaded {
            // What cannot be taken up is replaced.
            if let Err(error) = client.restore(saved, SystemClock.now()) {
                eprintln!("handstamp: {error}; obtaining a new session");
            }
        }
        let tls = ClientSettings { authorities: self.ca.clone(), identity: self.tls_identity(&binding)? };
        let tell: Option<fn(&str)> = if self.verbose { Some(|step| eprintln!("{step}")) } else { None };
        let timeout = binding.send_timeout();
        let reply = block_on(async {
            let failed = |error: CallError| match error {
                CallError::User(error) => error,
                error => Error::Refused { code: error.code(), message: error.to_string() },
            };
            let mut caller = Caller::new(client, &tls, timeout, tell).map_err(failed)?;
            if let Some(user) = user_later {
                caller.ask_user(move || credential(&user));
            }
            if let (Some(issuer), Some(wanted), true) = (issuer, wanted, caller.needs_credentials()) {
                let issuer = self.token_client(binding.security(), issuer, identity)?;
                let applies_to = self.applies_to.as_deref().unwrap_or(&self.url);
                caller.obtain_token(issuer, wanted, applies_to).await.map_err(failed)?;
            }
            if let Some(file) = file.clone() {
                caller.ask_kept(move || file.load().ok().flatten());
            }
            let reply = caller.call(message).await;
            // What the service has done is done: the reply counts, whatever becomes of the session.
            match &file {
                Some(file) => {
                    let is_over = reply.as_ref().is_err_and(CallError::ends_the_session);
                    let loaded = loaded.as_ref().map(|loaded| loaded.as_str());
                    let kept = file.update(|saved| what_is_kept(saved, loaded, caller.client(), is_over));
                    if let Err(error) = kept {
                        eprintln!("handstamp: {error}; the next call obtains a new session");
                    }
                }
                None => drop(caller.close().await),
            }
            reply.map_err(failed)
        })?;
        match reply {
            Reply::Message(message) => print(self.shown(&message)),
            Reply::Fault(fault, message) => {
                print(self.shown(&message))?;
                Err(Error::Refused {
                    code: "HST-SOAP-FAULT",
                    message: format!("the service answers with a fault: {fault}"),
                })
            }
        }
    }

    /// What is shown to servers that ask for a certificate in TLS.
    fn tls_identity(&self, binding: &CustomBinding) -> Result<Option<TlsIdentity>, Error> {
        let is_needed = matches!(binding.transport(), Transport::Https { require_client_certificate: true });
        match &self.cert {
            Some(file) => {
                let identity = TlsIdentity::read(file, file);
                identity.map(Some).map_err(|error| Error::Setup { code: error.code(), message: error.to_string() })
            }
            None if is_needed => Err(Error::Setup {
                code: "HST-SOAP-CERT",
                message: format!(
                    "{}: requireClientCertificate=\"true\" wants a certificate of the client in TLS: give it with --cert",
                    self.binding.display()
                ),
            }),
            None => Ok(None),
        }
    }

    /// The address of the token service.
    fn issuer_address(&self, wanted: &IssuedTokenParameters, has_identity: bool) -> Result<String, Error> {
        let setup = |message: &str| Error::Setup { code: "HST-SOAP-ISSUER", message: message.to_owned() };
        if self.user.is_none() && !has_identity {
            return Err(setup(
                "the token service asks for a name and a password, or a certificate: give them with --user or --cert",
            ));
        }
        let address = self.issuer.clone().or_else(|| wanted.issuer.clone());
        address.ok_or_else(|| setup("the binding wants a token of a token service: say which with --issuer URL"))
    }

    /// The client of the token service: in the service's version of WS-Trust, by message where its certificate is given, with a
    /// password before a certificate. A token for the holder of a private key is for that of the certificate, if there is one.
    fn token_client(
        &self,
        service: &SecurityBinding,
        address: String,
        identity: Option<SigningIdentity>,
    ) -> Result<TokenClient, Error> {
        let credential = self.user.as_deref().map(credential).transpose()?;
        let version = match service.version.generation {
            Generation::February2005 => MessageSecurityVersion::WSS11_FEBRUARY2005,
            Generation::V13 => MessageSecurityVersion::WSS11_13,
        };
        let failed = |error: handstamp_secure_conversation::Error| Error::Setup {
            code: error.code(),
            message: format!("{address}: {error}"),
        };
        let binding = match (&self.issuer_cert, &credential) {
            (None, Some(_)) => Ok(SecurityBinding::user_name_over_transport(version)),
            (None, None) => Ok(SecurityBinding::certificate_over_transport(version)),
            (Some(_), Some(_)) => SecurityBinding::user_name_for_certificate(version),
            (Some(_), None) => Ok(SecurityBinding::mutual_certificate(version)),
        };
        let mut client = TokenClient::builder(binding.map_err(|error| failed(error.into()))?, &*address);
        if let Some(file) = &self.issuer_cert {
            client = client.service_certificate(certificate_in(file)?);
        }
        if let Some(credential) = credential {
            client = client.user_name(credential);
        }
        if let Some(identity) = identity {
            client = client.identity(identity);
        }
        client.build().map_err(failed)
    }

    fn message(&self, content: &Document, soap: SoapVersion, addressing: AddressingVersion) -> Result<Message, Error> {
        let refused = |error: handstamp_ws_security::Error| input::refused(error.code(), error);
        let id = message_id()?;
        let root = content.root();
        if root.local_name() == "Envelope" && Envelope::of(content).is_ok() {
            let read = Message::read(content).map_err(refused)?;
            let action = self.action.clone().unwrap_or(read.action);
            let base = Message::request(soap, addressing, action, self.url.clone(), id);
            return Ok(Message { headers: read.headers, body: read.body, ..base });
        }
        let action = self.action.clone().unwrap_or_else(|| {
            let namespace = root.namespace();
            let slash = if namespace.ends_with('/') { "" } else { "/" };
            format!("{namespace}{slash}{}", root.local_name())
        });
        let body = Body::from_xml(root.markup()).map_err(refused)?;
        Ok(Message::request(soap, addressing, action, self.url.clone(), id).with_body(body))
    }

    fn shown(&self, reply: &Unprotected) -> String {
        if self.envelope {
            return reply.document().root().markup();
        }
        let content = reply.body().into_iter().flat_map(VerifiedElement::children);
        content.map(|element| element.element().markup()).collect()
    }
}

/// What becomes of the session that is `saved` now, which another process may have put in the place of the one that was `loaded`.
fn what_is_kept(saved: Option<&str>, loaded: Option<&str>, client: &SecureConversationClient, is_over: bool) -> Update {
    let is_replaced = saved != loaded;
    if is_over {
        return if is_replaced || saved.is_none() { Update::Keep } else { Update::Remove };
    }
    let is_younger = |saved: &str| {
        let mut theirs = client.another();
        theirs.restore(saved, SystemClock.now()).is_ok() && theirs.obtained() > client.obtained()
    };
    match client.save() {
        Some(ours) if !is_replaced || !saved.is_some_and(is_younger) => Update::Replace(ours),
        _ => Update::Keep,
    }
}

/// The first certificate in a file.
fn certificate_in(file: &Path) -> Result<Certificate, Error> {
    let unusable = |code, problem: String| Error::Setup { code, message: format!("{}: {problem}", file.display()) };
    let found = Certificate::read_all(&input::read_option(file)?);
    let found = found.map_err(|error| unusable(error.code(), error.to_string()))?.into_iter().next();
    found.ok_or_else(|| unusable("HST-KEYS-CERTIFICATE", "there is no certificate in it".to_owned()))
}

/// `NAME:PASSWORD`, or the password from elsewhere.
fn credential(user: &str) -> Result<UserNameCredential, Error> {
    if let Some((name, password)) = user.split_once(':') {
        return Ok(UserNameCredential::new(name, password));
    }
    if let Ok(password) = std::env::var("HANDSTAMP_PASSWORD").map(Zeroizing::new) {
        return Ok(UserNameCredential::new(user, password.as_str()));
    }
    let password = input::ask_password(&format!("Password for {user}: "))?.ok_or_else(|| {
        let message =
            format!("there is no password for {user}: set HANDSTAMP_PASSWORD, or write --user {user}:PASSWORD");
        Error::Refused { code: "HST-SOAP-PASSWORD", message }
    })?;
    Ok(UserNameCredential::new(user, password.as_str()))
}

fn message_id() -> Result<String, Error> {
    Ok(UniqueId::generate(&SystemRandom)?.to_string())
}
