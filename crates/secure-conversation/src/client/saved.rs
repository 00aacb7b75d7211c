//! A session on its way from one run of a program to the next.

use crate::client::session::{ClientKey, ClientSession};
use crate::client::{SecureConversationClient, State};
use crate::error::Error;
use crate::trust::Lifetime;
use handstamp_keys::SymmetricKey;
use handstamp_time::Timestamp;
use serde_json::{Value, json};
use zeroize::Zeroizing;

impl SecureConversationClient {
    /// The session as JSON, to be taken up again later. It holds the session's key: whoever reads it has the session, so keep
    /// it in a file that nobody else can read. None without a session.
    pub fn save(&self) -> Option<Zeroizing<String>> {
        let session = self.session.as_ref().filter(|_| self.state == State::Open)?;
        let ClientKey { context, element, lifetime } = session.current.as_ref();
        let key = Zeroizing::new(base64_simd::STANDARD.encode_to_string(context.key().as_bytes()));
        let saved = json!({
            "version": VERSION,
            "address": self.settings.address,
            "token": element,
            "key": key.as_str(),
            "created": lifetime.map(|lifetime| lifetime.created.to_string()),
            "expires": lifetime.map(|lifetime| lifetime.expires.to_string()),
            "obtained": session.obtained.to_string(),
        });
        Some(Zeroizing::new(saved.to_string()))
    }

    /// Takes up a saved session. One that has ended is not taken up, and that is no error: the next request gets a new one.
    ///
    /// # Errors
    /// [`Error::SavedSession`] for what is no saved session, or one of another service or generation.
    pub fn restore(&mut self, saved: &str, now: Timestamp) -> Result<(), Error> {
        let refused = |problem| Error::SavedSession(problem);
        let saved: Value = serde_json::from_str(saved).map_err(|_| refused("it is not JSON"))?;
        if saved["version"] != VERSION {
            return Err(refused("it is of another version"));
        }
        if saved["address"] != *self.settings.address {
            return Err(refused("it is with another service"));
        }
        let text = |name: &str| saved[name].as_str();
        let time = |name: &str| text(name).and_then(|text| text.parse::<Timestamp>().ok());
        let key = text("key").and_then(|key| base64_simd::STANDARD.decode_to_vec(key).ok()).map(SymmetricKey::from);
        let (Some(element), Some(key), Some(obtained)) = (text("token"), key, time("obtained")) else {
            return Err(refused("a part of it is missing"));
        };
        let lifetime = time("created").zip(time("expires")).map(|(created, expires)| Lifetime { created, expires });
        if !self.settings.outer.suite.key_lengths().contains(&key.len()) {
            return Err(refused("its key is not one of the algorithm suite"));
        }
        let key = ClientKey::from_parts(element.to_owned(), key, lifetime)?;
        if key.context.context().generation != self.settings.generation {
            return Err(refused("it is of another generation"));
        }
        self.forget();
        if !key.has_expired(now) {
            self.session = Some(ClientSession::new(key, obtained));
        }
        Ok(())
    }
}

const VERSION: u64 = 1;
