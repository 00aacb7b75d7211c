//! The demo's SOAP service: a ledger behind secure sessions that survive the program.
//!
//! Its sessions are stateful security context tokens: sealed with the demo's key ring into what the client shows, remembered by
//! nobody. At `/ledger/remembered` is the same ledger with the sessions that WCF has by default, which the service remembers and a
//! restart ends: to see the difference. The users are those of the token service.

mod book;
mod sessions;

pub(super) use book::Book;
pub(super) use sessions::{LiveSession, LiveSessions};

use crate::Error;
use crate::sts::{AccountStore, PasswordCost, PasswordHasher, PasswordText, UserName, load_or_create_signing_identity};
use book::Cents;
use handstamp_keys::{KeyRing, SystemRandom};
use handstamp_secure_conversation::http::{Reply, SoapService};
use handstamp_secure_conversation::{
    ApplicationRequest, Contract, NativeCookies, Operation, SecureConversationService,
};
use handstamp_security_policy::CustomBinding;
use handstamp_time::{Clock as _, SystemClock, Timestamp};
use handstamp_ws_security::soap::{Fault, FaultCode};
use handstamp_ws_security::{Body, UserNameError, UserNameValidator};
use handstamp_xml::Writer;
use http::Request;
use hyper::body::Incoming;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;

/// The binding of both ends, which the demo writes beside its configuration.
pub(super) const BINDING: &str = r#"<customBinding>
  <binding name="ledger">
    <security authenticationMode="SecureConversation" requireSecurityContextCancellation="false"
              messageSecurityVersion="WSSecurity11WSTrust13WSSecureConversation13WSSecurityPolicy12BasicSecurityProfile10">
      <secureConversationBootstrap authenticationMode="UserNameForCertificate"
              messageSecurityVersion="WSSecurity11WSTrust13WSSecureConversation13WSSecurityPolicy12BasicSecurityProfile10"/>
    </security>
    <textMessageEncoding/>
    <httpTransport/>
  </binding>
</customBinding>
"#;
/// The files of the ledger in the data folder.
pub(super) const BINDING_FILE: &str = "ledger.xml";
pub(super) const REMEMBERED_BINDING_FILE: &str = "ledger-remembered.xml";
pub(super) const CERTIFICATE_FILE: &str = "ledger.crt";
const IDENTITY_FILE: &str = "ledger.pem";
const BOOK_FILE: &str = "ledger.db";
const NAMESPACE: &str = "urn:handstamp:ledger";
/// What the sessions are scoped to: they open nothing else that the ring seals.
const SCOPE: &str = "urn:handstamp:demo:ledger";

/// Behind which path sessions are remembered.
const REMEMBERED_PATH: &str = "/ledger/remembered";
/// How long the content of a request may take: so slow is no honest sender of 64 KiB.
const CONTENT_LIMIT: Duration = Duration::from_secs(20);

/// The binding of sessions that the service remembers.
pub(super) fn remembered_binding() -> String {
    BINDING.replace("requireSecurityContextCancellation=\"false\"", "requireSecurityContextCancellation=\"true\"")
}

/// A ledger whose address is bound.
pub(super) struct Ledger {
    socket: TcpListener,
    sealed: SecureConversationService,
    remembered: Arc<SecureConversationService>,
    book: Arc<Book>,
    sessions: Arc<LiveSessions>,
}

impl Ledger {
    /// Opens what the ledger keeps in `folder`, and makes what is not there yet.
    ///
    /// # Errors
    /// A file that cannot be used.
    pub(super) fn prepare(
        folder: &Path,
        socket: TcpListener,
        keys: Arc<KeyRing>,
        accounts: AccountStore,
    ) -> Result<Self, Error> {
        let now = SystemClock.now();
        let identity = load_or_create_signing_identity(&folder.join(IDENTITY_FILE), "localhost", now, &SystemRandom)?;
        let unusable =
            |error: &dyn std::fmt::Display| Error::Setup { code: "HST-DEMO-LEDGER", message: error.to_string() };
        let contract = ["Balance", "Transfer"].into_iter().fold(Contract::new("ILedger"), |contract, operation| {
            contract.with_operation(format!("{NAMESPACE}/{operation}"), Operation::default())
        });
        let passwords = PasswordHasher::new(PasswordCost::default(), &SystemRandom)?;
        let (users, cookies) = (Arc::new(Accounts { accounts, passwords }), Arc::new(NativeCookies::new(keys, SCOPE)));
        let service = |binding: &str| {
            let binding = CustomBinding::parse(binding).map_err(|error| unusable(&error))?;
            SecureConversationService::builder(binding.security().clone())
                .identity(identity.clone())
                .user_names(users.clone())
                .cookies(cookies.clone())
                .contract(contract.clone())
                .build()
                .map_err(|error| unusable(&error))
        };
        let (sealed, remembered) = (service(BINDING)?, Arc::new(service(&remembered_binding())?));
        let book = Book::open(&folder.join(BOOK_FILE)).map_err(|error| unusable(&error))?;
        let remembering = Arc::clone(&remembered);
        let sessions = LiveSessions::new(now, move |now| {
            remembering.sessions(now).into_iter().map(|session| (session.context_id, session.expires)).collect()
        });
        Ok(Self { socket, sealed, remembered, book: Arc::new(book), sessions: Arc::new(sessions) })
    }

    /// The sessions, for the page that draws them.
    pub(super) fn sessions(&self) -> Arc<LiveSessions> {
        Arc::clone(&self.sessions)
    }

    /// Serves for ever.
    pub(super) async fn serve(self) {
        let Self { socket, sealed, remembered, book, sessions } = self;
        let soap = |service, is_remembered| {
            let (book, sessions) = (Arc::clone(&book), Arc::clone(&sessions));
            let application = move |request: Arc<ApplicationRequest>| {
                let (book, sessions) = (Arc::clone(&book), Arc::clone(&sessions));
                async move {
                    let now = SystemClock.now();
                    sessions.met(request.session(), is_remembered, now);
                    answer(&book, &request, now)
                }
            };
            SoapService::new(service, application).with_content_limit(CONTENT_LIMIT, tokio::time::sleep)
        };
        let (sealed, remembered) = (soap(Arc::new(sealed), false), soap(remembered, true));
        loop {
            let Ok((stream, peer)) = socket.accept().await else { continue };
            let (sealed, remembered) =
                (sealed.for_connection_from(peer.ip()), remembered.for_connection_from(peer.ip()));
            let service = service_fn(move |request: Request<Incoming>| {
                let is_remembered = request.uri().path() == REMEMBERED_PATH;
                let soap = if is_remembered { remembered.clone() } else { sealed.clone() };
                let soap = TowerToHyperService::new(soap);
                soap.call(request)
            });
            tokio::spawn(async move {
                let mut server = hyper::server::conn::http1::Builder::new();
                // A connection that breaks is the client's to notice.
                let _ = server.timer(TokioTimer::new()).serve_connection(TokioIo::new(stream), service).await;
            });
        }
    }
}

/// Serves one verified request.
fn answer(book: &Book, request: &ApplicationRequest, now: Timestamp) -> Reply {
    let Some(caller) = request.principal().name() else { return fault(FaultCode::Receiver, "the caller has no name") };
    let action = request.action();
    let operation = action.rsplit('/').next().unwrap_or_default();
    let content = request.body().and_then(|body| body.children().next());
    let Some(content) = content.filter(|content| content.is(NAMESPACE, operation)) else {
        return fault(FaultCode::Sender, "the body is not that of the action");
    };
    let answered = match operation {
        "Balance" => book.balance(caller).map(|balance| (None, balance)),
        _ => {
            let text = |name| content.child(NAMESPACE, name).map(|child| child.text().trim().to_owned());
            let amount = text("Amount").and_then(|amount| amount.parse::<Cents>().ok());
            let (Some(to), Some(amount)) = (text("To").filter(|to| !to.is_empty()), amount) else {
                return fault(FaultCode::Sender, "a transfer has To, a name, and Amount, such as 12.50");
            };
            book.transfer(caller, &to, amount, now).map(|(number, balance)| (Some(number), balance))
        }
    };
    match answered {
        Ok((number, balance)) => reply(operation, caller, number, balance),
        Err(book::Error::Refused(problem)) => fault(FaultCode::Sender, problem),
        Err(book::Error::Database(error)) => {
            tracing::error!(%error, "the ledger's book cannot be used");
            fault(FaultCode::Receiver, "the ledger cannot be used right now")
        }
    }
}

fn reply(operation: &str, caller: &str, number: Option<i64>, balance: Cents) -> Reply {
    let mut writer = Writer::new();
    writer.start("", NAMESPACE, &format!("{operation}Response"));
    if let Some(number) = number {
        writer.element("", NAMESPACE, "Number", &number.to_string());
    }
    writer.element("", NAMESPACE, "Account", caller);
    writer.element("", NAMESPACE, "Balance", &balance.to_string()).end();
    match writer.finish() {
        Ok(body) => Reply::Message { action: format!("{NAMESPACE}/{operation}Response"), body: Body::canonical(body) },
        Err(_) => fault(FaultCode::Receiver, "the answer cannot be written"),
    }
}

fn fault(code: FaultCode, reason: &str) -> Reply {
    Reply::Fault { fault: Fault { code, subcode: None, reason: reason.to_owned() }, action: None }
}

/// The accounts of the token service.
struct Accounts {
    accounts: AccountStore,
    passwords: PasswordHasher,
}

impl UserNameValidator for Accounts {
    /// Takes as long for unknown names as for known ones.
    fn validate(&self, name: &str, password: &str, _now: Timestamp) -> Result<(), UserNameError> {
        let account = UserName::parse(name).ok().map(|name| self.accounts.find(&name)).transpose();
        let undecided = |error: &dyn std::fmt::Display| UserNameError::Undecided(error.to_string());
        let account = account.map_err(|error| undecided(&error))?.flatten();
        let hash = account.filter(|(account, _)| account.enabled).map(|(_, hash)| hash);
        let verified = tokio::task::block_in_place(|| {
            tokio::runtime::Handle::current().block_on(self.passwords.verify(PasswordText::new(password), hash))
        });
        match verified {
            Ok(true) => Ok(()),
            Ok(false) => {
                Err(UserNameError::Refused(format!("unknown name, disabled account or wrong password for {name:.64?}")))
            }
            Err(error) => Err(undecided(&error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bindings_are_those_of_sealed_and_of_remembered_sessions() {
        let is_remembered = |binding: &str| {
            let binding = CustomBinding::parse(binding).unwrap();
            binding.security().session().is_some_and(|session| session.require_cancellation)
        };
        assert!(!is_remembered(BINDING) && is_remembered(&remembered_binding()));
    }
}
