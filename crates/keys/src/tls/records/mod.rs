//! TLS whose records travel in messages and not over a connection: the TLS negotiation of WS-Trust (SC §7).

mod signing;
mod verify;

use super::{inconsistent, provider};
use crate::{Certificate, CertificateTrust, Error, KeyPolicy, SigningIdentity, SymmetricKey};
use handstamp_time::Timestamp;
use rustls::client::Resumption;
use rustls::server::NoServerSessionStorage;
use rustls::time_provider::TimeProvider;
use rustls::{
    CertificateError, ClientConfig, ClientConnection, Connection, OtherError, ServerConfig, ServerConnection,
};
use rustls_pki_types::{ServerName, UnixTime};
use signing::certified;
use std::fmt;
use std::io::{Read, Write};
use std::sync::Arc;
use std::time::Duration;
use verify::PeerVerifier;
use zeroize::Zeroizing;

/// One end of a TLS session that hands out its records and takes those of its peer: no socket, no clock.
///
/// TLS 1.2, nothing else: the flights of 1.3 do not fit the messages that peers expect (SC 7.3). Sessions are not resumed.
/// The randomness inside is that of the cryptographic library.
///
/// ```
/// use handstamp_keys::tls::{TlsPeer, TlsRecords};
/// use handstamp_keys::{CertificateTrust, DeterministicRandom, KeyKind, KeyPolicy, SigningIdentity, SymmetricKey};
///
/// let (start, end) = ("2030-01-01T00:00:00Z".parse()?, "2031-01-01T00:00:00Z".parse()?);
/// let service = SigningIdentity::self_signed("svc", KeyKind::Rsa { bits: 2048 }, start, end, &DeterministicRandom::new(1))?;
/// let trust = CertificateTrust::none().with_certificate(service.certificate());
///
/// let mut server = TlsRecords::server(&service, None, start)?;
/// let peer = TlsPeer { trust, key_policy: KeyPolicy::default() };
/// let mut client = TlsRecords::client("svc.example", peer, None, start)?;
/// let hello = client.advance(&[])?;
/// let certificate = server.advance(&hello)?;
/// let finished = client.advance(&certificate)?;
/// let last = server.advance(&finished)?;
/// client.advance(&last)?;
///
/// let key = SymmetricKey::from_bytes(&[7; 32]);
/// let record = server.seal(&key)?;
/// assert_eq!(client.open(&record, 32)?, key);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct TlsRecords {
    connection: Connection,
}

/// Which certificates the other end may show.
#[derive(Debug, Clone)]
pub struct TlsPeer {
    /// Whom to believe. A certificate of a server that is trusted for its chain has to name the server, too.
    pub trust: CertificateTrust,
    /// Which keys are strong enough.
    pub key_policy: KeyPolicy,
}

impl TlsRecords {
    /// The end that has a certificate for certain. Clients have to show theirs when `clients` says whom to believe.
    ///
    /// # Errors
    /// [`Error::UnusableKey`] when TLS cannot use the key.
    pub fn server(identity: &SigningIdentity, clients: Option<TlsPeer>, now: Timestamp) -> Result<Self, Error> {
        let builder = ServerConfig::builder_with_details(provider(), Arc::new(At(unix_time(now))))
            .with_protocol_versions(&[&rustls::version::TLS12])
            .map_err(inconsistent)?;
        let builder = match clients {
            Some(clients) => builder.with_client_cert_verifier(Arc::new(PeerVerifier::new(clients, now))),
            None => builder.with_no_client_auth(),
        };
        let mut config = builder.with_cert_resolver(Arc::new(certified(identity)));
        config.session_storage = Arc::new(NoServerSessionStorage {});
        let connection = ServerConnection::new(Arc::new(config)).map_err(inconsistent)?;
        Ok(Self { connection: connection.into() })
    }

    /// The end that speaks first, to the server that is called `name`: a DNS name or an IP address.
    ///
    /// # Errors
    /// [`Error::UnusableKey`] when TLS cannot use the key or the name.
    pub fn client(
        name: &str,
        server: TlsPeer,
        identity: Option<&SigningIdentity>,
        now: Timestamp,
    ) -> Result<Self, Error> {
        let name = ServerName::try_from(name.to_owned()).map_err(inconsistent)?;
        let builder = ClientConfig::builder_with_details(provider(), Arc::new(At(unix_time(now))))
            .with_protocol_versions(&[&rustls::version::TLS12])
            .map_err(inconsistent)?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(PeerVerifier::new(server, now)));
        let mut config = match identity {
            Some(identity) => builder.with_client_cert_resolver(Arc::new(certified(identity))),
            None => builder.with_no_client_auth(),
        };
        config.resumption = Resumption::disabled();
        let connection = ClientConnection::new(Arc::new(config), name).map_err(inconsistent)?;
        Ok(Self { connection: connection.into() })
    }

    /// Takes the peer's records, none for the client's first step, and gives those to send; none when there is nothing to say.
    ///
    /// # Errors
    /// [`Error::TlsPeer`] when the peer is not believed; [`Error::Tls`] when it does not speak TLS 1.2, and for data before the
    /// handshake is over. The session is of no use then.
    pub fn advance(&mut self, records: &[u8]) -> Result<Vec<u8>, Error> {
        if self.take(records)? > 0 {
            return Err(Error::Tls("there is data among the records of the handshake".to_owned()));
        }
        self.outgoing()
    }

    /// Whether both ends are done with the handshake: from here on the session carries data.
    pub fn is_established(&self) -> bool {
        !self.connection.is_handshaking()
    }

    /// What the peer has shown and proved to hold the key of. None before that, and of a client that was not asked.
    pub fn peer_certificate(&self) -> Option<Certificate> {
        let own = self.connection.peer_certificates().filter(|_| self.is_established())?.first()?;
        Certificate::from_der(own).ok()
    }

    /// A key as one record of data.
    ///
    /// # Errors
    /// [`Error::Misuse`] before the session is [established](Self::is_established), and for what fits in no record.
    pub fn seal(&mut self, key: &SymmetricKey) -> Result<Vec<u8>, Error> {
        if !self.is_established() || key.len() > MAX_RECORD {
            return Err(Error::Misuse("only an established TLS session takes data, at most one record of it"));
        }
        self.connection.writer().write_all(key.as_bytes()).map_err(failed)?;
        self.outgoing()
    }

    /// The key of `length` bytes that the peer has sealed.
    ///
    /// # Errors
    /// [`Error::Tls`] when the record is not the peer's, or holds anything else.
    pub fn open(&mut self, record: &[u8], length: usize) -> Result<SymmetricKey, Error> {
        let held = self.take(record)?;
        if !self.is_established() || held != length {
            return Err(Error::Tls(format!("the peer has sealed {held} bytes, and a key has {length}")));
        }
        let mut key = Zeroizing::new(vec![0; length]);
        self.connection.reader().read_exact(&mut key).map_err(failed)?;
        Ok(SymmetricKey::from_bytes(&key))
    }

    /// Takes in records, and says how many bytes of data wait to be read.
    fn take(&mut self, mut records: &[u8]) -> Result<usize, Error> {
        let mut waiting = 0;
        while !records.is_empty() {
            self.connection.read_tls(&mut records).map_err(failed)?;
            let state = self.connection.process_new_packets().map_err(refused)?;
            if state.peer_has_closed() {
                return Err(Error::Tls("the peer has closed the session".to_owned()));
            }
            waiting = state.plaintext_bytes_to_read();
        }
        Ok(waiting)
    }

    fn outgoing(&mut self) -> Result<Vec<u8>, Error> {
        let mut records = Vec::new();
        while self.connection.wants_write() {
            self.connection.write_tls(&mut records).map_err(failed)?;
        }
        Ok(records)
    }
}

/// How far the handshake is.
impl fmt::Debug for TlsRecords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsRecords").field("is_established", &self.is_established()).finish_non_exhaustive()
    }
}

/// Plaintext of one record, in bytes (RFC 5246, 6.2.1).
const MAX_RECORD: usize = 1 << 14;

/// The time that a session was begun, for all of it.
#[derive(Debug)]
struct At(UnixTime);

impl TimeProvider for At {
    fn current_time(&self) -> Option<UnixTime> {
        Some(self.0)
    }
}

fn unix_time(now: Timestamp) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(u64::try_from(now.unix_seconds()).unwrap_or_default()))
}

fn refused(error: rustls::Error) -> Error {
    match error {
        rustls::Error::InvalidCertificate(CertificateError::Other(OtherError(reason))) => {
            Error::TlsPeer(reason.to_string())
        }
        rustls::Error::InvalidCertificate(_) | rustls::Error::NoCertificatesPresented => {
            Error::TlsPeer(error.to_string())
        }
        error => failed(error),
    }
}

fn failed(error: impl fmt::Display) -> Error {
    Error::Tls(error.to_string())
}
