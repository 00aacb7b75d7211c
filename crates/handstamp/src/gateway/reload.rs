//! Another configuration for a gateway that runs, without a restart: all of it or nothing.

use std::path::PathBuf;

use tokio::sync::{mpsc, oneshot};

use crate::Error;
use crate::config::Config;

/// Asks a running gateway to take a configuration over. Running connections and requests finish as they began; sessions are not
/// touched.
#[derive(Debug, Clone)]
pub struct Reloader {
    orders: mpsc::Sender<Order>,
    file: Option<PathBuf>,
}

/// A configuration to take over, and who wants to know how that went.
#[derive(Debug)]
pub(super) struct Order {
    pub(super) config: Box<Config>,
    pub(super) done: oneshot::Sender<Result<(), Error>>,
}

impl Reloader {
    pub(super) fn channel() -> (Self, mpsc::Receiver<Order>) {
        let (orders, receiver) = mpsc::channel(1);
        (Self { orders, file: None }, receiver)
    }

    /// The same, for the configuration in `file`.
    #[must_use]
    pub fn from_file(self, file: impl Into<PathBuf>) -> Self {
        Self { file: Some(file.into()), ..self }
    }

    /// Takes `config` over.
    ///
    /// # Errors
    /// Why nothing was changed: a file that cannot be used, an address that cannot be listened on, an option that cannot change
    /// while the program runs.
    pub async fn reload(&self, config: Config) -> Result<(), Error> {
        let over = || Error::Refused { code: "HST-RELOAD-OVER", message: "the gateway does not serve".to_owned() };
        let (done, result) = oneshot::channel();
        self.orders.send(Order { config: Box::new(config), done }).await.map_err(|_| over())?;
        result.await.map_err(|_| over())?
    }

    /// Reads the configuration file again and takes it over.
    ///
    /// # Errors
    /// As [`reload`](Self::reload), and everything that is wrong with the file.
    pub async fn reload_file(&self) -> Result<(), Error> {
        let Some(file) = self.file.clone() else {
            let message = "the gateway was not started from a file: restart it".to_owned();
            return Err(Error::Refused { code: "HST-RELOAD-FILE", message });
        };
        self.reload(Config::load(&file)?).await
    }

    /// Reads the file again on every SIGHUP, for as long as the program runs.
    ///
    /// # Errors
    /// The system does not let signals be listened to.
    #[cfg(unix)]
    pub fn on_hangup(self) -> Result<(), Error> {
        use tokio::signal::unix::{SignalKind, signal};
        let mut hangups =
            signal(SignalKind::hangup()).map_err(|source| Error::system("cannot listen to signals", source))?;
        tokio::spawn(async move {
            while hangups.recv().await.is_some() {
                // What the gateway itself makes of a configuration is in its log; this file may not even have reached it.
                if let Err(error @ Error::Configuration(_)) = self.reload_file().await {
                    tracing::error!(code = error.code(), %error, "the configuration was not taken over");
                }
            }
        });
        Ok(())
    }

    /// There is no such signal here.
    ///
    /// # Errors
    /// None.
    #[cfg(not(unix))]
    pub fn on_hangup(self) -> Result<(), Error> {
        Ok(())
    }
}

/// Refuses what cannot change while the program runs.
pub(super) fn check_unchanged(old: &Config, new: &Config) -> Result<(), Error> {
    let changed = [
        ("log", old.log != new.log),
        ("keys", old.keys != new.keys || old.rotation_policy() != new.rotation_policy()),
        ("store", old.store != new.store),
        ("admin", old.admin != new.admin),
        ("audit", old.audit != new.audit),
        ("telemetry", old.telemetry != new.telemetry),
        ("shutdown", old.shutdown != new.shutdown),
    ];
    match changed.iter().find(|(_, changed)| *changed) {
        None => Ok(()),
        Some((table, _)) => {
            let why = match *table {
                "keys" => " (also the longest absolute_timeout of all federations counts here)",
                _ => "",
            };
            let message = format!("[{table}] cannot change while the gateway runs{why}: restart it for that");
            Err(Error::Refused { code: "HST-RELOAD-RESTART", message })
        }
    }
}
