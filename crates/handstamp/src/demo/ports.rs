//! Which ports the demo uses.

use super::DEFAULT_PORT;
use crate::Error;
use serde::{Deserialize, Serialize};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};

/// The ports of the demo's four addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Ports {
    pub(super) web: u16,
    pub(super) sts: u16,
    pub(super) admin: u16,
    pub(super) soap: u16,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Chosen {
    pub(super) ports: Ports,
    /// The usual ports were taken.
    pub(super) fell_back: bool,
}

/// Chooses ports that are free right now.
///
/// A port that was asked for is the one, or an error says that it is taken. Otherwise the demo goes where it was the last
/// time, so that open pages still work; then to its default; then to any port.
pub(super) fn choose(asked: Option<u16>, last: Option<Ports>) -> Result<Chosen, Error> {
    match (asked, last) {
        (Some(0), Some(last)) | (None, Some(last)) if all_free(last) => Ok(Chosen { ports: last, fell_back: false }),
        (Some(0), _) => Ok(Chosen { ports: any()?, fell_back: false }),
        (Some(port), _) => Ok(Chosen { ports: beginning_at(port)?, fell_back: false }),
        (None, _) => {
            let usual = following(DEFAULT_PORT);
            if all_free(usual) {
                Ok(Chosen { ports: usual, fell_back: false })
            } else {
                Ok(Chosen { ports: any()?, fell_back: true })
            }
        }
    }
}

/// The port asked for, which must be free, and the next three where they are.
fn beginning_at(port: u16) -> Result<Ports, Error> {
    let web = TcpListener::bind((Ipv4Addr::LOCALHOST, port))
        .map_err(|source| Error::Listen { address: SocketAddr::from((Ipv4Addr::LOCALHOST, port)), source })?;
    let wanted = following(port);
    let free = [wanted.sts, wanted.admin, wanted.soap].into_iter().all(is_free);
    let ports = if free { wanted } else { Ports { web: port, ..any()? } };
    drop(web);
    Ok(ports)
}

fn following(port: u16) -> Ports {
    let after = |distance| port.saturating_add(distance);
    Ports { web: port, sts: after(1), admin: after(2), soap: after(3) }
}

/// Four different free ports: all are held until all are known.
fn any() -> Result<Ports, Error> {
    let failed = |source| Error::system("cannot find a free port", source);
    let listen = || TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(failed);
    let held = [listen()?, listen()?, listen()?, listen()?];
    let port = |listener: &TcpListener| Ok::<u16, Error>(listener.local_addr().map_err(failed)?.port());
    Ok(Ports { web: port(&held[0])?, sts: port(&held[1])?, admin: port(&held[2])?, soap: port(&held[3])? })
}

fn all_free(ports: Ports) -> bool {
    let Ports { web, sts, admin, soap } = ports;
    let all = [web, sts, admin, soap];
    let different = (1..all.len()).all(|index| !all[..index].contains(&all[index]));
    different && all.into_iter().all(is_free)
}

fn is_free(port: u16) -> bool {
    port != 0 && TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ports_of_the_last_time_come_first() {
        let last = any().unwrap();
        assert_eq!(choose(Some(0), Some(last)).unwrap(), Chosen { ports: last, fell_back: false });
        assert_eq!(choose(None, Some(last)).unwrap().ports, last);
    }

    #[test]
    fn taken_ports_are_not_used_again() {
        let last = any().unwrap();
        let _taken = TcpListener::bind((Ipv4Addr::LOCALHOST, last.sts)).unwrap();
        let chosen = choose(Some(0), Some(last)).unwrap().ports;
        assert!(chosen != last && chosen.sts != last.sts);
    }

    #[test]
    fn a_port_that_was_asked_for_is_the_one_or_an_error() {
        let free = any().unwrap().web;
        assert_eq!(choose(Some(free), None).unwrap().ports.web, free);
        let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = taken.local_addr().unwrap().port();
        assert!(matches!(choose(Some(port), None), Err(Error::Listen { .. })));
    }

    #[test]
    fn damaged_records_are_not_believed() {
        let free = any().unwrap().web;
        let odd = Ports { web: free, sts: free, admin: 0, soap: 0 };
        assert_ne!(choose(Some(0), Some(odd)).unwrap().ports, odd);
    }
}
