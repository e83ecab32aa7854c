//! Proxies of a few lines each, for CONNECT and SOCKS5. They record what they are asked for, and a test can stop them.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

/// A request to a proxy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ProxyRequest {
    /// `host:port`, as requested.
    pub target: String,
    /// User and password, separated by a colon; empty if there were none.
    pub credentials: String,
}

/// What a proxy does with a request.
pub(crate) enum ProxyAction {
    /// Connects to this address, whatever the name was.
    Tunnel(SocketAddr),
    /// Sends this text as the answer and hangs up. (A SOCKS proxy refuses the request.)
    Say(String),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum ProxyProtocol {
    Connect,
    Socks,
}

type Decide = dyn Fn(&ProxyRequest) -> ProxyAction + Send + Sync;

/// A proxy on loopback, on its own thread.
pub(crate) struct Proxy {
    pub addr: SocketAddr,
    kind: ProxyProtocol,
    decide: Arc<Decide>,
    state: Arc<ProxyState>,
}

#[derive(Default)]
struct ProxyState {
    asked: Mutex<Vec<ProxyRequest>>,
    open: Mutex<Vec<TcpStream>>,
    dead: AtomicBool,
}

impl Proxy {
    /// A proxy that speaks CONNECT.
    pub(crate) fn connect(decide: impl Fn(&ProxyRequest) -> ProxyAction + Send + Sync + 'static) -> Proxy {
        Proxy::start(ProxyProtocol::Connect, Arc::new(decide))
    }

    /// A proxy that speaks SOCKS5 and requires a user and a password.
    pub(crate) fn socks(decide: impl Fn(&ProxyRequest) -> ProxyAction + Send + Sync + 'static) -> Proxy {
        Proxy::start(ProxyProtocol::Socks, Arc::new(decide))
    }

    /// A proxy that connects to this address, whatever the request asks for.
    pub(crate) fn to_address(addr: SocketAddr) -> Proxy {
        Proxy::connect(move |_| ProxyAction::Tunnel(addr))
    }

    fn start(kind: ProxyProtocol, decide: Arc<Decide>) -> Proxy {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let proxy = Proxy { addr: listener.local_addr().unwrap(), kind, decide, state: Arc::default() };
        proxy.listen(listener);
        proxy
    }

    fn listen(&self, listener: TcpListener) {
        let (kind, decide, state) = (self.kind, Arc::clone(&self.decide), Arc::clone(&self.state));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if state.dead.load(Ordering::SeqCst) {
                    return;
                }
                let (decide, state) = (Arc::clone(&decide), Arc::clone(&state));
                // It doesn't matter if a client hangs up.
                std::thread::spawn(move || serve(kind, stream.unwrap(), &*decide, &state));
            }
        });
    }

    /// All requests so far.
    pub(crate) fn requests(&self) -> Vec<ProxyRequest> {
        self.state.asked.lock().unwrap().clone()
    }

    /// Stops the proxy: all tunnels break, and the port is closed.
    pub(crate) fn stop(&self) {
        self.state.dead.store(true, Ordering::SeqCst);
        // A connection wakes up the thread that accepts, which then sees the flag and closes the socket.
        let _ = TcpStream::connect(self.addr);
        while TcpStream::connect(self.addr).is_ok() {
            std::thread::yield_now();
        }
        for stream in self.state.open.lock().unwrap().drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    /// Starts the proxy again, at the same address.
    pub(crate) fn restart(&self) {
        self.state.dead.store(false, Ordering::SeqCst);
        self.listen(TcpListener::bind(self.addr).unwrap());
    }
}

fn serve(kind: ProxyProtocol, client: TcpStream, decide: &Decide, state: &ProxyState) -> io::Result<()> {
    state.open.lock().unwrap().push(client.try_clone()?);
    let asked = match kind {
        ProxyProtocol::Connect => read_connect_request(&client)?,
        ProxyProtocol::Socks => read_socks_request(&client)?,
    };
    state.asked.lock().unwrap().push(asked.clone());
    let mut out = client.try_clone()?;
    match (decide(&asked), kind) {
        (ProxyAction::Say(text), ProxyProtocol::Connect) => {
            out.write_all(text.as_bytes())?;
            // Read what the client still sends, so that a reset does not discard the answer.
            out.shutdown(Shutdown::Write)?;
            io::copy(&mut &client, &mut io::sink()).map(drop)
        }
        // Connection not allowed by ruleset (RFC 1928, 6).
        (ProxyAction::Say(_), ProxyProtocol::Socks) => out.write_all(&[5, 2, 0, 1, 0, 0, 0, 0, 0, 0]),
        (ProxyAction::Tunnel(addr), _) => {
            let server = TcpStream::connect(addr)?;
            state.open.lock().unwrap().push(server.try_clone()?);
            match kind {
                ProxyProtocol::Connect => out.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n")?,
                ProxyProtocol::Socks => out.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0])?,
            }
            relay(client, server)
        }
    }
}

/// Copies bytes in both directions until both ends are closed.
fn relay(client: TcpStream, server: TcpStream) -> io::Result<()> {
    let (mut from, mut to) = (client.try_clone()?, server.try_clone()?);
    let up = std::thread::spawn(move || {
        let _ = io::copy(&mut from, &mut to);
        let _ = to.shutdown(Shutdown::Write);
    });
    let _ = io::copy(&mut &server, &mut &client);
    let _ = client.shutdown(Shutdown::Write);
    let _ = up.join();
    Ok(())
}

fn read_connect_request(client: &TcpStream) -> io::Result<ProxyRequest> {
    // One byte at a time, because what follows the head belongs to the tunnel.
    let mut head = BufReader::with_capacity(1, client);
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if head.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        match line.trim_end() {
            "" => break,
            line => lines.push(line.to_owned()),
        }
    }
    let target = lines[0].split(' ').nth(1).unwrap_or_default().to_owned();
    assert!(lines[0].starts_with("CONNECT "), "a proxy got something else than CONNECT: {lines:?}");
    let basic = lines.iter().find_map(|line| {
        let (name, value) = line.split_once(": ")?;
        name.eq_ignore_ascii_case("proxy-authorization").then(|| value.strip_prefix("Basic "))?
    });
    let decoded = basic.map(|text| {
        use base64::Engine;
        base64::engine::general_purpose::STANDARD.decode(text).unwrap()
    });
    Ok(ProxyRequest { target, credentials: String::from_utf8(decoded.unwrap_or_default()).unwrap() })
}

/// SOCKS5 with user and password (RFC 1928, RFC 1929).
fn read_socks_request(mut client: &TcpStream) -> io::Result<ProxyRequest> {
    let methods = read_exactly(client, 2)?[1];
    let offered = read_exactly(client, methods.into())?;
    if !offered.contains(&2) {
        client.write_all(&[5, 0xff])?;
        return Err(io::ErrorKind::PermissionDenied.into());
    }
    client.write_all(&[5, 2])?;
    let user_length = read_exactly(client, 2)?[1];
    let user = read_exactly(client, user_length.into())?;
    let password_length = read_exactly(client, 1)?[0];
    let password = read_exactly(client, password_length.into())?;
    let credentials = format!("{}:{}", String::from_utf8_lossy(&user), String::from_utf8_lossy(&password));
    if credentials.contains("wrong") {
        client.write_all(&[1, 1])?;
        return Err(io::ErrorKind::PermissionDenied.into());
    }
    client.write_all(&[1, 0])?;
    let host = match read_exactly(client, 4)?[3] {
        1 => read_exactly(client, 4)?.iter().map(u8::to_string).collect::<Vec<_>>().join("."),
        3 => {
            let length = read_exactly(client, 1)?[0];
            String::from_utf8(read_exactly(client, length.into())?).unwrap()
        }
        other => panic!("a SOCKS address of type {other}"),
    };
    let port = read_exactly(client, 2)?;
    Ok(ProxyRequest { target: format!("{host}:{}", u16::from_be_bytes([port[0], port[1]])), credentials })
}

fn read_exactly(mut stream: &TcpStream, count: usize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; count];
    stream.read_exact(&mut bytes)?;
    Ok(bytes)
}
