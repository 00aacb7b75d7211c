//! `handstamp demo`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::{block_on, print};
use crate::config::parse_duration;
use crate::demo::{Demo, DemoOptions, Invitation};
use crate::{Error, shutdown};

/// Try it: a token service, the gateway, a sample application and a SOAP service on this machine.
///
/// Sign in, kill the program, start it again and reload the page: you are still signed in. Everything it keeps is in one
/// folder; remove that to start afresh.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  handstamp demo\n  handstamp demo --data /tmp/demo --port 0 --json")]
pub(super) struct DemoCommand {
    /// Where everything is kept [default: handstamp/demo in the user's state folder].
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Port of the application, 0 for any; token service, admin listener and ledger take the next three [default: 7420].
    #[arg(long, value_name = "N")]
    port: Option<u16>,
    /// Print one line of JSON when ready: {"web":URL,"sts":URL,"admin":URL,"soap":URL,"username":…,"password":…,"pid":…}.
    #[arg(long)]
    json: bool,
    /// Keep sessions in the database, and only a sealed handle in the cookie.
    #[arg(long)]
    reference_mode: bool,
    /// How long a session lasts, such as 30s or 8h.
    #[arg(long, value_name = "DURATION", default_value = "8h", value_parser = lifetime)]
    session_lifetime: Duration,
}

impl DemoCommand {
    pub(super) fn run(self) -> Result<(), Error> {
        let options = DemoOptions {
            data: self.data,
            port: self.port,
            reference_mode: self.reference_mode,
            session_lifetime: self.session_lifetime,
        };
        block_on(async move {
            let demo = Demo::prepare(&options).await?;
            if self.json {
                print(serde_json::to_string(&demo.invitation).unwrap_or_default())?;
            } else {
                print(banner(&demo.invitation))?;
            }
            shutdown::on_signal(|shutdown| demo.serve(shutdown)).await
        })
    }
}

fn lifetime(text: &str) -> Result<Duration, &'static str> {
    parse_duration(text).filter(|lifetime| !lifetime.is_zero()).ok_or("must be a duration such as 30s, 15m or 8h")
}

fn banner(invitation: &Invitation) -> String {
    let Invitation { web, sts, admin, soap, call, username, password, data, other_ports, .. } = invitation;
    let fell_back = if *other_ports { "\n  (the usual ports are taken, so these are others)\n" } else { "" };
    format!(
        "\n  Handstamp demo\n\n  Open       {web}\n  User name  {username}\n  Password   {password}\n{fell_back}\n  \
         Token service  {sts}\n  Admin          {admin}\n  Ledger (SOAP)  {soap}\n  Data           {data}\n\n  \
         Call the ledger:\n  {call}\n\n  \
         Sign in, stop this program as roughly as you like (kill -9 {pid}), start it again\n  \
         and reload the page: you are still signed in; call again: the session goes on. Ctrl-C ends it.\n",
        data = data.display(),
        pid = invitation.pid,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_json_line_has_the_promised_members_and_no_others() {
        let invitation = Invitation {
            web: "http://localhost:1".into(),
            sts: "http://localhost:2".into(),
            admin: "http://localhost:3".into(),
            soap: "http://localhost:4/ledger".into(),
            call: "handstamp soap call".into(),
            username: "ada".into(),
            password: "secret".into(),
            pid: 4,
            data: "/data".into(),
            other_ports: false,
        };
        let json = serde_json::to_string(&invitation).unwrap();
        assert_eq!(
            json,
            r#"{"web":"http://localhost:1","sts":"http://localhost:2","admin":"http://localhost:3","soap":"http://localhost:4/ledger","username":"ada","password":"secret","pid":4}"#
        );
        let banner = banner(&invitation);
        assert!(banner.contains("http://localhost:1") && banner.contains("secret") && !banner.contains("taken"));
    }

    #[test]
    fn a_session_lasts_longer_than_nothing() {
        assert_eq!(lifetime("90s"), Ok(Duration::from_secs(90)));
        assert!(lifetime("0s").is_err() && lifetime("soon").is_err());
    }
}
