//! `handstamp serve`.

use std::path::PathBuf;

use clap::Args;

use super::block_on;
use crate::config::Config;
use crate::gateway::Gateway;
use crate::service_manager::ServiceManager;
use crate::{Error, logging, shutdown};

/// Run the gateway.
///
/// Ends on SIGTERM or SIGINT, after the running requests; a second signal ends it at once. On SIGHUP it reads the configuration
/// again: all of it is taken over, or nothing.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  handstamp serve --config /etc/handstamp/handstamp.toml\n\n\
    Logs go to standard error; HANDSTAMP_LOG sets levels per module, such as info,handstamp::gateway=debug.")]
pub(super) struct Serve {
    /// The configuration file.
    #[arg(long, value_name = "FILE", default_value = "handstamp.toml")]
    config: PathBuf,
}

impl Serve {
    pub(super) fn run(self) -> Result<(), Error> {
        let config = Config::load(&self.config)?;
        let manager = ServiceManager::of_environment()?;
        logging::start(&config.log);
        block_on(async move {
            let gateway = Gateway::bind_under(&config, manager).await?.from_file(&self.config);
            gateway.reloader().on_hangup()?;
            shutdown::on_signal(|shutdown| gateway.serve(shutdown)).await
        })
    }
}
