//! Which ports the demo uses.

use super::DEFAULT_PORT;
use crate::Error;
use serde::{Deserialize, Serialize};
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};

/// The ports of the demo's four addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Ports {
    pub(super) web: u16,
    pub(super) sts: u16,
    pub(super) admin: u16,
    pub(super) soap: u16,
}

#[derive(Debug)]
pub(super) struct Chosen {
    pub(super) ports: Ports,
    /// The usual ports were taken.
    pub(super) fell_back: bool,
    /// Keeps others away from the ports until the demo listens there.
    pub(super) held: [TcpListener; 4],
}

/// Chooses ports that are free, and holds them.
///
/// A port that was asked for is the one, or an error says that it is taken. Otherwise the demo goes where it was the last
/// time, so that open pages still work; then to its default; then to any port.
pub(super) fn choose(asked: Option<u16>, last: Option<Ports>) -> Result<Chosen, Error> {
    let again = || last.and_then(|last| Chosen::hold(last).ok());
    match asked {
        Some(0) => again().map_or_else(any, Ok),
        Some(port) => beginning_at(port),
        None => match again().or_else(|| Chosen::hold(following(DEFAULT_PORT)).ok()) {
            Some(chosen) => Ok(chosen),
            None => Ok(Chosen { fell_back: true, ..any()? }),
        },
    }
}

/// The port asked for, which must be free, and the next three where they are.
fn beginning_at(port: u16) -> Result<Chosen, Error> {
    let web = listen(port)
        .map_err(|source| Error::Listen { address: SocketAddr::from((Ipv4Addr::LOCALHOST, port)).into(), source })?;
    let wanted = following(port);
    match (listen(wanted.sts), listen(wanted.admin), listen(wanted.soap)) {
        (Ok(sts), Ok(admin), Ok(soap)) => Chosen::of([web, sts, admin, soap]),
        _ => {
            let [_, sts, admin, soap] = any()?.held;
            Chosen::of([web, sts, admin, soap])
        }
    }
    .map_err(none_free)
}

/// Those that the system gives.
fn any() -> Result<Chosen, Error> {
    let held = || Chosen::of([listen(0)?, listen(0)?, listen(0)?, listen(0)?]);
    held().map_err(none_free)
}

fn none_free(source: io::Error) -> Error {
    Error::system("cannot find a free port", source)
}

fn following(port: u16) -> Ports {
    let after = |distance| port.saturating_add(distance);
    Ports { web: port, sts: after(1), admin: after(2), soap: after(3) }
}

impl Chosen {
    /// These very ports. A damaged record may name one twice, or none.
    fn hold(ports: Ports) -> io::Result<Self> {
        let Ports { web, sts, admin, soap } = ports;
        let chosen = Self::of([listen(web)?, listen(sts)?, listen(admin)?, listen(soap)?])?;
        if chosen.ports == ports { Ok(chosen) } else { Err(io::ErrorKind::AddrNotAvailable.into()) }
    }

    fn of(held: [TcpListener; 4]) -> io::Result<Self> {
        let port = |listener: &TcpListener| Ok::<u16, io::Error>(listener.local_addr()?.port());
        let [web, sts, admin, soap] = &held;
        let ports = Ports { web: port(web)?, sts: port(sts)?, admin: port(admin)?, soap: port(soap)? };
        Ok(Self { ports, fell_back: false, held })
    }
}

fn listen(port: u16) -> io::Result<TcpListener> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ports that were free a moment ago.
    fn free() -> Ports {
        any().unwrap().ports
    }

    #[test]
    fn the_ports_of_the_last_time_come_first() {
        let last = free();
        let chosen = choose(Some(0), Some(last)).unwrap();
        assert_eq!((chosen.ports, chosen.fell_back), (last, false));
        drop(chosen);
        assert_eq!(choose(None, Some(last)).unwrap().ports, last);
    }

    #[test]
    fn taken_ports_are_not_used_again() {
        let last = free();
        let _taken = listen(last.sts).unwrap();
        let chosen = choose(Some(0), Some(last)).unwrap().ports;
        assert!(chosen != last && chosen.sts != last.sts);
    }

    #[test]
    fn a_port_that_was_asked_for_is_the_one_or_an_error() {
        let chosen = choose(Some(free().web), None).unwrap();
        assert!(matches!(choose(Some(chosen.ports.web), None), Err(Error::Listen { .. })), "it is held");
    }

    #[test]
    fn damaged_records_are_not_believed() {
        let free = free().web;
        let odd = Ports { web: free, sts: free, admin: 0, soap: 0 };
        assert_ne!(choose(Some(0), Some(odd)).unwrap().ports, odd);
    }
}
