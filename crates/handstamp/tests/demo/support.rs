//! A demo, and a user agent that signs in.

use handstamp_testkit::agent::{Agent, Answer};
use handstamp_testkit::program::Program;
use tempfile::TempDir;

/// The name of the demo's session cookie.
pub(crate) const COOKIE: &str = "handstamp-demo";

/// A running demo with a folder of its own.
pub(crate) struct Demo {
    pub(crate) program: Program,
    pub(crate) folder: TempDir,
}

impl Demo {
    pub(crate) async fn start(options: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a folder for the demo");
        let program = run(&folder, options).await;
        Self { program, folder }
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

/// Starts the demo in a folder.
pub(crate) async fn run(folder: &TempDir, options: &[&str]) -> Program {
    let data = folder.path().to_str().expect("a path of text");
    let arguments = ["demo", "--data", data, "--port", "0", "--json"];
    Program::start(env!("CARGO_BIN_EXE_handstamp"), arguments.iter().chain(options)).await
}

/// Whether a page is the application's, for its signed-in user.
pub(crate) fn is_in(answer: &Answer) -> bool {
    answer.status == 200 && answer.body.contains("Ada Lovelace")
}
