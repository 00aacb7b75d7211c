//! `handstamp token`.

use std::path::PathBuf;
use std::sync::Arc;

use clap::{Args, Subcommand, ValueEnum};
use handstamp_keys::{KeyRing, RotationPolicy, SystemRandom};
use handstamp_session_token::json::{Codec, CodecError, Encoding, Format, NativeCodec};
use handstamp_session_token::native::NativeFormat;
use handstamp_session_token::wif::UnknownBootstrapContext;
use handstamp_session_token::wif::transforms::{
    ConfigurationError, CookieTransform, CookieTransforms, Deflate, ProtectedData, RsaHash,
};
use handstamp_session_token::{Carrier, EndpointScope};
use handstamp_time::{Clock, SystemClock, Timestamp};

use super::{input, print};
use crate::Error;
use crate::wif_keys::{self, unusable};

/// Turn session tokens into JSON and back: the native format, WIF's, and the state of WCF's security context token.
///
/// The JSON holds the session's key. Treat it like the token itself.
#[derive(Debug, Subcommand)]
pub(super) enum Token {
    Decode(Decode),
    Encode(Encode),
}

/// Print what is in a session token, as one JSON document.
///
/// Reads a file or standard input. The form of the input and the format are found out where they are not told; transforms
/// other than Deflate need their keys.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  handstamp token decode --machine-key machineKey.xml cookie.txt\n  \
    handstamp token decode --transforms deflate,rsa-sign,rsa-encrypt --rsa-key farm.pem < cookie.txt | jq .identities\n\n\
    Exit codes: 0 decoded; 1 not a good token; 2 wrong arguments; 3 keys or transforms cannot be used; 4 file not readable.")]
pub(super) struct Decode {
    /// The format of the token.
    #[arg(long, value_enum, default_value = "auto")]
    format: DecodeFormat,
    /// The form of the input; found out when not given.
    #[arg(long, value_enum)]
    input: Option<Form>,
    #[command(flatten)]
    protection: Protection,
    /// Accept a token that is over or has not begun.
    #[arg(long)]
    no_validate: bool,
    /// The instant at which the token must be valid. Default: now.
    #[arg(long, value_name = "RFC3339", conflicts_with = "no_validate")]
    at: Option<Timestamp>,
    /// The token. Default: standard input.
    file: Option<PathBuf>,
}

/// Make a session token from its JSON description.
///
/// The JSON is that of `handstamp token decode`. Nothing is added: who can run this with the keys can be anybody.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  handstamp token encode --format wif --machine-key machineKey.xml token.json\n  \
    handstamp token encode --format wif-payload --output raw token.json > payload.bin\n\n\
    Text goes out without a line end, except to a terminal.")]
pub(super) struct Encode {
    /// The format of the token.
    #[arg(long, value_enum)]
    format: EncodeFormat,
    /// The form of the output. Default: cookie for wif and native, base64 for the others.
    #[arg(long, value_enum)]
    output: Option<Form>,
    #[command(flatten)]
    protection: Protection,
    /// The description. Default: standard input.
    file: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct Protection {
    /// What protects WIF cookies, in the order of writing. Default: deflate, and what the given keys are for.
    #[arg(long, value_enum, value_delimiter = ',')]
    transforms: Option<Vec<Transform>>,
    /// A private RSA key, PEM. The first one signs and encrypts, all verify and decrypt.
    #[arg(long = "rsa-key", value_name = "FILE")]
    rsa_keys: Vec<PathBuf>,
    /// The hash of the RSA transforms.
    #[arg(long, value_enum, default_value = "sha256")]
    rsa_hash: Hash,
    /// The <machineKey …/> element of a web.config. The first one writes, all read.
    #[arg(long = "machine-key", value_name = "FILE")]
    machine_keys: Vec<PathBuf>,
    /// A purpose of the machine key, when it is not WIF's.
    #[arg(long = "purpose", value_name = "TEXT")]
    purposes: Vec<String>,
    /// The key ring of native tokens.
    #[arg(long, value_name = "FILE")]
    ring: Option<PathBuf>,
    /// The cookie that a native token is bound to.
    #[arg(long, value_name = "NAME", default_value = "__Host-session")]
    cookie_name: String,
    /// The scope that a native token is bound to. Default: none.
    #[arg(long, value_name = "SCOPE", default_value = "")]
    audience: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum DecodeFormat {
    Auto,
    Wif,
    WifPayload,
    Native,
    SctState,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum EncodeFormat {
    Wif,
    WifPayload,
    Native,
    SctState,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Form {
    Raw,
    Base64,
    Cookie,
    Xml,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Transform {
    None,
    Deflate,
    RsaSign,
    RsaEncrypt,
    MachineKey,
    Dpapi,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Hash {
    Sha256,
    Sha1,
}

impl Token {
    pub(super) fn run(self) -> Result<(), Error> {
        match self {
            Self::Decode(command) => command.run(),
            Self::Encode(command) => command.run(),
        }
    }
}

impl Decode {
    fn run(self) -> Result<(), Error> {
        let format = match self.format {
            DecodeFormat::Auto => None,
            DecodeFormat::Wif => Some(Format::Wif),
            DecodeFormat::WifPayload => Some(Format::WifPayload),
            DecodeFormat::Native => Some(Format::Native),
            DecodeFormat::SctState => Some(Format::SctState),
        };
        let codec = self.protection.codec(format)?;
        let now = SystemClock.now();
        let valid_at = (!self.no_validate).then(|| self.at.unwrap_or(now));
        let bytes = input::read(self.file.as_ref())?;
        let token = codec.decode(&bytes, self.input.map(Form::encoding), self.at.unwrap_or(now), valid_at);
        let json = serde_json::to_string_pretty(&token.map_err(refused)?).map_err(|error| refused(error.into()))?;
        print(json)
    }
}

impl Encode {
    fn run(self) -> Result<(), Error> {
        let (format, usual) = match self.format {
            EncodeFormat::Wif => (Format::Wif, Form::Cookie),
            EncodeFormat::Native => (Format::Native, Form::Cookie),
            EncodeFormat::WifPayload => (Format::WifPayload, Form::Base64),
            EncodeFormat::SctState => (Format::SctState, Form::Base64),
        };
        let form = self.output.unwrap_or(usual);
        let codec = self.protection.codec(Some(format))?;
        let json = input::read(self.file.as_ref())?;
        let token = codec.encode(&json, form.encoding(), SystemClock.now(), &SystemRandom).map_err(refused)?;
        input::write(&token, form != Form::Raw)
    }
}

impl Protection {
    fn codec(&self, format: Option<Format>) -> Result<Codec, Error> {
        let mut codec = Codec::default();
        codec.format = format;
        codec.policy.unknown_bootstrap_context = UnknownBootstrapContext::KeepText;
        codec.transforms = self.chain(format)?;
        if let Some(ring) = &self.ring {
            let ring = KeyRing::open(ring, RotationPolicy::default())?;
            codec.native = Some(NativeCodec {
                format: Arc::new(NativeFormat::new(Arc::new(ring))),
                carrier: Carrier::Cookie(self.cookie_name.as_str().into()),
                scopes: vec![EndpointScope::from(self.audience.as_str())],
            });
        }
        Ok(codec)
    }

    fn chain(&self, format: Option<Format>) -> Result<Option<CookieTransforms>, Error> {
        let mut names = match &self.transforms {
            Some(names) => names.clone(),
            None if format == Some(Format::SctState) && self.machine_keys.is_empty() => return Ok(None),
            None if !self.machine_keys.is_empty() => vec![Transform::Deflate, Transform::MachineKey],
            None if !self.rsa_keys.is_empty() => {
                vec![Transform::Deflate, Transform::RsaSign, Transform::RsaEncrypt]
            }
            None => return Ok(None),
        };
        names.retain(|name| *name != Transform::None);
        let transforms = names.into_iter().map(|name| self.transform(name)).collect::<Result<_, _>>()?;
        CookieTransforms::unprotected(transforms).map(Some).map_err(unusable)
    }

    fn transform(&self, name: Transform) -> Result<Arc<dyn CookieTransform>, Error> {
        let hash = match self.rsa_hash {
            Hash::Sha256 => RsaHash::Sha256,
            Hash::Sha1 => RsaHash::Sha1,
        };
        Ok(match name {
            Transform::None | Transform::Deflate => Arc::new(Deflate::default()),
            Transform::RsaSign => Arc::new(wif_keys::rsa_signature(&self.rsa_keys, hash)?),
            Transform::RsaEncrypt => Arc::new(wif_keys::rsa_encryption(&self.rsa_keys, hash)?),
            Transform::MachineKey => Arc::new(wif_keys::machine_key(&self.machine_keys, &self.purposes)?),
            Transform::Dpapi => {
                return Err(
                    ProtectedData::new().map_or_else(unusable, |_| unusable(ConfigurationError::DataProtection))
                );
            }
        })
    }
}

impl Form {
    fn encoding(self) -> Encoding {
        match self {
            Self::Raw => Encoding::Raw,
            Self::Base64 => Encoding::Base64,
            Self::Cookie => Encoding::Cookie,
            Self::Xml => Encoding::Xml,
        }
    }
}

fn refused(error: CodecError) -> Error {
    input::refused(error.code(), error)
}
