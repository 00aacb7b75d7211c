//! `handstamp demo`: token service, gateway, a sample application and a SOAP service in one process.
//!
//! The demo writes an ordinary configuration into its data folder and runs it as `serve` does. Nothing is demo-only but
//! that and the applications. Everything that has to survive is in the folder: the key ring, the signing key, accounts,
//! revocations, the ledger's book, and the ports, so that a browser finds the demo again where it was.

mod app;
mod configuration;
mod data_folder;
mod ledger;
mod ledger_page;
mod ports;
mod session_header;

use crate::config::Config;
use crate::gateway::Gateway;
use crate::shutdown::Shutdown;
use crate::sts::AccountStore;
use crate::{Error, logging};
use configuration::Addresses;
use data_folder::DataFolder;
use handstamp_time::SystemClock;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper_util::rt::{TokioIo, TokioTimer};
use ledger::{Ledger, LiveSessions};
use ledger_page::LedgerPage;
use std::convert::Infallible;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;

/// Where the demo's user signs out.
const SIGN_OUT_PATH: &str = "/signout";

/// What to run.
#[derive(Debug, Clone)]
pub struct DemoOptions {
    /// Where everything is kept; the user's state folder when absent.
    pub data: Option<PathBuf>,
    /// The application's port; 0 for any. The token service and the admin listener take the next two where they are free.
    /// When absent, the ports of the last time, or [`DEFAULT_PORT`] and the next two.
    pub port: Option<u16>,
    /// Keep sessions in the database instead of in the cookie.
    pub reference_mode: bool,
    /// How long a session lasts, at the application and at the token service.
    pub session_lifetime: Duration,
}

/// The application's port when nothing else is said and it is free.
pub const DEFAULT_PORT: u16 = 7420;

/// A demo whose addresses are bound.
pub struct Demo {
    gateway: Gateway,
    application: TcpListener,
    pages: Arc<Pages>,
    ledger: Ledger,
    /// Held so that a second demo does not work on the same files.
    _folder: DataFolder,
    /// What to tell the user.
    pub invitation: Invitation,
}

/// Where the demo is, and how to get in.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Invitation {
    /// The application, behind the gateway.
    pub web: String,
    /// The token service.
    pub sts: String,
    /// Health and metrics.
    pub admin: String,
    /// The ledger, a SOAP service.
    pub soap: String,
    /// Who can sign in.
    pub username: String,
    /// With what.
    pub password: String,
    /// The id of this process.
    pub pid: u32,
    /// What calls the ledger.
    #[serde(skip)]
    pub call: String,
    /// Where everything is kept.
    #[serde(skip)]
    pub data: PathBuf,
    /// Whether the default ports were taken.
    #[serde(skip)]
    pub other_ports: bool,
}

impl Demo {
    /// Makes what is not there yet, and binds the addresses.
    ///
    /// # Errors
    /// Files or ports that cannot be used.
    pub async fn prepare(options: &DemoOptions) -> Result<Self, Error> {
        let mut folder = DataFolder::open(options.data.clone())?;
        let application = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .map_err(|source| Error::system("cannot open a port for the sample application", source))?;
        let upstream = application
            .local_addr()
            .map_err(|source| Error::system("cannot open a port for the sample application", source))?;
        let chosen = ports::choose(options.port, folder.ports())?;
        let addresses = Addresses { ports: chosen.ports, upstream };
        let file = folder.write("handstamp.toml", &configuration::text(&addresses, options))?;
        folder.write(ledger::BINDING_FILE, ledger::BINDING)?;
        folder.write(ledger::REMEMBERED_BINDING_FILE, &ledger::remembered_binding())?;
        let config = Config::load(&file)?;
        logging::start(&config.log);
        let sts = config.sts.as_ref().expect("the generated configuration has a token service");
        let user = folder.prepare(&config, sts, chosen.ports).await?;
        let [web, sts_socket, admin, soap] = chosen.held;
        drop([web, sts_socket, admin]);
        let gateway = Gateway::bind(&config).await?;
        let keys = gateway.keys().expect("a gateway where people sign in has keys");
        let socket = soap.set_nonblocking(true).and_then(|()| TcpListener::from_std(soap));
        let socket = socket.map_err(|source| Error::system("cannot open a port for the ledger", source))?;
        let accounts = AccountStore::open(&sts.accounts)?;
        let ledger = Ledger::prepare(folder.path(), socket, Arc::clone(keys), accounts)?;
        let call = command(&addresses.soap(), &format!("{}:{}", user.name, user.password), folder.path());
        // Whoever sees the page has signed in, but need not be the demo's user.
        let command = format!("export HANDSTAMP_PASSWORD=…; {}", command(&addresses.soap(), &user.name, folder.path()));
        let page = LedgerPage { address: addresses.soap(), command };
        let pages = Arc::new(Pages { sessions: ledger.sessions(), page });
        let invitation = Invitation {
            web: addresses.web(),
            sts: addresses.sts(),
            admin: addresses.admin(),
            soap: addresses.soap(),
            call,
            username: user.name,
            password: user.password,
            pid: std::process::id(),
            data: folder.path().to_owned(),
            other_ports: chosen.fell_back,
        };
        Ok(Self { gateway, application, pages, ledger, _folder: folder, invitation })
    }

    /// Serves until the end is asked for.
    pub async fn serve(self, mut shutdown: Shutdown) {
        let gateway = self.gateway.serve(shutdown.clone());
        let application = async {
            tokio::select! {
                () = serve_application(self.application, self.pages) => {}
                () = self.ledger.serve() => {}
                () = shutdown.asked() => {}
            }
        };
        tokio::join!(gateway, application);
    }
}

/// What the sample application shows besides who is there.
#[derive(Debug)]
struct Pages {
    sessions: Arc<LiveSessions>,
    page: LedgerPage,
}

/// The command line that asks the ledger for a balance.
fn command(address: &str, user: &str, data: &Path) -> String {
    let file = |name: &str| quoted(&data.join(name).display().to_string());
    let (binding, certificate) = (file(ledger::BINDING_FILE), file(ledger::CERTIFICATE_FILE));
    format!(
        "echo '<Balance xmlns=\"urn:handstamp:ledger\"/>' | \
         handstamp soap call {address} --binding {binding} --service-cert {certificate} --user {user}"
    )
}

/// For a shell.
fn quoted(path: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-".contains(&byte);
    if path.bytes().all(plain) { path.to_owned() } else { format!("'{}'", path.replace('\'', "'\\''")) }
}

/// The sample application's own server, which only the gateway talks to.
async fn serve_application(socket: TcpListener, pages: Arc<Pages>) {
    loop {
        let Ok((stream, _)) = socket.accept().await else { continue };
        let pages = Arc::clone(&pages);
        tokio::spawn(async move {
            let service = hyper::service::service_fn(|request: Request<Incoming>| {
                let answer = app::answer(&request, &pages, &SystemClock);
                async move { Ok::<Response<String>, Infallible>(answer) }
            });
            let mut server = hyper::server::conn::http1::Builder::new();
            // A connection that breaks is the gateway's to notice.
            let _ = server.timer(TokioTimer::new()).serve_connection(TokioIo::new(stream), service).await;
        });
    }
}
