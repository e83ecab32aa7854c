//! Proxies of a few lines each: CONNECT and SOCKS5, which record what they are asked for and die when told to.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

/// What a proxy was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Asked {
    /// `host:port`, as it was asked for.
    pub target: String,
    /// User and password, with a colon between them; empty where none came.
    pub credentials: String,
}

/// What a proxy does about it.
pub(crate) enum Turn {
    /// Connects to this address, whatever the name was.
    Tunnel(SocketAddr),
    /// Writes this in place of an answer, then hangs up. (A SOCKS proxy refuses.)
    Say(String),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Connect,
    Socks,
}

type Decide = dyn Fn(&Asked) -> Turn + Send + Sync;

/// A proxy on loopback, on a thread of its own.
pub(crate) struct Proxy {
    pub addr: SocketAddr,
    kind: Kind,
    decide: Arc<Decide>,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    asked: Mutex<Vec<Asked>>,
    open: Mutex<Vec<TcpStream>>,
    dead: AtomicBool,
}

impl Proxy {
    /// A proxy that speaks CONNECT.
    pub(crate) fn connect(decide: impl Fn(&Asked) -> Turn + Send + Sync + 'static) -> Proxy {
        Proxy::start(Kind::Connect, Arc::new(decide))
    }

    /// A proxy that speaks SOCKS5 and wants a user and a password.
    pub(crate) fn socks(decide: impl Fn(&Asked) -> Turn + Send + Sync + 'static) -> Proxy {
        Proxy::start(Kind::Socks, Arc::new(decide))
    }

    /// A proxy that connects to this address, whatever it is asked for.
    pub(crate) fn to(addr: SocketAddr) -> Proxy {
        Proxy::connect(move |_| Turn::Tunnel(addr))
    }

    fn start(kind: Kind, decide: Arc<Decide>) -> Proxy {
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
                // A client that goes away is no matter here.
                std::thread::spawn(move || serve(kind, stream.unwrap(), &*decide, &state));
            }
        });
    }

    /// What it was asked for so far.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.state.asked.lock().unwrap().clone()
    }

    /// Ends: every tunnel breaks, and nobody listens any more.
    pub(crate) fn die(&self) {
        self.state.dead.store(true, Ordering::SeqCst);
        // Whoever accepts is woken up to see it, and closes the socket on leaving.
        let _ = TcpStream::connect(self.addr);
        while TcpStream::connect(self.addr).is_ok() {
            std::thread::yield_now();
        }
        for stream in self.state.open.lock().unwrap().drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    /// Comes back, at the same address.
    pub(crate) fn rise(&self) {
        self.state.dead.store(false, Ordering::SeqCst);
        self.listen(TcpListener::bind(self.addr).unwrap());
    }
}

fn serve(kind: Kind, client: TcpStream, decide: &Decide, state: &State) -> io::Result<()> {
    state.open.lock().unwrap().push(client.try_clone()?);
    let asked = match kind {
        Kind::Connect => hear_connect(&client)?,
        Kind::Socks => hear_socks(&client)?,
    };
    state.asked.lock().unwrap().push(asked.clone());
    let mut out = client.try_clone()?;
    match (decide(&asked), kind) {
        (Turn::Say(text), Kind::Connect) => {
            out.write_all(text.as_bytes())?;
            // What the client still sends is read, so that the answer is not lost to a reset.
            out.shutdown(Shutdown::Write)?;
            io::copy(&mut &client, &mut io::sink()).map(drop)
        }
        // Not allowed by ruleset (RFC 1928, 6).
        (Turn::Say(_), Kind::Socks) => out.write_all(&[5, 2, 0, 1, 0, 0, 0, 0, 0, 0]),
        (Turn::Tunnel(addr), _) => {
            let server = TcpStream::connect(addr)?;
            state.open.lock().unwrap().push(server.try_clone()?);
            match kind {
                Kind::Connect => out.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n")?,
                Kind::Socks => out.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0])?,
            }
            join(client, server)
        }
    }
}

/// Carries bytes both ways until both ends are done.
fn join(client: TcpStream, server: TcpStream) -> io::Result<()> {
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

fn hear_connect(client: &TcpStream) -> io::Result<Asked> {
    // A byte at a time: what comes behind the head belongs to the tunnel.
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
    Ok(Asked { target, credentials: String::from_utf8(decoded.unwrap_or_default()).unwrap() })
}

/// SOCKS5 with user and password (RFC 1928, RFC 1929).
fn hear_socks(mut client: &TcpStream) -> io::Result<Asked> {
    let methods = exactly(client, 2)?[1];
    let offered = exactly(client, methods.into())?;
    if !offered.contains(&2) {
        client.write_all(&[5, 0xff])?;
        return Err(io::ErrorKind::PermissionDenied.into());
    }
    client.write_all(&[5, 2])?;
    let user_length = exactly(client, 2)?[1];
    let user = exactly(client, user_length.into())?;
    let password_length = exactly(client, 1)?[0];
    let password = exactly(client, password_length.into())?;
    let credentials = format!("{}:{}", String::from_utf8_lossy(&user), String::from_utf8_lossy(&password));
    if credentials.contains("wrong") {
        client.write_all(&[1, 1])?;
        return Err(io::ErrorKind::PermissionDenied.into());
    }
    client.write_all(&[1, 0])?;
    let host = match exactly(client, 4)?[3] {
        1 => exactly(client, 4)?.iter().map(u8::to_string).collect::<Vec<_>>().join("."),
        3 => {
            let length = exactly(client, 1)?[0];
            String::from_utf8(exactly(client, length.into())?).unwrap()
        }
        other => panic!("a SOCKS address of type {other}"),
    };
    let port = exactly(client, 2)?;
    Ok(Asked { target: format!("{host}:{}", u16::from_be_bytes([port[0], port[1]])), credentials })
}

fn exactly(mut stream: &TcpStream, count: usize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; count];
    stream.read_exact(&mut bytes)?;
    Ok(bytes)
}
