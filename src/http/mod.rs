//! HTTP as all rooms use it: one configuration of clients for Graph, the token endpoint and every other service, why
//! no answer came, and how `Retry-After` is read.

mod client;
mod connect_to;
mod probe;
mod proxy;
mod retry_after;
mod roots;
mod status;
mod tls;
mod transport_error;

pub use client::{ConnectError, HttpClients, HttpOptions, MAX_WAIT};
pub use connect_to::{ConnectTo, ConnectToError};
pub use probe::{certificate_of, proxy_for};
pub use proxy::overruled;
pub use retry_after::{parse as parse_retry_after, parse_headers as retry_after_of};
pub use status::{is_of_a_gateway, passes};
pub use transport_error::is_untrusted;
pub(crate) use transport_error::{TransportError, describe};
