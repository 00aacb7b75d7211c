//! Ports that are known before anybody listens, and stay a test's own while nobody does.

use socket2::{Domain, Socket, Type};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};

/// A port of the loopback interface that nobody is given by chance.
///
/// A program that asks for this very port may listen there, end, and listen again; in between, connections are refused. Only
/// Linux lets a port be kept so: elsewhere it is one that was free a moment ago.
#[derive(Debug)]
pub struct ReservedPort {
    number: u16,
    _kept: Option<Socket>,
}

impl ReservedPort {
    /// Any port.
    ///
    /// # Panics
    /// When there is none.
    #[expect(clippy::new_without_default, reason = "each is another")]
    pub fn new() -> Self {
        Self::bind(0).expect("a port")
    }

    /// Ports with numbers that follow each other.
    ///
    /// # Panics
    /// When there are none.
    pub fn in_a_row<const COUNT: usize>() -> [Self; COUNT] {
        const ATTEMPTS: usize = 1000;
        let row = |_| {
            let first = Self::new();
            let following = (1..COUNT).map(|distance| {
                let distance = u16::try_from(distance).ok()?;
                Self::bind(first.number.checked_add(distance)?).ok()
            });
            let following: Vec<Self> = following.collect::<Option<_>>()?;
            <[Self; COUNT]>::try_from(std::iter::once(first).chain(following).collect::<Vec<_>>()).ok()
        };
        (0..ATTEMPTS).find_map(row).expect("ports in a row")
    }

    fn bind(number: u16) -> io::Result<Self> {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        // What lets a second socket bind it, as long as only one of them listens.
        socket.set_reuse_address(true)?;
        socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, number)).into())?;
        let address = socket.local_addr()?.as_socket().expect("an address of IPv4");
        Ok(Self { number: address.port(), _kept: cfg!(target_os = "linux").then_some(socket) })
    }

    /// Its number.
    pub fn number(&self) -> u16 {
        self.number
    }

    /// Where a program is to listen.
    pub fn address(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.number))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{TcpListener, TcpStream};

    #[test]
    fn one_may_listen_end_and_listen_again() {
        let port = ReservedPort::new();
        for _ in 0..2 {
            assert!(TcpStream::connect(port.address()).is_err(), "nobody listens");
            let listener = TcpListener::bind(port.address()).unwrap();
            assert!(TcpListener::bind(port.address()).is_err(), "one is enough");
            let connection = TcpStream::connect(port.address()).unwrap();
            drop((listener.accept().unwrap(), connection));
        }
    }

    #[test]
    fn a_row_has_no_gaps() {
        let row = ReservedPort::in_a_row::<4>();
        assert!(row.windows(2).all(|pair| pair[1].number() == pair[0].number() + 1), "{row:?}");
    }
}
