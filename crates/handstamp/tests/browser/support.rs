//! A demo, a browser, and the steps of a person.

use handstamp_testkit::browser::{Browser, Screen};
use handstamp_testkit::ports::ReservedPort;
use handstamp_testkit::program::Program;
use std::path::PathBuf;
use tempfile::TempDir;

/// The name of the demo's session cookie.
pub(crate) const COOKIE: &str = "handstamp-demo";

/// Where a person finds the sign-in form, by its button.
pub(crate) const SIGN_IN_FORM: &str = "form input[name=password]";

/// Where sessions live, and for how long.
pub(crate) const SELF_CONTAINED: &[&str] = &[];
pub(crate) const REFERENCE: &[&str] = &["--reference-mode"];

/// A running demo with a folder of its own.
pub(crate) struct Demo {
    program: Program,
    folder: TempDir,
    ports: [ReservedPort; 4],
    options: &'static [&'static str],
}

impl Demo {
    pub(crate) async fn start(options: &'static [&'static str]) -> Self {
        let folder = tempfile::tempdir().expect("a folder for the demo");
        let ports = ReservedPort::in_a_row();
        let program = Self::run(&folder, &ports, options).await;
        Self { program, folder, ports, options }
    }

    /// SIGKILL, and the same command again. The browser finds it where it was.
    pub(crate) async fn kill_and_restart(self) -> Self {
        let Self { program, folder, ports, options } = self;
        let before = program.ready("web").to_owned();
        program.kill().await;
        let program = Self::run(&folder, &ports, options).await;
        assert_eq!(program.ready("web"), before, "the demo comes back where it was");
        Self { program, folder, ports, options }
    }

    async fn run(folder: &TempDir, ports: &[ReservedPort; 4], options: &[&str]) -> Program {
        let data = folder.path().to_str().expect("a path of text");
        let port = ports[0].number().to_string();
        let arguments = ["demo", "--data", data, "--port", &port, "--json"];
        Program::start(env!("CARGO_BIN_EXE_handstamp"), arguments.iter().chain(options)).await
    }

    pub(crate) fn web(&self) -> String {
        format!("{}/", self.program.ready("web"))
    }

    pub(crate) fn sts(&self) -> &str {
        self.program.ready("sts")
    }

    pub(crate) fn user_name(&self) -> &str {
        self.program.ready("username")
    }

    pub(crate) fn password(&self) -> &str {
        self.program.ready("password")
    }
}

/// Opens the application, which leads to the sign-in page.
pub(crate) async fn open_sign_in(browser: &Browser, demo: &Demo) {
    browser.goto(&demo.web()).await.expect("the application answers");
    browser.wait_for_url(demo.sts()).await;
    browser.text(SIGN_IN_FORM).await;
}

/// Types name and password and presses the button.
pub(crate) async fn enter(browser: &Browser, user_name: &str, password: &str) {
    browser.fill("#username", user_name).await;
    browser.fill("#password", password).await;
    browser.click("form button").await;
}

/// Opens the application and signs in as the demo's user.
pub(crate) async fn sign_in(browser: &Browser, demo: &Demo) {
    open_sign_in(browser, demo).await;
    enter(browser, demo.user_name(), demo.password()).await;
    browser.wait_for_url(&demo.web()).await;
    assert_eq!(browser.text("#who").await, "Ada Lovelace");
}

/// Saves the page as it looks, when somebody wants to see it.
pub(crate) async fn look(browser: &Browser, screen: Screen, name: &str) {
    let Some(folder) = std::env::var_os("HANDSTAMP_SCREENSHOTS").map(PathBuf::from) else { return };
    let size = match screen {
        Screen::Desktop => "desktop",
        Screen::Phone => "phone",
    };
    let png = browser.screenshot().await.expect("a page can be drawn");
    std::fs::create_dir_all(&folder).expect("the folder can be made");
    std::fs::write(folder.join(format!("{name}-{size}.png")), png).expect("the picture can be saved");
}
