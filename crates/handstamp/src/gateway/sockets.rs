//! Sockets that listen, of TCP and of Unix domain sockets, and the connections they give.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
#[cfg(unix)]
use tokio::net::{UnixListener, UnixStream};

use crate::Error;
use crate::config::{ListenAddress, SocketMode};
use crate::service_manager::ServiceManager;

/// A socket that connections come to.
#[derive(Debug)]
pub(crate) enum Socket {
    Tcp(TcpListener),
    #[cfg(unix)]
    Unix {
        /// Gone before nobody listens any more: until then, nobody else has put theirs there.
        _file: SocketFile,
        socket: UnixListener,
    },
}

/// A connection.
#[derive(Debug)]
pub(crate) enum Stream {
    Tcp(TcpStream),
    #[cfg(unix)]
    Unix(UnixStream),
}

/// Who connects by a Unix domain socket counts as somebody on this machine.
#[cfg(unix)]
const THIS_MACHINE: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);

impl Socket {
    /// The socket that the service manager has for `address`, or else a new one.
    ///
    /// # Errors
    /// The address cannot be listened on.
    pub(super) async fn listen(
        address: &ListenAddress,
        mode: SocketMode,
        manager: &ServiceManager,
    ) -> Result<Self, Error> {
        let failed = |source| Error::Listen { address: address.clone(), source };
        #[cfg(unix)]
        if let Some(inherited) = manager.socket(address) {
            return Self::inherit(inherited).map_err(failed);
        }
        #[cfg(not(unix))]
        let _ = (mode, manager);
        match address {
            ListenAddress::Tcp(address) => TcpListener::bind(address).await.map(Self::Tcp).map_err(failed),
            #[cfg(unix)]
            ListenAddress::Unix(path) => {
                let file = SocketFile::make_way(path).map_err(failed)?;
                let socket = UnixListener::bind(path).map_err(failed)?;
                let file = file.with_mode(mode).map_err(failed)?;
                Ok(Self::Unix { _file: file, socket })
            }
            #[cfg(not(unix))]
            ListenAddress::Unix(_) => Err(failed(io::ErrorKind::Unsupported.into())),
        }
    }

    #[cfg(unix)]
    fn inherit(socket: crate::service_manager::Inherited) -> io::Result<Self> {
        use crate::service_manager::Inherited;
        match socket {
            Inherited::Tcp(socket) => {
                socket.set_nonblocking(true)?;
                TcpListener::from_std(socket).map(Self::Tcp)
            }
            Inherited::Unix(socket) => {
                socket.set_nonblocking(true)?;
                // Its file is the service manager's.
                Ok(Self::Unix { _file: SocketFile(None), socket: UnixListener::from_std(socket)? })
            }
        }
    }

    /// Where it listens: the port is the one that the system chose.
    pub(super) fn address(&self, asked: &ListenAddress) -> ListenAddress {
        match self {
            Self::Tcp(socket) => socket.local_addr().map_or_else(|_| asked.clone(), ListenAddress::Tcp),
            #[cfg(unix)]
            Self::Unix { .. } => asked.clone(),
        }
    }

    /// The next connection, and its other end.
    pub(super) async fn accept(&self) -> io::Result<(Stream, SocketAddr)> {
        match self {
            Self::Tcp(socket) => {
                let (stream, peer) = socket.accept().await?;
                let _ = stream.set_nodelay(true);
                Ok((Stream::Tcp(stream), peer))
            }
            #[cfg(unix)]
            Self::Unix { socket, .. } => {
                let (stream, _) = socket.accept().await?;
                Ok((Stream::Unix(stream), THIS_MACHINE))
            }
        }
    }
}

/// The file of a Unix domain socket, which goes with it.
#[cfg(unix)]
#[derive(Debug)]
pub(crate) struct SocketFile(Option<std::path::PathBuf>);

#[cfg(unix)]
impl SocketFile {
    /// Removes what a program that was killed has left at `path`.
    fn make_way(path: &std::path::Path) -> io::Result<Self> {
        use std::os::unix::fs::FileTypeExt as _;
        use std::os::unix::net::UnixStream;
        let left = match std::fs::symlink_metadata(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self(Some(path.to_owned()))),
            found => found?,
        };
        if !left.file_type().is_socket() {
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, "there is a file that is no socket"));
        }
        match UnixStream::connect(path) {
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => std::fs::remove_file(path)?,
            _ => return Err(io::ErrorKind::AddrInUse.into()),
        }
        Ok(Self(Some(path.to_owned())))
    }

    /// Lets those connect whom `mode` names.
    fn with_mode(self, mode: SocketMode) -> io::Result<Self> {
        use std::os::unix::fs::PermissionsExt as _;
        if let Some(path) = &self.0 {
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode.0))?;
        }
        Ok(self)
    }
}

#[cfg(unix)]
impl Drop for SocketFile {
    fn drop(&mut self) {
        if let Some(path) = &self.0 {
            let _ = std::fs::remove_file(path);
        }
    }
}

/// So many bytes are rather copied than written as several slices.
const WORTH_COPYING: usize = 2 << 10;

/// Does the same with either.
macro_rules! either {
    ($stream:expr, $inner:ident => $does:expr) => {
        match $stream {
            Stream::Tcp($inner) => $does,
            #[cfg(unix)]
            Stream::Unix($inner) => $does,
        }
    };
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        either!(self.get_mut(), stream => Pin::new(stream).poll_read(cx, buffer))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        either!(self.get_mut(), stream => Pin::new(stream).poll_write(cx, bytes))
    }

    /// The system takes a list of slices in more time than it takes to copy a few short ones.
    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if let [slice] = slices {
            return self.poll_write(cx, slice);
        }
        let mut copy = [0; WORTH_COPYING];
        let mut rest = &mut copy[..];
        let are_short = slices.iter().all(|slice| {
            rest.split_off_mut(..slice.len()).is_some_and(|place| {
                place.copy_from_slice(slice);
                true
            })
        });
        if are_short {
            let length = WORTH_COPYING - rest.len();
            return self.poll_write(cx, &copy[..length]);
        }
        either!(self.get_mut(), stream => Pin::new(stream).poll_write_vectored(cx, slices))
    }

    fn is_write_vectored(&self) -> bool {
        either!(self, stream => stream.is_write_vectored())
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        either!(self.get_mut(), stream => Pin::new(stream).poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        either!(self.get_mut(), stream => Pin::new(stream).poll_shutdown(cx))
    }
}

#[cfg(all(test, unix))]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::UnixStream;

    use super::*;

    #[tokio::test]
    async fn slices_arrive_in_their_order_whether_they_are_copied_or_not() {
        for length in [0, 1, WORTH_COPYING - 3, WORTH_COPYING - 2, WORTH_COPYING] {
            let body: Vec<u8> = (0..length).map(|at| at as u8).collect();
            let (near, mut far) = UnixStream::pair().expect("a pair of sockets");
            let mut near = Stream::Unix(near);
            let slices = [io::IoSlice::new(b"a"), io::IoSlice::new(&body), io::IoSlice::new(b"z")];
            let written = near.write_vectored(&slices).await.expect("written");
            drop(near);
            let mut arrived = Vec::new();
            far.read_to_end(&mut arrived).await.expect("read");
            assert_eq!((written, arrived), (length + 2, [&b"a"[..], &body, b"z"].concat()), "{length}");
        }
    }
}
