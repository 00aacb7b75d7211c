//! The end of the program: asked for once, seen everywhere.

use tokio::sync::watch;

use crate::Error;

/// Asks for the end.
#[derive(Debug, Clone)]
pub struct Trigger(watch::Sender<bool>);

/// Sees that the end was asked for.
#[derive(Debug, Clone)]
pub struct Shutdown(watch::Receiver<bool>);

/// A trigger and what it triggers.
pub fn channel() -> (Trigger, Shutdown) {
    let (sender, receiver) = watch::channel(false);
    (Trigger(sender), Shutdown(receiver))
}

impl Trigger {
    /// Asks for the end. Asking again changes nothing.
    pub fn pull(&self) {
        self.0.send_replace(true);
    }
}

impl Shutdown {
    /// Whether the end was asked for.
    pub fn is_asked(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits until the end is asked for, or nobody is left who could ask.
    pub async fn asked(&mut self) {
        let _ = self.0.wait_for(|asked| *asked).await;
    }
}

/// Runs `serve` until it ends by itself. The first SIGINT or SIGTERM asks it to end; the second does not
/// wait any longer.
///
/// # Errors
/// When the system does not let signals be listened to.
pub async fn on_signal<F: Future<Output = ()>>(serve: impl FnOnce(Shutdown) -> F) -> Result<(), Error> {
    let mut signals = Signals::listen().map_err(|source| Error::system("cannot listen to signals", source))?;
    let (trigger, shutdown) = channel();
    let serving = std::pin::pin!(serve(shutdown));
    let end = async {
        signals.next().await;
        tracing::info!("ending: running requests may finish; a second signal ends at once");
        trigger.pull();
        signals.next().await;
    };
    tokio::select! {
        () = serving => {}
        () = end => {}
    }
    Ok(())
}

#[cfg(unix)]
struct Signals {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn listen() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    fn listen() -> std::io::Result<Self> {
        Ok(Self)
    }

    async fn next(&mut self) {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
