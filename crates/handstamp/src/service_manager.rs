//! The service manager that started the program, where one did: what it hands over, and what it wants to know.
//!
//! As systemd does it, and others after it. `LISTEN_FDS` (sd_listen_fds(3)): sockets that the manager opened and keeps, so that
//! clients wait while the program is started again, and none is refused. `NOTIFY_SOCKET` (sd_notify(3)): where it wants to hear
//! when the program is ready, reads its configuration again, or ends. `WATCHDOG_USEC` (sd_watchdog_enabled(3)): how often it wants
//! to hear that the program still works.

use std::time::Duration;

use crate::Error;
use crate::config::ListenAddress;

/// Knows what the service manager wants to know, and has what it gave.
#[derive(Debug, Default)]
pub struct ServiceManager {
    #[cfg(unix)]
    sockets: Vec<(ListenAddress, Inherited)>,
    tell: bool,
    watchdog: Option<Duration>,
}

/// A socket that the service manager opened.
#[cfg(unix)]
#[derive(Debug)]
pub(crate) enum Inherited {
    Tcp(std::net::TcpListener),
    Unix(std::os::unix::net::UnixListener),
}

/// What there is to tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// Requests are answered.
    Ready,
    /// The configuration is taken over; [`Ready`](Self::Ready) follows.
    Reloading,
    /// The end was asked for.
    Stopping,
    /// Everything still works.
    Alive,
}

impl ServiceManager {
    /// None: nobody is told anything, every socket is the program's own.
    pub fn none() -> Self {
        Self::default()
    }

    /// The one that the environment tells of, which is read once, before there are other threads.
    ///
    /// # Errors
    /// `HST-LISTEN-INHERITED`: something was handed over that is no socket to listen with.
    #[cfg(unix)]
    pub fn of_environment() -> Result<Self, Error> {
        let mut handed = listenfd::ListenFd::from_env();
        let mut sockets = Vec::with_capacity(handed.len());
        for number in 0..handed.len() {
            let socket = inherit(&mut handed, number).map_err(|source| Error::Setup {
                code: "HST-LISTEN-INHERITED",
                message: format!(
                    "socket {} of the service manager cannot be listened with: {source}; a socket unit needs ListenStream=",
                    number + 1
                ),
            })?;
            sockets.push(socket);
        }
        Ok(Self { sockets, tell: std::env::var_os("NOTIFY_SOCKET").is_some(), watchdog: sd_notify::watchdog_enabled() })
    }

    /// None: it is not known how service managers do this here.
    ///
    /// # Errors
    /// None.
    #[cfg(not(unix))]
    pub fn of_environment() -> Result<Self, Error> {
        Ok(Self::none())
    }

    /// The socket for an address. The manager keeps it too, so it is the same one when it is asked for again.
    #[cfg(unix)]
    pub(crate) fn socket(&self, address: &ListenAddress) -> Option<Inherited> {
        let (_, socket) = self.sockets.iter().find(|(at, _)| at == address)?;
        match socket {
            Inherited::Tcp(socket) => socket.try_clone().ok().map(Inherited::Tcp),
            Inherited::Unix(socket) => socket.try_clone().ok().map(Inherited::Unix),
        }
    }

    /// Refuses sockets that nobody would ever listen with: whoever connects to one would wait for ever.
    ///
    /// # Errors
    /// `HST-LISTEN-INHERITED`, with the addresses that do not fit together.
    pub(crate) fn check_used<'a>(
        &self,
        listeners: impl Iterator<Item = &'a ListenAddress> + Clone,
    ) -> Result<(), Error> {
        #[cfg(unix)]
        if let Some((unused, _)) = self.sockets.iter().find(|(at, _)| !listeners.clone().any(|address| address == at)) {
            let listeners: Vec<String> = listeners.map(ToString::to_string).collect();
            let message = format!(
                "the service manager opened a socket at {unused}, where nothing is to listen: the configuration has {}; \
                 write the address alike in both",
                listeners.join(", ")
            );
            return Err(Error::Setup { code: "HST-LISTEN-INHERITED", message });
        }
        let _ = listeners;
        Ok(())
    }

    /// Tells the manager, if it wants to know.
    pub(crate) fn tell(&self, state: State) {
        if !self.tell {
            return;
        }
        #[cfg(unix)]
        if let Err(error) = state.send() {
            tracing::warn!(%error, ?state, "the service manager could not be told");
        }
        #[cfg(not(unix))]
        let _ = state;
    }

    /// How often it wants to hear that everything works; `None` when it does not.
    pub(crate) fn watchdog(&self) -> Option<Duration> {
        self.watchdog
    }
}

#[cfg(unix)]
fn inherit(handed: &mut listenfd::ListenFd, number: usize) -> std::io::Result<(ListenAddress, Inherited)> {
    let gone = || std::io::Error::from(std::io::ErrorKind::NotFound);
    if let Ok(socket) = handed.take_tcp_listener(number) {
        let socket = socket.ok_or_else(gone)?;
        return Ok((socket.local_addr()?.into(), Inherited::Tcp(socket)));
    }
    let socket = handed.take_unix_listener(number)?.ok_or_else(gone)?;
    let address = socket.local_addr()?;
    let path = address.as_pathname().ok_or_else(|| std::io::Error::other("its address is no path"))?;
    Ok((ListenAddress::Unix(path.to_owned()), Inherited::Unix(socket)))
}

#[cfg(unix)]
impl State {
    fn send(self) -> std::io::Result<()> {
        use sd_notify::NotifyState;
        match self {
            Self::Ready => sd_notify::notify(&[NotifyState::Ready]),
            Self::Reloading => sd_notify::notify(&[NotifyState::Reloading, NotifyState::monotonic_usec_now()?]),
            Self::Stopping => sd_notify::notify(&[NotifyState::Stopping]),
            Self::Alive => sd_notify::notify(&[NotifyState::Watchdog]),
        }
    }
}
