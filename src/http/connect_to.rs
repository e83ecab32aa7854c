//! `--connect-to`: an address for a host name, instead of the one that DNS gives.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

/// The one host name that means this machine, and to which plain HTTP is allowed.
pub(super) const LOCALHOST: &str = "localhost";

/// A host name and the address to connect to for it. TLS still requires a certificate for the host name, so a
/// wrong address receives no more than a handshake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectTo {
    host: String,
    address: IpAddr,
    port: Option<u16>,
}

/// The text is not a valid `HOST=ADDRESS[:PORT]`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConnectToError {
    /// There is no `=`.
    #[error("write HOST=ADDRESS or HOST=ADDRESS:PORT, such as graph.microsoft.com=203.0.113.7")]
    Shape,
    /// The host name is invalid.
    #[error("invalid host name '{0}'; write it without scheme and port, such as graph.microsoft.com")]
    Host(String),
    /// The address is invalid.
    #[error(
        "invalid IP address '{0}'; write 203.0.113.7, or an IPv6 address in brackets, such as [2001:db8::7]"
    )]
    Address(String),
    /// The host is `localhost`, but the address is not loopback.
    #[error(
        "{host} must be a loopback address, not {address}, because plain HTTP is allowed to it; use another host \
         name with HTTPS, or a tunnel to 127.0.0.1"
    )]
    NotLoopback {
        /// The host.
        host: String,
        /// The address.
        address: IpAddr,
    },
    /// The port is invalid.
    #[error("invalid port '{0}'; write a number from 1 to 65535")]
    Port(String),
}

impl ConnectTo {
    /// The host name, in lower case.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port, if there is one. Otherwise, the port of the URL applies.
    pub fn port(&self) -> Option<u16> {
        self.port
    }

    /// The socket address to connect to. Port 0 means the scheme's default.
    pub(super) fn socket(&self) -> SocketAddr {
        SocketAddr::new(self.address, self.port.unwrap_or(0))
    }
}

impl fmt::Display for ConnectTo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}=", self.host)?;
        match self.address {
            IpAddr::V4(address) => write!(f, "{address}")?,
            IpAddr::V6(address) => write!(f, "[{address}]")?,
        }
        self.port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

impl FromStr for ConnectTo {
    type Err = ConnectToError;

    fn from_str(text: &str) -> Result<Self, ConnectToError> {
        let (host, target) = text.trim().split_once('=').ok_or(ConnectToError::Shape)?;
        let host = host_name(host)?;
        let (address, port) = match target.strip_prefix('[') {
            Some(rest) => {
                let bad = || ConnectToError::Address(target.to_owned());
                let (address, port) = rest.split_once(']').ok_or_else(bad)?;
                (address.parse::<Ipv6Addr>().map(IpAddr::V6).map_err(|_| bad())?, port)
            }
            None => {
                let (address, port) = target.split_at(target.find(':').unwrap_or(target.len()));
                let bad = |_| ConnectToError::Address(target.to_owned());
                (address.parse::<std::net::Ipv4Addr>().map(IpAddr::V4).map_err(bad)?, port)
            }
        };
        let port = match port.strip_prefix(':') {
            None if port.is_empty() => None,
            None => return Err(ConnectToError::Address(target.to_owned())),
            Some(digits) => Some(port_number(digits)?),
        };
        if host == LOCALHOST && !address.to_canonical().is_loopback() {
            return Err(ConnectToError::NotLoopback { host, address });
        }
        Ok(ConnectTo { host, address, port })
    }
}

fn host_name(text: &str) -> Result<String, ConnectToError> {
    let name = text.strip_suffix('.').unwrap_or(text);
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
    };
    let is_name = name.len() <= 253 && name.split('.').all(label) && name.parse::<IpAddr>().is_err();
    if is_name { Ok(name.to_ascii_lowercase()) } else { Err(ConnectToError::Host(text.to_owned())) }
}

fn port_number(digits: &str) -> Result<u16, ConnectToError> {
    let number = digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok()).flatten();
    number.filter(|port| *port > 0).ok_or_else(|| ConnectToError::Port(digits.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(text: &str) -> Result<(String, SocketAddr), ConnectToError> {
        text.parse::<ConnectTo>().map(|connect_to| (connect_to.host().to_owned(), connect_to.socket()))
    }

    #[test]
    fn hosts_addresses_and_ports_are_read() {
        for (text, host, socket) in [
            ("graph.microsoft.com=203.0.113.7", "graph.microsoft.com", "203.0.113.7:0"),
            ("Graph.Microsoft.com.=203.0.113.7:8443", "graph.microsoft.com", "203.0.113.7:8443"),
            ("a=[::1]", "a", "[::1]:0"),
            ("localhost=127.0.0.2:8080", "localhost", "127.0.0.2:8080"),
            ("localhost=[::ffff:127.0.0.1]", "localhost", "[::ffff:127.0.0.1]:0"),
            ("login_1.example=[2001:db8::7]:443", "login_1.example", "[2001:db8::7]:443"),
        ] {
            assert_eq!(read(text), Ok((host.to_owned(), socket.parse().unwrap())), "{text}");
        }
    }

    fn elsewhere(address: &str) -> ConnectToError {
        ConnectToError::NotLoopback { host: LOCALHOST.to_owned(), address: address.parse().unwrap() }
    }

    #[test]
    fn what_is_something_else_is_refused() {
        for (text, error) in [
            ("graph.microsoft.com", ConnectToError::Shape),
            ("=1.2.3.4", ConnectToError::Host(String::new())),
            ("https://a=1.2.3.4", ConnectToError::Host("https://a".into())),
            ("a:443=1.2.3.4", ConnectToError::Host("a:443".into())),
            ("10.0.0.1=1.2.3.4", ConnectToError::Host("10.0.0.1".into())),
            ("a..b=1.2.3.4", ConnectToError::Host("a..b".into())),
            ("a=", ConnectToError::Address(String::new())),
            ("a=b", ConnectToError::Address("b".into())),
            ("a=::1", ConnectToError::Address("::1".into())),
            ("a=[::1", ConnectToError::Address("[::1".into())),
            ("a=[1.2.3.4]", ConnectToError::Address("[1.2.3.4]".into())),
            ("a=[::1]443", ConnectToError::Address("[::1]443".into())),
            ("a=1.2.3", ConnectToError::Address("1.2.3".into())),
            ("a=1.2.3.4:", ConnectToError::Port(String::new())),
            ("a=1.2.3.4:0", ConnectToError::Port("0".into())),
            ("a=1.2.3.4:65536", ConnectToError::Port("65536".into())),
            ("a=1.2.3.4:+1", ConnectToError::Port("+1".into())),
            ("a=[::1]:x", ConnectToError::Port("x".into())),
            ("localhost=203.0.113.7", elsewhere("203.0.113.7")),
            ("LocalHost.=203.0.113.7:80", elsewhere("203.0.113.7")),
            ("localhost=0.0.0.0", elsewhere("0.0.0.0")),
            ("localhost=[2001:db8::7]", elsewhere("2001:db8::7")),
            ("localhost=[::ffff:203.0.113.7]", elsewhere("::ffff:203.0.113.7")),
        ] {
            assert_eq!(read(text), Err(error), "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(
            host in "[a-z0-9]{1,9}(-[a-z0-9]{1,5})?(\\.[a-z][a-z0-9]{0,9}){1,3}",
            address in any::<IpAddr>(),
            port in proptest::option::of(1u16..),
        ) {
            let connect_to = ConnectTo { host, address, port };
            prop_assert_eq!(connect_to.to_string().parse(), Ok(connect_to));
        }

        #[test]
        fn nothing_makes_it_panic(text in "\\PC{0,40}") {
            let _ = text.parse::<ConnectTo>();
        }

        #[test]
        fn nothing_of_its_own_signs_makes_it_panic(text in "[a=\\[\\]:.0-9-]{0,20}") {
            if let Ok(connect_to) = text.parse::<ConnectTo>() {
                prop_assert_eq!(connect_to.to_string().parse(), Ok(connect_to));
            }
        }
    }
}
