//! A demo, and a user agent that signs in.

use handstamp_testkit::agent::{Agent, Answer};
use handstamp_testkit::ports::ReservedPort;
use handstamp_testkit::program::Program;
use tempfile::TempDir;

/// The name of the demo's session cookie.
pub(crate) const COOKIE: &str = "handstamp-demo";

/// A running demo with a place of its own.
pub(crate) struct Demo {
    pub(crate) program: Program,
    pub(crate) place: Place,
}

/// What outlives the process.
pub(crate) struct Place {
    pub(crate) folder: TempDir,
    ports: [ReservedPort; 4],
}

impl Place {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("a folder for the demo"), ports: ReservedPort::in_a_row() }
    }

    /// Starts the demo there, the first time or again.
    pub(crate) async fn run(&self, options: &[&str]) -> Program {
        let data = self.folder.path().to_str().expect("a path of text");
        let port = self.ports[0].number().to_string();
        let arguments = ["demo", "--data", data, "--port", &port, "--json"];
        Program::start(env!("CARGO_BIN_EXE_handstamp"), arguments.iter().chain(options)).await
    }
}

impl Demo {
    pub(crate) async fn start(options: &[&str]) -> Self {
        let place = Place::new();
        let program = place.run(options).await;
        Self { program, place }
    }

    /// SIGKILL, and the same command again.
    pub(crate) async fn kill_and_restart(self, options: &[&str]) -> Self {
        let Self { program, place } = self;
        program.kill().await;
        let program = place.run(options).await;
        Self { program, place }
    }

    pub(crate) fn web(&self) -> String {
        format!("{}/", self.program.ready("web"))
    }

    pub(crate) fn sts(&self) -> &str {
        self.program.ready("sts")
    }

    /// Opens the application; the answer is the sign-in page.
    pub(crate) async fn open(&self, agent: &mut Agent) -> Answer {
        let page = agent.navigate(&self.web()).await;
        assert!(page.body.contains("name=\"password\""), "no sign-in page: {} {}", page.status, page.body);
        page
    }

    /// Signs in; the answer is the application's page.
    pub(crate) async fn sign_in(&self, agent: &mut Agent) -> Answer {
        let page = self.open(agent).await;
        let fill = [("username", self.program.ready("username")), ("password", self.program.ready("password"))];
        let post = agent.submit(&page, &fill).await;
        assert!(post.body.contains("name=\"wresult\""), "no token: {} {}", post.status, post.body);
        let application = agent.submit(&post, &[]).await;
        assert!(is_in(&application), "not signed in: {} {}", application.status, application.body);
        application
    }
}

/// Whether a page is the application's, for its signed-in user.
pub(crate) fn is_in(answer: &Answer) -> bool {
    answer.status == 200 && answer.body.contains("Ada Lovelace")
}
