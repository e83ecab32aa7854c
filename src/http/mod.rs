//! The HTTP layer of all rooms: one client configuration for Graph, the token endpoint and every other
//! service, the reasons why there was no answer, and `Retry-After`.

mod client;
mod connect_to;
mod probe;
mod proxy;
mod retry_after;
mod roots;
mod status;
mod tls;
mod transport_error;

pub use client::{ClientBuildError, HttpClients, HttpOptions, MAX_WAIT};
pub use connect_to::{ConnectTo, ConnectToError};
pub use probe::{certificate_of, proxy_for};
pub use proxy::ignored_connect_to;
pub use retry_after::{parse as parse_retry_after, parse_headers as retry_after_of};
pub use status::{is_gateway_error, is_transient};
pub use transport_error::is_untrusted;
pub(crate) use transport_error::{TransportError, describe};
