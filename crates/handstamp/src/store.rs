//! The store that a configuration names: the gateway's own, and the one that commands work on beside it.

use std::sync::Arc;

use handstamp_keys::KeyRing;
use handstamp_session_store::{
    MemoryStore, PostgresOptions, PostgresStore, RedisOptions, RedisStore, SqliteOptions, SqliteStore, Store,
};
use handstamp_session_token::Error as TokenError;
use handstamp_session_token::native::NativeFormat;

use crate::config::{self, StoreKind};
use crate::{Error, password_file};

/// Opens the store. Tokens in it are sealed with `keys`.
///
/// # Errors
/// A file that cannot be used, a server that does not answer.
pub(crate) async fn open(settings: &config::Store, keys: &Arc<KeyRing>) -> Result<Arc<dyn Store>, Error> {
    let format = NativeFormat::new(Arc::clone(keys));
    let url = settings.url.as_deref().unwrap_or_default();
    let password = match &settings.password_file {
        Some(file) => Some(password_file::read("store.password_file", file)?),
        None => None,
    };
    let opened: Result<Arc<dyn Store>, TokenError> = match (settings.kind, &settings.path) {
        (StoreKind::Sqlite, Some(path)) => {
            SqliteStore::open(path, format, SqliteOptions::default()).map(|store| Arc::new(store) as Arc<dyn Store>)
        }
        (StoreKind::Redis, _) => {
            let mut options = RedisOptions::new(url);
            options.password = password;
            options.authorities.clone_from(&settings.authorities);
            options.timeout = settings.timeout;
            RedisStore::open(format, options).await.map(|store| Arc::new(store) as Arc<dyn Store>)
        }
        (StoreKind::Postgresql, _) => {
            let mut options = PostgresOptions::new(url);
            options.password = password;
            options.authorities.clone_from(&settings.authorities);
            options.timeout = settings.timeout;
            PostgresStore::open(format, options).await.map(|store| Arc::new(store) as Arc<dyn Store>)
        }
        (StoreKind::Memory | StoreKind::Sqlite, _) => Ok(Arc::new(MemoryStore::new())),
    };
    opened.map_err(|error| Error::Setup { code: error.code(), message: format!("store: {error}") })
}
