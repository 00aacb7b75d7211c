//! Token caches, replay cache and revocations in memory and in SQLite.
