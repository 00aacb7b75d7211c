//! Names and passwords of callers, and what else is known of them.

use std::path::Path;

use handstamp_claims::{ArcStr, ClaimsPrincipal, claim_types};
use handstamp_keys::SystemRandom;
use handstamp_secure_conversation::ClaimsTransformation;
use handstamp_time::Timestamp;
use handstamp_ws_security::{UserNameError, UserNameValidator};
use tokio::runtime::Handle;

use crate::Error;
use crate::sts::{Account, AccountStore, PasswordCost, PasswordHasher, PasswordText, UserName};

/// The accounts that `handstamp account` keeps.
pub(super) struct Users {
    accounts: AccountStore,
    passwords: PasswordHasher,
    issuer: ArcStr,
}

impl Users {
    /// Opens the accounts in `file`. Their claims are claims of `issuer`.
    ///
    /// # Errors
    /// A file that cannot be used.
    pub(super) fn open(file: &Path, issuer: impl Into<ArcStr>) -> Result<Self, Error> {
        Ok(Self {
            accounts: AccountStore::open(file)?,
            passwords: PasswordHasher::new(PasswordCost::default(), &SystemRandom)?,
            issuer: issuer.into(),
        })
    }

    fn account(&self, name: &str) -> Result<Option<(Account, String)>, String> {
        let Ok(name) = UserName::parse(name) else { return Ok(None) };
        let found = self.accounts.find(&name).map_err(|error| error.to_string())?;
        Ok(found.filter(|(account, _)| account.enabled))
    }
}

impl UserNameValidator for Users {
    /// Takes as long for unknown names as for known ones. Call it on a thread that may wait.
    fn validate(&self, name: &str, password: &str, _now: Timestamp) -> Result<(), UserNameError> {
        let undecided = UserNameError::Undecided;
        let hash = self.account(name).map_err(undecided)?.map(|(_, hash)| hash);
        let runtime = Handle::try_current().map_err(|error| undecided(error.to_string()))?;
        match runtime.block_on(self.passwords.verify(PasswordText::new(password), hash)) {
            Ok(true) => Ok(()),
            Ok(false) => {
                Err(UserNameError::Refused(format!("unknown name, disabled account or wrong password for {name:.64?}")))
            }
            // It may be right all the same: there is too much to do, or the account cannot be read.
            Err(error) => Err(undecided(error.to_string())),
        }
    }
}

impl ClaimsTransformation for Users {
    /// Adds what the account says to what the credential says.
    fn transform(&self, principal: ClaimsPrincipal, _now: Timestamp) -> Result<ClaimsPrincipal, String> {
        let name = principal.name().map(str::to_owned);
        let account = name.as_deref().map(|name| self.account(name)).transpose()?.flatten();
        let Some((account, _)) = account else { return Ok(principal) };
        // The name is the one that was signed in with.
        let added = account.all_claims(&self.issuer).filter(|claim| *claim.claim_type() != claim_types::NAME);
        let mut identities = principal.into_identities();
        if let Some(identity) = identities.first_mut() {
            identity.add_claims(added);
        }
        Ok(ClaimsPrincipal::new(identities))
    }
}
