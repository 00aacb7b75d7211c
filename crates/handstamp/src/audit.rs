//! The audit log: who signed in, what became of the session, and what was refused. One JSON object a line, in a file of its own.
//!
//! Writing never holds a request up: lines go through a bounded queue to a thread that writes them. Lines that do not fit, or cannot be
//! written, are counted, and the program is not ready meanwhile. The file may be moved away at any time; the next line makes a new one.

use std::fs::File;
use std::io::{self, Write};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use handstamp_session_token::SessionSecurityToken;
use handstamp_time::{Clock, SystemClock};
use serde::{Serialize, Serializer};

use crate::Error;
use crate::admin::{Counter, Readiness};
use crate::config::Audit;
use crate::gateway::request_id::RequestId;
use crate::private_file;

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Event {
    /// A session began.
    SignIn,
    /// An issuer's answer was not accepted.
    SignInRejected,
    /// A session was used and lasts longer for it.
    Slide,
    /// A session goes on in a cookie of another format.
    TakeOver,
    /// A user ended the session.
    SignOut,
    /// The issuer ended it.
    IssuerSignOut,
    /// Its time was over.
    Expiry,
    /// An operator ended it, or all of a user.
    Revocation,
    /// A request came with a session that is of no use.
    SessionRejected,
    /// A user has no role that may see what was asked for.
    AccessDenied,
}

/// A line. What is not known is left out.
#[derive(Debug, Serialize)]
pub(crate) struct Entry<'e> {
    pub(crate) event: Event,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) federation: Option<&'e str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) issuer: Option<&'e str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) user: Option<&'e str>,
    /// By the name that the log and `handstamp session list` use.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) session: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) operator: Option<&'e str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) client: Option<IpAddr>,
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "as_text")]
    pub(crate) request: Option<RequestId>,
    /// The stable code of the reason.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) code: Option<&'e str>,
}

fn as_text<S: Serializer>(id: &Option<RequestId>, serializer: S) -> Result<S::Ok, S::Error> {
    match id {
        Some(id) => serializer.collect_str(id),
        None => serializer.serialize_none(),
    }
}

impl<'e> Entry<'e> {
    pub(crate) fn new(event: Event) -> Self {
        Self {
            event,
            federation: None,
            issuer: None,
            user: None,
            session: None,
            operator: None,
            client: None,
            request: None,
            code: None,
        }
    }

    /// Names the request and whose it is.
    pub(crate) fn of_request(self, client: IpAddr, request: RequestId) -> Self {
        Self { client: Some(client), request: Some(request), ..self }
    }

    /// Names the session and its user.
    pub(crate) fn of_session(self, token: &'e SessionSecurityToken) -> Self {
        let user = token.principal().identity().and_then(|identity| identity.name());
        Self { user, session: Some(token.context_id().fingerprint()), ..self }
    }
}

/// The log, or nothing where none is configured.
#[derive(Debug, Clone, Default)]
pub(crate) struct AuditLog(Option<Arc<Queue>>);

#[derive(Debug)]
struct Queue {
    orders: SyncSender<Order>,
    lost: Arc<Counter>,
    failing: Arc<AtomicBool>,
}

enum Order {
    Write(Vec<u8>),
    /// Tells when everything before it is written.
    Flush(SyncSender<()>),
}

/// Lines that may wait.
const QUEUE: usize = 8192;
/// How long the end of the program waits for what is still to be written.
const FLUSH: Duration = Duration::from_secs(5);

impl AuditLog {
    /// Opens the file, or makes it, readable by its owner only.
    ///
    /// # Errors
    /// It cannot be written.
    fn open(path: &Path, lost: &Arc<Counter>) -> Result<Self, Error> {
        let cannot = |source: io::Error| Error::Setup {
            code: "HST-AUDIT-FILE",
            message: format!("audit.path: {} cannot be written: {source}", path.display()),
        };
        let file = LogFile::open(path.to_owned()).map_err(cannot)?;
        let (orders, received) = sync_channel(QUEUE);
        let failing = Arc::new(AtomicBool::new(false));
        let queue = Queue { orders, lost: Arc::clone(lost), failing: Arc::clone(&failing) };
        let writer = Writer { file, lost: Arc::clone(lost), failing };
        std::thread::Builder::new().name("audit".to_owned()).spawn(move || writer.run(&received)).map_err(cannot)?;
        Ok(Self(Some(Arc::new(queue))))
    }

    /// The log that the configuration names, or nothing.
    ///
    /// # Errors
    /// It cannot be written.
    pub(crate) fn configured(settings: Option<&Audit>, lost: &Arc<Counter>) -> Result<Self, Error> {
        settings.map_or_else(|| Ok(Self::default()), |settings| Self::open(&settings.path, lost))
    }

    /// Adds a line, with the time.
    pub(crate) fn note(&self, entry: &Entry<'_>) {
        #[derive(Serialize)]
        struct Line<'l> {
            at: String,
            #[serde(flatten)]
            entry: &'l Entry<'l>,
        }
        let Some(queue) = &self.0 else { return };
        let line = Line { at: SystemClock.now().milliseconds().to_string(), entry };
        let Ok(mut line) = serde_json::to_vec(&line) else { return queue.lost.add() };
        line.push(b'\n');
        if queue.orders.try_send(Order::Write(line)).is_err() {
            queue.lost.add();
        }
    }

    /// Waits until what was noted is in the file, for some seconds at most.
    pub(crate) fn flush(&self) {
        let Some(queue) = &self.0 else { return };
        let (done, is_done) = sync_channel(1);
        if queue.orders.send(Order::Flush(done)).is_ok() && is_done.recv_timeout(FLUSH).is_err() {
            tracing::error!("the audit log could not be written to its end");
        }
    }

    /// Whether lines are written.
    pub(crate) fn readiness(&self) -> Option<Box<dyn Readiness>> {
        struct Writable(Arc<AtomicBool>);
        impl Readiness for Writable {
            fn obstacle(&self) -> Option<String> {
                self.0.load(Ordering::Relaxed).then(|| "the audit log cannot be written".to_owned())
            }
        }
        let queue = self.0.as_ref()?;
        Some(Box::new(Writable(Arc::clone(&queue.failing))))
    }
}

/// The thread that writes.
struct Writer {
    file: LogFile,
    lost: Arc<Counter>,
    failing: Arc<AtomicBool>,
}

impl Writer {
    fn run(mut self, orders: &Receiver<Order>) {
        for order in orders {
            match order {
                Order::Flush(done) => drop(done.send(())),
                Order::Write(line) => {
                    let written = self.file.write(&line);
                    let failing = written.is_err();
                    if failing {
                        self.lost.add();
                    }
                    if failing != self.failing.swap(failing, Ordering::Relaxed) {
                        match written {
                            Err(error) => {
                                tracing::error!(code = "HST-AUDIT-FILE", %error, "the audit log cannot be written");
                            }
                            Ok(()) => tracing::info!("the audit log can be written again"),
                        }
                    }
                }
            }
        }
    }
}

/// The file, wherever its name leads now.
struct LogFile {
    path: PathBuf,
    file: File,
}

impl LogFile {
    fn open(path: PathBuf) -> io::Result<Self> {
        let file = private_file::options().append(true).create(true).open(&path)?;
        Ok(Self { path, file })
    }

    /// Whether the name leads elsewhere by now, or nowhere.
    #[cfg(unix)]
    fn is_moved(&self) -> io::Result<bool> {
        use std::os::unix::fs::MetadataExt as _;
        let own = self.file.metadata()?;
        Ok(std::fs::metadata(&self.path).map_or(true, |there| there.ino() != own.ino() || there.dev() != own.dev()))
    }

    /// Whether the name leads nowhere by now.
    #[cfg(not(unix))]
    fn is_moved(&self) -> io::Result<bool> {
        Ok(!self.path.exists())
    }

    fn write(&mut self, line: &[u8]) -> io::Result<()> {
        if self.is_moved()? {
            *self = Self::open(self.path.clone())?;
        }
        self.file.write_all(line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(path: &Path) -> Vec<serde_json::Value> {
        let text = std::fs::read_to_string(path).expect("a file");
        text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
    }

    #[test]
    fn lines_are_json_and_follow_the_name_of_the_file() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("audit.jsonl");
        let log = AuditLog::open(&path, &Arc::default()).expect("a log");
        log.note(&Entry { user: Some("al\"ice\n"), ..Entry::new(Event::SignIn) });
        log.flush();
        let moved = folder.path().join("audit.1");
        std::fs::rename(&path, &moved).expect("moved");
        log.note(&Entry { code: Some("ID4243"), ..Entry::new(Event::SessionRejected) });
        log.flush();
        let (first, second) = (lines(&moved), lines(&path));
        assert_eq!((first[0]["event"].as_str(), first[0]["user"].as_str()), (Some("sign-in"), Some("al\"ice\n")));
        assert!(first[0].get("code").is_none() && first[0]["at"].as_str().is_some_and(|at| at.ends_with('Z')));
        assert_eq!((second.len(), second[0]["code"].as_str()), (1, Some("ID4243")));
        #[cfg(unix)]
        {
            use std::os::unix::fs::MetadataExt as _;
            let mode = std::fs::metadata(&path).expect("metadata").mode();
            assert_eq!(mode & 0o777, 0o600);
        }
    }

    #[test]
    fn what_cannot_be_written_is_counted_and_said() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("below").join("audit.jsonl");
        std::fs::create_dir(folder.path().join("below")).expect("a folder");
        let lost = Arc::new(Counter::default());
        let log = AuditLog::open(&path, &lost).expect("a log");
        let readiness = log.readiness().expect("it can be asked");
        assert_eq!(readiness.obstacle(), None);
        std::fs::rename(folder.path().join("below"), folder.path().join("elsewhere")).expect("moved");
        log.note(&Entry::new(Event::SignIn));
        log.flush();
        assert_eq!(lost.value(), 1);
        assert!(readiness.obstacle().is_some());
        std::fs::create_dir(folder.path().join("below")).expect("a folder");
        log.note(&Entry::new(Event::SignIn));
        log.flush();
        assert_eq!((lost.value(), readiness.obstacle()), (1, None));
    }
}
