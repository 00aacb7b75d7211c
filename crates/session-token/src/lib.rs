//! The session security token of WIF and WCF: data model, handler, formats, caches.
