//! `handstamp account`.

use std::path::PathBuf;

use base64_simd::STANDARD;
use clap::{Args, Subcommand};
use handstamp_keys::{SecureRandom as _, SystemRandom};
use handstamp_time::{Clock as _, SystemClock};

use super::input::new_password;
use super::{block_on, print};
use crate::Error;
use crate::config::{ClaimHeaders, Config};
use crate::sts::{AccountStore, NewAccount, PasswordCost, PasswordHasher, PasswordText, UserName};

/// Look after the accounts of the built-in token service.
///
/// Changes take effect at once, also in a running service. Passwords are read from standard input, never from the command
/// line, which other users of the machine can see.
#[derive(Debug, Subcommand)]
pub(super) enum Account {
    Add(Add),
    List(List),
    /// Set a new password, read from standard input, and end the account's sessions.
    #[command(after_help = "Example:\n  handstamp account password alice < password.txt")]
    Password(Named),
    Claims(Claims),
    /// Keep an account from signing in, and end its sessions at the token service.
    #[command(after_help = "Example:\n  handstamp account disable alice")]
    Disable(Named),
    /// Let a disabled account sign in again.
    #[command(after_help = "Example:\n  handstamp account enable alice")]
    Enable(Named),
    /// Remove an account and what is known about it.
    #[command(after_help = "Example:\n  handstamp account remove alice")]
    Remove(Named),
}

/// Make an account; the password is read from standard input.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  handstamp account add alice --claim email=alice@example.com --claim role=Clerk < password.txt"
)]
pub(super) struct Add {
    /// The name to sign in with.
    name: String,
    /// What is known about the person: a claim type (URI, or a short name such as email, role) and a value. May be repeated.
    #[arg(long = "claim", value_name = "TYPE=VALUE", value_parser = claim)]
    claims: Vec<(String, String)>,
    #[command(flatten)]
    database: Database,
}

/// List the accounts with what is known about them.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  handstamp account list --config /etc/handstamp/handstamp.toml")]
pub(super) struct List {
    #[command(flatten)]
    database: Database,
}

/// Replace what is known about a person; sessions that exist keep what they have.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  handstamp account claims alice --claim email=alice@example.com --claim role=Auditor"
)]
pub(super) struct Claims {
    /// The account.
    name: String,
    /// Claim type and value. May be repeated; without any, nothing is known but the name.
    #[arg(long = "claim", value_name = "TYPE=VALUE", value_parser = claim)]
    claims: Vec<(String, String)>,
    #[command(flatten)]
    database: Database,
}

#[derive(Debug, Args)]
pub(super) struct Named {
    /// The account.
    name: String,
    #[command(flatten)]
    database: Database,
}

#[derive(Debug, Args)]
struct Database {
    /// The configuration file that names the database.
    #[arg(long, value_name = "FILE", default_value = "handstamp.toml", conflicts_with = "accounts")]
    config: PathBuf,
    /// The database itself, without a configuration.
    #[arg(long, value_name = "FILE")]
    accounts: Option<PathBuf>,
}

impl Database {
    fn open(self) -> Result<AccountStore, Error> {
        let path = match self.accounts {
            Some(path) => path,
            None => Config::load(&self.config)?.sts.map(|sts| sts.accounts).ok_or_else(|| Error::Setup {
                code: "HST-STS-OFF",
                message: format!(
                    "{} has no [sts] table, so there are no accounts; add one, or name a database with --accounts",
                    self.config.display()
                ),
            })?,
        };
        Ok(AccountStore::open(&path)?)
    }
}

impl Account {
    pub(super) fn run(self) -> Result<(), Error> {
        match self {
            Self::Add(Add { name, claims, database }) => {
                let user_name = UserName::parse(&name)?;
                let accounts = database.open()?;
                if accounts.find(&user_name)?.is_some() {
                    return Err(crate::sts::Error::AccountExists(name).into());
                }
                let mut subject = [0; 33];
                SystemRandom.fill(&mut subject)?;
                let account = NewAccount {
                    user_name,
                    subject: STANDARD.encode_to_string(subject),
                    password_hash: read_password_hash()?,
                    claims,
                };
                accounts.create(&account, SystemClock.now())?;
                print(format_args!("{name}: account made"))
            }
            Self::List(List { database }) => {
                for account in database.open()?.list()? {
                    let state = if account.enabled { "" } else { "  (disabled)" };
                    print(format_args!("{}{state}", account.user_name))?;
                    for (claim_type, value) in &account.claims {
                        print(format_args!("  {claim_type} = {value}"))?;
                    }
                }
                Ok(())
            }
            Self::Password(Named { name, database }) => {
                let (user_name, accounts) = (UserName::parse(&name)?, database.open()?);
                if accounts.find(&user_name)?.is_none() {
                    return Err(crate::sts::Error::NoSuchAccount(name).into());
                }
                accounts.set_password(&user_name, &read_password_hash()?)?;
                print(format_args!("{name}: new password; sessions made with the old one are over"))
            }
            Self::Claims(Claims { name, claims, database }) => {
                database.open()?.set_claims(&UserName::parse(&name)?, &claims)?;
                print(format_args!("{name}: {} claims", claims.len()))
            }
            Self::Disable(Named { name, database }) => {
                database.open()?.set_enabled(&UserName::parse(&name)?, false)?;
                print(format_args!("{name}: disabled; its sessions at the token service are over"))
            }
            Self::Enable(Named { name, database }) => {
                database.open()?.set_enabled(&UserName::parse(&name)?, true)?;
                print(format_args!("{name}: enabled"))
            }
            Self::Remove(Named { name, database }) => {
                database.open()?.remove(&UserName::parse(&name)?)?;
                print(format_args!("{name}: removed"))
            }
        }
    }
}

/// One line of standard input, hashed.
fn read_password_hash() -> Result<String, Error> {
    let password = PasswordText::new(new_password()?.as_str());
    block_on(async {
        let hasher = PasswordHasher::new(PasswordCost::RECOMMENDED, &SystemRandom)?;
        Ok(hasher.hash(password, &SystemRandom).await?)
    })
}

fn claim(text: &str) -> Result<(String, String), String> {
    let (claim_type, value) = text.split_once('=').ok_or("must be TYPE=VALUE")?;
    Ok((ClaimHeaders::claim_type(claim_type.trim())?.to_string(), value.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::claim;

    #[test]
    fn claims_are_given_by_short_name_or_uri() {
        assert_eq!(claim("urn:a=b=c").unwrap(), ("urn:a".to_owned(), "b=c".to_owned()));
        assert!(claim("role=Clerk").unwrap().0.ends_with("/claims/role"));
        assert!(claim("rolle=Clerk").unwrap_err().contains("role"));
        assert!(claim("role").is_err());
    }
}
