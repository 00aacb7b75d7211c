//! Keeping the revocations of a process in step with its store.

use handstamp_session_token::ReplicatedRevocations;
use handstamp_time::Clock;
use std::sync::Arc;
use std::time::Duration;

/// Polls the store for ever, once per `every`; spawn it, and abort it at shutdown.
///
/// One second is a good interval: asking for changes costs the store one look at an index. A failing store is logged once
/// when it begins to fail and once when it answers again; meanwhile what is known stays revoked.
pub async fn follow_revocations(revocations: Arc<ReplicatedRevocations>, clock: Arc<dyn Clock>, every: Duration) {
    let mut ticks = tokio::time::interval(every);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut failing = false;
    loop {
        ticks.tick().await;
        match revocations.poll(clock.now()).await {
            Ok(count) => {
                if failing {
                    tracing::info!("revocations are read again");
                }
                if count > 0 {
                    tracing::debug!(count, "revocations taken over from the store");
                }
                failing = false;
            }
            Err(error) if !failing => {
                tracing::error!(code = error.code(), %error, "revocations of other nodes cannot be read");
                failing = true;
            }
            Err(_) => {}
        }
    }
}
