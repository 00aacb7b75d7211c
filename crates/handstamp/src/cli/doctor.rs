//! `handstamp doctor`.

use std::path::PathBuf;

use clap::Args;
use handstamp_time::{Clock, SystemClock, Timestamp};

use super::{block_on, input, print};
use crate::Error;
use crate::config::{Config, SoapMode};
use crate::doctor::evidence::{self, Evidence};
use crate::doctor::examine;
use crate::gateway;
use crate::gateway::examination::Examiner;
use crate::soap::encoding::read_message;

/// Explain a failing cookie or sign-in: which key, which check, both clocks, and what to do.
///
/// Paste or pipe what you have: a cookie (its value, a Cookie header, the head of a request), a curl command as browsers copy
/// it, a HAR file, what the token service posted back (the form, or the XML of wresult), or one SOAP message that a WCF client
/// sent. It is looked at with the keys and the
/// settings of the configuration; nothing is changed and nobody is signed in. Run it on the machine of the gateway, as its user.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  handstamp doctor --config handstamp.toml cookie.txt\n  \
    pbpaste | handstamp doctor --config handstamp.toml\n  handstamp doctor --at 2026-01-01T08:00:00Z shop.example.har\n\n\
    Exit codes: 0 everything is good; 1 something fails, and the output says why; 3 the configuration is wrong.")]
pub(super) struct Doctor {
    /// The configuration file of the gateway.
    #[arg(long, value_name = "FILE", default_value = "handstamp.toml")]
    config: PathBuf,
    /// Judge as of this instant. Default: now.
    #[arg(long, value_name = "RFC3339")]
    at: Option<Timestamp>,
    /// The cookie's name, for a value that stands alone. Default: that of the first federation.
    #[arg(long, value_name = "NAME")]
    cookie_name: Option<String>,
    /// What was captured. Default: standard input.
    file: Option<PathBuf>,
}

impl Doctor {
    pub(super) fn run(self) -> Result<(), Error> {
        let config = Config::load(&self.config)?;
        let captured = input::read(self.file.as_ref())?;
        if evidence::is_soap(&captured) {
            return self.examine_message(&config, captured);
        }
        let Some(first) = config.federation.values().next() else {
            return Err(input::refused(
                "HST-DOCTOR-FEDERATION",
                "the configuration has no [federation.NAME]: nobody signs in there",
            ));
        };
        let name = self.cookie_name.as_deref().unwrap_or(&first.cookie.name);
        let evidence = Evidence::read(&String::from_utf8_lossy(&captured), name)
            .map_err(|problem| input::refused("HST-DOCTOR-INPUT", problem))?;
        let report = block_on(async {
            let examiner = Examiner::open(&config).await?;
            Ok(examine(&examiner, &evidence, self.at.unwrap_or_else(|| SystemClock.now())).await)
        })?;
        print(report.text())?;
        match report.failed() {
            true => Err(input::refused("HST-DOCTOR", "something fails: see above")),
            false => Ok(()),
        }
    }

    /// A SOAP message, with the keys and bindings of the routes that end sessions.
    fn examine_message(&self, config: &Config, captured: Vec<u8>) -> Result<(), Error> {
        if !config.soap.values().any(|route| route.mode == SoapMode::Terminate) {
            let message = "this is a SOAP message, and the configuration has no [soap.NAME] with mode = \"terminate\": \
                           `handstamp soap open` says which requirement failed, on which element, with which key";
            return Err(input::refused("HST-DOCTOR-SOAP", message));
        }
        let message = read_message(captured)?;
        let now = self.at.unwrap_or_else(|| SystemClock.now());
        let found = gateway::soap::examine(config, message.root().markup().as_bytes(), now)?;
        print(found.text.trim_end())?;
        match found.is_taken {
            true => Ok(()),
            false => Err(input::refused("HST-DOCTOR", "something fails: see above")),
        }
    }
}
