//! `handstamp xml`.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand, ValueEnum};
use handstamp_session_token::sct_state::SCT_STATE_DICTIONARY;
use handstamp_session_token::wif::SESSION_DICTIONARY;
use handstamp_xml::binary::{
    self, Reader, SessionDictionary, StaticDictionary, WCF_DICTIONARY, from_text, list_records, to_text,
};

use super::input;
use crate::Error;

/// Look at XML as protocols see it.
#[derive(Debug, Subcommand)]
pub(super) enum Xml {
    FromBinary(FromBinary),
    ToBinary(ToBinary),
}

/// Turn .NET binary XML into text XML.
///
/// Reads the bytes themselves, or their base64 or hexadecimal form.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  handstamp xml from-binary --dictionary wcf message.bin\n  \
    handstamp xml from-binary --records --dictionary session-token payload.b64")]
pub(super) struct FromBinary {
    #[command(flatten)]
    dictionaries: Dictionaries,
    /// List the records instead, one on a line, up to the first fault.
    #[arg(long)]
    records: bool,
    /// The binary XML. Default: standard input.
    file: Option<PathBuf>,
}

/// Turn text XML into .NET binary XML.
///
/// All text becomes characters: text says nothing of types.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  handstamp xml to-binary --dictionary wcf --output hex message.xml")]
pub(super) struct ToBinary {
    #[command(flatten)]
    dictionaries: Dictionaries,
    /// The form of the output.
    #[arg(long, value_enum, default_value = "raw")]
    output: Form,
    /// The text XML. Default: standard input.
    file: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct Dictionaries {
    /// The static dictionary: a file with one string a line or a JSON array, or one of `wcf`, `session-token`, `sct-state`.
    #[arg(long, value_name = "FILE")]
    dictionary: Option<PathBuf>,
    /// The session dictionary, in the same form. Nothing is added to it.
    #[arg(long, value_name = "FILE")]
    session_dictionary: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Form {
    Raw,
    Base64,
    Hex,
}

impl Xml {
    pub(super) fn run(self) -> Result<(), Error> {
        match self {
            Self::FromBinary(command) => command.run(),
            Self::ToBinary(command) => command.run(),
        }
    }
}

impl FromBinary {
    fn run(self) -> Result<(), Error> {
        let (file, session) = self.dictionaries.load()?;
        let dictionary = self.dictionaries.known().or(file.as_ref());
        let bytes = without_text_form(input::read(self.file.as_ref())?)?;
        let mut reader = Reader::new(&bytes, dictionary);
        if let Some(session) = &session {
            reader = reader.with_session(session);
        }
        if self.records {
            input::write(list_records(&bytes, dictionary, session.as_ref()).as_bytes(), false)?;
            while reader.read().map_err(refused)?.is_some() {}
            return Ok(());
        }
        input::write(to_text(reader).map_err(refused)?.as_bytes(), true)
    }
}

impl ToBinary {
    fn run(self) -> Result<(), Error> {
        let (file, mut session) = self.dictionaries.load()?;
        let dictionary = self.dictionaries.known().or(file.as_ref());
        let text = input::read(self.file.as_ref())?;
        let bytes = from_text(text, dictionary, session.as_mut()).map_err(refused)?;
        match self.output {
            Form::Raw => input::write(&bytes, false),
            Form::Base64 => input::write(base64_simd::STANDARD.encode_to_string(&bytes).as_bytes(), true),
            Form::Hex => {
                let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
                input::write(hex.as_bytes(), true)
            }
        }
    }
}

impl Dictionaries {
    /// The dictionary that is named instead of a file, when there is no such file.
    fn known(&self) -> Option<&'static StaticDictionary> {
        let name = self.dictionary.as_deref().filter(|name| !name.exists())?;
        match name.to_str()? {
            "wcf" => Some(&WCF_DICTIONARY),
            "session-token" => Some(&SESSION_DICTIONARY),
            "sct-state" => Some(&SCT_STATE_DICTIONARY),
            _ => None,
        }
    }

    fn load(&self) -> Result<(Option<StaticDictionary>, Option<SessionDictionary>), Error> {
        let file = match &self.dictionary {
            Some(file) if self.known().is_none() => Some(StaticDictionary::from_strings(strings(file)?)),
            _ => None,
        };
        let Some(session_file) = &self.session_dictionary else { return Ok((file, None)) };
        let strings = strings(session_file)?;
        // Exactly as large as its content: a string that the reader does not know must not be given a number.
        let size = strings.iter().map(|string| string.len() + 1).sum();
        let mut session = SessionDictionary::with_max_size(size);
        for string in &strings {
            session.add(string);
        }
        Ok((file, Some(session)))
    }
}

/// One string a line, an empty line being the empty string; or a JSON array of strings.
fn strings(file: &Path) -> Result<Vec<String>, Error> {
    let wrong = |what: &str| Error::Setup {
        code: "HST-XML-DICTIONARY",
        message: format!("{}: {what}; write one string a line, or a JSON array of strings", file.display()),
    };
    let text = String::from_utf8(input::read_option(file)?).map_err(|_| wrong("not UTF-8"))?;
    if text.trim_start().starts_with('[') {
        return serde_json::from_str(&text).map_err(|error| wrong(&error.to_string()));
    }
    Ok(text.lines().map(str::to_owned).collect())
}

/// A legal document always has a byte outside of printable ASCII, because its end has. So text is base64 or hexadecimal.
fn without_text_form(bytes: Vec<u8>) -> Result<Vec<u8>, Error> {
    if bytes.is_empty() || !bytes.iter().all(|byte| byte.is_ascii_graphic() || byte.is_ascii_whitespace()) {
        return Ok(bytes);
    }
    let mut text = bytes;
    text.retain(|byte| !byte.is_ascii_whitespace());
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    if let (pairs, []) = text.as_chunks::<2>()
        && let Some(bytes) = pairs.iter().map(|&[high, low]| Some(digit(high)? << 4 | digit(low)?)).collect()
    {
        return Ok(bytes);
    }
    let decoded = base64_simd::STANDARD.decode_to_vec(&text);
    decoded.map_err(|_| input::refused("HST-NBFX-INPUT", "this is text, and neither base64 nor hexadecimal"))
}

fn refused(error: binary::Error) -> Error {
    input::refused(error.code(), error)
}
