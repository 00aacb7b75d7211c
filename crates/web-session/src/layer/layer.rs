//! The layer.

use crate::SessionModule;
use crate::layer::SessionService;
use std::sync::Arc;
use tower_layer::Layer;

/// Gives every request its [`Session`](crate::Session). See the [module](crate::layer) for what happens, and the
/// [crate](crate) for a complete example.
#[derive(Debug, Clone)]
pub struct SessionLayer {
    module: Arc<SessionModule>,
}

impl SessionLayer {
    /// A layer that leaves sessions to `module`.
    pub fn new(module: impl Into<Arc<SessionModule>>) -> Self {
        Self { module: module.into() }
    }
}

impl<S> Layer<S> for SessionLayer {
    type Service = SessionService<S>;

    fn layer(&self, inner: S) -> SessionService<S> {
        SessionService::new(inner, self.module.clone())
    }
}
