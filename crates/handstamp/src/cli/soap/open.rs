//! `handstamp soap open`.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use handstamp_keys::{Certificate, KeyPolicy, SigningIdentity, SymmetricKey};
use handstamp_time::{Clock, SystemClock, Timestamp};
use handstamp_ws_security::ProtectionLevel;
use serde_json::json;

use crate::Error;
use crate::cli::{input, print};
use crate::soap::binding::read_binding;
use crate::soap::encoding::read_message;
use crate::soap::open::{GivenKeys, Opened, Opener, Refusal};

/// Take the protection off one captured message, and print what is in it as one JSON document.
///
/// The checks are those of a service or client. Only whom to believe is not the question here: passwords, assertions, and without
/// --peer certificates, are accepted as they come. The JSON may hold the key of a session. Treat it like the message's plaintext.
///
/// A client cannot decrypt its own requests. To open the reply to one whose key only its service can read, give the service's
/// private key with --peer, or the key itself with --session.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  handstamp soap open request.xml --binding binding.xml --as service \
    --identity service.pem --at 2026-11-21T17:23:13Z\n\n\
    Exit codes: 0 opened; 1 refused; 2 wrong arguments; 3 binding or keys cannot be used; 4 file not readable.")]
pub(in crate::cli) struct Open {
    /// The message: text, MTOM or .NET binary. Default: standard input.
    file: Option<PathBuf>,
    /// The binding as a configuration of WCF has it: <customBinding>, its <binding>, or <wsHttpBinding> and its like.
    #[arg(long, value_name = "FILE")]
    binding: PathBuf,
    /// Who received the message.
    #[arg(long = "as", value_enum, value_name = "ROLE")]
    role: Role,
    /// Certificate and private key of the receiver, PEM.
    #[arg(long, value_name = "FILE")]
    identity: Option<PathBuf>,
    /// Certificate of the sender, PEM. With its private key, a client can read the key out of its own request.
    #[arg(long, value_name = "FILE")]
    peer: Option<PathBuf>,
    /// A key in base64: that of a security context by its identifier, of an encrypted key by its Id or its SHA-1 in base64, or of
    /// an assertion by its id. A context that was renewed may have several.
    #[arg(long = "session", value_name = "IDENTIFIER=KEY", value_parser = session)]
    sessions: Vec<(String, SymmetricKey)>,
    /// The request that a reply answers.
    #[arg(long, value_name = "FILE")]
    request: Option<PathBuf>,
    /// The receiver's clock. Default: now.
    #[arg(long, value_name = "RFC3339")]
    at: Option<Timestamp>,
    /// How the body has to be protected at least. Default: as the exchange demands it where it is one of WS-Trust, otherwise as it
    /// is, for the operation's contract is not known here.
    #[arg(long, value_enum, value_name = "LEVEL")]
    body: Option<Level>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Role {
    Service,
    Client,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Level {
    None,
    Sign,
    EncryptAndSign,
}

impl Open {
    pub(super) fn run(self) -> Result<(), Error> {
        let now = self.at.unwrap_or_else(|| SystemClock.now());
        let read = |what: &str, octets| {
            read_message(octets).map_err(|error| match error {
                Error::Refused { code, message } => {
                    let message = format!("{what} is refused (SC 9 step 1): {message}; clock {now}");
                    Error::Refused { code, message }
                }
                other => other,
            })
        };
        let message = read("the message", input::read(self.file.as_ref())?)?;
        let request = self.request.as_deref().map(|file| read("the request", input::read_option(file)?)).transpose()?;
        let role = self.role;
        let opener = self.opener(now)?;
        let opened = match role {
            Role::Service => opener.open_request(&message),
            Role::Client => opener.open_reply(&message, request.as_ref()),
        };
        let opened = opened.map_err(|Refusal { code, message, .. }| Error::Refused { code, message })?;
        for remark in &opened.remarks {
            eprintln!("handstamp: {remark}");
        }
        print(described(&opened))
    }

    fn opener(self, now: Timestamp) -> Result<Opener, Error> {
        let setup = |code, file: &Path, problem: &dyn std::fmt::Display| Error::Setup {
            code,
            message: format!("{}: {problem}", file.display()),
        };
        let binding = read_binding(&input::read_option(&self.binding)?)
            .map_err(|error| setup(error.code(), &self.binding, &error))?;
        let role = match self.role {
            Role::Service => handstamp_security_policy::Role::Service,
            Role::Client => handstamp_security_policy::Role::Client,
        };
        binding.check_for(role).map_err(|error| setup(error.code(), &self.binding, &error))?;
        // SC 5.4: the keys that algorithm suites allow.
        let policy = KeyPolicy::with_min_rsa_bits(1024);
        let identity = match &self.identity {
            None => None,
            Some(file) => {
                let identity = SigningIdentity::from_pem(&input::read_option(file)?, &policy);
                Some(identity.map_err(|error| setup(error.code(), file, &error))?)
            }
        };
        let (mut peer, mut peer_identity) = (None, None);
        if let Some(file) = &self.peer {
            let pem = input::read_option(file)?;
            peer_identity = SigningIdentity::from_pem(&pem, &policy).ok();
            let found = Certificate::read_all(&pem).map_err(|error| setup(error.code(), file, &error))?;
            let own = peer_identity.as_ref().map(|identity| identity.certificate().clone());
            peer = own.or_else(|| found.into_iter().next());
        }
        let body = self.body.map(|level| match level {
            Level::None => ProtectionLevel::None,
            Level::Sign => ProtectionLevel::Sign,
            Level::EncryptAndSign => ProtectionLevel::EncryptAndSign,
        });
        Ok(Opener { binding, identity, peer, peer_identity, given: GivenKeys::new(self.sessions), body, now })
    }
}

fn described(opened: &Opened) -> serde_json::Value {
    json!({
        "action": opened.action,
        "envelope": opened.envelope,
        "caller": opened.caller,
        "verified": opened.verified,
        "issued": opened.issued.as_ref().map(|(identifier, key)| json!({
            "identifier": identifier,
            "key": base64_simd::STANDARD.encode_to_string(key.as_bytes()),
        })),
    })
}

fn session(text: &str) -> Result<(String, SymmetricKey), String> {
    let wrong = || "write IDENTIFIER=BASE64KEY".to_owned();
    let padding = text.len() - text.trim_end_matches('=').len();
    let split = text.get(..text.len() - padding).and_then(|text| text.rfind('=')).ok_or_else(wrong)?;
    let (identifier, key) = text.split_at(split);
    let key = key.strip_prefix('=').and_then(|key| base64_simd::STANDARD.decode_to_vec(key).ok()).ok_or_else(wrong)?;
    Ok((identifier.to_owned(), SymmetricKey::from_bytes(&key)))
}
