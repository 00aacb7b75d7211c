//! A connection on a thread of its own.

use crate::sealing::failed;
use handstamp_session_token::Error;
use rusqlite::Connection;
use std::sync::mpsc::{Sender, channel};
use std::time::Duration;
use tokio::sync::oneshot;

type Job = Box<dyn FnOnce(&mut Connection) + Send>;

/// Runs jobs on a connection, one after the other. The thread ends when the worker is dropped.
pub(super) struct Worker {
    jobs: Sender<Job>,
    timeout: Duration,
}

impl Worker {
    pub(super) fn spawn(name: &str, mut connection: Connection, timeout: Duration) -> std::io::Result<Self> {
        let (jobs, queue) = channel::<Job>();
        std::thread::Builder::new().name(name.to_owned()).spawn(move || {
            for job in queue {
                job(&mut connection);
            }
        })?;
        Ok(Self { jobs, timeout })
    }

    /// Runs a job and waits for its result, for as long as the timeout allows. A job that was waited for in vain may
    /// still run.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        action: &'static str,
        job: impl FnOnce(&mut Connection) -> Result<T, rusqlite::Error> + Send + 'static,
    ) -> Result<T, Error> {
        let (done, result) = oneshot::channel();
        let job: Job = Box::new(move |connection| {
            // Nobody may be waiting any more.
            let _ = done.send(job(connection));
        });
        self.jobs.send(job).map_err(|_| failed(action, "its thread has ended"))?;
        match tokio::time::timeout(self.timeout, result).await {
            Ok(Ok(result)) => result.map_err(|error| failed(action, error)),
            Ok(Err(_)) => Err(failed(action, "its thread has ended")),
            Err(_) => Err(failed(action, "it did not answer in time")),
        }
    }
}
