//! Session cookies and the session module as a tower layer.
